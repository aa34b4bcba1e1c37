/* SPDX-License-Identifier: MIT
 * 32-limits.c - deadlines that count what is complete, not bytes; who has to go when all places are taken; that strangers on the
 * peer port keep no member out. The plain limits of clients: 08-clients.c. */
#include "harness.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"

#define SECRET "7c9e6679-7425-40de-944b-e07fc1f90ae7"

static struct ring_rig rig;

/* A byte now and then, until it is closed; how long that took. */
static int64_t
drip(struct conn *c, const char *first)
{
	int64_t began = clock_mono_ms();
	conn_puts(c, first);
	wait_for((wait_while_running(50), conn_put_some(c, "x", 1) < 0 || (conn_quiet(c), c->ended)), SOON, "it may drip for ever");
	return clock_mono_ms() - began;
}

/* ---- slowloris ---- */

START_TEST(a_client_that_drips)
{
	enum { IDLE_MS = 1000 };
	rig_up(&rig, 1, "client-idle-timeout = 1\n");
	struct conn c;
	conn_client(&c, &rig, 0);
	/* Whole lines keep it, however slowly they come. */
	for (int i = 0; i < 4; i++) {
		conn_puts(&c, "keepA");
		wait_while_running(IDLE_MS / 3);
		conn_puts(&c, "live\r\n");
		conn_expect(&c, "ack");
	}
	int64_t took = drip(&c, "a");
	require(took >= IDLE_MS - 100 && took < slow_ms(5 * IDLE_MS), "it was closed after %lld ms", (long long)took);
	log_wait_error(&rig, 0, "no complete line in time: ax");
	conn_close(&c);
	rig_down(&rig);
}
END_TEST

/* After HELLO: a frame, or line, has ten seconds from its first byte on, and not from what was complete before it. */
START_TEST(a_peer_that_drips)
{
	enum { BODY_MS = 10 * 1000 };
	char hello[200];
	rig_make(&rig, 3, NULL);
	rig_launch(&rig, 0);
	rig_wait_ready(&rig, 0);
	struct conn quiet, dripping;
	snprintf(hello, sizeof hello, "HELLO zog/1 ring=00000000 from=%s to=%s epoch=1\r\n", rig.m[1].name, rig.m[0].name);
	conn_peer(&quiet, &rig, 1, 0);
	conn_puts(&quiet, hello);
	conn_expect_start(&quiet, "OK zog/1");
	snprintf(hello, sizeof hello, "HELLO zog/1 ring=00000000 from=%s to=%s epoch=1\r\n", rig.m[2].name, rig.m[0].name);
	conn_peer(&dripping, &rig, 2, 0);
	conn_puts(&dripping, hello);
	conn_expect_start(&dripping, "OK zog/1");
	int64_t took = drip(&dripping, "0 data ");
	require(took >= BODY_MS - 500 && took < slow_ms(2 * BODY_MS), "it was closed after %lld ms", (long long)took);
	log_wait_error(&rig, 0, "no complete line in time: 0 data x");
	/* The other one has been quiet for longer than that. */
	conn_puts(&quiet, "keepA");
	wait_while_running(500);
	conn_puts(&quiet, "live\r\n");
	conn_expect(&quiet, "ack");
	conn_close(&quiet);
	conn_close(&dripping);
	rig_down(&rig);
}
END_TEST

/* ---- places ---- */

/* The one that was here before may be counted for another moment. */
static void
open_client(struct conn *c)
{
	int64_t until = wait_until_ms(SOON);
	for (;;) {
		conn_client(c, &rig, 0);
		conn_puts(c, "keepAlive\r\n");
		conn_line(c);
		if (strcmp(c->last, "ack") == 0)
			return;
		conn_close(c);
		require(wait_turn(until), "no client is taken: %s", c->last);
	}
}

START_TEST(the_longest_idle_goes_first)
{
	/* A fifteenth of a minute. */
	enum { PLACES = 4, IDLE_MS = 4000 };
	struct conn c[PLACES], more;
	rig_up(&rig, 1, "max-clients = 4\nclient-idle-timeout = 60\n");
	int64_t began = clock_mono_ms();
	for (int i = 0; i < PLACES; i++)
		open_client(&c[i]);
	/* Nobody has been idle for long, unless this machine has. */
	conn_client(&more, &rig, 0);
	if (clock_mono_ms() - began < IDLE_MS)
		conn_expect_rest(&more, "error too many clients\r\n");
	conn_close(&more);
	for (int i = 0; i < PLACES; i++)
		conn_round(&c[i]);
	wait_while_running(IDLE_MS + 200);
	/* The first and the last are not idle; half a line counts for nothing. */
	conn_round(&c[2]);
	conn_round(&c[1]);
	conn_puts(&c[0], "half");
	wait_while_running(100);
	conn_puts(&c[0], " a line");
	conn_round(&c[3]);
	wait_while_running(IDLE_MS / 10);
	open_client(&more);
	conn_expect_rest(&c[0], "error idle too long\r\n");
	conn_round(&more);
	for (int i = 1; i < PLACES; i++)
		conn_round(&c[i]);
	log_wait_error(&rig, 0, " the longest idle, and too many clients: closed");
	rig_signal(&rig, 0, SIGUSR2);
	log_wait_error(&rig, 0, "report: clients_shed 1\n");
	log_wait_error(&rig, 0, "report: connected clients 4,");
	conn_close(&more);
	for (int i = 0; i < PLACES; i++)
		conn_close(&c[i]);
	rig_down(&rig);
}
END_TEST

