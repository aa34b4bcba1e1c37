/* SPDX-License-Identifier: MIT
 * load_send.c - connections, and the numbered form: the asynchronous calls of libsprog, as its
 * users make them. */
#include "load.h"

#include <err.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/net.h"
#include "load_lines.h"
#include "sprog/sprog.h"

enum {
	FDS_EACH = 4,           /* a handle that knows one host has fewer */
	SUBMIT_BLOCK = 16384,   /* bytes of lines made at a time */
};

/* ---- open and close ---- */

static void
settled(void *context, const struct sprog_result *r)
{
	struct sender *s = context;
	s->awaited--;
	if (r->status == SPROG_OK)
		s->ok++;
	else
		sender_failed(s, 1, r->reason[0] != '\0' ? r->reason : sprog_strerror(r->status));
	if (s->heard != NULL)
		s->heard(s, (uint64_t)(uintptr_t)r->tag, r->status == SPROG_OK);
}

static void
open_handle(struct sender *s, const struct load *load, const char *target)
{
	struct sprog_options o = SPROG_OPTIONS_INIT;
	char why[512] = "";
	o.host = target;
	o.window = load->window;
	o.timeout_ms = 120000;
	o.ack = load->ack;
	o.settled = settled;
	o.context = s;
	o.why = why;
	o.why_size = sizeof why;
	if (sprog_open(&s->s, &o) != SPROG_OK)
		errx(69, "%s: %s", target, why);
}

static void
open_socket(struct sender *s, const char *target)
{
	char host[NET_HOST];
	uint16_t port = 0;
	struct addr a;
	const char *why = "no HOST:PORT";
	if (!net_split(target, host, &port) || net_resolve(host, port, true, &a, 1, &why) != 1)
		errx(64, "%s: %s", target, why);
	/* A raw ring is started at the same time. */
	for (int i = 0; (s->fd = net_connect(&a, NULL, 1000)) < 0; i++) {
		if (i == 5000)
			err(69, "%s", target);
		usleep(1000);
	}
	int one = 1;
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	/* The raw writer is of the same kind as the ring that it writes to. */
	if (s->load->form == LOAD_RAW)
		fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) & ~O_NONBLOCK);
}

void
sender_open(struct sender *s, const struct load *load, int conn)
{
	const char *target = load->target[conn % load->targets];
	memset(s, 0, sizeof *s);
	s->load = load;
	s->fd = -1;
	s->lines = calloc(1, sizeof *s->lines);
	if (s->lines == NULL)
		err(71, "lines");
	if (load->form == LOAD_NUMBERED)
		open_handle(s, load, target);
	else
		open_socket(s, target);
}

void
sender_close(struct sender *s)
{
	s->heard = NULL;
	sprog_close(&s->s);
	if (s->fd >= 0)
		close(s->fd);
	free(s->lines);
}

void
sender_failed(struct sender *s, uint64_t messages, const char *why)
{
	s->failed += messages;
	if (s->why[0] == '\0')
		snprintf(s->why, sizeof s->why, "%s", why);
}

/* ---- a run ---- */

bool
sender_submit(struct sender *s, uint64_t number, uint64_t tag)
{
	char text[BODY_MAX];
	size_t len = body_make(text, number, s->load->size);
	int r = sprog_submit(s->s, text, len, (void *)(uintptr_t)tag);
	if (r == SPROG_FULL)
		return false;
	if (r != SPROG_OK)
		sender_failed(s, 1, sprog_reason(s->s));
	else
		s->awaited++;
	return true;
}

/* The next messages as lines, for as long as they are not all taken. */
static void
make_lines(struct sender *s, uint64_t next)
{
	struct lines *l = s->lines;
	l->at = l->len = 0;
	for (; l->len < SUBMIT_BLOCK && next < s->end; next++) {
		l->len += body_make(l->block + l->len, next, s->load->size);
		l->block[l->len++] = '\n';
	}
}

/* false: nothing is left to do. */
static bool
fill(struct sender *s)
{
	struct lines *l = s->lines;
	for (size_t count = 1; s->next < s->end && count != 0;) {
		if (l->at == l->len)
			make_lines(s, s->next);
		l->at += sprog_submit_lines(s->s, l->block + l->at, l->len - l->at, (uintptr_t)s->next, &count);
		s->next += count;
		s->awaited += count;
		if (s->awaited == 0)
			errx(71, "%s", sprog_reason(s->s));
	}
	return s->next < s->end || s->awaited != 0;
}

static void
run_one(struct sender *s)
{
	while (fill(s))
		if (sprog_poll(s->s, -1) < 0)
			err(71, "poll");
}

/* Handles that have work come with their fds, one behind the other; at[i] is where those of handle
 * i begin. */
static int
gather(struct sender *s, int count, struct pollfd *fds, int *at, int *wait_ms)
{
	int n = 0;
	*wait_ms = -1;
	for (int i = 0; i < count; i++) {
		int ms = -1, got = 0;
		at[i] = n;
		if (fill(&s[i]) && (got = sprog_pollfds(s[i].s, fds + n, FDS_EACH, &ms)) < 0)
			errx(70, "sprog_pollfds");
		n += got;
		if (ms >= 0 && (*wait_ms < 0 || ms < *wait_ms))
			*wait_ms = ms;
	}
	at[count] = n;
	return n;
}

static bool
work_left(const struct sender *s, int count)
{
	for (int i = 0; i < count; i++)
		if (s[i].next < s[i].end || s[i].awaited != 0)
			return true;
	return false;
}

void
sender_run(struct sender *s, int count)
{
	if (count == 1) {
		run_one(s);
		return;
	}
	struct pollfd *fds = calloc((size_t)count * FDS_EACH, sizeof *fds);
	int *at = calloc((size_t)count + 1, sizeof *at), wait_ms;
	if (fds == NULL || at == NULL)
		err(71, "fds");
	while (work_left(s, count)) {
		int n = gather(s, count, fds, at, &wait_ms);
		if (poll(fds, (nfds_t)n, wait_ms) < 0)
			err(71, "poll");
		for (int i = 0; i < count; i++)
			if (s[i].awaited != 0)
				sprog_dispatch(s[i].s, fds + at[i], at[i + 1] - at[i]);
	}
	free(fds);
	free(at);
}
