/* SPDX-License-Identifier: MIT
 * suppress.h - how many lines a second error.log takes of one kind from one sender.
 * Pure: the caller brings the clock and its own lock. Memory is fixed; where two senders meet in one place of
 * the table the older one's count is told and the place goes to the newer. */
#ifndef ZOG_DAEMON_SUPPRESS_H
#define ZOG_DAEMON_SUPPRESS_H

#include <stdbool.h>
#include <stdint.h>

enum { SUPPRESS_PLACES = 512, SUPPRESS_WHO = 64, SUPPRESS_WHAT = 64 };

struct suppress {
	unsigned per_second;            /* lines of one kind; of all kinds together a hundred times that */
	int64_t  second_ms;
	unsigned this_second;
	unsigned held;                  /* places with something to tell */
	struct suppress_place {
		char     who[SUPPRESS_WHO], what[SUPPRESS_WHAT];
		int64_t  since_ms;
		unsigned lines;
		uint64_t suppressed;
	} place[SUPPRESS_PLACES];
};

typedef void suppress_tell(void *arg, const char *who, const char *what, uint64_t suppressed);

void suppress_init(struct suppress *, unsigned per_second);
bool suppress_allows(struct suppress *, const char *who, const char *what, int64_t now_ms, suppress_tell *, void *arg);
/* Tells what was held back in seconds that are over (all: in every one). Returns when to come again, INT64_MAX: no need. */
int64_t suppress_flush(struct suppress *, int64_t now_ms, bool all, suppress_tell *, void *arg);

#endif
