/* SPDX-License-Identifier: MIT
 * 02-client.c - what a client sends and gets, byte by byte (doc/protocol, sections 2 and 8), in a
 * ring of one. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

static struct ring_rig rig;
static struct conn c;

/* Sends all of it on a connection of its own; exactly these bytes come back, and then the end. */
#define converse(sent, replies) (harness_at(__FILE__, __LINE__), converse_(sent, replies))
static void
converse_(const char *sent, const char *replies)
{
	conn_client(&c, &rig, 0);
	conn_put(&c, sent, strlen(sent));
	conn_expect_rest_(&c, replies);
	conn_close(&c);
}

/* The texts in access.log are these, in this order. */
static void
expect_log(const char *const *texts, size_t n)
{
	log_wait_lines(&rig, 0, n);
	size_t len, k = 0;
	char *all = file_read(rig_path(&rig, 0, "log/access.log"), &len), *end = all + len;
	uint64_t seq = 0;
	for (char *line = all, *lf; line < end; line = lf + 1, k++) {
		struct log_line l;
		lf = memchr(line, '\n', (size_t)(end - line));
		require(lf != NULL && log_parse(line, (size_t)(lf - line), &l), "bad line: %s", line);
		require(k < n && l.len == strlen(texts[k]) && memcmp(l.text, texts[k], l.len) == 0,
		    "line %zu is '%.*s'", k + 1, (int)l.len, l.text);
		require(strcmp(l.name, "mv") == 0 && l.seq > seq, "line %zu is %s:%llu", k + 1, l.name,
		    (unsigned long long)l.seq);
		seq = l.seq;
	}
	require(k == n, "%zu lines in access.log, %zu expected", k, n);
	free(all);
}
#define expect_texts(...) \
	expect_log((const char *const[]){ __VA_ARGS__ }, sizeof (const char *[]){ __VA_ARGS__ } / sizeof (char *))

START_TEST(text_gets_ok)
{
	rig_up(&rig, 1, NULL);
	conn_client(&c, &rig, 0);
	conn_puts(&c, "hello\r\n");
	conn_expect(&c, "ok");
	/* ok is said of what is logged: no waiting here. */
	require(log_count_text(&rig, 0, "hello") == 1, "ok, and the text is not in access.log");
	conn_puts(&c, "world\r\n");
	conn_expect(&c, "ok");
	require(log_count_text(&rig, 0, "world") == 1, "ok, and the text is not in access.log");
	require(conn_quiet(&c), "more than asked for");
	conn_close(&c);
	expect_texts("hello", "world");
	rig_down(&rig);
}
END_TEST

START_TEST(keep_alive_gets_ack)
{
	rig_up(&rig, 1, NULL);
	converse("keepAlive\r\nkeepalive\r\nquit\r\n", "ack\r\nack\r\nok\r\n");
	/* Just these two spellings, and nothing else on the line. */
	converse("KeepAlive\r\nkeepAlive \r\n keepAlive\r\nquit\r\n", "ok\r\nok\r\nok\r\nok\r\n");
	expect_texts("KeepAlive", "keepAlive ", " keepAlive");
	rig_down(&rig);
}
END_TEST

START_TEST(quit_closes)
{
	rig_up(&rig, 1, NULL);
	converse("quit\r\n", "ok\r\n");
	converse("before\r\nquit\r\nafter\r\n", "ok\r\nok\r\n");
	converse("Quit\r\nquit now\r\nquit\r\n", "ok\r\nok\r\nok\r\n");
	expect_texts("before", "Quit", "quit now");
	rig_down(&rig);
}
END_TEST

START_TEST(a_digit_is_just_text)
{
	rig_up(&rig, 1, NULL);
	converse("0\r\n1text\r\n2text\r\n3text\r\n2 data la 1732091521000 4242\r\nquit\r\n",
	    "ok\r\nok\r\nok\r\nok\r\nok\r\nok\r\n");
	expect_texts("0", "1text", "2text", "3text", "2 data la 1732091521000 4242");
	rig_down(&rig);
}
END_TEST

