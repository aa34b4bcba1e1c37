/* SPDX-License-Identifier: MIT
 * core_talk.c - the words that members exchange about streams: have, want, gone; and the state record, which is a have to
 * oneself. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ring/repair.h"
#include "store/core_private.h"

enum {
	LINE_BYTES = 3800,              /* of a have line; more streams go on the next */
	WANT_MOST = 65536,              /* lines answered to one want */
};
#define EPOCH_MOST (UINT64_C(1) << 53)  /* ms since 1970: the year 287396; beyond, no later epoch could be made */

/* ---- have ---- */

struct telling {
	struct core *core;
	int          peer;
	struct buf   line;
};

static void
tell(struct telling *t)
{
	if (t->line.len != 0 && buf_put(&t->line, "", 1))
		t->core->ops.line(t->core->ops.arg, t->peer, buf_begin(&t->line));
	buf_clear(&t->line);
}

static void
tell_visit(void *arg, struct stream *s)
{
	struct telling *t = arg;
	if (s->upto == 0)
		return;
	if (t->line.len > LINE_BYTES)
		tell(t);
	buf_printf(&t->line, "%s %s %" PRIu64 " %" PRIu64, t->line.len == 0 ? "have" : "", s->origin, s->epoch, s->upto);
}

static bool
changed_visit(void *arg, struct stream *s)
{
	if (s->changed)
		tell_visit(arg, s);
	return true;
}

/* Of a stream that is pruned whole it is told as well: who was away learns so that it has missed something. */
void
core_digest(struct core *c, int peer, bool all)
{
	struct telling t = { c, peer, BUF_INIT };
	if (all)
		streams_each(&c->streams, tell_visit, &t);
	else
		streams_each_awake(&c->streams, changed_visit, &t);
	tell(&t);
	buf_fini(&t.line);
}

void
core_tell_origins(struct core *c)
{
	char text[96];
	for (int i = 0; i < c->tells && c->unsynced == 0; i++) {
		const struct stream *s = c->tell[i];
		int peer = core_peer(c, s->origin);
		if (peer < 0 || s->upto == 0 || (c->up >> peer & 1) == 0)
			continue;
		snprintf(text, sizeof text, "have %s %" PRIu64 " %" PRIu64, s->origin, s->epoch, s->upto);
		c->ops.line(c->ops.arg, peer, text);
	}
	c->tells = 0;
}

static bool
done_visit(void *arg, struct stream *s)
{
	(void)arg;
	s->changed = false;
	return true;
}

void
core_digest_done(struct core *c)
{
	streams_each_awake(&c->streams, done_visit, NULL);
	c->changed = false;
}

/* ---- reading words ---- */

/* The next "ORIGIN EPOCH" and so many numbers behind it. 1: read, 0: the words are at an end, -1: they make no sense. */
static int
read_stream(char **rest, char **origin, uint64_t *epoch, uint64_t *numbers, int count)
{
	int64_t v;
	char *word;
	*origin = text_word(rest);
	if (*origin == NULL)
		return 0;
	word = text_word(rest);
	if (!ring_name_ok(*origin) || word == NULL || !text_int(word, 1, (int64_t)EPOCH_MOST, &v))
		return -1;
	*epoch = (uint64_t)v;
	for (int i = 0; i < count; i++) {
		word = text_word(rest);
		if (word == NULL || !text_int(word, 1, INT64_MAX - 1, &v))
			return -1;
		numbers[i] = (uint64_t)v;
	}
	return 1;
}

/* A peer knows a stream of ours that is later than the present one: of an old life, on a disk that was lost or put back.
 * Our numbers must be above anything that ever was. */
static void
check_own(struct core *c, uint64_t epoch)
{
	if (epoch <= c->last_epoch)
		return;
	c->last_epoch = epoch;
	if (c->epoch == 0)
		return;
	core_say(c, "a peer knows a later stream of ours, %" PRIu64 ": beginning a new one", epoch);
	c->ops.new_epoch(c->ops.arg, epoch + 1);
}

bool
core_have(struct core *c, int peer, const char *words)
{
	char *copy = strdup(words), *rest = copy, *origin;
	uint64_t epoch, upto;
	int rc = copy == NULL ? 0 : 1;
	while (rc > 0 && (rc = read_stream(&rest, &origin, &epoch, &upto, 1)) > 0) {
		if (strcmp(origin, c->self) == 0)
			check_own(c, epoch);
		struct stream *s = streams_get(&c->streams, origin, epoch);
		if (s == NULL)
			continue;
		repair_heard(s, peer, upto);
		stream_wake(&c->streams, s);
		if (upto > s->upto)
			c->looked = false;
	}
	free(copy);
	return rc == 0;
}

bool
core_gone(struct core *c, int peer, const char *words)
{
	char *copy = strdup(words), *rest = copy, *origin;
	uint64_t epoch, n[2];
	int rc = copy == NULL ? 0 : read_stream(&rest, &origin, &epoch, n, 2);
	struct stream *s = rc > 0 ? streams_find(&c->streams, origin, epoch) : NULL;
	if (s != NULL) {
		repair_gone(s, peer, n[0], n[1]);
		stream_wake(&c->streams, s);
		c->looked = false;
	}
	free(copy);
	return rc >= 0;
}

/* ---- want ---- */

struct answer {
	struct core *core;
	int          peer;
	uint64_t     next, to;          /* the first line that was not given yet; the last that was asked for */
	const char  *origin;
	uint64_t     epoch;
	struct buf  *reply;
};

static void
say_gone(struct answer *a, uint64_t to)
{
	buf_printf(a->reply, "gone %s %" PRIu64 " %" PRIu64 " %" PRIu64 "\r\n", a->origin, a->epoch, a->next, to);
}

