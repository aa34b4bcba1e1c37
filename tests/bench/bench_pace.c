/* SPDX-License-Identifier: MIT */
#include "bench_pace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_feed.h"
#include "bench_proc.h"
#include "bench_results.h"

/* WARM: the first ones do not count. */
enum { WARM = 10, STUCK_S = 120 };

const struct pace paces[] = {
	{ "lat.raw.100", "raw ring, 100/s", RIG_RAW, NULL, 100, 1, NULL },
	{ "lat.one.100", "ack 1, 100/s", RIG_ZOGD, "1", 100, 1, "lat.raw.100" },
	{ "lat.all.100", "ack all, 100/s", RIG_ZOGD, "all", 100, 1, "lat.raw.100" },
	{ "lat.raw.5000", "raw ring, 5,000/s", RIG_RAW, NULL, 5000, 20, NULL },
	{ "lat.one.5000", "ack 1, 5,000/s", RIG_ZOGD, "1", 5000, 20, "lat.raw.5000" },
	{ "lat.all.5000", "ack all, 5,000/s", RIG_ZOGD, "all", 5000, 20, "lat.raw.5000" },
};
const int paces_count = sizeof paces / sizeof *paces;

/* What load says of one message: microseconds, or nothing. */
struct times {
	double *us;
	size_t  count;
};

static void
take(struct times *t, const char *word)
{
	if (*word != '-')
		t->us[t->count++] = atof(word) / 1000;
}

static void
read_times(struct feed *feed, uint64_t count, struct times *settled, struct times *all,
    struct fed *fed)
{
	char a[32], b[32];
	uint64_t seen = 0;
	int64_t until = now_ns() + (int64_t)STUCK_S * 1000000000;
	for (;;) {
		const char *line = feed_line(feed, 100000);
		if (now_ns() > until)
			bench_die("load says nothing");
		if (line == NULL)
			continue;
		if (feed_done(line, fed))
			return;
		if (sscanf(line, "%31s %31s", a, b) != 2 || seen == count)
			bench_die("load says '%s'", line);
		if (seen++ >= WARM) {
			take(settled, a);
			take(all, b);
		}
	}
}

static void
add(const struct pace *p, const struct zogd *z, int round, const char *what, struct times *t)
{
	static const struct {
		const char *what, *figure;
		double      percent;
	} figures[] = {
		{ "settled", "settled.p50", 50 },
		{ "settled", "settled.p99", 99 },
		{ "settled", "settled.p99.9", 99.9 },
		{ "all", "all.p50", 50 },
		{ "all", "all.p99", 99 },
		{ "all", "all.p99.9", 99.9 },
	};
	for (size_t i = 0; i < t->count; i++)
		results_sample(p->name, z->label, what, t->us[i]);
	if (t->count == 0)
		return;
	median_of(t->us, t->count);
	for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
		if (strcmp(figures[i].what, what) == 0)
			results_add(p->name, z->label, round, figures[i].figure,
			    percentile_of(t->us, t->count, figures[i].percent));
}

/* The first message, by which load learns how long a line is, is one more. */
static void
check_lines(struct rig *rig, uint64_t count, struct body_size size, const struct fed *fed)
{
	uint64_t sum = body_sum(0, count + 1, size);
	for (int i = 0; i < rig->size; i++) {
		struct tally *t = &rig->m[i].tally;
		tally_more(t);
		if (t->lines != count + 1 || t->sum != sum)
			bench_wrong("member %s has %" PRIu64 " lines of %" PRIu64 ", or other texts",
			    rig->m[i].name, t->lines, count + 1);
	}
	if (fed->failed != 0)
		bench_wrong("%" PRIu64 " messages were not settled: %s", fed->failed, fed->why);
}

static uint64_t
how_many(double rate)
{
	double standard = rate < 1000 ? bench.quick ? 120 : 500 : bench.quick ? 3000 : 10000;
	const char *setting = rate < 1000 ? "BENCH_SLOW_MESSAGES" : "BENCH_FAST_MESSAGES";
	return (uint64_t)bench_setting(setting, standard) + WARM;
}

void
pace_row(const struct pace *p, const struct zogd *z, int round)
{
	static struct rig rig;
	struct shape shape = { p->kind == RIG_ZOGD ? "numbered" : "raw", 1, false, 10000, p->ack,
		{ 32, 63 } };
	struct feed feed;
	struct fed fed;
	uint64_t count = how_many(p->rate);
	struct times settled = { malloc(count * sizeof(double)), 0 },
		     all = { malloc(count * sizeof(double)), 0 };
	if (settled.us == NULL || all.us == NULL)
		bench_die("out of memory");
	if (p->kind == RIG_ZOGD)
		rig_zogd(&rig, z->path, 5, NULL);
	else
		rig_raw(&rig, p->kind);
	feed_open(&feed, &rig, &shape, true);
	int64_t cpu = rig_cpu_ns(&rig);
	feed_tell(&feed, "pace 0 %" PRIu64 " %g %d\n", count, p->rate, p->every);
	read_times(&feed, count, &settled, &all, &fed);
	cpu = rig_cpu_ns(&rig) - cpu;
	nap_us(20000);
	check_lines(&rig, count, shape.size, &fed);
	add(p, z, round, "settled", &settled);
	add(p, z, round, "all", &all);
	results_add(p->name, z->label, round, "cpu", (double)cpu / 1e3 / (double)count);
	/* Medians; the raw ring settles nothing. */
	if (settled.count != 0)
		bench_say(
		    "%-12s %s settled %.0f us, on all five %.0f us; members %.0f us a message",
		    p->name, z->label, percentile_of(settled.us, settled.count, 50),
		    percentile_of(all.us, all.count, 50), (double)cpu / 1e3 / (double)count);
	else
		bench_say("%-12s   on all five %.0f us; members %.0f us a message", p->name,
		    percentile_of(all.us, all.count, 50), (double)cpu / 1e3 / (double)count);
	free(settled.us);
	free(all.us);
	feed_close(&feed);
	rig_end(&rig);
}
