/* SPDX-License-Identifier: MIT
 * oldlog.h - the file that the cursor of access.log knows, at the start: what stands in it behind the cursor is compared with what
 * the journal says should. Where the two part its rest is cut off: a torn line, NUL bytes of a power cut, or what is not the
 * journal's, which goes to access.log.cut. One thread. */
#ifndef ZOG_STORE_OLDLOG_H
#define ZOG_STORE_OLDLOG_H

#include <stdbool.h>
#include <stddef.h>

#include "store/cursor.h"

struct oldlog;

typedef void oldlog_say(void *arg, const char *text);   /* something for error.log */

/* dir: of the log, where the file may have another name by now. pruned: the journal has lost what stood right behind the cursor, so
 * that the file goes on with lines that cannot be compared. NULL: no memory. */
struct oldlog *oldlog_open(const char *dir, const struct cursor *, bool pruned, oldlog_say *, void *arg);
void oldlog_close(struct oldlog **);
bool oldlog_has(struct oldlog *, const char *line, size_t n);   /* is this line what it has next? If not, they part here */
void oldlog_end(struct oldlog *);               /* there is nothing more to compare; NULL is fine */
bool oldlog_done(const struct oldlog *);        /* they have parted, or there is no such file; NULL: so it is */
bool oldlog_is(const struct oldlog *, int fd);  /* is it this file? */

#endif
