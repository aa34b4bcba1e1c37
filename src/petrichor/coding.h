/* SPDX-License-Identifier: MIT
 * coding.h - what a connection and its codings say to each other. A connection calls these, one thread at a time; without
 * a coding (struct pt_conn, coding == NULL) it calls none of them, and what has pt.enc is PT_E_ENCODING.
 *
 * Sending and receiving have memory of their own: what coding_unpack gave stays while coding_pack is called, so that a body
 * that came can be sent back. */
#ifndef PETRICHOR_CODING_H
#define PETRICHOR_CODING_H

#include "petrichor/petrichor.h"

struct coding;

/* PT_E_ARGUMENT, PT_E_MEMORY. The array is copied, the names are not. */
int coding_new(struct coding **, const struct pt_coding *const *codings, size_t count);
void coding_free(struct coding **);     /* by pt_close; NULL inside is fine */

/* Before a pair is sent: frame is its encoded body. PT_OK and *packed: *new_header and the whole frame *new_frame are to be
 * sent instead, and stay until the next coding_pack. PT_OK and not *packed: the pair goes as it is; so it does where the
 * peer has listed nothing, where header has pt.enc already (a pair that is passed on), and where header is no PT_DICT but a
 * PT_FRAME. header is what the caller of pt_send gave, with NULL made {}. Else PT_E_MEMORY. */
int coding_pack(struct coding *, const struct pt_value *header, const char *frame, size_t size,
	const struct pt_value **new_header, const char **new_frame, size_t *new_size, bool *packed);

/* A pair that came, with pt.enc in its header: the body's original frame, exactly one, which stays until the next
 * coding_unpack. PT_E_ENCODING, PT_E_LIMIT, PT_E_MEMORY. The frame's payload is checked by the caller.
 * header is pt_decode's, and loses pt.enc and pt.len: else who echoes the pair would send a body as packed that is not. */
int coding_unpack(struct coding *, struct pt_value *header, const struct pt_value *body, const struct pt_limits *,
	const char **frame, size_t *size);

/* An identity or a verdict before it is sent, a PT_DICT: *offered is it with pt.accept, in place or as its first; stays until
 * the next coding_offer. PT_E_MEMORY. */
int coding_offer(struct coding *, const struct pt_value *header, const struct pt_value **offered);

/* The peer's identity or verdict: from now on coding_pack may use what it accepts. Nothing of it is kept by reference. */
void coding_heard(struct coding *, const struct pt_value *header);

#endif
