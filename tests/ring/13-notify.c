/* SPDX-License-Identifier: MIT
 * 13-notify.c - what a service manager hears of zogd, by way of NOTIFY_SOCKET, and that its watchdog is fed only while
 * zogd works. */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

static struct ring_rig rig;
static int manager = -1;        /* the socket of the one who listens */
static char notify_socket[160], notice[1024];

/* Member 0 tells us, by a path or an abstract name; false: the folder's path is too long for that. */
static bool
listen_to(bool abstract)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n;
	if (abstract)
		n = (size_t)snprintf(a.sun_path, sizeof a.sun_path, "@zog-notify.%ld.%s", (long)getpid(), rig.block);
	else
		n = (size_t)snprintf(a.sun_path, sizeof a.sun_path, "%s/notify", rig.folder);
	if (n >= sizeof a.sun_path)
		return false;
	snprintf(notify_socket, sizeof notify_socket, "NOTIFY_SOCKET=%s", a.sun_path);
	if (abstract)
		a.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	require(manager >= 0 && bind(manager, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) == 0,
	    "%s: %s", notify_socket, strerror(errno));
	rig.m[0].env[0] = notify_socket;
	return true;
}

/* The next word of it, if there is one. */
static bool
heard(void)
{
	ssize_t n = recv(manager, notice, sizeof notice - 1, MSG_DONTWAIT);
	notice[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* Until it says this; nothing before that begins with `never`. */
static void
hear_before(const char *text, const char *never)
{
	for (;;) {
		wait_for(heard(), SOON, "no '%s'", text);
		if (strcmp(notice, text) == 0)
			return;
		require(never == NULL || strncmp(notice, never, strlen(never)) != 0, "'%s' before '%s'", notice, text);
	}
}

static void
hear(const char *text)
{
	hear_before(text, NULL);
}

static void
end(void)
{
	rig_expect_exit(&rig, 0);
	rig_signal(&rig, 0, SIGTERM);
	hear("STOPPING=1");
	require(rig_wait_exit(&rig, 0, SOON) == 0, "exit code %d", rig.m[0].code);
	close(manager);
	rig_down(&rig);
}

static void
a_life(bool abstract)
{
	rig_make(&rig, 3, NULL);
	if (!listen_to(abstract)) {
		story_skip("no socket in the temporary folder");
		rig_down(&rig);
		return;
	}
	rig_launch(&rig, 0);
	/* Ready, though no peer is there; not before the ports are open. */
	hear_before("READY=1", "");
	struct conn c;
	require(conn_try_client(&c, &rig, 0, 1000), "READY=1, and no port is open");
	conn_close(&c);
	hear("STATUS=0 of 2 peers");
	rig_start(&rig, 1);
	hear("STATUS=1 of 2 peers");
	rig_start(&rig, 2);
	hear("STATUS=2 of 2 peers");
	rig_stop(&rig, 1);
	hear("STATUS=1 of 2 peers");

	int64_t before = clock_mono_ms();
	rig_signal(&rig, 0, SIGHUP);
	do
		wait_for(heard(), SOON, "no RELOADING=1");
	while (strncmp(notice, "RELOADING=1\nMONOTONIC_USEC=", 27) != 0);
	long long at = atoll(notice + 27) / 1000;
	require(at >= before && at <= clock_mono_ms(), "it reloads at %lld, and was told to at %lld", at, (long long)before);
	hear("READY=1");
	end();
}

START_TEST(by_path)
{
	a_life(false);
}
END_TEST

START_TEST(by_abstract_name)
{
	a_life(true);
}
END_TEST

START_TEST(alone)
{
	rig_make(&rig, 1, NULL);
	require(listen_to(true), "no socket");
	rig_launch(&rig, 0);
	hear("READY=1");
	hear_before("STATUS=alone in the ring", "WATCHDOG");
	end();
}
END_TEST

/* A name that leads nowhere, or is none, keeps nobody from starting. */
START_TEST(nobody_listens)
{
	static const char *const names[] = { "NOTIFY_SOCKET=/nowhere/at/all", "NOTIFY_SOCKET=@", "NOTIFY_SOCKET=",
		"NOTIFY_SOCKET=vsock:2:1" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		rig_make(&rig, 1, NULL);
		rig.m[0].env[0] = names[i];
		rig.m[0].env[1] = "WATCHDOG_USEC=100000";
		rig_start(&rig, 0);
		rig_say(&rig, 0, "all the same");
		rig_down(&rig);
	}
}
END_TEST

/* ---- the watchdog ---- */

enum { DOG_MS = 200 };

static void
guarded(const char *whose)
{
	rig_make(&rig, 1, NULL);
	require(listen_to(true), "no socket");
	rig.m[0].env[1] = "WATCHDOG_USEC=200000";
	rig.m[0].env[2] = whose;
	rig_start(&rig, 0);
	hear("READY=1");
}

START_TEST(watchdog_is_fed)
{
	guarded(NULL);
	for (int i = 0; i < 10; i++)
		hear("WATCHDOG=1");
	/* In time, and under signals that leave no pause. */
	int64_t worst = 0, last = clock_mono_ms(), until = last + 10 * DOG_MS;
	while (last < until) {
		rig_signal(&rig, 0, SIGUSR1);
		if (heard() && strcmp(notice, "WATCHDOG=1") == 0) {
			int64_t now = clock_mono_ms();
			worst = now - last > worst ? now - last : worst;
			last = now;
		}
		require(clock_mono_ms() < last + SOON, "it is not fed any more");
	}
	printf("the watchdog waited for %lld ms at most, of %d\n", (long long)worst, DOG_MS);
	end();
}
END_TEST

START_TEST(watchdog_of_another_process)
{
	guarded("WATCHDOG_PID=1");
	rig_signal(&rig, 0, SIGHUP);
	hear_before("READY=1", "WATCHDOG");
	wait_while_running(3 * DOG_MS);
	while (heard())
		require(strncmp(notice, "WATCHDOG", 8) != 0, "it feeds another process's watchdog");
	end();
}
END_TEST

/* The number of one of its threads. */
static pid_t
thread_of(pid_t pid, const char *name)
{
	char path[320];
	pid_t found = 0;
	snprintf(path, sizeof path, "/proc/%ld/task", (long)pid);
	DIR *d = opendir(path);
	for (struct dirent *e; d != NULL && found == 0 && (e = readdir(d)) != NULL;) {
		snprintf(path, sizeof path, "/proc/%ld/task/%s/comm", (long)pid, e->d_name);
		char *text = file_read(path, NULL);
		if (strncmp(text, name, strlen(name)) == 0)
			found = (pid_t)atol(e->d_name);
		free(text);
	}
	if (d != NULL)
		closedir(d);
	return found;
}

/* A logger that does not go on: then zogd is there, takes connections, and logs nothing. */
START_TEST(watchdog_starves_when_the_logger_hangs)
{
	guarded(NULL);
	hear("WATCHDOG=1");
	pid_t logger = thread_of(rig.m[0].pid, "logger");
	require(logger > 0, "no thread of that name");
	if (ptrace(PTRACE_SEIZE, logger, NULL, NULL) < 0) {
		story_skip("a thread cannot be stopped here");
	} else {
		int status;
		require(ptrace(PTRACE_INTERRUPT, logger, NULL, NULL) == 0 && waitpid(logger, &status, __WALL) == logger,
		    "the logger does not stop: %s", strerror(errno));
		/* Once it may have answered before. */
		wait_while_running(2 * DOG_MS);
		while (heard())
			continue;
		wait_while_running(5 * DOG_MS);
		bool fed = false;
		while (!fed && heard())
			fed = strcmp(notice, "WATCHDOG=1") == 0;
		require(ptrace(PTRACE_DETACH, logger, NULL, NULL) == 0, "the logger does not go on: %s", strerror(errno));
		require(!fed, "it fed the watchdog, and the logger hung");
		hear("WATCHDOG=1");
		hear("WATCHDOG=1");
		rig_say(&rig, 0, "it works again");
	}
	end();
}
END_TEST

/* A disk that is full is nothing that a new start would mend: it is said, and the watchdog fed. */
START_TEST(full_disk_is_no_hang)
{
	rig_make(&rig, 1, NULL);
	require(listen_to(true), "no socket");
	rig.m[0].env[1] = "WATCHDOG_USEC=200000";
	rig.m[0].file_limit = 8192;
	rig_start(&rig, 0);
	struct conn c;
	conn_client(&c, &rig, 0);
	do {
		char text[512];
		snprintf(text, sizeof text, "%0400d\r\n", 0);
		conn_puts(&c, text);
		conn_line(&c);
	} while (strcmp(c.last, "ok") == 0);
	conn_close(&c);
	hear("STATUS=alone in the ring; nothing is accepted: disk full");
	hear("WATCHDOG=1");
	hear("WATCHDOG=1");
	rig_expect_exit(&rig, 0);
	rig_signal(&rig, 0, SIGTERM);
	hear("STOPPING=1");
	rig_wait_exit(&rig, 0, SOON);
	close(manager);
	rig_done(&rig);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, by_path);
	STORY_TEST(s, by_abstract_name);
	STORY_TEST(s, alone);
	STORY_TEST(s, nobody_listens);
	STORY_TEST(s, watchdog_is_fed);
	STORY_TEST(s, watchdog_of_another_process);
	STORY_TEST(s, watchdog_starves_when_the_logger_hangs);
	STORY_TEST(s, full_disk_is_no_hang);
}

int
main(void)
{
	return story_main("13-notify", add);
}
