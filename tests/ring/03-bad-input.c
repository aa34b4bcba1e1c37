/* SPDX-License-Identifier: MIT
 * 03-bad-input.c - everything that doc/protocol, section 1, calls bad: a reply with the reason, one
 * escaped line in error.log, and no harm to the good messages around it. In the end rig_down wants no control byte in
 * error.log, and only good texts in access.log. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static struct ring_rig rig;
static struct conn c;

#define CONTROL "control character"
#define UTF8 "bad UTF-8"
#define SEPARATOR "line or paragraph separator"
#define BIDI "bidirectional override or isolate"
#define NO_CR "no CR before LF"
#define EMPTY "empty line"
#define TOO_LONG "line too long"

/* One line as it is sent, line end and all (NULs count), and the reason, NULL where it is good. */
struct sample {
	const char *bytes;
	size_t      len;
	const char *reason;
};
#define S(bytes, reason) { bytes, sizeof bytes - 1, reason }

static const struct sample ends[] = {
	S("\r\n", EMPTY),
	S("\n", NO_CR),
	S("LF alone\n", NO_CR),
	S("LF, then CR\n", NO_CR),
	S("CR CR LF\r\r\n", CONTROL),
	S("CR\ralone\r\n", CONTROL),
	S("\r\r\n", CONTROL),
	S("a blank is a text: \r\n", NULL),
	S(" \r\n", NULL),
};

static const struct sample controls[] = {
	S("NUL\0inside\r\n", CONTROL),
	S("\0\r\n", CONTROL),
	S("NUL at the end\0\r\n", CONTROL),
	S("\x01\r\n", CONTROL),
	S("bell \x07\r\n", CONTROL),
	S("backspace \b\r\n", CONTROL),
	S("VT \v\r\n", CONTROL),
	S("FF \f\r\n", CONTROL),
	S("colour \x1b[31m\r\n", CONTROL),
	S("link \x1b]8;;http://x\x1b\\\r\n", CONTROL),
	S("US \x1f\r\n", CONTROL),
	S("DEL \x7f\r\n", CONTROL),
	S("PAD \xc2\x80\r\n", CONTROL),
	S("NEL \xc2\x85\r\n", CONTROL),
	S("CSI \xc2\x9b" "31m\r\n", CONTROL),
	S("APC \xc2\x9f\r\n", CONTROL),
	S("no-break space \xc2\xa0 is good\r\n", NULL),
	S("tab\tis good\r\n", NULL),
	S("tilde ~ is good\r\n", NULL),
};

static const struct sample utf8[] = {
	S("a tail alone \x80\r\n", UTF8),
	S("a tail too many \xc3\xa4\xa4\r\n", UTF8),
	S("latin 1 \xe4 and on\r\n", UTF8),
	S("cut at the end, 1 of 2 \xc3\r\n", UTF8),
	S("cut at the end, 2 of 3 \xe2\x82\r\n", UTF8),
	S("cut at the end, 3 of 4 \xf0\x9f\x8c\r\n", UTF8),
	S("overlong NUL \xc0\x80\r\n", UTF8),
	S("overlong / \xc0\xaf\r\n", UTF8),
	S("overlong DEL \xc1\xbf\r\n", UTF8),
	S("overlong in three \xe0\x9f\xbf\r\n", UTF8),
	S("overlong in four \xf0\x8f\xbf\xbf\r\n", UTF8),
	S("first surrogate \xed\xa0\x80\r\n", UTF8),
	S("last surrogate \xed\xbf\xbf\r\n", UTF8),
	S("past the last \xf4\x90\x80\x80\r\n", UTF8),
	S("five bytes \xf8\x88\x80\x80\x80\r\n", UTF8),
	S("six bytes \xfc\x84\x80\x80\x80\x80\r\n", UTF8),
	S("FE \xfe\r\n", UTF8),
	S("FF \xff\r\n", UTF8),
	S("UTF-16 \xff\xfe\r\n", UTF8),
	S("the first of two \xc2\xa1\r\n", NULL),
	S("the last of two \xdf\xbf\r\n", NULL),
	S("the first of three \xe0\xa0\x80\r\n", NULL),
	S("before the surrogates \xed\x9f\xbf\r\n", NULL),
	S("after the surrogates \xee\x80\x80\r\n", NULL),
	S("the last of three \xef\xbf\xbd\r\n", NULL),
	S("the first of four \xf0\x90\x80\x80\r\n", NULL),
	S("the last of all \xf4\x8f\xbf\xbf\r\n", NULL),
};

