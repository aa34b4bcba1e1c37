/* SPDX-License-Identifier: MIT
 * logger.h - the one thread that writes the journal, access.log and error.log, and that keeps what this member knows of
 * all streams (store/core).
 * Others hand it jobs - frames, and what peers said - and lines for error.log; it takes all that is waiting, writes it with
 * few calls, then tells the jobs. Its queue is bounded by logger_wait_room, which is where a slow disk slows down
 * those who send. */
#ifndef ZOG_DAEMON_LOGGER_H
#define ZOG_DAEMON_LOGGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/net.h"
#include "daemon/stats.h"
#include "ring/ring.h"
#include "store/core.h"
#include "wire/frame.h"

struct conf;
struct logger;
struct server;
struct tails;

enum job_what {
	JOB_OWN,        /* a batch of our own clients: own.frame, own.entry.level; done when it is settled */
	JOB_FRAME,      /* a frame of a peer: frame; done when it has been dealt with; upto is then what we have of its stream */
	JOB_CLIENT,     /* a client opens: text is its token; upto is then the highest number known of it */
	JOB_OTHER,      /* text is "TOKEN N TEXT": upto is then 1 if N was used for another text */
	JOB_HAVE,       /* a peer's words: peer, text; of no further use to anyone, the logger frees the job */
	JOB_GONE,
	JOB_WANT,       /* the same, and reply is to be sent back */
	JOB_UP,         /* the link to peer opened or closed, or its link to us opened; the logger frees the job */
	JOB_DOWN,
	JOB_HELLO,
	JOB_ASK,        /* of logger_ask */
};

/* done is called by the logger's thread, once; from then on the job is the owner's again. error: NULL, or what the sender is to be
 * told, valid during the call. */
struct job {
	struct job     *next;           /* the logger's */
	enum job_what   what;
	struct core_own own;
	struct frame   *frame;          /* a reference, the logger's */
	size_t          size;           /* bytes it stands for, until they are written */
	char            peer[RING_NAME + 1];
	char           *text;
	struct buf      reply;
	uint64_t        upto, epoch;    /* an answer in a number; with origin: what is to be said of a JOB_FRAME */
	char            origin[FRAME_NAME + 1];
	void          (*done)(struct job *, const char *error);
};

struct logger *logger_open(struct server *, const struct conf *, int verbose, uid_t, gid_t);    /* reads the journal; NULL after
                                                                                                   saying why, errno */
void logger_free(struct logger **);
int  logger_start(struct logger *);             /* -1 with errno */
void logger_stop(struct logger *);              /* writes all it was given, then joins */
uint64_t logger_last_epoch(struct logger *);    /* of our own streams; before logger_start */

void logger_put(struct logger *, struct job *); /* takes the job; order of calls is order in the journal */
bool logger_tell(struct logger *, enum job_what, const char *peer, const char *text);   /* a job of its own; false: no memory */
void logger_wait_room(struct logger *);         /* blocks while too much is waiting */
const char *logger_full(struct logger *);       /* why nothing can be accepted, NULL: it can. Any thread, no lock */
void logger_reopen(struct logger *);            /* both files by name, soon, by the thread */
void logger_ring(struct logger *, const struct conf *);         /* settings or ring have changed; waits until it is so */
void logger_begin(struct logger *, uint64_t epoch);             /* our stream from now on; before logger_start, and from
                                                                   server_new_epoch in the logger's thread */

/* One line for error.log: "TIME WHO TEXT". Never blocks. */
void logger_say(struct logger *, const char *who, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void logger_debug(struct logger *, const char *who, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A bad message: who sent it, why it is bad, its bytes escaped; so many a second of one sender and reason. */
void logger_bad(struct logger *, const struct addr *, const char *reason, const char *bytes, size_t n);
/* The same limit, for anything else that an outsider can cause at will. what counts as the kind. */
void logger_limited(struct logger *, const struct addr *, const char *what, const char *text);
bool logger_answers(struct logger *);           /* has it gone round since the last call? It is asked to, once more */
struct tails *logger_tails(struct logger *);                    /* who follows access.log */
/* Runs it in the logger's thread, which has nothing else at work then, and waits for that. false: not in time; arg is not the
 * caller's any more then, but given to drop when it has run after all. */
bool logger_ask(struct logger *, void (*run)(struct logger *, void *arg), void (*drop)(void *arg), void *arg, int64_t timeout_ms);
void logger_report(struct logger *);            /* counters of the core into error.log, soon */

#endif
