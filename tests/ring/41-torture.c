/* SPDX-License-Identifier: MIT
 * 41-torture.c - a ring of five under a random mix of faults, for as long as asked: `make torture SECONDS=60 SEED=7`.
 *
 * A ring lives for some rounds. In a round clients send all the time, at a level by chance, while faults come and go, up to
 * three at a time: members killed (one, some, all), stopped, ended and started; links cut and broken in mid-frame; the disk
 * full; no descriptors left; settings and logs opened anew; rubbish on both ports; and once in a round a member's
 * state is lost, or damaged. Then all is healed, and everything is judged: each settled message is in every access.log,
 * once, in order (but for what error.log tells to be late); nothing else is there; the five logs hold the same; every line of both logs is of the right form; the
 * members run, with no more descriptors than before; and at the end of a ring each ends with exit code 0.
 *
 * What was done is printed as it is done, with the seed first: the same seed does the same, as far as time lets it. What
 * fails leaves the ring's folder. In make check it runs for a moment only (ZOG_TORTURE_SECONDS, 15). */
#include "harness_numbered.h"
#include "proxy_rig.h"

#include <fcntl.h>
#include <stdarg.h>

#include "base/clock.h"

enum {
	ROUNDS = 8,             /* of one ring: a tag each, and access.log.1 once */
	ROUND_MS = 12 * 1000,
	ACTIVE = 3,             /* faults at a time */
	EACH = 40000,           /* messages of a client in a round, at most */
	CLIENTS = 5,
	ALL = (1 << MEMBERS) - 1,
};

static const char quick[] = "reconnect-max = 0.5\npeer-timeout = 1\nack-timeout = 2\ndrain-timeout = 2\nsync = 0.2\n"
    "journal-segment = 1M\n";

static uint64_t state;
static int64_t began_ms;

