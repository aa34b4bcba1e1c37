/* SPDX-License-Identifier: MIT */
#include "base/block.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

static _Atomic(void *) kept[BLOCKS_KEPT];

/* The address sanitizer watches what malloc gave, and nothing else. */
#if defined __SANITIZE_ADDRESS__
#define WATCHED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define WATCHED 1
#endif
#endif
#ifndef WATCHED
#define WATCHED 0
#endif

static void
give_back(void *p)
{
	if (WATCHED)
		free(p);
	else if (p != NULL)
		munmap(p, BLOCK_BYTES);
}

void *
block_get(void)
{
	if (WATCHED)
		return malloc(BLOCK_BYTES);
	for (size_t i = 0; i < BLOCKS_KEPT; i++) {
		void *p = atomic_load_explicit(&kept[i], memory_order_relaxed);
		if (p != NULL && (p = atomic_exchange_explicit(&kept[i], NULL, memory_order_acquire)) != NULL)
			return p;
	}
	void *p = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return p != MAP_FAILED ? p : NULL;
}

void
block_put(void *p)
{
	for (size_t i = 0; i < BLOCKS_KEPT && !WATCHED; i++) {
		void *none = NULL;
		if (atomic_load_explicit(&kept[i], memory_order_relaxed) == NULL &&
		    atomic_compare_exchange_strong_explicit(&kept[i], &none, p, memory_order_release, memory_order_relaxed))
			return;
	}
	give_back(p);
}

void
block_trim(void)
{
	for (size_t i = 0; i < BLOCKS_KEPT; i++)
		give_back(atomic_exchange_explicit(&kept[i], NULL, memory_order_acquire));
}
