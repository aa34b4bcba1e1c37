/* SPDX-License-Identifier: MIT */
#include "store/core_status.h"

#include <stdlib.h>
#include <string.h>

#include "store/core_private.h"

struct look {
	struct core_status *out;
	int                 slot[RING_MAX];     /* of the core, by place in out->peer */
};

/* out is zeroed. */
static void
look_begin(struct look *l, struct core *c, struct core_status *out)
{
	*l = (struct look){ .out = out };
	for (int i = 0; i < RING_MAX; i++) {
		if (c->peer[i].name[0] == '\0')
			continue;
		memcpy(out->peer[out->peers].name, c->peer[i].name, sizeof out->peer->name);
		l->slot[out->peers++] = i;
	}
}

/* Lines beyond the gap that are in memory already. */
static uint64_t
lines_ahead(const struct stream *s)
{
	uint64_t n = 0;
	for (int i = 0; i < s->ahead_count; i++)
		n += s->ahead[i]->h.count;
	return n;
}

static struct core_status_stream
stream_status(const struct look *l, const struct stream *s)
{
	struct core_status_stream t = { .epoch = s->epoch, .first = s->kept, .upto = s->upto, .known = s->upto };
	memcpy(t.origin, s->origin, sizeof t.origin);
	for (int i = 0; i < l->out->peers; i++)
		if (s->gap.known[l->slot[i]] > t.known)
			t.known = s->gap.known[l->slot[i]];
	if (s->ahead_count != 0) {
		const struct frame_head *last = &s->ahead[s->ahead_count - 1]->h;
		if (last->seq + last->count - 1 > t.known)
			t.known = last->seq + last->count - 1;
	}
	uint64_t ahead = lines_ahead(s);
	t.missing = t.known - t.upto > ahead ? t.known - t.upto - ahead : 0;
	for (int i = 0; i < s->passed_count; i++)
		t.passed += s->passed[i].to - s->passed[i].from + 1;
	return t;
}

static void
look_at_peers(struct look *l, const struct stream *s)
{
	for (int i = 0; i < l->out->peers; i++) {
		struct core_status_peer *p = &l->out->peer[i];
		uint64_t known = s->gap.known[l->slot[i]];
		p->heard |= known != 0;
		if (known < s->upto)
			p->behind += s->upto - known;
		else
			p->ahead += known - s->upto;
	}
}

static void
visit(void *arg, struct stream *s)
{
	struct look *l = arg;
	struct core_status *out = l->out;
	struct core_status_stream t = stream_status(l, s);
	look_at_peers(l, s);
	out->missing += t.missing;
	out->passed += t.passed;
	for (size_t i = 0; i < out->shown; i++) {
		struct core_status_stream *have = &out->stream[i], earlier = *have;
		if (strcmp(have->origin, t.origin) != 0)
			continue;
		if (t.epoch > have->epoch) {
			*have = t;
			t = earlier;
		}
		if (t.missing == 0 && t.passed == 0)
			return;
	}
	if (out->shown < CORE_STATUS_STREAMS)
		out->stream[out->shown++] = t;
}

static int
by_name(const void *a, const void *b)
{
	const struct core_status_stream *x = a, *y = b;
	int order = strcmp(x->origin, y->origin);
	return order != 0 ? order : (x->epoch > y->epoch) - (x->epoch < y->epoch);
}

void
core_status(struct core *c, struct core_status *out)
{
	struct look l;
	memset(out, 0, sizeof *out);
	core_counts(c, &out->counts);
	journal_counts(c->journal, &out->journal);
	out->error = c->full;
	look_begin(&l, c, out);
	streams_each(&c->streams, visit, &l);
	qsort(out->stream, out->shown, sizeof *out->stream, by_name);
}

/* ---- what can be compared with others ---- */

struct keeping {
	struct look                look;
	struct core_status_stream *to;
	size_t                     count, room;
	uint64_t                   left_out;
};

static void
keep_visit(void *arg, struct stream *s)
{
	struct keeping *k = arg;
	struct core_status_stream t = stream_status(&k->look, s);
	if (t.first == 0 && t.missing == 0)
		return;
	if (k->count < k->room) {
		k->to[k->count++] = t;
		return;
	}
	k->left_out++;
	size_t oldest = 0;
	for (size_t i = 1; i < k->count; i++)
		if (k->to[i].epoch < k->to[oldest].epoch)
			oldest = i;
	if (t.epoch > k->to[oldest].epoch)
		k->to[oldest] = t;
}

size_t
core_kept(struct core *c, struct core_status_stream *to, size_t room, uint64_t *left_out)
{
	struct core_status *peers = calloc(1, sizeof *peers);
	struct keeping k = { .to = to, .room = room };
	if (peers == NULL)
		return 0;
	look_begin(&k.look, c, peers);
	streams_each(&c->streams, keep_visit, &k);
	*left_out = k.left_out;
	free(peers);
	return k.count;
}
