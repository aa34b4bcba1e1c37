/* SPDX-License-Identifier: MIT
 * conn.h - a connection from inside, for the files of this folder. One thread at a time. */
#ifndef PETRICHOR_CONN_H
#define PETRICHOR_CONN_H

#include <sys/types.h>

#include "petrichor/petrichor.h"

struct coding;

/* ---- time: milliseconds of the monotonic clock ---- */

#define CONN_FOREVER INT64_MAX
int64_t conn_now(void);
int64_t conn_until(int timeout_ms);             /* below 0: CONN_FOREVER */
int     conn_left(int64_t until);               /* 0: it is up; -1: for ever */

/* ---- descriptors ---- */

struct ends {
	int    in, out;         /* may be the same; -1: callbacks */
	bool   in_is_socket, out_is_socket;
	size_t piece;           /* out is no socket: most bytes that a write takes without waiting */
};

/* What read and write return when the time is up. Not -1 with ETIMEDOUT as callbacks do, since that is also how the system
 * says that a TCP connection has died. */
enum { ENDS_TIMEOUT = -2 };
void ends_init(struct ends *, int in, int out);
ssize_t ends_read(void *ends, void *to, size_t n, int timeout_ms);
ssize_t ends_write(void *ends, const void *from, size_t n, int timeout_ms);
int ends_close(void *ends);

/* ---- the connection ---- */

enum {
	CONN_ROOM_FIRST = 16 * 1024,    /* a receive buffer begins with this */
	CONN_ROOM_KEPT = 64 * 1024,     /* buffers over this are given back */
};

struct pt_conn {
	struct pt_io      io;           /* ctx is ends where these are not the user's */
	struct ends       ends;
	pid_t             child;        /* pt_spawn's, 0: none */
	struct pt_options options;
	struct coding    *coding;       /* owned; NULL: none */

	/* What came: in[begin..end) is not used up, and the first `held` of it are what the values point to. */
	char             *in;
	size_t            in_room, begin, end, held;
	struct pt_value  *header, *body;

	char             *out;
	size_t            out_room;

	int               recv_error;   /* sticky */
	int               send_error;   /* sticky, for both directions */
	int               io_errno;
	size_t            offset;
};

/* pt_from_io and the others without TCP_NODELAY and the like; takes nothing over where it returns NULL. */
struct pt_conn *conn_new(const struct pt_options *);

/* When to give up. The first byte may take until `until`; then there are frame_ms for the rest, or, where all is set, the
 * rest has to be there by `until`, too. */
struct patience {
	int64_t until;
	int     frame_ms;
	bool    all;
};
int conn_recv(struct pt_conn *, const struct patience *, const struct pt_value **header,
	const struct pt_value **body, struct pt_value *body_frame);     /* body_frame: NULL or where the raw body goes */
int conn_send(struct pt_conn *, int64_t until, const struct pt_value *header, const struct pt_value *body);
int conn_greet(struct pt_conn *, int64_t until, const struct pt_value *identity, const struct pt_value *body,
	const struct pt_value **verdict, const struct pt_value **verdict_body);

/* One read or write, tried again after EINTR. *moved 0 after a read: the end. PT_E_TIMEOUT, PT_E_IO (io_errno). The time
 * may be up when it is called: then it tries once without waiting, unless tried is set. */
int conn_read(struct pt_conn *, void *to, size_t n, int64_t until, bool tried, size_t *moved);
int conn_write(struct pt_conn *, const void *from, size_t n, int64_t until, size_t *written);   /* all of it */

#endif
