/* SPDX-License-Identifier: MIT
 * check_sprog_faults.c - libsprog with members that die, hang, refuse, or talk nonsense: each
 * message has one outcome, the right one, and goes to another member only where that is safe. */
#include "sprog_seen.h"

/* What was sent and not answered is unknown, each once, and the next message goes over a new
 * connection. */
START_TEST(cut_in_flight)
{
	static const struct stub_script close_script[] = {
		{ .answers = 5, .then = STUB_CLOSE }, { .answers = 0 } };
	static const struct stub_script reset_script[] = {
		{ .answers = 5, .then = STUB_RESET }, { .answers = 0 } };
	struct stub x;
	ck_assert(stub_start_at(&x, "127.0.0.1", _i == 0 ? close_script : reset_script, 2));
	struct sprog *s = open_host(x.port, 0, 0);
	submit_numbers(s, 20);
	ck_assert_int_eq(sprog_wait(s, STUB_DEADLINE_MS), SPROG_OK);
	each_once(20);
	/* A reset may overtake replies. */
	if (_i == 0)
		ck_assert_int_eq(seen.count[SPROG_OK], 5);
	ck_assert_int_eq(seen.count[SPROG_OK] + seen.count[SPROG_UNKNOWN], 20);
	ck_assert_int_ge(seen.count[SPROG_UNKNOWN], 15);
	ck_assert_int_eq(send_text(s, "on"), SPROG_OK);
	sprog_close(&s);
	stub_stop(&x);
	ck_assert_int_eq(x.connections, 2);
	stub_free(&x);
}
END_TEST

/* A member that takes nothing more: what does not fit into the sockets is not lost with it. */
START_TEST(cut_while_writing)
{
	enum { MANY = 60000, LENGTH = 400 };
	static const struct stub_script deaf[] = {{ .deaf = true }};
	struct stub x, y;
	stub_start(&x, deaf);
	stub_start(&y, stub_good);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	char file[64], text[LENGTH];
	stub_ring(file, (uint16_t[]){ x.port, y.port }, 2);
	o.ring_file = file;
	o.choice = SPROG_ROUND_ROBIN;
	o.window = MANY;
	struct sprog *s = open_with(&o);
	unlink(file);
	memset(text, '.', sizeof text);
	for (int i = 1; i <= MANY; i++) {
		text[snprintf(text, sizeof text, "%d", i)] = '.';
		ck_assert_int_eq(sprog_submit(s, text, sizeof text, NULL), SPROG_OK);
	}
	/* Much of what the other one got, and the sockets of this one are full. */
	while (seen.count[SPROG_OK] < MANY / 4)
		ck_assert_int_ge(sprog_poll(s, -1), 0);
	stub_stop(&x);
	ck_assert_int_eq(sprog_wait(s, STUB_DEADLINE_MS), SPROG_OK);
	each_once(MANY);
	sprog_close(&s);
	stub_stop(&y);
	ck_assert_int_eq(seen.count[SPROG_OK], (int)y.lines);
	ck_assert_int_eq(seen.count[SPROG_OK] + seen.count[SPROG_UNKNOWN], MANY);
	ck_assert_int_gt(seen.count[SPROG_UNKNOWN], 0);
	ck_assert_int_gt(seen.count[SPROG_OK], MANY / 2);
	/* None of the unknown was sent again. */
	char *there = calloc(MANY + 1, 1);
	for (char *line = buf_begin(&y.text); *line != '\0'; line += LENGTH + 1)
		there[atoi(line)]++;
	char *end = buf_begin(&seen.unknown) + seen.unknown.len;
	for (char *line = buf_begin(&seen.unknown); line < end; line += LENGTH + 1)
		there[atoi(line)]++;
	for (int i = 1; i <= MANY; i++)
		ck_assert_int_eq(there[i], 1);
	free(there);
	buf_fini(&seen.unknown);
	stub_free(&x);
	stub_free(&y);
}
END_TEST

START_TEST(next_member)
{
	uint16_t ports[3];
	struct stub x;
	int a = stub_nobody(&ports[0]), b = stub_nobody(&ports[1]);
	stub_start(&x, stub_good);
	ports[2] = x.port;
	struct sprog *s = open_ring(ports, 3, _i == 0 ? SPROG_RANDOM : SPROG_ROUND_ROBIN, 0);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(send_text(s, "hello"), SPROG_OK);
	ck_assert_ptr_nonnull(strstr(sprog_trouble(s), "m1: Connection refused"));
	submit_numbers(s, 100);
	ck_assert_int_eq(sprog_wait(s, -1), SPROG_OK);
	ck_assert_int_eq(seen.count[SPROG_OK], 100);
	ck_assert_str_eq(seen.member, "m3");
	sprog_close(&s);
	stub_stop(&x);
	ck_assert_int_eq((int)x.lines, 120);
	stub_free(&x);
	close(a);
	close(b);
}
END_TEST

