/* SPDX-License-Identifier: MIT
 * check_sandbox.c - each refused call is tried, and each kind of path; by a child of the test, which is never the same again. */
#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <sys/prctl.h>

#include "daemon/sandbox.h"

/* In the child: what went wrong, and its end. */
#define child_require(condition, ...) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "line %d: ", __LINE__); \
			fprintf(stderr, __VA_ARGS__); \
			fputc('\n', stderr); \
			_exit(1); \
		} \
	} while (0)

enum { NOT_HERE = 77 };

/* Runs it in a child. false: that could not be tried on this machine. */
static bool
in_child(void (*body)(const char *), const char *arg)
{
	fflush(NULL);
	pid_t pid = fork();
	int status;
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		alarm(60);
		body(arg);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == NOT_HERE), "status %#x", status);
	return WEXITSTATUS(status) == 0;
}

static void
skip(const char *why)
{
	printf("skipped: %s: %s\n", tcase_name(), why);
	fflush(stdout);
}

/* ---- system calls ---- */

static void
enter_seccomp(void)
{
	child_require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
	if (sandbox_seccomp() < 0)
		_exit(NOT_HERE);
}

static void
try_refused(const char *arg)
{
	(void)arg;
	enter_seccomp();
	for (int i = 0; i < sandbox_refused_count; i++) {
		errno = 0;
		child_require(syscall(sandbox_refused[i], -1, -1, -1, -1, -1, -1) == -1 && errno == EPERM, "call %d: %s",
		    sandbox_refused[i], strerror(errno));
	}
}

START_TEST(refused)
{
	if (!in_child(try_refused, NULL))
		skip("no seccomp here");
}
END_TEST

/* Without privileges these would do something, or fail otherwise: it is the filter that says EPERM. */
static void
try_harmless(const char *arg)
{
	(void)arg;
	char bytes[1];
	struct { void *p; size_t n; } here = { bytes, 1 };
	child_require(syscall(SYS_unshare, 0) == 0 && syscall(SYS_personality, -1) != -1, "before");
	child_require(syscall(SYS_setuid, getuid()) == 0, "before");
	enter_seccomp();
	child_require(syscall(SYS_unshare, 0) == -1 && errno == EPERM, "unshare");
	child_require(syscall(SYS_personality, -1) == -1 && errno == EPERM, "personality");
	child_require(syscall(SYS_setuid, getuid()) == -1 && errno == EPERM, "setuid");
	child_require(syscall(SYS_execve, "/bin/true", NULL, NULL) == -1 && errno == EPERM, "execve");
	child_require(syscall(SYS_process_vm_readv, getpid(), &here, 1, &here, 1, 0) == -1 && errno == EPERM, "process_vm_readv");
	child_require(syscall(SYS_ptrace, 0, 0, 0, 0) == -1 && errno == EPERM, "ptrace");
	errno = 0;
	child_require(fork() == -1 && errno == EPERM, "fork");
	child_require(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) == -1 && errno == EPERM, "clone");
	child_require(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) == -1 && errno == EPERM, "clone");
	child_require(syscall(435, NULL, 0) == -1 && errno == ENOSYS, "clone3");
}

START_TEST(harmless)
{
	if (!in_child(try_harmless, NULL))
		skip("no seccomp here");
}
END_TEST

#ifdef __x86_64__
static long
call_i386(long number)
{
	long result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number) : "memory", "r8", "r9", "r10", "r11");
	return result;
}

enum { I386_GETPID = 20, X32_GETPID = 0x40000000 + 39 };

static void
try_i386(const char *arg)
{
	(void)arg;
	/* The fault of a kernel without them ends the child of the child. */
	pid_t pid = fork();
	int status;
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		_exit(call_i386(I386_GETPID) == getpid() ? 0 : 1);
	}
	child_require(waitpid(pid, &status, 0) == pid, "waitpid");
	enter_seccomp();
	errno = 0;
	child_require(syscall(X32_GETPID) == -1 && errno == EPERM, "x32");
	child_require(status != 0 || call_i386(I386_GETPID) == -EPERM, "i386");
	if (status != 0)
		_exit(NOT_HERE);
}

START_TEST(other_architectures)
{
	if (!in_child(try_i386, NULL))
		skip("this kernel has no i386 calls, or no seccomp");
}
END_TEST
#endif

static void *
nothing(void *arg)
{
	return arg;
}

static void
try_work(const char *dir)
{
	char path[UNIT_PATH + 64];
	pthread_t thread;
	char bytes[1];
	void *result = NULL;
	enter_seccomp();
	child_require(pthread_create(&thread, NULL, nothing, bytes) == 0 && pthread_join(thread, &result) == 0 &&
	    result == bytes, "no thread");
	unit_file_path(path, dir, "file");
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600), s = socket(AF_INET, SOCK_STREAM, 0);
	child_require(fd >= 0 && write(fd, "x", 1) == 1 && fdatasync(fd) == 0 && unlink(path) == 0, "files");
	child_require(s >= 0 && listen(s, 1) == 0, "sockets");
	pid_t pid = getpid();
	child_require(pid > 0 && clock_real_ms() > 0, "clocks");
}

START_TEST(what_is_needed)
{
	char dir[UNIT_PATH];
	unit_folder(dir);
	if (!in_child(try_work, dir))
		skip("no seccomp here");
	unit_folder_remove(dir);
}
END_TEST

