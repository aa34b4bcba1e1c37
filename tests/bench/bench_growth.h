/* SPDX-License-Identifier: MIT
 * bench_growth.h - what a ring costs after a while, and after a member was away. The rows of other
 * growth (members, bytes, clients) are in bench_rows. */
#ifndef ZOG_BENCH_GROWTH_H
#define ZOG_BENCH_GROWTH_H

#include "bench.h"

/* Row "time": BENCH_SECONDS (180) of full load in slices of BENCH_SLICE (10) seconds: "rate", "rss"
 * (MB of the largest member) and "rss.peak" of each slice, which takes the place of the round;
 * "first", "last", "rss.first", "rss.last". The logs are removed between slices. */
void time_row(const struct zogd *);

/* Row "catchup": one member is away while BENCH_CATCHUP (10,000,000) messages are sent, and is
 * started again while traffic goes on. */
void catchup_row(const struct zogd *);

#endif
