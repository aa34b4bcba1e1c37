/* SPDX-License-Identifier: MIT
 * harness_numbered.c - numbered clients under load, and what became of their messages. */
#include "harness_numbered.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/text.h"
#include "harness_own.h"

enum {
	OUT_BYTES = 16384,              /* rendered ahead */
	DIAL_MS = 20,                   /* between two attempts */
};

/* ---- connections ---- */

void
numbered_init(struct numbered *l, struct ring_rig *rig, char tag, int clients, int each)
{
	*l = (struct numbered){ .rig = rig, .tag = tag, .clients = clients, .each = each, .ack = "majority", .window = 16,
	    .least = 32, .most = 63 };
	require(clients <= 1000 && each <= 9999999, "more than the texts can tell");
	l->client = calloc((size_t)clients, sizeof *l->client);
	l->sent_ms = calloc((size_t)clients * (size_t)each, sizeof *l->sent_ms);
	l->settled_ms = calloc((size_t)clients * (size_t)each, sizeof *l->settled_ms);
	require(l->client != NULL && l->sent_ms != NULL && l->settled_ms != NULL, "out of memory");
	for (int i = 0; i < clients; i++) {
		l->client[i].c.fd = -1;
		l->client[i].member = i % rig->size;
	}
}

void
numbered_place(struct numbered *l, int client, int member, uint64_t allowed)
{
	l->client[client].member = member;
	l->client[client].allowed = allowed;
}

static bool
may_go(const struct numbered *l, const struct numbered_client *c, int member)
{
	return l->rig->m[member].pid != 0 && (c->allowed == 0 || (c->allowed >> member & 1) != 0);
}

/* The next member, for the next attempt. */
static void
go_on(struct numbered *l, struct numbered_client *c)
{
	conn_close(&c->c);
	buf_clear(&c->out);
	c->greeted = false;
	for (int i = 0; i < l->rig->size; i++) {
		c->member = (c->member + 1) % l->rig->size;
		if (c->allowed == 0 || (c->allowed >> c->member & 1) != 0)
			break;
	}
	c->dial_ms = clock_mono_ms() + DIAL_MS;
}

static void
broken(struct numbered *l, struct numbered_client *c, const char *why)
{
	require(!l->steady, "%s: %s: %d sent, %d settled", l->rig->m[c->member].name, why, c->sent, c->settled);
	l->broken++;
	go_on(l, c);
}

static void
begin_span(struct numbered_client *c)
{
	if ((c->spans & (c->spans + 1)) == 0) {
		c->span = realloc(c->span, ((size_t)c->spans + 1) * 2 * sizeof *c->span);
		require(c->span != NULL, "out of memory");
	}
	c->span[c->spans++] = (struct numbered_span){ .member = c->member, .from = c->settled, .to = c->settled };
}

static void
dial(struct numbered *l, struct numbered_client *c, int64_t now)
{
	if (now < c->dial_ms)
		return;
	if (!may_go(l, c, c->member) || !conn_try_client(&c->c, l->rig, c->member, 500)) {
		go_on(l, c);
		return;
	}
	buf_clear(&c->out);
	buf_printf(&c->out, "HELLO zog/1 client=%c.%d%s%s\r\n", l->tag, (int)(c - l->client), l->ack != NULL ? " ack=" : "",
	    l->ack != NULL ? l->ack : "");
	c->next = c->settled;
	c->greeted = false;
	c->heard_ms = now;
	begin_span(c);
}

/* ---- sending ---- */

static bool
may_send(const struct numbered *l, const struct numbered_client *c, int64_t now)
{
	if (!c->greeted || c->next - c->settled >= l->window || c->out.len >= OUT_BYTES)
		return false;
	return c->next < c->sent || (!l->halted && c->sent < l->each && now >= c->due_ms);
}

static void
compose(struct numbered *l, struct numbered_client *c, int64_t now)
{
	const struct load_texts t = { l->tag, l->clients, l->each, l->least, l->most };
	int id = (int)(c - l->client);
	while (may_send(l, c, now)) {
		char text[LOAD_TEXT];
		size_t len = load_text(&t, id, c->next, text);
		uint32_t *when = &l->sent_ms[(size_t)id * (size_t)l->each + (size_t)c->next];
		require(buf_printf(&c->out, "%d %.*s\r\n", c->next + 1, (int)len, text), "out of memory");
		if (c->next == c->settled)
			c->heard_ms = now;
		if (c->next < c->sent) {
			l->resent++;
		} else {
			*when = (uint32_t)now;
			c->sent++;
			l->sent++;
			c->due_ms = l->every_ms == 0 ? now : now - c->due_ms > 1000 ? now + l->every_ms :
			    c->due_ms + l->every_ms;
		}
		c->span[c->spans - 1].to = ++c->next;
	}
}

