/* SPDX-License-Identifier: MIT
 * 04-peer.c - what goes over the peer port in the plain form, byte by byte (doc/protocol, sections 3 and 5): one real zogd
 * in a ring that the test plays. Links that are down or silent: 12-links.c. */
#include "played_rig.h"

#include <stdlib.h>
#include <sys/socket.h>

/* ---- forwarding ---- */

START_TEST(from_a_client)
{
	if (!up(5, NULL))
		return;
	say_to_mv("hello");
	expect_at(1, "2hello");
	expect_at(2, "2hello");
	say_to_mv("0 begins with a digit");
	expect_at(1, "20 begins with a digit");
	expect_at(2, "20 begins with a digit");
	say_to_mv("\xe2\x82\xac");
	expect_at(1, "2\xe2\x82\xac");
	expect_at(2, "2\xe2\x82\xac");
	done();
}
END_TEST

START_TEST(from_a_client_by_the_old_rule)
{
	if (!up(5, "forwarding = v0.2\n"))
		return;
	say_to_mv("hello");
	expect_at(1, "1hello");
	expect_at(2, "2hello");
	done();
}
END_TEST

START_TEST(bad_messages_and_keep_alives_stay_here)
{
	if (!up(5, NULL))
		return;
	struct conn c;
	conn_client(&c, &rig, 0);
	conn_puts(&c, "keepAlive\r\n\x01\r\n\r\ngood\r\nLF\nquit\r\n");
	conn_expect_rest(&c, "ack\r\nerror control character\r\nerror empty line\r\nok\r\n"
	    "error no CR before LF\r\nok\r\n");
	conn_close(&c);
	expect_at(1, "2good");
	expect_at(2, "2good");
	done();
}
END_TEST

START_TEST(wrapped_2_goes_to_the_second_next)
{
	if (!up(5, NULL))
		return;
	say_from(4, "2from the one before");
	expect_at(2, "0from the one before");
	expect_logged_from(4, "from the one before");
	say_from(3, "2from two before");
	expect_at(2, "0from two before");
	expect_logged_from(3, "from two before");
	done();
}
END_TEST

START_TEST(wrapped_1_goes_to_the_next)
{
	if (!up(5, NULL))
		return;
	say_from(4, "1one");
	expect_at(1, "0one");
	expect_logged_from(4, "one");
	say_from(3, "1another");
	expect_at(1, "0another");
	expect_logged_from(3, "another");
	done();
}
END_TEST

START_TEST(wrapped_0_is_only_logged)
{
	if (!up(5, NULL))
		return;
	for (int i = 1; i < 5; i++) {
		char frame[32];
		snprintf(frame, sizeof frame, "0from %d", i);
		say_from(i, frame);
		expect_logged_from(i, frame + 1);
	}
	done();
}
END_TEST

START_TEST(the_old_rule_counts_from_the_sender)
{
	/* Where it goes from each sender, wrapped 1 and 2; 0: to nobody. */
	static const int to[5][2] = { { 0, 0 }, { 4, 0 }, { 0, 1 }, { 1, 2 }, { 2, 3 } };
	if (!up(5, "forwarding = v0.2\n"))
		return;
	for (int i = 1; i < 5; i++)
		for (int w = 1; w <= 2; w++) {
			char frame[64], want[64];
			snprintf(frame, sizeof frame, "%dfrom %d wrapped %d", w, i, w);
			snprintf(want, sizeof want, "0%s", frame + 1);
			say_from(i, frame);
			expect_logged_from(i, frame + 1);
			if (to[i][w - 1] != 0)
				expect_at(to[i][w - 1], want);
		}
	say_from(2, "0only logged");
	expect_logged_from(2, "only logged");
	done();
}
END_TEST

/* What a client's message is on the links of rings of other sizes: wrapping bytes of +1, +2, ... */
static void
try_size(int members, const char *wraps)
{
	if (!up(members, NULL))
		return;
	char want[32];
	say_to_mv("hello");
	for (int i = 1; wraps[i - 1] != '\0'; i++) {
		snprintf(want, sizeof want, "%chello", wraps[i - 1]);
		expect_at(i, want);
	}
	done();
}

