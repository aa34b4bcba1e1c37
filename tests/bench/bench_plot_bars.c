/* SPDX-License-Identifier: MIT
 * bench_plot_bars.c - throughput.svg. */
#include "bench_plot.h"

#include <math.h>
#include <stdio.h>

#include "bench_results.h"
#include "bench_rows.h"
#include "bench_svg.h"

/* Pixels. */
enum { TOP = 92, STEP = 26, BAR = 16, LEFT = 310, WIDTH = 420, RIGHT = 270, BOTTOM = 58 };

static const char *const colours[BENCH_ZOGDS] = { "#2f6fb0", "#d9822b", "#3a9a5b", "#8a5bb5" };

struct bar {
	const struct row *row;
	int          zogd;              /* -1: none */
	struct ratio ratio;
};

static bool
measure(struct bar *b)
{
	const char *label = b->zogd < 0 ? "" : bench.zogd[b->zogd].label;
	double rate = results_median(b->row->name, label, "rate");
	if (isnan(rate) || b->row->group == GROWTH)
		return false;
	if (b->row->base != NULL)
		b->ratio = results_ratio(b->row->name, label, "rate", b->row->base, "", "rate");
	else
		b->ratio = (struct ratio){ 1, results_least(b->row->name, label, "rate") / rate,
			results_most(b->row->name, label, "rate") / rate };
	return true;
}

static int
collect(struct bar *bars, int max)
{
	int n = 0;
	for (int i = 0; i < rows_count; i++)
		for (int z = 0; z < (rows[i].kind == RIG_ZOGD ? bench.zogds : 1) && n < max; z++) {
			bars[n].row = &rows[i];
			bars[n].zogd = rows[i].kind == RIG_ZOGD ? z : -1;
			n += measure(&bars[n]);
		}
	return n;
}

/* The end of the axis: past the longest whisker, in steps of 0.2. */
static double
axis_end(const struct bar *bars, int n)
{
	double most = 1;
	for (int i = 0; i < n; i++)
		most = fmax(most, bars[i].ratio.most);
	return fmin(ceil(most * 5 + 0.2) / 5, 2);
}

static double
place(double ratio, double end)
{
	return LEFT + WIDTH * fmin(ratio, end) / end;
}

static void
draw_axis(struct svg *s, double end, int n)
{
	char text[16];
	double bottom = TOP + n * STEP;
	for (int i = 0; i <= (int)lround(end * 5); i++) {
		double x = place(i / 5.0, end);
		svg_line(s, x, TOP - 6, x, bottom, i == 5 ? SVG_MIDDLE : SVG_FAINT, 1);
		snprintf(text, sizeof text, "%.1f", i / 5.0);
		svg_text(s, x, bottom + 17, SVG_CENTRE, 12, SVG_MIDDLE, text);
	}
	svg_text(s, LEFT + WIDTH / 2.0, bottom + 38, SVG_CENTRE, 13, SVG_INK,
	    "messages a second, of the raw ring of the same round (median; whiskers: least and most round)");
	svg_text(s, LEFT + WIDTH + 115, TOP - 12, SVG_RIGHT, 12, SVG_MIDDLE, "messages/s");
	svg_text(s, LEFT + WIDTH + 180, TOP - 12, SVG_RIGHT, 12, SVG_MIDDLE, "of raw");
	svg_text(s, LEFT + WIDTH + 255, TOP - 12, SVG_RIGHT, 12, SVG_MIDDLE, "CPU us");
}

static void
draw_numbers(struct svg *s, const struct bar *b, double y)
{
	const char *label = b->zogd < 0 ? "" : bench.zogd[b->zogd].label;
	double rate = results_median(b->row->name, label, "rate");
	char text[32];
	if (rate >= 1e6)
		snprintf(text, sizeof text, "%.2f million", rate / 1e6);
	else
		snprintf(text, sizeof text, "%.1f thousand", rate / 1e3);
	svg_text(s, LEFT + WIDTH + 115, y, SVG_RIGHT, 12, SVG_INK, text);
	snprintf(text, sizeof text, "%.3f", b->ratio.median);
	svg_text(s, LEFT + WIDTH + 180, y, SVG_RIGHT, 12, SVG_INK, text);
	snprintf(text, sizeof text, "%.2f", results_median(b->row->name, label, "cpu"));
	svg_text(s, LEFT + WIDTH + 255, y, SVG_RIGHT, 12, SVG_INK, text);
}

static void
draw_bar(struct svg *s, const struct bar *b, double y, double end)
{
	char text[128];
	double middle = y + BAR / 2.0, from = place(b->ratio.least, end),
	       to = place(b->ratio.most, end);
	bool several = bench.zogds > 1 && b->zogd >= 0;
	snprintf(text, sizeof text, "%s%s%s", b->row->title, several ? ": " : "",
	    several ? bench.zogd[b->zogd].label : "");
	svg_text(s, LEFT - 10, y + 12, SVG_RIGHT, 13, SVG_INK, text);
	svg_box(s, LEFT, y, place(b->ratio.median, end) - LEFT, BAR,
	    b->zogd < 0 ? "#a9b1bf" : colours[b->zogd]);
	svg_line(s, from, middle, to, middle, SVG_INK, 1.2);
	svg_line(s, from, middle - 4, from, middle + 4, SVG_INK, 1.2);
	svg_line(s, to, middle - 4, to, middle + 4, SVG_INK, 1.2);
	draw_numbers(s, b, y + 12);
}

bool
plot_throughput(const char *path)
{
	struct bar bars[128];
	struct svg s;
	char text[160];
	int n = collect(bars, 127);
	if (n == 0)
		return false;
	double end = axis_end(bars, n);
	svg_open(&s, path, LEFT + WIDTH + RIGHT, TOP + n * STEP + BOTTOM,
	    "zog: throughput of a ring of five");
	svg_text(&s, 24, 34, SVG_LEFT, 19, SVG_INK, "Throughput of a ring of five on one machine");
	snprintf(text, sizeof text,
	    "%d rounds. From the first send until the last member's log has the last line. Grey: "
	    "processes that only copy. CPU: a message, all members.",
	    bench.rounds);
	svg_text(&s, 24, 56, SVG_LEFT, 12, SVG_MIDDLE, text);
	draw_axis(&s, end, n);
	for (int i = 0; i < n; i++)
		draw_bar(&s, &bars[i], TOP + i * STEP + (STEP - BAR) / 2.0, end);
	svg_close(&s);
	return true;
}
