/* SPDX-License-Identifier: MIT
 * bench_run.c - throughput, CPU time and memory. */
#include "bench_run.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_proc.h"
#include "bench_results.h"

enum { LOOK_US = 400, QUIET_MS = 60, STUCK_S = 60, MESSAGES_LEAST = 500, MESSAGES_MOST = 6000000 };

/* ---- one run ---- */

struct watch {                  /* of the members' files */
	off_t   size[RIG_MAX];
	int64_t grown_ns[RIG_MAX];
};

/* Takes note of those that have grown. */
static void
look(const struct rig *rig, struct watch *w)
{
	int64_t now = now_ns();
	for (int i = 0; i < rig->size; i++) {
		off_t size = tally_size(&rig->m[i].tally);
		if (size != w->size[i])
			w->grown_ns[i] = now;
		w->size[i] = size;
	}
}

static int64_t
last_grown(const struct rig *rig, const struct watch *w)
{
	int64_t last = 0;
	for (int i = 0; i < rig->size; i++)
		if (rig->m[i].pid != 0 && w->grown_ns[i] > last)
			last = w->grown_ns[i];
	return last;
}

static bool
all_there(struct rig *rig, uint64_t count)
{
	bool all = true;
	for (int i = 0; i < rig->size; i++)
		if (rig->m[i].pid != 0) {
			tally_more(&rig->m[i].tally);
			all = all && rig->m[i].tally.lines >= count;
		}
	return all;
}

static bool
settled_well(const struct fed *fed, uint64_t count)
{
	if (fed->ok == count && fed->failed == 0)
		return true;
	bench_wrong("%" PRIu64 " of %" PRIu64 " messages were settled: %s", fed->ok, count,
	    fed->why);
	return false;
}

/* Counting takes time and CPU that are not the ring's: it begins when nothing has grown for a while. */
static bool
wait_all(struct rig *rig, struct feed *feed, uint64_t count, struct watch *w, struct fed *fed)
{
	bool done = false;
	int64_t quiet_ns = (int64_t)QUIET_MS * 1000000, since = now_ns();
	for (;;) {
		const char *line = feed_line(feed, LOOK_US);
		done = done || (line != NULL && feed_done(line, fed));
		look(rig, w);
		int64_t last = last_grown(rig, w), now = now_ns();
		if (last > since)
			since = last;
		if (done && now - since > quiet_ns && all_there(rig, count))
			return settled_well(fed, count);
		if (now - since > quiet_ns)
			rig_check(rig);
		if (done && now - since > quiet_ns)
			nap_us(20000);
		if (now - since > (int64_t)STUCK_S * 1000000000)
			return false;
	}
}

static bool
check(struct rig *rig, uint64_t count, uint64_t sum)
{
	bool good = true;
	for (int i = 0; i < rig->size; i++) {
		const struct member *m = &rig->m[i];
		if (m->pid == 0 || (m->tally.lines == count && m->tally.sum == sum))
			continue;
		good = false;
		if (m->tally.lines != count)
			bench_wrong("member %s has %" PRIu64 " lines of %" PRIu64, m->name,
			    m->tally.lines, count);
		else
			bench_wrong("member %s has the right number of lines, but other texts",
			    m->name);
	}
	return good;
}

struct meter {
	int64_t members, client, machine, own, ns;
	int64_t calls, disk;
};

static struct meter
meter(const struct rig *rig, const struct feed *feed)
{
	struct meter m = { .members = rig_cpu_ns(rig),
		.client = proc_cpu_ns(feed->pid),
		.machine = proc_machine_ns(),
		.own = proc_cpu_ns(getpid()),
		.ns = now_ns() };
	for (int i = 0; i < rig->size; i++)
		if (rig->m[i].pid != 0) {
			struct proc_written w = proc_written(rig->m[i].pid);
			m.calls += w.calls;
			m.disk += w.disk;
		}
	return m;
}

static void
read_meters(struct run *r, const struct meter *a, const struct meter *b)
{
	r->cpu = (double)(b->members - a->members) / 1e9;
	r->client_cpu = (double)(b->client - a->client) / 1e9;
	r->written_calls = (double)(b->calls - a->calls);
	r->written_disk = (double)(b->disk - a->disk);
	int64_t ours = b->members - a->members + b->client - a->client + b->own - a->own;
	double others = (double)(b->machine - a->machine - ours);
	double all = (double)(b->ns - a->ns) * (double)sysconf(_SC_NPROCESSORS_ONLN);
	r->others = others > 0 ? others / all : 0;
}

