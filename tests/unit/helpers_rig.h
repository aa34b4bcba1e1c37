/* SPDX-License-Identifier: MIT
 * helpers_rig.h - a connection whose other end is a descriptor: what is on the wire, byte for byte. */
#ifndef ZOG_TESTS_HELPERS_RIG_H
#define ZOG_TESTS_HELPERS_RIG_H

#include <poll.h>
#include <sys/socket.h>

#include "petrichor/petrichor.h"
#include "unit.h"

#define DICT(...) \
	{ .type = PT_DICT, .items = { (const struct pt_value[]){ __VA_ARGS__ }, \
	    sizeof((const struct pt_value[]){ __VA_ARGS__ }) / sizeof(struct pt_value) / 2 } }
#define V(...) ((struct pt_value)__VA_ARGS__)

struct wire {
	struct pt_conn *conn;
	int             fd;     /* the other end */
};

static inline void
wire_open_with(struct wire *w, const struct pt_options *options)
{
	int fds[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	w->conn = pt_from_fd(fds[0], options);
	w->fd = fds[1];
	ck_assert_ptr_nonnull(w->conn);
}

static inline void
wire_open(struct wire *w)
{
	wire_open_with(w, NULL);
}

static inline void
wire_close(struct wire *w)
{
	pt_close(&w->conn);
	close(w->fd);
}

/* The peer says this. */
static inline void
wire_say(struct wire *w, const char *bytes, size_t n)
{
	ck_assert_int_eq(write(w->fd, bytes, n), (ssize_t)n);
}

/* All that has been sent to the peer, and no more. */
static inline void
wire_expect(struct wire *w, const char *bytes, size_t n)
{
	static char got[70000];
	size_t have = 0;
	struct pollfd p = { w->fd, POLLIN, 0 };
	while (have < sizeof got && poll(&p, 1, have < n ? UNIT_SOON_MS : 0) == 1) {
		ssize_t k = read(w->fd, got + have, sizeof got - have);
		if (k <= 0)
			break;
		have += (size_t)k;
	}
	ck_assert_msg(have == n && memcmp(got, bytes, n) == 0, "sent %zu bytes, not %zu:\n%.*s\n%.*s", have, n,
	    (int)have, got, (int)n, bytes);
}

#define wire_says(w, text) wire_say(w, text, strlen(text))
#define wire_expects(w, text) wire_expect(w, text, strlen(text))

#endif
