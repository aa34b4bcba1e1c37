/* SPDX-License-Identifier: MIT
 * fuzz_lz4.c - bytes read as an LZ4 block, beside a decoder that copies one byte after the other, and packed and unpacked
 * again.
 *
 * The first two bytes of an input say how large the block is said to be when unpacked: that many bytes, or, with the
 * second one's top bit, as the slow decoder finds it. */
#include "fuzz.h"

#include "petrichor/lz4.h"

enum { MOST = 70000 };

/* A count of the token and of what follows; SIZE_MAX: the block ends within. */
static size_t
count_of(const uint8_t *p, size_t n, size_t *at, size_t count)
{
	uint8_t more = 255;
	if (count < 15)
		return count;
	for (; more == 255; count += more) {
		if (*at == n)
			return SIZE_MAX;
		more = p[(*at)++];
	}
	return count;
}

/* How many bytes the block is unpacked, if it is sound and they are no more than MOST; else SIZE_MAX. */
static size_t
unpack_slowly(const uint8_t *p, size_t n, uint8_t *out)
{
	size_t at = 0, size = 0;
	while (at < n) {
		uint8_t token = p[at++];
		size_t literals = count_of(p, n, &at, token >> 4);
		if (literals == SIZE_MAX || literals > n - at || literals > MOST - size)
			return SIZE_MAX;
		for (; literals > 0; literals--)
			out[size++] = p[at++];
		if (at == n)
			return (token & 15) == 0 ? size : SIZE_MAX;
		if (n - at < 2)
			return SIZE_MAX;
		size_t distance = p[at] | (size_t)p[at + 1] << 8;
		at += 2;
		size_t match = count_of(p, n, &at, token & 15);
		if (match == SIZE_MAX || distance == 0 || distance > size || match + 4 > MOST - size)
			return SIZE_MAX;
		for (match += 4; match > 0; match--, size++)
			out[size] = out[size - distance];
	}
	return SIZE_MAX;
}

static void
read_block(const uint8_t *p, size_t n, size_t size, const uint8_t *slow, size_t slow_size)
{
	/* In blocks of just their sizes. */
	char *from = malloc(n != 0 ? n : 1), *to = malloc(size != 0 ? size : 1);
	fuzz_require(from != NULL && to != NULL);
	if (n != 0)
		memcpy(from, p, n);
	enum lz4_is is = lz4_unpack(from, n, to, size);
	fuzz_require((is == LZ4_GOOD) == (slow_size == size));
	fuzz_require(is != LZ4_GOOD || size == 0 || memcmp(to, slow, size) == 0);
	free(from);
	free(to);
}

static void
write_block(const uint8_t *p, size_t n, size_t less)
{
	size_t bound = lz4_bound(n);
	char *block = malloc(bound), *back = malloc(n != 0 ? n : 1);
	fuzz_require(block != NULL && back != NULL);
	size_t size = lz4_pack((const char *)p, n, block, bound);
	fuzz_require(size != 0 && size <= bound);
	fuzz_require(lz4_unpack(block, size, back, n) == LZ4_GOOD && (n == 0 || memcmp(back, p, n) == 0));
	free(block);
	free(back);
	/* With less room, which it may not write behind. */
	size_t room = less % (size + 1);
	block = malloc(room != 0 ? room : 1);
	fuzz_require(block != NULL);
	fuzz_require((lz4_pack((const char *)p, n, block, room) != 0) == (room == size));
	free(block);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t slow[MOST];
	if (size < 2)
		return 0;
	size_t said = data[0] | (size_t)(data[1] & 0x7f) << 8;
	const uint8_t *p = data + 2;
	size_t n = size - 2, slow_size = unpack_slowly(p, n, slow);
	read_block(p, n, (data[1] & 0x80) != 0 && slow_size != SIZE_MAX ? slow_size : said, slow, slow_size);
	write_block(p, n, said);
	return 0;
}