static unsigned
below(unsigned n)
{
	uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (unsigned)((z ^ (z >> 31)) % n);
}

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void
say(const char *fmt, ...)
{
	va_list args;
	printf("%8.3f  ", (double)(clock_mono_ms() - began_ms) / 1000);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static const char *
name(int member)
{
	return rig.m[member].name;
}

/* ---- faults ---- */

/* One that is under way. Members of `busy` are not running, or stopped: nothing else happens to them. */
struct fault {
	void   (*end)(struct fault *);  /* NULL: a free place */
	uint64_t members;
	int      a, b;
	int64_t  until_ms;
};

static struct fault active[ACTIVE];
static uint64_t busy;
static bool     lost_one;               /* a disk, in this round */
static uint64_t forgetful;              /* whose disks were lost in this ring's life: they may know less of clients */

static struct fault *
begin(void (*end)(struct fault *), uint64_t members, int64_t ms)
{
	for (int i = 0; i < ACTIVE; i++) {
		if (active[i].end != NULL)
			continue;
		active[i] = (struct fault){ end, members, 0, 0, clock_mono_ms() + ms };
		busy |= members;
		return &active[i];
	}
	return NULL;
}

/* Any member that nothing happens to; -1: there is none. */
static int
any(void)
{
	int some[MEMBERS], n = 0;
	for (int i = 0; i < MEMBERS; i++)
		if ((busy >> i & 1) == 0)
			some[n++] = i;
	return n == 0 ? -1 : some[below((unsigned)n)];
}

static int64_t
a_while(void)
{
	return below(3) == 0 ? 1000 + below(3000) : 20 + below(700);
}

static void
end_down(struct fault *f)
{
	for (int i = 0; i < MEMBERS; i++)
		if ((f->members >> i & 1) != 0)
			rig_launch(&rig, i);
	for (int i = 0; i < MEMBERS; i++)
		if ((f->members >> i & 1) != 0) {
			rig_wait_ready(&rig, i);
			say("  %s is back", name(i));
		}
}

/* One; or every one that runs, at one moment. */
static void
kill_some(void)
{
	unsigned how = below(8);
	int one = any();
	uint64_t members = 0;
	for (int i = 0; i < MEMBERS; i++)
		if (i == one || ((busy >> i & 1) == 0 && (how == 0 || (how < 3 && below(2) == 0))))
			members |= UINT64_C(1) << i;
	if (members == 0)
		return;
	say("kill -9 of %#x", (unsigned)members);
	for (int i = 0; i < MEMBERS; i++)
		if ((members >> i & 1) != 0)
			rig_kill(&rig, i);
	begin(end_down, members, a_while());
}

static void
stop_one(void)
{
	int i = any();
	if (i < 0)
		return;
	say("%s is ended", name(i));
	rig_stop(&rig, i);
	begin(end_down, UINT64_C(1) << i, a_while());
}

static void
end_pause(struct fault *f)
{
	say("  %s wakes up", name(f->a));
	rig_resume(&rig, f->a);
}

static void
pause_one(void)
{
	int i = any();
	if (i < 0)
		return;
	say("%s is stopped", name(i));
	rig_pause(&rig, i);
	begin(end_pause, UINT64_C(1) << i, a_while())->a = i;
}

static void
end_cuts(struct fault *f)
{
	(void)f;
	say("  all links whole");
	for (int i = 0; i < MEMBERS; i++)
		for (int k = 0; k < MEMBERS; k++)
			set_cut(i, k, false);
}

/* A pair, one way or both; a member from all; two parts; some by chance. */
static void
cut_some(void)
{
	unsigned how = below(4), part = 1 + below(ALL - 1);
	int a = (int)below(MEMBERS), b = (a + 1 + (int)below(MEMBERS - 1)) % MEMBERS;
	say("cut: %s", how == 0 ? "a pair, one way" : how == 1 ? "a pair" : how == 2 ? "two parts" : "by chance");
	for (int i = 0; i < MEMBERS; i++)
		for (int k = 0; k < MEMBERS; k++) {
			bool pair = i == a && k == b, parts = (part >> i & 1) != (part >> k & 1);
			if (i != k && (how == 3 ? below(3) == 0 : how == 2 ? parts : pair || (how == 1 && i == b && k == a)))
				set_cut(i, k, true);
		}
	begin(end_cuts, 0, a_while());
}

static void
break_some(void)
{
	for (int n = 1 + (int)below(6); n > 0; n--) {
		int a = (int)below(MEMBERS), b = (a + 1 + (int)below(MEMBERS - 1)) % MEMBERS;
		atomic_store(&control[a][b].reset, below(2) == 0);
		atomic_store(&control[a][b].break_after, 1 + (long)below(3000));
	}
	say("links break in the middle");
}

static void
set_limit(int member, bool files, rlim_t most)
{
	struct rlimit l;
	enum __rlimit_resource what = files ? RLIMIT_NOFILE : RLIMIT_FSIZE;
	if (prlimit(rig.m[member].pid, what, NULL, &l) == 0) {
		l.rlim_cur = most < l.rlim_max ? most : l.rlim_max;
		prlimit(rig.m[member].pid, what, &l, NULL);
	}
}

static void
end_limits(struct fault *f)
{
	say("  %s has room again", name(f->a));
	set_limit(f->a, false, RLIM_INFINITY);
	set_limit(f->a, true, RLIM_INFINITY);
}

static void
limit_one(void)
{
	int i = any();
	if (i < 0)
		return;
	bool files = below(2) == 0;
	say("%s: %s", name(i), files ? "no descriptors left" : "disk full");
	set_limit(i, files, files ? 8 + below(20) : below(300000));
	begin(end_limits, UINT64_C(1) << i, a_while())->a = i;
}

static void
signal_some(void)
{
	int i = any(), n = below(4) == 0 ? 200 : 1;
	if (i < 0)
		return;
	int signal = below(3) == 0 ? SIGUSR1 : below(8) == 0 ? SIGUSR2 : SIGHUP;
	say("%s gets signal %d, %d times", name(i), signal, n);
	for (; n > 0; n--)
		rig_signal(&rig, i, signal);
}

/* Rubbish, from a client and from a member's address. */
static void
rubbish(void)
{
	struct conn c;
	char bytes[4000];
	int i = any();
	if (i < 0)
		return;
	bool peer = below(2) == 0, hello = below(2) == 0;
	say("rubbish on the %s port of %s", peer ? "peer" : "client", name(i));
	for (size_t k = 0; k < sizeof bytes; k++)
		bytes[k] = (char)(below(3) == 0 ? below(256) : below(8) == 0 ? 10 : 32 + below(95));
	if (peer)
		conn_peer_from(&c, &rig, proxy_host((i + 1) % MEMBERS, i, (char[64]){ 0 }), i);
	else
		conn_client(&c, &rig, i);
	if (hello)
		conn_put_some(&c, peer ? "HELLO zog/1 ring=0 from=x to=y epoch=1\r\n" : "HELLO zog/1 client=rubbish\r\n", peer ? 40 : 28);
	conn_put_some(&c, bytes, 1 + below(sizeof bytes));
	if (below(2) == 0)
		conn_reset(&c);
	else
		conn_close(&c);
}

/* A byte of one of its segments is another. */
static void
damage(int member)
{
	char command[RIG_PATH + 200];
	snprintf(command, sizeof command,
	    "f=$(ls '%s'/journal-* 2>/dev/null | tail -n 1); [ -z \"$f\" ] || printf '\\%o' | dd of=\"$f\" bs=1 seek=%u conv=notrunc 2>/dev/null",
	    rig_path(&rig, member, "state"), below(256), 100 + below(200000));
	if (system(command) != 0)
		say("  (nothing to damage)");
}

/* Of one in a round, and at level majority: it has all that was settled from others. */
static void
lose_disk(void)
{
	int i = any();
	if (i < 0 || lost_one)
		return;
	lost_one = true;
	/* The state alone is not enough: who keeps the log without it may log once more what a client sends again just then. */
	bool all = below(3) != 0;
	say("%s: kill -9, %s", name(i), all ? "disk lost" : "journal damaged");
	rig_kill(&rig, i);
	forgetful |= UINT64_C(1) << i;
	if (all) {
		folder_empty(rig_path(&rig, i, "state"));
		folder_empty(rig_path(&rig, i, "log"));
	} else {
		damage(i);
	}
	begin(end_down, UINT64_C(1) << i, a_while());
}

static void (*const faults[])(void) = { kill_some, kill_some, kill_some, stop_one, pause_one, pause_one, cut_some, cut_some,
    break_some, break_some, limit_one, limit_one, signal_some, rubbish, lose_disk };

static void
end_some(bool all)
{
	int64_t now = clock_mono_ms();
	for (int i = 0; i < ACTIVE; i++) {
		struct fault f = active[i];
		if (f.end == NULL || (!all && now < f.until_ms))
			continue;
		f.end(&f);
		active[i].end = NULL;
		busy &= ~f.members;
	}
}

/* ---- rounds ---- */

static void
rotate_all(void)
{
	for (int i = 0; i < MEMBERS; i++) {
		char from[RIG_PATH + 32], to[RIG_PATH + 40];
		if ((busy >> i & 1) != 0)
			continue;
		snprintf(from, sizeof from, "%s", rig_path(&rig, i, "log/access.log"));
		snprintf(to, sizeof to, "%s.1", from);
		if (file_exists(to) || rename(from, to) < 0)
			continue;
		rig_signal(&rig, i, SIGUSR1);
	}
	say("logs rotated");
}

static void
begin_load(struct numbered *l, int round)
{
	static const char *const levels[] = { NULL, "majority", "majority", "all" };
	numbered_init(l, &rig, (char)('a' + round), CLIENTS, EACH);
	/* A disk may be lost: what only that one has is lost with it, as said. */
	l->ack = levels[1 + below(3)];
	l->window = below(2) == 0 ? 1000 : 1 + (int)below(64);
	l->every_ms = (int)below(6);
	l->patience_ms = 1500;
	if (below(3) == 0)
		l->most = 400;
	l->forgetful = forgetful;
	say("round %d: ack=%s, window %d, every %d ms", round, l->ack, l->window, l->every_ms);
}

/* So many lines are told to be late by now: "late: NAME:FROM-TO turned up after all". */
static long
late_lines(void)
{
	long n = 0;
	for (int i = 0; i < MEMBERS; i++) {
		char *text = file_read(rig_path(&rig, i, "log/error.log"), NULL);
		for (const char *p = text; (p = strstr(p, " late: ")) != NULL; p++) {
			long from, to;
			if (sscanf(p, " late: %*[^:]:%ld-%ld", &from, &to) == 2)
				n += to - from + 1;
		}
		free(text);
	}
	return n;
}

static void
judge_round(struct numbered *l, int round)
{
	char what[64];
	numbered_halt(l);
	numbered_wait_logged_(l, ALL, true);
	snprintf(what, sizeof what, "round %d", round);
	struct numbered_verdict v = numbered_judge(l, ALL, true, what);
	require(v.lost == 0 && v.doubled == 0 && v.invented == 0 && v.split == 0,
	    "%s: %ld lost, %ld doubled, %ld invented, %ld not everywhere", what, v.lost, v.doubled, v.invented, v.split);
	/* What stood where a journal was damaged comes again, late, and error.log says so. */
	require(v.disordered <= late_lines(), "%s: %ld out of order, %ld told to be late", what, v.disordered, late_lines());
	for (int i = 0; i < MEMBERS; i++) {
		log_check_form(&rig, i);
		require(sanitized() || proc_fds(rig.m[i].pid) < 120, "%s has %ld descriptors open", name(i), proc_fds(rig.m[i].pid));
	}
	say("good: %ld settled, slowest %lld ms, sent again %ld, broken %ld, disk full %ld", l->settled, (long long)l->slowest_ms,
	    l->resent, l->broken, l->full);
	numbered_fini(l);
}

static void
one_round(int round)
{
	struct numbered l;
	lost_one = false;
	begin_load(&l, round);
	numbered_pump(&l);
	int64_t end = clock_mono_ms() + ROUND_MS;
	bool rotates = round == 3;
	while (clock_mono_ms() < end) {
		wait_while_running(below(400));
		end_some(false);
		l.forgetful = forgetful;
		int n = 0;
		for (int i = 0; i < ACTIVE; i++)
			n += active[i].end != NULL;
		if (n < ACTIVE)
			faults[below(sizeof faults / sizeof *faults)]();
		if (rotates && below(8) == 0) {
			rotate_all();
			rotates = false;
		}
	}
	say("heals");
	end_some(true);
	judge_round(&l, round);
}

static int64_t
setting(const char *name, int64_t usual)
{
	const char *text = getenv(name);
	return text != NULL && *text != '\0' ? atoll(text) : usual;
}

START_TEST(torture)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	began_ms = clock_mono_ms();
	int64_t end = began_ms + 1000 * setting("ZOG_TORTURE_SECONDS", 15);
	state = (uint64_t)setting("ZOG_TORTURE_SEED", clock_real_ms());
	printf("seed %llu\n", (unsigned long long)state);
	do {
		forgetful = 0;
		if (!up_with_proxies(quick))
			return;
		say("a ring, in %s", rig.folder);
		for (int round = 0; round < ROUNDS && (round == 0 || clock_mono_ms() < end); round++)
			one_round(round);
		done();
	} while (clock_mono_ms() < end);
}
END_TEST

static void
add(Suite *suite)
{
	TCase *c = story_case(suite, "torture");
	tcase_set_timeout(c, 600 + (double)setting("ZOG_TORTURE_SECONDS", 15) * 2);
	tcase_add_test(c, torture);
}

int
main(void)
{
	return story_main("torture", add);
}
