/* SPDX-License-Identifier: MIT
 * 05-five.c - whole rings at work: five members with clients on all of them at once, both forwarding
 * rules, a hundred thousand messages over one connection, and rings of other sizes. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static struct ring_rig rig;

/* A busy machine is not to look like a silent peer: that is another story. */
static const char patient[] = "peer-timeout = 120\n";

/* The load runs, then is in all logs; judged when nobody writes any more, and a doubled one would show. */
static void
run_to_the_end(struct load *l, const char *what)
{
	int64_t began = clock_mono_ms();
	load_run(l);
	int64_t settled = clock_mono_ms();
	load_wait_logged(l, 0);
	int64_t logged = clock_mono_ms();
	require(l->ok == l->sent && l->sent == (long)l->conns * l->each, "%s: %ld of %ld settled", what, l->ok,
	    (long)l->conns * l->each);
	printf("%s: settled in %lld ms, in all logs after %lld ms\n", what, (long long)(settled - began),
	    (long long)(logged - began));
}

START_TEST(one_message_from_each)
{
	rig_up(&rig, 5, NULL);
	for (int i = 0; i < 5; i++) {
		char text[32];
		snprintf(text, sizeof text, "from member %d", i);
		rig_say(&rig, i, text);
	}
	for (int i = 0; i < 5; i++)
		require(log_lines(&rig, i) == 5, "%zu lines", log_lines(&rig, i));
	rig_down(&rig);
}
END_TEST

/* It counts from the sender, which only an address of its own tells. */
static bool
old_rule_works(void)
{
	if (rig.own_addresses)
		return true;
	story_skip("one loopback address only");
	rig_done(&rig);
	return false;
}

START_TEST(the_old_rule)
{
	rig_make(&rig, 5, "forwarding = v0.2\n");
	if (!old_rule_works())
		return;
	rig_start_all(&rig);
	struct load l;
	load_init(&l, &rig, 'a', 5, slow_count(5000));
	load_connect_all(&l);
	run_to_the_end(&l, "v0.2");
	rig_stop_all(&rig);
	load_require_once(&l, rig_all(&rig), "v0.2");
	load_fini(&l);
	rig_down(&rig);
}
END_TEST

START_TEST(one_connection_then_all_five)
{
	rig_up(&rig, 5, patient);
	struct load one, five;
	load_init(&one, &rig, 'a', 1, slow_count(100000));
	load_connect(&one, 0, 0);
	run_to_the_end(&one, "one connection");

	load_init(&five, &rig, 'b', 5, slow_count(20000));
	load_connect_all(&five);
	run_to_the_end(&five, "all five");

	rig_stop_all(&rig);
	load_require_once(&one, rig_all(&rig), "one connection");
	load_require_once(&five, rig_all(&rig), "all five");
	load_fini(&one);
	load_fini(&five);
	rig_down(&rig);
}
END_TEST

START_TEST(many_connections_of_every_kind)
{
	rig_up(&rig, 5, patient);
	/* One at a time, in windows, and as fast as it goes; short texts and the longest. */
	static const struct { int conns, each, window, least, most; } kind[] = {
		{ 10, 200, 1, 32, 47 }, { 10, 1000, 16, 20, 509 }, { 5, 2000, 0, 509, 509 },
	};
	enum { KINDS = sizeof kind / sizeof *kind };
	struct load l[KINDS];
	for (int k = 0; k < KINDS; k++) {
		load_init(&l[k], &rig, (char)('a' + k), kind[k].conns, slow_count(kind[k].each));
		l[k].window = kind[k].window;
		l[k].least = kind[k].least;
		l[k].most = kind[k].most;
		load_connect_all(&l[k]);
	}
	int64_t until = wait_until_ms(4 * SOON);
	for (bool left = true; left;) {
		left = false;
		for (int k = 0; k < KINDS; k++) {
			load_step(&l[k], 0);
			left |= !load_done(&l[k]);
		}
		require(clock_mono_ms() < until, "not in time");
	}
	for (int k = 0; k < KINDS; k++)
		load_wait_logged(&l[k], 0);
	rig_stop_all(&rig);
	for (int k = 0; k < KINDS; k++) {
		char what[32];
		snprintf(what, sizeof what, "kind %d", k);
		require(l[k].ok == (long)l[k].conns * l[k].each, "%ld settled", l[k].ok);
		load_require_once(&l[k], rig_all(&rig), what);
		load_fini(&l[k]);
	}
	rig_down(&rig);
}
END_TEST

/* Each member's client reaches everybody, once. */
static void
try_size(int members, const char *conf)
{
	char what[64];
	snprintf(what, sizeof what, "ring of %d%s", members, conf != NULL ? ", v0.2" : "");
	rig_make(&rig, members, conf);
	if (conf != NULL && !old_rule_works())
		return;
	rig_start_all(&rig);
	struct load l;
	load_init(&l, &rig, 'a', members, 100);
	load_connect_all(&l);
	run_to_the_end(&l, what);
	rig_stop_all(&rig);
	load_require_once(&l, rig_all(&rig), what);
	load_fini(&l);
	rig_down(&rig);
}

START_TEST(other_sizes)
{
	static const int sizes[] = { 1, 2, 3, 4, 6, 7, 13 };
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		try_size(sizes[i], NULL);
}
END_TEST

/* 64 processes with some 130 threads each: only where that is asked for. */
START_TEST(the_largest_ring)
{
	if (getenv("ZOG_TEST_BIG") == NULL) {
		story_skip("ZOG_TEST_BIG is not set");
		return;
	}
	try_size(RIG_MAX, NULL);
}
END_TEST

START_TEST(small_rings_by_the_old_rule)
{
	for (int i = 1; i < 5; i++)
		try_size(i, "forwarding = v0.2\n");
}
END_TEST

/* The slow ones come up while the fast ones are in use already. */
START_TEST(one_after_another)
{
	rig_make(&rig, 5, NULL);
	for (int i = 0; i < 5; i++) {
		rig_start(&rig, i);
		rig_wait_links(&rig);
		char text[32];
		snprintf(text, sizeof text, "with %d members", i + 1);
		rig_say(&rig, i / 2, text);
	}
	rig_down(&rig);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, one_message_from_each);
	STORY_TEST(s, one_after_another);
	STORY_TEST(s, small_rings_by_the_old_rule);
	STORY_TEST(s, other_sizes);
	STORY_TEST(s, the_largest_ring);
	STORY_TEST(s, the_old_rule);
	STORY_TEST(s, many_connections_of_every_kind);
	STORY_TEST(s, one_connection_then_all_five);
}

int
main(void)
{
	return story_main("05-five", add);
}
