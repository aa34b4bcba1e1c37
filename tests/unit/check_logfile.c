/* SPDX-License-Identifier: MIT
 * A full disk is played by a limit on the size of files: a write that passes it comes back short first. */
#include "store/logfile.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "unit.h"

static char dir[UNIT_PATH];
static struct logfile l;

static int
open_log(const char *name)
{
	return logfile_open(&l, dir, name, (uid_t)-1, (gid_t)-1);
}

static void
begin(void)
{
	signal(SIGXFSZ, SIG_IGN);
	unit_folder(dir);
	ck_assert_int_eq(open_log("log"), 0);
}

static void
end(void)
{
	logfile_close(&l);
	unit_folder_remove(dir);
}

/* Writes while files may have so many bytes. No assert within: Check writes files as well. */
static int
write_limited(const char *text, rlim_t most)
{
	struct rlimit old, cut;
	getrlimit(RLIMIT_FSIZE, &old);
	cut = old;
	cut.rlim_cur = most;
	setrlimit(RLIMIT_FSIZE, &cut);
	int rc = logfile_write(&l, text, strlen(text)), saved = errno;
	setrlimit(RLIMIT_FSIZE, &old);
	errno = saved;
	return rc;
}

static void
put(const char *text)
{
	ck_assert_int_eq(logfile_write(&l, text, strlen(text)), 0);
}

static void
rename_log(const char *from, const char *to)
{
	char a[UNIT_PATH + 64], b[UNIT_PATH + 64];
	unit_file_path(a, dir, from);
	unit_file_path(b, dir, to);
	ck_assert_int_eq(rename(a, b), 0);
}

static void
remove_log(const char *name)
{
	char path[UNIT_PATH + 64];
	unit_file_path(path, dir, name);
	ck_assert_int_eq(unlink(path), 0);
}

/* ---- opening ---- */

