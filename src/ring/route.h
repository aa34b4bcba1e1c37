/* SPDX-License-Identifier: MIT
 * route.h - to whom a message goes on, and how wrapped (doc/protocol, section 5). Pure.
 * Members are places in the ring, 0 to size - 1. */
#ifndef ZOG_RING_ROUTE_H
#define ZOG_RING_ROUTE_H

#include "ring/ring.h"

enum route_rule {
	ROUTE_V022,     /* two chains: +1 and +2, then always +2; rings of any size */
	ROUTE_V02,      /* +1 and +2, then the sender's +3 and +4; rings of at most five */
};

enum {
	ROUTE_V02_MAX = 5,      /* members that v0.2 reaches */
	ROUTE_PLAIN_MAX = 5,    /* members of the longest chain that a plain line can tell */
};

struct hop {
	int  to;        /* place in the ring */
	char wrap;      /* '0', '1' or '2' */
};

/* Each fills hops in the order of sending and returns how many there are. None goes to self, to the
 * origin or to one member twice. */

/* From a client of self. */
int route_from_client(enum route_rule, int size, int self, struct hop hops[RING_MAX]);

/* From a peer, of a message whose origin is known by its frame. At most one hop. */
int route_from_peer(enum route_rule, int size, int self, int origin, char wrap, struct hop hops[RING_MAX]);

/* From a peer, on a plain line. sender -1: a member, but which one its address does not tell. At most one hop. */
int route_from_plain(enum route_rule, int size, int self, int sender, char wrap, struct hop hops[RING_MAX]);

/* Whom the member at place via would have reached with a message of origin that it was to get wrapped so, all
 * wrapped 0: the origin serves them itself when via is down. */
int route_beyond(enum route_rule, int size, int origin, int via, char wrap, struct hop hops[RING_MAX]);

#endif
