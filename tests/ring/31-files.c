/* SPDX-License-Identifier: MIT
 * 31-files.c - the files that zogd makes: their modes, and what it does about links, FIFOs, devices and folders that others have
 * put in their place: at the start, and while it runs. */
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static struct ring_rig rig;

static char precious[RIG_PATH + 16];    /* what a link leads to: nobody may write there */

static void
make(void)
{
	char line[RIG_PATH + 32];
	rig_make(&rig, 1, NULL);
	snprintf(line, sizeof line, "pidfile = %s\n", rig_path(&rig, 0, "zogd.pid"));
	rig_conf(&rig, 0, line);
	snprintf(precious, sizeof precious, "%s/precious", rig.folder);
	file_write(precious, "precious\n");
}

static void
precious_is_whole(void)
{
	size_t len;
	char *text = file_read(precious, &len);
	require(strcmp(text, "precious\n") == 0, "it was written through a link: '%s'", text);
	free(text);
}

/* ---- modes ---- */

static int
mode_of(const char *file)
{
	struct stat st;
	require(lstat(rig_path(&rig, 0, file), &st) == 0, "%s: %s", file, strerror(errno));
	return (int)(st.st_mode & 07777);
}

static void
modes(mode_t mask)
{
	make();
	require(rmdir(rig_path(&rig, 0, "state")) == 0, "rmdir");
	mode_t before = umask(mask);
	rig_start(&rig, 0);
	umask(before);
	rig_say(&rig, 0, "something");
	static const struct { const char *file; int mode; } want[] = { { "log/access.log", 0640 }, { "log/error.log", 0640 },
	    { "zogd.pid", 0644 }, { "state", 0750 }, { "state/cursor", 0640 }, { "state/lock", 0640 },
	    { "state/journal-0000000000000001", 0640 } };
	for (size_t i = 0; i < sizeof want / sizeof *want; i++)
		require(mode_of(want[i].file) == want[i].mode, "%s has mode %o", want[i].file, (unsigned)mode_of(want[i].file));
	/* And after a rotation. */
	char from[RIG_PATH], to[RIG_PATH + 8];
	snprintf(from, sizeof from, "%s", rig_path(&rig, 0, "log/access.log"));
	snprintf(to, sizeof to, "%s.1", from);
	require(rename(from, to) == 0, "rename");
	rig_signal(&rig, 0, SIGHUP);
	wait_for(file_exists(from), SOON, "no new access.log");
	require(mode_of("log/access.log") == 0640, "the new access.log has mode %o", (unsigned)mode_of("log/access.log"));
	rig_down(&rig);
}

START_TEST(modes_whatever_the_umask)
{
	modes(0);
	modes(077);
}
END_TEST

/* ---- planted before the start ---- */

enum kind { LINK, DANGLING, FIFO, DEVICE, FOLDER, KINDS };

static const char *const kind_name[] = { "a link", "a link to nothing", "a FIFO", "a device", "a folder" };

/* false: this system does not let us make one. */
static bool
plant(const char *file, enum kind kind)
{
	const char *path = rig_path(&rig, 0, file);
	if (unlink(path) < 0 && errno != ENOENT)
		rmdir(path);
	switch (kind) {
	case LINK:
		return symlink(precious, path) == 0;
	case DANGLING:
		return symlink("made-through-a-link", path) == 0;
	case FIFO:
		return mkfifo(path, 0644) == 0;
	case DEVICE:
		return mknod(path, S_IFCHR | 0666, makedev(1, 3)) == 0;
	default:
		return mkdir(path, 0755) == 0;
	}
}

static void
nothing_came_through(const char *file)
{
	char path[RIG_PATH + 32];
	snprintf(path, sizeof path, "%s", rig_path(&rig, 0, file));
	strcpy(strrchr(path, '/') + 1, "made-through-a-link");
	require(!file_exists(path), "%s was followed", file);
	precious_is_whole();
}

START_TEST(planted_before_the_start)
{
	static const char *const files[] = { "log/access.log", "log/error.log", "zogd.pid", "state/cursor", "state/lock" };
	make();
	char conf[RIG_PATH];
	snprintf(conf, sizeof conf, "%s", rig_path(&rig, 0, "zogd.conf"));
	const char *const start[] = { "-c", conf, NULL };
	bool device = true;
	struct buf out = BUF_INIT, err = BUF_INIT;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		for (enum kind kind = 0; kind < KINDS; kind++) {
			if (!plant(files[i], kind)) {
				device &= kind != DEVICE;
				require(kind == DEVICE, "%s: %s", files[i], strerror(errno));
				continue;
			}
			int code = rig_run(&rig, start, &out, &err);
			require(code == 73, "%s in the place of %s: exit code %d: %.*s", kind_name[kind], files[i], code, (int)err.len,
			    err.data);
			require(err.len > 1, "not a word");
			nothing_came_through(files[i]);
		}
		const char *path = rig_path(&rig, 0, files[i]);
		if (unlink(path) < 0)
			require(rmdir(path) == 0, "%s: %s", path, strerror(errno));
	}
	if (!device)
		story_skip("devices: only root can make them");
	buf_fini(&out);
	buf_fini(&err);
	rig_start(&rig, 0);
	rig_say(&rig, 0, "all is well");
	rig_down(&rig);
}
END_TEST

