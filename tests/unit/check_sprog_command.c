/* SPDX-License-Identifier: MIT
 * check_sprog_command.c - the command sprog: what is sent, when, and where to; input and
 * signals. */
#include "sprog_child.h"

START_TEST(help_and_version)
{
	run("--help");
	is(0, NULL, "");
	says(0, "Usage: sprog");
	says(0, "(default 32-47)");
	ck_assert_str_eq(said(0) + c.text[0].len - 32, "Report bugs to the zog project.\n");
	for (const char *line = said(0); *line != '\0'; line = strchr(line, '\n') + 1)
		ck_assert_int_le((int)strcspn(line, "\n"), 80);
	run("-V");
	is(0, NULL, "");
	says(0, "sprog (zog) ");
	says(0, "MIT");
}
END_TEST

START_TEST(sends_one)
{
	serve(stub_good);
	run("-s", host, "-n", "1", "-m", "backup done");
	is(0, "", "");
	run("-s", "127.0.0.1", "-p", host + 10, "-n", "1", "-m", "0digit \xc3\xbc", "-v");
	is(0, NULL, "");
	char line[80];
	snprintf(line, sizeof line, "Z %s ok 0digit \xc3\xbc\n", host);
	says(0, line);
	run("-T", "-p", host + 10, "-n", "1", "-m", "testing", "-P");
	is(0, "", NULL);
	says(1, "sprog: 1 sent: 1 ok, 0 error, 0 unknown, 0 not sent");
	says(1, "sprog: latency p50 ");
	stub_stop(&x);
	ck_assert_str_eq(buf_begin(&x.text), "backup done\n0digit \xc3\xbc\ntesting\n");
}
END_TEST

START_TEST(quasi_random)
{
	serve(stub_good);
	for (int i = 0; i < 2; i++) {
		run("-s", host, "-i", "0", "-n", "3000", "--seed", "7", "--window", "100", "-L",
		    path(i == 0 ? "one" : "two"));
		is(0, "", "");
	}
	run("-s", host, "-i", "0", "-n", "300", "-l", "4", "--window", "0");
	is(0, "", "");
	run("-s", host, "-i", "0", "-n", "300", "-l", "1-509");
	is(0, "", "");
	stub_stop(&x);
	ck_assert_int_eq((int)x.lines, 6600);
	const char *lines[6600];
	bool seen[48] = { false };
	lines[0] = buf_begin(&x.text);
	for (int i = 0; i < 6600; i++) {
		size_t len = strcspn(lines[i], "\n");
		ck_assert_ptr_null(sprog_check(lines[i], len));
		ck_assert(lines[i][0] != ' ' && lines[i][len - 1] != ' ');
		if (i < 6000) {
			ck_assert(len >= 32 && len <= 47);
			seen[len] = true;
		} else if (i < 6300) {
			ck_assert_int_eq((int)len, 4);
		}
		if (i < 6599)
			lines[i + 1] = lines[i] + len + 1;
	}
	for (int i = 32; i < 48; i++)
		ck_assert(seen[i]);
	/* The same text for the same seed, on every machine. */
	ck_assert_int_eq(strncmp(lines[0], lines[3000], (size_t)(lines[3000] - lines[0])), 0);
	ck_assert_int_eq(strncmp(lines[0], "*E6zo6<! /aeO7Xuk/7FIw5Wp,+GE5nJ&_fkQf\n", 39), 0);
}
END_TEST

START_TEST(keeps_time)
{
	serve(stub_good);
	int64_t began = clock_mono_ms();
	run("-s", host, "-i", "0.05", "-n", "4", "-m", "tick");
	is(0, "", "");
	ck_assert_int_ge(clock_mono_ms() - began, 150);
	stub_stop(&x);
	ck_assert_int_eq((int)x.lines, 4);
	ck_assert_int_eq(x.connections, 1);
}
END_TEST

/* A line typed is sent at once, and its reply shown while the next one is waited for. */
START_TEST(standard_input)
{
	serve(stub_good);
	start("-s", host, "-f", "-", "-v", "--window", "10", NULL);
	say("one\n");
	listen_for(0, " ok one\n");
	say("tw");
	say("o\r\nthree\nfour");
	listen_for(0, " ok three\n");
	ck_assert_int_eq((int)stub_count(&x), 3);
	end_input();
	listen_for(0, " ok four\n");
	finish();
	is(0, NULL, "");
	stub_stop(&x);
	ck_assert_str_eq(buf_begin(&x.text), "one\ntwo\nthree\nfour\n");
}
END_TEST

