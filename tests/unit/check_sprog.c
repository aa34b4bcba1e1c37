/* SPDX-License-Identifier: MIT
 * check_sprog.c - libsprog with members that do what they should. */
#include "sprog_seen.h"

START_TEST(texts)
{
	static const struct { const char *text; const char *why; } table[] = {
		{ "hello", NULL }, { "a\tb", NULL }, { "gr\xc3\xbc\xc3\x9f", NULL },
		{ "0digit", NULL }, { "Quit", NULL },
		{ "keepAlive", NULL }, { "keepalive", NULL }, { "quit", NULL },
		{ "HELLO zog/1 client=x", NULL },
		{ "", "empty" }, { "a\nb", "control" }, { "a\rb", "control" },
		{ "ok\r\n", "control" }, { "\x1b[2J", "control" },
		{ "\xc3", "UTF-8" },
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const char *why = sprog_check(table[i].text, strlen(table[i].text));
		ck_assert_msg((why != NULL) == (table[i].why != NULL), "%s", table[i].text);
		ck_assert(why == NULL || strstr(why, table[i].why) != NULL);
	}
	ck_assert_ptr_nonnull(sprog_check("a\0b", 3));
	char longest[510];
	memset(longest, 'x', sizeof longest);
	ck_assert_ptr_null(sprog_check(longest, 509));
	ck_assert_ptr_nonnull(sprog_check(longest, 510));
}
END_TEST

START_TEST(bad_text_is_not_sent)
{
	struct stub x;
	stub_start(&x, stub_good);
	struct sprog *s = open_host(x.port, 0, 0);
	ck_assert_int_eq(send_text(s, "a\r\nforged"), SPROG_BAD_TEXT);
	ck_assert_str_eq(sprog_reason(s), "control character");
	ck_assert_int_eq((int)sprog_in_flight(s), 0);
	/* In the plain form these would be commands. */
	static const char *const words[] = { "quit", "keepAlive", "keepalive", "HELLO zog/1" };
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		ck_assert_int_eq(send_text(s, words[i]), SPROG_BAD_TEXT);
	ck_assert_ptr_nonnull(strstr(sprog_reason(s), "not a message"));
	ck_assert_int_eq(send_text(s, "good"), SPROG_OK);
	sprog_close(&s);
	ck_assert_ptr_null(s);
	stub_stop(&x);
	ck_assert_str_eq(buf_begin(&x.text), "good\n");
	stub_free(&x);
}
END_TEST

START_TEST(bad_options)
{
	struct sprog_options o = SPROG_OPTIONS_INIT;
	struct sprog *s;
	char why[200];
	o.why = why;
	o.why_size = sizeof why;
	o.ring_file = "/nonexistent/ring";
	ck_assert_int_eq(sprog_open(&s, &o), SPROG_RING);
	ck_assert_ptr_null(s);
	ck_assert_str_eq(why, "/nonexistent/ring: No such file or directory");
	o.host = "[::1";
	ck_assert_int_eq(sprog_open(&s, &o), SPROG_ARGUMENT);
	o.host = "127.0.0.1";
	o.window = -1;
	ck_assert_int_eq(sprog_open(&s, &o), SPROG_ARGUMENT);
	o.window = 0;
	o.port = 65536;
	ck_assert_int_eq(sprog_open(&s, &o), SPROG_ARGUMENT);
	o.port = 0;
	o.size = 8;
	ck_assert_int_eq(sprog_open(&s, &o), SPROG_ARGUMENT);
	o.size = sizeof o;
	ck_assert_int_eq(sprog_open(&s, &o), SPROG_OK);
	ck_assert_str_eq(why, "");
	sprog_close(&s);
	sprog_close(&s);
	for (int i = -1; i < 20; i++)
		ck_assert_int_gt((int)strlen(sprog_strerror(i)), 0);
}
END_TEST

START_TEST(replies_in_pieces)
{
	static const struct stub_script script[] = {
		{ .odd = 2, .odd_reply = "error disk full\r\n", .bytewise = true } };
	struct stub x;
	stub_start(&x, script);
	struct sprog *s = open_host(x.port, 0, 0);
	ck_assert_int_eq(send_text(s, "one"), SPROG_OK);
	ck_assert_int_eq(send_text(s, "two"), SPROG_ERROR);
	char reason[64];
	snprintf(reason, sizeof reason, "127.0.0.1:%u: disk full", x.port);
	ck_assert_str_eq(sprog_reason(s), reason);
	ck_assert_int_eq(send_text(s, "three"), SPROG_OK);
	sprog_close(&s);
	stub_stop(&x);
	ck_assert_int_eq(x.connections, 1);
	stub_free(&x);
}
END_TEST

