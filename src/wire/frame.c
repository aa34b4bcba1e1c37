/* SPDX-License-Identifier: MIT */
#include "wire/frame.h"

#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/block.h"
#include "base/crc32c.h"
#include "base/text.h"
#include "base/wide.h"

enum { BLOCK_LEAST = 32 * 1024 };       /* a frame of this size takes a block */

/* Which words a byte may stand in: a name has no '.', a kind no capitals. */
enum { IN_KIND = 1, IN_NAME = 2, IN_CLIENT = 4 };
static const unsigned char classes[256] = {
	['0' ... '9'] = IN_KIND | IN_NAME | IN_CLIENT,
	['a' ... 'z'] = IN_KIND | IN_NAME | IN_CLIENT,
	['A' ... 'Z'] = IN_NAME | IN_CLIENT,
	['-'] = IN_KIND | IN_NAME | IN_CLIENT,
	['_'] = IN_NAME | IN_CLIENT,
	['.'] = IN_CLIENT,
};

struct frame *
frame_new(const char *kind, const char *origin, size_t room)
{
	size_t size = sizeof(struct frame) + FRAME_HEAD_MAX + room;
	bool block = size >= BLOCK_LEAST && size <= BLOCK_BYTES;
	struct frame *f = block ? block_get() : malloc(size);
	if (f == NULL)
		return NULL;
	memset(f, 0, sizeof *f);
	f->block = block;
	atomic_init(&f->refs, 1);
	assert(strlen(origin) <= FRAME_NAME && strlen(kind) <= FRAME_KIND);
	strcpy(f->h.kind, kind);
	strcpy(f->h.origin, origin);
	strcpy(f->h.client, "-");
	f->body = f->store + FRAME_HEAD_MAX;
	return f;
}

void
frame_add(struct frame *f, const char *text, size_t len)
{
	char *p = f->body + f->h.bytes;
	memcpy(p, text, len);
	p[len] = '\r';
	p[len + 1] = '\n';
	f->h.bytes += (uint32_t)len + 2;
	f->h.count++;
}

/* The CRC counts from KIND to the blank before its own digits, and the body. */
static uint32_t
crc_of(const char *record, size_t head_size, const char *body, size_t bytes)
{
	size_t tail = 8 + 2;            /* the digits and CR LF */
	return crc32c(crc32c(0, record + 2, head_size - 2 - tail), body, bytes);
}

void
frame_seal(struct frame *f)
{
	char head[FRAME_HEAD_MAX];
	struct frame_head *h = &f->h;
	assert(f->record == NULL && h->count > 0 && h->bytes <= FRAME_BODY_MAX);
	int n = snprintf(head, sizeof head, "0 %s %s %llu %llu %u %u %lld %s %llu ", h->kind, h->origin,
	    (unsigned long long)h->epoch, (unsigned long long)h->seq, h->count, h->bytes, (long long)h->time_ms,
	    h->client, (unsigned long long)h->n);
	assert(n > 0 && n + 10 < FRAME_HEAD_MAX);
	f->head_size = (size_t)n + 10;
	f->record = f->body - f->head_size;
	memcpy(f->record, head, (size_t)n);
	h->crc = crc_of(f->record, f->head_size, f->body, h->bytes);
	snprintf(head, sizeof head, "%08x\r\n", h->crc);
	memcpy(f->record + n, head, 10);
}

struct frame *
frame_ref(struct frame *f)
{
	atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}

