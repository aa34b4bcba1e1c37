/* SPDX-License-Identifier: MIT
 * Values to frames: by hand and at random, what cannot be encoded, order of keys, and looking into values. */
#include "petrichor/petrichor.h"

#include <math.h>

#include "vectors_rig.h"

#define LIST(...) PT_LIST_OF(((const struct pt_value[]){ __VA_ARGS__ }), \
	sizeof((const struct pt_value[]){ __VA_ARGS__ }) / sizeof(struct pt_value))
#define DICT(...) PT_DICT_OF(((const struct pt_value[]){ __VA_ARGS__ }), \
	sizeof((const struct pt_value[]){ __VA_ARGS__ }) / sizeof(struct pt_value) / 2)

/* By all ways there are, in blocks of just their size. */
static void
expect(const struct pt_value *v, int flags, const char *want, size_t n)
{
	char *frame, *by_hand = malloc(n), tail[400];
	size_t size;
	ck_assert_int_eq(pt_measure(v, &size), PT_OK);
	ck_assert_msg(size == n, "%.*s: %zu bytes", (int)n, want, size);
	ck_assert_int_eq(pt_encode(v, flags, by_hand, n), PT_OK);
	ck_assert_msg(memcmp(by_hand, want, n) == 0, "%.*s, not %.*s", (int)n, by_hand, (int)n, want);
	free(by_hand);
	ck_assert_int_eq(pt_encode_new(v, flags, &frame, &size), PT_OK);
	ck_assert(size == n && memcmp(frame, want, n) == 0);
	free(frame);
	ck_assert_uint_lt(n, sizeof tail);
	ck_assert_int_eq(pt_encode_tail(v, flags, tail, sizeof tail, &size), PT_OK);
	ck_assert(size == n && memcmp(tail + sizeof tail - n, want, n) == 0);
	/* With less room, and with more where it is to be filled. */
	for (size_t room = 0; room < n; room++) {
		char *little = malloc(room != 0 ? room : 1);
		ck_assert_int_eq(pt_encode_tail(v, flags, little, room, &size), PT_E_TRUNC);
		ck_assert_uint_eq(size, 0);
		ck_assert_int_eq(pt_encode(v, flags, little, room), PT_E_ARGUMENT);
		free(little);
	}
	ck_assert_int_eq(pt_encode(v, flags, tail, n + 1), PT_E_ARGUMENT);
}

static void
expect_text(struct pt_value v, const char *want)
{
	expect(&v, 0, want, strlen(want));
}

START_TEST(by_hand)
{
	expect_text((struct pt_value)PT_TEXT("hello"), "5:hello,");
	expect_text((struct pt_value)PT_TEXT(""), "0:,");
	expect_text((struct pt_value)PT_BYTES_OF(NULL, 0), "0:,");
	expect_text((struct pt_value)PT_INT_OF(-42), "3:-42#");
	expect_text((struct pt_value)PT_FLOAT_OF(1.5), "3:1.5^");
	expect_text((struct pt_value)PT_BOOL_OF(true), "4:true!");
	expect_text((struct pt_value)PT_BOOL_OF(false), "5:false!");
	expect_text((struct pt_value)PT_NULL_OF, "0:~");
	expect_text((struct pt_value)PT_LIST_OF(NULL, 0), "0:]");
	expect_text((struct pt_value)PT_DICT_OF(NULL, 0), "0:}");
	expect_text((struct pt_value)LIST(PT_INT_OF(1), PT_LIST_OF(NULL, 0), PT_NULL_OF), "10:1:1#0:]0:~]");
	expect_text((struct pt_value)DICT(PT_TEXT("b"), PT_INT_OF(1), PT_TEXT("a"), DICT(PT_TEXT(""), PT_NULL_OF)),
	    "21:1:b,1:1#1:a,6:0:,0:~}}");
	size_t size;
	ck_assert_int_eq(pt_encode_tail(&(struct pt_value)PT_NULL_OF, 0, NULL, 0, &size), PT_E_TRUNC);
	for (size_t n = 0; n < 300; n++) {
		char text[300], want[310];
		memset(text, 'x', n);
		int len = sprintf(want, "%zu:%.*s,", n, (int)n, text);
		expect(&(struct pt_value)PT_BYTES_OF(text, n), 0, want, (size_t)len);
	}
}
END_TEST

