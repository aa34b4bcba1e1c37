/* SPDX-License-Identifier: MIT
 * harness_load.c - many clients at once, and the verdict on what became of their messages. */
#include "harness.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "harness_own.h"

static struct load_texts
texts(const struct load *l)
{
	return (struct load_texts){ l->tag, l->conns, l->each, l->least, l->most };
}

/* ---- running ---- */

void
load_init(struct load *l, struct ring_rig *rig, char tag, int conns, int each)
{
	*l = (struct load){ .rig = rig, .tag = tag, .conns = conns, .each = each, .least = 32, .most = 63 };
	require(conns <= 9999 && each <= 9999999, "more than the texts can tell");
	l->conn = calloc((size_t)conns, sizeof *l->conn);
	l->outcome = calloc((size_t)conns * (size_t)each, 1);
	require(l->conn != NULL && l->outcome != NULL, "out of memory");
	for (int i = 0; i < conns; i++)
		l->conn[i].c.fd = -1;
}

void
load_connect(struct load *l, int conn, int member)
{
	struct load_conn *lc = &l->conn[conn];
	conn_close(&lc->c);
	conn_client(&lc->c, l->rig, member);
	lc->member = member;
	/* Spread over the first pause, so that they do not all speak in one moment. */
	lc->next_ms = clock_mono_ms() + (l->every_ms != 0 ? l->every_ms * conn / l->conns : 0);
}

void
load_connect_all(struct load *l)
{
	int member = -1;
	for (int i = 0; i < l->conns; i++) {
		do
			member = (member + 1) % l->rig->size;
		while (!rig_running(l->rig, member));
		load_connect(l, i, member);
	}
}

static unsigned char *
outcome_of(struct load *l, const struct load_conn *lc, int n)
{
	return &l->outcome[(size_t)(lc - l->conn) * (size_t)l->each + (size_t)n];
}

static bool
may_send(const struct load *l, const struct load_conn *lc, int64_t now)
{
	return !l->halted && lc->c.fd >= 0 && !lc->c.ended && lc->sent < l->each && now >= lc->next_ms &&
	    (l->window == 0 || lc->sent - lc->answered < l->window) && lc->out.len < 32768;
}

static void
compose(struct load *l, struct load_conn *lc, int64_t now)
{
	const struct load_texts t = texts(l);
	while (may_send(l, lc, now)) {
		char text[LOAD_TEXT + 2];
		size_t len = load_text(&t, (int)(lc - l->conn), lc->sent, text);
		memcpy(text + len, "\r\n", 2);
		require(buf_put(&lc->out, text, len + 2), "out of memory");
		*outcome_of(l, lc, lc->sent++) = LOAD_SENT;
		l->sent++;
		lc->sent_ms = now;
		lc->next_ms = l->every_ms != 0 ? lc->next_ms + l->every_ms : now;
	}
}

static void
broken(struct load *l, struct load_conn *lc)
{
	require(l->may_break, "%s closed a connection: %d sent, %d answered", l->rig->m[lc->member].name, lc->sent,
	    lc->answered);
	l->broken++;
	conn_close(&lc->c);
	buf_clear(&lc->out);
}

static void
flush_out(struct load *l, struct load_conn *lc)
{
	if (lc->out.len == 0)
		return;
	ssize_t n = conn_put_some(&lc->c, buf_begin(&lc->out), lc->out.len);
	if (n < 0)
		broken(l, lc);
	else
		buf_eat(&lc->out, (size_t)n);
}

static void
take_reply(struct load *l, struct load_conn *lc, const char *reply, size_t len, int64_t now)
{
	require(lc->answered < lc->sent, "a reply that nothing asked for: %.*s", (int)len, reply);
	unsigned char *outcome = outcome_of(l, lc, lc->answered++);
	if (len == 3 && memcmp(reply, "ok\r", 3) == 0) {
		*outcome = LOAD_OK;
		l->ok++;
	} else {
		require(len > 6 && memcmp(reply, "error ", 6) == 0 && reply[len - 1] == '\r', "a strange reply: %.*s",
		    (int)len, reply);
		require(l->may_fail, "a good message gets: %.*s", (int)len - 1, reply);
		*outcome = LOAD_ERROR;
		if (l->errors++ == 0)
			snprintf(l->error, sizeof l->error, "%.*s", (int)len - 1, reply);
	}
	if (l->window == 1 && now - lc->sent_ms > l->slowest_ms)
		l->slowest_ms = now - lc->sent_ms;
}

