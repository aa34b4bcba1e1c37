/* SPDX-License-Identifier: MIT
 * 07-signals.c - HUP, TERM, INT and PIPE, quiet and under load. */
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static struct ring_rig rig;

static bool
said(int member, const char *text)
{
	return log_error_has(&rig, member, text) || file_has(rig_path(&rig, member, "stderr"), text);
}

/* ---- HUP: the logs ---- */

static void
rename_log(int member, const char *log, int number)
{
	char from[64], to[64];
	snprintf(from, sizeof from, "log/%s", log);
	snprintf(to, sizeof to, "log/%s.%d", log, number);
	require(rename(rig_path(&rig, member, from), rig_path(&rig, member, to)) == 0, "rename: %s", strerror(errno));
}

START_TEST(hup_opens_the_logs_anew)
{
	rig_up(&rig, 1, NULL);
	rig_say(&rig, 0, "first");
	rename_log(0, "access.log", 1);
	rename_log(0, "error.log", 1);
	rig_signal(&rig, 0, SIGHUP);
	wait_for(file_exists(rig_path(&rig, 0, "log/access.log")), SOON, "no new access.log");
	wait_for(file_exists(rig_path(&rig, 0, "log/error.log")), SOON, "no new error.log");
	rig_say(&rig, 0, "second");
	struct conn c;
	conn_client(&c, &rig, 0);
	conn_puts(&c, "\x01\r\n");
	conn_expect(&c, "error control character");
	conn_close(&c);
	log_wait_error(&rig, 0, " control character: ");
	require(log_count_text(&rig, 0, "first") == 0, "the new file has old lines");
	require(file_has(rig_path(&rig, 0, "log/access.log.1"), " first\n"), "the old file lost its line");
	require(!file_has(rig_path(&rig, 0, "log/access.log.1"), " second\n"), "the old file is still in use");
	require(!file_has(rig_path(&rig, 0, "log/error.log.1"), " control character: "), "the old file is in use");
	rig_down(&rig);
}
END_TEST

START_TEST(hup_under_load_loses_no_line)
{
	enum { TIMES = 36 };
	rig_up(&rig, 3, "peer-timeout = 60\n");
	struct load l;
	load_init(&l, &rig, 'a', 6, 1000000);
	l.window = 20;
	load_connect_all(&l);
	load_pump(&l);
	for (int k = 1; k <= TIMES; k++) {
		long before = l.ok;
		for (int i = 0; i < 3; i++) {
			rename_log(i, "access.log", k);
			rig_signal(&rig, i, SIGHUP);
		}
		for (int i = 0; i < 3; i++)
			wait_for(file_exists(rig_path(&rig, i, "log/access.log")), SOON, "no new access.log");
		/* Some of the load goes into each file. */
		wait_for(l.ok > before + 50, SOON, "nothing is settled any more");
	}
	load_halt(&l);
	require(l.ok == l.sent, "%ld of %ld settled", l.ok, l.sent);
	load_wait_logged_in(&l, 7, TIMES);
	rig_stop_all(&rig);
	load_require_once_in(&l, 7, TIMES, "36 times HUP");
	load_fini(&l);
	rig_down(&rig);
}
END_TEST

START_TEST(hup_every_millisecond)
{
	rig_up(&rig, 2, "peer-timeout = 60\n");
	struct load l;
	load_init(&l, &rig, 'a', 2, 1000000);
	l.window = 20;
	load_connect_all(&l);
	for (int k = 0; k < 500; k++) {
		rig_signal(&rig, k % 2, SIGHUP);
		int64_t now = clock_mono_ms();
		do
			load_step(&l, 1);
		while (clock_mono_ms() == now);
	}
	load_halt(&l);
	load_wait_logged(&l, 3);
	rig_stop_all(&rig);
	load_require_once(&l, 3, "500 times HUP");
	load_fini(&l);
	rig_down(&rig);
}
END_TEST

/* ---- HUP: the configuration ---- */

