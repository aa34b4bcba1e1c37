/* SPDX-License-Identifier: MIT
 * journal.h - the frames a member has, in append-only segment files (doc/journal).
 * A segment holds frames exactly as on the wire, wrapped 0, one after the other, each with its own CRC. Nothing else is on
 * disk: what the streams hold is rebuilt by reading it all once at the start.
 *
 * One thread enters a journal. No call blocks but on the disk. */
#ifndef ZOG_STORE_JOURNAL_H
#define ZOG_STORE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"

struct journal;

/* A place between two records. Segments are numbered from 1 and numbers are never used again. */
struct journal_pos {
	uint64_t segment;
	uint64_t offset;        /* bytes into it */
};

struct journal_options {
	const char *dir;                /* state-dir */
	int64_t     limit_bytes;        /* of all segments together; the oldest go */
	int64_t     segment_bytes;      /* a new one begins when the next record does not fit */

	/* Something for error.log: a cut tail, a damaged record, a file set aside; a whole sentence without line end. */
	void      (*say)(void *arg, const char *text);
	/* A segment was removed: of this stream everything below first_kept is gone (0: all of it is). */
	void      (*pruned)(void *arg, const char *origin, uint64_t epoch, uint64_t first_kept);
	void       *arg;
};

/* One good record: its header, the record (header line, then body), where it begins. The memory is the journal's and valid
 * during the call only. false: stop. */
typedef bool journal_visit(void *arg, const struct frame_head *, const char *record, size_t head_size, struct journal_pos at);

/* Creates dir if it is not there (one level, 0750), locks it (a second process on one journal is refused: EWOULDBLOCK), reads
 * everything, calls visit for each good record in the order of the files, cuts a torn or NUL-filled tail of the last segment
 * back to its last good record, goes on behind damaged records in the middle where the next good record can be found. What was cut or is
 * damaged is copied to a file of its own in dir ("damaged-SEGMENT-OFFSET") and said; a file in dir that looks like a segment and is none is
 * renamed and said, never deleted. NULL with errno after *why was set (static text or strerror). */
struct journal *journal_open(const struct journal_options *, journal_visit *, const char **why);
void            journal_close(struct journal **);       /* syncs */

/* Appends records, all or none: -1 with errno, and the file is cut back to where it was (ENOSPC gives a short write first; if the cut
 * itself fails the next append begins a new segment, and the torn tail is left for the next start to cut). */
int  journal_append(struct journal *, struct frame *const *, size_t count);
/* All that was appended is on the disk afterwards. -1 with errno: what was appended since the last good sync is then read back, checked
 * by CRC and written again to a new segment, at once and, if that fails, at the next append or sync, which fail until it succeeded
 * (after a failed fdatasync the kernel takes the pages for clean, so that trying it again on the same file proves nothing). */
int  journal_sync(struct journal *);
bool journal_dirty(const struct journal *);             /* is there something to sync? */

/* The same in three steps, so that another thread may wait for the disk while appends go on. Between begin and end journal_sync and
 * journal_close must not be called. */
struct journal_flight {
	int                fd[8];       /* of segments: duplicates, its own */
	int                count;
	int                dir_fd;      /* borrowed; -1: the folder is on the disk */
	struct journal_pos upto;        /* what it brings to the disk */
};
bool journal_sync_begin(struct journal *, struct journal_flight *);     /* false: nothing to be synced, or journal_sync must do it */
int  journal_flight_sync(struct journal_flight *);      /* any thread: waits, and closes; 0, or an errno */
int  journal_sync_end(struct journal *, const struct journal_flight *, int error);      /* error: of journal_flight_sync; as journal_sync */

/* Every frame of the stream that holds a line numbered from .. to, in the order of their numbers, whole, one reference each for take to keep or
 * drop; a record that has gone bad since is left out (and said). take returns false to stop. -1 with errno: nothing could be read. */
typedef bool journal_take(void *arg, struct frame *);
int  journal_read(struct journal *, const char *origin, uint64_t epoch, uint64_t from, uint64_t to, journal_take *, void *arg);

/* Every good record from pos on, as journal_open does it. A pos before the first segment means the first; -1 with errno. */
int  journal_scan(struct journal *, struct journal_pos from, journal_visit *, void *arg);

bool journal_pruned_beyond(const char *dir, struct journal_pos);        /* has the journal in dir lost what stood right behind this? */

struct journal_pos journal_end(const struct journal *); /* where the next record will begin */
struct journal_pos journal_begin(const struct journal *);
void journal_limits(struct journal *, int64_t limit_bytes, int64_t segment_bytes);

struct journal_counts {
	uint64_t segments, bytes, damaged, syncs;
};
void journal_counts(const struct journal *, struct journal_counts *);

#endif
