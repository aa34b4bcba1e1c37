/* SPDX-License-Identifier: MIT
 * journal_index.c - where the frames of a stream are. Kept in memory only, and sparse: one span for each stream and each
 * 64 KiB of a segment, whatever the frames' sizes, so that 1 GiB of one stream takes some 16,000 of them. Where many streams
 * are mixed a span covers more, so that there are not more than 8 for each 64 KiB, and one for each stream and segment. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "store/journal_private.h"

enum { SPAN_BYTES = 64 * 1024, SPAN_STREAMS = 8 };

struct stream {
	struct stream *chain;
	uint64_t       epoch;
	struct span   *spans;           /* spans[first .. first + count), as they stand in the journal */
	uint32_t       first, count, room;
	char           origin[FRAME_NAME + 1];
};

bool
index_init(struct index *x)
{
	memset(x, 0, sizeof *x);
	x->bucket_count = 64;
	x->buckets = calloc(x->bucket_count, sizeof *x->buckets);
	return x->buckets != NULL;
}

static void
stream_free(struct index *x, struct stream *st)
{
	x->span_room -= st->room;
	x->stream_count--;
	if (x->latest == st)
		x->latest = NULL;
	free(st->spans);
	free(st);
}

void
index_fini(struct index *x)
{
	for (size_t i = 0; x->buckets != NULL && i < x->bucket_count; i++)
		for (struct stream *st = x->buckets[i], *next; st != NULL; st = next) {
			next = st->chain;
			stream_free(x, st);
		}
	free(x->buckets);
	x->buckets = NULL;
}

size_t
index_bytes(const struct index *x)
{
	return x->bucket_count * sizeof *x->buckets + x->stream_count * sizeof(struct stream) +
	    x->span_room * sizeof(struct span);
}

static struct stream **
bucket_of(const struct index *x, const char *origin, uint64_t epoch)
{
	uint64_t h = epoch * UINT64_C(0x9e3779b97f4a7c15);
	for (; *origin != '\0'; origin++)
		h = (h ^ (unsigned char)*origin) * UINT64_C(0x100000001b3);
	return &x->buckets[(h ^ h >> 32) & (x->bucket_count - 1)];
}

static struct stream *
find(const struct index *x, const char *origin, uint64_t epoch)
{
	struct stream *st = *bucket_of(x, origin, epoch);
	while (st != NULL && (st->epoch != epoch || !text_same(st->origin, origin)))
		st = st->chain;
	return st;
}

static void
grow_buckets(struct index *x)
{
	struct stream **old = x->buckets;
	size_t count = x->bucket_count;
	struct stream **buckets = calloc(count * 2, sizeof *buckets);
	if (buckets == NULL)
		return;                 /* longer chains, then */
	x->buckets = buckets;
	x->bucket_count = count * 2;
	for (size_t i = 0; i < count; i++)
		for (struct stream *st = old[i], *next; st != NULL; st = next) {
			next = st->chain;
			struct stream **bucket = bucket_of(x, st->origin, st->epoch);
			st->chain = *bucket;
			*bucket = st;
		}
	free(old);
}

static struct stream *
find_or_add(struct index *x, const char *origin, uint64_t epoch)
{
	struct stream *st = x->latest;
	if (st == NULL || st->epoch != epoch || !text_same(st->origin, origin))
		st = find(x, origin, epoch);
	if (st == NULL) {
		if (x->stream_count >= x->bucket_count)
			grow_buckets(x);
		st = calloc(1, sizeof *st);
		if (st == NULL)
			return NULL;
		st->epoch = epoch;
		strcpy(st->origin, origin);
		struct stream **bucket = bucket_of(x, origin, epoch);
		st->chain = *bucket;
		*bucket = st;
		x->stream_count++;
	}
	x->latest = st;
	return st;
}

static struct span *
push(struct index *x, struct stream *st)
{
	if (st->first + st->count == st->room) {
		/* What was pruned from its front is used again first, if it is worth the moving. */
		if (st->first > st->room / 4) {
			memmove(st->spans, st->spans + st->first, st->count * sizeof *st->spans);
		} else {
			uint32_t room = st->room + st->room / 2 + 1;
			struct span *p = realloc(st->spans, room * sizeof *p);
			if (p == NULL)
				return NULL;
			memmove(p, p + st->first, st->count * sizeof *p);
			x->span_room += room - st->room;
			st->spans = p;
			st->room = room;
		}
		st->first = 0;
	}
	return &st->spans[st->first + st->count++];
}

