/* SPDX-License-Identifier: MIT
 * 28-control-read.c - zogctl ping, wait, cat and tail: what goes over links, and what is in the journal. */
#include "control_rig.h"

/* ---- ping ---- */

START_TEST(ping_each_member)
{
	rig_up(&rig, 3, "peer-timeout = 1\nreconnect-max = 0.5\n");
	for (int i = 0; i < 20; i++)
		require(ctl_run(0, "ping", rig.m[1 + i % 2].name, NULL) == 0, "%s", ctl.err);
	require(strncmp(ctl.out, "g: ", 3) == 0 && strstr(ctl.out, " ms\n") != NULL, "%s", ctl.out);
	rig_say(&rig, 0, "a message in between");
	require(ctl_run(0, "ping", "pa", NULL) == 0, "%s", ctl.err);
	require(ctl_run(0, "ping", "mv", NULL) == 64 && strstr(ctl.err, "mv is this member itself") != NULL,
	    "%s", ctl.err);
	require(ctl_run(0, "ping", "nobody", NULL) == 64, "%s", ctl.err);
	require(ctl_run(0, "ping", "\033[2J", NULL) == 64 && strchr(ctl.err, '\033') == NULL, "%s", ctl.err);
	require(ctl_run(0, "ping", NULL) == 64, "%s", ctl.err);
	rig_kill(&rig, 2);
	wait_state(0, "g", " down ");
	require(ctl_run(0, "ping", "g", NULL) == 69 && strstr(ctl.err, "g: down: ") != NULL, "%s", ctl.err);
	/* One that hangs: the link is up until it is found out. */
	rig_pause(&rig, 1);
	require(ctl_run(0, "ping", "pa", NULL) == 75, "%s", ctl.err);
	rig_resume(&rig, 1);
	ctl_forget();
	rig_down(&rig);
}
END_TEST

/* Under load the answer is that of the keepAlive, and what is sent is not disturbed. */
START_TEST(ping_under_load)
{
	rig_up(&rig, 3, "peer-timeout = 60\n");
	struct load l;
	load_init(&l, &rig, 'a', 3, 1000000);
	l.window = 20;
	load_connect_all(&l);
	load_pump(&l);
	for (int i = 0; i < 10; i++)
		require(ctl_run(i % 3, "ping", rig.m[(i + 1) % 3].name, NULL) == 0, "%s", ctl.err);
	load_halt(&l);
	load_wait_logged(&l, 7);
	rig_stop_all(&rig);
	load_require_once(&l, 7, "with pings");
	load_fini(&l);
	ctl_forget();
	rig_down(&rig);
}
END_TEST

/* ---- wait ---- */

START_TEST(wait_until_nothing_is_missing)
{
	enum { MESSAGES = 5000 };
	rig_up(&rig, 2, "reconnect-max = 0.5\n");
	require(ctl_run(1, "wait", "--caught-up", NULL) == 0, "%s", ctl.err);
	rig_kill(&rig, 1);
	struct conn c;
	conn_client(&c, &rig, 0);
	for (int i = 0; i < MESSAGES; i++)
		conn_puts(&c, "while it is away\r\n");
	for (int i = 0; i < MESSAGES; i++)
		conn_expect(&c, "ok");
	conn_close(&c);
	/* The moment it can be asked it has nothing yet, and does not claim otherwise. */
	rig_launch(&rig, 1);
	int64_t until = wait_until_ms(SOON);
	while (ctl_run(1, "wait", "--caught-up", "-t", "30", NULL) == 69)
		require(wait_turn(until), "%s", ctl.err);
	require(ctl.err[0] == '\0' && ctl.out[0] == '\0', "%s", ctl.err);
	require(log_lines(&rig, 1) == MESSAGES, "it says so with %zu lines", log_lines(&rig, 1));
	ctl_forget();
	rig_wait_links(&rig);
	rig_down(&rig);
}
END_TEST