START_TEST(replies_and_log_lines_are_just_text)
{
	rig_up(&rig, 1, NULL);
	converse("ok\r\nack\r\nerror no\r\nlost la:1-2\r\n2026-11-20T08:32:01Z mv:7 forged\r\nquit\r\n",
	    "ok\r\nok\r\nok\r\nok\r\nok\r\nok\r\n");
	expect_texts("ok", "ack", "error no", "lost la:1-2", "2026-11-20T08:32:01Z mv:7 forged");
	rig_down(&rig);
}
END_TEST

START_TEST(text_is_logged_as_it_came)
{
	rig_up(&rig, 1, NULL);
	converse(" blanks at both ends \r\n\ttabs\there\t\r\n\\x00 \\n %s %n\r\n"
	    "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x8d \xc2\xa0\r\nquit\r\n",
	    "ok\r\nok\r\nok\r\nok\r\nok\r\n");
	expect_texts(" blanks at both ends ", "\ttabs\there\t", "\\x00 \\n %s %n",
	    "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x8d \xc2\xa0");
	rig_down(&rig);
}
END_TEST

START_TEST(replies_come_in_order)
{
	rig_up(&rig, 1, NULL);
	converse("one\r\n\x01\r\nkeepAlive\r\ntwo\r\n\r\nthree\r\nkeepAlive\r\nfour\n\r\nquit\r\n",
	    "ok\r\nerror control character\r\nack\r\nok\r\nerror empty line\r\nok\r\nack\r\nerror no CR before LF\r\n"
	    "error empty line\r\nok\r\n");
	expect_texts("one", "two", "three");
	rig_down(&rig);
}
END_TEST

START_TEST(many_lines_in_one_write)
{
	enum { MANY = 5000 };
	rig_up(&rig, 1, NULL);
	struct buf sent = BUF_INIT, replies = BUF_INIT;
	for (int i = 0; i < MANY; i++) {
		buf_printf(&sent, "%d of many\r\n", i);
		buf_puts(&replies, "ok\r\n");
	}
	buf_puts(&sent, "quit\r\n");
	buf_put(&sent, "", 1);
	buf_puts(&replies, "ok\r\n");
	buf_put(&replies, "", 1);
	converse(buf_begin(&sent), buf_begin(&replies));
	log_wait_lines(&rig, 0, MANY);
	require(log_lines(&rig, 0) == MANY, "%zu lines", log_lines(&rig, 0));
	buf_fini(&sent);
	buf_fini(&replies);
	rig_down(&rig);
}
END_TEST

/* A second connection goes to and fro, so that zogd most likely has read what the first one sent. */
static void
nudge(struct conn *other)
{
	conn_round(other);
}

static const char talk[] = "gr\xc3\xbc\xc3\x9f" "e\r\nkeepAlive\r\n\x7f\r\n2nd\r\nquit\r\n";
static const char talk_replies[] = "ok\r\nack\r\nerror control character\r\nok\r\nok\r\n";

START_TEST(one_byte_at_a_time)
{
	rig_up(&rig, 1, NULL);
	struct conn other;
	conn_client(&other, &rig, 0);
	conn_client(&c, &rig, 0);
	for (size_t i = 0; i < sizeof talk - 1; i++) {
		conn_put(&c, talk + i, 1);
		nudge(&other);
	}
	conn_expect_rest(&c, talk_replies);
	conn_close(&c);
	conn_close(&other);
	expect_texts("gr\xc3\xbc\xc3\x9f" "e", "2nd");
	rig_down(&rig);
}
END_TEST

