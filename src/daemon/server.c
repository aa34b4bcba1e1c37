/* SPDX-License-Identifier: MIT */
#include "daemon/server.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/diag.h"
#include "config.h"
#include "daemon/arrival.h"
#include "daemon/control.h"
#include "daemon/ranks.h"
#include "daemon/session.h"

enum {
	AWAITS_MS = 10 * 1000,
};

/* ---- what sessions call ---- */

struct view *
server_view(struct server *s)
{
	lock_acquire(&s->lock);
	struct view *v = view_ref(s->view);
	lock_release(&s->lock);
	return v;
}

bool
server_awaits(struct server *s, int64_t now)
{
	return now < atomic_load_explicit(&s->awaits_ms, memory_order_relaxed);
}

void
server_accept(struct server *s, struct view *v, struct job *job)
{
	struct frame *f = job->own.frame;
	const char *full = logger_full(s->logger);
	if (full != NULL) {
		/* Before anyone else gets it: what we cannot keep we do not send. */
		job->done(job, full);
		return;
	}
	logger_wait_room(s->logger);
	int64_t now = clock_mono_ms();
	job->own.entry.deadline_ms = now + v->conf.ack_timeout_ms;
	if (job->own.entry.level > 1)
		atomic_store_explicit(&s->awaits_ms, now + AWAITS_MS, memory_order_relaxed);
	lock_acquire(&s->origin);
	f->h.epoch = s->epoch;
	f->h.seq = s->next_seq;
	f->h.time_ms = clock_real_ms();
	s->next_seq += f->h.count;
	frame_seal(f);
	/* Forwarding comes before logging, always. */
	view_forward_own(v, f);
	logger_put(s->logger, job);
	lock_release(&s->origin);
}

void
server_relay(struct server *s, struct view *v, struct job *job, char wrap)
{
	logger_wait_room(s->logger);
	view_forward_frame(v, job->frame, wrap);
	logger_put(s->logger, job);
}

void
server_relay_plain(struct server *s, struct view *v, struct job *job, int sender, char wrap)
{
	struct frame *f = job->frame;
	logger_wait_room(s->logger);
	f->h.time_ms = clock_real_ms();
	frame_seal(f);
	view_forward_plain(v, f, sender, wrap);
	logger_put(s->logger, job);
}

uint64_t
server_epoch(struct server *s)
{
	lock_acquire(&s->origin);
	uint64_t epoch = s->epoch;
	lock_release(&s->origin);
	return epoch;
}

uint64_t
server_new_epoch(struct server *s, uint64_t least)
{
	int64_t now = clock_real_ms();
	lock_acquire(&s->origin);
	/* Above every one that ever was, whatever the clock says. Where it is behind, chance keeps us from taking twice what an
	 * earlier life took after the same news, and used without leaving a trace here. */
	uint32_t chance = 0;
	if (getrandom(&chance, sizeof chance, 0) < 0)
		chance = (uint32_t)now;
	s->epoch = now > 0 && (uint64_t)now >= least ? (uint64_t)now : least + (chance & 0xfffff);
	s->next_seq = 1;
	uint64_t epoch = s->epoch;
	lock_release(&s->origin);
	return epoch;
}

/* ---- what the logger calls ---- */

static struct link *
link_to(const struct view *v, const char *name)
{
	int place = view_place(v, name);
	return place >= 0 ? v->link[place] : NULL;
}

void
server_answer(struct server *s, const char *name, struct frame *f)
{
	struct view *v = server_view(s);
	struct link *l = link_to(v, name);
	if (l != NULL)
		link_put_answer(l, f);
	view_drop(&v);
}

void
server_tell(struct server *s, const char *name, const char *line)
{
	struct view *v = server_view(s);
	struct link *l = link_to(v, name);
	if (l != NULL)
		link_put_line(l, line);
	view_drop(&v);
}

/* ---- opening ---- */

