/* SPDX-License-Identifier: MIT
 * libsprog_choose.c - which member a message goes to, which ones are avoided and for how long,
 * and when a message is given up. No sockets here. */
#include "sprog/libsprog.h"

#include <stdio.h>
#include <string.h>

static const int64_t backoff_least_ns = 100 * INT64_C(1000000);
static const int64_t backoff_most_ns = 5000 * INT64_C(1000000);

/* Will do: connected and answering, or never found wanting. One that has failed gets a single
 * message until it has answered that: a member that crashes over and over must not take a whole
 * window with it. */
static bool
is_good(const struct sprog_target *t)
{
	if (t->link == LINK_OPEN)
		return t->told_count == 0 && (t->failures == 0 || t->queue.count == 0);
	return t->failures == 0;
}

/* Has failed, but its time to be tried again has come. */
static bool
is_due(const struct sprog *s, const struct sprog_target *t)
{
	return t->failures > 0 && (t->link == LINK_CONNECTING ||
	    (t->link == LINK_CLOSED && s->now_ns >= t->retry_ns));
}

/* From best to worst. A member that is slow, or stands still, would in the end hold the whole
 * window, and so stop the others: it is given its share and a half, and more only where nobody
 * else is left. */
enum class { CLASS_FREE, CLASS_GOOD, CLASS_DUE, CLASSES };

static bool
is_of(const struct sprog *s, const struct sprog_target *t, enum class class)
{
	if (class == CLASS_DUE)
		return is_due(s, t);
	return is_good(t) && (class == CLASS_GOOD || t->queue.count < s->share);
}

/* Of those of a class, in turn or by chance; NULL: there is none. */
static struct sprog_target *
choose_among(struct sprog *s, enum class class)
{
	bool has[SPROG_MAX_FDS];
	unsigned n = 0;
	for (int i = 0; i < s->targets; i++)
		n += has[i] = is_of(s, &s->target[i], class);
	if (n == 0)
		return NULL;
	uint64_t skip = s->choice == SPROG_RANDOM ? sprog_random(s) % n : 0;
	int i = s->choice == SPROG_RANDOM ? 0 : s->next;
	while (!has[i] || skip-- > 0)
		i = (i + 1) % s->targets;
	s->next = (i + 1) % s->targets;
	return &s->target[i];
}

struct sprog_target *
sprog_choose(struct sprog *s)
{
	/* The usual case first: the one whose turn it is will do. */
	int i = s->next;
	if (s->choice == SPROG_RANDOM && s->targets > 1)
		i = (int)((sprog_random(s) >> 32) * (uint64_t)s->targets >> 32);
	if (is_of(s, &s->target[i], CLASS_FREE)) {
		s->next = i + 1 == s->targets ? 0 : i + 1;
		return &s->target[i];
	}
	struct sprog_target *t = NULL;
	for (enum class class = CLASS_FREE; t == NULL && class < CLASSES; class++)
		t = choose_among(s, class);
	return t;
}

void
sprog_choose_failed(struct sprog *s, struct sprog_target *t, enum sprog_wrong wrong,
    const char *why)
{
	int64_t wait = backoff_least_ns;
	for (int i = 0; i < t->failures && wait < backoff_most_ns; i++)
		wait *= 2;
	if (wait > backoff_most_ns)
		wait = backoff_most_ns;
	t->failures++;
	t->wrong = wrong;
	snprintf(t->why, sizeof t->why, "%s", why);
	/* Three quarters to five: many clients of one member must not come back at one moment. */
	t->retry_ns = s->now_ns + wait * 3 / 4 + (int64_t)(sprog_random(s) % (uint64_t)(wait / 2));
}

void
sprog_take_back(struct sprog *s, struct sprog_target *t)
{
	size_t first = t->sent_count, offset = t->sent_line_bytes;
	if (t->sent_bytes > offset)     /* a line that has been begun must be ended */
		offset += sprog_queue_at(&t->queue, first++)->size;
	size_t i = first, end = offset;
	for (; i < t->queue.count; i++) {
		size_t size = sprog_queue_at(&t->queue, i)->size;
		if (!sprog_queue_move(&s->pending, &t->queue, i, end))
			break;
		end += size;
	}
	if (i == t->queue.count)
		sprog_queue_cut(&t->queue, first, offset);
	else    /* no memory: undo, they stay where they are */
		while (i-- > first) {
			size_t last = s->pending.count - 1;
			sprog_queue_cut(&s->pending, last,
			    s->pending.bytes.len - sprog_queue_at(&s->pending, last)->size);
		}
}

void
sprog_assign(struct sprog *s)
{
	struct sprog_target *t;
	while (s->pending.count > 0 && (t = sprog_choose(s)) != NULL) {
		if (!sprog_queue_move(&t->queue, &s->pending, 0, 0))
			return;         /* no memory: later, or when its time is up */
		sprog_queue_pop(&s->pending);
	}
	/* Nobody to wait for: this machine will not be let in within seconds. */
	for (int i = 0; i < s->targets; i++)
		if (s->target[i].wrong != WRONG_FORBIDDEN)
			return;
	if (s->pending.count > 0)
		sprog_give_up(s, SPROG_FORBIDDEN);
}

