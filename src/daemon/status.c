/* SPDX-License-Identifier: MIT */
#include "daemon/status.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "config.h"
#include "daemon/logger_private.h"
#include "daemon/server.h"
#include "store/core_status.h"

enum {
	PATIENCE_MS = 3000,             /* for the logger */
	SILENT_MS = 500,                /* for a peer */
	NAP_MS = 2,
};

/* ---- rates ---- */

static const char *const rate_names[RATES] = { "from_clients", "from_peers", "logged", "forwarded" };

static void
rate_counts(struct server *s, uint64_t count[RATES])
{
	count[0] = stats_get(&s->stats.from_clients);
	count[1] = stats_get(&s->stats.from_peers);
	count[2] = stats_get(&s->stats.logged);
	count[3] = stats_get(&s->stats.forwarded);
}

void
rates_note(struct rates *r, struct server *s, int64_t now)
{
	unsigned i = r->next++ % (RATES_SECONDS + 1);
	r->at_ms[i] = now;
	rate_counts(s, r->count[i]);
}

static void
tell_rates(struct server *s, const struct rates *r, int64_t now, struct tree *t)
{
	uint64_t count[RATES];
	unsigned oldest = r->next % (RATES_SECONDS + 1);
	if (r->at_ms[oldest] == 0)
		oldest = 0;
	int64_t ms = r->at_ms[oldest] != 0 ? now - r->at_ms[oldest] : 0;
	rate_counts(s, count);
	tree_dict(t, "rates");
	tree_int(t, "over_ms", ms);
	for (int i = 0; i < RATES; i++)
		tree_count(t, rate_names[i], ms > 0 ? (count[i] - r->count[oldest][i]) * 1000 / (uint64_t)ms : 0);
	tree_end(t);
}

/* ---- what the logger's thread has ---- */

struct asked {
	struct core_status core;
	int                access_errno;
	bool               access_behind;
};

static void
look(struct logger *l, void *arg)
{
	struct asked *a = arg;
	core_status(l->core, &a->core);
	a->access_errno = l->access_errno;
	a->access_behind = access_behind(l->access);
}

/* NULL: it did not answer in time. */
static struct asked *
ask_logger(struct server *s)
{
	struct asked *a = calloc(1, sizeof *a);
	return a != NULL && logger_ask(s->logger, look, free, a, PATIENCE_MS) ? a : NULL;
}

static void
tell_streams(const struct core_status *c, const char *self, struct tree *t)
{
	tree_list(t, "streams");
	for (size_t i = 0; i < c->shown; i++) {
		const struct core_status_stream *s = &c->stream[i];
		tree_dict(t, NULL);
		tree_text(t, "origin", s->origin);
		tree_count(t, "epoch", s->epoch);
		tree_bool(t, "own", strcmp(s->origin, self) == 0);
		tree_count(t, "first", s->first);
		tree_count(t, "upto", s->upto);
		tree_count(t, "known", s->known);
		tree_count(t, "missing", s->missing);
		tree_count(t, "passed", s->passed);
		tree_end(t);
	}
	tree_end(t);
}

static void
tell_store(const struct asked *a, const struct conf *conf, struct tree *t)
{
	const struct core_status *c = &a->core;
	tell_streams(c, conf->member, t);
	tree_count(t, "streams_known", c->counts.streams);
	tree_count(t, "missing", c->missing);
	tree_count(t, "passed", c->passed);
	tree_dict(t, "journal");
	tree_count(t, "segments", c->journal.segments);
	tree_count(t, "bytes", c->journal.bytes);
	tree_int(t, "limit", conf->journal_limit);
	tree_count(t, "damaged", c->journal.damaged);
	tree_count(t, "syncs", c->journal.syncs);
	tree_text(t, "error", c->error != 0 ? strerror(c->error) : "");
	tree_end(t);
	tree_dict(t, "access_log");
	tree_bool(t, "behind", a->access_behind);
	tree_text(t, "error", a->access_errno != 0 ? strerror(a->access_errno) : "");
	tree_end(t);
}

/* ---- links ---- */

static const struct core_status_peer *
peer_of(const struct asked *a, const char *name)
{
	for (int i = 0; a != NULL && i < a->core.peers; i++)
		if (strcmp(a->core.peer[i].name, name) == 0)
			return &a->core.peer[i];
	return NULL;
}

/* A link on which nothing goes, since others pass on to that member, is up until its next keepAlive,
 * also to one that hangs. So
 * who lacks something is asked whether it is there; that also makes the link find out. A bit for each
 * that says nothing. */
static uint64_t
find_silent(const struct view *v, const struct asked *a)
{
	struct link_status l;
	uint64_t silent = 0, before[RING_MAX];
	int64_t began = clock_mono_ms(), us;
	for (int i = 0; i < v->conf.ring.size; i++) {
		const char *name = v->conf.ring.member[i].name;
		const struct core_status_peer *p = v->link[i] != NULL ? peer_of(a, name) : NULL;
		if (p == NULL || p->behind == 0)
			continue;
		link_status(v->link[i], &l);
		before[i] = link_ping(v->link[i]);
		if (l.up)
			silent |= UINT64_C(1) << i;
	}
	while (silent != 0 && clock_mono_ms() < began + SILENT_MS) {
		poll(NULL, 0, NAP_MS);
		for (int i = 0; i < v->conf.ring.size; i++) {
			if ((silent >> i & 1) == 0)
				continue;
			link_status(v->link[i], &l);
			if (l.answered_ms > began || link_pinged(v->link[i], before[i], &us))
				silent &= ~(UINT64_C(1) << i);
		}
	}
	return silent;
}

