/* SPDX-License-Identifier: MIT
 * check.c - is all well? In one line that says what is not. */
#include <string.h>

#include "zogctl/show.h"

void
show_trouble(const struct pt_value *m, struct buf *out)
{
	char text[VALUE_TEXT], words[VALUE_WORDS];
	if (value_bool(m, "self") || (value_bool(m, "up") && !value_bool(m, "other_ring") && !value_bool(m,
	    "silent")))
		return;
	buf_printf(out, "%s", value_text(m, "name", text));
	if (value_bool(m, "up") && value_bool(m, "silent")) {
		buf_printf(out, " (silent, behind by %s)", words_count(value_int(m, "behind", 0), words));
		return;
	}
	buf_printf(out, " (%s", value_bool(m, "up") ? "another ring file" : value_text(m, "state", text));
	buf_printf(out, " for %s", words_time(value_int(m, "since_ms", 0), words));
	if (!value_bool(m, "up") && *value_text(m, "error", text) != '\0' && strcmp(text, "does not answer") != 0)
		buf_printf(out, ": %s", text);
	buf_puts(out, ")");
}

/* What is said so far is only a beginning. */
static void
and_also(struct buf *line, size_t began)
{
	if (line->len > began)
		buf_puts(line, "; ");
}

static enum show_health
check_members(const struct pt_value *status, struct buf *line, size_t began)
{
	const struct pt_value *members = pt_get(status, "members");
	size_t size = value_len(members), in_trouble = 0;
	struct buf who = BUF_INIT;
	for (size_t i = 0; i < size; i++) {
		size_t before = who.len;
		if (before != 0)
			buf_puts(&who, ", ");
		size_t start = who.len;
		show_trouble(value_item(members, i), &who);
		if (who.len == start)
			who.len = before;
		else
			in_trouble++;
	}
	if (in_trouble != 0) {
		and_also(line, began);
		buf_printf(line, "%zu of %zu peers missing: ", in_trouble, size > 0 ? size - 1 : 0);
		buf_put(line, buf_begin(&who), who.len);
	}
	buf_fini(&who);
	return in_trouble != 0 ? SHOW_DEGRADED : SHOW_WELL;
}

static enum show_health
check_disks(const struct pt_value *status, struct buf *line, size_t began)
{
	const struct pt_value *disks = pt_get(status, "disks"), *log = pt_get(status, "access_log");
	char text[VALUE_TEXT], words[VALUE_WORDS];
	enum show_health health = SHOW_WELL;
	for (size_t i = 0; i < value_len(disks); i++) {
		const struct pt_value *d = value_item(disks, i);
		int64_t left = value_int(d, "free", 0);
		if (left >= SHOW_DISK_LEAST)
			continue;
		and_also(line, began);
		buf_printf(line, "%s has %s left", value_text(d, "what", text), words_bytes(left, words));
		health = SHOW_DEGRADED;
	}
	if (*value_text(log, "error", text) != '\0') {
		and_also(line, began);
		buf_printf(line, "access.log cannot be written: %s", text);
		health = SHOW_DEGRADED;
	}
	return health;
}

static enum show_health
check_streams(const struct pt_value *status, struct buf *line, size_t began)
{
	char words[VALUE_WORDS];
	int64_t missing = value_int(status, "missing", 0);
	if (missing == 0)
		return SHOW_WELL;
	and_also(line, began);
	buf_printf(line, "%s messages missing here", words_count(missing, words));
	return SHOW_DEGRADED;
}

enum show_health
show_check(const struct pt_value *status, struct buf *line)
{
	static const char *const words[] = { "well: ", "degraded: ", "not serving: " };
	struct buf said = BUF_INIT;
	char text[VALUE_TEXT], count[VALUE_WORDS];
	enum show_health health = SHOW_NOT_SERVING;
	if (!value_bool(status, "serving")) {
		buf_puts(&said, value_text(status, "state", text));
	} else {
		enum show_health members = check_members(status, &said, 0), disks = check_disks(status, &said, 0),
		    streams = check_streams(status, &said, 0);
		health = members != SHOW_WELL || disks != SHOW_WELL ||
		    streams != SHOW_WELL ? SHOW_DEGRADED : SHOW_WELL;
	}
	buf_printf(line, "%s%s: ", words[health], value_text(status, "member", text));
	if (said.len != 0)
		buf_put(line, buf_begin(&said), said.len);
	else
		buf_printf(line, "all %zu members up, nothing missing, %s clients", value_len(pt_get(status,
		    "members")),
		    words_count(value_int(pt_get(status, "clients"), "connected", 0), count));
	buf_fini(&said);
	return health;
}
