/* SPDX-License-Identifier: MIT */
#include "base/escape.h"

#include "unit.h"

static void
try(const char *bytes, size_t n, size_t max, const char *want)
{
	struct buf b = BUF_INIT;
	ck_assert(buf_puts(&b, "before "));
	ck_assert(escape(&b, bytes, n, max));
	buf_eat(&b, 7);
	ck_assert_str_eq(unit_text(&b), want);
	ck_assert_uint_eq(b.len, strlen(want));
	buf_fini(&b);
}
#define TRY(bytes, max, want) try(bytes, sizeof bytes - 1, max, want)

START_TEST(examples)
{
	TRY("", 10, "");
	TRY("plain text ~", 100, "plain text ~");
	TRY("a\\b", 10, "a\\\\b");
	TRY("\0\r\n\t", 10, "\\x00\\x0d\\x0a\\x09");
	TRY("\x1b[31m", 10, "\\x1b[31m");
	TRY("\x7f\x80\xff", 10, "\\x7f\\x80\\xff");
	TRY("ä", 10, "\\xc3\\xa4");
	TRY("\\x41", 10, "\\\\x41");       /* not to be taken for an escape of ours */
	TRY("2026-11-20T08:32:01Z\n", 100, "2026-11-20T08:32:01Z\\x0a");
}
END_TEST

/* max counts bytes of what came, not of what is shown. */
START_TEST(limit)
{
	TRY("abcd", 4, "abcd");
	TRY("abcde", 4, "abcd...");
	TRY("\n\n\n", 2, "\\x0a\\x0a...");
	TRY("abc", 0, "...");
	TRY("", 0, "");
}
END_TEST

START_TEST(every_byte)
{
	for (int c = 0; c < 256; c++) {
		char byte = (char)c, want[8];
		if (c == '\\')
			strcpy(want, "\\\\");
		else if (c >= ' ' && c <= '~')
			snprintf(want, sizeof want, "%c", c);
		else
			snprintf(want, sizeof want, "\\x%02x", (unsigned)c);
		try(&byte, 1, 1, want);
	}
}
END_TEST

/* Nothing gets through that ends a line or drives a terminal, and what came can be told from what is shown. */
START_TEST(random_bytes_come_back)
{
	uint64_t seed = unit_seed("random_bytes_come_back");
	for (int round = 0; round < 2000; round++) {
		char bytes[200], back[200];
		size_t n = unit_below(&seed, sizeof bytes), k = 0;
		for (size_t i = 0; i < n; i++)
			bytes[i] = unit_below(&seed, 3) == 0 ? '\\' : (char)unit_random(&seed);
		struct buf b = BUF_INIT;
		ck_assert(escape(&b, bytes, n, n));
		const char *p = unit_text(&b), *end = p + b.len;
		while (p < end) {
			unit_require(*p >= ' ' && *p <= '~', "byte %d gets through", *p);
			unsigned c;
			if (*p != '\\') {
				back[k++] = *p++;
			} else if (p[1] == '\\') {
				back[k++] = '\\';
				p += 2;
			} else {
				unit_require(sscanf(p, "\\x%2x", &c) == 1, "'%s'", p);
				back[k++] = (char)c;
				p += 4;
			}
		}
		ck_assert_uint_eq(k, n);
		ck_assert(memcmp(back, bytes, n) == 0);
		buf_fini(&b);
	}
}
END_TEST

START_TEST(nothing_to_escape)
{
	ck_assert(escape_none("") && escape_none(" ~\\x1b") && escape_none("a line"));
	for (int c = 1; c < 256; c++) {
		char text[] = { 'a', (char)c, 'b', '\0' };
		ck_assert_msg(escape_none(text) == (c >= 0x20 && c < 0x7f), "byte %#x", c);
	}
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, examples);
	UNIT_TEST(s, limit);
	UNIT_TEST(s, every_byte);
	UNIT_TEST(s, random_bytes_come_back);
	UNIT_TEST(s, nothing_to_escape);
}

int
main(void)
{
	return unit_main("escape", add);
}
