/* SPDX-License-Identifier: MIT
 * control_private.h - what the files of the control socket share: control.c (the socket, its connections) and
 * control_do.c, control_read.c and control_ring.c (what they can ask for). */
#ifndef ZOG_DAEMON_CONTROL_PRIVATE_H
#define ZOG_DAEMON_CONTROL_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/lock.h"
#include "daemon/control.h"
#include "base/buf.h"
#include "daemon/server.h"
#include "daemon/status.h"
#include "daemon/tree.h"
#include "petrichor/petrichor.h"

enum {
	CONTROL_CONNS = 16,             /* at a time */
	CONTROL_BYTES = 4096,           /* of a request's header, and of its body */
	CONTROL_BEGIN_MS = 5000,        /* for the identity, and for a request once it has begun */
	CONTROL_IDLE_MS = 60 * 1000,
	CONTROL_REFUSED = 8,            /* sent away and not yet closed */
	CONTROL_TEXT = 512,
};

struct control {
	/* constant after control_start */
	struct server  *server;
	char           *path;
	dev_t           dev;            /* which file we made */
	ino_t           ino;
	int             fd, stop_fd, wake_fd;   /* wake_fd: a connection has ended */
	pthread_t       thread;
	bool            running;
	atomic_bool     stop;           /* any thread */

	/* owned by the control thread */
	int             refused[CONTROL_REFUSED];       /* -1: none. Closed within a second or two */

	struct lock     lock;           /* RANK_CONTROL */
	/* under lock */
	struct control_conn *list;
	int             count;
	struct rates    rates;
};

struct control_conn {
	/* constant after its start */
	struct control      *control;
	struct control_conn *next;      /* but this: under the lock */
	pthread_t            thread;
	int                  pid, uid;  /* who it is, by the kernel; -1: not known */

	/* owned by its thread */
	struct pt_conn      *pairs;

	/* under the lock of control */
	int                  fd;        /* -1: closed, or about to be */
	bool                 ended;
};

/* One request, answered. What pt_send said; anything but PT_OK ends the connection. */
int control_do(struct control_conn *, const struct pt_value *header);
int control_answer(struct control_conn *, const struct tree *body);     /* {"ok": true}; body NULL: empty */
/* One pair of several: {"ok": true, "more": more}, with "lost" where it is not 0; the body is these
 * bytes. It waits for as long as the
 * client likes. */
int control_piece(struct control_conn *, const struct buf *, bool more, uint64_t lost);
bool control_over(struct control_conn *);       /* zogd stops, or the client has gone, or asks for something else */
/* false: none, or too long */
bool control_text(const struct pt_value *header, const char *key, char *text, size_t room);

typedef int control_command(struct control_conn *, const struct pt_value *header);
control_command control_cat, control_tail, control_trace, control_verify;

int control_fail(struct control_conn *, const char *code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
