/* SPDX-License-Identifier: MIT
 * check_sprog_exit.c - the command sprog when something is wrong: each exit code, and what is
 * said. */
#include "sprog_child.h"

START_TEST(usage_64)
{
	static const char *const args[][3] = {
		{ "--roundrobbin", NULL, "--round-robin?" }, { "-x", NULL, "'-x'" },
		{ "-m", NULL, "needs a value" },
		{ "hello", NULL, "argument 'hello'" }, { "-n", "0", "--count '0'" },
		{ "-n", "-3", "--count" },
		{ "-i", "ten", "--interval 'ten'" }, { "-i", "-1", "--interval" },
		{ "-t", "0", "--timeout" },
		{ "-l", "0", "--length" }, { "-l", "9-3", "--length" }, { "-l", "510", "--length" },
		{ "-p", "65536", "--port" },
		{ "--window", "x", "--window" }, { "--seed", "-1", "--seed" },
		{ "--testing=yes", NULL, "takes no value" },
		{ "-x\033[2J", NULL, "-x" }, { "--\033[2J", NULL, "\\x1b[2J" },
		{ "-s", "[::1", "neither" },
		{ "--ack", "0", "ack: a number" }, { "--ack", "most", "ack: a number" },
		{ "--client", "-", "client: not" }, { "--client", "a b", "client: not" },
	};
	for (size_t i = 0; i < sizeof args / sizeof args[0]; i++) {
		run(args[i][0], args[i][1]);
		is(64, "", NULL);
		ck_assert_int_eq(strncmp(said(1), "sprog: ", 7), 0);
		says(1, args[i][2]);
		if (strcmp(args[i][0], "-s") != 0 && strstr(args[i][2], ": ") == NULL)
			says(1, "\nTry 'sprog --help'.\n");
	}
	run("-m", "a", "-f", "-");
	is(64, "", NULL);
}
END_TEST

START_TEST(bad_text_65)
{
	serve(stub_good);
	run("-s", host, "-n", "1", "-m", "two\nlines");
	is(65, "", "sprog: --message: control character\n");
	run("-s", host, "-n", "1", "-m", "quit");
	is(65, "", NULL);
	says(1, "sprog: message 1: not sent: 127.0.0.1:");
	says(1, ": a command of the protocol, not a message\n");
	char longest[70000];
	memset(longest, 'x', sizeof longest);
	struct buf b = BUF_INIT;
	buf_puts(&b, "first\nsecond\r\n\nkeepAlive\nbell\a\n");
	buf_put(&b, longest, 510);
	buf_puts(&b, "\n");
	buf_put(&b, longest, sizeof longest);
	buf_puts(&b, "\nlast good\n");
	buf_put(&b, longest, 509);
	buf_puts(&b, "\r\nno end");
	buf_put(&b, "", 1);
	spill("lines", buf_begin(&b));
	buf_fini(&b);
	run("-s", host, "-f", path("lines"));
	is(65, "", NULL);
	static const char *const reasons[] = { "3: empty line", "4: not sent: 127.0.0.1:",
	    "5: control character", "6: line too long", "7: line too long" };
	const char *line = said(1);
	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
		char wanted[200];
		snprintf(wanted, sizeof wanted, "sprog: %s:%s", path("lines"), reasons[i]);
		ck_assert_msg(strncmp(line, wanted, strlen(wanted)) == 0, "%s: %s", wanted, line);
		line = strchr(line, '\n') + 1;
	}
	ck_assert_str_eq(line, "");
	stub_stop(&x);
	ck_assert_int_eq((int)x.lines, 5);
	ck_assert_int_eq(strncmp(buf_begin(&x.text), "first\nsecond\nlast good\nxxx", 26), 0);
	ck_assert_str_eq(buf_begin(&x.text) + x.text.len - 7, "no end\n");
}
END_TEST

START_TEST(files_66_73_74_78)
{
	serve(stub_good);
	run("-s", host, "-f", "/nonexistent/lines");
	is(66, "", "sprog: /nonexistent/lines: No such file or directory\n");
	run("-s", host, "-f", folder);
	is(66, "", NULL);
	run("-s", host, "-n", "1", "-L", "/nonexistent/log");
	is(73, "", "sprog: /nonexistent/log: No such file or directory\n");
	if (access("/dev/full", W_OK) == 0) {
		run("-s", host, "-i", "0", "-L", "/dev/full");
		is(74, "", "sprog: /dev/full: No space left on device\n");
	}
	run("-R", "/nonexistent/ring", "-n", "1");
	is(78, "", "sprog: /nonexistent/ring: No such file or directory\n");
	spill("ring", "la 127.0.0.1\n9x 127.0.0.2\nla 127.0.0.3\n");
	run("-R", path("ring"), "-n", "1");
	is(78, "", NULL);
	char wanted[128];
	snprintf(wanted, sizeof wanted, "sprog: %s:2: bad member name", path("ring"));
	says(1, wanted);
	snprintf(wanted, sizeof wanted, "\nsprog: %s:3: member named twice", path("ring"));
	says(1, wanted);
	stub_stop(&x);
}
END_TEST

