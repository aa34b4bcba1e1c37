/* SPDX-License-Identifier: MIT
 * libsprog_submit.c - messages come in: what is a good one, when its time began, which queue it
 * goes to. Nothing is sent here. */
#include "sprog/libsprog.h"

#include <string.h>
#include <time.h>

#include "wire/line.h"

const char *
sprog_check(const char *text, size_t len)
{
	return line_check(text, len);
}

const char *
sprog_check_plain(const char *text, size_t len)
{
	if ((len == 4 && memcmp(text, "quit", 4) == 0) ||
	    (len == 9 && (memcmp(text, "keepAlive", 9) == 0 || memcmp(text, "keepalive", 9) == 0)))
		return "a command of the protocol, not a message";
	if (len >= 10 && memcmp(text, "HELLO zog/", 10) == 0)
		return "would open a numbered connection, not a message";
	return NULL;
}

/* When this message was submitted. To read the clock costs as much as all the rest: between two
 * turns of the wheel it is read for the first message, and anew when the clock that is cheap to read,
 * and jumps some hundred times a second, has jumped. */
static int64_t
submit_time(struct sprog *s)
{
#ifdef CLOCK_MONOTONIC_COARSE
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	int64_t tick_ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
	if (s->timed && tick_ns == s->tick_ns)
		return s->now_ns;
	s->timed = true;
	s->tick_ns = tick_ns;
#endif
	return sprog_clock(s);
}

/* Where a good text goes to; NULL: pending. */
static struct sprog_target *
pick(struct sprog *s, const char *text, size_t len)
{
	/* Those that wait for a member go first. */
	struct sprog_target *t = s->pending.count == 0 ? sprog_choose(s) : NULL;
	if (t != NULL && t->plain && sprog_check_plain(text, len) != NULL)
		t = NULL;       /* what is to be done about that is decided there */
	return t;
}

/* What is the same for the messages of one call. */
struct common {
	int64_t submitted_ns, deadline_ns;
};

static bool
put(struct sprog *s, struct sprog_target *t, uint64_t number, const char *text, size_t len,
    size_t readable, void *tag, const struct common *c)
{
	struct sprog_queue *q = t != NULL ? &t->queue : &s->pending;
	struct sprog_flight *f = sprog_queue_add(q, number, text, len, readable);
	if (f == NULL)
		return false;
	f->id = ++s->last_id;
	f->tag = tag;
	f->submitted_ns = c->submitted_ns;
	f->deadline_ns = c->deadline_ns;
	sprog_queue_due(q, c->deadline_ns);
	s->in_flight++;
	return true;
}

int
sprog_take(struct sprog *s, const char *text, size_t len, void *tag, int64_t timeout_ns)
{
	/* Most are nothing but ASCII; what else there is takes a closer look. */
	if (len == 0 || len > LINE_MAX_TEXT || line_ascii(text, len) != len) {
		const char *why = line_check(text, len);
		if (why != NULL)
			return sprog_refuse(s, SPROG_BAD_TEXT, why);
	}
	int64_t now = submit_time(s);
	struct common c = { .submitted_ns = now, .deadline_ns = now + timeout_ns };
	struct sprog_target *t = pick(s, text, len);
	uint64_t number = t != NULL ? sprog_number(s, t) : 0;
	if (!put(s, t, number, text, len, len, tag, &c))
		return sprog_refuse(s, SPROG_MEMORY, NULL);
	return SPROG_OK;
}

int
sprog_submit(struct sprog *s, const char *text, size_t len, void *tag)
{
	if (s->in_flight >= s->window)
		return sprog_refuse(s, SPROG_FULL, NULL);
	return sprog_take(s, text, len, tag, s->timeout_ns);
}

/* ---- many lines ---- */

/* The size of the first line of p[0 .. n), if it is there in full, and good; else 0. */
static size_t
good_line(const char *p, size_t n, size_t *len)
{
	size_t most = n < LINE_MAX_TEXT + 2 ? n : LINE_MAX_TEXT + 2;
	size_t i = line_ascii(p, most);
	bool cr = i < most && p[i] == '\r';
	if (i + cr < most && p[i + cr] == '\n' && i > 0 && i <= LINE_MAX_TEXT) {
		*len = i;
		return i + cr + 1;
	}
	const char *lf = i < most ? memchr(p + i, '\n', most - i) : NULL;
	if (lf == NULL)
		return 0;
	*len = (size_t)(lf - p);
	*len -= *len > 0 && lf[-1] == '\r';
	return line_check(p, *len) == NULL ? (size_t)(lf - p) + 1 : 0;
}

/* How many more than the one for which it was chosen, without asking again, and with numbers that
 * follow on. */
static size_t
run_of(const struct sprog *s, const struct sprog_target *t)
{
	if (t == NULL || !t->queue.numbered || t->queue.count + 1 >= s->share)
		return 0;
	uint64_t run = s->run_left;
	if (run > s->share - t->queue.count - 1)
		run = s->share - t->queue.count - 1;
	return run < t->block_end - t->next_number ? run : t->block_end - t->next_number;
}

size_t
sprog_submit_lines(struct sprog *s, const char *text, size_t length, uintptr_t tag, size_t *count)
{
	size_t used = 0, taken = 0, run = 0, size, len = 0;
	struct sprog_target *t = NULL;
	struct common c = { 0 };
	while (used < length && s->in_flight < s->window) {
		const char *p = text + used;
		uint64_t number = 0;
		size = good_line(p, length - used, &len);
		if (size == 0)
			break;
		if (taken == 0) {
			c.submitted_ns = submit_time(s);
			c.deadline_ns = c.submitted_ns + s->timeout_ns;
		}
		if (run > 0) {
			run--;
			s->run_left--;
			number = t->next_number++;
		} else if ((t = pick(s, p, len)) != NULL) {
			number = sprog_number(s, t);
			run = run_of(s, t);
		}
		if (!put(s, t, number, p, len, length - used, (void *)(tag + taken), &c))
			break;
		used += size;
		taken++;
	}
	*count = taken;
	return used;
}
