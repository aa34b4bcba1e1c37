/* SPDX-License-Identifier: MIT
 * coding.c - bodies packed, one message at a time: pt.accept says what a peer takes, pt.enc in what a body is packed, and
 * pt.len how long its frame was. One thread at a time, as for the connection that it belongs to. */
#include "petrichor/coding.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "petrichor/conn.h"
#include "petrichor/header.h"
#include "petrichor/lz4.h"

enum {
	BODY_LEAST = 64,                /* a smaller payload goes as it is */
	HEADER_MOST = 65536,            /* what peers take, as far as we know */
	NAME_MOST = 64,
	KEPT = 64 * 1024,               /* buffers over this are given back */
	PREFIX_MOST = 10                /* 9 digits and the colon */
};

struct buffer {
	char  *at;
	size_t room;
};

struct coding {
	/* constant after coding_new */
	struct pt_coding       *codings;
	struct pt_value        *names;
	size_t                  count;

	bool                    offered;        /* the peer knows what we take */
	const struct pt_coding *use;            /* what we take and the peer, too; NULL: nothing */
	struct header           sent, offer;
	struct buffer           packed, unpacked;
};

static size_t
lz4_pack_any(void *ctx, const char *from, size_t n, char *to, size_t room)
{
	(void)ctx;
	return lz4_pack(from, n, to, room);
}

static bool
lz4_unpack_any(void *ctx, const char *from, size_t n, char *to, size_t size)
{
	(void)ctx;
	return lz4_unpack(from, n, to, size) == LZ4_GOOD;
}

const struct pt_coding *
pt_lz4(void)
{
	static const struct pt_coding lz4 = { "lz4", lz4_pack_any, lz4_unpack_any, NULL, LZ4_RATIO };
	return &lz4;
}

/* Room for n bytes, whose old contents are gone. */
static bool
buffer_make(struct buffer *b, size_t n)
{
	if (b->room >= n && b->room <= KEPT)
		return true;
	free(b->at);
	b->at = malloc(n);
	b->room = b->at != NULL ? n : 0;
	return b->at != NULL;
}

/* ---- which there are ---- */

static bool
names_are_good(const struct pt_coding *const *codings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct pt_coding *c = codings[i];
		if (c == NULL || c->name == NULL || c->pack == NULL || c->unpack == NULL)
			return false;
		if (c->name[0] == '\0' || strlen(c->name) > NAME_MOST)
			return false;
		for (size_t k = 0; k < i; k++)
			if (strcmp(codings[k]->name, c->name) == 0)
				return false;
	}
	return true;
}

int
coding_new(struct coding **out, const struct pt_coding *const *codings, size_t count)
{
	*out = NULL;
	if (count == 0 || count > 64 || !names_are_good(codings, count))
		return PT_E_ARGUMENT;
	struct coding *c = calloc(1, sizeof *c);
	if (c == NULL)
		return PT_E_MEMORY;
	c->codings = calloc(count, sizeof *c->codings);
	c->names = calloc(count, sizeof *c->names);
	if (c->codings == NULL || c->names == NULL) {
		coding_free(&c);
		return PT_E_MEMORY;
	}
	for (size_t i = 0; i < count; i++) {
		c->codings[i] = *codings[i];
		c->names[i] = (struct pt_value)PT_BYTES_OF(codings[i]->name, strlen(codings[i]->name));
	}
	c->count = count;
	*out = c;
	return PT_OK;
}

void
coding_free(struct coding **in)
{
	struct coding *c = *in;
	*in = NULL;
	if (c == NULL)
		return;
	header_fini(&c->sent);
	header_fini(&c->offer);
	free(c->packed.at);
	free(c->unpacked.at);
	free(c->codings);
	free(c->names);
	free(c);
}

int
pt_conn_codings(struct pt_conn *conn, const struct pt_coding *const *codings, size_t count)
{
	struct coding *c = NULL;
	if (count != 0) {
		int e = coding_new(&c, codings, count);
		if (e != PT_OK)
			return e;
	}
	coding_free(&conn->coding);
	conn->coding = c;
	return PT_OK;
}

/* ---- what the peers say of themselves ---- */

int
coding_offer(struct coding *c, const struct pt_value *header, const struct pt_value **offered)
{
	int e = header_begin(&c->offer, header, 1);
	if (e != PT_OK)
		return e;
	header_lead(&c->offer, "pt.accept", (struct pt_value)PT_LIST_OF(c->names, c->count));
	c->offered = true;
	*offered = &c->offer.value;
	return PT_OK;
}

static bool
is_name(const struct pt_value *v, const struct pt_value *name)
{
	return v->type == PT_BYTES && v->bytes.len == name->bytes.len && memcmp(v->bytes.at, name->bytes.at, v->bytes.len) == 0;
}

void
coding_heard(struct coding *c, const struct pt_value *header)
{
	const struct pt_value *list = pt_get(header, "pt.accept");
	c->use = NULL;
	if (list == NULL || list->type != PT_LIST)
		return;
	for (size_t i = 0; i < c->count && c->use == NULL; i++)
		for (size_t k = 0; k < list->items.len; k++)
			if (is_name(&list->items.at[k], &c->names[i]))
				c->use = &c->codings[i];
}

