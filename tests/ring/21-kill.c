/* SPDX-License-Identifier: MIT
 * 21-kill.c - kill -9 of one member, of two, of all, of the one that the client talks to, at random moments and at chosen system
 * calls, all under load. Nothing settled is lost, nothing doubled, order kept, on all five.
 *
 * ZOG_ROUNDS: of random kills, 50 without it. ZOG_SEED: of the random moments; it is printed. */
#include "harness_numbered.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/clock.h"

static struct ring_rig rig;
static uint32_t random_state;

static void
up(const char *conf)
{
	const char *seed = getenv("ZOG_SEED");
	random_state = seed != NULL ? (uint32_t)strtoul(seed, NULL, 10) : (uint32_t)clock_real_ms() | 1;
	printf("ZOG_SEED=%u\n", (unsigned)random_state);
	rig_up(&rig, 5, conf);
}

static int
below(int n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return (int)(random_state % (uint32_t)n);
}

static const char quick[] = "reconnect-max = 0.5\n";

/* Its end: all settled, all logged, all judged. */
static void
judge(struct numbered *l, const char *what)
{
	numbered_halt(l);
	numbered_wait_logged(l, 0);
	rig_stop_all(&rig);
	numbered_require(l, 0x1f, what);
	numbered_fini(l);
	rig_down(&rig);
}

/* ---- at random moments ---- */

/* Kills so many different ones, starts them again, in any order, with or without a pause. */
static void
kill_some(int count)
{
	int victim[5];
	for (int i = 0; i < count; i++) {
		bool again = true;
		while (again) {
			victim[i] = below(5);
			again = false;
			for (int k = 0; k < i; k++)
				again |= victim[k] == victim[i];
		}
		rig_kill(&rig, victim[i]);
		if (below(2) == 0)
			wait_while_running(below(50));
	}
	if (below(3) != 0)
		wait_while_running(below(300));
	for (int i = count - 1; i >= 0; i--)
		rig_launch(&rig, victim[i]);
	for (int i = 0; i < count; i++)
		rig_wait_ready(&rig, victim[i]);
}

START_TEST(one_and_two_at_random_moments)
{
	const char *text = getenv("ZOG_ROUNDS");
	int rounds = text != NULL ? atoi(text) : slow_count(50);
	up(quick);
	struct numbered l;
	numbered_init(&l, &rig, 'a', 8, 200000);
	l.every_ms = 4;
	numbered_pump(&l);
	for (int i = 0; i < rounds; i++) {
		wait_while_running(below(150));
		kill_some(i < rounds / 2 ? 1 : 2);
		/* Majority is there: it goes on. */
		numbered_wait_settled(&l, 150);
	}
	char what[64];
	snprintf(what, sizeof what, "%d rounds of one, then two", rounds);
	judge(&l, what);
}
END_TEST

START_TEST(all_at_once)
{
	up(quick);
	struct numbered l;
	numbered_init(&l, &rig, 'a', 8, 200000);
	l.every_ms = 2;
	numbered_pump(&l);
	for (int round = 0; round < 5; round++) {
		numbered_wait_settled(&l, 500);
		wait_while_running(below(100));
		for (int i = 0; i < 5; i++)
			rig_signal(&rig, i, SIGSTOP);
		for (int i = 0; i < 5; i++)
			rig_kill(&rig, i);
		for (int i = 0; i < 5; i++)
			rig_launch(&rig, (i * 2 + round) % 5);
		for (int i = 0; i < 5; i++)
			rig_wait_ready(&rig, i);
	}
	numbered_wait_settled(&l, 500);
	judge(&l, "all at once");
}
END_TEST

/* Level 1: only the member that was asked has it for sure, and it is the one that dies. */
START_TEST(the_one_that_was_asked)
{
	static const char *const level[] = { "1", "majority" };
	up(quick);
	struct numbered l[2];
	for (int i = 0; i < 2; i++) {
		numbered_init(&l[i], &rig, (char)('a' + i), 1, 200000);
		l[i].ack = level[i];
		l[i].window = 8;
		numbered_pump(&l[i]);
		for (int round = 0; round < 8; round++) {
			numbered_wait_settled(&l[i], 300);
			wait_while_running(below(30));
			int victim = l[i].client[0].member;
			rig_kill(&rig, victim);
			numbered_wait_settled(&l[i], 300);
			require(l[i].client[0].member != victim, "the client is still at the dead one");
			rig_start(&rig, victim);
		}
		numbered_halt(&l[i]);
		numbered_wait_logged(&l[i], 0);
	}
	rig_stop_all(&rig);
	for (int i = 0; i < 2; i++) {
		numbered_require(&l[i], 0x1f, level[i]);
		numbered_fini(&l[i]);
	}
	rig_down(&rig);
}
END_TEST

