/* SPDX-License-Identifier: MIT
 * rpc-client.c - each line is a call: METHOD ARGUMENT..., numbers as they are and all else as bytes. */
#include <errno.h>

#include "sample-client.h"

enum { ARGUMENTS = 16 };

static struct pt_value
argument(char **rest)
{
	char *word = sample_word(rest), *end;
	errno = 0;
	long long number = strtoll(word, &end, 10);
	if (*end == '\0' && errno == 0)
		return (struct pt_value)PT_INT_OF(number);
	return (struct pt_value)PT_BYTES_OF(word, strlen(word));
}

static int
request(struct pt_conn *c, char *line)
{
	static unsigned calls;
	char id[16];
	struct pt_value args[ARGUMENTS], body = PT_LIST_OF(args, 0), method = sample_word_value(&line);
	const struct pt_value *reply, *result;

	while (line[strspn(line, " ")] != '\0' && body.items.len < ARGUMENTS)
		args[body.items.len++] = argument(&line);
	snprintf(id, sizeof id, "%u", ++calls);
	const struct pt_value pairs[] = { PT_TEXT("method"), method, PT_TEXT("pt.id"), PT_BYTES_OF(id, strlen(id)) };
	const struct pt_value header = PT_DICT_OF(pairs, 2);

	int e = pt_request(c, &header, &body, SAMPLE_TIMEOUT_MS, &reply, &result);
	/* What answers another call is not for us. */
	while (e == PT_OK && !pt_is_text(pt_get(reply, "pt.id"), id))
		e = pt_recv(c, &reply, &result);
	if (e != PT_OK)
		return e;
	const struct pt_value *fault = pt_get(reply, "pt.err");
	if (fault != NULL)
		sample_show(fault, result);
	else
		sample_print(stdout, result), putchar('\n');
	return PT_OK;
}

int
main(int argc, char **argv)
{
	struct pt_conn *c = sample_connect(argc, argv);
	pt_conn_times(c, SAMPLE_TIMEOUT_MS, SAMPLE_TIMEOUT_MS);
	return sample_done(&c, sample_each_line(c, request));
}
