/* SPDX-License-Identifier: MIT
 * core_store.c - from what came in to what is in the journal, and settled. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/repair.h"
#include "store/core_private.h"

enum {
	RETRY_MS = 500,                 /* after a full disk */
};

/* ---- collecting ---- */

/* Takes the reference. false: no memory, and it is dropped. */
static bool
add(struct core *c, struct frame *f, struct stream *s, struct core_own *own)
{
	if (c->batch_count == c->batch_room) {
		size_t room = c->batch_room != 0 ? c->batch_room * 2 : 64;
		struct batched *more = realloc(c->batch, room * sizeof *more);
		if (more == NULL) {
			frame_drop(&f);
			return false;
		}
		c->batch = more;
		c->batch_room = room;
	}
	c->batch[c->batch_count++] = (struct batched){ .frame = f, .stream = s, .own = own };
	return true;
}

/* Adds all of f that is missing and may be stored now; stream_had is taken back if the journal then refuses. Borrows f. */
static enum stream_is
add_missing(struct core *c, struct stream *s, struct frame *f)
{
	uint64_t from, to;
	enum stream_is is, first = STREAM_HAD;
	while ((is = stream_pick(s, f, &from, &to)) == STREAM_STORE) {
		bool whole = from == f->h.seq && to == f->h.seq + f->h.count - 1;
		struct frame *part = whole ? frame_ref(f) : frame_cut(f, from, to);
		if (part == NULL || !add(c, part, s, NULL))
			return STREAM_AHEAD;
		c->batch[c->batch_count - 1].late = from <= s->upto;
		stream_had(s, from, to);
		first = STREAM_STORE;
	}
	return is == STREAM_AHEAD ? is : first;
}

static void
add_ahead(struct core *c, struct stream *s)
{
	struct frame *f;
	while ((f = stream_next_ahead(s)) != NULL) {
		add_missing(c, s, f);
		frame_drop(&f);
	}
}

/* The sender of a frame gets an ok. Its origin, where that is another, is to know as soon: its clients wait. */
static void
note_origin(struct core *c, struct stream *s, int peer)
{
	stream_wake(&c->streams, s);
	if (core_peer(c, s->origin) == peer)
		return;
	for (int i = 0; i < c->tells; i++)
		if (c->tell[i] == s)
			return;
	if (c->tells < CORE_TOLD)
		c->tell[c->tells++] = s;
}

void
core_frame(struct core *c, struct frame *f, int peer)
{
	if (strcmp(f->h.kind, CORE_STATE) == 0)
		return;         /* what a member says of itself to itself; from others it would be believed at the next start */
	if (f->h.epoch == 0) {
		add(c, frame_ref(f), NULL, NULL);
		return;
	}
	struct stream *s = streams_get(&c->streams, f->h.origin, f->h.epoch);
	if (s == NULL)
		return;         /* too many streams, or no memory: it stays with those who have it */
	note_origin(c, s, peer);
	s->gap.line_bytes = f->h.bytes / f->h.count;
	enum stream_is is = add_missing(c, s, f);
	if (is == STREAM_STORE)
		add_ahead(c, s);
	else if (is == STREAM_AHEAD) {
		c->looked = false;
		if (!stream_keep_ahead(s, f))
			c->counts.ahead_dropped++;
	}
}

/* Keeps a frame of ours that the journal did not take: nobody else can be asked for what others miss of it. */
static void
hold(struct core *c, struct frame *f)
{
	struct held *h = malloc(sizeof *h);
	if (h == NULL) {
		frame_drop(&f);
		return;
	}
	*h = (struct held){ NULL, f };
	*c->held_tail = h;
	c->held_tail = &h->next;
}

static const char *
refusal(int error, char text[160])
{
	bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
	snprintf(text, 160, full ? "disk full" : "not stored: %s", strerror(error));
	return text;
}

