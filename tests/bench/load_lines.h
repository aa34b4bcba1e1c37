/* SPDX-License-Identifier: MIT
 * load_lines.h - the output block of a plain or raw connection: whole lines that have not been
 * written yet. */
#ifndef ZOG_BENCH_LOAD_LINES_H
#define ZOG_BENCH_LOAD_LINES_H

#include <stddef.h>

#include "body.h"

enum { LINES_BLOCK = 65536 };

struct lines {
	char   block[LINES_BLOCK + BODY_MAX + 2];
	size_t at, len;         /* written, filled */
	char   reply[512];      /* a reply line that has come in part */
	size_t reply_len;
};

#endif
