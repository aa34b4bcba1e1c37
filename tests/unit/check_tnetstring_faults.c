/* SPDX-License-Identifier: MIT
 * Where a fault is, which of two counts, and what a peer can make the decoder do: limits at their edges, depth, memory. */
#include "petrichor/petrichor.h"

#include <malloc.h>

#include "vectors_rig.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MEASURES = false };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { MEASURES = false };
#else
enum { MEASURES = true };
#endif
#else
enum { MEASURES = true };
#endif

/* ---- where and which ---- */

static const struct {
	const char *frame;
	int         error;
	size_t      offset;
} faults[] = {
	{ "", PT_E_EMPTY, 0 },
	{ "5", PT_E_TRUNC, 1 },
	{ "5:hel", PT_E_TRUNC, 5 },
	{ "5:hello", PT_E_TRUNC, 7 },
	{ "G", PT_E_LEN_DIGIT, 0 },
	{ "12a", PT_E_LEN_DIGIT, 2 },
	{ "00", PT_E_LEN_ZERO, 1 },
	{ "05:hello,", PT_E_LEN_ZERO, 1 },
	{ "1234567890", PT_E_LEN_LONG, 9 },
	{ "5:hello?", PT_E_TAG, 7 },
	{ "5:hello,x", PT_E_TRAILING, 8 },
	{ "0:#", PT_E_INT, 2 },
	{ "2:1x#", PT_E_INT, 2 },
	{ "20:99999999999999999999#", PT_E_INT_RANGE, 3 },
	{ "3:1.x^", PT_E_FLOAT, 2 },
	{ "5:1e999^", PT_E_FLOAT_RANGE, 2 },
	{ "4:TRUE!", PT_E_BOOL, 2 },
	{ "1:x~", PT_E_NULL, 2 },
	{ "8:0:~5:ab,]", PT_E_CHILD, 5 },
	{ "4:0:~1]", PT_E_CHILD, 5 },
	{ "5:0:~1:]", PT_E_CHILD, 5 },
	{ "6:0:~1:,]", PT_E_CHILD, 5 },
	{ "6:0:~x:,]", PT_E_LEN_DIGIT, 5 },
	{ "7:0:~00:,]", PT_E_LEN_ZERO, 6 },
	{ "6:0:~0:?]", PT_E_TAG, 7 },
	{ "9:0:~3:1:#]]", PT_E_CHILD, 7 },
	{ "6:0:~0:~}", PT_E_KEY, 2 },
	{ "14:1:a,0:~1:1#0:~}", PT_E_KEY, 10 },
	{ "8:5:hello,}", PT_E_ODD, 10 },
	{ "14:0:~8:5:hello,}]", PT_E_ODD, 16 },
	{ "14:1:a,0:~1:a,0:~}", PT_E_DUPKEY, 10 },
	{ "35:10:0123456789,0:~10:0123456789,0:~}", PT_E_TRUNC, 38 },
	{ "34:10:0123456789,0:~10:0123456789,0:~}", PT_E_DUPKEY, 20 },
	/* Which of two. */
	{ "8:1:a,0:~x?", PT_E_TAG, 10 },        /* the tag before what is in it */
	{ "4:1:x~?", PT_E_TAG, 6 },
	{ "8:1:x~1:y~]", PT_E_NULL, 4 },        /* left before right */
	{ "7:4:1:x~]?", PT_E_TAG, 9 },
	{ "10:4:1:x~]0:?]", PT_E_NULL, 7 },     /* inside before behind */
	{ "10:4:1:x~]0:~}", PT_E_NULL, 7 },     /* a key is looked into before it is none */
	{ "9:1:x~0:~}", PT_E_TRUNC, 10 },
	{ "7:1:x~0:~}", PT_E_NULL, 4 },
	{ "15:1:a,0:~1:a,1:x~}", PT_E_NULL, 16 },       /* the second value before its key comes twice */
	{ "18:1:a,0:~1:a,0:~1:x~}", PT_E_DUPKEY, 10 },  /* and that before what follows */
	{ "14:1:a,0:~0:~1:a,}", PT_E_KEY, 10 },
	{ "11:1:a,0:~1:a,}", PT_E_ODD, 14 },
	{ "20:1:a,12:0:,0:~0:,0:~}}", PT_E_DUPKEY, 16 },
	{ "1:x~y", PT_E_NULL, 2 },              /* the frame before what is behind it */
};

