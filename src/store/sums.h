/* SPDX-License-Identifier: MIT
 * sums.h - counts and hashes of stretches of streams, so that two journals can be compared without being
 * sent. Pure; one thread.
 * A message counts once, wherever and however often it stands in the journal: the hash is a sum over the
 * messages, and the order
 * in which they come does not matter (doc/protocol, section 6). */
#ifndef ZOG_STORE_SUMS_H
#define ZOG_STORE_SUMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "wire/frame.h"

enum { SUMS_MOST = 4096 };      /* stretches at a time */

struct sum {
	char     origin[FRAME_NAME + 1];
	uint64_t epoch, from, to;       /* what is asked for */
	uint64_t first;                 /* the lowest that was found; 0: none was; above to: all of it was pruned */
	uint64_t count, hash;           /* of what was found */
	/* the sum's own: what was counted, runs sorted and apart */
	struct sum_run { uint64_t from, to; } *run;
	size_t   runs, room;
};

struct sums {
	struct sum *at;
	size_t      count, room;
	bool        failed;             /* memory was out: they are of no use */
};

void        sums_fini(struct sums *);
/* or the one that is there; NULL: too many */
struct sum *sums_add(struct sums *, const char *origin, uint64_t epoch, uint64_t from, uint64_t to);
void        sums_frame(struct sums *, const struct frame_head *, const char *body);

/* "ORIGIN EPOCH FROM TO ..." to be asked for; false: makes no sense. The text is cut up. */
bool        sums_read_question(struct sums *, char *words);
/* "ORIGIN EPOCH FIRST COUNT HASH ..."; each is handed to take. false: likewise. */
bool        sums_read_answer(char *words, void (*take)(void *arg, const struct sum *), void *arg);
void        sums_put_question(const struct sum *, struct buf *);        /* with a blank before it */
void        sums_put_answer(const struct sum *, struct buf *);

#endif