static void
tell_peer(const struct view *v, int place, const struct asked *a, bool silent, int64_t now, struct tree *t)
{
	struct link_status l;
	link_status(v->link[place], &l);
	const struct core_status_peer *p = peer_of(a, l.member->name);
	int64_t since = now - l.since_ms;
	tree_text(t, "state", l.state);
	tree_bool(t, "up", l.up);
	tree_bool(t, "plain", l.plain);
	tree_bool(t, "silent", silent);
	tree_bool(t, "other_ring", l.apart);
	tree_int(t, "since_ms", since > 0 ? since : 0);
	tree_count(t, "queue_messages", l.queue_messages);
	tree_count(t, "queue_bytes", l.queue_bytes);
	tree_int(t, "queue_limit", v->conf.queue_limit);
	if (p != NULL && p->heard) {
		tree_count(t, "behind", p->behind);
		tree_count(t, "ahead", p->ahead);
	}
	if (l.round_trip_us > 0)
		tree_int(t, "round_trip_us", l.round_trip_us);
	tree_count(t, "dropped", l.dropped);
	tree_text(t, "error", l.error);
}

static void
tell_members(const struct view *v, const struct asked *a, int64_t now, struct tree *t)
{
	uint64_t silent = find_silent(v, a);
	tree_list(t, "members");
	for (int i = 0; i < v->conf.ring.size; i++) {
		const struct member *m = &v->conf.ring.member[i];
		tree_dict(t, NULL);
		tree_text(t, "name", m->name);
		tree_text(t, "host", m->host);
		tree_int(t, "peer_port", m->peer_port);
		tree_bool(t, "self", v->link[i] == NULL);
		if (v->link[i] != NULL)
			tell_peer(v, i, a, silent >> i & 1, now, t);
		tree_end(t);
	}
	tree_end(t);
}

/* ---- the rest ---- */

static void
tell_disk(const char *what, const char *path, struct tree *t)
{
	struct statvfs f;
	if (statvfs(path, &f) < 0)
		return;
	tree_dict(t, NULL);
	tree_text(t, "what", what);
	tree_text(t, "path", path);
	tree_count(t, "free", (uint64_t)f.f_bavail * f.f_frsize);
	tree_count(t, "size", (uint64_t)f.f_blocks * f.f_frsize);
	tree_end(t);
}

static void
tell_counters(struct server *s, const struct asked *a, struct tree *t)
{
	tree_dict(t, "counters");
#define X(name, text) tree_count(t, #name, stats_get(&s->stats.name));
	STATS(X)
#undef X
	if (a != NULL) {
		const struct core_counts *c = &a->core.counts;
		tree_count(t, "stored", c->stored);
		tree_count(t, "late", c->late);
		tree_count(t, "lost", c->lost);
		tree_count(t, "wants", c->wants);
		tree_count(t, "answered", c->wanted);
		tree_count(t, "ahead_dropped", c->ahead_dropped);
	}
	tree_end(t);
}

static void
tell_self(struct server *s, const struct view *v, const struct asked *a, int64_t now, struct tree *t)
{
	char ring[16];
	const char *full = logger_full(s->logger);
	snprintf(ring, sizeof ring, "%08x", view_ring_id(v));
	tree_text(t, "program", "zogd");
	tree_text(t, "version", PACKAGE_VERSION);
	tree_int(t, "pid", getpid());
	tree_text(t, "member", v->conf.member);
	tree_int(t, "place", v->conf.self + 1);
	tree_int(t, "size", v->conf.ring.size);
	tree_text(t, "ring", ring);
	tree_text(t, "forwarding", v->conf.forwarding == ROUTE_V02 ? "v0.2" : "v0.2.2");
	tree_int(t, "digest_ms", v->conf.digest_ms);
	tree_int(t, "time_ms", now);
	tree_int(t, "up_ms", now > s->started_ms ? now - s->started_ms : 0);
	tree_text(t, "state", atomic_load(&s->stopping) ? "stopping" : a == NULL ? "the disk does not answer" :
	    full != NULL ? full : "serving");
	tree_bool(t, "serving", !atomic_load(&s->stopping) && a != NULL && full == NULL);
}

void
status_tell(struct server *s, const struct rates *r, struct tree *t)
{
	struct view *v = server_view(s);
	struct asked *a = ask_logger(s);
	int64_t now = clock_real_ms();
	tree_dict(t, NULL);
	tell_self(s, v, a, now, t);
	tell_members(v, a, now, t);
	if (a != NULL)
		tell_store(a, &v->conf, t);
	tree_dict(t, "clients");
	tree_int(t, "connected", sessions_count(s->clients, NULL));
	tree_int(t, "limit", v->conf.max_clients);
	tree_int(t, "peer_connections", sessions_count(s->peers, NULL));
	tree_end(t);
	tell_rates(s, r, clock_mono_ms(), t);
	tree_list(t, "disks");
	tell_disk("state-dir", v->conf.state_dir, t);
	tell_disk("log-dir", v->conf.log_dir, t);
	tree_end(t);
	tell_counters(s, a, t);
	tree_end(t);
	free(a);
	view_drop(&v);
}
