/* SPDX-License-Identifier: MIT
 * bench_svg.h - a drawing: lines, boxes and texts in pixels from the top left corner, on a white
 * ground. */
#ifndef ZOG_BENCH_SVG_H
#define ZOG_BENCH_SVG_H

#include <stdio.h>

#define SVG_INK    "#1f2430"    /* texts */
#define SVG_FAINT  "#d9dce3"    /* lines behind */
#define SVG_MIDDLE "#6b7280"    /* small texts, whiskers */

enum svg_anchor { SVG_LEFT, SVG_CENTRE, SVG_RIGHT };

struct svg {
	FILE *f;
};

void svg_open(struct svg *, const char *path, int width, int height, const char *title);
void svg_close(struct svg *);
void svg_line(struct svg *, double x1, double y1, double x2, double y2, const char *colour, double thick);
void svg_box(struct svg *, double x, double y, double width, double height, const char *colour);
void svg_text(struct svg *, double x, double y, enum svg_anchor, int size, const char *colour, const char *text);
void svg_text_up(struct svg *, double x, double y, int size, const char *colour, const char *text);    /* turned, centred */
/* A curve: begin, points, end. dash: "" or a pattern of SVG. */
void svg_curve(struct svg *, const char *colour, const char *dash);
void svg_point(struct svg *, double x, double y);
void svg_curve_end(struct svg *);

#endif
