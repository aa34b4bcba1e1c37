/* SPDX-License-Identifier: MIT
 * libsprog_link.c - one connection to one member: connect, write, read, and what the replies
 * mean. Never blocks, but in the resolver. */
#include "sprog/libsprog.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/escape.h"
#include "wire/line.h"

void
sprog_link_close(struct sprog_target *t)
{
	if (t->link != LINK_CLOSED)
		close(t->fd);
	t->fd = -1;
	t->link = LINK_CLOSED;
	t->probe = false;
	t->replies = 0;
	t->sent_count = t->sent_line_bytes = t->sent_bytes = t->told_count = 0;
	buf_clear(&t->in);
}

void
sprog_link_fail(struct sprog *s, struct sprog_target *t, enum sprog_wrong wrong, const char *why,
    bool taken)
{
	struct sprog_queue old = t->queue;
	size_t sent = taken ? t->sent_count : 0;
	int status = wrong == WRONG_PROTOCOL ? SPROG_PROTOCOL : SPROG_UNKNOWN;
	char reason[SPROG_WHY];         /* a callback may change what why points to */
	snprintf(reason, sizeof reason, "%s", why);

	t->queue = (struct sprog_queue){ .size = 0 };
	sprog_link_close(t);
	sprog_choose_failed(s, t, wrong, reason);

	/* First what still can be sent, so that what a callback submits comes after it. */
	size_t offset = 0;
	for (size_t i = 0; i < old.count; i++) {
		struct sprog_flight *f = sprog_queue_at(&old, i);
		if (i >= sent && !f->told && sprog_queue_move(&s->pending, &old, i, offset))
			f->told = true;
		offset += f->size;
	}
	for (size_t i = 0; old.count > 0; i++) {
		struct sprog_flight f = *sprog_queue_at(&old, 0);
		const char *text = buf_begin(&old.bytes);
		sprog_queue_pop(&old);
		if (!f.told)
			sprog_report(s, t, &f, text, i < sent ? status : SPROG_MEMORY, reason);
	}
	sprog_queue_fini(&old);
}

/* TCP can connect a port to itself, where nobody listens and the system happens to choose it as
 * our own: what we send would come back as answers, and the member could not open its port. */
static bool
is_self(int fd)
{
	struct addr here, there;
	return addr_of_self(fd, &here) && addr_of_peer(fd, &there) &&
	    addr_port(&here) == addr_port(&there) && addr_same_host(&here, &there);
}

/* Goes on with the next address of the host; fails once there is none left. */
static void
connect_next(struct sprog *s, struct sprog_target *t, const char *why)
{
	while (t->next_addr < t->addrs) {
		int fd = net_connect_start(&t->addr[t->next_addr++], NULL);
		if (fd >= 0) {
			t->fd = fd;
			t->link = LINK_CONNECTING;
			t->connect_by_ns = s->now_ns + s->connect_ns;
			return;
		}
		why = strerror(errno);
	}
	sprog_link_fail(s, t, WRONG_UNREACHABLE, why, true);
}

void
sprog_link_connect_failed(struct sprog *s, struct sprog_target *t, const char *why)
{
	close(t->fd);
	t->fd = -1;
	t->link = LINK_CLOSED;
	connect_next(s, t, why);
}

static void
connect_first(struct sprog *s, struct sprog_target *t)
{
	const char *why = "";
	t->next_addr = 0;
	/* Looked up anew each time: a host may have moved. */
	t->addrs = net_resolve(t->host, t->port, false, t->addr, SPROG_ADDRS, &why);
	sprog_clock(s);
	connect_next(s, t, why);
}

static void
connect_done(struct sprog *s, struct sprog_target *t)
{
	int error = net_connect_result(t->fd);
	if (error == 0 && is_self(t->fd)) {
		struct linger reset = { .l_onoff = 1, .l_linger = 0 };
		setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		error = ECONNREFUSED;
	}
	if (error != 0) {
		sprog_link_connect_failed(s, t, strerror(error));
		return;
	}
	t->link = LINK_OPEN;
	t->probe = false;
	t->used_ns = s->now_ns;
	sprog_link_push(s, t);
}

