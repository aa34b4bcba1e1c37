/* SPDX-License-Identifier: MIT */
#include "helpers_rig.h"

/* The pair that the connection gets, into p. */
static int
take(struct wire *w, struct pt_pieces *p, const struct pt_value **header, const struct pt_value **body)
{
	const struct pt_value *h, *b;
	int e = pt_recv(w->conn, &h, &b);
	ck_assert_msg(e == PT_OK, "pt_recv: %s", pt_error_name(e));
	return pt_pieces_add(p, h, b, header, body);
}

static int
take_text(struct wire *w, struct pt_pieces *p, const char *pair, const struct pt_value **header,
    const struct pt_value **body)
{
	wire_says(w, pair);
	return take(w, p, header, body);
}

static struct pt_pieces *
gather(uint64_t body_bytes, size_t open_bytes, size_t open)
{
	struct pt_pieces_options o = { body_bytes, open_bytes, open, NULL, NULL };
	struct pt_pieces *p = pt_pieces_new(&o);
	ck_assert_ptr_nonnull(p);
	return p;
}

/* A pair of values, not of a wire: n bytes of text. */
static int
add_pair(struct pt_pieces *p, const char *id, bool more, int64_t total, const char *text, size_t n,
    const struct pt_value **header, const struct pt_value **body)
{
	struct pt_value items[] = { PT_TEXT("pt.id"), PT_BYTES_OF(id, strlen(id)), PT_TEXT("pt.more"), PT_BOOL_OF(more),
		PT_TEXT("pt.total"), PT_INT_OF(total) };
	struct pt_value h = PT_DICT_OF(items, total >= 0 ? 3 : 2), b = PT_BYTES_OF(text, n);
	return pt_pieces_add(p, &h, &b, header, body);
}

/* ---- sending ---- */

START_TEST(published_pieces)
{
	struct wire w;
	struct pt_pieces *p = pt_pieces_new(NULL);
	const struct pt_value *header, *body, want = DICT(PT_TEXT("pt.id"), PT_TEXT("5f3a"));
	wire_open(&w);
	ck_assert_int_eq(pt_send_pieces(w.conn, NULL, "5f3a", 4, "hello world", 11, 6), PT_OK);
	wire_expects(&w, "48:5:pt.id,4:5f3a,7:pt.more,4:true!8:pt.total,2:11#}6:hello ,"
	    "33:5:pt.id,4:5f3a,7:pt.more,5:false!}5:world,");
	ck_assert_int_eq(take_text(&w, p, "48:5:pt.id,4:5f3a,7:pt.more,4:true!8:pt.total,2:11#}6:hello ,", &header, &body),
	    PT_OK);
	ck_assert_ptr_null(header);
	ck_assert_ptr_null(body);
	ck_assert_uint_eq(pt_pieces_open(p), 1);
	ck_assert_int_eq(take_text(&w, p, "33:5:pt.id,4:5f3a,7:pt.more,5:false!}5:world,", &header, &body), PT_OK);
	ck_assert(pt_same(header, &want));
	ck_assert(pt_is_text(body, "hello world"));
	ck_assert_uint_eq(pt_pieces_open(p), 0);
	pt_pieces_free(&p);
	wire_close(&w);
}
END_TEST

