/* SPDX-License-Identifier: MIT */
#include "store/core.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/text.h"
#include "ring/repair.h"
#include "store/core_private.h"

/* ---- opening ---- */

/* Both are logged: neither may be lost. */
static void
say_other(struct core *c, const char *client, uint64_t n)
{
	core_say(c, "client %s used number %" PRIu64 " for two texts: both are logged", client, n);
}

static void
mark_noted(struct core *c)
{
	seen_mark_some(c->seen, c->marks, c->mark_count);
	for (unsigned i = 0; i < c->mark_count; i++) {
		c->counts.again += c->marks[i].is == SEEN_AGAIN;
		if (c->marks[i].is == SEEN_OTHER)
			say_other(c, c->marks[i].client, c->marks[i].n);
	}
	c->mark_count = 0;
}

/* A line that access.log has already, if it has it once: it is to be known from now on, and nobody waits for that. */
static void
note_line(struct core *c, const struct frame_head *h, const char *body)
{
	struct seen_mark *m = &c->marks[c->mark_count++];
	memcpy(m->client, h->client, sizeof m->client);
	m->n = h->n;
	m->crc = crc32c(0, body, h->bytes - 2);
	if (c->mark_count == SEEN_SOME)
		mark_noted(c);
}

/* Which lines of a frame are in access.log already; marks the others as being there from now on. */
static void
mark_clients(struct core *c, const struct frame_head *h, const char *body)
{
	c->skips = 0;
	if (h->n == 0)
		return;
	mark_noted(c);
	if (seen_mark_batch(c->seen, h->client, h->n, h->count, body, h->bytes))
		return;
	const char *p = body, *end = body + h->bytes;
	for (uint32_t i = 0; p < end; i++) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL)
			return;
		switch (seen_mark(c->seen, h->client, h->n + i, p, (size_t)(lf - p) - 1)) {
		case SEEN_NEW:
			break;
		case SEEN_AGAIN:
			c->counts.again++;
			if (c->skips < c->skip_room)
				c->skip[c->skips++] = i;
			break;
		case SEEN_OTHER:
			say_other(c, h->client, h->n + i);
			break;
		}
		p = lf + 1;
	}
}

bool
core_skip_room(struct core *c, uint32_t count)
{
	if (count <= c->skip_room)
		return true;
	uint32_t *more = realloc(c->skip, count * sizeof *more);
	if (more == NULL)
		return false;
	c->skip = more;
	c->skip_room = count;
	return true;
}

static bool
is_logged(const struct frame_head *h)
{
	return text_same(h->kind, "data") || text_same(h->kind, "plain");
}

/* Had access.log everything that stands there in the journal before? */
static bool
was_logged(const struct core *c, struct journal_pos at)
{
	return at.segment != 0 && (at.segment < c->o.log_from.segment ||
	    (at.segment == c->o.log_from.segment && at.offset < c->o.log_from.offset));
}

void
core_log(struct core *c, const struct frame_head *h, const char *body, struct journal_pos at)
{
	if (!is_logged(h))
		return;
	bool was = was_logged(c, at);
	if (was && h->n != 0 && h->count == 1) {
		note_line(c, h, body);
		return;
	}
	core_skip_room(c, h->count);
	mark_clients(c, h, body);
	if (!was)
		c->ops.log(c->ops.arg, h, body, c->skip, c->skips, at);
}

static bool
visit(void *arg, const struct frame_head *h, const char *record, size_t head_size, struct journal_pos at)
{
	struct core *c = arg;
	const char *body = record + head_size;
	if (c->first_segment == 0)
		c->first_segment = at.segment;
	if (text_same(h->kind, CORE_STATE)) {
		core_read_state(c, body, h->bytes, c->state_segment != 0);
		c->state_segment = at.segment;
		return true;
	}
	if (h->epoch != 0) {
		struct stream *s = streams_get(&c->streams, h->origin, h->epoch);
		if (s == NULL)
			return true;
		uint64_t last = h->seq + h->count - 1;
		/* A record that is there twice (a copied segment) was logged once. */
		if (s->kept != 0 && h->seq >= s->kept && last <= s->upto && !stream_has_passed(s, h->seq, last))
			return true;
		/* Where nothing can have been pruned of it, what is not there was damaged, or passed over. */
		bool whole = c->first_segment == 1 || c->state_segment != 0;
		if (s->upto == 0 && h->seq > 1 && whole)
			stream_pass(s, h->seq - 1);
		stream_scanned(s, h->seq, last);
		if (h->epoch > c->last_epoch && strcmp(h->origin, c->self) == 0)
			c->last_epoch = h->epoch;
	}
	core_log(c, h, body, at);
	return true;
}

static void
pruned(void *arg, const char *origin, uint64_t epoch, uint64_t first_kept)
{
	struct core *c = arg;
	struct stream *s = streams_find(&c->streams, origin, epoch);
	if (s != NULL)
		s->kept = first_kept;
}

static void
journal_says(void *arg, const char *text)
{
	struct core *c = arg;
	c->doubtful |= c->opening;
	core_say(c, "%s", text);
}

