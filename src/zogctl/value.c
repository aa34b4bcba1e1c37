/* SPDX-License-Identifier: MIT */
#include "zogctl/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"

int64_t
value_int(const struct pt_value *dict, const char *key, int64_t otherwise)
{
	const struct pt_value *v = pt_get(dict, key);
	return v != NULL && v->type == PT_INT ? v->integer : otherwise;
}

bool
value_bool(const struct pt_value *dict, const char *key)
{
	const struct pt_value *v = pt_get(dict, key);
	return v != NULL && v->type == PT_BOOL && v->boolean;
}

size_t
value_len(const struct pt_value *list)
{
	return list != NULL && list->type == PT_LIST ? list->items.len : 0;
}

const struct pt_value *
value_item(const struct pt_value *list, size_t i)
{
	return &list->items.at[i];
}

const char *
value_text(const struct pt_value *dict, const char *key, char text[VALUE_TEXT])
{
	const struct pt_value *v = pt_get(dict, key);
	struct buf b = BUF_INIT;
	text[0] = '\0';
	if (v == NULL || v->type != PT_BYTES)
		return text;
	/* A byte is four characters at most. */
	if (escape(&b, v->bytes.at, v->bytes.len, VALUE_TEXT / 4 - 2) && b.len < VALUE_TEXT) {
		memcpy(text, buf_begin(&b), b.len);
		text[b.len] = '\0';
	}
	buf_fini(&b);
	return text;
}

bool
value_is(const struct pt_value *dict, const char *key, const char *text)
{
	return pt_is_text(pt_get(dict, key), text);
}

const char *
words_count(int64_t n, char text[VALUE_WORDS])
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof digits, "%" PRId64, n), at = 0;
	for (size_t i = 0; i < len; i++) {
		if (i != 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
	return text;
}

const char *
words_bytes(int64_t n, char text[VALUE_WORDS])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)n;
	int unit = -1;
	while (v >= 1000 && unit < 5) {
		v /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(text, VALUE_WORDS, "%" PRId64 " B", n);
	else
		snprintf(text, VALUE_WORDS, v < 9.95 ? "%.1f %s" : "%.0f %s", v, units[unit]);
	return text;
}

const char *
words_time(int64_t ms, char text[VALUE_WORDS])
{
	int64_t s = ms / 1000, minutes = s / 60, hours = minutes / 60, days = hours / 24;
	if (minutes == 0)
		snprintf(text, VALUE_WORDS, "%" PRId64 " s", s);
	else if (hours == 0)
		snprintf(text, VALUE_WORDS, "%" PRId64 " min %" PRId64 " s", minutes, s % 60);
	else if (days == 0)
		snprintf(text, VALUE_WORDS, "%" PRId64 " h %" PRId64 " min", hours, minutes % 60);
	else
		snprintf(text, VALUE_WORDS, "%" PRId64 " d %" PRId64 " h", days, hours % 24);
	return text;
}

const char *
words_short(int64_t us, char text[VALUE_WORDS])
{
	if (us < 10 * 1000)
		snprintf(text, VALUE_WORDS, "%.2f ms", (double)us / 1000);
	else if (us < 10 * 1000 * 1000)
		snprintf(text, VALUE_WORDS, "%" PRId64 " ms", us / 1000);
	else
		words_time(us / 1000, text);
	return text;
}