START_TEST(pieces_that_are_sent)
{
	struct wire w;
	const struct pt_value user = DICT(PT_TEXT("name"), PT_TEXT("f")), list = PT_LIST_OF(NULL, 0);
	wire_open(&w);
	/* The user's header once; a body that divides evenly has no empty piece behind it; an empty one has one. */
	ck_assert_int_eq(pt_send_pieces(w.conn, &user, "i", 1, "abcd", 4, 2), PT_OK);
	wire_expects(&w, "55:5:pt.id,1:i,4:name,1:f,7:pt.more,4:true!8:pt.total,1:4#}2:ab,"
	    "30:5:pt.id,1:i,7:pt.more,5:false!}2:cd,");
	ck_assert_int_eq(pt_send_pieces(w.conn, NULL, "i", 1, NULL, 0, 2), PT_OK);
	wire_expects(&w, "45:5:pt.id,1:i,7:pt.more,5:false!8:pt.total,1:0#}0:,");
	ck_assert_int_eq(pt_send_piece(w.conn, NULL, "i", 1, "x", 1, true, -1), PT_OK);
	wire_expects(&w, "29:5:pt.id,1:i,7:pt.more,4:true!}1:x,");
	ck_assert_int_eq(pt_send_piece(w.conn, NULL, "", 0, "x", 1, true, -1), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_send_piece(w.conn, NULL, "i", 65, "x", 1, true, -1), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_send_piece(w.conn, NULL, "i", 1, "x", 1, true, -2), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_send_piece(w.conn, &list, "i", 1, "x", 1, true, -1), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_send_pieces(w.conn, NULL, "i", 1, "x", 1, 0), PT_E_ARGUMENT);
	wire_expects(&w, "");
	wire_close(&w);
}
END_TEST

/* ---- putting together ---- */

START_TEST(pairs_of_their_own)
{
	struct pt_pieces *p = pt_pieces_new(NULL);
	const struct pt_value h = DICT(PT_TEXT("pt.id"), PT_TEXT("a")), b = PT_INT_OF(7), *header, *body;
	ck_assert_int_eq(add_pair(p, "a", true, -1, "x", 1, &header, &body), PT_OK);
	ck_assert_int_eq(pt_pieces_add(p, &h, &b, &header, &body), PT_OK);
	ck_assert_ptr_eq(header, &h);
	ck_assert_ptr_eq(body, &b);
	ck_assert_int_eq(add_pair(p, "a", false, -1, "y", 1, &header, &body), PT_OK);
	ck_assert(pt_is_text(body, "xy"));
	ck_assert_int_eq(add_pair(p, "b", false, -1, "alone", 5, &header, &body), PT_OK);
	ck_assert(pt_is_text(body, "alone"));
	pt_pieces_free(&p);
	ck_assert_ptr_null(p);
	pt_pieces_free(&p);
}
END_TEST

START_TEST(header_of_the_first_piece)
{
	struct wire w;
	struct pt_pieces *p = pt_pieces_new(NULL);
	const struct pt_value *header, *body,
	    want = DICT(PT_TEXT("pt.id"), PT_TEXT("i"), PT_TEXT("name"), PT_TEXT("f"), PT_TEXT("pt.err"), PT_TEXT("no"));
	wire_open(&w);
	ck_assert_int_eq(take_text(&w, p, "54:5:pt.id,1:i,7:pt.more,4:true!4:name,1:f,6:pt.err,2:no,}1:x,", &header,
	    &body), PT_OK);
	/* A second one is not looked at, and other reads come between. */
	wire_says(&w, "11:4:name,1:g,}1:-,");
	ck_assert_int_eq(pt_recv(w.conn, &header, &body), PT_OK);
	ck_assert_int_eq(take_text(&w, p, "42:5:pt.id,1:i,7:pt.more,5:false!4:name,2:gg,}1:y,", &header, &body), PT_OK);
	ck_assert_ptr_nonnull(header);
	ck_assert(pt_same(header, &want));
	ck_assert(pt_is_text(body, "xy"));
	pt_pieces_free(&p);
	wire_close(&w);
}
END_TEST

enum { BODIES = 8, BODY_MOST = 60000 };