void
frame_drop(struct frame **f)
{
	struct frame *last = *f;
	*f = NULL;
	if (last == NULL || atomic_fetch_sub_explicit(&last->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (last->block)
		block_put(last);
	else
		free(last);
}

/* ---- reading ---- */

/* To read a journal of small frames at the start is, more than anything else, to do this: hence the tables, and the blocks of
 * 8 and 16 bytes. A block may reach beyond the end of the line, so there must be SIGHT bytes. Each field ends in a blank; the
 * caller has seen that the line has an end, which is in no field. */
enum { SIGHT = FRAME_HEAD_MAX };
_Static_assert(SIGHT >= 2 + FRAME_KIND + FRAME_NAME + FRAME_CLIENT + 6 * 19 + 9 + 16, "the longest header, and a block");

static inline const char *
read_word(const char *p, char *out, size_t max, unsigned char in)
{
	size_t n = 0;
	while ((classes[(unsigned char)p[n]] & in) != 0)
		n++;
	if (n == 0 || n > max || p[n] != ' ')
		return NULL;
	for (size_t i = 0; i < max; i += 16)
		memcpy(out + i, p + i, 16);
	out[n] = '\0';
	return p + n + 1;
}
_Static_assert(FRAME_KIND % 16 == 0 && FRAME_NAME % 16 == 0 && FRAME_CLIENT % 16 == 0, "words are copied in blocks");

/* The number that eight digits say; false: they are not all digits. */
static inline bool
eight_digits(const char *p, uint64_t *v)
{
	const uint64_t each = UINT64_C(0x0101010101010101);
	uint64_t w;
	memcpy(&w, p, 8);
	w = le64toh(w) ^ each * '0';
	/* A byte over 9 gets its top bit, and at worst gives one to its neighbour. */
	if ((((w + each * (0x80 - 10)) | w) & each * 0x80) != 0)
		return false;
	/* Pairs of digits, then fours, then all, each time the left one times ten, a hundred, ten thousand. */
	w = w * (10 * 0x100 + 1) >> 8;
	w = (w & UINT64_C(0x00ff00ff00ff00ff)) * (100 * 0x10000 + 1) >> 16;
	*v = (w & UINT64_C(0x0000ffff0000ffff)) * (UINT64_C(10000) * 0x100000000 + 1) >> 32;
	return true;
}

/* Decimal, no sign, no leading zero, at most most. */
static inline const char *
read_number(const char *p, uint64_t most, uint64_t *out)
{
	const char *begin = p;
	uint64_t v = 0;
	if (eight_digits(p, &v))
		p += 8;
	/* 19 digits cannot overflow. */
	for (; *p >= '0' && *p <= '9'; p++) {
		if (p - begin == 19)
			return NULL;
		v = v * 10 + (uint64_t)(*p - '0');
	}
	*out = v;
	return p == begin || *p != ' ' || (*begin == '0' && p - begin > 1) || v > most ? NULL : p + 1;
}

/* Of a digit its value, and 16. Which digits come is chance: a branch for each of them would be guessed wrong every other
 * time, and cost more than all the rest of a header. */
static const unsigned char hex[256] = {
	['0'] = 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
	['a'] = 26, 27, 28, 29, 30, 31,
};

/* Eight digits, no more and no fewer. */
static bool
read_crc(const char *p, uint32_t *out)
{
	uint32_t v = 0;
	unsigned all = 16;
	for (int i = 0; i < 8; i++) {
		unsigned digit = hex[(unsigned char)p[i]];
		all &= digit;
		v = v << 4 | (digit & 15);
	}
	*out = v;
	return all != 0;
}

static const char *
check_sense(const struct frame_head *h)
{
	if (h->count == 0 || h->bytes < h->count * UINT64_C(3))
		return "frame without lines";
	/* The last line's number counts, not the one behind it. */
	if (h->seq > FRAME_NUMBER_MAX - (h->count - 1) || h->n > FRAME_NUMBER_MAX - (h->count - 1))
		return "frame numbers out of range";
	if ((h->epoch == 0) != (h->seq == 0))
		return "frame with half a stream";
	if ((h->n == 0) != text_same(h->client, "-"))
		return "frame with half a client";
	return NULL;
}

/* The line p .. lf, of which SIGHT bytes can be read. */
static bool
read_fields(const char *p, const char *lf, struct frame_head *h)
{
	uint64_t count = 0, bytes = 0, time = 0;
	if (lf - p < 4 || lf[-1] != '\r' || p[0] < '0' || p[0] > '2' || p[1] != ' ')
		return false;
	p += 2;
	if ((p = read_word(p, h->kind, FRAME_KIND, IN_KIND)) == NULL ||
	    (p = read_word(p, h->origin, FRAME_NAME, IN_NAME)) == NULL ||
	    (p = read_number(p, FRAME_NUMBER_MAX, &h->epoch)) == NULL ||
	    (p = read_number(p, FRAME_NUMBER_MAX, &h->seq)) == NULL ||
	    (p = read_number(p, FRAME_BODY_MAX, &count)) == NULL ||
	    (p = read_number(p, FRAME_BODY_MAX, &bytes)) == NULL ||
	    (p = read_number(p, FRAME_NUMBER_MAX, &time)) == NULL ||
	    (p = read_word(p, h->client, FRAME_CLIENT, IN_CLIENT)) == NULL ||
	    (p = read_number(p, FRAME_NUMBER_MAX, &h->n)) == NULL ||
	    lf - p != 8 + 1 || !read_crc(p, &h->crc))
		return false;
	h->count = (uint32_t)count;
	h->bytes = (uint32_t)bytes;
	h->time_ms = (int64_t)time;
	return true;
}

/* Where fewer bytes than SIGHT are there. */
static bool
read_short_fields(const char *p, const char *lf, struct frame_head *h)
{
	char line[SIGHT] = "";
	size_t last = (size_t)(lf - p);
	memcpy(line, p, last + 1);
	return read_fields(line, line + last, h);
}

enum frame_is
frame_read_head(const char *p, size_t n, struct frame_head *h, size_t *head_size, char *wrap, const char **why)
{
	const char *lf = memchr(p, '\n', n < FRAME_HEAD_MAX ? n : FRAME_HEAD_MAX);
	*why = "frame header too long";
	if (lf == NULL)
		return n < FRAME_HEAD_MAX ? FRAME_MORE : FRAME_BAD;
	*why = "bad frame header";
	if (!(n >= SIGHT ? read_fields(p, lf, h) : read_short_fields(p, lf, h)))
		return FRAME_BAD;
	*head_size = (size_t)(lf - p) + 1;
	if (wrap != NULL)
		*wrap = p[0];
	*why = check_sense(h);
	return *why == NULL ? FRAME_GOOD : FRAME_BAD;
}

bool
frame_check_crc(const struct frame_head *h, const char *record, size_t head_size)
{
	return crc_of(record, head_size, record + head_size, h->bytes) == h->crc;
}

bool
frame_check_lines_plain(const struct frame_head *h, const char *body)
{
	const char *p = body, *end = body + h->bytes;
	uint32_t lines = 0;
	for (; p < end; lines++) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL || lf - p < 2 || memchr(p, '\r', (size_t)(lf - p)) != lf - 1)
			return false;
		p = lf + 1;
	}
	return lines == h->count;
}

