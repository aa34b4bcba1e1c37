/* SPDX-License-Identifier: MIT
 * keyed.c - SipHash-2-4 (Aumasson and Bernstein, 2012). Pure; any thread. */
#include "petrichor/keyed.h"

#include <endian.h>
#include <string.h>

static inline uint64_t
turn(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void
mix(uint64_t v[4], int rounds)
{
	for (; rounds > 0; rounds--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = turn(v[1], 13) ^ v[0];
		v[3] = turn(v[3], 16) ^ v[2];
		v[0] = turn(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = turn(v[1], 17) ^ v[2];
		v[3] = turn(v[3], 21) ^ v[0];
		v[2] = turn(v[2], 32);
	}
}

static inline void
take(struct keyed *k, uint64_t word)
{
	k->v[3] ^= word;
	mix(k->v, 2);
	k->v[0] ^= word;
}

void
keyed_begin(struct keyed *k, const uint64_t key[2])
{
	/* "somepseudorandomlygeneratedbytes" */
	k->v[0] = key[0] ^ UINT64_C(0x736f6d6570736575);
	k->v[1] = key[1] ^ UINT64_C(0x646f72616e646f6d);
	k->v[2] = key[0] ^ UINT64_C(0x6c7967656e657261);
	k->v[3] = key[1] ^ UINT64_C(0x7465646279746573);
	k->tail = k->size = 0;
}

void
keyed_add(struct keyed *k, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	for (; n > 0 && k->size % 8 != 0; n--) {
		k->tail |= (uint64_t)*p++ << 8 * (k->size++ % 8);
		if (k->size % 8 == 0) {
			take(k, k->tail);
			k->tail = 0;
		}
	}
	for (; n >= 8; n -= 8, p += 8, k->size += 8) {
		uint64_t word;
		memcpy(&word, p, 8);
		take(k, le64toh(word));
	}
	for (; n > 0; n--)
		k->tail |= (uint64_t)*p++ << 8 * (k->size++ % 8);
}

uint64_t
keyed_end(struct keyed *k)
{
	take(k, k->tail | k->size << 56);
	k->v[2] ^= 0xff;
	mix(k->v, 4);
	return k->v[0] ^ k->v[1] ^ k->v[2] ^ k->v[3];
}
