/* SPDX-License-Identifier: MIT
 * 30-sandbox.c - a whole life of a member within seccomp and Landlock: names looked up, settings and ring read anew, logs
 * rotated and deleted, the pidfile removed; and the same without, where the settings say so. */
#include "harness_numbered.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ring_rig rig;

static bool
status_says(int member, const char *line)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/status", (int)rig.m[member].pid);
	return file_has(path, line);
}

static void
reload(int member)
{
	const char *log = rig_path(&rig, member, "log/error.log");
	int before = file_count(log, "reloaded: ");
	rig_signal(&rig, member, SIGHUP);
	wait_for(file_count(log, "reloaded: ") > before, SOON, "%s does not reload", rig.m[member].name);
}

static void
rename_log(int member, const char *name)
{
	char from[RIG_PATH], to[RIG_PATH + 8];
	snprintf(from, sizeof from, "%s", rig_path(&rig, member, name));
	snprintf(to, sizeof to, "%s.1", from);
	require(rename(from, to) == 0, "rename");
}

static void
make(const char *conf)
{
	char line[RIG_PATH + 32];
	rig_make(&rig, 3, conf);
	for (int i = 0; i < 3; i++) {
		/* Not in a folder that is theirs anyway. */
		char run[RIG_PATH];
		snprintf(run, sizeof run, "%s", rig_path(&rig, i, "run"));
		require(mkdir(run, 0755) == 0, "mkdir");
		snprintf(line, sizeof line, "pidfile = %s/zogd.pid\n", run);
		rig_conf(&rig, i, line);
	}
}

/* A log that is gone is missed when there is something to write. */
static void
talk(int member)
{
	struct conn c;
	conn_client(&c, &rig, member);
	conn_puts(&c, "wherever this goes\r\n");
	conn_expect(&c, "ok");
	conn_close(&c);
}

/* What an operator does in a year. */
static void
live(void)
{
	rig_start_all(&rig);
	rig_say(&rig, 0, "at first");
	rename_log(0, "log/access.log");
	rename_log(0, "log/error.log");
	rig_signal(&rig, 0, SIGHUP);
	wait_for(file_has(rig_path(&rig, 0, "log/error.log"), "reloaded: "), SOON, "no new error.log");
	rig_say(&rig, 1, "after a rotation");
	rename_log(1, "log/access.log");
	rig_signal(&rig, 1, SIGUSR1);
	wait_for(file_exists(rig_path(&rig, 1, "log/access.log")), SOON, "no new access.log");
	require(unlink(rig_path(&rig, 2, "log/access.log")) == 0, "unlink");
	wait_for((talk(2), file_exists(rig_path(&rig, 2, "log/access.log"))), SOON, "no new access.log");
	rig_say(&rig, 2, "after a deletion");
	/* Another file under the ring's name, and a name to look up that nobody has asked for yet. */
	char new[RIG_PATH + 8];
	snprintf(new, sizeof new, "%.500s.new", rig.ring_file);
	size_t len;
	char *text = file_read(rig.ring_file, &len);
	file_write(new, text);
	free(text);
	file_append(new, "later localhost 55571 55572\n");
	require(rename(new, rig.ring_file) == 0, "rename");
	for (int i = 0; i < 3; i++) {
		reload(i);
		log_wait_error(&rig, i, "link to later: cannot connect to localhost:55571: Connection refused");
	}
	rig_say(&rig, 0, "after a change of the ring");
	rig_kill(&rig, 2);
	rig_start(&rig, 2);
	rig_wait_links(&rig);
	rig_say(&rig, 2, "after a crash");
	rig_signal(&rig, 0, SIGUSR2);
	log_wait_error(&rig, 0, "report: connected clients");
}

static void
down(void)
{
	for (int i = 0; i < 3; i++)
		require(file_exists(rig_path(&rig, i, "run/zogd.pid")), "no pidfile");
	rig_stop_all(&rig);
	for (int i = 0; i < 3; i++)
		require(!file_exists(rig_path(&rig, i, "run/zogd.pid")), "the pidfile stays");
	rig_down(&rig);
}

