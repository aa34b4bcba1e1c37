/* SPDX-License-Identifier: MIT
 * outq.h - a bounded FIFO for one peer: frames, and lines of our own.
 * Many threads put, the peer's writer takes all at once. The writer sleeps in poll(2), on its socket and on
 * the queue's descriptor, which turns readable when there is something to take; nobody ever waits for the
 * queue. What does not fit is not taken, and counted: a queue that filled up takes nothing more until
 * it is half empty, so that what is missing is one run and not every other message.
 * While the writer sleeps and nothing waits, whoever puts something small sends it in the writer's place, without waiting: to wake a
 * thread costs more than the message. What does not go out at once is left to the writer. */
#ifndef ZOG_DAEMON_OUTQ_H
#define ZOG_DAEMON_OUTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "wire/frame.h"

struct outq;

struct outq_entry {
	struct frame *frame;    /* NULL: a line */
	char         *line;     /* to be freed; with its line end */
	char          wrap;     /* the wrapping byte that the frame is to carry */
};

/* What the peer is taken for. */
enum outq_mode {
	OUTQ_CLOSED,    /* out of reach, and pulls what it misses when it is back: nothing is taken */
	OUTQ_KEEP,      /* cannot pull, and passes nothing on: frames wrapped 0 are taken, and wait */
	OUTQ_REPAIR,    /* has another ring file: lines and answers only */
	OUTQ_OPEN,
};

enum outq_put {
	OUTQ_TAKEN,
	OUTQ_DOWN,      /* not taken: what the peer was to pass on must go round it */
	OUTQ_FULL,      /* not taken, and counted as dropped */
	OUTQ_FILLED,    /* the same, and it is the first since there was room: worth a report */
};

struct outq_counts {
	uint64_t frames, lines, bytes;          /* waiting, those taken and not yet sent among them; lines: of the frames */
	uint64_t dropped_frames, dropped_lines; /* ever */
};

/* Sends what it can of the entry without waiting, with the queue's lock held; returns how many bytes. What the writer owns is for
 * the moment in its hands. */
typedef size_t outq_direct(void *arg, const struct outq_entry *);

struct outq  *outq_new(size_t limit_bytes, outq_direct *, void *arg);   /* NULL with errno; mode OUTQ_CLOSED; direct may be NULL */
void          outq_free(struct outq **);                        /* once its writer has been joined */
enum outq_put outq_put(struct outq *, struct frame *, char wrap);       /* takes a reference of its own */
/* The same for what is not let go for want of room: it was asked for. Not in OUTQ_CLOSED and OUTQ_KEEP: false. */
bool          outq_put_answer(struct outq *, struct frame *);
bool          outq_put_line(struct outq *, const char *line);   /* without line end; copied */
bool          outq_take_all(struct outq *, struct buf *entries);        /* appends struct outq_entry, the references
                                                                           with them; false: none, and the next put wakes */
/* Around the writer's poll, when it has nothing left to send: in between direct may be called. rise returns how many bytes of what
 * waits first are out already. */
void          outq_rest(struct outq *);
size_t        outq_rise(struct outq *);
bool          outq_sent(struct outq *, const struct frame *);   /* of what was taken this is gone; true: room again */
void          outq_entry_free(struct outq_entry *);
void          outq_set_mode(struct outq *, enum outq_mode);
void          outq_set_limit(struct outq *, size_t limit_bytes);
void          outq_wake(struct outq *);                         /* the writer leaves poll; any thread, safe to repeat */
int           outq_wake_fd(struct outq *);                      /* for the writer's poll */
void          outq_woken(struct outq *);                        /* the writer has seen it */
void          outq_counts(struct outq *, struct outq_counts *);

#endif
