/* SPDX-License-Identifier: MIT
 * check_sprog_numbered.c - libsprog in the numbered form: whatever a member does to a conversation, each message is
 * settled, and logged once. */
#include "sprog_numbered.h"

static void
submit_and_wait(struct sprog *s, int n)
{
	submit_numbers(s, n);
	ck_assert_int_eq(sprog_wait(s, STUB_DEADLINE_MS), SPROG_OK);
	each_once((uint64_t)n);
	ck_assert_msg(seen.count[SPROG_OK] == n, "%d of %d, %s", seen.count[SPROG_OK], n, seen.reason);
}

START_TEST(one_after_the_other)
{
	nr_start(1);
	struct sprog *s = open_host(nr.port[0], 0, 0);
	ck_assert_int_eq(send_text(s, "quit"), SPROG_OK);
	ck_assert_int_eq(send_text(s, "keepAlive"), SPROG_OK);
	ck_assert_int_eq(send_text(s, "HELLO zog/1 client=x"), SPROG_OK);
	sprog_close(&s);
	nr_stop();
	ck_assert_int_eq((int)strlen(nr.hello), (int)strlen("HELLO zog/1 client=") + 16);
	ck_assert_int_eq((int)nr.logged, 3);
	ck_assert_int_eq(nr.connections[0], 1);
	for (size_t i = 0; i < nr.lines; i++)
		ck_assert_uint_eq(nr.number[i], i + 1);
}
END_TEST

/* Many, an ok for each or one for many; numbers of all lengths. */
START_TEST(many)
{
	enum { MANY = 120000 };
	static const struct nr_script one_ok[] = {{ .one_ok = true }};
	if (_i == 1)
		nr_play(0, one_ok);
	nr_start(1);
	struct sprog *s = open_host(nr.port[0], 0, 3000);
	submit_and_wait(s, MANY);
	ck_assert(!seen.disorder);
	sprog_close(&s);
	nr_stop();
	nr_each_once(MANY);
	for (size_t i = 0; i < nr.lines; i++)
		if (nr.number[i] != i + 1)
			ck_abort_msg("line %zu has number %" PRIu64, i + 1, nr.number[i]);
}
END_TEST

/* The conversation is cut at each of its points, and at several lines; all goes on at the same member (loop 0) or at
 * another (1), with the same numbers, in order. */
START_TEST(cut_anywhere)
{
	enum { MANY = 100 };
	static const long lines[] = { 1, 2, 50, MANY };
	int members = _i % 2 + 1, reset = _i / 2 % 2, at = _i / 4 % 4, cut = _i / 16 + 1;
	struct nr_script script[] = {{ .cut = (enum nr_cut)cut, .at = lines[at], .reset = reset }, { .at = 0 }};
	for (int m = 0; m < members; m++)
		nr_play(m, script);
	nr_start(members);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	o.choice = SPROG_ROUND_ROBIN;
	struct sprog *s = nr_open(&o);
	submit_and_wait(s, MANY);
	sprog_close(&s);
	nr_stop();
	nr_each_once(MANY);
	/* Logged and not answered came a second time; no more than that. */
	if (cut < NR_LINE)
		ck_assert_int_eq((int)nr.doubled, 0);
}
END_TEST

/* The next member gets what was not settled, with the same numbers, in the same order. */
START_TEST(next_member_same_numbers)
{
	enum { MANY = 200, SETTLED = 30, CUT = 120 };
	static const struct nr_script script[] = {{ .cut = NR_LOGGED, .at = CUT, .error = "unconfirmed: 1 of 2",
	    .error_at = SETTLED + 1, .errors = MANY, .error_logs = true }};
	nr_play(0, script);
	nr_start(2);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	o.window = 1000;
	o.choice = SPROG_ROUND_ROBIN;
	struct sprog *s = nr_open(&o);
	submit_and_wait(s, MANY);
	sprog_close(&s);
	nr_stop();
	nr_each_once(MANY);
	/* What member 0 logged without saying so has come to member 1 under its number. */
	uint64_t last = 0;
	for (size_t i = 0; i < nr.lines; i++) {
		if (nr.by[i] != 1)
			continue;
		bool old = nr.number[i] <= CUT;
		if (old) {
			ck_assert_uint_gt(nr.number[i], last);
			last = nr.number[i];
		}
	}
}
END_TEST

/* Members die one after the other, again and again, at lines that chance chooses; what has been asked for meanwhile,
 * and by three members at once, is settled once. */