/* Many bodies at once, in pieces of all sizes. */
START_TEST(interleaved)
{
	static char data[BODIES][BODY_MOST];
	uint64_t seed = unit_seed("interleaved");
	struct pt_pieces *p = gather(BODY_MOST, BODIES * (BODY_MOST + 40), BODIES);
	for (int round = unit_amount(20); round > 0; round--) {
		size_t size[BODIES], sent[BODIES] = { 0 }, open = BODIES;
		bool ended[BODIES] = { false };
		for (int i = 0; i < BODIES; i++) {
			size[i] = unit_below(&seed, BODY_MOST + 1);
			for (size_t k = 0; k < size[i]; k++)
				data[i][k] = (char)unit_random(&seed);
		}
		while (open > 0) {
			unsigned i = unit_below(&seed, BODIES);
			if (ended[i])
				continue;
			size_t n = unit_below(&seed, 3000), left = size[i] - sent[i];
			n = n < left ? n : left;
			bool more = n < left || unit_below(&seed, 3) == 0;
			char id[2] = { (char)('a' + i), '\0' };
			const struct pt_value *header, *body;
			int64_t total = unit_below(&seed, 3) == 0 ? (int64_t)size[i] : -1;
			ck_assert_int_eq(add_pair(p, id, more, total, data[i] + sent[i], n, &header, &body), PT_OK);
			sent[i] += n;
			ck_assert_int_eq(header == NULL, more);
			if (more)
				continue;
			ck_assert_uint_eq(body->bytes.len, size[i]);
			ck_assert(size[i] == 0 || memcmp(body->bytes.at, data[i], size[i]) == 0);
			ck_assert(pt_is_text(pt_get(header, "pt.id"), id));
			ended[i] = true;
			open--;
		}
		ck_assert_uint_eq(pt_pieces_open(p), 0);
	}
	pt_pieces_free(&p);
}
END_TEST

/* ---- bounds ---- */

START_TEST(bound_of_a_body)
{
	const struct pt_value *header, *body;
	for (int total = 0; total < 2; total++) {
		struct pt_pieces *p = gather(10, 1000, 4);
		ck_assert_int_eq(add_pair(p, "a", true, total ? 10 : -1, "123456", 6, &header, &body), PT_OK);
		ck_assert_int_eq(add_pair(p, "a", false, -1, "7890", 4, &header, &body), PT_OK);
		ck_assert(pt_is_text(body, "1234567890"));
		/* A byte more, said or sent; and what follows is no body of its own. */
		ck_assert_int_eq(add_pair(p, "a", true, total ? 11 : -1, "123456", 6, &header, &body),
		    total ? PT_E_LIMIT : PT_OK);
		ck_assert_int_eq(add_pair(p, "a", false, -1, "78901", 5, &header, &body), PT_E_LIMIT);
		ck_assert_ptr_null(header);
		ck_assert_int_eq(add_pair(p, "a", false, -1, "x", 1, &header, &body), PT_E_LIMIT);
		ck_assert_int_eq(add_pair(p, "b", false, -1, "x", 1, &header, &body), PT_E_LIMIT);
		pt_pieces_free(&p);
	}
}
END_TEST

START_TEST(bound_of_all)
{
	const struct pt_value *header, *body;
	/* The headers count: 16 bytes each, 15:5:pt.id,1:a,} */
	struct pt_pieces *p = gather(100, 50, 4);
	ck_assert_int_eq(add_pair(p, "a", true, -1, "123456789", 9, &header, &body), PT_OK);
	ck_assert_int_eq(add_pair(p, "b", true, -1, "123456789", 9, &header, &body), PT_OK);
	ck_assert_int_eq(add_pair(p, "a", false, -1, "", 0, &header, &body), PT_OK);
	/* What was given is given back with the next call. */
	ck_assert_int_eq(add_pair(p, "c", true, -1, "123456789", 9, &header, &body), PT_OK);
	ck_assert_int_eq(add_pair(p, "c", true, -1, "1", 1, &header, &body), PT_E_LIMIT);
	pt_pieces_free(&p);
	p = gather(100, 50, 4);
	ck_assert_int_eq(add_pair(p, "a", true, 51, "1", 1, &header, &body), PT_E_LIMIT);
	pt_pieces_free(&p);
}
END_TEST

