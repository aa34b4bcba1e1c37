/* SPDX-License-Identifier: MIT
 * control_read.c - messages on the control socket: those of the journal (cat), and those that come
 * (tail). Entered by the threads of
 * its connections. The journal is read beside the logger, which never waits for that. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "daemon/control_private.h"
#include "daemon/logger_private.h"
#include "daemon/tails.h"
#include "store/lines.h"
#include "store/reader.h"

enum {
	PIECE_BYTES = 64 * 1024,
	LOGGER_MS = 5000,
	LOOK_MS = 500,                  /* a client that has gone is noticed within that */
};

/* ---- cat ---- */

static void
take_end(struct logger *l, void *arg)
{
	struct journal_pos *end = arg;
	*end = journal_end(core_journal(l->core));
}

/* How far the journal can be read now. false: the logger does not answer. */
static bool
end_of_journal(struct control_conn *c, struct journal_pos *end)
{
	struct journal_pos *at = malloc(sizeof *at);
	if (at == NULL || !logger_ask(c->control->server->logger, take_end, free, at, LOGGER_MS))
		return false;
	*end = *at;
	free(at);
	return true;
}

struct cat {
	struct control_conn *conn;
	struct buf           out;
	int64_t              since_ms;
	char                 origin[RING_NAME + 1];     /* "": all */
	int                  sent;                      /* what pt_send said */
};

static bool
cat_frame(void *arg, const struct frame_head *h, const char *body)
{
	struct cat *c = arg;
	bool message = text_same(h->kind, "data") || text_same(h->kind, "plain");
	if (!message || h->time_ms < c->since_ms || (c->origin[0] != '\0' && strcmp(c->origin, h->origin) != 0))
		return !atomic_load(&c->conn->control->stop);
	if (!lines_render(&c->out, h, body, NULL, 0)) {
		c->sent = PT_E_MEMORY;
		return false;
	}
	if (c->out.len < PIECE_BYTES)
		return true;
	c->sent = control_piece(c->conn, &c->out, true, 0);
	buf_clear(&c->out);
	return c->sent == PT_OK && !atomic_load(&c->conn->control->stop);
}

int
control_cat(struct control_conn *conn, const struct pt_value *header)
{
	struct cat c = { .conn = conn };
	struct journal_pos end;
	const struct pt_value *since = pt_get(header, "since");
	if (since != NULL && since->type == PT_INT)
		c.since_ms = since->integer;
	if (pt_get(header, "origin") != NULL && (!control_text(header, "origin", c.origin, sizeof c.origin) ||
	    !ring_name_ok(c.origin)))
		return control_fail(conn, "bad-argument", "no member's name");
	if (!end_of_journal(conn, &end))
		return control_fail(conn, "no-answer", "the disk does not answer");
	struct view *v = server_view(conn->control->server);
	const struct reader_ops ops = { .arg = &c, .good = cat_frame };
	int rc = reader_scan(v->conf.state_dir, end, &ops), error = errno;
	view_drop(&v);
	if (rc < 0)
		c.sent = control_fail(conn, "not-readable", "cannot read the journal: %s", strerror(error));
	else if (c.sent == PT_OK && atomic_load(&conn->control->stop))
		c.sent = control_fail(conn, "stopping", "it stops: this is not all");
	else if (c.sent == PT_OK)
		c.sent = control_piece(conn, &c.out, false, 0);
	buf_fini(&c.out);
	return c.sent;
}

/* ---- tail ---- */

int
control_tail(struct control_conn *c, const struct pt_value *header)
{
	struct tails *all = logger_tails(c->control->server->logger);
	struct tail *t = tails_join(all);
	struct buf lines = BUF_INIT;
	uint64_t lost = 0;
	(void)header;
	if (t == NULL)
		return control_fail(c, "no-memory", "out of memory");
	/* At once, so that the client knows from where on it is told. */
	int e = control_piece(c, &lines, true, 0);
	while (e == PT_OK && !control_over(c)) {
		tails_take(all, t, &lines, &lost, clock_mono_ms() + LOOK_MS);
		if (lines.len != 0 || lost != 0)
			e = control_piece(c, &lines, true, lost);
		buf_clear(&lines);
	}
	tails_leave(all, &t);
	if (e == PT_OK)
		e = control_piece(c, &lines, false, 0);
	buf_fini(&lines);
	return e;
}
