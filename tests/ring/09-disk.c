/* SPDX-License-Identifier: MIT
 * 09-disk.c - logs that cannot be written while zogd runs: no ok for what was not logged, no torn line,
 * and it goes on by itself when there is room again. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sched.h>
#include <sys/mount.h>
#endif

#include "base/clock.h"

static struct ring_rig rig;

static bool
said(int member, const char *text)
{
	return log_error_has(&rig, member, text) || file_has(rig_path(&rig, member, "stderr"), text);
}

/* Runs the load (may_fail) until errors come, then until some more have come. */
static void
run_into_errors(struct load *l)
{
	load_pump(l);
	wait_for(l->errors > 20, SOON, "%ld ok, %ld errors: the disk does not fill up", l->ok, l->errors);
	require(strcmp(l->error, "error disk full") == 0, "the reply is '%s'", l->error);
}

/* There is room again: messages are settled again, without anyone's help. */
static void
run_out_of_errors(struct load *l)
{
	long ok = l->ok;
	wait_for(l->ok > ok + 20, SOON, "there is room again, and nothing is settled");
	load_halt(l);
}

#ifdef __linux__
static void
set_limit(int member, rlim_t n)
{
	struct rlimit l = { n, RLIM_INFINITY };
	require(prlimit(rig.m[member].pid, RLIMIT_FSIZE, &l, NULL) == 0, "prlimit: %s", strerror(errno));
}

/* The limit cuts a write in the middle of a line, as a full disk does. */
static void
fill_and_free(int window)
{
	rig_make(&rig, 1, NULL);
	rig.m[0].file_limit = 20011;
	rig_start(&rig, 0);
	struct load l;
	load_init(&l, &rig, 'a', 4, 1000000);
	l.window = window;
	l.may_fail = true;
	load_connect_all(&l);
	run_into_errors(&l);
	wait_for(file_has(rig_path(&rig, 0, "stderr"), "journal"), SOON, "stderr says nothing of it");
	set_limit(0, RLIM_INFINITY);
	/* What is settled first may have been sent before. */
	wait_for(file_has(rig_path(&rig, 0, "stderr"), "the journal can be written again"), SOON, "it goes on refusing");
	run_out_of_errors(&l);
	/* Not one line for every message. */
	require(file_count(rig_path(&rig, 0, "stderr"), "\n") < 20, "stderr is flooded");
	rig_say(&rig, 0, "room again");
	rig_stop_all(&rig);
	load_require_once(&l, 1, window == 1 ? "a full disk, one by one" : "a full disk, in batches");
	load_fini(&l);
	rig_down(&rig);
}

START_TEST(full_one_by_one)
{
	fill_and_free(1);
}
END_TEST

START_TEST(full_in_batches)
{
	fill_and_free(0);
}
END_TEST

/* Again and again, so that the cut comes at many places of a line. */
START_TEST(full_many_times)
{
	rig_make(&rig, 1, NULL);
	rig.m[0].file_limit = 5000;
	rig_start(&rig, 0);
	struct load l;
	load_init(&l, &rig, 'a', 2, 1000000);
	l.window = 7;
	l.every_ms = 1;         /* a refusal takes no time: do not run out of messages */
	l.may_fail = true;
	load_connect_all(&l);
	load_pump(&l);
	for (int k = 1; k <= 40; k++) {
		long errors = l.errors, ok;
		wait_for(l.errors > errors, SOON, "round %d: no error", k);
		/* Room for what waits as well: what got an error is kept, and stored first. */
		set_limit(0, 5000 + 12777 * (rlim_t)k);
		ok = l.ok;
		wait_for(l.ok > ok, SOON, "round %d: nothing is settled", k);
	}
	set_limit(0, RLIM_INFINITY);
	run_out_of_errors(&l);
	rig_stop_all(&rig);
	load_require_once(&l, 1, "full 40 times");
	load_fini(&l);
	rig_down(&rig);
}
END_TEST

