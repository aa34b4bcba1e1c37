/* SPDX-License-Identifier: MIT
 * bench_start.h - how long zogd takes to start on a full journal. */
#ifndef ZOG_BENCH_START_H
#define ZOG_BENCH_START_H

#include "bench.h"

/* Row "start": for a journal of a busy client's batches and for one of single messages ("batches",
 * "lines"): ".mb" its size, ".warm" and ".cold" seconds until the client port is open with the
 * journal in memory and with it on disk only, ".cpu" seconds of CPU time until then. BENCH_JOURNAL
 * is its size in MB, 1024. */
void start_row(const struct zogd *);

#endif
