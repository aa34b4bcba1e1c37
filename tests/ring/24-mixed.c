/* SPDX-License-Identifier: MIT
 * 24-mixed.c - members in one ring with such as speak the plain form only, which the test plays. */
#include "harness_numbered.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct ring_rig rig;

/* ---- the played members ---- */

/* As of 2012: takes lines, writes an access.log of its own (NAME:0), passes on what is wrapped 1 or 2. */
struct plain {
	int  place;                     /* -1: none */
	int  listener;
	struct { struct conn c; int from; } in[RIG_MAX];
	int  ins;
	struct conn out[RIG_MAX];       /* to each member, once it has something for it */
};

static struct plain played[2];

static void
plain_open(struct plain *p, int place)
{
	*p = (struct plain){ .place = place, .listener = rig_listen(&rig, place) };
	for (int i = 0; i < rig.size; i++)
		p->out[i].fd = -1;
}

static void
plain_close(struct plain *p)
{
	if (p->place < 0)
		return;
	close(p->listener);
	for (int i = 0; i < p->ins; i++)
		conn_close(&p->in[i].c);
	for (int i = 0; i < rig.size; i++)
		conn_close(&p->out[i]);
	p->place = -1;
}

static void
plain_log(struct plain *p, int sender, const char *text, size_t len)
{
	char line[700];
	snprintf(line, sizeof line, "2026-11-20T00:00:00Z %s:0 %.*s\n", rig.m[sender].name, (int)len, text);
	file_append(rig_path(&rig, p->place, "log/access.log"), line);
}

/* A wrapped line goes out to a member, dialled where that is not done yet. */
static void
plain_send(struct plain *p, int to, const char *line, size_t len)
{
	struct conn *c = &p->out[to];
	if (c->fd < 0)
		conn_peer(c, &rig, p->place, to);
	require(conn_put_some(c, line, len) == (ssize_t)len, "%s does not take a line", rig.m[to].name);
}

static void
plain_take(struct plain *p, struct conn *c, int from, char *line, size_t len)
{
	if (len > 6 && memcmp(line, "HELLO ", 6) == 0) {
		conn_put_some(c, "error plain form only\r\n", 23);
		return;
	}
	if (len == 11 && memcmp(line, "keepAlive\r\n", 11) == 0) {
		conn_put_some(c, "ack\r\n", 5);
		return;
	}
	require(len > 3 && line[0] >= '0' && line[0] <= '2' && memcmp(line + len - 2, "\r\n", 2) == 0,
	    "%s sends to a plain member: %.*s", rig.m[from].name, (int)len, line);
	int to = line[0] == '2' ? (p->place + 2) % rig.size : line[0] == '1' ? (p->place + 1) % rig.size : -1;
	plain_log(p, from, line + 1, len - 3);
	conn_put_some(c, "ok\r\n", 4);
	if (to >= 0) {
		line[0] = '0';
		plain_send(p, to, line, len);
	}
}

static void
plain_accept(struct plain *p)
{
	int fd = accept(p->listener, NULL, NULL);
	struct addr a, m;
	if (fd < 0)
		return;
	require(p->ins < RIG_MAX && addr_of_peer(fd, &a), "too many connections to a plain member");
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	for (int i = 0; i < rig.size; i++) {
		rig_addr(&m, rig.m[i].host, 0);
		if (addr_same_host(&a, &m))
			p->in[p->ins].from = i;
	}
	p->in[p->ins++].c = (struct conn){ .fd = fd };
}

/* What is there to be read; false: the connection has ended. */
static bool
plain_read(struct conn *c)
{
	for (;;) {
		char *room = buf_room(&c->in, 16384);
		require(room != NULL, "out of memory");
		ssize_t n = recv(c->fd, room, 16384, MSG_DONTWAIT);
		if (n <= 0)
			return n < 0 && (errno == EAGAIN || errno == EINTR);
		buf_added(&c->in, (size_t)n);
	}
}

