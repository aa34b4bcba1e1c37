/* SPDX-License-Identifier: MIT
 * dot.c - the ring as a picture, for Graphviz: its members in their order, and the links of the one that
 * was asked. */
#include <stdio.h>
#include <string.h>

#include "zogctl/show.h"

/* A quoted name: the text, escaped before, has no control characters, and its quotes and backslashes are
 * escaped here. */
static void
put_quoted(struct buf *out, const char *text)
{
	buf_puts(out, "\"");
	for (; *text != '\0'; text++)
		buf_printf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	buf_puts(out, "\"");
}

static const char *
colour_of(const struct pt_value *m)
{
	if (value_bool(m, "up"))
		return value_bool(m, "other_ring") || value_bool(m, "silent") ? "orange" : value_bool(m,
		    "plain") ? "steelblue" : "forestgreen";
	return value_is(m, "state", "not answering") ? "orange" : value_is(m, "state",
	    "connecting") ? "gray50" : "red";
}

static void
put_link(struct buf *out, const char *self, const struct pt_value *m)
{
	char name[VALUE_TEXT], words[VALUE_WORDS], text[VALUE_TEXT];
	struct buf label = BUF_INIT;
	int64_t behind = value_int(m, "behind", -1), queued = value_int(m, "queue_messages", 0);
	buf_printf(&label, "%s for %s", value_text(m, "state", text), words_time(value_int(m, "since_ms", 0), words));
	if (behind > 0)
		buf_printf(&label, ", behind by %s", words_count(behind, words));
	if (queued > 0)
		buf_printf(&label, ", %s queued", words_count(queued, words));
	if (buf_put(&label, "", 1)) {
		buf_puts(out, "\t");
		put_quoted(out, self);
		buf_puts(out, " -> ");
		put_quoted(out, value_text(m, "name", name));
		buf_puts(out, " [label=");
		put_quoted(out, buf_begin(&label));
		buf_printf(out, ", color=%s, fontcolor=%s%s];\n", colour_of(m), colour_of(m), value_bool(m,
		    "up") ? "" : ", style=dashed");
	}
	buf_fini(&label);
}

bool
show_dot(const struct pt_value *status, struct buf *out)
{
	const struct pt_value *members = pt_get(status, "members");
	size_t size = value_len(members);
	char self[VALUE_TEXT], name[VALUE_TEXT], next[VALUE_TEXT];
	value_text(status, "member", self);
	buf_puts(out, "digraph zog {\n\tlayout=circo;\n\tnode [shape=box, style=rounded, fontname=sans];\n"
	    "\tedge [fontname=sans, fontsize=9];\n");
	for (size_t i = 0; i < size; i++) {
		const struct pt_value *m = value_item(members, i);
		buf_puts(out, "\t");
		put_quoted(out, value_text(m, "name", name));
		buf_printf(out, " [color=%s%s];\n", value_bool(m, "self") ? value_bool(status,
		    "serving") ? "forestgreen" : "red" :
		    colour_of(m), value_bool(m, "self") ? ", penwidth=3" : "");
	}
	/* The order of the ring. */
	for (size_t i = 0; size > 1 && i < size; i++) {
		buf_puts(out, "\t");
		put_quoted(out, value_text(value_item(members, i), "name", name));
		buf_puts(out, " -> ");
		put_quoted(out, value_text(value_item(members, (i + 1) % size), "name", next));
		buf_puts(out, " [style=dotted, color=gray70, arrowhead=none];\n");
	}
	for (size_t i = 0; i < size; i++)
		if (!value_bool(value_item(members, i), "self"))
			put_link(out, self, value_item(members, i));
	return buf_puts(out, "}\n");
}