START_TEST(hup_with_a_bad_file_changes_nothing)
{
	rig_up(&rig, 2, NULL);
	char *good = file_read(rig_path(&rig, 0, "zogd.conf"), NULL);
	rig_conf(&rig, 0, "max-clients = 1\ncolour = blue\n");
	rig_signal(&rig, 0, SIGHUP);
	wait_for(said(0, "/zogd.conf:7:"), SOON, "the bad line is not reported");
	struct conn c;
	conn_client(&c, &rig, 0);
	rig_say(&rig, 0, "a second client");
	/* Nor does a bad ring. */
	file_write(rig_path(&rig, 0, "zogd.conf"), good);
	free(good);
	file_append(rig.ring_file, "1st bad\n");
	rig_signal(&rig, 0, SIGHUP);
	wait_for(said(0, "/ring:4:"), SOON, "the bad line is not reported");
	rig_say(&rig, 0, "the ring as it was");
	rig_say(&rig, 1, "from the other side");
	conn_close(&c);
	rig_down(&rig);
}
END_TEST

START_TEST(hup_with_a_good_file_takes_it_over)
{
	rig_up(&rig, 1, NULL);
	struct conn first, c;
	conn_client(&first, &rig, 0);
	conn_round(&first);
	rig_conf(&rig, 0, "max-clients = 1\n");
	rig_signal(&rig, 0, SIGHUP);
	int64_t until = wait_until_ms(SOON);
	do {
		conn_client(&c, &rig, 0);
		conn_puts(&c, "keepAlive\r\n");
		conn_line(&c);
		require(wait_turn(until), "the new limit does not count");
		conn_close(&c);
	} while (strcmp(c.last, "ack") == 0);
	require(strcmp(c.last, "error too many clients") == 0, "the reply is '%s'", c.last);
	/* Those who are there stay. */
	conn_round(&first);
	conn_close(&first);
	rig_down(&rig);
}
END_TEST

/* The one has read a ring without the other. */
static void
wait_left_out(int one, int other)
{
	if (!rig.own_addresses)
		return;
	int64_t until = wait_until_ms(SOON);
	struct conn c;
	bool refused;
	do {
		conn_peer(&c, &rig, other, one);
		conn_puts(&c, "keepAlive\r\n");
		conn_line(&c);
		refused = strcmp(c.last, "error not a member") == 0;
		conn_close(&c);
		require(wait_turn(until), "%s still takes in the one that left", rig.m[one].name);
	} while (!refused);
}

START_TEST(hup_with_a_member_more_and_a_member_less)
{
	rig_make(&rig, 4, NULL);
	rig_write_ring(&rig, 3);
	for (int i = 0; i < 3; i++)
		rig_start(&rig, i);
	rig_wait_links(&rig);
	rig_say(&rig, 0, "three");

	rig_write_ring(&rig, 4);
	for (int i = 0; i < 3; i++)
		rig_signal(&rig, i, SIGHUP);
	rig_start(&rig, 3);
	rig_wait_links(&rig);
	for (int i = 0; i < 4; i++) {
		char text[32];
		snprintf(text, sizeof text, "four, from %d", i);
		rig_say(&rig, i, text);
	}

	rig_stop(&rig, 3);
	rig_write_ring(&rig, 3);
	for (int i = 0; i < 3; i++)
		rig_signal(&rig, i, SIGHUP);
	for (int i = 0; i < 3; i++)
		wait_left_out(i, 3);
	for (int i = 0; i < 3; i++) {
		char text[32];
		snprintf(text, sizeof text, "three again, from %d", i);
		rig_say(&rig, i, text);
	}
	rig_down(&rig);
}
END_TEST

/* Members that do not agree about the ring yet may miss something, in the plain form; nobody is delayed, and
 * when they do agree all is well. */
