/* SPDX-License-Identifier: MIT
 * conn.c - connections: made, closed, asked; and the bytes that go in and out until the time is up. */
#include "petrichor/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "petrichor/coding.h"

enum { CHILD_WAIT_MS = 1000 };

struct pt_conn *
conn_new(const struct pt_options *options)
{
	static const struct pt_options usual = PT_OPTIONS_INIT;
	struct pt_conn *c = calloc(1, sizeof *c);
	if (c == NULL)
		return NULL;
	c->ends.in = c->ends.out = -1;
	c->options = options != NULL ? *options : usual;
	if (c->options.limits.header_bytes > PT_MOST)
		c->options.limits.header_bytes = PT_MOST;
	if (c->options.limits.body_bytes > PT_MOST)
		c->options.limits.body_bytes = PT_MOST;
	c->options.codings = NULL;      /* the array is the caller's */
	c->options.codings_count = 0;
	if (options != NULL && options->codings_count != 0 &&
	    coding_new(&c->coding, options->codings, options->codings_count) != PT_OK) {
		free(c);
		return NULL;
	}
	return c;
}

struct pt_conn *
pt_from_io(const struct pt_io *io, const struct pt_options *options)
{
	struct pt_conn *c = conn_new(options);
	if (c != NULL)
		c->io = *io;
	else if (io->close != NULL)
		io->close(io->ctx);
	return c;
}

struct pt_conn *
pt_from_fds(int in, int out, const struct pt_options *options)
{
	struct pt_conn *c = conn_new(options);
	if (c == NULL) {
		ends_close(&(struct ends){ .in = in, .out = out });
		return NULL;
	}
	ends_init(&c->ends, in, out);
	c->io = (struct pt_io){ ends_read, ends_write, ends_close, &c->ends };
	return c;
}

struct pt_conn *
pt_from_fd(int fd, const struct pt_options *options)
{
	/* A pair is one write: nothing is won by holding back its last bytes. It fails where this is no TCP. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	return pt_from_fds(fd, fd, options);
}

/* True when the child is no more, or is not ours to wait for. */
static bool
ended_in(pid_t child, int timeout_ms)
{
	int64_t until = conn_until(timeout_ms);
	for (long pause_ns = 500000;; pause_ns = pause_ns < 16000000 ? pause_ns * 2 : pause_ns) {
		pid_t p = waitpid(child, NULL, WNOHANG);
		if (p == child || (p < 0 && errno != EINTR))
			return true;
		if (conn_left(until) == 0)
			return false;
		nanosleep(&(struct timespec){ 0, pause_ns }, NULL);
	}
}

static void
reap(pid_t child)
{
	if (ended_in(child, CHILD_WAIT_MS))
		return;
	kill(child, SIGTERM);
	if (ended_in(child, CHILD_WAIT_MS))
		return;
	kill(child, SIGKILL);
	ended_in(child, -1);
}

void
pt_close(struct pt_conn **conn)
{
	struct pt_conn *c = *conn;
	*conn = NULL;
	if (c == NULL)
		return;
	int saved = errno;
	if (c->io.close != NULL)
		c->io.close(c->io.ctx);
	if (c->child > 0)
		reap(c->child);
	coding_free(&c->coding);
	pt_free(&c->header);
	pt_free(&c->body);
	free(c->in);
	free(c->out);
	free(c);
	errno = saved;
}

int
pt_conn_fd(const struct pt_conn *c)
{
	return c->ends.in;
}

int
pt_conn_errno(const struct pt_conn *c)
{
	return c->io_errno;
}

size_t
pt_conn_offset(const struct pt_conn *c)
{
	return c->offset;
}

void
pt_conn_times(struct pt_conn *c, int idle_ms, int frame_ms)
{
	c->options.idle_ms = idle_ms;
	c->options.frame_ms = frame_ms;
}

/* ---- moving bytes ---- */

/* What became of a read or a write that is not what it should be. PT_OK: try again. */
static int
judge(struct pt_conn *c, ssize_t moved)
{
	bool callbacks = c->io.ctx != &c->ends;
	if (!callbacks && moved == ENDS_TIMEOUT)
		return PT_E_TIMEOUT;
	c->io_errno = moved == -1 ? errno : EIO;        /* more than there was room for, or nothing at all */
	if (moved == -1 && errno == EINTR)
		return PT_OK;
	if (moved == -1 && callbacks && (errno == ETIMEDOUT || errno == EAGAIN || errno == EWOULDBLOCK))
		return PT_E_TIMEOUT;
	return PT_E_IO;
}

int
conn_read(struct pt_conn *c, void *to, size_t n, int64_t until, bool tried, size_t *moved)
{
	for (;; tried = true) {
		int left_ms = conn_left(until);
		if (left_ms == 0 && tried)
			return PT_E_TIMEOUT;
		ssize_t got = c->io.read(c->io.ctx, to, n, left_ms);
		if (got >= 0 && (size_t)got <= n) {
			*moved = (size_t)got;
			return PT_OK;
		}
		int e = judge(c, got);
		if (e != PT_OK)
			return e;
	}
}

int
conn_write(struct pt_conn *c, const void *from, size_t n, int64_t until, size_t *written)
{
	bool tried = false;
	for (*written = 0; *written < n; tried = true) {
		int left_ms = conn_left(until);
		if (left_ms == 0 && tried)
			return PT_E_TIMEOUT;
		ssize_t put = c->io.write(c->io.ctx, (const char *)from + *written, n - *written, left_ms);
		if (put > 0 && (size_t)put <= n - *written) {
			*written += (size_t)put;
			continue;
		}
		int e = judge(c, put);
		if (e != PT_OK)
			return e;
	}
	return PT_OK;
}
