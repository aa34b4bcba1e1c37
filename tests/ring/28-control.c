/* SPDX-License-Identifier: MIT
 * 28-control.c - the control socket and zogctl: who is missing, stop, reload, rotate, and all kinds of
 * clients on it. */
#include "control_rig.h"

#include <sys/stat.h>

#define IDENTITY "18:6:client,6:zogtst,}0:,"
#define STATUS "14:2:do,6:status,}0:,"

/* ---- status ---- */

START_TEST(status_of_all_well)
{
	rig_up(&rig, 3, NULL);
	rig_say(&rig, 0, "hello");
	wait_state(0, "pa", " up ");
	wait_state(0, "g", " up ");
	require(ctl_says("mv", "this member") || strstr(ctl.out, "\nmv    this member\n") != NULL, "%s", ctl.out);
	require(strncmp(ctl.out, "mv: serving, ", 13) == 0, "%s", ctl.out);
	require(ctl_says("well", "all 3 members up"), "%s", ctl.out);
	require(ctl_run(0, "status", "--check", NULL) == 0, "%s", ctl.out);
	require(strncmp(ctl.out, "well: mv: ", 10) == 0 && strchr(ctl.out, '\n')[1] == '\0', "%s", ctl.out);
	require(ctl_run(0, "status", "--json", NULL) == 0 && ctl.out[0] == '{', "%s", ctl.out);
	require(strstr(ctl.out, "\"upto\": 1, ") != NULL, "%s", ctl.out);
	ctl_forget();
	rig_down(&rig);
}
END_TEST

/* One is down, one hangs, and of one the links are cut: each is shown, in words, with what it lacks. */
START_TEST(status_of_those_that_are_missing)
{
	rig_up(&rig, 3, "peer-timeout = 1\nreconnect-max = 0.5\n");
	rig_say(&rig, 0, "while all are well");
	rig_pause(&rig, 1);
	rig_kill(&rig, 2);
	struct conn c;
	char behind[32];
	int sent = 0;
	conn_client(&c, &rig, 0);
	int64_t until = wait_until_ms(SOON);
	do {
		conn_puts(&c, "while they are away\r\n");
		conn_expect(&c, "ok");
		sent++;
		require(ctl_run(0, "status", NULL) == 0, "%s", ctl.err);
		require(ctl_says("pa", " not answering ") || wait_turn(until), "pa answers:\n%s", ctl.out);
	} while (!ctl_says("pa", " not answering "));
	conn_close(&c);
	wait_state(0, "g", " down ");
	wait_state(0, "g", "refused");
	require(ctl_says("degraded", "2 of 2 peers missing: pa (not answering for ") && ctl_says("degraded",
	    "g (down for "),
	    "%s", ctl.out);
	snprintf(behind, sizeof behind, " %s%.*d ", sent > 999 ? "1," : "", sent > 999 ? 3 : 1, sent % 1000);
	require(ctl_says("g", behind), "it is not said to be behind by%s:\n%s", behind, ctl.out);
	require(ctl_run(0, "status", "--check", NULL) == 1, "%s", ctl.out);
	require(strncmp(ctl.out, "degraded: mv: 2 of 2 peers missing: ", 36) == 0, "%s", ctl.out);
	rig_resume(&rig, 1);
	rig_start(&rig, 2);
	rig_wait_links(&rig);
	wait_state(0, "pa", " up ");
	wait_state(0, "g", " up ");
	until = wait_until_ms(SOON);
	while (ctl_run(0, "status", "--check", NULL) != 0)
		require(wait_turn(until), "%s", ctl.out);
	ctl_forget();
	rig_down(&rig);
}
END_TEST

/* A member that hangs, to which nothing goes from us but by others: it is not taken for well. */
START_TEST(status_of_one_that_is_silent)
{
	rig_up(&rig, 5, "peer-timeout = 60\n");
	rig_say(&rig, 0, "while all are well");
	wait_state(0, "s", " up ");
	rig_pause(&rig, 4);
	struct conn c;
	conn_client(&c, &rig, 0);
	conn_puts(&c, "while it hangs\r\n");
	conn_expect(&c, "ok");
	conn_close(&c);
	log_wait_once(&rig, 0xf, "while it hangs");
	wait_state(0, "s", " up, silent ");
	require(ctl_says("degraded", "1 of 4 peers missing: s (silent, behind by 1)"), "%s", ctl.out);
	require(ctl_run(0, "status", "--check", NULL) == 1, "%s", ctl.out);
	rig_resume(&rig, 4);
	wait_state(0, "s", " up  ");
	ctl_forget();
	rig_down(&rig);
}
END_TEST

