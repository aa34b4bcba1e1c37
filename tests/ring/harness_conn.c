/* SPDX-License-Identifier: MIT
 * harness_conn.c - connections: the test's own clients, and members that it plays itself. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "harness_own.h"

/* ---- opening and closing ---- */

static void
conn_init(struct conn *c, int fd)
{
	*c = (struct conn){ .fd = fd, .in = BUF_INIT };
	struct addr self;
	if (fd >= 0 && addr_of_self(fd, &self))
		addr_text(&self, c->self);
}

/* from: a host to leave from, NULL: as the system likes. */
static bool
dial(struct conn *c, const char *host, uint16_t port, const char *from, int ms)
{
	struct addr to, self;
	rig_addr(&to, host, port);
	if (from != NULL)
		rig_addr(&self, from, 0);
	conn_init(c, net_connect(&to, from != NULL ? &self : NULL, ms));
	return c->fd >= 0;
}

bool
conn_try_client(struct conn *c, struct ring_rig *rig, int i, int ms)
{
	return dial(c, rig->m[i].host, rig->m[i].client_port, NULL, ms);
}

void
conn_client_from(struct conn *c, struct ring_rig *rig, int i, const char *host)
{
	require(dial(c, rig->m[i].host, rig->m[i].client_port, host, (int)slow_ms(SOON)),
	    "no connection to %s: %s", rig->m[i].name, strerror(errno));
}

void
conn_client(struct conn *c, struct ring_rig *rig, int i)
{
	conn_client_from(c, rig, i, NULL);
}

void
conn_peer_from(struct conn *c, struct ring_rig *rig, const char *host, int to)
{
	require(dial(c, rig->m[to].host, rig->m[to].peer_port, host, (int)slow_ms(SOON)),
	    "no connection to %s: %s", rig->m[to].name, strerror(errno));
}

void
conn_peer(struct conn *c, struct ring_rig *rig, int from, int to)
{
	conn_peer_from(c, rig, rig->m[from].host, to);
}

int
rig_listen(struct ring_rig *rig, int i)
{
	struct addr a;
	rig_addr(&a, rig->m[i].host, rig->m[i].peer_port);
	int fd = net_listen(&a);
	require(fd >= 0, "%s: cannot listen: %s", rig->m[i].name, strerror(errno));
	return fd;
}

void
conn_accept(struct conn *c, struct ring_rig *rig, int listener, int from)
{
	int fd = -1;
	wait_for((fd = accept(listener, NULL, NULL)) >= 0, SOON, "%s does not dial", rig->m[from].name);
	struct addr want, got;
	char text[ADDR_TEXT];
	rig_addr(&want, rig->m[from].host, 0);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	conn_init(c, fd);
	c->link = true;
	if (addr_of_peer(fd, &got)) {
		addr_text(&got, text);
		require(addr_same_host(&want, &got), "%s dials from %s", rig->m[from].name, text);
	}
}

void
conn_close(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_fini(&c->in);
}

void
conn_reset(struct conn *c)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
	conn_close(c);
}

void
conn_end(struct conn *c)
{
	shutdown(c->fd, SHUT_WR);
}

/* ---- sending ---- */

