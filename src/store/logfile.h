/* SPDX-License-Identifier: MIT
 * logfile.h - one append-only log file that survives a full disk and rotation.
 * Only the logger thread enters it once the server runs. A write that did not fit is cut back, so that the
 * file always ends in a whole line; its descriptor number never comes free while it is open. */
#ifndef ZOG_STORE_LOGFILE_H
#define ZOG_STORE_LOGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct logfile {
	char *path;
	int   fd;
	bool  torn;     /* a cut back failed: the next write ends the half line first */
};

/* Opens or creates DIR/NAME, mode 0640, for uid and gid if they are not -1. Regular files only, no symlink.
 * -1 with errno. */
int  logfile_open(struct logfile *, const char *dir, const char *name, uid_t, gid_t);
void logfile_close(struct logfile *);
int  logfile_reopen(struct logfile *);          /* by name; -1 with errno, and the old file stays in use */
bool logfile_moved(const struct logfile *);     /* the name is another file's now, or nobody's */
/* Cuts off half a line at the end, from a kill or a power cut (then NUL bytes, too): it must not be glued to what comes. How many bytes. */
uint64_t logfile_mend(struct logfile *);
int  logfile_write(struct logfile *, const char *, size_t);     /* all of it, or -1 with errno and nothing */
off_t    logfile_last_line(int fd, off_t size);      /* where the last whole line of a file of that size ends */

#endif