struct core *
core_open(const struct core_options *o, const struct core_ops *ops, int64_t now, const char **why)
{
	struct core *c = calloc(1, sizeof *c);
	*why = strerror(ENOMEM);
	if (c == NULL)
		return NULL;
	c->o = *o;
	c->ops = *ops;
	c->sync_ms = o->sync_ms;
	c->synced_ms = c->digest_ms = now;
	snprintf(c->self, sizeof c->self, "%s", o->self);
	settle_init(&c->settle);
	c->held_tail = &c->held;
	c->seen = seen_new(o->clients);
	if (c->seen == NULL || !streams_init(&c->streams)) {
		core_close(&c);
		errno = ENOMEM;
		return NULL;
	}
	struct journal_options jo = { .dir = o->dir, .limit_bytes = o->journal_limit,
	    .segment_bytes = o->journal_segment, .say = journal_says, .pruned = pruned, .arg = c };
	c->opening = true;
	c->journal = journal_open(&jo, visit, why);
	mark_noted(c);
	c->opening = false;
	if (c->journal != NULL) {
		return c;
	}
	int saved = errno;
	core_close(&c);
	errno = saved;
	return NULL;
}

void
core_close(struct core **cp)
{
	struct core *c = *cp;
	if (c == NULL)
		return;
	if (c->flying)
		c->ops.sync_wait(c->ops.arg);
	core_settle_all(c);
	for (struct held *h = c->held, *next; h != NULL; h = next) {
		next = h->next;
		frame_drop(&h->frame);
		free(h);
	}
	for (size_t i = 0; i < c->batch_count; i++)
		frame_drop(&c->batch[i].frame);
	free(c->batch);
	free(c->skip);
	seen_free(&c->seen);
	if (c->journal != NULL)
		journal_close(&c->journal);
	streams_fini(&c->streams);
	free(c);
	*cp = NULL;
}

void
core_settings(struct core *c, int64_t sync_ms, int64_t digest_ms, int64_t gap_ms, int64_t journal_limit,
    int64_t journal_segment)
{
	c->sync_ms = sync_ms;
	c->o.digest_ms = digest_ms;
	c->o.gap_ms = gap_ms;
	journal_limits(c->journal, journal_limit, journal_segment);
}

uint64_t
core_last_epoch(const struct core *c)
{
	return c->last_epoch;
}

void
core_begin(struct core *c, uint64_t epoch)
{
	core_settle_all(c);
	c->epoch = epoch;
	if (epoch > c->last_epoch)
		c->last_epoch = epoch;
}

/* ---- members ---- */

int
core_peer(const struct core *c, const char *name)
{
	for (int i = 0; i < RING_MAX; i++)
		if (c->peer[i].name[0] != '\0' && strcmp(c->peer[i].name, name) == 0)
			return i;
	return -1;
}

struct linked {
	struct core *core;
	int          peer;
};

static void
link_visit(void *arg, struct stream *s)
{
	const struct linked *l = arg;
	repair_link(s, l->peer);
	stream_wake(&l->core->streams, s);
}

void
core_peer_hello(struct core *c, int peer)
{
	/* What it had may be gone, by a power cut or a lost disk: it says so anew. */
	streams_each(&c->streams, link_visit, &(struct linked){ c, peer });
	c->looked = false;
}

void
core_peer_down(struct core *c, int peer)
{
	c->up &= ~(UINT64_C(1) << peer);
	c->tell_all &= ~(UINT64_C(1) << peer);
	c->looked = false;
}

void
core_ring(struct core *c, const struct ring *r, int self)
{
	for (int i = 0; i < RING_MAX; i++) {
		if (c->peer[i].name[0] == '\0' || (ring_find(r, c->peer[i].name) >= 0 && ring_find(r, c->peer[i].name) != self))
			continue;
		core_peer_down(c, i);
		core_peer_hello(c, i);
		c->peer[i].name[0] = '\0';
	}
	for (int m = 0; m < r->size; m++) {
		if (m == self || core_peer(c, r->member[m].name) >= 0)
			continue;
		int i = 0;
		while (c->peer[i].name[0] != '\0')
			i++;
		strcpy(c->peer[i].name, r->member[m].name);
	}
	c->members = r->size;
}

static void
again_visit(void *arg, struct stream *s)
{
	struct core *c = arg;
	repair_again(s);
	stream_wake(&c->streams, s);
}

void
core_peer_up(struct core *c, int peer)
{
	c->up |= UINT64_C(1) << peer;
	c->looked = false;
	/* With the next digest, not now: what waits for core_store counts as had already, and is in no journal yet. */
	c->tell_all |= UINT64_C(1) << peer;
	streams_each(&c->streams, again_visit, c);
}

/* ---- small things ---- */

void
core_say(struct core *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->ops.say(c->ops.arg, text);
}

uint64_t
core_upto(const struct core *c, const char *origin, uint64_t epoch)
{
	struct stream *s = streams_find(&c->streams, origin, epoch);
	return s != NULL && c->unsynced == 0 ? s->upto : 0;
}

uint64_t
core_first(const struct core *c, const char *origin, uint64_t epoch)
{
	const struct stream *s = streams_find(&c->streams, origin, epoch);
	return s != NULL ? s->kept : 0;
}

uint64_t
core_client_last(struct core *c, const char *client)
{
	return seen_last(c->seen, client);
}

bool
core_client_other(struct core *c, const char *client, uint64_t n, const char *text, size_t len)
{
	return seen_look(c->seen, client, n, text, len) == SEEN_OTHER;
}

bool
core_awaits(const struct core *c)
{
	return c->settle.waiting != 0;
}

int
core_errno(const struct core *c)
{
	return c->full;
}

const char *
core_peer_name(const struct core *c, int peer)
{
	return c->peer[peer].name;
}

bool
core_doubtful(const struct core *c)
{
	return c->doubtful;
}

struct journal *
core_journal(struct core *c)
{
	return c->journal;
}

void
core_counts(const struct core *c, struct core_counts *out)
{
	*out = c->counts;
	out->streams = c->streams.count;
}
