/* SPDX-License-Identifier: MIT
 * wide.h - 16 bytes at once, where every processor of the kind we compile for has the registers (on x86-64: SSE2). Whoever
 * includes it has plain C beside it, under a name of its own, for the others and for the tests.
 * Nothing here looks at more bytes than it says. */
#ifndef ZOG_BASE_WIDE_H
#define ZOG_BASE_WIDE_H

#ifdef __SSE2__

#include <emmintrin.h>
#include <stdint.h>

/* 16 bytes from or to any address. */
static inline __m128i
wide_load(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline void
wide_store(char *p, __m128i v)
{
	_mm_storeu_si128((__m128i *)(void *)p, v);
}

/* Bit k is the top bit of byte k: of what a comparison gave, which bytes it holds for. */
static inline uint32_t
wide_bits(__m128i v)
{
	return (uint32_t)_mm_movemask_epi8(v);
}

/* The same for 64 bytes. */
static inline uint64_t
wide_bits_of_four(__m128i a, __m128i b, __m128i c, __m128i d)
{
	return wide_bits(a) | wide_bits(b) << 16 | (uint64_t)(wide_bits(c) | wide_bits(d) << 16) << 32;
}

#endif
#endif
