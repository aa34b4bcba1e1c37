/* SPDX-License-Identifier: MIT */
#include "daemon/session.h"

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
#include "daemon/ranks.h"
#include "daemon/server.h"

enum {
	READ_FIRST = 4 * 1024,          /* room for the first read of an idle connection */
	READ_FULL = 64 * 1024,          /* and while it keeps filling it */
	OUT_LIMIT = 64 * 1024,          /* replies the other side has not taken: then nothing more is read */
	PENDING_LIMIT = 1024 * 1024,    /* bytes of one connection that the logger has, likewise */
	LOOK_MS = 500,                  /* how often a session that can neither read nor write looks for the stop */
	LINGER_MS = 1000,               /* for the other side to read the last reply and close */
};

/* A batch with the logger. */
struct session_job {
	struct job      job;
	struct session *session;
	uint32_t        entries;        /* owned by the session's thread: replies that wait for it */
	size_t          size;
	bool            done;           /* under the session's lock */
	int             error;
};

/* One stretch of the answers: so many ok, once the job is done, then some bytes of texts. */
struct reply {
	struct session_job *job;        /* NULL: nothing to wait for */
	uint32_t            oks;
	uint32_t            text;
};

/* ---- replies, in the session's thread ---- */

static struct reply *
reply_at(const struct session *s, size_t i)
{
	return (struct reply *)(void *)buf_begin(&s->replies) + i;
}

/* The last reply if more can be said in it: text always, an ok only of the same job and before any text.
 * Else a new one; NULL: no memory. */
static struct reply *
reply_at_end(struct session *s, struct session_job *job)
{
	size_t n = s->replies.len / sizeof(struct reply);
	if (n != 0) {
		struct reply *last = reply_at(s, n - 1);
		if (job == NULL || (last->job == job && last->text == 0))
			return last;
	}
	struct reply r = { job, 0, 0 };
	if (!buf_put(&s->replies, &r, sizeof r))
		return NULL;
	if (job != NULL)
		job->entries++;
	return reply_at(s, n);
}

/* What was taken in is answered as far as it goes; the rest is unknown to the sender, as after any cut. */
static void
out_of_memory(struct session *s)
{
	logger_limited(s->server->logger, &s->addr, "out of memory", "out of memory or descriptors: connection closed");
	s->closing = true;
}

void
session_reply(struct session *s, const char *text)
{
	struct reply *r = reply_at_end(s, NULL);
	if (r == NULL || !buf_printf(&s->texts, "%s\r\n", text))
		out_of_memory(s);
	else
		r->text += (uint32_t)strlen(text) + 2;
}

void
session_bad(struct session *s, const char *reason, const char *bytes, size_t n)
{
	char text[128];
	logger_bad(s->server->logger, &s->addr, reason, bytes, n);
	snprintf(text, sizeof text, "error %s", reason);
	session_reply(s, text);
}

void
session_close(struct session *s)
{
	s->closing = true;
}

/* Called by the logger. */
static void
session_done(struct job *job, int error)
{
	struct session_job *j = (struct session_job *)(void *)job;
	struct session *s = j->session;
	lock_acquire(&s->lock);
	j->error = error;
	j->done = true;
	/* Within the lock: without a pending job the session may be gone the moment after. */
	if (s->asleep && eventfd_write(s->wake_fd, 1) == 0)
		s->asleep = false;
	lock_release(&s->lock);
}

static struct session_job *
job_new(struct session *s, const char *origin)
{
	if (s->wake_fd < 0)
		s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct session_job *j = s->wake_fd < 0 ? NULL : calloc(1, sizeof *j);
	if (j == NULL)
		return NULL;
	/* All that this turn can still add has been read, and every line of it brings its own CR LF. */
	j->job.frame = frame_new(origin, s->in.len);
	if (j->job.frame == NULL) {
		free(j);
		return NULL;
	}
	j->job.done = session_done;
	j->session = s;
	return j;
}

bool
session_add(struct session *s, const char *origin, const char *text, size_t len)
{
	if (s->batch == NULL)
		s->batch = job_new(s, origin);
	struct reply *r = s->batch == NULL ? NULL : reply_at_end(s, s->batch);
	if (r == NULL) {
		session_reply(s, "error out of memory or descriptors");
		out_of_memory(s);
		return false;
	}
	frame_add(s->batch->job.frame, text, len);
	r->oks++;
	return true;
}

struct job *
session_take(struct session *s)
{
	struct session_job *j = s->batch;
	if (j == NULL)
		return NULL;
	s->batch = NULL;
	if (j->job.frame->count == 0) {         /* there was no memory for its first reply */
		frame_drop(&j->job.frame);
		free(j);
		return NULL;
	}
	j->size = j->job.frame->size;
	s->pending_bytes += j->size;
	return &j->job;
}

/* Whether the turn of this reply has come; leaves asleep set if it waits for the logger. */
static bool
reply_ready(struct session *s, const struct reply *r, int *error)
{
	*error = 0;
	if (r->job == NULL)
		return true;
	lock_acquire(&s->lock);
	bool done = r->job->done;
	*error = r->job->error;
	s->asleep = !done;
	lock_release(&s->lock);
	return done;
}