START_TEST(where_and_which)
{
	struct pt_value *none;
	size_t at;
	ck_assert_int_eq(decode(NULL, 0, &none, &at), PT_E_EMPTY);
	ck_assert_int_eq(pt_frame(NULL, 0, PT_MOST, &at), PT_E_EMPTY);
	ck_assert_uint_eq(at, 1);
	for (size_t i = 0; i < UNIT_COUNT(faults); i++) {
		struct pt_value *v;
		size_t offset;
		int e = decode(faults[i].frame, strlen(faults[i].frame), &v, &offset);
		ck_assert_msg(e == faults[i].error && offset == faults[i].offset, "%s: %s at %zu, not %s at %zu", faults[i].frame,
		    pt_error_name(e), offset, pt_error_name(faults[i].error), faults[i].offset);
		pt_free(&v);
	}
}
END_TEST

static void
expect(const char *frame, const struct pt_limits *limits, int error, size_t at)
{
	struct pt_value *v;
	size_t offset = (size_t)-1;
	int e = pt_decode(&v, frame, strlen(frame), NULL, limits, 0, &offset);
	ck_assert_msg(e == error, "%s: %s", frame, pt_error_name(e));
	ck_assert_msg(e == PT_OK || offset == at, "%s: at %zu", frame, offset);
	pt_free(&v);
}

/* ---- limits ---- */

START_TEST(limit_of_bytes)
{
	struct pt_limits l = PT_LIMITS_INIT;
	size_t size;
	ck_assert_int_eq(pt_frame("5:hello,", 8, 5, &size), PT_OK);
	ck_assert_uint_eq(size, 8);
	ck_assert_int_eq(pt_frame("5:hello,", 8, 4, &size), PT_E_LIMIT);
	ck_assert_uint_eq(size, 0);
	/* Before it has come, but not before it is sure. */
	ck_assert_int_eq(pt_frame("65537:", 6, 65536, &size), PT_E_LIMIT);
	ck_assert_int_eq(pt_frame("65536:", 6, 65536, &size), PT_E_TRUNC);
	ck_assert_uint_eq(size, 6 + 65536 + 1);
	ck_assert_int_eq(pt_frame("65537", 5, 65536, &size), PT_E_TRUNC);
	ck_assert_int_eq(pt_frame("999999999:", 10, PT_MOST, &size), PT_E_TRUNC);
	ck_assert_uint_eq(size, 1000000010);
	l.body_bytes = 5;
	expect("5:hello,", &l, PT_OK, 0);
	expect("6:hello!,", &l, PT_E_LIMIT, 0);
	expect("6:", &l, PT_E_LIMIT, 0);
	expect("999999999:", NULL, PT_E_LIMIT, 0);
	expect("16777216:", NULL, PT_E_TRUNC, 9);
	expect("16777217:", NULL, PT_E_LIMIT, 0);
	l.body_bytes = 0;
	expect("0:~", &l, PT_OK, 0);
	expect("1:1#", &l, PT_E_LIMIT, 0);
}
END_TEST

START_TEST(limit_of_values)
{
	struct pt_limits l = PT_LIMITS_INIT;
	l.nodes = 4;
	expect("9:0:~0:~0:~]", &l, PT_OK, 0);
	expect("12:0:~0:~0:~0:~]", &l, PT_E_LIMIT, 12);
	expect("12:0:~0:~0:~9:,]", &l, PT_E_CHILD, 12);
	expect("12:0:~0:~0:~0:?]", &l, PT_E_LIMIT, 12);
	expect("14:1:a,0:~1:b,0:~}", &l, PT_E_LIMIT, 14);
	l.nodes = 5;
	expect("14:1:a,0:~1:b,0:~}", &l, PT_OK, 0);
	l.nodes = 1;
	expect("0:~", &l, PT_OK, 0);
	l.nodes = 0;
	expect("0:~", &l, PT_E_LIMIT, 0);
}
END_TEST

