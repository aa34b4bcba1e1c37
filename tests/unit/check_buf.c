/* SPDX-License-Identifier: MIT */
#include "base/buf.h"

#include "unit.h"

START_TEST(new_one_is_empty)
{
	struct buf b = BUF_INIT;
	ck_assert_ptr_null(buf_begin(&b));
	ck_assert_uint_eq(b.len, 0);
	buf_eat(&b, 0);
	buf_clear(&b);
	buf_shrink(&b, 0);
	ck_assert(buf_put(&b, NULL, 0));
	ck_assert_uint_eq(b.len, 0);
	buf_fini(&b);
	buf_fini(&b);
	ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(put_and_eat)
{
	struct buf b = BUF_INIT;
	ck_assert(buf_puts(&b, "abc"));
	ck_assert(buf_put(&b, "\0d", 2));
	unit_assert_bytes(&b, "abc\0d", 5);
	buf_eat(&b, 2);
	unit_assert_bytes(&b, "c\0d", 3);
	buf_eat(&b, 3);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_uint_eq(b.start, 0);          /* all eaten: the room is whole again */
	buf_fini(&b);
}
END_TEST

START_TEST(room_is_counted_when_added)
{
	struct buf b = BUF_INIT;
	char *p = buf_room(&b, 3);
	ck_assert_ptr_nonnull(p);
	ck_assert_uint_eq(b.len, 0);
	memcpy(p, "xyz", 3);
	buf_added(&b, 2);
	unit_assert_bytes(&b, "xy", 2);
	/* As much room as was asked for, up to the last byte. */
	p = buf_room(&b, 5000);
	ck_assert_ptr_nonnull(p);
	memset(p, '.', 5000);
	buf_added(&b, 5000);
	ck_assert_uint_eq(b.len, 5002);
	ck_assert(memcmp(buf_begin(&b), "xy...", 5) == 0);
	buf_fini(&b);
}
END_TEST

/* What was eaten makes room, once that frees as much as it moves. */
START_TEST(eaten_bytes_are_used_again)
{
	struct buf b = BUF_INIT;
	char bytes[200];
	memset(bytes, 'a', sizeof bytes);
	ck_assert(buf_put(&b, bytes, sizeof bytes));
	size_t size = b.size;
	const char *data = b.data;
	buf_eat(&b, 150);
	while (b.len < size)
		ck_assert(buf_put(&b, "b", 1));
	ck_assert_uint_eq(b.size, size);
	ck_assert_ptr_eq(b.data, data);
	for (size_t i = 0; i < size; i++)
		ck_assert_int_eq(buf_begin(&b)[i], i < 50 ? 'a' : 'b');
	buf_fini(&b);
}
END_TEST

START_TEST(no_memory_leaves_it_as_it_was)
{
	static const size_t most[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, SIZE_MAX / 4 + 1 };
	struct buf b = BUF_INIT;
	for (size_t i = 0; i < UNIT_COUNT(most); i++) {
		volatile size_t n = most[i];    /* compilers know that no object is so large */
		ck_assert_ptr_null(buf_room(&b, n));
		ck_assert_ptr_null(b.data);
	}
	ck_assert(buf_puts(&b, "stays"));
	for (size_t i = 0; i < UNIT_COUNT(most); i++) {
		volatile size_t n = most[i];
		ck_assert_ptr_null(buf_room(&b, n));
		ck_assert(!buf_put(&b, "", n));
		unit_assert_bytes(&b, "stays", 5);
	}
	buf_fini(&b);
}
END_TEST

START_TEST(clear_keeps_the_memory)
{
	struct buf b = BUF_INIT;
	ck_assert(buf_puts(&b, "abc"));
	buf_eat(&b, 1);
	char *data = b.data;
	buf_clear(&b);
	ck_assert_uint_eq(b.len, 0);
	ck_assert(buf_puts(&b, "de"));
	ck_assert_ptr_eq(buf_begin(&b), data);
	buf_fini(&b);
}
END_TEST

START_TEST(shrink_only_when_empty_and_large)
{
	struct buf b = BUF_INIT;
	ck_assert_ptr_nonnull(buf_room(&b, 10000));
	size_t size = b.size;
	buf_shrink(&b, size);
	ck_assert_ptr_nonnull(b.data);
	ck_assert(buf_puts(&b, "x"));
	buf_shrink(&b, 0);
	unit_assert_bytes(&b, "x", 1);
	buf_eat(&b, 1);
	buf_shrink(&b, size - 1);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.size, 0);
	ck_assert(buf_puts(&b, "and usable again"));
	buf_fini(&b);
}
END_TEST