START_TEST(nobody_there)
{
	uint16_t ports[2];
	int a = stub_nobody(&ports[0]), b = stub_nobody(&ports[1]);
	struct sprog *s = open_ring(ports, 2, SPROG_RANDOM, 250);
	int64_t began = clock_mono_ms();
	ck_assert_int_eq(send_text(s, "hello"), SPROG_UNREACHABLE);
	ck_assert_int_ge(clock_mono_ms() - began, 250);
	ck_assert_str_eq(sprog_reason(s), "m1: Connection refused; m2: Connection refused");
	ck_assert_int_eq(sprog_submit(s, "hello", 5, NULL), SPROG_OK);
	ck_assert_int_eq(sprog_poll(s, 1), 0);
	ck_assert_int_eq(sprog_cancel(s), 1);
	ck_assert_int_eq(seen.count[SPROG_CANCELLED], 1);
	sprog_close(&s);
	close(a);
	close(b);
}
END_TEST

/* Turned away at the door: to be sent to the next is safe, though it was written. */
START_TEST(turned_away)
{
	static const struct stub_script crowded[] = {{ .greeting = "error too many clients\r\n" }};
	static const struct stub_script forbidden[] = {{ .greeting = "error not allowed\r\n" }};
	struct stub x, y, z;
	stub_start(&x, crowded);
	stub_start(&y, forbidden);
	stub_start(&z, stub_good);
	uint16_t ports[3] = { x.port, y.port, z.port };

	struct sprog *s = open_ring(ports, 3, SPROG_ROUND_ROBIN, 0);
	submit_numbers(s, 300);
	ck_assert_int_eq(sprog_wait(s, STUB_DEADLINE_MS), SPROG_OK);
	ck_assert_int_eq(seen.count[SPROG_OK], 300);
	sprog_close(&s);

	s = open_ring(ports, 2, SPROG_RANDOM, 250);
	ck_assert_int_eq(send_text(s, "hello"), SPROG_CROWDED);
	sprog_close(&s);

	s = open_ring(ports + 1, 1, SPROG_RANDOM, STUB_DEADLINE_MS * 2);
	int64_t began = clock_mono_ms();
	ck_assert_int_eq(send_text(s, "hello"), SPROG_FORBIDDEN);
	ck_assert_int_lt(clock_mono_ms() - began, STUB_DEADLINE_MS);
	sprog_close(&s);
	stub_stop(&x);
	stub_stop(&y);
	stub_stop(&z);
	ck_assert_int_eq((int)z.lines, 300);
	stub_free(&x);
	stub_free(&y);
	stub_free(&z);
}
END_TEST

/* What did not fit into the sockets of a member that takes nothing is known not to have been
 * sent. */
START_TEST(deaf_member)
{
	enum { MANY = 60000, LENGTH = 400 };
	static const struct stub_script deaf[] = {{ .deaf = true }};
	struct stub x;
	stub_start(&x, deaf);
	struct sprog *s = open_host(x.port, 1500, MANY);
	char text[LENGTH];
	memset(text, '.', sizeof text);
	for (int i = 0; i < MANY; i++)
		if (sprog_submit(s, text, sizeof text, NULL) != SPROG_OK)
			ck_abort();     /* an assert of Check's costs more than the message */
	ck_assert_int_eq(sprog_wait(s, STUB_DEADLINE_MS), SPROG_OK);
	each_once(MANY);
	ck_assert_int_gt(seen.count[SPROG_UNKNOWN], 0);
	ck_assert_int_gt(seen.count[SPROG_UNREACHABLE], 0);
	ck_assert_int_eq(seen.count[SPROG_UNKNOWN] + seen.count[SPROG_UNREACHABLE], MANY);
	sprog_close(&s);
	buf_fini(&seen.unknown);
	stub_stop(&x);
	stub_free(&x);
}
END_TEST

