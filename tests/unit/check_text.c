/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include "unit.h"

/* ---- files ---- */

START_TEST(slurp)
{
	enum { SIZE = 10000 };
	static const int sizes[] = { 0, 1, 4094, 4095, 4096, 4097, 8190, 8191, SIZE };
	char dir[UNIT_PATH], path[UNIT_PATH + 64], bytes[SIZE];
	unit_folder(dir);
	unit_file_path(path, dir, "file");
	for (int i = 0; i < SIZE; i++)
		bytes[i] = (char)(i * 7);       /* NULs too */
	for (size_t i = 0; i < UNIT_COUNT(sizes); i++) {
		size_t n = (size_t)sizes[i], len = 77;
		unit_file_write(dir, "file", bytes, n);
		char *text = text_slurp(path, n, &len);
		ck_assert_ptr_nonnull(text);
		ck_assert_uint_eq(len, n);
		ck_assert(memcmp(text, bytes, n) == 0);
		ck_assert_int_eq(text[n], '\0');
		free(text);
		text = text_slurp(path, SIZE_MAX, NULL);
		ck_assert_ptr_nonnull(text);
		free(text);
		if (n == 0)
			continue;
		errno = 0;
		ck_assert_ptr_null(text_slurp(path, n - 1, &len));
		ck_assert_int_eq(errno, EFBIG);
	}
	unit_folder_remove(dir);
}
END_TEST

START_TEST(slurp_what_is_no_file)
{
	char dir[UNIT_PATH], path[UNIT_PATH + 64];
	unit_folder(dir);
	errno = 0;
	ck_assert_ptr_null(text_slurp(dir, 100, NULL));
	ck_assert_int_eq(errno, EISDIR);
	unit_file_path(path, dir, "none");
	errno = 0;
	ck_assert_ptr_null(text_slurp(path, 100, NULL));
	ck_assert_int_eq(errno, ENOENT);
	/* Without an end; the limit is one. */
	errno = 0;
	ck_assert_ptr_null(text_slurp("/dev/zero", 100000, NULL));
	ck_assert_int_eq(errno, EFBIG);
	unit_folder_remove(dir);
}
END_TEST

/* ---- lines and words ---- */

START_TEST(lines)
{
	char text[] = "one\ntwo\r\n\n\r\nC\rR\n \r\r\nlast\r";
	static const char *const want[] = { "one", "two", "", "", "C\rR", " \r", "last\r" };
	char *rest = text;
	for (size_t i = 0; i < UNIT_COUNT(want); i++)
		ck_assert_str_eq(text_line(&rest), want[i]);
	ck_assert_ptr_null(text_line(&rest));
	ck_assert_ptr_null(text_line(&rest));

	char whole[] = "a\n", empty[] = "", *none = NULL;
	rest = whole;
	ck_assert_str_eq(text_line(&rest), "a");
	ck_assert_ptr_null(text_line(&rest));   /* a final newline begins no line */
	rest = empty;
	ck_assert_ptr_null(text_line(&rest));
	ck_assert_ptr_null(text_line(&none));
}
END_TEST

START_TEST(words)
{
	char text[] = "  one two\tthree \t ", *rest = text;
	ck_assert_str_eq(text_word(&rest), "one");
	ck_assert_str_eq(text_word(&rest), "two");
	ck_assert_str_eq(text_word(&rest), "three");
	ck_assert_ptr_null(text_word(&rest));
	ck_assert_ptr_null(text_word(&rest));
	char bare[] = "word", blank[] = " \t";
	rest = bare;
	ck_assert_str_eq(text_word(&rest), "word");
	ck_assert_ptr_null(text_word(&rest));
	rest = blank;
	ck_assert_ptr_null(text_word(&rest));
}
END_TEST

START_TEST(trim)
{
	char a[] = " \t x y \t\r", b[] = "", c[] = " \t\r ", d[] = "x";
	ck_assert_str_eq(text_trim(a), "x y");
	ck_assert_str_eq(text_trim(b), "");
	ck_assert_str_eq(text_trim(c), "");
	ck_assert_str_eq(text_trim(d), "x");
}
END_TEST

/* ---- numbers ---- */

/* want -1: refused, and what was there stays. */
struct number {
	const char *text;
	int64_t     want;
};

static void
try_numbers(const struct number *t, size_t n, bool parse(const char *, int64_t *))
{
	for (size_t i = 0; i < n; i++) {
		int64_t got = -1;
		bool good = parse(t[i].text, &got);
		ck_assert_msg(good == (t[i].want >= 0), "'%s' is %s", t[i].text, good ? "taken" : "refused");
		ck_assert_msg(got == t[i].want, "'%s' is %" PRId64, t[i].text, got);
	}
}

static bool
any_int(const char *s, int64_t *out)
{
	return text_int(s, 0, INT64_MAX, out);
}

static bool
some_int(const char *s, int64_t *out)
{
	return text_int(s, 5, 10, out);
}