START_TEST(big_file)
{
	enum { MANY = 100000 };
	serve(stub_good);
	struct buf b = BUF_INIT;
	for (int i = 1; i <= MANY; i++)
		buf_printf(&b, "message number %d of many\n", i);
	buf_put(&b, "", 1);
	spill("lines", buf_begin(&b));
	run("-s", host, "-f", path("lines"), "--window", "0", "-P");
	is(0, "", NULL);
	says(1, "sprog: 100000 sent: 100000 ok,");
	stub_stop(&x);
	ck_assert_str_eq(buf_begin(&x.text), buf_begin(&b));
	ck_assert_int_eq(x.connections, 1);
	run("-s", host, "-f", path("lines"), "-n", "2", "-t", "0.1");
	is(69, "", NULL);
	buf_fini(&b);
}
END_TEST

START_TEST(signals)
{
	static const int numbers[] = { SIGINT, SIGTERM };
	serve(stub_good);
	start("-s", host, NULL);
	ck_assert(stub_wait(&x, 1, 1));
	/* It may be answered or not yet: either way it is settled in the end. */
	kill(c.pid, numbers[_i]);
	finish();
	is(0, "", NULL);
	says(1, "sprog: 1 sent: 1 ok, 0 error, 0 unknown, 0 not sent");
	stub_stop(&x);
}
END_TEST

START_TEST(signal_in_flight)
{
	static const struct stub_script script[] = {{ .answers = -1, .then = STUB_SILENT }};
	serve(script);
	start("-s", host, "-t", "0.3", NULL);
	ck_assert(stub_wait(&x, 1, 1));
	kill(c.pid, SIGINT);
	finish();
	is(75, "", NULL);
	says(1, "1 unknown");
	/* A second one is obeyed at once. */
	forget();
	start("-s", host, "-v", NULL);
	ck_assert(stub_wait(&x, 2, 2));
	int64_t began = clock_mono_ms();
	kill(c.pid, SIGINT);
	while (waitpid(c.pid, NULL, WNOHANG) == 0 && clock_mono_ms() - began < STUB_DEADLINE_MS)
		kill(c.pid, SIGINT);
	ck_assert_int_lt(clock_mono_ms() - began, STUB_DEADLINE_MS);
	end_input();
	listen_for(0, NULL);
	says(0, " unknown ");
	stub_stop(&x);
}
END_TEST

START_TEST(ring_of_three)
{
	uint16_t ports[3];
	struct stub y;
	char file[64];
	int fd = stub_nobody(&ports[0]);
	serve(stub_good);
	stub_start(&y, stub_good);
	ports[1] = x.port;
	ports[2] = y.port;
	stub_ring(file, ports, 3);
	run("-R", file, "-i", "0", "-n", "400", "--roundRobin", "--window", "20");
	is(0, "", "");
	run("-R", file, "-i", "0", "-n", "400", "-t", "5");
	is(0, "", "");
	run("-R", file, "--specificHost", "m3", "-n", "1", "-v");
	is(0, NULL, "");
	says(0, "Z m3 ok ");
	run("-R", file, "-s", "m1", "-n", "1", "-t", "0.1");
	is(69, "", NULL);
	says(1, "m1: Connection refused");
	unlink(file);
	stub_stop(&x);
	stub_stop(&y);
	ck_assert_int_eq((int)(x.lines + y.lines), 801);
	ck_assert_int_gt((int)x.lines, 200);
	ck_assert_int_gt((int)y.lines, 200);
	stub_free(&y);
	close(fd);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sprog, the command");
	TCase *t = tcase_create("sprog");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, help_and_version);
	tcase_add_test(t, sends_one);
	tcase_add_test(t, quasi_random);
	tcase_add_test(t, keeps_time);
	tcase_add_test(t, standard_input);
	tcase_add_test(t, big_file);
	tcase_add_loop_test(t, signals, 0, 2);
	tcase_add_test(t, signal_in_flight);
	tcase_add_test(t, ring_of_three);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
