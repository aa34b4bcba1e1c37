/* SPDX-License-Identifier: MIT
 * value.c - looking into values and comparing them. Pure; any thread. */
#include <stdlib.h>
#include <string.h>

#include "petrichor/petrichor.h"

static bool
is_bytes(const struct pt_value *v, const char *p, size_t n)
{
	return v->type == PT_BYTES && v->bytes.len == n && (n == 0 || memcmp(v->bytes.at, p, n) == 0);
}

const struct pt_value *
pt_get_bytes(const struct pt_value *dict, const char *key, size_t len)
{
	if (dict == NULL || dict->type != PT_DICT)
		return NULL;
	for (size_t i = 0; i < dict->items.len; i++)
		if (is_bytes(&dict->items.at[2 * i], key, len))
			return &dict->items.at[2 * i + 1];
	return NULL;
}

const struct pt_value *
pt_get(const struct pt_value *dict, const char *key)
{
	return pt_get_bytes(dict, key, strlen(key));
}

bool
pt_is_text(const struct pt_value *v, const char *text)
{
	return v != NULL && is_bytes(v, text, strlen(text));
}

/* By their frames with sorted keys: no recursion, and no input for which it takes long. */
static bool
same_frames(const struct pt_value *a, const struct pt_value *b)
{
	size_t size_a, size_b;
	char *frame_a = NULL, *frame_b = NULL;
	bool same = pt_measure(a, &size_a) == PT_OK && pt_measure(b, &size_b) == PT_OK && size_a == size_b &&
	    pt_encode_new(a, PT_SORTED, &frame_a, &size_a) == PT_OK &&
	    pt_encode_new(b, PT_SORTED, &frame_b, &size_b) == PT_OK && memcmp(frame_a, frame_b, size_a) == 0;
	free(frame_a);
	free(frame_b);
	return same;
}

bool
pt_same(const struct pt_value *a, const struct pt_value *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case PT_BYTES:
	case PT_FRAME:
		return a->bytes.len == b->bytes.len &&
		    (a->bytes.len == 0 || memcmp(a->bytes.at, b->bytes.at, a->bytes.len) == 0);
	case PT_INT:
		return a->integer == b->integer;
	case PT_BOOL:
		return a->boolean == b->boolean;
	case PT_NULL:
		return true;
	default:
		return same_frames(a, b);
	}
}
