/* SPDX-License-Identifier: MIT
 * http-client.c - each line is a request: VERB PATH HOST. */
#include "sample-client.h"

static int
request(struct pt_conn *c, char *line)
{
	const struct pt_value *header, *body;
	/* One by one, in the order in which they stand in the line. */
	struct pt_value verb = sample_word_value(&line), path = sample_word_value(&line);
	struct pt_value host = sample_word_value(&line);
	const struct pt_value pairs[] = { PT_TEXT("verb"), verb, PT_TEXT("path"), path, PT_TEXT("host"), host };
	const struct pt_value asked = PT_DICT_OF(pairs, 3);

	int e = pt_request(c, &asked, NULL, SAMPLE_TIMEOUT_MS, &header, &body);
	if (e != PT_OK)
		return e;
	sample_print(stdout, pt_get(header, "status"));
	putchar(' ');
	sample_show(pt_get(header, "type"), body);
	return PT_OK;
}

int
main(int argc, char **argv)
{
	struct pt_conn *c = sample_connect(argc, argv);
	return sample_done(&c, sample_each_line(c, request));
}
