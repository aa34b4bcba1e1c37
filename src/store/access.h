/* SPDX-License-Identifier: MIT
 * access.h - access.log, brought up to the journal: no line of a journaled message is missing from it and none is there
 * twice, whatever happened to either in between. One thread.
 *
 * The cursor says how far access.log had been brought up, and in which file. At the start what stands behind that place in the file
 * is compared with what the journal says should: it goes on where the two part, and what is not the journal's is cut off
 * and set aside. Where the file is not the one that the cursor knows (truncated, or the state is new), its lines are taken as a set. */
#ifndef ZOG_STORE_ACCESS_H
#define ZOG_STORE_ACCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/journal.h"

struct access;

typedef void access_say(void *arg, const char *text);   /* something for error.log */

struct access *access_open(const char *log_dir, const char *state_dir, uid_t, gid_t, access_say *, void *arg);  /* NULL with errno */
void access_close(struct access **);                    /* what was added and not flushed is left to the next start */
struct journal_pos access_from(const struct access *);  /* what the journal holds behind this may be missing in the file */

/* Lines of a frame, but those in skip: rendered, and written by access_flush. before access_started: from the journal. */
void access_add(struct access *, const struct frame_head *, const char *body, const uint32_t *skip, uint32_t skips);
/* The journal was read. doubtful: something of it was damaged or cut off, so that what comes back from others may be in the file. */
void access_started(struct access *, struct journal_pos end, bool doubtful);

/* Writes what was added; end: of the journal with it. After a failure (-1 with errno) the journal goes on, and the file
 * is completed from it by a later call. */
int  access_flush(struct access *, struct journal *, struct journal_pos end);
bool access_behind(const struct access *);

int  access_reopen(struct access *);    /* by name; -1 with errno and the old file stays */
bool access_moved(struct access *);     /* the name is another file's now, or nobody's; notices a truncation, too */
int  access_sync(struct access *, bool disk);   /* the cursor, and before it, with disk, the file; -1 with errno */
/* The same in two steps, for another thread to sync what begin returns, the caller's to close; -1 with errno. */
int  access_sync_begin(struct access *);
int  access_sync_end(struct access *);          /* it is synced: the cursor follows, unless the file is another by now */
const char *access_path(const struct access *);

#endif
