/* SPDX-License-Identifier: MIT
 * transport.c - reading and writing descriptors without waiting for longer than is left. One thread at a time for each end.
 *
 * Sockets are asked not to wait in each call. Others have no such flag for one call, and O_NONBLOCK belongs to the open file,
 * which a standard input or output shares with other programs: it is left alone. They are polled first, then given no more
 * than what is taken at once by a pipe or a terminal that poll(2) calls ready. That holds as long as nobody else reads from
 * or writes to the same pipe. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "petrichor/conn.h"

enum { TERMINAL_PIECE = 256 };

int64_t
conn_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
conn_until(int timeout_ms)
{
	return timeout_ms < 0 ? CONN_FOREVER : conn_now() + timeout_ms;
}

int
conn_left(int64_t until)
{
	if (until == CONN_FOREVER)
		return -1;
	int64_t left = until - conn_now();
	return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

void
ends_init(struct ends *e, int in, int out)
{
	struct stat st;
	*e = (struct ends){ .in = in, .out = out, .piece = PIPE_BUF };
	e->in_is_socket = fstat(in, &st) == 0 && S_ISSOCK(st.st_mode);
	e->out_is_socket = fstat(out, &st) == 0 && S_ISSOCK(st.st_mode);
	if (!e->out_is_socket && isatty(out))
		e->piece = TERMINAL_PIECE;
}

/* 0: ready, or broken, which the call that follows will say. */
static int
ends_wait(int fd, short events, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n = poll(&p, 1, timeout_ms);
	return n > 0 ? 0 : n == 0 ? ENDS_TIMEOUT : -1;
}

/* That there was nothing to be had after all is to be tried again, like a signal. */
static ssize_t
ends_result(ssize_t n)
{
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		errno = EINTR;
	return n;
}

ssize_t
ends_read(void *ctx, void *to, size_t n, int timeout_ms)
{
	struct ends *e = ctx;
	if (e->in_is_socket) {
		ssize_t got = recv(e->in, to, n, MSG_DONTWAIT);
		if (got >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
			return got;
	}
	int ready = ends_wait(e->in, POLLIN, timeout_ms);
	if (ready != 0)
		return ready;
	return ends_result(e->in_is_socket ? recv(e->in, to, n, MSG_DONTWAIT) : read(e->in, to, n));
}

/* write(2) without SIGPIPE, which other threads may want to have: it is for the thread that writes, so that it can be held
 * back and taken away here, unless it was pending before. */
static ssize_t
write_quietly(int fd, const void *from, size_t n)
{
	sigset_t pipe_only, before, pending;
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	sigpending(&pending);
	bool was_pending = sigismember(&pending, SIGPIPE) == 1;
	pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
	ssize_t put = write(fd, from, n);
	int saved = errno;
	if (put < 0 && saved == EPIPE && !was_pending)
		while (sigtimedwait(&pipe_only, NULL, &(struct timespec){ 0, 0 }) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return put;
}

ssize_t
ends_write(void *ctx, const void *from, size_t n, int timeout_ms)
{
	struct ends *e = ctx;
	if (e->out_is_socket) {
		ssize_t put = send(e->out, from, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (put >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
			return put;
	}
	int ready = ends_wait(e->out, POLLOUT, timeout_ms);
	if (ready != 0)
		return ready;
	if (e->out_is_socket)
		return ends_result(send(e->out, from, n, MSG_DONTWAIT | MSG_NOSIGNAL));
	return ends_result(write_quietly(e->out, from, n < e->piece ? n : e->piece));
}

int
ends_close(void *ctx)
{
	struct ends *e = ctx;
	int result = e->in >= 0 ? close(e->in) : 0;
	if (e->out >= 0 && e->out != e->in && close(e->out) != 0)
		result = -1;
	e->in = e->out = -1;
	return result;
}
