/* SPDX-License-Identifier: MIT
 * 06-restart.c - members that die, come back, or hang: the others go on, and no client waits. What the
 * plain form promises is what is asked for here: at most once over a link that breaks. */
#include "harness.h"

static struct ring_rig rig;

START_TEST(a_member_is_killed_and_comes_back)
{
	rig_up(&rig, 5, "reconnect-max = 1\n");
	rig_say(&rig, 0, "before");
	for (int victim = 0; victim < 5; victim++) {
		char text[32];
		rig_kill(&rig, victim);
		rig_wait_gone(&rig, victim);
		rig_start(&rig, victim);
		rig_wait_links(&rig);
		for (int i = 0; i < 5; i++) {
			snprintf(text, sizeof text, "%d after the end of %d", i, victim);
			rig_say(&rig, i, text);
		}
	}
	/* Whatever a restart did to its logs, nothing is in there twice. */
	for (int i = 0; i < 5; i++)
		require(log_count_text(&rig, i, "before") == 1, "'before' is %d times in the log of %s",
		    log_count_text(&rig, i, "before"), rig.m[i].name);
	rig_down(&rig);
}
END_TEST

START_TEST(a_member_is_stopped_and_comes_back)
{
	rig_up(&rig, 5, NULL);
	rig_say(&rig, 0, "before");
	rig_stop(&rig, 1);
	rig_wait_gone(&rig, 1);
	rig_say(&rig, 0, "meanwhile");
	rig_start(&rig, 1);
	/* It dials its peers when it starts: nobody's backoff is waited for. */
	rig_wait_links(&rig);
	rig_say(&rig, 0, "after");
	rig_down(&rig);
}
END_TEST

START_TEST(those_beyond_a_dead_member_are_reached)
{
	rig_up(&rig, 5, "drain-timeout = 1\n");
	for (int victim = 0; victim < 5; victim++) {
		char text[32];
		rig_kill(&rig, victim);
		rig_wait_gone(&rig, victim);
		for (int i = 0; i < 5; i++) {
			if (i == victim)
				continue;
			snprintf(text, sizeof text, "%d without %d", i, victim);
			rig_say(&rig, i, text);
		}
		rig_start(&rig, victim);
		rig_wait_links(&rig);
	}
	rig_down(&rig);
}
END_TEST

START_TEST(two_are_dead)
{
	rig_up(&rig, 5, "drain-timeout = 1\n");
	rig_kill(&rig, 1);
	rig_kill(&rig, 2);
	rig_wait_gone(&rig, 1);
	rig_wait_gone(&rig, 2);
	rig_say(&rig, 0, "without +1 and +2");
	rig_say(&rig, 3, "without +3 and +4");
	rig_say(&rig, 4, "without +2 and +3");
	rig_start(&rig, 1);
	rig_start(&rig, 2);
	rig_wait_links(&rig);
	rig_say(&rig, 0, "with all");
	rig_down(&rig);
}
END_TEST

START_TEST(all_die_and_come_back)
{
	rig_up(&rig, 5, NULL);
	rig_say(&rig, 2, "before");
	for (int i = 0; i < 5; i++)
		rig_kill(&rig, i);
	for (int i = 0; i < 5; i++)
		rig_launch(&rig, i);
	for (int i = 0; i < 5; i++)
		rig_wait_ready(&rig, i);
	rig_wait_links(&rig);
	rig_say(&rig, 2, "after");
	rig_down(&rig);
}
END_TEST

/* Killed in full work: nothing of what the others' clients were told is missing on those who lived, and what
 * came after is everywhere. */
START_TEST(killed_under_load)
{
	rig_up(&rig, 5, "reconnect-max = 1\ndrain-timeout = 1\n");
	struct load l, after;
	load_init(&l, &rig, 'a', 4, slow_count(10000));
	l.window = 50;
	for (int i = 0; i < 4; i++)
		load_connect(&l, i, i);
	load_pump(&l);
	long target = (long)l.conns * l.each / 4;
	wait_for(l.ok >= target, SOON, "%ld settled", l.ok);
	rig_kill(&rig, 4);
	wait_for(l.ok >= 2 * target, SOON, "%ld settled", l.ok);
	rig_wait_gone(&rig, 4);
	load_run(&l);
	require(l.ok == l.sent, "%ld of %ld settled", l.ok, l.sent);
	rig_start(&rig, 4);
	rig_wait_links(&rig);
	load_init(&after, &rig, 'b', 5, 100);
	load_connect_all(&after);
	load_run(&after);
	load_wait_logged(&after, 0);
	rig_stop_all(&rig);
	/* A frame on its way through the dead member is lost for those beyond it, in the plain form: count it. */
	struct verdict v = load_judge(&l, 0xf, 0, "killed under load, those who lived");
	require(v.invented == 0 && v.doubled == 0, "lines that should not be there");
	require(v.lost < l.ok / 4, "%ld lost", v.lost);
	load_require_once(&after, 0x1f, "after the restart");
	load_fini(&l);
	load_fini(&after);
	rig_down(&rig);
}
END_TEST

