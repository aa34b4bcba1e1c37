/* SPDX-License-Identifier: MIT */
#include "bench_table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench_aims.h"
#include "bench_pace.h"
#include "bench_results.h"
#include "bench_rows.h"

/* 1,234,567; "-" where there is none. */
static const char *
thousands(double value, char text[32])
{
	char digits[24];
	if (isnan(value) || fabs(value) > 1e15)
		return "-";
	int n = snprintf(digits, sizeof digits, "%.0f", value), at = 0;
	for (int i = 0; i < n; i++) {
		if (i != 0 && (n - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
	return text;
}

static void
number(FILE *f, int width, double value, int decimals)
{
	if (isnan(value))
		fprintf(f, " %*s", width, "-");
	else
		fprintf(f, " %*.*f", width, decimals, value);
}

static void
whole(FILE *f, int width, double value)
{
	char text[32];
	fprintf(f, " %*s", width, thousands(value, text));
}

/* Which zogds a row has figures of. */
static const char *
label(enum rig_kind kind, int z)
{
	return kind == RIG_ZOGD ? bench.zogd[z].label : "";
}

static int
labels(enum rig_kind kind)
{
	return kind == RIG_ZOGD ? bench.zogds : 1;
}

/* ---- throughput ---- */

static double
of_base(const struct row *row, const char *zogd, const char *what)
{
	if (row->base == NULL)
		return NAN;
	return results_ratio(row->name, zogd, what, row->base, "", what).median;
}

static void
row_line(FILE *f, const struct row *row, const char *zogd)
{
	const char *n = row->name;
	fprintf(f, "%-12s %1s", n, zogd);
	whole(f, 11, results_median(n, zogd, "rate"));
	whole(f, 11, results_least(n, zogd, "rate"));
	whole(f, 11, results_most(n, zogd, "rate"));
	number(f, 7, of_base(row, zogd, "rate"), 3);
	number(f, 8, results_median(n, zogd, "cpu"), 3);
	number(f, 7, of_base(row, zogd, "cpu"), 2);
	number(f, 7, results_median(n, zogd, "cpu.client"), 3);
	fprintf(f, " %5.0f%%", 100 * results_median(n, zogd, "cpu.others"));
	number(f, 5, results_median(n, zogd, "rss.before"), 0);
	number(f, 5, results_median(n, zogd, "rss.after"), 0);
	number(f, 5, results_median(n, zogd, "rss.peak"), 0);
	number(f, 6, results_median(n, zogd, "written.disk"), 0);
	fprintf(f, "  %s\n", row->title);
}

static void
throughput_heading(FILE *f, const char *title)
{
	fprintf(f, "\n%-14s %11s %11s %11s %7s %8s %7s %7s %6s %5s %5s %5s %6s\n", title, "messages/s",
	    "least", "most", "of raw", "CPU us", "of raw", "client", "others", "RSS", "after", "peak",
	    "disk");
}

static void
throughput(FILE *f, bool growth)
{
	bool any = false;
	for (int i = 0; i < rows_count; i++)
		for (int z = 0; z < labels(rows[i].kind); z++) {
			const char *zogd = label(rows[i].kind, z);
			if ((rows[i].group == GROWTH) != growth ||
			    isnan(results_median(rows[i].name, zogd, "rate")))
				continue;
			if (!any)
				throughput_heading(f, growth ? "HOW COST GROWS" : "THROUGHPUT");
			any = true;
			row_line(f, &rows[i], zogd);
		}
}

/* Two programs against each other: of each round, the second to the first. */
static void
versus(FILE *f)
{
	for (int z = 1; z < bench.zogds; z++) {
		fprintf(f, "\n%s AGAINST %s     messages/s   (least, most)      CPU us\n",
		    bench.zogd[z].label, bench.zogd[0].label);
		for (int i = 0; i < rows_count; i++) {
			const char *n = rows[i].name, *b = bench.zogd[z].label,
				   *a = bench.zogd[0].label;
			struct ratio rate = results_ratio(n, b, "rate", n, a, "rate");
			if (rows[i].kind == RIG_ZOGD && !isnan(rate.median))
				fprintf(f, "%-14s %10.3f   (%.3f, %.3f) %10.3f\n", n, rate.median,
				    rate.least, rate.most,
				    results_ratio(n, b, "cpu", n, a, "cpu").median);
		}
	}
}

/* ---- latency ---- */

static double
percentile(const char *row, const char *zogd, const char *what, double percent)
{
	size_t count;
	const double *us = results_samples(row, zogd, what, &count);
	return percentile_of(us, count, percent);
}

static void
latency_line(FILE *f, const struct pace *p, const char *zogd)
{
	static const char *const figures[2][2] = { { "settled.p50", "settled.p99" },
		{ "all.p50", "all.p99" } };
	static const char *const what[2] = { "settled", "all" };
	fprintf(f, "%-12s %1s", p->name, zogd);
	for (int i = 0; i < 2; i++) {
		whole(f, 8, results_median(p->name, zogd, figures[i][0]));
		whole(f, 8, results_median(p->name, zogd, figures[i][1]));
		whole(f, 8, percentile(p->name, zogd, what[i], 99.9));
		const char *base = p->base != NULL ? p->base : "";
		number(f, 7, results_ratio(p->name, zogd, figures[i][0], base, "", "all.p50").median, 2);
		fputs("  ", f);
	}
	number(f, 7, results_median(p->name, zogd, "cpu"), 0);
	fprintf(f, "  %s\n", p->title);
}

static void
latency(FILE *f)
{
	bool any = false;
	for (int i = 0; i < paces_count; i++)
		for (int z = 0; z < labels(paces[i].kind); z++) {
			const char *zogd = label(paces[i].kind, z);
			if (isnan(results_median(paces[i].name, zogd, "cpu")))
				continue;
			if (!any)
				fprintf(f, "\n%-14s %8s %8s %8s %7s   %8s %8s %8s %7s  %8s\n",
				    "LATENCY, us", "settled", "p99", "p99.9", "of raw", "on all",
				    "p99", "p99.9", "of raw", "CPU us");
			any = true;
			latency_line(f, &paces[i], zogd);
		}
}

/* ---- the rest ---- */

static void
line(FILE *f, const char *row, const char *zogd, const char *what, int decimals, const char *words)
{
	double value = results_median(row, zogd, what);
	if (isnan(value))
		return;
	fprintf(f, "%-12s %1s", row, zogd);
	number(f, 11, value, decimals);
	fprintf(f, "  %s\n", words);
}

static void
others(FILE *f, const char *zogd)
{
	line(f, "idle", zogd, "cpu", 2, "ms of CPU a second, five members with nothing to do");
	line(f, "idle", zogd, "rss", 1, "MB, the largest of them");
	line(f, "clients", zogd, "plain", 1, "KB for an idle client, plain form");
	line(f, "clients", zogd, "hello", 1, "KB for an idle client, after HELLO");
	line(f, "start", zogd, "batches.mb", 0, "MB of journal: batches of a busy client");
	line(f, "start", zogd, "batches.warm", 2, "s to start on it, in memory");
	line(f, "start", zogd, "batches.cold", 2, "s, from the disk");
	line(f, "start", zogd, "batches.cpu", 2, "s of CPU time of the start in memory");
	line(f, "start", zogd, "lines.mb", 0, "MB of journal: messages that came one by one");
	line(f, "start", zogd, "lines.warm", 2, "s to start on it, in memory");
	line(f, "start", zogd, "lines.cold", 2, "s, from the disk");
	line(f, "start", zogd, "lines.cpu", 2, "s of CPU time of the start in memory");
	line(f, "time", zogd, "first", 0, "messages/s in the first slice of a long run");
	line(f, "time", zogd, "last", 0, "messages/s in its last slice");
	line(f, "time", zogd, "rss.first", 1, "MB of the largest member after the first slice");
	line(f, "time", zogd, "rss.last", 1, "MB after the last slice");
	line(f, "catchup", zogd, "live.before", 0, "messages/s with all five");
	line(f, "catchup", zogd, "live.away", 0, "messages/s while one member is away");
	line(f, "catchup", zogd, "live", 0, "messages/s while it catches up");
	line(f, "catchup", zogd, "rate", 0, "lines/s of its catching up, live ones included");
	line(f, "catchup", zogd, "seconds", 1,
	    "s from its start until it had all that the others had");
	line(f, "catchup", zogd, "rate.quiet", 0,
	    "lines/s of its catching up when the live traffic had stopped");
	line(f, "catchup", zogd, "rss", 1, "MB, the most that it needed");
}

static void
heading(FILE *f)
{
	struct utsname u;
	char when[32] = "";
	time_t now = time(NULL);
	struct tm tm;
	if (gmtime_r(&now, &tm) != NULL)
		strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
	uname(&u);
	fprintf(f, "%s, %s %s %s, %ld processors; %d rounds, medians\n", when, u.sysname, u.release,
	    u.machine, sysconf(_SC_NPROCESSORS_ONLN), bench.rounds);
	for (int z = 0; z < bench.zogds; z++)
		fprintf(f, "zogd %s%s%s\n", bench.zogd[z].label, bench.zogds > 1 ? " " : "",
		    bench.zogd[z].path);
	fputs("\n"
	    "messages/s: from the first send until the file of the last member has the last line.\n"
	    "of raw: to the raw ring of the same round (five processes that copy 64 KiB blocks along the\n"
	    "same tree into files; line: and split lines). CPU us: a message, over all members; client: of\n"
	    "the client. others: how much of the machine other processes had. RSS: MB of all members\n"
	    "before, after, and the most. disk: bytes a message to be written, by all members.\n"
	    "LATENCY: us from the send to the answer, and until it is in all five files; of raw: of the\n"
	    "raw ring's on all. p99.9: of all rounds together; the others are medians of the rounds.\n",
	    f);
}

/* With many threads zogd gets a larger share of a machine that is busy than the raw ring does. */
static void
warning(FILE *f)
{
	double most = 0;
	for (int i = 0; i < rows_count; i++)
		for (int z = 0; z < labels(rows[i].kind); z++)
			most = fmax(most, results_median(rows[i].name, label(rows[i].kind, z), "cpu.others"));
	if (most > 0.1)
		fprintf(f, "\nOthers had up to %.0f %% of the machine: messages/s, their ratios and latencies say\n"
		    "little, CPU us a message says more.\n", 100 * most);
}

void
table_print(FILE *f)
{
	heading(f);
	warning(f);
	throughput(f, false);
	throughput(f, true);
	versus(f);
	latency(f);
	fputc('\n', f);
	for (int z = 0; z < bench.zogds; z++)
		others(f, bench.zogd[z].label);
	for (int z = 0; z < bench.zogds; z++)
		aims_print(f, bench.zogd[z].label);
	if (bench.wrong != 0)
		fprintf(f, "\n%d things did not work: see above\n", bench.wrong);
}
