/* SPDX-License-Identifier: MIT
 * bench_plot.h - the results as drawings. false: there is nothing to be drawn, and no file. */
#ifndef ZOG_BENCH_PLOT_H
#define ZOG_BENCH_PLOT_H

#include <stdbool.h>

bool plot_throughput(const char *path);         /* bars: the ratio to the raw ring; whiskers: the least and the most */
bool plot_latency(const char *path);            /* curves: percentiles, of the first zogd */

#endif
