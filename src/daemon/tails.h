/* SPDX-License-Identifier: MIT
 * tails.h - those who follow what is logged. The logger's thread gives each of them the lines, and never
 * waits: what one of
 * them has no room for is counted, and told to it. */
#ifndef ZOG_DAEMON_TAILS_H
#define ZOG_DAEMON_TAILS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/lock.h"
#include "wire/frame.h"

enum { TAIL_BYTES = 256 * 1024 };

struct tail;

struct tails {
	atomic_uint     count;          /* so that it costs nothing where there is none */
	struct lock     lock;           /* RANK_TAILS */
	pthread_cond_t  more;           /* wait for: lines or lost of the tail, or its time */
	/* under lock */
	struct tail    *list;
};

void tails_init(struct tails *);
void tails_fini(struct tails *);        /* all have left */

struct tail *tails_join(struct tails *);                /* NULL: no memory */
void         tails_leave(struct tails *, struct tail **);
/* What has come since the last time, as access.log has it, and how many lines had no room before that; waits
 * until then for something. */
void         tails_take(struct tails *, struct tail *, struct buf *lines, uint64_t *lost, int64_t until_ms);
void         tails_wake(struct tails *);                /* all that wait look up once */

/* The logger's thread. */
void         tails_log(struct tails *, const struct frame_head *, const char *body, const uint32_t *skip,
    uint32_t skips);

#endif