/* "error REASON" with the word taken off, as one line that can be shown. */
static void
reason_text(const char *line, size_t len, char reason[SPROG_WHY])
{
	size_t skip = len > 6 ? 6 : len;
	line += skip;
	len -= skip;
	struct buf shown = BUF_INIT;
	if (len == 0)
		snprintf(reason, SPROG_WHY, "error");
	else if (line_check(line, len) == NULL)
		snprintf(reason, SPROG_WHY, "%.*s", (int)len, line);
	else if (escape(&shown, line, len, (SPROG_WHY - 4) / 4))
		snprintf(reason, SPROG_WHY, "%.*s", (int)shown.len, buf_begin(&shown));
	else
		snprintf(reason, SPROG_WHY, "?");
	buf_fini(&shown);
}

/* A member that turns a client away says so instead of its first answer, and has then taken
 * nothing. */
static enum sprog_wrong
turned_away(const struct sprog_target *t, const char *reason)
{
	static const struct { const char *reason; enum sprog_wrong wrong; } words[] = {
		{ "too many clients", WRONG_CROWDED },
		{ "out of threads", WRONG_CROWDED },
		{ "out of memory or descriptors", WRONG_CROWDED },
		{ "not allowed", WRONG_FORBIDDEN },
		{ "not a member", WRONG_FORBIDDEN },    /* said at the port for peers */
	};
	for (size_t i = 0; t->replies == 0 && i < sizeof words / sizeof words[0]; i++)
		if (strncmp(reason, words[i].reason, strlen(words[i].reason)) == 0)
			return words[i].wrong;
	return WRONG_NOTHING;
}

/* The reply to the first message of the queue. */
static void
settle(struct sprog *s, struct sprog_target *t, int status, const char *reason)
{
	struct sprog_flight f = *sprog_queue_at(&t->queue, 0);
	const char *text = buf_begin(&t->queue.bytes);
	sprog_queue_pop(&t->queue);
	t->sent_count--;
	t->sent_line_bytes -= f.size;
	t->sent_bytes -= f.size;
	t->replies++;
	t->failures = 0;
	t->wrong = WRONG_NOTHING;
	if (f.told)
		t->told_count--;
	else
		sprog_report(s, t, &f, text, status, reason);
}

static void
bad_reply(struct sprog *s, struct sprog_target *t, const char *line, size_t len)
{
	char why[SPROG_WHY] = "bad reply";
	struct buf shown = BUF_INIT;
	if (escape(&shown, line, len, 24))
		snprintf(why, sizeof why, "bad reply '%.*s'", (int)shown.len, buf_begin(&shown));
	buf_fini(&shown);
	sprog_link_fail(s, t, WRONG_PROTOCOL, why, true);
}

/* false: the connection has been closed. */
static bool
error_reply(struct sprog *s, struct sprog_target *t, const char *line, size_t len)
{
	char reason[SPROG_WHY];
	reason_text(line, len, reason);
	enum sprog_wrong wrong = turned_away(t, reason);
	if (wrong != WRONG_NOTHING) {
		sprog_link_fail(s, t, wrong, reason, false);
		return false;
	}
	if (t->sent_count > 0) {
		settle(s, t, SPROG_ERROR, reason);
		return true;
	}
	/* It answers nothing: a good-bye, such as to a client that was idle for long. */
	if (t->replies > 0)
		sprog_link_close(t);
	else
		sprog_link_fail(s, t, WRONG_UNREACHABLE, reason, true);
	return false;
}

