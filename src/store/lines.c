/* SPDX-License-Identifier: MIT */
#include "store/lines.h"

#include <string.h>

#include "base/clock.h"
#include "base/wide.h"

enum {
	MOVED = 64,             /* bytes that are moved where it may be more than is meant */
	NUMBER_MAX = 20 + 1,    /* digits of UINT64_MAX, and the blank */
};
_Static_assert(CLOCK_STAMP - 1 + 1 + FRAME_NAME + 1 + NUMBER_MAX <= MOVED, "a head is moved at once");

/* ---- what stands before each text ---- */

/* "STAMP NAME:NUMBER ", in which the last digit of the number may be another: each line sets it where it is written, so
 * that the text changes for one in ten only. To read 16 bytes of which one was just written takes its time. */
struct head {
	char   text[MOVED];
	size_t len, digits;     /* and where the digits begin */
};

static void
head_init(struct head *h, const struct frame_head *f)
{
	char number[NUMBER_MAX];
	size_t k = sizeof number, name = strlen(f->origin);
	uint64_t v = f->seq;
	memset(h->text, 0, sizeof h->text);
	clock_stamp(h->text, f->time_ms);
	h->len = CLOCK_STAMP - 1;
	h->text[h->len++] = ' ';
	memcpy(h->text + h->len, f->origin, name);
	h->len += name;
	h->text[h->len++] = ':';
	h->digits = h->len;
	number[--k] = ' ';
	do
		number[--k] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	memcpy(h->text + h->len, number + k, sizeof number - k);
	h->len += sizeof number - k;
}

/* The last digit was a 9 and is a 0 now. */
static void
head_carry(struct head *h)
{
	size_t i = h->len - 2;
	h->text[i] = '0';
	while (i > h->digits && h->text[i - 1] == '9')
		h->text[--i] = '0';
	if (i > h->digits) {
		h->text[i - 1]++;
	} else {
		/* One digit more: a 1, and all behind it are zeros. */
		h->text[i] = '1';
		h->text[h->len - 1] = '0';
		h->text[h->len++] = ' ';
	}
}

/* ---- lines ---- */

/* Where it stands. Kept apart from what it points to: a loop has it in registers, whatever it writes. */
struct place {
	char           *o;
	const char     *p;
	uint32_t        line;           /* from 0 */
	bool            counts;         /* the number goes up from line to line */
	char            last;           /* digit of it */
	const uint32_t *skip, *skip_end;
};

struct render {
	struct head  head;
	struct place at;
	const char  *end;       /* of the body */
	uint32_t     lines;     /* at most */
};

static inline bool
skipped(struct place *at)
{
	if (at->skip == at->skip_end || *at->skip != at->line)
		return false;
	at->skip++;
	return true;
}

/* lf: where this line ends. */
static inline void
next_line(struct place *at, struct head *head, const char *lf)
{
	at->p = lf + 1;
	at->line++;
	if (!at->counts)
		return;
	if (at->last != '9') {
		at->last++;
	} else {
		at->last = '0';
		head_carry(head);
	}
}

static void
render_plain(struct render *r)
{
	struct place at = r->at;
	while (at.p < r->end && at.line < r->lines) {
		const char *lf = memchr(at.p, '\n', (size_t)(r->end - at.p));
		if (lf == NULL)
			lf = r->end;
		if (!skipped(&at)) {
			size_t n = r->head.len, text = (size_t)(lf - at.p);
			if (text != 0 && lf[-1] == '\r')
				text--;
			memcpy(at.o, r->head.text, n);
			at.o[n - 2] = at.last;
			memcpy(at.o + n, at.p, text);
			at.o += n + text;
			*at.o++ = '\n';
		}
		if (lf == r->end)
			break;
		next_line(&at, &r->head, lf);
	}
	r->at = at;
}

#ifdef __SSE2__

enum { STRETCH = 1024 };        /* bytes of body whose line ends are looked for at a time */

static inline uint64_t
find_lfs(const char *p)
{
	const __m128i lf = _mm_set1_epi8('\n');
	return wide_bits_of_four(_mm_cmpeq_epi8(wide_load(p), lf), _mm_cmpeq_epi8(wide_load(p + 16), lf),
	    _mm_cmpeq_epi8(wide_load(p + 32), lf), _mm_cmpeq_epi8(wide_load(p + 48), lf));
}

