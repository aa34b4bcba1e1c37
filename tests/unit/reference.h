/* SPDX-License-Identifier: MIT
 * reference.h - what a good text is (doc/protocol, section 1) once more, byte by byte and slow, from table 3-7 of the
 * Unicode standard and not from src/wire: what line_check is compared with. */
#ifndef ZOG_TESTS_REFERENCE_H
#define ZOG_TESTS_REFERENCE_H

#include <stddef.h>
#include <stdint.h>

/* The well-formed sequences: how many bytes, and the range of each. */
static const struct reference_form {
	int           length;
	unsigned char least[4], most[4];
} reference_forms[] = {
	{ 1, { 0x00 }, { 0x7f } },
	{ 2, { 0xc2, 0x80 }, { 0xdf, 0xbf } },
	{ 3, { 0xe0, 0xa0, 0x80 }, { 0xe0, 0xbf, 0xbf } },
	{ 3, { 0xe1, 0x80, 0x80 }, { 0xec, 0xbf, 0xbf } },
	{ 3, { 0xed, 0x80, 0x80 }, { 0xed, 0x9f, 0xbf } },
	{ 3, { 0xee, 0x80, 0x80 }, { 0xef, 0xbf, 0xbf } },
	{ 4, { 0xf0, 0x90, 0x80, 0x80 }, { 0xf0, 0xbf, 0xbf, 0xbf } },
	{ 4, { 0xf1, 0x80, 0x80, 0x80 }, { 0xf3, 0xbf, 0xbf, 0xbf } },
	{ 4, { 0xf4, 0x80, 0x80, 0x80 }, { 0xf4, 0x8f, 0xbf, 0xbf } },
};

/* How many bytes of p the first character has; 0: it is none. */
static inline int
reference_length(const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < sizeof reference_forms / sizeof *reference_forms; i++) {
		const struct reference_form *f = &reference_forms[i];
		int k = 0;
		while (k < f->length && (size_t)k < n && p[k] >= f->least[k] && p[k] <= f->most[k])
			k++;
		if (k == f->length)
			return k;
	}
	return 0;
}

static inline uint32_t
reference_code(const unsigned char *p, int length)
{
	static const unsigned char marks[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
	uint32_t code = (uint32_t)(p[0] - marks[length]);
	for (int i = 1; i < length; i++)
		code = code * 64 + (uint32_t)(p[i] - 0x80);
	return code;
}

static inline const char *
reference_check(const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text;
	if (n == 0)
		return "empty line";
	if (n + 2 >= 512)
		return "line too long";
	for (size_t i = 0; i < n;) {
		int length = reference_length(p + i, n - i);
		if (length == 0)
			return "bad UTF-8";
		uint32_t c = reference_code(p + i, length);
		if ((c <= 0x1f && c != 0x09) || (c >= 0x7f && c <= 0x9f))
			return "control character";
		if (c == 0x2028 || c == 0x2029)
			return "line or paragraph separator";
		if (c == 0x202a || c == 0x202b || c == 0x202c || c == 0x202d || c == 0x202e || c == 0x2066 || c == 0x2067 ||
		    c == 0x2068 || c == 0x2069)
			return "bidirectional override or isolate";
		i += (size_t)length;
	}
	return NULL;
}

#endif
