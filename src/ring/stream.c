/* SPDX-License-Identifier: MIT */
#include "ring/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { FIRST_BUCKETS = 64 };

/* ---- the table ---- */

static size_t
hash(const char *origin, uint64_t epoch)
{
	uint64_t h = epoch * UINT64_C(0x9e3779b97f4a7c15);
	for (; *origin != '\0'; origin++)
		h = (h ^ (unsigned char)*origin) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 32);
}

bool
streams_init(struct streams *all)
{
	all->count = 0;
	all->awake = NULL;
	all->buckets = FIRST_BUCKETS;
	all->bucket = calloc(all->buckets, sizeof *all->bucket);
	return all->bucket != NULL;
}

static void
stream_free(struct stream *s)
{
	for (int i = 0; i < s->ahead_count; i++)
		frame_drop(&s->ahead[i]);
	free(s->ahead);
	free(s->passed);
	free(s);
}

static void
free_visit(void *arg, struct stream *s)
{
	(void)arg;
	stream_free(s);
}

void
streams_fini(struct streams *all)
{
	if (all->bucket != NULL)
		streams_each(all, free_visit, NULL);
	free(all->bucket);
	all->bucket = NULL;
}

struct stream *
streams_find(const struct streams *all, const char *origin, uint64_t epoch)
{
	struct stream *s = all->bucket[hash(origin, epoch) % all->buckets];
	while (s != NULL && (s->epoch != epoch || !text_same(s->origin, origin)))
		s = s->next;
	return s;
}

/* Twice the buckets; without memory for them the chains only grow. */
static void
grow(struct streams *all)
{
	size_t buckets = all->buckets * 2;
	struct stream **bucket = calloc(buckets, sizeof *bucket);
	if (bucket == NULL)
		return;
	for (size_t i = 0; i < all->buckets; i++) {
		for (struct stream *s = all->bucket[i], *next; s != NULL; s = next) {
			size_t at = hash(s->origin, s->epoch) % buckets;
			next = s->next;
			s->next = bucket[at];
			bucket[at] = s;
		}
	}
	free(all->bucket);
	all->bucket = bucket;
	all->buckets = buckets;
}

static void
forget(struct streams *all, struct stream *s)
{
	struct stream **at = &all->bucket[hash(s->origin, s->epoch) % all->buckets];
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	all->count--;
	stream_free(s);
}

struct oldest {
	struct stream *stream;
	uint64_t       epoch;           /* older than this one only */
};

static void
oldest_visit(void *arg, struct stream *s)
{
	struct oldest *o = arg;
	if (s->kept != 0 || s->awake || s->epoch >= o->epoch)
		return;
	o->stream = s;
	o->epoch = s->epoch;
}

/* Room for one of this epoch. A newer stream never goes for an older one, so that all members come to forget the same. */
static bool
make_room(struct streams *all, uint64_t epoch)
{
	struct oldest o = { NULL, epoch };
	if (all->count < STREAMS_MOST)
		return true;
	streams_each(all, oldest_visit, &o);
	if (o.stream != NULL)
		forget(all, o.stream);
	return o.stream != NULL;
}

struct stream *
streams_get(struct streams *all, const char *origin, uint64_t epoch)
{
	struct stream *s = streams_find(all, origin, epoch);
	if (s != NULL || !make_room(all, epoch))
		return s;
	s = calloc(1, sizeof *s);
	if (s == NULL)
		return NULL;
	if (all->count >= all->buckets)
		grow(all);
	assert(strlen(origin) <= FRAME_NAME);
	strcpy(s->origin, origin);
	s->epoch = epoch;
	s->gap.asked = -1;
	size_t at = hash(origin, epoch) % all->buckets;
	s->next = all->bucket[at];
	all->bucket[at] = s;
	all->count++;
	stream_wake(all, s);
	return s;
}

void
streams_each(struct streams *all, void (*visit)(void *, struct stream *), void *arg)
{
	for (size_t i = 0; i < all->buckets; i++) {
		for (struct stream *s = all->bucket[i], *next; s != NULL; s = next) {
			next = s->next;         /* visit may be the end of it */
			visit(arg, s);
		}
	}
}

void
stream_wake(struct streams *all, struct stream *s)
{
	if (s->awake)
		return;
	s->awake = true;
	s->next_awake = all->awake;
	all->awake = s;
}

void
streams_each_awake(struct streams *all, bool (*visit)(void *, struct stream *), void *arg)
{
	struct stream *s = all->awake, *next;
	for (all->awake = NULL; s != NULL; s = next) {
		next = s->next_awake;
		s->awake = false;
		if (visit(arg, s))
			stream_wake(all, s);
	}
}

/* ---- runs that were passed over ---- */

/* The first run that ends at or behind n. */
static int
run_at(const struct stream *s, uint64_t n)
{
	int i = 0;
	while (i < s->passed_count && s->passed[i].to < n)
		i++;
	return i;
}

static bool
run_insert(struct stream *s, int at, struct run r)
{
	if (s->passed_count == s->passed_room) {
		int room = s->passed_room != 0 ? s->passed_room * 2 : 4;
		struct run *more = realloc(s->passed, (size_t)room * sizeof *more);
		if (more == NULL)
			return false;
		s->passed = more;
		s->passed_room = room;
	}
	memmove(&s->passed[at + 1], &s->passed[at], (size_t)(s->passed_count - at) * sizeof r);
	s->passed[at] = r;
	s->passed_count++;
	return true;
}