START_TEST(wait_in_vain)
{
	/* A peer that says it has more than it gives. */
	rig_make(&rig, 2, "gap-timeout = 600\n");
	rig_start(&rig, 0);
	struct conn c;
	char hello[128];
	int listener = rig_listen(&rig, 1);
	conn_accept(&c, &rig, listener, 0);
	struct conn to;
	conn_peer(&to, &rig, 1, 0);
	snprintf(hello, sizeof hello, "HELLO zog/1 ring=00000000 from=%s to=%s epoch=5\r\n", rig.m[1].name,
	    rig.m[0].name);
	conn_puts(&to, hello);
	conn_expect_start(&to, "OK zog/1 ");
	snprintf(hello, sizeof hello, "have %s 5 100\r\n", rig.m[1].name);
	conn_puts(&to, hello);
	int64_t until = wait_until_ms(SOON);
	do {
		require(ctl_run(0, "wait", "--caught-up", "-t", "0.3", NULL) == 75, "%s", ctl.err);
		require(strstr(ctl.err, "100 messages missing") != NULL || wait_turn(until), "%s", ctl.err);
	} while (strstr(ctl.err, "100 messages missing") == NULL);
	require(ctl_run(0, "wait", NULL) == 64 && ctl_run(0, "wait", "--caught-up", "-t", "soon", NULL) == 64,
	    "%s", ctl.err);
	conn_close(&to);
	conn_close(&c);
	close(listener);
	ctl_forget();
	rig_done(&rig);
}
END_TEST

/* ---- cat ---- */

/* What cat says of a member is its access.log, in some order. */
static void
require_same_as_log(int member)
{
	char command[RIG_PATH * 2];
	snprintf(command, sizeof command, "cd %s && sort ctl.out >a && sort log/access.log >b && cmp a b",
	    rig.m[member].folder);
	require(run_tool("sh", "-c", command, NULL) == 0, "%s: cat and access.log differ", rig.m[member].name);
}

START_TEST(cat_is_what_was_logged)
{
	rig_up(&rig, 3, "journal-segment = 64K\n");
	require(ctl_run(0, "cat", NULL) == 0 && ctl.out[0] == '\0', "%s%s", ctl.out, ctl.err);
	struct load l;
	load_init(&l, &rig, 'a', 3, 4000);
	l.window = 100;
	load_connect_all(&l);
	load_run(&l);
	load_wait_logged(&l, 7);
	for (int i = 0; i < 3; i++) {
		require(ctl_run(i, "cat", NULL) == 0, "%s", ctl.err);
		require_same_as_log(i);
	}
	require(ctl_run(0, "cat", "--origin", "pa", NULL) == 0, "%s", ctl.err);
	require(strstr(ctl.out, " pa:1 ") != NULL && strstr(ctl.out, " mv:") == NULL, "not pa's alone");
	require(ctl_run(0, "cat", "--since", "1h", "--origin", "g", NULL) == 0 && strstr(ctl.out,
	    " g:1 ") != NULL, "%s", ctl.err);
	require(ctl_run(0, "cat", "--since", "2999-01-01", NULL) == 0 && ctl.out[0] == '\0', "%s", ctl.out);
	require(ctl_run(0, "cat", "--origin", "1-2", NULL) == 64, "%s", ctl.err);
	require(ctl_run(0, "cat", "--since", "soon", NULL) == 64, "%s", ctl.err);
	load_fini(&l);
	ctl_forget();
	rig_down(&rig);
}
END_TEST

/* While it is written to, and old segments go, those among them that are about to be read: whole lines,
 * in their order, and the load
 * is not harmed. */
START_TEST(cat_under_load)
{
	rig_up(&rig, 1, "journal-segment = 256K\njournal-limit = 1M\n");
	struct load l;
	load_init(&l, &rig, 'a', 2, 1000000);
	l.window = 100;
	load_connect_all(&l);
	load_pump(&l);
	for (int round = 0; round < 20; round++) {
		require(ctl_run(0, "cat", NULL) == 0, "%s", ctl.err);
		size_t n = strlen(ctl.out);
		require(n == 0 || ctl.out[n - 1] == '\n', "the last line is cut");
		uint64_t before = 0;
		for (const char *p = ctl.out; *p != '\0'; p += strcspn(p, "\n") + 1) {
			struct log_line line;
			require(log_parse(p, strcspn(p, "\n"), &line), "a line is '%.60s'", p);
			require(line.seq > before, "%llu behind %llu", (unsigned long long)line.seq,
			    (unsigned long long)before);
			before = line.seq;
		}
	}
	load_halt(&l);
	load_wait_logged(&l, 1);
	load_require_once(&l, 1, "with cat");
	load_fini(&l);
	ctl_forget();
	rig_down(&rig);
}
END_TEST

