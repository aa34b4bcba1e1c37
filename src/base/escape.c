/* SPDX-License-Identifier: MIT */
#include "base/escape.h"

bool
escape(struct buf *b, const char *p, size_t n, size_t max)
{
	static const char hex[] = "0123456789abcdef";
	size_t shown = n < max ? n : max;
	char *out = buf_room(b, shown * 4 + 3);
	if (out == NULL)
		return false;
	size_t k = 0;
	for (size_t i = 0; i < shown; i++) {
		unsigned char c = (unsigned char)p[i];
		if (c == '\\') {
			out[k++] = '\\';
			out[k++] = '\\';
		} else if (c >= 0x20 && c < 0x7f) {
			out[k++] = (char)c;
		} else {
			out[k++] = '\\';
			out[k++] = 'x';
			out[k++] = hex[c >> 4];
			out[k++] = hex[c & 15];
		}
	}
	if (shown < n)
		for (int i = 0; i < 3; i++)
			out[k++] = '.';
	buf_added(b, k);
	return true;
}

bool
escape_none(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f)
			return false;
	return true;
}
