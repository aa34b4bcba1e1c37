/* SPDX-License-Identifier: MIT
 * journal_private.h - what the files of the journal share; tests include it for the hooks at its end, nobody else does.
 *
 *   journal.c            open and close, segments, append and its undoing, retention
 *   journal_sync.c       to the disk, and what follows when that fails
 *   journal_recover.c    reads the directory at the start; sets aside what is damaged
 *   journal_read.c       frames of a stream by number; everything from a position on
 *   journal_index.c      where the frames of a stream are, roughly
 *   journal_scan.c       records one after the other, and where to go on behind a damaged one */
#ifndef ZOG_STORE_JOURNAL_PRIVATE_H
#define ZOG_STORE_JOURNAL_PRIVATE_H

#include <sys/types.h>

#include "store/journal.h"

/* ---- scan: one segment, record by record ---- */

enum {
	SCAN_RECORD_MAX = FRAME_HEAD_MAX + FRAME_BODY_MAX,
	SCAN_ROOM = 1024 * 1024,        /* more than two records, so that what follows a bad one is in sight */
};

struct scan {
	char    *buf;                   /* SCAN_ROOM bytes, the caller's */
	int      fd;                    /* borrowed */
	uint64_t base;                  /* buf[0 .. len) are the bytes of the file from here on */
	size_t   len;
	uint64_t at;                    /* the next record */
	uint64_t limit;                 /* no bytes behind it are looked at */
	unsigned unreadable;            /* pages that the disk did not give, taken for NULs */
};

enum scan_is {
	SCAN_GOOD,      /* a record: head, record, head_size, at, size */
	SCAN_DAMAGED,   /* none from at to at + size, where the next one begins or the limit is: why, torn */
	SCAN_END,
};

struct scan_record {
	struct frame_head head;
	char       *record;             /* in the buffer, until the next call */
	size_t      head_size;
	uint64_t    at, size;
	char        wrap;               /* as found; in the buffer it is '0' */
	bool        torn;               /* the beginning of a record, which the limit cuts off */
	const char *why;
};

void         scan_begin(struct scan *, int fd, uint64_t at, uint64_t limit);
enum scan_is scan_next(struct scan *, struct scan_record *);
/* *n bytes from there, fewer before the limit; valid until the next call. n is at most SCAN_RECORD_MAX. */
char        *scan_bytes(struct scan *, uint64_t at, size_t *n);

/* ---- index: which stretches of which segments hold frames of a stream ---- */

/* From begin, a frame of the stream, to begin + length, the end of another; between them may be other streams' ones. */
struct span {
	uint64_t segment, begin;
	uint64_t min, max;              /* numbers of lines in it */
	uint32_t length;
};

struct stream;
struct index {
	struct stream **buckets;
	size_t          bucket_count, stream_count, span_room;
	struct stream  *latest;         /* the one that was added to last */
	uint64_t        segment;        /* being filled */
	uint64_t        no_further;     /* spans that begin before it do not grow: there is damage behind them */
	uint32_t        streams_here;   /* that have a span in segment */
};

bool index_init(struct index *);        /* false: no memory */
void index_fini(struct index *);
/* A frame at the end of all that is there; of no stream: nothing. False: no memory. */
bool index_add(struct index *, const struct frame_head *, struct journal_pos at, size_t size);
void index_no_further(struct index *, uint64_t offset);
void index_cut(struct index *, struct journal_pos end);        /* what is behind end was not written after all */
void index_prune(struct index *, uint64_t segment,              /* that one, the first, is gone */
    void (*pruned)(void *arg, const char *origin, uint64_t epoch, uint64_t first_kept), void *arg);
/* The spans with numbers in from .. to, by their least number, to be freed. NULL: none, or errno is ENOMEM (else 0). */
struct span *index_find(const struct index *, const char *origin, uint64_t epoch, uint64_t from, uint64_t to, size_t *count);
size_t index_bytes(const struct index *);                       /* of memory */

/* ---- the journal ---- */

enum {
	SEGMENT_NAME = sizeof "journal-0123456789abcdef",
	JOURNAL_ASIDE = 64,                     /* damaged-* files; what more is damaged is only said */
	JOURNAL_ASIDE_BYTES = 16 * 1024 * 1024, /* of one of them */
	JOURNAL_SAID = 64,
};

struct segment {
	uint64_t number;
	uint64_t size;          /* up to the end of its last good record */
	uint64_t beyond;        /* bytes behind that, which could not be cut off */
};

struct journal {
	struct journal_options options;
	int             dir_fd, lock_fd;
	struct segment *segments;       /* by number */
	size_t          segment_count, segment_room;
	uint64_t        highest;        /* number that was ever seen here */
	int             fd;             /* of the last segment, for writing; -1: the next append begins a new one */
	int             read_fd;        /* of an older one, kept from the last reading; -1: none */
	uint64_t        read_segment;
	struct index    index;
	struct scan     scan;           /* its buffer serves all that reads */
	struct journal_pos synced;      /* what is before it is on the disk */
	bool            dir_dirty;      /* a segment was made since the directory was synced */
	bool            broken;         /* a sync failed: what is behind synced must be written again first */
	bool            said_rotate, said_prune;
	bool            busy;           /* in a callback: it must not come back in */
	unsigned        aside_count;    /* damaged-* files */
	struct journal_pos said[JOURNAL_SAID];  /* damage that was reported; of segment 0: none */
	unsigned        said_next;
	struct journal_counts counts;
};

void segment_name(uint64_t number, char name[SEGMENT_NAME]);
struct segment *journal_last(const struct journal *);           /* NULL: there is none */
struct segment *journal_push(struct journal *, uint64_t number);        /* NULL: no memory */
int  journal_create(struct journal *, uint64_t *number);        /* a new segment's file, its number; -1 with errno */
int  journal_segment_fd(struct journal *, uint64_t number);     /* for reading, borrowed; -1 with errno */
struct journal_pos journal_tail(const struct journal *);        /* the end of the last segment; 0, 0: there is none */
void journal_say(const struct journal *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool journal_said(struct journal *, struct journal_pos);        /* was this damage reported before? It counts as such now. */
int  journal_walk(struct journal *, struct journal_pos from, journal_visit *, void *arg);
int  journal_recover(struct journal *, journal_visit *);        /* -1 with errno */
int  journal_sync_fd(int fd);
int  journal_mend(struct journal *);    /* after a failed sync: writes again what it left in doubt; -1 with errno */

static inline int
journal_pos_compare(struct journal_pos a, struct journal_pos b)
{
	if (a.segment != b.segment)
		return a.segment < b.segment ? -1 : 1;
	return a.offset < b.offset ? -1 : a.offset > b.offset;
}

/* ---- for tests: to make the disk fail; NULL: as it is ---- */

void journal_set_sync(int (*sync_file)(int fd));
void journal_set_pread(ssize_t (*read_file)(int fd, void *, size_t, off_t));

#endif