START_TEST(split_at_every_position)
{
	rig_up(&rig, 1, "bad-lines = none\n");
	struct conn other;
	conn_client(&other, &rig, 0);
	for (size_t cut = 1; cut < sizeof talk - 1; cut++) {
		conn_client(&c, &rig, 0);
		conn_put(&c, talk, cut);
		nudge(&other);
		conn_put(&c, talk + cut, sizeof talk - 1 - cut);
		conn_expect_rest(&c, talk_replies);
		conn_close(&c);
	}
	conn_close(&other);
	size_t cuts = sizeof talk - 2;
	require(log_lines(&rig, 0) == 2 * cuts, "%zu lines for %zu conversations", log_lines(&rig, 0), cuts);
	int bad = file_count(rig_path(&rig, 0, "log/error.log"), " control character: \\x7f");
	require(bad == (int)cuts, "%d bad lines reported, %zu sent", bad, cuts);
	rig_down(&rig);
}
END_TEST

START_TEST(end_without_quit_is_no_error)
{
	rig_up(&rig, 1, NULL);
	conn_client(&c, &rig, 0);
	conn_puts(&c, "hello\r\n");
	conn_end(&c);
	conn_expect_rest(&c, "ok\r\n");
	conn_close(&c);
	conn_client(&c, &rig, 0);
	conn_end(&c);
	conn_expect_end(&c);
	conn_close(&c);
	rig_stop(&rig, 0);
	require(!log_error_has(&rig, 0, "Z 127."), "an error for an end between lines");
	rig_down(&rig);
}
END_TEST

START_TEST(reset_in_mid_line_loses_only_that)
{
	rig_up(&rig, 1, NULL);
	conn_client(&c, &rig, 0);
	conn_puts(&c, "whole\r\n");
	conn_expect(&c, "ok");
	conn_puts(&c, "half of a li");
	conn_reset(&c);
	rig_say(&rig, 0, "after");
	expect_texts("whole", "after");
	rig_down(&rig);
}
END_TEST

START_TEST(time_and_columns)
{
	rig_up(&rig, 1, NULL);
	/* With sprog's default length a line stays within 80 columns. */
	rig_say(&rig, 0, "47 bytes of text, the longest one of the default");
	char *line = file_read(rig_path(&rig, 0, "log/access.log"), NULL);
	const char *after = log_after_date(line, strlen(line));
	require(after != NULL && strncmp(after, "mv:", 3) == 0, "the line is %s", line);
	require(strlen(line) - 1 <= 80, "%zu columns: %s", strlen(line) - 1, line);
	free(line);
	rig_down(&rig);
}
END_TEST

START_TEST(clients_side_by_side)
{
	enum { CLIENTS = 50 };
	static struct conn many[CLIENTS];
	char text[32];
	rig_up(&rig, 1, NULL);
	for (int i = 0; i < CLIENTS; i++)
		conn_client(&many[i], &rig, 0);
	for (int i = 0; i < CLIENTS; i++) {
		snprintf(text, sizeof text, "from %d\r\n", i);
		conn_puts(&many[i], text);
	}
	for (int i = CLIENTS - 1; i >= 0; i--) {
		conn_expect(&many[i], "ok");
		require(conn_quiet(&many[i]), "more than asked for");
	}
	for (int i = 0; i < CLIENTS; i++) {
		snprintf(text, sizeof text, "from %d", i);
		log_wait_once(&rig, 0, text);
		conn_close(&many[i]);
	}
	rig_down(&rig);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, text_gets_ok);
	STORY_TEST(s, keep_alive_gets_ack);
	STORY_TEST(s, quit_closes);
	STORY_TEST(s, a_digit_is_just_text);
	STORY_TEST(s, replies_and_log_lines_are_just_text);
	STORY_TEST(s, text_is_logged_as_it_came);
	STORY_TEST(s, replies_come_in_order);
	STORY_TEST(s, many_lines_in_one_write);
	STORY_TEST(s, one_byte_at_a_time);
	STORY_TEST(s, split_at_every_position);
	STORY_TEST(s, end_without_quit_is_no_error);
	STORY_TEST(s, reset_in_mid_line_loses_only_that);
	STORY_TEST(s, time_and_columns);
	STORY_TEST(s, clients_side_by_side);
}

int
main(void)
{
	return story_main("02-client", add);
}
