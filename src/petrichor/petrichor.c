/* SPDX-License-Identifier: MIT
 * petrichor.c - pairs of frames, received and sent. One thread at a time for each connection. */
#include "petrichor/petrichor.h"

#include <stdlib.h>
#include <string.h>

#include "petrichor/coding.h"
#include "petrichor/conn.h"

enum { CHEAP_TO_MOVE = 1024, OUT_ROOM_FIRST = 2048, HEADER_GUESS = 512 };

/* ---- the receive buffer ---- */

static const char *
arrived(const struct pt_conn *c)
{
	return c->in != NULL ? c->in + c->begin : "";
}

/* What the last read gave is given up. */
static void
release(struct pt_conn *c)
{
	pt_free(&c->header);
	pt_free(&c->body);
	c->begin += c->held;
	c->held = 0;
	if (c->begin == c->end)
		c->begin = c->end = 0;
}

/* Room for at least one more byte of a frame that begins at `begin` and takes need bytes. It grows by doubling, so that it
 * costs in the measure of what has come, not of what was announced. */
static int
make_room(struct pt_conn *c, size_t need)
{
	size_t had = c->end - c->begin;
	if (c->begin != 0 && (had <= CHEAP_TO_MOVE || need > c->in_room - c->begin)) {
		memmove(c->in, c->in + c->begin, had);
		c->begin = 0;
		c->end = had;
	}
	if (c->end < c->in_room)
		return PT_OK;
	size_t room = 2 * c->in_room;
	if (room > need)
		room = need;
	if (room < CONN_ROOM_FIRST)
		room = CONN_ROOM_FIRST;
	char *in = realloc(c->in, room);
	if (in == NULL)
		return PT_E_MEMORY;
	c->in = in;
	c->in_room = room;
	return PT_OK;
}

/* ---- receiving ---- */

/* How far one call has come. */
struct receipt {
	const struct patience *patience;
	int64_t                until;
	bool                   began;   /* a byte has come */
	bool                   tried;   /* reading was tried with this `until` */
};

/* The first byte has come: from now on the time is another one. */
static void
begin_frame(struct pt_conn *c, struct receipt *r)
{
	if (r->began || c->begin == c->end)
		return;
	r->began = true;
	if (!r->patience->all) {
		r->until = conn_until(r->patience->frame_ms);
		r->tried = false;
	}
}

/* PT_CLOSED: the end. */
static int
more(struct pt_conn *c, size_t need, struct receipt *r)
{
	size_t got;
	/* Who has nothing to say is not to keep what a large frame took. */
	if (c->begin == c->end && c->in_room > CONN_ROOM_KEPT) {
		c->begin = c->end = 0;
		int e = conn_read(c, c->in, c->in_room, 0, false, &got);
		if (e != PT_E_TIMEOUT) {
			c->end = e == PT_OK ? got : 0;
			return e != PT_OK ? e : got == 0 ? PT_CLOSED : PT_OK;
		}
		free(c->in);
		c->in = NULL;
		c->in_room = 0;
	}
	int e = make_room(c, need);
	if (e == PT_OK)
		e = conn_read(c, c->in + c->end, c->in_room - c->end, r->until, r->tried, &got);
	r->tried = true;
	if (e != PT_OK)
		return e;
	c->end += got;
	return got == 0 ? PT_CLOSED : PT_OK;
}

/* Reads until the frame at `begin` is all there. PT_CLOSED: the end before its first byte. */
static int
whole_frame(struct pt_conn *c, size_t limit_bytes, struct receipt *r, size_t *size)
{
	for (;;) {
		size_t had = c->end - c->begin;
		begin_frame(c, r);
		int e = pt_frame(arrived(c), had, limit_bytes, size);
		if (e != PT_E_EMPTY && e != PT_E_TRUNC) {
			c->offset = e != PT_OK ? *size : 0;
			return e;
		}
		e = more(c, *size, r);
		if (e != PT_OK) {
			c->offset = had;
			return e == PT_CLOSED && had != 0 ? PT_E_TRUNC : e;
		}
	}
}

/* The tag says what is no header, whatever is in it. The values have a block of their own, since the buffer may move while
 * the body comes. */
static int
take_header(struct pt_conn *c, struct receipt *r)
{
	struct pt_limits limits = c->options.limits;
	size_t size;
	limits.body_bytes = limits.header_bytes;
	int e = whole_frame(c, limits.header_bytes, r, &size);
	if (e != PT_OK)
		return e;
	char tag = arrived(c)[size - 1];
	if (tag != '\0' && strchr(",#^!~]", tag) != NULL) {
		c->offset = size - 1;
		return PT_E_HDR_NOT_DICT;
	}
	e = pt_decode(&c->header, arrived(c), size, NULL, &limits, PT_COPY, &c->offset);
	if (e == PT_OK)
		c->begin += size;
	return e;
}

