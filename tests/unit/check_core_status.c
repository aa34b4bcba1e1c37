/* SPDX-License-Identifier: MIT
 * check_core_status.c - what a core tells of its streams and peers. */
#include "store/core_status.h"

#include "core_rig.h"

static struct core_status status;

static const struct core_status_stream *
stream(const char *origin, uint64_t epoch)
{
	core_status(t.core, &status);
	for (size_t i = 0; i < status.shown; i++)
		if (strcmp(status.stream[i].origin, origin) == 0 && status.stream[i].epoch == epoch)
			return &status.stream[i];
	return NULL;
}

static const struct core_status_peer *
peer(const char *name)
{
	core_status(t.core, &status);
	for (int i = 0; i < status.peers; i++)
		if (strcmp(status.peer[i].name, name) == 0)
			return &status.peer[i];
	ck_abort_msg("no peer %s", name);
}

START_TEST(nothing_yet)
{
	core_status(t.core, &status);
	ck_assert(status.peers == 3 && status.shown == 0 && status.missing == 0 && status.error == 0);
	ck_assert(!peer("b")->heard && peer("b")->behind == 0);
}
END_TEST

/* By what each said last; what was said on a connection that is over does not count. */
START_TEST(how_far_peers_are_behind)
{
	for (uint64_t seq = 1; seq <= 10; seq++)
		own(seq, 1, 10000);
	have(t.b, "a 1000 7");
	have(t.c, "a 1000 10 d 5 20");
	ck_assert(peer("b")->heard && peer("b")->behind == 3 && peer("b")->ahead == 0);
	ck_assert(peer("c")->behind == 0 && peer("c")->ahead == 20);
	ck_assert(!peer("d")->heard && peer("d")->behind == 10);
	core_peer_hello(t.core, t.b);
	ck_assert(!peer("b")->heard);
}
END_TEST

START_TEST(what_is_missing)
{
	frame("d", 5, 1, 4, t.b);
	have(t.c, "d 5 20");
	const struct core_status_stream *s = stream("d", 5);
	ck_assert(s != NULL && s->first == 1 && s->upto == 4 && s->known == 20 && s->missing == 16 && s->passed == 0);
	/* What is here beyond the gap is not missing. */
	frame("d", 5, 11, 5, t.b);
	ck_assert(stream("d", 5)->missing == 11 && status.missing == 11);
	frame("d", 5, 21, 2, t.b);
	s = stream("d", 5);
	ck_assert(s->known == 22 && s->missing == 11);
	frame("d", 5, 5, 6, t.b);
	s = stream("d", 5);
	ck_assert(s->upto == 15 && s->missing == 5);
	frame("d", 5, 16, 5, t.b);
	s = stream("d", 5);
	ck_assert(s->upto == 22 && s->missing == 0 && status.missing == 0);
}
END_TEST

START_TEST(what_was_passed_over)
{
	core_peer_up(t.core, t.b);
	buf_clear(&t.events);
	given_up_after(5);
	const struct core_status_stream *s = stream("d", 5);
	ck_assert(s != NULL && s->upto == 3 && s->passed == 2 && s->missing == 0 && status.passed == 2);
}
END_TEST

/* Of each origin the latest, and what is not complete. */
START_TEST(which_streams_are_told)
{
	static const uint64_t order[] = { 7, 5, 9, 6, 8 };
	for (size_t i = 0; i < UNIT_COUNT(order); i++)
		frame("d", order[i], 1, 2, t.b);
	have(t.b, "d 6 3");
	ck_assert(stream("d", 9) != NULL && stream("d", 6) != NULL);
	ck_assert_uint_eq(status.shown, 2);
	ck_assert_uint_eq(status.counts.streams, 5);
	/* To be compared with others are all of them; the latest, where there is no room. */
	struct core_status_stream kept[8];
	uint64_t left_out;
	ck_assert_uint_eq(core_kept(t.core, kept, 8, &left_out), 5);
	ck_assert_uint_eq(left_out, 0);
	ck_assert_uint_eq(core_kept(t.core, kept, 2, &left_out), 2);
	ck_assert_uint_eq(left_out, 3);
	ck_assert_uint_eq(kept[0].epoch + kept[1].epoch, 17);
	ck_assert_uint_eq(core_first(t.core, "d", 7), 1);
	ck_assert_uint_eq(core_first(t.core, "d", 77), 0);
}
END_TEST

static void
add(Suite *s)
{
	RIG_TEST(s, nothing_yet);
	RIG_TEST(s, how_far_peers_are_behind);
	RIG_TEST(s, what_is_missing);
	RIG_TEST(s, what_was_passed_over);
	RIG_TEST(s, which_streams_are_told);
}

int
main(void)
{
	return unit_main("core_status", add);
}
