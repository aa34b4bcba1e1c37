/* SPDX-License-Identifier: MIT
 * Packed bodies that are not taken. */
#include "coding_rig.h"

static void
refused_with(const char *pair, size_t n, size_t body_bytes, int error)
{
	const struct pt_coding *codings[] = { pt_lz4() };
	struct wire w;
	const struct pt_value *header, *body;
	open_with(&w, codings, 1, body_bytes);
	agree(&w, LZ4_IDENTITY);
	wire_expects(&w, LZ4_VERDICT);
	wire_say(&w, pair, n);
	int e = pt_recv(w.conn, &header, &body);
	ck_assert_msg(e == error, "%.*s: %s", (int)n, pair, pt_error_name(e));
	ck_assert_int_eq(pt_recv(w.conn, &header, &body), error);
	if (error == PT_E_ENCODING) {
		/* A last word, before closing. */
		ck_assert_int_eq(pt_fail(w.conn, NULL, "bad-encoding", "cannot be read"), PT_OK);
		wire_expects(&w, "25:6:pt.err,12:bad-encoding,}14:cannot be read,");
	}
	wire_close(&w);
}

#define REFUSED(pair, error) refused_with(pair, sizeof pair - 1, 0, error)
#define BLOCK "16:\x5f" "300:a\1\0\xff\x15" "Paaaa,,"

START_TEST(refused)
{
	REFUSED("30:6:pt.enc,3:lz5,6:pt.len,3:305#}" BLOCK, PT_E_ENCODING);
	REFUSED("30:6:pt.enc,3:123#6:pt.len,3:305#}" BLOCK, PT_E_ENCODING);
	REFUSED("15:6:pt.enc,3:lz4,}" BLOCK, PT_E_ENCODING);
	REFUSED("30:6:pt.enc,3:lz4,6:pt.len,3:305,}" BLOCK, PT_E_ENCODING);
	REFUSED("30:6:pt.enc,3:lz4,6:pt.len,3:304#}" BLOCK, PT_E_ENCODING);
	REFUSED("30:6:pt.enc,3:lz4,6:pt.len,3:306#}" BLOCK, PT_E_ENCODING);
	REFUSED("31:6:pt.enc,3:lz4,6:pt.len,4:-305#}" BLOCK, PT_E_ENCODING);
	REFUSED("28:6:pt.enc,3:lz4,6:pt.len,1:0#}1:\0,", PT_E_ENCODING);
	/* The body is to be bytes. */
	REFUSED("30:6:pt.enc,3:lz4,6:pt.len,3:305#}0:~", PT_E_ENCODING);
	/* More than any block of that size can say, and more than a body may have. */
	REFUSED("31:6:pt.enc,3:lz4,6:pt.len,4:4081#}" BLOCK, PT_E_ENCODING);
	REFUSED("35:6:pt.enc,3:lz4,6:pt.len,8:16777227#}" BLOCK, PT_E_LIMIT);
	REFUSED("47:6:pt.enc,3:lz4,6:pt.len,19:9223372036854775807#}" BLOCK, PT_E_LIMIT);
	/* Exactly one frame: two, one and a half, none. */
	REFUSED("28:6:pt.enc,3:lz4,6:pt.len,1:8#}9:\x80" "1:a,1:b,,", PT_E_ENCODING);
	REFUSED("28:6:pt.enc,3:lz4,6:pt.len,1:5#}6:\x50" "9:abc,", PT_E_ENCODING);
	REFUSED("28:6:pt.enc,3:lz4,6:pt.len,1:5#}6:\x50" "hello,", PT_E_ENCODING);
}
END_TEST

/* What was packed is checked as any other body. */
START_TEST(faults_in_what_was_packed)
{
	REFUSED("28:6:pt.enc,3:lz4,6:pt.len,1:4#}5:\x40" "1:x#,", PT_E_INT);
	REFUSED("28:6:pt.enc,3:lz4,6:pt.len,1:4#}5:\x40" "1:x?,", PT_E_TAG);
	REFUSED("28:6:pt.enc,3:lz4,6:pt.len,1:7#}8:\x70" "4:1:a,},", PT_E_ODD);
}
END_TEST

