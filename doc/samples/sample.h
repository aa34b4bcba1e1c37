/* SPDX-License-Identifier: MIT
 * sample.h - what all samples share: who one is, and values as text. It is no part of the library: a
 * program of your own needs nothing of it. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <petrichor.h>
#include <stdio.h>
#include <string.h>

#define SAMPLE_VERSION "0.1"    /* of these programs, not of the protocol */
enum { SAMPLE_NAME = 65, SAMPLE_DEPTH = 128 };

/* Bytes as a text of our own, for what a connection gave goes with its next read. false: none, or not
 * short. */
static inline bool
sample_copy(char to[SAMPLE_NAME], const struct pt_value *v)
{
	if (v == NULL || v->type != PT_BYTES || v->bytes.len >= SAMPLE_NAME)
		return false;
	if (memchr(v->bytes.at, '\0', v->bytes.len) != NULL)
		return false;
	memcpy(to, v->bytes.at, v->bytes.len);
	to[v->bytes.len] = '\0';
	return true;
}

/* What a peer sent must not steer our terminal: control characters are shown as \xNN, C1 of UTF-8 too. */
static inline void
sample_put(FILE *out, const char *at, size_t len)
{
	unsigned before = 0;
	for (size_t i = 0; i < len; i++) {
		unsigned c = (unsigned char)at[i];
		if (c < 0x20 || c == 0x7f || (before == 0xc2 && c < 0xa0))
			fprintf(out, "\\x%02x", c);
		else
			putc((int)c, out);
		before = c;
	}
}

/* All but lists and dicts. */
static inline void
sample_put_plain(FILE *out, const struct pt_value *v, bool quoted)
{
	char text[PT_FLOAT_TEXT];
	if (v->type == PT_BYTES) {
		fputs(quoted ? "'" : "", out);
		sample_put(out, v->bytes.at, v->bytes.len);
		fputs(quoted ? "'" : "", out);
	} else if (v->type == PT_INT) {
		fprintf(out, "%lld", (long long)v->integer);
	} else if (v->type == PT_FLOAT) {
		fwrite(text, 1, pt_float_text(text, v->real), out);
	} else {
		fputs(v->type == PT_NULL ? "None" : v->boolean ? "True" : "False", out);
	}
}

/* A value as Python would print it, NULL as None. Without recursion, as its depth is the peer's choice. */
static inline void
sample_print(FILE *out, const struct pt_value *v)
{
	struct {
		const struct pt_value *at;
		size_t  n, i;
		bool    dict;
	} level[SAMPLE_DEPTH];
	static const struct pt_value none = PT_NULL_OF;
	int depth = 0;
	for (v = v != NULL ? v : &none;;) {
		if (v->type != PT_LIST && v->type != PT_DICT) {
			sample_put_plain(out, v, depth > 0);
		} else if (depth == SAMPLE_DEPTH) {
			fputs("...", out);
		} else {
			level[depth].at = v->items.at;
			level[depth].dict = v->type == PT_DICT;
			level[depth].n = v->items.len * (level[depth].dict ? 2 : 1);
			level[depth].i = 0;
			putc(level[depth].dict ? '{' : '[', out);
			depth++;
		}
		while (depth > 0 && level[depth - 1].i == level[depth - 1].n)
			putc(level[--depth].dict ? '}' : ']', out);
		if (depth == 0)
			return;
		size_t i = level[depth - 1].i++;
		fputs(i == 0 ? "" : level[depth - 1].dict && i % 2 == 1 ? ": " : ", ", out);
		v = &level[depth - 1].at[i];
	}
}

#endif