/* It accepts nothing since its disk is full: that is not serving. */
START_TEST(check_of_a_full_disk)
{
	rig_make(&rig, 1, NULL);
	rig.m[0].file_limit = 256 * 1024;
	rig_start(&rig, 0);
	struct conn c;
	conn_client(&c, &rig, 0);
	char line[512];
	memset(line, 'x', 500);
	strcpy(line + 500, "\r\n");
	for (int i = 0; i < 2000; i++) {
		conn_puts(&c, line);
		conn_line(&c);
		if (strncmp(c.last, "error", 5) == 0)
			break;
	}
	require(strcmp(c.last, "error disk full") == 0, "'%s'", c.last);
	conn_close(&c);
	require(ctl_run(0, "status", "--check", NULL) == 2, "%s", ctl.out);
	require(strcmp(ctl.out, "not serving: mv: disk full\n") == 0, "%s", ctl.out);
	ctl_forget();
	rig_done(&rig);
}
END_TEST

START_TEST(nobody_there)
{
	rig_make(&rig, 1, NULL);
	require(ctl_run(0, "status", NULL) == 69 && ctl.out[0] == '\0', "%s", ctl.err);
	require(strncmp(ctl.err, "zogctl: cannot ask ", 19) == 0 && strchr(ctl.err, '\n')[1] == '\0', "%s", ctl.err);
	require(ctl_run(0, "status", "--check", NULL) == 2 && ctl.err[0] == '\0', "%s", ctl.err);
	require(strncmp(ctl.out, "not serving: ", 13) == 0, "%s", ctl.out);
	/* A socket that was left behind. */
	rig_start(&rig, 0);
	rig_kill(&rig, 0);
	require(file_exists(rig_path(&rig, 0, "zogd.sock")), "the socket is gone");
	require(ctl_run(0, "stop", NULL) == 69, "%s", ctl.err);
	require(strstr(ctl.err, "no zogd runs there\n") != NULL, "%s", ctl.err);
	rig_start(&rig, 0);
	require(ctl_run(0, "status", NULL) == 0, "%s", ctl.err);
	ctl_forget();
	rig_down(&rig);
}
END_TEST

START_TEST(bad_usage)
{
	static const char *const words[][4] = {
		{ NULL }, { "dance" }, { "status", "--dance" }, { "status", "--json", "--check" }, { "status",
		    "surplus" }, { "stop", "now" },
		{ "--dance" }, { "-c", "file", "status" },
	};
	rig_make(&rig, 1, NULL);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		int code = ctl_end(0, ctl_begin(0, words[i]), SOON);
		require(code == 64 && ctl.out[0] == '\0', "case %zu: exit code %d, %s", i, code, ctl.out);
		require(strncmp(ctl.err, "zogctl: ", 8) == 0 && strchr(ctl.err, '\n')[1] == '\0',
		    "case %zu: %s", i, ctl.err);
	}
	ctl_forget();
	rig_done(&rig);
}
END_TEST

/* ---- stop, reload, rotate ---- */

static void
expect_asked(int member, const char *what)
{
	char text[128];
	snprintf(text, sizeof text, "Z control %s: asked for by pid ", what);
	log_wait_error(&rig, member, text);
	snprintf(text, sizeof text, ", uid %u\n", (unsigned)getuid());
	log_wait_error(&rig, member, text);
}

START_TEST(stop_returns_at_the_end)
{
	rig_up(&rig, 2, NULL);
	rig_say(&rig, 0, "hello");
	rig_expect_exit(&rig, 0);
	require(ctl_run(0, "stop", NULL) == 0, "%s", ctl.err);
	require(!rig_alive(&rig, 0), "it still runs");
	require(rig_wait_exit(&rig, 0, SOON) == 0, "exit code %d", rig.m[0].code);
	require(!file_exists(rig_path(&rig, 0, "zogd.sock")), "the socket stays");
	expect_asked(0, "stop");
	ctl_forget();
	rig_down(&rig);
}
END_TEST

