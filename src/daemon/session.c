/* SPDX-License-Identifier: MIT */
#include "daemon/session_private.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "daemon/ranks.h"

enum {
	READ_FIRST = 4 * 1024,          /* room for the first read of an idle connection */
	READ_FULL = 128 * 1024,          /* and while it keeps filling it */
	PENDING_LIMIT = 1024 * 1024,    /* bytes of one connection that the logger has, likewise */
	LOOK_MS = 500,                  /* how often a session that can neither read nor write looks for the stop */
	LINGER_MS = 1000,               /* for the other side to read the last reply and close */
};

void
session_flush(struct session *s)
{
	while (s->out.len != 0) {
		ssize_t n = send(s->fd, buf_begin(&s->out), s->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			buf_eat(&s->out, (size_t)n);
			s->alive_ms = clock_mono_ms();
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			return;
		} else if (errno != EINTR) {
			/* Nobody is there to read it. */
			buf_clear(&s->out);
			s->closing = s->eof = true;
		}
	}
}

/* ---- input ---- */

void
session_lines(struct session *s, size_t prefix, void (*line)(struct session *, const char *p, const struct line *),
    void (*run)(struct session *))
{
	const struct session_kind *kind = s->kind;
	struct line l;
	while (!s->closing && s->kind == kind) {
		char *p = buf_begin(&s->in);
		switch (line_next(p, s->in.len, prefix, &l)) {
		case LINE_MORE:
			return;
		case LINE_NEVER:
			session_bad(s, line_reason_never, p, s->in.len);
			s->closing = true;
			return;
		case LINE_BAD:
			session_bad(s, l.reason, p, l.size);
			break;
		case LINE_GOOD:
			line(s, p, &l);
			break;
		}
		buf_eat(&s->in, l.size);
		s->alive_ms = INT64_MAX;        /* take_turn sets the time, once for all lines */
		if (run != NULL && s->kind == kind)
			run(s);
	}
}

/* The other side is done: what is left over is no message. */
static void
end_of_input(struct session *s)
{
	s->eof = s->closing = true;
	if (atomic_load(&s->shed)) {
		if (!s->kind->silent)
			session_reply(s, "error idle too long");
	} else if (s->in.len != 0 && !atomic_load(&s->stop) && !s->kind->silent)
		session_bad(s, line_reason_cut, buf_begin(&s->in), s->in.len);
	buf_clear(&s->in);
}

static void
take_turn(struct session *s)
{
	size_t room = s->eager ? READ_FULL : READ_FIRST;
	char *p = buf_room(&s->in, room);
	if (p == NULL) {
		session_out_of_memory(s);
		return;
	}
	ssize_t n = recv(s->fd, p, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0) {
		end_of_input(s);
		return;
	}
	bool anew = s->in.len == 0;
	/* A frame may be larger than any line. */
	s->eager = (size_t)n == room || s->in.len > READ_FIRST;
	buf_added(&s->in, (size_t)n);
	view_drop(&s->view);
	s->view = server_view(s->server);
	if (s->kind->turn != NULL)
		s->kind->turn(s);
	/* A line may say that the rest is of another kind. */
	const struct session_kind *kind = NULL;
	while (!s->closing && s->kind != kind) {
		kind = s->kind;
		kind->input(s);
	}
	anew |= s->alive_ms == INT64_MAX;
	if (s->alive_ms == INT64_MAX)
		s->alive_ms = clock_mono_ms();
	if (anew && s->in.len != 0)
		s->begun_ms = clock_mono_ms();
	s->kind->flush(s);
	buf_shrink(&s->in, READ_FIRST);
}

/* ---- the thread ---- */

bool
session_may_read(const struct session *s)
{
	return !s->closing && s->out.len < SESSION_OUT_LIMIT && s->pending_bytes < PENDING_LIMIT &&
	    s->texts.len < SESSION_OUT_LIMIT && s->replies.len < SESSION_OUT_LIMIT;
}

/* Nothing complete has come, and nothing gone out, for too long. */
static void
expire(struct session *s, int64_t now)
{
	if (s->kind->silent && s->out.len == 0) {
		if (!s->spoken)         /* else it was said before */
			logger_limited(s->server->logger, &s->addr, "no opening", "no HELLO, or no PROOF, in time");
		s->closing = s->eof = true;
		return;
	}
	if (s->closing || s->out.len != 0) {
		logger_limited(s->server->logger, &s->addr, "replies not read", "replies not read: connection closed");
		buf_clear(&s->out);
		s->closing = s->eof = true;
		return;
	}
	if (s->in.len != 0)
		session_bad(s, "no complete line in time", buf_begin(&s->in), s->in.len);
	else
		session_reply(s, "error idle too long");
	s->closing = true;
	s->alive_ms = now;
}