/* The disk of one member of five is full: the others have all that was settled, and in the end it has all that they have. */
START_TEST(full_on_one_of_five)
{
	rig_make(&rig, 5, "peer-timeout = 60\n");
	rig.m[0].file_limit = 20000;
	rig_start_all(&rig);
	struct load l;
	load_init(&l, &rig, 'a', 5, 1000000);
	l.window = 5;
	l.may_fail = true;
	l.every_ms = 2;
	load_connect_all(&l);
	run_into_errors(&l);
	set_limit(0, RLIM_INFINITY);
	run_out_of_errors(&l);
	rig_say(&rig, 3, "the last one");
	load_wait_logged(&l, 0x1f);
	size_t lines = log_lines(&rig, 1);
	for (int i = 0; i < 5; i++)
		log_wait_lines(&rig, i, lines);
	rig_stop_all(&rig);
	struct verdict v = load_judge(&l, 0x1e, 0, "full on one of five, the others");
	require(v.lost == 0 && v.doubled == 0 && v.invented == 0 && v.disordered == 0, "the others are disturbed");
	require(v.errors_logged % 4 == 0, "what got an error is with some of the others, and not with all");
	long with_each = v.errors_logged / 4;
	v = load_judge(&l, 1, 0, "full on one of five, itself");
	require(v.lost == 0 && v.doubled == 0 && v.invented == 0, "it is not complete");
	require(v.errors_logged == with_each, "of what got an error it has %ld, the others %ld", v.errors_logged, with_each);
	load_fini(&l);
	rig_down(&rig);
}
END_TEST

/* A small file system of its own; it goes when the last of its users does. */
static bool
mount_small(const char *path)
{
	return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("tmpfs", path, "tmpfs", 0, "size=128k") == 0;
}

/* Something else takes the space away, and gives it back. */
static void
put_ballast(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	static char block[4096];
	for (int i = 0; i < 20; i++)
		require(write(fd, block, sizeof block) == sizeof block, "write: %s", strerror(errno));
	close(fd);
}

static bool
small_folder(const char *folder)
{
	rig_make(&rig, 2, NULL);
	const char *path = rig_path(&rig, 0, folder);
	mkdir(path, 0755);
	if (mount_small(path))
		return true;
	story_skip("no file system may be mounted");
	rig_down(&rig);
	return false;
}

/* No space for the journal: nothing is accepted until there is some. */
START_TEST(no_space_for_the_journal)
{
	if (!small_folder("state"))
		return;
	rig_start_all(&rig);
	const char *ballast = rig_path(&rig, 0, "state/ballast");
	put_ballast(ballast);
	struct load l;
	load_init(&l, &rig, 'a', 2, 1000000);
	l.window = 10;
	l.may_fail = true;
	load_connect(&l, 0, 0);
	load_connect(&l, 1, 0);
	run_into_errors(&l);
	require(unlink(ballast) == 0, "unlink: %s", strerror(errno));
	run_out_of_errors(&l);
	load_wait_logged(&l, 3);
	rig_stop_all(&rig);
	load_require_once(&l, 3, "no space for the journal");
	load_fini(&l);
	log_check_form(&rig, 0);
	log_check_form(&rig, 1);
	umount2(rig_path(&rig, 0, "state"), MNT_DETACH);
	rig_done(&rig);
}
END_TEST

/* No space for access.log alone: all goes on, and it is completed later. */
START_TEST(no_space_for_access_log)
{
	if (!small_folder("log"))
		return;
	rig_start_all(&rig);
	const char *ballast = rig_path(&rig, 0, "log/ballast");
	put_ballast(ballast);
	struct load l;
	load_init(&l, &rig, 'a', 2, 500);
	l.window = 10;
	load_connect(&l, 0, 0);
	load_connect(&l, 1, 0);
	load_run(&l);
	require(l.errors == 0 && l.ok == l.sent, "%ld of %ld settled: '%s'", l.ok, l.sent, l.error);
	wait_for(said(0, "completed from the journal"), SOON, "the failure is not reported");
	require(unlink(ballast) == 0, "unlink: %s", strerror(errno));
	load_wait_logged(&l, 3);
	rig_say(&rig, 0, "room again");
	rig_stop_all(&rig);
	load_require_once(&l, 3, "no space for access.log");
	load_fini(&l);
	log_check_form(&rig, 0);
	log_check_form(&rig, 1);
	umount2(rig_path(&rig, 0, "log"), MNT_DETACH);
	rig_done(&rig);
}
END_TEST
#endif