START_TEST(sorted_keys)
{
	const struct pt_value inner = DICT(PT_TEXT("z"), PT_INT_OF(1), PT_TEXT("y"), PT_INT_OF(2));
	const struct pt_value v = DICT(PT_TEXT("b"), inner, PT_TEXT("ab"), LIST(inner), PT_TEXT("a"), PT_NULL_OF, PT_TEXT(""),
	    PT_NULL_OF, PT_TEXT("\xff"), PT_NULL_OF, PT_TEXT("a\0b"), PT_NULL_OF);
	const char want[] = "82:0:,0:~1:a,0:~3:a\0b,0:~2:ab,20:16:1:y,1:2#1:z,1:1#}]1:b,16:1:y,1:2#1:z,1:1#}1:\xff,0:~}";
	expect(&v, PT_SORTED, want, sizeof want - 1);
	expect(&(struct pt_value)PT_DICT_OF(NULL, 0), PT_SORTED, "0:}", 3);
	/* The order of the caller's own stays. */
	ck_assert(pt_is_text(&v.items.at[0], "b"));
	const struct pt_value bad = DICT(PT_TEXT("b"), DICT(PT_INT_OF(1), PT_NULL_OF, PT_TEXT("a"), PT_NULL_OF));
	char to[64];
	size_t size;
	ck_assert_int_eq(pt_encode_tail(&bad, PT_SORTED, to, sizeof to, &size), PT_E_ARGUMENT);
}
END_TEST

START_TEST(whole_frames)
{
	expect_text((struct pt_value)PT_LIST_OF(((const struct pt_value[]){
	    { .type = PT_FRAME, .bytes = { "5:hello,", 8 } }, PT_INT_OF(7), { .type = PT_FRAME, .bytes = { "1:x?", 4 } } }), 3),
	    "16:5:hello,1:7#1:x?]");
	static const char *const none[] = { "", "5", "5:hello", "5:hello,,", "05:hello,", "x", ":" };
	for (size_t i = 0; i < UNIT_COUNT(none); i++) {
		const struct pt_value v = { .type = PT_FRAME, .bytes = { none[i], strlen(none[i]) } };
		const struct pt_value list = PT_LIST_OF(&v, 1);
		char to[64];
		size_t size;
		ck_assert_int_eq(pt_measure(&v, &size), PT_E_ARGUMENT);
		ck_assert_int_eq(pt_measure(&list, &size), PT_E_ARGUMENT);
		ck_assert_int_eq(pt_encode_tail(&list, 0, to, sizeof to, &size), PT_E_ARGUMENT);
	}
}
END_TEST

/* ---- what cannot be ---- */

static void
refuse(struct pt_value v, int error)
{
	size_t size = 77;
	char *frame = (char *)&size, to[512];
	const struct pt_value list = PT_LIST_OF(&v, 1);
	for (int inside = 0; inside < 2; inside++) {
		const struct pt_value *which = inside ? &list : &v;
		ck_assert_str_eq(pt_error_name(pt_measure(which, &size)), pt_error_name(error));
		ck_assert_uint_eq(size, 0);
		ck_assert_int_eq(pt_encode_new(which, 0, &frame, &size), error);
		ck_assert_ptr_null(frame);
		ck_assert_int_eq(pt_encode_tail(which, 0, to, sizeof to, &size), error);
	}
}

START_TEST(what_cannot_be_encoded)
{
	refuse((struct pt_value)PT_FLOAT_OF(NAN), PT_E_ARGUMENT);
	refuse((struct pt_value)PT_FLOAT_OF(INFINITY), PT_E_ARGUMENT);
	refuse((struct pt_value)PT_FLOAT_OF(-INFINITY), PT_E_ARGUMENT);
	refuse((struct pt_value)DICT(PT_INT_OF(1), PT_NULL_OF), PT_E_ARGUMENT);
	refuse((struct pt_value)DICT(PT_TEXT("a"), PT_NULL_OF, PT_NULL_OF, PT_NULL_OF), PT_E_ARGUMENT);
	refuse((struct pt_value)DICT(PT_LIST_OF(NULL, 0), PT_NULL_OF), PT_E_ARGUMENT);
	const struct pt_value frame = { .type = PT_FRAME, .bytes = { "1:a,", 4 } };
	refuse((struct pt_value)DICT(frame, PT_NULL_OF), PT_E_ARGUMENT);
	refuse((struct pt_value){ .type = 0 }, PT_E_ARGUMENT);
	refuse((struct pt_value){ .type = (enum pt_type)'?' }, PT_E_ARGUMENT);
}
END_TEST

