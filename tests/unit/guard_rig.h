/* SPDX-License-Identifier: MIT
 * guard_rig.h - bytes between two pages that must not be touched: who looks before the first or behind the last one is
 * killed, with or without a sanitizer. */
#ifndef ZOG_TESTS_GUARD_RIG_H
#define ZOG_TESTS_GUARD_RIG_H

#include <sys/mman.h>

#include "unit.h"

struct guard {
	char  *begin, *end;     /* what may be touched: whole pages */
	size_t page;
};

static inline void
guard_init(struct guard *g, size_t size)
{
	g->page = (size_t)sysconf(_SC_PAGESIZE);
	size = (size + g->page - 1) / g->page * g->page;
	char *all = mmap(NULL, size + 2 * g->page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(all != MAP_FAILED);
	g->begin = all + g->page;
	g->end = g->begin + size;
	ck_assert_int_eq(mprotect(g->begin, size, PROT_READ | PROT_WRITE), 0);
}

static inline void
guard_fini(struct guard *g)
{
	ck_assert_int_eq(munmap(g->begin - g->page, (size_t)(g->end - g->begin) + 2 * g->page), 0);
}

/* A copy of n bytes of which the last, or the first, has the guard beside it. */
static inline char *
guard_behind(struct guard *g, const void *p, size_t n)
{
	ck_assert(n <= (size_t)(g->end - g->begin));
	return memcpy(g->end - n, p, n);
}

static inline char *
guard_before(struct guard *g, const void *p, size_t n)
{
	ck_assert(n <= (size_t)(g->end - g->begin));
	return memcpy(g->begin, p, n);
}

/* A copy so many bytes behind a multiple of 64, with what in the bytes around it. */
static inline char *
guard_aligned(struct guard *g, const void *p, size_t n, size_t align, char around)
{
	ck_assert(align < 64 && align + n + 128 <= (size_t)(g->end - g->begin));
	memset(g->begin, around, align + n + 128);
	return memcpy(g->begin + 64 + align, p, n);
}

#endif