/* Where the LFs are in so many times 64 bytes; returns how many. Up to two in 64 bytes, as most have, without a branch:
 * what is written for one that is not there, the next one writes over. */
static unsigned
find_ends(const char *p, size_t bytes, uint16_t *ends)
{
	unsigned n = 0;
	for (size_t i = 0; i < bytes; i += 64) {
		uint64_t lfs = find_lfs(p + i);
		for (int k = 0; k < 2; k++, lfs &= lfs - 1) {
			ends[n] = (uint16_t)(i + (unsigned)__builtin_ctzll(lfs | UINT64_C(1) << 63));
			n += lfs != 0;
		}
		for (; lfs != 0; lfs &= lfs - 1)
			ends[n++] = (uint16_t)(i + (unsigned)__builtin_ctzll(lfs));
	}
	return n;
}

static inline void
move_32(char *o, const char *p)
{
	wide_store(o, wide_load(p));
	wide_store(o + 16, wide_load(p + 16));
}

/* Up to MOVED bytes more are read and written than it has; the next line writes over them. */
static inline void
move_line(struct place *at, const struct head *head, const char *lf)
{
	size_t n = head->len, text = (size_t)(lf - at->p), k = 0;
	char *o = at->o + n;
	move_32(at->o, head->text);
	if (n > 32)
		move_32(at->o + 32, head->text + 32);
	o[-2] = at->last;
	do {
		move_32(o + k, at->p + k);
		move_32(o + k + 32, at->p + k + 32);
		k += MOVED;
	} while (k < text);
	o += text - (text != 0 && lf[-1] == '\r' ? 1 : 0);
	*o = '\n';
	at->o = o + 1;
}

/* The lines whose LF has MOVED bytes before the end of the body. Many ends are found before the first of these lines is
 * moved: to wait for the end of one in order to find that of the next takes longer than all the rest. */
static void
render_wide(struct render *r)
{
	uint16_t ends[STRETCH + 2];
	struct place at = r->at;
	const char *found = at.p;
	while (r->end - found >= 64) {
		const char *begin = found;
		size_t left = (size_t)(r->end - begin), bytes = left < STRETCH ? left & ~(size_t)63 : STRETCH;
		unsigned n = find_ends(begin, bytes, ends);
		for (unsigned k = 0; k < n; k++) {
			const char *lf = begin + ends[k];
			if (at.line == r->lines || r->end - lf < MOVED)
				goto end;
			if (!skipped(&at))
				move_line(&at, &r->head, lf);
			next_line(&at, &r->head, lf);
		}
		found += bytes;
	}
end:
	r->at = at;
}

#endif

static bool
render(struct buf *out, const struct frame_head *h, const char *body, const uint32_t *skip, uint32_t skips, bool wide)
{
	struct render r = { .end = body + h->bytes, .lines = h->count };
	head_init(&r.head, h);
	/* Room for all at once: what the lines gain over CR LF is the same for each but for the number. And MOVED
	 * for what move_line writes behind a line. */
	size_t gain = r.head.digits + NUMBER_MAX + 1;
	char *begin = buf_room(out, h->bytes + h->count * gain + MOVED);
	if (begin == NULL)
		return false;
	r.at = (struct place){ .o = begin, .p = body, .counts = h->seq != 0, .last = r.head.text[r.head.len - 2], .skip = skip,
		.skip_end = skips != 0 ? skip + skips : skip };
#ifdef __SSE2__
	/* In long lines memchr and memcpy have the advantage: they may choose among still wider registers. */
	if (wide && h->bytes / 192 < h->count)
		render_wide(&r);
#else
	(void)wide;
#endif
	render_plain(&r);
	buf_added(out, (size_t)(r.at.o - begin));
	return true;
}

bool
lines_render(struct buf *out, const struct frame_head *h, const char *body, const uint32_t *skip, uint32_t skips)
{
	return render(out, h, body, skip, skips, true);
}

bool
lines_render_plain(struct buf *out, const struct frame_head *h, const char *body, const uint32_t *skip, uint32_t skips)
{
	return render(out, h, body, skip, skips, false);
}
