/* SPDX-License-Identifier: MIT
 * coding_rig.h - a connection that can unpack, and one whose peer can. */
#ifndef ZOG_TESTS_CODING_RIG_H
#define ZOG_TESTS_CODING_RIG_H

#include "helpers_rig.h"

/* 300 bytes of the same, packed. */
#define PUBLISHED "30:6:pt.enc,3:lz4,6:pt.len,3:305#}16:\x5f" "300:a\1\0\xff\x15" "Paaaa,,"
enum { PUBLISHED_SIZE = sizeof PUBLISHED - 1 };

static inline void
open_with(struct wire *w, const struct pt_coding *const *codings, size_t count, size_t body_bytes)
{
	struct pt_options o = PT_OPTIONS_INIT;
	if (body_bytes != 0)
		o.limits.body_bytes = body_bytes;
	wire_open_with(w, &o);
	ck_assert_int_eq(pt_conn_codings(w->conn, codings, count), PT_OK);
}

static inline void
open_lz4(struct wire *w)
{
	const struct pt_coding *codings[] = { pt_lz4() };
	open_with(w, codings, 1, 0);
}

/* A server's side: the peer accepts these. */
static inline void
agree(struct wire *w, const char *identity)
{
	const struct pt_value *header, *body;
	wire_says(w, identity);
	ck_assert_int_eq(pt_accept(w->conn, 1000, &header, &body), PT_OK);
	ck_assert_int_eq(pt_peer_allowed(w->conn, NULL, NULL), PT_OK);
}

#define LZ4_IDENTITY "34:9:pt.accept,6:3:lz4,]4:user,3:zed,}0:,"
#define LZ4_VERDICT "38:9:pt.accept,6:3:lz4,]7:allowed,4:true!}0:,"

static inline void
agree_lz4(struct wire *w)
{
	open_lz4(w);
	agree(w, LZ4_IDENTITY);
	wire_expects(w, LZ4_VERDICT);
}

static inline void
send_text(struct wire *w, const char *text, size_t n)
{
	const struct pt_value body = PT_BYTES_OF(text, n);
	ck_assert_int_eq(pt_send(w->conn, NULL, &body), PT_OK);
}

#endif