/* ---- sending ---- */

static size_t
digits_of(size_t n)
{
	size_t digits = 1;
	for (; n >= 10; n /= 10)
		digits++;
	return digits;
}

static size_t
frame_of(size_t payload)
{
	return digits_of(payload) + 1 + payload + 1;
}

/* How long a header of this frame's size becomes with pt.enc and pt.len. */
static size_t
grown(size_t header_size, const struct pt_coding *coding, size_t size)
{
	size_t digits = 1;
	while (digits_of(header_size - 2 - digits) > digits)
		digits++;
	return frame_of(header_size - 2 - digits + frame_of(6) + frame_of(strlen(coding->name)) + frame_of(6) +
	    frame_of(digits_of(size)));
}

/* How large a block may be, so that the whole pair is shorter with it; 0: none. */
static size_t
room_of(const struct coding *c, const struct pt_value *header, const char *frame, size_t size)
{
	size_t old_size = 3;
	const char *colon = memchr(frame, ':', size < PREFIX_MOST ? size : PREFIX_MOST);
	if (c->use == NULL || colon == NULL || size - (size_t)(colon - frame) - 2 < BODY_LEAST)
		return 0;
	if (header != NULL && (header->type != PT_DICT || pt_measure(header, &old_size) != PT_OK))
		return 0;
	if (pt_get(header, "pt.enc") != NULL || pt_get(header, "pt.len") != NULL)
		return 0;
	size_t new_size = grown(old_size, c->use, size), less = new_size - old_size + 1 + digits_of(size) + 2;
	return new_size <= HEADER_MOST && size > less ? size - less : 0;
}

int
coding_pack(struct coding *c, const struct pt_value *header, const char *frame, size_t size,
    const struct pt_value **new_header, const char **new_frame, size_t *new_size, bool *packed)
{
	*packed = false;
	size_t room = room_of(c, header, frame, size);
	if (room == 0)
		return PT_OK;
	if (!buffer_make(&c->packed, PREFIX_MOST + room + 1))
		return PT_E_MEMORY;
	char *block = c->packed.at + PREFIX_MOST, prefix[PREFIX_MOST + 12];
	size_t n = c->use->pack(c->use->ctx, frame, size, block, room);
	if (n == 0 || n > room)
		return PT_OK;
	int e = header_begin(&c->sent, header, 2);
	if (e != PT_OK)
		return e;
	header_text(&c->sent, "pt.enc", c->use->name, strlen(c->use->name));
	header_set(&c->sent, "pt.len", (struct pt_value)PT_INT_OF((int64_t)size));
	size_t k = (size_t)snprintf(prefix, sizeof prefix, "%zu:", n);
	memcpy(block - k, prefix, k);
	block[n] = PT_BYTES;
	*new_header = &c->sent.value;
	*new_frame = block - k;
	*new_size = k + n + 1;
	*packed = true;
	return PT_OK;
}

/* ---- receiving ---- */

static const struct pt_coding *
coding_of(const struct coding *c, const struct pt_value *name)
{
	for (size_t i = 0; i < c->count; i++)
		if (is_name(name, &c->names[i]))
			return &c->codings[i];
	return NULL;
}

/* Who sends the pair on sends it as it is now. header is of pt_decode, whose block can be written. */
static void
strip(struct pt_value *header)
{
	struct pt_value *items = (struct pt_value *)(uintptr_t)header->items.at;
	size_t kept = 0;
	for (size_t i = 0; i < header->items.len; i++) {
		if (pt_is_text(&items[2 * i], "pt.enc") || pt_is_text(&items[2 * i], "pt.len"))
			continue;
		items[2 * kept] = items[2 * i];
		items[2 * kept++ + 1] = items[2 * i + 1];
	}
	header->items.len = kept;
}

int
coding_unpack(struct coding *c, struct pt_value *header, const struct pt_value *body, const struct pt_limits *limits,
    const char **frame, size_t *size)
{
	const struct pt_value *enc = pt_get(header, "pt.enc"), *len = pt_get(header, "pt.len");
	if (!c->offered || enc == NULL || len == NULL || len->type != PT_INT || len->integer < 3 || body->type != PT_BYTES)
		return PT_E_ENCODING;
	const struct pt_coding *coding = coding_of(c, enc);
	if (coding == NULL)
		return PT_E_ENCODING;
	size_t most = limits->body_bytes < PT_MOST ? limits->body_bytes : PT_MOST, got;
	if ((uint64_t)len->integer > frame_of(most))
		return PT_E_LIMIT;
	size_t n = (size_t)len->integer;
	if (coding->ratio_most != 0 && n / coding->ratio_most + (n % coding->ratio_most != 0) > body->bytes.len)
		return PT_E_ENCODING;
	if (!buffer_make(&c->unpacked, n))
		return PT_E_MEMORY;
	if (!coding->unpack(coding->ctx, body->bytes.at, body->bytes.len, c->unpacked.at, n))
		return PT_E_ENCODING;
	if (pt_frame(c->unpacked.at, n, most, &got) != PT_OK || got != n)
		return PT_E_ENCODING;
	strip(header);
	*frame = c->unpacked.at;
	*size = n;
	return PT_OK;
}