START_TEST(bound_of_open_ids)
{
	const struct pt_value *header, *body;
	struct pt_pieces *p = gather(100, 1000, 2);
	ck_assert_int_eq(add_pair(p, "a", true, -1, "x", 1, &header, &body), PT_OK);
	ck_assert_int_eq(add_pair(p, "b", true, -1, "x", 1, &header, &body), PT_OK);
	ck_assert_int_eq(add_pair(p, "a", false, -1, "x", 1, &header, &body), PT_OK);
	ck_assert_int_eq(add_pair(p, "c", true, -1, "x", 1, &header, &body), PT_OK);
	ck_assert_uint_eq(pt_pieces_open(p), 2);
	ck_assert_int_eq(add_pair(p, "d", true, -1, "x", 1, &header, &body), PT_E_LIMIT);
	pt_pieces_free(&p);
}
END_TEST

/* A total costs nothing before the bytes come. */
START_TEST(total_costs_nothing)
{
	const struct pt_value *header, *body;
	struct pt_pieces *p = gather(UINT64_C(1) << 40, (size_t)1 << 40, 1000);
	/* Sanitizers need more of addresses than there is of this. */
	if (getenv("SANITIZE") == NULL || getenv("SANITIZE")[0] == '\0')
		setrlimit(RLIMIT_AS, &(struct rlimit){ (rlim_t)1 << 30, (rlim_t)1 << 30 });
	for (int i = 0; i < 1000; i++) {
		char id[16];
		snprintf(id, sizeof id, "%d", i);
		ck_assert_int_eq(add_pair(p, id, true, INT64_C(999999999), "x", 1, &header, &body), PT_OK);
	}
	pt_pieces_free(&p);
}
END_TEST

/* ---- what is wrong ---- */

static void
refused(struct pt_value more, struct pt_value id, struct pt_value body, int64_t total)
{
	const struct pt_value *header, *whole;
	struct pt_pieces *p = gather(100, 1000, 2);
	struct pt_value items[] = { PT_TEXT("pt.more"), more, PT_TEXT("pt.id"), id, PT_TEXT("pt.total"), PT_INT_OF(total) };
	struct pt_value h = PT_DICT_OF(items, id.type == PT_NULL ? 1 : 3);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pt_pieces_add(p, &h, &body, &header, &whole), PT_E_ENCODING);
		ck_assert_ptr_null(header);
	}
	ck_assert_int_eq(add_pair(p, "other", false, -1, "x", 1, &header, &whole), PT_E_ENCODING);
	pt_pieces_free(&p);
}

START_TEST(pieces_that_are_none)
{
	static char long_id[65] = "x";
	struct pt_value yes = PT_BOOL_OF(true), no = PT_BOOL_OF(false), id = PT_TEXT("i"), x = PT_TEXT("x");
	refused(V(PT_TEXT("true")), id, x, 5);
	refused(V(PT_INT_OF(1)), id, x, 5);
	refused(yes, V(PT_NULL_OF), x, 5);
	refused(yes, V(PT_INT_OF(7)), x, 5);
	refused(yes, V(PT_TEXT("")), x, 5);
	refused(yes, V(PT_BYTES_OF(long_id, 65)), x, 5);
	refused(yes, id, V(PT_INT_OF(7)), 5);
	refused(yes, id, x, -1);
	refused(yes, id, V(PT_TEXT("123456")), 5);
	refused(no, id, V(PT_TEXT("1234")), 5);
	refused(no, id, V(PT_TEXT("123456")), 5);
}
END_TEST

/* A total that changes, that comes too late to be true, and one that is not kept. */
START_TEST(totals)
{
	const struct pt_value *header, *body;
	struct pt_pieces *p = gather(100, 1000, 2);
	ck_assert_int_eq(add_pair(p, "a", true, 5, "123", 3, &header, &body), PT_OK);
	ck_assert_int_eq(add_pair(p, "a", true, 5, "4", 1, &header, &body), PT_OK);
	ck_assert_int_eq(add_pair(p, "a", true, 6, "5", 1, &header, &body), PT_E_ENCODING);
	pt_pieces_free(&p);
	p = gather(100, 1000, 2);
	ck_assert_int_eq(add_pair(p, "a", true, -1, "123", 3, &header, &body), PT_OK);
	ck_assert_int_eq(add_pair(p, "a", true, 2, "", 0, &header, &body), PT_E_ENCODING);
	pt_pieces_free(&p);
	p = gather(100, 1000, 2);
	ck_assert_int_eq(add_pair(p, "a", true, 5, "123", 3, &header, &body), PT_OK);
	ck_assert_int_eq(add_pair(p, "a", false, -1, "4", 1, &header, &body), PT_E_ENCODING);
	pt_pieces_free(&p);
}
END_TEST

