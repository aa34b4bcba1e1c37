/* SPDX-License-Identifier: MIT
 * clock.h - the two clocks. Every timer runs on the monotonic one; the other one only
 * dates what people read. */
#ifndef ZOG_BASE_CLOCK_H
#define ZOG_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

int64_t clock_mono_ms(void);    /* milliseconds, never steps back */
int64_t clock_mono_us(void);    /* the same clock, for what is short */
int64_t clock_real_ms(void);    /* milliseconds since 1970 UTC */

/* 2026-11-20T08:32:01Z: 20 characters and a NUL. Years past 9999 or before 0 read as 0000. */
enum { CLOCK_STAMP = 21 };
void    clock_stamp(char stamp[CLOCK_STAMP], int64_t real_ms);

/* What is left until then for poll(2): 0 when it has passed, -1 for "never" (INT64_MAX). */
int     clock_left_ms(int64_t mono_ms_then, int64_t mono_ms_now);

#endif
