/* SPDX-License-Identifier: MIT */
#include "wire/line.h"

#include <stdint.h>
#include <string.h>

#include "base/wide.h"

const char line_reason_long[] = "line too long";
const char line_reason_no_cr[] = "no CR before LF";
const char line_reason_cut[] = "no line end";
const char line_reason_never[] = "no line end in 64 KiB";

static const char reason_empty[] = "empty line";
static const char reason_control[] = "control character";
static const char reason_utf8[] = "bad UTF-8";
static const char reason_separator[] = "line or paragraph separator";
static const char reason_bidi[] = "bidirectional override or isolate";

/* ---- printing ASCII ---- */

size_t
line_ascii_plain(const char *text, size_t n)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
	const unsigned char *p = (const unsigned char *)text;
	size_t i = 0;
	while (i < n) {
		if (i + 8 <= n) {
			uint64_t w;
			memcpy(&w, p + i, 8);
			/* A byte below 0x20 borrows into its top bit, one of 0x7f carries into it. With no top bit set in w
			 * itself a false alarm, as a TAB gives, only costs looking at some bytes one by one. */
			if ((((w - ones * 0x20) | (w + ones) | w) & high) == 0) {
				i += 8;
				continue;
			}
		}
		if ((p[i] < 0x20 || p[i] >= 0x7f) && p[i] != '\t')
			break;
		i++;
	}
	return i;
}

#ifdef __SSE2__

/* Bytes of 0xff where there is printing ASCII or TAB. One more makes 0x7f the least of the signed numbers, and leaves all
 * from 0x80 on and the controls at 0x20 or below. */
static inline __m128i
ascii_16(const char *p)
{
	__m128i v = wide_load(p);
	return _mm_or_si128(_mm_cmpgt_epi8(_mm_add_epi8(v, _mm_set1_epi8(1)), _mm_set1_epi8(0x20)),
	    _mm_cmpeq_epi8(v, _mm_set1_epi8('\t')));
}

/* 16 bytes a step; of the first i it is known. */
static size_t
ascii_from(const char *p, size_t i, size_t n)
{
	if (n < 16)
		return line_ascii_plain(p, n);
	for (; n - i >= 16; i += 16) {
		uint32_t other = ~wide_bits(ascii_16(p + i)) & 0xffff;
		if (other != 0)
			return i + (unsigned)__builtin_ctz(other);
	}
	/* The last 16 once more: in what was seen already there is nothing. Bit 16 is the end. */
	return n - 16 + (unsigned)__builtin_ctz(~wide_bits(ascii_16(p + n - 16)));
}

/* 64 bytes a step without asking where in them it ends: lengths differ from line to line, and a branch that was
 * predicted wrong costs more than all of this. */
size_t
line_ascii(const char *p, size_t n)
{
	size_t i = 0;
	for (; n - i >= 64; i += 64) {
		const char *q = p + i;
		uint64_t other = ~wide_bits_of_four(ascii_16(q), ascii_16(q + 16), ascii_16(q + 32), ascii_16(q + 48));
		if (other != 0)
			return i + (unsigned)__builtin_ctzll(other);
	}
	return ascii_from(p, i, n);
}

#else

static size_t
ascii_from(const char *p, size_t i, size_t n)
{
	return i + line_ascii_plain(p + i, n - i);
}

size_t
line_ascii(const char *p, size_t n)
{
	return line_ascii_plain(p, n);
}

#endif

/* ---- what a good text is ---- */

/* Length of the UTF-8 sequence at p, 0 if it is none (overlong, surrogate, past U+10FFFF, cut). */
static size_t
utf8_sequence(const unsigned char *p, size_t n, uint32_t *code)
{
	size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	if (p[0] < 0xc2 || p[0] > 0xf4 || n < len)
		return 0;
	uint32_t c = p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[len] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return 0;
	*code = c;
	return len;
}

static const char *
check_code(uint32_t c)
{
	if (c < 0xa0)           /* the two-byte ones begin at U+0080 */
		return reason_control;
	if (c == 0x2028 || c == 0x2029)
		return reason_separator;
	if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return reason_bidi;
	return NULL;
}

/* ascii: how many of its first bytes are known to be printing ASCII or TAB. */
static const char *
check_from(const char *text, size_t len, size_t ascii)
{
	const unsigned char *p = (const unsigned char *)text;
	if (len == 0)
		return reason_empty;
	if (len > LINE_MAX_TEXT)
		return line_reason_long;
	for (size_t i = ascii; i < len;) {
		if (p[i] < 0x80) {
			/* Between longer characters it is not many: short steps. */
			size_t run = ascii_from(text + i, 0, len - i);
			if (run == 0)
				return reason_control;
			i += run;
			continue;
		}
		uint32_t code;
		size_t n = utf8_sequence(p + i, len - i, &code);
		if (n == 0)
			return reason_utf8;
		const char *reason = check_code(code);
		if (reason != NULL)
			return reason;
		i += n;
	}
	return NULL;
}