START_TEST(dying_members)
{
	enum { MANY = 20000, DEATHS = 5 };
	static struct nr_script script[NR_MEMBERS][DEATHS + 1];
	uint64_t random = (uint64_t)_i * 7919 + 1;
	for (int m = 0; m < NR_MEMBERS; m++) {
		for (int i = 0; i < DEATHS; i++) {
			random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
			script[m][i].cut = (enum nr_cut)(NR_ACCEPT + random / 65536 % (NR_CUTS - NR_ACCEPT));
			script[m][i].at = 1 + (long)(random >> 40) % 400;
			script[m][i].reset = random >> 20 & 1;
			script[m][i].one_ok = random >> 21 & 1;
		}
		nr_play(m, script[m]);
	}
	nr_start(NR_MEMBERS);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	o.choice = _i % 2;
	o.window = _i % 3 == 0 ? 50 : 1000;
	o.seed = (uint64_t)_i + 1;
	struct sprog *s = nr_open(&o);
	submit_and_wait(s, MANY);
	sprog_close(&s);
	nr_stop();
	nr_each_once(MANY);
}
END_TEST

/* What passes is tried again: at the same member, where there is no other. */
START_TEST(refused_for_a_while)
{
	static const char *const reasons[] = { "unconfirmed: 1 of 3", "disk full", "journal not writable",
	    "out of memory or descriptors" };
	struct nr_script script[] = {
		{ .error = reasons[_i / 2], .error_at = 3, .errors = 4, .error_logs = _i / 2 == 0 } };
	nr_play(0, script);
	nr_start(1 + _i % 2);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	o.choice = SPROG_ROUND_ROBIN;
	o.window = 15;          /* too few for runs: one for each in turn */
	struct sprog *s = nr_open(&o);
	submit_and_wait(s, 20);
	sprog_close(&s);
	nr_stop();
	nr_each_once(20);
	ck_assert_int_ge((int)nr.doubled, _i / 2 == 0 ? 4 : 0);
}
END_TEST

/* ... until its time is up. */
START_TEST(refused_for_ever)
{
	struct nr_script script[] = {{ .error = _i == 0 ? "unconfirmed: 1 of 3" : "disk full", .error_at = 1,
	    .errors = 1000, .error_logs = _i == 0 }};
	nr_play(0, script);
	nr_start(1);
	struct sprog *s = open_host(nr.port[0], 400, 0);
	int64_t began = clock_mono_ms();
	int status = send_text(s, "one");
	ck_assert_int_ge(clock_mono_ms() - began, 400);
	ck_assert_int_eq(status, _i == 0 ? SPROG_UNKNOWN : SPROG_ERROR);
	ck_assert_ptr_nonnull(strstr(sprog_reason(s), script[0].error));
	sprog_close(&s);
	nr_stop();
	ck_assert_int_gt((int)nr.lines, 1);
	for (size_t i = 0; i < nr.lines; i++)
		ck_assert_uint_eq(nr.number[i], 1);
}
END_TEST

START_TEST(refused_for_good)
{
	static const struct nr_script script[] = {
		{ .error = "number used for another text", .error_at = 2, .errors = 1, .one_ok = true } };
	static const struct nr_script text[] = {{ .error = "bad UTF-8", .error_at = 2, .errors = 1 }};
	if (_i == 0)
		nr_play(0, script);
	else
		nr_play(0, text);
	nr_start(1);
	struct sprog *s = open_host(nr.port[0], 0, 0);
	submit_numbers(s, 10);
	ck_assert_int_eq(sprog_wait(s, STUB_DEADLINE_MS), SPROG_OK);
	each_once(10);
	ck_assert_int_eq(seen.count[SPROG_OK], 9);
	ck_assert_int_eq(seen.count[_i == 0 ? SPROG_NUMBER : SPROG_ERROR], 1);
	sprog_close(&s);
	nr_stop();
	ck_assert_int_eq(nr.connections[0], 1);
	ck_assert_int_eq((int)nr.lines, 10);
}
END_TEST

START_TEST(fixed_token)
{
	nr.known = 4711;
	nr_start(2);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	o.client = "me.and-you_2";
	o.ack = "majority";
	struct sprog *s = nr_open(&o);
	submit_and_wait(s, 100);
	sprog_close(&s);
	nr_stop();
	nr_each_once(100);
	ck_assert_str_eq(nr.hello, "HELLO zog/1 client=me.and-you_2 ack=majority");
	uint64_t least = UINT64_MAX;
	for (size_t i = 0; i < nr.lines; i++)
		least = nr.number[i] < least ? nr.number[i] : least;
	ck_assert_uint_eq(least, 4712);
}
END_TEST

