/* SPDX-License-Identifier: MIT
 * check_core.c - one member's core, call by call: what it believes of its peers and forgets, whom it asks, whom it tells, and
 * when. What it stores, keeps and gives: check_core_store.c. Five of them together, under random faults: check_members.c. */
#include "core_rig.h"

/* ---- what a peer had, when its link opens anew ---- */

START_TEST(hello_forgets_what_counted_for_the_level)
{
	own(1, 3, 10000);
	expect("log a:1+1\n");
	have(t.b, "a 1000 1");
	core_peer_hello(t.core, t.b);
	have(t.c, "a 1000 1");
	tick(0);
	expect("");
	have(t.b, "a 1000 1");
	tick(0);
	expect("done 1 ok\n");
	/* Nor does it count at the deadline. */
	own(2, 3, 10000);
	have(t.b, "a 1000 2");
	have(t.c, "a 1000 2");
	core_peer_hello(t.core, t.b);
	ck_assert_int_eq(tick(9999), 1);
	expect("log a:2+1\n");
	tick(1);
	expect("done 2 unconfirmed: 2 of 3\n");
	/* It may have less than before. */
	have(t.b, "a 1000 1");
	own(3, 2, 10000);
	tick(0);
	expect("log a:3+1\n");
	have(t.b, "a 1000 3");
	tick(0);
	expect("done 3 ok\n");
}
END_TEST

START_TEST(hello_forgets_whom_to_ask)
{
	core_peer_up(t.core, t.b);
	core_peer_up(t.core, t.c);
	have(t.c, "d 5 10");
	tick(0);
	core_peer_hello(t.core, t.c);
	tick(SOON_MS);
	expect("");
	have(t.b, "d 5 10");
	until_it_acts();
	expect("to b: want d 5 1 10\n");
	/* A request that the old link carried is not waited for: another is asked at once. */
	have(t.c, "d 5 10");
	tick(0);
	expect("");
	core_peer_hello(t.core, t.b);
	tick(0);
	expect("to c: want d 5 1 10\n");
}
END_TEST

START_TEST(hello_forgets_what_was_gone)
{
	core_peer_up(t.core, t.b);
	have(t.b, "d 5 10");
	until_it_acts();
	expect("to b: want d 5 1 10\n");
	gone(t.b, "d 5 1 10");
	have(t.b, "d 5 10");
	tick(0);
	expect("");
	core_peer_hello(t.core, t.b);
	have(t.b, "d 5 10");
	tick(0);
	expect("to b: want d 5 1 10\n");
	/* Of this one it has said nothing at all, and is asked for want of a better. */
	frame("d", 6, 3, 1, t.b);
	until_it_acts();
	expect("to b: want d 6 1 2\n");
	gone(t.b, "d 6 1 2");
	tick(0);
	expect("");
	core_peer_hello(t.core, t.b);
	tick(0);
	expect("to b: want d 6 1 2\n");
}
END_TEST

/* ---- links up and down ---- */

START_TEST(up_is_told_everything)
{
	own(1, 1, 10000);
	frame("d", 5, 1, 3, t.d);
	tick(200);
	expect("log a:1+1\nlog d:1+3\ndone 1 ok\n");
	/* At once, not with the next digest; and once. */
	core_peer_up(t.core, t.c);
	expect("");
	tick(0);
	ck_assert_ptr_nonnull(strstr(unit_text(&t.events), " a 1000 1"));
	ck_assert_ptr_nonnull(strstr(unit_text(&t.events), " d 5 3"));
	ck_assert_int_eq(strncmp(unit_text(&t.events), "to c: have ", 11), 0);
	ck_assert_ptr_null(strstr(unit_text(&t.events), "to b"));
	buf_clear(&t.events);
	tick(1000);
	expect("");
}
END_TEST

/* What is not in the journal yet is not had, whatever link opens meanwhile. */
START_TEST(up_is_not_told_what_is_not_stored)
{
	put_own(1, 2, 1, 10000);
	core_peer_up(t.core, t.c);
	expect("");
	ck_assert_int_eq(store(), 0);
	tick(0);
	expect("log a:1+2\ndone 1 ok\nto c: have a 1000 2\n");
}
END_TEST

