/* SPDX-License-Identifier: MIT */
#include "bench_results.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { ROUNDS_MAX = 1000 };

struct figure {
	const char *row, *zogd, *what;
	int         round;
	double      value;
};

static struct figure *figures;
static size_t count, room;
static FILE *tsv;

/* ---- keep ---- */

static void *
grow(void *array, size_t members, size_t size)
{
	void *more = realloc(array, members * size);
	if (more == NULL)
		bench_die("out of memory");
	return more;
}

void
results_open(const char *path)
{
	tsv = fopen(path, "we");
	if (tsv == NULL)
		bench_die("%s: %s", path, strerror(errno));
	fputs("row\tzogd\tround\twhat\tvalue\n", tsv);
}

void
results_close(void)
{
	if (tsv != NULL && (fflush(tsv) != 0 || fclose(tsv) != 0))
		bench_die("results.tsv: %s", strerror(errno));
	tsv = NULL;
}

void
results_add(const char *row, const char *zogd, int round, const char *what, double value)
{
	if (count == room) {
		room = room * 2 + 256;
		figures = grow(figures, room, sizeof *figures);
	}
	figures[count++] = (struct figure){ row, zogd, what, round, value };
	if (tsv != NULL) {
		fprintf(tsv, "%s\t%s\t%d\t%s\t%.6g\n", row, *zogd != '\0' ? zogd : "-", round, what,
		    value);
		fflush(tsv);
	}
}

/* ---- ask ---- */

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double
median_of(double *v, size_t n)
{
	if (n == 0)
		return NAN;
	qsort(v, n, sizeof *v, by_value);
	return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

double
percentile_of(const double *sorted, size_t n, double percent)
{
	if (n == 0)
		return NAN;
	size_t i = (size_t)ceil(percent / 100 * (double)n);
	return sorted[i == 0 ? 0 : i > n ? n - 1 : i - 1];
}

static bool
is(const struct figure *f, const char *row, const char *zogd, const char *what)
{
	return strcmp(f->row, row) == 0 && strcmp(f->what, what) == 0 && strcmp(f->zogd, zogd) == 0;
}

/* Of one round. */
static double
of_round(const char *row, const char *zogd, const char *what, int round)
{
	double v[64];
	size_t n = 0;
	for (size_t i = 0; i < count && n < 64; i++)
		if (figures[i].round == round && is(&figures[i], row, zogd, what))
			v[n++] = figures[i].value;
	return median_of(v, n);
}

double
results_median(const char *row, const char *zogd, const char *what)
{
	double v[ROUNDS_MAX];
	size_t n = 0;
	for (int r = 0; r < bench.rounds; r++)
		if (v[n] = of_round(row, zogd, what, r), !isnan(v[n]))
			n++;
	return median_of(v, n);
}

struct ratio
results_ratio(const char *row, const char *zogd, const char *what,
    const char *base, const char *base_zogd, const char *base_what)
{
	double v[ROUNDS_MAX];
	size_t n = 0;
	for (int r = 0; r < bench.rounds; r++) {
		v[n] = of_round(row, zogd, what, r) / of_round(base, base_zogd, base_what, r);
		if (!isnan(v[n]))
			n++;
	}
	double median = median_of(v, n);
	return (struct ratio){ median, n != 0 ? v[0] : NAN, n != 0 ? v[n - 1] : NAN };
}

double
results_least(const char *row, const char *zogd, const char *what)
{
	double least = NAN;
	for (size_t i = 0; i < count; i++)
		if (is(&figures[i], row, zogd, what) && !(figures[i].value >= least))
			least = figures[i].value;
	return least;
}

double
results_most(const char *row, const char *zogd, const char *what)
{
	double most = NAN;
	for (size_t i = 0; i < count; i++)
		if (is(&figures[i], row, zogd, what) && !(figures[i].value <= most))
			most = figures[i].value;
	return most;
}

/* ---- samples ---- */

struct pool {
	const char *row, *zogd, *what;
	double     *value;
	size_t      count, room;
	bool        sorted;
};

static struct pool *pools;
static size_t pools_count;

static struct pool *
pool_of(const char *row, const char *zogd, const char *what)
{
	for (size_t i = 0; i < pools_count; i++)
		if (strcmp(pools[i].row, row) == 0 && strcmp(pools[i].zogd, zogd) == 0 &&
		    strcmp(pools[i].what, what) == 0)
			return &pools[i];
	return NULL;
}

void
results_sample(const char *row, const char *zogd, const char *what, double value)
{
	struct pool *p = pool_of(row, zogd, what);
	if (p == NULL) {
		pools = grow(pools, pools_count + 1, sizeof *pools);
		p = &pools[pools_count++];
		*p = (struct pool){ .row = row, .zogd = zogd, .what = what };
	}
	if (p->count == p->room) {
		p->room = p->room * 2 + 256;
		p->value = grow(p->value, p->room, sizeof *p->value);
	}
	p->value[p->count++] = value;
	p->sorted = false;
}

const double *
results_samples(const char *row, const char *zogd, const char *what, size_t *n)
{
	struct pool *p = pool_of(row, zogd, what);
	*n = p != NULL ? p->count : 0;
	if (p != NULL && !p->sorted)
		qsort(p->value, p->count, sizeof *p->value, by_value);
	if (p != NULL)
		p->sorted = true;
	return p != NULL ? p->value : NULL;
}
