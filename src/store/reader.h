/* SPDX-License-Identifier: MIT
 * reader.h - the journal as it lies on the disk, for those who only look: by descriptors and a buffer of
 * their own, beside the
 * thread that writes it. Nothing is changed, cut or set aside. */
#ifndef ZOG_STORE_READER_H
#define ZOG_STORE_READER_H

#include "store/journal.h"

struct reader_ops {
	void *arg;
	/* Each false: stop. */
	/* memory valid during the call */
	bool (*good)(void *arg, const struct frame_head *, const char *body);
	/* NULL: never mind */
	bool (*damaged)(void *arg, const char *segment, uint64_t offset, uint64_t bytes, const char *why);
	/* before its first record; NULL: likewise */
	bool (*segment)(void *arg, const char *name);
};

/* Everything before end (journal_end, of the writer), in the order of the files. What was pruned
 * meanwhile is passed over.
 * -1 with errno: a segment cannot be read. */
int reader_scan(const char *dir, struct journal_pos end, const struct reader_ops *);

#endif