START_TEST(inside)
{
	make("reconnect-max = 0.5\nsync = 0.05\njournal-segment = 64K\njournal-limit = 128K\n");
	live();
	for (int i = 0; i < 3; i++) {
		require(status_says(i, "NoNewPrivs:\t1\n"), "new privileges could be had");
		if (sanitized())
			continue;
		if (file_has(rig_path(&rig, i, "log/error.log"), "no seccomp"))
			story_skip("no seccomp here");
		else
			require(status_says(i, "Seccomp:\t2\n"), "there is no filter");
		require(!file_has(rig_path(&rig, i, "log/error.log"), "landlock off"), "landlock is off");
	}
	/* Segments begin and go. */
	struct numbered l;
	numbered_init(&l, &rig, 'a', 3, 2000);
	numbered_run(&l);
	numbered_wait_logged(&l, 1 << 2);
	numbered_fini(&l);
	down();
}
END_TEST

START_TEST(outside)
{
	make("reconnect-max = 0.5\nseccomp = no\nlandlock = no\n");
	live();
	log_wait_error(&rig, 2, "sandbox: landlock off, seccomp off");
	for (int i = 0; i < 3; i++)
		require(status_says(i, "Seccomp:\t0\n") && status_says(i, "NoNewPrivs:\t1\n"), "it has a filter");
	down();
}
END_TEST

/* A file that the settings lead to only now, in a folder that was none of zogd's business. */
START_TEST(another_folder)
{
	char line[RIG_PATH + 64], folder[RIG_PATH];
	if (sanitized() || access("/proc/sys/kernel/seccomp", F_OK) < 0) {
		story_skip("no sandbox in this build, or on this system");
		return;
	}
	make("reconnect-max = 0.5\n");
	rig_start_all(&rig);
	log_wait_error(&rig, 0, "sandbox: ");
	if (file_has(rig_path(&rig, 0, "log/error.log"), "no landlock")) {
		story_skip("this kernel has no Landlock");
		rig_down(&rig);
		return;
	}
	/* The folder of the settings can be read, with all beneath. */
	snprintf(folder, sizeof folder, "%.480s-elsewhere", rig.folder);
	require(mkdir(folder, 0755) == 0, "mkdir");
	char *text = file_read(rig.ring_file, NULL);
	snprintf(line, sizeof line, "%s/ring", folder);
	file_write(line, text);
	free(text);
	text = file_read(rig_path(&rig, 0, "zogd.conf"), NULL);
	char *at = strstr(text, "ring = ");
	require(at != NULL, "no ring");
	struct buf b = BUF_INIT;
	buf_put(&b, text, (size_t)(at - text));
	buf_printf(&b, "ring = %s\n%s", line, strchr(at, '\n') + 1);
	file_write(rig_path(&rig, 0, "zogd.conf"), b.data);
	buf_fini(&b);
	free(text);
	rig_signal(&rig, 0, SIGHUP);
	log_wait_error(&rig, 0, "reload: nothing changed: ");
	log_wait_error(&rig, 0, "-elsewhere/ring: Permission denied");
	rig_say(&rig, 0, "it goes on");
	/* A restart takes it. */
	rig_stop(&rig, 0);
	rig_start(&rig, 0);
	rig_wait_links(&rig);
	rig_say(&rig, 0, "it begins anew");
	run_tool("rm", "-rf", folder, NULL);
	down();
}
END_TEST

static void
add(Suite *suite)
{
	STORY_TEST(suite, inside);
	STORY_TEST(suite, outside);
	STORY_TEST(suite, another_folder);
}

int
main(void)
{
	if (getenv("ZOG_TEST_WRAP") != NULL) {
		puts("ZOG_TEST_WRAP: what is put before zogd would be in the sandbox, too");
		return 77;
	}
	return story_main("sandbox", add);
}