void
core_own(struct core *c, struct core_own *own)
{
	char text[160];
	struct frame *f = own->frame;
	struct stream *s = streams_get(&c->streams, f->h.origin, f->h.epoch);
	own->frame = NULL;
	own->entry.seq = f->h.seq + f->h.count - 1;
	if (s == NULL || c->held != NULL) {     /* in the order of numbers: behind those that wait */
		hold(c, f);
		own->done(own, refusal(c->full != 0 ? c->full : ENOMEM, text));
	} else if (add(c, f, s, own)) {
		stream_had(s, f->h.seq, own->entry.seq);
		stream_wake(&c->streams, s);
	} else {
		own->done(own, refusal(ENOMEM, text));
	}
}

/* ---- storing ---- */

/* The journal refused: nothing of the batch is had. What is ours stays with us; the rest will be pulled. */
static void
refuse_batch(struct core *c, int error)
{
	char text[160];
	for (size_t i = c->batch_count; i-- > 0;) {
		struct batched *b = &c->batch[i];
		if (b->stream == NULL)
			continue;
		stream_unhad(b->stream, b->frame->h.seq, b->frame->h.seq + b->frame->h.count - 1);
		stream_wake(&c->streams, b->stream);
	}
	for (size_t i = 0; i < c->batch_count; i++) {
		struct batched *b = &c->batch[i];
		if (b->own != NULL)
			hold(c, b->frame);
		else
			frame_drop(&b->frame);
		if (b->own != NULL)
			b->own->done(b->own, refusal(error, text));
	}
	c->batch_count = 0;
}

static void
set_full(struct core *c, int error, int64_t now)
{
	if (error != 0 && c->full == 0)
		core_say(c, "cannot write the journal: %s: nothing is accepted until it can be written", strerror(error));
	if (error == 0 && c->full != 0)
		core_say(c, "the journal can be written again");
	/* What was let go meanwhile is to be asked for. */
	if (error != c->full)
		c->looked = false;
	c->full = error;
	c->retry_ms = now + RETRY_MS;
}

/* Waiting for the disk; what another thread has begun comes first. */
static int
sync_now(struct core *c)
{
	if (c->flying)
		c->ops.sync_wait(c->ops.arg);
	return journal_sync(c->journal);
}

/* Where each batch is to be on the disk before anyone is told. What was appended and could not be synced stays in the journal: it
 * is stored, and acknowledged to nobody until a sync succeeds. */
static void
sync_batch(struct core *c)
{
	if (c->sync_ms == CORE_SYNC_ALWAYS && sync_now(c) < 0)
		c->unsynced = errno;
}

/* Everything in the batch, with one call. 0, or an errno. */
static int
append(struct core *c)
{
	struct frame **frames = malloc(c->batch_count * sizeof(struct frame *));
	if (frames == NULL)
		return ENOMEM;
	for (size_t i = 0; i < c->batch_count; i++)
		frames[i] = c->batch[i].frame;
	int error = journal_append(c->journal, frames, c->batch_count) < 0 ? errno : 0;
	free(frames);
	if (error == 0)
		sync_batch(c);
	return error;
}

/* What others have of a stream that we have left is not counted any more: of its last frames only we are sure. */
static void
wait_for_level(struct core *c, struct core_own *own, uint64_t epoch)
{
	char text[64];
	snprintf(text, sizeof text, "unconfirmed: 1 of %d", own->entry.level);
	if (epoch == c->epoch)
		settle_add(&c->settle, &own->entry);
	else
		own->done(own, own->entry.level == 1 ? NULL : text);
}

static void
stored(struct core *c, struct batched *b)
{
	struct frame *f = b->frame;
	if (b->late) {
		c->counts.late += f->h.count;
		core_say(c, "late: %s:%" PRIu64 "-%" PRIu64 " turned up after all", f->h.origin, f->h.seq,
		    f->h.seq + f->h.count - 1);
	}
	c->counts.stored += f->h.count;
	core_log(c, &f->h, f->body, (struct journal_pos){ 0, 0 });
	if (b->stream != NULL)
		c->changed = true;
	char text[160];
	if (b->own != NULL && c->unsynced != 0)
		b->own->done(b->own, refusal(c->unsynced, text));
	else if (b->own != NULL)
		wait_for_level(c, b->own, f->h.epoch);
	frame_drop(&b->frame);
}