/* ---- at HUP ---- */

static void
expect_in_old_file(const char *text)
{
	struct conn c;
	conn_client(&c, &rig, 0);
	conn_puts(&c, text);
	conn_puts(&c, "\r\n");
	conn_expect(&c, "ok");
	conn_close(&c);
	char line[64];
	snprintf(line, sizeof line, " %s\n", text);
	require(file_count(rig_path(&rig, 0, "log/access.log.1"), line) == 1, "'%s' is not in the old file", text);
}

/* Something that no log can be opened as stands in access.log's place. */
static void
obstruct(void (*make)(const char *path), int (*take_away)(const char *path))
{
	rig_make(&rig, 1, NULL);
	rig_start(&rig, 0);
	rig_say(&rig, 0, "before");
	const char *path = rig_path(&rig, 0, "log/access.log");
	require(rename(path, rig_path(&rig, 0, "log/access.log.1")) == 0, "rename: %s", strerror(errno));
	make(path);
	rig_signal(&rig, 0, SIGHUP);
	wait_for(said(0, "access.log"), SOON, "that access.log cannot be opened is not reported");
	expect_in_old_file("one");
	rig_signal(&rig, 0, SIGHUP);
	expect_in_old_file("two");
	/* Out of the way again. */
	require(take_away(path) == 0, "%s: %s", path, strerror(errno));
	rig_signal(&rig, 0, SIGHUP);
	wait_for(file_exists(path), SOON, "no new access.log");
	rig_say(&rig, 0, "after");
	rig_down(&rig);
}

static void
make_folder(const char *path)
{
	require(mkdir(path, 0755) == 0, "mkdir: %s", strerror(errno));
}

static void
make_fifo(const char *path)
{
	require(mkfifo(path, 0644) == 0, "mkfifo: %s", strerror(errno));
}

START_TEST(a_folder_in_its_place)
{
	obstruct(make_folder, rmdir);
}
END_TEST

START_TEST(a_fifo_in_its_place)
{
	obstruct(make_fifo, unlink);
}
END_TEST

START_TEST(a_folder_in_the_place_of_error_log)
{
	rig_make(&rig, 1, NULL);
	rig_start(&rig, 0);
	rig_say(&rig, 0, "before");
	const char *path = rig_path(&rig, 0, "log/error.log");
	require(rename(path, rig_path(&rig, 0, "log/error.log.1")) == 0, "rename: %s", strerror(errno));
	make_folder(path);
	rig_signal(&rig, 0, SIGHUP);
	wait_for(file_has(rig_path(&rig, 0, "stderr"), "error.log") ||
	    file_has(rig_path(&rig, 0, "log/error.log.1"), "error.log"), SOON, "it is not reported");
	struct conn c;
	conn_client(&c, &rig, 0);
	conn_puts(&c, "\x01\r\n");
	conn_expect(&c, "error control character");
	conn_close(&c);
	wait_for(file_has(rig_path(&rig, 0, "log/error.log.1"), " control character: "), SOON,
	    "the old error.log is not in use any more");
	rig_say(&rig, 0, "after");
	require(rmdir(path) == 0, "rmdir: %s", strerror(errno));
	rig_signal(&rig, 0, SIGHUP);
	wait_for(file_exists(path), SOON, "no new error.log");
	rig_down(&rig);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, a_folder_in_its_place);
	STORY_TEST(s, a_fifo_in_its_place);
	STORY_TEST(s, a_folder_in_the_place_of_error_log);
#ifdef __linux__
	STORY_TEST(s, full_one_by_one);
	STORY_TEST(s, full_in_batches);
	STORY_TEST(s, full_many_times);
	STORY_TEST(s, full_on_one_of_five);
	STORY_TEST(s, no_space_for_the_journal);
	STORY_TEST(s, no_space_for_access_log);
#endif
}

int
main(void)
{
	return story_main("09-disk", add);
}
