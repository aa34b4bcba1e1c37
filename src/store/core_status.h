/* SPDX-License-Identifier: MIT
 * core_status.h - what a core knows, for people: streams, and how far each peer is behind. By the core's thread. */
#ifndef ZOG_STORE_CORE_STATUS_H
#define ZOG_STORE_CORE_STATUS_H

#include "store/core.h"

enum { CORE_STATUS_STREAMS = 128 };     /* told one by one; of more only how many there are */

struct core_status {
	struct core_counts    counts;
	struct journal_counts journal;
	int                   error;            /* why the journal cannot be written; 0: it can */
	/* messages of all streams that some member said it has and we have not */
	uint64_t              missing;
	uint64_t              passed;           /* passed over, since nobody in reach has them */

	int                   peers;
	struct core_status_peer {
		char     name[RING_NAME + 1];
		bool     heard;                 /* it has said what it has */
		uint64_t behind;                /* messages that we have and it has not, by what it said last */
		uint64_t ahead;                 /* the other way round */
	} peer[RING_MAX];

	/* Of each origin the latest stream, and earlier ones of which something is missing or passed over;
	 * by name, then epoch. */
	size_t                shown;
	struct core_status_stream {
		char     origin[FRAME_NAME + 1];
		uint64_t epoch;
		uint64_t first;                 /* the journal's lowest line of it; 0: nothing is left there */
		uint64_t upto;                  /* all up to here is had, but for what was passed over */
		uint64_t known;                 /* the highest that is known of */
		uint64_t missing, passed;       /* messages */
	} stream[CORE_STATUS_STREAMS];
};

/* All streams of which the journal keeps something, or something is missing; the latest where there is
 * not room for all of them.
 * How many; left_out: how many more there are. */
size_t core_kept(struct core *, struct core_status_stream *, size_t room, uint64_t *left_out);

void core_status(struct core *, struct core_status *);

#endif
