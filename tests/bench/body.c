/* SPDX-License-Identifier: MIT */
#include "body.h"

#include <string.h>

enum { POOL = 65536 };

static char pool[POOL + BODY_MAX];      /* constant after body_init, like the next */
static char digits[256][2];

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

void
body_init(void)
{
	for (size_t i = 0; i < sizeof pool; i++)
		pool[i] = (char)('!' + mix(i + 1) % 94);
	for (unsigned i = 0; i < 256; i++) {
		digits[i][0] = "0123456789abcdef"[i >> 4];
		digits[i][1] = "0123456789abcdef"[i & 15];
	}
}

size_t
body_make(char to[BODY_MAX], uint64_t number, struct body_size size)
{
	uint64_t r = mix(number);
	size_t len = (size_t)size.least + (size_t)(r >> 32) % (size_t)(size.most - size.least + 1);
	for (int i = 0; i < 4; i++)
		memcpy(to + 2 * i, digits[number >> (24 - 8 * i) & 255], 2);
	memcpy(to + 8, pool + r % POOL, len - 8);
	return len;
}

uint64_t
body_hash(const char *text, size_t len)
{
	uint64_t h = len, w;
	for (; len >= sizeof w; text += sizeof w, len -= sizeof w) {
		memcpy(&w, text, sizeof w);
		h = (h ^ w) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
	}
	w = 0;
	memcpy(&w, text, len);
	return mix(h ^ w);
}

uint64_t
body_sum(uint64_t first, uint64_t count, struct body_size size)
{
	char text[BODY_MAX];
	uint64_t sum = 0;
	for (uint64_t i = 0; i < count; i++) {
		size_t len = body_make(text, first + i, size);
		sum += body_hash(text, len);
	}
	return sum;
}
