/* SPDX-License-Identifier: MIT
 * cache-client.c - lines are
 *	get KEY         gets KEY        delete KEY
 *	set KEY FLAGS TEXT              cas KEY FLAGS CAS TEXT */
#include "sample-client.h"

static int
request(struct pt_conn *c, char *line)
{
	char *verb = sample_word(&line);
	bool cas = strcmp(verb, "cas") == 0, set = cas || strcmp(verb, "set") == 0;
	struct pt_value key = sample_word_value(&line), body = PT_NULL_OF;
	struct pt_value pairs[8] = { PT_TEXT("op"), PT_BYTES_OF(verb, strlen(verb)), PT_TEXT("key"), key };
	struct pt_value asked = PT_DICT_OF(pairs, 2);
	const struct pt_value *header, *value;

	if (set) {
		pairs[1] = (struct pt_value)PT_TEXT("set");
		pairs[4] = (struct pt_value)PT_TEXT("flags");
		pairs[5] = (struct pt_value)PT_INT_OF(atoi(sample_word(&line)));
		asked.items.len = 3;
	}
	if (cas) {
		pairs[6] = (struct pt_value)PT_TEXT("cas");
		pairs[7] = (struct pt_value)PT_INT_OF(atoll(sample_word(&line)));
		asked.items.len = 4;
	}
	if (set)
		body = sample_rest_value(line);
	int e = pt_request(c, &asked, &body, SAMPLE_TIMEOUT_MS, &header, &value);
	if (e == PT_OK)
		sample_show(header, value);
	return e;
}

int
main(int argc, char **argv)
{
	struct pt_conn *c = sample_connect(argc, argv);
	return sample_done(&c, sample_each_line(c, request));
}