static const struct sample invisible[] = {
	S("line separator \xe2\x80\xa8\r\n", SEPARATOR),
	S("paragraph separator \xe2\x80\xa9\r\n", SEPARATOR),
	S("U+202A \xe2\x80\xaa\r\n", BIDI),
	S("U+202B \xe2\x80\xab\r\n", BIDI),
	S("U+202C \xe2\x80\xac\r\n", BIDI),
	S("U+202D \xe2\x80\xad\r\n", BIDI),
	S("U+202E \xe2\x80\xae\r\n", BIDI),
	S("U+2066 \xe2\x81\xa6\r\n", BIDI),
	S("U+2067 \xe2\x81\xa7\r\n", BIDI),
	S("U+2068 \xe2\x81\xa8\r\n", BIDI),
	S("U+2069 \xe2\x81\xa9\r\n", BIDI),
	S("U+2027 \xe2\x80\xa7 is good\r\n", NULL),
	S("U+202F \xe2\x80\xaf is good\r\n", NULL),
	S("U+2065 \xe2\x81\xa5 is no character yet\r\n", NULL),
	S("U+206A \xe2\x81\xaa is good\r\n", NULL),
};

/* Each sample between two good messages, all of it in one write. */
static void
try_samples(const struct sample *s, size_t n)
{
	rig_up(&rig, 1, "bad-lines = none\n");
	for (size_t i = 0; i < n; i++) {
		struct buf sent = BUF_INIT;
		char before[32], after[32], want[96];
		snprintf(before, sizeof before, "before %zu", i);
		snprintf(after, sizeof after, "after %zu", i);
		buf_printf(&sent, "%s\r\n", before);
		buf_put(&sent, s[i].bytes, s[i].len);
		buf_printf(&sent, "%s\r\n", after);
		conn_client(&c, &rig, 0);
		conn_put(&c, buf_begin(&sent), sent.len);
		conn_expect(&c, "ok");
		conn_line(&c);
		snprintf(want, sizeof want, "%s%s", s[i].reason != NULL ? "error " : "ok",
		    s[i].reason != NULL ? s[i].reason : "");
		require(strcmp(c.last, want) == 0, "sample %zu (%s) gets '%s', expected '%s'", i, s[i].bytes, c.last,
		    want);
		conn_expect(&c, "ok");
		log_wait_once(&rig, 0, before);
		log_wait_once(&rig, 0, after);
		if (s[i].reason != NULL) {
			snprintf(want, sizeof want, "Z %s %s: ", c.self, s[i].reason);
			log_wait_error(&rig, 0, want);
		}
		conn_close(&c);
		buf_fini(&sent);
	}
	size_t good = 2 * n;
	for (size_t i = 0; i < n; i++)
		good += s[i].reason == NULL;
	require(log_lines(&rig, 0) == good, "%zu lines in access.log, %zu expected", log_lines(&rig, 0), good);
	rig_down(&rig);
}
#define try_table(table) try_samples(table, sizeof table / sizeof *table)

START_TEST(line_ends)
{
	try_table(ends);
}
END_TEST

START_TEST(control_characters)
{
	try_table(controls);
}
END_TEST

START_TEST(bad_utf8)
{
	try_table(utf8);
}
END_TEST

START_TEST(separators_and_bidirectional_controls)
{
	try_table(invisible);
}
END_TEST

/* Each C0 and each C1 control by itself. */
START_TEST(every_control_character)
{
	rig_up(&rig, 1, "bad-lines = none\n");
	conn_client(&c, &rig, 0);
	int bad = 0;
	for (int i = 0; i < 0xa0; i++) {
		char line[8];
		if (i == '\n' || i == '\t' || (i >= 0x20 && i < 0x7f))
			continue;
		int n = i < 0x80 ? 1 : 2;
		line[0] = (char)(i < 0x80 ? i : 0xc2);
		line[1] = (char)i;
		memcpy(line + n, "x\r\n", 3);
		conn_put(&c, line, (size_t)n + 3);
		conn_expect(&c, "error " CONTROL);
		bad++;
	}
	conn_puts(&c, "quit\r\n");
	conn_expect_rest(&c, "ok\r\n");
	conn_close(&c);
	rig_stop(&rig, 0);
	int lines = file_count(rig_path(&rig, 0, "log/error.log"), " " CONTROL ": ");
	require(lines == bad, "%d lines in error.log for %d bad ones", lines, bad);
	require(log_lines(&rig, 0) == 0, "a bad line is in access.log");
	rig_down(&rig);
}
END_TEST

