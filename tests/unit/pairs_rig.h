/* SPDX-License-Identifier: MIT
 * pairs_rig.h - streams for connections to read: from a script instead of a peer, and what they are to read as. */
#ifndef ZOG_TESTS_PAIRS_RIG_H
#define ZOG_TESTS_PAIRS_RIG_H

#include <limits.h>

#include "petrichor/conn.h"
#include "unit.h"

/* ---- a peer that does what it is told ---- */

enum script_end { SCRIPT_CLOSES, SCRIPT_SILENT, SCRIPT_BREAKS };

struct script {
	char           *at;             /* a block of just its size */
	size_t          n, done;
	size_t          cut;            /* no read goes over this offset; 0: none */
	size_t          step;           /* most bytes of a read; 0: any */
	int             pause_ms;       /* before each read */
	bool            interrupts;     /* each call but every third is EINTR */
	enum script_end end;
	struct buf      out;
	size_t          out_step;       /* most bytes of a write; 0: any */
	size_t          out_most;       /* then writes time out, or fail where breaks is set; 0: never */
	bool            out_breaks;
	unsigned        calls, closed;
	int             timeout_ms;     /* of the last call */
	struct pt_conn *conn;
};

static inline ssize_t
script_fails(int error)
{
	errno = error;
	return -1;
}

static inline bool
script_interrupts(struct script *s, int timeout_ms)
{
	s->timeout_ms = timeout_ms;
	return s->calls++ % 3 != 2 && s->interrupts;
}

static inline ssize_t
script_read(void *ctx, void *to, size_t n, int timeout_ms)
{
	struct script *s = ctx;
	unit_require(n > 0 && timeout_ms >= -1, "read(%zu, %d)", n, timeout_ms);
	if (s->pause_ms != 0)
		usleep((unsigned)s->pause_ms * 1000);
	if (script_interrupts(s, timeout_ms))
		return script_fails(EINTR);
	size_t left = s->n - s->done;
	if (left == 0)
		return s->end == SCRIPT_CLOSES ? 0 : script_fails(s->end == SCRIPT_SILENT ? ETIMEDOUT : ECONNRESET);
	if (s->done < s->cut && left > s->cut - s->done)
		left = s->cut - s->done;
	if (s->step != 0 && left > s->step)
		left = s->step;
	if (left > n)
		left = n;
	memcpy(to, s->at + s->done, left);
	s->done += left;
	return (ssize_t)left;
}

static inline ssize_t
script_write(void *ctx, const void *from, size_t n, int timeout_ms)
{
	struct script *s = ctx;
	unit_require(n > 0 && timeout_ms >= -1, "write(%zu, %d)", n, timeout_ms);
	if (script_interrupts(s, timeout_ms))
		return script_fails(EINTR);
	if (s->out_step != 0 && n > s->out_step)
		n = s->out_step;
	if (s->out_most != 0 && n > s->out_most - s->out.len)
		n = s->out_most - s->out.len;
	if (n == 0)
		return script_fails(s->out_breaks ? EPIPE : ETIMEDOUT);
	unit_require(buf_put(&s->out, from, n), "no memory");
	return (ssize_t)n;
}

static inline int
script_close(void *ctx)
{
	struct script *s = ctx;
	s->closed++;
	return 0;
}

static inline struct pt_io
script_io(struct script *s)
{
	return (struct pt_io){ script_read, script_write, script_close, s };
}

/* A connection that reads these bytes. */
static inline struct pt_conn *
script_open(struct script *s, const void *bytes, size_t n, const struct pt_options *options)
{
	struct pt_io io = script_io(s);
	s->at = malloc(n != 0 ? n : 1);
	ck_assert_ptr_nonnull(s->at);
	if (n != 0)
		memcpy(s->at, bytes, n);
	s->n = n;
	s->conn = pt_from_io(&io, options);
	ck_assert_ptr_nonnull(s->conn);
	return s->conn;
}

static inline struct pt_conn *
script_text(struct script *s, const char *text, const struct pt_options *options)
{
	return script_open(s, text, strlen(text), options);
}

static inline void
script_end(struct script *s)
{
	pt_close(&s->conn);
	ck_assert_ptr_null(s->conn);
	ck_assert_uint_eq(s->closed, 1);
	buf_fini(&s->out);
	free(s->at);
}

/* ---- values as the vectors have them: JSON, a byte is the code point of its number ---- */

static inline void
json_bytes(struct buf *to, const char *at, size_t len)
{
	buf_puts(to, "\"");
	for (size_t i = 0, plain; i < len; i += plain + 1) {
		for (plain = 0; i + plain < len; plain++) {
			char c = at[i + plain];
			if (c < ' ' || c > '~' || c == '"' || c == '\\')
				break;
		}
		buf_put(to, at + i, plain);
		if (i + plain == len)
			break;
		unsigned c = (unsigned char)at[i + plain];
		if (c == '"' || c == '\\')
			buf_printf(to, "\\%c", (int)c);
		else
			buf_printf(to, "\\u%04x", c);
	}
	buf_puts(to, "\"");
}

