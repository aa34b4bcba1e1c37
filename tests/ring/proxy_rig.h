/* SPDX-License-Identifier: MIT
 * proxy_rig.h - five members whose links go through a proxy, a process of its own, which can cut them.
 *
 * RINGID hashes names only, so that each member's ring file may name other addresses for its peers: in A's, B is at an
 * address of the link A-B, where the proxy listens; and since B knows A by the address that its own file names, the proxy
 * dials B from there. */
#ifndef ZOG_TESTS_PROXY_RIG_H
#define ZOG_TESTS_PROXY_RIG_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "harness.h"

enum { MEMBERS = 5, CONNS = 256, PIECE = 16384 };

static struct ring_rig rig;

/* ---- the proxy ---- */

/* One direction of dialling: what from sends to to, and the answers. Shared with the proxy. */
struct link_control {
	atomic_bool cut;                /* nothing passes, and nobody is told */
	atomic_long rate;               /* bytes in each 5 ms; 0: as many as come */
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

static inline const char *
proxy_host(int from, int to, char text[64])
{
	return rig_stranger(&rig, from * MEMBERS + to, text);
}

static inline void
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
static inline void
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
static inline size_t
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

static inline void
serve(struct pair *p)
{
	struct link_control *c = p->link;
	if (atomic_load(&c->cut))
		return;
	take(&p->near);
	take(&p->far);
	long left = atomic_load(&c->break_after), rate = atomic_load(&c->rate);
	size_t most = left >= 0 ? (size_t)left : SIZE_MAX;
	if (rate > 0) {
		/* Once for each turn of the loop, which then sleeps for the rest of them. */
		usleep(5000);
		most = (size_t)rate < most ? (size_t)rate : most;
	}
	size_t n = pass(&p->near, &p->far, most);
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

static inline void
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
	rig_addr(&target, rig.m[to].host, rig.m[to].peer_port);
	rig_addr(&self, proxy_host(to, from, host), 0);
	int far = p < pairs + CONNS ? net_connect(&target, &self, 1000) : -1;
	if (far < 0) {
		close(fd);
		return;
	}
	p->link = &control[from][to];
	p->near = (struct half){ .fd = fd };
	p->far = (struct half){ .fd = far };
}

static inline void
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

static inline void
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
			rig_addr(&a, proxy_host(i, k, host), rig.m[k].peer_port);
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
static inline void
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

/* ---- up, down, cut ---- */

static inline void
done(void)
{
	rig_stop_all(&rig);
	if (proxy_pid > 0) {
		kill(proxy_pid, SIGKILL);
		waitpid(proxy_pid, NULL, 0);
		munmap(control, sizeof *control * MEMBERS);
	}
	proxy_pid = 0;
	rig_down(&rig);
}

/* false: links cannot be told apart here. */
static inline bool
up_with_proxies(const char *conf)
{
	rig_make(&rig, MEMBERS, conf);
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

static inline void
set_cut(int from, int to, bool cut)
{
	atomic_store(&control[from][to].cut, cut);
}

static inline void
set_cut_both(int a, int b, bool cut)
{
	set_cut(a, b, cut);
	set_cut(b, a, cut);
}

#endif
