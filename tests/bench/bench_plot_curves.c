/* SPDX-License-Identifier: MIT
 * bench_plot_curves.c - latency.svg: for each rate a panel with percentiles. The percentiles are
 * spread so that the distance from 90 to 99 is that from 99 to 99.9; times are on a logarithmic
 * axis. */
#include "bench_plot.h"

#include <math.h>
#include <stdio.h>

#include "bench_pace.h"
#include "bench_results.h"
#include "bench_svg.h"

/* Pixels. */
enum { LEFT = 84, WIDTH = 420, GAP = 84, TOP = 104, HEIGHT = 330, BOTTOM = 96, RIGHT = 24 };
enum { PANELS = 2 };

static const struct curve {
	const char *row[PANELS], *what, *words, *colour, *dash;
} curves[] = {
	{ { "lat.raw.100", "lat.raw.5000" }, "all", "raw ring: on all five", "#7b8494", "7 4" },
	{ { "lat.one.100", "lat.one.5000" }, "settled", "ack 1: settled", "#2f6fb0", "" },
	{ { "lat.one.100", "lat.one.5000" }, "all", "ack 1: on all five", "#2f6fb0", "7 4" },
	{ { "lat.all.100", "lat.all.5000" }, "settled", "ack all: settled", "#d9822b", "" },
};
enum { CURVES = sizeof curves / sizeof *curves };
static const char *const panels[PANELS] = { "100 messages a second", "5,000 messages a second" };

/* -log10 of the part that is slower, at the right end. */
static const double deep = 3;

struct axis {
	double least, most;     /* us */
};

static const double *
samples(const struct curve *c, int panel, size_t *n)
{
	return results_samples(
	    c->row[panel], c->row[panel][4] == 'r' ? "" : bench.zogd[0].label, c->what, n);
}

static double
y_of(const struct axis *a, double us)
{
	double part = log(us / a->least) / log(a->most / a->least);
	return TOP + HEIGHT * (1 - fmin(fmax(part, 0), 1));
}

static double
x_of(int panel, double depth)
{
	return LEFT + panel * (WIDTH + GAP) + WIDTH * depth / deep;
}

/* From the fastest to the slowest percentile that is drawn of any, to the next 1, 2 or 5. */
static bool
choose_axis(struct axis *a)
{
	static const double steps[] = { 1, 2, 5, 10 };
	double least = NAN, most = NAN;
	for (int i = 0; i < CURVES * PANELS; i++) {
		size_t n;
		const double *us = samples(&curves[i / PANELS], i % PANELS, &n);
		if (n != 0) {
			least = fmin(least, percentile_of(us, n, 1));
			most = fmax(most, percentile_of(us, n, 99.9));
		}
	}
	if (isnan(least))
		return false;
	double down = pow(10, floor(log10(least))), up = pow(10, floor(log10(most)));
	a->least = down;
	a->most = 10 * up;
	for (int i = 0; i < 4; i++)
		if (steps[i] * down <= least)
			a->least = steps[i] * down;
	for (int i = 3; i >= 0; i--)
		if (steps[i] * up >= most)
			a->most = steps[i] * up;
	return true;
}

static void
time_text(char text[16], double us)
{
	if (us < 1000)
		snprintf(text, 16, "%g us", us);
	else
		snprintf(text, 16, "%g ms", us / 1000);
}

static void
draw_grid(struct svg *s, const struct axis *a, int panel)
{
	static const struct {
		double depth;
		const char *words;
	} ticks[] = { { 0, "0" }, { 0.30103, "50" }, { 1, "90" }, { 2, "99" }, { 3, "99.9" } };
	static const double steps[] = { 1, 2, 5 };
	char text[16];
	double left = x_of(panel, 0), right = x_of(panel, deep);
	for (int i = 0; i < 5; i++) {
		double x = x_of(panel, ticks[i].depth);
		svg_line(s, x, TOP, x, TOP + HEIGHT, SVG_FAINT, 1);
		svg_text(s, x, TOP + HEIGHT + 18, SVG_CENTRE, 12, SVG_MIDDLE, ticks[i].words);
	}
	for (double ten = 1; ten <= a->most; ten *= 10)
		for (int i = 0; i < 3; i++) {
			double us = ten * steps[i];
			if (us < a->least * 0.999 || us > a->most * 1.001)
				continue;
			svg_line(s, left, y_of(a, us), right, y_of(a, us), SVG_FAINT, 1);
			time_text(text, us);
			svg_text(s, left - 8, y_of(a, us) + 4, SVG_RIGHT, 12, SVG_MIDDLE, text);
		}
	svg_line(s, left, TOP, left, TOP + HEIGHT, SVG_MIDDLE, 1);
	svg_line(s, left, TOP + HEIGHT, right, TOP + HEIGHT, SVG_MIDDLE, 1);
	svg_text(s, left, TOP - 14, SVG_LEFT, 14, SVG_INK, panels[panel]);
	svg_text(s, (left + right) / 2, TOP + HEIGHT + 38, SVG_CENTRE, 13, SVG_INK, "percentile");
	svg_text_up(s, left - 62, TOP + HEIGHT / 2.0, 13, SVG_INK, "time since the send (log)");
}

/* As far as there are samples to say something. */
static void
draw_curve(struct svg *s, const struct axis *a, const struct curve *c, int panel)
{
	size_t n;
	const double *us = samples(c, panel, &n);
	if (n == 0)
		return;
	svg_curve(s, c->colour, c->dash);
	for (int i = 0; i <= 150; i++) {
		double depth = deep * i / 150;
		if (depth > log10((double)n))
			break;
		svg_point(s, x_of(panel, depth),
		    y_of(a, percentile_of(us, n, 100 * (1 - pow(10, -depth)))));
	}
	svg_curve_end(s);
}

static void
draw_legend(struct svg *s)
{
	double y = TOP + HEIGHT + 72;
	for (int i = 0; i < CURVES; i++) {
		double x = LEFT + i * 230;
		svg_curve(s, curves[i].colour, curves[i].dash);
		svg_point(s, x, y - 4);
		svg_point(s, x + 36, y - 4);
		svg_curve_end(s);
		svg_text(s, x + 44, y, SVG_LEFT, 13, SVG_INK, curves[i].words);
	}
}

bool
plot_latency(const char *path)
{
	struct axis axis;
	struct svg s;
	if (!choose_axis(&axis))
		return false;
	svg_open(&s, path, LEFT + PANELS * WIDTH + GAP + RIGHT, TOP + HEIGHT + BOTTOM,
	    "zog: latency in a ring of five");
	svg_text(&s, 24, 34, SVG_LEFT, 19, SVG_INK, "Latency in a ring of five on one machine");
	svg_text(&s, 24, 56, SVG_LEFT, 12, SVG_MIDDLE,
	    "From the send of a message until its answer (settled), and until it is in all five files.");
	for (int panel = 0; panel < PANELS; panel++) {
		draw_grid(&s, &axis, panel);
		for (int i = 0; i < CURVES; i++)
			draw_curve(&s, &axis, &curves[i], panel);
	}
	draw_legend(&s);
	svg_close(&s);
	return true;
}
