/* SPDX-License-Identifier: MIT
 * Everything that doc/protocol, section 1, calls bad, with the reason that its sender gets. */
#include "wire/line.h"

#include "reference.h"
#include "unit.h"

#define CONTROL "control character"
#define UTF8 "bad UTF-8"
#define SEPARATOR "line or paragraph separator"
#define BIDI "bidirectional override or isolate"
#define NO_CR "no CR before LF"
#define EMPTY "empty line"
#define TOO_LONG "line too long"

static bool
same_reason(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* line_next of bytes in a block of exactly that size, so that a sanitizer sees any look behind them. The text is
 * where it was in p. */
static enum line_is
next(const char *p, size_t n, size_t prefix, struct line *l)
{
	char *block = malloc(n != 0 ? n : 1);
	unit_require(block != NULL, "no memory");
	memcpy(block, p, n);
	enum line_is is = line_next(n != 0 ? block : NULL, n, prefix, l);
	if (n != 0)
		l->text = p + (l->text - block);
	free(block);
	return is;
}

/* The verdict on one whole line (line end and all) before which prefix bytes stand: whatever of the stream is there
 * already, before and behind its LF. */
static void
try_line(const char *bytes, size_t n, size_t prefix, const char *reason)
{
	static const char behind[] = "1next\r\n\xff";
	char stream[70000];
	ck_assert_uint_le(n + sizeof behind, sizeof stream);
	memcpy(stream, bytes, n);
	memcpy(stream + n, behind, sizeof behind);
	struct line l;
	for (size_t k = 0; k < n; k++) {
		unit_require(next(stream, k, prefix, &l) == LINE_MORE && l.reason == NULL, "the first %zu of %zu bytes are a line",
		    k, n);
	}
	for (size_t k = n; k <= n + sizeof behind; k++) {
		enum line_is is = next(stream, k, prefix, &l);
		ck_assert_msg(same_reason(l.reason, reason), "'%.*s' (%zu of %zu bytes) is %s, not %s", (int)n, bytes, k, n,
		    l.reason != NULL ? l.reason : "good", reason != NULL ? reason : "good");
		ck_assert_int_eq(is, reason == NULL ? LINE_GOOD : LINE_BAD);
		ck_assert_uint_eq(l.size, n);
		if (reason == NULL) {
			ck_assert_ptr_eq(l.text, stream + prefix);
			ck_assert_uint_eq(l.len, n - prefix - 2);
		}
		ck_assert(l.text >= stream && l.text + l.len <= stream + n);
	}
}

/* ---- each kind ---- */

struct sample {
	const char *bytes;
	size_t      len;
	const char *reason;     /* NULL: it is good */
};
#define S(bytes, reason) { bytes, sizeof bytes - 1, reason }

static const struct sample samples[] = {
	/* where it ends */
	S("\r\n", EMPTY),
	S("\n", NO_CR),
	S("LF alone\n", NO_CR),
	S("\r \n", NO_CR),
	S("\x01\n", NO_CR),
	S("\xff\n", NO_CR),
	S("CR CR LF\r\r\n", CONTROL),
	S("\r\r\n", CONTROL),
	S("CR\ralone\r\n", CONTROL),
	S(" \r\n", NULL),
	S("\t\r\n", NULL),
	S("x\r\n", NULL),
	S("trailing blank \r\n", NULL),

	/* controls */
	S("NUL\0inside\r\n", CONTROL),
	S("\0\r\n", CONTROL),
	S("at the end\0\r\n", CONTROL),
	S("bell\x07\r\n", CONTROL),
	S("VT\v\r\n", CONTROL),
	S("FF\f\r\n", CONTROL),
	S("colour\x1b[31m\r\n", CONTROL),
	S("US\x1f\r\n", CONTROL),
	S("DEL\x7f\r\n", CONTROL),
	S("the ninth: \x7f\r\n", CONTROL),
	S("PAD \xc2\x80\r\n", CONTROL),
	S("NEL \xc2\x85\r\n", CONTROL),
	S("CSI \xc2\x9b" "31m\r\n", CONTROL),
	S("APC \xc2\x9f\r\n", CONTROL),
	S("NBSP \xc2\xa0\r\n", NULL),
	S("a\ttab\r\n", NULL),
	S("~\r\n", NULL),

	/* overlong */
	S("\xc0\x80\r\n", UTF8),
	S("\xc0\xaf\r\n", UTF8),
	S("\xc1\x81\r\n", UTF8),
	S("\xc1\xbf\r\n", UTF8),
	S("\xe0\x80\x80\r\n", UTF8),
	S("\xe0\x82\x80\r\n", UTF8),
	S("\xe0\x9f\xbf\r\n", UTF8),
	S("\xf0\x80\x80\x80\r\n", UTF8),
	S("\xf0\x8f\xbf\xbf\r\n", UTF8),
	S("\xf8\x80\x80\x80\x80\r\n", UTF8),
	/* surrogates */
	S("\xed\xa0\x80\r\n", UTF8),
	S("\xed\xaf\xbf\r\n", UTF8),
	S("\xed\xb0\x80\r\n", UTF8),
	S("\xed\xbf\xbf\r\n", UTF8),
	S("\xed\xa0\xbd\xed\xb8\x80\r\n", UTF8),
	/* past U+10FFFF */
	S("\xf4\x90\x80\x80\r\n", UTF8),
	S("\xf4\xbf\xbf\xbf\r\n", UTF8),
	S("\xf5\x80\x80\x80\r\n", UTF8),
	S("\xf7\xbf\xbf\xbf\r\n", UTF8),
	S("\xf8\x88\x80\x80\x80\r\n", UTF8),
	S("\xfc\x84\x80\x80\x80\x80\r\n", UTF8),
	S("\xfe\r\n", UTF8),
	S("\xff\r\n", UTF8),
	/* cut, and too much of it */
	S("\x80\r\n", UTF8),
	S("\xbf\r\n", UTF8),
	S("latin \xe4 1\r\n", UTF8),
	S("\xc3\xa4\xa4\r\n", UTF8),
	S("\xc3\r\n", UTF8),
	S("\xe2\x82\r\n", UTF8),
	S("\xf0\x9f\x8c\r\n", UTF8),
	S("\xc3(\r\n", UTF8),
	S("\xe2(\xa1\r\n", UTF8),
	S("\xe2\x82(\r\n", UTF8),
	S("\xf0(\x8c\xbc\r\n", UTF8),
	S("\xf0\x90(\xbc\r\n", UTF8),
	S("\xf0\x9f\x8c(\r\n", UTF8),
	S("\xc3\xc3\xa4\r\n", UTF8),
	S("\xe2\x82\xc0\r\n", UTF8),
	/* the edges that are good */
	S("\xc2\xa1 \xdf\xbf\r\n", NULL),
	S("\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf\r\n", NULL),
	S("\xf0\x90\x80\x80 \xf3\xbf\xbf\xbf \xf4\x8f\xbf\xbf\r\n", NULL),
	S("\xef\xbb\xbf with a BOM\r\n", NULL),

	/* what looks like something else */
	S("\xe2\x80\xa7\r\n", NULL),
	S("\xe2\x80\xa8\r\n", SEPARATOR),
	S("\xe2\x80\xa9\r\n", SEPARATOR),
	S("\xe2\x80\xaa\r\n", BIDI),
	S("\xe2\x80\xab\r\n", BIDI),
	S("\xe2\x80\xac\r\n", BIDI),
	S("\xe2\x80\xad\r\n", BIDI),
	S("\xe2\x80\xae\r\n", BIDI),
	S("\xe2\x80\xaf\r\n", NULL),
	S("\xe2\x81\xa5\r\n", NULL),
	S("\xe2\x81\xa6\r\n", BIDI),
	S("\xe2\x81\xa7\r\n", BIDI),
	S("\xe2\x81\xa8\r\n", BIDI),
	S("\xe2\x81\xa9\r\n", BIDI),
	S("\xe2\x81\xaa\r\n", NULL),

	/* of two faults the first is told */
	S("\x01\xff\r\n", CONTROL),
	S("\xff\x01\r\n", UTF8),
	S("\xe2\x80\xa8\xe2\x80\xaa\r\n", SEPARATOR),
	S("\xe2\x80\xaa\xe2\x80\xa8\r\n", BIDI),
};

START_TEST(each_kind)
{
	const struct sample *s = &samples[_i];
	try_line(s->bytes, s->len, 0, s->reason);
}
END_TEST

START_TEST(each_kind_behind_a_wrapping_byte)
{
	const struct sample *s = &samples[_i];
	char wrapped[100] = "2";
	memcpy(wrapped + 1, s->bytes, s->len);
	try_line(wrapped, s->len + 1, 1, s->reason);
}
END_TEST

/* Behind, between and before text of every length: what goes eight bytes at a time sees it in each place. */
START_TEST(each_kind_in_each_place)
{
	const struct sample *s = &samples[_i];
	size_t text = s->len >= 2 && s->bytes[s->len - 2] == '\r' ? s->len - 2 : s->len - 1;
	if (text == 0 || text == s->len - 1)
		return;         /* its line end is what it is about */
	for (size_t before = 0; before < 20; before++) {
		for (size_t behind = 0; behind < 12; behind++) {
			char line[200];
			memset(line, 'a', sizeof line);
			memcpy(line + before, s->bytes, text);
			memcpy(line + before + text + behind, "\r\n", 2);
			size_t n = before + text + behind + 2;
			struct line l;
			/* The LF is the last byte there is. */
			enum line_is is = next(line, n, 0, &l);
			unit_require(is == (s->reason == NULL ? LINE_GOOD : LINE_BAD) && same_reason(l.reason, s->reason) &&
			    l.size == n, "'%s' %zu bytes on is %s", s->bytes, before, l.reason != NULL ? l.reason : "good");
			/* The same without line end. */
			char *block = malloc(n - 2);
			memcpy(block, line, n - 2);
			unit_require(same_reason(line_check(block, n - 2), s->reason), "'%s' %zu bytes on", s->bytes, before);
			free(block);
		}
	}
}
END_TEST

/* Every byte there is, alone and as the lead of a sequence. */
START_TEST(every_byte)
{
	for (int c = 0; c < 256; c++) {
		char text[] = { 'a', (char)c, 'b' };
		const char *want = c == '\t' || (c >= 0x20 && c < 0x7f) ? NULL : c < 0x80 ? CONTROL : UTF8;
		ck_assert_msg(same_reason(line_check(text, 3), want), "byte %02x", (unsigned)c);
		ck_assert_msg(same_reason(line_check(text + 1, 1), want), "byte %02x alone", (unsigned)c);
	}
}
END_TEST

/* Every lead byte with every length of continuations, at the end of the text: only the sequences that are whole and in
 * range are good, and none is looked for behind the end. */
START_TEST(every_lead_byte)
{
	static const char tails[] = { '\x7f', '\x80', '\x8f', '\x90', '\x9f', '\xa0', '\xbf', '\xc0' };
	for (int lead = 0x80; lead < 256; lead++) {
		for (unsigned a = 0; a < 8 * 8 * 8 * 8; a++) {
			char text[5] = { (char)lead, tails[a % 8], tails[a / 8 % 8], tails[a / 64 % 8], tails[a / 512] };
			for (size_t n = 1; n <= 5; n++) {
				char *block = malloc(n);
				memcpy(block, text, n);
				const char *got = line_check(block, n), *want = reference_check(text, n);
				free(block);
				unit_require(same_reason(got, want), "%02x %02x %02x %02x %02x (%zu bytes) is %s, not %s",
				    (unsigned)lead, (unsigned char)text[1], (unsigned char)text[2], (unsigned char)text[3],
				    (unsigned char)text[4], n, got != NULL ? got : "good", want != NULL ? want : "good");
			}
		}
	}
}
END_TEST

/* Every character there is, written as UTF-8: all codes, and whether each is good. */
START_TEST(every_code)
{
	for (uint32_t c = 0; c < 0x110000; c++) {
		char text[4];
		size_t n;
		if (c < 0x80) {
			text[0] = (char)c;
			n = 1;
		} else if (c < 0x800) {
			text[0] = (char)(0xc0 | c >> 6);
			text[1] = (char)(0x80 | (c & 0x3f));
			n = 2;
		} else if (c < 0x10000) {
			text[0] = (char)(0xe0 | c >> 12);
			text[1] = (char)(0x80 | (c >> 6 & 0x3f));
			text[2] = (char)(0x80 | (c & 0x3f));
			n = 3;
		} else {
			text[0] = (char)(0xf0 | c >> 18);
			text[1] = (char)(0x80 | (c >> 12 & 0x3f));
			text[2] = (char)(0x80 | (c >> 6 & 0x3f));
			text[3] = (char)(0x80 | (c & 0x3f));
			n = 4;
		}
		const char *want = (c < 0x20 && c != '\t') || (c >= 0x7f && c < 0xa0) ? CONTROL :
		    c >= 0xd800 && c < 0xe000 ? UTF8 :
		    c == 0x2028 || c == 0x2029 ? SEPARATOR :
		    (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ? BIDI : NULL;
		const char *got = line_check(text, n);
		unit_require(same_reason(got, want), "U+%04X is %s", c, got != NULL ? got : "good");
		/* A sequence of the same bytes that is cut anywhere is none. */
		for (size_t k = 1; k < n; k++)
			unit_require(same_reason(line_check(text, k), UTF8), "U+%04X cut after %zu bytes", c, k);
	}
}
END_TEST

/* ---- how long ---- */

static void
try_length(size_t total, size_t prefix, const char *end, const char *reason)
{
	char line[700];
	size_t end_len = strlen(end);
	memset(line, 'x', sizeof line);
	if (prefix != 0)
		line[0] = '0';
	memcpy(line + prefix + total - end_len, end, end_len);
	try_line(line, prefix + total, prefix, reason);
}

/* Shorter than 512 bytes with CR LF; the wrapping byte does not count. */
START_TEST(lengths_around_512)
{
	for (size_t prefix = 0; prefix <= 1; prefix++) {
		for (size_t total = 506; total <= 516; total++)
			try_length(total, prefix, "\r\n", total < 512 ? NULL : TOO_LONG);
		/* Without CR one byte more of it is text. */
		for (size_t total = 506; total <= 516; total++)
			try_length(total, prefix, "\n", total - 1 <= 509 ? NO_CR : TOO_LONG);
	}
	ck_assert_int_eq(LINE_MAX_TEXT, 509);
}
END_TEST

/* What is too long is that first, whatever else is wrong with it. */
START_TEST(too_long_comes_first)
{
	try_length(512, 0, "\x01\r\n", TOO_LONG);
	try_length(511, 0, "\x01\r\n", CONTROL);
	try_length(512, 0, "\xff\r\n", TOO_LONG);
	try_length(511, 0, "\xff\r\n", UTF8);
	try_length(512, 0, "\r\r\n", TOO_LONG);
}
END_TEST

/* Characters of several bytes are counted in bytes, and not torn at the limit. */
START_TEST(long_characters_at_the_limit)
{
	for (size_t n = 505; n <= 511; n++) {
		char text[520];
		memset(text, 'x', sizeof text);
		memcpy(text + n - 4, "\xf0\x9f\x8c\xbc", 4);
		ck_assert(same_reason(line_check(text, n), n <= 509 ? NULL : TOO_LONG));
		ck_assert(same_reason(line_check(text, n - 1), n - 1 <= 509 ? UTF8 : TOO_LONG));
	}
}
END_TEST

/* ---- no line end ---- */

START_TEST(never_a_line_end)
{
	static char bytes[65536 + 10];
	struct line l;
	for (size_t prefix = 0; prefix <= 1; prefix++) {
		memset(bytes, 'x', sizeof bytes);
		ck_assert_int_eq(next(bytes, 0, prefix, &l), LINE_MORE);
		ck_assert_int_eq(next(bytes, 65535, prefix, &l), LINE_MORE);
		ck_assert_int_eq(next(bytes, 65536, prefix, &l), LINE_MORE);
		ck_assert_int_eq(next(bytes, 65537, prefix, &l), LINE_NEVER);
		ck_assert_int_eq(next(bytes, sizeof bytes, prefix, &l), LINE_NEVER);
		/* 64 KiB and then an LF: the next line can be found. */
		bytes[65536] = '\n';
		ck_assert_int_eq(next(bytes, 65536, prefix, &l), LINE_MORE);
		ck_assert_int_eq(next(bytes, 65537, prefix, &l), LINE_BAD);
		ck_assert_str_eq(l.reason, TOO_LONG);
		ck_assert_uint_eq(l.size, 65537);
		ck_assert_int_eq(next(bytes, sizeof bytes, prefix, &l), LINE_BAD);
		ck_assert_uint_eq(l.size, 65537);
		/* One later is too late. */
		bytes[65536] = 'x';
		bytes[65537] = '\n';
		ck_assert_int_eq(next(bytes, 65537, prefix, &l), LINE_NEVER);
		ck_assert_int_eq(next(bytes, 65538, prefix, &l), LINE_NEVER);
	}
}
END_TEST

START_TEST(reasons)
{
	ck_assert_str_eq(line_reason_long, TOO_LONG);
	ck_assert_str_eq(line_reason_no_cr, NO_CR);
	ck_assert_str_eq(line_reason_cut, "no line end");
	ck_assert_str_eq(line_reason_never, "no line end in 64 KiB");
}
END_TEST

/* ---- streams ---- */

/* A bad line hurts neither the one before it nor the one behind it. */
START_TEST(good_lines_around_bad_ones)
{
	struct buf b = BUF_INIT;
	struct line l;
	for (size_t i = 0; i < UNIT_COUNT(samples); i++) {
		ck_assert(buf_puts(&b, "before\r\n"));
		ck_assert(buf_put(&b, samples[i].bytes, samples[i].len));
	}
	ck_assert(buf_puts(&b, "the end\r\n"));
	for (size_t i = 0; i < UNIT_COUNT(samples); i++) {
		ck_assert_int_eq(line_next(buf_begin(&b), b.len, 0, &l), LINE_GOOD);
		ck_assert_uint_eq(l.len, 6);
		ck_assert(memcmp(l.text, "before", 6) == 0);
		buf_eat(&b, l.size);
		ck_assert_int_eq(line_next(buf_begin(&b), b.len, 0, &l), samples[i].reason == NULL ? LINE_GOOD : LINE_BAD);
		ck_assert_uint_eq(l.size, samples[i].len);
		buf_eat(&b, l.size);
	}
	ck_assert_int_eq(line_next(buf_begin(&b), b.len, 0, &l), LINE_GOOD);
	buf_eat(&b, l.size);
	ck_assert_int_eq(line_next(buf_begin(&b), b.len, 0, &l), LINE_MORE);
	buf_fini(&b);
}
END_TEST

/* A wrapping byte without a text. */
START_TEST(prefix_alone)
{
	try_line("0\r\n", 3, 1, EMPTY);
	try_line("\r\n", 2, 1, EMPTY);
	try_line("0\n", 2, 1, NO_CR);
	try_line("\n", 1, 1, NO_CR);
	try_line("0\r\r\n", 4, 1, CONTROL);
	try_line("\xff" "a\r\n", 4, 1, NULL);      /* which byte it is, is for others to say */
}
END_TEST

/* ---- random texts ---- */

/* A text in which the edges of all rules come often. */
static size_t
random_text(uint64_t *seed, char out[600])
{
	static const char *const pieces[] = {
		"a", "~", " ", "\t", "\x7f", "\x1f", "\x01", "\r", "\n", "\x80", "\x9f", "\xa0", "\xbf", "\xc0", "\xc1", "\xc2",
		"\xdf", "\xe0", "\xe1", "\xe2", "\xec", "\xed", "\xee", "\xef", "\xf0", "\xf1", "\xf3", "\xf4", "\xf5", "\xf8",
		"\xfe", "\xff", "\x8f", "\x90", "\xc2\x80", "\xc2\x9f", "\xc2\xa0", "\xc3\xa4", "\xdf\xbf", "\xe0\x9f\xbf",
		"\xe0\xa0\x80", "\xe2\x80\xa7", "\xe2\x80\xa8", "\xe2\x80\xaa", "\xe2\x80\xae", "\xe2\x80\xaf", "\xe2\x81\xa5",
		"\xe2\x81\xa6", "\xe2\x81\xa9", "\xe2\x81\xaa", "\xed\x9f\xbf", "\xed\xa0\x80", "\xef\xbf\xbf",
		"\xf0\x8f\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xf4\x90\x80\x80", "ascii text of some length",
		"\xe2\x82\xac\xe2\x82\xac", "\xf0\x9f\x8c\xbc",
	};
	/* One in three is made of good pieces only, or nearly all would be bad. */
	static const char *const good[] = { "a", "0123456789", "\t", " ", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x8c\xbc" };
	bool kind = unit_below(seed, 3) == 0;
	size_t n = 0, most = unit_below(seed, 8) == 0 ? 500 + unit_below(seed, 20) : unit_below(seed, 40);
	if (most >= 500) {
		memset(out, 'x', most);
		n = most - unit_below(seed, 30);
	}
	while (n < most) {
		const char *piece = kind ? good[unit_below(seed, UNIT_COUNT(good))] :
		    pieces[unit_below(seed, UNIT_COUNT(pieces))];
		size_t len = strlen(piece);
		memcpy(out + n, piece, len);
		n += len;
	}
	if (!kind && n > 0 && unit_below(seed, 4) == 0)
		out[unit_below(seed, (unsigned)n)] = (char)unit_random(seed);
	return n;
}

START_TEST(as_the_reference_says)
{
	uint64_t seed = unit_seed("as_the_reference_says");
	unsigned good = 0;
	for (int round = 0; round < 100000; round++) {
		char text[600];
		size_t n = random_text(&seed, text);
		char *block = malloc(n != 0 ? n : 1);
		memcpy(block, text, n);
		const char *got = line_check(block, n), *want = reference_check(text, n);
		free(block);
		if (!same_reason(got, want)) {
			for (size_t i = 0; i < n; i++)
				printf("%02x ", (unsigned char)text[i]);
			printf("\n");
		}
		unit_require(same_reason(got, want), "round %d: %s, not %s", round, got != NULL ? got : "good",
		    want != NULL ? want : "good");
		good += want == NULL;
	}
	ck_assert_uint_gt(good, 10000);
	ck_assert_uint_lt(good, 90000);
}
END_TEST

/* Streams of random lines: line_next cuts them where the LFs are and says of each what the reference says. */
START_TEST(random_streams)
{
	uint64_t seed = unit_seed("random_streams");
	for (int round = 0; round < 5000; round++) {
		struct buf b = BUF_INIT;
		for (unsigned i = unit_below(&seed, 6); i > 0; i--) {
			char text[600];
			ck_assert(buf_put(&b, text, random_text(&seed, text)));
			ck_assert(buf_puts(&b, unit_below(&seed, 4) == 0 ? "\n" : "\r\n"));
		}
		size_t prefix = unit_below(&seed, 2);
		while (b.len != 0) {
			const char *p = buf_begin(&b), *lf = memchr(p, '\n', b.len);
			struct line l;
			enum line_is is = line_next(p, b.len, prefix, &l);
			if (lf == NULL) {
				ck_assert_int_eq(is, LINE_MORE);
				break;
			}
			size_t n = (size_t)(lf - p);
			bool cr = n != 0 && lf[-1] == '\r';
			n -= cr;
			size_t skip = prefix < n ? prefix : n;
			const char *want = n - skip > 509 ? TOO_LONG : !cr ? NO_CR : reference_check(p + skip, n - skip);
			unit_require(same_reason(l.reason, want) && is == (want == NULL ? LINE_GOOD : LINE_BAD) &&
			    l.size == (size_t)(lf - p) + 1 && l.text == p + skip && l.len == n - skip,
			    "round %d: a line of %zu bytes is %s, not %s", round, n, l.reason != NULL ? l.reason : "good",
			    want != NULL ? want : "good");
			buf_eat(&b, l.size);
		}
		buf_fini(&b);
	}
}
END_TEST

static void
add(Suite *s)
{
	UNIT_LOOP(s, each_kind, 0, UNIT_COUNT(samples));
	UNIT_LOOP(s, each_kind_behind_a_wrapping_byte, 0, UNIT_COUNT(samples));
	UNIT_LOOP(s, each_kind_in_each_place, 0, UNIT_COUNT(samples));
	UNIT_TEST(s, every_byte);
	UNIT_TEST(s, every_lead_byte);
	UNIT_TEST(s, every_code);
	UNIT_TEST(s, lengths_around_512);
	UNIT_TEST(s, too_long_comes_first);
	UNIT_TEST(s, long_characters_at_the_limit);
	UNIT_TEST(s, never_a_line_end);
	UNIT_TEST(s, reasons);
	UNIT_TEST(s, good_lines_around_bad_ones);
	UNIT_TEST(s, prefix_alone);
	UNIT_TEST(s, as_the_reference_says);
	UNIT_TEST(s, random_streams);
}

int
main(void)
{
	return unit_main("line", add);
}
