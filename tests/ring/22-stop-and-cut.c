/* SPDX-License-Identifier: MIT
 * 22-stop-and-cut.c - members that hang, links that break in the middle of a frame, and a ring in two halves. The others go on,
 * both halves take messages, and in the end all five hold the same, once.
 *
 * Links are cut by a proxy, a process of its own. RINGID hashes names only, so that each member's ring file may name
 * other addresses for its peers: in A's, B is at an address of the link A-B, where the proxy listens; and since B knows
 * A by the address that its own file names, the proxy dials B from there. */
#include "harness_numbered.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/clock.h"

enum { MEMBERS = 5, CONNS = 256, PIECE = 16384 };

static struct ring_rig rig;

static void
address(struct addr *a, const char *host, uint16_t port)
{
	const char *why;
	require(net_resolve(host, port, true, a, 1, &why) == 1, "%s: %s", host, why);
}

/* ---- the proxy ---- */

/* One direction of dialling: what from sends to to, and the answers. Shared with the proxy. */
struct link_control {
	atomic_bool cut;                /* nothing passes, and nobody is told */
	atomic_long break_after;        /* so many bytes of data more, then both ends are closed; -1: never */
	atomic_bool reset;              /* with a RST */
	atomic_long broken;             /* how often that happened */
};

static struct link_control (*control)[MEMBERS];         /* [from][to] */
static pid_t proxy_pid;

struct half {
	int    fd;
	bool   ended;                   /* no more comes from it */
	char   bytes[PIECE];            /* read from it, and not yet passed on */
	size_t len;
};

struct pair {
	struct link_control *link;
	struct half near, far;          /* who dialled; who was dialled. near.fd < 0: a free place */
};

static const char *
proxy_host(int from, int to, char text[64])
{
	return rig_stranger(&rig, from * MEMBERS + to, text);
}

static void
close_pair(struct pair *p, bool reset)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };
	int fds[2] = { p->near.fd, p->far.fd };
	for (int i = 0; i < 2; i++) {
		if (reset)
			setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &l, sizeof l);
		close(fds[i]);
	}
	p->near.fd = p->far.fd = -1;
}