static bool
give(void *arg, struct frame *f)
{
	struct answer *a = arg;
	uint64_t last = f->h.seq + f->h.count - 1;
	if (f->h.seq > a->next)
		say_gone(a, f->h.seq - 1);
	if (last >= a->next) {
		a->core->ops.send(a->core->ops.arg, a->peer, f);
		a->core->counts.wanted += f->h.count;
		a->next = last + 1;
	}
	frame_drop(&f);
	return a->next <= a->to;
}

/* How far the run reaches that begins at next and of which nothing is here. More than was asked for, where that is known:
 * what was pruned in millions is then given up at once, not piece by piece with a wait for each. */
static uint64_t
gone_upto(const struct answer *a)
{
	const struct core *c = a->core;
	const struct stream *s = streams_find(&c->streams, a->origin, a->epoch);
	if (c->held != NULL)
		return a->to;           /* they may be of it */
	if (s == NULL || s->kept == 0 || s->upto < a->next)
		return INT64_MAX - 1;
	uint64_t passed = stream_passed_upto(s, a->next);
	if (passed > a->to)
		return passed;
	return a->to < s->kept ? s->kept - 1 : a->to;
}

/* Ours that the journal did not take yet. */
static void
give_held(struct answer *a)
{
	for (struct held *h = a->core->held; h != NULL && a->next <= a->to; h = h->next)
		if (h->frame->h.epoch == a->epoch && strcmp(h->frame->h.origin, a->origin) == 0 &&
		    h->frame->h.seq + h->frame->h.count > a->next && h->frame->h.seq <= a->to)
			give(a, frame_ref(h->frame));
}

bool
core_want(struct core *c, int peer, const char *words, struct buf *reply)
{
	char *copy = strdup(words), *rest = copy, *origin;
	uint64_t epoch, n[2];
	int rc = copy == NULL ? 0 : read_stream(&rest, &origin, &epoch, n, 2);
	if (rc > 0 && n[0] <= n[1]) {
		if (n[1] - n[0] >= WANT_MOST)
			n[1] = n[0] + WANT_MOST - 1;
		struct answer a = { c, peer, n[0], n[1], origin, epoch, reply };
		/* What could not be read is not gone: the asker tries again, or asks another. */
		bool whole = journal_read(c->journal, origin, epoch, n[0], n[1], give, &a) == 0;
		give_held(&a);
		if (a.next <= a.to && whole)
			say_gone(&a, gone_upto(&a));
	}
	free(copy);
	return rc > 0;
}

/* ---- the state record ---- */

struct state {
	struct core *core;
	struct buf   line;
	struct frame *frame;
	int          error;
};

/* Appends what was collected as one record. */
static void
put_state(struct state *t)
{
	struct frame *f = t->frame;
	if (f == NULL || f->h.count == 0)
		return;
	frame_seal(f);
	if (t->error == 0 && journal_append(t->core->journal, &f, 1) < 0)
		t->error = errno;
	frame_drop(&t->frame);
}

static void
state_visit(void *arg, struct stream *s)
{
	struct state *t = arg;
	if (s->upto == 0)
		return;
	buf_clear(&t->line);
	buf_printf(&t->line, "%s %" PRIu64 " %" PRIu64, s->origin, s->epoch, s->upto);
	for (int i = 0; i < s->passed_count && t->line.len < LINE_BYTES; i++)
		buf_printf(&t->line, " %" PRIu64 " %" PRIu64, s->passed[i].from, s->passed[i].to);
	if (t->frame != NULL && t->frame->h.bytes + t->line.len + 2 > FRAME_BODY_MAX)
		put_state(t);
	if (t->frame == NULL)
		t->frame = frame_new(CORE_STATE, t->core->self, FRAME_BODY_MAX);
	if (t->frame == NULL)
		t->error = ENOMEM;
	else
		frame_add(t->frame, buf_begin(&t->line), t->line.len);
}

int
core_write_state(struct core *c)
{
	struct state t = { .core = c };
	streams_each(&c->streams, state_visit, &t);
	put_state(&t);
	buf_fini(&t.line);
	if (t.error == 0)
		c->state_segment = journal_end(c->journal).segment;
	errno = t.error;
	return t.error == 0 ? 0 : -1;
}

/* A line of such a record: all before it in the journal, or pruned from it, is had, but for the runs. What is behind the first
 * such record, or behind a frame of the stream, must have been read: if not, it was damaged, and is asked for again. */
static void
read_state_line(struct core *c, char *line, bool later)
{
	char *origin, *word;
	uint64_t epoch, upto, run[2];
	int64_t v;
	if (read_stream(&line, &origin, &epoch, &upto, 1) <= 0)
		return;
	if (strcmp(origin, c->self) == 0 && epoch > c->last_epoch)
		c->last_epoch = epoch;
	struct stream *s = streams_get(&c->streams, origin, epoch);
	if (s == NULL || s->upto >= upto)
		return;
	if (later || s->kept != 0 || c->first_segment == 1) {
		stream_pass(s, upto);
		return;
	}
	for (int i = 0; (word = text_word(&line)) != NULL && text_int(word, 1, INT64_MAX - 1, &v); i++) {
		run[i % 2] = (uint64_t)v;
		if (i % 2 == 0 || run[0] <= s->upto || run[1] < run[0] || run[1] >= upto)
			continue;
		s->upto = run[0] - 1;
		stream_pass(s, run[1]);
	}
	s->upto = upto;
}

void
core_read_state(struct core *c, const char *body, size_t size, bool later)
{
	char *copy = strndup(body, size), *rest = copy, *line;
	while (copy != NULL && (line = text_line(&rest)) != NULL)
		read_state_line(c, line, later);
	free(copy);
}
