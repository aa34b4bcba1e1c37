/* SPDX-License-Identifier: MIT
 * bench.c - the benchmark's driver: arguments, rounds, the order of rows. */
#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench_growth.h"
#include "bench_idle.h"
#include "bench_pace.h"
#include "bench_plot.h"
#include "bench_results.h"
#include "bench_rows.h"
#include "bench_run.h"
#include "bench_start.h"
#include "bench_table.h"
#include "body.h"

struct bench bench;
static volatile sig_atomic_t interrupted;

/* ---- words ---- */

static void say(const char *before, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void
say(const char *before, const char *fmt, va_list ap)
{
	char text[1024];
	vsnprintf(text, sizeof text, fmt, ap);
	fprintf(stderr, "bench: %s%s\n", before, text);
}

void
bench_say(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

void
bench_wrong(const char *fmt, ...)
{
	va_list ap;
	bench.wrong++;
	va_start(ap, fmt);
	say("WRONG: ", fmt, ap);
	va_end(ap);
}

void
bench_die(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
	exit(1);
}

/* ---- time ---- */

int64_t
now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
}

void
bench_interrupted(void)
{
	if (interrupted != 0)
		exit(128 + interrupted);
}

void
nap_us(int64_t us)
{
	bench_interrupted();
	struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
	nanosleep(&t, NULL);
}

double
bench_setting(const char *name, double standard)
{
	const char *text = getenv(name);
	return text != NULL && atof(text) > 0 ? atof(text) : standard;
}

bool
bench_listed(const char *name)
{
	const char *at = bench.only;
	while (at != NULL && *at != '\0') {
		size_t len = strcspn(at, ",");
		if (strncmp(at, name, len) == 0 &&
		    (name[len] == '\0' || (len != 0 && at[len - 1] == '.')))
			return true;
		at += len + (at[len] == ',');
	}
	return bench.only == NULL;
}

static void
on_signal(int sig)
{
	interrupted = sig;
}

static void
prepare(void)
{
	struct sigaction a = { .sa_handler = on_signal };
	struct rlimit files;
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGHUP, &a, NULL);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	body_init();
}

/* ---- rounds ---- */

static const struct zogd none = { "", "" };

/* The i-th of a round: in every other round the other way round. */
static const struct zogd *
turn(int i, int round)
{
	return &bench.zogd[round % 2 == 0 ? i : bench.zogds - 1 - i];
}

static void
throughput(int round)
{
	int group = 0;
	for (int i = 0; i < rows_count; i++) {
		const struct row *row = &rows[i];
		if (!row_wanted(row->name) || (row->group == GROWTH) != bench.growth)
			continue;
		if (row->group != group && row->base != NULL && strcmp(row->base, "raw") == 0)
			run_row(row_find("raw"), &none, round);
		group = row->group;
		for (int k = 0; row->kind == RIG_ZOGD && k < bench.zogds; k++)
			run_row(row, turn(k, round), round);
		if (row->kind != RIG_ZOGD)
			run_row(row, &none, round);
	}
}

static bool
pace_wanted(const struct pace *p)
{
	bool wanted = bench_listed(p->name);
	for (int i = 0; i < paces_count; i++)
		wanted |= paces[i].base != NULL && strcmp(paces[i].base, p->name) == 0 &&
		    bench_listed(paces[i].name);
	return wanted;
}

static void
latency(int round)
{
	for (int i = 0; i < paces_count; i++) {
		if (!pace_wanted(&paces[i]))
			continue;
		for (int k = 0; paces[i].kind == RIG_ZOGD && k < bench.zogds; k++)
			pace_row(&paces[i], turn(k, round), round);
		if (paces[i].kind != RIG_ZOGD)
			pace_row(&paces[i], &none, round);
	}
}

/* What is measured once. */
static void
idle(void)
{
	for (int k = 0; k < bench.zogds && bench_listed("idle"); k++)
		idle_row(&bench.zogd[k], 0);
	for (int k = 0; k < bench.zogds && bench_listed("clients"); k++)
		clients_row(&bench.zogd[k], 0);
	for (int k = 0; k < bench.zogds && !bench.quick && bench_listed("start"); k++)
		start_row(&bench.zogd[k]);
}

static void
growth(void)
{
	for (int k = 0; k < bench.zogds && bench_listed("time"); k++)
		time_row(&bench.zogd[k]);
	for (int k = 0; k < bench.zogds && bench_listed("catchup"); k++)
		catchup_row(&bench.zogd[k]);
}

static char *
in_out(const char *file, char path[BENCH_PATH + 32])
{
	snprintf(path, BENCH_PATH + 32, "%s/%s", bench.out, file);
	return path;
}

static void
report(void)
{
	char path[BENCH_PATH + 32];
	table_print(stdout);
	FILE *f = fopen(in_out(bench.growth ? "growth.txt" : "table.txt", path), "we");
	if (f == NULL)
		bench_die("%s: %s", path, strerror(errno));
	table_print(f);
	if (fclose(f) != 0)
		bench_die("%s: %s", path, strerror(errno));
	if (!bench.growth) {
		plot_throughput(in_out("throughput.svg", path));
		plot_latency(in_out("latency.svg", path));
	}
	fflush(stdout);
	bench_say("all of it is in %s", bench.out);
}

