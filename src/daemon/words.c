/* SPDX-License-Identifier: MIT */
#include "daemon/words.h"

#include <string.h>

bool
words_value(const char *line, size_t n, const char *key, char value[WORDS_VALUE])
{
	size_t key_len = strlen(key);
	for (const char *p = line, *end = line + n; p < end;) {
		const char *blank = memchr(p, ' ', (size_t)(end - p));
		size_t len = (size_t)((blank != NULL ? blank : end) - p);
		if (len > key_len && memcmp(p, key, key_len) == 0 && p[key_len] == '=') {
			len -= key_len + 1;
			value[0] = '\0';
			if (len >= WORDS_VALUE)
				return false;
			memcpy(value, p + key_len + 1, len);
			value[len] = '\0';
			return memchr(value, '\0', len) == NULL;
		}
		p += len + 1;
	}
	return false;
}
