/* SPDX-License-Identifier: MIT
 * 28-control-shows.c - zogctl status --watch, on a terminal and without one; and what it makes for other programs. */
#include "control_rig.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

/* ---- watching ---- */

struct terminal {
	int        master, slave;
	struct buf seen;
};

static void
open_terminal(struct terminal *t)
{
	memset(t, 0, sizeof *t);
	t->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	require(t->master >= 0 && grantpt(t->master) == 0 && unlockpt(t->master) == 0, "no terminal: %s",
	    strerror(errno));
	t->slave = open(ptsname(t->master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	require(t->slave >= 0 && ioctl(t->slave, TIOCSWINSZ, &size) == 0, "no terminal: %s", strerror(errno));
}

static pid_t
watch_on(struct terminal *t, const char *no_colour)
{
	fflush(NULL);
	pid_t pid = fork();
	require(pid >= 0, "fork: %s", strerror(errno));
	if (pid != 0)
		return pid;
	if (dup2(t->slave, 0) < 0 || dup2(t->slave, 1) < 0 || dup2(t->slave, 2) < 0)
		_exit(127);
	setenv("TERM", "xterm", 1);
	if (no_colour != NULL)
		setenv("NO_COLOR", no_colour, 1);
	else
		unsetenv("NO_COLOR");
	execl(getenv("ZOGCTL"), "zogctl", "-S", rig_path(&rig, 0, "zogd.sock"), "status", "--watch", (char *)NULL);
	_exit(127);
}

/* Reads what is drawn until this has come so often. */
static void
wait_drawn(struct terminal *t, const char *text, int times)
{
	int64_t until = wait_until_ms(SOON);
	for (;;) {
		char *room = buf_room(&t->seen, 4096);
		ssize_t n = read(t->master, room, 4095);
		if (n > 0)
			buf_added(&t->seen, (size_t)n);
		int found = 0;
		if (t->seen.len != 0) {
			*buf_room(&t->seen, 1) = '\0';
			for (const char *p = buf_begin(&t->seen); (p = strstr(p, text)) != NULL; p++)
				found++;
		}
		if (found >= times)
			return;
		require(n > 0 || wait_turn(until), "'%s' is there %d times only:\n%s", text, found,
		    t->seen.len != 0 ? buf_begin(&t->seen) : "");
	}
}

static int
watch_end(pid_t pid)
{
	int status;
	int64_t until = wait_until_ms(SOON);
	while (waitpid(pid, &status, WNOHANG) == 0)
		if (!wait_turn(until)) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			rig_fail(__FILE__, __LINE__, "it does not end");
		}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

START_TEST(watch_draws_until_q)
{
	struct terminal t;
	struct termios before, after;
	rig_up(&rig, 2, "reconnect-max = 0.5\n");
	open_terminal(&t);
	require(tcgetattr(t.slave, &before) == 0, "tcgetattr");
	pid_t pid = watch_on(&t, NULL);
	wait_drawn(&t, "\033[H\033[J", 2);
	rig_say(&rig, 0, "one");
	rig_kill(&rig, 1);
	wait_drawn(&t, "\033[31mpa    down ", 1);
	require(tcgetattr(t.slave, &after) == 0 && (after.c_lflag & (ICANON | ECHO)) == 0, "keys are echoed");
	/* A zogd that is gone is waited for. */
	rig_stop(&rig, 0);
	wait_drawn(&t, "not serving: cannot ask ", 1);
	rig_start(&rig, 0);
	wait_drawn(&t, "mv: serving, running for ", 4);
	require(write(t.master, "xq", 2) == 2, "write");
	require(watch_end(pid) == 0, "exit code");
	wait_drawn(&t, "\033[?25h\033[?1049l", 1);
	require(tcgetattr(t.slave, &after) == 0 && after.c_lflag == before.c_lflag, "the terminal is not as it was");
	close(t.master);
	close(t.slave);
	buf_fini(&t.seen);
	rig_down(&rig);
}
END_TEST

START_TEST(watch_ended_by_a_signal)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
	rig_up(&rig, 1, NULL);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		struct terminal t;
		struct termios before, after;
		open_terminal(&t);
		require(tcgetattr(t.slave, &before) == 0, "tcgetattr");
		pid_t pid = watch_on(&t, "1");
		wait_drawn(&t, "mv: serving", 1);
		require(kill(pid, numbers[i]) == 0, "kill");
		int code = watch_end(pid);
		require(code == -numbers[i], "after signal %d it ends with %d", numbers[i], code);
		wait_drawn(&t, "\033[?25h\033[?1049l", 1);
		require(tcgetattr(t.slave, &after) == 0 && after.c_lflag == before.c_lflag,
		    "the terminal is not as it was");
		require(strstr(buf_begin(&t.seen), "\033[1m") == NULL && strstr(buf_begin(&t.seen),
		    "\033[3") == NULL, "colours, and NO_COLOR is set");
		close(t.master);
		close(t.slave);
		buf_fini(&t.seen);
	}
	rig_down(&rig);
}
END_TEST

