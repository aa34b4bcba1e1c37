/* SPDX-License-Identifier: MIT
 * work-client.c - lines are
 *	put TEXT        adds a job; put =ID TEXT: with this pt.id, as one that tries again would
 *	take            waits for a job, shows it, and acknowledges it
 *	hold            the same without acknowledging: when we end, it goes back */
#include "sample-client.h"

/* What was done before, and is given again since the acknowledgement was lost, is not done twice. */
static struct pt_dedupe *seen;

static int
put(struct pt_conn *c, char *rest)
{
	char made[PT_ID_TEXT];
	struct pt_value id = PT_BYTES_OF(made, PT_ID_TEXT - 1);
	const struct pt_value *header, *reply;
	pt_id(made);
	if (*rest == '=') {
		rest++;
		id = sample_word_value(&rest);
	}
	const struct pt_value body = sample_rest_value(rest);
	const struct pt_value pairs[] = { PT_TEXT("op"), PT_TEXT("put"), PT_TEXT("pt.id"), id };
	const struct pt_value asked = PT_DICT_OF(pairs, 2);
	int e = pt_request(c, &asked, &body, SAMPLE_TIMEOUT_MS, &header, &reply);
	if (e == PT_OK)
		sample_show(header, reply);
	return e;
}

static int
take(struct pt_conn *c, bool acknowledge)
{
	static const struct pt_value take_pairs[] = { PT_TEXT("op"), PT_TEXT("take") }, null = PT_NULL_OF;
	const struct pt_value asked = PT_DICT_OF(take_pairs, 1), *header, *body, *id;
	int e = pt_send(c, &asked, &null);
	if (e == PT_OK)
		e = pt_recv(c, &header, &body);
	if (e != PT_OK)
		return e;
	id = pt_get(header, "pt.id");
	if (id == NULL || id->type != PT_BYTES || pt_get(header, "job") == NULL)
		return PT_E_ARGUMENT;
	if (!acknowledge || pt_dedupe_seen(seen, NULL, 0, id->bytes.at, id->bytes.len) != PT_GONE)
		sample_show(pt_get(header, "job"), body);
	if (!acknowledge)
		return PT_OK;
	const struct pt_value pairs[] = { PT_TEXT("ack"), *pt_get(header, "job") }, done = PT_DICT_OF(pairs, 1);
	return pt_send(c, &done, &null);
}

static int
request(struct pt_conn *c, char *line)
{
	const char *verb = sample_word(&line);
	if (strcmp(verb, "put") == 0)
		return put(c, line);
	if (strcmp(verb, "take") == 0 || strcmp(verb, "hold") == 0)
		return take(c, *verb == 't');
	warnx("put, take or hold?");
	return PT_OK;
}

int
main(int argc, char **argv)
{
	struct pt_conn *c = sample_connect(argc, argv);
	seen = pt_dedupe_new(NULL);
	int e = seen != NULL ? sample_each_line(c, request) : PT_E_MEMORY;
	pt_dedupe_free(&seen);
	return sample_done(&c, e);
}
