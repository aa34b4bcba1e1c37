/* SPDX-License-Identifier: MIT
 * sprog_numbered.h - a ring of members that speak the numbered form, in one thread: they share what is logged, by
 * number, as a ring does. Each connection follows a script. It asserts nothing itself: what was wrong with what it
 * was sent is counted, and asked for by the test. */
#ifndef ZOG_TESTS_SPROG_NUMBERED_H
#define ZOG_TESTS_SPROG_NUMBERED_H

#include <inttypes.h>

#include "sprog_seen.h"

/* Where a connection is cut. */
enum nr_cut { NR_NEVER, NR_ACCEPT, NR_HELLO, NR_OK, NR_LINE, NR_LOGGED, NR_ANSWERED, NR_CUTS };

/* What is done on a connection; all zero: everything is settled. */
struct nr_script {
	enum nr_cut cut;                /* closed there: */
	long        at;                 /* NR_LINE: the line that is not logged; NR_LOGGED: logged, not answered; */
	bool        reset;
	const char *hello;              /* the answer to HELLO; NULL: OK */
	bool        deaf;               /* answers HELLO, nothing after */
	bool        stopped;            /* accepts, and answers nothing at all */
	const char *error;              /* "error N THIS" */
	long        error_at, errors;   /* for so many lines, from this one on */
	bool        error_logs;         /* and has logged them all the same */
	bool        one_ok;             /* one ok for all of a read; else one for each line */
};

enum { NR_MEMBERS = 3, NR_CONNS = 16, NR_LINES = 1 << 18, NR_SCRIPTS = 8 };

struct nr_conn {
	int   fd, member;
	const struct nr_script *script;
	struct buf in;
	long  lines;
	uint64_t last;
	bool  greeted;
};

struct nr {
	/* constant after nr_start */
	const struct nr_script *script[NR_MEMBERS]; /* of the first, second ... connection; the last stays */
	int       scripts[NR_MEMBERS], members, stop[2], listen_fd[NR_MEMBERS];
	uint16_t  port[NR_MEMBERS];
	uint64_t  known;                /* what OK calls last */
	pthread_t thread;
	struct nr_conn conn[NR_CONNS];  /* owned by the thread */

	pthread_mutex_t lock;
	/* under lock */
	int      connections[NR_MEMBERS];
	char     hello[128];            /* the latest */
	uint64_t number[NR_LINES];      /* of each line that came, in order */
	int      by[NR_LINES];
	size_t   lines, logged, doubled, other, shrunk, bad;
	struct { uint64_t number; char text[48]; } log[NR_LINES];       /* a hash, by number */
};

static struct nr nr;

static inline bool
nr_log(uint64_t n, const char *text, size_t len)
{
	size_t i = (n * UINT64_C(0x9e3779b97f4a7c15)) >> 46;
	while (nr.log[i].number != 0 && nr.log[i].number != n)
		i = (i + 1) % NR_LINES;
	if (len >= sizeof nr.log[i].text)
		len = sizeof nr.log[i].text - 1;
	if (nr.log[i].number == n) {
		nr.doubled++;
		nr.other += strlen(nr.log[i].text) != len || memcmp(nr.log[i].text, text, len) != 0;
		return false;
	}
	nr.log[i].number = n;
	memcpy(nr.log[i].text, text, len);
	nr.log[i].text[len] = '\0';
	nr.logged++;
	return true;
}

/* false: the script ends the connection */
static inline bool
nr_line(struct nr_conn *c, const char *line, size_t len, struct buf *out)
{
	const struct nr_script *x = c->script;
	if (!c->greeted) {
		c->greeted = true;
		snprintf(nr.hello, sizeof nr.hello, "%.*s", (int)len, line);
		if (x->cut == NR_HELLO)
			return false;
		if (x->stopped)
			return true;
		if (x->hello != NULL)
			buf_puts(out, x->hello);
		else
			buf_printf(out, "OK zog/1 member=m%d ack=1 last=%" PRIu64 "\r\n", c->member + 1, nr.known);
		return x->cut != NR_OK;
	}
	char *text;
	uint64_t n = strtoull(line, &text, 10);
	if (n == 0 || *text != ' ' || *line == '0') {
		nr.bad++;
		return false;
	}
	text++;
	len -= (size_t)(text - line);
	c->lines++;
	if (nr.lines < NR_LINES) {
		nr.number[nr.lines] = n;
		nr.by[nr.lines++] = c->member;
	}
	if (n <= c->last)
		nr.shrunk++;
	c->last = n;
	if (x->cut == NR_LINE && c->lines == x->at)
		return false;
	bool refuse = x->error != NULL && c->lines >= x->error_at && c->lines < x->error_at + x->errors;
	if (!refuse || x->error_logs)
		nr_log(n, text, len);
	if (x->cut == NR_LOGGED && c->lines == x->at)
		return false;
	if (x->deaf)
		return true;
	if (refuse)
		buf_printf(out, "error %" PRIu64 " %s\r\n", n, x->error);
	else if (!x->one_ok)
		buf_printf(out, "ok %" PRIu64 "\r\n", n);
	return x->cut != NR_ANSWERED || c->lines != x->at;
}

