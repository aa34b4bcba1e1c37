/* SPDX-License-Identifier: MIT
 * 28-control-ring.c - zogctl trace and verify: a probe's way, and whether all hold the same. */
#include "control_rig.h"

#include <dirent.h>

/* ---- trace ---- */

START_TEST(trace_round_five)
{
	/* mv sends to pa and g; these send on, each by two. */
	static const char *const vias[] = { NULL, "from mv", "from mv", "from pa", "from g" };
	rig_up(&rig, 5, "reconnect-max = 0.5\n");
	rig_say(&rig, 0, "the only message");
	for (int round = 0; round < 5; round++) {
		require(ctl_run(0, "trace", NULL) == 0, "%s", ctl.err);
		require(ctl_says("mv", " sent"), "%s", ctl.out);
		for (int i = 1; i < 5; i++)
			require(ctl_says(rig.m[i].name, vias[i]), "%s: not %s:\n%s", rig.m[i].name, vias[i], ctl.out);
	}
	for (int i = 0; i < 5; i++) {
		require(log_lines(&rig, i) == 1, "a probe is in %s's access.log", rig.m[i].name);
		require(ctl_run(i, "verify", NULL) == 0 && ctl_says("journal", " 1 messages, "), "%s", ctl.out);
		require(ctl_run(i, "cat", NULL) == 0 && strstr(ctl.out, " mv:1 the only message\n") != NULL,
		    "%s", ctl.out);
	}
	ctl_forget();
	rig_down(&rig);
}
END_TEST

START_TEST(trace_round_who_is_down)
{
	rig_up(&rig, 5, "reconnect-max = 0.5\npeer-timeout = 1\n");
	rig_kill(&rig, 1);
	rig_wait_gone(&rig, 1);
	wait_state(0, "pa", " down ");
	require(ctl_run(0, "trace", NULL) == 0, "%s", ctl.err);
	require(ctl_says("pa", "-  down"), "%s", ctl.out);
	/* Whom it would have reached is reached all the same. */
	require(ctl_says("la", "from mv") && ctl_says("g", "from mv") && ctl_says("s", "from g"), "%s", ctl.out);
	ctl_forget();
	rig_down(&rig);
}
END_TEST

/* ---- verify ---- */

/* The member's only segment. */
static const char *
segment_of(int member)
{
	char name[64] = "";
	DIR *d = opendir(rig_path(&rig, member, "state"));
	struct dirent *e;
	while (d != NULL && (e = readdir(d)) != NULL)
		if (strncmp(e->d_name, "journal-", 8) == 0)
			snprintf(name, sizeof name, "state/%.50s", e->d_name);
	require(d != NULL && name[0] != '\0', "no segment");
	closedir(d);
	return rig_path(&rig, member, name);
}

/* Changes one byte of this text where it stands on the member's disk, while it runs. */
static void
damage(int member, const char *text)
{
	const char *path = segment_of(member);
	size_t len;
	char *all = file_read(path, &len), *at = memmem(all, len, text, strlen(text));
	require(at != NULL, "'%s' is not in %s", text, path);
	int fd = open(path, O_WRONLY);
	require(fd >= 0 && pwrite(fd, "X", 1, at - all) == 1, "%s: %s", path, strerror(errno));
	close(fd);
	free(all);
}

START_TEST(verify_finds_what_is_damaged)
{
	rig_up(&rig, 1, NULL);
	require(ctl_run(0, "verify", NULL) == 0 && ctl_says("journal", "0 segments, 0 messages"), "%s", ctl.out);
	for (int i = 0; i < 10; i++) {
		char text[32];
		snprintf(text, sizeof text, "number %d", i);
		rig_say(&rig, 0, text);
	}
	require(ctl_run(0, "verify", NULL) == 0, "%s", ctl.err);
	require(ctl_says("journal", "1 segments, 10 messages") && ctl_says("journal", " 0 damaged places"),
	    "%s", ctl.out);
	damage(0, "number 4");
	require(ctl_run(0, "verify", NULL) == 74 && ctl_says("journal", " 9 messages") && ctl_says("journal",
	    " 1 damaged places"),
	    "%s%s", ctl.out, ctl.err);
	require(strstr(ctl.out, "    journal-") != NULL && strstr(ctl.out, ": frame CRC\n") != NULL, "%s", ctl.out);
	/* Nothing was changed by looking, and it goes on. */
	rig_say(&rig, 0, "after that");
	require(ctl_run(0, "verify", NULL) == 74 && ctl_says("journal", " 10 messages"), "%s", ctl.out);
	ctl_forget();
	rig_done(&rig);
}
END_TEST

START_TEST(verify_the_ring)
{
	rig_up(&rig, 3, "reconnect-max = 0.5\njournal-segment = 64M\n");
	require(ctl_run(0, "verify", "--ring", NULL) == 0 && ctl_says("pa", "same"), "%s%s", ctl.out, ctl.err);
	struct load l;
	load_init(&l, &rig, 'a', 3, 3000);
	l.window = 100;
	load_connect_all(&l);
	load_run(&l);
	load_wait_logged(&l, 7);
	load_fini(&l);
	rig_say(&rig, 0, "the one that matters");
	require(ctl_run(0, "verify", "--ring", NULL) == 0, "%s%s", ctl.out, ctl.err);
	require(ctl_says("ring", "3 streams compared") && ctl_says("pa", "same") && ctl_says("g", "same"), "%s",
	    ctl.out);
	/* A disk that has changed its mind. */
	damage(1, "the one that matters");
	require(ctl_run(0, "verify", "--ring", NULL) == 74, "%s%s", ctl.out, ctl.err);
	require(ctl_says("pa", "differs") && ctl_says("g", "same"), "%s", ctl.out);
	require(strstr(ctl.out, "    stream of mv from ") != NULL && strstr(ctl.out,
	    "it has 3000, we have 3001") != NULL, "%s", ctl.out);
	/* One that is away is said to be, and is no difference. */
	rig_kill(&rig, 1);
	wait_state(0, "pa", " down ");
	require(ctl_run(0, "verify", "--ring", NULL) == 0 && ctl_says("pa", "down") && ctl_says("g", "same"),
	    "%s%s", ctl.out, ctl.err);
	ctl_forget();
	rig_done(&rig);
}
END_TEST

