/* SPDX-License-Identifier: MIT
 * bench_idle.h - what a ring costs to which nothing is sent: CPU time, memory, and the memory of an
 * idle client. */
#ifndef ZOG_BENCH_IDLE_H
#define ZOG_BENCH_IDLE_H

#include "bench.h"

/* Row "idle": "cpu" in ms a second of all five; "rss" in MB of the largest member, "rss.all" of
 * all. Row "clients": "plain" and "hello", KB that a member grows by for each connection of these
 * forms. */
void idle_row(const struct zogd *, int round);
void clients_row(const struct zogd *, int round);

#endif
