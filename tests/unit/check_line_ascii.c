/* SPDX-License-Identifier: MIT
 * line_ascii by wide registers and in plain C, and line_next, which begins with it: the same as byte by byte, in every
 * place, and no look behind the last byte. */
#include "wire/line.h"

#include "guard_rig.h"
#include "reference.h"

enum { MOST = 600 };

static size_t
slow(const char *p, size_t n)
{
	size_t i = 0;
	while (i < n && ((p[i] >= ' ' && p[i] <= '~') || p[i] == '\t'))
		i++;
	return i;
}

static void
both(const char *p, size_t n, size_t want, const char *what)
{
	unit_require(line_ascii(p, n) == want, "%s: of %zu bytes %zu, not %zu", what, n, line_ascii(p, n), want);
	unit_require(line_ascii_plain(p, n) == want, "%s, plain: of %zu bytes %zu, not %zu", what, n, line_ascii_plain(p, n), want);
}

static void
fill(uint64_t *seed, char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(unit_below(seed, 20) == 0 ? '\t' : ' ' + (int)unit_below(seed, 95));
}

static char
other(uint64_t *seed)
{
	static const char some[] = { '\r', '\n', '\0', '\x1f', '\x7f', '\x80', '\xff', '\x08', '\x0a', '\xa0', '\x89' };
	return some[unit_below(seed, UNIT_COUNT(some))];
}

/* The guard behind the last byte, and each byte in turn the first that is none. */
START_TEST(every_length_and_place)
{
	uint64_t seed = unit_seed("every_length_and_place");
	struct guard g;
	char text[MOST];
	guard_init(&g, MOST);
	fill(&seed, text, sizeof text);
	for (size_t n = 0; n <= MOST; n++) {
		char *p = guard_behind(&g, text, n);
		both(p, n, n, "behind");
		for (size_t i = 0; i < n; i++) {
			p[i] = other(&seed);
			both(p, n, i, "behind");
			/* One more behind it changes nothing. */
			if (i + 1 < n)
				p[i + 1 + unit_below(&seed, (unsigned)(n - i - 1))] = other(&seed);
			both(p, n, i, "behind");
			memcpy(p, text, n);
		}
		p = guard_before(&g, text, n);
		both(p, n, n, "before");
	}
	guard_fini(&g);
}
END_TEST

START_TEST(every_length_and_alignment)
{
	uint64_t seed = unit_seed("every_length_and_alignment");
	struct guard g;
	char text[MOST];
	guard_init(&g, MOST + 256);
	fill(&seed, text, sizeof text);
	for (size_t align = 0; align < 64; align++)
		for (size_t n = 0; n <= MOST; n++) {
			char *p = guard_aligned(&g, text, n, align, n % 2 == 0 ? 'x' : '\n');
			both(p, n, n, "aligned");
			if (n != 0) {
				size_t i = unit_below(&seed, (unsigned)n);
				p[i] = other(&seed);
				both(p, n, i, "aligned");
			}
		}
	guard_fini(&g);
}
END_TEST

START_TEST(every_byte_in_each_place)
{
	char text[100];
	memset(text, 'x', sizeof text);
	for (size_t n = 1; n <= sizeof text; n += 33)
		for (size_t i = 0; i < n; i++) {
			for (int c = 0; c < 256; c++) {
				text[i] = (char)c;
				both(text, n, slow(text, n), "byte");
			}
			text[i] = 'x';
		}
}
END_TEST

/* ---- line_next ---- */

/* What line_next is to say, by the words of line.h. */
static enum line_is
expected(const char *p, size_t n, size_t prefix, struct line *l)
{
	size_t size = 0;
	while (size < n && size <= LINE_MAX_SEARCH && p[size] != '\n')
		size++;
	if (size == n || size > LINE_MAX_SEARCH) {
		*l = (struct line){ .text = p, .len = size, .size = size };
		return size > LINE_MAX_SEARCH ? LINE_NEVER : LINE_MORE;
	}
	bool cr = size != 0 && p[size - 1] == '\r';
	size_t len = size - cr, skip = prefix < len ? prefix : len;
	*l = (struct line){ .text = p + skip, .len = len - skip, .size = size + 1 };
	l->reason = l->len > LINE_MAX_TEXT ? line_reason_long : cr ? reference_check(l->text, l->len) : line_reason_no_cr;
	return l->reason == NULL ? LINE_GOOD : LINE_BAD;
}

