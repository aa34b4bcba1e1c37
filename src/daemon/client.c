/* SPDX-License-Identifier: MIT
 * client.c - what the lines of a client mean (doc/protocol, section 2). Entered by the threads of client sessions. */
#include <string.h>

#include "daemon/server.h"
#include "daemon/session.h"

static bool
is(const struct line *l, const char *word)
{
	return l->len == strlen(word) && memcmp(l->text, word, l->len) == 0;
}

static void
client_line(struct session *s, const char *p, const struct line *l)
{
	(void)p;
	if (is(l, "keepAlive") || is(l, "keepalive")) {
		session_reply(s, "ack");
	} else if (is(l, "quit")) {
		session_reply(s, "ok");
		session_close(s);
	} else if (session_add(s, s->view->conf.member, l->text, l->len)) {
		stats_add(&s->server->stats.from_clients, 1);
	}
}

static void
client_flush(struct session *s)
{
	struct job *job = session_take(s);
	if (job != NULL)
		server_accept(s->server, s->view, job);
}

static int64_t
client_idle_ms(const struct view *v)
{
	return v->conf.client_idle_ms;
}

const struct session_kind client_kind = { 0, NULL, client_line, client_flush, client_idle_ms };
