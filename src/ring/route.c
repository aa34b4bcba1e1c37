/* SPDX-License-Identifier: MIT */
#include "ring/route.h"

#include <assert.h>
#include <stdbool.h>

/* The wrapping that a message carries to the member at distance d from its origin. */
static char
wrap_at(enum route_rule rule, int size, int d)
{
	if (d + 2 >= size)
		return '0';
	if (rule == ROUTE_V022)
		return '2';
	return d <= 2 ? (char)('0' + d) : '0';
}

int
route_from_client(enum route_rule rule, int size, int self, struct hop hops[RING_MAX])
{
	assert(size >= 1 && size <= RING_MAX && (rule == ROUTE_V022 || size <= ROUTE_V02_MAX));
	int n = 0;
	for (int d = 1; d <= 2 && d < size; d++)
		hops[n++] = (struct hop){ ring_at(size, self, d), wrap_at(rule, size, d) };
	return n;
}

int
route_from_peer(enum route_rule rule, int size, int self, int origin, char wrap, struct hop hops[RING_MAX])
{
	assert(size >= 1 && size <= RING_MAX);
	int d = (self - origin + size) % size, next = d + 2;
	if (wrap == '0' || d == 0)
		return 0;
	/* Under v0.2 the sender of a wrapped message is its origin, and 1 means its +3, 2 its +4. */
	if (rule == ROUTE_V02)
		next = wrap == '1' ? 3 : 4;
	else if (wrap == '1')
		next = d + 1;   /* not used in the current configuration, yet defined */
	if (next >= size || next == d)
		return 0;
	bool chained = rule == ROUTE_V022 && wrap == '2';
	hops[0] = (struct hop){ ring_at(size, origin, next), chained ? wrap_at(rule, size, next) : '0' };
	return 1;
}

int
route_from_plain(enum route_rule rule, int size, int self, int sender, char wrap, struct hop hops[RING_MAX])
{
	if (wrap == '0' || (rule == ROUTE_V02 && sender < 0))
		return 0;
	int to = rule == ROUTE_V02 ? ring_at(size, sender, wrap == '1' ? 3 : 4) :
	    ring_at(size, self, wrap == '1' ? 1 : 2);
	if (rule == ROUTE_V02 && (wrap == '1' ? 3 : 4) >= size)
		return 0;
	hops[0] = (struct hop){ to, '0' };
	return to != self && to != sender;
}

int
route_beyond(enum route_rule rule, int size, int origin, int via, char wrap, struct hop hops[RING_MAX])
{
	int n = 0;
	struct hop next[RING_MAX];
	while (route_from_peer(rule, size, via, origin, wrap, next) == 1) {
		hops[n++] = (struct hop){ next[0].to, '0' };
		via = next[0].to;
		wrap = next[0].wrap;
	}
	return n;
}