START_TEST(pipeline)
{
	enum { MANY = 100000 };
	struct stub x;
	stub_start(&x, stub_good);
	struct sprog *s = open_host(x.port, 0, 3000);
	submit_numbers(s, MANY);
	ck_assert_int_eq(sprog_wait(s, STUB_DEADLINE_MS), SPROG_OK);
	each_once(MANY);
	ck_assert_int_eq(seen.count[SPROG_OK], MANY);
	ck_assert(!seen.disorder);
	sprog_close(&s);
	stub_stop(&x);
	ck_assert_int_eq(x.connections, 1);
	char *line = buf_begin(&x.text);
	for (long i = 1; i <= MANY; i++, line++)
		ck_assert_int_eq(strtol(line, &line, 10), i);
	ck_assert_str_eq(line, "");
	stub_free(&x);
}
END_TEST

/* Takes good lines up to what is none, the end, or the window; each at the end of what can be read. */
START_TEST(lines)
{
	static const struct { const char *text; size_t used, count; const char *why; } table[] = {
		{ "a\nbc\r\n\xc3\xbc\n\td\n", 12, 4, NULL },
		{ "", 0, 0, "empty" }, { "\n", 0, 0, "empty" }, { "a\n\r\nb\n", 2, 1, NULL },
		{ "a\nb", 2, 1, NULL }, { "a\r", 0, 0, "control" }, { "a\nb\rc\n", 2, 1, "control" },
		{ "a\nb\a\nc\n", 2, 1, "control" }, { "a\n\xff\n", 2, 1, "UTF-8" },
		{ "1\n2\n3\n4\n5\n6\n7\n", 10, 5, NULL },
	};
	struct stub x;
	stub_start(&x, stub_good);
	struct sprog *s = open_host(x.port, 0, 5);
	size_t count, sent = 0;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		size_t len = strlen(table[i].text);
		char *text = malloc(len + 1);
		memcpy(text, table[i].text, len);
		text = realloc(text, len != 0 ? len : 1);
		ck_assert_uint_eq(sprog_submit_lines(s, text, len, 100, &count), table[i].used);
		ck_assert_uint_eq(count, table[i].count);
		/* What it stopped at. */
		const char *rest = text + table[i].used, *lf = memchr(rest, '\n', len - table[i].used);
		const char *why = sprog_check(rest, lf != NULL ? (size_t)(lf - rest) : len - table[i].used);
		if (table[i].why != NULL)
			ck_assert_msg(why != NULL && strstr(why, table[i].why) != NULL, "%zu: %s", i, why);
		free(text);
		ck_assert_int_eq(sprog_wait(s, STUB_DEADLINE_MS), SPROG_OK);
		sent += count;
		if (count > 0)
			ck_assert_uint_eq((uintptr_t)seen.tag, 100 + count - 1);
	}
	each_once(sent);
	sprog_close(&s);
	stub_stop(&x);
	ck_assert_str_eq(buf_begin(&x.text), "a\nbc\n\xc3\xbc\n\td\na\na\na\na\na\n1\n2\n3\n4\n5\n");
	stub_free(&x);
}
END_TEST

START_TEST(longest_lines)
{
	struct stub x;
	stub_start(&x, stub_good);
	struct sprog *s = open_host(x.port, 0, 5);
	char text[600];
	size_t count;
	for (size_t len = 505; len <= 515; len++)
		for (size_t cr = 0; cr < 2; cr++) {
			memset(text, 'x', len);
			memcpy(text + len, cr ? "\r\n" : "\n", cr + 1);
			size_t used = len <= 509 ? len + cr + 1 : 0;
			ck_assert_uint_eq(sprog_submit_lines(s, text, len + cr + 1, 1, &count), used);
			ck_assert_uint_eq(count, len <= 509);
			ck_assert_int_eq(sprog_wait(s, STUB_DEADLINE_MS), SPROG_OK);
		}
	sprog_close(&s);
	stub_stop(&x);
	ck_assert_uint_eq(x.lines, 10);
	stub_free(&x);
}
END_TEST

START_TEST(window_is_kept)
{
	static const struct stub_script script[] = {{ .answers = -1, .then = STUB_SILENT }};
	struct stub x;
	stub_start(&x, script);
	struct sprog *s = open_host(x.port, 0, 2);
	ck_assert_int_eq(sprog_submit(s, "a", 1, NULL), SPROG_OK);
	ck_assert_int_eq((int)sprog_room(s), 1);
	ck_assert_int_eq(sprog_submit(s, "b", 1, NULL), SPROG_OK);
	ck_assert_int_eq(sprog_submit(s, "c", 1, NULL), SPROG_FULL);
	ck_assert_int_eq(sprog_wait(s, 1), SPROG_TIMEOUT);
	ck_assert(stub_wait(&x, 0, 1));
	sprog_close(&s);
	ck_assert_int_eq(total(), 2);
	stub_stop(&x);
	stub_free(&x);
}
END_TEST