START_TEST(down_is_not_asked_and_not_told)
{
	core_peer_up(t.core, t.b);
	core_peer_up(t.core, t.c);
	have(t.b, "d 5 10");
	have(t.c, "d 5 10");
	until_it_acts();
	expect("to b: want d 5 1 10\n");
	core_peer_down(t.core, t.b);
	tick(0);
	expect("to c: want d 5 1 10\n");
	core_peer_down(t.core, t.c);
	own(1, 1, 10000);
	core_peer_up(t.core, t.b);
	core_peer_down(t.core, t.b);
	tick(10000);
	expect("log a:1+1\ndone 1 ok\n");
	core_peer_up(t.core, t.c);
	tick(0);
	expect("to c: have a 1000 1\n");
	until_it_acts();
	expect("to c: want d 5 1 10\n");
}
END_TEST

/* What it said counts until its link to us opens anew: only then may it have less. */
START_TEST(down_still_has_what_it_had)
{
	core_peer_up(t.core, t.c);
	own(1, 2, 10000);
	have(t.c, "a 1000 1");
	core_peer_down(t.core, t.c);
	tick(0);
	expect("log a:1+1\ndone 1 ok\n");
}
END_TEST

/* Who is taken out of the ring is forgotten, and the others stay where they are. */
START_TEST(out_of_the_ring)
{
	struct ring without = t.ring;
	without.size = 3;
	strcpy(without.member[1].name, "c");
	strcpy(without.member[2].name, "d");
	core_peer_up(t.core, t.b);
	core_peer_up(t.core, t.c);
	have(t.b, "a 1000 1");
	have(t.b, "d 5 10");
	core_ring(t.core, &without, 0);
	ck_assert_int_eq(core_peer(t.core, "b"), -1);
	ck_assert_int_eq(core_peer(t.core, "c"), t.c);
	ck_assert_int_eq(core_peer(t.core, "d"), t.d);
	ck_assert_int_eq(core_peer(t.core, "a"), -1);
	core_ring(t.core, &t.ring, 0);
	ck_assert_int_eq(core_peer(t.core, "c"), t.c);
	t.b = core_peer(t.core, "b");
	ck_assert_str_eq(core_peer_name(t.core, t.b), "b");
	tick(SOON_MS);
	expect("");
	own(1, 2, 1000);
	tick(900);
	expect("log a:1+1\nto c: have a 1000 1\n");
	tick(100);
	expect("done 1 unconfirmed: 1 of 2\n");
}
END_TEST

/* ---- the clock ---- */

START_TEST(digest)
{
	core_peer_up(t.core, t.b);
	core_peer_up(t.core, t.d);
	tick(0);
	own(1, 1, 10000);
	ck_assert_int_eq(tick(0), 200);
	expect("log a:1+1\ndone 1 ok\n");
	/* As much as there is by then, once, to all that are up. */
	own(2, 1, 10000);
	ck_assert_int_eq(tick(199), 1);
	expect("log a:2+1\ndone 2 ok\n");
	tick(1);
	expect("to b: have a 1000 2\nto d: have a 1000 2\n");
	tick(10000);
	expect("");
	/* Only what changed since. */
	frame("c", 7, 1, 2, t.c);
	tick(0);
	expect("log c:1+2\nto b: have c 7 2\nto d: have c 7 2\n");
	own(3, 1, 10000);
	ck_assert_int_eq(tick(50), 150);
	tick(150);
	expect("log a:3+1\ndone 3 ok\nto b: have a 1000 3\nto d: have a 1000 3\n");
}
END_TEST

/* Where a frame came by way of another, its origin is told at once: its client waits. */
START_TEST(origin_is_told_at_once)
{
	core_peer_up(t.core, t.b);
	core_peer_up(t.core, t.d);
	tick(0);
	put_frame("d", 5, 1, 1, t.b);
	put_frame("d", 5, 2, 1, t.b);
	put_frame("d", 5, 3, 1, t.b);
	ck_assert_int_eq(store(), 0);
	tick(0);
	expect("log d:1+1\nlog d:2+1\nlog d:3+1\nto d: have d 5 3\n");
	/* By its own connection it gets an ok. */
	frame("d", 5, 4, 1, t.d);
	tick(0);
	expect("log d:4+1\n");
	core_peer_down(t.core, t.d);
	frame("d", 5, 5, 1, t.b);
	tick(0);
	expect("log d:5+1\n");
}
END_TEST

