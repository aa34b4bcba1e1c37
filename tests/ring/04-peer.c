/* SPDX-License-Identifier: MIT
 * 04-peer.c - one real zogd (member 0, mv) in a ring that the test plays: what goes over the peer port
 * in the plain form, byte by byte (doc/protocol, sections 3 and 5). */
#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

static struct ring_rig rig;

/* A member that the test plays. */
static struct fake {
	int         listener;   /* -1: it does not listen */
	struct conn in;         /* the link that mv dialled to it */
	struct conn out;        /* the one that it dialled to mv */
} fake[RIG_MAX];

static rlim_t file_limit;       /* for mv, 0: none */

static void
link_accept(int i)
{
	conn_accept(&fake[i].in, &rig, fake[i].listener, 0);
}

/* While we wait for something, the other members do what keeps their links alive. */
static void
serve(void *arg, int ms)
{
	struct ring_rig *r = arg;
	for (int i = 1; i < r->size; i++)
		conn_serve(&fake[i].in);
	usleep((useconds_t)ms * 1000);
}

/* mv runs, all others but those of the mask listen, and their links are up. */
static bool
up_without(uint64_t absent, int members, const char *conf)
{
	rig_make(&rig, members, conf);
	rig_conf(&rig, 0, "drain-timeout = 1\n");
	if (!rig.own_addresses) {
		story_skip("one loopback address only: peers cannot be told apart");
		rig_done(&rig);
		return false;
	}
	for (int i = 1; i < members; i++) {
		fake[i].listener = (absent >> i & 1) != 0 ? -1 : rig_listen(&rig, i);
		fake[i].in.fd = fake[i].out.fd = -1;
	}
	rig.pump = serve;
	rig.pump_arg = &rig;
	rig.m[0].file_limit = file_limit;
	rig_launch(&rig, 0);
	for (int i = 1; i < members; i++)
		if (fake[i].listener >= 0)
			link_accept(i);
	rig_wait_ready(&rig, 0);
	for (int i = 1; i < members; i++) {
		if (fake[i].listener < 0)
			continue;
		rig_wait_link(&rig, 0, i);
		conn_peer(&fake[i].out, &rig, i, 0);
	}
	return true;
}

static bool
up(int members, const char *conf)
{
	return up_without(0, members, conf);
}

/* mv has ended; each link that is not in the mask must have brought what was asked for, and nothing more. */
static void
done_but(uint64_t any)
{
	rig_stop(&rig, 0);
	log_check_form(&rig, 0);
	for (int i = 1; i < rig.size; i++) {
		if (fake[i].in.fd >= 0 && (any >> i & 1) == 0)
			conn_expect_end(&fake[i].in);
		conn_close(&fake[i].in);
		conn_close(&fake[i].out);
		if (fake[i].listener >= 0)
			close(fake[i].listener);
	}
	rig_done(&rig);
}

static void
done(void)
{
	done_but(0);
}

/* A frame comes on mv's link to member i, and is answered. */
#define expect_at(i, frame) (harness_at(__FILE__, __LINE__), expect_at_(i, frame))
static void
expect_at_(int i, const char *frame)
{
	conn_expect_(&fake[i].in, frame);
	conn_puts_(&fake[i].in, "ok\r\n");
}

/* Member i says this to mv. */
#define say_from(i, frame) (harness_at(__FILE__, __LINE__), say_from_(i, frame))
static void
say_from_(int i, const char *frame)
{
	conn_puts_(&fake[i].out, frame);
	conn_puts_(&fake[i].out, "\r\n");
	conn_expect_(&fake[i].out, "ok");
}

static void
say_to_mv(const char *text)
{
	struct conn c;
	conn_client(&c, &rig, 0);
	conn_puts(&c, text);
	conn_puts(&c, "\r\n");
	conn_expect(&c, "ok");
	conn_puts(&c, "quit\r\n");
	conn_expect_rest(&c, "ok\r\n");
	conn_close(&c);
}