START_TEST(limit_of_a_body)
{
	/* 300 bytes may come, and not one less than they are. */
	struct wire w;
	const struct pt_coding *codings[] = { pt_lz4() };
	const struct pt_value *header, *body;
	open_with(&w, codings, 1, 300);
	agree(&w, LZ4_IDENTITY);
	wire_expects(&w, LZ4_VERDICT);
	wire_say(&w, PUBLISHED, PUBLISHED_SIZE);
	ck_assert_int_eq(pt_recv(w.conn, &header, &body), PT_OK);
	wire_close(&w);
	refused_with(PUBLISHED, PUBLISHED_SIZE, 299, PT_E_LIMIT);
}
END_TEST

/* Who has no coding, or has not said so yet, is sent none. */
START_TEST(not_agreed_on)
{
	struct wire w;
	const struct pt_value *header, *body;
	wire_open(&w);
	wire_say(&w, PUBLISHED, PUBLISHED_SIZE);
	ck_assert_int_eq(pt_recv(w.conn, &header, &body), PT_E_ENCODING);
	wire_close(&w);
	open_lz4(&w);
	wire_say(&w, PUBLISHED, PUBLISHED_SIZE);
	ck_assert_int_eq(pt_recv(w.conn, &header, &body), PT_E_ENCODING);
	wire_close(&w);
}
END_TEST

static size_t
pack_none(void *ctx, const char *from, size_t n, char *to, size_t room)
{
	(void)ctx;
	(void)from;
	(void)n;
	(void)to;
	(void)room;
	return 0;
}

/* Says that it is what it should be, whatever it is given. */
static bool
unpack_any(void *ctx, const char *from, size_t n, char *to, size_t size)
{
	(void)ctx;
	(void)from;
	(void)n;
	memset(to, 'x', size);
	snprintf(to, size, "%zu:", size - 4);
	to[3] = 'x';
	to[size - 1] = ',';
	return true;
}

/* What is seen before a coding is asked. */
START_TEST(codings_are_spared)
{
	static const struct {
		const char *pair;
		int         error;
	} cases[] = {
		{ "29:6:pt.enc,3:any,6:pt.len,2:36#}9:123456789,", PT_OK },
		{ "29:6:pt.enc,3:any,6:pt.len,2:37#}9:123456789,", PT_E_ENCODING },
		{ "29:6:pt.enc,3:any,6:pt.len,2:16#}12:1:1#1:2#1:3#]", PT_E_ENCODING },
		{ "29:6:pt.enc,3:any,6:pt.len,2:16#}12:123456789012#", PT_E_ENCODING },
	};
	const struct pt_coding any = { "any", pack_none, unpack_any, NULL, 4 };
	const struct pt_coding *codings[] = { &any };
	for (size_t i = 0; i < UNIT_COUNT(cases); i++) {
		struct wire w;
		const struct pt_value *header, *body;
		open_with(&w, codings, 1, 0);
		agree(&w, "0:}0:,");
		wire_expects(&w, "38:9:pt.accept,6:3:any,]7:allowed,4:true!}0:,");
		wire_says(&w, cases[i].pair);
		int e = pt_recv(w.conn, &header, &body);
		ck_assert_msg(e == cases[i].error, "%s: %s", cases[i].pair, pt_error_name(e));
		wire_close(&w);
	}
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, refused);
	UNIT_TEST(s, faults_in_what_was_packed);
	UNIT_TEST(s, limit_of_a_body);
	UNIT_TEST(s, not_agreed_on);
	UNIT_TEST(s, codings_are_spared);
}

int
main(void)
{
	return unit_main("coding_refused", add);
}