/* Whatever comes first is when it wants to be called. */
START_TEST(when_to_come_again)
{
	tick(0);
	ck_assert_int_eq(tick(0), INT64_MAX);
	own(1, 2, 70);
	ck_assert_int_eq(tick(0), 70);
	own(2, 3, 50);
	ck_assert_int_eq(tick(0), 50);
	tick(50);
	expect("log a:1+1\nlog a:2+1\ndone 2 unconfirmed: 1 of 3\n");
	ck_assert_int_eq(tick(0), 20);
	tick(20);
	expect("done 1 unconfirmed: 1 of 2\n");
}
END_TEST

/* ---- settings ---- */

START_TEST(setting_digest)
{
	core_peer_up(t.core, t.b);
	own(1, 1, 10000);
	t.options.digest_ms = 5000;
	settings();
	tick(0);
	expect("log a:1+1\ndone 1 ok\nto b: have a 1000 1\n");
	own(2, 1, 10000);
	ck_assert_int_eq(tick(4999), 1);
	expect("log a:2+1\ndone 2 ok\n");
	tick(1);
	expect("to b: have a 1000 2\n");
}
END_TEST

START_TEST(setting_gap)
{
	core_peer_up(t.core, t.b);
	int64_t after = given_up_after(5);
	ck_assert(after >= 60000 && after < 63000);
	t.options.gap_ms = 3000;
	settings();
	after = given_up_after(6);
	ck_assert_msg(after >= 3000 && after < 5000, "given up after %" PRId64 " ms", after);
}
END_TEST

START_TEST(setting_sync)
{
	t.syncs = 0;
	own(1, 1, 10000);
	tick(100000);
	ck_assert_int_eq(t.syncs, 0);
	core_sync(t.core, t.now);
	ck_assert_int_eq(t.syncs, 0);
	t.options.sync_ms = 1000;
	settings();
	tick(0);
	ck_assert_int_eq(t.syncs, 1);
	own(2, 1, 10000);
	ck_assert_int_eq(tick(400), 600);
	ck_assert_int_eq(t.syncs, 1);
	tick(600);
	ck_assert_int_eq(t.syncs, 2);
	tick(10000);
	ck_assert_int_eq(t.syncs, 2);
	own(3, 1, 10000);
	core_sync(t.core, t.now);
	ck_assert_int_eq(t.syncs, 3);
	t.options.sync_ms = CORE_SYNC_ALWAYS;
	settings();
	own(4, 1, 10000);
	ck_assert_int_eq(t.syncs, 4);
	t.options.sync_ms = CORE_SYNC_NONE;
	settings();
	own(5, 1, 10000);
	tick(10000);
	core_sync(t.core, t.now);
	ck_assert_int_eq(t.syncs, 4);
}
END_TEST

static struct journal_counts
journal_now(void)
{
	struct journal_counts counts;
	journal_counts(core_journal(t.core), &counts);
	return counts;
}

START_TEST(setting_journal)
{
	uint64_t seq = 1;
	while (seq <= 20)
		frame("d", 5, seq++, 100, t.d), seq += 99;
	ck_assert_uint_eq(journal_now().segments, 1);
	t.options.journal_segment = 2000;
	settings();
	for (int i = 0; i < 20; i++, seq += 100)
		frame("d", 5, seq, 100, t.d);
	uint64_t segments = journal_now().segments;
	ck_assert_uint_gt(segments, 10);
	t.options.journal_limit = 8000;
	settings();
	for (int i = 0; i < 2; i++, seq += 100)
		frame("d", 5, seq, 100, t.d);
	ck_assert_uint_le(journal_now().bytes, 8000);
	ck_assert_uint_lt(journal_now().segments, segments);
}
END_TEST

static void
add(Suite *s)
{
	RIG_TEST(s, hello_forgets_what_counted_for_the_level);
	RIG_TEST(s, hello_forgets_whom_to_ask);
	RIG_TEST(s, hello_forgets_what_was_gone);
	RIG_TEST(s, up_is_told_everything);
	RIG_TEST(s, up_is_not_told_what_is_not_stored);
	RIG_TEST(s, down_is_not_asked_and_not_told);
	RIG_TEST(s, down_still_has_what_it_had);
	RIG_TEST(s, out_of_the_ring);
	RIG_TEST(s, digest);
	RIG_TEST(s, origin_is_told_at_once);
	RIG_TEST(s, when_to_come_again);
	RIG_TEST(s, setting_digest);
	RIG_TEST(s, setting_gap);
	RIG_TEST(s, setting_sync);
	RIG_TEST(s, setting_journal);
}

int
main(void)
{
	return unit_main("core", add);
}
