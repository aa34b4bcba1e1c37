/* SPDX-License-Identifier: MIT
 * fuzz_frame.c - bytes read as a frame: whole, cut off anywhere, and what is good of it written and cut again.
 *
 * The first byte of an input: bit 0 puts the right CRC where the header has one, so that what lies behind the CRC is reached;
 * the second one says where the bytes are cut off. */
#include "fuzz.h"

#include <stdbool.h>

#include "base/crc32c.h"
#include "wire/frame.h"

/* In a block of just that size. */
static enum frame_is
read_part(const uint8_t *p, size_t n, struct frame **f, size_t *size, char *wrap)
{
	const char *why = "";
	char *part = malloc(n != 0 ? n : 1);
	fuzz_require(part != NULL);
	memcpy(part, p, n);
	*f = NULL;
	enum frame_is is = frame_read(part, n, f, size, wrap, &why);
	fuzz_require((is == FRAME_GOOD) == (*f != NULL));
	fuzz_require((is == FRAME_BAD) <= (why != NULL));
	free(part);
	return is;
}

static void
put_crc(uint8_t *p, size_t n)
{
	struct frame_head h;
	size_t head_size;
	const char *why;
	if (frame_read_head((char *)p, n, &h, &head_size, NULL, &why) != FRAME_GOOD || n - head_size < h.bytes)
		return;
	char digits[9];
	sprintf(digits, "%08" PRIx32, crc32c(crc32c(0, p + 2, head_size - 12), p + head_size, h.bytes));
	memcpy(p + head_size - 10, digits, 8);
}

/* What was read is what would be written. */
static void
write_again(const struct frame *f, const uint8_t *p, size_t size)
{
	struct frame *again = frame_new(f->h.kind, f->h.origin, f->h.bytes);
	const char *line = f->body, *end = f->body + f->h.bytes;
	fuzz_require(again != NULL);
	while (line < end) {
		const char *lf = memchr(line, '\n', (size_t)(end - line));
		fuzz_require(lf != NULL && lf - line >= 2);
		frame_add(again, line, (size_t)(lf - line) - 1);
		line = lf + 1;
	}
	strcpy(again->h.client, f->h.client);
	again->h.epoch = f->h.epoch;
	again->h.seq = f->h.seq;
	again->h.n = f->h.n;
	again->h.time_ms = f->h.time_ms;
	frame_seal(again);
	fuzz_require(frame_size(again) == size && memcmp(again->record + 1, p + 1, size - 1) == 0);
	frame_drop(&again);
}

static void
cut(const struct frame *f, unsigned how)
{
	uint64_t from = f->h.seq + how % f->h.count, to = from + how / 16 % (f->h.seq + f->h.count - from);
	size_t size;
	struct frame *part = frame_cut(f, from, to), *back;
	fuzz_require(part != NULL && part->h.seq == from && part->h.count == to - from + 1);
	fuzz_require(read_part((const uint8_t *)part->record, frame_size(part), &back, &size, NULL) == FRAME_GOOD);
	frame_drop(&back);
	frame_drop(&part);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	size_t n = size - 2, took = 0, part_took = 0;
	uint8_t *p = malloc(n != 0 ? n : 1);
	struct frame *f, *none;
	char wrap = 0;
	fuzz_require(p != NULL);
	memcpy(p, data + 2, n);
	if ((data[0] & 1) != 0)
		put_crc(p, n);
	enum frame_is is = read_part(p, n, &f, &took, &wrap);
	if (is == FRAME_GOOD) {
		fuzz_require(took <= n && took == frame_size(f) && wrap == (char)p[0] && f->record[0] == '0');
		/* A part of it is only that. */
		fuzz_require(read_part(p, data[1] * 7919u % took, &none, &part_took, NULL) == FRAME_MORE);
		write_again(f, p, took);
		if (f->h.epoch != 0)            /* without a stream there are no numbers to cut by */
			cut(f, data[1]);
		frame_drop(&f);
	} else if (is == FRAME_MORE) {
		fuzz_require(took == 1 ? n < FRAME_HEAD_MAX : took > n && took <= FRAME_HEAD_MAX + FRAME_BODY_MAX);
	}
	free(p);
	return 0;
}
