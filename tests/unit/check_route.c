/* SPDX-License-Identifier: MIT
 * Forwarding (doc/protocol, section 5) played through: whatever the ring, the origin and the rule, each member gets a
 * message once. */
#include "ring/route.h"

#include "unit.h"

/* One message of one origin. */
struct play {
	enum route_rule rule;
	int             size, origin;
	bool            plain;                  /* as plain lines tell it, not frames */
	bool            down[RING_MAX];         /* the origin's link to it */
	int             got[RING_MAX];          /* how often it was given the message */
	int             waits[RING_MAX];        /* how often it was put into the queue of a link that is down */
};

static void give(struct play *p, int from, int to, char wrap);

static void
assert_hop(const struct play *p, int from, struct hop hop)
{
	unit_require(hop.to >= 0 && hop.to < p->size && hop.to != from && hop.to != p->origin && hop.wrap >= '0' &&
	    hop.wrap <= '2', "size %d, origin %d: %d sends to %d wrapped %c", p->size, p->origin, from, hop.to, hop.wrap);
}

/* What the member does that was given the message. */
static void
arrive(struct play *p, int sender, int self, char wrap)
{
	struct hop hops[RING_MAX];
	p->got[self]++;
	unit_require(p->got[self] == 1, "size %d, origin %d: %d gets it twice", p->size, p->origin, self);
	int n = p->plain ? route_from_plain(p->rule, p->size, self, sender, wrap, hops) :
	    route_from_peer(p->rule, p->size, self, p->origin, wrap, hops);
	unit_require(n == 0 || (n == 1 && wrap != '0'), "%d hops of what came wrapped %c", n, wrap);
	for (int i = 0; i < n; i++)
		give(p, self, hops[i].to, hops[i].wrap);
}

static void
give(struct play *p, int from, int to, char wrap)
{
	assert_hop(p, from, (struct hop){ to, wrap });
	arrive(p, from, to, wrap);
}

/* What the origin does with a hop: view.c in small. */
static void
put(struct play *p, struct hop hop)
{
	struct hop beyond[RING_MAX];
	assert_hop(p, p->origin, hop);
	/* In larger rings a plain line is given to nobody to pass on. */
	bool too_long = p->plain && p->size > ROUTE_PLAIN_MAX && hop.wrap != '0';
	if (p->down[hop.to])
		p->waits[hop.to]++;
	else
		give(p, p->origin, hop.to, too_long ? '0' : hop.wrap);
	if (hop.wrap == '0' || !(p->down[hop.to] || too_long))
		return;
	int n = route_beyond(p->rule, p->size, p->origin, hop.to, hop.wrap, beyond);
	for (int i = 0; i < n; i++) {
		unit_require(beyond[i].wrap == '0', "wrapped %c round a link that is down", beyond[i].wrap);
		put(p, beyond[i]);
	}
}

static void
play(struct play *p)
{
	struct hop hops[RING_MAX];
	memset(p->got, 0, sizeof p->got);
	memset(p->waits, 0, sizeof p->waits);
	int n = route_from_client(p->rule, p->size, p->origin, hops);
	unit_require(n <= 2, "%d hops", n);
	for (int i = 0; i < n; i++)
		put(p, hops[i]);
}

static void
assert_all(const struct play *p)
{
	for (int i = 0; i < p->size; i++) {
		int want = i == p->origin ? 0 : 1;
		unit_require(p->got[i] + p->waits[i] == want, "rule %d, size %d, origin %d%s: %d is given it %d times and it "
		    "waits for it %d times", p->rule, p->size, p->origin, p->plain ? ", plain" : "", i, p->got[i], p->waits[i]);
	}
}

static int
most_of(enum route_rule rule)
{
	return rule == ROUTE_V02 ? ROUTE_V02_MAX : RING_MAX;
}

/* ---- all is up ---- */

