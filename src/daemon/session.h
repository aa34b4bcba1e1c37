/* SPDX-License-Identifier: MIT
 * session.h - one accepted connection: its bytes in, its replies out, in order. What its lines mean is for
 * client.c and peer.c to say.
 *
 * One thread runs a session and alone touches its descriptor and buffers; the logger's thread enters only to tell that
 * a job is done. A session ends by itself (end of file, quit, a deadline) or because sessions_stop asks. */
#ifndef ZOG_DAEMON_SESSION_H
#define ZOG_DAEMON_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/lock.h"
#include "base/net.h"
#include "daemon/logger.h"
#include "daemon/sessions.h"
#include "wire/frame.h"
#include "wire/line.h"

struct session_job;
struct view;

/* What kind of connection it is. Everything here runs in the session's thread. */
struct session_kind {
	size_t  prefix;                                         /* bytes of a line before its text */
	void    (*turn)(struct session *);                      /* view is a new one, perhaps; NULL: no matter */
	void    (*line)(struct session *, const char *p, const struct line *);  /* a good line; p: prefix included */
	void    (*flush)(struct session *);                     /* nothing more at hand: the batch is to be sent off */
	int64_t (*idle_ms)(const struct view *);                /* without a complete line, then it is closed */
};

struct session {
	/* constant after sessions_start */
	struct session            *next;        /* but this: under the lock of all */
	struct sessions           *all;
	struct server             *server;
	const struct session_kind *kind;
	int                        fd;
	struct addr                addr;
	char                       who[ADDR_TEXT];
	pthread_t                  thread;

	/* owned by the session's thread */
	struct view               *view;        /* the settings of this turn */
	struct session_job        *batch;       /* the good lines of this turn not yet sent off; NULL: none */
	int                        place;       /* peers: which member of the view's ring, -1: several have this address */
	char                       batch_wrap;  /* peers: how they came wrapped */
	struct buf                 in, out;
	struct buf                 replies;     /* struct reply: what is still to be answered, in order */
	struct buf                 texts;       /* the texts of those replies, one after the other */
	size_t                     pending_bytes;       /* of batches that the logger has */
	int64_t                    alive_ms;    /* of the last complete line, or bytes that went out */
	bool                       closing;     /* no further line is read */
	bool                       eof;         /* the other side has closed its half */
	bool                       eager;       /* the last read filled its room */
	int                        wake_fd;     /* -1 until the first batch */

	atomic_bool                stop;        /* set by sessions_stop */
	bool                       ended;       /* under the lock of all */

	struct lock                lock;        /* RANK_SESSION */
	/* under lock */
	bool                       asleep;      /* in poll: a job that is done is to wake it */
};

void *session_main(void *session);      /* what its thread runs */

/* For the kinds, in the session's thread. */
bool        session_add(struct session *, const char *origin, const char *text, size_t len);   /* to the batch; false: no memory */
struct job *session_take(struct session *);     /* the batch, to be given to the logger: an ok for each line follows; NULL: none */
void        session_reply(struct session *, const char *text);  /* a line, in its turn */
void        session_bad(struct session *, const char *reason, const char *bytes, size_t n);     /* error.log and error REASON */
void        session_close(struct session *);    /* read no more; it ends when every reply is out */

/* A connection that is not let in: one line, as far as it can be sent without waiting, and closed. */
void        session_refuse(int fd, const char *line);

#endif
