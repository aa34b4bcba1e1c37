/* SPDX-License-Identifier: MIT
 * lz4_beside.c - our LZ4 blocks beside liblz4's: random data of many kinds, and random damage. For lz4.sh. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "petrichor/lz4.h"

/* As liblz4 has them: its header is not always there. */
int LZ4_compress_default(const char *from, char *to, int n, int room);
int LZ4_compress_HC(const char *from, char *to, int n, int room, int level);
int LZ4_decompress_safe(const char *from, char *to, int n, int room);
int LZ4_versionNumber(void);

enum { MOST = 300000 };

static uint64_t state;
static char data[MOST], block[MOST + MOST / 255 + 16], ours[MOST + 64], theirs[MOST + 64];

static uint64_t
draw(void)
{
	uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void
require(int holds, const char *what, size_t n)
{
	if (!holds) {
		printf("%s: %zu bytes\n", what, n);
		exit(1);
	}
}

static void
fill(size_t n)
{
	size_t kind = draw() % 4, values = 1 + draw() % 8;
	for (size_t i = 0; i < n;) {
		size_t back = 1 + draw() % 70000, len = 1 + draw() % 60;
		if (kind == 0 || back > i)
			back = 0;
		for (; len > 0 && i < n; len--, i++)
			data[i] = back != 0 ? data[i - back] : (char)(kind == 1 ? draw() : 'a' + draw() % values);
	}
}

static void
both_ways(size_t n)
{
	size_t k = lz4_pack(data, n, block, lz4_bound(n));
	require(k != 0, "lz4_pack", n);
	require(LZ4_decompress_safe(block, theirs, (int)k, (int)n) == (int)n && memcmp(theirs, data, n) == 0,
	    "liblz4 does not read ours", n);
	int size = LZ4_compress_default(data, block, (int)n, sizeof block);
	require(size > 0 && lz4_unpack(block, (size_t)size, ours, n) == LZ4_GOOD && memcmp(ours, data, n) == 0,
	    "we do not read liblz4's", n);
	size = LZ4_compress_HC(data, block, (int)n, sizeof block, 9);
	require(size > 0 && lz4_unpack(block, (size_t)size, ours, n) == LZ4_GOOD && memcmp(ours, data, n) == 0,
	    "we do not read liblz4's best", n);
}

/* What we take it takes, and reads the same in it; but for the rules of the end, which it knows and the format does not
 * need. */
static size_t
damaged(size_t n)
{
	size_t taken = 0, k = lz4_pack(data, n, block, lz4_bound(n));
	for (int i = 0; i < 200; i++) {
		size_t at = draw() % k;
		char was = block[at];
		block[at] = (char)draw();
		if (lz4_unpack(block, k, ours, n) == LZ4_GOOD) {
			int size = LZ4_decompress_safe(block, theirs, (int)k, (int)n);
			require(size < 0 || (size == (int)n && memcmp(ours, theirs, n) == 0), "damaged, and not the same", n);
			taken += size >= 0;
		}
		block[at] = was;
	}
	return taken;
}

int
main(int argc, char **argv)
{
	size_t taken = 0;
	state = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
	printf("liblz4 %d, seed %" PRIu64 "\n", LZ4_versionNumber(), state);
	for (size_t n = 0; n <= 300; n++)
		for (int i = 0; i < 10; i++) {
			fill(n);
			both_ways(n);
		}
	for (int i = 0; i < 200; i++) {
		size_t n = draw() % (i % 10 == 0 ? MOST : 5000);
		fill(n);
		both_ways(n);
		if (n != 0)
			taken += damaged(n);
	}
	printf("%zu damaged blocks read the same\n", taken);
	return taken != 0 ? 0 : 1;
}
