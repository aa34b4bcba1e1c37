/* SPDX-License-Identifier: MIT
 * header.c - a copy of a header with keys set in it. One thread. */
#include "petrichor/header.h"

#include <stdlib.h>
#include <string.h>

int
header_begin(struct header *h, const struct pt_value *from, size_t more)
{
	size_t pairs = 0;
	if (from != NULL) {
		if (from->type != PT_DICT)
			return PT_E_ARGUMENT;
		pairs = from->items.len;
	}
	if (pairs > SIZE_MAX / 2 / sizeof *h->items - more)
		return PT_E_MEMORY;
	if (h->room < pairs + more || h->items == NULL) {
		struct pt_value *items = realloc(h->items, (pairs + more + 1) * 2 * sizeof *items);
		if (items == NULL)
			return PT_E_MEMORY;
		h->items = items;
		h->room = pairs + more + 1;
	}
	if (pairs != 0)
		memcpy(h->items, from->items.at, pairs * 2 * sizeof *h->items);
	h->value = (struct pt_value)PT_DICT_OF(h->items, pairs);
	return PT_OK;
}

void
header_set(struct header *h, const char *key, struct pt_value v)
{
	size_t at = 0, pairs = h->value.items.len;
	while (at < pairs && !pt_is_text(&h->items[2 * at], key))
		at++;
	if (at == pairs) {
		h->items[2 * at] = (struct pt_value)PT_BYTES_OF(key, strlen(key));
		h->value.items.len++;
	}
	h->items[2 * at + 1] = v;
}

void
header_lead(struct header *h, const char *key, struct pt_value v)
{
	size_t pairs = h->value.items.len;
	header_set(h, key, v);
	if (pairs != 0 && h->value.items.len > pairs) {
		memmove(h->items + 2, h->items, 2 * pairs * sizeof *h->items);
		h->items[0] = (struct pt_value)PT_BYTES_OF(key, strlen(key));
		h->items[1] = v;
	}
}

void
header_text(struct header *h, const char *key, const char *text, size_t len)
{
	header_set(h, key, (struct pt_value)PT_BYTES_OF(text, len));
}

bool
header_is_ours(const struct pt_value *key)
{
	return key->type == PT_BYTES && key->bytes.len >= 3 && memcmp(key->bytes.at, "pt.", 3) == 0;
}

void
header_fini(struct header *h)
{
	free(h->items);
	*h = (struct header){ .items = NULL };
}
