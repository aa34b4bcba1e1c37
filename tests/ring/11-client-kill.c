/* SPDX-License-Identifier: MIT
 * 11-client-kill.c - kill -9 of the very member that libsprog talks to, in the middle of a stream: it
 * goes on at another, and each message is in each access.log once. */
#include "harness.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sprog/sprog.h"

static struct ring_rig rig;

enum { ROUNDS = 30, EACH = 3000, WINDOW = 400 };

static struct {
	long ok, other;
	char member[64];        /* the one that settled last */
	char reason[256];
} seen;

static void
settled(void *context, const struct sprog_result *r)
{
	(void)context;
	if (r->status == SPROG_OK) {
		seen.ok++;
		snprintf(seen.member, sizeof seen.member, "%s", r->member);
		return;
	}
	seen.other++;
	snprintf(seen.reason, sizeof seen.reason, "%s: %s", sprog_strerror(r->status), r->reason);
}

static uint64_t
next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static int
member_of(const char *name)
{
	for (int i = 0; i < rig.size; i++)
		if (strcmp(rig.m[i].name, name) == 0)
			return i;
	rig_fail(__FILE__, __LINE__, "no member %s", name);
}

/* Streams EACH messages, and kills the member that settled last after so many, once or twice. */
static void
stream(int round, int each, uint64_t *random)
{
	static const char *const levels[] = { "1", "majority", NULL };
	struct sprog_options o = SPROG_OPTIONS_INIT;
	struct sprog *s;
	char why[512], text[64];
	int victim = -1;
	o.ring_file = rig.ring_file;
	o.choice = round % 2 == 0 ? SPROG_RANDOM : SPROG_ROUND_ROBIN;
	o.seed = next_random(random);
	o.window = WINDOW;
	o.ack = levels[round % 3];
	o.timeout_ms = (int)slow_ms(60000);
	o.settled = settled;
	o.why = why;
	o.why_size = sizeof why;
	memset(&seen, 0, sizeof seen);
	require(sprog_open(&s, &o) == SPROG_OK, "%s", why);
	long kill_at = 1 + (long)(next_random(random) % (uint64_t)each) * 9 / 10;
	for (int n = 0; n < each || sprog_in_flight(s) > 0; ) {
		if (n < each && sprog_room(s) > 0) {
			int len = snprintf(text, sizeof text, "round %d message %d", round, n++);
			require(sprog_submit(s, text, (size_t)len, NULL) == SPROG_OK, "%s", sprog_reason(s));
			continue;
		}
		require(sprog_poll(s, -1) >= 0, "poll fails");
		if (victim < 0 && seen.ok >= kill_at) {
			victim = member_of(seen.member);
			rig_kill(&rig, victim);
		}
	}
	sprog_close(&s);
	require(seen.ok == each && seen.other == 0, "round %d: %ld settled, %ld not: %s", round, seen.ok,
	    seen.other, seen.reason);
	require(victim >= 0, "nobody was killed");
	rig_start(&rig, victim);
}

/* Every message of every round, once, in each log. */
static void
judge(int rounds, int each)
{
	size_t all = (size_t)rounds * (size_t)each;
	for (int m = 0; m < rig.size; m++)
		log_wait_lines(&rig, m, all);
	for (int m = 0; m < rig.size; m++) {
		size_t len, lines = 0;
		char *log = file_read(rig_path(&rig, m, "log/access.log"), &len);
		unsigned char *count = calloc(all, 1);
		struct log_line l;
		for (char *p = log, *lf; (lf = memchr(p, '\n', len - (size_t)(p - log))) != NULL; p = lf + 1) {
			int round, n;
			require(log_parse(p, (size_t)(lf - p), &l), "%s: a line of no form", rig.m[m].name);
			require(sscanf(l.text, "round %d message %d", &round, &n) == 2 && round >= 0 &&
			    round < rounds && n >= 0 && n < each, "%s: a line of nobody", rig.m[m].name);
			size_t i = (size_t)round * (size_t)each + (size_t)n;
			require(count[i]++ == 0, "%s: doubled: %.*s", rig.m[m].name, (int)l.len, l.text);
			lines++;
		}
		printf("%s: %zu settled, %zu logged, 0 doubled, %zu lost\n", rig.m[m].name, all, lines, all - lines);
		require(lines == all, "%s: %zu of %zu", rig.m[m].name, lines, all);
		free(count);
		free(log);
	}
}

START_TEST(the_one_that_the_client_talks_to)
{
	const char *given = getenv("ZOG_TEST_SEED");
	uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)clock_real_ms(), random = seed;
	int rounds = slow_count(ROUNDS), each = slow_count(EACH);
	printf("ZOG_TEST_SEED=%" PRIu64 "\n", seed);
	fflush(stdout);
	rig_up(&rig, 5, "reconnect-max = 1\ngap-timeout = 2\n");
	for (int round = 0; round < rounds; round++)
		stream(round, each, &random);
	judge(rounds, each);
	for (int i = 0; i < rig.size; i++)
		log_check_form(&rig, i);
	rig_done(&rig);
}
END_TEST

static void
add(Suite *suite)
{
	STORY_TEST(suite, the_one_that_the_client_talks_to);
}

int
main(void)
{
	return story_main("the client's member is killed", add);
}
