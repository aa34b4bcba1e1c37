/* SPDX-License-Identifier: MIT
 * harness_text.c - the texts of a load: each tells its connection and number, and its filler follows from both, so that a
 * log line can be judged without a list. */
#include <stdio.h>
#include <string.h>

#include "harness_own.h"

enum { HEAD = 24 };             /* "a0001-0000123 " and room */

size_t
load_text(const struct load_texts *t, int conn, int n, char out[LOAD_TEXT])
{
	uint32_t r = (uint32_t)conn * 2654435761u ^ (uint32_t)n * 40503u ^ (uint32_t)t->tag << 24 ^ 1;
	r ^= r >> 15;
	size_t len = (size_t)t->least + r % (uint32_t)(t->most - t->least + 1);
	int head = snprintf(out, HEAD, "%c%04d-%07d ", t->tag, conn, n);
	for (size_t i = (size_t)head; i < len; i++) {
		r ^= r << 13;
		r ^= r >> 17;
		r ^= r << 5;
		out[i] = (char)(' ' + r % 95);
	}
	/* A line end in the file is not to be hidden by a blank. */
	out[len - 1] = '.';
	return len;
}

bool
load_text_whose(const struct load_texts *t, const char *text, size_t len, int *conn, int *n)
{
	char head[16], again[LOAD_TEXT];
	if (len < sizeof head - 2 || len > sizeof again || text[0] != t->tag)
		return false;
	memcpy(head, text, sizeof head - 2);
	head[sizeof head - 2] = '\0';
	if (sscanf(head + 1, "%4d-%7d ", conn, n) != 2 || *conn < 0 || *conn >= t->conns || *n < 0 || *n >= t->each)
		return false;
	return load_text(t, *conn, *n, again) == len && memcmp(again, text, len) == 0;
}

bool
load_text_like(const struct load_texts *t, const char *text, size_t len)
{
	return len > 5 && text[0] == t->tag && text[5] == '-';
}