START_TEST(other_sizes)
{
	try_size(2, "0");
	try_size(3, "00");
	try_size(4, "20");
	/* A longer chain cannot be told by a plain line: straight to all. */
	try_size(6, "00000");
	try_size(7, "000000");
}
END_TEST

START_TEST(forwarding_comes_before_logging)
{
	file_limit = 2000;
	bool runs = up(5, NULL);
	file_limit = 0;
	if (!runs)
		return;
	/* Until nothing fits into access.log any more. */
	struct conn c;
	conn_client(&c, &rig, 0);
	int n = 0;
	do {
		char line[64], want[64];
		snprintf(line, sizeof line, "message %d of some length\r\n", n++);
		conn_puts(&c, line);
		snprintf(want, sizeof want, "2%.*s", (int)strlen(line) - 2, line);
		expect_at(1, want);
		expect_at(2, want);
		conn_line(&c);
		require(n < 100, "2000 bytes of log hold 100 messages?");
	} while (strcmp(c.last, "ok") == 0);
	require(strcmp(c.last, "error disk full") == 0, "the reply is '%s'", c.last);
	conn_close(&c);
	/* From a peer too: no ok for what was not logged. */
	conn_puts(&fake[4].out, "2one more message of some length\r\n");
	expect_at(2, "0one more message of some length");
	conn_expect_start(&fake[4].out, "error ");
	done();
}
END_TEST

/* ---- replies on the peer port ---- */

START_TEST(replies_to_a_peer)
{
	if (!up(5, NULL))
		return;
	struct conn *c = &fake[4].out;
	conn_puts(c, "keepAlive\r\n0one\r\n0two\r\nkeepAlive\r\n0three\r\n");
	conn_expect(c, "ack");
	conn_expect(c, "ok");
	conn_expect(c, "ok");
	conn_expect(c, "ack");
	conn_expect(c, "ok");
	expect_logged_from(4, "three");
	done();
}
END_TEST

START_TEST(bad_frames)
{
	static const char *const bad[] = {
		"hello", "3hello", "9hello", "xhello", " 2hello", "/hello", "quit", "ok", "2", "0", "", "keepAlive ",
		"2\x01", "0tab\tand bell\x07", "2\xc3", "2\xe2\x80\xa8",
	};
	if (!up(5, "bad-lines = none\n"))
		return;
	struct conn *c = &fake[4].out;
	char want[256];
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		conn_puts(c, bad[i]);
		conn_puts(c, "\r\n");
		conn_line(c);
		require(strncmp(c->last, "error ", 6) == 0 && c->last[6] != '\0', "'%s' gets '%s'", bad[i], c->last);
		snprintf(want, sizeof want, "Z %s %.60s: ", c->self, c->last + 6);
		log_wait_error(&rig, 0, want);
		say_from(4, "0good");
	}
	require(log_lines(&rig, 0) == sizeof bad / sizeof *bad, "%zu lines in access.log", log_lines(&rig, 0));
	/* The rules for the text are those of the client port. */
	conn_puts(c, "2\x01\r\n2LF\n0\r\n");
	conn_expect(c, "error control character");
	conn_expect(c, "error no CR before LF");
	conn_expect(c, "error empty line");
	conn_puts(c, "2half");
	conn_end(c);
	conn_expect_rest(c, "error no line end\r\n");
	done();
}
END_TEST

START_TEST(the_wrapping_byte_is_not_counted)
{
	if (!up(5, NULL))
		return;
	char frame[600];
	memset(frame, 'x', sizeof frame);
	frame[0] = '2';
	frame[510] = '\0';
	say_from(4, frame);
	frame[0] = '0';
	expect_at(2, frame);
	expect_logged_from(4, frame + 1);
	frame[510] = 'x';
	memcpy(frame + 511, "\r\n", 3);
	conn_puts(&fake[4].out, frame);
	conn_expect(&fake[4].out, "error line too long");
	say_from(4, "0and on");
	done();
}
END_TEST