/* Sizes only: there is no such text. */
START_TEST(sizes_over_the_most)
{
	static const char text[1];
	size_t size;
	struct pt_value v[3] = { PT_BYTES_OF(text, PT_MOST), PT_BYTES_OF(text, 0), PT_BYTES_OF(text, 0) };
	struct pt_value list = PT_LIST_OF(v, 3);
	ck_assert_int_eq(pt_measure(&v[0], &size), PT_OK);
	ck_assert_uint_eq(size, 1000000010);
	refuse((struct pt_value)PT_BYTES_OF(text, (size_t)PT_MOST + 1), PT_E_LIMIT);
	refuse((struct pt_value)PT_BYTES_OF(text, SIZE_MAX), PT_E_LIMIT);
	refuse((struct pt_value)PT_LIST_OF(v, SIZE_MAX), PT_E_LIMIT);
	refuse((struct pt_value)PT_DICT_OF(v, SIZE_MAX / 2 + 2), PT_E_LIMIT);
	const struct pt_value key = DICT(PT_BYTES_OF(text, (size_t)PT_MOST + 1), PT_NULL_OF);
	ck_assert_int_eq(pt_measure(&key, &size), PT_E_LIMIT);
	/* The last payload that fits: two texts with what is around them, and an empty one. */
	v[0].bytes.len = 499999990;
	v[1].bytes.len = PT_MOST - (499999990 + 11) - 11 - 3;
	ck_assert_int_eq(pt_measure(&list, &size), PT_OK);
	ck_assert_uint_eq(size, 1000000010);
	v[1].bytes.len++;
	ck_assert_int_eq(pt_measure(&list, &size), PT_E_LIMIT);
	v[1].bytes.len--;
	struct pt_value outer = PT_LIST_OF(&list, 1);
	ck_assert_int_eq(pt_measure(&outer, &size), PT_E_LIMIT);
	/* Lists of lists of lists that would be 2^60 values. */
	struct pt_value many[60][2];
	for (int i = 0; i < 60; i++)
		for (int k = 0; k < 2; k++)
			many[i][k] = i == 0 ? (struct pt_value)PT_BYTES_OF(text, 1000000) : (struct pt_value)PT_LIST_OF(many[i - 1], 2);
	list = (struct pt_value)PT_LIST_OF(many[59], 2);
	char to[100];
	ck_assert_int_eq(pt_encode_tail(&list, 0, to, sizeof to, &size), PT_E_TRUNC);
	ck_assert_int_eq(pt_measure(&list, &size), PT_E_LIMIT);
}
END_TEST

START_TEST(depth_of_values)
{
	struct pt_value *v = calloc(PT_DEPTH_MOST + 1, sizeof *v), *back;
	struct pt_limits l = PT_LIMITS_INIT;
	for (int i = 0; i <= PT_DEPTH_MOST; i++)
		v[i] = (struct pt_value)PT_LIST_OF(i == 0 ? NULL : &v[i - 1], i == 0 ? 0 : 1);
	size_t size;
	char *frame;
	ck_assert_int_eq(pt_measure(&v[PT_DEPTH_MOST], &size), PT_E_DEPTH);
	ck_assert_int_eq(pt_encode_new(&v[PT_DEPTH_MOST], 0, &frame, &size), PT_E_DEPTH);
	for (int depth = 1; depth <= PT_DEPTH_MOST; depth += depth < 300 ? 1 : 949) {
		ck_assert_int_eq(pt_encode_new(&v[depth - 1], 0, &frame, &size), PT_OK);
		l.depth = (unsigned)depth;
		ck_assert_int_eq(pt_decode(&back, frame, size, NULL, &l, 0, NULL), PT_OK);
		pt_free(&back);
		l.depth--;
		ck_assert_int_eq(pt_decode(&back, frame, size, NULL, &l, 0, NULL), PT_E_DEPTH);
		free(frame);
	}
	/* A list that is in itself. */
	v[0] = (struct pt_value)PT_LIST_OF(v, 1);
	ck_assert_int_eq(pt_measure(v, &size), PT_E_DEPTH);
	free(v);
}
END_TEST