/* Each member has numbers of its own: what is one connection's is one range. */
START_TEST(ranges)
{
	enum { MANY = 30000 };
	nr_start(NR_MEMBERS);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	o.choice = _i;
	struct sprog *s = nr_open(&o);
	submit_and_wait(s, MANY);
	sprog_close(&s);
	nr_stop();
	nr_each_once(MANY);
	uint64_t last[NR_MEMBERS] = { 0 };
	for (size_t i = 0; i < nr.lines; i++) {
		uint64_t *l = &last[nr.by[i]];
		if (*l != 0 && nr.number[i] != *l + 1)
			ck_abort_msg("%" PRIu64 " after %" PRIu64, nr.number[i], *l);
		*l = nr.number[i];
	}
}
END_TEST

/* A member that answers HELLO and no more, one that answers not even that: their share goes to the others. */
START_TEST(silent_members)
{
	static const struct nr_script deaf[] = {{ .deaf = true }};
	static const struct nr_script stopped[] = {{ .stopped = true }};
	if (_i == 0)
		nr_play(0, deaf);
	else
		nr_play(0, stopped);
	nr_start(2);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	o.choice = SPROG_ROUND_ROBIN;
	o.timeout_ms = 3000;
	struct sprog *s = nr_open(&o);
	submit_and_wait(s, 1000);
	sprog_close(&s);
	nr_stop();
	nr_each_once(1000);
}
END_TEST

START_TEST(nobody_settles)
{
	static const struct nr_script deaf[] = {{ .deaf = true }};
	nr_play(0, deaf);
	nr_play(1, deaf);
	nr_start(2);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	o.timeout_ms = 500;
	struct sprog *s = nr_open(&o);
	submit_numbers(s, 10);
	ck_assert_int_eq(sprog_wait(s, STUB_DEADLINE_MS), SPROG_OK);
	each_once(10);
	ck_assert_int_eq(seen.count[SPROG_UNKNOWN], 10);
	sprog_close(&s);
	buf_fini(&seen.unknown);
	nr_stop();
	nr_each_once(10);
}
END_TEST

START_TEST(cancelled_and_closed)
{
	static const struct nr_script deaf[] = {{ .deaf = true }};
	nr_play(0, deaf);
	nr_start(1);
	struct sprog *s = open_host(nr.port[0], 0, 0);
	submit_numbers(s, 5);
	for (bool there = false; !there; ) {
		ck_assert_int_eq(sprog_poll(s, 1), 0);
		pthread_mutex_lock(&nr.lock);
		there = nr.lines == 5;
		pthread_mutex_unlock(&nr.lock);
	}
	ck_assert_int_eq(sprog_submit(s, "late", 4, NULL), SPROG_OK);
	ck_assert_int_eq(sprog_cancel(s), 1);
	sprog_close(&s);
	each_once(6);
	ck_assert_int_eq(seen.count[SPROG_UNKNOWN], 5);
	ck_assert_int_eq(seen.count[SPROG_CANCELLED], 1);
	buf_fini(&seen.unknown);
	nr_stop();
}
END_TEST

/* All say no to what was asked for, or are something else. */
START_TEST(hello_refused)
{
	static const struct { const char *reply, *ack; int status; } table[] = {
		{ "error bad ack level\r\n", "5", SPROG_ARGUMENT },
		{ "error bad client token\r\n", NULL, SPROG_ARGUMENT },
		{ "error not allowed\r\n", NULL, SPROG_FORBIDDEN },
		{ "SSH-2.0-OpenSSH\r\n", NULL, SPROG_PROTOCOL },
		{ "OK zog/2 last=0\r\n", NULL, SPROG_PROTOCOL },
		{ "ok\r\n", "2", SPROG_PROTOCOL },
		{ "error what\r\n", "all", SPROG_PROTOCOL },
	};
	struct nr_script script[] = {{ .hello = table[_i].reply }};
	nr_play(0, script);
	nr_play(1, script);
	nr_start(2);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	o.ack = table[_i].ack;
	struct sprog *s = nr_open(&o);
	int64_t began = clock_mono_ms();
	ck_assert_int_eq(send_text(s, "one"), table[_i].status);
	ck_assert_int_lt(clock_mono_ms() - began, STUB_DEADLINE_MS);
	sprog_close(&s);
	nr_stop();
	ck_assert_int_eq((int)nr.lines, 0);
}
END_TEST

/* Replies that are none of the protocol's: the connection is given up, and all of it sent again. */
START_TEST(nonsense)
{
	static const char *const errors[] = { "number does not grow", "disk full\r\nbanana", "disk full\r\nok 99",
	    "disk full\r\nok", "disk full\r\nok 01x", "disk full\r\nerror 77 what", "disk full\r\nerror no" };
	struct nr_script script[] = {
		{ .error = errors[_i], .error_at = 5, .errors = 1 }, { .at = 0 } };
	nr_play(0, script);
	nr_start(1);
	struct sprog *s = open_host(nr.port[0], 0, 0);
	submit_and_wait(s, 20);
	sprog_close(&s);
	nr_stop();
	nr_each_once(20);
	ck_assert_int_ge(nr.connections[0], 2);
}
END_TEST

