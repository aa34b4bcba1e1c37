/* SPDX-License-Identifier: MIT */
#include "bench_start.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench_feed.h"
#include "bench_proc.h"
#include "bench_results.h"
#include "bench_rig.h"
#include "bench_run.h"

enum { SLICE_S = 8, TRIES = 3, SEGMENT_MB = 64, START_S = 300 };

/* ---- the journal's files ---- */

typedef void for_file(int fd, off_t *sum);

static void
add_size(int fd, off_t *sum)
{
	struct stat st;
	if (fstat(fd, &st) == 0)
		*sum += st.st_size;
}

static void
out_of_memory(int fd, off_t *sum)
{
	(void)sum;
	fdatasync(fd);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static off_t
all_files(const struct rig *rig, for_file *do_it)
{
	char folder[BENCH_PATH + 16];
	off_t sum = 0;
	snprintf(folder, sizeof folder, "%s/state", rig->m[0].folder);
	DIR *d = opendir(folder);
	if (d == NULL)
		bench_die("%s: %s", folder, strerror(errno));
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		int fd = openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC);
		struct stat st;
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
			do_it(fd, &sum);
		if (fd >= 0)
			close(fd);
	}
	closedir(d);
	return sum;
}

/* ---- filling it ---- */

/* The oldest segments go when the limit would be passed, so that a full one may be a segment below. */
static bool
full(const struct rig *rig, double mb)
{
	return (double)all_files(rig, add_size) / 1048576 >= mb - SEGMENT_MB;
}

static bool
fill(struct rig *rig, const struct shape *shape, double mb)
{
	struct feed feed;
	struct run r;
	uint64_t first = 0, count = 20000;
	bool good = true;
	feed_open(&feed, rig, shape, false);
	while (good && !full(rig, mb)) {
		good = run_messages(rig, &feed, shape, first, count, &r);
		first += count;
		if (r.seconds > SLICE_S / 2.0)
			bench_say("%-12s %.0f MB, %.0f messages/s", "start",
			    (double)all_files(rig, add_size) / 1048576, (double)count / r.seconds);
		count = (uint64_t)((double)count * SLICE_S / (r.seconds > 0.1 ? r.seconds : 0.1));
	}
	feed_close(&feed);
	return good;
}

/* ---- starting ---- */

/* Seconds; *cpu too. */
static double
start(struct rig *rig, double *cpu)
{
	int64_t began = now_ns();
	rig_launch(rig, 0);
	while (!rig_ready(rig, 0)) {
		if (now_ns() - began > (int64_t)START_S * 1000000000)
			bench_die("zogd does not start within %d s", START_S);
		nap_us(1000);
	}
	double s = (double)(now_ns() - began) / 1e9;
	*cpu = (double)proc_cpu_ns(rig->m[0].pid) / 1e9;
	rig_stop(rig, 0);
	return s;
}

static void
measure(struct rig *rig, const char *const figure[4], const struct zogd *z)
{
	double mb = (double)all_files(rig, add_size) / 1048576, warm[TRIES], cpu[TRIES], unused;
	rig_stop(rig, 0);
	for (int i = 0; i < TRIES; i++)
		warm[i] = start(rig, &cpu[i]);
	all_files(rig, out_of_memory);
	double cold = start(rig, &unused), warm_median = median_of(warm, TRIES),
	       cpu_median = median_of(cpu, TRIES);
	results_add("start", z->label, 0, figure[0], mb);
	results_add("start", z->label, 0, figure[1], warm_median);
	results_add("start", z->label, 0, figure[2], cold);
	results_add("start", z->label, 0, figure[3], cpu_median);
	bench_say("%-12s %s%s: %.0f MB in %.2f s, from the disk %.2f s; %.2f s of CPU time",
	    "start", z->label, figure[0], mb, warm_median, cold, cpu_median);
}

void
start_row(const struct zogd *z)
{
	static const char *const figures[2][4] = {
		{ "batches.mb", "batches.warm", "batches.cold", "batches.cpu" },
		{ "lines.mb", "lines.warm", "lines.cold", "lines.cpu" } };
	/* One message in flight on each connection, so that each is a batch. */
	static const struct shape shapes[2] = { { "numbered", 1, false, 10000, "1", { 32, 63 } },
		{ "numbered", 400, false, 1, "1", { 32, 63 } } };
	static struct rig rig;
	char conf[128];
	double mb = bench_setting("BENCH_JOURNAL", 1024);
	snprintf(conf, sizeof conf, "sync = none\njournal-limit = %.0fM\njournal-segment = %dM\n",
	    mb, SEGMENT_MB);
	for (int i = 0; i < 2; i++) {
		rig_zogd(&rig, z->path, 1, conf);
		bench_say("%-12s filling a journal of %.0f MB with %s", "start", mb,
		    i == 0 ? "batches" : "single messages");
		if (fill(&rig, &shapes[i], mb))
			measure(&rig, figures[i], z);
		rig_end(&rig);
	}
}
