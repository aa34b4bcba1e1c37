/* SPDX-License-Identifier: MIT */
#include "base/crc32c.h"

#include "guard_rig.h"

static const unsigned char iscsi_read[48] = {
	0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 4, 0,
	0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
};

static void
both(const void *data, size_t n, uint32_t expected)
{
	ck_assert_uint_eq(crc32c(0, data, n), expected);
	ck_assert_uint_eq(crc32c_table(0, data, n), expected);
	if (crc32c_has_instruction())
		ck_assert_uint_eq(crc32c_instruction(0, data, n), expected);
}

/* RFC 3720, B.4; and what everybody gives for the nine digits. */
START_TEST(published)
{
	unsigned char data[32];
	memset(data, 0, sizeof data);
	both(data, 32, 0x8a9136aa);
	memset(data, 0xff, sizeof data);
	both(data, 32, 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		data[i] = (unsigned char)i;
	both(data, 32, 0x46dd794e);
	for (int i = 0; i < 32; i++)
		data[i] = (unsigned char)(31 - i);
	both(data, 32, 0x113fdb5c);
	both(iscsi_read, sizeof iscsi_read, 0xd9963a56);
	both("123456789", 9, 0xe3069283);
	both("", 0, 0);
}
END_TEST

/* Bit by bit, as the polynomial says. */
static uint32_t
slow(uint32_t crc, const unsigned char *p, size_t n)
{
	crc = ~crc;
	while (n-- > 0) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc & 1) != 0 ? crc >> 1 ^ UINT32_C(0x82f63b78) : crc >> 1;
	}
	return ~crc;
}

START_TEST(lengths_and_alignments)
{
	unsigned char data[320];
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 151 + 7);
	for (size_t align = 0; align < 16; align++)
		for (size_t n = 0; n <= 300; n++) {
			uint32_t expected = slow(0, data + align, n);
			ck_assert_uint_eq(crc32c_table(0, data + align, n), expected);
			ck_assert_uint_eq(crc32c(0, data + align, n), expected);
			if (crc32c_has_instruction())
				ck_assert_uint_eq(crc32c_instruction(0, data + align, n), expected);
		}
}
END_TEST

START_TEST(in_two_parts)
{
	for (size_t n = 0; n <= sizeof iscsi_read; n++) {
		const unsigned char *rest = iscsi_read + n;
		size_t left = sizeof iscsi_read - n;
		ck_assert_uint_eq(crc32c(crc32c(0, iscsi_read, n), rest, left), 0xd9963a56);
		ck_assert_uint_eq(crc32c_table(crc32c_table(0, iscsi_read, n), rest, left), 0xd9963a56);
		if (crc32c_has_instruction())
			ck_assert_uint_eq(crc32c_instruction(crc32c_instruction(0, iscsi_read, n), rest, left), 0xd9963a56);
	}
}
END_TEST

/* Long ones, which the instruction takes in three streams: every length, with a guard behind it, and in parts. */
START_TEST(long_ones)
{
	uint64_t seed = unit_seed("long_ones");
	enum { MOST = 5000 };
	static uint32_t expected[MOST + 1];
	unsigned char data[MOST];
	struct guard g;
	guard_init(&g, MOST);
	for (size_t i = 0; i < MOST; i++)
		data[i] = (unsigned char)unit_random(&seed);
	for (size_t n = 0; n <= MOST; n++) {
		expected[n] = n == 0 ? 0 : slow(expected[n - 1], data + n - 1, 1);
		const char *p = guard_behind(&g, data, n);
		unit_require(crc32c_table(0, p, n) == expected[n] && crc32c(0, p, n) == expected[n], "of %zu bytes", n);
		unit_require(!crc32c_has_instruction() || crc32c_instruction(0, p, n) == expected[n], "of %zu bytes", n);
		for (int k = 0; k < 4; k++) {
			size_t at = unit_below(&seed, (unsigned)n + 1);
			uint32_t crc = crc32c(expected[at], p + at, n - at);
			unit_require(crc == expected[n], "of %zu bytes, %zu before", n, at);
		}
	}
	guard_fini(&g);
}
END_TEST

START_TEST(random_splits)
{
	uint64_t seed = unit_seed("random_splits");
	enum { SIZE = 100000 };
	unsigned char *data = malloc(SIZE);
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (unsigned char)unit_random(&seed);
	for (int round = 0; round < unit_amount(500); round++) {
		uint32_t start = (uint32_t)unit_random(&seed), crc = start;
		size_t from = unit_below(&seed, 64), n = from, most = 1 + unit_below(&seed, SIZE);
		while (n < SIZE) {
			size_t part = unit_below(&seed, (unsigned)most + 1);
			part = part < SIZE - n ? part : SIZE - n;
			crc = crc32c(crc, data + n, part);
			n += part;
			if (unit_below(&seed, 200) == 0)
				break;
		}
		unit_require(crc == crc32c_table(start, data + from, n - from), "%zu bytes from %zu", n - from, from);
	}
	free(data);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, published);
	UNIT_TEST(s, lengths_and_alignments);
	UNIT_TEST(s, in_two_parts);
	UNIT_TEST(s, long_ones);
	UNIT_TEST(s, random_splits);
}

int
main(void)
{
	return unit_main("crc32c", add);
}
