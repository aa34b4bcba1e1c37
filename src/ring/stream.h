/* SPDX-License-Identifier: MIT
 * stream.h - what a member has of each stream, (origin, epoch), and what it misses. Pure; one thread.
 *
 * Of a stream a member has the lines 1 .. upto, but for those it passed over (nobody in reach had them) and those that its
 * journal has pruned. What comes beyond a gap is kept in memory, up to a bound, until the gap is filled.
 * A stream stays known when all of it is pruned, so that it is not pulled again, and so that a member that was away learns
 * what it has missed for good. Only when there are too many go the oldest that are at rest and of which nothing is kept.
 * Most streams are at rest: nothing of them has changed or is missing. Those of which something may be are awake, and on a
 * list of their own, so that a round costs nothing for the others.
 * Invariants: runs of passed lie below upto, sorted, apart from each other; frames ahead begin above upto + 1, sorted by
 * their first line; none of them was within the one before it when it came. */
#ifndef ZOG_RING_STREAM_H
#define ZOG_RING_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring/ring.h"
#include "wire/frame.h"

enum {
	STREAM_AHEAD_BYTES = 4 * 1024 * 1024,   /* of frames kept beyond a gap of one stream */
	STREAMS_MOST = 65536,                   /* for further ones the oldest that are pruned whole go; if there are none they are not taken */
};

struct run {
	uint64_t from, to;      /* both in it */
};

/* Who may fill the gap that begins at upto + 1, and who was asked: repair.c's. */
struct gap {
	uint64_t known[RING_MAX];       /* what each peer said it has; 0: nothing heard on its present link */
	uint64_t from;                  /* upto + 1 at the time that the rest is about */
	uint64_t gone_to[RING_MAX];     /* the peer answered that it lacks from .. this; 0: it did not */
	int      asked;                 /* peer with a request in flight, -1: none */
	int      turn;                  /* who is asked next, among equals */
	uint64_t asked_to;              /* the last line of that request */
	uint32_t line_bytes;            /* of the lines that came last, on average; 0: none came */
	int64_t  asked_ms;              /* of the request, or of the last progress since */
	int64_t  hold_ms;               /* not before: the gap may fill by itself */
	uint64_t mark;                  /* and was known to reach to here when that was said */
	int64_t  since_ms;              /* since then all that can be reached lack it; 0: not so */
	int      again;                 /* of the runs passed over: which peer is asked next */
	int64_t  again_ms;              /* and when */
	int      again_rounds;          /* since a link changed */
};

struct stream {
	struct stream *next;            /* in its bucket */
	struct stream *next_awake;      /* while it is awake */
	bool           awake;
	char           origin[FRAME_NAME + 1];
	uint64_t       epoch;
	uint64_t       upto;
	uint64_t       kept;            /* the journal's lowest line of it; 0: nothing there */
	struct run    *passed;
	int            passed_count, passed_room;
	struct frame **ahead;
	int            ahead_count, ahead_room;
	size_t         ahead_bytes;
	bool           changed;         /* upto has grown since the last digest */
	struct gap     gap;
};

struct streams {
	struct stream **bucket;
	size_t          buckets, count;
	struct stream  *awake;
};

bool           streams_init(struct streams *);          /* false: no memory */
void           streams_fini(struct streams *);
struct stream *streams_find(const struct streams *, const char *origin, uint64_t epoch);
struct stream *streams_get(struct streams *, const char *origin, uint64_t epoch);      /* if new it is made, and awake; NULL: no memory, or too many */
void           streams_each(struct streams *, void (*visit)(void *arg, struct stream *), void *arg);
void           stream_wake(struct streams *, struct stream *);         /* safe to repeat */
/* Calls visit for every stream that is awake; it says whether the stream is to stay so, and may wake others. */
void           streams_each_awake(struct streams *, bool (*visit)(void *arg, struct stream *), void *arg);

enum stream_is {
	STREAM_STORE,   /* the lines from .. to of the frame are missing, and may be stored now */
	STREAM_HAD,     /* nothing new in it */
	STREAM_AHEAD,   /* there is a gap before it */
};
enum stream_is stream_pick(const struct stream *, const struct frame *, uint64_t *from, uint64_t *to);

void stream_had(struct stream *, uint64_t from, uint64_t to);           /* stored: as stream_pick gave them */
void stream_unhad(struct stream *, uint64_t from, uint64_t to);         /* it was not, after all; the last one first */
void stream_scanned(struct stream *, uint64_t from, uint64_t to);       /* found in the journal at the start, in file order */
bool stream_pass(struct stream *, uint64_t to);         /* gives upto + 1 .. to up for now; false: no memory */
bool stream_has_passed(const struct stream *, uint64_t from, uint64_t to);      /* is any of it passed over? */
uint64_t stream_passed_upto(const struct stream *, uint64_t from);      /* the end of the run passed over that from is in; 0: of none */

bool stream_keep_ahead(struct stream *, struct frame *);        /* takes a reference of its own; false: no room, or there already */
struct frame *stream_next_ahead(struct stream *);       /* the next that has no gap before it any more, with its reference; or NULL */
uint64_t stream_ahead_from(const struct stream *);      /* first line kept beyond the gap; 0: none */

#endif