static void
expect_logged_from(int i, const char *text)
{
	char want[600];
	snprintf(want, sizeof want, "Z %s:0 %s\n", rig.m[i].name, text);
	const char *path = rig_path(&rig, 0, "log/access.log");
	require(file_count(path, want) == 1, "'%s' is %d times in access.log", want + 2, file_count(path, want));
}

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

/* ---- links that are down ---- */

START_TEST(the_next_is_absent)
{
	if (!up_without(1 << 1, 5, NULL))
		return;
	say_to_mv("hello");
	expect_at(2, "2hello");
	expect_at(3, "0hello");
	done();
}
END_TEST

START_TEST(the_second_next_is_absent)
{
	if (!up_without(1 << 2, 5, NULL))
		return;
	say_to_mv("hello");
	expect_at(1, "2hello");
	expect_at(4, "0hello");
	done();
}
END_TEST

START_TEST(both_are_absent)
{
	if (!up_without(1 << 1 | 1 << 2, 5, NULL))
		return;
	say_to_mv("hello");
	expect_at(3, "0hello");
	expect_at(4, "0hello");
	done();
}
END_TEST

START_TEST(absent_by_the_old_rule)
{
	if (!up_without(1 << 1, 5, "forwarding = v0.2\n"))
		return;
	say_to_mv("hello");
	expect_at(2, "2hello");
	expect_at(3, "0hello");
	done();
}
END_TEST

START_TEST(all_are_absent)
{
	if (!up_without(0x1e, 5, NULL))
		return;
	/* A client is served all the same, and at once. */
	say_to_mv("hello");
	log_wait_once(&rig, 1, "hello");
	done();
}
END_TEST

START_TEST(a_link_that_breaks_and_comes_back)
{
	if (!up(5, "reconnect-max = 0.5\n"))
		return;
	rig_link_news(&rig, 0, 1);
	close(fake[1].listener);
	conn_close(&fake[1].in);
	wait_for(rig_link_fell(&rig, 0, 1), SOON, "it is not reported down");
	say_to_mv("while it is down");
	expect_at(2, "2while it is down");
	expect_at(3, "0while it is down");

	fake[1].listener = rig_listen(&rig, 1);
	link_accept(1);
	rig_wait_link(&rig, 0, 1);
	say_to_mv("when it is back");
	expect_at(2, "2when it is back");
	/* What waited for it may come first, and goes no further from there. */
	conn_line(&fake[1].in);
	conn_puts(&fake[1].in, "ok\r\n");
	if (strcmp(fake[1].in.last, "0while it is down") == 0)
		expect_at(1, "2when it is back");
	else
		require(strcmp(fake[1].in.last, "2when it is back") == 0, "came '%s'", fake[1].in.last);
	done();
}
END_TEST

/* It takes data and does not answer, as a stopped process does. */
START_TEST(a_peer_that_does_not_answer)
{
	if (!up(5, "peer-timeout = 1\n"))
		return;
	int64_t began = clock_mono_ms();
	say_to_mv("one");
	require(clock_mono_ms() - began < slow_ms(900), "the client waited for it");
	expect_at(2, "2one");
	conn_expect(&fake[1].in, "2one");
	wait_for(rig_link_fell(&rig, 0, 1), SOON, "it is not reported down");
	/* Those beyond it are served directly now. */
	say_to_mv("two");
	expect_at(2, "2two");
	expect_at(3, "0two");

	/* Then it does. */
	rig_link_news(&rig, 0, 1);
	conn_puts(&fake[1].in, "ok\r\n");
	rig_wait_link(&rig, 0, 1);
	expect_at(1, "0two");
	say_to_mv("three");
	expect_at(1, "2three");
	expect_at(2, "2three");
	done();
}
END_TEST

/* ---- keep-alives ---- */