static void
try_next(const char *p, size_t n, size_t prefix)
{
	struct line got, want;
	memset(&got, 0xff, sizeof got);
	enum line_is is = line_next(p, n, prefix, &got), as = expected(p, n, prefix, &want);
	unit_require(is == as && got.text == want.text && got.len == want.len && got.size == want.size &&
	    (got.reason == NULL) == (want.reason == NULL) && (got.reason == NULL || strcmp(got.reason, want.reason) == 0),
	    "%zu bytes, prefix %zu: %d %zu %zu %s, not %d %zu %zu %s", n, prefix, is, got.len, got.size,
	    got.reason != NULL ? got.reason : "good", as, want.len, want.size, want.reason != NULL ? want.reason : "good");
}

/* ASCII text of every length before each kind of end, with and without more behind it. */
START_TEST(lines_of_every_length)
{
	static const char *const ends[] = { "\r\n", "\r", "", "\n", "\r\r\n", "\n\r\n", "\rx\r\n", "\x7f\r\n", "\xc3\xa4\r\n",
		"\xc3\r\n", "\r\nx", "\r\nnext line\r\n", "\n\n" };
	uint64_t seed = unit_seed("lines_of_every_length");
	struct guard g;
	guard_init(&g, MOST + 128);
	for (size_t text = 0; text <= MOST; text++)
		for (size_t e = 0; e < UNIT_COUNT(ends); e++) {
			char line[MOST + 128];
			size_t n = text + strlen(ends[e]), more = unit_below(&seed, 100);
			fill(&seed, line, text);
			memcpy(line + text, ends[e], strlen(ends[e]));
			for (size_t prefix = 0; prefix <= 3; prefix++)
				try_next(guard_behind(&g, line, n), n, prefix);
			fill(&seed, line + n, more);
			for (size_t prefix = 0; prefix <= 1; prefix++)
				try_next(guard_behind(&g, line, n + more), n + more, prefix);
		}
	guard_fini(&g);
}
END_TEST

/* Whatever the prefix is, a line end too: all short lines of five different bytes. */
START_TEST(every_short_line)
{
	static const char bytes[] = "a\t\r\n\x01";
	struct guard g;
	guard_init(&g, 16);
	for (size_t n = 1; n <= 6; n++) {
		unsigned many = 1;
		for (size_t i = 0; i < n; i++)
			many *= 5;
		for (unsigned k = 0; k < many; k++) {
			char line[6];
			for (unsigned i = 0, rest = k; i < n; i++, rest /= 5)
				line[i] = bytes[rest % 5];
			for (size_t prefix = 0; prefix <= n + 1; prefix++)
				try_next(guard_behind(&g, line, n), n, prefix);
		}
	}
	struct line l;
	ck_assert_int_eq(line_next(NULL, 0, 0, &l), LINE_MORE);
	ck_assert_int_eq(line_next(NULL, 0, 1, &l), LINE_MORE);
	ck_assert_uint_eq(line_ascii(NULL, 0), 0);
	ck_assert_uint_eq(line_ascii_plain(NULL, 0), 0);
	guard_fini(&g);
}
END_TEST