START_TEST(limit_of_floats)
{
	struct pt_limits l = PT_LIMITS_INIT;
	l.float_bytes = 4;
	expect("4:1.25^", &l, PT_OK, 0);
	expect("5:1.250^", &l, PT_E_FLOAT, 2);
}
END_TEST

/* n lists in each other, or dicts with the key "". To be freed. */
static char *
nested(size_t n, bool dicts, size_t *size)
{
	size_t room = 2 * (n * 16 + 16);
	char text[16];
	/* Built from the inside out, each frame around the one before. */
	char *frame = malloc(room);
	ck_assert_ptr_nonnull(frame);
	size_t begin = room / 2;
	memcpy(frame + begin, dicts ? "0:}" : "0:]", 3);
	size_t end = begin + 3;
	for (size_t i = 1; i < n; i++) {
		if (dicts)
			begin -= 3, memcpy(frame + begin, "0:,", 3);
		int digits = sprintf(text, "%zu:", end - begin);
		begin -= (size_t)digits;
		memcpy(frame + begin, text, (size_t)digits);
		frame[end++] = dicts ? '}' : ']';
	}
	*size = end - begin;
	memmove(frame, frame + begin, *size);
	return frame;
}

static int
decode_nested(size_t n, bool dicts, unsigned depth, size_t *offset)
{
	struct pt_limits l = PT_LIMITS_INIT;
	size_t size;
	char *frame = nested(n, dicts, &size);
	struct pt_value *v;
	l.depth = depth;
	int e = pt_decode(&v, frame, size, NULL, &l, 0, offset);
	pt_free(&v);
	free(frame);
	return e;
}

START_TEST(limit_of_depth)
{
	size_t offset;
	for (int dicts = 0; dicts < 2; dicts++) {
		ck_assert_int_eq(decode_nested(128, dicts, 128, &offset), PT_OK);
		ck_assert_int_eq(decode_nested(129, dicts, 128, &offset), PT_E_DEPTH);
		ck_assert_int_eq(decode_nested(1, dicts, 1, &offset), PT_OK);
		ck_assert_int_eq(decode_nested(2, dicts, 1, &offset), PT_E_DEPTH);
		ck_assert_uint_eq(offset, dicts ? 5 : 2);
		ck_assert_int_eq(decode_nested(1, dicts, 0, &offset), PT_E_DEPTH);
		ck_assert_uint_eq(offset, 0);
		for (unsigned n = 28; n < 70; n++)
			ck_assert_int_eq(decode_nested(n, dicts, n, &offset), PT_OK);
		ck_assert_int_eq(decode_nested(PT_DEPTH_MOST, dicts, PT_DEPTH_MOST, &offset), PT_OK);
		/* Whatever was asked for. */
		ck_assert_int_eq(decode_nested(PT_DEPTH_MOST + 1, dicts, 1000000, &offset), PT_E_DEPTH);
	}
	/* Before what is inside is looked at. */
	struct pt_limits l = PT_LIMITS_INIT;
	l.depth = 1;
	expect("4:1:x?]", &l, PT_E_TAG, 5);
	expect("4:1:x]]", &l, PT_E_DEPTH, 2);
	expect("3:0:~]", &l, PT_OK, 0);
	l.depth = 0;
	expect("0:~", &l, PT_OK, 0);
}
END_TEST

/* ---- what it costs ---- */

static long
peak_kib(void)
{
	struct rusage u;
	ck_assert_int_eq(getrusage(RUSAGE_SELF, &u), 0);
	return u.ru_maxrss;
}

START_TEST(deep_nesting_costs_an_error)
{
	for (int i = 0; i < 4; i++) {
		size_t size;
		char *frame = nested(100000, i % 2 == 0, &size);
		struct pt_limits l = PT_LIMITS_INIT;
		struct pt_value *v;
		l.depth = i < 2 ? l.depth : PT_DEPTH_MOST;
		long before = peak_kib();
		size_t heap = mallinfo2().uordblks;
		int64_t begin = clock_mono_ms();
		int e = pt_decode(&v, frame, size, NULL, &l, 0, NULL);
		size_t left = mallinfo2().uordblks - heap;
		ck_assert_int_lt(clock_mono_ms() - begin, 1000);
		ck_assert_int_eq(e, PT_E_DEPTH);
		ck_assert_ptr_null(v);
		if (MEASURES) {
			/* What malloc keeps at hand for the next call counts as used. */
			ck_assert_uint_le(left, 2048);
			ck_assert_int_le(peak_kib() - before, i < 2 ? 64 : 512);
		}
		free(frame);
	}
	char *brackets = malloc(100000);
	size_t offset;
	struct pt_value *v;
	memset(brackets, '[', 100000);
	ck_assert_int_eq(decode(brackets, 100000, &v, &offset), PT_E_LEN_DIGIT);
	memset(brackets, ']', 100000);
	ck_assert_int_eq(decode(brackets, 100000, &v, &offset), PT_E_LEN_DIGIT);
	free(brackets);
}
END_TEST

