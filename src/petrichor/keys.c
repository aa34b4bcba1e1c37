/* SPDX-License-Identifier: MIT */
#include "petrichor/keys.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "petrichor/keyed.h"

enum { SLOTS_LEAST = 64 };

bool
keys_grow(struct keys *k)
{
	struct key *inside = k->key == k->inside ? k->inside : NULL;
	struct key *more = realloc(inside != NULL ? NULL : k->key, 2 * k->room * sizeof *more);
	if (more == NULL)
		return false;
	if (inside != NULL)
		memcpy(more, inside, k->n * sizeof *more);
	k->key = more;
	k->room *= 2;
	return true;
}

/* ---- the table ---- */

/* Of a dict's key: without the seed nobody can make some that fall together. */
static uint32_t
hash(const uint64_t seed[2], uint64_t dict, const struct key *key)
{
	struct keyed h;
	keyed_begin(&h, seed);
	keyed_add(&h, &dict, sizeof dict);
	keyed_add(&h, key->p, key->n);
	return (uint32_t)keyed_end(&h);
}

static void
make_seed(struct keys *k)
{
	/* Not before the kernel can be asked at all would that fail; a guess is then better than none. */
	if (getrandom(k->seed, sizeof k->seed, GRND_NONBLOCK) != (ssize_t)sizeof k->seed) {
		struct timespec now;
		clock_gettime(CLOCK_MONOTONIC, &now);
		k->seed[0] = (uint64_t)now.tv_nsec * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)now.tv_sec;
		k->seed[1] = (uint64_t)(uintptr_t)k * UINT64_C(0xbf58476d1ce4e5b9);
	}
}

static void
place(struct key_slot *slot, size_t mask, const struct key_slot *s)
{
	size_t i = s->hash & mask;
	while (slot[i].dict != 0)
		i = (i + 1) & mask;
	slot[i] = *s;
}

/* Never more than half full. */
static bool
make_room(struct keys *k)
{
	size_t have = k->slot != NULL ? k->mask + 1 : 0;
	if (2 * (k->used + 1) <= have)
		return true;
	size_t want = have != 0 ? 2 * have : SLOTS_LEAST;
	struct key_slot *more = calloc(want, sizeof *more);
	if (more == NULL)
		return false;
	if (have == 0)
		make_seed(k);
	for (size_t i = 0; i < have; i++)
		if (k->slot[i].dict != 0)
			place(more, want - 1, &k->slot[i]);
	free(k->slot);
	k->slot = more;
	k->mask = want - 1;
	return true;
}

static int
insert(struct keys *k, const struct key *key, uint32_t dict)
{
	if (!make_room(k))
		return PT_E_MEMORY;
	struct key_slot s = { hash(k->seed, dict, key), dict, (uint32_t)(key->p - k->base), (uint32_t)key->n };
	size_t i = s.hash & k->mask;
	for (const struct key_slot *o; (o = &k->slot[i])->dict != 0; i = (i + 1) & k->mask)
		if (o->hash == s.hash && o->dict == dict && key_same(&(struct key){ k->base + o->at, o->n }, key))
			return PT_E_DUPKEY;
	k->slot[i] = s;
	k->used++;
	return PT_OK;
}

/* At the first key that is one too many for comparing, those before it go into the table, too. */
int
keys_check_many(struct keys *k, size_t from, uint32_t dict)
{
	size_t last = k->n - 1;
	int e = PT_OK;
	for (size_t i = last - from == KEYS_FEW ? from : last; i <= last && e == PT_OK; i++)
		e = insert(k, &k->key[i], dict);
	return e;
}