START_TEST(nobody_69)
{
	uint16_t port;
	int fd = stub_nobody(&port);
	snprintf(host, sizeof host, "127.0.0.1:%u", port);
	run("-s", host, "-n", "1", "-m", "hello", "-t", "0.1", "-L", path("log"));
	char wanted[256];
	snprintf(wanted, sizeof wanted,
	    "sprog: message 1: not sent, no member could be reached: %s: Connection refused\n",
	    host);
	is(69, "", wanted);
	ck_assert_ptr_nonnull(strstr(slurp("log"), "Z - unsent hello\n"));
	/* A file is not run through against a ring that is not there. */
	spill("lines", "a\nb\nc\nd\n");
	int64_t began = clock_mono_ms();
	run("-s", host, "-f", path("lines"), "-t", "0.1");
	is(69, "", NULL);
	ck_assert_int_lt(clock_mono_ms() - began, STUB_DEADLINE_MS / 2);
	snprintf(wanted, sizeof wanted,
	    "sprog: %s:1: not sent, no member could be reached: %s: Connection refused\n",
	    path("lines"), host);
	ck_assert_str_eq(said(1), wanted);
	close(fd);
}
END_TEST

START_TEST(unknown_75)
{
	static const struct stub_script script[] = {{ .answers = 1, .then = STUB_CLOSE },
	{ .answers = 0 }};
	serve(script);
	spill("lines", "one\ntwo\nthree\n");
	run("-s", host, "-f", path("lines"), "--window", "3", "-L", path("log"));
	is(75, "", NULL);
	char wanted[200];
	snprintf(wanted, sizeof wanted, "sprog: %s:2: sent to %s, which may have logged it or not: "
	    "connection closed\nsprog: and 1 more like that\n", path("lines"), host);
	ck_assert_str_eq(said(1), wanted);
	char *log = slurp("log");
	ck_assert_ptr_nonnull(strstr(log, " ok one\n"));
	ck_assert_ptr_nonnull(strstr(log, " unknown two\n"));
	ck_assert_ptr_nonnull(strstr(log, " unknown three\n"));
	stub_stop(&x);
}
END_TEST

START_TEST(no_answer_75)
{
	static const struct stub_script script[] = {{ .answers = -1, .then = STUB_SILENT }};
	serve(script);
	run("-s", host, "-n", "1", "-t", "0.1");
	is(75, "", NULL);
	says(1, "no answer in time");
	stub_stop(&x);
}
END_TEST

START_TEST(refused_75)
{
	static const struct stub_script script[] = {
		{ .odd = 2, .odd_reply = "error disk \"sda\" full\r\n" } };
	serve(script);
	spill("lines", "one\ntwo\nthree\n");
	run("-s", host, "-f", path("lines"), "-L", path("log"));
	is(75, "", NULL);
	says(1, "lines:2: ");
	says(1, "refused it: disk \"sda\" full\n");
	ck_assert_ptr_nonnull(strstr(slurp("log"), " error \"disk 'sda' full\" two\n"));
	ck_assert_ptr_nonnull(strstr(slurp("log"), " ok three\n"));
	stub_stop(&x);
}
END_TEST

START_TEST(escapes_75_76)
{
	static const struct stub_script script[] = {
		{ .odd = 1, .odd_reply = "error \033]0;x\a\r\n", .answers = 1 },
		{ .odd = 1, .odd_reply = "\033[2Jno\r\n" } };
	serve(script);
	run("-s", host, "-n", "1");
	is(75, "", NULL);
	says(1, "refused it: \\x1b]0;x\\x07\n");
	run("-s", host, "-n", "1");
	is(76, "", NULL);
	says(1, "bad reply '\\x1b[2Jno'\n");
	stub_stop(&x);
}
END_TEST

/* What is said to HELLO. */
START_TEST(hello_64_76)
{
	static const struct stub_script script[] = {
		{ .no_hello = "error bad ack level\r\n" }, { .no_hello = "ok\r\n" },
		{ .no_hello = "220 mail ESMTP\r\n" } };
	serve(script);
	run("-s", host, "-n", "1", "-a", "5");
	is(64, "", NULL);
	says(1, ": bad ack level\n");
	run("-s", host, "-n", "1", "--ack", "majority", "--client", "me");
	is(76, "", NULL);
	says(1, "speaks the plain form, without --ack");
	run("-s", host, "-n", "1");
	is(76, "", NULL);
	says(1, "bad reply '220 mail ESMTP'");
	stub_stop(&x);
	ck_assert_int_eq((int)x.lines, 0);
}
END_TEST

START_TEST(turned_away_77)
{
	static const struct stub_script script[] = {{ .greeting = "error not allowed\r\n" }};
	serve(script);
	run("-s", host, "-n", "1");
	is(77, "", NULL);
	says(1, "not allowed");
	stub_stop(&x);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sprog, exit codes");
	TCase *t = tcase_create("sprog");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, usage_64);
	tcase_add_test(t, bad_text_65);
	tcase_add_test(t, files_66_73_74_78);
	tcase_add_test(t, nobody_69);
	tcase_add_test(t, unknown_75);
	tcase_add_test(t, no_answer_75);
	tcase_add_test(t, refused_75);
	tcase_add_test(t, escapes_75_76);
	tcase_add_test(t, hello_64_76);
	tcase_add_test(t, turned_away_77);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
