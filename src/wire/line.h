/* SPDX-License-Identifier: MIT
 * line.h - what a good message is (doc/protocol, section 1), and where a line ends. Pure. */
#ifndef ZOG_WIRE_LINE_H
#define ZOG_WIRE_LINE_H

#include <stdbool.h>
#include <stddef.h>

enum {
	LINE_MAX_TEXT = 509,            /* bytes of text; with its CR LF a message is under 512 */
	LINE_MAX_SEARCH = 64 * 1024,    /* bytes without an LF after which no next line is looked for */
};

enum line_is {
	LINE_GOOD,      /* text .. text + len is a good message */
	LINE_BAD,       /* reason says why; the next line begins after size bytes */
	LINE_MORE,      /* no LF yet */
	LINE_NEVER,     /* no LF in more than LINE_MAX_SEARCH bytes: close the connection */
};

struct line {
	const char *text;       /* without prefix and line end */
	size_t      len;
	size_t      size;       /* with both; of a bad line too */
	const char *reason;     /* static text; NULL for a good one */
};

/* The first line of p[0 .. n), whatever it holds: text and len are all before its line end; reason is set if that is no CR LF.
 * LINE_GOOD, LINE_BAD (no CR), LINE_MORE or LINE_NEVER. */
enum line_is line_find(const char *p, size_t n, struct line *);

/* The first line of p[0 .. n), whose first prefix bytes (a wrapping byte: 1) do not count as text. */
enum line_is line_next(const char *p, size_t n, size_t prefix, struct line *);

/* Why this text (without line end) is no good message; NULL: it is one. */
const char *line_check(const char *text, size_t len);

/* The same of each of the so many lines that p[0 .. n) is made of, whole, each with its CR LF and no other CR or LF
 * (frame_check_lines): the reason of the first bad one. */
const char *line_check_all(const char *p, size_t n, size_t lines);

/* How many of the first n bytes are printing ASCII (0x20 .. 0x7e) or TAB: in most good lines, all up to the CR. No byte at
 * p + n or behind it is looked at. */
size_t line_ascii(const char *p, size_t n);
size_t line_ascii_plain(const char *p, size_t n);       /* for tests: without wide registers */

/* The reasons that have to do with where a line ends. */
extern const char line_reason_long[], line_reason_no_cr[], line_reason_cut[], line_reason_never[];

#endif