/* Takes the replies that have come. false: the connection has been closed. */
static bool
replies(struct sprog *s, struct sprog_target *t)
{
	while (t->in.len > 0) {
		const char *line = buf_begin(&t->in);
		size_t most = t->in.len < SPROG_MAX_REPLY ? t->in.len : SPROG_MAX_REPLY;
		const char *lf = memchr(line, '\n', most);
		if (lf == NULL && most < SPROG_MAX_REPLY)
			return true;
		size_t size = lf != NULL ? (size_t)(lf - line) + 1 : most;
		size_t len = size - (lf != NULL ? 1 : 0);
		if (lf != NULL && len > 0 && line[len - 1] == '\r')
			len--;

		if (lf != NULL && len == 2 && memcmp(line, "ok", 2) == 0 && t->sent_count > 0) {
			buf_eat(&t->in, size);
			settle(s, t, SPROG_OK, "");
		} else if (lf != NULL && len >= 5 && memcmp(line, "error", 5) == 0 &&
		    (len == 5 || line[5] == ' ')) {
			buf_eat(&t->in, size);  /* line can still be read */
			if (!error_reply(s, t, line, len))
				return false;
		} else {
			bad_reply(s, t, line, len);
			return false;
		}
	}
	return true;
}

/* The other end has closed. */
static void
over(struct sprog *s, struct sprog_target *t, const char *why)
{
	/* Nothing was under way, so nothing is lost: what waits goes over a new connection. One
	 * that never said a word is not worth coming back to at once. */
	if (t->sent_count == 0 && t->replies > 0)
		sprog_link_close(t);
	else
		sprog_link_fail(s, t, WRONG_UNREACHABLE, why, true);
}

/* Reads until there is no more. Leaves the link closed where it came to its end; why says how,
 * where writing has found out already. */
static void
receive(struct sprog *s, struct sprog_target *t, const char *why)
{
	for (;;) {
		char *room = buf_room(&t->in, SPROG_BATCH);
		if (room == NULL) {
			over(s, t, strerror(ENOMEM));
			return;
		}
		ssize_t n = recv(t->fd, room, SPROG_BATCH, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && why == NULL)
			return;
		if (n <= 0) {
			if (why == NULL)
				why = n == 0 ? "connection closed" : strerror(errno);
			over(s, t, why);
			return;
		}
		t->used_ns = s->now_ns;
		buf_added(&t->in, (size_t)n);
		if (!replies(s, t) || (n < SPROG_BATCH && why == NULL))
			return;
	}
}

/* Before the first byte goes over an idle connection: is it still one? The member may have closed
 * it meanwhile, and a router on the way may have forgotten it without a word. */
static void
look_first(struct sprog *s, struct sprog_target *t)
{
	if (s->now_ns - t->used_ns > s->idle_ns)
		sprog_link_close(t);
	else
		receive(s, t, NULL);
}

static void
transmit(struct sprog *s, struct sprog_target *t)
{
	while (t->sent_bytes < t->queue.bytes.len) {
		size_t left = t->queue.bytes.len - t->sent_bytes;
		size_t n = left < SPROG_BATCH ? left : SPROG_BATCH;
		ssize_t done = send(t->fd, buf_begin(&t->queue.bytes) + t->sent_bytes, n,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			/* Replies, or why we are turned away, may have come before the end. */
			if (errno != EAGAIN && errno != EWOULDBLOCK)
				receive(s, t, strerror(errno));
			return;
		}
		t->used_ns = s->now_ns;
		t->sent_bytes += (size_t)done;
		while (t->sent_count < t->queue.count) {
			size_t end = t->sent_line_bytes;
			end += sprog_queue_at(&t->queue, t->sent_count)->size;
			if (end > t->sent_bytes)
				break;
			t->sent_line_bytes = end;
			t->sent_count++;
		}
		if ((size_t)done < n)
			return;
	}
}

void
sprog_link_push(struct sprog *s, struct sprog_target *t)
{
	if (t->link == LINK_OPEN && t->sent_bytes == 0 && t->queue.count > 0)
		look_first(s, t);
	if (t->link == LINK_CLOSED && (t->queue.count > 0 || t->probe))
		connect_first(s, t);
	if (t->link == LINK_OPEN)
		transmit(s, t);
}

void
sprog_link_ready(struct sprog *s, struct sprog_target *t, short revents)
{
	if (t->link == LINK_CONNECTING && revents != 0)
		connect_done(s, t);
	else if (t->link == LINK_OPEN && (revents & ~POLLOUT) != 0)
		receive(s, t, NULL);
	if (t->link == LINK_OPEN && (revents & POLLOUT) != 0)
		transmit(s, t);
}
