/* SPDX-License-Identifier: MIT
 * outq.h - a bounded FIFO of frames for one peer.
 * Many threads put, the peer's writer takes all at once. The writer sleeps in poll(2), on its socket and on
 * the queue's descriptor, which turns readable when there is something to take; nobody ever waits for the
 * queue. What does not fit is not taken, and counted: a queue that filled up takes nothing more until
 * it is half empty, so that what is missing is one run and not every other message. */
#ifndef ZOG_DAEMON_OUTQ_H
#define ZOG_DAEMON_OUTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "wire/frame.h"

struct outq;

struct outq_entry {
	struct frame *frame;
	char          wrap;     /* the wrapping byte it is to carry */
};

enum outq_put {
	OUTQ_TAKEN,
	OUTQ_DOWN,      /* not taken: the peer is down, and would have had to pass it on */
	OUTQ_FULL,      /* not taken, and counted as dropped */
	OUTQ_FILLED,    /* the same, and it is the first since there was room: worth a report */
};

struct outq_counts {
	uint64_t frames, lines, bytes;          /* waiting, those taken and not yet sent among them */
	uint64_t dropped_frames, dropped_lines; /* ever */
};

struct outq  *outq_new(size_t limit_bytes);                     /* NULL with errno; the peer counts as down */
void          outq_free(struct outq **);                        /* once its writer has been joined */
enum outq_put outq_put(struct outq *, struct frame *, char wrap);       /* takes a reference of its own */
bool          outq_take_all(struct outq *, struct buf *entries);        /* appends struct outq_entry, the references
                                                                           with them; false: none, and the next put wakes */
bool          outq_sent(struct outq *, const struct frame *); /* of what was taken this is gone; true: room again */
void          outq_set_up(struct outq *, bool up);
void          outq_set_limit(struct outq *, size_t limit_bytes);
void          outq_wake(struct outq *);                         /* the writer leaves poll; any thread, safe to repeat */
int           outq_wake_fd(struct outq *);                      /* for the writer's poll */
void          outq_woken(struct outq *);                        /* the writer has seen it */
void          outq_counts(struct outq *, struct outq_counts *);

#endif
