/* SPDX-License-Identifier: MIT
 * dedupe.h - what the tests turn in a table: its clock. */
#ifndef PETRICHOR_DEDUPE_H
#define PETRICHOR_DEDUPE_H

#include "petrichor/petrichor.h"

/* Before it is shared. now gives milliseconds that never go back. */
void dedupe_set_clock(struct pt_dedupe *, int64_t (*now)(void *ctx), void *ctx);

#endif