const char *
line_check(const char *text, size_t len)
{
	return check_from(text, len, line_ascii(text, len < LINE_MAX_TEXT ? len : LINE_MAX_TEXT));
}

#ifdef __SSE2__

enum { CHUNK = 256 };

/* How many of these bytes are below 0x20 or over 0x7f; del is not 0 after one that is 0x7f. n: a multiple of 16, 256 at most. */
static size_t
count_odd(const char *p, size_t n, __m128i *del)
{
	__m128i odd = _mm_setzero_si128();
	for (size_t i = 0; i < n; i += 16) {
		__m128i v = wide_load(p + i);
		odd = _mm_sub_epi8(odd, _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)));
		*del = _mm_or_si128(*del, _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f)));
	}
	__m128i two = _mm_sad_epu8(odd, _mm_setzero_si128());
	return (size_t)(_mm_cvtsi128_si32(two) + _mm_cvtsi128_si32(_mm_srli_si128(two, 8)));
}

/* Is all printing ASCII but for the ends of so many lines, and none of these too long? Where each 256 bytes have such an end two
 * are at most 511 apart. false: they have to be looked at one by one. */
static bool
plain_all(const char *p, size_t n, size_t lines)
{
	__m128i del = _mm_setzero_si128();
	size_t odd = 0, here = 0, i = 0;
	for (; n - i >= CHUNK; i += CHUNK, odd += here)
		if ((here = count_odd(p + i, CHUNK, &del)) == 0)
			return false;
	odd += count_odd(p + i, (n - i) / 16 * 16, &del);
	for (i += (n - i) / 16 * 16; i < n; i++) {
		odd += (unsigned char)p[i] < 0x20 || (unsigned char)p[i] >= 0x80;
		if (p[i] == 0x7f)
			return false;
	}
	return odd == 2 * lines && wide_bits(del) == 0;
}

#else

static bool
plain_all(const char *p, size_t n, size_t lines)
{
	(void)p, (void)n, (void)lines;
	return false;
}

#endif

const char *
line_check_all(const char *p, size_t n, size_t lines)
{
	if (lines > 1 && n >= 2 * lines + lines && plain_all(p, n, lines))
		return NULL;
	for (const char *end = p + n; p < end;) {
		size_t most = (size_t)(end - p) < LINE_MAX_TEXT + 1 ? (size_t)(end - p) : LINE_MAX_TEXT + 1;
		size_t len = line_ascii(p, most);
		if (len == 0 || len == most || p[len] != '\r') {
			const char *lf = memchr(p + len, '\n', (size_t)(end - p) - len);
			size_t whole = lf != NULL && lf > p ? (size_t)(lf - p) - 1 : (size_t)(end - p);
			const char *reason = check_from(p, whole, len < whole ? len : whole);
			if (reason != NULL)
				return reason;
			len = whole;
		}
		p += len + 2;
	}
	return NULL;
}

/* ---- lines ---- */

enum line_is
line_find(const char *p, size_t n, struct line *l)
{
	size_t search = n < LINE_MAX_SEARCH + 1 ? n : LINE_MAX_SEARCH + 1;
	const char *lf = search != 0 ? memchr(p, '\n', search) : NULL;
	*l = (struct line){ .text = p };
	if (lf == NULL) {
		l->len = l->size = search;
		return n > LINE_MAX_SEARCH ? LINE_NEVER : LINE_MORE;
	}
	size_t len = (size_t)(lf - p);
	bool cr = len != 0 && p[len - 1] == '\r';
	l->size = len + 1;
	l->len = len - (cr ? 1 : 0);
	l->reason = cr ? NULL : line_reason_no_cr;
	return cr ? LINE_GOOD : LINE_BAD;
}

enum line_is
line_next(const char *p, size_t n, size_t prefix, struct line *l)
{
	/* What nearly all lines are is seen in one pass: ASCII up to the CR. (An LF for wrapping byte ends the line.) */
	size_t ascii = 0;
	if (prefix < n && (prefix == 0 || (prefix == 1 && *p != '\n'))) {
		const char *text = p + prefix;
		size_t most = n - prefix < LINE_MAX_TEXT + 2 ? n - prefix : LINE_MAX_TEXT + 2;
		ascii = line_ascii(text, most);
		if (ascii != 0 && ascii + 2 <= most && text[ascii] == '\r' && text[ascii + 1] == '\n') {
			*l = (struct line){ .text = text, .len = ascii, .size = prefix + ascii + 2 };
			return LINE_GOOD;
		}
	}

	enum line_is is = line_find(p, n, l);
	if (is == LINE_MORE || is == LINE_NEVER)
		return is;
	size_t skipped = prefix < l->len ? prefix : l->len;
	l->text += skipped;
	l->len -= skipped;
	/* Too long is said before anything about the bytes: which byte came first is chance. */
	if (l->len > LINE_MAX_TEXT)
		l->reason = line_reason_long;
	else if (l->reason == NULL)
		l->reason = check_from(l->text, l->len, ascii);
	return l->reason == NULL ? LINE_GOOD : LINE_BAD;
}
