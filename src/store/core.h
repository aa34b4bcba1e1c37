/* SPDX-License-Identifier: MIT
 * core.h - what a member knows and does about frames, without threads, sockets or logs: streams, journal, numbered clients,
 * repair, settlement. One thread enters it (zogd's logger; a test's loop); time comes in by argument.
 *
 * Frames of our own clients come by core_own, those of peers by core_frame; core_store puts what can be put into the
 * journal with one write, then calls back. Peers are slots 0 .. RING_MAX - 1, given out by core_peer for as long as the member is
 * in the ring. */
#ifndef ZOG_STORE_CORE_H
#define ZOG_STORE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "ring/ring.h"
#include "ring/settle.h"
#include "store/journal.h"
#include "wire/frame.h"

struct core;

/* A batch of our own clients on its way; the caller's memory until done is called, once. error: NULL, all is well; else what the
 * client is told, valid during the call. */
struct core_own {
	struct settle_entry entry;      /* level and deadline_ms are the caller's to set */
	struct frame       *frame;      /* a reference, the core's; NULL once it is let go */
	void              (*done)(struct core_own *, const char *error);
};

struct core_ops {
	void *arg;
	/* To this peer, wrapped 0, whatever else waits for it: the answer to its want. Borrows the frame. */
	void (*send)(void *arg, int peer, struct frame *);
	/* A line (have, want) on our own connection to this peer; without line end. */
	void (*line)(void *arg, int peer, const char *text);
	/* A frame of a kind for access.log is in the journal. skip: which of its lines (counted from 0) are there already, ascending. In the
	 * start from the journal itself: at is then where it stands; else at.segment is 0. The memory is valid during the call. */
	void (*log)(void *arg, const struct frame_head *, const char *body, const uint32_t *skip, uint32_t skips,
	    struct journal_pos at);
	/* Something for error.log. */
	void (*say)(void *arg, const char *text);
	/* Our stream cannot go on: a new one must begin, with an epoch of at least this. */
	void (*new_epoch)(void *arg, uint64_t least);
	/* Calls journal_flight_sync in another thread, and later core_synced in this one. NULL: the core waits for the disk itself. */
	void (*sync)(void *arg, struct journal_flight *);
	void (*sync_wait)(void *arg);   /* returns when core_synced has been called */
};

enum { CORE_SYNC_NONE = -1, CORE_SYNC_ALWAYS = 0 };     /* else milliseconds between two syncs */

struct core_options {
	const char *dir;                /* of the journal */
	const char *self;               /* our name */
	int64_t     journal_limit, journal_segment;     /* bytes */
	int64_t     sync_ms;            /* or one of the above */
	int64_t     digest_ms, gap_ms;
	size_t      clients;            /* numbered clients remembered */
	struct journal_pos log_from;    /* of what stands behind this in the journal log is called in core_open */
};

/* Reads the journal. NULL with errno after *why was set (may be a static text). */
struct core *core_open(const struct core_options *, const struct core_ops *, int64_t now_ms, const char **why);
void         core_close(struct core **);                /* settles or fails what waits; syncs */
void         core_settings(struct core *, int64_t sync_ms, int64_t digest_ms, int64_t gap_ms, int64_t journal_limit,
                 int64_t journal_segment);
uint64_t     core_last_epoch(const struct core *);      /* the highest of our own that the journal or a peer knows; 0: none */
void         core_begin(struct core *, uint64_t epoch); /* our frames are of this stream from now on */

/* The ring's members but ourselves. Slots of those that are in it already stay. */
void         core_ring(struct core *, const struct ring *, int self);
int          core_peer(const struct core *, const char *name);  /* slot; -1: not in the ring */
const char  *core_peer_name(const struct core *, int peer);

/* What comes in. Nothing is written before core_store. */
void         core_own(struct core *, struct core_own *);
void         core_frame(struct core *, struct frame *, int peer);       /* from a peer (-1: from none); takes a reference of its own */
void         core_peer_up(struct core *, int peer);     /* our connection to it is open: it can be asked, and is told all we have */
void         core_peer_down(struct core *, int peer);
void         core_peer_hello(struct core *, int peer);  /* its connection to us was opened: it will tell all it has */
/* The words behind have, ok, want, gone. false: they make no sense. */
bool         core_have(struct core *, int peer, const char *words);
bool         core_gone(struct core *, int peer, const char *words);
bool         core_want(struct core *, int peer, const char *words, struct buf *reply);  /* reply: gone lines, if any, with line ends */

void         core_sync(struct core *, int64_t now_ms);          /* what is in the journal is on the disk, unless sync is none */
void         core_synced(struct core *, int error, int64_t now_ms);     /* what ops.sync was given: error of journal_flight_sync */
int          core_store(struct core *, int64_t now_ms);         /* what came goes to the journal, and to log; 0, or an errno: nothing did */
int64_t      core_tick(struct core *, int64_t now_ms);          /* settlement, sync, digest, repair, deadlines; returns when to come again */

uint64_t     core_upto(const struct core *, const char *origin, uint64_t epoch);        /* what we have of a stream without a gap */
uint64_t     core_first(const struct core *, const char *origin, uint64_t epoch);       /* the lowest that the journal keeps; 0: none */
uint64_t     core_client_last(struct core *, const char *client);
/* Was this number used for another text? By what this member knows. */
bool         core_client_other(struct core *, const char *client, uint64_t n, const char *text, size_t len);
bool         core_awaits(const struct core *);          /* does a batch of our clients wait for what others have? */
int          core_errno(const struct core *);           /* why the journal cannot be written; 0: it can */
struct journal *core_journal(struct core *);
bool         core_doubtful(const struct core *);        /* something of the journal was damaged or cut off at the start */

struct core_counts {
	uint64_t stored, again, late, passed, lost, wants, wanted, gaps;
	uint64_t streams, ahead_dropped;
};
void         core_counts(const struct core *, struct core_counts *);

#endif
