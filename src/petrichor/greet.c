/* SPDX-License-Identifier: MIT
 * greet.c - the first pair of each side: the identity and the verdict. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "petrichor/coding.h"
#include "petrichor/conn.h"

/* A program whose end was the end of the stream before it said a word has failed, whatever way that showed. */
static int
blame_child(struct pt_conn *c, int e)
{
	if (c->child > 0 && (e == PT_CLOSED || (e == PT_E_IO && c->io_errno == ECONNRESET))) {
		c->io_errno = EPIPE;
		c->recv_error = PT_E_IO;
		return PT_E_IO;
	}
	return e;
}

int
conn_greet(struct pt_conn *c, int64_t until, const struct pt_value *identity, const struct pt_value *body,
	const struct pt_value **verdict, const struct pt_value **verdict_body)
{
	static const struct pt_value nobody = PT_DICT_OF(NULL, 0);
	struct patience p = { until, -1, true };
	const struct pt_value *heard;
	int e = PT_OK;
	if (verdict != NULL)
		*verdict = NULL;
	if (verdict_body != NULL)
		*verdict_body = NULL;
	identity = identity != NULL ? identity : &nobody;
	if (c->coding != NULL && identity->type == PT_DICT)
		e = coding_offer(c->coding, identity, &identity);
	if (e == PT_OK)
		e = conn_send(c, until, identity, body);
	if (e == PT_OK)
		e = conn_recv(c, &p, &heard, verdict_body, NULL);
	if (e == PT_E_TIMEOUT)
		c->recv_error = e;
	if (e != PT_OK)
		return blame_child(c, e);
	if (c->coding != NULL)
		coding_heard(c->coding, heard);
	if (verdict != NULL)
		*verdict = heard;
	return PT_OK;
}

int
pt_greet(struct pt_conn *c, const struct pt_value *identity, const struct pt_value *body, int timeout_ms,
	const struct pt_value **verdict, const struct pt_value **verdict_body)
{
	return conn_greet(c, conn_until(timeout_ms), identity, body, verdict, verdict_body);
}

bool
pt_connect_allowed(const struct pt_value *verdict, int flags)
{
	if (verdict == NULL || verdict->type != PT_DICT)
		return false;
	const struct pt_value *allowed = pt_get(verdict, "allowed");
	if (allowed == NULL)
		return (flags & PT_STRICT) == 0;
	return allowed->type == PT_BOOL && allowed->boolean;
}

int
pt_accept(struct pt_conn *c, int timeout_ms, const struct pt_value **identity, const struct pt_value **body)
{
	struct patience p = { conn_until(timeout_ms), -1, true };
	const struct pt_value *heard;
	int e = conn_recv(c, &p, &heard, body, NULL);
	if (e == PT_OK && c->coding != NULL)
		coding_heard(c->coding, heard);
	if (identity != NULL)
		*identity = heard;
	return e;
}

/* The caller's header stays as it is: the verdict is a copy of its top. */
static int
send_verdict(struct pt_conn *c, const struct pt_value *header, const struct pt_value *body, bool allowed)
{
	static const struct pt_value nothing = PT_DICT_OF(NULL, 0), key = PT_TEXT("allowed");
	const struct pt_value yes_or_no = PT_BOOL_OF(allowed);
	header = header != NULL ? header : &nothing;
	if (header->type != PT_DICT)
		return PT_E_ARGUMENT;
	size_t n = header->items.len, i = 0;
	if (n > PT_MOST)
		return PT_E_LIMIT;
	struct pt_value *copy = malloc((2 * n + 2) * sizeof *copy);
	if (copy == NULL)
		return PT_E_MEMORY;
	if (n != 0)
		memcpy(copy, header->items.at, 2 * n * sizeof *copy);
	while (i < n && !pt_is_text(&copy[2 * i], "allowed"))
		i++;
	copy[2 * i] = key;
	copy[2 * i + 1] = yes_or_no;
	struct pt_value verdict = PT_DICT_OF(copy, i < n ? n : n + 1);
	const struct pt_value *said = &verdict;
	int e = PT_OK;
	if (c->coding != NULL)
		e = coding_offer(c->coding, said, &said);
	if (e == PT_OK)
		e = conn_send(c, conn_until(c->options.frame_ms), said, body);
	free(copy);
	return e;
}

int
pt_peer_allowed(struct pt_conn *c, const struct pt_value *header, const struct pt_value *body)
{
	return send_verdict(c, header, body, true);
}

int
pt_peer_denied(struct pt_conn *c, const struct pt_value *header, const struct pt_value *body)
{
	return send_verdict(c, header, body, false);
}