/* ---- tail ---- */

START_TEST(tail_shows_what_comes)
{
	static const char *const words[] = { "tail", NULL };
	rig_up(&rig, 2, NULL);
	rig_say(&rig, 0, "before");
	pid_t pid = ctl_begin(1, words);
	/* It is heard as soon as it shows something. */
	int64_t until = wait_until_ms(SOON);
	for (int i = 0; file_count(rig_path(&rig, 1, "ctl.out"), " mv:") == 0; i++) {
		char text[32];
		snprintf(text, sizeof text, "number %d", i);
		rig_say(&rig, 0, text);
		require(wait_turn(until), "tail shows nothing");
	}
	rig_say(&rig, 1, "from the other side");
	wait_for(file_has(rig_path(&rig, 1, "ctl.out"), " pa:1 from the other side\n"), SOON, "a line is missing");
	require(!file_has(rig_path(&rig, 1, "ctl.out"), " before\n"), "it shows what was before");
	/* It ends with its zogd, and in order. */
	rig_stop(&rig, 1);
	require(ctl_end(1, pid, SOON) != -SIGKILL, "tail goes on");
	ctl_forget();
	rig_down(&rig);
}
END_TEST

/* The number at KEY in the header that begins at p; 0: there is none. */
static long
number_of(const char *p, const char *key)
{
	const char *at = strstr(p, key);
	return at != NULL ? strtol(strchr(at + strlen(key), ':') + 1, NULL, 10) : 0;
}

/* Who does not read loses, is told how many, and holds up nobody. */
START_TEST(tail_that_does_not_read)
{
	enum { MESSAGES = 40000 };
	struct conn c;
	struct load l;
	rig_up(&rig, 1, NULL);
	raw_open(&c, 0);
	conn_put(&c, "0:}0:,12:2:do,4:tail,}0:,", 25);
	/* The first piece is empty: from here on all is told. */
	char *first = raw_read(&c, 50);
	load_init(&l, &rig, 'a', 1, MESSAGES);
	l.window = 1000;
	load_connect_all(&l);
	load_run(&l);
	require(l.ok == MESSAGES, "%ld settled", l.ok);
	load_fini(&l);
	/* Now it reads: what it was sent, and how many were not. */
	struct buf all = BUF_INIT;
	long lost = 0, shown = 0;
	int64_t until = wait_until_ms(SOON);
	while (lost + shown < MESSAGES) {
		char *room = buf_room(&all, 65536);
		ssize_t n = recv(c.fd, room, 65535, 0);
		require(n != 0, "it was closed");
		if (n < 0) {
			require(wait_turn(until), "%ld shown, %ld lost", shown, lost);
			continue;
		}
		buf_added(&all, (size_t)n);
		*buf_room(&all, 1) = '\0';
		lost = shown = 0;
		for (char *p = buf_begin(&all); (p = strstr(p, "4:lost,")) != NULL; p++)
			lost += number_of(p, "4:lost,");
		for (char *p = buf_begin(&all); (p = strstr(p, "Z mv:")) != NULL; p++)
			shown++;
	}
	require(lost > 0 && lost + shown == MESSAGES, "%ld shown, %ld lost", shown, lost);
	printf("a tail that did not read: %ld shown, %ld lost\n", shown, lost);
	free(first);
	buf_fini(&all);
	conn_close(&c);
	rig_down(&rig);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, ping_each_member);
	STORY_TEST(s, ping_under_load);
	STORY_TEST(s, wait_until_nothing_is_missing);
	STORY_TEST(s, wait_in_vain);
	STORY_TEST(s, cat_is_what_was_logged);
	STORY_TEST(s, cat_under_load);
	STORY_TEST(s, tail_shows_what_comes);
	STORY_TEST(s, tail_that_does_not_read);
}

int
main(void)
{
	return story_main("28-control-read", add);
}