/* ---- at random ---- */

enum { MANY = 400 };

struct heap {
	uint64_t seed;
	struct pt_value v[MANY];
	int used;
	char text[MANY][24];
};

static double
random_double(uint64_t *seed)
{
	double d;
	do {
		uint64_t bits = unit_random(seed);
		memcpy(&d, &bits, sizeof d);
	} while (!isfinite(d));
	return d;
}

static void
make_leaf(struct heap *h, struct pt_value *v)
{
	char *text = h->text[v - h->v];
	switch (unit_below(&h->seed, 6)) {
	case 0:
		*v = (struct pt_value)PT_INT_OF((int64_t)(unit_random(&h->seed) >> unit_below(&h->seed, 64)));
		break;
	case 1:
		*v = (struct pt_value)PT_FLOAT_OF(random_double(&h->seed));
		break;
	case 2:
		*v = (struct pt_value)PT_BOOL_OF(unit_below(&h->seed, 2) == 0);
		break;
	case 3:
		*v = (struct pt_value)PT_NULL_OF;
		break;
	default:
		*v = (struct pt_value)PT_BYTES_OF(text, unit_below(&h->seed, 24));
		for (size_t i = 0; i < v->bytes.len; i++)
			text[i] = (char)unit_random(&h->seed);
	}
}

static void
make_value(struct heap *h, struct pt_value *v, int depth)
{
	int n = (int)unit_below(&h->seed, 8);
	if (depth == 0 || h->used + 2 * n > MANY || unit_below(&h->seed, 3) == 0) {
		make_leaf(h, v);
		return;
	}
	bool dict = unit_below(&h->seed, 2) == 0;
	struct pt_value *items = &h->v[h->used];
	h->used += dict ? 2 * n : n;
	for (int i = 0; i < n; i++) {
		struct pt_value *item = dict ? &items[2 * i + 1] : &items[i];
		if (dict) {
			char *text = h->text[&items[2 * i] - h->v];
			items[2 * i] = (struct pt_value)PT_BYTES_OF(text, (size_t)sprintf(text, "%u.%d", unit_below(&h->seed, 99), i));
		}
		make_value(h, item, depth - 1);
	}
	*v = dict ? (struct pt_value)PT_DICT_OF(items, (size_t)n) : (struct pt_value)PT_LIST_OF(items, (size_t)n);
}

/* The pairs of every dict turned around: the same value. */
static void
turn_dicts(struct heap *h)
{
	for (int i = 0; i < h->used; i++) {
		const struct pt_value *v = &h->v[i];
		struct pt_value *at = v->type == PT_DICT ? h->v + (v->items.at - h->v) : NULL;
		for (size_t a = 0, b = at != NULL ? v->items.len : 0; a + 1 < b; a++) {
			struct pt_value pair[2];
			b--;
			memcpy(pair, at + 2 * a, sizeof pair);
			memmove(at + 2 * a, at + 2 * b, sizeof pair);
			memcpy(at + 2 * b, pair, sizeof pair);
		}
	}
}

START_TEST(there_and_back)
{
	struct heap *h = calloc(1, sizeof *h);
	uint64_t seed = unit_seed("there_and_back");
	for (int i = unit_amount(1000); i > 0; i--) {
		h->seed = unit_random(&seed);
		h->used = 1;
		make_value(h, &h->v[0], 6);
		struct pt_value *back;
		char *frame, *sorted, *turned;
		size_t size, sorted_size, turned_size, measured, offset;
		unit_require(pt_measure(h->v, &measured) == PT_OK, "measure");
		unit_require(pt_encode_new(h->v, 0, &frame, &size) == PT_OK && size == measured, "encode");
		unit_require(pt_encode_new(h->v, PT_SORTED, &sorted, &sorted_size) == PT_OK && sorted_size == size, "sorted");
		int e = decode(frame, size, &back, &offset);
		unit_require(e == PT_OK, "%.*s: %s at %zu", (int)size, frame, pt_error_name(e), offset);
		unit_require(pt_same(h->v, back) && pt_same(back, h->v), "%.*s is not the same", (int)size, frame);
		turn_dicts(h);
		unit_require(pt_same(h->v, back), "%.*s is not the same, turned around", (int)size, frame);
		unit_require(pt_encode_new(h->v, PT_SORTED, &turned, &turned_size) == PT_OK && turned_size == size &&
		    memcmp(turned, sorted, size) == 0, "%.*s sorts differently, turned around", (int)size, frame);
		pt_free(&back);
		free(turned);
		free(sorted);
		free(frame);
	}
	free(h);
}
END_TEST