START_TEST(each_member_once)
{
	for (int plain = 0; plain <= 1; plain++) {
		for (int rule = ROUTE_V022; rule <= ROUTE_V02; rule++) {
			for (int size = 1; size <= most_of((enum route_rule)rule); size++) {
				for (int origin = 0; origin < size; origin++) {
					struct play p = { .rule = (enum route_rule)rule, .size = size, .origin = origin,
					    .plain = plain != 0 };
					play(&p);
					assert_all(&p);
					for (int i = 0; i < size; i++)
						ck_assert_int_eq(p.got[i], i != origin);
				}
			}
		}
	}
}
END_TEST

/* ---- links of the origin are down ---- */

/* Whether it is for the origin itself to reach that one, told from the picture and not from the code: +1 and +2, and all
 * of a chain whose first is down (odd distances those of +1, even ones those of +2, under both rules). */
static bool
is_own_duty(const struct play *p, int to)
{
	int distance = (to - p->origin + p->size) % p->size, first = distance % 2 == 1 ? 1 : 2;
	return distance <= 2 || (p->plain && p->size > ROUTE_PLAIN_MAX) || p->down[(p->origin + first) % p->size];
}

static void
play_down(struct play *p)
{
	play(p);
	assert_all(p);
	/* Everyone but those that are down and for it to reach has it now; for these it waits. */
	for (int i = 0; i < p->size; i++)
		unit_require(p->waits[i] == (i != p->origin && p->down[i] && is_own_duty(p, i)),
		    "rule %d, size %d, origin %d: it waits %d times for %d", p->rule, p->size, p->origin, p->waits[i], i);
}

/* Each one, each two, and for the smaller rings every set of them. */
static void
all_down(enum route_rule rule, int size, bool plain)
{
	for (int origin = 0; origin < size; origin++) {
		/* Of large rings some: nothing but the place changes. */
		if (size > 16 && origin != 0 && origin != size / 2 && origin != size - 1)
			continue;
		struct play p = { .rule = rule, .size = size, .origin = origin, .plain = plain };
		for (int a = 0; a < size; a++) {
			for (int b = a; b < size; b++) {
				if (a == origin || b == origin)
					continue;
				p.down[a] = p.down[b] = true;
				play_down(&p);
				p.down[a] = p.down[b] = false;
			}
		}
		for (unsigned set = 0; size <= 8 && set < 1u << size; set++) {
			for (int i = 0; i < size; i++)
				p.down[i] = i != origin && (set >> i & 1) != 0;
			play_down(&p);
		}
	}
}

START_TEST(links_down)
{
	for (int plain = 0; plain <= 1; plain++) {
		all_down(ROUTE_V022, _i, plain != 0);
		if (_i <= ROUTE_V02_MAX)
			all_down(ROUTE_V02, _i, plain != 0);
	}
}
END_TEST

START_TEST(beyond)
{
	struct hop hops[RING_MAX];
	/* Six in a chain of two: 2 was to reach 4 and 6. */
	ck_assert_int_eq(route_beyond(ROUTE_V022, 7, 0, 2, '2', hops), 2);
	ck_assert(hops[0].to == 4 && hops[0].wrap == '0' && hops[1].to == 6 && hops[1].wrap == '0');
	/* What was wrapped 0 goes no further. */
	ck_assert_int_eq(route_beyond(ROUTE_V022, 7, 0, 2, '0', hops), 0);
	ck_assert_int_eq(route_beyond(ROUTE_V022, 64, 63, 0, '2', hops), 31);
	for (int i = 0; i < 31; i++)
		ck_assert_int_eq(hops[i].to, 2 * i + 2);
	ck_assert_int_eq(route_beyond(ROUTE_V02, 5, 0, 1, '1', hops), 1);
	ck_assert_int_eq(hops[0].to, 3);
	ck_assert_int_eq(route_beyond(ROUTE_V02, 5, 0, 2, '2', hops), 1);
	ck_assert_int_eq(hops[0].to, 4);
}
END_TEST

