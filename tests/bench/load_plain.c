/* SPDX-License-Identifier: MIT
 * load_plain.c - blocks of lines, written as they are taken: the plain form, and what a raw ring
 * gets. */
#include "load.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load_lines.h"

static void
add_line(struct sender *s, uint64_t number)
{
	struct lines *l = s->lines;
	l->len += body_make(l->block + l->len, number, s->load->size);
	l->block[l->len++] = '\r';
	l->block[l->len++] = '\n';
	if (s->load->form == LOAD_PLAIN)
		s->awaited++;
	else
		s->ok++;
}

/* A block of lines, once the one before is out. */
static void
fill(struct sender *s)
{
	struct lines *l = s->lines;
	uint64_t window = (uint64_t)s->load->window;
	if (l->at != l->len)
		return;
	l->at = l->len = 0;
	while (s->next < s->end && l->len < LINES_BLOCK && s->awaited < window)
		add_line(s, s->next++);
}

static void
put(struct sender *s)
{
	struct lines *l = s->lines;
	ssize_t n = write(s->fd, l->block + l->at, l->len - l->at);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		err(74, "write");
	l->at += n > 0 ? (size_t)n : 0;
}

void
plain_put(struct sender *s, uint64_t number)
{
	struct lines *l = s->lines;
	add_line(s, number);
	while (l->at != l->len)
		put(s);
	l->at = l->len = 0;
}

static void
one_reply(struct sender *s, const char *line, size_t len)
{
	s->awaited--;
	if (len == 2 && memcmp(line, "ok", 2) == 0) {
		s->ok++;
		return;
	}
	char why[LOAD_WHY] = "";
	memcpy(why, line, len < sizeof why ? len : sizeof why - 1);
	sender_failed(s, 1, why);
}

static void
get(struct sender *s)
{
	struct lines *l = s->lines;
	char in[16384 + sizeof l->reply], *at = in, *lf;
	memcpy(in, l->reply, l->reply_len);
	ssize_t n = recv(s->fd, in + l->reply_len, sizeof in - sizeof l->reply, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		errx(76, "the connection ended before its replies");
	char *end = in + l->reply_len + n;
	while ((lf = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		one_reply(s, at, (size_t)(lf - at) - (lf > at && lf[-1] == '\r'));
		at = lf + 1;
	}
	l->reply_len = (size_t)(end - at);
	if (l->reply_len > sizeof l->reply)
		errx(76, "a reply without an end");
	memcpy(l->reply, at, l->reply_len);
}

static bool
busy(struct sender *s, struct pollfd *p)
{
	fill(s);
	p->fd = s->fd;
	p->events =
	    (short)((s->awaited != 0 ? POLLIN : 0) | (s->lines->at != s->lines->len ? POLLOUT : 0));
	if (p->events == 0)
		p->fd = -1;
	return p->events != 0;
}

static void
plain_many(struct sender *s, int count)
{
	struct pollfd *fds = calloc((size_t)count, sizeof *fds);
	if (fds == NULL)
		err(71, "fds");
	for (;;) {
		bool any = false;
		for (int i = 0; i < count; i++)
			any |= busy(&s[i], &fds[i]);
		if (!any)
			break;
		if (poll(fds, (nfds_t)count, -1) < 0)
			err(71, "poll");
		for (int i = 0; i < count; i++) {
			if (fds[i].fd >= 0 && (fds[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0)
				get(&s[i]);
			if (fds[i].fd >= 0 && (fds[i].revents & POLLOUT) != 0)
				put(&s[i]);
		}
	}
	free(fds);
}

void
plain_run(struct sender *s, int count)
{
	if (s->load->form == LOAD_PLAIN) {
		plain_many(s, count);
		return;
	}
	for (int i = 0; i < count; i++)
		for (fill(&s[i]); s[i].lines->at != s[i].lines->len; fill(&s[i]))
			put(&s[i]);
}
