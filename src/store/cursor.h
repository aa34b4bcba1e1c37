/* SPDX-License-Identifier: MIT
 * cursor.h - how far access.log has been brought up to the journal: a small file of its own in the state directory.
 * It says: the lines of everything before POS are in the file with this inode, in its first SIZE bytes, or in files before it.
 * Two slots of fixed size, written in turn, each with a CRC and a serial number, so that a kill or a power cut at any
 * moment leaves one of them good. One thread. */
#ifndef ZOG_STORE_CURSOR_H
#define ZOG_STORE_CURSOR_H

#include <stdint.h>
#include <sys/types.h>

#include "store/journal.h"

struct cursor {
	struct journal_pos pos;
	uint64_t           dev, inode, size;
};

struct cursor_file;
struct cursor_file *cursor_open(const char *dir);                       /* DIR/cursor, made if not there; NULL with errno */
void                cursor_close(struct cursor_file **);
int                 cursor_read(struct cursor_file *, struct cursor *); /* 1: read, 0: none yet (or none good), -1 with errno */
int                 cursor_write(struct cursor_file *, const struct cursor *);  /* -1 with errno; no sync */

#endif