bool
index_add(struct index *x, const struct frame_head *h, struct journal_pos at, size_t size)
{
	if (h->epoch == 0)
		return true;
	if (at.segment != x->segment) {
		x->segment = at.segment;
		x->no_further = 0;
		x->streams_here = 0;
	}
	struct stream *st = find_or_add(x, h->origin, h->epoch);
	if (st == NULL)
		return false;
	uint64_t most = x->streams_here > SPAN_STREAMS ? SPAN_BYTES / SPAN_STREAMS * x->streams_here : SPAN_BYTES;
	uint64_t last_seq = h->seq + h->count - 1;
	struct span *s = st->count != 0 ? &st->spans[st->first + st->count - 1] : NULL;
	bool here = s != NULL && s->segment == at.segment;
	if (here && s->begin >= x->no_further && at.offset - s->begin < most && at.offset - s->begin < UINT32_MAX / 2) {
		s->length = (uint32_t)(at.offset - s->begin + size);
		s->min = h->seq < s->min ? h->seq : s->min;
		s->max = last_seq > s->max ? last_seq : s->max;
		return true;
	}
	s = push(x, st);
	if (s == NULL)
		return false;
	x->streams_here += !here;
	*s = (struct span){ at.segment, at.offset, h->seq, last_seq, (uint32_t)size };
	return true;
}

void
index_no_further(struct index *x, uint64_t offset)
{
	x->no_further = offset;
}

/* Calls keep for each stream, and drops those of which it leaves no span. */
static void
each_stream(struct index *x, void (*keep)(struct stream *, void *), void *arg)
{
	for (size_t i = 0; i < x->bucket_count; i++)
		for (struct stream **p = &x->buckets[i], *st; (st = *p) != NULL; ) {
			keep(st, arg);
			if (st->count != 0) {
				p = &st->chain;
			} else {
				*p = st->chain;
				stream_free(x, st);
			}
		}
}

static void
cut_stream(struct stream *st, void *arg)
{
	const struct journal_pos *end = arg;
	while (st->count != 0) {
		struct span *s = &st->spans[st->first + st->count - 1];
		if (journal_pos_compare((struct journal_pos){ s->segment, s->begin }, *end) < 0) {
			/* Its numbers may say more than it holds now: that costs a look, no more. */
			if (s->segment == end->segment && s->begin + s->length > end->offset)
				s->length = (uint32_t)(end->offset - s->begin);
			return;
		}
		st->count--;
	}
}

void
index_cut(struct index *x, struct journal_pos end)
{
	each_stream(x, cut_stream, &end);
}

struct pruning {
	uint64_t segment;
	void   (*pruned)(void *arg, const char *origin, uint64_t epoch, uint64_t first_kept);
	void    *arg;
};

static void
prune_stream(struct stream *st, void *arg)
{
	const struct pruning *p = arg;
	uint32_t before = st->count;
	while (st->count != 0 && st->spans[st->first].segment == p->segment) {
		st->first++;
		st->count--;
	}
	if (st->count == before)
		return;
	uint64_t min = st->count != 0 ? st->spans[st->first].min : 0;
	for (uint32_t i = 1; i < st->count; i++)
		if (st->spans[st->first + i].min < min)
			min = st->spans[st->first + i].min;
	if (p->pruned != NULL)
		p->pruned(p->arg, st->origin, st->epoch, min);
}

void
index_prune(struct index *x, uint64_t segment,
    void (*pruned)(void *arg, const char *origin, uint64_t epoch, uint64_t first_kept), void *arg)
{
	each_stream(x, prune_stream, &(struct pruning){ segment, pruned, arg });
}

static int
by_min(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	return x->min < y->min ? -1 : x->min > y->min;
}

struct span *
index_find(const struct index *x, const char *origin, uint64_t epoch, uint64_t from, uint64_t to, size_t *count)
{
	const struct stream *st = find(x, origin, epoch);
	size_t n = 0;
	bool ordered = true;
	*count = 0;
	errno = 0;
	for (uint32_t i = 0; st != NULL && i < st->count; i++)
		n += st->spans[st->first + i].min <= to && st->spans[st->first + i].max >= from;
	if (n == 0)
		return NULL;
	struct span *found = malloc(n * sizeof *found);
	if (found == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	for (uint32_t i = 0; i < st->count; i++) {
		const struct span *s = &st->spans[st->first + i];
		if (s->min > to || s->max < from)
			continue;
		ordered = ordered && (*count == 0 || found[*count - 1].min <= s->min);
		found[(*count)++] = *s;
	}
	if (!ordered)
		qsort(found, n, sizeof *found, by_min);
	return found;
}
