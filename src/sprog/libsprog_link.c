/* SPDX-License-Identifier: MIT
 * libsprog_link.c - one connection to one member: connect, write, read. Never blocks, but in the
 * resolver. */
#include "sprog/libsprog.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void
sprog_link_close(struct sprog_target *t)
{
	if (t->link != LINK_CLOSED)
		close(t->fd);
	t->fd = -1;
	t->link = LINK_CLOSED;
	t->probe = false;
	t->replies = 0;
	t->sent_count = t->sent_bytes = t->told_count = 0;
	t->last_number = 0;
	t->renew = false;
	buf_clear(&t->in);
}

void
sprog_link_fail(struct sprog *s, struct sprog_target *t, enum sprog_wrong wrong, const char *why,
    bool taken)
{
	struct sprog_queue old = t->queue;
	size_t sent = taken ? t->sent_count : 0;
	size_t first = old.numbered && !s->closing ? 0 : sent;
	int status = wrong == WRONG_PROTOCOL && !old.numbered ? SPROG_PROTOCOL : SPROG_UNKNOWN;
	char reason[SPROG_WHY];         /* a callback may change what why points to */
	snprintf(reason, sizeof reason, "%s", why);

	t->queue = (struct sprog_queue){ .numbered = old.numbered };
	sprog_link_close(t);
	sprog_choose_failed(s, t, wrong, reason);

	for (size_t i = 0; i < sent; i++)
		sprog_queue_at(&old, i)->doubt = sprog_queue_at(&old, i)->kept = true;
	/* First what still can be sent, so that what a callback submits comes after it. */
	if (sprog_queue_merge(&s->pending, &old, first))
		for (size_t i = first; i < old.count; i++)
			sprog_queue_at(&old, i)->told = true;
	while (old.count > 0) {
		struct sprog_flight f = *sprog_queue_at(&old, 0);
		const char *text = buf_begin(&old.bytes);
		sprog_queue_pop(&old);
		if (!f.told)
			sprog_report(s, t, &f, text, f.doubt ? status : SPROG_MEMORY, reason);
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

bool
sprog_link_form(struct sprog *s, struct sprog_target *t)
{
	bool numbered = s->base_known && !t->plain;
	if (t->queue.numbered != numbered && !sprog_take_back(s, t)) {
		sprog_link_fail(s, t, WRONG_UNREACHABLE, strerror(ENOMEM), true);
		return false;
	}
	t->queue.numbered = numbered;
	return true;
}

static void
connect_first(struct sprog *s, struct sprog_target *t)
{
	const char *why = "";
	t->plain = s->now_ns < t->plain_until_ns;
	if (!sprog_link_form(s, t))
		return;
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
	t->probe = false;
	t->used_ns = s->now_ns;
	if (t->plain) {
		t->link = LINK_OPEN;
		sprog_link_push(s, t);
		return;
	}
	t->link = LINK_GREETING;
	t->connect_by_ns = s->now_ns + s->connect_ns;
	size_t len = strlen(s->hello);
	ssize_t n = send(t->fd, s->hello, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n != (ssize_t)len)
		sprog_link_fail(s, t, WRONG_UNREACHABLE, n < 0 ? strerror(errno) : "no room", true);
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
		if (!sprog_replies(s, t) || (n < SPROG_BATCH && why == NULL))
			return;
	}
}

/* Before the first byte goes over an idle connection: is it still one? The member may have closed
 * it meanwhile, and a router on the way may have forgotten it without a word. Who sends one message
 * after the other need not ask each time: what is lost with a numbered connection is sent again. */
static void
look_first(struct sprog *s, struct sprog_target *t)
{
	int64_t unused_ns = s->now_ns - t->used_ns;
	if (unused_ns > s->idle_ns)
		sprog_link_close(t);
	else if (t->plain || t->replies == 0 || unused_ns > SPROG_LOOK_MS * INT64_C(1000000))
		receive(s, t, NULL);
}

size_t
sprog_link_writable(const struct sprog_target *t)
{
	size_t end = t->queue.bytes.len;
	if (t->renew)           /* but for a line that was begun */
		end = sprog_queue_offset(&t->queue, t->sent_count + sprog_begun(t));
	return end - t->sent_bytes;
}

/* The kernel has so many bytes more. */
static void
count_sent(struct sprog_target *t, size_t done)
{
	t->sent_bytes += done;
	size_t low = t->sent_count, high = t->queue.count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (sprog_queue_offset(&t->queue, middle + 1) <= t->sent_bytes)
			low = middle + 1;
		else
			high = middle;
	}
	t->sent_count = low;
	t->last_number = sprog_queue_at(&t->queue, low - !sprog_begun(t))->number;
}

static void
transmit(struct sprog *s, struct sprog_target *t)
{
	size_t left;
	while ((left = sprog_link_writable(t)) > 0) {
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
		if (t->sent_bytes == 0)
			t->answered_ns = s->now_ns;
		count_sent(t, (size_t)done);
		if ((size_t)done < n)
			return;
	}
}

void
sprog_link_push(struct sprog *s, struct sprog_target *t)
{
	if (t->link == LINK_OPEN && t->sent_bytes == 0 && t->queue.count > 0)
		look_first(s, t);
	if (t->renew && t->link == LINK_OPEN && t->sent_bytes == 0)
		sprog_link_close(t);
	if (t->link == LINK_OPEN)
		transmit(s, t);
	/* It may have been writing that showed that it is. */
	if (t->link == LINK_CLOSED && (t->queue.count > 0 || t->probe))
		connect_first(s, t);
}

void
sprog_link_ready(struct sprog *s, struct sprog_target *t, short revents)
{
	if (t->link == LINK_CONNECTING && revents != 0)
		connect_done(s, t);
	else if (t->link >= LINK_GREETING && (revents & ~POLLOUT) != 0)
		receive(s, t, NULL);
	if (t->link == LINK_OPEN && (revents & POLLOUT) != 0)
		transmit(s, t);
}