/* Opens one listening port; -1 after saying why. */
static int
open_port(struct acceptor **out, const struct addr *addr, const char *what)
{
	char text[ADDR_TEXT];
	*out = acceptor_open(addr);
	if (*out != NULL)
		return 0;
	addr_text(addr, text);
	diag("cannot listen for %s on %s: %s", what, text, strerror(errno));
	return -1;
}

/* All ports of one kind: the addresses that were set, else our own with the ring's port. */
static int
open_ports(const struct view *v, const struct conf_listen *l, uint16_t own_port, const char *what,
    struct acceptor **out, int *count)
{
	for (int i = 0; l->count == 0 && i < v->owns; i++) {
		struct addr a = v->own[i];
		addr_set_port(&a, own_port);
		if (open_port(&out[(*count)++], &a, what) < 0)
			return -1;
	}
	for (int i = 0; i < l->count; i++) {
		struct addr a;
		const char *why;
		if (net_resolve(l->host[i], (uint16_t)l->port[i], false, &a, 1, &why) == 0) {
			diag("cannot listen for %s on %s: %s", what, l->host[i], why);
			return -1;
		}
		if (open_port(&out[(*count)++], &a, what) < 0)
			return -1;
	}
	return 0;
}

int
server_open(struct server *s, const struct conf_source *source, struct conf *conf, int verbose, int uid, int gid)
{
	memset(s, 0, sizeof *s);
	s->source = *source;
	s->started_ms = clock_real_ms();
	lock_init(&s->lock, RANK_SERVER);
	lock_cond_init(&s->reloaded);
	lock_init(&s->origin, RANK_ORIGIN);
	probes_init(&s->probes);
	compare_init(&s->compare, s);
	const char *why = NULL;
	s->view = view_new(s, conf, NULL, &why);
	if (s->view == NULL) {
		diag("cannot find our own address: %s", why);
		return EX_CONFIG;
	}
	const struct conf *c = &s->view->conf;
	s->logger = logger_open(s, c, verbose, (uid_t)uid, (gid_t)gid);
	if (s->logger == NULL)
		return EX_CANTCREAT;
	logger_begin(s->logger, server_new_epoch(s, logger_last_epoch(s->logger) + 1));
	s->clients = sessions_new();
	s->peers = sessions_new();
	if (s->clients == NULL || s->peers == NULL) {
		diag("cannot start: %s", strerror(errno));
		return EX_OSERR;
	}
	const struct member *self = &c->ring.member[c->self];
	if (open_ports(s->view, &c->listen_peers, self->peer_port, "peers", s->peer_port, &s->peer_ports) < 0 ||
	    open_ports(s->view, &c->listen_clients, self->client_port, "clients", s->client_port,
	    &s->client_ports) < 0)
		return EX_OSERR;
	/* Without it the ring is served all the same. */
	if (c->control != NULL)
		s->control = control_open(s, c->control, (uid_t)uid, (gid_t)gid);
	return EX_OK;
}

/* ---- starting and stopping ---- */

static void
announce(struct server *s)
{
	const struct conf *c = &s->view->conf;
	logger_say(s->logger, "zogd", "started: version %s, member %s, place %d of %d, forwarding %s", PACKAGE_VERSION,
	    c->member, c->self + 1, c->ring.size, c->forwarding == ROUTE_V02 ? "v0.2" : "v0.2.2");
	struct addr a;
	char text[ADDR_TEXT];
	for (int i = 0; i < s->peer_ports; i++) {
		acceptor_addr(s->peer_port[i], &a);
		addr_text(&a, text);
		logger_say(s->logger, "zogd", "listening for peers on %s", text);
	}
	for (int i = 0; i < s->client_ports; i++) {
		acceptor_addr(s->client_port[i], &a);
		addr_text(&a, text);
		logger_say(s->logger, "zogd", "listening for clients on %s", text);
	}
}

