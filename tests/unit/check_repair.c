/* SPDX-License-Identifier: MIT
 * check_repair.c - whom a member asks for what it misses, and when. */
#include "ring/repair.h"

#include "unit.h"

enum { GAP_MS = 60000, NOBODY = -1 };
#define ALL UINT64_C(0x1e)      /* peers 1 to 4 are up */

static struct {
	struct streams all;
	struct stream *s;
	int64_t        now, wake;
	uint64_t       up;
	int            origin;
} t;

static void
set_up(void)
{
	memset(&t, 0, sizeof t);
	ck_assert(streams_init(&t.all));
	t.s = streams_get(&t.all, "o", 1);
	t.now = 1000000;
	t.up = ALL;
	t.origin = 1;
}

static void
tear_down(void)
{
	streams_fini(&t.all);
}

static struct repair_step
look(void)
{
	t.wake = INT64_MAX;
	return repair_look(t.s, t.up, t.origin, t.now, GAP_MS, &t.wake);
}

static void
nothing(void)
{
	struct repair_step step = look();
	ck_assert_msg(step.what == REPAIR_NOTHING, "it does %d to peer %d, %" PRIu64 " to %" PRIu64, step.what, step.peer, step.from, step.to);
}

static void
asks(int peer, uint64_t from, uint64_t to)
{
	struct repair_step step = look();
	ck_assert_int_eq(step.what, REPAIR_WANT);
	ck_assert_int_eq(step.peer, peer);
	ck_assert_uint_eq(step.from, from);
	ck_assert_uint_eq(step.to, to);
	ck_assert_int_eq(t.wake, t.now + REPAIR_PATIENCE_MS);
}

/* The wait before the first request is over. */
static void
held(void)
{
	int64_t hold = stream_ahead_from(t.s) != 0 ? REPAIR_HOLD_MS : REPAIR_FLOW_MS;
	nothing();
	ck_assert_int_eq(t.wake, t.now + hold);
	t.now += hold - 1;
	nothing();
	t.now++;
}

static void
ahead(uint64_t seq)
{
	struct frame *f = frame_new("data", "o", 10);
	frame_add(f, "x", 1);
	f->h.epoch = 1;
	f->h.seq = seq;
	frame_seal(f);
	ck_assert(stream_keep_ahead(t.s, f));
	frame_drop(&f);
}

/* ---- whom ---- */

START_TEST(nothing_to_ask_for)
{
	nothing();
	ck_assert_int_eq(t.wake, INT64_MAX);
	repair_heard(t.s, 2, 10);
	stream_had(t.s, 1, 10);
	nothing();
	repair_heard(t.s, 2, 9);
	nothing();
	/* What one says that is not up is nothing to go by. */
	t.up = ALL & ~(UINT64_C(1) << 2);
	repair_heard(t.s, 2, 20);
	nothing();
	ck_assert_int_eq(t.wake, INT64_MAX);
}
END_TEST

START_TEST(origin_first)
{
	for (int peer = 4; peer >= 1; peer--)
		repair_heard(t.s, peer, 10);
	held();
	asks(1, 1, 10);
	nothing();      /* one request at a time */
	ck_assert_int_eq(t.wake, t.now + REPAIR_PATIENCE_MS);
}
END_TEST

/* The origin does not say that it has it: those who do come before it. */
START_TEST(who_says_so)
{
	repair_heard(t.s, 3, 10);
	held();
	asks(3, 1, 10);
	t.now += REPAIR_PATIENCE_MS;
	/* It says nothing; nobody else said that he has it; then any. */
	struct repair_step step = look();
	ck_assert_int_eq(step.what, REPAIR_WANT);
}
END_TEST

/* A frame beyond the gap: somebody must have what is before it. */
START_TEST(gap_before_a_frame)
{
	ahead(5);
	held();
	struct repair_step step = look();
	ck_assert_int_eq(step.what, REPAIR_WANT);
	ck_assert_uint_eq(step.from, 1);
	ck_assert_uint_eq(step.to, 4);
	ck_assert(step.peer >= 1 && step.peer <= 4);
}
END_TEST

START_TEST(another_when_nothing_comes)
{
	bool asked[5] = { false };
	for (int peer = 1; peer <= 4; peer++)
		repair_heard(t.s, peer, 10);
	held();
	asks(1, 1, 10);
	for (int i = 0; i < 8; i++) {
		t.now += REPAIR_PATIENCE_MS - 1;
		nothing();
		t.now++;
		struct repair_step step = look();
		ck_assert_int_eq(step.what, REPAIR_WANT);
		ck_assert_uint_eq(step.from, 1);
		asked[step.peer] = true;
	}
	for (int peer = 1; peer <= 4; peer++)
		ck_assert_msg(asked[peer], "peer %d is never asked", peer);
}
END_TEST

/* Progress is an answer, however slow. When half has come the request is carried on; a full answer leads to the next at once. How
 * much is asked for goes by the size of the lines. */
