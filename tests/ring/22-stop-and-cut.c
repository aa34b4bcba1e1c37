/* SPDX-License-Identifier: MIT
 * 22-stop-and-cut.c - members that hang, links that break in the middle of a frame, and a ring in two halves. The others go on,
 * both halves take messages, and in the end all five hold the same, once. */
#include "harness_numbered.h"
#include "proxy_rig.h"

static const char quick[] = "reconnect-max = 0.5\npeer-timeout = 1\nack-timeout = 1\n";

static void
judge(struct numbered *l, int n, const char *const *what)
{
	for (int i = 0; i < n; i++)
		numbered_halt(&l[i]);
	for (int i = 0; i < n; i++)
		numbered_wait_logged(&l[i], 0);
	rig_stop_all(&rig);
	for (int i = 0; i < n; i++) {
		numbered_require(&l[i], 0x1f, what[i]);
		numbered_fini(&l[i]);
	}
	done();
}

/* Between {0, 1} and {2, 3, 4}. */
static void
set_halves(bool cut)
{
	for (int a = 0; a < 2; a++)
		for (int b = 2; b < MEMBERS; b++)
			set_cut_both(a, b, cut);
}

/* ---- stopped ---- */

/* A client's message is settled by a majority though one hangs, in a time that has nothing to do with how long it hangs. */
START_TEST(one_is_stopped_for_a_while)
{
	static const int64_t pause_ms[] = { 3000, 10000 };
	rig_up(&rig, MEMBERS, quick);
	for (int k = 0; k < 2; k++) {
		struct numbered l;
		int victim = k + 1;
		uint64_t others = 0x1f & ~(UINT64_C(1) << victim);
		numbered_init(&l, &rig, (char)('a' + k), 4, 200000);
		l.every_ms = 4;
		l.steady = true;
		for (int i = 0; i < 4; i++)
			numbered_place(&l, i, i < victim ? i : i + 1, others);
		numbered_pump(&l);
		numbered_wait_settled(&l, 200);
		rig_pause(&rig, victim);
		wait_while_running(pause_ms[k]);
		/* The others miss nothing but what is on its way. */
		long settled = l.settled;
		for (int i = 0; i < MEMBERS; i++)
			if (i != victim)
				wait_for(log_lines(&rig, i) >= (size_t)settled, 3000, "%s: %zu lines, %ld settled",
				    rig.m[i].name, log_lines(&rig, i), settled);
		rig_resume(&rig, victim);
		numbered_wait_settled(&l, 200);
		numbered_halt(&l);
		require(l.slowest_ms < slow_ms(2500), "a message took %lld ms to be settled", (long long)l.slowest_ms);
		numbered_wait_logged(&l, 0);
		printf("slowest: %lld ms\n", (long long)l.slowest_ms);
		numbered_require(&l, 0x1f, k == 0 ? "stopped for 3 s" : "stopped for 10 s");
		numbered_fini(&l);
	}
	done();
}
END_TEST

/* What its clients had given it they give to the next; when it wakes up it has both. */
START_TEST(the_one_that_was_asked_is_stopped)
{
	static const char *const what[] = { "stopped, the one that was asked", "stopped, at level 1" };
	rig_up(&rig, MEMBERS, quick);
	struct numbered l[2];
	for (int k = 0; k < 2; k++) {
		numbered_init(&l[k], &rig, (char)('a' + k), 5, 200000);
		l[k].ack = k == 0 ? "majority" : "1";
		l[k].every_ms = 2;
		l[k].patience_ms = 700;
		numbered_pump(&l[k]);
		for (int victim = 0; victim < 3; victim++) {
			numbered_wait_settled(&l[k], 300);
			rig_pause(&rig, victim);
			numbered_wait_settled(&l[k], 500);
			wait_while_running(1000);
			rig_resume(&rig, victim);
		}
		numbered_halt(&l[k]);
	}
	judge(l, 2, what);
}
END_TEST

/* ---- cut ---- */

START_TEST(links_break_in_the_middle_of_a_frame)
{
	static const char *const what[] = { "links broken in the middle of a frame" };
	if (!up_with_proxies(quick))
		return;
	struct numbered l;
	numbered_init(&l, &rig, 'a', 5, 200000);
	l.every_ms = 1;
	l.least = 20;
	l.most = 400;
	l.steady = true;
	numbered_pump(&l);
	/* After so many bytes more: in headers, in bodies, between two frames. */
	long breaks = 0;
	for (int i = 0; i < 60; i++) {
		int from = i % MEMBERS, to = (from + 1 + i / MEMBERS % 2) % MEMBERS;
		struct link_control *c = &control[from][to];
		long before = atomic_load(&c->broken);
		atomic_store(&c->reset, i % 3 == 0);
		atomic_store(&c->break_after, 1 + 97 * i % 1500);
		wait_for(atomic_load(&c->broken) > before, SOON, "nothing passes from %s to %s", rig.m[from].name, rig.m[to].name);
		breaks++;
		numbered_wait_settled(&l, 20);
	}
	int halves = 0;
	for (int i = 0; i < MEMBERS; i++)
		halves += file_count(rig_path(&rig, i, "log/error.log"), " no line end: ");
	printf("%ld breaks, %d said to be in the middle of a frame\n", breaks, halves);
	require(halves > 5, "no frame was cut");
	judge(&l, 1, what);
}
END_TEST

