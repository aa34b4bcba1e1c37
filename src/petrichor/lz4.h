/* SPDX-License-Identifier: MIT
 * lz4.h - the LZ4 block format: one block, whose size when unpacked is known from elsewhere. No frames, no state, no
 * allocation; any thread. */
#ifndef PETRICHOR_LZ4_H
#define PETRICHOR_LZ4_H

#include <stddef.h>

enum lz4_is {
	LZ4_GOOD,
	LZ4_TRUNC,      /* the block ends within a sequence */
	LZ4_LONG,       /* it says more than size bytes */
	LZ4_SHORT,      /* fewer */
	LZ4_OFFSET,     /* a match that begins before the first byte, or has no distance */
	LZ4_END         /* the last sequence says that there is a match */
};

/* No more than this is packed, and a block of n bytes says no more than n times LZ4_RATIO. */
enum { LZ4_MOST = 0x7e000000, LZ4_RATIO = 255 };

/* How much a block of n bytes takes at worst. */
size_t lz4_bound(size_t n);
/* Writes the block, at most room bytes, and returns its size; 0: there is not enough room. */
size_t lz4_pack(const char *from, size_t n, char *to, size_t room);
/* Writes just size bytes, or says what is wrong with the block; what was written until then has no meaning. It may be
 * anything: nothing outside of from[0 .. n) is read, nor outside of to[0 .. size) written. */
enum lz4_is lz4_unpack(const char *from, size_t n, char *to, size_t size);

#endif
