/* SPDX-License-Identifier: MIT
 * bench_results.h - every figure that was measured, and what is made of them. A figure is known by
 * its row, the zogd that it is of (its label; "" where there is but one, and for the raw rings),
 * the round, and what it is.
 *
 * Each is also written to results.tsv at once: what was measured before an interruption is there. */
#ifndef ZOG_BENCH_RESULTS_H
#define ZOG_BENCH_RESULTS_H

#include <stdbool.h>
#include <stddef.h>

void results_open(const char *tsv);
void results_close(void);
/* row and zogd must stay; `what` too. */
void results_add(const char *row, const char *zogd, int round, const char *what, double value);

/* NAN where there is none. Of several figures of one round, their median counts. */
double results_median(const char *row, const char *zogd, const char *what);     /* over the rounds */
double results_least(const char *row, const char *zogd, const char *what);      /* of all figures */
double results_most(const char *row, const char *zogd, const char *what);
/* value / the other's value in the same round, over the rounds. */
struct ratio {
	double median, least, most;     /* NAN: none */
};
struct ratio results_ratio(const char *row, const char *zogd, const char *what,
    const char *base, const char *base_zogd, const char *base_what);

/* Single measurements of which there are many, of all rounds together; they are not in results.tsv. */
void results_sample(const char *row, const char *zogd, const char *what, double value);
const double *results_samples(const char *row, const char *zogd, const char *what, size_t *count);      /* sorted */

double median_of(double *values, size_t count);         /* sorts them; NAN of none */
double percentile_of(const double *sorted, size_t count, double percent);

#endif
