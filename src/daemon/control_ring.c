/* SPDX-License-Identifier: MIT
 * control_ring.c - what goes round the ring for the control socket: trace, and verify. Entered by the
 * threads of its connections. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/compare.h"
#include "daemon/control_private.h"
#include "daemon/logger_private.h"
#include "store/core_status.h"
#include "store/reader.h"

enum {
	TRACE_MS = 5000,
	/* when all that are up have told, those that may hear of it by others have so long */
	LATE_MS = 500,
	LOOK_MS = 100,
	LOGGER_MS = 5000,
	ANSWER_MS = 60 * 1000,          /* for a member that reads its journal */
	/* what differs is asked once more after that: it may only have been on its way */
	AGAIN_MS = 1000,
	DAMAGES = 32,                   /* told one by one */
};

/* ---- trace ---- */

/* Is this member, unless it is ourselves, still to be heard of? */
static bool
is_due(const struct view *v, int member, const struct probe_seen *seen, int count)
{
	bool told = v->link[member] == NULL;
	for (int k = 0; k < count; k++)
		told |= strcmp(seen[k].name, v->conf.ring.member[member].name) == 0;
	return !told;
}

/* Have all whose link is up told? */
static bool
all_up_told(const struct view *v, const struct probe_seen *seen, int count)
{
	for (int i = 0; i < v->conf.ring.size; i++)
		if (is_due(v, i, seen, count) && link_is_up(v->link[i]))
			return false;
	return true;
}

static void
tell_trace(const struct view *v, const struct probe_seen *seen, int count, struct tree *t)
{
	tree_list(t, NULL);
	for (int k = 0; k < count; k++) {
		tree_dict(t, NULL);
		tree_text(t, "name", seen[k].name);
		tree_text(t, "via", seen[k].via);
		tree_int(t, "time_us", seen[k].us);
		tree_end(t);
	}
	for (int i = 0; i < v->conf.ring.size; i++) {
		struct link_status l;
		if (!is_due(v, i, seen, count))
			continue;
		link_status(v->link[i], &l);
		tree_dict(t, NULL);
		tree_text(t, "name", l.member->name);
		tree_text(t, "state", l.state);
		tree_bool(t, "up", l.up);
		tree_end(t);
	}
	tree_end(t);
}

int
control_trace(struct control_conn *c, const struct pt_value *header)
{
	struct server *s = c->control->server;
	struct view *v = server_view(s);
	struct probe_seen seen[RING_MAX];
	struct tree t = TREE_INIT;
	int count = 0, others = v->conf.ring.size - 1, e;
	int64_t until = clock_mono_ms() + TRACE_MS, late = INT64_MAX;
	(void)header;
	if (!probe_send(s, v)) {
		view_drop(&v);
		return control_fail(c, "busy", "another trace is under way");
	}
	while (count < others && !atomic_load(&c->control->stop)) {
		int64_t now = clock_mono_ms();
		if (late == INT64_MAX && all_up_told(v, seen, count))
			late = now + LATE_MS;
		if (now >= until || now >= late)
			break;
		count = probe_wait(s, count, now + LOOK_MS, seen);
	}
	probe_end(s);
	tell_trace(v, seen, count, &t);
	e = control_answer(c, &t);
	tree_fini(&t);
	view_drop(&v);
	return e;
}

/* ---- verify: the journal here ---- */

struct verifying {
	struct control_conn *conn;
	struct tree          damages;
	uint64_t             segments, records, messages, bytes, damaged;
};

static bool
good_record(void *arg, const struct frame_head *h, const char *body)
{
	struct verifying *v = arg;
	(void)body;
	v->records++;
	v->bytes += h->bytes;
	v->messages += h->epoch != 0 || strcmp(h->kind, "plain") == 0 ? h->count : 0;
	return !atomic_load(&v->conn->control->stop);
}

static bool
damaged_place(void *arg, const char *segment, uint64_t offset, uint64_t bytes, const char *why)
{
	struct verifying *v = arg;
	if (v->damaged++ >= DAMAGES)
		return true;
	tree_dict(&v->damages, NULL);
	tree_text(&v->damages, "segment", segment);
	tree_count(&v->damages, "offset", offset);
	tree_count(&v->damages, "bytes", bytes);
	tree_text(&v->damages, "why", why);
	tree_end(&v->damages);
	return true;
}

static bool
next_segment(void *arg, const char *name)
{
	(void)name;
	((struct verifying *)arg)->segments++;
	return true;
}

