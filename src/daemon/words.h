/* SPDX-License-Identifier: MIT
 * words.h - key=value words of an opening line. Pure. */
#ifndef ZOG_DAEMON_WORDS_H
#define ZOG_DAEMON_WORDS_H

#include <stdbool.h>
#include <stddef.h>

enum { WORDS_VALUE = 64 };

/* Copies what stands behind "KEY=" in one of the words of line[0 .. n); false: no such word, and value is as it was, or it is
 * too long, and value is "". */
bool words_value(const char *line, size_t n, const char *key, char value[WORDS_VALUE]);

#endif
