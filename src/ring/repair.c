/* SPDX-License-Identifier: MIT */
#include "ring/repair.h"

static int
bit(uint64_t set, int i)
{
	return (int)(set >> i & 1);
}

void
repair_heard(struct stream *s, int peer, uint64_t upto)
{
	struct gap *g = &s->gap;
	/* News of a peer that lacked it: it may have it by now. */
	if (upto != g->known[peer])
		g->gone_to[peer] = 0;
	g->known[peer] = upto;
}

void
repair_gone(struct stream *s, int peer, uint64_t from, uint64_t to)
{
	struct gap *g = &s->gap;
	if (g->asked == peer)
		g->asked = -1;
	if (from <= s->upto + 1 && to > s->upto && g->from == s->upto + 1)
		g->gone_to[peer] = to;
}

void
repair_again(struct stream *s)
{
	s->gap.again = 0;
	s->gap.again_ms = 0;
	s->gap.again_rounds = 0;
}

void
repair_link(struct stream *s, int peer)
{
	struct gap *g = &s->gap;
	g->known[peer] = 0;
	g->gone_to[peer] = 0;
	g->since_ms = 0;
	repair_again(s);
	if (g->asked == peer)
		g->asked = -1;
}

/* The last line that is missing before the next one that is there. 0: none is missing, as far as is known. */
static uint64_t
gap_end(const struct stream *s, uint64_t up)
{
	uint64_t best = 0, ahead = stream_ahead_from(s);
	for (int i = 0; i < RING_MAX; i++)
		if (bit(up, i) && s->gap.known[i] > best)
			best = s->gap.known[i];
	if (ahead != 0)
		best = ahead - 1;
	return best > s->upto ? best : 0;
}

/* Who to ask for the line behind upto: the origin first, then those who said that they have it, in turn; at last those
 * who said nothing. -1: all that are up answered that they lack it. */
static int
choose(struct stream *s, uint64_t up, int origin)
{
	struct gap *g = &s->gap;
	if (origin >= 0 && bit(up, origin) && g->gone_to[origin] == 0 && g->known[origin] > s->upto && g->turn == 0)
		return origin;
	for (int must_know = 1; must_know >= 0; must_know--) {
		for (int k = 0; k < RING_MAX; k++) {
			int i = (g->turn + k) % RING_MAX;
			if (bit(up, i) && g->gone_to[i] == 0 && (!must_know || g->known[i] > s->upto))
				return i;
		}
	}
	return -1;
}

/* How long to wait for what is on its way. What goes on coming is waited for anew only when all has come that was known the last
 * time: a link on our way that is slower than what is sent would else hold us up for ever. */
static void
hold(struct gap *g, uint64_t from, uint64_t to, bool hole, int64_t now)
{
	if (hole) {
		g->hold_ms = now + REPAIR_HOLD_MS;
	} else if (g->from == 0 || from > g->mark) {
		g->hold_ms = now + (g->from == 0 ? REPAIR_FLOW_MS : REPAIR_FLOWS_MS);
		g->mark = to;
	}
}

/* The gap begins elsewhere than when we looked last: everything about the old one is over. */
static void
begin_gap(struct gap *g, uint64_t from, uint64_t to, bool hole, int64_t now)
{
	if (g->from == from) {
		if (hole && g->asked < 0 && g->hold_ms > now + REPAIR_HOLD_MS)
			g->hold_ms = now + REPAIR_HOLD_MS;
		return;
	}
	if (g->asked < 0) {
		hold(g, from, to, hole, now);
		g->turn = 0;
	} else if (from > g->asked_to) {
		g->asked = -1;          /* answered in full: the next request need not wait */
		g->hold_ms = now;
	}
	g->asked_ms = now;
	g->from = from;
	g->since_ms = 0;
	for (int i = 0; i < RING_MAX; i++)
		g->gone_to[i] = 0;
}

/* How many lines may be on their way at a time. */
static uint64_t
most_lines(const struct gap *g)
{
	uint64_t n = g->line_bytes != 0 ? REPAIR_BYTES / g->line_bytes : REPAIR_LINES / 4;
	return n < REPAIR_LINES ? n : REPAIR_LINES;
}

/* Asks the same peer to go on behind what it was asked for. */
static bool
carry_on(struct gap *g, uint64_t upto, struct repair_step *step)
{
	uint64_t most = most_lines(g), on_its_way = g->asked_to > upto ? g->asked_to - upto : 0;
	if (step->to <= g->asked_to || on_its_way > most / 2)
		return false;
	step->what = REPAIR_WANT;
	step->peer = g->asked;
	step->from = g->asked_to + 1;
	if (step->to - step->from >= most / 2)
		step->to = step->from + most / 2 - 1;
	g->asked_to = step->to;
	return true;
}