/* Goes to sleep unless an answer is ready: from then on the logger may answer in our place. */
static bool
fall_asleep(struct session *s)
{
	lock_acquire(&s->lock);
	bool ready = session_ready(s);
	s->state = ready ? SESSION_AWAKE : SESSION_ASLEEP;
	lock_release(&s->lock);
	return !ready;
}

static void
wake_up(struct session *s, bool woken)
{
	eventfd_t count;
	lock_acquire(&s->lock);
	s->state = SESSION_AWAKE;
	lock_release(&s->lock);
	if (woken && eventfd_read(s->wake_fd, &count) < 0)
		return;
}

/* Waits until there is something to do; returns whether there is input. */
static bool
wait_for_more(struct session *s)
{
	s->reading = session_may_read(s);
	bool stuck = !s->reading && s->out.len != 0;
	int64_t patience = s->closing ? s->view->conf.drain_ms : s->kind->patience(s);
	int timeout = clock_left_ms(s->alive_ms + patience, clock_mono_ms());
	struct pollfd p[2] = {
		{ .fd = s->fd, .events = (short)((s->reading ? POLLIN : 0) | (s->out.len != 0 ? POLLOUT : 0)) },
		{ .fd = s->wake_fd, .events = POLLIN },
	};
	/* Asked for nothing, a closed socket would still report that it is closed, for ever. */
	if (p[0].events == 0)
		p[0].fd = -1;
	if (!fall_asleep(s))
		return false;
	int n = poll(p, 2, stuck && timeout > LOOK_MS ? LOOK_MS : timeout);
	wake_up(s, n > 0 && (p[1].revents & POLLIN) != 0);
	if (n == 0) {
		int64_t now = clock_mono_ms();
		/* Who waits for the logger is not idle: it always answers. */
		if (s->replies.len != 0 && s->out.len == 0)
			s->alive_ms = now;
		else if (now >= s->alive_ms + patience)
			expire(s, now);
	}
	return n > 0 && s->reading && p[0].revents != 0;
}

/* Lets the other side read the last reply: a close with input unread would reset the connection and take it away. */
static void
linger(struct session *s)
{
	char waste[4096];
	int64_t now = clock_mono_ms(), deadline = now + LINGER_MS;
	shutdown(s->fd, SHUT_WR);
	while (!s->eof && !atomic_load(&s->stop) && now < deadline) {
		struct pollfd p = { .fd = s->fd, .events = POLLIN };
		if (poll(&p, 1, clock_left_ms(deadline, now)) > 0 && recv(s->fd, waste, sizeof waste, MSG_DONTWAIT) <= 0)
			break;
		now = clock_mono_ms();
	}
}

static void
run(struct session *s)
{
	s->view = server_view(s->server);
	s->alive_ms = clock_mono_ms();
	for (;;) {
		lock_acquire(&s->lock);
		session_collect(s);
		lock_release(&s->lock);
		session_flush(s);
		if (atomic_load(&s->stop))
			s->closing = true;
		if (s->closing && s->replies.len == 0 && s->out.len == 0)
			break;
		if (wait_for_more(s))
			take_turn(s);
		buf_shrink(&s->out, READ_FIRST);
		buf_shrink(&s->texts, READ_FIRST);
		buf_shrink(&s->replies, READ_FIRST);
	}
	linger(s);
}

void *
session_main(void *arg)
{
	struct session *s = arg;
	thread_name(s->kind->name);
	run(s);
	logger_debug(s->server->logger, s->who, "closed");
	view_drop(&s->view);
	buf_fini(&s->in);
	buf_fini(&s->out);
	buf_fini(&s->replies);
	buf_fini(&s->texts);
	free(s->opening);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	sessions_ended(s);
	return NULL;
}

void
session_refuse(int fd, const char *line)
{
	char text[160], waste[4096];
	int n = snprintf(text, sizeof text, "%s\r\n", line);
	if (n > 0 && send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		shutdown(fd, SHUT_WR);
	/* What has come already is read, so that the close does not reset the connection. */
	while (recv(fd, waste, sizeof waste, MSG_DONTWAIT) > 0)
		continue;
	close(fd);
}
