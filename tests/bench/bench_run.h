/* SPDX-License-Identifier: MIT
 * bench_run.h - one throughput run: from the first send until the last member's file has the last
 * line. */
#ifndef ZOG_BENCH_RUN_H
#define ZOG_BENCH_RUN_H

#include "bench_feed.h"
#include "bench_rows.h"

struct run {
	double   seconds;               /* first send to the last member's last line */
	double   settled_seconds;       /* first send to the last answer */
	double   cpu, client_cpu;       /* seconds: of all members, of the client */
	double   others;                /* share of the machine's CPU time that other processes had, 0 to 1 */
	double   written_calls, written_disk;   /* bytes of all members */
};

/* Sends messages to a ring and waits until every running member has them all; checks that it has
 * them, and nothing else. false: it has not, and that has been said (bench_wrong). `first` is the
 * number of the first one. */
bool run_messages(struct rig *, struct feed *, const struct shape *, uint64_t first, uint64_t count, struct run *);

/* Measures a row with a ring of its own; the figures go to the results. */
void run_row(const struct row *, const struct zogd *, int round);

#endif