START_TEST(reload_says_what_became_of_it)
{
	rig_up(&rig, 1, NULL);
	require(ctl_run(0, "reload", NULL) == 0, "%s", ctl.err);
	expect_asked(0, "reload");
	char *good = file_read(rig_path(&rig, 0, "zogd.conf"), NULL);
	rig_conf(&rig, 0, "colour = blue\n");
	require(ctl_run(0, "reload", NULL) == 78, "%s", ctl.err);
	require(strstr(ctl.err, "nothing changed: ") != NULL && strstr(ctl.err, "unknown key 'colour'") != NULL,
	    "%s", ctl.err);
	file_write(rig_path(&rig, 0, "zogd.conf"), good);
	free(good);
	require(ctl_run(0, "reload", NULL) == 0, "%s", ctl.err);
	ctl_forget();
	rig_down(&rig);
}
END_TEST

START_TEST(rotate_is_done_when_it_returns)
{
	rig_up(&rig, 1, NULL);
	for (int i = 1; i <= 5; i++) {
		char to[32], text[32];
		snprintf(to, sizeof to, "log/access.log.%d", i);
		snprintf(text, sizeof text, "number %d", i);
		rig_say(&rig, 0, text);
		require(rename(rig_path(&rig, 0, "log/access.log"), rig_path(&rig, 0, to)) == 0, "rename: %s",
		    strerror(errno));
		require(ctl_run(0, "rotate", NULL) == 0, "%s", ctl.err);
		require(file_exists(rig_path(&rig, 0, "log/access.log")), "there is no new access.log");
		require(file_has(rig_path(&rig, 0, to), text), "the old one lacks its line");
	}
	expect_asked(0, "rotate");
	/* Where a log cannot be made the old one stays in use, and that is said. */
	require(remove(rig_path(&rig, 0, "log/access.log")) == 0 && mkdir(rig_path(&rig, 0, "log/access.log"),
	    0700) == 0, "mkdir");
	require(ctl_run(0, "rotate", NULL) == 73 && strstr(ctl.err, "access.log: Is a directory") != NULL, "%s",
	    ctl.err);
	require(rmdir(rig_path(&rig, 0, "log/access.log")) == 0, "rmdir");
	require(ctl_run(0, "rotate", NULL) == 0, "%s", ctl.err);
	ctl_forget();
	rig_down(&rig);
}
END_TEST

/* ---- the socket ---- */

START_TEST(mode_and_owner)
{
	struct stat st;
	rig_up(&rig, 1, NULL);
	require(lstat(rig_path(&rig, 0, "zogd.sock"), &st) == 0 && S_ISSOCK(st.st_mode), "no socket");
	require((st.st_mode & 07777) == 0660, "mode %o", (unsigned)st.st_mode & 07777);
	rig_stop(&rig, 0);
	require(!file_exists(rig_path(&rig, 0, "zogd.sock")), "it stays");
	if (geteuid() == 0) {
		/* Of the account that zogd drops to. */
		rig_conf(&rig, 0, "user = nobody\n");
		require(chmod(rig.folder, 0755) == 0, "chmod");
		require(chown(rig_path(&rig, 0, "log"), 65534, 65534) == 0 &&
		    run_tool("chown", "-R", "nobody", rig_path(&rig, 0, "log"), rig_path(&rig, 0, "state"),
		    NULL) == 0, "chown");
		rig_start(&rig, 0);
		require(lstat(rig_path(&rig, 0, "zogd.sock"), &st) == 0 && st.st_uid == 65534 &&
		    (st.st_mode & 07777) == 0660,
		    "user %u, mode %o", (unsigned)st.st_uid, (unsigned)st.st_mode & 07777);
	} else {
		story_skip("only root can change to another account");
	}
	rig_down(&rig);
}
END_TEST