static int
store_batch(struct core *c, int64_t now)
{
	int error = append(c);
	set_full(c, error, now);
	if (error != 0) {
		refuse_batch(c, error);
		return error;
	}
	for (size_t i = 0; i < c->batch_count; i++)
		stored(c, &c->batch[i]);
	c->batch_count = 0;
	c->looked = false;
	/* In every segment there is what we have of all streams: what is pruned stays known as had. */
	if (journal_end(c->journal).segment != c->state_segment)
		core_write_state(c);
	if (c->unsynced != 0)
		set_full(c, c->unsynced, now);
	return c->unsynced;
}

/* The first of what was held back. false: the journal refuses still. */
static bool
store_held(struct core *c)
{
	struct held *h = c->held;
	struct frame *f = h->frame;
	struct stream *s = streams_get(&c->streams, f->h.origin, f->h.epoch);
	if (s == NULL || journal_append(c->journal, &f, 1) < 0)
		return false;
	sync_batch(c);
	c->held = h->next;
	if (c->held == NULL)
		c->held_tail = &c->held;
	free(h);
	struct batched b = { .frame = f, .stream = s };
	stream_had(s, f->h.seq, f->h.seq + f->h.count - 1);
	stream_wake(&c->streams, s);
	stored(c, &b);
	return true;
}

/* After a refusal: one by one what was held back, and where there is none a record that does no harm. */
static void
try_again(struct core *c, int64_t now)
{
	c->retry_ms = now + RETRY_MS;
	if (c->unsynced != 0 && sync_now(c) < 0)
		return;
	bool good = true, any = c->held != NULL;
	c->changed |= c->unsynced != 0;
	c->unsynced = 0;
	while (good && c->held != NULL)
		good = store_held(c);
	good = good && c->unsynced == 0;
	if (good && (any || core_write_state(c) == 0))
		set_full(c, 0, now);
}

int
core_store(struct core *c, int64_t now)
{
	if (c->batch_count == 0)
		return 0;
	/* What is ours and waits goes first, in the order of numbers: while it waits nothing else may end the refusal. */
	if (c->full != 0 && now >= c->retry_ms && c->held != NULL)
		try_again(c, now);
	if (c->full != 0 && (now < c->retry_ms || c->held != NULL)) {
		refuse_batch(c, c->full);
		return c->full;
	}
	return store_batch(c, now);
}

/* ---- settlement ---- */

static void
own_done(void *arg, struct settle_entry *e, bool enough, int have)
{
	struct core *c = arg;
	struct core_own *own = (struct core_own *)(void *)((char *)e - offsetof(struct core_own, entry));
	char text[64];
	snprintf(text, sizeof text, "unconfirmed: %d of %d", have, e->level);
	(void)c;
	own->done(own, enough ? NULL : text);
}

/* What each member has of our present stream, ourselves first; returns how many members. */
static int
who_has(const struct core *c, uint64_t had[RING_MAX])
{
	const struct stream *s = streams_find(&c->streams, c->self, c->epoch);
	int n = 0;
	had[n++] = s != NULL ? s->upto : 0;
	for (int i = 0; i < RING_MAX && n < c->members; i++)
		if (c->peer[i].name[0] != '\0')
			had[n++] = s != NULL ? s->gap.known[i] : 0;
	return n;
}

void
core_settle(struct core *c, int64_t now)
{
	uint64_t had[RING_MAX];
	if (c->settle.waiting != 0)
		settle_look(&c->settle, had, who_has(c, had), now, own_done, c);
}

void
core_settle_all(struct core *c)
{
	core_settle(c, INT64_MAX);
}

/* ---- the clock ---- */

struct round {
	struct core *core;
	int64_t      now_ms, wake_ms;
};

static void
want(struct core *c, const struct stream *s, const struct repair_step *step)
{
	char text[128];
	snprintf(text, sizeof text, "want %s %" PRIu64 " %" PRIu64 " %" PRIu64, s->origin, s->epoch, step->from, step->to);
	c->counts.wants++;
	c->ops.line(c->ops.arg, step->peer, text);
}

