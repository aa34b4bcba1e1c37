/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <limits.h>
#include <time.h>

#include "unit.h"

START_TEST(stamps)
{
	static const struct { int64_t ms; const char *text; } table[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 999, "1970-01-01T00:00:00Z" },
		{ 1000, "1970-01-01T00:00:01Z" },
		{ INT64_C(951782399999), "2000-02-28T23:59:59Z" },
		{ INT64_C(951782400000), "2000-02-29T00:00:00Z" },
		{ INT64_C(1795163521000), "2026-11-20T08:32:01Z" },
		{ INT64_C(2147483648000), "2038-01-19T03:14:08Z" },
		{ INT64_C(4107542400000), "2100-03-01T00:00:00Z" },
		{ INT64_C(253402300799999), "9999-12-31T23:59:59Z" },
		{ INT64_C(253402300800000), "0000-00-00T00:00:00Z" },
		{ INT64_MAX, "0000-00-00T00:00:00Z" },
		{ -1, "0000-00-00T00:00:00Z" },
		{ INT64_MIN, "0000-00-00T00:00:00Z" },
	};
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		char stamp[CLOCK_STAMP + 1];
		memset(stamp, '#', sizeof stamp);
		clock_stamp(stamp, table[i].ms);
		ck_assert_str_eq(stamp, table[i].text);
		ck_assert_uint_eq(strlen(stamp), CLOCK_STAMP - 1);
		ck_assert_int_eq(stamp[CLOCK_STAMP], '#');
	}
}
END_TEST

/* The operator's time zone is not that of the logs. */
START_TEST(stamps_are_utc)
{
	char stamp[CLOCK_STAMP];
	setenv("TZ", "XXX-5:30", 1);
	tzset();
	clock_stamp(stamp, INT64_C(1795163521000));
	ck_assert_str_eq(stamp, "2026-11-20T08:32:01Z");
}
END_TEST

START_TEST(left_for_poll)
{
	ck_assert_int_eq(clock_left_ms(INT64_MAX, 5), -1);
	ck_assert_int_eq(clock_left_ms(5, 5), 0);
	ck_assert_int_eq(clock_left_ms(4, 5), 0);
	ck_assert_int_eq(clock_left_ms(0, INT64_MAX), 0);
	ck_assert_int_eq(clock_left_ms(6, 5), 1);
	ck_assert_int_eq(clock_left_ms(INT64_C(5) + INT_MAX, 5), INT_MAX);
	ck_assert_int_eq(clock_left_ms(INT64_C(6) + INT_MAX, 5), INT_MAX);
	ck_assert_int_eq(clock_left_ms(INT64_MAX - 1, 5), INT_MAX);
}
END_TEST

START_TEST(the_monotonic_one_does_not_step_back)
{
	int64_t last = clock_mono_ms(), began = last;
	/* Until it has moved: it is a clock. */
	while (last < began + 5) {
		int64_t now = clock_mono_ms();
		ck_assert_int_ge(now, last);
		last = now;
	}
}
END_TEST

/* It is read in the same unit, and from the same clock, that conditions and poll wait by. */
START_TEST(milliseconds_of_the_right_clocks)
{
	struct timespec before, after;
	clock_gettime(CLOCK_MONOTONIC, &before);
	int64_t mono = clock_mono_ms();
	clock_gettime(CLOCK_MONOTONIC, &after);
	ck_assert_int_ge(mono, (int64_t)before.tv_sec * 1000 + before.tv_nsec / 1000000);
	ck_assert_int_le(mono, (int64_t)after.tv_sec * 1000 + after.tv_nsec / 1000000);

	clock_gettime(CLOCK_REALTIME, &before);
	int64_t real = clock_real_ms();
	clock_gettime(CLOCK_REALTIME, &after);
	/* The operator may set it between two looks; a second is more than this takes. */
	ck_assert_int_ge(real, (int64_t)before.tv_sec * 1000 - 1000);
	ck_assert_int_le(real, (int64_t)after.tv_sec * 1000 + 2000);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, stamps);
	UNIT_TEST(s, stamps_are_utc);
	UNIT_TEST(s, left_for_poll);
	UNIT_TEST(s, the_monotonic_one_does_not_step_back);
	UNIT_TEST(s, milliseconds_of_the_right_clocks);
}

int
main(void)
{
	return unit_main("clock", add);
}