/* A body as it came is exchanged for what was packed in it. What is at fault there has its offset in the original frame. */
static int
unpack(struct pt_conn *c)
{
	const char *frame;
	size_t size;
	struct pt_value *original = NULL;
	if (c->coding == NULL)
		return PT_E_ENCODING;
	int e = coding_unpack(c->coding, c->header, c->body, &c->options.limits, &frame, &size);
	if (e == PT_OK)
		e = pt_decode(&original, frame, size, NULL, &c->options.limits, 0, &c->offset);
	if (e != PT_OK)
		return e;
	pt_free(&c->body);
	c->body = original;
	return PT_OK;
}

static int
take_body(struct pt_conn *c, struct receipt *r, struct pt_value *body_frame)
{
	size_t size;
	int e = whole_frame(c, c->options.limits.body_bytes, r, &size);
	if (e != PT_OK)
		return e == PT_CLOSED ? PT_E_TRUNC_BODY : e;
	if (body_frame != NULL) {
		*body_frame = (struct pt_value){ .type = PT_FRAME, .bytes = { arrived(c), size } };
	} else {
		e = pt_decode(&c->body, arrived(c), size, NULL, &c->options.limits, 0, &c->offset);
		if (e == PT_OK && pt_get(c->header, "pt.enc") != NULL)
			e = unpack(c);
	}
	if (e == PT_OK)
		c->held = size;
	return e;
}

/* Begins a read: what stopped an earlier one stops this one. */
static int
begin_read(struct pt_conn *c, const struct patience *p, struct receipt *r)
{
	if (c->send_error != PT_OK)
		return c->send_error;
	if (c->recv_error != PT_OK)
		return c->recv_error;
	release(c);
	*r = (struct receipt){ .patience = p, .until = p->until };
	return PT_OK;
}

/* Ends it: any error stays, but for the time that was up before a byte had come. */
static int
end_read(struct pt_conn *c, const struct receipt *r, int e)
{
	if (e == PT_OK)
		return e;
	pt_free(&c->header);
	pt_free(&c->body);
	if (e != PT_E_TIMEOUT || r->began)
		c->recv_error = e;
	return e;
}

int
conn_recv(struct pt_conn *c, const struct patience *p, const struct pt_value **header, const struct pt_value **body,
	struct pt_value *body_frame)
{
	struct receipt r;
	int e = begin_read(c, p, &r);
	if (e == PT_OK) {
		e = take_header(c, &r);
		if (e == PT_OK)
			e = take_body(c, &r, body_frame);
		e = end_read(c, &r, e);
	}
	if (header != NULL)
		*header = e == PT_OK ? c->header : NULL;
	if (body != NULL)
		*body = e == PT_OK ? c->body : NULL;
	if (body_frame != NULL && e != PT_OK)
		*body_frame = (struct pt_value)PT_NULL_OF;
	return e;
}

static struct patience
usual_patience(const struct pt_conn *c)
{
	return (struct patience){ conn_until(c->options.idle_ms), c->options.frame_ms, false };
}

int
pt_recv(struct pt_conn *c, const struct pt_value **header, const struct pt_value **body)
{
	struct patience p = usual_patience(c);
	return conn_recv(c, &p, header, body, NULL);
}

int
pt_recv_raw(struct pt_conn *c, const struct pt_value **header, struct pt_value *body_frame)
{
	struct patience p = usual_patience(c);
	return conn_recv(c, &p, header, NULL, body_frame);
}

int
pt_read_chunk(struct pt_conn *c, const struct pt_value **value)
{
	struct patience p = usual_patience(c);
	struct receipt r;
	size_t size;
	*value = NULL;
	int e = begin_read(c, &p, &r);
	if (e != PT_OK)
		return e;
	e = whole_frame(c, c->options.limits.body_bytes, &r, &size);
	if (e == PT_OK)
		e = pt_decode(&c->body, arrived(c), size, NULL, &c->options.limits, 0, &c->offset);
	if (e == PT_OK) {
		c->held = size;
		*value = c->body;
	}
	return end_read(c, &r, e);
}

bool
pt_conn_ready(const struct pt_conn *c)
{
	if (c->recv_error != PT_OK || c->send_error != PT_OK)
		return true;
	const char *at = arrived(c) + c->held;
	size_t n = c->end - c->begin - c->held, size;
	int e = pt_frame(at, n, c->options.limits.header_bytes, &size);
	if (e == PT_OK && at[size - 1] == PT_DICT)
		e = pt_frame(at + size, n - size, c->options.limits.body_bytes, &size);
	return e != PT_E_EMPTY && e != PT_E_TRUNC;
}

