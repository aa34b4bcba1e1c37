/* SPDX-License-Identifier: MIT */
#include "daemon/tails.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/ranks.h"
#include "store/lines.h"

struct tail {
	/* under the lock of all */
	struct tail *next;
	struct buf   lines;
	uint64_t     lost;
	bool         woken;
};

void
tails_init(struct tails *t)
{
	atomic_init(&t->count, 0);
	lock_init(&t->lock, RANK_TAILS);
	lock_cond_init(&t->more);
	t->list = NULL;
}

void
tails_fini(struct tails *t)
{
	assert(t->list == NULL);
	pthread_cond_destroy(&t->more);
	lock_fini(&t->lock);
}

struct tail *
tails_join(struct tails *all)
{
	struct tail *t = calloc(1, sizeof *t);
	if (t == NULL)
		return NULL;
	lock_acquire(&all->lock);
	t->next = all->list;
	all->list = t;
	atomic_fetch_add(&all->count, 1);
	lock_release(&all->lock);
	return t;
}

void
tails_leave(struct tails *all, struct tail **tp)
{
	struct tail *t = *tp;
	lock_acquire(&all->lock);
	struct tail **at = &all->list;
	while (*at != t)
		at = &(*at)->next;
	*at = t->next;
	atomic_fetch_sub(&all->count, 1);
	lock_release(&all->lock);
	buf_fini(&t->lines);
	free(t);
	*tp = NULL;
}

void
tails_take(struct tails *all, struct tail *t, struct buf *lines, uint64_t *lost, int64_t until)
{
	lock_acquire(&all->lock);
	while (t->lines.len == 0 && t->lost == 0 && !t->woken && lock_wait_until(&all->lock, &all->more, until))
		continue;
	struct buf empty = *lines;
	*lines = t->lines;
	*lost = t->lost;
	t->lines = empty;
	buf_clear(&t->lines);
	t->lost = 0;
	t->woken = false;
	lock_release(&all->lock);
}

void
tails_wake(struct tails *all)
{
	lock_acquire(&all->lock);
	for (struct tail *t = all->list; t != NULL; t = t->next)
		t->woken = true;
	pthread_cond_broadcast(&all->more);
	lock_release(&all->lock);
}

void
tails_log(struct tails *all, const struct frame_head *h, const char *body, const uint32_t *skip, uint32_t skips)
{
	struct buf lines = BUF_INIT;
	if (atomic_load_explicit(&all->count, memory_order_relaxed) == 0 || h->count == skips)
		return;
	bool rendered = lines_render(&lines, h, body, skip, skips);
	lock_acquire(&all->lock);
	for (struct tail *t = all->list; t != NULL; t = t->next) {
		/* Once it has lost something it must hear of that first: else nobody could tell where. */
		bool room = rendered && t->lost == 0 && t->lines.len + lines.len <= TAIL_BYTES;
		if (!room || !buf_put(&t->lines, buf_begin(&lines), lines.len))
			t->lost += h->count - skips;
	}
	pthread_cond_broadcast(&all->more);
	lock_release(&all->lock);
	buf_fini(&lines);
}