ssize_t
conn_put_some(struct conn *c, const void *p, size_t n)
{
	ssize_t k = send(c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (k < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	return k;
}

void
conn_put(struct conn *c, const void *p, size_t n)
{
	const char *at = p;
	int64_t until = wait_until_ms(SOON);
	while (n != 0) {
		ssize_t k = conn_put_some(c, at, n);
		require(k >= 0, "the connection is closed while we send");
		require(k > 0 || wait_turn(until), "nobody takes what we send");
		at += k;
		n -= (size_t)k;
	}
}

void
conn_puts_(struct conn *c, const char *text)
{
	conn_put(c, text, strlen(text));
}

/* ---- reading ---- */

/* Reads what is there; false: nothing was. */
static bool
fill(struct conn *c)
{
	if (c->ended)
		return false;
	char *room = buf_room(&c->in, 16384);
	require(room != NULL, "out of memory");
	ssize_t n = recv(c->fd, room, 16384, MSG_DONTWAIT);
	if (n > 0)
		buf_added(&c->in, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		c->ended = true;
	return n > 0;
}

/* Cuts the first line off into c->last; false: there is no whole one. */
static bool
cut_line(struct conn *c)
{
	char *begin = c->in.len != 0 ? buf_begin(&c->in) : NULL;
	char *lf = begin != NULL ? memchr(begin, '\n', c->in.len) : NULL;
	if (lf == NULL)
		return false;
	size_t len = (size_t)(lf - begin);
	require(len >= 1 && lf[-1] == '\r', "a line without CR: %.*s", (int)len, begin);
	require(len <= sizeof c->last, "a line of %zu bytes", len);
	memcpy(c->last, begin, len - 1);
	c->last[len - 1] = '\0';
	buf_eat(&c->in, len + 1);
	return true;
}

/* On a link that a member opened, what is no business of most tests. */
static bool
answered_by_the_way(struct conn *c)
{
	if (!c->link)
		return false;
	/* Where zogd has closed by now, the next read will tell. */
	if (strncmp(c->last, "HELLO ", 6) == 0)
		conn_put_some(c, "error plain form only\r\n", 23);
	else if (strcmp(c->last, "keepAlive") == 0)
		conn_put_some(c, "ack\r\n", 5);
	else
		return false;
	return true;
}

static bool
next_line(struct conn *c)
{
	do {
		while (!cut_line(c))
			if (!fill(c))
				return false;
	} while (answered_by_the_way(c));
	return true;
}

void
conn_serve(struct conn *c)
{
	if (c->fd < 0 || !c->link)
		return;
	fill(c);
	static const char *const first[] = { "keepAlive\r\n", "HELLO " };
	for (bool found = true; found;) {
		found = false;
		for (int i = 0; i < 2; i++) {
			size_t n = strlen(first[i]);
			found |= c->in.len >= n && memcmp(buf_begin(&c->in), first[i], n) == 0 && cut_line(c) &&
			    answered_by_the_way(c);
		}
	}
}

char *
conn_line_(struct conn *c)
{
	bool got = false;
	wait_for((got = next_line(c)) || c->ended, SOON, "no line comes");
	require(got, "closed, and a line was expected; came '%.*s'", (int)c->in.len,
	    c->in.len != 0 ? buf_begin(&c->in) : "");
	return c->last;
}

void
conn_expect_(struct conn *c, const char *line)
{
	conn_line_(c);
	require(strcmp(c->last, line) == 0, "came '%s', expected '%s'", c->last, line);
}

void
conn_expect_start_(struct conn *c, const char *start)
{
	conn_line_(c);
	require(strncmp(c->last, start, strlen(start)) == 0, "came '%s', expected '%s...'", c->last, start);
}

void
conn_drain(struct conn *c)
{
	wait_for((fill(c), buf_clear(&c->in), c->ended), SOON, "the connection is not closed");
}

void
conn_expect_rest_(struct conn *c, const char *bytes)
{
	wait_for((fill(c), c->ended), SOON, "the connection is not closed; so far came '%.*s'", (int)c->in.len,
	    c->in.len != 0 ? buf_begin(&c->in) : "");
	if (c->link)
		while (c->in.len != 0 && cut_line(c))
			require(strcmp(c->last, "keepAlive") == 0, "came '%s' before the end", c->last);
	size_t want = strlen(bytes);
	require(c->in.len == want && (want == 0 || memcmp(buf_begin(&c->in), bytes, want) == 0),
	    "before the end came '%.*s', expected '%s'", (int)c->in.len, c->in.len != 0 ? buf_begin(&c->in) : "",
	    bytes);
}

bool
conn_quiet(struct conn *c)
{
	fill(c);
	return c->in.len == 0;
}

void
conn_round_(struct conn *c)
{
	conn_puts_(c, "keepAlive\r\n");
	conn_expect_(c, "ack");
}

void
rig_say_(struct ring_rig *rig, int i, const char *text)
{
	struct conn c;
	conn_client(&c, rig, i);
	conn_puts_(&c, text);
	conn_puts_(&c, "\r\n");
	conn_expect_(&c, "ok");
	conn_close(&c);
	log_wait_once(rig, 0, text);
}