/* So many bytes of text, in one-byte or in two-byte characters, then CR LF. */
static void
put_long(size_t bytes, bool wide)
{
	char *line = malloc(bytes + 2);
	for (size_t i = 0; i < bytes; i++)
		line[i] = (char)(!wide ? 'a' + (int)(i % 26) : i % 2 == 0 ? 0xc3 : 0xa4);
	memcpy(line + bytes, "\r\n", 2);
	conn_put(&c, line, bytes + 2);
	free(line);
}

START_TEST(length)
{
	static const size_t good[] = { 1, 2, 508, 509 }, bad[] = { 510, 511, 512, 513, 514, 1000, 4096, 65535 };
	rig_up(&rig, 1, "bad-lines = none\n");
	conn_client(&c, &rig, 0);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		put_long(good[i], false);
		conn_expect(&c, "ok");
	}
	put_long(508, true);
	conn_expect(&c, "ok");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		put_long(bad[i], false);
		conn_expect(&c, "error " TOO_LONG);
		put_long(32, false);
		conn_expect(&c, "ok");
	}
	put_long(510, true);
	conn_expect(&c, "error " TOO_LONG);
	conn_puts(&c, "quit\r\n");
	conn_expect_rest(&c, "ok\r\n");
	conn_close(&c);
	rig_stop(&rig, 0);
	size_t lines = sizeof good / sizeof *good + 1 + sizeof bad / sizeof *bad;
	require(log_lines(&rig, 0) == lines, "%zu lines in access.log, %zu expected", log_lines(&rig, 0), lines);
	/* The first bytes are enough for error.log. */
	char *text = file_read(rig_path(&rig, 0, "log/error.log"), NULL), *rest = text, *line;
	while ((line = text_line(&rest)) != NULL)
		require(strlen(line) < 512, "a line of %zu bytes in error.log", strlen(line));
	free(text);
	rig_down(&rig);
}
END_TEST

/* 509 bytes are good and 510 are not, wherever the stream is cut. */
START_TEST(length_in_pieces)
{
	rig_up(&rig, 1, NULL);
	char text[510];
	memset(text, 'x', sizeof text);
	struct conn other;
	conn_client(&other, &rig, 0);
	conn_client(&c, &rig, 0);
	static const size_t cuts[] = { 1, 255, 508, 509, 510 };
	for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		for (size_t len = 509; len <= 510; len++) {
			size_t cut = cuts[i] < len ? cuts[i] : len;
			conn_put(&c, text, cut);
			conn_round(&other);
			conn_put(&c, text, len - cut);
			conn_round(&other);
			conn_puts(&c, "\r");
			conn_round(&other);
			conn_puts(&c, "\n");
			conn_expect(&c, len == 509 ? "ok" : "error " TOO_LONG);
		}
	}
	conn_close(&c);
	conn_close(&other);
	rig_down(&rig);
}
END_TEST

static void
put_many(char byte, size_t n)
{
	char *bytes = malloc(n);
	memset(bytes, byte, n);
	conn_put(&c, bytes, n);
	free(bytes);
}

START_TEST(no_line_end_in_64_kib)
{
	rig_up(&rig, 1, NULL);
	/* The next line can still be found. */
	conn_client(&c, &rig, 0);
	conn_puts(&c, "before\r\n");
	conn_expect(&c, "ok");
	put_many('x', 65535);
	conn_puts(&c, "\r\n");
	conn_expect(&c, "error " TOO_LONG);
	put_many('x', 65536);
	conn_puts(&c, "\n");
	conn_expect(&c, "error " TOO_LONG);
	conn_puts(&c, "between\r\n");
	conn_expect(&c, "ok");
	/* One byte more, and it cannot. */
	put_many('x', 65537);
	conn_expect_rest(&c, "error no line end in 64 KiB\r\n");
	char want[128];
	snprintf(want, sizeof want, "Z %s no line end in 64 KiB: xxx", c.self);
	log_wait_error(&rig, 0, want);
	conn_close(&c);
	rig_say(&rig, 0, "after");
	log_wait_once(&rig, 0, "before");
	log_wait_once(&rig, 0, "between");
	rig_down(&rig);
}
END_TEST

