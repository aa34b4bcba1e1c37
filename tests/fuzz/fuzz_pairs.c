/* SPDX-License-Identifier: MIT
 * fuzz_pairs.c - the stream reader: a stream in pieces says the same as the whole, pair by pair, error and offset; what it has
 * read it can send, and that is read as the same again; and it never takes more memory than a multiple of what has come.
 *
 * The first byte of an input is flags: bit 0 small limits, bit 1 raw bodies, bit 2 single frames, bit 3 silence instead of an
 * end; the next four say in what pieces it comes. The rest is the stream. */
#include "fuzz.h"

#include <errno.h>

#include "petrichor/conn.h"

enum { CUTS = 4, EVENTS_MOST = 1 << 18, AGAIN = 256 };

struct stream {
	const uint8_t  *at;
	size_t          n, done;
	uint8_t         cut[CUTS];
	unsigned        reads;
	int             silent;
	struct pt_conn *conn;
};

/* What was said, as bytes that can be compared. */
struct events {
	uint8_t *at;
	size_t   n, room;
	int      error;
	size_t   offset;
	unsigned pairs;
};

static void
say(struct events *e, const void *at, size_t n)
{
	while (e->room - e->n < n + 1) {
		e->room = 2 * e->room + 256;
		e->at = realloc(e->at, e->room);
		fuzz_require(e->at != NULL);
	}
	if (n != 0)
		memcpy(e->at + e->n, at, n);
	e->n += n;
}

static void
say_value(struct events *e, const struct pt_value *v)
{
	char *frame;
	size_t size;
	fuzz_require(pt_encode_new(v, 0, &frame, &size) == PT_OK);
	say(e, frame, size);
	free(frame);
}

/* In pieces of 1 to 16 bytes, or of all, in turn; where cut is 0 the whole. */
static ssize_t
stream_read(void *ctx, void *to, size_t n, int timeout_ms)
{
	struct stream *s = ctx;
	size_t left = s->n - s->done, most = s->cut[s->reads++ % CUTS];
	(void)timeout_ms;
	fuzz_require(n > 0);
	/* For as long as a byte is missing a frame has no more room than twice what came. */
	fuzz_require(s->conn == NULL || s->conn->in_room <= 2 * s->done + CONN_ROOM_FIRST);
	if (most == 1) {
		errno = EINTR;
		return -1;
	}
	if (left == 0 && s->silent) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (most != 0 && left > (most & 15) + 1u)
		left = (most & 15) + 1;
	if (left > n)
		left = n;
	memcpy(to, s->at + s->done, left);
	s->done += left;
	return (ssize_t)left;
}

static ssize_t
no_write(void *ctx, const void *from, size_t n, int timeout_ms)
{
	(void)ctx;
	(void)from;
	(void)timeout_ms;
	return (ssize_t)n;
}

static int
read_one(struct pt_conn *c, unsigned flags, struct events *e)
{
	const struct pt_value *header = NULL, *body = NULL;
	struct pt_value frame;
	int error;
	if ((flags & 4) != 0)
		error = pt_read_chunk(c, &body);
	else if ((flags & 2) != 0)
		error = pt_recv_raw(c, &header, &frame);
	else
		error = pt_recv(c, &header, &body);
	if (error != PT_OK) {
		fuzz_require(header == NULL && body == NULL);
		return error;
	}
	if (header != NULL) {
		fuzz_require(header->type == PT_DICT);
		say_value(e, header);
	}
	if ((flags & 6) == 2)
		say(e, frame.bytes.at, frame.bytes.len);
	else
		say_value(e, body);
	fuzz_require(pt_send(c, header, (flags & 6) == 2 ? &frame : body) == PT_OK);
	return PT_OK;
}

static void
read_all(struct stream *s, unsigned flags, struct events *e)
{
	struct pt_options o = PT_OPTIONS_INIT;
	struct pt_io io = { stream_read, no_write, NULL, s };
	if ((flags & 1) != 0)
		o.limits = (struct pt_limits){ 100, 1000, 20, 8, 4 };
	if ((flags & AGAIN) != 0)       /* floats may have become longer */
		o.limits.header_bytes = PT_MOST;
	s->conn = pt_from_io(&io, &o);
	fuzz_require(s->conn != NULL);
	/* A ready pair does not need another read. */
	for (bool ready = false; e->pairs < EVENTS_MOST; e->pairs++) {
		size_t done = s->done;
		e->error = read_one(s->conn, flags, e);
		fuzz_require(!ready || done == s->done);
		if (e->error != PT_OK)
			break;
		ready = (flags & 4) == 0 && pt_conn_ready(s->conn);
	}
	e->offset = pt_conn_offset(s->conn);
	if (e->error != PT_E_TIMEOUT)
		fuzz_require(read_one(s->conn, flags, e) == e->error);
	pt_close(&s->conn);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 + CUTS)
		return 0;
	unsigned flags = data[0];
	struct stream whole = { .at = data + 1 + CUTS, .n = size - 1 - CUTS, .silent = (flags & 8) != 0 }, pieces = whole, again;
	struct events one = { 0 }, other = { 0 }, third = { 0 };
	memcpy(pieces.cut, data + 1, CUTS);
	if (pieces.cut[0] == 1)         /* not interrupted for ever */
		pieces.cut[0] = 0;
	read_all(&whole, flags, &one);
	read_all(&pieces, flags, &other);
	fuzz_require(one.error == other.error && one.offset == other.offset && one.pairs == other.pairs && one.n == other.n);
	fuzz_require(one.n == 0 || memcmp(one.at, other.at, one.n) == 0);
	fuzz_require(one.error != PT_E_EMPTY && one.error != PT_E_TRAILING && one.error != PT_E_MEMORY && one.error != PT_E_IO);
	/* What came, sent again: whole pairs, up to the end. */
	again = (struct stream){ .at = one.at, .n = one.n };
	if (one.n != 0) {
		read_all(&again, (flags & ~9u) | AGAIN, &third);
		fuzz_require(third.error == PT_CLOSED && third.pairs == one.pairs && third.n == one.n);
		fuzz_require(memcmp(third.at, one.at, one.n) == 0);
	}
	free(one.at);
	free(other.at);
	free(third.at);
	return 0;
}
