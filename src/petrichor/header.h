/* SPDX-License-Identifier: MIT
 * header.h - a copy of a header with keys set in it: what the caller's values point to is not copied. One thread. */
#ifndef PETRICHOR_HEADER_H
#define PETRICHOR_HEADER_H

#include "petrichor/petrichor.h"

struct header {
	struct pt_value  value;         /* the dict */
	struct pt_value *items;         /* its memory, kept for the next header_begin */
	size_t           room;          /* pairs */
};

/* from may be NULL: {}. There is room for so many keys more; PT_E_ARGUMENT: from is no PT_DICT; PT_E_MEMORY. All zero
 * is a header that has not begun. */
int header_begin(struct header *, const struct pt_value *from, size_t more);
/* In its place, or at the end; the key stays the caller's. */
void header_set(struct header *, const char *key, struct pt_value);
/* In its place, or as the first one. */
void header_lead(struct header *, const char *key, struct pt_value);
void header_text(struct header *, const char *key, const char *text, size_t len);
/* Does a key begin with pt.? */
bool header_is_ours(const struct pt_value *key);
void header_fini(struct header *);

#endif