/* ---- sending ---- */

/* A send buffer of at least room bytes, of which the last `used` stay. */
static int
out_room(struct pt_conn *c, size_t used, size_t room)
{
	if (room <= c->out_room)
		return PT_OK;
	if (room < OUT_ROOM_FIRST)
		room = OUT_ROOM_FIRST;
	char *out = malloc(room);
	if (out == NULL)
		return PT_E_MEMORY;
	if (used != 0)
		memcpy(out + room - used, c->out + c->out_room - used, used);
	free(c->out);
	c->out = out;
	c->out_room = room;
	return PT_OK;
}

/* Puts the frame of a value before the last *used bytes of the send buffer: it is measured only where it does not fit. */
static int
put_before(struct pt_conn *c, size_t *used, const struct pt_value *v)
{
	size_t size, need;
	int e = c->out_room > *used ? pt_encode_tail(v, 0, c->out, c->out_room - *used, &size) : PT_E_TRUNC;
	if (e == PT_E_TRUNC) {
		e = pt_measure(v, &need);
		if (e == PT_OK)
			e = out_room(c, *used, *used + need + HEADER_GUESS);
		if (e == PT_OK)
			e = pt_encode_tail(v, 0, c->out, c->out_room - *used, &size);
	}
	if (e == PT_OK)
		*used += size;
	return e;
}

/* The pair as the last *size bytes of the send buffer. The body first, since a coding that packs it changes the header. */
static int
encode_pair(struct pt_conn *c, const struct pt_value *header, const struct pt_value *body, size_t *size)
{
	const char *frame;
	size_t frame_size;
	bool packed = false;
	*size = 0;
	int e = put_before(c, size, body);
	if (e == PT_OK && c->coding != NULL)
		e = coding_pack(c->coding, header, c->out + c->out_room - *size, *size, &header, &frame, &frame_size, &packed);
	if (e == PT_OK && packed) {
		*size = frame_size;
		e = out_room(c, 0, frame_size + HEADER_GUESS);
		if (e == PT_OK)
			memcpy(c->out + c->out_room - frame_size, frame, frame_size);
	}
	return e == PT_OK ? put_before(c, size, header) : e;
}

static bool
is_header(const struct pt_value *v)
{
	return v->type == PT_DICT || (v->type == PT_FRAME && v->bytes.len != 0 && v->bytes.at[v->bytes.len - 1] == PT_DICT);
}

/* The end of what comes, and what was a sound frame though not what it should be, leave the way out open for a last word. */
static bool
may_answer(int recv_error)
{
	return recv_error == PT_OK || recv_error == PT_CLOSED || recv_error == PT_E_HDR_NOT_DICT || recv_error == PT_E_ENCODING;
}

int
conn_send(struct pt_conn *c, int64_t until, const struct pt_value *header, const struct pt_value *body)
{
	static const struct pt_value no_header = PT_DICT_OF(NULL, 0), no_body = PT_TEXT("");
	size_t size, written = 0;
	if (c->send_error != PT_OK)
		return c->send_error;
	if (!may_answer(c->recv_error))
		return c->recv_error;
	header = header != NULL ? header : &no_header;
	body = body != NULL ? body : &no_body;
	if (!is_header(header))
		return PT_E_ARGUMENT;
	int e = encode_pair(c, header, body, &size);
	if (e == PT_OK) {
		e = conn_write(c, c->out + c->out_room - size, size, until, &written);
		if (e == PT_E_IO || (e != PT_OK && written != 0))
			c->send_error = e;
	}
	if (c->out_room > CONN_ROOM_KEPT) {
		free(c->out);
		c->out = NULL;
		c->out_room = 0;
	}
	return e;
}

int
pt_send(struct pt_conn *c, const struct pt_value *header, const struct pt_value *body)
{
	return conn_send(c, conn_until(c->options.frame_ms), header, body);
}

/* Whoever comes too late is not heard: his reply would be taken for the next one's. */
static int
final(struct pt_conn *c, int e)
{
	if (e == PT_E_TIMEOUT && c->recv_error == PT_OK)
		c->recv_error = e;
	return e;
}

int
pt_request(struct pt_conn *c, const struct pt_value *header, const struct pt_value *body, int timeout_ms,
	const struct pt_value **reply_header, const struct pt_value **reply_body)
{
	struct patience p = { conn_until(timeout_ms), timeout_ms, true };
	if (reply_header != NULL)
		*reply_header = NULL;
	if (reply_body != NULL)
		*reply_body = NULL;
	int e = conn_send(c, p.until, header, body);
	if (e == PT_OK)
		e = conn_recv(c, &p, reply_header, reply_body, NULL);
	return final(c, e);
}