START_TEST(created)
{
	struct stat st;
	mode_t old = umask(0);
	begin();
	umask(old);
	ck_assert_int_eq(fstat(l.fd, &st), 0);
	ck_assert(S_ISREG(st.st_mode));
	ck_assert_int_eq(st.st_mode & 07777, 0640);
	ck_assert_int_ne(fcntl(l.fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_ne(fcntl(l.fd, F_GETFL) & O_APPEND, 0);
	ck_assert(!l.torn);
	unit_assert_file(dir, "log", "");
	end();
	ck_assert_int_eq(l.fd, -1);
	ck_assert_ptr_null(l.path);
	logfile_close(&l);      /* twice is no harm */
}
END_TEST

START_TEST(appended)
{
	begin();
	put("one\n");
	logfile_close(&l);
	ck_assert_int_eq(open_log("log"), 0);
	put("two\n");
	/* What others append is not written over. */
	char path[UNIT_PATH + 64];
	unit_file_path(path, dir, "log");
	int fd = open(path, O_WRONLY | O_APPEND);
	ck_assert_int_eq(write(fd, "three\n", 6), 6);
	close(fd);
	put("four\n");
	unit_assert_file(dir, "log", "one\ntwo\nthree\nfour\n");
	end();
}
END_TEST

START_TEST(owner)
{
	struct stat st;
	if (geteuid() != 0)
		return;
	unit_folder(dir);
	ck_assert_int_eq(logfile_open(&l, dir, "log", 12345, 23456), 0);
	ck_assert_int_eq(fstat(l.fd, &st), 0);
	ck_assert_uint_eq(st.st_uid, 12345);
	ck_assert_uint_eq(st.st_gid, 23456);
	end();
}
END_TEST

/* A folder that gives its files its group: they are for others to read, whoever writes them. */
START_TEST(group_of_the_folder)
{
	struct stat st;
	struct logfile other;
	if (geteuid() != 0)
		return;
	begin();
	ck_assert_int_eq(chown(dir, 0, 54321), 0);
	ck_assert_int_eq(chmod(dir, 02755), 0);
	ck_assert_int_eq(logfile_open(&other, dir, "other", 12345, 12346), 0);
	ck_assert_int_eq(fstat(other.fd, &st), 0);
	ck_assert_uint_eq(st.st_uid, 12345);
	ck_assert_uint_eq(st.st_gid, 54321);
	logfile_close(&other);
	end();
}
END_TEST

START_TEST(no_folder)
{
	begin();
	logfile_close(&l);
	ck_assert_int_eq(open_log("none/log"), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(l.fd, -1);
	end();
}
END_TEST

/* A folder that others can write to must not make us write elsewhere. */
START_TEST(symlink_refused)
{
	char link[UNIT_PATH + 64];
	begin();
	logfile_close(&l);
	unit_file_path(link, dir, "link");
	ck_assert_int_eq(symlink("log", link), 0);
	ck_assert_int_eq(open_log("link"), -1);
	ck_assert_int_eq(errno, ELOOP);
	logfile_close(&l);
	ck_assert_int_eq(unlink(link), 0);
	/* Nor does one that leads nowhere make a file there. */
	ck_assert_int_eq(symlink("elsewhere", link), 0);
	ck_assert_int_eq(open_log("link"), -1);
	ck_assert_int_eq(errno, ELOOP);
	unit_file_path(link, dir, "elsewhere");
	ck_assert_int_eq(access(link, F_OK), -1);
	end();
}
END_TEST

START_TEST(fifo_refused)
{
	char path[UNIT_PATH + 64];
	begin();
	logfile_close(&l);
	unit_file_path(path, dir, "fifo");
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	/* Nobody reads it: it must not wait for someone. */
	ck_assert_int_eq(open_log("fifo"), -1);
	ck_assert_int_eq(errno, ENXIO);
	logfile_close(&l);
	int reader = open(path, O_RDONLY | O_NONBLOCK);
	ck_assert_int_ge(reader, 0);
	ck_assert_int_eq(open_log("fifo"), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(l.fd, -1);
	close(reader);
	end();
}
END_TEST

START_TEST(folder_and_socket_refused)
{
	char path[UNIT_PATH + 64];
	begin();
	logfile_close(&l);
	unit_file_path(path, dir, "folder");
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(open_log("folder"), -1);
	ck_assert_int_eq(errno, EISDIR);
	logfile_close(&l);
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	unit_file_path(path, dir, "socket");
	if (strlen(path) < sizeof un.sun_path) {
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		strcpy(un.sun_path, path);
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof un), 0);
		ck_assert_int_eq(open_log("socket"), -1);
		ck_assert_int_eq(errno, ENXIO);
		close(fd);
	}
	end();
}
END_TEST

/* ---- a full disk ---- */

START_TEST(nothing_of_what_does_not_fit)
{
	begin();
	put("one\n");
	for (rlim_t most = 4; most < 4 + 8; most++) {
		errno = 0;
		ck_assert_int_eq(write_limited("two two\n", most), -1);
		ck_assert_int_eq(errno, EFBIG);
		ck_assert(!l.torn);
		unit_assert_file(dir, "log", "one\n");
	}
	ck_assert_int_eq(write_limited("two two\n", 12), 0);
	put("three\n");
	unit_assert_file(dir, "log", "one\ntwo two\nthree\n");
	end();
}
END_TEST

/* Of several lines none stays: who waits for them is told that they are not there. */
START_TEST(nothing_of_many_lines)
{
	begin();
	put("one\n");
	ck_assert_int_eq(write_limited("two\nthree\nfour\n", 4 + 4 + 6 + 1), -1);
	unit_assert_file(dir, "log", "one\n");
	end();
}
END_TEST

/* ---- torn: what cannot be cut back ---- */

/* Has a log in memory that can grow and not shrink, and half a line in it. false: this system has no such thing. */
static bool
tear(void)
{
	begin();
	int fd = memfd_create("log", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	if (fd < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0 || fcntl(fd, F_SETFL, O_APPEND) < 0) {
		printf("skipped: tear: no file here that cannot be cut\n");
		if (fd >= 0)
			close(fd);
		end();
		return false;
	}
	close(l.fd);
	l.fd = fd;
	put("one\n");
	errno = 0;
	ck_assert_int_eq(write_limited("half a line\n", 8), -1);
	ck_assert_int_eq(errno, EFBIG);         /* not what the cut failed by */
	ck_assert(l.torn);
	return true;
}

static void
assert_log(const char *want)
{
	char text[200];
	ssize_t n = pread(l.fd, text, sizeof text - 1, 0);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	ck_assert_str_eq(text, want);
}

START_TEST(torn_line_is_ended)
{
	if (!tear())
		return;
	assert_log("one\nhalf");
	put("two\n");
	ck_assert(!l.torn);
	put("three\n");
	assert_log("one\nhalf\ntwo\nthree\n");
	end();
}
END_TEST

START_TEST(torn_while_the_disk_is_full)
{
	if (!tear())
		return;
	ck_assert_int_eq(write_limited("two\n", 8), -1);
	ck_assert(l.torn);
	assert_log("one\nhalf");
	/* The LF goes out, the line does not: it is torn no more, or again. */
	ck_assert_int_eq(write_limited("two\n", 9), -1);
	put("three\n");
	assert_log("one\nhalf\nthree\n");
	end();
}
END_TEST

/* A file of the disk that is made to look torn: whether the name is another file's now decides. */
START_TEST(torn_survives_reopen)
{
	begin();
	put("one\nhalf");
	l.torn = true;
	ck_assert_int_eq(logfile_reopen(&l), 0);
	put("two\n");
	unit_assert_file(dir, "log", "one\nhalf\ntwo\n");
	end();
}
END_TEST

START_TEST(new_file_is_not_torn)
{
	begin();
	put("one\nhalf");
	l.torn = true;
	rename_log("log", "log.1");
	ck_assert_int_eq(logfile_reopen(&l), 0);
	put("two\n");
	unit_assert_file(dir, "log", "two\n");
	unit_assert_file(dir, "log.1", "one\nhalf");
	end();
}
END_TEST

/* ---- rotation ---- */

START_TEST(reopened)
{
	begin();
	int fd = l.fd;
	put("one\n");
	rename_log("log", "log.1");
	put("two\n");           /* until it is asked for */
	ck_assert_int_eq(logfile_reopen(&l), 0);
	ck_assert_int_eq(l.fd, fd);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFL) & O_APPEND, 0);
	put("three\n");
	unit_assert_file(dir, "log.1", "one\ntwo\n");
	unit_assert_file(dir, "log", "three\n");
	/* Nothing of it stays open. */
	int next = open("/dev/null", O_RDONLY);
	ck_assert_int_eq(logfile_reopen(&l), 0);
	int after = open("/dev/null", O_RDONLY);
	ck_assert_int_eq(after, next + 1);
	close(after);
	close(next);
	end();
}
END_TEST

START_TEST(old_one_stays_when_reopening_fails)
{
	char path[UNIT_PATH + 64];
	begin();
	put("one\n");
	rename_log("log", "log.1");
	unit_file_path(path, dir, "log");

	ck_assert_int_eq(mkdir(path, 0700), 0);
	errno = 0;
	ck_assert_int_eq(logfile_reopen(&l), -1);
	ck_assert_int_eq(errno, EISDIR);
	put("two\n");
	ck_assert_int_eq(rmdir(path), 0);

	ck_assert_int_eq(symlink("log.1", path), 0);
	ck_assert_int_eq(logfile_reopen(&l), -1);
	ck_assert_int_eq(errno, ELOOP);
	put("three\n");
	ck_assert_int_eq(unlink(path), 0);

	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(logfile_reopen(&l), -1);
	put("four\n");
	ck_assert_int_eq(unlink(path), 0);

	unit_assert_file(dir, "log.1", "one\ntwo\nthree\nfour\n");
	ck_assert_int_eq(logfile_reopen(&l), 0);
	put("five\n");
	unit_assert_file(dir, "log", "five\n");
	end();
}
END_TEST

START_TEST(moved)
{
	begin();
	ck_assert(!logfile_moved(&l));
	put("one\n");
	ck_assert(!logfile_moved(&l));
	rename_log("log", "log.1");
	ck_assert(logfile_moved(&l));           /* nobody's */
	unit_file_puts(dir, "log", "another's\n");
	ck_assert(logfile_moved(&l));           /* another's */
	ck_assert_int_eq(logfile_reopen(&l), 0);
	ck_assert(!logfile_moved(&l));
	put("two\n");
	unit_assert_file(dir, "log", "another's\ntwo\n");
	remove_log("log");
	ck_assert(logfile_moved(&l));
	ck_assert_int_eq(logfile_reopen(&l), 0);
	ck_assert(!logfile_moved(&l));
	/* Emptied, as by copy and truncate, it is the same file. */
	char path[UNIT_PATH + 64];
	put("three\n");
	unit_file_path(path, dir, "log");
	ck_assert_int_eq(truncate(path, 0), 0);
	ck_assert(!logfile_moved(&l));
	put("four\n");
	unit_assert_file(dir, "log", "four\n");
	end();
}
END_TEST

START_TEST(nothing_to_write)
{
	l = (struct logfile){ .fd = -1 };
	logfile_write(&l, "", 0);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, created);
	UNIT_TEST(s, appended);
	UNIT_TEST(s, owner);
	UNIT_TEST(s, group_of_the_folder);
	UNIT_TEST(s, no_folder);
	UNIT_TEST(s, symlink_refused);
	UNIT_TEST(s, fifo_refused);
	UNIT_TEST(s, folder_and_socket_refused);
	UNIT_TEST(s, nothing_of_what_does_not_fit);
	UNIT_TEST(s, nothing_of_many_lines);
	UNIT_TEST(s, torn_line_is_ended);
	UNIT_TEST(s, torn_while_the_disk_is_full);
	UNIT_TEST(s, torn_survives_reopen);
	UNIT_TEST(s, new_file_is_not_torn);
	UNIT_TEST(s, reopened);
	UNIT_TEST(s, old_one_stays_when_reopening_fails);
	UNIT_TEST(s, moved);
	UNIT_ABORTS(s, nothing_to_write);
}

int
main(void)
{
	return unit_main("logfile", add);
}