/* As many as there can be, and more, that say nothing, or half a HELLO; a member gets in all the same, and stays. */
START_TEST(strangers_on_the_peer_port)
{
	enum { STRANGERS = 300 };
	static struct conn c[STRANGERS];
	char line[RIG_PATH + 32], from[RIG_PATH];
	rig_make(&rig, 2, "reconnect-max = 0.5\nallow-peers = 127.0.0.0/8\n");
	for (int i = 0; i < 2; i++) {
		const char *secret = rig_path(&rig, i, "secret");
		file_write(secret, SECRET "\n");
		require(chmod(secret, 0600) == 0, "chmod");
		snprintf(line, sizeof line, "secret-file = %s\n", secret);
		rig_conf(&rig, i, line);
	}
	rig_launch(&rig, 0);
	rig_wait_ready(&rig, 0);
	snprintf(from, sizeof from, "%s", rig.m[1].host);
	for (int i = 0; i < STRANGERS; i++) {
		conn_peer_from(&c[i], &rig, from, 0);
		if (i % 2 != 0)
			conn_put_some(&c[i], "HELLO zog/1 ", 12);
	}
	rig_start(&rig, 1);
	rig_wait_links(&rig);
	/* And when more come. */
	for (int i = 0; i < STRANGERS; i++) {
		conn_close(&c[i]);
		conn_peer_from(&c[i], &rig, from, 0);
	}
	rig_say(&rig, 0, "among members");
	rig_say(&rig, 1, "the other way");
	require(!rig_link_fell(&rig, 1, 0), "the member had to go");
	log_wait_error(&rig, 0, " not opened for the longest, and too many connections: closed");
	rig_signal(&rig, 0, SIGUSR2);
	log_wait_error(&rig, 0, "report: connected clients");
	require(!log_error_has(&rig, 0, "report: peers_shed 0\n") && !log_error_has(&rig, 0, "too many connections\n"),
	    "some were refused");
	/* No more of them than there are places: the rest is closed. */
	size_t len;
	char *text = file_read(rig_path(&rig, 0, "log/error.log"), &len), *at = strstr(text, "report: connected clients");
	at = at != NULL ? strstr(at, "peers ") : NULL;
	require(at != NULL && atoi(at + 6) <= 4 * 2 + 64 + 1, "'%.20s'", at != NULL ? at : "");
	free(text);
	for (int i = 0; i < STRANGERS; i++)
		conn_close(&c[i]);
	rig_down(&rig);
}
END_TEST

/* A peer port that dials back at whoever knocks would be a tool for him. */
START_TEST(strangers_do_not_make_it_dial)
{
	enum { KNOCKS = 20 };
	char line[RIG_PATH + 32];
	struct conn c;
	rig_make(&rig, 2, "reconnect-min = 20\n");
	const char *secret = rig_path(&rig, 0, "secret");
	file_write(secret, SECRET "\n");
	require(chmod(secret, 0600) == 0, "chmod");
	snprintf(line, sizeof line, "secret-file = %s\n", secret);
	rig_conf(&rig, 0, line);
	rig_launch(&rig, 0);
	rig_wait_ready(&rig, 0);
	log_wait_error(&rig, 0, "link to pa: cannot connect");
	for (int i = 0; i < KNOCKS; i++) {
		conn_peer(&c, &rig, 1, 0);
		conn_puts(&c, "HELLO zog/1 ring=00000000 from=pa to=mv epoch=1 nonce=000102030405060708090a0b0c0d0e0f\r\n");
		conn_expect_start(&c, "OK zog/1");
		conn_close(&c);
	}
	rig_signal(&rig, 0, SIGUSR2);
	log_wait_error(&rig, 0, "report: connected clients");
	log_wait_error(&rig, 0, "report: peers_accepted 20\n");
	require(log_error_has(&rig, 0, "report: connect_failures 1\n"), "it dialled");
	rig_down(&rig);
}
END_TEST

static void
add(Suite *suite)
{
	STORY_TEST(suite, strangers_do_not_make_it_dial);
	STORY_TEST(suite, a_client_that_drips);
	STORY_TEST(suite, a_peer_that_drips);
	STORY_TEST(suite, the_longest_idle_goes_first);
	STORY_TEST(suite, strangers_on_the_peer_port);
}

int
main(void)
{
	return story_main("limits", add);
}
