/* SPDX-License-Identifier: MIT
 * text.h - small text: files read whole, words, numbers with units. */
#ifndef ZOG_BASE_TEXT_H
#define ZOG_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A whole file, NUL-terminated, to be freed; len, if not NULL, is its size. NULL with errno; EFBIG past max bytes. */
char *text_slurp(const char *file, size_t max, size_t *len);

/* Cuts the next line or word off *rest and ends it with a NUL; NULL when there is none left. A line
 * loses its LF (and CR); words are what stands between blanks and tabs. */
char *text_line(char **rest);
char *text_word(char **rest);
char *text_trim(char *);        /* without blanks at both ends */

bool text_int(const char *, int64_t least, int64_t most, int64_t *);    /* decimal, no sign, no blanks */
bool text_bytes(const char *, int64_t *);       /* 64M: a number, then nothing or K, M, G (1024s) */
bool text_seconds(const char *, int64_t *ms);   /* 0.2, 300: seconds, fractions allowed, as milliseconds */

/* The same word? For short ones that were written just now, byte by byte: what strcmp would read at once has not reached the
 * cache yet, and it waits. */
static inline bool
text_same(const char *a, const char *b)
{
	while (*a == *b && *a != '\0')
		a++, b++;
	return *a == *b;
}

/* How many single letters apart two words are (insert, drop, change), for "did you mean". */
int  text_distance(const char *, const char *);

#endif
