/* SPDX-License-Identifier: MIT
 * arrival.c - who is let in, and who has to go for that. Entered by the acceptors' threads. */
#include "daemon/arrival.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/server.h"
#include "daemon/session.h"

enum {
	/* Connections to the peer port: those of members, their successors, and some that have yet to open. */
	PEERS_EACH = 4,
	PEERS_MORE = 64,
	IDLE_PART = 15,                 /* of client-idle-timeout: then it may be closed for another's sake */
};

static void
refuse(struct server *s, int fd, const struct addr *from, const char *why)
{
	char text[80];
	snprintf(text, sizeof text, "error %s", why);
	session_refuse(fd, text);
	logger_limited(s->logger, from, why, why);
}

/* Who has said nothing for long goes first; who waits for an answer, or has not taken one, does not count as idle. */
static int64_t
worth_of_client(const struct session *s)
{
	bool idle = s->state == SESSION_ASLEEP && s->replies.len == 0 && s->out.len == 0 &&
	    clock_mono_ms() > s->alive_ms + s->view->conf.client_idle_ms / IDLE_PART;
	return idle ? s->alive_ms : INT64_MAX;
}

/* A member that has opened stays; of the others the oldest goes, who had the most time to open. */
static int64_t
worth_of_peer(const struct session *s)
{
	return atomic_load(&s->opened) ? INT64_MAX : s->began_ms;
}

/* A place for one more, taken from another. false: there is none to be had. */
static bool
make_room(struct server *s, struct sessions *all, sessions_worth *worth, atomic_uint_fast64_t *counter, const char *what)
{
	struct addr whose;
	if (!sessions_shed(all, worth, &whose))
		return false;
	stats_add(counter, 1);
	logger_limited(s->logger, &whose, what, what);
	return true;
}

void
arrival_client(struct server *s, int fd, const struct addr *from)
{
	struct view *v = server_view(s);
	const struct conf *c = &v->conf;
	const char *why = NULL;
	if (!view_allows_client(v, from))
		why = "not allowed";
	else if (c->max_clients_per_address != 0 && sessions_count(s->clients, from) >= c->max_clients_per_address)
		why = "too many clients";
	else if (c->max_clients != 0 && sessions_count(s->clients, NULL) >= c->max_clients &&
	    !make_room(s, s->clients, worth_of_client, &s->stats.clients_shed, "the longest idle, and too many clients: closed"))
		why = "too many clients";
	view_drop(&v);
	if (why != NULL) {
		stats_add(&s->stats.clients_refused, 1);
		refuse(s, fd, from, why);
		return;
	}
	if (sessions_start(s->clients, s, &client_kind, fd, from) < 0) {
		stats_add(&s->stats.clients_refused, 1);
		logger_limited(s->logger, from, "cannot serve", strerror(errno));
		return;
	}
	stats_add(&s->stats.clients_accepted, 1);
}

void
arrival_peer(struct server *s, int fd, const struct addr *from)
{
	struct view *v = server_view(s);
	const struct session_kind *kind = v->conf.secrets != NULL ? &peer_secret_kind : &peer_kind;
	const char *why = NULL;
	if (!view_allows_peer(v, from))
		why = "not a member";
	else if (sessions_count(s->peers, NULL) >= PEERS_EACH * v->conf.ring.size + PEERS_MORE &&
	    !make_room(s, s->peers, worth_of_peer, &s->stats.peers_shed, "not opened for the longest, and too many connections: closed"))
		why = "too many connections";
	if (why != NULL) {
		stats_add(&s->stats.peers_refused, 1);
		refuse(s, fd, from, why);
	} else if (sessions_start(s->peers, s, kind, fd, from) < 0) {
		stats_add(&s->stats.peers_refused, 1);
		logger_limited(s->logger, from, "cannot serve", strerror(errno));
	} else {
		stats_add(&s->stats.peers_accepted, 1);
		/* It lives: if we wait to dial it, we need not. With a secret it has to prove first who it is: a stranger is not to
		 * make us dial. */
		for (int i = 0; i < v->conf.ring.size && v->conf.secrets == NULL; i++)
			if (v->link[i] != NULL && link_is_from(v->link[i], from))
				link_poke(v->link[i]);
	}
	view_drop(&v);
}
