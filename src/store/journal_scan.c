/* SPDX-License-Identifier: MIT
 * journal_scan.c - the records of one segment, one after the other, by big reads; no memory is asked for.
 *
 * Behind a damaged record the scan goes on where the next good one begins. Where that is must not be guessed from the
 * bytes alone: a client may send lines of text that look like a frame, CRC and all, so that inside a damaged record there may
 * stand good ones that nobody ever made. So its header is asked first: the record is BYTES long, or it is COUNT lines,
 * and one damaged byte hardly belies both. Only where both fail are the lines behind it searched, and behind a header
 * that can be read not those that it covers: better to miss a record, which a peer has, than to invent one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/journal_private.h"

enum {
	PAGE = 4096,
	UNREADABLE_MAX = 256,           /* pages; then the rest of the segment is given up */
};

static ssize_t (*read_file)(int fd, void *, size_t, off_t) = pread;

void
journal_set_pread(ssize_t (*f)(int fd, void *, size_t, off_t))
{
	read_file = f != NULL ? f : pread;
}

void
scan_begin(struct scan *s, int fd, uint64_t at, uint64_t limit)
{
	s->fd = fd;
	s->base = s->at = at;
	s->len = 0;
	s->limit = limit;
	s->unreadable = 0;
}

/* A page that the disk does not give must not take the others with it: it counts as NULs, which no record survives. */
static size_t
skip_page(struct scan *s, uint64_t at, size_t most)
{
	size_t n = PAGE - (size_t)(at % PAGE);
	if (n > most)
		n = most;
	memset(s->buf + s->len, 0, n);
	if (++s->unreadable >= UNREADABLE_MAX)
		s->limit = at + n;
	return n;
}

static void
fill(struct scan *s)
{
	while (s->len < SCAN_ROOM && s->base + s->len < s->limit) {
		uint64_t at = s->base + s->len;
		size_t most = SCAN_ROOM - s->len;
		if (most > s->limit - at)
			most = (size_t)(s->limit - at);
		ssize_t n = read_file(s->fd, s->buf + s->len, most, (off_t)at);
		if (n > 0)
			s->len += (size_t)n;
		else if (n == 0)
			s->limit = at;          /* shorter than it was: someone cut it */
		else if (errno != EINTR)
			s->len += skip_page(s, at, most);
	}
}

char *
scan_bytes(struct scan *s, uint64_t at, size_t *n)
{
	if (at >= s->base && at + *n <= s->base + s->len)
		return s->buf + (at - s->base);
	if (at >= s->base && at < s->base + s->len) {
		size_t skip = (size_t)(at - s->base);
		/* All that there is may be here already. */
		if (s->base + s->len < s->limit) {
			memmove(s->buf, s->buf + skip, s->len - skip);
			s->len -= skip;
			s->base = at;
		}
	} else {
		s->base = at;
		s->len = 0;
	}
	fill(s);
	uint64_t end = s->base + s->len < s->limit ? s->base + s->len : s->limit;
	if (at >= end)
		*n = 0;
	else if (*n > end - at)
		*n = (size_t)(end - at);
	return s->buf + (at - s->base);
}

/* ---- behind a damaged record ---- */

static bool
header_at(struct scan *s, uint64_t at)
{
	struct frame_head h;
	size_t n = FRAME_HEAD_MAX, head_size;
	const char *why, *p = scan_bytes(s, at, &n);
	return n != 0 && frame_read_head(p, n, &h, &head_size, NULL, &why) == FRAME_GOOD;
}

/* As strict as frame_read: what is taken for good here can be read again later. */
static const char *
why_bad(const struct frame_head *h, const char *record, size_t head_size)
{
	if (!frame_check_crc(h, record, head_size))
		return "frame CRC";
	return frame_check_lines(h, record + head_size) ? NULL : "frame lines";
}

static bool
record_at(struct scan *s, uint64_t at)
{
	struct frame_head h;
	size_t n = SCAN_RECORD_MAX, head_size;
	const char *why, *p = scan_bytes(s, at, &n);
	return n > 2 && p[0] == '0' && p[1] == ' ' &&
	    frame_read_head(p, n, &h, &head_size, NULL, &why) == FRAME_GOOD && n - head_size >= h.bytes &&
	    why_bad(&h, p, head_size) == NULL;
}

/* What can still be read of a header line. Its words are counted from both ends, for a blank may have been lost or gained. */
struct remains {
	uint32_t numbers[13];           /* the words; 0: no number, or none that counts bytes */
	unsigned blanks;                /* in the line */
	size_t   by_lf, by_blanks;      /* its length: to its LF; as what stands behind ten blanks; 0: not to be seen */
};

enum { HEADER_BLANKS = 10, COUNT_WORD = 5, BYTES_WORD = 6, CRC_AND_END = 8 + 2 };

static void
read_remains(const char *p, size_t n, struct remains *r)
{
	unsigned word = 0;
	size_t begin = 0;
	memset(r, 0, sizeof *r);
	for (size_t i = 0; i < n && i < FRAME_HEAD_MAX && word < 12; i++) {
		if (p[i] == '\n' && r->by_lf == 0) {
			r->by_lf = i + 1;
			r->blanks = word;
		}
		if (p[i] != ' ')
			continue;
		uint32_t v = p[begin] == '0' ? FRAME_BODY_MAX + 1 : 0;
		for (size_t k = begin; k < i && v <= FRAME_BODY_MAX; k++)
			v = p[k] >= '0' && p[k] <= '9' ? v * 10 + (uint32_t)(p[k] - '0') : FRAME_BODY_MAX + 1;
		r->numbers[word++] = v <= FRAME_BODY_MAX ? v : 0;
		begin = i + 1;
		if (word == HEADER_BLANKS)
			r->by_blanks = i + 1 + CRC_AND_END;
	}
}

