/* SPDX-License-Identifier: MIT
 * core_private.h - what the files of the core share. */
#ifndef ZOG_STORE_CORE_PRIVATE_H
#define ZOG_STORE_CORE_PRIVATE_H

#include <stdarg.h>

#include "ring/stream.h"
#include "store/core.h"
#include "store/seen.h"

/* The kind of a record that only a journal holds: what its member has of all streams, so that it is known when the frames
 * themselves are pruned. One stands in every segment. */
#define CORE_STATE "have"

/* A frame of ours that could not be put into the journal yet. */
struct held {
	struct held  *next;
	struct frame *frame;
};

/* A frame that is to be stored next. */
struct batched {
	struct frame    *frame;         /* a reference */
	struct stream   *stream;        /* NULL: of none */
	struct core_own *own;           /* NULL: not from a client of ours */
	bool             late;          /* it had been passed over */
};

enum { CORE_TOLD = 32 };        /* streams whose origins are told at once what we have; of more, with the digest */

struct core {
	struct core_options o;
	struct core_ops     ops;
	char                self[FRAME_NAME + 1];
	struct journal     *journal;
	struct streams      streams;
	struct seen        *seen;
	struct settle       settle;
	struct {
		char name[RING_NAME + 1];       /* "": a free slot */
	} peer[RING_MAX];
	int                 members;            /* of the ring, with us */
	uint64_t            up;                 /* peers whose link to us or from us is open */
	uint64_t            epoch, last_epoch;
	bool                opening, doubtful;

	struct batched     *batch;
	size_t              batch_count, batch_room;
	struct held        *held, **held_tail;
	int                 full;               /* errno of the journal's last failure; 0: it can be written */
	int                 unsynced;           /* errno: what was appended last may not be on the disk; nobody is told that we have it */
	int64_t             retry_ms;

	struct seen_mark    marks[SEEN_SOME];   /* while it opens: lines to be marked, in their order */
	unsigned            mark_count;
	uint32_t           *skip;
	uint32_t            skips, skip_room;
	int64_t             sync_ms, synced_ms, digest_ms;      /* synced_ms: when the last sync began */
	bool                flying;             /* flight is with ops.sync */
	struct journal_flight flight;
	bool                changed;            /* some stream has */
	struct stream      *tell[CORE_TOLD];    /* of which frames came by way of another than the origin */
	int                 tells;
	uint64_t            tell_all;           /* peers whose links opened: they are told everything */
	bool                looked;             /* false: something came that repair should look at */
	int64_t             repair_ms;
	uint64_t            state_segment;      /* the last one that holds a state record, 0: none was seen */
	uint64_t            first_segment;      /* the first one that was read; 1: nothing was ever pruned */
	struct core_counts  counts;
};

void core_say(struct core *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool core_skip_room(struct core *, uint32_t count);
void core_log(struct core *, const struct frame_head *, const char *body, struct journal_pos at);
void core_read_state(struct core *, const char *body, size_t size, bool later);  /* later: than another that was read */
int  core_write_state(struct core *);           /* -1 with errno */
void core_digest(struct core *, int peer, bool all);    /* have, to one peer */
void core_tell_origins(struct core *);          /* have, to those who wait for it to settle */
void core_digest_done(struct core *);           /* all peers were told what changed */
void core_settle(struct core *, int64_t now_ms);
void core_settle_all(struct core *);

#endif