/* ---- five members, to the letter ---- */

static void
assert_hops(const struct hop *hops, int n, int want, int to1, char wrap1, int to2, char wrap2)
{
	ck_assert_int_eq(n, want);
	if (n > 0) {
		ck_assert_int_eq(hops[0].to, to1);
		ck_assert_int_eq(hops[0].wrap, wrap1);
	}
	if (n > 1) {
		ck_assert_int_eq(hops[1].to, to2);
		ck_assert_int_eq(hops[1].wrap, wrap2);
	}
}

/* "From a client: to +1 and to +2, wrapped 2 both. Wrapped 2 from a peer: to the receiver's +2, wrapped 0. Wrapped 1: to
 * the receiver's +1, wrapped 0. Wrapped 0: only logged." */
START_TEST(five_by_v022)
{
	struct hop h[RING_MAX];
	for (int me = 0; me < 5; me++) {
		int n = route_from_client(ROUTE_V022, 5, me, h);
		assert_hops(h, n, 2, (me + 1) % 5, '2', (me + 2) % 5, '2');
		for (int d = 1; d <= 2; d++) {
			int sender = (me + 5 - d) % 5;
			n = route_from_plain(ROUTE_V022, 5, me, sender, '2', h);
			assert_hops(h, n, 1, (me + 2) % 5, '0', 0, 0);
			n = route_from_peer(ROUTE_V022, 5, me, sender, '2', h);
			assert_hops(h, n, 1, (me + 2) % 5, '0', 0, 0);
			n = route_from_plain(ROUTE_V022, 5, me, sender, '1', h);
			assert_hops(h, n, 1, (me + 1) % 5, '0', 0, 0);
			n = route_from_peer(ROUTE_V022, 5, me, sender, '1', h);
			assert_hops(h, n, 1, (me + 1) % 5, '0', 0, 0);
		}
		/* The address does not tell which member it is: the receiver's +1 and +2 need not know. */
		n = route_from_plain(ROUTE_V022, 5, me, -1, '2', h);
		assert_hops(h, n, 1, (me + 2) % 5, '0', 0, 0);
		n = route_from_plain(ROUTE_V022, 5, me, -1, '1', h);
		assert_hops(h, n, 1, (me + 1) % 5, '0', 0, 0);
	}
}
END_TEST

/* "From a client: to +1 wrapped 1, to +2 wrapped 2. Wrapped 1: to the sender's +3, wrapped 0. Wrapped 2: to the sender's +4,
 * wrapped 0. Wrapped 0: only logged." */
START_TEST(five_by_v02)
{
	struct hop h[RING_MAX];
	for (int me = 0; me < 5; me++) {
		int n = route_from_client(ROUTE_V02, 5, me, h);
		assert_hops(h, n, 2, (me + 1) % 5, '1', (me + 2) % 5, '2');
		int sender = (me + 4) % 5;      /* we are its +1 */
		n = route_from_plain(ROUTE_V02, 5, me, sender, '1', h);
		assert_hops(h, n, 1, (sender + 3) % 5, '0', 0, 0);
		n = route_from_peer(ROUTE_V02, 5, me, sender, '1', h);
		assert_hops(h, n, 1, (sender + 3) % 5, '0', 0, 0);
		sender = (me + 3) % 5;          /* its +2 */
		n = route_from_plain(ROUTE_V02, 5, me, sender, '2', h);
		assert_hops(h, n, 1, (sender + 4) % 5, '0', 0, 0);
		n = route_from_peer(ROUTE_V02, 5, me, sender, '2', h);
		assert_hops(h, n, 1, (sender + 4) % 5, '0', 0, 0);
		/* Whose +3? */
		ck_assert_int_eq(route_from_plain(ROUTE_V02, 5, me, -1, '1', h), 0);
		ck_assert_int_eq(route_from_plain(ROUTE_V02, 5, me, -1, '2', h), 0);
	}
}
END_TEST