struct asked {
	struct journal_pos end;
	size_t             streams;
	uint64_t           left_out;
	struct core_status_stream stream[COMPARE_STREAMS];
};

static void
look(struct logger *l, void *arg)
{
	struct asked *a = arg;
	a->end = journal_end(core_journal(l->core));
	a->streams = core_kept(l->core, a->stream, COMPARE_STREAMS, &a->left_out);
}

static void
tell_journal(struct verifying *v, struct tree *t)
{
	tree_count(t, "segments", v->segments);
	tree_count(t, "records", v->records);
	tree_count(t, "messages", v->messages);
	tree_count(t, "bytes", v->bytes);
	tree_count(t, "damaged", v->damaged);
}

/* ---- verify: the ring ---- */

struct ring_check {
	struct server *server;
	struct view   *view;
	const atomic_bool *stop;
	struct sums    asked;           /* one for each stream */
	uint64_t       mask, old;       /* asked; those that do not know the word */
	uint64_t       unknown[RING_MAX];       /* unknown words that each had answered before */
	struct compare_answer answer[RING_MAX][COMPARE_STREAMS];
	struct sums    own;             /* of the stretches that they have */
};

static void
choose_members(struct ring_check *r)
{
	struct link_status l;
	for (int i = 0; i < r->view->conf.ring.size; i++) {
		if (r->view->link[i] == NULL)
			continue;
		link_status(r->view->link[i], &l);
		r->unknown[i] = l.unknown_words;
		if (l.up && !l.plain)
			r->mask |= UINT64_C(1) << i;
	}
}

/* Whose link broke, or who does not know the word, is waited for no longer. */
static uint64_t
still_awaited(struct ring_check *r)
{
	struct link_status l;
	uint64_t mask = r->mask & ~r->old;
	for (int i = 0; i < r->view->conf.ring.size; i++) {
		if ((mask >> i & 1) == 0)
			continue;
		link_status(r->view->link[i], &l);
		if (l.unknown_words != r->unknown[i])
			r->old |= UINT64_C(1) << i;
		if (l.unknown_words != r->unknown[i] || !l.up)
			mask &= ~(UINT64_C(1) << i);
	}
	return mask;
}

/* Asks, waits, and reads our own journal for what they have. false with errno. */
static bool
ask_ring(struct ring_check *r)
{
	struct compare *c = &r->server->compare;
	int64_t until = clock_mono_ms() + ANSWER_MS;
	errno = EBUSY;
	memset(r->answer, 0, sizeof r->answer);
	sums_fini(&r->own);
	if (!compare_ask(c, &r->asked, &r->view->conf.ring, r->mask & ~r->old, r->answer))
		return false;
	while (clock_mono_ms() < until && !atomic_load(r->stop) && !compare_all_told(c, still_awaited(r)))
		compare_wait(c, clock_mono_ms() + LOOK_MS);
	compare_end(c);
	for (size_t k = 0; k < r->asked.count; k++) {
		const struct sum *q = &r->asked.at[k];
		sums_add(&r->own, q->origin, q->epoch, q->from, q->to);
		for (int i = 0; i < RING_MAX; i++)
			if (r->answer[i][k].told && r->answer[i][k].first > q->from && r->answer[i][k].first <= q->to)
				sums_add(&r->own, q->origin, q->epoch, r->answer[i][k].first, q->to);
	}
	return compare_own(r->server, &r->own, r->stop);
}

/* Ours of the stretch that this member keeps. */
static const struct sum *
own_of(struct ring_check *r, size_t k, const struct compare_answer *a)
{
	const struct sum *q = &r->asked.at[k];
	bool later = a->first > q->from && a->first <= q->to;
	return sums_add(&r->own, q->origin, q->epoch, later ? a->first : q->from, q->to);
}

static bool
is_same(struct ring_check *r, int i, size_t k)
{
	const struct compare_answer *a = &r->answer[i][k];
	const struct sum *own = own_of(r, k, a);
	/* What it has pruned whole cannot be compared. */
	return !a->told || a->first > r->asked.at[k].to || (own != NULL && own->count == a->count &&
	    own->hash == a->hash);
}

static bool
all_same(struct ring_check *r)
{
	bool same = true;
	for (int i = 0; i < r->view->conf.ring.size; i++)
		for (size_t k = 0; k < r->asked.count; k++)
			same &= is_same(r, i, k);
	return same;
}

