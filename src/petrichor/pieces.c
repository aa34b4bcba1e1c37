/* SPDX-License-Identifier: MIT
 * pieces.c - bodies in pieces: pairs that share a pt.id, with pt.more true in all but the last. One thread at a time. */
#include <stdlib.h>
#include <string.h>

#include "petrichor/header.h"

/* ---- sending ---- */

int
pt_send_piece(struct pt_conn *c, const struct pt_value *header, const char *id, size_t id_len, const char *at, size_t n,
    bool more, int64_t total)
{
	struct header h = { .items = NULL };
	struct pt_value body = PT_BYTES_OF(at, n);
	if (id_len == 0 || id_len > PT_ID_MOST || total < -1)
		return PT_E_ARGUMENT;
	int e = header_begin(&h, header, 3);
	if (e == PT_OK) {
		header_lead(&h, "pt.id", (struct pt_value)PT_BYTES_OF(id, id_len));
		header_set(&h, "pt.more", (struct pt_value)PT_BOOL_OF(more));
		if (total >= 0)
			header_set(&h, "pt.total", (struct pt_value)PT_INT_OF(total));
		e = pt_send(c, &h.value, &body);
	}
	header_fini(&h);
	return e;
}

int
pt_send_pieces(struct pt_conn *c, const struct pt_value *header, const char *id, size_t id_len, const char *at, size_t n,
    size_t piece_bytes)
{
	int64_t total = (int64_t)n;
	if (piece_bytes == 0 || total < 0)
		return PT_E_ARGUMENT;
	for (;;) {
		size_t k = n < piece_bytes ? n : piece_bytes;
		int e = pt_send_piece(c, header, id, id_len, at, k, k < n, total);
		if (e != PT_OK || k == n)
			return e;
		at += k;
		n -= k;
		header = NULL;
		total = -1;
	}
}

/* ---- putting together ---- */

enum { ROOM_FIRST = 4096 };

struct open_body {
	struct open_body *next;
	char              id[PT_ID_MOST];
	size_t            id_len;
	uint64_t          got;
	int64_t           total;        /* -1: not said */
	/* NULL and 0 where pieces are handed on */
	char             *at;
	size_t            room;
	struct pt_value  *header;       /* of the first piece, a block of pt_decode's */
	size_t            header_size;
};

struct pt_pieces {
	struct pt_pieces_options options;
	int                      error;         /* final */
	struct open_body        *first;
	size_t                   open;
	size_t                   held;          /* bytes of all bodies and headers */
	struct open_body        *whole;         /* what was given last: freed by the next call */
	struct pt_value          body;
};

struct pt_pieces *
pt_pieces_new(const struct pt_pieces_options *options)
{
	static const struct pt_pieces_options usual = PT_PIECES_INIT;
	struct pt_pieces *p = calloc(1, sizeof *p);
	if (p != NULL)
		p->options = options != NULL ? *options : usual;
	return p;
}

static void
body_free(struct open_body *b)
{
	if (b == NULL)
		return;
	pt_free(&b->header);
	free(b->at);
	free(b);
}

static void
give_back(struct pt_pieces *p)
{
	if (p->whole == NULL)
		return;
	p->held -= (size_t)(p->options.piece == NULL ? p->whole->got : 0) + p->whole->header_size;
	body_free(p->whole);
	p->whole = NULL;
}

void
pt_pieces_free(struct pt_pieces **in)
{
	struct pt_pieces *p = *in;
	*in = NULL;
	if (p == NULL)
		return;
	while (p->first != NULL) {
		struct open_body *b = p->first;
		p->first = b->next;
		body_free(b);
	}
	body_free(p->whole);
	free(p);
}

size_t
pt_pieces_open(const struct pt_pieces *p)
{
	return p->open;
}

/* Against both bounds, before there is memory for it. */
static int
charge(struct pt_pieces *p, size_t n)
{
	if (n > p->options.open_bytes || p->held > p->options.open_bytes - n)
		return PT_E_LIMIT;
	p->held += n;
	return PT_OK;
}

/* The first piece's header, without the pieces' own keys but pt.id: its memory goes with the connection's next read. */
static int
keep_header(struct pt_pieces *p, struct open_body *b, const struct pt_value *from)
{
	static const struct pt_limits none = { PT_MOST, PT_MOST, SIZE_MAX, PT_MOST, PT_DEPTH_MOST };
	struct header h = { .items = NULL };
	char *frame = NULL;
	size_t size, kept = 0;
	int e = header_begin(&h, from, 0);
	for (size_t i = 0; e == PT_OK && i < h.value.items.len; i++) {
		if (pt_is_text(&h.items[2 * i], "pt.more") || pt_is_text(&h.items[2 * i], "pt.total"))
			continue;
		h.items[2 * kept] = h.items[2 * i];
		h.items[2 * kept++ + 1] = h.items[2 * i + 1];
	}
	h.value.items.len = kept;
	if (e == PT_OK)
		e = pt_measure(&h.value, &size);
	if (e == PT_OK)
		e = charge(p, size);
	if (e == PT_OK) {
		b->header_size = size;
		e = pt_encode_new(&h.value, 0, &frame, &size);
	}
	if (e == PT_OK)
		e = pt_decode(&b->header, frame, size, NULL, &none, PT_COPY, NULL);
	free(frame);
	header_fini(&h);
	return e;
}

