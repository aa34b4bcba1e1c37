/* SPDX-License-Identifier: MIT
 * 34-classes.c - kinds of fault that other daemons of this sort had: numbers of every size in every place, digits without end,
 * long lines before short ones, long names and paths, the wrong name, commands behind a line end. What is not here is
 * listed with its test in doc/security. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static struct ring_rig rig;

static const char hello[] = "HELLO zog/1 ring=00000000 from=pa to=mv epoch=1\r\n";

static void
start(const char *conf)
{
	rig_make(&rig, 2, conf);
	rig_launch(&rig, 0);
	rig_wait_ready(&rig, 0);
}

/* ---- numbers ---- */

static const char *const numbers[] = { "0", "-1", "+1", "-0", "00", "01", " 1", "1 ", "1.0", "1e3", "0x10", "", "2147483647", "2147483648",
	"4294967295", "4294967296", "9007199254740993", "9223372036854775806", "9223372036854775807", "9223372036854775808",
	"18446744073709551615", "18446744073709551616", "-9223372036854775808", "123456789012345678901234567890",
	"000000000000000000000000000001", "99999999999999999999999999999999999999999999999999999999999999999999999999999999" };
enum { NUMBERS = sizeof numbers / sizeof *numbers };

/* client: on the client port; else as pa, behind HELLO. %s: the number. */
static const struct {
	bool        client;
	const char *form;
} forms[] = {
	{ true, "HELLO zog/1 client=abc\r\n%s text\r\n" },
	{ true, "HELLO zog/1 client=abc ack=%s\r\n" },
	{ false, "have pa %s 1\r\n" },
	{ false, "have pa 1 %s\r\n" },
	{ false, "have mv %s 1\r\n" },
	{ false, "want pa %s 1 1\r\n" },
	{ false, "want mv 1 %s 1\r\n" },
	{ false, "want mv 1 1 %s\r\n" },
	{ false, "0 data pa %s 1 1 6 1 - 0 00000000\r\nabcd\r\n" },
	{ false, "0 data pa 1 %s 1 6 1 - 0 00000000\r\nabcd\r\n" },
	{ false, "0 data pa 1 1 %s 6 1 - 0 00000000\r\nabcd\r\n" },
	{ false, "0 data pa 1 1 1 %s 1 - 0 00000000\r\nabcd\r\n" },
	{ false, "0 data pa 1 1 1 6 %s - 0 00000000\r\nabcd\r\n" },
	{ false, "0 data pa 1 1 1 6 1 abc %s 00000000\r\nabcd\r\n" },
	{ false, "0 data pa 1 1 1 6 1 - 0 %s\r\nabcd\r\n" },
	{ false, "HELLO zog/1 ring=%s from=pa to=mv epoch=1\r\nkeepAlive\r\n" },
	{ false, "HELLO zog/1 ring=00000000 from=pa to=mv epoch=%s\r\nkeepAlive\r\n" },
};
enum { FORMS = sizeof forms / sizeof *forms };

START_TEST(numbers_of_every_size)
{
	char line[512];
	struct conn c;
	start("bad-lines = none\n");
	rig_say(&rig, 0, "before");
	long before = proc_rss_kb(rig.m[0].pid);
	for (int i = 0; i < FORMS; i++)
		for (int k = 0; k < NUMBERS; k++) {
			if (forms[i].client)
				conn_client(&c, &rig, 0);
			else
				conn_peer(&c, &rig, 1, 0);
			if (!forms[i].client && strncmp(forms[i].form, "HELLO", 5) != 0)
				conn_puts(&c, hello);
			const char *form = forms[i].form, *at = strstr(form, "%s");
			snprintf(line, sizeof line, "%.*s%s%s", (int)(at - form), form, numbers[k], at + 2);
			conn_puts(&c, line);
			conn_end(&c);
			conn_drain(&c);
			conn_close(&c);
		}
	rig_say(&rig, 0, "after");
	/* What is good as a number is taken: with 1 as text there is one of "text" for each token and number; nothing else. */
	size_t lines = log_lines(&rig, 0);
	require(lines >= 2 && lines <= 2 + NUMBERS, "%zu lines", lines);
	require(sanitized() || proc_rss_kb(rig.m[0].pid) < before + 16 * 1024, "from %ld to %ld KB", before, proc_rss_kb(rig.m[0].pid));
	require(log_count_text(&rig, 0, "abcd") == 0, "a frame with a wrong CRC is in the log");
	rig_down(&rig);
}
END_TEST

