/* SPDX-License-Identifier: MIT
 * bench_pace.h - latency: messages at a rate, and how long each takes until it is settled, and
 * until all five have it. */
#ifndef ZOG_BENCH_PACE_H
#define ZOG_BENCH_PACE_H

#include "bench_rig.h"

struct pace {
	const char   *name, *title;
	enum rig_kind kind;
	const char   *ack;
	double        rate;             /* messages a second */
	int           every;            /* of each so manyth it is seen when all five have it */
	const char   *base;             /* the raw ring at that rate; NULL: this is it */
};

extern const struct pace paces[];
extern const int paces_count;

/* Figures "settled.p50", "settled.p99", "all.p50", "all.p99" in us, "cpu" of the members in us a
 * message; samples "settled" and "all" in us. */
void pace_row(const struct pace *, const struct zogd *, int round);

#endif
