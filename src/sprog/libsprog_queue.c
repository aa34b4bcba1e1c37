/* SPDX-License-Identifier: MIT
 * libsprog_queue.c - messages in order: their lines as one run of bytes, ready for the wire, and
 * beside it what is known of each. Memory is asked for only while a queue grows. */
#include "sprog/libsprog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct sprog_flight *
sprog_queue_at(const struct sprog_queue *q, size_t i)
{
	return &q->ring[(q->head + i) & (q->size - 1)];
}

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

/* A number in decimal; returns its first digit. */
static const char *
render(struct sprog_queue *q, uint64_t number, size_t *len)
{
	char *end = q->digits + SPROG_DIGITS;
	uint64_t step = number - q->number;
	if (q->number != 0 && step < 10 && (uint64_t)(end[-1] - '0') + step < 10) {
		end[-1] = (char)(end[-1] + (int)step);
	} else {
		char *p = end;
		for (uint64_t n = number; n != 0; n /= 10)
			*--p = (char)('0' + n % 10);
		q->first = (unsigned)(p - q->digits);
	}
	q->number = number;
	*len = SPROG_DIGITS - q->first;
	return q->digits + q->first;
}

bool
sprog_queue_put(struct sprog_queue *q, const struct sprog_flight *f, const char *text, size_t len)
{
	if (q->count == q->size && !grow(q))
		return false;
	size_t head = 0;
	char *line = buf_room(&q->bytes, len + 2 + (q->numbered ? SPROG_DIGITS + 1 : 0));
	if (line == NULL)
		return false;
	if (q->numbered) {
		const char *number = render(q, f->number, &head);
		memcpy(line, number, SPROG_DIGITS);
		line[head++] = ' ';
	}
	memcpy(line + head, text, len);
	memcpy(line + head + len, "\r\n", 2);
	buf_added(&q->bytes, head + len + 2);

	if (q->count == 0 || f->deadline_ns < q->soonest_ns)
		q->soonest_ns = f->deadline_ns;
	struct sprog_flight *new = sprog_queue_at(q, q->count++);
	*new = *f;
	new->size = (uint32_t)(head + len + 2);
	new->head = (uint8_t)head;
	return true;
}

bool
sprog_queue_move(struct sprog_queue *to, const struct sprog_queue *from, size_t i, size_t offset)
{
	const struct sprog_flight *f = sprog_queue_at(from, i);
	return sprog_queue_put(to, f, buf_begin(&from->bytes) + offset + f->head,
	    f->size - f->head - 2);
}

bool
sprog_queue_reserve(struct sprog_queue *q, size_t count, size_t bytes)
{
	while (q->size - q->count < count)
		if (!grow(q))
			return false;
	return buf_room(&q->bytes, bytes) != NULL;
}

bool
sprog_before(const struct sprog_flight *a, const struct sprog_flight *b)
{
	if (a->kept != b->kept)
		return a->kept;
	return a->kept ? a->number < b->number : a->id < b->id;
}

/* Of what was reserved for. */
static void
move_reserved(struct sprog_queue *to, const struct sprog_queue *from, size_t i, size_t *offset)
{
	const struct sprog_flight *f = sprog_queue_at(from, i);
	bool moved = f->told || sprog_queue_move(to, from, i, *offset);
	assert(moved);
	*offset += f->size;
}

bool
sprog_queue_merge(struct sprog_queue *to, const struct sprog_queue *from, size_t first,
    size_t offset)
{
	size_t count = from->count - first, bytes = from->bytes.len - offset, i = 0, at = 0;
	if (count == 0)
		return true;
	/* The usual case: all of it comes after. */
	if (to->count == 0 ||
	    sprog_before(sprog_queue_at(to, to->count - 1), sprog_queue_at(from, first))) {
		if (!sprog_queue_reserve(to, count, bytes))
			return false;
		while (first < from->count)
			move_reserved(to, from, first++, &offset);
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
			move_reserved(&both, to, i++, &at);
		else
			move_reserved(&both, from, first++, &offset);
	sprog_queue_fini(to);
	*to = both;
	return true;
}

void
sprog_queue_pop(struct sprog_queue *q)
{
	assert(q->count > 0);
	buf_eat(&q->bytes, q->ring[q->head].size);
	q->head = (q->head + 1) & (q->size - 1);
	q->count--;
}

void
sprog_queue_cut(struct sprog_queue *q, size_t count, size_t bytes)
{
	assert(count <= q->count && bytes <= q->bytes.len);
	q->count = count;
	q->bytes.len = bytes;
}

void
sprog_queue_fini(struct sprog_queue *q)
{
	buf_fini(&q->bytes);
	free(q->ring);
	*q = (struct sprog_queue){ .numbered = q->numbered };
}
