/* SPDX-License-Identifier: MIT
 * bench.h - what the parts of bench, the benchmark's driver, share: options, end, clock.
 *
 * bench.c        arguments, rounds, the order of rows
 * bench_rows     what is measured: the list of rows
 * bench_rig      rings of real zogd, and of rawring, in a folder of their own
 * bench_proc     what the system tells of a process
 * bench_feed     the client, `load`, as a process that obeys lines
 * bench_tally    counts and sums of the lines in the logs: that none is missing
 * bench_run      throughput
 * bench_pace     latency
 * bench_idle     what nothing costs
 * bench_start    starting on a full journal
 * bench_growth   a long run, and catching up
 * bench_results  all figures, medians, ratios, results.tsv
 * bench_table, bench_plot (with bench_svg), bench_aims: what is made of them
 *
 * One thread. What does not work ends the program by bench_die, or is counted by bench_wrong; a
 * slow machine is neither. Rings are killed and their folder removed at any end. */
#ifndef ZOG_BENCH_BENCH_H
#define ZOG_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_ZOGDS = 4, BENCH_PATH = 512 };

struct zogd {
	const char *label, *path;       /* "" where there is but one */
};

struct bench {
	struct zogd zogd[BENCH_ZOGDS];
	int         zogds;
	char        here[BENCH_PATH];   /* the folder of this program, of load and of rawring */
	char        out[BENCH_PATH];    /* where results go */
	const char *only;               /* NAME[,NAME]..., NULL: all */
	int         rounds;
	double      seconds;            /* of one throughput run, about */
	bool        quick, growth, verbose;
	int         wrong;              /* things that did not work */
};
extern struct bench bench;              /* constant once the arguments have been read, but wrong */

/* One line on stderr. */
void bench_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void bench_wrong(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void bench_die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

int64_t now_ns(void);           /* CLOCK_MONOTONIC */
void    nap_us(int64_t us);     /* every wait goes through it: the program ends here after INT or TERM */
void    bench_interrupted(void);        /* ends the program, if a signal asked for it */

/* Whether --only asks for it: by its name, or by the beginning of names, up to a dot. */
bool    bench_listed(const char *name);

/* A number from the environment, or this one. */
double  bench_setting(const char *name, double standard);

#endif