/* A member that dies of every message gets a window once, and from then on one at a time. */
START_TEST(crashing_member)
{
	static const struct stub_script crash[] = {{ .answers = 1, .odd = 1, .odd_reply = "" }};
	struct stub x, y;
	stub_start(&x, crash);
	stub_start(&y, stub_good);
	struct sprog *s = open_ring((uint16_t[]){ x.port, y.port }, 2, SPROG_ROUND_ROBIN, 0);
	int64_t until = clock_mono_ms() + STUB_DEADLINE_MS;
	while (stub_connections(&x) < 4 && clock_mono_ms() < until) {
		while (sprog_in_flight(s) < 200)
			ck_assert_int_eq(sprog_submit(s, "hello", 5, NULL), SPROG_OK);
		ck_assert_int_ge(sprog_poll(s, -1), 0);
	}
	ck_assert_int_eq(sprog_wait(s, STUB_DEADLINE_MS), SPROG_OK);
	sprog_close(&s);
	stub_stop(&x);
	stub_stop(&y);
	ck_assert_int_ge(x.connections, 4);
	ck_assert_int_ge(seen.count[SPROG_UNKNOWN], 1);
	ck_assert_int_le(seen.count[SPROG_UNKNOWN], 200 + x.connections - 1);
	ck_assert_int_eq(seen.count[SPROG_OK], (int)y.lines);
	stub_free(&x);
	stub_free(&y);
}
END_TEST

