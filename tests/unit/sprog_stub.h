/* SPDX-License-Identifier: MIT
 * sprog_stub.h - a member of a ring that does as it is told, for the tests of libsprog and sprog:
 * one thread, one connection after another. It asserts nothing itself; what it saw is asked for
 * by the test. */
#ifndef ZOG_TESTS_SPROG_STUB_H
#define ZOG_TESTS_SPROG_STUB_H

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/net.h"

enum { STUB_DEADLINE_MS = 20000 };

enum stub_then { STUB_CLOSE, STUB_RESET, STUB_SILENT };

/* What it does on a connection. All zero: answers every line with ok. */
struct stub_script {
	const char    *greeting;        /* sent first; then closes */
	long           answers;         /* so many lines are answered; 0: all, -1: none */
	enum stub_then then;            /* after those */
	long           odd;             /* this line (1, 2 ...) gets */
	const char    *odd_reply;       /* this reply */
	bool           bytewise;        /* replies leave byte by byte */
	bool           deaf;            /* reads nothing but HELLO, until stub_stop closes it */
	const char    *no_hello;        /* the answer to HELLO, "ok" by default */
};

struct stub {
	/* constant after stub_start */
	/* of the first, second ... connection; the last one stays */
	const struct stub_script *script;
	int             scripts, listen_fd, stop[2];
	uint16_t        port;
	pthread_t       thread;

	pthread_mutex_t lock;
	pthread_cond_t  changed;
	/* under lock */
	struct buf      text;           /* all lines, with LF in place of CR LF */
	size_t          lines;
	int             connections;
};

static const struct stub_script stub_good[1] __attribute__((unused));

static inline void
stub_reply(int fd, const struct stub_script *x, const char *reply, size_t len)
{
	size_t step = x->bytewise ? 1 : len;
	for (size_t i = 0; i < len; i += step)
		if (send(fd, reply + i, step, MSG_NOSIGNAL) < 0)
			return;
}

/* Takes whole lines out of in and answers them; false: the script ends the connection. */
static inline bool
stub_lines(struct stub *s, int fd, const struct stub_script *x, struct buf *in, long *count)
{
	const char *lf;
	struct buf out = BUF_INIT;
	bool end = false;
	pthread_mutex_lock(&s->lock);
	while (!end && in->len > 0 && (lf = memchr(buf_begin(in), '\n', in->len)) != NULL) {
		size_t size = (size_t)(lf - buf_begin(in)) + 1;
		/* As an old member, which takes it for a message; here it does not count. */
		if (*count == 0 && size > 6 && memcmp(buf_begin(in), "HELLO ", 6) == 0) {
			buf_puts(&out, x->no_hello != NULL ? x->no_hello : "ok\r\n");
			buf_eat(in, size);
			break;
		}
		buf_put(&s->text, buf_begin(in), size - 2);
		buf_put(&s->text, "\n", 1);
		s->lines++;
		buf_eat(in, size);
		++*count;
		if (*count == x->odd)
			buf_puts(&out, x->odd_reply);
		else if (x->answers == 0 || *count <= x->answers)
			buf_puts(&out, "ok\r\n");
		end = x->answers > 0 && *count == x->answers && x->then != STUB_SILENT;
	}
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	if (out.len > 0)
		stub_reply(fd, x, buf_begin(&out), out.len);
	buf_fini(&out);
	return !end;
}

static inline void
stub_serve(struct stub *s, int fd, const struct stub_script *x)
{
	struct buf in = BUF_INIT;
	long count = 0;
	bool greeted = false;
	if (x->greeting != NULL) {
		/* As zogd does it: say it, close this side, read what comes until the other has
		 * closed, so that no reset overtakes the word. */
		stub_reply(fd, x, x->greeting, strlen(x->greeting));
		shutdown(fd, SHUT_WR);
	}
	for (;;) {
		struct pollfd p[2] = { { .fd = s->stop[0], .events = POLLIN },
		    { .fd = x->deaf && greeted ? -1 : fd, .events = POLLIN } };
		if (poll(p, 2, -1) < 0 || p[0].revents != 0)
			break;
		char *room = buf_room(&in, 65536);
		ssize_t n = recv(fd, room, 65536, 0);
		if (n <= 0)
			break;
		if (x->greeting != NULL)
			continue;
		buf_added(&in, (size_t)n);
		if (!stub_lines(s, fd, x, &in, &count))
			break;
		greeted = true;
	}
	if (x->then == STUB_RESET) {
		struct linger reset = { .l_onoff = 1, .l_linger = 0 };
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	}
	close(fd);
	buf_fini(&in);
}