/* While messages come nobody is said to differ that only has not got the last of them yet. */
START_TEST(verify_the_ring_under_load)
{
	rig_up(&rig, 3, "peer-timeout = 60\n");
	struct load l;
	load_init(&l, &rig, 'a', 3, 1000000);
	l.window = 10;
	l.every_ms = 2;
	load_connect_all(&l);
	load_pump(&l);
	wait_for(l.ok > 200, SOON, "%ld settled", l.ok);
	for (int i = 0; i < 3; i++)
		require(ctl_run(i, "verify", "--ring", NULL) == 0, "%s%s", ctl.out, ctl.err);
	load_halt(&l);
	load_wait_logged(&l, 7);
	load_fini(&l);
	ctl_forget();
	rig_down(&rig);
}
END_TEST

/* A member of the version before this: it does not know the word. */
START_TEST(verify_with_an_old_member)
{
	char hello[128];
	struct conn c, to;
	rig_make(&rig, 2, NULL);
	if (!rig.own_addresses) {
		story_skip("one loopback address only: peers cannot be told apart");
		rig_done(&rig);
		return;
	}
	rig_start(&rig, 0);
	int listener = rig_listen(&rig, 1);
	conn_accept(&c, &rig, listener, 0);
	c.link = false;         /* it is answered in the numbered form */
	conn_expect_start(&c, "HELLO zog/1 ");
	snprintf(hello, sizeof hello, "OK zog/1 from=%s epoch=5 ring=00000000\r\n", rig.m[1].name);
	conn_puts(&c, hello);
	conn_peer(&to, &rig, 1, 0);
	snprintf(hello, sizeof hello, "HELLO zog/1 ring=00000000 from=%s to=%s epoch=5\r\n", rig.m[1].name,
	    rig.m[0].name);
	conn_puts(&to, hello);
	conn_expect_start(&to, "OK zog/1 ");
	wait_state(0, "pa", " up");
	struct conn client;
	conn_client(&client, &rig, 0);
	conn_puts(&client, "a message\r\n");
	conn_expect(&client, "ok");
	conn_close(&client);
	static const char *const words[] = { "verify", "--ring", NULL };
	pid_t pid = ctl_begin(0, words);
	do
		conn_line(&c);
	while (strncmp(c.last, "sum ", 4) != 0);
	conn_puts(&c, "error unknown word\r\n");
	require(ctl_end(0, pid, SOON) == 0 && ctl_says("pa", "unknown: its version cannot tell"), "%s%s",
	    ctl.out, ctl.err);
	/* And one that knows it, and holds something else. */
	pid = ctl_begin(0, words);
	for (int asked = 0; asked < 2; asked++) {
		char origin[20], epoch[24], answer[128];
		do
			conn_line(&c);
		while (sscanf(c.last, "sum %19s %23s", origin, epoch) != 2);
		conn_puts(&c, "ack\r\n");
		snprintf(answer, sizeof answer, "sums %s %s 1 1 0123456789abcdef\r\n", origin, epoch);
		conn_puts(&to, answer);
	}
	require(ctl_end(0, pid, SOON) == 74 && ctl_says("pa", "differs"), "%s%s", ctl.out, ctl.err);
	require(strstr(ctl.out, "both have 1, and they are not the same") != NULL, "%s", ctl.out);
	conn_close(&to);
	conn_close(&c);
	close(listener);
	ctl_forget();
	rig_done(&rig);
}
END_TEST

/* Words that make no sense do no harm. */
START_TEST(sums_that_make_no_sense)
{
	static const char *const lines[] = { "sum mv\r\n", "sum mv 1 2 1\r\n", "sum mv 0 1 1\r\n",
	    "sum mv x 1 1\r\n" };
	char hello[128];
	struct conn to;
	rig_make(&rig, 2, NULL);
	rig_start(&rig, 0);
	conn_peer(&to, &rig, 1, 0);
	snprintf(hello, sizeof hello, "HELLO zog/1 ring=00000000 from=%s to=%s epoch=5\r\n", rig.m[1].name,
	    rig.m[0].name);
	conn_puts(&to, hello);
	conn_expect_start(&to, "OK zog/1 ");
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		conn_puts(&to, lines[i]);
		conn_expect(&to, "error cannot sum");
	}
	conn_puts(&to, "sum mv 1 1 9223372036854775806\r\n");
	conn_expect(&to, "ack");
	conn_puts(&to, "sums mv 1 1 1 xyz\r\n");
	conn_expect(&to, "ack");        /* nobody asked: it is not looked at */
	conn_puts(&to, "seen\r\n");
	conn_expect(&to, "error unknown word");
	conn_puts(&to, "seen abc\r\nseen abc pa\r\nkeepAlive\r\n");
	conn_expect(&to, "ack");
	conn_close(&to);
	rig_done(&rig);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, trace_round_five);
	STORY_TEST(s, trace_round_who_is_down);
	STORY_TEST(s, verify_finds_what_is_damaged);
	STORY_TEST(s, verify_the_ring);
	STORY_TEST(s, verify_the_ring_under_load);
	STORY_TEST(s, verify_with_an_old_member);
	STORY_TEST(s, sums_that_make_no_sense);
}

int
main(void)
{
	return story_main("28-control-ring", add);
}