START_TEST(progress)
{
	enum { MOST = REPAIR_LINES / 4, LARGE = REPAIR_BYTES / 500 };
	repair_heard(t.s, 1, 100000);
	held();
	asks(1, 1, MOST);
	for (uint64_t n = 0; n < 4; n++) {
		t.now += REPAIR_PATIENCE_MS - 1;
		stream_had(t.s, t.s->upto + 1, t.s->upto + MOST / 8);
		if (n < 3)
			nothing();
	}
	asks(1, MOST + 1, MOST + MOST / 2);
	nothing();
	t.s->gap.line_bytes = 500;
	stream_had(t.s, t.s->upto + 1, MOST + MOST / 2);
	asks(1, MOST + MOST / 2 + 1, MOST + MOST / 2 + LARGE);
	t.s->gap.line_bytes = 10;
	stream_had(t.s, t.s->upto + 1, MOST + MOST / 2 + LARGE + 3);
	asks(1, t.s->upto + 1, t.s->upto + REPAIR_LINES);
}
END_TEST

/* What a peer says it has, while it comes by itself, is not asked for; a hole in what comes is, soon. */
START_TEST(flow)
{
	repair_heard(t.s, 1, 1);
	nothing();
	for (uint64_t n = 1; n <= 5; n++) {
		t.now += REPAIR_FLOW_MS - 1;
		repair_heard(t.s, 1, n + 1);
		stream_had(t.s, n, n);
		nothing();
		ck_assert_int_eq(t.wake, t.now + REPAIR_FLOWS_MS);
	}
	t.now += 10;
	ahead(100);
	nothing();
	ck_assert_int_eq(t.wake, t.now + REPAIR_HOLD_MS);
	t.now += REPAIR_HOLD_MS;
	asks(1, 6, 99);
}
END_TEST

/* What comes, but so slowly that what is known does not come in time, is not waited for again and again. */
START_TEST(slow_flow)
{
	repair_heard(t.s, 1, 1000);
	nothing();
	int64_t until = t.now + REPAIR_FLOW_MS;
	uint64_t n = 1;
	for (; t.now + 10 < until; n++) {
		t.now += 10;
		stream_had(t.s, n, n);
		nothing();
		ck_assert_int_eq(t.wake, until);
	}
	t.now = until;
	asks(1, n, 1000);
}
END_TEST

/* It breaks off in the middle of an answer. */
START_TEST(link_changes)
{
	repair_heard(t.s, 1, 10);
	repair_heard(t.s, 2, 10);
	held();
	asks(1, 1, 10);
	t.up &= ~(UINT64_C(1) << 1);
	asks(2, 1, 10);
	/* Opened anew: what it said counts no more, and it is asked no more for what it does not say. */
	repair_link(t.s, 2);
	ck_assert_uint_eq(t.s->gap.known[2], 0);
	nothing();
	ck_assert_int_eq(t.wake, INT64_MAX);
	t.up = ALL;
	repair_heard(t.s, 2, 12);
	t.now += REPAIR_PATIENCE_MS;
	struct repair_step step = look();
	if (step.what == REPAIR_NOTHING) {
		t.now = t.wake;
		step = look();
	}
	ck_assert_int_eq(step.what, REPAIR_WANT);
	ck_assert_uint_eq(step.to, 12);
}
END_TEST

/* ---- who lacks it ---- */

static int
ask_all_and_be_refused(void)
{
	int asked = 0;
	for (;;) {
		struct repair_step step = look();
		if (step.what != REPAIR_WANT)
			return asked;
		ck_assert_int_eq(asked >> step.peer & 1, 0);
		asked |= 1 << step.peer;
		repair_gone(t.s, step.peer, step.from, step.to);
	}
}

START_TEST(given_up)
{
	int64_t began;
	int requests = 0;
	ahead(5);
	held();
	ck_assert_int_eq(ask_all_and_be_refused(), (int)ALL);
	began = t.now;
	/* Asked again now and then; and in the end, not earlier, it is passed over. */
	for (;;) {
		struct repair_step step = look();
		if (step.what == REPAIR_WANT) {
			requests++;
			repair_gone(t.s, step.peer, step.from, step.to);
			continue;
		}
		if (step.what == REPAIR_PASS) {
			ck_assert_uint_eq(step.from, 1);
			ck_assert_uint_eq(step.to, 4);
			break;
		}
		ck_assert_int_lt(t.wake, INT64_MAX);
		ck_assert_int_lt(t.now, began + 2 * GAP_MS);
		t.now = t.wake > t.now ? t.wake : t.now;
	}
	ck_assert_int_ge(t.now, began + GAP_MS);
	ck_assert_int_le(t.now, began + GAP_MS + 5 * REPAIR_PATIENCE_MS);
	ck_assert_int_gt(requests, 4);
}
END_TEST