static int
status_not_sent(const struct sprog *s)
{
	for (int i = 0; i < s->targets; i++)
		if (s->target[i].wrong == WRONG_CROWDED)
			return SPROG_CROWDED;
	return SPROG_UNREACHABLE;
}

/* Reports what is overdue among the pending: all, where now is INT64_MAX. */
static void
drop_pending(struct sprog *s, int64_t now, int status)
{
	struct sprog_queue old = s->pending;
	char reason[SPROG_REASON];
	if (status == SPROG_CANCELLED)
		snprintf(reason, sizeof reason, "cancelled before it was sent");
	else
		sprog_trouble_text(s, reason, sizeof reason);
	s->pending = (struct sprog_queue){ .size = 0 };
	size_t offset = 0;
	for (size_t i = 0; i < old.count; i++) {
		struct sprog_flight *f = sprog_queue_at(&old, i);
		if (f->deadline_ns > now && sprog_queue_move(&s->pending, &old, i, offset))
			f->told = true;
		offset += f->size;
	}
	while (old.count > 0) {
		struct sprog_flight f = *sprog_queue_at(&old, 0);
		const char *text = buf_begin(&old.bytes);
		sprog_queue_pop(&old);
		if (!f.told)
			sprog_report(s, NULL, &f, text,
			    f.deadline_ns > now ? SPROG_MEMORY : status, reason);
	}
	sprog_queue_fini(&old);
}

void
sprog_give_up(struct sprog *s, int status)
{
	if (s->pending.count > 0)
		drop_pending(s, INT64_MAX, status);
}

static void
find_soonest(struct sprog_queue *q)
{
	q->soonest_ns = INT64_MAX;
	for (size_t i = 0; i < q->count; i++) {
		const struct sprog_flight *f = sprog_queue_at(q, i);
		if (!f->told && f->deadline_ns < q->soonest_ns)
			q->soonest_ns = f->deadline_ns;
	}
}

/* Its answers are late: what was not sent yet goes elsewhere, what is overdue is reported, and once
 * nothing is left to wait for the connection is ended. */
static void
expire_target(struct sprog *s, struct sprog_target *t)
{
	static const char why[] = "no answer in time";
	find_soonest(&t->queue);
	if (t->queue.soonest_ns > s->now_ns)
		return;
	sprog_take_back(s, t);
	/* The line of a message in the middle is found by adding up; a callback may append, and
	 * so move them. */
	size_t count = t->queue.count, offset = 0;
	for (size_t i = 0; i < count; i++) {
		struct sprog_flight *f = sprog_queue_at(&t->queue, i), copy = *f;
		if (!f->told && f->deadline_ns <= s->now_ns) {
			f->told = true;
			t->told_count++;
			sprog_report(s, t, &copy, buf_begin(&t->queue.bytes) + offset,
			    SPROG_UNKNOWN, why);
		}
		offset += copy.size;
	}
	find_soonest(&t->queue);
	if (t->told_count == 0)
		return;
	t->wrong = WRONG_UNREACHABLE;
	memcpy(t->why, why, sizeof why);
	if (t->told_count == t->queue.count)
		sprog_link_fail(s, t, WRONG_UNREACHABLE, why, true);
}

void
sprog_expire(struct sprog *s)
{
	for (int i = 0; i < s->targets; i++) {
		struct sprog_target *t = &s->target[i];
		if (t->link == LINK_CONNECTING && t->connect_by_ns <= s->now_ns)
			sprog_link_connect_failed(s, t, "connection timed out");
		if (t->queue.count > 0 && t->queue.soonest_ns <= s->now_ns)
			expire_target(s, t);
	}
	if (s->pending.count > 0 && s->pending.soonest_ns <= s->now_ns)
		drop_pending(s, s->now_ns, status_not_sent(s));
}

int64_t
sprog_next_event(const struct sprog *s)
{
	int64_t next = s->pending.count > 0 ? s->pending.soonest_ns : INT64_MAX;
	for (int i = 0; i < s->targets; i++) {
		const struct sprog_target *t = &s->target[i];
		if (t->queue.count > 0 && t->queue.soonest_ns < next)
			next = t->queue.soonest_ns;
		if (t->link == LINK_CONNECTING && t->connect_by_ns < next)
			next = t->connect_by_ns;
		if (t->link == LINK_CLOSED && s->pending.count > 0 && t->retry_ns < next)
			next = t->retry_ns;
	}
	return next;
}

void
sprog_trouble_text(const struct sprog *s, char *text, size_t size)
{
	size_t used = 0;
	*text = '\0';
	for (int i = 0; i < s->targets && used < size; i++) {
		const struct sprog_target *t = &s->target[i];
		if (t->wrong == WRONG_NOTHING && t->link != LINK_CONNECTING)
			continue;
		const char *why = t->wrong != WRONG_NOTHING ? t->why : "not connected yet";
		int n = snprintf(text + used, size - used, "%s%s: %s", used != 0 ? "; " : "",
		    t->name, why);
		used += n > 0 ? (size_t)n : 0;
	}
	if (used >= size && size > 4)
		memcpy(text + size - 4, "...", 4);
}