static bool
look_visit(void *arg, struct stream *s)
{
	struct round *r = arg;
	struct core *c = r->core;
	/* Our own stream of now has its gaps, if any, in what we hold back. It is always awake. */
	if (s->epoch == c->epoch && strcmp(s->origin, c->self) == 0)
		return true;
	struct repair_step step = repair_look(s, c->up, core_peer(c, s->origin), r->now_ms, c->o.gap_ms, &r->wake_ms);
	if (step.what == REPAIR_WANT) {
		want(c, s, &step);
	} else if (step.what == REPAIR_PASS && stream_pass(s, step.to)) {
		c->counts.lost += step.to - step.from + 1;
		core_say(c, "lost %s:%" PRIu64 "-%" PRIu64, s->origin, step.from, step.to);
		c->changed = true;
		add_ahead(c, s);
		r->wake_ms = r->now_ms;
	}
	step = repair_look_again(s, c->up, r->now_ms, &r->wake_ms);
	if (step.what == REPAIR_WANT)
		want(c, s, &step);
	return s->changed || s->gap.from != 0 || s->passed_count != 0 || s->ahead_count != 0;
}

static void
repair(struct core *c, int64_t now)
{
	struct round r = { c, now, INT64_MAX };
	/* While the disk is full nothing is asked for: it could not be kept. */
	if (c->full == 0)
		streams_each_awake(&c->streams, look_visit, &r);
	c->looked = true;
	c->repair_ms = r.wake_ms;
	if (c->batch_count != 0)
		core_store(c, now);
}

void
core_sync(struct core *c, int64_t now)
{
	if (c->sync_ms == CORE_SYNC_NONE || !journal_dirty(c->journal))
		return;
	c->synced_ms = now;
	if (sync_now(c) < 0) {
		c->unsynced = errno;
		set_full(c, c->unsynced, now);
	}
}

void
core_synced(struct core *c, int error, int64_t now)
{
	c->flying = false;
	if (journal_sync_end(c->journal, &c->flight, error) < 0) {
		c->unsynced = errno;
		set_full(c, c->unsynced, now);
	}
}

/* Where another thread does it, one sync begins every half of sync, and the one before must have ended by then: so what comes right
 * behind the beginning of one is on the disk with the end of the next, within sync. */
static int64_t
sync_if_due(struct core *c, int64_t now)
{
	int64_t due = c->synced_ms + (c->ops.sync != NULL ? c->sync_ms / 2 : c->sync_ms);
	if (c->sync_ms <= 0 || (!c->flying && !journal_dirty(c->journal)))
		return INT64_MAX;
	if (now < due)
		return due;
	if (c->flying)
		c->ops.sync_wait(c->ops.arg);
	c->flying = c->ops.sync != NULL && journal_sync_begin(c->journal, &c->flight);
	if (c->flying) {
		c->synced_ms = now;
		c->ops.sync(c->ops.arg, &c->flight);
		return now + c->sync_ms / 2;
	}
	core_sync(c, now);
	return INT64_MAX;
}

static int64_t
digest_if_due(struct core *c, int64_t now)
{
	if (c->unsynced != 0)
		return INT64_MAX;
	for (int i = 0; i < RING_MAX && c->tell_all != 0; i++)
		if ((c->tell_all >> i & 1) != 0)
			core_digest(c, i, true);
	c->tell_all = 0;
	if (!c->changed)
		return INT64_MAX;
	if (now < c->digest_ms + c->o.digest_ms)
		return c->digest_ms + c->o.digest_ms;
	c->digest_ms = now;
	for (int i = 0; i < RING_MAX; i++)
		if ((c->up >> i & 1) != 0)
			core_digest(c, i, false);
	core_digest_done(c);
	return INT64_MAX;
}

int64_t
core_tick(struct core *c, int64_t now)
{
	if (c->full != 0 && now >= c->retry_ms)
		try_again(c, now);
	if (!c->looked || now >= c->repair_ms)
		repair(c, now);
	core_settle(c, now);
	core_tell_origins(c);
	int64_t times[] = { sync_if_due(c, now), digest_if_due(c, now), settle_next(&c->settle), c->repair_ms,
	    c->full != 0 ? c->retry_ms : INT64_MAX };
	int64_t next = INT64_MAX;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		if (times[i] < next)
			next = times[i];
	return next;
}
