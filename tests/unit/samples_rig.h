/* SPDX-License-Identifier: MIT
 * samples_rig.h - for tests of the samples of doc/samples as they are: starts them ($BUILD/doc/samples,
 * else build/doc/samples), reads what they print, and speaks with them as a peer whose bytes are chosen
 * one by one. */
#ifndef ZOG_TESTS_SAMPLES_RIG_H
#define ZOG_TESTS_SAMPLES_RIG_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "unit.h"

enum { RIG_WORDS = 16, RIG_TEXT = 65536 };

/* ---- reading and writing, in time or not at all ---- */

/* Whether there is something to be read, or the end. */
static inline bool
rig_wait(int fd, int ms)
{
	int64_t until = clock_mono_ms() + ms;
	for (;;) {
		int64_t left = until - clock_mono_ms();
		int n = poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, left > 0 ? (int)left : 0);
		if (n > 0)
			return true;
		if (n == 0)
			return false;
		ck_assert_int_eq(errno, EINTR);
	}
}

/* At most n bytes; 0: the end, and a connection that was cut is one. */
static inline size_t
rig_read(int fd, char *to, size_t n)
{
	ck_assert_msg(rig_wait(fd, UNIT_SOON_MS), "nothing came in time");
	ssize_t got = read(fd, to, n);
	ck_assert_msg(got >= 0 || errno == ECONNRESET, "read: %s", strerror(errno));
	return got > 0 ? (size_t)got : 0;
}

/* All of it, in pieces of so many bytes. */
static inline void
rig_write(int fd, const char *from, size_t n, size_t piece)
{
	while (n > 0) {
		ssize_t some = write(fd, from, n < piece ? n : piece);
		ck_assert_msg(some > 0, "write: %s", strerror(errno));
		from += some;
		n -= (size_t)some;
	}
}

/* Bytes as they stand in a transcript: \xNN for what cannot be seen. */
static inline const char *
rig_shown(const char *at, size_t n)
{
	static char text[4096];
	size_t len = 0;
	for (size_t i = 0; i < n && len < sizeof text - 5; i++) {
		unsigned c = (unsigned char)at[i];
		len += (size_t)snprintf(text + len, 5, c < 0x20 || c > 0x7e || c == '\\' ? "\\x%02x" : "%c", c);
	}
	text[len] = '\0';
	return text;
}

/* Just these bytes come next. */
static inline void
rig_expect(int fd, const char *want, size_t n, const char *where)
{
	static char got[RIG_TEXT];
	size_t have = 0;
	while (have < n) {
		size_t more = rig_read(fd, got + have, n - have);
		have += more;
		if (more == 0 || memcmp(got, want, have) != 0)
			break;
	}
	if (have != n || memcmp(got, want, n) != 0) {
		fprintf(stderr, "%s: wanted %s\n", where, rig_shown(want, n));
		ck_abort_msg("%s: came %s", where, rig_shown(got, have));
	}
}

static inline void
rig_expect_end(int fd, const char *where)
{
	char got[256];
	size_t n = rig_read(fd, got, sizeof got);
	ck_assert_msg(n == 0, "%s: instead of the end came %s", where, rig_shown(got, n));
}

/* ---- connections ---- */

static inline int
rig_listen(int *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(listen(fd, 64), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static inline int
rig_connect(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	ck_assert_int_ge(fd, 0);
	ck_assert_msg(connect(fd, (struct sockaddr *)&at, sizeof at) == 0, "connect: %s", strerror(errno));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

/* ---- the samples ---- */

struct rig_child {
	pid_t  pid;
	int    in, out;         /* its standard input (-1: closed) and output */
	char   text[RIG_TEXT];  /* of its output, what was not taken yet */
	size_t len;
};

/* Words between blanks: the sample's name and its arguments. '...' is one word. */
static inline void
rig_start(struct rig_child *c, const char *command)
{
	char text[1024], options[1024], path[UNIT_PATH], *words[RIG_WORDS + 1] = { NULL }, *at = text;
	const char *build = getenv("BUILD");
	int in[2], out[2], n = 0;
	snprintf(text, sizeof text, "%s", command);
	while (*(at += strspn(at, " ")) != '\0' && n < RIG_WORDS) {
		char end = *at == '\'' ? '\'' : ' ';
		at += end == '\'';
		words[n++] = at;
		at += strcspn(at, (char[]){ end, '\0' });
		if (*at != '\0')
			*at++ = '\0';
	}
	snprintf(path, sizeof path, "%s/doc/samples/%s", build != NULL ? build : "build", words[0]);
	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	*c = (struct rig_child){ .pid = fork(), .in = in[1], .out = out[0] };
	ck_assert_int_ge(c->pid, 0);
	if (c->pid == 0) {
		/* A program under the thread sanitizer else sleeps a second before it ends. */
		const char *tsan = getenv("TSAN_OPTIONS");
		snprintf(options, sizeof options, "%s atexit_sleep_ms=0", tsan != NULL ? tsan : "");
		setenv("TSAN_OPTIONS", options, 1);
		dup2(in[0], 0);
		dup2(out[1], 1);
		execv(path, words);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
}

/* The next line that it prints, without its end. */
static inline void
rig_line(struct rig_child *c, char *line, size_t size)
{
	char *end;
	while ((end = memchr(c->text, '\n', c->len)) == NULL) {
		ck_assert_uint_lt(c->len, sizeof c->text);
		size_t more = rig_read(c->out, c->text + c->len, sizeof c->text - c->len);
		ck_assert_msg(more > 0, "it ended instead of printing a line");
		c->len += more;
	}
	size_t n = (size_t)(end - c->text);
	ck_assert_uint_lt(n, size);
	memcpy(line, c->text, n);
	line[n] = '\0';
	c->len -= n + 1;
	memmove(c->text, end + 1, c->len);
}

static inline void
rig_expect_line(struct rig_child *c, const char *want, const char *where)
{
	char line[4096];
	rig_line(c, line, sizeof line);
	ck_assert_msg(strcmp(line, want) == 0, "%s: wanted the line %s\ncame %s", where, want, line);
}

/* A server, and the port that it says it has. */
static inline int
rig_start_server(struct rig_child *c, const char *command)
{
	char line[512], host[256];
	int port = 0;
	rig_start(c, command);
	rig_line(c, line, sizeof line);
	ck_assert_msg(sscanf(line, "RUNNING %255s %d", host, &port) == 2, "instead of RUNNING: %s", line);
	return port;
}

static inline void
rig_close_input(struct rig_child *c)
{
	if (c->in >= 0)
		close(c->in);
	c->in = -1;
}

/* Waits for its end, with what it still prints given up. Its exit code. */
static inline int
rig_reap(struct rig_child *c)
{
	char rest[4096];
	int status;
	while (rig_read(c->out, rest, sizeof rest) > 0)
		;
	close(c->out);
	ck_assert_int_eq(waitpid(c->pid, &status, 0), c->pid);
	ck_assert_msg(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static inline int
rig_end(struct rig_child *c)
{
	rig_close_input(c);
	return rig_reap(c);
}

/* Its input stays open meanwhile: some do something at its end. */
static inline void
rig_stop_server(struct rig_child *c)
{
	ck_assert_int_eq(kill(c->pid, SIGTERM), 0);
	ck_assert_int_eq(rig_reap(c), 0);
	rig_close_input(c);
}

#endif