static void
tell_differences(struct ring_check *r, int i, struct tree *t)
{
	tree_list(t, "differences");
	for (size_t k = 0; k < r->asked.count; k++) {
		const struct sum *own = own_of(r, k, &r->answer[i][k]);
		if (is_same(r, i, k) || own == NULL)
			continue;
		tree_dict(t, NULL);
		tree_text(t, "origin", own->origin);
		tree_count(t, "epoch", own->epoch);
		tree_count(t, "from", own->from);
		tree_count(t, "to", own->to);
		tree_count(t, "ours", own->count);
		tree_count(t, "theirs", r->answer[i][k].count);
		tree_end(t);
	}
	tree_end(t);
}

/* In a word: same, differs, or why that is not known. */
static const char *
outcome_of(struct ring_check *r, int i)
{
	struct link_status l;
	size_t told = 0, same = 0;
	for (size_t k = 0; k < r->asked.count; k++) {
		told += r->answer[i][k].told;
		same += is_same(r, i, k);
	}
	link_status(r->view->link[i], &l);
	if (told != r->asked.count || (r->mask >> i & 1) == 0)
		return (r->old >> i & 1) != 0 ? "unknown: its version cannot tell" : !l.up ? l.state :
		    l.plain ? "unknown: it speaks the plain form only" : "unknown: it did not tell in time";
	return same == told ? "same" : "differs";
}

static void
tell_ring(struct ring_check *r, struct tree *t)
{
	tree_list(t, "ring");
	for (int i = 0; i < r->view->conf.ring.size; i++) {
		if (r->view->link[i] == NULL)
			continue;
		const char *outcome = outcome_of(r, i);
		tree_dict(t, NULL);
		tree_text(t, "name", r->view->conf.ring.member[i].name);
		tree_text(t, "outcome", outcome);
		tree_bool(t, "differs", strcmp(outcome, "differs") == 0);
		tell_differences(r, i, t);
		tree_end(t);
	}
	tree_end(t);
}

/* errno where it could not be done, else 0. */
static int
check_ring(struct control_conn *c, struct view *v, const struct asked *a, struct tree *t)
{
	struct ring_check *r = calloc(1, sizeof *r);
	if (r == NULL)
		return ENOMEM;
	r->server = c->control->server;
	r->view = v;
	r->stop = &c->control->stop;
	for (size_t i = 0; i < a->streams; i++) {
		const struct core_status_stream *s = &a->stream[i];
		sums_add(&r->asked, s->origin, s->epoch, s->first != 0 ? s->first : 1,
		    s->missing != 0 ? s->known : s->upto);
	}
	choose_members(r);
	int error = ask_ring(r) ? 0 : errno;
	if (error == 0 && !all_same(r)) {
		for (int64_t until = clock_mono_ms() + AGAIN_MS; clock_mono_ms() < until && !atomic_load(r->stop);)
			compare_wait(&r->server->compare, until);
		error = ask_ring(r) ? 0 : errno;
	}
	if (error == 0) {
		tree_count(t, "streams", r->asked.count);
		tree_count(t, "streams_left_out", a->left_out);
		tell_ring(r, t);
	}
	sums_fini(&r->asked);
	sums_fini(&r->own);
	free(r);
	return error;
}

int
control_verify(struct control_conn *c, const struct pt_value *header)
{
	struct verifying v = { .conn = c };
	struct asked *a = calloc(1, sizeof *a);
	const struct pt_value *ring = pt_get(header, "ring");
	struct tree t = TREE_INIT;
	if (a == NULL || !logger_ask(c->control->server->logger, look, free, a, LOGGER_MS))
		return control_fail(c, "no-answer", "the disk does not answer");
	struct view *view = server_view(c->control->server);
	const struct reader_ops ops = { &v, good_record, damaged_place, next_segment };
	tree_list(&v.damages, NULL);
	int error = reader_scan(view->conf.state_dir, a->end, &ops) < 0 ? errno : 0, e;
	tree_end(&v.damages);
	tree_dict(&t, NULL);
	tell_journal(&v, &t);
	tree_raw(&t, "places", &v.damages);
	if (error == 0 && ring != NULL && ring->type == PT_BOOL && ring->boolean)
		error = check_ring(c, view, a, &t);
	tree_end(&t);
	if (atomic_load(&c->control->stop))
		e = control_fail(c, "stopping", "it stops");
	else if (error == EBUSY)
		e = control_fail(c, "busy", "the ring is being verified already");
	else if (error != 0)
		e = control_fail(c, "not-readable", "cannot read the journal: %s", strerror(error));
	else
		e = control_answer(c, &t);
	tree_fini(&v.damages);
	tree_fini(&t);
	free(a);
	view_drop(&view);
	return e;
}
