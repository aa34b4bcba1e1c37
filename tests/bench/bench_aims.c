/* SPDX-License-Identifier: MIT */
#include "bench_aims.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "bench_results.h"
#include "bench_rows.h"

/* A figure, or its ratio to another one; at least, or at most. */
struct aim {
	const char *row, *what, *base, *base_what;      /* base NULL: the figure itself */
	char        side;                               /* '>' at least, '<' at most */
	double      limit;
	const char *words;
	bool        base_is_zogd;
};

#define RATE(row, base, limit, words, zogd) { row, "rate", base, "rate", '>', limit, words, zogd }
#define LATE(row, what, raw_what, limit, words) \
	{ row, what, "lat.raw.100", raw_what, '<', limit, words " at 100/s, of the raw ring's on all five", false }
#define MOST(row, what, limit, words) { row, what, NULL, NULL, '<', limit, words, false }

static const struct aim aims[] = {
	RATE("one", "raw", 0.30, "one pipelining client, ack 1, of the raw ring: first step", false),
	RATE("one", "raw", 0.35, "one pipelining client, ack 1, of the raw ring", false),
	RATE("five", "raw", 0.35, "five clients on five members, of the raw ring", false),
	RATE("majority", "one", 0.8, "ack majority, of ack 1", true),
	RATE("all", "one", 0.8, "ack all, of ack 1", true),
	{ "one", "cpu", "raw", "cpu", '<', 3.5, "CPU a message at full rate, of the raw ring's", false },
	RATE("always.64", "sync1.64", 0.5, "sync always, of sync 1: 64 clients", true),
	RATE("always.w", "sync1.w", 0.5, "sync always, of sync 1: window of 10,000", true),
	LATE("lat.one.100", "settled.p50", "all.p50", 1.0, "settled (ack 1) p50"),
	LATE("lat.one.100", "all.p50", "all.p50", 1.5, "on all five p50"),
	LATE("lat.one.100", "settled.p99", "all.p99", 2.0, "settled (ack 1) p99"),
	LATE("lat.one.100", "all.p99", "all.p99", 2.0, "on all five p99"),
	LATE("lat.all.100", "settled.p50", "all.p50", 2.0, "settled (ack all) p50"),
	MOST("idle", "cpu", 2, "ms of CPU a second, five idle members"),
	MOST("idle", "rss", 8, "MB of an idle member"),
	MOST("clients", "plain", 24, "KB of an idle client, plain form"),
	MOST("clients", "hello", 24, "KB of an idle client, after HELLO"),
	MOST("start", "batches.warm", 2, "s to start on a full journal: batches"),
	MOST("start", "lines.warm", 2, "s to start on a full journal: messages one by one"),
};

static void
print(FILE *f, double value, char side, double limit, const char *words)
{
	if (isnan(value) && bench.only != NULL)
		return;
	if (isnan(value)) {
		fprintf(f, "      -                       not measured  %s\n", words);
		return;
	}
	bool met = side == '>' ? value >= limit : value <= limit;
	fprintf(f, "%7.*f   %s %-5g         %-13s %s\n", value < 10 ? 3 : 1, value,
	    side == '>' ? "at least" : "at most ", limit, met ? "met" : "NOT MET", words);
}

/* Of all rows, the member that needed most. */
static double
memory(const char *zogd)
{
	double most = NAN;
	for (int i = 0; i < rows_count; i++)
		if (rows[i].kind == RIG_ZOGD)
			most = fmax(most, results_most(rows[i].name, zogd, "rss.peak.member"));
	return most;
}

void
aims_print(FILE *f, const char *zogd)
{
	if (bench.growth)
		return;
	fprintf(f, "\nAIMS %s\n", zogd);
	for (size_t i = 0; i < sizeof aims / sizeof *aims; i++) {
		const struct aim *a = &aims[i];
		const char *base_zogd = a->base_is_zogd ? zogd : "";
		double value = results_median(a->row, zogd, a->what);
		if (a->base != NULL)
			value = results_ratio(a->row, zogd, a->what, a->base, base_zogd, a->base_what).median;
		print(f, value, a->side, a->limit, a->words);
	}
	print(f, memory(zogd), '<', 64, "MB, the most of a member in any row (queues included)");
}