int
server_start(struct server *s)
{
	const char *what = "logger";
	int rc = logger_start(s->logger);
	if (rc == 0)
		announce(s);
	for (int i = 0; rc == 0 && i < s->view->conf.ring.size; i++)
		if (s->view->link[i] != NULL)
			rc = link_start(s->view->link[i]);
	for (int i = 0; rc == 0 && i < s->peer_ports; i++)
		rc = acceptor_start(s->peer_port[i], s, s->logger, s->peers, arrival_peer);
	for (int i = 0; rc == 0 && i < s->client_ports; i++)
		rc = acceptor_start(s->client_port[i], s, s->logger, s->clients, arrival_client);
	if (rc == 0 && s->control != NULL)
		rc = control_start(s->control);
	if (rc == 0)
		return EX_OK;
	diag("cannot start a thread (%s): %s", what, strerror(errno));
	return EX_OSERR;
}

void
server_stop(struct server *s)
{
	int64_t drain_ms = s->view->conf.drain_ms;
	logger_say(s->logger, "zogd", "stopping");
	lock_acquire(&s->lock);
	atomic_store(&s->stopping, true);
	pthread_cond_broadcast(&s->reloaded);
	lock_release(&s->lock);
	/* Nobody new comes in: who dials now is refused, and goes to another member. */
	for (int i = 0; i < SERVER_ACCEPTORS; i++) {
		if (s->client_port[i] != NULL)
			acceptor_stop(s->client_port[i]);
		if (s->peer_port[i] != NULL)
			acceptor_stop(s->peer_port[i]);
		acceptor_free(&s->client_port[i]);
		acceptor_free(&s->peer_port[i]);
	}
	sessions_stop(s->clients);
	/* Peers are still listened to while our queues empty: when all members stop at once, they empty into each
	 * other. All are asked before one is waited for. */
	for (int i = 0; i < RING_MAX; i++)
		if (s->view->link[i] != NULL)
			link_ask_stop(s->view->link[i], drain_ms);
	for (int i = 0; i < RING_MAX; i++)
		if (s->view->link[i] != NULL)
			link_join(s->view->link[i]);
	sessions_stop(s->peers);
	control_stop(s->control);
	compare_stop(&s->compare);
	server_report(s);
	logger_say(s->logger, "zogd", "stopped");
	logger_stop(s->logger);
}

void
server_hurry(struct server *s)
{
	for (int i = 0; i < RING_MAX; i++)
		if (s->view->link[i] != NULL)
			link_ask_stop(s->view->link[i], 0);
}

void
server_close(struct server *s)
{
	for (int i = 0; i < SERVER_ACCEPTORS; i++) {
		acceptor_free(&s->client_port[i]);
		acceptor_free(&s->peer_port[i]);
	}
	control_close(&s->control);
	sessions_free(&s->clients);
	sessions_free(&s->peers);
	view_drop(&s->view);
	logger_free(&s->logger);
	pthread_cond_destroy(&s->reloaded);
	lock_fini(&s->lock);
	lock_fini(&s->origin);
	probes_fini(&s->probes);
	compare_fini(&s->compare);
}

/* ---- while it runs ---- */

void
server_report(struct server *s)
{
	struct view *v = server_view(s);
	struct buf b = BUF_INIT;
	for (int i = 0; i < v->conf.ring.size; i++) {
		if (v->link[i] == NULL)
			continue;
		buf_clear(&b);
		link_report(v->link[i], &b);
		if (buf_put(&b, "", 1))
			logger_say(s->logger, "zogd", "report: link %s", b.data);
	}
#define X(name, text) logger_say(s->logger, "zogd", "report: %s %llu", #name, \
	    (unsigned long long)stats_get(&s->stats.name));
	STATS(X)
#undef X
	logger_say(s->logger, "zogd", "report: connected clients %d, peers %d", sessions_count(s->clients, NULL),
	    sessions_count(s->peers, NULL));
	logger_report(s->logger);
	buf_fini(&b);
	view_drop(&v);
}