/* The reply reaches even one that goes on sending. */
START_TEST(no_line_end_at_all)
{
	rig_up(&rig, 1, NULL);
	char *bytes = malloc(1 << 20);
	memset(bytes, 'x', 1 << 20);
	conn_client(&c, &rig, 0);
	ssize_t n = 0;
	size_t sent = 0;
	wait_for(!conn_quiet(&c) || sent == 1 << 20 || (n = conn_put_some(&c, bytes, (1 << 20) - sent)) < 0 ||
	    (sent += (size_t)n) == 1 << 20, SOON, "neither taken nor refused");
	free(bytes);
	conn_expect_start(&c, "error no line end in 64 KiB");
	conn_expect_end(&c);
	conn_close(&c);
	rig_say(&rig, 0, "after");
	rig_down(&rig);
}
END_TEST

START_TEST(bytes_left_over_at_the_end)
{
	static const struct { const char *sent, *replies; } left[] = {
		{ "half a line", "error no line end\r\n" },
		{ "x", "error no line end\r\n" },
		{ "\r", "error no line end\r\n" },
		{ "a CR and no LF\r", "error no line end\r\n" },
		{ "keepAlive", "error no line end\r\n" },
		{ "quit", "error no line end\r\n" },
		{ "good\r\nhalf", "ok\r\nerror no line end\r\n" },
		{ "keepAlive\r\n\r\n\x01", "ack\r\nerror empty line\r\nerror no line end\r\n" },
	};
	rig_up(&rig, 1, "bad-lines = none\n");
	for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
		conn_client(&c, &rig, 0);
		conn_puts(&c, left[i].sent);
		conn_end(&c);
		conn_expect_rest(&c, left[i].replies);
		char want[128];
		snprintf(want, sizeof want, "Z %s no line end: ", c.self);
		log_wait_error(&rig, 0, want);
		conn_close(&c);
	}
	log_wait_once(&rig, 0, "good");
	require(log_lines(&rig, 0) == 1, "half a line is in access.log");
	rig_down(&rig);
}
END_TEST

START_TEST(error_log_shows_bytes_escaped)
{
	rig_up(&rig, 1, NULL);
	conn_client(&c, &rig, 0);
	conn_puts(&c, "tell\x1b[31m \\ \xc3\xa4 \x7f|\r\n");
	conn_expect(&c, "error " CONTROL);
	char want[256];
	snprintf(want, sizeof want, "Z %s " CONTROL ": tell\\x1b[31m \\\\ \\xc3\\xa4 \\x7f|", c.self);
	log_wait_error(&rig, 0, want);
	/* Nobody makes a line of error.log, or of the terminal, of what is sent. */
	conn_put(&c, "\x01\r2026-11-20T08:32:01Z zogd forged\r\n", 36);
	conn_expect(&c, "error " CONTROL);
	log_wait_error(&rig, 0, "\\x01\\x0d2026-11-20T08:32:01Z zogd forged");
	require(!log_error_has(&rig, 0, "\n2026-11-20T08:32:01Z zogd forged"), "a forged line");
	conn_close(&c);
	rig_down(&rig);
}
END_TEST

/* Lines of error.log about this reason and address, and what the "more suppressed" ones add to them. */
static long
reported(const char *host, const char *reason, long *shown)
{
	char *text = file_read(rig_path(&rig, 0, "log/error.log"), NULL), *rest = text, *line;
	long more = 0;
	*shown = 0;
	while ((line = text_line(&rest)) != NULL) {
		if (strstr(line, host) == NULL || strstr(line, reason) == NULL)
			continue;
		char *at = strstr(line, " more suppressed");
		if (at == NULL) {
			++*shown;
			continue;
		}
		while (at > line && at[-1] >= '0' && at[-1] <= '9')
			at--;
		more += strtol(at, NULL, 10);
	}
	free(text);
	return *shown + more;
}