/* Level 1 on both sides; and clients that want a majority, which one side cannot give, and go to the other. */
START_TEST(two_halves)
{
	static const char *const what[] = { "in the half of two", "in the half of three", "from half to half" };
	if (!up_with_proxies(quick))
		return;
	struct numbered l[3];
	for (int k = 0; k < 3; k++) {
		numbered_init(&l[k], &rig, (char)('a' + k), 4, 200000);
		l[k].ack = k == 2 ? "majority" : "1";
		l[k].every_ms = 5;
		l[k].steady = k != 2;
		for (int i = 0; i < 4; i++)
			numbered_place(&l[k], i, k == 1 ? 2 + i % 3 : i % 2, k == 0 ? 0x3 : k == 1 ? 0x1c : 0);
	}
	for (int round = 0; round < 2; round++) {
		for (int k = 0; k < 3; k++)
			numbered_wait_settled(&l[k], 100);
		set_halves(true);
		for (int k = 0; k < 3; k++)
			numbered_wait_settled(&l[k], 800);
		/* Each half has what it can have. */
		for (int k = 0; k < 2; k++) {
			numbered_pump(&l[k]);
			numbered_wait_logged(&l[k], k == 0 ? 0x3 : 0x1c);
		}
		long here = numbered_judge(&l[0], 0x3, false, NULL).logged / 2;
		long there = numbered_judge(&l[0], 0x1c, false, NULL).logged / 3;
		require(here > there + 500, "the halves are not apart: %ld here, %ld there", here, there);
		set_halves(false);
	}
	require(l[2].unconfirmed > 0, "a minority gives a majority");
	judge(l, 3, what);
}
END_TEST

/* Not everyone sees everyone: what cannot go straight is pulled from one that has it, while the cut lasts. */
START_TEST(single_links_are_cut)
{
	static const struct { int from, to; bool both; } cuts[] = { { 0, 1, true }, { 0, 2, true }, { 3, 4, false },
		{ 4, 1, false } };
	enum { CUTS = sizeof cuts / sizeof *cuts };
	static const char *const what[] = { "0-1 cut", "0-2 cut", "3>4 cut", "4>1 cut" };
	if (!up_with_proxies(quick))
		return;
	struct numbered l[CUTS];
	for (int k = 0; k < CUTS; k++) {
		set_cut(cuts[k].from, cuts[k].to, true);
		if (cuts[k].both)
			set_cut(cuts[k].to, cuts[k].from, true);
		numbered_init(&l[k], &rig, (char)('a' + k), 5, slow_count(300));
		l[k].steady = true;
		numbered_run(&l[k]);
		numbered_wait_logged(&l[k], 0);
		set_cut_both(cuts[k].from, cuts[k].to, false);
	}
	judge(l, CUTS, what);
}
END_TEST

/* A bad cable: all links of a member go and come. */
START_TEST(links_that_flap)
{
	static const char *const what[] = { "links that flap" };
	if (!up_with_proxies(quick))
		return;
	struct numbered l;
	numbered_init(&l, &rig, 'a', 5, 200000);
	l.every_ms = 3;
	l.patience_ms = 2000;
	numbered_pump(&l);
	for (int i = 0; i < 12; i++) {
		for (int k = 0; k < MEMBERS; k++)
			if (k != i % 3)
				set_cut_both(i % 3, k, true);
		wait_while_running(100 + 150 * (i % 4));
		for (int k = 0; k < MEMBERS; k++)
			if (k != i % 3)
				set_cut_both(i % 3, k, false);
		wait_while_running(150);
	}
	judge(&l, 1, what);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, one_is_stopped_for_a_while);
	STORY_TEST(s, the_one_that_was_asked_is_stopped);
	STORY_TEST(s, links_break_in_the_middle_of_a_frame);
	STORY_TEST(s, single_links_are_cut);
	STORY_TEST(s, links_that_flap);
	STORY_TEST(s, two_halves);
}

int
main(void)
{
	return story_main("22-stop-and-cut", add);
}
