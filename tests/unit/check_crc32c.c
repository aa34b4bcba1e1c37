/* SPDX-License-Identifier: MIT */
#include "base/crc32c.h"

#include "unit.h"

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

static void
add(Suite *s)
{
	UNIT_TEST(s, published);
	UNIT_TEST(s, lengths_and_alignments);
	UNIT_TEST(s, in_two_parts);
}

int
main(void)
{
	return unit_main("crc32c", add);
}