START_TEST(from_within_the_callback)
{
	struct stub x;
	stub_start(&x, stub_good);
	struct sprog *s = open_host(x.port, 0, 1);
	seen.again = 50;
	ck_assert_int_eq(sprog_submit(s, "first", 5, NULL), SPROG_OK);
	ck_assert_int_eq(sprog_wait(s, STUB_DEADLINE_MS), SPROG_OK);
	each_once(51);
	ck_assert_int_eq(seen.poll_inside, -1);
	sprog_close(&s);
	stub_stop(&x);
	ck_assert_int_eq((int)x.lines, 51);
	stub_free(&x);
}
END_TEST

START_TEST(closed_in_flight)
{
	static const struct stub_script script[] = {{ .answers = -1, .then = STUB_SILENT }};
	struct stub x;
	stub_start(&x, script);
	struct sprog *s = open_host(x.port, 0, 0);
	submit_numbers(s, 3);
	while (stub_count(&x) < 3)
		ck_assert_int_eq(sprog_poll(s, 1), 0);
	ck_assert_int_eq(sprog_submit(s, "late", 4, NULL), SPROG_OK);
	sprog_close(&s);
	each_once(4);
	ck_assert_int_eq(seen.count[SPROG_UNKNOWN], 3);
	ck_assert_int_eq(seen.count[SPROG_CANCELLED], 1);
	buf_fini(&seen.unknown);
	stub_stop(&x);
	stub_free(&x);
}
END_TEST

/* m2 by name, by name with another port, by address, in the ring's order and by chance. */
START_TEST(who)
{
	struct stub x[3];
	uint16_t ports[3];
	for (int i = 0; i < 3; i++) {
		stub_start(&x[i], stub_good);
		ports[i] = x[i].port;
	}
	char file[64], hosts[4][40] = { "m2", "", "", "" };
	stub_ring(file, ports, 3);
	snprintf(hosts[1], sizeof hosts[1], "m1:%u", ports[1]);
	snprintf(hosts[2], sizeof hosts[2], "127.0.0.1:%u", ports[1]);
	snprintf(hosts[3], sizeof hosts[3], "localhost:%u", ports[1]);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	o.ring_file = file;
	for (int i = 0; i < 4; i++) {
		o.host = hosts[i];
		struct sprog *s = open_with(&o);
		ck_assert_int_eq(send_text(s, hosts[i]), SPROG_OK);
		sprog_close(&s);
	}
	o.host = NULL;
	o.choice = SPROG_ROUND_ROBIN;
	o.window = 1;           /* who is slow gets no less */
	struct sprog *s = open_with(&o);
	submit_numbers(s, 30);
	ck_assert_int_eq(sprog_wait(s, -1), SPROG_OK);
	sprog_close(&s);
	o.choice = SPROG_RANDOM;
	s = open_with(&o);
	submit_numbers(s, 600);
	ck_assert_int_eq(sprog_wait(s, -1), SPROG_OK);
	sprog_close(&s);
	for (int i = 0; i < 3; i++) {
		stub_stop(&x[i]);
		ck_assert_int_eq(x[i].connections, i == 1 ? 6 : 2);
		/* By chance: 200 each, give or take nine standard deviations. */
		ck_assert_int_ge((int)x[i].lines, 10 + 100);
		ck_assert_int_le((int)x[i].lines, 10 + 300 + 4);
		stub_free(&x[i]);
	}
	unlink(file);
}
END_TEST

START_TEST(version_6)
{
	struct stub x;
	if (!stub_start_at(&x, "::1", stub_good, 1))
		return;         /* a machine without IPv6 */
	char host[32];
	snprintf(host, sizeof host, "[::1]:%u", x.port);
	struct sprog_options o = SPROG_OPTIONS_INIT;
	o.host = host;
	struct sprog *s = open_with(&o);
	ck_assert_int_eq(sprog_submit(s, "six", 3, NULL), SPROG_OK);
	ck_assert_int_eq(sprog_wait(s, -1), SPROG_OK);
	ck_assert_str_eq(seen.member, host);
	sprog_close(&s);
	stub_stop(&x);
	stub_free(&x);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sprog");
	TCase *t = tcase_create("libsprog");
	tcase_set_timeout(t, 60);
	tcase_add_test(t, texts);
	tcase_add_test(t, bad_text_is_not_sent);
	tcase_add_test(t, bad_options);
	tcase_add_test(t, replies_in_pieces);
	tcase_add_test(t, pipeline);
	tcase_add_test(t, lines);
	tcase_add_test(t, longest_lines);
	tcase_add_test(t, window_is_kept);
	tcase_add_test(t, from_within_the_callback);
	tcase_add_test(t, closed_in_flight);
	tcase_add_test(t, who);
	tcase_add_test(t, version_6);
	suite_add_tcase(suite, t);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
