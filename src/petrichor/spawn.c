/* SPDX-License-Identifier: MIT
 * spawn.c - a program as the other end of a stream. Any thread; the child does only what may be done behind fork(2) in a
 * program of many threads. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "petrichor/conn.h"

enum { SCAN_MOST = 65536 };

/* All but the standard ones go when the program begins, whoever opened them. */
static void
close_on_exec(int scan)
{
#if defined(SYS_close_range) && defined(CLOSE_RANGE_CLOEXEC)
	if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) == 0)
		return;
#endif
	for (int fd = 3; fd < scan; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* The program is to have signals as a shell would give it them: no handlers of ours, none held back. */
static void
usual_signals(void)
{
	sigset_t none;
	for (int i = 1; i < NSIG; i++) {
		struct sigaction a;
		if (sigaction(i, NULL, &a) == 0 && (i == SIGPIPE || a.sa_handler != SIG_IGN)) {
			a.sa_handler = SIG_DFL;
			a.sa_flags = 0;
			sigaction(i, &a, NULL);
		}
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Ends in the program, or tells by `report` why not. */
static void
become(char *const argv[], int stream, int report, int scan)
{
	usual_signals();
	if (dup2(stream, 0) == 0 && dup2(stream, 1) == 1) {
		close_on_exec(scan);
		execvp(argv[0], argv);
	}
	int error = errno;
	while (write(report, &error, sizeof error) < 0 && errno == EINTR)
		;
	_exit(127);
}

static int
limit_of_descriptors(void)
{
	struct rlimit l;
	return getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < SCAN_MOST ? (int)l.rlim_cur : SCAN_MOST;
}

/* 0, or the errno of what failed in the child before it became the program. */
static int
report_of(int fd)
{
	int error = 0;
	ssize_t n;
	do {
		n = read(fd, &error, sizeof error);
	} while (n < 0 && errno == EINTR);
	return n == sizeof error ? error : 0;
}

/* Moves a descriptor from where standard ones are: in the child they would be lost, and here be written to by chance. */
static bool
above_standard(int *fd)
{
	if (*fd > 2)
		return true;
	int moved = fcntl(*fd, F_DUPFD_CLOEXEC, 3);
	if (moved < 0)
		return false;
	close(*fd);
	*fd = moved;
	return true;
}

/* pair[0] is ours, pair[1] the program's; so are report[0] and [1]. */
static pid_t
start(char *const argv[], int pair[2], int report[2])
{
	sigset_t all, before;
	int scan = limit_of_descriptors();
	/* No handler of ours is to run in the child. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t child = fork();
	if (child == 0)
		become(argv, pair[1], report[1], scan);
	int saved = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
	return child;
}

static void
close_all(int pair[2], int report[2])
{
	int saved = errno;
	for (int i = 0; i < 2; i++) {
		if (pair[i] >= 0)
			close(pair[i]);
		if (report[i] >= 0)
			close(report[i]);
	}
	errno = saved;
}

int
pt_spawn(struct pt_conn **conn, char *const argv[], const struct pt_options *options)
{
	int pair[2] = { -1, -1 }, report[2] = { -1, -1 };
	*conn = NULL;
	if (argv == NULL || argv[0] == NULL)
		return PT_E_ARGUMENT;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return PT_E_IO;
	pid_t child = -1;
	if (pipe2(report, O_CLOEXEC) == 0 && above_standard(&pair[0]) && above_standard(&pair[1]) && above_standard(&report[1]))
		child = start(argv, pair, report);
	if (child < 0) {
		close_all(pair, report);
		return PT_E_IO;
	}
	close(report[1]);
	report[1] = -1;
	int error = report_of(report[0]), mine = pair[0];
	pair[0] = error == 0 ? -1 : mine;
	close_all(pair, report);
	struct pt_conn *c = error == 0 ? pt_from_fd(mine, options) : NULL;
	if (c == NULL) {
		/* It has ended by itself, or has lost its stream before a word was said. */
		if (error == 0)
			kill(child, SIGKILL);
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
		errno = error;
		return error == 0 ? PT_E_MEMORY : PT_E_IO;
	}
	c->child = child;
	*conn = c;
	return PT_OK;
}