static void
plain_step(struct plain *p)
{
	plain_accept(p);
	for (int i = 0; i < p->ins; i++) {
		struct conn *c = &p->in[i].c;
		char *lf;
		if (c->fd < 0)
			continue;
		bool open = plain_read(c);
		while (c->in.len != 0 && (lf = memchr(buf_begin(&c->in), '\n', c->in.len)) != NULL) {
			size_t len = (size_t)(lf - buf_begin(&c->in)) + 1;
			plain_take(p, c, p->in[i].from, buf_begin(&c->in), len);
			buf_eat(&c->in, len);
		}
		if (!open)
			conn_close(c);
	}
	for (int i = 0; i < rig.size; i++)
		if (p->out[i].fd >= 0 && !plain_read(&p->out[i]))
			conn_close(&p->out[i]);
}

static void
plain_pump(void *arg, int ms)
{
	(void)arg;
	for (int i = 0; i < 2; i++)
		if (played[i].place >= 0)
			plain_step(&played[i]);
	if (ms > 0)
		usleep(500);
}

static void
pump_plain(void)
{
	rig.pump = plain_pump;
}

/* A ring of so many, of which one or two are played (-1: none). */
static void
up_with_plain(int members, int one, int two)
{
	rig_make(&rig, members, "reconnect-max = 0.5\npeer-timeout = 60\nack-timeout = 1\n");
	played[0].place = played[1].place = -1;
	plain_open(&played[0], one);
	if (two >= 0)
		plain_open(&played[1], two);
	pump_plain();
	for (int i = 0; i < members; i++)
		if (i != one && i != two)
			rig_launch(&rig, i);
	for (int i = 0; i < members; i++)
		if (i != one && i != two)
			rig_wait_ready(&rig, i);
	for (int i = 0; i < members; i++)
		for (int k = 0; k < members; k++)
			if (i != k && rig_running(&rig, i))
				rig_wait_link(&rig, i, k);
}

static void
down_with_plain(void)
{
	pump_plain();
	rig_stop_all(&rig);
	plain_close(&played[0]);
	plain_close(&played[1]);
	rig.pump = NULL;
	rig_down(&rig);
}

static void
load_plain(struct numbered *l, char tag, int each, const char *ack)
{
	uint64_t real = 0;
	int from = 0;
	for (int i = 0; i < rig.size; i++)
		if (rig_running(&rig, i))
			real |= UINT64_C(1) << i;
	numbered_init(l, &rig, tag, 3, each);
	l->ack = ack;
	l->window = 100;
	l->steady = true;
	l->also = plain_pump;
	for (int i = 0; i < 3; i++, from++) {
		while ((real >> from % rig.size & 1) == 0)
			from++;
		numbered_place(l, i, from % rig.size, real);
	}
	numbered_run(l);
	pump_plain();
}

static void
require_each_once(struct numbered *l, uint64_t mask, const char *what)
{
	wait_for(numbered_judge(l, mask, false, NULL).lost == 0, SOON, "%s: %ld are missing", what,
	    numbered_judge(l, mask, false, NULL).lost);
	struct numbered_verdict v = numbered_judge(l, mask, false, what);
	require(v.doubled == 0 && v.invented == 0 && v.split == 0 && v.disordered == 0, "%s: not each once, in order",
	    what);
}

