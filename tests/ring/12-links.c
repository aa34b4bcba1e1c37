/* SPDX-License-Identifier: MIT
 * 12-links.c - links that are down, break, say nothing, and come back, in the plain form: one real zogd in a ring that the
 * test plays. */
#include "played_rig.h"

#include "base/clock.h"

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
	return story_main("12-links", add);
}