static void
make_out(void)
{
	char full[PATH_MAX];
	if ((mkdir(bench.out, 0777) < 0 && errno != EEXIST) || realpath(bench.out, full) == NULL)
		bench_die("%s: %s", bench.out, strerror(errno));
	/* Else the longer name with its dots does. */
	if (strlen(full) < sizeof bench.out)
		memcpy(bench.out, full, strlen(full) + 1);
}

/* ---- arguments ---- */

static void
usage(FILE *to)
{
	fputs("usage: bench [--quick] [--growth] [--rounds N] [--seconds S] [--only NAME[,NAME]...] [--list]\n"
	    "             [--zogd PATH]... [--out FOLDER]\n"
	    "  --only     these rows, and what they are compared with; --list names them\n"
	    "  --seconds  how long a throughput run takes, about\n"
	    "  --zogd     this one instead of the one that was built; several are compared in each round\n"
	    "  --out      where results.tsv, table.txt and the plots go (growth.tsv, growth.txt with --growth)\n"
	    "All is made in folders of its own in TMPDIR: up to 15 GB there with --growth, else 5.\n"
	    "Settings, from the environment:\n"
	    "  BENCH_MESSAGES=N        this many in each throughput run, whatever --seconds says\n"
	    "  BENCH_SLOW_MESSAGES=N   for latency, at 100 a second; BENCH_FAST_MESSAGES=N: at 5,000\n"
	    "  BENCH_IDLE_SECONDS=S, BENCH_IDLE_CLIENTS=N\n"
	    "  BENCH_JOURNAL=MB        1024: on which zogd is started\n"
	    "  BENCH_SECONDS=S, BENCH_SLICE=S    180 and 10: a long run, and how often it is looked at\n"
	    "  BENCH_CATCHUP=N         10000000: messages that a member misses\n"
	    "  KEEP=1                  folders stay\n", to);
}

static void
list(void)
{
	for (int i = 0; i < rows_count; i++)
		printf("%-12s %s%s\n", rows[i].name, rows[i].title,
		    rows[i].group == GROWTH ? "; with --growth" : "");
	for (int i = 0; i < paces_count; i++)
		printf("%-12s %s\n", paces[i].name, paces[i].title);
	printf("%-12s %s\n", "idle", "CPU and memory of a ring that has nothing to do");
	printf("%-12s %s\n", "clients", "memory of a client that says nothing");
	printf("%-12s %s\n", "start", "start on a full journal; not with --quick");
	printf("%-12s %s\n", "time", "a long run; with --growth");
	printf("%-12s %s\n", "catchup", "a member that was away; with --growth");
}

static void
add_zogd(const char *path)
{
	static char labels[BENCH_ZOGDS][8];
	char full[PATH_MAX];
	if (bench.zogds == BENCH_ZOGDS)
		bench_die("%d zogds at most", BENCH_ZOGDS);
	if (realpath(path, full) == NULL || access(full, X_OK) < 0)
		bench_die("%s: %s", path, strerror(errno));
	snprintf(labels[bench.zogds], sizeof *labels, "%c", 'a' + bench.zogds);
	bench.zogd[bench.zogds] = (struct zogd){ labels[bench.zogds], strdup(full) };
	bench.zogds++;
}

static void
option(int c)
{
	switch (c) {
	case 'q': bench.quick = true; break;
	case 'g': bench.growth = true; break;
	case 'r': bench.rounds = atoi(optarg); break;
	case 's': bench.seconds = atof(optarg); break;
	case 'o': bench.only = optarg; break;
	case 'l': list(); exit(0);
	case 'z': add_zogd(optarg); break;
	case 'd': snprintf(bench.out, sizeof bench.out, "%s", optarg); break;
	case 'h': usage(stdout); exit(0);
	default: usage(stderr); exit(64);
	}
}

static void
arguments(int argc, char **argv)
{
	static const struct option options[] = {
		{ "quick", no_argument, NULL, 'q' }, { "growth", no_argument, NULL, 'g' },
		{ "rounds", required_argument, NULL, 'r' }, { "seconds", required_argument, NULL, 's' },
		{ "only", required_argument, NULL, 'o' }, { "list", no_argument, NULL, 'l' },
		{ "zogd", required_argument, NULL, 'z' }, { "out", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 }
	};
	char self[PATH_MAX] = "", path[PATH_MAX + 32];
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
		bench_die("/proc/self/exe: %s", strerror(errno));
	snprintf(bench.here, sizeof bench.here, "%.400s", dirname(self));
	snprintf(bench.out, sizeof bench.out, "%.400s/../../bench.out", bench.here);
	for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;)
		option(c);
	if (optind < argc) {
		usage(stderr);
		exit(64);
	}
	if (bench.zogds == 0) {
		snprintf(path, sizeof path, "%s/../../zogd", bench.here);
		add_zogd(path);
	}
	if (bench.zogds == 1)
		bench.zogd[0].label = "";
	if (bench.rounds <= 0)
		bench.rounds = bench.quick || bench.growth ? 3 : 5;
	if (bench.seconds <= 0)
		bench.seconds = bench.quick ? 0.4 : 1.5;
}

int
main(int argc, char **argv)
{
	char path[BENCH_PATH + 32];
	arguments(argc, argv);
	prepare();
	make_out();
	results_open(in_out(bench.growth ? "growth.tsv" : "results.tsv", path));
	for (int round = 0; round < bench.rounds; round++) {
		throughput(round);
		if (!bench.growth)
			latency(round);
	}
	if (bench.growth)
		growth();
	else
		idle();
	results_close();
	report();
	return bench.wrong != 0;
}
