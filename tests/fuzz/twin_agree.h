/* SPDX-License-Identifier: MIT
 * twin_agree.h - the library beside the implementation that doc/petrichor teaches (twin.h, taken out of that text):
 * same verdict, same offset, same value, same bytes. What does not agree aborts. */
#ifndef ZOG_TESTS_TWIN_AGREE_H
#define ZOG_TESTS_TWIN_AGREE_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "petrichor/lz4.h"
#include "petrichor/petrichor.h"
#include "twin.h"

#define agree_require(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

static inline void
agree_verdict(int ours, size_t our_offset, enum error theirs, size_t their_offset)
{
	const char *a = pt_error_name(ours), *b = twin_name(theirs);
	/* Of what is wrong with a whole body, or with a stream between frames, no byte is to blame. */
	bool place = ours != PT_OK && ours != PT_CLOSED && ours != PT_E_ENCODING;
	if (strcmp(a, b) == 0 && (!place || our_offset == their_offset))
		return;
	fprintf(stderr, "the library says %s at %zu, the twin %s at %zu\n", a, our_offset, b, their_offset);
	abort();
}

/* Both encode to the same bytes. */
static inline void
agree_value(const struct pt_value *v, const struct value *w)
{
	char *a = NULL, *b = NULL;
	size_t a_size = 0, b_size = 0, measured = 0;
	agree_require(pt_encode_new(v, 0, &a, &a_size) == PT_OK);
	agree_require(pt_measure(v, &measured) == PT_OK && measured == a_size);
	agree_require(twin_encode(w, &b, &b_size) == E_OK);
	agree_require(a_size == b_size && memcmp(a, b, a_size) == 0);
	free(a);
	free(b);
}

static inline struct limits
agree_limits(const struct pt_limits *l)
{
	return (struct limits){ l->header_bytes, l->body_bytes, l->nodes, l->float_bytes, l->depth };
}

/* What the first bytes of a stream say of the frame that begins there, and how many have to be there for more. */
static inline void
agree_prefix(const char *at, size_t n, size_t limit_bytes)
{
	size_t size = 0, payload = 0, used = 0, want;
	int e = pt_frame(at, n, limit_bytes, &size);
	enum error t = twin_prefix(at, n, &payload, &used);
	want = t == E_EMPTY || t == E_TRUNC ? n + 1 : used;
	if (t == E_OK) {
		t = payload > limit_bytes ? E_LIMIT : n - used <= payload ? E_TRUNC : E_OK;
		want = t == E_LIMIT ? 0 : used + payload + 1;
	}
	if (strcmp(pt_error_name(e), twin_name(t)) == 0 && size == want)
		return;
	fprintf(stderr, "the library says %s, %zu, the twin %s, %zu\n", pt_error_name(e), size, twin_name(t), want);
	abort();
}

/* The bytes as one frame; all: with nothing behind. Returns the verdict. */
static inline int
agree_decode(const char *at, size_t n, const struct pt_limits *pl, bool all, size_t *offset)
{
	struct limits l = agree_limits(pl);
	struct pt_value *v, *copied;
	struct value *w;
	size_t used = 0, copied_used = 0, twin_used = 0, twin_offset = 0, copied_offset = 0, frame;
	agree_prefix(at, n, pl->body_bytes);
	*offset = 0;
	int e = pt_decode(&v, at, n, all ? NULL : &used, pl, 0, offset);
	int again = pt_decode(&copied, at, n, all ? NULL : &copied_used, pl, PT_COPY, &copied_offset);
	agree_require(e == again && used == copied_used && (e == PT_OK || *offset == copied_offset));
	enum error t = twin_decode(at, n, all ? NULL : &twin_used, &l, &w, &twin_offset);
	agree_verdict(e, *offset, t, twin_offset);
	agree_require((e == PT_OK) == (v != NULL) && (e == PT_OK) == (w != NULL) && (v == NULL) == (copied == NULL));
	if (e == PT_OK) {
		agree_require(used == twin_used);
		agree_require(pt_frame(at, n, pl->body_bytes, &frame) == PT_OK && (all || frame == used));
		agree_value(v, w);
		agree_value(copied, w);
		agree_require(pt_same(v, copied) || memchr(at, PT_FLOAT, n) != NULL);
	}
	twin_free(w);
	pt_free(&v);
	pt_free(&copied);
	return e;
}

/* ---- streams ---- */

struct agree_stream {
	const char *at;
	size_t      n, piece;   /* a read gives at most `piece` bytes */
	char        out[16384];
	size_t      out_n;
};

static inline ssize_t
agree_read(void *ctx, void *to, size_t n, int timeout_ms)
{
	struct agree_stream *s = ctx;
	(void)timeout_ms;
	if (n > s->piece)
		n = s->piece;
	if (n > s->n)
		n = s->n;
	if (n != 0)
		memcpy(to, s->at, n);
	s->at += n;
	s->n -= n;
	return (ssize_t)n;
}