static void
flush_out(struct numbered *l, struct numbered_client *c)
{
	if (c->out.len == 0)
		return;
	ssize_t n = conn_put_some(&c->c, buf_begin(&c->out), c->out.len);
	if (n < 0)
		broken(l, c, "closed while we send");
	else
		buf_eat(&c->out, (size_t)n);
}

/* ---- replies ---- */

static void
take_hello(struct numbered *l, struct numbered_client *c, const char *line)
{
	char form[64];
	uint64_t last = 0;
	snprintf(form, sizeof form, "OK zog/1 member=%s ack=", l->rig->m[c->member].name);
	const char *at = strstr(line, " last=");
	require(strncmp(line, form, strlen(form)) == 0 && at != NULL && sscanf(at, " last=%" SCNu64, &last) == 1,
	    "HELLO gets: %s", line);
	require(last <= (uint64_t)c->sent, "%s knows number %" PRIu64 " of client %d, which sent %d", l->rig->m[c->member].name,
	    last, (int)(c - l->client), c->sent);
	require((l->forgetful >> c->member & 1) != 0 || last >= c->known[c->member],
	    "%s settled %" PRIu64 " of client %d, and knows %" PRIu64 " now", l->rig->m[c->member].name, c->known[c->member],
	    (int)(c - l->client), last);
	c->greeted = true;
}

static void
take_ok(struct numbered *l, struct numbered_client *c, const char *line, int64_t now)
{
	int64_t n;
	int id = (int)(c - l->client);
	require(text_int(line + 3, 1, c->next, &n), "'%s' to client %d, which sent up to %d", line, id, c->next);
	require(n > c->settled, "'%s' to client %d: %d were settled already", line, id, c->settled);
	for (; c->settled < n; c->settled++) {
		size_t at = (size_t)id * (size_t)l->each + (size_t)c->settled;
		uint32_t took = (uint32_t)now - l->sent_ms[at];
		if (took > l->slowest_ms)
			l->slowest_ms = took;
		l->settled_ms[at] = now;
		l->settled++;
	}
	c->known[c->member] = (uint64_t)n;
}

/* error N REASON; false: the client goes on elsewhere. */
static void
take_error(struct numbered *l, struct numbered_client *c, const char *line)
{
	int n, end = 0;
	require(!l->steady, "%s answers: %s", l->rig->m[c->member].name, line);
	require(sscanf(line, "error %d %n", &n, &end) == 1 && end != 0 && n > c->settled && n <= c->next, "%s answers: %s",
	    l->rig->m[c->member].name, line);
	if (strncmp(line + end, "unconfirmed: ", 13) == 0)
		l->unconfirmed++;
	else if (strcmp(line + end, "disk full") == 0 || strcmp(line + end, "journal not writable") == 0 ||
	    strncmp(line + end, "not stored: ", 12) == 0)
		l->full++;
	else
		rig_fail(__FILE__, __LINE__, "%s answers: %s", l->rig->m[c->member].name, line);
}

/* One line; false: the client goes on elsewhere. */
static bool
take_line(struct numbered *l, struct numbered_client *c, char *line, int64_t now)
{
	c->heard_ms = now;
	if (!c->greeted && !l->steady && strncmp(line, "error out of ", 13) == 0) {
		broken(l, c, "not let in");
		return false;
	}
	if (!c->greeted)
		take_hello(l, c, line);
	else if (strncmp(line, "ok ", 3) == 0)
		take_ok(l, c, line, now);
	else {
		take_error(l, c, line);
		go_on(l, c);
		return false;
	}
	return true;
}

static void
take_replies(struct numbered *l, struct numbered_client *c)
{
	struct buf *in = &c->c.in;
	char *room = buf_room(in, 16384), *lf;
	require(room != NULL, "out of memory");
	ssize_t n = recv(c->c.fd, room, 16384, MSG_DONTWAIT);
	bool gone = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	if (n > 0)
		buf_added(in, (size_t)n);
	int64_t now = clock_mono_ms();
	while (in->len != 0 && (lf = memchr(buf_begin(in), '\n', in->len)) != NULL) {
		char *line = buf_begin(in);
		size_t len = (size_t)(lf - line) + 1;
		require(len >= 2 && lf[-1] == '\r', "a line without CR: %.*s", (int)len, line);
		lf[-1] = '\0';
		if (!take_line(l, c, line, now))
			return;
		buf_eat(in, len);
	}
	if (gone)
		broken(l, c, "connection closed");
}

/* ---- running ---- */

static bool
client_done(const struct numbered *l, const struct numbered_client *c)
{
	return c->settled == c->sent && (l->halted || c->sent == l->each);
}