/* A size that is announced and does not come. */
START_TEST(announcements_cost_nothing)
{
	struct pt_value *v;
	size_t offset;
	long before = peak_kib();
	ck_assert_int_eq(decode("999999999:", 10, &v, &offset), PT_E_TRUNC);
	ck_assert_int_eq(decode("10:999999999:]", 14, &v, &offset), PT_E_CHILD);
	if (MEASURES)
		ck_assert_int_le(peak_kib() - before, 100);
}
END_TEST

/* 24 bytes for the smallest value there is. */
START_TEST(memory_of_values)
{
	enum { VALUES = 60000 };
	char *frame = malloc(VALUES * 3 + 16);
	int n = sprintf(frame, "%d:", VALUES * 3);
	for (int i = 0; i < VALUES; i++, n += 3)
		memcpy(frame + n, "0:~", 3);
	frame[n++] = ']';
	struct mallinfo2 before = mallinfo2();
	struct pt_value *v;
	size_t offset;
	ck_assert_int_eq(decode(frame, (size_t)n, &v, &offset), PT_OK);
	struct mallinfo2 after = mallinfo2();
	ck_assert_uint_eq(v->items.len, VALUES);
	if (MEASURES)
		ck_assert_uint_le(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd, VALUES * 32);
	pt_free(&v);
	free(frame);
}
END_TEST

/* ---- keys that come twice ---- */

/* A dict of n keys, and of those the one numbered again (n: none) once more behind them. To be freed. */
static char *
keyed(unsigned n, unsigned again, size_t *size)
{
	char *payload = malloc((size_t)n * 20 + 64), *frame = malloc((size_t)n * 20 + 96);
	int at = 0;
	for (unsigned i = 0; i <= n; i++) {
		char key[16];
		unsigned k = i < n ? i : again;
		if (k >= n)
			break;
		int len = sprintf(key, "k%u", k * 7919u);
		at += sprintf(payload + at, "%d:%s,0:~", len, key);
	}
	*size = (size_t)sprintf(frame, "%d:%.*s}", at, at, payload);
	free(payload);
	return frame;
}

START_TEST(keys_are_compared)
{
	struct pt_limits l = PT_LIMITS_INIT;
	l.nodes = 1000000;
	/* Around where comparing gives way to the table, and where it grows. */
	for (unsigned n = 1; n < 300; n += n < 70 ? 1 : 37)
		for (unsigned again = 0; again <= n; again++) {
			size_t size, offset = 0;
			char *frame = keyed(n, again, &size);
			struct pt_value *v;
			int e = pt_decode(&v, frame, size, NULL, &l, 0, &offset);
			unit_require(e == (again < n ? PT_E_DUPKEY : PT_OK), "%u keys, %u again: %s", n, again, pt_error_name(e));
			if (again < n) {
				char text[32];
				sprintf(text, "%d:k%u,", (int)snprintf(NULL, 0, "k%u", again * 7919u), again * 7919u);
				unit_require(offset + strlen(text) + 4 == size && memcmp(frame + offset, text, strlen(text)) == 0,
				    "%u keys, %u again: at %zu", n, again, offset);
			}
			pt_free(&v);
			free(frame);
		}
}
END_TEST

static int64_t
decode_ms(unsigned n)
{
	struct pt_limits l = PT_LIMITS_INIT;
	struct pt_value *v;
	size_t size;
	char *frame = keyed(n, n, &size);
	l.nodes = 1000000;
	int64_t begin = clock_mono_ms();
	ck_assert_int_eq(pt_decode(&v, frame, size, NULL, &l, 0, NULL), PT_OK);
	int64_t took = clock_mono_ms() - begin;
	ck_assert_uint_eq(v->items.len, n);
	pt_free(&v);
	free(frame);
	return took;
}