START_TEST(one_plain_member)
{
	struct numbered l;
	up_with_plain(4, 3, -1);
	for (int i = 0; i < 3; i++)
		log_wait_error(&rig, i, "zogd la speaks the plain form only");
	load_plain(&l, 'a', slow_count(500), "majority");
	require_each_once(&l, 0xf, "one plain member");
	/* It has no journal that could count. */
	struct conn c;
	conn_hello(&c, &rig, 0, "z", "all", 0);
	conn_puts(&c, "1 from all\r\n");
	conn_expect(&c, "error 1 unconfirmed: 3 of 4");
	conn_close(&c);
	rig_say(&rig, 1, "from a plain client");
	log_wait_once(&rig, 0xf, "from all");
	log_wait_once(&rig, 0xf, "from a plain client");

	/* From the played one to +1 and +2, as its own client's: both log, +1 passes it on, +2 has nobody left. */
	for (int i = 0; i < 20; i++) {
		char line[32];
		int n = snprintf(line, sizeof line, "2from la %d\r\n", i);
		plain_send(&played[0], 0, line, (size_t)n);
		plain_send(&played[0], 1, line, (size_t)n);
	}
	plain_send(&played[0], 2, "0only to g\r\n", 12);
	log_wait_once(&rig, 1 << 2, "only to g");
	for (int i = 0; i < 20; i++) {
		char text[32];
		snprintf(text, sizeof text, "from la %d", i);
		log_wait_once(&rig, 0x7, text);
	}
	rig_say(&rig, 0, "after that");
	pump_plain();
	numbered_fini(&l);
	down_with_plain();
}
END_TEST

START_TEST(two_plain_members)
{
	static const struct { int one, two; } places[] = { { 1, 3 }, { 0, 1 }, { 2, 4 } };
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		struct numbered l;
		char what[64];
		up_with_plain(5, places[i].one, places[i].two);
		load_plain(&l, 'a', slow_count(300), "majority");
		snprintf(what, sizeof what, "members %d and %d are plain", places[i].one, places[i].two);
		require_each_once(&l, 0x1f, what);
		/* Its own client's message goes its way round all five. */
		struct plain *p = &played[0];
		char line[] = "2said by a plain one\r\n";
		for (int k = 1; k <= 2; k++) {
			int to = (p->place + k) % 5;
			if (played[1].place != to)
				plain_send(p, to, line, sizeof line - 1);
		}
		for (int k = 1; k <= 2; k++) {
			int to = (p->place + k) % 5;
			if (rig_running(&rig, to))
				log_wait_once(&rig, UINT64_C(1) << to, "said by a plain one");
			/* And on from there, wherever a member of ours passed it on. */
			int beyond = (to + 2) % 5;
			if (rig_running(&rig, to) && beyond != p->place)
				log_wait_once(&rig, UINT64_C(1) << beyond, "said by a plain one");
		}
		numbered_fini(&l);
		down_with_plain();
	}
}
END_TEST

/* While it is away a queue keeps what it can for it; nothing comes twice, and nobody waits. */
START_TEST(a_plain_member_goes_and_comes)
{
	struct numbered l[3];
	up_with_plain(4, 3, -1);
	load_plain(&l[0], 'a', slow_count(300), "majority");
	require_each_once(&l[0], 0xf, "before it goes");
	plain_close(&played[0]);
	rig_wait_gone(&rig, 3);
	load_plain(&l[1], 'b', slow_count(300), "majority");
	require_each_once(&l[1], 0x7, "without it");
	for (int i = 0; i < 3; i++)
		rig_link_news(&rig, i, 3);
	plain_open(&played[0], 3);
	for (int i = 0; i < 3; i++)
		rig_wait_link(&rig, i, 3);
	load_plain(&l[2], 'c', slow_count(300), "majority");
	require_each_once(&l[2], 0xf, "when it is back");
	struct numbered_verdict v = numbered_judge(&l[1], 1 << 3, false, "what came to it from the time without it");
	require(v.doubled == 0 && v.invented == 0, "doubled or invented");
	/* Nor did anything of before come again. */
	require_each_once(&l[0], 0xf, "before it went");
	for (int i = 0; i < 3; i++)
		numbered_fini(&l[i]);
	down_with_plain();
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, one_plain_member);
	STORY_TEST(s, two_plain_members);
	STORY_TEST(s, a_plain_member_goes_and_comes);
}

int
main(void)
{
	return story_main("24-mixed", add);
}
