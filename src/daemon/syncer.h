/* SPDX-License-Identifier: MIT
 * syncer.h - a thread that waits for the disk, so that the logger need not.
 * One piece of work at a time; the logger asks, collects, and alone may call all of this but for done. */
#ifndef ZOG_DAEMON_SYNCER_H
#define ZOG_DAEMON_SYNCER_H

#include <stdbool.h>

struct syncer;

/* done is called by the syncer's thread whenever a piece of work is finished, without a lock. NULL with errno. */
struct syncer *syncer_start(void (*done)(void *arg), void *arg);
void           syncer_stop(struct syncer **);   /* finishes what it has, then joins; NULL is fine */
void           syncer_ask(struct syncer *, void (*work)(void *arg));    /* only when what was asked before is finished */
bool           syncer_busy(struct syncer *);
void           syncer_wait(struct syncer *);    /* until it is not busy */

#endif