/* ---- a member that hangs ---- */

/* Clients of all but member 1. */
static void
connect_others(struct load *l)
{
	for (int i = 0; i < 4; i++)
		load_connect(l, i, i == 0 ? 0 : i + 1);
}

START_TEST(a_hung_member_delays_nobody)
{
	static const uint64_t others = 0x1f & ~(uint64_t)(1 << 1);
	rig_up(&rig, 5, "peer-timeout = 1\nreconnect-max = 1\n");
	rig_pause(&rig, 1);
	struct load first, later;
	load_init(&first, &rig, 'a', 4, 150);
	first.window = 1;
	first.every_ms = 10;
	connect_others(&first);
	load_run(&first);
	require(first.slowest_ms < slow_ms(900), "a client waited %lld ms", (long long)first.slowest_ms);
	/* Those who send to it have noticed. */
	for (int i = 0; i < 5; i += 4) {
		wait_for(rig_link_fell(&rig, i, 1), SOON, "%s does not notice", rig.m[i].name);
		rig_link_news(&rig, i, 1);
	}
	load_judge(&first, others, 0, "before it was noticed, the others");

	/* What is sent now goes round it: the others are complete within seconds. */
	load_init(&later, &rig, 'b', 4, 150);
	later.window = 1;
	connect_others(&later);
	load_run(&later);
	require(later.slowest_ms < slow_ms(900), "a client waited %lld ms", (long long)later.slowest_ms);
	load_wait_logged(&later, others);

	/* It wakes up, and gets what waited for it; what it had been given before, it passes on. */
	rig_resume(&rig, 1);
	rig_wait_link(&rig, 0, 1);
	rig_wait_link(&rig, 4, 1);
	load_wait_logged(&later, 1 << 1);
	load_wait_logged(&first, 0);
	rig_say(&rig, 0, "after all");
	rig_stop_all(&rig);
	/* In order on each way, but there were two. */
	struct verdict v = load_judge(&first, 0x1f, 0, "while it is noticed");
	require(v.lost == 0 && v.doubled == 0 && v.invented == 0, "not each once");
	load_require_once(&later, others, "after it was noticed, the others");
	v = load_judge(&later, 1 << 1, 0, "the one that hung");
	require(v.lost == 0 && v.doubled == 0 && v.invented == 0, "not each once");
	load_fini(&first);
	load_fini(&later);
	rig_down(&rig);
}
END_TEST

/* Only for a moment, shorter than peer-timeout: nothing is lost or doubled at all. */
START_TEST(a_short_pause_is_no_event)
{
	rig_up(&rig, 5, "peer-timeout = 60\n");
	rig_pause(&rig, 2);
	struct load l;
	load_init(&l, &rig, 'a', 4, slow_count(2000));
	for (int i = 0; i < 4; i++)
		load_connect(&l, i, i < 2 ? i : i + 1);
	load_run(&l);
	rig_resume(&rig, 2);
	load_wait_logged(&l, 0);
	rig_stop_all(&rig);
	load_require_once(&l, 0x1f, "a short pause");
	load_fini(&l);
	rig_down(&rig);
}
END_TEST

/* What a full queue lets go is pulled from a journal later. */
START_TEST(a_full_queue_is_made_up_for)
{
	rig_up(&rig, 5, "queue-limit = 4M\npeer-timeout = 60\n");
	rig_pause(&rig, 1);
	/* More than the queue and the kernel's buffers hold for it; in windows, so that others keep up. */
	struct load l;
	load_init(&l, &rig, 'a', 1, 60000);
	l.least = l.most = 500;
	l.window = 50;
	load_connect(&l, 0, 0);
	load_run(&l);
	require(l.ok == l.sent, "%ld of %ld settled", l.ok, l.sent);
	char about[64];
	snprintf(about, sizeof about, "Z zogd queue to %s", rig.m[1].name);
	log_wait_error(&rig, 0, about);
	/* +2 and +4 were never concerned. */
	load_wait_logged(&l, 1 << 0 | 1 << 2 | 1 << 4);

	/* Then it has all that it missed, and so has the one behind it. */
	rig_resume(&rig, 1);
	rig_say(&rig, 0, "and is as it was");
	load_wait_logged(&l, 0x1f);
	rig_stop_all(&rig);
	load_require_once(&l, 0x1f, "a full queue");
	load_fini(&l);
	rig_down(&rig);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, a_member_is_stopped_and_comes_back);
	STORY_TEST(s, a_member_is_killed_and_comes_back);
	STORY_TEST(s, those_beyond_a_dead_member_are_reached);
	STORY_TEST(s, two_are_dead);
	STORY_TEST(s, all_die_and_come_back);
	STORY_TEST(s, killed_under_load);
	STORY_TEST(s, a_short_pause_is_no_event);
	STORY_TEST(s, a_hung_member_delays_nobody);
	STORY_TEST(s, a_full_queue_is_made_up_for);
}

int
main(void)
{
	return story_main("06-restart", add);
}