START_TEST(a_flood_is_counted_not_shown)
{
	enum { FLOOD = 20000 };
	rig_up(&rig, 1, NULL);
	conn_client(&c, &rig, 0);
	struct buf sent = BUF_INIT;
	for (int i = 0; i < FLOOD; i++)
		buf_puts(&sent, i % 100 == 99 ? "good\r\n" : "bad \x01\r\n");
	size_t at = 0;
	int replies = 0;
	/* To and fro, so that neither side's buffers fill up. */
	while (replies < FLOOD) {
		size_t n = sent.len - at < 4096 ? sent.len - at : 4096;
		conn_put(&c, buf_begin(&sent) + at, n);
		for (size_t end = at + n; at < end; at++)
			if (buf_begin(&sent)[at] == '\n') {
				conn_expect(&c, replies % 100 == 99 ? "ok" : "error " CONTROL);
				replies++;
			}
	}
	buf_fini(&sent);
	/* Another reason is another matter. */
	conn_puts(&c, "\r\n");
	conn_expect(&c, "error " EMPTY);
	char want[128];
	snprintf(want, sizeof want, "Z %s " EMPTY, c.self);
	log_wait_error(&rig, 0, want);
	conn_close(&c);

	long shown, bad = FLOOD - FLOOD / 100;
	wait_for(reported("127.0.0.1", CONTROL, &shown) >= bad, SOON, "%ld reported of %ld",
	    reported("127.0.0.1", CONTROL, &shown), bad);
	require(reported("127.0.0.1", CONTROL, &shown) == bad, "%ld reported of %ld",
	    reported("127.0.0.1", CONTROL, &shown), bad);
	require(shown < bad / 2, "%ld of %ld lines are shown: no suppression", shown, bad);
	require(log_lines(&rig, 0) == FLOOD / 100, "%zu lines in access.log", log_lines(&rig, 0));
	rig_down(&rig);
}
END_TEST

START_TEST(another_address_is_not_suppressed)
{
	rig_up(&rig, 1, NULL);
	if (!rig.own_addresses) {
		story_skip("one loopback address only");
		rig_down(&rig);
		return;
	}
	conn_client(&c, &rig, 0);
	for (int i = 0; i < 200; i++) {
		conn_puts(&c, "\x01\r\n");
		conn_expect(&c, "error " CONTROL);
	}
	struct conn other;
	char host[64], want[128];
	conn_client_from(&other, &rig, 0, rig_stranger(&rig, 0, host));
	conn_puts(&other, "\x02\r\n");
	conn_expect(&other, "error " CONTROL);
	snprintf(want, sizeof want, "Z %s " CONTROL ": \\x02", other.self);
	log_wait_error(&rig, 0, want);
	conn_close(&other);
	conn_close(&c);
	rig_down(&rig);
}
END_TEST

START_TEST(noise)
{
	rig_up(&rig, 1, NULL);
	/* Random bytes, the start of TLS, HTTP: replies or an end, and life goes on. */
	static const char tls[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
	static const char http[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	unsigned seed = 2012;
	for (int round = 0; round < 50; round++) {
		char bytes[4096];
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (char)(rand_r(&seed) >> 8);
		conn_client(&c, &rig, 0);
		if (round == 0)
			conn_put(&c, tls, sizeof tls - 1);
		else if (round == 1)
			conn_put(&c, http, sizeof http - 1);
		else
			conn_put(&c, bytes, sizeof bytes);
		conn_end(&c);
		conn_drain(&c);
		conn_close(&c);
	}
	rig_say(&rig, 0, "after the noise");
	rig_down(&rig);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, line_ends);
	STORY_TEST(s, control_characters);
	STORY_TEST(s, bad_utf8);
	STORY_TEST(s, separators_and_bidirectional_controls);
	STORY_TEST(s, every_control_character);
	STORY_TEST(s, length);
	STORY_TEST(s, length_in_pieces);
	STORY_TEST(s, no_line_end_in_64_kib);
	STORY_TEST(s, no_line_end_at_all);
	STORY_TEST(s, bytes_left_over_at_the_end);
	STORY_TEST(s, error_log_shows_bytes_escaped);
	STORY_TEST(s, a_flood_is_counted_not_shown);
	STORY_TEST(s, another_address_is_not_suppressed);
	STORY_TEST(s, noise);
}

int
main(void)
{
	return story_main("03-bad-input", add);
}