/* Neither another's socket nor a file is taken away; the ring is served all the same. */
START_TEST(a_place_that_is_taken)
{
	char option[RIG_PATH + 32];
	rig_make(&rig, 2, NULL);
	rig_start(&rig, 0);
	snprintf(option, sizeof option, "control=%s", rig_path(&rig, 0, "zogd.sock"));
	rig.m[1].arg[0] = "-o";
	rig.m[1].arg[1] = option;
	rig_start(&rig, 1);
	log_wait_error(&rig, 1, ": another process answers there");
	rig_stop(&rig, 1);
	require(ctl_run(0, "status", NULL) == 0 && strncmp(ctl.out, "mv: ", 4) == 0, "%s%s", ctl.out, ctl.err);
	snprintf(option, sizeof option, "control=%s", rig_path(&rig, 1, "zogd.conf"));
	rig_start(&rig, 1);
	log_wait_error(&rig, 1, ": there is something that is no socket");
	rig_stop(&rig, 1);
	require(file_has(rig_path(&rig, 1, "zogd.conf"), "member = pa\n"), "the file is gone");
	rig.m[1].arg[1] = "control=none";
	rig_start(&rig, 1);
	require(!file_exists(rig_path(&rig, 1, "zogd.sock")), "there is a socket");
	ctl_forget();
	rig_down(&rig);
}
END_TEST

/* ---- who comes ---- */

START_TEST(garbage)
{
	static const struct { const char *bytes; bool half_close; const char *answer; } table[] = {
		/* What is no pair gets no answer, and an end. */
		{ "GET / HTTP/1.0\r\n\r\n", false, "" },
		{ "hello\r\n", false, "" },
		{ "99999:", false, "" },                        /* over 4 KiB */
		{ "5:hello,0:,", false, "bad-request" },        /* a header that is no dict */
		{ IDENTITY, true, "7:allowed,4:true!" },        /* and no more */
		{ IDENTITY "0:}0:,", true, "the header has no 'do'" },
		{ IDENTITY "9:2:do,1:x#}0:,", false, "7:allowed,4:true!}0:," },
		{ IDENTITY "8:2:do,1:1#}0:,", true, "bad-request" },
		{ IDENTITY "12:2:do,4:\x1b[2J,}0:,", true, "no such command: \\x1b[2J" },
		{ IDENTITY STATUS "junk", false, "7:serving,4:true!" },
		{ IDENTITY "14:2:do,6:sta", true, "4:true!" },  /* half a pair */
	};
	rig_up(&rig, 1, NULL);
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		raw_expect_end(0, table[i].bytes, table[i].half_close, table[i].answer);
	require(ctl_run(0, "status", NULL) == 0, "%s", ctl.err);
	ctl_forget();
	rig_down(&rig);
}
END_TEST

/* Who says nothing, and who stops in the middle of a pair, is let go after 5 s. Both at once, since that
 * takes its time. */
START_TEST(silence)
{
	rig_up(&rig, 1, NULL);
	struct conn silent, half;
	raw_open(&silent, 0);
	raw_open(&half, 0);
	conn_put(&half, IDENTITY "14:2:do,6:s", strlen(IDENTITY) + 11);
	char *a = raw_read(&silent, 0), *b = raw_read(&half, 0);
	require(a[0] == '\0', "'%s'", a);
	require(strstr(b, "allowed") != NULL && strstr(b, "2:ok") == NULL, "'%s'", b);
	free(a);
	free(b);
	conn_close(&silent);
	conn_close(&half);
	rig_down(&rig);
}
END_TEST

START_TEST(seventeen)
{
	enum { MOST = 16 };
	struct conn c[MOST];
	rig_up(&rig, 1, NULL);
	for (int i = 0; i < MOST; i++) {
		raw_open(&c[i], 0);
		conn_put(&c[i], IDENTITY, strlen(IDENTITY));
		free(raw_read(&c[i], 60));
	}
	raw_expect_end(0, IDENTITY, false, "2:ok,5:false!5:error,4:busy,");
	require(ctl_run(0, "status", NULL) == 75 && strstr(ctl.err, "too many control connections") != NULL,
	    "%s", ctl.err);
	conn_close(&c[3]);
	int64_t until = wait_until_ms(SOON);
	while (ctl_run(0, "status", NULL) != 0)
		require(wait_turn(until), "%s", ctl.err);
	require(strstr(ctl.out, "control connections refused") != NULL, "not counted:\n%s", ctl.out);
	/* And a stop does not wait for them. */
	rig_stop(&rig, 0);
	for (int i = 0; i < MOST; i++)
		if (i != 3)
			conn_close(&c[i]);
	ctl_forget();
	rig_down(&rig);
}
END_TEST

/* ---- the document ---- */

