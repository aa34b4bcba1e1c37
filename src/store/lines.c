/* SPDX-License-Identifier: MIT */
#include "store/lines.h"

#include <string.h>

#include "base/clock.h"

/* Decimal digits of v and a blank, at the end of number; returns where they begin. */
static size_t
render_number(char number[24], uint64_t v)
{
	size_t k = 24;
	number[--k] = ' ';
	do
		number[--k] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	return k;
}

bool
lines_render(struct buf *out, const struct frame_head *h, const char *body, const uint32_t *skip, uint32_t skips)
{
	char head[CLOCK_STAMP + 1 + FRAME_NAME + 1], number[24];
	clock_stamp(head, h->time_ms);
	size_t n = CLOCK_STAMP - 1, name = strlen(h->origin);
	head[n++] = ' ';
	memcpy(head + n, h->origin, name);
	n += name;
	head[n++] = ':';

	/* Room for all at once: what the lines gain over CR LF is the same for each but for the number. */
	char *o = buf_room(out, h->bytes + (size_t)h->count * (n + sizeof number));
	if (o == NULL)
		return false;
	char *begin = o;
	const char *p = body, *end = body + h->bytes;
	uint32_t next = 0;
	for (uint32_t i = 0; p < end && i < h->count; i++) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		size_t text = (size_t)((lf != NULL ? lf : end) - p), k;
		if (next < skips && skip[next] == i) {
			next++;
		} else {
			memcpy(o, head, n);
			o += n;
			k = render_number(number, h->seq != 0 ? h->seq + i : 0);
			memcpy(o, number + k, sizeof number - k);
			o += sizeof number - k;
			if (text != 0 && p[text - 1] == '\r')
				text--;
			memcpy(o, p, text);
			o += text;
			*o++ = '\n';
		}
		if (lf == NULL)
			break;
		p = lf + 1;
	}
	buf_added(out, (size_t)(o - begin));
	return true;
}
