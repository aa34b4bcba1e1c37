/* SPDX-License-Identifier: MIT
 * tnetstring.h - what the frames' modules share. Pure; any thread. */
#ifndef PETRICHOR_TNETSTRING_H
#define PETRICHOR_TNETSTRING_H

#include <stddef.h>

#include "petrichor/petrichor.h"

enum { SIZE_DIGITS = 9 };

/* SIZE and its colon, of which n bytes are there. PT_OK: *used bytes are read. PT_E_TRUNC: they end before the colon. Else
 * *used is where the fault is. */
static inline int
read_size(const char *p, size_t n, size_t *size, size_t *used)
{
	size_t v = 0, i = 0;
	for (; i < n; i++) {
		unsigned digit = (unsigned char)p[i] - (unsigned)'0';
		*used = i;
		if (digit > 9) {
			if (p[i] != ':' || i == 0)
				return PT_E_LEN_DIGIT;
			*size = v;
			*used = i + 1;
			return PT_OK;
		}
		if (i != 0 && v == 0)
			return PT_E_LEN_ZERO;
		if (i == SIZE_DIGITS)
			return PT_E_LEN_LONG;
		v = v * 10 + digit;
	}
	return PT_E_TRUNC;
}

#endif