/* May a record end there? */
static bool
may_end(struct scan *s, uint64_t end)
{
	return end == s->limit || (end < s->limit && header_at(s, end));
}

/* Behind that many lines; 0: there are not so many. */
static uint64_t
behind_lines(struct scan *s, uint64_t at, size_t head_size, uint32_t count)
{
	size_t n = SCAN_RECORD_MAX;
	const char *p = scan_bytes(s, at, &n), *q = p + head_size;
	if (head_size > n)
		return 0;
	for (; count > 0; count--) {
		q = memchr(q, '\n', (size_t)(p + n - q));
		if (q == NULL)
			return 0;
		q++;
	}
	return at + (uint64_t)(q - p);
}

/* The end by one way of reading the header: where BYTES and COUNT agree. Either of them counts alone only in a sound
 * header, BYTES first, or if the other is illegible and the header is otherwise in shape. */
static uint64_t
end_by(struct scan *s, uint64_t at, size_t head_size, uint32_t bytes, uint32_t count, bool sound, bool in_shape)
{
	if (head_size == 0)
		return 0;
	uint64_t by_bytes = bytes != 0 ? at + head_size + bytes : 0, by_lines = 0;
	if (by_bytes != 0 && !may_end(s, by_bytes))
		by_bytes = 0;
	if (count != 0 && (by_lines = behind_lines(s, at, head_size, count)) != 0 && !may_end(s, by_lines))
		by_lines = 0;
	/* More lines than bytes can hold: one of them is wrong, and that is what made the header bad. */
	if (sound || (in_shape && bytes / 3 < count && bytes != 0))
		return by_bytes != 0 ? by_bytes : by_lines;
	if (by_bytes == by_lines || (in_shape && count == 0))
		return by_bytes;
	return in_shape && bytes == 0 ? by_lines : 0;
}

/* Where the record at `at` ends by what is left of its header; 0: it does not say. sound: the header could be read. */
static uint64_t
extent(struct scan *s, uint64_t at, bool sound)
{
	struct remains r;
	size_t n = FRAME_HEAD_MAX;
	const char *p = scan_bytes(s, at, &n);
	read_remains(p, n, &r);
	uint32_t bytes = r.numbers[BYTES_WORD], count = r.numbers[COUNT_WORD];
	uint64_t end = end_by(s, at, r.by_lf, bytes, count, sound, r.blanks == HEADER_BLANKS);
	/* Its LF may be lost: what was found then is another line's. */
	if (end == 0 && (r.by_lf == 0 || r.by_lf > r.by_blanks))
		end = end_by(s, at, r.by_blanks, bytes, count, false, false);
	if (end == 0 && (r.blanks == HEADER_BLANKS - 1 || r.blanks == HEADER_BLANKS + 1)) {
		int by = (int)r.blanks - HEADER_BLANKS;         /* 1 or -1: so far the words have moved */
		end = end_by(s, at, r.by_lf, r.numbers[BYTES_WORD + by], r.numbers[COUNT_WORD + by], false, false);
	}
	return end;
}

/* The first good record that begins a line behind `at`; the limit, if there is none. */
static uint64_t
search(struct scan *s, uint64_t at)
{
	for (;;) {
		size_t n = SCAN_RECORD_MAX;
		const char *p = scan_bytes(s, at, &n);
		if (n == 0)
			return s->limit;
		const char *lf = memchr(p, '\n', n);
		at += lf != NULL ? (uint64_t)(lf - p) + 1 : n;
		if (lf != NULL && record_at(s, at))
			return at;
	}
}

static enum scan_is
damaged(struct scan *s, struct scan_record *r, enum frame_is is, const char *why)
{
	uint64_t next = extent(s, s->at, is == FRAME_GOOD);
	r->why = why;
	r->at = s->at;
	r->torn = false;
	if (next == 0) {
		size_t n = 2;
		const char *p = scan_bytes(s, s->at, &n);
		r->torn = (is == FRAME_MORE && p[0] == '0' && (n < 2 || p[1] == ' ')) ||
		    (is == FRAME_GOOD && s->at + r->size > s->limit);
		next = search(s, is == FRAME_GOOD ? s->at + r->size : s->at);
	}
	r->size = next - s->at;
	s->at = next;
	return SCAN_DAMAGED;
}

enum scan_is
scan_next(struct scan *s, struct scan_record *r)
{
	size_t n = FRAME_HEAD_MAX;
	char *p = scan_bytes(s, s->at, &n);
	const char *why;
	if (n == 0)
		return SCAN_END;
	enum frame_is is = frame_read_head(p, n, &r->head, &r->head_size, &r->wrap, &why);
	if (is != FRAME_GOOD)
		return damaged(s, r, is, is == FRAME_MORE ? "cut off" : why);
	n = r->head_size + r->head.bytes;
	r->size = n;
	p = scan_bytes(s, s->at, &n);
	if (n < r->size)
		return damaged(s, r, is, "cut off");
	if ((why = why_bad(&r->head, p, r->head_size)) != NULL)
		return damaged(s, r, is, why);
	p[0] = '0';
	r->record = p;
	r->at = s->at;
	s->at += r->size;
	return SCAN_GOOD;
}