static void
run_remove(struct stream *s, int at)
{
	s->passed_count--;
	memmove(&s->passed[at], &s->passed[at + 1], (size_t)(s->passed_count - at) * sizeof *s->passed);
}

static bool
runs_add(struct stream *s, uint64_t from, uint64_t to)
{
	int i = run_at(s, from);
	if (i > 0 && s->passed[i - 1].to + 1 == from) {
		s->passed[i - 1].to = to;
		if (i < s->passed_count && s->passed[i].from == to + 1) {
			s->passed[i - 1].to = s->passed[i].to;
			run_remove(s, i);
		}
		return true;
	}
	if (i < s->passed_count && s->passed[i].from == to + 1) {
		s->passed[i].from = from;
		return true;
	}
	return run_insert(s, i, (struct run){ from, to });
}

/* Takes from .. to out of the runs it lies in. Without memory to split one, what is behind stays passed over no more: it
 * is then not asked for again. */
static void
runs_take(struct stream *s, uint64_t from, uint64_t to)
{
	int i = run_at(s, from);
	while (i < s->passed_count && s->passed[i].from <= to) {
		struct run r = s->passed[i];
		run_remove(s, i);
		if (r.from < from)
			run_insert(s, i++, (struct run){ r.from, from - 1 });
		if (r.to > to)
			run_insert(s, i++, (struct run){ to + 1, r.to });
	}
}

bool
stream_has_passed(const struct stream *s, uint64_t from, uint64_t to)
{
	int i = run_at(s, from);
	return i < s->passed_count && s->passed[i].from <= to;
}

uint64_t
stream_passed_upto(const struct stream *s, uint64_t from)
{
	int i = run_at(s, from);
	return i < s->passed_count && s->passed[i].from <= from ? s->passed[i].to : 0;
}

bool
stream_pass(struct stream *s, uint64_t to)
{
	assert(to > s->upto);
	if (!runs_add(s, s->upto + 1, to))
		return false;
	s->upto = to;
	s->changed = true;
	return true;
}

/* ---- what is had ---- */

enum stream_is
stream_pick(const struct stream *s, const struct frame *f, uint64_t *from, uint64_t *to)
{
	uint64_t first = f->h.seq, last = first + f->h.count - 1;
	if (first <= s->upto) {
		int i = run_at(s, first);
		if (i < s->passed_count && s->passed[i].from <= last) {
			*from = s->passed[i].from > first ? s->passed[i].from : first;
			*to = s->passed[i].to < last ? s->passed[i].to : last;
			return STREAM_STORE;
		}
		if (last <= s->upto)
			return STREAM_HAD;
		first = s->upto + 1;
	}
	*from = first;
	*to = last;
	return first == s->upto + 1 ? STREAM_STORE : STREAM_AHEAD;
}

void
stream_had(struct stream *s, uint64_t from, uint64_t to)
{
	if (from == s->upto + 1) {
		s->upto = to;
		s->changed = true;
	} else {
		runs_take(s, from, to);
	}
	if (s->kept == 0 || from < s->kept)
		s->kept = from;
}

void
stream_unhad(struct stream *s, uint64_t from, uint64_t to)
{
	if (to == s->upto && !stream_has_passed(s, from, to))
		s->upto = from - 1;
	else
		runs_add(s, from, to);
}

void
stream_scanned(struct stream *s, uint64_t from, uint64_t to)
{
	if (s->upto == 0) {
		s->upto = to;           /* what was before is pruned */
	} else if (to > s->upto) {
		/* A hole in one's own journal is one that had been passed over: else what is behind it would be had by
		 * us and never be offered to anyone. */
		if (from > s->upto + 1)
			stream_pass(s, from - 1);
		else if (from <= s->upto)
			runs_take(s, from, s->upto);
		s->upto = to;
	} else {
		runs_take(s, from, to);
	}
	if (s->kept == 0 || from < s->kept)
		s->kept = from;
}

/* ---- beyond a gap ---- */

bool
stream_keep_ahead(struct stream *s, struct frame *f)
{
	if (s->ahead_bytes + frame_size(f) > STREAM_AHEAD_BYTES)
		return false;
	int at = s->ahead_count;
	while (at > 0 && s->ahead[at - 1]->h.seq > f->h.seq)
		at--;
	/* What another covers is not kept twice; what merely overlaps is cut when its turn comes. */
	if (at > 0 && s->ahead[at - 1]->h.seq + s->ahead[at - 1]->h.count >= f->h.seq + f->h.count)
		return false;
	if (s->ahead_count == s->ahead_room) {
		int room = s->ahead_room != 0 ? s->ahead_room * 2 : 16;
		struct frame **more = realloc(s->ahead, (size_t)room * sizeof *more);
		if (more == NULL)
			return false;
		s->ahead = more;
		s->ahead_room = room;
	}
	memmove(&s->ahead[at + 1], &s->ahead[at], (size_t)(s->ahead_count - at) * sizeof *s->ahead);
	s->ahead[at] = frame_ref(f);
	s->ahead_count++;
	s->ahead_bytes += frame_size(f);
	return true;
}

struct frame *
stream_next_ahead(struct stream *s)
{
	if (s->ahead_count == 0 || s->ahead[0]->h.seq > s->upto + 1)
		return NULL;
	struct frame *f = s->ahead[0];
	s->ahead_count--;
	memmove(&s->ahead[0], &s->ahead[1], (size_t)s->ahead_count * sizeof *s->ahead);
	s->ahead_bytes -= frame_size(f);
	return f;
}

uint64_t
stream_ahead_from(const struct stream *s)
{
	return s->ahead_count != 0 ? s->ahead[0]->h.seq : 0;
}
