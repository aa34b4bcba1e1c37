/* SPDX-License-Identifier: MIT
 * control_rig.h - the control socket of a rig's members, for the stories about it: zogctl run to its
 * end, and raw connections.
 * A story includes it once. */
#ifndef ZOG_TESTS_CONTROL_RIG_H
#define ZOG_TESTS_CONTROL_RIG_H

#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct ring_rig rig;

enum { CTL_WORDS = 12 };

/* What the last zogctl said. */
static struct { char *out, *err; } ctl;

/* Begins zogctl for a member's socket; its standard output and error go to files. */
static pid_t
ctl_begin(int member, const char *const *words)
{
	static char zogctl[] = "zogctl", dash_s[] = "-S";
	const char *program = getenv("ZOGCTL");
	require(program != NULL, "ZOGCTL is not set");
	char *argv[CTL_WORDS + 4] = { zogctl, dash_s, (char *)(uintptr_t)rig_path(&rig, member, "zogd.sock") };
	for (int i = 0; words[i] != NULL; i++)
		argv[3 + i] = (char *)(uintptr_t)words[i];
	const char *out = rig_path(&rig, member, "ctl.out"), *err = rig_path(&rig, member, "ctl.err");
	fflush(NULL);
	pid_t pid = fork();
	require(pid >= 0, "fork: %s", strerror(errno));
	if (pid != 0)
		return pid;
	int in = open("/dev/null", O_RDONLY), o = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600),
	    e = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (in < 0 || o < 0 || e < 0 || dup2(in, 0) < 0 || dup2(o, 1) < 0 || dup2(e, 2) < 0)
		_exit(127);
	execv(program, argv);
	_exit(127);
}

/* Its exit code; what it said is in ctl. */
static int
ctl_end(int member, pid_t pid, int64_t ms)
{
	int status;
	pid_t got;
	int64_t until = wait_until_ms(ms);
	while ((got = waitpid(pid, &status, WNOHANG)) == 0)
		if (!wait_turn(until)) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			rig_fail(__FILE__, __LINE__, "zogctl did not end in time");
		}
	require(got == pid, "waitpid: %s", strerror(errno));
	free(ctl.out);
	free(ctl.err);
	ctl.out = file_read(rig_path(&rig, member, "ctl.out"), NULL);
	ctl.err = file_read(rig_path(&rig, member, "ctl.err"), NULL);
	require(strstr(ctl.err, "Sanitizer") == NULL, "zogctl: %s", ctl.err);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* zogctl -S SOCKET WORD..., up to a NULL; its exit code. */
static inline int __attribute__((sentinel))
ctl_run(int member, ...)
{
	const char *words[CTL_WORDS + 1], *w;
	int n = 0;
	va_list ap;
	va_start(ap, member);
	while ((w = va_arg(ap, const char *)) != NULL && n < CTL_WORDS)
		words[n++] = w;
	va_end(ap);
	words[n] = NULL;
	return ctl_end(member, ctl_begin(member, words), SOON);
}

static inline void
ctl_forget(void)
{
	free(ctl.out);
	free(ctl.err);
	ctl.out = ctl.err = NULL;
}

/* The line of the last output that begins with this word; "": there is none. It stays until the next call. */
static inline const char *
ctl_line(const char *word)
{
	static char line[1024];
	size_t n = strlen(word);
	for (const char *p = ctl.out; p != NULL && *p != '\0'; p += strcspn(p, "\n"), p += *p == '\n') {
		if (strncmp(p, word, n) != 0 || (p[n] != ' ' && p[n] != '\n' && p[n] != ':'))
			continue;
		snprintf(line, sizeof line, "%.*s", (int)strcspn(p, "\n"), p);
		return line;
	}
	return "";
}

static inline bool
ctl_says(const char *word, const char *text)
{
	return strstr(ctl_line(word), text) != NULL;
}

/* The line of the status that begins with this name comes to have this text. */
static inline void
wait_state(int of, const char *name, const char *text)
{
	int64_t until = wait_until_ms(SOON);
	do {
		require(ctl_run(of, "status", NULL) == 0, "status: %s", ctl.err);
		require(ctl_says(name, text) || wait_turn(until), "no '%s' of %s:\n%s", text, name, ctl.out);
	} while (!ctl_says(name, text));
}

/* ---- raw ---- */

static inline void
raw_open(struct conn *c, int member)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	memset(c, 0, sizeof *c);
	snprintf(at.sun_path, sizeof at.sun_path, "%s", rig_path(&rig, member, "zogd.sock"));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	require(c->fd >= 0 && connect(c->fd, (struct sockaddr *)&at, sizeof at) == 0, "%s: %s", at.sun_path,
	    strerror(errno));
	require(fcntl(c->fd, F_SETFL, O_NONBLOCK) == 0, "fcntl");
}

/* All that comes until the end, or until so many bytes are there (0: until the end). To be freed. */
static inline char *
raw_read(struct conn *c, size_t want)
{
	char *text = calloc(1, 1 << 20);
	size_t n = 0;
	int64_t until = wait_until_ms(SOON);
	require(text != NULL, "out of memory");
	while (want == 0 || n < want) {
		ssize_t got = recv(c->fd, text + n, (want != 0 ? want : (1 << 20) - 1) - n, 0);
		if (got == 0 || (got < 0 && errno == ECONNRESET))
			break;
		if (got > 0)
			n += (size_t)got;
		else
			require(wait_turn(until), "no answer on the control socket; so far '%s'", text);
	}
	return text;
}

/* Sends it, and reads until the end: the answer has this text. */
static inline void
raw_expect_end(int member, const char *send, bool half_close, const char *text)
{
	struct conn c;
	raw_open(&c, member);
	conn_put(&c, send, strlen(send));
	if (half_close)
		conn_end(&c);
	char *got = raw_read(&c, 0);
	require(*text != '\0' ? strstr(got, text) != NULL : *got == '\0', "to '%s' it says '%s'", send, got);
	free(got);
	conn_close(&c);
}

#endif
