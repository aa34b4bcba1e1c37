/* SPDX-License-Identifier: MIT
 * libsprog.c - the public functions of sprog.h: one message or many, the turn of the wheel,
 * reports. No threads of its own; one handle is used by one thread at a time. */
#include "sprog/libsprog.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config.h"

int64_t
sprog_clock(struct sprog *s)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	s->now_ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	return s->now_ns;
}

/* splitmix64 */
uint64_t
sprog_random(struct sprog *s)
{
	uint64_t z = s->random += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void
sprog_report(struct sprog *s, const struct sprog_target *t, const struct sprog_flight *f,
    const char *text, int status, const char *reason)
{
	s->in_flight--;
	s->ended++;
	text += f->head;
	if (f->id == s->awaited_id) {
		s->awaited_id = 0;
		s->awaited_status = status;
		bool named = t != NULL && status != SPROG_OK;
		snprintf(s->reason, sizeof s->reason, "%s%s%s", named ? t->name : "",
		    named ? ": " : "", reason);
		return;
	}
	if (s->settled == NULL)
		return;
	struct sprog_result r = {
		.id = f->id, .tag = f->tag, .status = status, .text = text, .length = f->size - f->head - 2u,
		.member = t != NULL ? t->name : "", .reason = reason,
		.latency_ns = (uint64_t)(s->now_ns - f->submitted_ns),
	};
	s->inside = true;
	s->settled(s->context, &r);
	s->inside = false;
}

void
sprog_close(struct sprog **sp)
{
	struct sprog *s = *sp;
	if (s == NULL || s->inside)
		return;
	*sp = NULL;
	sprog_clock(s);
	s->window = 0;          /* the callback is not to submit more */
	s->closing = true;
	for (int i = 0; i < s->targets; i++) {
		struct sprog_target *t = &s->target[i];
		sprog_link_fail(s, t, WRONG_UNREACHABLE, "closed before it was answered", true);
		sprog_again(s, t);
		sprog_queue_fini(&t->queue);
		sprog_queue_fini(&t->again);
		buf_fini(&t->in);
	}
	sprog_give_up(s, SPROG_CANCELLED);
	sprog_queue_fini(&s->pending);
	free(s->target);
	free(s);
}

int
sprog_refuse(struct sprog *s, int status, const char *why)
{
	snprintf(s->reason, sizeof s->reason, "%s", why != NULL ? why : sprog_strerror(status));
	return status;
}

/* Everything that can be done without waiting. */
static void
prepare(struct sprog *s)
{
	s->timed = false;
	sprog_clock(s);
	sprog_expire(s);
	for (int i = 0; i < s->targets; i++) {
		struct sprog_target *t = &s->target[i];
		sprog_again(s, t);
		if (t->link == LINK_CLOSED && t->failures > 0 && s->now_ns >= t->retry_ns)
			t->probe = s->in_flight > 0;
	}
	/* A connect can fail at once, and what waited for it goes to another; each turn rules out
	 * one target. */
	for (int turn = 0; turn <= s->targets; turn++) {
		sprog_assign(s);
		for (int i = 0; i < s->targets; i++)
			sprog_link_push(s, &s->target[i]);
		if (s->pending.count == 0)
			return;
	}
}

/* Until the next event, or the caller's time is up; rounded up, so as not to spin through the
 * last millisecond. */
static int
wait_ms(const struct sprog *s, int timeout_ms)
{
	int64_t next = sprog_next_event(s);
	if (next == INT64_MAX)
		return timeout_ms;
	int64_t ms = next <= s->now_ns ? 0 : (next - s->now_ns + 999999) / 1000000;
	if (timeout_ms >= 0 && ms > timeout_ms)
		return timeout_ms;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static int64_t
until_ns(struct sprog *s, int timeout_ms)
{
	return timeout_ms < 0 ? INT64_MAX : sprog_clock(s) + timeout_ms * INT64_C(1000000);
}

/* -1: for ever */
static int
left_ms(int64_t until, int64_t now)
{
	if (until == INT64_MAX)
		return -1;
	return until <= now ? 0 : (int)((until - now + 999999) / 1000000);
}

static int
collect(struct sprog *s, struct pollfd *fds, int max)
{
	int n = 0;
	for (int i = 0; i < s->targets && n < max; i++) {
		const struct sprog_target *t = &s->target[i];
		if (t->link == LINK_CLOSED)
			continue;
		bool connecting = t->link == LINK_CONNECTING;
		bool writing = connecting || (t->link == LINK_OPEN && sprog_link_writable(t) > 0);
		int events = (connecting ? 0 : POLLIN) | (writing ? POLLOUT : 0);
		fds[n++] = (struct pollfd){ .fd = t->fd, .events = (short)events };
	}
	return n;
}

static void
dispatch(struct sprog *s, const struct pollfd *fds, int n)
{
	sprog_clock(s);
	for (int i = 0, k = 0; i < s->targets && k < n; i++) {
		/* In the order of collect; a link closed since then is not among them any more. */
		struct sprog_target *t = &s->target[i];
		for (int j = k; j < n; j++) {
			if (fds[j].fd != t->fd)
				continue;
			k = j + 1;
			if (fds[j].revents != 0)
				sprog_link_ready(s, t, fds[j].revents);
			break;
		}
	}
}

int
sprog_pollfds(struct sprog *s, struct pollfd *fds, int max, int *timeout_ms)
{
	if (s->inside)
		return -1;
	s->ended = 0;
	prepare(s);
	*timeout_ms = s->ended != 0 ? 0 : wait_ms(s, -1);
	return collect(s, fds, max);
}

int
sprog_dispatch(struct sprog *s, const struct pollfd *fds, int n)
{
	if (s->inside)
		return -1;
	s->ended = 0;
	dispatch(s, fds, n);
	return s->ended;
}

int
sprog_poll(struct sprog *s, int timeout_ms)
{
	struct pollfd fds[SPROG_MAX_FDS];
	if (s->inside)
		return -1;
	s->ended = 0;
	int64_t until = until_ns(s, timeout_ms);
	for (;;) {
		prepare(s);
		if (s->in_flight == 0)
			return s->ended;
		int left = s->ended != 0 ? 0 : left_ms(until, s->now_ns);
		int n = collect(s, fds, SPROG_MAX_FDS);
		int ready = poll(fds, (nfds_t)n, wait_ms(s, left));
		if (ready < 0)
			return errno == EINTR ? s->ended : -1;
		if (ready > 0)
			dispatch(s, fds, n);
		if (s->ended != 0 || left == 0)
			return s->ended;
	}
}

int
sprog_wait(struct sprog *s, int timeout_ms)
{
	if (s->inside)
		return SPROG_ARGUMENT;
	int64_t until = until_ns(s, timeout_ms);
	while (s->in_flight > 0) {
		int left = left_ms(until, sprog_clock(s));
		if (sprog_poll(s, left) < 0)
			return SPROG_SYSTEM;
		if (left == 0 && s->in_flight > 0)
			return SPROG_TIMEOUT;
	}
	return SPROG_OK;
}

int
sprog_send(struct sprog *s, const char *text, size_t len, int timeout_ms)
{
	if (s->inside)
		return SPROG_ARGUMENT;
	/* One more than the window holds does no harm: its room is not taken from anybody. */
	int64_t timeout_ns = timeout_ms < 0 ? s->timeout_ns : timeout_ms * INT64_C(1000000);
	int status = sprog_take(s, text, len, NULL, timeout_ns);
	if (status != SPROG_OK)
		return status;
	s->awaited_id = s->last_id;
	while (s->awaited_id != 0)
		if (sprog_poll(s, -1) < 0) {
			/* Its outcome will go to the callback. */
			s->awaited_id = 0;
			return sprog_refuse(s, SPROG_SYSTEM, strerror(errno));
		}
	return s->awaited_status;
}

int
sprog_cancel(struct sprog *s)
{
	if (s->inside)
		return -1;
	s->ended = 0;
	sprog_clock(s);
	for (int i = 0; i < s->targets; i++) {
		sprog_again(s, &s->target[i]);
		sprog_take_back(s, &s->target[i]);
	}
	sprog_give_up(s, SPROG_CANCELLED);
	return s->ended;
}

size_t
sprog_in_flight(const struct sprog *s)
{
	return s->in_flight;
}

size_t
sprog_room(const struct sprog *s)
{
	return s->in_flight < s->window ? s->window - s->in_flight : 0;
}

const char *
sprog_reason(const struct sprog *s)
{
	return s->reason;
}

const char *
sprog_trouble(struct sprog *s)
{
	sprog_trouble_text(s, s->trouble, sizeof s->trouble);
	return s->trouble;
}

const char *
sprog_strerror(int status)
{
	static const char *const text[] = {
		[SPROG_OK] = "settled",
		[SPROG_ERROR] = "refused by the member",
		[SPROG_UNKNOWN] = "not settled, may have been logged",
		[SPROG_PROTOCOL] = "answered against the protocol",
		[SPROG_UNREACHABLE] = "no member could be reached",
		[SPROG_CROWDED] = "too many clients at every member that could be reached",
		[SPROG_FORBIDDEN] = "not allowed by any member",
		[SPROG_CANCELLED] = "cancelled before it was sent",
		[SPROG_MEMORY] = "out of memory",
		[SPROG_BAD_TEXT] = "no good message text",
		[SPROG_FULL] = "too many messages in flight",
		[SPROG_TIMEOUT] = "messages are still in flight",
		[SPROG_ARGUMENT] = "bad argument",
		[SPROG_RING] = "bad ring file",
		[SPROG_SYSTEM] = "system error",
		[SPROG_NUMBER] = "its number stands for another text",
	};
	if (status < 0 || status >= (int)(sizeof text / sizeof text[0]))
		return "unknown status";
	return text[status];
}

const char *
sprog_version(void)
{
	return PACKAGE_VERSION;
}