bool
run_messages(struct rig *rig, struct feed *feed, const struct shape *shape, uint64_t first,
    uint64_t count, struct run *r)
{
	struct watch w = { .size = { 0 } };
	struct fed fed = { .ok = 0 };
	for (int i = 0; i < rig->size; i++)
		if (rig->m[i].pid != 0)
			tally_restart(&rig->m[i].tally);
	look(rig, &w);
	struct meter before = meter(rig, feed);
	feed_tell(feed, "run %" PRIu64 " %" PRIu64 "\n", first, count);
	bool good = wait_all(rig, feed, count, &w, &fed);
	struct meter after = meter(rig, feed);
	/* What counting cost is among `own`, and its time among the machine's. */
	read_meters(r, &before, &after);
	r->seconds = (double)(last_grown(rig, &w) - fed.start_ns) / 1e9;
	r->settled_seconds = (double)(fed.end_ns - fed.start_ns) / 1e9;
	return check(rig, count, body_sum(first, count, shape->size)) && good;
}

/* ---- a row ---- */

/* BENCH_MESSAGES is a fixed number for all rows. */
static uint64_t
warm_count(const struct row *row)
{
	double n = bench_setting("BENCH_MESSAGES", (double)row->warm);
	return n < (double)row->warm ? (uint64_t)n : row->warm;
}

/* How many messages take about as long as a run is to take; the same in all rounds. */
static uint64_t
run_count(const struct row *row, double warm_rate)
{
	static struct {
		const struct row *row;
		uint64_t          count;
	} known[64];
	int i = 0;
	while (known[i].row != NULL && known[i].row != row)
		i++;
	if (known[i].row == NULL) {
		double n = warm_rate * bench.seconds;
		n = n < MESSAGES_LEAST ? MESSAGES_LEAST : n > MESSAGES_MOST ? MESSAGES_MOST : n;
		known[i].row = row;
		known[i].count = (uint64_t)bench_setting("BENCH_MESSAGES", n);
	}
	return known[i].count;
}

static double
megabytes(int64_t bytes)
{
	return (double)bytes / 1048576;
}

static void
add_memory(const struct row *row, const struct zogd *z, int round, const struct rig *rig,
    const double *before)
{
	double now = 0, peak = 0, peak_sum = 0;
	for (int i = 0; i < rig->size; i++) {
		struct proc_memory m = proc_memory(rig->m[i].pid);
		now += megabytes(m.rss);
		peak_sum += megabytes(m.peak);
		peak = fmax(peak, megabytes(m.peak));
	}
	results_add(row->name, z->label, round, "rss.before", *before);
	results_add(row->name, z->label, round, "rss.after", now);
	results_add(row->name, z->label, round, "rss.peak", peak_sum);
	results_add(row->name, z->label, round, "rss.peak.member", peak);
}

static void
add_run(const struct row *row, const struct zogd *z, int round, uint64_t count, const struct run *r)
{
	double n = (double)count;
	results_add(row->name, z->label, round, "messages", n);
	results_add(row->name, z->label, round, "rate", n / r->seconds);
	if (row->kind == RIG_ZOGD)
		results_add(row->name, z->label, round, "rate.settled", n / r->settled_seconds);
	results_add(row->name, z->label, round, "cpu", r->cpu * 1e6 / n);
	results_add(row->name, z->label, round, "cpu.client", r->client_cpu * 1e6 / n);
	results_add(row->name, z->label, round, "cpu.others", r->others);
	results_add(row->name, z->label, round, "written", r->written_calls / n);
	results_add(row->name, z->label, round, "written.disk", r->written_disk / n);
	bench_say("%-10s %s%s%9.0f/s, members %.3f us a message, client %.3f%s", row->name,
	    z->label, *z->label != '\0' ? " " : "", n / r->seconds, r->cpu * 1e6 / n,
	    r->client_cpu * 1e6 / n, r->others > 0.05 ? "; others were busy" : "");
}

static double
rss_sum(const struct rig *rig)
{
	double sum = 0;
	for (int i = 0; i < rig->size; i++)
		sum += megabytes(proc_memory(rig->m[i].pid).rss);
	return sum;
}

void
run_row(const struct row *row, const struct zogd *z, int round)
{
	static struct rig rig;
	struct feed feed;
	struct run r;
	if (row->kind == RIG_ZOGD)
		rig_zogd(&rig, z->path, row->members, row->conf);
	else
		rig_raw(&rig, row->kind);
	double before = rss_sum(&rig);
	feed_open(&feed, &rig, &row->load, false);
	uint64_t warm = warm_count(row);
	if (run_messages(&rig, &feed, &row->load, 0, warm, &r)) {
		uint64_t count = run_count(row, (double)warm / r.seconds);
		if (run_messages(&rig, &feed, &row->load, warm, count, &r)) {
			add_run(row, z, round, count, &r);
			add_memory(row, z, round, &rig, &before);
		}
	}
	feed_close(&feed);
	rig_end(&rig);
}
