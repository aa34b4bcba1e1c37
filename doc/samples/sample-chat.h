/* SPDX-License-Identifier: MIT
 * sample-chat.h - what both sides of a chat do: each sends a line whenever it is typed, and shows what comes.
 *
 *	{} "hello"              a line
 *	{bye: true} ""          the last pair of a side: an end that is no such pair may be a cut connection */
#ifndef SAMPLE_CHAT_H
#define SAMPLE_CHAT_H

#include "sample-wait.h"

static inline int
sample_chat(struct pt_conn *c, struct sample_lines *lines)
{
	static const struct pt_value bye_pairs[] = { PT_TEXT("bye"), PT_BOOL_OF(true) };
	static const struct pt_value bye = PT_DICT_OF(bye_pairs, 1);
	const struct pt_value *header, *body;
	bool over = false, said = false;
	char *line;
	int e = PT_OK;

	while (e == PT_OK && !over) {
		int what = sample_wait(c, lines->ended ? -1 : 0, -1);
		if ((what & SAMPLE_PAIR) != 0 && (e = pt_recv(c, &header, &body)) == PT_OK) {
			over = pt_get(header, "bye") != NULL;
			if (!over)
				sample_print(stdout, body);
			fputs(over ? "BYE\n" : "\n", stdout);
		}
		if ((what & SAMPLE_OTHER) != 0)
			sample_lines_read(lines);
		while (e == PT_OK && (line = sample_lines_next(lines)) != NULL) {
			const struct pt_value text = PT_BYTES_OF(line, strlen(line));
			e = pt_send(c, NULL, &text);
		}
		/* Both say it, so that neither closes while the other's words are on their way. */
		if (e == PT_OK && !said && (over || lines->ended)) {
			e = pt_send(c, &bye, NULL);
			said = true;
		}
	}
	return e;
}

#endif