static void
wake_at(int64_t *wake, int64_t when)
{
	if (when < *wake)
		*wake = when;
}

/* Nobody in reach has it: how far that run goes, at most to the end of the gap, once it has been so for long enough. */
static struct repair_step
give_up(struct stream *s, uint64_t up, uint64_t end, int64_t now, int64_t gap_ms, int64_t *wake)
{
	struct gap *g = &s->gap;
	struct repair_step step = { REPAIR_NOTHING, -1, s->upto + 1, end };
	if (up == 0)
		return step;
	if (g->since_ms == 0)
		g->since_ms = now;
	if (now < g->since_ms + gap_ms) {
		/* Asked again now and then while it lasts: a hole may have turned up. */
		int64_t pause = gap_ms / 4 < REPAIR_PATIENCE_MS ? REPAIR_PATIENCE_MS : gap_ms / 4;
		if (now >= g->asked_ms + pause) {
			for (int i = 0; i < RING_MAX; i++)
				g->gone_to[i] = 0;
			g->asked_ms = now;
			wake_at(wake, now);
		} else {
			wake_at(wake, g->asked_ms + pause < g->since_ms + gap_ms ? g->asked_ms + pause : g->since_ms + gap_ms);
		}
		return step;
	}
	step.what = REPAIR_PASS;
	for (int i = 0; i < RING_MAX; i++)
		if (bit(up, i) && g->gone_to[i] < step.to)
			step.to = g->gone_to[i];
	return step;
}

struct repair_step
repair_look(struct stream *s, uint64_t up, int origin, int64_t now, int64_t gap_ms, int64_t *wake)
{
	struct gap *g = &s->gap;
	struct repair_step step = { REPAIR_NOTHING, -1, s->upto + 1, gap_end(s, up) };
	if (step.to == 0) {
		g->asked = -1;
		g->from = 0;
		return step;
	}
	begin_gap(g, step.from, step.to, stream_ahead_from(s) != 0, now);
	if (g->asked < 0 && now < g->hold_ms) {
		wake_at(wake, g->hold_ms);
		return step;
	}
	if (g->asked >= 0 && !bit(up, g->asked))
		g->asked = -1;
	if (g->asked >= 0 && now < g->asked_ms + REPAIR_PATIENCE_MS) {
		wake_at(wake, g->asked_ms + REPAIR_PATIENCE_MS);
		carry_on(g, s->upto, &step);
		return step;
	}
	if (g->asked >= 0)
		g->turn = g->asked + 1;
	g->asked = choose(s, up, origin);
	if (g->asked < 0)
		return give_up(s, up, step.to, now, gap_ms, wake);
	g->asked_ms = now;
	step.what = REPAIR_WANT;
	step.peer = g->asked;
	if (step.to - step.from >= most_lines(g))
		step.to = step.from + most_lines(g) - 1;
	g->asked_to = step.to;
	wake_at(wake, now + REPAIR_PATIENCE_MS);
	return step;
}

struct repair_step
repair_look_again(struct stream *s, uint64_t up, int64_t now, int64_t *wake)
{
	struct gap *g = &s->gap;
	struct repair_step step = { REPAIR_NOTHING, -1, 0, 0 };
	if (s->passed_count == 0 || up == 0)
		return step;
	if (now < g->again_ms) {
		wake_at(wake, g->again_ms);
		return step;
	}
	/* One run and one peer at a time, then the next: a round over all of them begins every minute and with every link. */
	int runs = s->passed_count;
	while (g->again < runs * RING_MAX && !bit(up, g->again % RING_MAX))
		g->again++;
	if (g->again >= runs * RING_MAX) {
		g->again = 0;
		/* The first answers may have met a link that was not open yet. */
		g->again_ms = now + (g->again_rounds++ == 0 ? REPAIR_PATIENCE_MS : REPAIR_AGAIN_MS);
		wake_at(wake, g->again_ms);
		return step;
	}
	struct run r = s->passed[g->again / RING_MAX];
	step = (struct repair_step){ REPAIR_WANT, g->again % RING_MAX, r.from, r.to };
	if (step.to - step.from >= most_lines(g))
		step.to = step.from + most_lines(g) - 1;
	g->again++;
	g->again_ms = now + REPAIR_HOLD_MS;
	wake_at(wake, g->again_ms);
	return step;
}
