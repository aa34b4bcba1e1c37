/* SPDX-License-Identifier: MIT */
#include "base/crc32c.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL UINT32_C(0x82f63b78)         /* 0x1edc6f41 with its bits turned round */

/* table[0] is for one byte, table[k] for one that k more follow: eight bytes are eight look-ups that do
 * not wait for each other. */
static uint32_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void
build_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;
		for (int bit = 0; bit < 8; bit++)
			c = (c & 1) != 0 ? c >> 1 ^ POLYNOMIAL : c >> 1;
		table[0][i] = c;
	}
	for (int k = 1; k < 8; k++)
		for (int i = 0; i < 256; i++)
			table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
}

uint32_t
crc32c_table(uint32_t crc, const void *data, size_t n)
{
	const unsigned char *p = data;
	pthread_once(&table_once, build_table);
	crc = ~crc;
	for (; n >= 8; n -= 8, p += 8) {
		uint32_t low = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);
		crc = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255] ^ table[4][low >> 24] ^
		    table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
	}
	while (n-- > 0)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 255];
	return ~crc;
}

#if defined __x86_64__ && defined __GNUC__

bool
crc32c_has_instruction(void)
{
	return __builtin_cpu_supports("sse4.2") != 0;
}

/* The instruction takes three cycles, and a new one can begin in each: so a long input is three that stand side by side.
 *
 * What the register holds is a polynomial over GF(2), of degree below 32, its highest power in the lowest bit. A zero byte
 * multiplies it by x^8, modulo the CRC's polynomial, and register and data only meet by addition: hence what A and then B
 * of m bytes give is what A gives times x^8m, plus what B alone gives from a register of 0. For two lengths of B, tables
 * have that product, byte by byte of the register. */
enum {
	LONG_STREAM = 1024,     /* bytes of each of the three */
	SHORT_STREAM = 128,
};
typedef uint32_t product[4][256];
static product long_product, short_product;
static pthread_once_t products_once = PTHREAD_ONCE_INIT;

static uint32_t
multiply(uint32_t a, uint32_t b)
{
	uint32_t sum = 0;
	for (uint32_t power = UINT32_C(1) << 31; power != 0; power >>= 1) {
		if ((a & power) != 0)
			sum ^= b;
		b = (b & 1) != 0 ? b >> 1 ^ POLYNOMIAL : b >> 1;        /* times x */
	}
	return sum;
}

/* bytes: a power of two. */
static void
build_product(product t, size_t bytes)
{
	uint32_t factor = UINT32_C(1) << (31 - 8);      /* x^8 */
	for (; bytes > 1; bytes /= 2)
		factor = multiply(factor, factor);
	/* A byte's product is the sum of those of its bits. */
	for (int k = 0; k < 4; k++)
		for (uint32_t i = 1; i < 256; i++) {
			uint32_t others = i & (i - 1);
			t[k][i] = others == 0 ? multiply(factor, i << 8 * k) : t[k][others] ^ t[k][i ^ others];
		}
}

static void
build_products(void)
{
	build_product(long_product, LONG_STREAM);
	build_product(short_product, SHORT_STREAM);
}

static inline uint32_t
look_up(product t, uint64_t c)
{
	return t[0][c & 255] ^ t[1][c >> 8 & 255] ^ t[2][c >> 16 & 255] ^ t[3][c >> 24 & 255];
}

__attribute__((target("sse4.2"))) static inline uint64_t
add_8(uint64_t c, const unsigned char *p)
{
	uint64_t w;
	memcpy(&w, p, 8);
	return __builtin_ia32_crc32di(c, w);
}

/* Three times so many bytes. */
__attribute__((target("sse4.2"))) static inline uint64_t
add_three(uint64_t a, const unsigned char *p, size_t bytes, product t)
{
	uint64_t b = 0, c = 0;
	for (const unsigned char *end = p + bytes; p < end; p += 8) {
		a = add_8(a, p);
		b = add_8(b, p + bytes);
		c = add_8(c, p + 2 * bytes);
	}
	return look_up(t, look_up(t, a) ^ b) ^ c;
}

__attribute__((target("sse4.2"))) uint32_t
crc32c_instruction(uint32_t crc, const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t c = ~crc;
	if (n >= 3 * SHORT_STREAM)
		pthread_once(&products_once, build_products);
	for (; n >= 3 * LONG_STREAM; n -= 3 * LONG_STREAM, p += 3 * LONG_STREAM)
		c = add_three(c, p, LONG_STREAM, long_product);
	for (; n >= 3 * SHORT_STREAM; n -= 3 * SHORT_STREAM, p += 3 * SHORT_STREAM)
		c = add_three(c, p, SHORT_STREAM, short_product);
	for (; n >= 8; n -= 8, p += 8)
		c = add_8(c, p);
	uint32_t c32 = (uint32_t)c;
	while (n-- > 0)
		c32 = __builtin_ia32_crc32qi(c32, *p++);
	return ~c32;
}

#else

bool
crc32c_has_instruction(void)
{
	return false;
}

uint32_t
crc32c_instruction(uint32_t crc, const void *data, size_t n)
{
	return crc32c_table(crc, data, n);
}

#endif

uint32_t
crc32c(uint32_t crc, const void *data, size_t n)
{
	return crc32c_has_instruction() ? crc32c_instruction(crc, data, n) : crc32c_table(crc, data, n);
}