/* Stopped by TERM and started, one after the other and two at once: no client sees more than a broken connection. */
START_TEST(orderly_restarts)
{
	up(quick);
	struct numbered l;
	numbered_init(&l, &rig, 'a', 8, 200000);
	l.every_ms = 4;
	numbered_pump(&l);
	for (int round = 0; round < 10; round++) {
		int victim = below(5), other = (victim + 1 + below(4)) % 5;
		rig_stop(&rig, victim);
		if (round >= 5)
			rig_stop(&rig, other);
		rig_launch(&rig, victim);
		if (round >= 5)
			rig_launch(&rig, other);
		rig_wait_ready(&rig, victim);
		rig_wait_ready(&rig, other);
		numbered_wait_settled(&l, 200);
	}
	judge(&l, "orderly restarts");
}
END_TEST

/* ---- at chosen system calls ---- */

/* -9 at this call's Nth time in one of its threads. */
static pid_t
inject(int member, const char *call, int when)
{
	char rule[96];
	snprintf(rule, sizeof rule, "%s:signal=KILL:when=%d", call, when);
	return rig_inject(&rig, member, rule);
}

static bool
can_trace(void)
{
	pid_t pid = inject(0, "write", 50000);
	if (pid < 0)
		return false;
	kill(pid, SIGINT);
	waitpid(pid, NULL, 0);
	return true;
}

static void
kill_at(struct numbered *l, const char *call, int when, int member)
{
	rig_expect_exit(&rig, member);
	pid_t tracer = inject(member, call, when);
	require(tracer > 0, "strace does not attach");
	/* A call that does not come so often is a case of its own: it lives, and is killed. */
	int64_t until = wait_until_ms(2500);
	bool gone = false;
	while (!gone && wait_turn(until))
		gone = waitpid(tracer, NULL, WNOHANG) == tracer;
	if (!gone) {
		printf("%s, %d: not reached\n", call, when);
		rig_signal(&rig, member, SIGKILL);
		waitpid(tracer, NULL, 0);
	}
	require(rig_wait_exit(&rig, member, SOON) == -SIGKILL, "%s ended by itself with %d", rig.m[member].name,
	    rig.m[member].code);
	numbered_wait_settled(l, 30);
	rig_start(&rig, member);
	numbered_wait_settled(l, 30);
}

START_TEST(at_chosen_system_calls)
{
	static const struct { const char *call; int most; } cases[] = {
		{ "pwritev", 6 },       /* the journal */
		{ "write", 8 },         /* the logs, and words to other threads */
		{ "pwrite64", 2 },      /* the cursor */
		{ "fdatasync", 2 },
		{ "sendto", 6 },        /* answers */
		{ "sendmsg", 6 },       /* frames */
		{ "recvfrom", 4 },
	};
	up("reconnect-max = 0.5\nsync = 0.1\n");
	if (!can_trace()) {
		story_skip("strace is not there, or may not attach");
		rig_done(&rig);
		return;
	}
	struct numbered l;
	numbered_init(&l, &rig, 'a', 5, 200000);
	l.every_ms = 5;
	l.patience_ms = 3000;
	numbered_pump(&l);
	int member = 0;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		for (int n = 1; n <= cases[i].most; n++)
			kill_at(&l, cases[i].call, n, member++ % 5);
	judge(&l, "at chosen system calls");
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, the_one_that_was_asked);
	STORY_TEST(s, orderly_restarts);
	STORY_TEST(s, all_at_once);
	STORY_TEST(s, at_chosen_system_calls);
	STORY_TEST(s, one_and_two_at_random_moments);
}

int
main(void)
{
	return story_main("21-kill", add);
}