/* ---- handed on ---- */

struct seen {
	uint64_t bytes, sum;
	int      pieces, lasts;
	int      stop_at, error;
};

static int
see(void *ctx, const struct pt_piece *p)
{
	struct seen *s = ctx;
	ck_assert_uint_eq(p->offset, s->bytes);
	ck_assert(p->id_len == 1 && p->id[0] == 'a');
	ck_assert_int_eq(p->total, s->pieces == 0 ? -1 : p->total);
	ck_assert_ptr_nonnull(pt_get(p->header, "pt.more"));
	for (size_t i = 0; i < p->len; i++)
		s->sum = s->sum * 31 + (unsigned char)p->at[i];
	s->bytes += p->len;
	s->lasts += p->last;
	return ++s->pieces == s->stop_at ? s->error : PT_OK;
}

START_TEST(handed_on)
{
	static char data[60000];
	struct seen s = { .stop_at = 0 };
	struct pt_pieces_options o = { UINT64_MAX, 0, 1, see, &s };
	struct pt_pieces *p = pt_pieces_new(&o);
	const struct pt_value *header, *body;
	uint64_t seed = 7, sum = 0;
	for (int i = 0; i < 1000; i++) {
		size_t n = unit_below(&seed, sizeof data);
		memset(data, i, n);
		for (size_t k = 0; k < n; k++)
			sum = sum * 31 + (unsigned char)data[k];
		ck_assert_int_eq(add_pair(p, "a", i < 999, -1, data, n, &header, &body), PT_OK);
		ck_assert_ptr_null(header);
	}
	ck_assert_uint_eq(s.sum, sum);
	ck_assert_int_eq(s.pieces, 1000);
	ck_assert_int_eq(s.lasts, 1);
	/* The callback's error is the result, and final. */
	s = (struct seen){ .stop_at = 2, .error = PT_E_IO };
	ck_assert_int_eq(add_pair(p, "a", true, -1, "x", 1, &header, &body), PT_OK);
	ck_assert_int_eq(add_pair(p, "a", true, -1, "x", 1, &header, &body), PT_E_IO);
	ck_assert_int_eq(add_pair(p, "a", true, -1, "x", 1, &header, &body), PT_E_IO);
	ck_assert_int_eq(s.pieces, 2);
	pt_pieces_free(&p);
	/* The bound of a body holds here, too. */
	s = (struct seen){ .stop_at = 0 };
	o.body_bytes = 3;
	p = pt_pieces_new(&o);
	ck_assert_int_eq(add_pair(p, "a", true, -1, "123", 3, &header, &body), PT_OK);
	ck_assert_int_eq(add_pair(p, "a", true, -1, "4", 1, &header, &body), PT_E_LIMIT);
	ck_assert_uint_eq(s.bytes, 3);
	pt_pieces_free(&p);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, published_pieces);
	UNIT_TEST(s, pieces_that_are_sent);
	UNIT_TEST(s, pairs_of_their_own);
	UNIT_TEST(s, header_of_the_first_piece);
	UNIT_TEST(s, interleaved);
	UNIT_TEST(s, bound_of_a_body);
	UNIT_TEST(s, bound_of_all);
	UNIT_TEST(s, bound_of_open_ids);
	UNIT_TEST(s, total_costs_nothing);
	UNIT_TEST(s, pieces_that_are_none);
	UNIT_TEST(s, totals);
	UNIT_TEST(s, handed_on);
}

int
main(void)
{
	return unit_main("pieces", add);
}
