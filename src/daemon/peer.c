/* SPDX-License-Identifier: MIT
 * peer.c - what the lines of a member mean, in the plain form (doc/protocol, section 3). Entered by the threads of
 * peer sessions. */
#include <string.h>

#include "daemon/server.h"
#include "daemon/session.h"

/* The ring may have been changed by HUP since the last turn: who is this now? */
static void
peer_turn(struct session *s)
{
	s->place = view_member_from(s->view, &s->addr);
	if (s->place != VIEW_STRANGER)
		return;
	session_reply(s, "error not a member");
	session_close(s);
}

static void
peer_flush(struct session *s)
{
	struct job *job = session_take(s);
	if (job != NULL)
		server_relay(s->server, s->view, job, s->place, s->batch_wrap);
}

/* Whose line it is, as access.log shows it. */
static const char *
sender_name(const struct session *s)
{
	return s->place >= 0 ? s->view->conf.ring.member[s->place].name : "-";
}

static void
peer_line(struct session *s, const char *p, const struct line *l)
{
	static const char keep_alive[] = "keepAlive\r\n";
	if (l->size == sizeof keep_alive - 1 && (memcmp(p, keep_alive, l->size) == 0 ||
	    memcmp(p, "keepalive\r\n", l->size) == 0)) {
		session_reply(s, "ack");
		return;
	}
	if (p[0] < '0' || p[0] > '2') {
		session_bad(s, "bad wrapping byte", p, l->size);
		return;
	}
	if (p[0] != s->batch_wrap)
		peer_flush(s);
	s->batch_wrap = p[0];
	if (session_add(s, sender_name(s), l->text, l->len))
		stats_add(&s->server->stats.from_peers, 1);
}

static int64_t
peer_idle_ms(const struct view *v)
{
	return v->conf.keep_alive_ms * 5 / 2;
}

const struct session_kind peer_kind = { 1, peer_turn, peer_line, peer_flush, peer_idle_ms };