static inline ssize_t
agree_write(void *ctx, const void *from, size_t n, int timeout_ms)
{
	struct agree_stream *s = ctx;
	(void)timeout_ms;
	if (s->out_n == sizeof s->out) {
		errno = ENOSPC;
		return -1;
	}
	if (n > sizeof s->out - s->out_n)
		n = sizeof s->out - s->out_n;
	memcpy(s->out + s->out_n, from, n);
	s->out_n += n;
	return (ssize_t)n;
}

/* A pair is sent by both in the same bytes. */
static inline void
agree_send(struct pt_conn *c, struct agree_stream *s, const struct pt_value *header, const struct pt_value *body,
	const struct value *twin_header, const struct value *twin_body)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	agree_require(out != NULL);
	agree_require(twin_send(out, twin_header, twin_body) == E_OK);
	fclose(out);
	if (n <= sizeof s->out) {
		s->out_n = 0;
		agree_require(pt_send(c, header, body) == PT_OK);
		agree_require(s->out_n == n && memcmp(s->out, text, n) == 0);
	}
	free(text);
}

/* The bytes as a stream of pairs, to its end or first error, which is returned. */
static inline int
agree_pairs(const char *at, size_t n, size_t piece, const struct pt_limits *pl, size_t *pairs)
{
	struct limits l = agree_limits(pl);
	struct agree_stream s = { .at = at, .n = n, .piece = piece };
	struct pt_options options = PT_OPTIONS_INIT;
	options.limits = *pl;
	struct pt_conn *c = pt_from_io(&(struct pt_io){ agree_read, agree_write, NULL, &s }, &options);
	FILE *in = n != 0 ? fmemopen((void *)(uintptr_t)at, n, "rb") : fopen("/dev/null", "rb");
	const struct pt_value *header, *body;
	struct value *twin_header, *twin_body;
	size_t offset = 0;
	int e;
	agree_require(c != NULL && in != NULL);
	for (*pairs = 0;; ++*pairs) {
		e = pt_recv(c, &header, &body);
		enum error t = twin_recv(in, &l, &twin_header, &twin_body, &offset);
		agree_verdict(e, pt_conn_offset(c), t, offset);
		if (e != PT_OK)
			break;
		agree_value(header, twin_header);
		agree_value(body, twin_body);
		agree_send(c, &s, header, body, twin_header, twin_body);
		agree_require(pt_connect_allowed(header, 0) == twin_allowed(twin_header));
		twin_free(twin_header);
		twin_free(twin_body);
	}
	agree_require(pt_recv(c, NULL, NULL) == e);
	fclose(in);
	pt_close(&c);
	return e;
}

/* ---- the rest ---- */

/* The bytes as a block of LZ4 that is to give size bytes; they are what both make of it. Returns why not, NULL: good. */
static inline const char *
agree_lz4_block(const char *at, size_t n, char *to, size_t size)
{
	static const char *const names[] = { [LZ4_GOOD] = NULL, [LZ4_TRUNC] = "Z_TRUNC", [LZ4_LONG] = "Z_LONG",
		[LZ4_SHORT] = "Z_SHORT", [LZ4_OFFSET] = "Z_OFFSET", [LZ4_END] = "Z_END" };
	char *twin = malloc(size != 0 ? size : 1);
	agree_require(twin != NULL);
	const char *a = names[lz4_unpack(at, n, to, size)], *b = twin_lz4_decode(at, n, twin, size);
	if ((a == NULL) != (b == NULL) || (a != NULL && strcmp(a, b) != 0)) {
		fprintf(stderr, "the library says %s of the block, the twin %s\n", a != NULL ? a : "yes", b != NULL ? b : "yes");
		abort();
	}
	agree_require(a != NULL || memcmp(to, twin, size) == 0);
	free(twin);
	return a;
}

/* What one of them packs the other unpacks. */
static inline void
agree_lz4_data(const char *at, size_t n)
{
	size_t room = n + n / 255 + 16, block;
	char *packed = malloc(room), *again = malloc(n != 0 ? n : 1);
	agree_require(packed != NULL && again != NULL && lz4_bound(n) <= room);
	block = lz4_pack(at, n, packed, room);
	agree_require(block != 0 && agree_lz4_block(packed, block, again, n) == NULL);
	agree_require(n == 0 || memcmp(again, at, n) == 0);
	block = twin_lz4_encode(at, n, packed);
	agree_require(block <= room && agree_lz4_block(packed, block, again, n) == NULL);
	agree_require(n == 0 || memcmp(again, at, n) == 0);
	free(packed);
	free(again);
}

static inline void
agree_float(double d)
{
	char a[PT_FLOAT_TEXT], b[400];
	size_t n = pt_float_text(a, d), m = twin_float(b, d);
	if (n == m && memcmp(a, b, n) == 0)
		return;
	fprintf(stderr, "%a: the library writes %.*s, the twin %.*s\n", d, (int)n, a, (int)m, b);
	abort();
}

#endif
