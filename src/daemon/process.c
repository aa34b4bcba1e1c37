/* SPDX-License-Identifier: MIT */
#include "daemon/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/diag.h"
#include "daemon/server.h"
#include "daemon/watchdog.h"

static int started_fd = -1;             /* to the process that waits for us; -1: none */
static int pid_fd = -1;
static char *pid_path;

/* ---- detaching ---- */

static _Noreturn void
wait_for_daemon(int fd)
{
	unsigned char code;
	ssize_t n;
	while ((n = read(fd, &code, 1)) < 0 && errno == EINTR)
		continue;
	/* End of file without a word: it was killed. */
	_exit(n == 1 ? code : EX_OSERR);
}

int
process_detach(void)
{
	int p[2];
	if (pipe2(p, O_CLOEXEC) < 0)
		return -1;
	pid_t pid = fork();
	if (pid < 0)
		return -1;
	if (pid > 0) {
		close(p[1]);
		wait_for_daemon(p[0]);
	}
	close(p[0]);
	/* A session of its own, and then a child that does not lead it and can never get a terminal again. */
	if (setsid() < 0 || (pid = fork()) < 0)
		return -1;
	if (pid > 0)
		_exit(EX_OK);
	started_fd = p[1];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || chdir("/") < 0)
		return -1;
	close(null);
	return 0;
}

void
process_started(int code)
{
	if (started_fd < 0)
		return;
	unsigned char byte = (unsigned char)code;
	if (code == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null >= 0) {
			dup2(null, STDOUT_FILENO);
			dup2(null, STDERR_FILENO);
			close(null);
		}
		diag_to_syslog();
	}
	while (write(started_fd, &byte, 1) < 0 && errno == EINTR)
		continue;
	close(started_fd);
	started_fd = -1;
}

/* ---- the service manager ---- */

void
process_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = path != NULL ? strlen(path) : 0;
	if (n < 2 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(to.sun_path, path, n);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';  /* of the abstract name space */
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	/* Whether anyone hears it is not for us to worry about. */
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		diag("cannot notify %s: %s", path, strerror(errno));
	close(fd);
}

static void
process_notify_reloading(void)
{
	char text[80];
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
	process_notify(text);
}

/* ---- folders ---- */

bool
process_folder_safe(const char *key, const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0 || (st.st_mode & S_IWOTH) == 0 || (st.st_mode & S_ISVTX) != 0)
		return true;
	diag("%s %s: everybody may replace the files in it: chmod o-w it", key, path);
	return false;
}

/* ---- the pidfile ---- */

static int
pidfile_failed(const char *path, const char *what, int code)
{
	diag("cannot %s pidfile %s: %s", what, path, strerror(errno));
	if (pid_fd >= 0)
		close(pid_fd);
	pid_fd = -1;
	return code;
}

int
process_pidfile(const char *path)
{
	pid_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0644);
	if (pid_fd < 0)
		return pidfile_failed(path, "open", EX_CANTCREAT);
	/* The lock says who runs, not the number: what a dead process left in the file is no obstacle. flock, since a
	 * lock by fcntl is lost when anyone in this process closes the file. */
	if (flock(pid_fd, LOCK_EX | LOCK_NB) < 0) {
		char text[32] = "";
		if (errno != EWOULDBLOCK)
			return pidfile_failed(path, "lock", EX_OSERR);
		ssize_t n = read(pid_fd, text, sizeof text - 1);
		diag("already running: %s is locked by process %.*s", path,
		    n > 0 ? (int)strspn(text, "0123456789") : 1, n > 0 ? text : "?");
		close(pid_fd);
		pid_fd = -1;
		return EX_OSERR;
	}
	pid_path = strdup(path);
	char text[32];
	int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	if (pid_path == NULL || ftruncate(pid_fd, 0) < 0 || pwrite(pid_fd, text, (size_t)n, 0) != n)
		return pidfile_failed(path, "write", EX_CANTCREAT);
	return EX_OK;
}