START_TEST(hup_with_a_new_ring_under_load)
{
	rig_make(&rig, 4, "peer-timeout = 60\n");
	rig_write_ring(&rig, 3);
	for (int i = 0; i < 3; i++)
		rig_start(&rig, i);
	rig_wait_links(&rig);
	struct load l;
	load_init(&l, &rig, 'a', 3, 1000000);
	l.window = 10;
	l.every_ms = 1;
	load_connect_all(&l);
	load_pump(&l);
	for (int round = 0; round < 4; round++) {
		long before = l.ok;
		rig_write_ring(&rig, round % 2 == 0 ? 4 : 3);
		for (int i = 0; i < 3; i++)
			rig_signal(&rig, i, SIGHUP);
		wait_for(l.ok > before + 200, SOON, "nothing is settled any more");
	}
	load_halt(&l);
	require(l.ok == l.sent, "%ld of %ld settled", l.ok, l.sent);
	for (int i = 0; i < 3; i++)
		wait_left_out(i, 3);
	for (int i = 0; i < 3; i++) {
		char text[32];
		snprintf(text, sizeof text, "agreed, from %d", i);
		rig_say(&rig, i, text);
	}
	rig_stop_all(&rig);
	struct verdict v = load_judge(&l, 7, 0, "a new ring four times");
	require(v.doubled == 0 && v.invented == 0, "%ld doubled, %ld invented", v.doubled, v.invented);
	for (int i = 0; i < 3; i++) {
		v = load_judge(&l, (uint64_t)1 << i, 0, NULL);
		require(v.lost <= l.ok / 3 * 2, "%s misses %ld", rig.m[i].name, v.lost);
	}
	load_fini(&l);
	rig_down(&rig);
}
END_TEST

/* ---- TERM ---- */

/* It has had TERM and drains: who dials now is told at once that nobody is there. */
static void
wait_ports_closed(int member)
{
	struct conn c;
	bool open;
	int64_t until = wait_until_ms(SOON / 10);
	do {
		/* A reset is the moment of closing itself. */
		open = conn_try_client(&c, &rig, member, 1000) || errno == ECONNRESET;
		require(open || errno == ECONNREFUSED, "connect: %s", strerror(errno));
		conn_close(&c);
		require(!open || wait_turn(until), "it still listens");
	} while (open);
	require(rig_alive(&rig, member), "its ports were open until it ended");
}

/* The queue of a stopped peer is full: TERM ends all the same, in order, whatever comes while it drains. */
static void
term_with_full_queues(int while_stopping)
{
	rig_up(&rig, 5, while_stopping != 0 ? "drain-timeout = 4\npeer-timeout = 60\n" :
	    "drain-timeout = 1\npeer-timeout = 60\n");
	rig_pause(&rig, 1);
	struct load l;
	load_init(&l, &rig, 'a', 1, 40000);
	l.least = l.most = 500;
	l.window = 1000;
	load_connect(&l, 0, 0);
	load_run(&l);
	/* The others have it all: neither a short drain nor a second TERM takes anything from them. */
	load_wait_logged(&l, 1 << 2 | 1 << 4);
	int64_t began = clock_mono_ms();
	rig_expect_exit(&rig, 0);
	rig_signal(&rig, 0, SIGTERM);
	if (while_stopping != 0) {
		wait_ports_closed(0);
		rig_signal(&rig, 0, while_stopping);
	}
	int code = rig_wait_exit(&rig, 0, 9000);
	require(code == 0, "%s %d after TERM", code < 0 ? "signal" : "exit code", abs(code));
	printf("TERM with a full queue: ended after %lld ms\n", (long long)(clock_mono_ms() - began));
	rig_resume(&rig, 1);
	rig_stop_all(&rig);
	load_require_once(&l, 1 << 0 | 1 << 2 | 1 << 4, "TERM with a full queue");
	load_fini(&l);
	rig_down(&rig);
}

START_TEST(term_with_a_full_queue)
{
	term_with_full_queues(0);
}
END_TEST

START_TEST(term_twice)
{
	term_with_full_queues(SIGTERM);
}
END_TEST

START_TEST(hup_while_stopping)
{
	term_with_full_queues(SIGHUP);
}
END_TEST

/* There is time, and the peer comes back: it gets all that waited for it. */
START_TEST(term_waits_for_a_slow_peer)
{
	rig_up(&rig, 3, "drain-timeout = 600\npeer-timeout = 60\n");
	rig_pause(&rig, 1);
	struct load l;
	load_init(&l, &rig, 'a', 1, 12000);
	l.least = l.most = 500;
	l.window = 1000;
	load_connect(&l, 0, 0);
	load_run(&l);
	rig_expect_exit(&rig, 0);
	rig_signal(&rig, 0, SIGTERM);
	wait_ports_closed(0);
	rig_resume(&rig, 1);
	/* The longer it slept, the longer TCP waits before it tries again. */
	int code = rig_wait_exit(&rig, 0, 3 * SOON);
	require(code == 0, "%s %d after TERM", code < 0 ? "signal" : "exit code", abs(code));
	load_wait_logged(&l, 1 << 1 | 1 << 2);
	rig_stop_all(&rig);
	load_require_once(&l, 7, "TERM with a slow peer");
	load_fini(&l);
	rig_down(&rig);
}
END_TEST

