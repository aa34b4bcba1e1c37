/* SPDX-License-Identifier: MIT
 * bench_rows.h - what is measured. A row is a ring, its settings, and the load on it. */
#ifndef ZOG_BENCH_ROWS_H
#define ZOG_BENCH_ROWS_H

#include "bench_feed.h"
#include "bench_rig.h"

enum { GROWTH = 100 };

struct row {
	const char   *name, *title;
	enum rig_kind kind;
	int           members;
	int           group;            /* each begins with the raw ring; GROWTH: only with --growth */
	const char   *base;             /* what its ratio is to; NULL: it has none */
	struct shape  load;
	const char   *conf;             /* lines of zogd.conf, or NULL */
	uint64_t      warm;             /* messages before the measured ones, which tell how many to measure */
};

extern const struct row rows[];
extern const int rows_count;

bool row_wanted(const char *name);      /* by --only, or as the base of one that is */
const struct row *row_find(const char *name);

#endif