/* Ten million digits, wherever a number, a word or a line may begin: the connection goes, and no memory with it. */
START_TEST(digits_without_end)
{
	static const char *const before[] = { "", "1", "HELLO zog/1 client=abc\r\n1", "HELLO zog/1 client=", "@", "@0 data pa 1 1 1 ",
	    "@0 data pa 1 1 1 6 1 - 0 ", "@have pa ", "@want pa 1 ", "@HELLO zog/1 ring=", "-0", "-HELLO zog/1 epoch=" };
	enum { MEGABYTES = 10 };
	static char digits[64 * 1024];
	start(NULL);
	rig_say(&rig, 0, "before");
	long rss = proc_rss_kb(rig.m[0].pid);
	for (size_t i = 0; i < sizeof digits; i++)
		digits[i] = (char)('0' + i % 10);
	for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
		struct conn c;
		bool peer = *before[i] == '@' || *before[i] == '-';
		if (peer)
			conn_peer(&c, &rig, 1, 0);
		else
			conn_client(&c, &rig, 0);
		if (*before[i] == '@')
			conn_puts(&c, hello);
		conn_puts(&c, before[i] + (peer ? 1 : 0));
		size_t sent = 0;
		ssize_t n = 0;
		wait_for((n = conn_put_some(&c, digits, sizeof digits)) < 0 || (sent += (size_t)n) >= MEGABYTES * 1024 * 1024 ||
		    (conn_quiet(&c), c.ended), SOON, "'%s': neither taken nor closed", before[i]);
		require(sent < MEGABYTES * 1024 * 1024, "'%s': all of it was taken", before[i]);
		conn_close(&c);
	}
	rig_say(&rig, 0, "after");
	require(log_lines(&rig, 0) == 2, "%zu lines", log_lines(&rig, 0));
	require(sanitized() || proc_rss_kb(rig.m[0].pid) < rss + 16 * 1024, "from %ld to %ld KB", rss, proc_rss_kb(rig.m[0].pid));
	rig_down(&rig);
}
END_TEST

/* ---- lines ---- */

/* A line that is too long by little and by much, and then every short one. */
START_TEST(short_ones_behind_a_long_one)
{
	static const size_t lengths[] = { 510, 511, 512, 1023, 4095, 4096, 4097, 65000, 65533 };
	static char line[70000];
	start("bad-lines = none\n");
	struct conn c;
	conn_client(&c, &rig, 0);
	size_t logged = 0;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		memset(line, 'x', lengths[i]);
		memcpy(line + lengths[i], "\r\n", 2);
		conn_put(&c, line, lengths[i] + 2);
		conn_expect(&c, "error line too long");
		for (size_t n = 0; n < 16; n++) {
			memset(line, 'y', n);
			memcpy(line + n, "\r\n", 2);
			conn_put(&c, line, n + 2);
			conn_expect(&c, n == 0 ? "error empty line" : "ok");
			logged += n != 0;
		}
	}
	conn_close(&c);
	log_wait_lines(&rig, 0, logged);
	rig_down(&rig);
}
END_TEST

/* What stands behind a line end is a line of its own, and never a command of the one before it. */
START_TEST(behind_a_line_end)
{
	struct conn c;
	start(NULL);
	conn_client(&c, &rig, 0);
	conn_puts(&c, "one\r\nquit \r\n quit\r\nkeepalive!\r\nHELLO zog/1 client=abc\r\n");
	/* HELLO counts first only: this one is a message. */
	for (int i = 0; i < 5; i++)
		conn_expect(&c, "ok");
	conn_puts(&c, "have pa 1 1\r\nwant mv 1 1 1\r\nok\r\nPROOF 00\r\n0 data pa 1 1 1 6 1 - 0 00000000\r\n");
	for (int i = 0; i < 5; i++)
		conn_expect(&c, "ok");
	log_wait_lines(&rig, 0, 10);
	require(log_count_text(&rig, 0, "PROOF 00") == 1, "a client's words do something");
	conn_close(&c);
	rig_down(&rig);
}
END_TEST