static void
take_replies(struct load *l, struct load_conn *lc)
{
	struct conn *c = &lc->c;
	char *room = buf_room(&c->in, 16384);
	require(room != NULL, "out of memory");
	ssize_t n = recv(c->fd, room, 16384, MSG_DONTWAIT);
	if (n > 0)
		buf_added(&c->in, (size_t)n);
	bool gone = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
	int64_t now = clock_mono_ms();
	char *lf;
	while (c->in.len != 0 && (lf = memchr(buf_begin(&c->in), '\n', c->in.len)) != NULL) {
		size_t len = (size_t)(lf - buf_begin(&c->in));
		take_reply(l, lc, buf_begin(&c->in), len, now);
		buf_eat(&c->in, len + 1);
	}
	if (gone)
		broken(l, lc);
}

/* How long until some connection may send again. */
static int
pause_ms(const struct load *l, int64_t now, int most)
{
	int64_t least = most;
	for (int i = 0; i < l->conns && l->every_ms != 0 && !l->halted; i++) {
		const struct load_conn *lc = &l->conn[i];
		if (lc->c.fd >= 0 && lc->sent < l->each && (l->window == 0 || lc->sent - lc->answered < l->window) &&
		    lc->next_ms - now < least)
			least = lc->next_ms - now;
	}
	return least < 0 ? 0 : (int)least;
}