/* One picture after the other, as text. */
START_TEST(watch_without_a_terminal)
{
	static const char *const words[] = { "status", "--watch", NULL };
	rig_up(&rig, 1, NULL);
	pid_t pid = ctl_begin(0, words);
	wait_for(file_count(rig_path(&rig, 0, "ctl.out"), "mv: serving, ") >= 2, SOON, "not drawn again");
	require(kill(pid, SIGTERM) == 0, "kill");
	require(ctl_end(0, pid, SOON) == -SIGTERM, "it does not end by the signal");
	require(strchr(ctl.out, '\033') == NULL, "it drives a terminal that is not there");
	ctl_forget();
	rig_down(&rig);
}
END_TEST

/* ---- for other programs ---- */

START_TEST(metrics_into_a_file)
{
	rig_up(&rig, 2, NULL);
	rig_say(&rig, 0, "one message");
	const char *file = rig_path(&rig, 0, "zog.prom");
	require(ctl_run(0, "metrics", NULL) == 0 && strstr(ctl.out,
	    "\nzog_messages_from_clients_total 1\n") != NULL, "%s", ctl.out);
	require(strstr(ctl.out, "\nzog_member_up{member=\"pa\"} 1\n") != NULL, "%s", ctl.out);
	require(ctl_run(0, "metrics", "-o", file, NULL) == 0 && ctl.out[0] == '\0', "%s", ctl.err);
	require(file_has(file, "\nzog_up 1\n"), "it is not there");
	struct stat st;
	require(stat(file, &st) == 0 && (st.st_mode & 07777) == 0644, "mode %o", (unsigned)st.st_mode);
	/* A new file takes its place: who reads the old one reads it whole. */
	ino_t before = st.st_ino;
	rig_stop(&rig, 0);
	require(ctl_run(0, "metrics", "--output", file, NULL) == 69, "%s", ctl.err);
	require(stat(file, &st) == 0 && st.st_ino != before && file_has(file, "\nzog_up 0\n"),
	    "it was not written anew");
	require(ctl_run(0, "metrics", "-o", rig_path(&rig, 0, "nowhere/zog.prom"), NULL) != 0,
	    "it was written to nowhere");
	ctl_forget();
	rig_down(&rig);
}
END_TEST

START_TEST(picture_by_graphviz)
{
	char command[RIG_PATH * 2];
	rig_up(&rig, 3, "reconnect-max = 0.5\n");
	rig_kill(&rig, 2);
	wait_state(0, "g", " down ");
	require(ctl_run(0, "dot", NULL) == 0, "%s", ctl.err);
	require(strstr(ctl.out, "\t\"mv\" -> \"g\" [label=\"down for ") != NULL && strstr(ctl.out,
	    "color=red") != NULL, "%s", ctl.out);
	if (run_tool("dot", "-V", NULL) == 0) {
		snprintf(command, sizeof command, "cd %s && dot -Tsvg ctl.out >ring.svg", rig.m[0].folder);
		require(run_tool("sh", "-c", command, NULL) == 0, "dot does not draw it");
		require(file_has(rig_path(&rig, 0, "ring.svg"), "mv&#45;&gt;g"), "the picture has no link to g");
	} else {
		story_skip("there is no dot (graphviz)");
	}
	ctl_forget();
	rig_down(&rig);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, watch_draws_until_q);
	STORY_TEST(s, watch_ended_by_a_signal);
	STORY_TEST(s, watch_without_a_terminal);
	STORY_TEST(s, metrics_into_a_file);
	STORY_TEST(s, picture_by_graphviz);
}

int
main(void)
{
	return story_main("28-control-shows", add);
}
