/* SPDX-License-Identifier: MIT
 * read.c - has a member caught up; lines that a terminal is to show; times that people type. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/escape.h"
#include "wire/line.h"
#include "zogctl/show.h"

/* ---- caught up ---- */

/* What this peer has is not known yet: it is being dialled, or its connection is so new that it has not told. */
static bool
is_new(const struct pt_value *m, int64_t tells_ms)
{
	if (value_bool(m, "self") || value_bool(m, "plain"))
		return false;
	return value_bool(m, "up") ? value_int(m, "since_ms", 0) < tells_ms : value_is(m, "state", "connecting");
}

bool
show_caught_up(const struct pt_value *status, struct buf *why)
{
	enum { DIGESTS = 4, MARGIN_MS = 200 };
	const struct pt_value *members = pt_get(status, "members");
	char text[VALUE_TEXT], words[VALUE_WORDS];
	int64_t tells_ms = DIGESTS * value_int(status, "digest_ms", 0) + MARGIN_MS, missing = value_int(status,
	    "missing", -1);
	if (!value_bool(status, "serving")) {
		buf_puts(why, value_text(status, "state", text));
		return false;
	}
	for (size_t i = 0; i < value_len(members); i++) {
		if (!is_new(value_item(members, i), tells_ms))
			continue;
		buf_printf(why, "%s has not told yet what it has", value_text(value_item(members, i), "name", text));
		return false;
	}
	if (missing != 0) {
		buf_printf(why, "%s messages missing", missing > 0 ? words_count(missing, words) : "?");
		return false;
	}
	if (value_bool(pt_get(status, "access_log"), "behind")) {
		buf_puts(why, "access.log is not up to the journal");
		return false;
	}
	return true;
}

/* ---- lines ---- */

/* TIME NAME:SEQ TEXT, of which the text is what a good message may be. */
static bool
is_good(const char *p, size_t n)
{
	const char *text = p;
	for (int blanks = 0; blanks < 2; blanks++) {
		while (text < p + n && *text > ' ' && *text <= '~')
			text++;
		if (text == p + n || *text != ' ')
			return false;
		text++;
	}
	return line_check(text, n - (size_t)(text - p)) == NULL;
}

bool
show_lines(const char *p, size_t n, struct buf *out)
{
	const char *end = p + n;
	while (p < end) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		size_t len = lf != NULL ? (size_t)(lf - p) : (size_t)(end - p);
		if (!(is_good(p, len) ? buf_put(out, p, len) : escape(out, p, len, len)) || !buf_put(out, "\n", 1))
			return false;
		p += len + 1;
	}
	return true;
}

/* ---- times ---- */

static bool
is_ago(const char *text, int64_t *ms)
{
	static const struct { char unit; int64_t ms; } units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h',
	    3600000 }, { 'd', 86400000 } };
	char *rest;
	if (*text < '0' || *text > '9')
		return false;
	long long n = strtoll(text, &rest, 10);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (rest[0] == units[i].unit && rest[1] == '\0' && n <= INT64_MAX / 2 / units[i].ms) {
			*ms = n * units[i].ms;
			return true;
		}
	return false;
}

bool
show_when(const char *text, int64_t now, int64_t *ms)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d" };
	int64_t ago;
	if (is_ago(text, &ago)) {
		*ms = now - ago;
		return true;
	}
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct tm t = { .tm_mday = 1 };
		const char *rest = strptime(text, forms[i], &t);
		if (rest == NULL || *rest != '\0')
			continue;
		*ms = (int64_t)timegm(&t) * 1000;
		return true;
	}
	return false;
}