#ifdef __SSE2__

/* What was seen of a body. */
struct seen_lines {
	__m128i  apart;         /* not 0: a CR without LF behind it, or an LF without CR before it */
	uint64_t empty;         /* not 0: so was a line */
	uint64_t lf;            /* bits 0 and 1: the last byte but one, the last byte was an LF */
	__m128i  lfs;           /* in each place of 16 bytes, how many LFs there were */
};

static inline __m128i
find_lf(struct seen_lines *s, const char *p)
{
	__m128i lf = _mm_cmpeq_epi8(wide_load(p), _mm_set1_epi8('\n'));
	__m128i cr = _mm_cmpeq_epi8(wide_load(p - 1), _mm_set1_epi8('\r'));
	s->apart = _mm_or_si128(s->apart, _mm_xor_si128(lf, cr));
	return lf;
}

/* Looks at p[-1 .. 64). Returns where the LFs are, and counts them in s. */
static inline uint64_t
find_lfs(struct seen_lines *s, const char *p)
{
	__m128i a = find_lf(s, p), b = find_lf(s, p + 16), c = find_lf(s, p + 32), d = find_lf(s, p + 48);
	s->lfs = _mm_sub_epi8(s->lfs, _mm_add_epi8(_mm_add_epi8(a, b), _mm_add_epi8(c, d)));
	return wide_bits_of_four(a, b, c, d);
}

/* Where all LFs have their CR, a line is empty whose LF is the second byte behind another. */
static inline void
find_empty(struct seen_lines *s, uint64_t lf)
{
	s->empty |= lf & (lf << 2 | s->lf);
	s->lf = lf >> 62;
}