/* Reads what comes, as far as there is room. */
static void
take(struct half *h)
{
	if (h->ended || h->len == sizeof h->bytes)
		return;
	ssize_t n = recv(h->fd, h->bytes + h->len, sizeof h->bytes - h->len, MSG_DONTWAIT);
	if (n > 0)
		h->len += (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		h->ended = true;
}

/* Passes on what was read, at most so much; returns how much. */
static size_t
pass(struct half *from, struct half *to, size_t most)
{
	size_t n = from->len < most ? from->len : most;
	ssize_t k = n != 0 ? send(to->fd, from->bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
	if (k < 0 && errno != EAGAIN && errno != EINTR)
		to->ended = true;
	if (k <= 0)
		return 0;
	from->len -= (size_t)k;
	memmove(from->bytes, from->bytes + k, from->len);
	return (size_t)k;
}

static void
serve(struct pair *p)
{
	struct link_control *c = p->link;
	if (atomic_load(&c->cut))
		return;
	take(&p->near);
	take(&p->far);
	long left = atomic_load(&c->break_after);
	size_t n = pass(&p->near, &p->far, left >= 0 ? (size_t)left : SIZE_MAX);
	pass(&p->far, &p->near, SIZE_MAX);
	if (left >= 0 && (left -= (long)n) == 0) {
		atomic_store(&c->break_after, -1);
		close_pair(p, atomic_load(&c->reset));
		atomic_fetch_add(&c->broken, 1);
	} else {
		if (left >= 0)
			atomic_store(&c->break_after, left);
		if ((p->near.ended && p->near.len == 0) || (p->far.ended && p->far.len == 0))
			close_pair(p, false);
	}
}

static void
proxy_accept(int listener, int from, int to, struct pair *pairs)
{
	struct addr target, self;
	char host[64];
	struct pair *p = pairs;
	if (atomic_load(&control[from][to].cut))
		return;
	int fd = accept(listener, NULL, NULL);
	if (fd < 0)
		return;
	while (p < pairs + CONNS && p->near.fd >= 0)
		p++;
	address(&target, rig.m[to].host, rig.m[to].peer_port);
	address(&self, proxy_host(to, from, host), 0);
	int far = p < pairs + CONNS ? net_connect(&target, &self, 1000) : -1;
	if (far < 0) {
		close(fd);
		return;
	}
	p->link = &control[from][to];
	p->near = (struct half){ .fd = fd };
	p->far = (struct half){ .fd = far };
}

static void
proxy_main(int listener[MEMBERS][MEMBERS])
{
	struct pair *pairs = calloc(CONNS, sizeof *pairs);
	struct pollfd polled[MEMBERS * MEMBERS + 2 * CONNS];
	if (pairs == NULL)
		_exit(1);
	for (int i = 0; i < CONNS; i++)
		pairs[i].near.fd = -1;
	for (;;) {
		nfds_t n = 0;
		for (int i = 0; i < MEMBERS; i++)
			for (int k = 0; k < MEMBERS; k++)
				if (i != k && !atomic_load(&control[i][k].cut))
					polled[n++] = (struct pollfd){ .fd = listener[i][k], .events = POLLIN };
		for (int i = 0; i < CONNS; i++) {
			struct pair *p = &pairs[i];
			if (p->near.fd < 0 || atomic_load(&p->link->cut))
				continue;
			short near = (short)((p->near.len < PIECE ? POLLIN : 0) | (p->far.len != 0 ? POLLOUT : 0));
			short far = (short)((p->far.len < PIECE ? POLLIN : 0) | (p->near.len != 0 ? POLLOUT : 0));
			polled[n++] = (struct pollfd){ .fd = p->near.fd, .events = near };
			polled[n++] = (struct pollfd){ .fd = p->far.fd, .events = far };
		}
		poll(polled, n, 5);
		for (int i = 0; i < MEMBERS; i++)
			for (int k = 0; k < MEMBERS; k++)
				if (i != k)
					proxy_accept(listener[i][k], i, k, pairs);
		for (int i = 0; i < CONNS; i++)
			if (pairs[i].near.fd >= 0)
				serve(&pairs[i]);
	}
}

static void
proxy_start(void)
{
	int listener[MEMBERS][MEMBERS];
	control = mmap(NULL, sizeof *control * MEMBERS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	require(control != MAP_FAILED, "mmap: %s", strerror(errno));
	for (int i = 0; i < MEMBERS; i++)
		for (int k = 0; k < MEMBERS; k++) {
			struct addr a;
			char host[64];
			atomic_init(&control[i][k].break_after, -1);
			if (i == k)
				continue;
			address(&a, proxy_host(i, k, host), rig.m[k].peer_port);
			listener[i][k] = net_listen(&a);
			require(listener[i][k] >= 0, "%s: %s", host, strerror(errno));
		}
	fflush(NULL);
	pid_t parent = getpid();
	proxy_pid = fork();
	require(proxy_pid >= 0, "fork: %s", strerror(errno));
	if (proxy_pid == 0) {
#ifdef __linux__
		prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
		if (getppid() == parent)
			proxy_main(listener);
		_exit(0);
	}
	for (int i = 0; i < MEMBERS; i++)
		for (int k = 0; k < MEMBERS; k++)
			if (i != k)
				close(listener[i][k]);
}

/* Each member's own ring file, with the proxy's addresses for the others. */
static void
write_rings(void)
{
	static char option[MEMBERS][RIG_PATH * 2 + 8];
	for (int i = 0; i < MEMBERS; i++) {
		struct buf b = BUF_INIT;
		for (int k = 0; k < MEMBERS; k++) {
			char host[64];
			buf_printf(&b, "%s %s %u %u\n", rig.m[k].name, i == k ? rig.m[k].host : proxy_host(i, k, host),
			    rig.m[k].peer_port, rig.m[k].client_port);
		}
		buf_put(&b, "", 1);
		file_write(rig_path(&rig, i, "ring"), buf_begin(&b));
		buf_fini(&b);
		snprintf(option[i], sizeof option[i], "ring=%s", rig_path(&rig, i, "ring"));
		rig.m[i].arg[0] = "-o";
		rig.m[i].arg[1] = option[i];
	}
}

/* ---- */

static const char quick[] = "reconnect-max = 0.5\npeer-timeout = 1\nack-timeout = 1\n";

static void
done(void)
{
	rig_stop_all(&rig);
	if (proxy_pid > 0) {
		kill(proxy_pid, SIGKILL);
		waitpid(proxy_pid, NULL, 0);
		munmap(control, sizeof *control * MEMBERS);
	}
	proxy_pid = 0;
	for (int i = 0; i < rig.size; i++)
		log_check_form(&rig, i);
	rig_done(&rig);
}

/* false: links cannot be told apart here. */
static bool
up_with_proxies(void)
{
	rig_make(&rig, MEMBERS, quick);
	if (!rig.own_addresses) {
		story_skip("the members have one address");
		rig_done(&rig);
		return false;
	}
	proxy_start();
	write_rings();
	rig_start_all(&rig);
	return true;
}

static void
judge(struct numbered *l, int n, const char *const *what)
{
	for (int i = 0; i < n; i++)
		numbered_halt(&l[i]);
	for (int i = 0; i < n; i++)
		numbered_wait_logged(&l[i], 0);
	rig_stop_all(&rig);
	for (int i = 0; i < n; i++) {
		numbered_require(&l[i], 0x1f, what[i]);
		numbered_fini(&l[i]);
	}
	done();
}

static void
set_cut(int from, int to, bool cut)
{
	atomic_store(&control[from][to].cut, cut);
}

static void
set_cut_both(int a, int b, bool cut)
{
	set_cut(a, b, cut);
	set_cut(b, a, cut);
}

/* Between {0, 1} and {2, 3, 4}. */
static void
set_halves(bool cut)
{
	for (int a = 0; a < 2; a++)
		for (int b = 2; b < MEMBERS; b++)
			set_cut_both(a, b, cut);
}

/* ---- stopped ---- */

/* A client's message is settled by a majority though one hangs, in a time that has nothing to do with how long it hangs. */
START_TEST(one_is_stopped_for_a_while)
{
	static const int64_t pause_ms[] = { 3000, 10000 };
	rig_make(&rig, MEMBERS, quick);
	rig_start_all(&rig);
	for (int k = 0; k < 2; k++) {
		struct numbered l;
		int victim = k + 1;
		uint64_t others = 0x1f & ~(UINT64_C(1) << victim);
		numbered_init(&l, &rig, (char)('a' + k), 4, 200000);
		l.every_ms = 4;
		l.steady = true;
		for (int i = 0; i < 4; i++)
			numbered_place(&l, i, i < victim ? i : i + 1, others);
		numbered_pump(&l);
		numbered_wait_settled(&l, 200);
		rig_pause(&rig, victim);
		wait_while_running(pause_ms[k]);
		/* The others miss nothing but what is on its way. */
		long settled = l.settled;
		for (int i = 0; i < MEMBERS; i++)
			if (i != victim)
				wait_for(log_lines(&rig, i) >= (size_t)settled, 3000, "%s: %zu lines, %ld settled",
				    rig.m[i].name, log_lines(&rig, i), settled);
		rig_resume(&rig, victim);
		numbered_wait_settled(&l, 200);
		numbered_halt(&l);
		require(l.slowest_ms < slow_ms(2500), "a message took %lld ms to be settled", (long long)l.slowest_ms);
		numbered_wait_logged(&l, 0);
		printf("slowest: %lld ms\n", (long long)l.slowest_ms);
		numbered_require(&l, 0x1f, k == 0 ? "stopped for 3 s" : "stopped for 10 s");
		numbered_fini(&l);
	}
	done();
}
END_TEST

/* What its clients had given it they give to the next; when it wakes up it has both. */
START_TEST(the_one_that_was_asked_is_stopped)
{
	static const char *const what[] = { "stopped, the one that was asked", "stopped, at level 1" };
	rig_make(&rig, MEMBERS, quick);
	rig_start_all(&rig);
	struct numbered l[2];
	for (int k = 0; k < 2; k++) {
		numbered_init(&l[k], &rig, (char)('a' + k), 5, 200000);
		l[k].ack = k == 0 ? "majority" : "1";
		l[k].every_ms = 2;
		l[k].patience_ms = 700;
		numbered_pump(&l[k]);
		for (int victim = 0; victim < 3; victim++) {
			numbered_wait_settled(&l[k], 300);
			rig_pause(&rig, victim);
			numbered_wait_settled(&l[k], 500);
			wait_while_running(1000);
			rig_resume(&rig, victim);
		}
		numbered_halt(&l[k]);
	}
	judge(l, 2, what);
}
END_TEST

/* ---- cut ---- */

START_TEST(links_break_in_the_middle_of_a_frame)
{
	static const char *const what[] = { "links broken in the middle of a frame" };
	if (!up_with_proxies())
		return;
	struct numbered l;
	numbered_init(&l, &rig, 'a', 5, 200000);
	l.every_ms = 1;
	l.least = 20;
	l.most = 400;
	l.steady = true;
	numbered_pump(&l);
	/* After so many bytes more: in headers, in bodies, between two frames. */
	long breaks = 0;
	for (int i = 0; i < 60; i++) {
		int from = i % MEMBERS, to = (from + 1 + i / MEMBERS % 2) % MEMBERS;
		struct link_control *c = &control[from][to];
		long before = atomic_load(&c->broken);
		atomic_store(&c->reset, i % 3 == 0);
		atomic_store(&c->break_after, 1 + 97 * i % 1500);
		wait_for(atomic_load(&c->broken) > before, SOON, "nothing passes from %s to %s", rig.m[from].name, rig.m[to].name);
		breaks++;
		numbered_wait_settled(&l, 20);
	}
	int halves = 0;
	for (int i = 0; i < MEMBERS; i++)
		halves += file_count(rig_path(&rig, i, "log/error.log"), " no line end: ");
	printf("%ld breaks, %d said to be in the middle of a frame\n", breaks, halves);
	require(halves > 5, "no frame was cut");
	judge(&l, 1, what);
}
END_TEST

/* Level 1 on both sides; and clients that want a majority, which one side cannot give, and go to the other. */
START_TEST(two_halves)
{
	static const char *const what[] = { "in the half of two", "in the half of three", "from half to half" };
	if (!up_with_proxies())
		return;
	struct numbered l[3];
	for (int k = 0; k < 3; k++) {
		numbered_init(&l[k], &rig, (char)('a' + k), 4, 200000);
		l[k].ack = k == 2 ? "majority" : "1";
		l[k].every_ms = 5;
		l[k].steady = k != 2;
		for (int i = 0; i < 4; i++)
			numbered_place(&l[k], i, k == 1 ? 2 + i % 3 : i % 2, k == 0 ? 0x3 : k == 1 ? 0x1c : 0);
	}
	for (int round = 0; round < 2; round++) {
		for (int k = 0; k < 3; k++)
			numbered_wait_settled(&l[k], 100);
		set_halves(true);
		for (int k = 0; k < 3; k++)
			numbered_wait_settled(&l[k], 800);
		/* Each half has what it can have. */
		for (int k = 0; k < 2; k++) {
			numbered_pump(&l[k]);
			numbered_wait_logged(&l[k], k == 0 ? 0x3 : 0x1c);
		}
		long here = numbered_judge(&l[0], 0x3, false, NULL).logged / 2;
		long there = numbered_judge(&l[0], 0x1c, false, NULL).logged / 3;
		require(here > there + 500, "the halves are not apart: %ld here, %ld there", here, there);
		set_halves(false);
	}
	require(l[2].unconfirmed > 0, "a minority gives a majority");
	judge(l, 3, what);
}
END_TEST

/* Not everyone sees everyone: what cannot go straight is pulled from one that has it, while the cut lasts. */
START_TEST(single_links_are_cut)
{
	static const struct { int from, to; bool both; } cuts[] = { { 0, 1, true }, { 0, 2, true }, { 3, 4, false },
		{ 4, 1, false } };
	enum { CUTS = sizeof cuts / sizeof *cuts };
	static const char *const what[] = { "0-1 cut", "0-2 cut", "3>4 cut", "4>1 cut" };
	if (!up_with_proxies())
		return;
	struct numbered l[CUTS];
	for (int k = 0; k < CUTS; k++) {
		set_cut(cuts[k].from, cuts[k].to, true);
		if (cuts[k].both)
			set_cut(cuts[k].to, cuts[k].from, true);
		numbered_init(&l[k], &rig, (char)('a' + k), 5, slow_count(300));
		l[k].steady = true;
		numbered_run(&l[k]);
		numbered_wait_logged(&l[k], 0);
		set_cut_both(cuts[k].from, cuts[k].to, false);
	}
	judge(l, CUTS, what);
}
END_TEST

/* A bad cable: all links of a member go and come. */
START_TEST(links_that_flap)
{
	static const char *const what[] = { "links that flap" };
	if (!up_with_proxies())
		return;
	struct numbered l;
	numbered_init(&l, &rig, 'a', 5, 200000);
	l.every_ms = 3;
	l.patience_ms = 2000;
	numbered_pump(&l);
	for (int i = 0; i < 12; i++) {
		for (int k = 0; k < MEMBERS; k++)
			if (k != i % 3)
				set_cut_both(i % 3, k, true);
		wait_while_running(100 + 150 * (i % 4));
		for (int k = 0; k < MEMBERS; k++)
			if (k != i % 3)
				set_cut_both(i % 3, k, false);
		wait_while_running(150);
	}
	judge(&l, 1, what);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, one_is_stopped_for_a_while);
	STORY_TEST(s, the_one_that_was_asked_is_stopped);
	STORY_TEST(s, links_break_in_the_middle_of_a_frame);
	STORY_TEST(s, single_links_are_cut);
	STORY_TEST(s, links_that_flap);
	STORY_TEST(s, two_halves);
}

int
main(void)
{
	return story_main("22-stop-and-cut", add);
}
