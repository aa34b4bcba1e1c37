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

bool
sprog_queue_put(struct sprog_queue *q, const struct sprog_flight *f, const char *text, size_t len)
{
	if (q->count == q->size && !grow(q))
		return false;
	char *line = buf_room(&q->bytes, len + 2);
	if (line == NULL)
		return false;
	memcpy(line, text, len);
	memcpy(line + len, "\r\n", 2);
	buf_added(&q->bytes, len + 2);

	if (q->count == 0 || f->deadline_ns < q->soonest_ns)
		q->soonest_ns = f->deadline_ns;
	struct sprog_flight *new = sprog_queue_at(q, q->count++);
	*new = *f;
	new->size = (uint32_t)(len + 2);
	return true;
}

bool
sprog_queue_move(struct sprog_queue *to, struct sprog_queue *from, size_t i, size_t offset)
{
	const struct sprog_flight *f = sprog_queue_at(from, i);
	return sprog_queue_put(to, f, buf_begin(&from->bytes) + offset, f->size - 2);
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
	*q = (struct sprog_queue){ .size = 0 };
}