START_TEST(printf_appends)
{
	struct buf b = BUF_INIT;
	char word[2000];
	memset(word, 'w', sizeof word - 1);
	word[sizeof word - 1] = '\0';
	ck_assert(buf_printf(&b, "%d-%s", 42, "x"));
	unit_assert_bytes(&b, "42-x", 4);
	ck_assert(buf_printf(&b, "%s", ""));
	unit_assert_bytes(&b, "42-x", 4);
	ck_assert(buf_printf(&b, "<%s>", word));
	ck_assert_uint_eq(b.len, 4 + 1 + 1999 + 1);
	ck_assert(memcmp(buf_begin(&b), "42-x<www", 8) == 0);
	ck_assert_int_eq(buf_begin(&b)[b.len - 1], '>');
	buf_fini(&b);
}
END_TEST

/* Up to the last byte of what was allocated, the NUL of vsnprintf with it. */
START_TEST(printf_of_each_length)
{
	char word[600];
	memset(word, 'w', sizeof word);
	for (int n = 0; n < 600; n++) {
		struct buf b = BUF_INIT;
		ck_assert(buf_printf(&b, "%.*s", n, word));
		unit_assert_bytes(&b, word, (size_t)n);
		ck_assert_uint_lt(b.len, b.size);
		buf_fini(&b);
	}
}
END_TEST

/* Random work on a buffer, and the same on a plain array. */
START_TEST(like_an_array)
{
	enum { MOST = 100000 };
	static char model[MOST];
	size_t len = 0;
	struct buf b = BUF_INIT;
	uint64_t seed = unit_seed("like_an_array");
	for (int step = 0; step < 20000; step++) {
		char bytes[700];
		unsigned n = unit_below(&seed, unit_below(&seed, 20) == 0 ? sizeof bytes : 40);
		switch (unit_below(&seed, 8)) {
		case 0:
		case 1:
		case 2:
			for (unsigned i = 0; i < n; i++)
				bytes[i] = (char)unit_random(&seed);
			if (len + n > MOST)
				break;
			unit_require(buf_put(&b, bytes, n), "step %d", step);
			memcpy(model + len, bytes, n);
			len += n;
			break;
		case 3:
		case 4:
		case 5:
			if (n > len)
				n = (unsigned)len;
			buf_eat(&b, n);
			memmove(model, model + n, len - n);
			len -= n;
			break;
		case 6:
			if (len + n > MOST)
				break;
			memset(buf_room(&b, n), 'r', n);
			buf_added(&b, n);
			memset(model + len, 'r', n);
			len += n;
			break;
		default:
			buf_shrink(&b, unit_below(&seed, 2) != 0 ? 0 : 4096);
			if (unit_below(&seed, 50) == 0) {
				buf_clear(&b);
				len = 0;
			}
		}
		unit_require(b.start + b.len <= b.size && b.len == len && (len == 0 || memcmp(buf_begin(&b), model, len) == 0),
		    "step %d", step);
	}
	buf_fini(&b);
}
END_TEST

START_TEST(added_without_room)
{
	struct buf b = BUF_INIT;
	buf_room(&b, 10);
	buf_added(&b, b.size + 1);
}
END_TEST

START_TEST(eaten_more_than_there_is)
{
	struct buf b = BUF_INIT;
	buf_puts(&b, "abc");
	buf_eat(&b, 4);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, new_one_is_empty);
	UNIT_TEST(s, put_and_eat);
	UNIT_TEST(s, room_is_counted_when_added);
	UNIT_TEST(s, eaten_bytes_are_used_again);
	UNIT_TEST(s, no_memory_leaves_it_as_it_was);
	UNIT_TEST(s, clear_keeps_the_memory);
	UNIT_TEST(s, shrink_only_when_empty_and_large);
	UNIT_TEST(s, printf_appends);
	UNIT_TEST(s, printf_of_each_length);
	UNIT_TEST(s, like_an_array);
	UNIT_ABORTS(s, added_without_room);
	UNIT_ABORTS(s, eaten_more_than_there_is);
}

int
main(void)
{
	return unit_main("buf", add);
}