START_TEST(comes_back)
{
	struct stub x;
	uint16_t port;
	int fd = stub_nobody(&port);
	struct sprog *s = open_host(port, 0, 0);
	submit_numbers(s, 10);
	while (strstr(sprog_trouble(s), "refused") == NULL)
		ck_assert_int_eq(sprog_poll(s, 1), 0);
	ck_assert_int_eq(listen(fd, 10), 0);
	stub_start_with(&x, fd, port, stub_good, 1);
	ck_assert_int_eq(sprog_wait(s, STUB_DEADLINE_MS), SPROG_OK);
	each_once(10);
	ck_assert_int_eq(seen.count[SPROG_OK], 10);
	ck_assert_str_eq(sprog_trouble(s), "");
	sprog_close(&s);
	stub_stop(&x);
	ck_assert_str_eq(buf_begin(&x.text), "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
	stub_free(&x);
}
END_TEST

START_TEST(no_answer)
{
	static const struct stub_script script[] = {
		{ .answers = 1, .then = STUB_SILENT }, { .answers = 0 } };
	struct stub x;
	stub_start(&x, script);
	struct sprog *s = open_host(x.port, 100, 0);
	ck_assert_int_eq(send_text(s, "one"), SPROG_OK);
	ck_assert_int_eq(sprog_submit(s, "two", 3, NULL), SPROG_OK);
	ck_assert_int_eq(sprog_wait(s, -1), SPROG_OK);
	ck_assert_int_eq(seen.count[SPROG_UNKNOWN], 1);
	ck_assert_str_eq(seen.reason, "no answer in time");
	/* Each message has its own time; this one outlives the connection it cannot use. */
	ck_assert_int_eq(sprog_send(s, "three", 5, STUB_DEADLINE_MS), SPROG_OK);
	sprog_close(&s);
	stub_stop(&x);
	ck_assert_int_eq(x.connections, 2);
	stub_free(&x);
}
END_TEST

/* A member that stands still holds up what it was given, not what goes to the others. */
START_TEST(still_member)
{
	enum { MANY = 5000, WINDOW = 100, SHARE = WINDOW * 3 / 4 + 1 };
	static const struct stub_script script[] = {{ .answers = -1, .then = STUB_SILENT }};
	struct stub x, y;
	stub_start(&x, script);
	stub_start(&y, stub_good);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	char file[64];
	stub_ring(file, (uint16_t[]){ x.port, y.port }, 2);
	o.ring_file = file;
	o.choice = _i == 0 ? SPROG_RANDOM : SPROG_ROUND_ROBIN;
	o.window = WINDOW;
	struct sprog *s = open_with(&o);
	unlink(file);
	submit_numbers(s, MANY);
	int64_t until = clock_mono_ms() + STUB_DEADLINE_MS;
	while (seen.count[SPROG_OK] < MANY - SHARE && clock_mono_ms() < until)
		ck_assert_int_ge(sprog_poll(s, 100), 0);
	ck_assert_int_ge(seen.count[SPROG_OK], MANY - SHARE);
	ck_assert_int_eq(seen.count[SPROG_OK], total());
	sprog_close(&s);
	each_once(MANY);
	buf_fini(&seen.unknown);
	stub_stop(&x);
	stub_stop(&y);
	stub_free(&x);
	stub_free(&y);
}
END_TEST

/* A member that is late with one answer gets no further messages, though others still wait
 * there. */
START_TEST(late_member)
{
	static const struct stub_script script[] = {{ .answers = -1, .then = STUB_SILENT }};
	struct stub x, y;
	stub_start(&x, script);
	stub_start(&y, stub_good);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	char file[64];
	stub_ring(file, (uint16_t[]){ x.port, y.port }, 2);
	o.ring_file = file;
	o.choice = SPROG_ROUND_ROBIN;
	o.timeout_ms = 1000;   /* two more must be sent within it */
	o.window = 31;          /* too few for runs */
	struct sprog *s = open_with(&o);
	unlink(file);
	/* One of the two goes to it, and so does one of the next two, with a longer time. */
	submit_numbers(s, 2);
	seen.burst = 20;
	int status[2];
	for (int i = 0; i < 2; i++)
		status[i] = sprog_send(s, "long", 4, 3000);
	ck_assert(status[0] == SPROG_UNKNOWN || status[1] == SPROG_UNKNOWN);
	ck_assert(status[0] == SPROG_OK || status[1] == SPROG_OK);
	ck_assert_int_eq(sprog_wait(s, STUB_DEADLINE_MS), SPROG_OK);
	ck_assert_int_eq(total(), 22);
	ck_assert_int_eq(seen.count[SPROG_UNKNOWN], 1);
	sprog_close(&s);
	buf_fini(&seen.unknown);
	stub_stop(&x);
	stub_stop(&y);
	stub_free(&x);
	stub_free(&y);
}
END_TEST

START_TEST(no_protocol)
{
	static const char *const replies[] = {
		"banana\r\n", "okay\r\n", "ack\r\n", "errors\r\n", "ok\r\nok\r\n" };
	struct stub_script script[] = {{ .odd = 1, .odd_reply = replies[_i] }, { .answers = 0 }};
	struct stub x;
	stub_start(&x, script);
	struct sprog *s = open_host(x.port, 0, 0);
	/* One answer too many is found out only after the right one. */
	int status = send_text(s, "one");
	ck_assert_int_eq(status, _i == 4 ? SPROG_OK : SPROG_PROTOCOL);
	ck_assert_int_eq(send_text(s, "two"), SPROG_OK);
	sprog_close(&s);
	stub_stop(&x);
	ck_assert_int_eq(x.connections, 2);
	stub_free(&x);
}
END_TEST

/* Servers close what is idle: not one message may be lost by that. */
START_TEST(idle_connection_closed)
{
	static const struct stub_script script[] = {{ .answers = 1, .then = STUB_CLOSE }};
	struct stub x;
	stub_start(&x, script);
	struct sprog *s = open_host(x.port, 0, 0);
	for (int i = 1; i <= 20; i++) {
		ck_assert_int_eq(send_text(s, "hello"), SPROG_OK);
		/* Nothing is in flight: nothing is waited for, but the end of the connection is
		 * there to be seen. */
		struct pollfd fds[SPROG_MAX_FDS];
		int timeout_ms;
		ck_assert_int_eq(sprog_pollfds(s, fds, SPROG_MAX_FDS, &timeout_ms), 1);
		ck_assert_int_eq(timeout_ms, -1);
		ck_assert_int_eq(poll(fds, 1, STUB_DEADLINE_MS), 1);
	}
	sprog_close(&s);
	stub_stop(&x);
	ck_assert_int_eq(x.connections, 20);
	stub_free(&x);
}
END_TEST

START_TEST(idle_connection_renewed)
{
	struct stub x;
	stub_start(&x, stub_good);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	o.host = "127.0.0.1";
	o.port = x.port;
	o.idle_ms = 1;
	struct sprog *s = open_with(&o);
	ck_assert_int_eq(send_text(s, "one"), SPROG_OK);
	int64_t until = clock_mono_ms() + 3;
	while (clock_mono_ms() < until)
		;
	ck_assert_int_eq(send_text(s, "two"), SPROG_OK);
	sprog_close(&s);
	stub_stop(&x);
	ck_assert_int_eq(x.connections, 2);
	stub_free(&x);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sprog, faults");
	TCase *t = tcase_create("libsprog");
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, cut_in_flight, 0, 2);
	tcase_add_test(t, cut_while_writing);
	tcase_add_loop_test(t, next_member, 0, 2);
	tcase_add_test(t, nobody_there);
	tcase_add_test(t, turned_away);
	tcase_add_test(t, deaf_member);
	tcase_add_test(t, crashing_member);
	tcase_add_test(t, comes_back);
	tcase_add_test(t, no_answer);
	tcase_add_loop_test(t, still_member, 0, 2);
	tcase_add_test(t, late_member);
	tcase_add_loop_test(t, no_protocol, 0, 5);
	tcase_add_test(t, idle_connection_closed);
	tcase_add_test(t, idle_connection_renewed);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