static inline void *
stub_main(void *arg)
{
	struct stub *s = arg;
	for (;;) {
		struct pollfd p[2] = { { .fd = s->stop[0], .events = POLLIN },
		    { .fd = s->listen_fd, .events = POLLIN } };
		if (poll(p, 2, -1) < 0 || p[0].revents != 0)
			return NULL;
		int fd = accept(s->listen_fd, NULL, NULL);
		if (fd < 0)
			continue;
		pthread_mutex_lock(&s->lock);
		int k = s->connections++;
		pthread_cond_broadcast(&s->changed);
		pthread_mutex_unlock(&s->lock);
		stub_serve(s, fd, &s->script[k < s->scripts ? k : s->scripts - 1]);
	}
}

static inline int
stub_listen(const char *host, uint16_t *port)
{
	struct addr a;
	const char *why;
	if (net_resolve(host, 0, true, &a, 1, &why) != 1)
		return -1;
	int fd = net_listen(&a);
	if (fd >= 0 && addr_of_self(fd, &a))
		*port = addr_port(&a);
	return fd;
}

static inline void
stub_start_with(struct stub *s, int listen_fd, uint16_t port, const struct stub_script *script,
    int scripts)
{
	memset(s, 0, sizeof *s);
	s->script = script;
	s->scripts = scripts;
	s->listen_fd = listen_fd;
	s->port = port;
	ck_assert_int_eq(pipe(s->stop), 0);
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	ck_assert_int_eq(pthread_create(&s->thread, NULL, stub_main, s), 0);
}

/* false: the machine has no such address */
static inline bool
stub_start_at(struct stub *s, const char *host, const struct stub_script *script, int scripts)
{
	uint16_t port = 0;
	int fd = stub_listen(host, &port);
	if (fd >= 0)
		stub_start_with(s, fd, port, script, scripts);
	return fd >= 0;
}

#define stub_scripts(script) (int)(sizeof(script) / sizeof((script)[0]))
#define stub_start(s, script) \
	ck_assert(stub_start_at(s, "127.0.0.1", script, stub_scripts(script)))

/* Closes everything; what it saw can be read without the lock from then on. */
static inline void
stub_stop(struct stub *s)
{
	ck_assert_int_eq(write(s->stop[1], "", 1), 1);
	pthread_join(s->thread, NULL);
	close(s->listen_fd);
	close(s->stop[0]);
	close(s->stop[1]);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->changed);
	buf_put(&s->text, "", 1);
	s->text.len--;
}

static inline void
stub_free(struct stub *s)
{
	buf_fini(&s->text);
}

/* Until it has seen so many lines and connections. */
static inline bool
stub_wait(struct stub *s, size_t lines, int connections)
{
	int64_t until = clock_mono_ms() + STUB_DEADLINE_MS;
	struct timespec t = { .tv_sec = (time_t)(until / 1000),
	    .tv_nsec = (long)(until % 1000) * 1000000 };
	int rc = 0;
	pthread_mutex_lock(&s->lock);
	while (rc == 0 && (s->lines < lines || s->connections < connections))
		rc = pthread_cond_timedwait(&s->changed, &s->lock, &t);
	pthread_mutex_unlock(&s->lock);
	return rc == 0;
}

static inline size_t
stub_count(struct stub *s)
{
	pthread_mutex_lock(&s->lock);
	size_t lines = s->lines;
	pthread_mutex_unlock(&s->lock);
	return lines;
}

static inline int
stub_connections(struct stub *s)
{
	pthread_mutex_lock(&s->lock);
	int connections = s->connections;
	pthread_mutex_unlock(&s->lock);
	return connections;
}

/* A port that is ours, so that nobody else takes it, and where nobody listens. */
static inline int
stub_nobody(uint16_t *port)
{
	struct addr a;
	const char *why;
	ck_assert_int_eq(net_resolve("127.0.0.1", 0, true, &a, 1, &why), 1);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a.ss, a.len), 0);
	ck_assert(addr_of_self(fd, &a));
	*port = addr_port(&a);
	return fd;
}

static inline const char *
stub_folder(void)
{
	const char *dir = getenv("TMPDIR");
	return dir != NULL && strlen(dir) < 40 ? dir : "/tmp";
}

/* Writes a ring file of members m1, m2 ... at 127.0.0.1 with these client ports. */
static inline void
stub_ring(char file[64], const uint16_t *ports, int n)
{
	snprintf(file, 64, "%s/ring.XXXXXX", stub_folder());
	int fd = mkstemp(file);
	ck_assert_int_ge(fd, 0);
	for (int i = 0; i < n; i++)
		/* The peer port is not used; it only has to differ. */
		ck_assert_int_gt(dprintf(fd, "m%d 127.0.0.1 %d %u\n", i + 1, i + 1, ports[i]), 0);
	close(fd);
}

#endif
