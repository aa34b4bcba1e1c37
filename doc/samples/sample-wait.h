/* SPDX-License-Identifier: MIT
 * sample-wait.h - for those who wait for two things: the next pair, and something to send. A connection
 * is for one thread, so that thread waits for both at once. */
#ifndef SAMPLE_WAIT_H
#define SAMPLE_WAIT_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "sample.h"

enum { SAMPLE_PAIR = 1, SAMPLE_OTHER = 2 };

/* Which of both is there: a pair that has at least begun, the other descriptor (-1: none). 0: the time is
 * up. */
static inline int
sample_wait(struct pt_conn *c, int other, int timeout_ms)
{
	/* What has been read already does not show in poll. */
	bool ready = pt_conn_ready(c);
	struct pollfd p[] = { { .fd = pt_conn_fd(c), .events = POLLIN }, { .fd = other, .events = POLLIN } };
	int n;
	do
		n = poll(p, 2, ready ? 0 : timeout_ms);
	while (n < 0 && errno == EINTR);
	bool pair = ready || (n > 0 && p[0].revents != 0);
	return (pair ? SAMPLE_PAIR : 0) | (n > 0 && p[1].revents != 0 ? SAMPLE_OTHER : 0);
}

/* A pipe by which other threads wake one that waits; it takes no more than it needs to. */
static inline bool
sample_wake_open(int wake[2])
{
	if (pipe(wake) < 0)
		return false;
	for (int i = 0; i < 2; i++) {
		fcntl(wake[i], F_SETFL, O_NONBLOCK);
		fcntl(wake[i], F_SETFD, FD_CLOEXEC);
	}
	return true;
}

static inline void
sample_wake(const int wake[2])
{
	/* A full pipe is awake already. */
	if (write(wake[1], "", 1) < 0)
		return;
}

static inline void
sample_awake(const int wake[2])
{
	char taken[64];
	while (read(wake[0], taken, sizeof taken) == (ssize_t)sizeof taken)
		;
}

static inline void
sample_wake_close(const int wake[2])
{
	close(wake[0]);
	close(wake[1]);
}

/* Lines of standard input, by read(2): what stdio keeps to itself does not show in poll either. */
struct sample_lines {
	char   text[65536];
	size_t used, len;
	bool   ended;
};

/* Once, when there is something to be read. */
static inline void
sample_lines_read(struct sample_lines *l)
{
	memmove(l->text, l->text + l->used, l->len -= l->used);
	l->used = 0;
	ssize_t n = read(0, l->text + l->len, sizeof l->text - 1 - l->len);
	if (n > 0)
		l->len += (size_t)n;
	else if (n == 0 || errno != EINTR)
		l->ended = true;
}

/* The next whole line, or the rest before the end; NULL: read more. */
static inline char *
sample_lines_next(struct sample_lines *l)
{
	char *line = l->text + l->used, *end = memchr(line, '\n', l->len - l->used);
	if (end == NULL && (l->used == l->len || !(l->ended || l->len - l->used == sizeof l->text - 1)))
		return NULL;
	if (end == NULL)
		end = l->text + l->len;
	*end = '\0';
	l->used = (size_t)(end - l->text) + (end < l->text + l->len);
	return line;
}

#endif
