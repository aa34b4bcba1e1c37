/* SPDX-License-Identifier: MIT
 * keys.h - the keys of the dicts that a decoder stands in, to find the one that comes twice. One thread, its owner's.
 *
 * A few keys are compared each with each. Those of a dict that has more go into a hash table, one for all dicts of the
 * frame, by a hash that nobody outside can foresee: there is no input for which this is not linear. */
#ifndef PETRICHOR_KEYS_H
#define PETRICHOR_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "petrichor/petrichor.h"

enum { KEYS_FEW = 16, KEYS_INSIDE = 32 };

struct key {
	const char *p;
	size_t      n;
};

struct key_slot {
	uint32_t hash, dict;    /* dict 0: a free slot */
	uint32_t at, n;         /* the key, in the frame */
};

struct keys {
	const char *base;       /* of the frame */
	/* Those of the open dicts, the innermost's last. */
	struct key *key;
	size_t   n, room;
	struct key_slot *slot;  /* NULL: no dict was large yet */
	size_t   used, mask;
	uint64_t seed[2];
	struct key inside[KEYS_INSIDE];
};

bool keys_grow(struct keys *);  /* false: out of memory */
int  keys_check_many(struct keys *, size_t from, uint32_t dict);

static inline void
keys_init(struct keys *k, const char *base)
{
	k->base = base;
	k->key = k->inside;
	k->n = 0;
	k->room = KEYS_INSIDE;
	k->slot = NULL;
	k->used = k->mask = 0;
}

static inline void
keys_fini(struct keys *k)
{
	if (k->key != k->inside)
		free(k->key);
	if (k->slot != NULL)
		free(k->slot);
}

static inline bool
keys_add(struct keys *k, const char *p, size_t n)
{
	if (k->n == k->room && !keys_grow(k))
		return false;
	k->key[k->n++] = (struct key){ p, n };
	return true;
}

static inline bool
key_same(const struct key *a, const struct key *b)
{
	return a->n == b->n && (a->n == 0 || (a->p[0] == b->p[0] && memcmp(a->p, b->p, a->n) == 0));
}

/* Is the last key one of those before it? The dict's keys begin at key[from]; `dict` is a number of the dict's own, not 0.
 * PT_OK, PT_E_DUPKEY, PT_E_MEMORY. */
static inline int
keys_check_last(struct keys *k, size_t from, uint32_t dict)
{
	const struct key *last = &k->key[k->n - 1];
	if (k->n - from > KEYS_FEW)
		return keys_check_many(k, from, dict);
	for (const struct key *i = &k->key[from]; i < last; i++)
		if (key_same(i, last))
			return PT_E_DUPKEY;
	return PT_OK;
}

#endif