void
process_pidfile_remove(void)
{
	struct stat mine, named;
	if (pid_fd < 0)
		return;
	/* Only if the name is still our file's; where the folder does not let us, an empty one says as much. */
	if (fstat(pid_fd, &mine) == 0 && stat(pid_path, &named) == 0 && mine.st_dev == named.st_dev &&
	    mine.st_ino == named.st_ino && unlink(pid_path) < 0 && ftruncate(pid_fd, 0) < 0)
		diag("cannot remove pidfile %s: %s", pid_path, strerror(errno));
	close(pid_fd);
	free(pid_path);
	pid_fd = -1;
}

/* ---- the account ---- */

static bool
account_is_ours(const struct process_account *a)
{
	return (a->uid < 0 || ((uid_t)a->uid == getuid() && (uid_t)a->uid == geteuid())) &&
	    (a->gid < 0 || ((gid_t)a->gid == getgid() && (gid_t)a->gid == getegid()));
}

int
process_find_account(const char *user, const char *group, struct process_account *a)
{
	*a = (struct process_account){ -1, -1 };
	if (user != NULL) {
		struct passwd *p = getpwnam(user);
		if (p == NULL) {
			diag("no such user: %s", user);
			return EX_CONFIG;
		}
		a->uid = (int)p->pw_uid;
		a->gid = (int)p->pw_gid;
	}
	if (group != NULL) {
		struct group *g = getgrnam(group);
		if (g == NULL) {
			diag("no such group: %s", group);
			return EX_CONFIG;
		}
		a->gid = (int)g->gr_gid;
	}
	/* That is who we are: then nothing is to be given away, and what is under a service manager may not even try. */
	if (account_is_ours(a))
		*a = (struct process_account){ -1, -1 };
	return EX_OK;
}

int
process_drop(const char *user, const struct process_account *a)
{
	uid_t uid = (uid_t)a->uid;
	gid_t gid = (gid_t)a->gid;
	if (account_is_ours(a))
		return EX_OK;
	const char *failed = NULL;
	if (a->gid >= 0 && (user != NULL ? initgroups(user, gid) : setgroups(0, NULL)) < 0)
		failed = "set the groups";
	else if (a->gid >= 0 && setresgid(gid, gid, gid) < 0)
		failed = "become the group";
	else if (a->uid >= 0 && setresuid(uid, uid, uid) < 0)
		failed = "become the user";
	if (failed != NULL) {
		diag("cannot %s of settings user and group: %s", failed, strerror(errno));
		return EX_NOPERM;
	}
	if (a->uid > 0 && setuid(0) == 0) {
		diag("privileges were not dropped: setuid(0) still works");
		return EX_NOPERM;
	}
	return EX_OK;
}

/* ---- limits and signals ---- */

int
process_seal(bool secret)
{
	const char *what = NULL;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		what = "PR_SET_NO_NEW_PRIVS";
	else if (secret && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		what = "PR_SET_DUMPABLE";
	if (what == NULL)
		return EX_OK;
	diag("cannot set %s: %s", what, strerror(errno));
	return EX_OSERR;
}

void
process_raise_limits(void)
{
	struct rlimit r;
	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur == r.rlim_max)
		return;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) < 0)
		diag("cannot raise the limit of descriptors: %s", strerror(errno));
}

static void
served_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGUSR2);
}

void
process_block_signals(void)
{
	sigset_t set;
	served_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A file that may not grow any more (ulimit -f) is a full disk, not the end. */
	signal(SIGXFSZ, SIG_IGN);
}

static struct server *stopping;

static void
hurry(int number)
{
	(void)number;
	server_hurry(stopping);
}

/* From here on TERM and INT mean: now. The others stay blocked, so that a rotation does not end the drain. */
static void
let_hurry(struct server *s)
{
	sigset_t set;
	struct sigaction action = { .sa_handler = hurry, .sa_flags = SA_RESTART };
	sigemptyset(&action.sa_mask);
	stopping = s;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void
process_serve(struct server *s)
{
	sigset_t set;
	struct watchdog w;
	served_signals(&set);
	watchdog_init(&w);
	for (;;) {
		switch (watchdog_sigwait(&w, s, &set)) {
		case -1:
			break;
		case SIGHUP:
			process_notify_reloading();
			server_reload(s);
			process_notify("READY=1");
			break;
		case SIGUSR1:
			logger_reopen(s->logger);
			break;
		case SIGUSR2:
			server_report(s);
			break;
		default:
			let_hurry(s);
			return;
		}
	}
}

void
process_stopped(void)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
}