/* A member that speaks the plain form gets the text alone, on a connection of its own where HELLO was an error. */
START_TEST(plain_member)
{
	static const struct stub_script ok[] = {{ .no_hello = "ok\r\n" }};
	static const struct stub_script error[] = {{ .no_hello = "error no such thing\r\n" }};
	struct stub x;
	stub_start_at(&x, "127.0.0.1", _i == 0 ? ok : error, 1);
	nr_start(1);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	char file[64];
	stub_ring(file, (uint16_t[]){ x.port, nr.port[0] }, 2);
	o.ring_file = file;
	o.choice = SPROG_ROUND_ROBIN;
	o.window = 15;
	struct sprog *s = open_with(&o);
	unlink(file);
	submit_and_wait(s, 1000);
	sprog_close(&s);
	stub_stop(&x);
	nr_stop();
	ck_assert_int_eq((int)(nr.logged + x.lines), 1000);
	ck_assert_int_gt((int)nr.logged, 0);
	ck_assert_int_gt((int)x.lines, 0);
	ck_assert_int_eq(x.connections, _i + 1);
	stub_free(&x);
}
END_TEST

/* Lines in pieces of any size, to members of whom one refuses some for a while: each once, and what becomes of it is
 * told with its tag. */
static int told[30001];

static void
tell(void *context, const struct sprog_result *r)
{
	char text[16];
	(void)context;
	snprintf(text, sizeof text, "%d", (int)(uintptr_t)r->tag);
	if (r->status != SPROG_OK || r->length != strlen(text) || memcmp(r->text, text, r->length) != 0)
		ck_abort_msg("'%.*s', tag %s", (int)r->length, r->text, text);
	told[(uintptr_t)r->tag]++;
}

START_TEST(lines_in_pieces)
{
	enum { MANY = 30000 };
	static const struct nr_script script[] = {
		{ .error = "disk full", .error_at = 100, .errors = 300 }, { .at = 0 } };
	nr_play(0, script);
	nr_start(NR_MEMBERS);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	char file[64];
	stub_ring(file, nr.port, nr.members);
	o.ring_file = file;
	o.choice = _i;
	o.window = 997;
	o.settled = tell;
	struct sprog *s;
	ck_assert_int_eq(sprog_open(&s, &o), SPROG_OK);
	unlink(file);
	struct buf b = BUF_INIT;
	for (int i = 1; i <= MANY; i++)
		buf_printf(&b, i % 3 == 0 ? "%d\r\n" : "%d\n", i);
	size_t at = 0, piece = 1, count;
	uintptr_t next = 1;
	while (at < b.len) {
		size_t n = piece < b.len - at ? piece : b.len - at;
		at += sprog_submit_lines(s, buf_begin(&b) + at, n, next, &count);
		next += count;
		piece = count > 0 || sprog_room(s) == 0 ? piece * 7 % 4001 : piece + 3;
		if (sprog_room(s) == 0 || piece % 5 == 0)
			ck_assert_int_ge(sprog_poll(s, sprog_room(s) == 0 ? -1 : 0), 0);
	}
	ck_assert_int_eq(sprog_wait(s, STUB_DEADLINE_MS), SPROG_OK);
	sprog_close(&s);
	buf_fini(&b);
	nr_stop();
	nr_each_once(MANY);
	for (int i = 1; i <= MANY; i++)
		ck_assert_int_eq(told[i], 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sprog, numbered");
	TCase *t = tcase_create("libsprog");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, one_after_the_other);
	tcase_add_loop_test(t, many, 0, 2);
	tcase_add_loop_test(t, cut_anywhere, 0, 16 * (NR_CUTS - 1));
	tcase_add_test(t, next_member_same_numbers);
	tcase_add_loop_test(t, dying_members, 0, 12);
	tcase_add_loop_test(t, refused_for_a_while, 0, 8);
	tcase_add_loop_test(t, refused_for_ever, 0, 2);
	tcase_add_loop_test(t, refused_for_good, 0, 2);
	tcase_add_test(t, fixed_token);
	tcase_add_loop_test(t, ranges, 0, 2);
	tcase_add_loop_test(t, silent_members, 0, 2);
	tcase_add_test(t, nobody_settles);
	tcase_add_test(t, cancelled_and_closed);
	tcase_add_loop_test(t, hello_refused, 0, 7);
	tcase_add_loop_test(t, nonsense, 0, 7);
	tcase_add_loop_test(t, plain_member, 0, 2);
	tcase_add_loop_test(t, lines_in_pieces, 0, 2);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