static bool
all_done(const struct numbered *l)
{
	for (int i = 0; i < l->clients; i++)
		if (!client_done(l, &l->client[i]))
			return false;
	return true;
}

static void
step(void *arg, int ms)
{
	struct numbered *l = arg;
	struct pollfd polled[1000];
	if (l->also != NULL)
		l->also(l->also_arg, 0);
	int64_t now = clock_mono_ms();
	if (l->turn_ms != 0 && now - l->turn_ms > l->longest_turn_ms)
		l->longest_turn_ms = now - l->turn_ms;
	l->turn_ms = now;
	for (int i = 0; i < l->clients; i++) {
		struct numbered_client *c = &l->client[i];
		if (c->c.fd < 0 && !client_done(l, c))
			dial(l, c, now);
		if (c->c.fd >= 0) {
			compose(l, c, now);
			flush_out(l, c);
		}
		if (c->c.fd >= 0 && l->patience_ms != 0 && (c->settled < c->next || !c->greeted) &&
		    now - c->heard_ms > slow_ms(l->patience_ms))
			broken(l, c, "no answer");
		polled[i] = (struct pollfd){ .fd = c->c.fd, .events = (short)(POLLIN | (c->out.len != 0 ? POLLOUT : 0)) };
	}
	if (poll(polled, (nfds_t)l->clients, ms) <= 0)
		return;
	for (int i = 0; i < l->clients; i++)
		if (l->client[i].c.fd >= 0 && (polled[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0)
			take_replies(l, &l->client[i]);
}

void
numbered_pump(struct numbered *l)
{
	l->rig->pump = step;
	l->rig->pump_arg = l;
	l->turn_ms = 0;
}

/* As long as something is settled, it may go on. */
static void
wait_settled(struct numbered *l, long target)
{
	long seen = -1;
	int64_t until = 0;
	numbered_pump(l);
	while (!all_done(l) && l->settled < target) {
		if (l->settled != seen)
			until = wait_until_ms(SOON + l->every_ms);
		seen = l->settled;
		require(wait_turn(until), "nothing is settled any more: %ld sent, %ld settled, %ld broken, %ld unconfirmed",
		    l->sent, l->settled, l->broken, l->unconfirmed);
	}
}

void
numbered_wait_settled(struct numbered *l, long more)
{
	wait_settled(l, l->settled + more);
}

void
numbered_run(struct numbered *l)
{
	wait_settled(l, INT32_MAX);
	l->rig->pump = NULL;
}

void
numbered_halt(struct numbered *l)
{
	l->halted = true;
	numbered_run(l);
}

void
numbered_hang_up(struct numbered *l)
{
	l->halted = true;
	l->rig->pump = NULL;
	for (int i = 0; i < l->clients; i++)
		conn_close(&l->client[i].c);
}

int64_t
numbered_longest_wait_ms(const struct numbered *l, int64_t now)
{
	int64_t longest = l->slowest_ms;
	for (int i = 0; i < l->clients; i++) {
		const struct numbered_client *c = &l->client[i];
		if (c->settled == c->sent)
			continue;
		uint32_t waits = (uint32_t)now - l->sent_ms[(size_t)i * (size_t)l->each + (size_t)c->settled];
		if (waits > longest)
			longest = waits;
	}
	return longest;
}

void
numbered_fini(struct numbered *l)
{
	numbered_hang_up(l);
	for (int i = 0; i < l->clients; i++) {
		buf_fini(&l->client[i].out);
		free(l->client[i].span);
	}
	free(l->client);
	free(l->sent_ms);
	free(l->settled_ms);
	*l = (struct numbered){ .rig = l->rig };
}

/* ---- conversations ---- */

void
conn_expect_settled_(struct conn *c, uint64_t n)
{
	for (uint64_t got = 0, before = 0; got != n; before = got) {
		int64_t v = 0;
		conn_line_(c);
		require(strncmp(c->last, "ok ", 3) == 0 && text_int(c->last + 3, 1, INT64_MAX, &v) && (uint64_t)v > before &&
		    (uint64_t)v <= n, "came '%s', expected up to 'ok %" PRIu64 "'", c->last, n);
		got = (uint64_t)v;
	}
}

void
conn_hello_(struct conn *c, struct ring_rig *rig, int member, const char *token, const char *ack, uint64_t last)
{
	char line[200];
	conn_client(c, rig, member);
	snprintf(line, sizeof line, "HELLO zog/1 client=%s%s%s\r\n", token, ack != NULL ? " ack=" : "", ack != NULL ? ack : "");
	conn_puts_(c, line);
	snprintf(line, sizeof line, "OK zog/1 member=%s ack=%s last=%" PRIu64, rig->m[member].name, ack != NULL ? ack : "1",
	    last);
	conn_expect_(c, line);
}