START_TEST(integers)
{
	static const struct number any[] = {
		{ "0", 0 }, { "7", 7 }, { "007", 7 }, { "9223372036854775807", INT64_MAX },
		{ "9223372036854775808", -1 }, { "9999999999999999999", -1 }, { "10000000000000000000", -1 },
		{ "18446744073709551617", -1 }, { "00000000000000000001", -1 },
		{ "", -1 }, { " 1", -1 }, { "1 ", -1 }, { "+1", -1 }, { "-1", -1 }, { "-0", -1 },
		{ "1.0", -1 }, { "0x10", -1 }, { "1e3", -1 }, { "x", -1 }, { "1\n", -1 },
	};
	static const struct number some[] = {
		{ "4", -1 }, { "5", 5 }, { "10", 10 }, { "11", -1 }, { "0", -1 },
	};
	try_numbers(any, UNIT_COUNT(any), any_int);
	try_numbers(some, UNIT_COUNT(some), some_int);
}
END_TEST

START_TEST(bytes)
{
	static const struct number table[] = {
		{ "0", 0 }, { "1", 1 }, { "64", 64 }, { "1K", 1024 }, { "1k", 1024 }, { "64M", 64 << 20 },
		{ "64m", 64 << 20 }, { "1G", 1 << 30 }, { "2g", INT64_C(2) << 30 }, { "0G", 0 },
		{ "9223372036854775807", INT64_MAX },
		{ "9007199254740991K", INT64_C(9007199254740991) << 10 }, { "9007199254740992K", -1 },
		{ "8589934591G", INT64_C(8589934591) << 30 }, { "8589934592G", -1 },
		{ "9223372036854775807G", -1 }, { "9223372036854775808", -1 },
		{ "", -1 }, { "K", -1 }, { "64 ", -1 }, { "64 K", -1 }, { " 64", -1 }, { "64KB", -1 }, { "64KK", -1 },
		{ "64T", -1 }, { "64.5M", -1 }, { "-1", -1 }, { "64\n", -1 }, { "64+", -1 }, { "64@", -1 },
		{ "111111111111111111111111111111", -1 },
	};
	try_numbers(table, UNIT_COUNT(table), text_bytes);
}
END_TEST

START_TEST(seconds)
{
	static const struct number table[] = {
		{ "0", 0 }, { "1", 1000 }, { "300", 300000 }, { "0.2", 200 }, { ".5", 500 }, { "1.25", 1250 },
		{ "0.001", 1 }, { "0.0009", 0 }, { "1.0019", 1001 }, { "00.010", 10 },
		{ "0.0000000000000000000000000000001", 0 },
		{ "999999999", INT64_C(999999999000) }, { "999999999.999", INT64_C(999999999999) },
		{ "1000000000", -1 },
		{ "", -1 }, { ".", -1 }, { "1.2.3", -1 }, { "1,5", -1 }, { "-1", -1 }, { "+1", -1 }, { " 1", -1 },
		{ "1 ", -1 }, { "1s", -1 }, { "1e3", -1 }, { "inf", -1 }, { "nan", -1 }, { "0x1", -1 }, { "..5", -1 },
	};
	try_numbers(table, UNIT_COUNT(table), text_seconds);
}
END_TEST

/* ---- did you mean ---- */

START_TEST(distance)
{
	static const struct { const char *a, *b; int d; } table[] = {
		{ "", "", 0 }, { "ring", "ring", 0 }, { "", "abc", 3 }, { "abc", "", 3 },
		{ "rnig", "ring", 2 }, { "rin", "ring", 1 }, { "rings", "ring", 1 }, { "king", "ring", 1 },
		{ "keepalive", "keep-alive", 1 }, { "kitten", "sitting", 3 }, { "flaw", "lawn", 2 },
		{ "Ring", "ring", 1 },
	};
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		ck_assert_int_eq(text_distance(table[i].a, table[i].b), table[i].d);
		ck_assert_int_eq(text_distance(table[i].b, table[i].a), table[i].d);
	}
	/* A long word is no reason to run over. */
	char longer[200];
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	ck_assert_int_gt(text_distance(longer, "ring"), 20);
	ck_assert_int_gt(text_distance("ring", longer), 20);
	text_distance(longer, longer);
}
END_TEST

START_TEST(same)
{
	ck_assert(text_same("", "") && text_same("a", "a") && text_same("sixteen-letters_", "sixteen-letters_"));
	ck_assert(!text_same("", "a") && !text_same("a", "") && !text_same("a", "b"));
	ck_assert(!text_same("ab", "a") && !text_same("a", "ab") && !text_same("ab", "ac"));
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, slurp);
	UNIT_TEST(s, slurp_what_is_no_file);
	UNIT_TEST(s, lines);
	UNIT_TEST(s, words);
	UNIT_TEST(s, trim);
	UNIT_TEST(s, integers);
	UNIT_TEST(s, bytes);
	UNIT_TEST(s, seconds);
	UNIT_TEST(s, distance);
	UNIT_TEST(s, same);
}

int
main(void)
{
	return unit_main("text", add);
}