/* ---- names ---- */

START_TEST(our_own_name)
{
	static const char *const lines[] = { "HELLO zog/1 ring=00000000 from=mv to=mv epoch=1\r\n",
	    "HELLO zog/1 ring=00000000 from=nobody to=mv epoch=1\r\n", "HELLO zog/1 ring=00000000 from= to=mv epoch=1\r\n" };
	start(NULL);
	struct conn c;
	for (int i = 0; i < 3; i++) {
		conn_peer(&c, &rig, 1, 0);
		conn_puts(&c, lines[i]);
		conn_puts(&c, "have pa 1 1\r\n");
		conn_line(&c);
		require(strncmp(c.last, "error ", 6) == 0, "'%s' is answered by '%s'", lines[i], c.last);
		conn_expect_end(&c);
		conn_close(&c);
	}
	/* Nor is one thrown out by another that says it is the same. */
	struct conn good, bad;
	conn_peer(&good, &rig, 1, 0);
	conn_puts(&good, hello);
	conn_expect_start(&good, "OK zog/1");
	conn_peer(&bad, &rig, 1, 0);
	conn_puts(&bad, "HELLO zog/1 ring=00000000 from=pa to=nobody epoch=1\r\n");
	conn_expect(&bad, "error not the member that was asked for");
	conn_close(&bad);
	conn_round(&good);
	conn_close(&good);
	rig_down(&rig);
}
END_TEST

/* Long names and paths from where an operator's script may have them. */
START_TEST(long_names)
{
	enum { LONG = 32 * 1024 };
	static char option[LONG + 64];
	static const char *const keys[] = { "member", "ring", "log-dir", "state-dir", "pidfile", "control", "user", "group", "listen-peers",
	    "listen-clients", "allow-clients", "allow-peers", "secret-file", "ack", "sync", "keep-alive", "queue-limit", "max-clients",
	    "seccomp", "no-such-key" };
	rig_make(&rig, 1, NULL);
	struct buf out = BUF_INIT, err = BUF_INIT;
	char conf[RIG_PATH];
	snprintf(conf, sizeof conf, "%s", rig_path(&rig, 0, "zogd.conf"));
	const char *const argv[] = { "-c", conf, "-o", option, NULL };
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		/* A control socket that cannot be there has its own test. */
		if (strcmp(keys[i], "control") == 0)
			continue;
		for (int digits = 0; digits < 2; digits++) {
			int n = snprintf(option, 64, "%s=%s", keys[i], digits != 0 ? "" : "/");
			memset(option + n, digits != 0 ? '9' : 'x', LONG);
			option[n + LONG] = '\0';
			int code = rig_run(&rig, argv, &out, &err);
			require(code == 71 || code == 73 || code == 78, "%s: exit code %d: %.200s", keys[i], code, err.data);
			require(err.len > 10, "%s: not a word", keys[i]);
		}
	}
	/* A ring file of one long line; the client's and the member's name there. */
	memset(option, 'x', LONG);
	option[LONG] = '\0';
	file_write(rig.ring_file, option);
	file_append(rig.ring_file, " 127.0.0.1\n");
	const char *const start_it[] = { "-c", conf, NULL };
	require(rig_run(&rig, start_it, &out, &err) == 78, "it starts");
	file_write(rig.ring_file, "mv ");
	file_append(rig.ring_file, option);
	file_append(rig.ring_file, "\n");
	require(rig_run(&rig, start_it, &out, &err) == 78, "it starts");
	buf_fini(&out);
	buf_fini(&err);
	rig_done(&rig);
}
END_TEST

static void
add(Suite *suite)
{
	STORY_TEST(suite, numbers_of_every_size);
	STORY_TEST(suite, digits_without_end);
	STORY_TEST(suite, short_ones_behind_a_long_one);
	STORY_TEST(suite, behind_a_line_end);
	STORY_TEST(suite, our_own_name);
	STORY_TEST(suite, long_names);
}

int
main(void)
{
	return story_main("classes", add);
}
