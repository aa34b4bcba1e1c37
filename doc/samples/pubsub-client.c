/* SPDX-License-Identifier: MIT
 * pubsub-client.c - lines are `sub BEGINNING...` and `pub TOPIC TEXT`; what is published meanwhile is
 * shown at once. At the end of its input it goes on to listen where it has subscribed. */
#include "sample-client.h"
#include "sample-wait.h"

enum { PREFIXES = 16 };

static bool subscribed;

static int
request(struct pt_conn *c, char *line)
{
	const char *verb = sample_word(&line);
	struct pt_value prefix[PREFIXES];
	size_t n = 0;

	if (strcmp(verb, "pub") == 0) {
		struct pt_value topic = sample_word_value(&line), body = sample_rest_value(line);
		const struct pt_value pairs[] = { PT_TEXT("topic"), topic }, header = PT_DICT_OF(pairs, 1);
		return pt_send(c, &header, &body);
	}
	if (strcmp(verb, "sub") != 0) {
		warnx("sub or pub?");
		return PT_OK;
	}
	while (line[strspn(line, " ")] != '\0' && n < PREFIXES)
		prefix[n++] = sample_word_value(&line);
	const struct pt_value pairs[] = { PT_TEXT("sub"), PT_LIST_OF(prefix, n) }, header = PT_DICT_OF(pairs, 1);
	subscribed = true;
	return pt_send(c, &header, NULL);
}

static int
show(struct pt_conn *c)
{
	const struct pt_value *header, *body;
	int e = pt_recv(c, &header, &body);
	if (e == PT_OK)
		sample_show(pt_get(header, "topic"), body);
	return e;
}

int
main(int argc, char **argv)
{
	static struct sample_lines lines;
	struct pt_conn *c = sample_connect(argc, argv);
	int e = PT_OK;
	char *line;

	while (e == PT_OK && (subscribed || !lines.ended)) {
		int what = sample_wait(c, lines.ended ? -1 : 0, -1);
		if ((what & SAMPLE_PAIR) != 0)
			e = show(c);
		if ((what & SAMPLE_OTHER) != 0)
			sample_lines_read(&lines);
		while (e == PT_OK && (line = sample_lines_next(&lines)) != NULL)
			e = *line != '\0' ? request(c, line) : PT_OK;
	}
	return sample_done(&c, e == PT_CLOSED ? PT_OK : e);
}