START_TEST(wrapped_0_is_only_logged)
{
	struct hop h[RING_MAX];
	for (int rule = ROUTE_V022; rule <= ROUTE_V02; rule++) {
		for (int size = 1; size <= most_of((enum route_rule)rule); size++) {
			for (int me = 0; me < size; me++) {
				for (int other = 0; other < size; other++) {
					ck_assert_int_eq(route_from_peer((enum route_rule)rule, size, me, other, '0', h), 0);
					ck_assert_int_eq(route_from_plain((enum route_rule)rule, size, me, other, '0', h), 0);
				}
				ck_assert_int_eq(route_from_plain((enum route_rule)rule, size, me, -1, '0', h), 0);
			}
		}
	}
}
END_TEST

/* The longer chains: +1 and +2 first, then every second one, wrapped 2 while there is a further one. */
START_TEST(two_chains)
{
	struct hop h[RING_MAX];
	for (int size = 1; size <= RING_MAX; size++) {
		int n = route_from_client(ROUTE_V022, size, 0, h);
		assert_hops(h, n, size > 2 ? 2 : size - 1, 1, size > 3 ? '2' : '0', 2, size > 4 ? '2' : '0');
		for (int d = 1; d < size; d++) {
			n = route_from_peer(ROUTE_V022, size, d, 0, '2', h);
			assert_hops(h, n, d + 2 < size, d + 2, d + 4 < size ? '2' : '0', 0, 0);
		}
	}
}
END_TEST

/* Whatever a member that is mistaken about the ring sends: nothing goes back to it or to ourselves, or out of the ring. */
START_TEST(wrong_wrappings)
{
	struct hop h[RING_MAX];
	for (int rule = ROUTE_V022; rule <= ROUTE_V02; rule++) {
		for (int size = 1; size <= most_of((enum route_rule)rule); size++) {
			for (int me = 0; me < size; me++) {
				for (int other = 0; other < size; other++) {
					for (char wrap = '1'; wrap <= '2'; wrap++) {
						int n = route_from_plain((enum route_rule)rule, size, me, other, wrap, h);
						ck_assert_int_le(n, 1);
						ck_assert(n == 0 || (h[0].to != me && h[0].to != other && h[0].to < size &&
						    h[0].to >= 0 && h[0].wrap == '0'));
						/* There is no +3 or +4: it is nobody's turn. */
						bool nobody = rule == ROUTE_V02 && (wrap == '1' ? 3 : 4) >= size;
						ck_assert(n == 0 || !nobody);
						n = route_from_peer((enum route_rule)rule, size, me, other, wrap, h);
						ck_assert_int_le(n, 1);
						ck_assert(n == 0 || !nobody);
						ck_assert(n == 0 || (h[0].to != me && h[0].to != other && h[0].to < size &&
						    h[0].to >= 0));
					}
				}
			}
		}
	}
}
END_TEST

START_TEST(v02_in_a_ring_of_six)
{
	struct hop h[RING_MAX];
	route_from_client(ROUTE_V02, 6, 0, h);
}
END_TEST

START_TEST(ring_of_sixty_five)
{
	struct hop h[RING_MAX];
	route_from_client(ROUTE_V022, RING_MAX + 1, 0, h);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, each_member_once);
	UNIT_LOOP(s, links_down, 1, RING_MAX + 1);
	UNIT_TEST(s, beyond);
	UNIT_TEST(s, five_by_v022);
	UNIT_TEST(s, five_by_v02);
	UNIT_TEST(s, wrapped_0_is_only_logged);
	UNIT_TEST(s, two_chains);
	UNIT_TEST(s, wrong_wrappings);
	UNIT_ABORTS(s, v02_in_a_ring_of_six);
	UNIT_ABORTS(s, ring_of_sixty_five);
}

int
main(void)
{
	return unit_main("route", add);
}
