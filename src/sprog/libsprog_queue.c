/* SPDX-License-Identifier: MIT
 * libsprog_queue.c - messages in order: their lines as one run of bytes, ready for the wire, and
 * beside it what is known of each. Memory is asked for only while a queue grows. */
#include "sprog/libsprog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool
grow(struct sprog_queue *q)
{
	size_t size = q->size != 0 ? q->size * 2 : 16;
	struct sprog_flight *ring = malloc(size * sizeof *ring);
	if (ring == NULL)
		return false;
	for (size_t i = 0; i < q->count; i++)
		ring[i] = *sprog_queue_at(q, i);
	free(q->ring);
	q->ring = ring;
	q->size = size;
	q->head = 0;
	return true;
}

/* Puts a number in decimal to where there is room for SPROG_DIGITS; returns how many it has. */
static size_t
render(struct sprog_queue *q, uint64_t number, char *to)
{
	uint64_t rest = number - q->hundred;
	if (q->hundred == 0 || rest >= 100) {
		char *p = q->digits + SPROG_DIGITS;
		rest = number % 100;
		q->hundred = number - rest;
		for (uint64_t n = number; n != 0; n /= 10)
			*--p = (char)('0' + n % 10);
		q->first = (unsigned)(p - q->digits);
	}
	/* The last two not there: what was just written in bytes is slow to read in words. */
	size_t len = SPROG_DIGITS - q->first;
	memcpy(to, q->digits + q->first, SPROG_DIGITS);
	if (q->hundred != 0) {
		to[len - 2] = (char)('0' + rest / 10);
		to[len - 1] = (char)('0' + rest % 10);
	}
	return len;
}

static inline char *
room(struct buf *b, size_t n)
{
	if (b->data != NULL && n <= b->size - b->start - b->len)
		return b->data + b->start + b->len;
	return buf_room(b, n);
}

/* In steps of one size, whatever the length: where it may. There is room for SPROG_COPY more. */
static inline void
copy(char *to, const char *from, size_t len, size_t readable)
{
	size_t i = 0;
	for (; i < len && readable - i >= SPROG_COPY; i += SPROG_COPY)
		memcpy(to + i, from + i, SPROG_COPY);
	if (i < len)
		memcpy(to + i, from + i, len - i);
}

struct sprog_flight *
sprog_queue_add(struct sprog_queue *q, uint64_t number, const char *text, size_t len,
    size_t readable)
{
	if (q->count == q->size && !grow(q))
		return NULL;
	size_t head = 0;
	char *line = room(&q->bytes, 2 * SPROG_DIGITS + len + SPROG_COPY);
	if (line == NULL)
		return NULL;
	if (q->numbered) {
		head = render(q, number, line);
		line[head++] = ' ';
	}
	copy(line + head, text, len, readable);
	memcpy(line + head + len, "\r\n", 2);
	size_t size = head + len + 2;
	q->bytes.len += size;

	if (q->count == 0)
		q->soonest_ns = INT64_MAX;
	struct sprog_flight *f = sprog_queue_at(q, q->count++);
	f->number = number;
	f->end = q->eaten + (uint32_t)q->bytes.len;
	f->size = (uint16_t)size;
	f->head = (uint8_t)head;
	f->told = f->answered = f->kept = f->doubt = f->unconfirmed = false;
	return f;
}

bool
sprog_queue_put(struct sprog_queue *q, const struct sprog_flight *f, const char *text, size_t len)
{
	struct sprog_flight *new = sprog_queue_add(q, f->number, text, len, len);
	if (new == NULL)
		return false;
	uint32_t end = new->end;
	uint16_t size = new->size;
	uint8_t head = new->head;
	*new = *f;
	new->end = end;
	new->size = size;
	new->head = head;
	sprog_queue_due(q, f->deadline_ns);
	return true;
}

bool
sprog_queue_move(struct sprog_queue *to, const struct sprog_queue *from, size_t i)
{
	const struct sprog_flight *f = sprog_queue_at(from, i);
	return sprog_queue_put(to, f, sprog_queue_line(from, i) + f->head, f->size - f->head - 2u);
}

bool
sprog_queue_reserve(struct sprog_queue *q, size_t count, size_t bytes)
{
	while (q->size - q->count < count)
		if (!grow(q))
			return false;
	return buf_room(&q->bytes, bytes + 2 * SPROG_DIGITS + SPROG_COPY) != NULL;
}

bool
sprog_before(const struct sprog_flight *a, const struct sprog_flight *b)
{
	if (a->kept != b->kept)
		return a->kept;
	return a->kept ? a->number < b->number : a->id < b->id;
}

/* To where room was reserved. */
static void
move_reserved(struct sprog_queue *to, const struct sprog_queue *from, size_t i)
{
	bool moved = sprog_queue_at(from, i)->told || sprog_queue_move(to, from, i);
	assert(moved);
}

bool
sprog_queue_merge(struct sprog_queue *to, const struct sprog_queue *from, size_t first)
{
	size_t count = from->count - first, i = 0;
	size_t bytes = from->bytes.len - sprog_queue_offset(from, first);
	if (count == 0)
		return true;
	/* The usual case: all of it comes after. */
	if (to->count == 0 ||
	    sprog_before(sprog_queue_at(to, to->count - 1), sprog_queue_at(from, first))) {
		if (!sprog_queue_reserve(to, count, bytes))
			return false;
		while (first < from->count)
			move_reserved(to, from, first++);
		return true;
	}
	struct sprog_queue both = { .size = 0 };
	if (!sprog_queue_reserve(&both, to->count + count, to->bytes.len + bytes)) {
		sprog_queue_fini(&both);
		return false;
	}
	while (i < to->count || first < from->count)
		if (first == from->count || (i < to->count &&
		    sprog_before(sprog_queue_at(to, i), sprog_queue_at(from, first))))
			move_reserved(&both, to, i++);
		else
			move_reserved(&both, from, first++);
	sprog_queue_fini(to);
	*to = both;
	return true;
}

void
sprog_queue_cut(struct sprog_queue *q, size_t count)
{
	assert(count <= q->count);
	q->bytes.len = sprog_queue_offset(q, count);
	q->count = count;
}

void
sprog_queue_fini(struct sprog_queue *q)
{
	buf_fini(&q->bytes);
	free(q->ring);
	*q = (struct sprog_queue){ .numbered = q->numbered };
}