static inline void
json_value(struct buf *to, const struct pt_value *v)
{
	char text[PT_FLOAT_TEXT];
	switch (v->type) {
	case PT_BYTES:
		json_bytes(to, v->bytes.at, v->bytes.len);
		return;
	case PT_INT:
		buf_printf(to, "%" PRId64, v->integer);
		return;
	case PT_FLOAT:
		buf_put(to, text, pt_float_text(text, v->real));
		return;
	case PT_BOOL:
		buf_puts(to, v->boolean ? "true" : "false");
		return;
	case PT_LIST:
	case PT_DICT:
		break;
	default:
		buf_puts(to, v->type == PT_NULL ? "null" : "?");
		return;
	}
	bool dict = v->type == PT_DICT;
	buf_puts(to, dict ? "{" : "[");
	for (size_t i = 0; i < v->items.len * (dict ? 2 : 1); i++) {
		buf_puts(to, i == 0 ? "" : dict && i % 2 == 1 ? ":" : ",");
		json_value(to, &v->items.at[i]);
	}
	buf_puts(to, dict ? "}" : "]");
}

/* What a connection has to tell, until it will not go on: the pairs as JSON, then the error's name and, if asked for,
 * offset. An error is there for good. */
static inline int
pairs_told(struct pt_conn *c, struct buf *to)
{
	const struct pt_value *header, *body;
	int e;
	buf_puts(to, "[");
	for (int i = 0; (e = pt_recv(c, &header, &body)) == PT_OK; i++) {
		buf_puts(to, i == 0 ? "[" : ",[");
		json_value(to, header);
		buf_puts(to, ",");
		json_value(to, body);
		buf_puts(to, "]");
	}
	buf_puts(to, "]");
	unit_require(header == NULL && body == NULL, "values beside an error");
	size_t offset = pt_conn_offset(c);
	for (int i = 0; i < 3; i++)
		unit_require(pt_recv(c, NULL, NULL) == e, "%s does not stay", pt_error_name(e));
	unit_require(pt_conn_ready(c) && pt_conn_offset(c) == offset, "%s: offset", pt_error_name(e));
	buf_printf(to, " %s@%zu", pt_error_name(e), offset);
	return e;
}

/* ---- vectors ---- */

struct vector {
	char   id[16];
	char  *bytes;
	size_t n;
	bool   valid;
	char   said[1024];      /* the value, or the name of the error */
};

/* Those whose id begins with one of kinds. */
enum { VECTORS_MOST = 64 };

static inline int
hex_digit(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static inline bool
vector_parse(char *line, const char *kinds, struct vector *v)
{
	char *field[4];
	for (int i = 0; i < 4; i++)
		if ((field[i] = strsep(&line, "\t\n")) == NULL)
			return false;
	if (field[0][0] == '\0' || strchr(kinds, field[0][0]) == NULL)
		return false;
	snprintf(v->id, sizeof v->id, "%.15s", field[0]);
	snprintf(v->said, sizeof v->said, "%.1023s", field[3]);
	v->valid = strcmp(field[2], "valid") == 0;
	v->n = strcmp(field[1], "-") == 0 ? 0 : strlen(field[1]) / 2;
	v->bytes = malloc(v->n + 1);
	for (size_t i = 0; i < v->n; i++)
		v->bytes[i] = (char)(hex_digit(field[1][2 * i]) << 4 | hex_digit(field[1][2 * i + 1]));
	return true;
}

static inline int
vectors_load(struct vector v[VECTORS_MOST], const char *kinds)
{
	const char *top = getenv("TOP");
	char path[UNIT_PATH], *line = NULL;
	size_t room = 0;
	int n = 0;
	snprintf(path, sizeof path, "%.400s/tests/petrichor/vectors.tsv", top != NULL ? top : ".");
	FILE *f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	while (getline(&line, &room, f) > 0 && n < VECTORS_MOST)
		if (line[0] != '#')
			n += vector_parse(line, kinds, &v[n]);
	free(line);
	fclose(f);
	return n;
}

static inline void
vectors_free(struct vector *v, int n)
{
	for (int i = 0; i < n; i++)
		free(v[i].bytes);
}

/* Does what a connection told agree with the vector? */
static inline void
vector_agrees(const struct vector *v, struct buf *told)
{
	char want[1100];
	const char *text = unit_text(told);
	if (v->valid)
		snprintf(want, sizeof want, "%s CLOSED@0", v->said);
	else
		snprintf(want, sizeof want, " %s@", v->said);
	unit_require(v->valid ? strcmp(text, want) == 0 : strstr(text, want) != NULL, "%s: want %s, got %s", v->id, want, text);
}

/* Pairs large and small behind each other, so that the buffer grows and moves. */
static inline void
long_stream(struct buf *to)
{
	static const size_t sizes[] = { 0, 5, 20000, 1, 16 * 1024 - 15, 70000, 3, 3, 3, 150000, 2 };
	for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
		buf_printf(to, "%s%zu:", i % 2 == 0 ? "8:1:n,1:7#}" : "0:}", sizes[i]);
		char *p = buf_room(to, sizes[i] + 1);
		ck_assert_ptr_nonnull(p);
		for (size_t k = 0; k < sizes[i]; k++)
			p[k] = (char)('a' + (i + k * k) % 26);
		p[sizes[i]] = ',';
		buf_added(to, sizes[i] + 1);
	}
}

#endif
