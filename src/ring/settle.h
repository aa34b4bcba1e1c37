/* SPDX-License-Identifier: MIT
 * settle.h - which of our own batches enough members have. Pure; one thread.
 * A queue for each level, each in the order of numbers, so that only its head is ever looked at. */
#ifndef ZOG_RING_SETTLE_H
#define ZOG_RING_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/ring.h"

/* Part of the caller's own object. */
struct settle_entry {
	struct settle_entry *next;
	uint64_t             seq;               /* of its last line, in the present stream */
	int64_t              deadline_ms;
	int                  level;             /* members that are to have it, 1 .. RING_MAX */
};

struct settle {
	struct {
		struct settle_entry *head, **tail;
	} queue[RING_MAX + 1];
	int waiting;
};

/* have: how many members have it; enough: so many that it is settled. The entry is the caller's again. */
typedef void settle_done(void *arg, struct settle_entry *, bool enough, int have);

void settle_init(struct settle *);
void settle_add(struct settle *, struct settle_entry *);
/* had: of each of count members (ourselves among them) the last number it has without a gap. */
void settle_look(struct settle *, const uint64_t *had, int count, int64_t now_ms, settle_done *, void *arg);
void settle_all(struct settle *, const uint64_t *had, int count, settle_done *, void *arg);     /* ends: each is settled or not */
int64_t settle_next(const struct settle *);     /* the first deadline, INT64_MAX: none */

#endif