/* As far as all agree: what one of them may have is not given up with the rest. */
START_TEST(given_up_as_a_run)
{
	ahead(21);
	held();
	int asked = 0;
	struct repair_step step;
	while ((step = look()).what != REPAIR_PASS) {
		if (step.what == REPAIR_WANT) {
			asked++;
			ck_assert_int_lt(asked, 10000);
			repair_gone(t.s, step.peer, 1, step.peer == 3 ? 7 : 20);
		} else {
			t.now += 500;
		}
	}
	ck_assert_uint_eq(step.from, 1);
	ck_assert_uint_eq(step.to, 7);
	ck_assert(stream_pass(t.s, step.to));
	/* The next run is asked for anew, of all. */
	step = look();
	if (step.what == REPAIR_NOTHING) {
		t.now = t.wake;
		step = look();
	}
	ck_assert_int_eq(step.what, REPAIR_WANT);
	ck_assert_uint_eq(step.from, 8);
	ck_assert_uint_eq(step.to, 20);
}
END_TEST

/* While nobody is up, or one that is up does not answer, nothing is given up. */
START_TEST(not_given_up)
{
	ahead(5);
	t.up = 0;
	for (int i = 0; i < 300; i++, t.now += 1000)
		nothing();
	t.up = ALL;
	for (int i = 0; i < 300; i++, t.now += 1000) {
		struct repair_step step = look();
		ck_assert_int_ne(step.what, REPAIR_PASS);
		if (step.what == REPAIR_WANT && step.peer != 4)
			repair_gone(t.s, step.peer, step.from, step.to);
	}
	/* One that opens its link when the time is all but over is asked first. */
	tear_down();
	set_up();
	ahead(5);
	t.up = 6;
	held();
	ck_assert_int_eq(ask_all_and_be_refused(), 6);
	t.now += GAP_MS - 1;
	ask_all_and_be_refused();
	t.up = 14;
	repair_link(t.s, 3);
	t.now += 2;
	struct repair_step step = look();
	ck_assert_int_eq(step.what, REPAIR_WANT);
}
END_TEST

/* News of one that lacked it: it is asked again. */
START_TEST(it_turns_up)
{
	ahead(5);
	held();
	ask_all_and_be_refused();
	nothing();
	repair_heard(t.s, 3, 4);
	asks(3, 1, 4);
}
END_TEST

/* ---- what was passed over ---- */

static struct repair_step
look_again(void)
{
	t.wake = INT64_MAX;
	return repair_look_again(t.s, t.up, t.now, &t.wake);
}

/* Every run of every peer, in one round; after the first since a link opened the next begins soon, then by the minute. */
START_TEST(asked_again)
{
	ck_assert_int_eq(look_again().what, REPAIR_NOTHING);
	stream_pass(t.s, 3);
	stream_had(t.s, 4, 5);
	stream_pass(t.s, 5 + REPAIR_LINES / 4 + 10);
	for (int round = 0; round < 3; round++) {
		int asked[2] = { 0, 0 };
		int64_t began = t.now, pause = round == 1 ? REPAIR_AGAIN_MS : REPAIR_PATIENCE_MS;
		for (;;) {
			struct repair_step step = look_again();
			if (step.what == REPAIR_WANT) {
				int run = step.from == 1 ? 0 : 1;
				ck_assert_uint_eq(step.from, run == 0 ? 1 : 6);
				ck_assert_uint_eq(step.to, run == 0 ? 3 : 5 + REPAIR_LINES / 4);
				ck_assert_int_eq(asked[run] >> step.peer & 1, 0);
				asked[run] |= 1 << step.peer;
			} else if (t.wake >= t.now + REPAIR_PATIENCE_MS) {
				ck_assert_int_eq(t.wake, t.now + pause);
				break;
			} else {
				ck_assert_int_gt(t.wake, t.now);
				t.now = t.wake;
			}
		}
		ck_assert_int_eq(asked[0], (int)ALL);
		ck_assert_int_eq(asked[1], (int)ALL);
		ck_assert_int_lt(t.now, began + 10000);
		t.now += pause - 1;
		ck_assert_int_eq(look_again().what, REPAIR_NOTHING);
		if (round == 0)
			t.now++;
		else
			repair_link(t.s, 2);
	}
	t.up = 0;
	t.now += 2 * REPAIR_AGAIN_MS;
	ck_assert_int_eq(look_again().what, REPAIR_NOTHING);
}
END_TEST

static void
add_case(Suite *s, const char *name, const TTest *test)
{
	TCase *c = unit_case(s, name);
	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, test);
}
#define ADD(test) add_case(s, #test, test)

static void
add(Suite *s)
{
	ADD(nothing_to_ask_for);
	ADD(origin_first);
	ADD(who_says_so);
	ADD(gap_before_a_frame);
	ADD(another_when_nothing_comes);
	ADD(progress);
	ADD(flow);
	ADD(slow_flow);
	ADD(link_changes);
	ADD(given_up);
	ADD(given_up_as_a_run);
	ADD(not_given_up);
	ADD(it_turns_up);
	ADD(asked_again);
}

int
main(void)
{
	return unit_main("repair", add);
}