static bool
render_oks(struct session *s, uint32_t oks, int error)
{
	if (error != 0) {
		char text[160];
		snprintf(text, sizeof text, "error not logged: %s\r\n", strerror(error));
		while (oks-- > 0)
			if (!buf_puts(&s->out, text))
				return false;
		return true;
	}
	char *room = buf_room(&s->out, (size_t)oks * 4);
	if (room == NULL)
		return false;
	for (uint32_t i = 0; i < oks; i++)
		memcpy(room + (size_t)i * 4, "ok\r\n", 4);
	buf_added(&s->out, (size_t)oks * 4);
	return true;
}

/* Moves every answer whose turn has come to out. True: the next one waits for the logger, which will wake us. */
static bool
collect(struct session *s)
{
	while (s->replies.len != 0 && s->out.len < OUT_LIMIT) {
		struct reply *r = reply_at(s, 0);
		int error;
		if (!reply_ready(s, r, &error))
			return true;
		if (!render_oks(s, r->oks, error) ||
		    (r->text != 0 && !buf_put(&s->out, buf_begin(&s->texts), r->text)))
			out_of_memory(s);       /* this answer is skipped, the connection ends */
		buf_eat(&s->texts, r->text);
		if (r->job != NULL && --r->job->entries == 0) {
			s->pending_bytes -= r->job->size;
			free(r->job);
		}
		buf_eat(&s->replies, sizeof *r);
	}
	return false;
}

static void
flush(struct session *s)
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

static void
read_lines(struct session *s)
{
	struct line l;
	while (!s->closing) {
		char *p = buf_begin(&s->in);
		switch (line_next(p, s->in.len, s->kind->prefix, &l)) {
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
			s->kind->line(s, p, &l);
			break;
		}
		buf_eat(&s->in, l.size);
		s->alive_ms = INT64_MAX;        /* take_turn sets the time, once for all lines */
	}
}

/* The other side is done: what is left over is no message. */
static void
end_of_input(struct session *s)
{
	s->eof = s->closing = true;
	if (s->in.len != 0 && !atomic_load(&s->stop))
		session_bad(s, line_reason_cut, buf_begin(&s->in), s->in.len);
	buf_clear(&s->in);
}

static void
take_turn(struct session *s)
{
	size_t room = s->eager ? READ_FULL : READ_FIRST;
	char *p = buf_room(&s->in, room);
	if (p == NULL) {
		out_of_memory(s);
		return;
	}
	ssize_t n = recv(s->fd, p, room, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0) {
		end_of_input(s);
		return;
	}
	s->eager = (size_t)n == room;
	buf_added(&s->in, (size_t)n);
	view_drop(&s->view);
	s->view = server_view(s->server);
	if (s->kind->turn != NULL)
		s->kind->turn(s);
	read_lines(s);
	if (s->alive_ms == INT64_MAX)
		s->alive_ms = clock_mono_ms();
	s->kind->flush(s);
	buf_shrink(&s->in, READ_FIRST);
}

/* ---- the thread ---- */

static bool
may_read(const struct session *s)
{
	return !s->closing && s->out.len < OUT_LIMIT && s->pending_bytes < PENDING_LIMIT &&
	    s->texts.len < OUT_LIMIT && s->replies.len < OUT_LIMIT;
}

/* Nothing complete has come, and nothing gone out, for too long. */
static void
expire(struct session *s, int64_t now)
{
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

/* Waits until there is something to do; returns whether there is input. waiting: for the logger, which always answers. */
static bool
wait_for_more(struct session *s, bool waiting)
{
	bool reading = may_read(s), stuck = !reading && s->out.len != 0;
	int64_t now = clock_mono_ms();
	int64_t patience = s->closing ? s->view->conf.drain_ms : s->kind->idle_ms(s->view);
	int64_t deadline = waiting && s->out.len == 0 ? INT64_MAX : s->alive_ms + patience;
	int timeout = clock_left_ms(deadline, now);
	struct pollfd p[2] = {
		{ .fd = s->fd, .events = (short)((reading ? POLLIN : 0) | (s->out.len != 0 ? POLLOUT : 0)) },
		{ .fd = s->wake_fd, .events = POLLIN },
	};
	/* Asked for nothing, a closed socket would still report that it is closed, for ever. */
	if (p[0].events == 0)
		p[0].fd = -1;
	int n = poll(p, 2, stuck && timeout > LOOK_MS ? LOOK_MS : timeout);
	if (s->wake_fd >= 0) {
		lock_acquire(&s->lock);
		s->asleep = false;
		lock_release(&s->lock);
		eventfd_t count;
		if (n > 0 && (p[1].revents & POLLIN) != 0 && eventfd_read(s->wake_fd, &count) < 0)
			n = 0;
	}
	now = clock_mono_ms();
	if (n == 0 && now >= deadline)
		expire(s, now);
	return n > 0 && reading && p[0].revents != 0;
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
		bool waiting = collect(s);
		flush(s);
		if (atomic_load(&s->stop))
			s->closing = true;
		if (s->closing && s->replies.len == 0 && s->out.len == 0)
			break;
		/* out was full and has room again: what is next may be ready, and then nobody would wake us. */
		if (!waiting && s->replies.len != 0 && s->out.len < OUT_LIMIT)
			continue;
		if (wait_for_more(s, waiting))
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
	run(s);
	logger_debug(s->server->logger, s->who, "closed");
	view_drop(&s->view);
	buf_fini(&s->in);
	buf_fini(&s->out);
	buf_fini(&s->replies);
	buf_fini(&s->texts);
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
