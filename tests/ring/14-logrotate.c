/* SPDX-License-Identifier: MIT
 * 14-logrotate.c - logrotate itself, with the snippet that is installed, while messages come in: none lost, none doubled. */
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MEMBERS = 3, TIMES = 36 };

static struct ring_rig rig;
static char conf[RIG_PATH + 32], state[RIG_PATH + 32];

/* The snippet, for one member: its own folders, and so many old files that none is removed. */
static void
add_snippet(int member)
{
	char command[4 * RIG_PATH];
	const char *build = getenv("BUILD");
	require(build != NULL, "BUILD is not set");
	snprintf(command, sizeof command, "sed -e 's,[^ ]*/log/zog/,%s/,g' -e 's,[^ <]*/zog/zogd.pid,%s,' -e 's,rotate 12,rotate 99,'"
	    " -e 's,/[^ ]*/zogctl,/nowhere/zogctl,' '%s/scripts/zog.logrotate' >>'%s'", rig_path(&rig, member, "log"),
	    rig_path(&rig, member, "zogd.pid"), build, conf);
	require(system(command) == 0, "%s", command);
}

static bool
prepare(void)
{
	rig_make(&rig, MEMBERS, "peer-timeout = 60\n");
	snprintf(conf, sizeof conf, "%s/logrotate.conf", rig.folder);
	snprintf(state, sizeof state, "%s/logrotate.state", rig.folder);
	file_write(conf, "");
	chmod(conf, 0644);
	for (int i = 0; i < MEMBERS; i++) {
		char line[RIG_PATH + 32];
		snprintf(line, sizeof line, "pidfile = %s\n", rig_path(&rig, i, "zogd.pid"));
		rig_conf(&rig, i, line);
		add_snippet(i);
	}
	if (run_tool("logrotate", "--version", NULL) == 0)
		return true;
	story_skip("logrotate is not here");
	rig_done(&rig);
	return false;
}

/* With -f it rotates whatever the date. */
static void
rotate(void)
{
	int code = run_tool("logrotate", "-f", "-s", state, conf, NULL);
	require(code == 0, "logrotate ends with %d", code);
}

static void
move(int member, const char *from, const char *to)
{
	char file[RIG_PATH + 64];
	snprintf(file, sizeof file, "%s", rig_path(&rig, member, from));
	require(rename(file, rig_path(&rig, member, to)) == 0, "rename %s: %s", file, strerror(errno));
}

/* logrotate counts from the newest, and packs; the harness counts from the oldest. How many there are. */
static int
turn_round(int member)
{
	char name[64], other[64];
	int n = 0, packed = 0;
	for (;; n++) {
		snprintf(name, sizeof name, "log/access.log.%d.gz", n + 1);
		if (file_exists(rig_path(&rig, member, name))) {
			packed++;
			require(run_tool("gzip", "-d", rig_path(&rig, member, name), NULL) == 0, "gzip: %s", name);
		}
		snprintf(name, sizeof name, "log/access.log.%d", n + 1);
		if (!file_exists(rig_path(&rig, member, name)))
			break;
		snprintf(other, sizeof other, "log/old.%d", n + 1);
		move(member, name, other);
	}
	/* All but the newest, which is left as it is until the next time. */
	require(packed == n - 1, "%d of %d files are packed", packed, n);
	for (int i = 1; i <= n; i++) {
		snprintf(other, sizeof other, "log/old.%d", i);
		snprintf(name, sizeof name, "log/access.log.%d", n + 1 - i);
		move(member, other, name);
	}
	return n;
}

static void
rotate_under_load(bool told)
{
	struct load l;
	load_init(&l, &rig, 'a', 6, 1000000);
	l.window = 20;
	load_connect_all(&l);
	load_pump(&l);
	/* Where it has to see for itself that its file was renamed, it looks once a second. */
	int times = told ? TIMES : 4;
	for (int k = 1; k <= times; k++) {
		wait_for(log_lines(&rig, 0) > 0 && log_lines(&rig, 1) > 0 && log_lines(&rig, 2) > 0, SOON, "nothing is logged");
		rotate();
		for (int i = 0; i < MEMBERS; i++)
			wait_for(file_exists(rig_path(&rig, i, "log/access.log")), SOON, "no new access.log");
		long before = l.ok;
		wait_for(l.ok > before + 50, SOON, "nothing is settled any more");
	}
	load_halt(&l);
	require(l.ok == l.sent, "%ld of %ld settled", l.ok, l.sent);
	for (int i = 0; i < MEMBERS; i++) {
		int files = turn_round(i);
		require(files == times, "%s has %d old logs", rig.m[i].name, files);
	}
	load_wait_logged_in(&l, 7, times);
	rig_stop_all(&rig);
	load_require_once_in(&l, 7, times, told ? "36 times logrotate" : "logrotate without a signal");
	load_fini(&l);
	rig_done(&rig);
}

START_TEST(under_load)
{
	if (!prepare())
		return;
	rig_start_all(&rig);
	rotate_under_load(true);
}
END_TEST

/* No pidfile, nobody to signal: the file is opened anew all the same. */
START_TEST(under_load_without_a_signal)
{
	if (!prepare())
		return;
	rig_start_all(&rig);
	for (int i = 0; i < MEMBERS; i++)
		require(unlink(rig_path(&rig, i, "zogd.pid")) == 0, "unlink: %s", strerror(errno));
	rotate_under_load(false);
}
END_TEST

/* What a crash left in the pidfile may be any process's number: that one hears nothing. */
START_TEST(stale_pidfile)
{
	if (!prepare())
		return;
	char line[32];
	pid_t other = fork();
	require(other >= 0, "fork: %s", strerror(errno));
	if (other == 0) {
		pause();
		_exit(0);
	}
	snprintf(line, sizeof line, "%ld\n", (long)other);
	rig_start(&rig, 0);
	rig_say(&rig, 0, "before");
	rig_kill(&rig, 0);
	file_write(rig_path(&rig, 0, "zogd.pid"), line);
	rotate();
	require(file_exists(rig_path(&rig, 0, "log/access.log.1")), "nothing was rotated");
	require(kill(other, 0) == 0 && kill(other, SIGKILL) == 0, "it was signalled");
	int status;
	require(waitpid(other, &status, 0) == other && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it was signalled");
	rig_done(&rig);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, stale_pidfile);
	STORY_TEST(s, under_load);
	STORY_TEST(s, under_load_without_a_signal);
}

int
main(void)
{
	return story_main("14-logrotate", add);
}