/* ---- looking into values ---- */

START_TEST(keys_are_found)
{
	const struct pt_value v = DICT(PT_TEXT("a"), PT_INT_OF(1), PT_TEXT(""), PT_INT_OF(2), PT_TEXT("a\0b"), PT_INT_OF(3));
	const struct pt_value list = LIST(PT_TEXT("a"), PT_INT_OF(1));
	ck_assert_int_eq(pt_get(&v, "a")->integer, 1);
	ck_assert_int_eq(pt_get(&v, "")->integer, 2);
	ck_assert_int_eq(pt_get_bytes(&v, "a\0b", 3)->integer, 3);
	ck_assert_ptr_null(pt_get(&v, "b"));
	ck_assert_ptr_null(pt_get_bytes(&v, "a\0b", 2));
	ck_assert_ptr_null(pt_get(&list, "a"));
	ck_assert_ptr_null(pt_get(NULL, "a"));
	ck_assert_ptr_null(pt_get(pt_get(&v, "none"), "a"));
	ck_assert(pt_is_text(&list.items.at[0], "a"));
	ck_assert(!pt_is_text(&list.items.at[0], "ab"));
	ck_assert(!pt_is_text(&v.items.at[4], "a"));
	ck_assert(!pt_is_text(&list.items.at[1], "1"));
	ck_assert(!pt_is_text(NULL, ""));
	ck_assert(pt_is_text(&v.items.at[2], ""));
}
END_TEST

START_TEST(sameness)
{
	const struct pt_value v[] = { PT_INT_OF(1), PT_INT_OF(2), PT_FLOAT_OF(1.0), PT_FLOAT_OF(-0.0), PT_FLOAT_OF(0.0),
		PT_TEXT("1"), PT_TEXT("2"), PT_TEXT(""), PT_BOOL_OF(true), PT_BOOL_OF(false), PT_NULL_OF, PT_LIST_OF(NULL, 0),
		PT_DICT_OF(NULL, 0), LIST(PT_INT_OF(1)), LIST(PT_INT_OF(2)), LIST(PT_FLOAT_OF(1.0)), LIST(PT_INT_OF(1), PT_INT_OF(2)),
		LIST(PT_INT_OF(2), PT_INT_OF(1)), DICT(PT_TEXT("a"), PT_INT_OF(1)), DICT(PT_TEXT("a"), PT_INT_OF(2)),
		DICT(PT_TEXT("b"), PT_INT_OF(1)), LIST(PT_TEXT("a"), PT_INT_OF(1)) };
	for (size_t a = 0; a < UNIT_COUNT(v); a++) {
		for (size_t b = 0; b < UNIT_COUNT(v); b++)
			ck_assert_msg(pt_same(&v[a], &v[b]) == (a == b), "values %zu and %zu", a, b);
		ck_assert(!pt_same(&v[a], NULL) && !pt_same(NULL, &v[a]));
	}
	ck_assert(pt_same(NULL, NULL));
	const struct pt_value none = PT_FLOAT_OF(NAN), list = PT_LIST_OF(&none, 1);
	ck_assert(!pt_same(&none, &none));
	ck_assert(!pt_same(&list, &list));
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, by_hand);
	UNIT_TEST(s, sorted_keys);
	UNIT_TEST(s, whole_frames);
	UNIT_TEST(s, what_cannot_be_encoded);
	UNIT_TEST(s, sizes_over_the_most);
	UNIT_TEST(s, depth_of_values);
	UNIT_TEST(s, there_and_back);
	UNIT_TEST(s, keys_are_found);
	UNIT_TEST(s, sameness);
}

int
main(void)
{
	return unit_main("tnetstring_encode", add);
}
