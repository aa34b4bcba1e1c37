/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

static int64_t
read_ms(clockid_t which)
{
	struct timespec t;
	clock_gettime(which, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_mono_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

int64_t
clock_mono_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t
clock_real_ms(void)
{
	return read_ms(CLOCK_REALTIME);
}

void
clock_stamp(char stamp[CLOCK_STAMP], int64_t real_ms)
{
	/* Most come in runs of the same second, and a date is much to work out for each line. */
	static _Thread_local int64_t last_seconds = -1;
	static _Thread_local char last[CLOCK_STAMP];
	time_t seconds = (time_t)(real_ms / 1000);
	struct tm tm;
	if (real_ms >= 0 && seconds != last_seconds) {
		bool good = gmtime_r(&seconds, &tm) != NULL && tm.tm_year <= 9999 - 1900 &&
		    strftime(last, CLOCK_STAMP, "%Y-%m-%dT%H:%M:%SZ", &tm) == CLOCK_STAMP - 1;
		last_seconds = good ? seconds : -1;
	}
	bool there = real_ms >= 0 && seconds == last_seconds;
	memcpy(stamp, there ? last : "0000-00-00T00:00:00Z", CLOCK_STAMP);
}

int
clock_left_ms(int64_t then, int64_t now)
{
	if (then == INT64_MAX)
		return -1;
	if (then <= now)
		return 0;
	return then - now > INT_MAX ? INT_MAX : (int)(then - now);
}
