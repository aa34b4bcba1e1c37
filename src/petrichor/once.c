/* SPDX-License-Identifier: MIT
 * once.c - a server's side of requests that run once: the table of dedupe.c, and the answers that it can give by itself.
 * One thread for each connection; the table is shared. */
#include <stdlib.h>
#include <string.h>

#include "petrichor/header.h"

static bool
is_id(const struct pt_value *v)
{
	return v != NULL && v->type == PT_BYTES && v->bytes.len >= 1 && v->bytes.len <= PT_ID_MOST;
}

int
pt_fail(struct pt_conn *c, const struct pt_value *header, const char *code, const char *text)
{
	struct header h = { .items = NULL };
	const struct pt_value *id = pt_get(header, "pt.id");
	struct pt_value body = PT_BYTES_OF(text, text != NULL ? strlen(text) : 0);
	int e = header_begin(&h, NULL, 2);
	if (e != PT_OK)
		return e;
	if (is_id(id))
		header_set(&h, "pt.id", *id);
	header_text(&h, "pt.err", code, strlen(code));
	e = pt_send(c, &h.value, &body);
	header_fini(&h);
	return e;
}

/* What was answered before, and pt.dup. */
static int
replay(struct pt_conn *c, const struct pt_run *run)
{
	static const struct pt_limits none = { PT_MOST, PT_MOST, SIZE_MAX, PT_MOST, PT_DEPTH_MOST };
	struct header h = { .items = NULL };
	struct pt_value *header, body = { .type = PT_FRAME, .bytes = { run->reply + run->header_size, run->body_size } };
	int e = pt_decode(&header, run->reply, run->header_size, NULL, &none, 0, NULL);
	if (e != PT_OK)
		return e;
	e = header_begin(&h, header, 1);
	if (e == PT_OK) {
		header_set(&h, "pt.dup", (struct pt_value)PT_BOOL_OF(true));
		e = pt_send(c, &h.value, &body);
	}
	header_fini(&h);
	pt_free(&header);
	return e;
}

int
pt_once_begin(struct pt_dedupe *d, struct pt_conn *c, const char *peer, size_t peer_len, const struct pt_value *header,
    const struct pt_value *body, struct pt_run *run)
{
	const struct pt_value *id = pt_get(header, "pt.id");
	*run = (struct pt_run){ .outcome = PT_NEW };
	if (id == NULL)
		return PT_OK;
	if (!is_id(id)) {
		run->outcome = PT_REUSED;
		return pt_fail(c, header, "bad-id", "a pt.id has 1 to 64 bytes");
	}
	int e = pt_dedupe_begin(d, peer, peer_len, header, body, run);
	if (e != PT_OK)
		return e;
	switch (run->outcome) {
	case PT_REPLAY:
		e = replay(c, run);
		free(run->reply);
		run->reply = NULL;
		return e;
	case PT_RUNNING:
		return pt_fail(c, header, "in-progress", "the request is still running");
	case PT_REUSED:
		return pt_fail(c, header, "id-reused", "the id is another request's");
	case PT_GONE:
		return pt_fail(c, header, "reply-gone", "the request has run, its reply was not kept");
	case PT_FULL:
		return pt_fail(c, header, "busy", "too many requests are running");
	case PT_NEW:
		break;
	}
	return PT_OK;
}

int
pt_once_reply(struct pt_conn *c, struct pt_run *run, const struct pt_value *header, const struct pt_value *body)
{
	struct header h = { .items = NULL };
	int e = header_begin(&h, header, 1);
	if (e == PT_OK && run->id_len != 0)
		header_lead(&h, "pt.id", (struct pt_value)PT_BYTES_OF(run->id, run->id_len));
	/* Kept before it is sent: who cannot be reached now asks again. A reply that cannot be kept is still one, and what has
	 * run is done even without one. */
	if (run->dedupe != NULL) {
		int kept = pt_dedupe_finish(run, &h.value, body);
		if (e == PT_OK && kept != PT_E_MEMORY)
			e = kept;
	}
	if (e == PT_OK)
		e = pt_send(c, &h.value, body);
	header_fini(&h);
	return e;
}

int
pt_once_fail(struct pt_conn *c, struct pt_run *run, const char *code, const char *text)
{
	struct pt_value pairs[] = { PT_TEXT("pt.id"), PT_BYTES_OF(run->id, run->id_len) };
	struct pt_value header = PT_DICT_OF(pairs, 1);
	pt_dedupe_abort(run);
	return pt_fail(c, &header, code, text);
}