/* Each with each would be 1,800,000,000 comparisons. */
START_TEST(many_keys_are_quick)
{
	ck_assert_int_lt(decode_ms(60000), 1500);
}
END_TEST

/* The same keys in dicts beside and inside of each other are no fault, few or many. */
START_TEST(keys_of_other_dicts)
{
	for (unsigned n = 1; n < 60; n++) {
		struct pt_limits l = PT_LIMITS_INIT;
		size_t size, inner_size, offset = 0;
		char *inner = keyed(n, n, &inner_size), *around = malloc(4 * inner_size + 200);
		struct pt_value *v;
		/* {KEYS..., "x": {KEYS...}, "y": [{KEYS...}]} */
		const char *keys = strchr(inner, ':') + 1;
		int len = (int)(inner_size - 1 - (size_t)(keys - inner));
		char list[64];
		int list_size = sprintf(list, "%zu:", inner_size);
		int payload = len + 4 + (int)inner_size + 4 + list_size + (int)inner_size + 1;
		size = (size_t)sprintf(around, "%d:%.*s1:x,%.*s1:y,%s%.*s]}", payload, len, keys, (int)inner_size, inner, list,
		    (int)inner_size, inner);
		int e = pt_decode(&v, around, size, NULL, &l, 0, &offset);
		ck_assert_msg(e == PT_OK, "%u keys: %s at %zu", n, pt_error_name(e), offset);
		ck_assert_uint_eq(v->items.len, n + 2);
		pt_free(&v);
		/* x once more, behind all that. */
		size = (size_t)sprintf(around, "%d:%.*s1:x,%.*s1:y,%s%.*s]1:x,0:~}", payload + 7, len, keys, (int)inner_size, inner,
		    list, (int)inner_size, inner);
		ck_assert_int_eq(pt_decode(&v, around, size, NULL, &l, 0, &offset), PT_E_DUPKEY);
		ck_assert_uint_eq(offset, size - 8);
		free(around);
		free(inner);
	}
}
END_TEST

/* ---- texts in the block ---- */

START_TEST(texts_are_copied)
{
	const char frame[] = "46:5:hello,12:1:a,5:b\0c\0d,}3:1.5^2:17#5:false!0:,]";
	char *p = malloc(sizeof frame - 1);
	memcpy(p, frame, sizeof frame - 1);
	struct pt_value *v;
	int e = pt_decode(&v, p, sizeof frame - 1, NULL, NULL, PT_COPY, NULL);
	ck_assert_str_eq(pt_error_name(e), "OK");
	memset(p, 'x', sizeof frame - 1);
	free(p);
	ck_assert_uint_eq(v->items.len, 6);
	ck_assert(pt_is_text(&v->items.at[0], "hello"));
	const struct pt_value *a = pt_get(&v->items.at[1], "a");
	ck_assert(a != NULL && a->bytes.len == 5 && memcmp(a->bytes.at, "b\0c\0d", 5) == 0);
	ck_assert(pt_is_text(&v->items.at[5], ""));
	pt_free(&v);
	/* Without, they stay where they are. */
	ck_assert_int_eq(pt_decode(&v, frame, sizeof frame - 1, NULL, NULL, 0, NULL), PT_OK);
	ck_assert_ptr_eq(v->items.at[0].bytes.at, frame + 5);
	pt_free(&v);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, where_and_which);
	UNIT_TEST(s, limit_of_bytes);
	UNIT_TEST(s, limit_of_values);
	UNIT_TEST(s, limit_of_floats);
	UNIT_TEST(s, limit_of_depth);
	UNIT_TEST(s, deep_nesting_costs_an_error);
	UNIT_TEST(s, announcements_cost_nothing);
	UNIT_TEST(s, memory_of_values);
	UNIT_TEST(s, keys_are_compared);
	UNIT_TEST(s, many_keys_are_quick);
	UNIT_TEST(s, keys_of_other_dicts);
	UNIT_TEST(s, texts_are_copied);
}

int
main(void)
{
	return unit_main("tnetstring_faults", add);
}