/* line_check_all says of lines together what line_check says of the first bad one; nothing behind them is looked at. */
START_TEST(all_lines)
{
	uint64_t random = unit_seed("all_lines");
	static const char *const pieces[] = { "a", "\t", "\xc3\xbc", "\x1b", "\x7f", "\xc2\x85", "\xff", "\\", "0123456789abcdef0123456789abcdef" };
	for (int round = 0; round < unit_amount(20000); round++) {
		char text[4096];
		size_t n = 0;
		const char *want = NULL;
		unsigned count = 1 + unit_below(&random, 6);
		for (unsigned lines = count; lines > 0; lines--) {
			size_t begin = n;
			unsigned good = unit_below(&random, 30), most = 1 + unit_below(&random, good == 7 ? 40 : 14);
			for (unsigned i = 0; i < most; i++) {
				const char *piece = pieces[unit_below(&random, 9)];
				if (good != 0 && strchr("\x1b\x7f\xc2\xff", piece[0]) != NULL)
					piece = "x";
				memcpy(text + n, piece, strlen(piece));
				n += strlen(piece);
			}
			if (want == NULL)
				want = line_check(text + begin, n - begin);
			memcpy(text + n, "\r\n", 2);
			n += 2;
		}
		char *block = malloc(n);
		unit_require(block != NULL, "no memory");
		memcpy(block, text, n);
		const char *got = line_check_all(block, n, count);
		unit_require(got == want, "'%s', not '%s'", got != NULL ? got : "good", want != NULL ? want : "good");
		free(block);
	}
	/* At the limit, where it ends and where another one follows. */
	for (size_t len = LINE_MAX_TEXT - 2; len <= LINE_MAX_TEXT + 3; len++) {
		char *block = malloc(len + 2 + 3);
		unit_require(block != NULL, "no memory");
		memset(block, 'x', len);
		memcpy(block + len, "\r\na\r\n", 5);
		for (int more = 0; more < 2; more++)
			ck_assert_ptr_eq(line_check_all(block, len + 2 + (more != 0 ? 3 : 0), more != 0 ? 2 : 1), len <= LINE_MAX_TEXT ? NULL : line_reason_long);
		free(block);
	}
}
END_TEST

/* Many plain lines, with another byte in each place; and a long one among them, from each place on. */
START_TEST(one_in_many)
{
	static const char bytes[] = { '\t', '\x01', '\x1b', '\x1f', '\x7f', '\x80', '\xa0', '\xc3', '\xff', ' ', '~' };
	enum { LINES = 30, TEXT = 21, LINE = TEXT + 2, ALL = LINES * LINE, LONG = LINE_MAX_TEXT + 1 };
	char *block = malloc(ALL), *more = malloc(ALL + LONG + 2);
	unit_require(block != NULL && more != NULL, "no memory");
	memset(block, 'x', ALL);
	for (int i = 0; i < LINES; i++)
		memcpy(block + i * LINE + TEXT, "\r\n", 2);
	ck_assert_ptr_null(line_check_all(block, ALL, LINES));
	for (int at = 0; at < ALL; at++) {
		if (at % LINE >= TEXT)
			continue;
		for (size_t k = 0; k < sizeof bytes; k++) {
			block[at] = bytes[k];
			unit_require(line_check_all(block, ALL, LINES) == line_check(block + at / LINE * LINE, TEXT), "byte %zu at %d", k, at);
		}
		block[at] = 'x';
	}
	for (int len = LONG - 1; len <= LONG; len++)
		for (int i = 0; i <= LINES; i++) {
			memcpy(more, block, (size_t)(i * LINE));
			memset(more + i * LINE, 'y', (size_t)len);
			memcpy(more + i * LINE + len, "\r\n", 2);
			memcpy(more + i * LINE + len + 2, block + i * LINE, (size_t)(ALL - i * LINE));
			ck_assert_ptr_eq(line_check_all(more, (size_t)(ALL + len + 2), LINES + 1), len == LONG ? line_reason_long : NULL);
		}
	free(block);
	free(more);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, every_length_and_place);
	UNIT_TEST(s, every_length_and_alignment);
	UNIT_TEST(s, every_byte_in_each_place);
	UNIT_TEST(s, lines_of_every_length);
	UNIT_TEST(s, every_short_line);
	UNIT_TEST(s, all_lines);
	UNIT_TEST(s, one_in_many);
}

int
main(void)
{
	return unit_main("line_ascii", add);
}