static inline bool
nr_input(struct nr_conn *c)
{
	struct buf out = BUF_INIT;
	bool on = true;
	char *room = buf_room(&c->in, 65536), *lf;
	ssize_t got = recv(c->fd, room, 65536, 0);
	if (got <= 0)
		return false;
	buf_added(&c->in, (size_t)got);
	long before = c->lines;
	pthread_mutex_lock(&nr.lock);
	while (on && c->in.len > 0 && (lf = memchr(buf_begin(&c->in), '\n', c->in.len)) != NULL) {
		size_t size = (size_t)(lf - buf_begin(&c->in)) + 1;
		on = nr_line(c, buf_begin(&c->in), size - 2, &out);
		buf_eat(&c->in, size);
	}
	pthread_mutex_unlock(&nr.lock);
	if (c->script->one_ok && !c->script->deaf && on && c->lines > before)
		buf_printf(&out, "ok %" PRIu64 "\r\n", c->last);
	size_t sent = 0;
	while (sent < out.len) {
		ssize_t n = send(c->fd, buf_begin(&out) + sent, out.len - sent, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	buf_fini(&out);
	return on;
}

static inline void
nr_hang_up(struct nr_conn *c)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	if (c->script->reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(c->fd);
	buf_fini(&c->in);
	*c = (struct nr_conn){ .fd = -1 };
}

static inline void
nr_accept(int m)
{
	int i = 0, fd = accept(nr.listen_fd[m], NULL, NULL);
	while (i < NR_CONNS && nr.conn[i].fd >= 0)
		i++;
	if (fd < 0 || i == NR_CONNS) {
		nr.bad++;
		return;
	}
	pthread_mutex_lock(&nr.lock);
	int k = nr.connections[m]++;
	pthread_mutex_unlock(&nr.lock);
	const struct nr_script *x = &nr.script[m][k < nr.scripts[m] ? k : nr.scripts[m] - 1];
	nr.conn[i] = (struct nr_conn){ .fd = fd, .member = m, .script = x };
	if (x->cut == NR_ACCEPT)
		nr_hang_up(&nr.conn[i]);
}

static inline void *
nr_main(void *arg)
{
	for (;;) {
		struct pollfd p[1 + NR_MEMBERS + NR_CONNS] = {{ .fd = nr.stop[0], .events = POLLIN }};
		for (int m = 0; m < NR_MEMBERS; m++)
			p[1 + m] = (struct pollfd){ .fd = m < nr.members ? nr.listen_fd[m] : -1, .events = POLLIN };
		for (int i = 0; i < NR_CONNS; i++)
			p[1 + NR_MEMBERS + i] = (struct pollfd){ .fd = nr.conn[i].fd, .events = POLLIN };
		if (poll(p, 1 + NR_MEMBERS + NR_CONNS, -1) < 0 || p[0].revents != 0)
			return arg;
		for (int i = 0; i < NR_CONNS; i++)
			if (p[1 + NR_MEMBERS + i].revents != 0 && !nr_input(&nr.conn[i]))
				nr_hang_up(&nr.conn[i]);
		for (int m = 0; m < nr.members; m++)
			if (p[1 + m].revents != 0)
				nr_accept(m);
	}
}

static const struct nr_script nr_good[1];

/* nr.script and nr.scripts may be set before; a member without is good. */
static inline void
nr_start(int members)
{
	nr.members = members;
	for (int m = 0; m < members; m++) {
		if (nr.script[m] == NULL) {
			nr.script[m] = nr_good;
			nr.scripts[m] = 1;
		}
		nr.listen_fd[m] = stub_listen("127.0.0.1", &nr.port[m]);
		ck_assert_int_ge(nr.listen_fd[m], 0);
	}
	for (int i = 0; i < NR_CONNS; i++)
		nr.conn[i].fd = -1;
	ck_assert_int_eq(pipe(nr.stop), 0);
	pthread_mutex_init(&nr.lock, NULL);
	ck_assert_int_eq(pthread_create(&nr.thread, NULL, nr_main, NULL), 0);
}
#define nr_play(m, script_) (nr.script[m] = (script_), nr.scripts[m] = (int)(sizeof(script_) / sizeof((script_)[0])))

/* What it saw can be read without the lock from then on. */
static inline void
nr_stop(void)
{
	ck_assert_int_eq(write(nr.stop[1], "", 1), 1);
	pthread_join(nr.thread, NULL);
	for (int i = 0; i < NR_CONNS; i++)
		if (nr.conn[i].fd >= 0)
			nr_hang_up(&nr.conn[i]);
	for (int m = 0; m < nr.members; m++)
		close(nr.listen_fd[m]);
	close(nr.stop[0]);
	close(nr.stop[1]);
	pthread_mutex_destroy(&nr.lock);
	/* These must never happen. */
	ck_assert_int_eq((int)nr.shrunk, 0);
	ck_assert_int_eq((int)nr.bad, 0);
	ck_assert_int_eq((int)nr.other, 0);
}

/* All of 1 ... n as texts are in the log, once. */
static inline void
nr_each_once(int n)
{
	char *count = calloc((size_t)n + 1, 1);
	ck_assert_int_eq((int)nr.logged, n);
	for (size_t i = 0; i < NR_LINES; i++)
		if (nr.log[i].number != 0) {
			int v = atoi(nr.log[i].text);
			if (v < 1 || v > n || count[v]++ != 0)
				ck_abort_msg("'%s' is there twice, or nobody's", nr.log[i].text);
		}
	free(count);
}

static inline struct sprog *
nr_open(struct sprog_options *o)
{
	char file[64];
	stub_ring(file, nr.port, nr.members);
	o->ring_file = file;
	if (o->seed == 0)
		o->seed = 1;
	struct sprog *s = open_with(o);
	unlink(file);
	return s;
}

#endif