START_TEST(term_under_load_keeps_what_it_settled)
{
	rig_up(&rig, 5, "peer-timeout = 60\ndrain-timeout = 30\n");
	struct load l;
	load_init(&l, &rig, 'a', 8, 1000000);
	l.window = 100;
	l.may_break = l.may_fail = true;
	for (int i = 0; i < l.conns; i++)
		load_connect(&l, i, 0);
	load_pump(&l);
	wait_for(l.ok > slow_count(5000), SOON, "%ld settled", l.ok);
	rig_stop(&rig, 0);
	load_run(&l);
	require(l.broken == l.conns, "connections outlive their zogd");
	load_wait_logged(&l, 0x1e);
	rig_stop_all(&rig);
	load_require_once(&l, 0x1f, "TERM under load");
	load_fini(&l);
	rig_down(&rig);
}
END_TEST

START_TEST(term_with_idle_and_half_clients)
{
	rig_up(&rig, 1, NULL);
	struct conn idle, half, deaf;
	conn_client(&idle, &rig, 0);
	conn_client(&half, &rig, 0);
	conn_client(&deaf, &rig, 0);
	conn_round(&idle);
	conn_puts(&half, "half a li");
	/* One that never reads, with more replies under way than the kernel holds. */
	int64_t until = clock_mono_ms() + slow_ms(500);
	size_t sent = 0;
	while (wait_turn(until) && sent < 32 << 20) {
		static const char line[] = "keepAlive\r\n";
		static char many[1100];
		for (size_t i = 0; i < 100; i++)
			memcpy(many + i * 11, line, 11);
		ssize_t n;
		while ((n = conn_put_some(&deaf, many + sent % 11, sizeof many - sent % 11)) > 0 && sent < 32 << 20)
			sent += (size_t)n;
		if (n < 0)
			break;
	}
	rig_expect_exit(&rig, 0);
	rig_signal(&rig, 0, SIGTERM);
	require(rig_wait_exit(&rig, 0, 10000) == 0, "exit code %d", rig.m[0].code);
	conn_drain(&idle);
	conn_drain(&half);
	conn_close(&idle);
	conn_close(&half);
	conn_close(&deaf);
	rig_down(&rig);
}
END_TEST

START_TEST(pipe_is_ignored)
{
	rig_up(&rig, 2, NULL);
	rig_signal(&rig, 0, SIGPIPE);
	rig_say(&rig, 0, "after PIPE");
	/* And the real thing: a client is gone when its replies are due. */
	for (int i = 0; i < 50; i++) {
		struct conn c;
		conn_client(&c, &rig, 0);
		conn_puts(&c, "keepAlive\r\nkeepAlive\r\nkeepAlive\r\n");
		conn_reset(&c);
	}
	rig_say(&rig, 0, "after the resets");
	rig_down(&rig);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, hup_opens_the_logs_anew);
	STORY_TEST(s, hup_with_a_bad_file_changes_nothing);
	STORY_TEST(s, hup_with_a_good_file_takes_it_over);
	STORY_TEST(s, hup_with_a_member_more_and_a_member_less);
	STORY_TEST(s, pipe_is_ignored);
	STORY_TEST(s, term_with_idle_and_half_clients);
	STORY_TEST(s, term_under_load_keeps_what_it_settled);
	STORY_TEST(s, term_with_a_full_queue);
	STORY_TEST(s, term_waits_for_a_slow_peer);
	STORY_TEST(s, term_twice);
	STORY_TEST(s, hup_while_stopping);
	STORY_TEST(s, hup_under_load_loses_no_line);
	STORY_TEST(s, hup_every_millisecond);
	STORY_TEST(s, hup_with_a_new_ring_under_load);
}

int
main(void)
{
	return story_main("07-signals", add);
}