void
load_step(struct load *l, int ms)
{
	static struct pollfd polled[10000];
	int64_t now = clock_mono_ms();
	for (int i = 0; i < l->conns; i++) {
		struct load_conn *lc = &l->conn[i];
		if (lc->c.fd >= 0) {
			compose(l, lc, now);
			flush_out(l, lc);
		}
		polled[i] = (struct pollfd){ .fd = lc->c.fd,
		    .events = (short)(POLLIN | (lc->out.len != 0 ? POLLOUT : 0)) };
	}
	if (poll(polled, (nfds_t)l->conns, pause_ms(l, now, ms)) <= 0)
		return;
	for (int i = 0; i < l->conns; i++) {
		struct load_conn *lc = &l->conn[i];
		if (lc->c.fd >= 0 && (polled[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0)
			take_replies(l, lc);
	}
}

bool
load_done(const struct load *l)
{
	for (int i = 0; i < l->conns; i++) {
		const struct load_conn *lc = &l->conn[i];
		if (lc->c.fd >= 0 && ((!l->halted && lc->sent < l->each) || lc->answered < lc->sent))
			return false;
	}
	return true;
}

static void
pump(void *arg, int ms)
{
	load_step(arg, ms);
}

void
load_pump(struct load *l)
{
	l->rig->pump = pump;
	l->rig->pump_arg = l;
}

/* As long as something is answered, it may go on. */
void
load_run(struct load *l)
{
	load_pump(l);
	long seen = -1;
	int64_t until = 0;
	while (!load_done(l)) {
		long now = l->ok + l->errors + l->sent;
		if (now != seen) {
			until = wait_until_ms(SOON + l->every_ms);
			seen = now;
		}
		require(wait_turn(until), "no reply comes: %ld sent, %ld ok, %ld errors", l->sent, l->ok, l->errors);
	}
	l->rig->pump = NULL;
}

void
load_halt(struct load *l)
{
	l->halted = true;
	load_run(l);
}

void
load_fini(struct load *l)
{
	if (l->rig->pump_arg == l)
		l->rig->pump = NULL;
	for (int i = 0; i < l->conns; i++) {
		conn_close(&l->conn[i].c);
		buf_fini(&l->conn[i].out);
	}
	free(l->conn);
	free(l->outcome);
	*l = (struct load){ .rig = l->rig };
}

/* ---- judging ---- */

struct tally {
	struct load    *load;
	struct load_texts texts;
	struct verdict *v;
	unsigned char  *seen;           /* [conn * each + n] of one member */
	int            *last;           /* of each connection */
};

static void
judge_line(struct tally *t, const char *path, const char *line, size_t len)
{
	struct log_line l;
	int conn, n;
	require(log_parse(line, len, &l), "%s: bad line: %.*s", path, (int)len, line);
	if (!load_text_whose(&t->texts, l.text, l.len, &conn, &n)) {
		/* Our tag and yet not what we sent: torn, glued or made up. */
		if (load_text_like(&t->texts, l.text, l.len))
			t->v->invented++;
		else
			t->v->others++;
		return;
	}
	unsigned char *seen = &t->seen[(size_t)conn * (size_t)t->load->each + (size_t)n];
	unsigned char outcome = t->load->outcome[seen - t->seen];
	if (outcome == LOAD_UNSENT) {
		t->v->invented++;
		return;
	}
	if (*seen != 0) {
		t->v->doubled++;
		return;
	}
	*seen = 1;
	t->v->logged++;
	t->v->errors_logged += outcome == LOAD_ERROR;
	t->v->disordered += n < t->last[conn];
	t->last[conn] = n;
}

/* grows: somebody writes to it now, and half of what he writes may be seen. */
static void
judge_file(struct tally *t, const char *path, bool grows)
{
	size_t len;
	char *text = file_read(path, &len), *end = text + len;
	for (char *line = text, *lf; line < end; line = lf + 1) {
		lf = memchr(line, '\n', (size_t)(end - line));
		if (lf == NULL && grows)
			break;
		require(lf != NULL, "%s: the last line has no end: %.*s", path, (int)(end - line), line);
		judge_line(t, path, line, (size_t)(lf - line));
	}
	free(text);
}

static void
judge_member(struct tally *t, int member, int rotated)
{
	struct load *l = t->load;
	bool running = rig_running(l->rig, member);
	size_t all = (size_t)l->conns * (size_t)l->each;
	memset(t->seen, 0, all);
	for (int i = 0; i < l->conns; i++)
		t->last[i] = -1;
	for (int k = 1; k <= rotated; k++) {
		char name[32];
		snprintf(name, sizeof name, "log/access.log.%d", k);
		judge_file(t, rig_path(l->rig, member, name), running);
	}
	judge_file(t, rig_path(l->rig, member, "log/access.log"), running);
	for (size_t i = 0; i < all; i++)
		t->v->lost += l->outcome[i] == LOAD_OK && t->seen[i] == 0;
}

struct verdict
load_judge(struct load *l, uint64_t mask, int rotated, const char *what)
{
	struct verdict v = { 0 };
	struct tally t = { .load = l, .texts = texts(l), .v = &v };
	int members = 0;
	t.seen = malloc((size_t)l->conns * (size_t)l->each);
	t.last = malloc((size_t)l->conns * sizeof *t.last);
	require(t.seen != NULL && t.last != NULL, "out of memory");
	mask = rig_mask(l->rig, mask);
	for (int i = 0; i < l->rig->size; i++)
		if ((mask >> i & 1) != 0) {
			judge_member(&t, i, rotated);
			members++;
		}
	free(t.seen);
	free(t.last);
	if (what == NULL)
		return v;
	printf("%s: sent %ld settled %ld errors %ld; on %d: logged %ld doubled %ld lost %ld invented %ld"
	    " disordered %ld\n", what, l->sent, l->ok, l->errors, members, v.logged, v.doubled, v.lost, v.invented,
	    v.disordered);
	fflush(stdout);
	return v;
}

void
load_require_once_(struct load *l, uint64_t mask, int rotated, const char *what)
{
	struct verdict v = load_judge(l, mask, rotated, what);
	require(v.lost == 0, "%s: %ld settled messages are not in a log", what, v.lost);
	require(v.doubled == 0, "%s: %ld messages are in a log twice", what, v.doubled);
	require(v.invented == 0, "%s: %ld lines that nobody sent", what, v.invented);
	require(v.disordered == 0, "%s: %ld messages out of order", what, v.disordered);
}

void
load_wait_logged_(struct load *l, uint64_t mask, int rotated)
{
	mask = rig_mask(l->rig, mask);
	for (int i = 0; i < l->rig->size; i++) {
		uint64_t one = mask & (uint64_t)1 << i;
		if (one == 0)
			continue;
		/* Reading it all is dear: only when there may be enough in it. */
		if (rotated == 0)
			wait_for(log_lines(l->rig, i) >= (size_t)l->ok, SOON, "%s: %zu lines in access.log, %ld settled",
			    l->rig->m[i].name, log_lines(l->rig, i), l->ok);
		wait_for(load_judge(l, one, rotated, NULL).lost == 0, SOON, "%s: %ld messages are not in its log",
		    l->rig->m[i].name, load_judge(l, one, rotated, NULL).lost);
	}
}
