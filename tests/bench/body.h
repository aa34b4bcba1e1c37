/* SPDX-License-Identifier: MIT
 * body.h - the texts that are sent: each follows from its number, so that sums over what was sent
 * and over what was logged can be compared without a list. Any thread may call these after
 * body_init. */
#ifndef ZOG_BENCH_BODY_H
#define ZOG_BENCH_BODY_H

#include <stddef.h>
#include <stdint.h>

enum { BODY_MAX = 509, BODY_LEAST = 8 };

struct body_size {
	int least, most;        /* bytes, BODY_LEAST to BODY_MAX */
};

void     body_init(void);
/* 8 hex digits of the number, then quasi-random printing characters; returns the length. */
size_t   body_make(char to[BODY_MAX], uint64_t number, struct body_size);

/* Of one text. Added up they are a sum that does not depend on the order. */
uint64_t body_hash(const char *text, size_t len);
uint64_t body_sum(uint64_t first, uint64_t count, struct body_size);

#endif