/* Takes the LFs out of s, before a place has counted to 256. */
static inline uint32_t
take_lfs(struct seen_lines *s)
{
	__m128i two = _mm_sad_epu8(s->lfs, _mm_setzero_si128());
	s->lfs = _mm_setzero_si128();
	return (uint32_t)_mm_cvtsi128_si32(two) + (uint32_t)_mm_cvtsi128_si32(_mm_srli_si128(two, 8));
}

/* Of more than 64 bytes. */
static bool
check_lines_wide(const char *body, size_t n, uint32_t count)
{
	/* The first line begins as if it stood behind an LF. */
	struct seen_lines s = { .apart = _mm_setzero_si128(), .lf = 1, .lfs = _mm_setzero_si128() };
	uint32_t lines = 0;
	size_t i = 1;
	while (n - i >= 64) {
		for (int k = 0; k < 63 && n - i >= 64; k++, i += 64)
			find_empty(&s, find_lfs(&s, body + i));
		lines += take_lfs(&s);
	}
	if (i < n) {
		/* The last 64 bytes, some of them for the second time. */
		uint64_t lf = find_lfs(&s, body + n - 64) >> (64 - (n - i));
		find_empty(&s, lf);
		lines += (uint32_t)__builtin_popcountll(lf);
	}
	bool apart = wide_bits(_mm_cmpeq_epi8(s.apart, _mm_setzero_si128())) != 0xffff;
	return !apart && s.empty == 0 && body[0] != '\n' && body[n - 1] == '\n' && lines == count;
}

/* In long lines memchr has the advantage: it may choose among still wider registers. */
bool
frame_check_lines(const struct frame_head *h, const char *body)
{
	bool wide = h->bytes > 64 && h->bytes / 192 < h->count;
	return wide ? check_lines_wide(body, h->bytes, h->count) : frame_check_lines_plain(h, body);
}

#else

bool
frame_check_lines(const struct frame_head *h, const char *body)
{
	return frame_check_lines_plain(h, body);
}

#endif

enum frame_is
frame_read(const char *p, size_t n, struct frame **out, size_t *size, char *wrap, const char **why)
{
	struct frame_head h;
	size_t head_size;
	*size = 1;
	enum frame_is is = frame_read_head(p, n, &h, &head_size, wrap, why);
	if (is != FRAME_GOOD)
		return is;
	*size = head_size + h.bytes;
	if (n < *size)
		return FRAME_MORE;
	*why = "frame CRC";
	if (!frame_check_crc(&h, p, head_size))
		return FRAME_BAD;
	*why = "frame lines";
	if (!frame_check_lines(&h, p + head_size))
		return FRAME_BAD;
	*why = "out of memory";
	struct frame *f = frame_new(h.kind, h.origin, h.bytes);
	if (f == NULL)
		return FRAME_BAD;
	f->h = h;
	f->head_size = head_size;
	f->record = f->body - head_size;
	memcpy(f->record, p, *size);
	f->record[0] = '0';
	*out = f;
	*why = NULL;
	return FRAME_GOOD;
}

struct frame *
frame_cut(const struct frame *f, uint64_t from, uint64_t to)
{
	assert(from >= f->h.seq && to < f->h.seq + f->h.count && from <= to);
	struct frame *cut = frame_new(f->h.kind, f->h.origin, f->h.bytes);
	if (cut == NULL)
		return NULL;
	const char *p = f->body, *end = p + f->h.bytes;
	for (uint64_t seq = f->h.seq; seq <= to; seq++) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		assert(lf != NULL);
		if (seq >= from)
			frame_add(cut, p, (size_t)(lf - p) - 1);
		p = lf + 1;
	}
	cut->h.epoch = f->h.epoch;
	cut->h.seq = from;
	cut->h.time_ms = f->h.time_ms;
	strcpy(cut->h.client, f->h.client);
	cut->h.n = f->h.n != 0 ? f->h.n + (from - f->h.seq) : 0;
	frame_seal(cut);
	return cut;
}

bool
frame_client_ok(const char *token)
{
	size_t n = 0;
	while (n <= FRAME_CLIENT && (classes[(unsigned char)token[n]] & IN_CLIENT) != 0)
		n++;
	return n >= 1 && n <= FRAME_CLIENT && token[n] == '\0' && strcmp(token, "-") != 0;
}