/* ---- files ---- */

static int
try_open(const char *dir, const char *name, int flags)
{
	char path[UNIT_PATH + 64];
	unit_file_path(path, dir, name);
	int fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : errno;
}

static int
try_rename(const char *dir, const char *from, const char *to)
{
	char a[UNIT_PATH + 64], b[UNIT_PATH + 64];
	unit_file_path(a, dir, from);
	unit_file_path(b, dir, to);
	return rename(a, b) == 0 ? 0 : errno;
}

static int
try_unlink(const char *dir, const char *name)
{
	char path[UNIT_PATH + 64];
	unit_file_path(path, dir, name);
	return unlink(path) == 0 ? 0 : errno;
}

static int
try_socket(const char *dir, const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(a.sun_path, sizeof a.sun_path, "%.60s/%.20s", dir, name);
	int rc = bind(fd, (struct sockaddr *)&a, sizeof a) == 0 ? 0 : errno;
	close(fd);
	return rc;
}

static void
try_paths(const char *dir)
{
	char keep[UNIT_PATH + 64], readable[UNIT_PATH + 64], run[UNIT_PATH + 64], file[UNIT_PATH + 64];
	unit_file_path(keep, dir, "keep");
	unit_file_path(readable, dir, "read");
	unit_file_path(run, dir, "run");
	unit_file_path(file, dir, "one");
	const struct sandbox_path p[] = { { keep, SANDBOX_KEEP }, { readable, SANDBOX_READ }, { run, SANDBOX_RUN },
	    { file, SANDBOX_READ }, { "/dev/null", SANDBOX_DEVICE }, { "/nowhere/at/all", SANDBOX_READ } };
	child_require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
	int version = sandbox_landlock(p, UNIT_COUNT(p));
	child_require(version >= 0, "landlock: %s", strerror(errno));
	if (version == 0)
		_exit(NOT_HERE);

	child_require(try_open(keep, "a", O_RDWR | O_CREAT | O_EXCL) == 0 && try_open(keep, "a", O_WRONLY | O_TRUNC) == 0 &&
	    try_rename(keep, "a", "b") == 0 && try_open(keep, "b", O_RDONLY) == 0 && try_unlink(keep, "b") == 0 &&
	    try_open(dir, "keep", O_RDONLY | O_DIRECTORY) == 0, "what is to be kept");
	child_require(try_open(readable, "f", O_RDONLY) == 0 && try_open(dir, "read", O_RDONLY | O_DIRECTORY) == 0, "reading");
	child_require(try_open(readable, "f", O_WRONLY) == EACCES && try_open(readable, "g", O_WRONLY | O_CREAT) == EACCES &&
	    try_unlink(readable, "f") == EACCES && try_rename(readable, "f", "g") == EACCES && try_socket(readable, "s") == EACCES,
	    "writing where only reading is");
	child_require(try_socket(run, "s") == 0 && try_unlink(run, "s") == 0 && try_unlink(run, "pid") == 0 &&
	    try_open(run, "new", O_WRONLY | O_CREAT) == 0, "pidfile and socket");
	child_require(try_open(dir, "one", O_RDONLY) == 0 && try_open(dir, "one", O_WRONLY) == EACCES, "a file by itself");
	child_require(try_open(dir, "other", O_RDONLY) == EACCES && try_open(dir, "other", O_WRONLY) == EACCES &&
	    try_open(dir, "new", O_WRONLY | O_CREAT) == EACCES && try_unlink(dir, "other") == EACCES &&
	    try_open(dir, ".", O_RDONLY | O_DIRECTORY) == EACCES, "what is nobody's business");
	child_require(try_open("/etc", "passwd", O_RDONLY) == EACCES, "/etc/passwd");
	child_require(try_open("/dev", "null", O_RDWR) == 0 && try_open("/dev", "zero", O_RDONLY) == EACCES, "devices");
	/* Nor by a way out of a folder that is ours. */
	child_require(symlink("../other", strcat(keep, "/link")) == -1 && errno == EACCES, "a link");
	child_require(mkdir(keep, 0700) == -1 && errno == EACCES, "a folder");
}

START_TEST(paths)
{
	static const char *const folders[] = { "keep", "read", "run" };
	char dir[UNIT_PATH], path[UNIT_PATH + 64];
	unit_folder(dir);
	for (size_t i = 0; i < UNIT_COUNT(folders); i++) {
		unit_file_path(path, dir, folders[i]);
		ck_assert_int_eq(mkdir(path, 0700), 0);
	}
	unit_file_puts(dir, "one", "1");
	unit_file_puts(dir, "other", "2");
	unit_file_puts(dir, "read/f", "3");
	unit_file_puts(dir, "run/pid", "4");
	if (!in_child(try_paths, dir))
		skip("this kernel has no Landlock");
	for (size_t i = 0; i < UNIT_COUNT(folders); i++) {
		unit_file_path(path, dir, folders[i]);
		unit_folder_remove(path);
	}
	unit_folder_remove(dir);
}
END_TEST

static void
add(Suite *suite)
{
	UNIT_TEST(suite, refused);
	UNIT_TEST(suite, harmless);
#ifdef __x86_64__
	UNIT_TEST(suite, other_architectures);
#endif
	UNIT_TEST(suite, what_is_needed);
	UNIT_TEST(suite, paths);
}

int
main(void)
{
	return unit_main("sandbox", add);
}
