/* SPDX-License-Identifier: MIT
 * retry.c - a client's side of requests that run once: the same pair again, until there is a reply. One thread at a
 * time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "petrichor/conn.h"
#include "petrichor/header.h"
#include "petrichor/id.h"

struct pt_retry {
	struct pt_retry_options options;
	struct pt_conn  *conn;          /* NULL: none */
	size_t           unanswered;    /* what was sent over it and has no reply yet */
	struct pt_value  ident;         /* of the server that was spoken to last: a copy; null: it said none */
	char             id[PT_ID_TEXT];

	/* the request that is under way */
	struct header    header;
	const struct pt_value *body, *its_id;
	int64_t          until;
	unsigned         attempts;
	bool             sent;          /* to the server that ident is of, and no reply has come */
	int              wait_ms;

	/* The last one that was sent and has no reply: it may come again. */
	char             unsure[PT_ID_MOST];
	size_t           unsure_len;
	bool             denied;        /* conn is there for its verdict only */
};

struct pt_retry *
pt_retry_new(const struct pt_retry_options *options)
{
	struct pt_retry *r = calloc(1, sizeof *r);
	if (r == NULL)
		return NULL;
	r->options = *options;
	r->ident = (struct pt_value)PT_NULL_OF;
	return r;
}

static void
forget_ident(struct pt_retry *r)
{
	if (r->ident.type == PT_BYTES)
		free((char *)(uintptr_t)r->ident.bytes.at);
	r->ident = (struct pt_value)PT_NULL_OF;
}

void
pt_retry_free(struct pt_retry **in)
{
	struct pt_retry *r = *in;
	*in = NULL;
	if (r == NULL)
		return;
	pt_close(&r->conn);
	forget_ident(r);
	header_fini(&r->header);
	free(r);
}

const char *
pt_retry_id(const struct pt_retry *r)
{
	return r->id;
}

unsigned
pt_retry_attempts(const struct pt_retry *r)
{
	return r->attempts;
}

/* ---- time ---- */

/* The next one waits twice as long; all that wait for one server do not come at once. */
static void
wait_a_while(struct pt_retry *r)
{
	unsigned chance;
	int ms = r->wait_ms, left = conn_left(r->until), most = r->options.wait_most_ms;
	id_random(&chance, sizeof chance);
	r->wait_ms = ms < most / 2 ? ms * 2 : most;
	ms -= ms > 1 ? (int)(chance % ((unsigned)ms / 2 + 1)) : 0;
	if (left >= 0 && ms > left)
		ms = left;
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
	while (ms > 0 && nanosleep(&t, &t) < 0 && errno == EINTR)
		continue;
}

/* Until when one attempt may take. */
static int64_t
end_of_try(const struct pt_retry *r)
{
	int64_t until = conn_until(r->options.try_ms);
	return until < r->until ? until : r->until;
}

/* ---- connecting ---- */

/* Is it the server that the last one was? Remembers it. */
static int
meet(struct pt_retry *r, const struct pt_value *verdict, bool *same)
{
	const struct pt_value *ident = pt_get(verdict, "ident");
	bool has = ident != NULL && ident->type == PT_BYTES;
	*same = has ? pt_same(ident, &r->ident) : r->ident.type == PT_NULL;
	if (*same)
		return PT_OK;
	char *copy = has ? malloc(ident->bytes.len + 1) : NULL;
	if (has && copy == NULL)
		return PT_E_MEMORY;
	forget_ident(r);
	if (has) {
		memcpy(copy, ident->bytes.at, ident->bytes.len);
		r->ident = (struct pt_value)PT_BYTES_OF(copy, ident->bytes.len);
	}
	return PT_OK;
}

static int
connect_to(struct pt_retry *r, const struct pt_value **verdict, const struct pt_value **body)
{
	const struct pt_retry_options *o = &r->options;
	int ms = conn_left(end_of_try(r));
	*verdict = *body = NULL;
	if (o->connect != NULL)
		return o->connect(o->ctx, &r->conn, ms, verdict, body);
	return pt_connect(&r->conn, o->options, o->host, o->port, o->identity, o->identity_body, ms, verdict, body);
}

static void
hang_up(struct pt_retry *r)
{
	pt_close(&r->conn);
	r->unanswered = 0;
	r->denied = false;
}

static int
reach(struct pt_retry *r, const struct pt_value **header, const struct pt_value **body)
{
	const struct pt_value *verdict, *verdict_body;
	bool same;
	if (r->conn != NULL)
		return PT_OK;
	int e = connect_to(r, &verdict, &verdict_body);
	if (e != PT_OK) {
		hang_up(r);
		return e;
	}
	if (!pt_connect_allowed(verdict, r->options.flags & PT_STRICT)) {
		*header = verdict;
		*body = verdict_body;
		r->denied = true;
		return PT_E_DENIED;
	}
	e = meet(r, verdict, &same);
	if (e != PT_OK)
		hang_up(r);
	else if (r->sent && !same && (r->options.flags & PT_RERUN) == 0)
		e = PT_E_RESTARTED;
	return e;
}

