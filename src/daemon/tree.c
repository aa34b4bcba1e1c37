/* SPDX-License-Identifier: MIT */
#include "daemon/tree.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void
put(struct tree *t, const void *p, size_t n, char tag)
{
	struct buf *b = &t->at[t->depth];
	t->failed |= !buf_printf(b, "%zu:", n) || !buf_put(b, p, n) || !buf_put(b, &tag, 1);
}

static void
put_key(struct tree *t, const char *key)
{
	assert((key != NULL) == (t->depth != 0 && t->tag[t->depth] == '}'));
	if (key != NULL)
		put(t, key, strlen(key), ',');
}

static void
begin(struct tree *t, const char *key, char tag)
{
	assert(t->depth < TREE_DEPTH);
	put_key(t, key);
	t->tag[++t->depth] = tag;
	buf_clear(&t->at[t->depth]);
}

void
tree_dict(struct tree *t, const char *key)
{
	begin(t, key, '}');
}

void
tree_list(struct tree *t, const char *key)
{
	begin(t, key, ']');
}

void
tree_end(struct tree *t)
{
	assert(t->depth > 0);
	const struct buf *b = &t->at[t->depth];
	char tag = t->tag[t->depth--];
	put(t, b->len != 0 ? buf_begin(b) : "", b->len, tag);
}

void
tree_int(struct tree *t, const char *key, int64_t value)
{
	char text[32];
	int n = snprintf(text, sizeof text, "%" PRId64, value);
	put_key(t, key);
	put(t, text, (size_t)n, '#');
}

void
tree_count(struct tree *t, const char *key, uint64_t value)
{
	tree_int(t, key, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

void
tree_bool(struct tree *t, const char *key, bool value)
{
	put_key(t, key);
	put(t, value ? "true" : "false", value ? 4 : 5, '!');
}

void
tree_bytes(struct tree *t, const char *key, const void *p, size_t n)
{
	put_key(t, key);
	put(t, p, n, ',');
}

void
tree_text(struct tree *t, const char *key, const char *text)
{
	tree_bytes(t, key, text, strlen(text));
}

void
tree_raw(struct tree *t, const char *key, const struct tree *other)
{
	const struct buf *b = &other->at[0];
	put_key(t, key);
	t->failed |= !tree_whole(other) || !buf_put(&t->at[t->depth], buf_begin(b), b->len);
}

bool
tree_whole(const struct tree *t)
{
	return t->depth == 0 && !t->failed;
}

void
tree_fini(struct tree *t)
{
	for (int i = 0; i <= TREE_DEPTH; i++)
		buf_fini(&t->at[i]);
	*t = (struct tree)TREE_INIT;
}
