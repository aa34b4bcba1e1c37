/* SPDX-License-Identifier: MIT
 * libsprog_choose.c - which member a message goes to, which ones are avoided and for how long,
 * and when a message is given up. No sockets here. */
#include "sprog/libsprog.h"

#include <stdio.h>
#include <string.h>

static const int64_t backoff_least_ns = 100 * INT64_C(1000000);
static const int64_t backoff_most_ns = 5000 * INT64_C(1000000);

/* Has failed, but its time to be tried again has come. */
static bool
is_due(const struct sprog *s, const struct sprog_target *t)
{
	return t->failures > 0 && (t->link == LINK_CONNECTING || t->link == LINK_GREETING ||
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
	return sprog_is_good(s, t) && (class == CLASS_GOOD || t->queue.count < s->share);
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
sprog_choose_anew(struct sprog *s)
{
	/* The usual case first: the one whose turn it is will do. */
	s->run_left = 0;
	int i = s->next;
	if (s->choice == SPROG_RANDOM && s->targets > 1)
		i = (int)((sprog_random(s) >> 32) * (uint64_t)s->targets >> 32);
	if (is_of(s, &s->target[i], CLASS_FREE)) {
		s->next = i + 1 == s->targets ? 0 : i + 1;
		s->run_target = &s->target[i];
		s->run_left = s->run - 1;
		return s->run_target;
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

bool
sprog_take_back(struct sprog *s, struct sprog_target *t)
{
	size_t first = t->sent_count + sprog_begun(t);  /* what has been begun must be ended */
	if (!sprog_queue_merge(&s->pending, &t->queue, first))
		return false;           /* no memory: they stay where they are */
	sprog_queue_cut(&t->queue, first);
	return true;
}

void
sprog_again(struct sprog *s, struct sprog_target *t)
{
	if (t->again.count > 0 && sprog_queue_merge(&s->pending, &t->again, 0))
		sprog_queue_fini(&t->again);
}

void
sprog_new_block(struct sprog *s, struct sprog_target *t)
{
	t->next_number = s->next_block;
	t->block_end = s->next_block += SPROG_BLOCK;
}

/* The first of pending to this target. false: no memory, later, or when its time is up. */
static bool
assign_first(struct sprog *s, struct sprog_target *t)
{
	struct sprog_queue *q = &t->queue, *p = &s->pending;
	/* What waits there, and comes after, does so here as well. */
	if (q->count > t->sent_count + sprog_begun(t) && sprog_queue_at(p, 0)->kept &&
	    sprog_queue_at(q, q->count - 1)->number >= sprog_queue_at(p, 0)->number &&
	    !sprog_take_back(s, t))
		return false;
	struct sprog_flight f = *sprog_queue_at(p, 0);
	if (t->plain) {
		const char *text = buf_begin(&p->bytes);
		const char *why = sprog_check_plain(text, f.size - 2u);
		if (why != NULL) {
			sprog_queue_pop(p);
			sprog_report(s, t, &f, text, f.doubt ? SPROG_UNKNOWN : SPROG_BAD_TEXT, why);
			return true;
		}
	}
	if (!f.kept)
		f.number = sprog_number(s, t);
	if (!sprog_queue_put(q, &f, buf_begin(&p->bytes), f.size - 2u))
		return false;
	t->renew |= q->numbered && t->last_number >= f.number;
	sprog_queue_pop(p);
	return true;
}

/* The usual one; but what is sent again goes to one member as a whole, in order. */
static struct sprog_target *
choose_again(struct sprog *s, struct sprog_target *last)
{
	if (last != NULL && sprog_queue_at(&s->pending, 0)->kept && sprog_is_good(s, last))
		return last;
	return sprog_choose(s);
}

/* Nobody to wait for: this machine, or what it asks for, will not do within seconds. */
static int
status_hopeless(const struct sprog *s)
{
	int forbidden = 0, rejected = 0, strange = 0;
	for (int i = 0; i < s->targets; i++) {
		forbidden += s->target[i].wrong == WRONG_FORBIDDEN;
		rejected += s->target[i].wrong == WRONG_REJECTED;
		strange += s->target[i].wrong == WRONG_STRANGER;
	}
	if (forbidden + rejected + strange < s->targets)
		return SPROG_OK;
	return rejected > 0 ? SPROG_ARGUMENT : strange > 0 ? SPROG_PROTOCOL : SPROG_FORBIDDEN;
}

void
sprog_assign(struct sprog *s)
{
	struct sprog_target *t = NULL;
	while (s->pending.count > 0 && (t = choose_again(s, t)) != NULL)
		if (!assign_first(s, t))
			return;
	int status = s->pending.count > 0 ? status_hopeless(s) : SPROG_OK;
	if (status != SPROG_OK)
		sprog_give_up(s, status);
}

static int
status_not_sent(const struct sprog *s)
{
	int status = SPROG_UNREACHABLE;
	for (int i = 0; i < s->targets; i++)
		if (s->target[i].wrong == WRONG_REFUSING)
			return SPROG_ERROR;
		else if (s->target[i].wrong == WRONG_CROWDED)
			status = SPROG_CROWDED;
	return status;
}

/* What of the pending is given up: what is overdue, or all, where now is INT64_MAX; but what was
 * sent already is not cancelled, only ended with the handle. */
static bool
is_dropped(const struct sprog *s, const struct sprog_flight *f, int64_t now, int status)
{
	if (status == SPROG_CANCELLED && f->doubt)
		return s->closing;
	return f->deadline_ns <= now;
}

/* Reports it. */
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
	for (size_t i = 0; i < old.count; i++) {
		struct sprog_flight *f = sprog_queue_at(&old, i);
		if (!is_dropped(s, f, now, status) && sprog_queue_move(&s->pending, &old, i))
			f->told = true;
	}
	while (old.count > 0) {
		struct sprog_flight f = *sprog_queue_at(&old, 0);
		const char *text = buf_begin(&old.bytes);
		sprog_queue_pop(&old);
		if (f.told)
			continue;
		if (f.doubt)
			sprog_report(s, NULL, &f, text, SPROG_UNKNOWN, f.unconfirmed ? s->unconfirmed :
			    status == SPROG_CANCELLED ? "closed before it was answered" : reason);
		else
			sprog_report(s, NULL, &f, text,
			    is_dropped(s, &f, now, status) ? status : SPROG_MEMORY, reason);
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
	char last[SPROG_WHY];
	memcpy(last, s->unconfirmed, sizeof last);
	find_soonest(&t->queue);
	if (t->queue.soonest_ns > s->now_ns)
		return;
	sprog_take_back(s, t);
	/* A callback may append, and so move them. */
	size_t count = t->queue.count;
	for (size_t i = 0; i < count; i++) {
		struct sprog_flight *f = sprog_queue_at(&t->queue, i), copy = *f;
		if (!f->told && f->deadline_ns <= s->now_ns) {
			f->told = true;
			t->told_count++;
			sprog_report(s, t, &copy, sprog_queue_line(&t->queue, i), SPROG_UNKNOWN,
			    copy.unconfirmed ? last : why);
		}
	}
	find_soonest(&t->queue);
	if (t->told_count == 0)
		return;
	t->wrong = WRONG_UNREACHABLE;
	memcpy(t->why, why, sizeof why);
	if (t->told_count == t->queue.count)
		sprog_link_fail(s, t, WRONG_UNREACHABLE, why, true);
}

/* Numbered: what it has may be sent to another. */
static bool
is_waiting(const struct sprog_target *t)
{
	return t->sent_count > 0 && t->queue.numbered;
}

void
sprog_expire(struct sprog *s)
{
	for (int i = 0; i < s->targets; i++) {
		struct sprog_target *t = &s->target[i];
		if (t->link == LINK_CONNECTING && t->connect_by_ns <= s->now_ns)
			sprog_link_connect_failed(s, t, "connection timed out");
		else if (t->link == LINK_GREETING && t->connect_by_ns <= s->now_ns)
			sprog_link_fail(s, t, WRONG_UNREACHABLE, "no answer to HELLO in time", true);
		else if (is_waiting(t) && t->answered_ns + s->patience_ns <= s->now_ns)
			sprog_link_fail(s, t, WRONG_UNREACHABLE, "no answer for long", true);
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
		bool opening = t->link == LINK_CONNECTING || t->link == LINK_GREETING;
		if (opening && t->connect_by_ns < next)
			next = t->connect_by_ns;
		if (is_waiting(t) && t->answered_ns + s->patience_ns < next)
			next = t->answered_ns + s->patience_ns;
		if (s->pending.count > 0 && t->retry_ns < next &&
		    (t->link == LINK_CLOSED || (t->link == LINK_OPEN && t->retry_ns > s->now_ns)))
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
		bool opening = t->link == LINK_CONNECTING || t->link == LINK_GREETING;
		if (t->wrong == WRONG_NOTHING && !opening)
			continue;
		const char *why = t->wrong != WRONG_NOTHING ? t->why : "not connected yet";
		int n = snprintf(text + used, size - used, "%s%s: %s", used != 0 ? "; " : "",
		    t->name, why);
		used += n > 0 ? (size_t)n : 0;
	}
	if (used >= size && size > 4)
		memcpy(text + size - 4, "...", 4);
}
