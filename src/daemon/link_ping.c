/* SPDX-License-Identifier: MIT
 * link_ping.c - how long a peer takes to answer: a keepAlive that goes the way of a frame, through the
 * writer of a link and the
 * session of the peer. Entered by whoever asks, and by the link's writer thread. */
#include "base/clock.h"
#include "daemon/link_private.h"

uint64_t
link_ping(struct link *l)
{
	lock_acquire(&l->lock);
	uint64_t before = l->pings;
	lock_release(&l->lock);
	atomic_store(&l->ping, true);
	outq_wake(l->queue);
	return before;
}

bool
link_pinged(struct link *l, uint64_t after, int64_t *us)
{
	lock_acquire(&l->lock);
	bool answered = l->pings != after;
	*us = l->ping_us;
	lock_release(&l->lock);
	return answered;
}

void
link_ping_if_asked(struct link *l)
{
	/* While something is unanswered the answer could not be told from others. */
	if (l->state != LINK_UP || l->waiting_ms != 0 || l->out.len != 0 || !atomic_exchange(&l->ping, false))
		return;
	if (link_put_first(l, "keepAlive\r\n"))
		l->pinged_us = clock_mono_us();
}

void
link_acked(struct link *l)
{
	if (l->pinged_us == 0)
		return;
	lock_acquire(&l->lock);
	l->pings++;
	l->ping_us = clock_mono_us() - l->pinged_us;
	lock_release(&l->lock);
	l->pinged_us = 0;
}