/* The lines of doc/control that stand behind this mark, as they are. */
static char *
document_lines(const char *mark)
{
	char path[RIG_PATH];
	require(getenv("TOP") != NULL, "TOP is not set");
	snprintf(path, sizeof path, "%s/doc/control", getenv("TOP"));
	char *text = file_read(path, NULL), *out = calloc(1, strlen(text) + 1), *rest = text, *line;
	size_t n = strlen(mark);
	require(out != NULL, "out of memory");
	while ((line = strsep(&rest, "\n")) != NULL)
		if (strncmp(line, mark, n) == 0)
			strcat(strcat(out, line + n), "\n");
	free(text);
	return out;
}

/* Two answers are alike but for the version. */
static bool
alike(const char *said, const char *documented)
{
	const char *a = strstr(said, "7:version,"), *b = strstr(documented, "7:version,");
	if (a == NULL || b == NULL)
		return strcmp(said, documented) == 0;
	a = strchr(a, ',') + 1;
	b = strchr(b, ',') + 1;
	return strcmp(strchr(a, ','), strchr(b, ',')) == 0;
}

START_TEST(example_of_the_document)
{
	char *sent = document_lines("    > "), *answered = document_lines("    < ");
	char *out = sent, *in = answered, *request, *answer;
	int pairs = 0;
	struct conn c;
	rig_up(&rig, 1, NULL);
	raw_open(&c, 0);
	while ((request = strsep(&out, "\n")) != NULL && *request != '\0') {
		answer = strsep(&in, "\n");
		require(answer != NULL, "no answer to %s", request);
		conn_put(&c, request, strlen(request));
		/* The version may be longer, or shorter, than when this was written. */
		char *first = raw_read(&c, 1);
		size_t digits = strcspn(answer, ":"), more = strlen(answer) - 1 - digits;
		char *rest = raw_read(&c, more + digits), whole[1024];
		snprintf(whole, sizeof whole, "%s%s", first, rest);
		require(alike(whole, answer), "to %s\nit says  %s\nand not  %s", request, whole, answer);
		free(first);
		free(rest);
		pairs++;
	}
	require(pairs == 3, "%d pairs in the example", pairs);
	conn_close(&c);
	free(sent);
	free(answered);
	rig_down(&rig);
}
END_TEST

START_TEST(program_of_the_document)
{
	if (run_tool("python3", "-c", "x = 1 if (y := 1) else 0", NULL) != 0) {
		story_skip("there is no python3");
		return;
	}
	char path[RIG_PATH + 32], command[RIG_PATH * 3], *text;
	snprintf(path, sizeof path, "%s/doc/control", getenv("TOP"));
	text = file_read(path, NULL);
	char *begin = strstr(text, "    import socket");
	require(begin != NULL, "doc/control has no program");
	rig_up(&rig, 2, "reconnect-max = 0.5\n");
	rig_kill(&rig, 1);
	rig_wait_gone(&rig, 1);
	file_write(rig_path(&rig, 0, "program.text"), begin);
	snprintf(command, sizeof command,
	    "cd %s && sed 's/^    //' program.text >program.py && python3 program.py zogd.sock >program.out",
	    rig.m[0].folder);
	require(run_tool("sh", "-c", command, NULL) == 0, "the program fails");
	require(file_has(rig_path(&rig, 0, "program.out"), "pa down "), "it does not say who is down");
	free(text);
	rig_down(&rig);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, status_of_all_well);
	STORY_TEST(s, status_of_those_that_are_missing);
	STORY_TEST(s, status_of_one_that_is_silent);
	STORY_TEST(s, check_of_a_full_disk);
	STORY_TEST(s, nobody_there);
	STORY_TEST(s, bad_usage);
	STORY_TEST(s, stop_returns_at_the_end);
	STORY_TEST(s, reload_says_what_became_of_it);
	STORY_TEST(s, rotate_is_done_when_it_returns);
	STORY_TEST(s, mode_and_owner);
	STORY_TEST(s, a_place_that_is_taken);
	STORY_TEST(s, garbage);
	STORY_TEST(s, silence);
	STORY_TEST(s, seventeen);
	STORY_TEST(s, example_of_the_document);
	STORY_TEST(s, program_of_the_document);
}

int
main(void)
{
	return story_main("28-control", add);
}