static struct open_body **
find(struct pt_pieces *p, const struct pt_value *id)
{
	struct open_body **at = &p->first;
	while (*at != NULL && ((*at)->id_len != id->bytes.len || memcmp((*at)->id, id->bytes.at, id->bytes.len) != 0))
		at = &(*at)->next;
	return at;
}

static int
begin(struct pt_pieces *p, const struct pt_value *header, const struct pt_value *id)
{
	if (p->open >= p->options.open)
		return PT_E_LIMIT;
	struct open_body *b = calloc(1, sizeof *b);
	if (b == NULL)
		return PT_E_MEMORY;
	memcpy(b->id, id->bytes.at, id->bytes.len);
	b->id_len = id->bytes.len;
	b->total = -1;
	b->next = p->first;
	p->first = b;
	p->open++;
	return p->options.piece == NULL ? keep_header(p, b, header) : PT_OK;
}

/* Grows with what has come, whatever total says. */
static int
append(struct pt_pieces *p, struct open_body *b, const char *at, size_t n)
{
	int e = charge(p, n);
	if (e != PT_OK)
		return e;
	size_t had = (size_t)b->got, room = b->room != 0 ? b->room : ROOM_FIRST;
	if (n > b->room - had) {
		if (n > SIZE_MAX / 2 - had)
			return PT_E_MEMORY;
		while (room < had + n)
			room *= 2;
		char *more = realloc(b->at, room);
		if (more == NULL)
			return PT_E_MEMORY;
		b->at = more;
		b->room = room;
	}
	if (n != 0)
		memcpy(b->at + had, at, n);
	return PT_OK;
}

/* What total says: once, or the same again, and never less than there is. */
static int
check_total(const struct pt_pieces *p, struct open_body *b, const struct pt_value *total, size_t n, bool more)
{
	if (total != NULL) {
		if (total->type != PT_INT || total->integer < 0 || (b->total >= 0 && b->total != total->integer))
			return PT_E_ENCODING;
		b->total = total->integer;
	}
	if (b->total >= 0) {
		if ((uint64_t)b->total > p->options.body_bytes)
			return PT_E_LIMIT;
		if (p->options.piece == NULL && (uint64_t)b->total > p->options.open_bytes)
			return PT_E_LIMIT;
		if (b->got > (uint64_t)b->total)
			return PT_E_ENCODING;
		uint64_t left = (uint64_t)b->total - b->got;
		if (n > left || (!more && n != left))
			return PT_E_ENCODING;
	}
	return n > p->options.body_bytes || b->got > p->options.body_bytes - n ? PT_E_LIMIT : PT_OK;
}

static int
take(struct pt_pieces *p, struct open_body *b, const struct pt_value *header, const struct pt_value *body, bool more)
{
	struct pt_piece piece = { b->id, b->id_len, header, body->bytes.at, body->bytes.len, b->got, b->total, !more };
	int e = p->options.piece != NULL ? p->options.piece(p->options.ctx, &piece) :
	    append(p, b, body->bytes.at, body->bytes.len);
	if (e == PT_OK)
		b->got += body->bytes.len;
	return e;
}

static int
add_piece(struct pt_pieces *p, const struct pt_value *header, const struct pt_value *body,
    const struct pt_value **whole_header, const struct pt_value **whole_body)
{
	const struct pt_value *more = pt_get(header, "pt.more"), *id = pt_get(header, "pt.id");
	if (more->type != PT_BOOL || id == NULL || id->type != PT_BYTES || id->bytes.len == 0 || id->bytes.len > PT_ID_MOST)
		return PT_E_ENCODING;
	if (body == NULL || body->type != PT_BYTES)
		return PT_E_ENCODING;
	struct open_body **at = find(p, id);
	if (*at == NULL) {
		int e = begin(p, header, id);
		if (e != PT_OK)
			return e;
		at = &p->first;
	}
	struct open_body *b = *at;
	int e = check_total(p, b, pt_get(header, "pt.total"), body->bytes.len, more->boolean);
	if (e == PT_OK)
		e = take(p, b, header, body, more->boolean);
	if (e != PT_OK || more->boolean)
		return e;
	*at = b->next;
	p->open--;
	p->whole = b;
	if (p->options.piece == NULL) {
		p->body = (struct pt_value)PT_BYTES_OF(b->at, (size_t)b->got);
		*whole_header = b->header;
		*whole_body = &p->body;
	}
	return PT_OK;
}

int
pt_pieces_add(struct pt_pieces *p, const struct pt_value *header, const struct pt_value *body,
    const struct pt_value **whole_header, const struct pt_value **whole_body)
{
	*whole_header = *whole_body = NULL;
	if (p->error != PT_OK)
		return p->error;
	give_back(p);
	if (pt_get(header, "pt.more") == NULL) {
		*whole_header = header;
		*whole_body = body;
		return PT_OK;
	}
	/* Else the rest of a body could pass for a whole one. */
	return p->error = add_piece(p, header, body, whole_header, whole_body);
}
