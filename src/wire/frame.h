/* SPDX-License-Identifier: MIT
 * frame.h - a batch of messages on its way, and its form on the wire and on the disk, which is one (doc/protocol, section 6):
 *
 *     W KIND ORIGIN EPOCH SEQ COUNT BYTES TIME CLIENT N CRC\r\n       the header, then BYTES bytes of body
 *
 * A frame is made by one thread, sealed, then shared by reference between queues and never changed again: a
 * relay sends the very bytes on but for W. The codec is pure. */
#ifndef ZOG_WIRE_FRAME_H
#define ZOG_WIRE_FRAME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FRAME_NAME = 16,                /* bytes of a member's name */
	FRAME_KIND = 16,                /* of a kind: lower-case letters, digits, '-' */
	FRAME_CLIENT = 32,              /* of a client's token: A-Za-z0-9_.- ; "-" alone: none */
	FRAME_HEAD_MAX = 256,           /* of a header line, W to CR LF */
	FRAME_BODY_MAX = 256 * 1024,
};
#define FRAME_NUMBER_MAX ((uint64_t)INT64_MAX)  /* of EPOCH, SEQ, N, TIME, and of SEQ + COUNT, N + COUNT */

struct frame_head {
	char     kind[FRAME_KIND + 1];          /* "data": for access.log; "plain": for access.log, of no stream */
	char     origin[FRAME_NAME + 1];        /* whose client sent it; of a plain one: which peer */
	char     client[FRAME_CLIENT + 1];      /* the client's token, "-": none */
	uint64_t epoch, seq;                    /* stream, and number of the first line; both 0: of no stream */
	uint64_t n;                             /* the client's number of the first line, 0: none has one */
	uint32_t count, bytes;                  /* lines, and bytes of body */
	uint32_t crc;                           /* of the header after "W " up to the CRC, and the body */
	int64_t  time_ms;                       /* when the origin accepted it, since 1970 UTC */
};

struct frame {
	atomic_uint       refs;
	/* constant once sealed */
	struct frame_head h;
	char             *record;       /* the whole, "0 " first: as on the disk; NULL before frame_seal */
	size_t            head_size;    /* bytes of its header line, W to CR LF */
	char             *body;
	bool              block;        /* its memory is a block's (base/block) */
	char              store[];
};

/* With one reference; room: bytes of body. NULL: no memory. */
struct frame *frame_new(const char *kind, const char *origin, size_t room);
void          frame_add(struct frame *, const char *text, size_t len);  /* one line, while there is room: len + 2 bytes */
void          frame_seal(struct frame *);       /* all of h but bytes and crc is set: makes the record */
struct frame *frame_ref(struct frame *);
void          frame_drop(struct frame **);      /* NULL is fine; frees with the last reference */

static inline size_t
frame_size(const struct frame *f)
{
	return f->head_size + f->h.bytes;
}

enum frame_is {
	FRAME_GOOD,
	FRAME_MORE,     /* the bytes end too early */
	FRAME_BAD,      /* *why says what is wrong */
};

/* Reads a header line from p[0 .. n). On FRAME_GOOD head_size is its length; wrap may be NULL. The body and the CRC are not looked at. */
enum frame_is frame_read_head(const char *p, size_t n, struct frame_head *, size_t *head_size, char *wrap, const char **why);

/* Does the CRC agree with header and body? record: the header line, then the body. */
bool frame_check_crc(const struct frame_head *, const char *record, size_t head_size);

/* Is the body COUNT lines that end in CR LF, each with at least one byte of text, without other CR or LF? */
bool frame_check_lines(const struct frame_head *, const char *body);
bool frame_check_lines_plain(const struct frame_head *, const char *body);      /* for tests: without wide registers */

/* Whole frame from p[0 .. n): header, CRC and lines are checked. On FRAME_GOOD *out has one reference and *size says how many
 * bytes it took; on FRAME_MORE *size is how many there must be, as far as is known. out of memory: FRAME_BAD. */
enum frame_is frame_read(const char *p, size_t n, struct frame **out, size_t *size, char *wrap, const char **why);

/* The lines numbered from .. to (both in it) of a sealed frame, as a sealed frame of its own; NULL: no memory. */
struct frame *frame_cut(const struct frame *, uint64_t from, uint64_t to);

bool frame_client_ok(const char *token);        /* 1 to 32 of A-Za-z0-9_.- , and not "-" */

#endif