START_TEST(too_long_for_a_next_line)
{
	if (!up(5, NULL))
		return;
	char *many = malloc(65539);
	memset(many, 'x', 65538);
	many[0] = '0';
	many[65538] = '\0';
	conn_puts(&fake[4].out, many);
	free(many);
	conn_expect_rest(&fake[4].out, "error no line end in 64 KiB\r\n");
	done();
}
END_TEST

START_TEST(noise_from_a_member)
{
	if (!up(5, NULL))
		return;
	unsigned seed = 2012;
	struct conn c;
	for (int round = 0; round < 30; round++) {
		char bytes[4096];
		for (size_t i = 0; i < sizeof bytes; i++)
			bytes[i] = (char)(rand_r(&seed) >> 8);
		conn_peer(&c, &rig, 3, 0);
		conn_put(&c, bytes, sizeof bytes);
		conn_end(&c);
		conn_drain(&c);
		conn_close(&c);
	}
	say_from(3, "0on its other connection");
	say_from(4, "2from another");
	expect_at(2, "0from another");
	done();
}
END_TEST

START_TEST(half_a_frame_and_a_reset)
{
	if (!up(5, NULL))
		return;
	struct conn c;
	conn_peer(&c, &rig, 4, 0);
	conn_puts(&c, "2whole\r\n2half of a fr");
	conn_expect(&c, "ok");
	conn_reset(&c);
	expect_at(2, "0whole");
	say_from(4, "0after");
	require(log_lines(&rig, 0) == 2, "half a frame is in access.log");
	done();
}
END_TEST

START_TEST(strangers_are_refused)
{
	if (!up(5, NULL))
		return;
	struct conn c;
	char host[64], want[128];
	for (int i = 0; i < 2; i++) {
		conn_peer_from(&c, &rig, i == 0 ? "127.0.0.1" : rig_stranger(&rig, 0, host), 0);
		conn_expect_rest(&c, "error not a member\r\n");
		snprintf(want, sizeof want, "Z %s not a member", c.self);
		log_wait_error(&rig, 0, want);
		conn_close(&c);
	}
	say_from(4, "0members go on");
	done();
}
END_TEST

START_TEST(nonsense_on_our_own_link)
{
	if (!up(5, "reconnect-max = 0.3\n"))
		return;
	/* Replies that nothing asked for: whatever becomes of that link, zogd lives and the ring is served. */
	conn_puts(&fake[1].in, "ok\r\nok\r\nack\r\nwhat\r\n\r\n\x01\r\nerror nothing\r\n");
	say_to_mv("hello");
	expect_at(2, "2hello");
	conn_reset(&fake[1].in);
	link_accept(1);
	/* The message may have waited for it. */
	done_but(1 << 1);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, from_a_client);
	STORY_TEST(s, from_a_client_by_the_old_rule);
	STORY_TEST(s, bad_messages_and_keep_alives_stay_here);
	STORY_TEST(s, wrapped_2_goes_to_the_second_next);
	STORY_TEST(s, wrapped_1_goes_to_the_next);
	STORY_TEST(s, wrapped_0_is_only_logged);
	STORY_TEST(s, the_old_rule_counts_from_the_sender);
	STORY_TEST(s, other_sizes);
	STORY_TEST(s, forwarding_comes_before_logging);
	STORY_TEST(s, replies_to_a_peer);
	STORY_TEST(s, bad_frames);
	STORY_TEST(s, the_wrapping_byte_is_not_counted);
	STORY_TEST(s, too_long_for_a_next_line);
	STORY_TEST(s, noise_from_a_member);
	STORY_TEST(s, half_a_frame_and_a_reset);
	STORY_TEST(s, strangers_are_refused);
	STORY_TEST(s, nonsense_on_our_own_link);
}

int
main(void)
{
	return story_main("04-peer", add);
}
