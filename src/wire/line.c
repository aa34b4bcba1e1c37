/* SPDX-License-Identifier: MIT */
#include "wire/line.h"

#include <stdint.h>
#include <string.h>

const char line_reason_long[] = "line too long";
const char line_reason_no_cr[] = "no CR before LF";
const char line_reason_cut[] = "no line end";
const char line_reason_never[] = "no line end in 64 KiB";

static const char reason_empty[] = "empty line";
static const char reason_control[] = "control character";
static const char reason_utf8[] = "bad UTF-8";
static const char reason_separator[] = "line or paragraph separator";
static const char reason_bidi[] = "bidirectional override or isolate";

/* How many of the first bytes are printing ASCII or TAB, eight at a time where it can. */
size_t
line_ascii(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;
	const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
	size_t i = 0;
	for (; i + 8 <= n; i += 8) {
		uint64_t w;
		memcpy(&w, p + i, 8);
		/* A byte below 0x20 borrows into its top bit, one of 0x7f carries into it. With no top
		 * bit set in w itself a false alarm only costs the slow loop below. */
		if (((w - ones * 0x20) | (w + ones) | w) & high)
			break;
	}
	while (i < n && ((p[i] >= 0x20 && p[i] < 0x7f) || p[i] == '\t'))
		i++;
	return i;
}

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

const char *
line_check(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	if (len == 0)
		return reason_empty;
	if (len > LINE_MAX_TEXT)
		return line_reason_long;
	for (size_t i = line_ascii(text, len); i < len; i += line_ascii(text + i, len - i)) {
		if (p[i] < 0x80)
			return reason_control;
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
		l->reason = line_check(l->text, l->len);
	return l->reason == NULL ? LINE_GOOD : LINE_BAD;
}
