/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
buf_fini(struct buf *b)
{
	free(b->data);
	*b = (struct buf)BUF_INIT;
}

void
buf_clear(struct buf *b)
{
	b->start = b->len = 0;
}

char *
buf_room(struct buf *b, size_t n)
{
	if (n > SIZE_MAX / 4 - b->len)
		return NULL;
	if (b->data != NULL && b->start + b->len + n <= b->size)
		return b->data + b->start + b->len;
	/* Move what is left to the front only when that frees at least as much as it moves. */
	if (b->data != NULL && b->len + n <= b->size && b->start >= b->len) {
		memmove(b->data, b->data + b->start, b->len);
		b->start = 0;
		return b->data + b->len;
	}

	size_t size = b->size != 0 ? b->size : 256;
	/* With room to spare for what is eaten, or a buffer kept nearly full would be copied at every turn. */
	while (size < b->len + n + b->len / 2)
		size *= 2;
	char *data = malloc(size);
	if (data == NULL)
		return NULL;
	if (b->len != 0)
		memcpy(data, b->data + b->start, b->len);
	free(b->data);
	b->data = data;
	b->size = size;
	b->start = 0;
	return b->data + b->len;
}

void
buf_added(struct buf *b, size_t n)
{
	assert(b->start + b->len + n <= b->size);
	b->len += n;
}

void
buf_eat(struct buf *b, size_t n)
{
	assert(n <= b->len);
	b->len -= n;
	b->start = b->len == 0 ? 0 : b->start + n;
}

void
buf_shrink(struct buf *b, size_t keep)
{
	if (b->len == 0 && b->size > keep)
		buf_fini(b);
}

bool
buf_put(struct buf *b, const void *p, size_t n)
{
	char *room = buf_room(b, n);
	if (room == NULL)
		return false;
	if (n != 0)
		memcpy(room, p, n);
	b->len += n;
	return true;
}

bool
buf_puts(struct buf *b, const char *s)
{
	return buf_put(b, s, strlen(s));
}

bool
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	bool done = false;
	char *room = n < 0 ? NULL : buf_room(b, (size_t)n + 1);
	if (room != NULL) {
		vsnprintf(room, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
		done = true;
	}
	va_end(again);
	return done;
}

bool
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	bool done = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return done;
}
