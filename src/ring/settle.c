/* SPDX-License-Identifier: MIT */
#include "ring/settle.h"

#include <assert.h>

void
settle_init(struct settle *s)
{
	s->waiting = 0;
	for (int level = 0; level <= RING_MAX; level++) {
		s->queue[level].head = NULL;
		s->queue[level].tail = &s->queue[level].head;
	}
}

void
settle_add(struct settle *s, struct settle_entry *e)
{
	assert(e->level >= 1 && e->level <= RING_MAX);
	e->next = NULL;
	*s->queue[e->level].tail = e;
	s->queue[e->level].tail = &e->next;
	s->waiting++;
}

static int
count_have(const uint64_t *had, int count, uint64_t seq)
{
	int have = 0;
	for (int i = 0; i < count; i++)
		have += had[i] >= seq;
	return have;
}

static void
take_head(struct settle *s, int level, bool enough, int have, settle_done *done, void *arg)
{
	struct settle_entry *e = s->queue[level].head;
	s->queue[level].head = e->next;
	if (e->next == NULL)
		s->queue[level].tail = &s->queue[level].head;
	s->waiting--;
	done(arg, e, enough, have);
}

void
settle_look(struct settle *s, const uint64_t *had, int count, int64_t now, settle_done *done, void *arg)
{
	for (int level = 1; level <= RING_MAX && s->waiting != 0; level++) {
		struct settle_entry *e;
		while ((e = s->queue[level].head) != NULL) {
			int have = count_have(had, count, e->seq);
			if (have < level && now < e->deadline_ms)
				break;
			take_head(s, level, have >= level, have, done, arg);
		}
	}
}

void
settle_all(struct settle *s, const uint64_t *had, int count, settle_done *done, void *arg)
{
	settle_look(s, had, count, INT64_MAX, done, arg);
}

int64_t
settle_next(const struct settle *s)
{
	int64_t next = INT64_MAX;
	for (int level = 1; level <= RING_MAX && s->waiting != 0; level++)
		if (s->queue[level].head != NULL && s->queue[level].head->deadline_ms < next)
			next = s->queue[level].head->deadline_ms;
	return next;
}
