/* SPDX-License-Identifier: MIT
 * repair.h - whom to ask for what is missing, and when to give it up (doc/protocol, section 6). Pure; one thread.
 * Peers are slots 0 .. RING_MAX - 1; which are up is a set of bits. Of each stream one request is in flight at most; when half of
 * it has come it is carried on, so that a member that catches up does not wait for each answer to end. */
#ifndef ZOG_RING_REPAIR_H
#define ZOG_RING_REPAIR_H

#include <stdint.h>

#include "ring/stream.h"

enum {
	REPAIR_BYTES = 4 * 1024 * 1024, /* asked for and not yet come, about: by the size of the lines that came last */
	REPAIR_LINES = 65536,           /* and at most so many lines */
	REPAIR_PATIENCE_MS = 1000,      /* without progress, then another peer is asked */
	REPAIR_HOLD_MS = 100,           /* a hole before what has come: what fills it within this was only on its way */
	REPAIR_FLOW_MS = 300,           /* the same where nothing beyond has come, but a peer says that it has more */
	REPAIR_FLOWS_MS = 1000,         /* and where some of that has come since */
	REPAIR_AGAIN_MS = 60 * 1000,    /* what was passed over is asked for again */
};

enum repair_what {
	REPAIR_NOTHING,
	REPAIR_WANT,    /* ask peer for from .. to */
	REPAIR_PASS,    /* nobody in reach has from .. to: pass it over */
};

struct repair_step {
	enum repair_what what;
	int              peer;
	uint64_t         from, to;
};

void repair_heard(struct stream *, int peer, uint64_t upto);            /* it has the stream up to there; may be less than before */
void repair_gone(struct stream *, int peer, uint64_t from, uint64_t to);        /* it answered that it lacks these, which may be more than it was asked for */
void repair_again(struct stream *);             /* a link opened: what was passed over is asked for anew, of everyone */
void repair_link(struct stream *, int peer);    /* its link opened or broke: nothing of what it said counts any more */

/* What is to be done about this stream now; *wake is lowered to when to look again. origin: its origin's slot, -1: not a peer. */
struct repair_step repair_look(struct stream *, uint64_t up, int origin, int64_t now_ms, int64_t gap_ms, int64_t *wake);
/* The same for the runs that were passed over: REPAIR_WANT, or nothing. */
struct repair_step repair_look_again(struct stream *, uint64_t up, int64_t now_ms, int64_t *wake);

#endif