/* ---- one attempt ---- */

/* What the connection's end, or a time too long, may cause: anything else would come back. */
static bool
may_pass(int e)
{
	return e == PT_CLOSED || e == PT_E_EMPTY || e == PT_E_TRUNC || e == PT_E_TRUNC_BODY || e == PT_E_IO ||
	    e == PT_E_TIMEOUT || e == PT_E_RESOLVE;
}

/* Is it for our request? Who knows no ids answers one after another. */
static bool
is_reply(struct pt_retry *r, const struct pt_value *header)
{
	const struct pt_value *id = pt_get(header, "pt.id");
	if (id != NULL && pt_same(id, r->its_id)) {
		r->unanswered = 0;
		return true;
	}
	bool last = r->unanswered == 1;
	if (!last)
		r->unanswered -= r->unanswered != 0;
	if (id != NULL || !last)
		return false;
	r->unanswered = 0;
	return true;
}

static int
try_once(struct pt_retry *r, const struct pt_value **header, const struct pt_value **body)
{
	int64_t until = end_of_try(r);
	struct patience patience = { until, -1, true };
	/* Even where sending fails the server may have got it all. */
	r->attempts++;
	r->unanswered++;
	r->sent = true;
	int e = conn_send(r->conn, until, &r->header.value, r->body);
	if (e != PT_OK)
		hang_up(r);
	while (e == PT_OK) {
		e = conn_recv(r->conn, &patience, header, body, NULL);
		if (e == PT_OK && is_reply(r, *header))
			break;
	}
	return e;
}

static bool
is_not_yet(const struct pt_value *header)
{
	const struct pt_value *why = pt_get(header, "pt.err");
	return pt_is_text(why, "in-progress") || pt_is_text(why, "busy");
}

/* ---- the whole ---- */

static int
begin(struct pt_retry *r, const struct pt_value *header, const struct pt_value *body, int timeout_ms)
{
	static const struct pt_value none = PT_DICT_OF(NULL, 0);
	if (r->denied)
		hang_up(r);
	r->until = conn_until(timeout_ms);
	r->attempts = 0;
	r->wait_ms = r->options.wait_ms;
	r->body = body;
	int e = header_begin(&r->header, header != NULL ? header : &none, 1);
	if (e != PT_OK)
		return e;
	r->its_id = pt_get(header, "pt.id");
	if (r->its_id == NULL) {
		pt_id(r->id);
		header_lead(&r->header, "pt.id", (struct pt_value)PT_BYTES_OF(r->id, PT_ID_TEXT - 1));
	} else if (r->its_id->type != PT_BYTES || r->its_id->bytes.len == 0 || r->its_id->bytes.len > PT_ID_MOST) {
		return PT_E_ARGUMENT;
	} else {
		r->id[0] = '\0';
	}
	r->its_id = pt_get(&r->header.value, "pt.id");
	r->sent = r->its_id->bytes.len == r->unsure_len && memcmp(r->its_id->bytes.at, r->unsure, r->unsure_len) == 0;
	return PT_OK;
}

/* Until there is a reply, or an error that another attempt cannot mend. */
static int
go_on(struct pt_retry *r, const struct pt_value **header, const struct pt_value **body)
{
	for (;;) {
		int e = reach(r, header, body);
		if (e == PT_E_DENIED || e == PT_E_RESTARTED)
			return e;
		if (e == PT_OK)
			e = try_once(r, header, body);
		if (e == PT_OK && !is_not_yet(*header))
			return PT_OK;
		bool late = conn_left(r->until) == 0;
		/* Ids tell a late reply from the next one's: the connection may stay, unless it stands within a frame. */
		bool stays = e == PT_OK || (e == PT_E_TIMEOUT && late && r->conn != NULL && r->conn->recv_error == PT_OK &&
		    r->conn->send_error == PT_OK);
		if (!stays)
			hang_up(r);
		if (e != PT_OK && !may_pass(e))
			return e;
		if (late)
			return PT_E_TIMEOUT;
		wait_a_while(r);
	}
}

int
pt_retry_request(struct pt_retry *r, const struct pt_value *header, const struct pt_value *body, int timeout_ms,
    const struct pt_value **reply_header, const struct pt_value **reply_body)
{
	const struct pt_value *h = NULL, *b = NULL;
	int e = begin(r, header, body, timeout_ms);
	if (e == PT_OK) {
		e = go_on(r, &h, &b);
		r->unsure_len = 0;
		if (r->sent && e != PT_OK) {
			r->unsure_len = r->its_id->bytes.len;
			memcpy(r->unsure, r->its_id->bytes.at, r->unsure_len);
		}
	}
	bool given = e == PT_OK || e == PT_E_DENIED;
	if (reply_header != NULL)
		*reply_header = given ? h : NULL;
	if (reply_body != NULL)
		*reply_body = given ? b : NULL;
	return e;
}
