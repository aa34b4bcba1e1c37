/* SPDX-License-Identifier: MIT */
#include "wire/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct frame *
frame_new(const char *origin, size_t room)
{
	struct frame *f = malloc(sizeof *f + room);
	if (f == NULL)
		return NULL;
	memset(f, 0, sizeof *f);
	atomic_init(&f->refs, 1);
	assert(strlen(origin) <= FRAME_NAME);
	strcpy(f->origin, origin);
	return f;
}

void
frame_add(struct frame *f, const char *text, size_t len)
{
	memcpy(f->body + f->size, text, len);
	f->body[f->size + len] = '\r';
	f->body[f->size + len + 1] = '\n';
	f->size += len + 2;
	f->count++;
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
	if (*f != NULL && atomic_fetch_sub_explicit(&(*f)->refs, 1, memory_order_acq_rel) == 1)
		free(*f);
	*f = NULL;
}