START_TEST(idle_links_carry_keep_alives)
{
	if (!up(5, "keep-alive = 1\n"))
		return;
	int64_t began = clock_mono_ms();
	for (int round = 0; round < 3; round++)
		for (int i = 1; i < 5; i++) {
			fake[i].in.link = false;        /* we answer ourselves */
			conn_expect(&fake[i].in, "keepAlive");
			conn_puts(&fake[i].in, "ack\r\n");
		}
	require(clock_mono_ms() - began > 1500, "three keep-alives in %lld ms", (long long)(clock_mono_ms() - began));
	for (int i = 1; i < 5; i++)
		fake[i].in.link = true;
	done();
}
END_TEST

START_TEST(a_silent_peer_is_dialled_anew)
{
	if (!up(5, "keep-alive = 1\nreconnect-max = 0.5\npeer-timeout = 600\n"))
		return;
	fake[1].in.link = false;
	conn_expect(&fake[1].in, "keepAlive");
	conn_drain(&fake[1].in);
	conn_close(&fake[1].in);
	wait_for(rig_link_fell(&rig, 0, 1), SOON, "it is not reported down");
	link_accept(1);
	for (int i = 2; i < 5; i++)
		require(!fake[i].in.ended, "a link that answered was closed, too");
	done();
}
END_TEST

START_TEST(a_peer_that_says_nothing_is_closed)
{
	if (!up(5, "keep-alive = 1\n"))
		return;
	/* One of two is silent on the connection that it dialled. */
	say_from(3, "0hello");
	say_from(4, "0hello");
	int64_t until = wait_until_ms(SOON), began = clock_mono_ms();
	struct conn *silent = &fake[3].out, *lively = &fake[4].out;
	while (conn_quiet(silent) && !silent->ended) {
		conn_round(lively);
		require(wait_turn(until), "a silent peer's connection stays open");
	}
	require(clock_mono_ms() - began > 1000, "closed after %lld ms", (long long)(clock_mono_ms() - began));
	conn_drain(silent);
	say_from(4, "0the other goes on");
	done();
}
END_TEST

/* ---- connecting again ---- */

START_TEST(a_peer_that_dials_is_dialled_at_once)
{
	/* Left alone, mv would wait for minutes. */
	if (!up_without(1 << 1, 5, "reconnect-min = 600\nreconnect-max = 600\n"))
		return;
	fake[1].listener = rig_listen(&rig, 1);
	conn_peer(&fake[1].out, &rig, 1, 0);
	say_from(1, "0here I am");
	link_accept(1);
	rig_wait_link(&rig, 0, 1);
	say_to_mv("hello");
	expect_at(1, "2hello");
	expect_at(2, "2hello");
	done();
}
END_TEST

START_TEST(nobody_is_dialled_in_a_tight_loop)
{
	if (!up(5, "reconnect-min = 0.2\n"))
		return;
	/* It accepts and closes at once, as a peer does that refuses us. */
	int accepted = 0;
	conn_close(&fake[1].in);
	int64_t began = clock_mono_ms();
	while (clock_mono_ms() - began < 2000) {
		int fd = accept(fake[1].listener, NULL, NULL);
		if (fd >= 0) {
			accepted++;
			close(fd);
		}
		wait_turn(INT64_MAX);
	}
	require(accepted >= 1 && accepted <= 40, "dialled %d times in 2 s", accepted);
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
	STORY_TEST(s, the_next_is_absent);
	STORY_TEST(s, the_second_next_is_absent);
	STORY_TEST(s, both_are_absent);
	STORY_TEST(s, absent_by_the_old_rule);
	STORY_TEST(s, all_are_absent);
	STORY_TEST(s, a_link_that_breaks_and_comes_back);
	STORY_TEST(s, a_peer_that_does_not_answer);
	STORY_TEST(s, idle_links_carry_keep_alives);
	STORY_TEST(s, a_silent_peer_is_dialled_anew);
	STORY_TEST(s, a_peer_that_says_nothing_is_closed);
	STORY_TEST(s, a_peer_that_dials_is_dialled_at_once);
	STORY_TEST(s, nobody_is_dialled_in_a_tight_loop);
}

int
main(void)
{
	return story_main("04-peer", add);
}
