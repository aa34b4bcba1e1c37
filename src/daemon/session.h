/* SPDX-License-Identifier: MIT
 * session.h - one accepted connection: its bytes in, its replies out, in order. What its lines mean is for
 * client.c and peer.c to say.
 *
 * One thread runs a session and alone touches its descriptor and buffers. The logger's thread enters to tell that a job is done;
 * while the session's thread sleeps it answers in its place, with the lock held, so that nobody is woken for that. A session ends by itself (end of file, quit, a deadline) or because sessions_stop asks. */
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

/* What kind of connection it is, by now. Everything here runs in the session's thread. */
struct session_kind {
	void    (*input)(struct session *);                     /* there are new bytes in in: eats what is complete */
	void    (*turn)(struct session *);                      /* view is a new one, perhaps; NULL: no matter */
	void    (*flush)(struct session *);                     /* nothing more at hand: the batch is to be sent off */
	int64_t (*patience)(const struct session *);            /* ms without anything complete, then it is closed */
	const char *name;       /* of its thread */
	bool     silent;        /* closed without a word */
};

/* What a job that is done means for its sender. */
enum session_answer {
	ANSWER_OKS,     /* an ok for each line, or an error for each */
	ANSWER_NUMBER,  /* ok N, or error N for each line */
	ANSWER_FRAME,   /* ok ORIGIN EPOCH SEQ */
	ANSWER_TEXT,    /* its reply, as it is */
};

enum session_state {
	SESSION_AWAKE,
	SESSION_ASLEEP,         /* in poll, with nothing to do */
	SESSION_ASKING,         /* in poll, for one answer of the logger: it is to be woken */
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
	int64_t                    began_ms;

	/* owned by the session's thread; while state is SESSION_ASLEEP, by whoever holds the lock */
	struct view               *view;        /* the settings of this turn */
	struct session_job        *batch;       /* the good lines of this turn not yet sent off; NULL: none */
	int                        place;       /* peers: which member of the view's ring, -1: several have this address */
	char                       batch_wrap;  /* peers: how they came wrapped */
	struct buf                 in, out;
	struct buf                 replies;     /* struct reply: what is still to be answered, in order */
	struct buf                 texts;       /* the texts of those replies, one after the other */
	size_t                     pending_bytes;       /* of batches that the logger has */
	/* An ok that is held back, since the next may say the same and more. */
	uint64_t                   ok_n;        /* of a numbered client; 0: none */
	bool                       ok_frame;    /* of a frame's stream */
	char                       ok_origin[FRAME_NAME + 1];
	uint64_t                   ok_epoch, ok_upto;
	char                       client[FRAME_CLIENT + 1];    /* its token; "": plain */
	int                        level;       /* members that are to have its messages, as conf_ack gives it */
	bool                       spoken;      /* its first line has come */
	uint64_t                   last_n;      /* its last number on this connection */
	uint64_t                   known_n;     /* the highest that was known of it when it opened */
	char                       peer[RING_NAME + 1]; /* a member's connection: who; "": not opened */
	char                       peer_ring[16];       /* the RINGID it opened with */
	bool                       other_ring;  /* and that is not ours */
	struct opening            *opening;     /* a member's connection whose proof is awaited; NULL: no */
	int64_t                    alive_ms;    /* of the last complete line, or bytes that went out */
	int64_t                    begun_ms;    /* when what is in in began to come; without meaning while that is empty */
	bool                       closing;     /* no further line is read */
	bool                       eof;         /* the other side has closed its half */
	bool                       eager;       /* the last read filled its room */
	bool                       reading;     /* poll waits for input, too */
	int                        wake_fd;     /* -1 until the first batch */

	atomic_bool                stop;        /* set by sessions_stop */
	atomic_bool                shed;        /* set by sessions_shed: another needs the place */
	atomic_bool                opened;      /* a member's connection: HELLO was good, and the proof */
	bool                       ended;       /* under the lock of all */

	struct lock                lock;        /* RANK_SESSION */
	/* under lock */
	enum session_state         state;
};

void *session_main(void *session);      /* what its thread runs */

/* For the kinds, in the session's thread. */
void        session_lines(struct session *, size_t prefix, void (*line)(struct session *, const char *p, const struct line *),
                void (*run)(struct session *));         /* every line at hand: the bad ones are answered, line gets the good ones;
                                                   run, where there is one, may eat more behind each */
bool        session_add(struct session *, const char *kind, const char *origin, const char *text, size_t len);
                                                /* to the batch; false: no memory */
/* The same for many lines: those that were put into the batch's frame, and what they took of in. */
struct frame *session_batch(struct session *);  /* NULL: there is none that can take more */
void        session_added(struct session *, uint32_t count, size_t size);
void        session_number(struct session *, const char *client, uint64_t n);  /* the batch begins with this number */
struct job *session_take(struct session *, enum session_answer);        /* the batch, to be given to the logger: the answer
                                                   follows; NULL: none */
struct job *session_job(struct session *, enum session_answer, size_t size);    /* another job, answered in its turn; NULL: no memory */
void        session_reply(struct session *, const char *text);  /* a line, in its turn */
void        session_bad(struct session *, const char *reason, const char *bytes, size_t n);     /* error.log and error REASON */
void        session_close(struct session *);    /* read no more; it ends when every reply is out */
/* Asks the logger and waits for its answer, a number. false: no memory. */
bool        session_ask(struct session *, enum job_what, const char *text, uint64_t *number);

/* A connection that is not let in: one line, as far as it can be sent without waiting, and closed. */
void        session_refuse(int fd, const char *line);

#endif
