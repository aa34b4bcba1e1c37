/* SPDX-License-Identifier: MIT */
#include "bench_growth.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "bench_feed.h"
#include "bench_proc.h"
#include "bench_results.h"
#include "bench_rig.h"
#include "bench_run.h"

static const struct shape one = { "numbered", 1, false, 10000, "1", { 32, 63 } };

/* ---- time ---- */

/* Each access.log goes, and zogd begins a new one. */
static void
forget_logs(struct rig *rig)
{
	for (int i = 0; i < rig->size; i++) {
		struct tally *t = &rig->m[i].tally;
		enum tally_form form = t->form;
		tally_close(t);
		unlink(rig->m[i].file);
		kill(rig->m[i].pid, SIGUSR1);
		while (!tally_open(t, rig->m[i].file, form)) {
			rig_check(rig);
			nap_us(1000);
		}
	}
}

static double
largest(const struct rig *rig, bool peak)
{
	double most = 0;
	for (int i = 0; i < rig->size; i++)
		if (rig->m[i].pid != 0) {
			struct proc_memory m = proc_memory(rig->m[i].pid);
			most = fmax(most, (double)(peak ? m.peak : m.rss) / 1048576);
		}
	return most;
}

static void
add_slice(const struct zogd *z, const struct rig *rig, int slice, double rate, bool last)
{
	double rss = largest(rig, false), peak = largest(rig, true);
	results_add("time", z->label, slice, "rate", rate);
	results_add("time", z->label, slice, "rss", rss);
	results_add("time", z->label, slice, "rss.peak", peak);
	if (slice == 0 || last) {
		results_add("time", z->label, 0, slice == 0 ? "first" : "last", rate);
		results_add("time", z->label, 0, slice == 0 ? "rss.first" : "rss.last", rss);
	}
	bench_say("%-12s %s slice %d: %.0f/s, %.1f MB, at most %.1f MB", "time", z->label, slice,
	    rate, rss, peak);
}

void
time_row(const struct zogd *z)
{
	static struct rig rig;
	struct feed feed;
	struct run r = { .seconds = 0 };
	double seconds = bench_setting("BENCH_SECONDS", 180),
	       slice_s = bench_setting("BENCH_SLICE", 10);
	uint64_t first = 0, count = 100000;
	rig_zogd(&rig, z->path, 5, NULL);
	feed_open(&feed, &rig, &one, false);
	bool good = run_messages(&rig, &feed, &one, first, count, &r);
	first += count;
	count = (uint64_t)((double)count / r.seconds * slice_s);
	int64_t began = now_ns();
	for (int slice = 0; good; slice++) {
		forget_logs(&rig);
		good = run_messages(&rig, &feed, &one, first, count, &r);
		first += count;
		bool last = (double)(now_ns() - began) / 1e9 >= seconds;
		if (good)
			add_slice(z, &rig, slice, (double)count / r.seconds, last);
		if (last)
			break;
	}
	feed_close(&feed);
	rig_end(&rig);
}

/* ---- catching up ---- */

enum { AWAY = 4, LIVE_S = 120, QUIET_S = 300 };

struct catchup {
	struct rig         *rig;
	const struct zogd  *z;
	double              line_bytes; /* of access.log, about */
};

static double
lines_of(const struct catchup *c, int member)
{
	return (double)tally_size(&c->rig->m[member].tally) / c->line_bytes;
}

/* Until the one that was away has all but a little of what the first one has; true: within that
 * time. */
static bool
wait_caught_up(struct catchup *c, struct feed *feed, double seconds)
{
	int64_t until = now_ns() + (int64_t)(seconds * 1e9);
	while (lines_of(c, 0) - lines_of(c, AWAY) > 20000) {
		if (now_ns() > until)
			return false;
		rig_check(c->rig);
		if (feed == NULL)
			nap_us(2000);
		else if (feed_line(feed, 2000) != NULL)
			return false;
	}
	return true;
}

static void
add(const struct catchup *c, const char *what, double value)
{
	results_add("catchup", c->z->label, 0, what, value);
	bench_say("%-12s %s %s: %.0f", "catchup", c->z->label, what, value);
}

/* The logs hold the same lines on all, whatever their order. */
static void
wait_same(struct catchup *c)
{
	struct rig *rig = c->rig;
	int64_t until = now_ns() + (int64_t)QUIET_S * 1000000000;
	for (;;) {
		bool same = true;
		for (int i = 0; i < rig->size; i++)
			tally_more(&rig->m[i].tally);
		for (int i = 1; i < rig->size; i++)
			same = same && rig->m[i].tally.lines == rig->m[0].tally.lines &&
			    rig->m[i].tally.sum == rig->m[0].tally.sum;
		if (same)
			return;
		if (now_ns() > until)
			break;
		nap_us(200000);
	}
	for (int i = 0; i < rig->size; i++)
		bench_wrong("catchup: %s has %" PRIu64 " lines", rig->m[i].name,
		    rig->m[i].tally.lines);
}

/* It is started while messages are being sent. */
static void
come_back(struct catchup *c, struct feed *feed, uint64_t first)
{
	int64_t began = now_ns();
	double before = lines_of(c, 0), had = lines_of(c, AWAY);
	feed_tell(feed, "run %" PRIu64 " %d\n", first, 1000000000);
	rig_launch(c->rig, AWAY);
	bool caught_up = wait_caught_up(c, feed, LIVE_S);
	double seconds = (double)(now_ns() - began) / 1e9;
	add(c, "live", (lines_of(c, 0) - before) / seconds);
	add(c, "rate", (lines_of(c, AWAY) - had) / seconds);
	feed_close(feed);
	if (caught_up) {
		add(c, "seconds", seconds);
		return;
	}
	bench_say("%-12s not within %d s of live traffic: now without it", "catchup", LIVE_S);
	int64_t quiet = now_ns();
	had = lines_of(c, AWAY);
	if (!wait_caught_up(c, NULL, QUIET_S))
		bench_wrong("catchup: not within %d s", QUIET_S);
	add(c, "rate.quiet", (lines_of(c, AWAY) - had) / ((double)(now_ns() - quiet) / 1e9));
	add(c, "seconds", (double)(now_ns() - began) / 1e9);
}

/* All members, from the beginning of their logs. */
static void
count_anew(struct rig *rig)
{
	for (int i = 0; i < rig->size; i++) {
		rig->m[i].tally.at = 0;
		tally_restart(&rig->m[i].tally);
	}
}

void
catchup_row(const struct zogd *z)
{
	static struct rig rig;
	struct catchup c = { &rig, z, 1 };
	struct feed feed;
	struct run r;
	uint64_t warm = 500000, away = (uint64_t)bench_setting("BENCH_CATCHUP", 10000000);
	rig_zogd(&rig, z->path, 5, "journal-limit = 16G\n");
	feed_open(&feed, &rig, &one, false);
	if (run_messages(&rig, &feed, &one, 0, warm, &r) &&
	    run_messages(&rig, &feed, &one, warm, warm, &r)) {
		add(&c, "live.before", (double)warm / r.seconds);
		rig_stop(&rig, AWAY);
		if (run_messages(&rig, &feed, &one, 2 * warm, away, &r)) {
			add(&c, "live.away", (double)away / r.seconds);
			c.line_bytes =
			    (double)tally_size(&rig.m[0].tally) / (double)(2 * warm + away);
			come_back(&c, &feed, 2 * warm + away);
			count_anew(&rig);
			wait_same(&c);
			add(&c, "rss", largest(&rig, true));
		}
	}
	if (feed.pid != 0)
		feed_close(&feed);
	rig_end(&rig);
}