/* What is no segment is set aside, and the journal begins beside it; what was to be read of access.log.1 does not hold it up. */
START_TEST(planted_in_the_journal)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		make();
		if (!plant("state/journal-0000000000000001", kind) || !plant("log/access.log.1", kind) ||
		    !plant("log/access.log.cut", kind)) {
			require(kind == DEVICE, "%s", strerror(errno));
			rig_down(&rig);
			continue;
		}
		rig_start(&rig, 0);
		rig_say(&rig, 0, "beside it");
		log_wait_error(&rig, 0, "is not a file: renamed to foreign-journal-");
		nothing_came_through("state/x");
		nothing_came_through("log/x");
		rig_down(&rig);
	}
}
END_TEST

/* ---- planted while it runs ---- */

START_TEST(planted_at_a_rotation)
{
	static const char *const logs[] = { "log/access.log", "log/error.log" };
	make();
	rig_start(&rig, 0);
	for (int i = 0; i < 2; i++) {
		for (enum kind kind = 0; kind < KINDS; kind++) {
			char old[RIG_PATH + 8], path[RIG_PATH];
			snprintf(path, sizeof path, "%s", rig_path(&rig, 0, logs[i]));
			snprintf(old, sizeof old, "%s.old", path);
			require(rename(path, old) == 0, "rename");
			if (!plant(logs[i], kind)) {
				require(kind == DEVICE && rename(old, path) == 0, "%s", strerror(errno));
				continue;
			}
			rig_signal(&rig, 0, SIGUSR1);
			char said[RIG_PATH + 64];
			snprintf(said, sizeof said, "zogd: cannot reopen %s: ", path);
			wait_for(file_has(rig_path(&rig, 0, "stderr"), said), SOON, "%s: %s is not refused", logs[i], kind_name[kind]);
			nothing_came_through(logs[i]);
			/* The old one takes what comes. */
			struct conn c;
			char text[32];
			snprintf(text, sizeof text, "%d with %s", i, kind_name[kind]);
			conn_client(&c, &rig, 0);
			conn_puts(&c, text);
			conn_puts(&c, "\r\n");
			conn_expect(&c, "ok");
			conn_close(&c);
			const char *access = i == 0 ? old : rig_path(&rig, 0, "log/access.log");
			wait_for(file_count(access, text) == 1, SOON, "'%s' is not logged", text);
			if (unlink(path) < 0)
				require(rmdir(path) == 0, "rmdir: %s", strerror(errno));
			require(rename(old, path) == 0 && truncate(rig_path(&rig, 0, "stderr"), 0) == 0, "rename");
			nothing_came_through(logs[i]);
		}
	}
	rig_signal(&rig, 0, SIGUSR1);
	rig_say(&rig, 0, "all is well again");
	rig_down(&rig);
}
END_TEST

/* ---- folders ---- */

START_TEST(folders_of_everybody)
{
	make();
	char conf[RIG_PATH];
	snprintf(conf, sizeof conf, "%s", rig_path(&rig, 0, "zogd.conf"));
	const char *const start[] = { "-c", conf, NULL }, *const check[] = { "-t", "-c", conf, NULL };
	struct buf out = BUF_INIT, err = BUF_INIT;
	static const char *const folders[] = { "log", "state" };
	for (int i = 0; i < 2; i++) {
		const char *path = rig_path(&rig, 0, folders[i]);
		require(chmod(path, 0777) == 0, "chmod");
		for (int k = 0; k < 2; k++) {
			require(rig_run(&rig, k == 0 ? start : check, &out, &err) == (k == 0 ? 73 : 78), "%s is taken", folders[i]);
			require(strstr(err.data, "-dir") != NULL && strstr(err.data, "everybody may replace") != NULL, "'%s'", err.data);
		}
		require(chmod(path, 01777) == 0, "chmod");
		require(rig_run(&rig, check, &out, &err) == 0, "%s", err.data);
	}
	buf_fini(&out);
	buf_fini(&err);
	rig_start(&rig, 0);
	rig_say(&rig, 0, "with the sticky bit");
	rig_down(&rig);
}
END_TEST

static void
add(Suite *suite)
{
	STORY_TEST(suite, modes_whatever_the_umask);
	STORY_TEST(suite, planted_before_the_start);
	STORY_TEST(suite, planted_in_the_journal);
	STORY_TEST(suite, planted_at_a_rotation);
	STORY_TEST(suite, folders_of_everybody);
}

int
main(void)
{
	return story_main("files", add);
}
