/* SPDX-License-Identifier: MIT
 * status.h - all that can be told of a running zogd, as one value (doc/control, status). */
#ifndef ZOG_DAEMON_STATUS_H
#define ZOG_DAEMON_STATUS_H

#include "daemon/tree.h"

struct server;

enum { RATES = 4, RATES_SECONDS = 5 };

/* What some counters were at the last few seconds, so that one question is enough to tell how fast they
 * grow. The owner's thread, or
 * under its lock. */
struct rates {
	int64_t  at_ms[RATES_SECONDS + 1];      /* 0: none yet */
	uint64_t count[RATES_SECONDS + 1][RATES];
	unsigned next;
};

void rates_note(struct rates *, struct server *, int64_t now_ms);       /* once a second */

/* Any thread but the logger's; waits for that one for some seconds at most, and says so where it does not answer. */
void status_tell(struct server *, const struct rates *, struct tree *);

#endif
