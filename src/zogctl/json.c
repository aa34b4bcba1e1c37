/* SPDX-License-Identifier: MIT
 * json.c - a value as JSON. Bytes that are no UTF-8 are shown as JSON cannot otherwise have them: as the
 * characters of the same number. */
#include <inttypes.h>
#include <string.h>

#include "zogctl/show.h"

enum { DEPTH = 128 };

/* How many bytes the UTF-8 character at p has; 0: there is none. */
static size_t
utf8(const unsigned char *p, size_t n)
{
	size_t len = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Too long, a surrogate, or beyond what there is. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	/* The controls of C1 drive terminals, too. */
	return p[0] == 0xc2 && p[1] < 0xa0 ? 0 : len;
}

static void
put_text(struct buf *out, const char *at, size_t len)
{
	const unsigned char *p = (const unsigned char *)at;
	buf_puts(out, "\"");
	for (size_t i = 0; i < len;) {
		size_t n = utf8(p + i, len - i);
		if (n != 0) {
			buf_put(out, p + i, n);
			i += n;
			continue;
		}
		if (p[i] == '"' || p[i] == '\\')
			buf_printf(out, "\\%c", p[i]);
		else if (p[i] >= 0x20 && p[i] < 0x7f)
			buf_put(out, p + i, 1);
		else
			buf_printf(out, "\\u%04x", p[i]);
		i++;
	}
	buf_puts(out, "\"");
}

static void
put_plain(struct buf *out, const struct pt_value *v)
{
	char text[PT_FLOAT_TEXT];
	switch (v->type) {
	case PT_BYTES:
		put_text(out, v->bytes.at, v->bytes.len);
		return;
	case PT_INT:
		buf_printf(out, "%" PRId64, v->integer);
		return;
	case PT_FLOAT:
		buf_put(out, text, pt_float_text(text, v->real));
		return;
	case PT_BOOL:
		buf_puts(out, v->boolean ? "true" : "false");
		return;
	default:
		buf_puts(out, "null");
	}
}

/* Without recursion, as its depth is the other side's choice. */
bool
show_json(const struct pt_value *v, struct buf *out)
{
	struct {
		const struct pt_value *at;
		size_t n, i;
		bool   dict;
	} level[DEPTH];
	int depth = 0;
	for (;;) {
		if ((v->type != PT_LIST && v->type != PT_DICT) || depth == DEPTH) {
			put_plain(out, v);
		} else {
			level[depth].at = v->items.at;
			level[depth].dict = v->type == PT_DICT;
			level[depth].n = v->items.len * (level[depth].dict ? 2 : 1);
			level[depth].i = 0;
			buf_puts(out, level[depth++].dict ? "{" : "[");
		}
		while (depth > 0 && level[depth - 1].i == level[depth - 1].n)
			buf_puts(out, level[--depth].dict ? "}" : "]");
		if (depth == 0)
			return buf_puts(out, "\n");
		size_t i = level[depth - 1].i++;
		if (i != 0)
			buf_puts(out, level[depth - 1].dict && i % 2 == 1 ? ": " : ", ");
		v = &level[depth - 1].at[i];
	}
}
