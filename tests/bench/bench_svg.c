/* SPDX-License-Identifier: MIT */
#include "bench_svg.h"

#include <errno.h>
#include <string.h>

#include "bench.h"

static void
escaped(struct svg *s, const char *text)
{
	for (; *text != '\0'; text++)
		switch (*text) {
		case '&': fputs("&amp;", s->f); break;
		case '<': fputs("&lt;", s->f); break;
		case '>': fputs("&gt;", s->f); break;
		default: putc(*text, s->f);
		}
}

void
svg_open(struct svg *s, const char *path, int width, int height, const char *title)
{
	s->f = fopen(path, "we");
	if (s->f == NULL)
		bench_die("%s: %s", path, strerror(errno));
	fprintf(s->f,
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\"\n"
	    "     font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\">\n<title>",
	    width, height, width, height);
	escaped(s, title);
	fprintf(
	    s->f, "</title>\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n", width, height);
}

void
svg_close(struct svg *s)
{
	fputs("</svg>\n", s->f);
	if (fflush(s->f) != 0 || fclose(s->f) != 0)
		bench_die("a plot: %s", strerror(errno));
}

void
svg_line(struct svg *s, double x1, double y1, double x2, double y2, const char *colour,
    double thick)
{
	fprintf(s->f,
	    "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%g\"/>\n",
	    x1, y1, x2, y2, colour, thick);
}

void
svg_box(struct svg *s, double x, double y, double width, double height, const char *colour)
{
	fprintf(s->f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n",
	    x, y, width, height, colour);
}

void
svg_text(struct svg *s, double x, double y, enum svg_anchor anchor, int size, const char *colour,
    const char *text)
{
	static const char *const names[] = { "start", "middle", "end" };
	fprintf(s->f,
	    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"%d\" fill=\"%s\">", x, y,
	    names[anchor], size, colour);
	escaped(s, text);
	fputs("</text>\n", s->f);
}

void
svg_text_up(struct svg *s, double x, double y, int size, const char *colour, const char *text)
{
	fprintf(s->f,
	    "<text transform=\"translate(%.1f %.1f) rotate(-90)\" text-anchor=\"middle\" font-size=\"%d\" "
	    "fill=\"%s\">",
	    x, y, size, colour);
	escaped(s, text);
	fputs("</text>\n", s->f);
}

void
svg_curve(struct svg *s, const char *colour, const char *dash)
{
	fprintf(s->f, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\"", colour);
	if (*dash != '\0')
		fprintf(s->f, " stroke-dasharray=\"%s\"", dash);
	fputs(" points=\"", s->f);
}

void
svg_point(struct svg *s, double x, double y)
{
	fprintf(s->f, "%.1f,%.1f ", x, y);
}

void
svg_curve_end(struct svg *s)
{
	fputs("\"/>\n", s->f);
}
