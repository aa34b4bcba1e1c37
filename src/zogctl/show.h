/* SPDX-License-Identifier: MIT
 * show.h - a status, as zogd told it, in the forms that people and programs read. Pure: from a value into a buffer.
 * Each is false only where memory is out. */
#ifndef ZOG_ZOGCTL_SHOW_H
#define ZOG_ZOGCTL_SHOW_H

#include "zogctl/value.h"

enum { SHOW_RATES = 4 };
extern const char *const show_rate_names[SHOW_RATES];   /* counters that are shown as so many a second */

/* Colours are put in only where a terminal is said to want them. */
struct show_style {
	bool colour;
	int  columns;           /* lines are cut there; 0: never */
	int  rows;              /* with streams left out where they do not fit; 0: all */
	bool rates;             /* shown are those of rate, not those that zogd tells */
	int64_t rate[SHOW_RATES];
};

bool show_screen(const struct pt_value *status, const struct show_style *, struct buf *out);
bool show_json(const struct pt_value *, struct buf *out);                      /* any value, in one line */
bool show_metrics(const struct pt_value *status, struct buf *out);              /* status NULL: no zogd answers */
bool show_dot(const struct pt_value *status, struct buf *out);

/* One line for monitoring, and how it is. */
enum show_health { SHOW_WELL, SHOW_DEGRADED, SHOW_NOT_SERVING };
enum { SHOW_DISK_LEAST = 64 * 1024 * 1024 };    /* free bytes: below that a disk is worth a word */
enum show_health show_check(const struct pt_value *status, struct buf *line);

/* Does this member miss nothing that its peers have? Else what it waits for. */
bool show_caught_up(const struct pt_value *status, struct buf *why);

/* The answers to trace and verify; verify is true where all is well. */
void show_trace(const struct pt_value *list, const char *self, struct buf *out);
bool show_verify(const struct pt_value *, struct buf *out);

/* Lines of messages, each as it is if it is of good text, else escaped: for a terminal. false: no memory. */
bool show_lines(const char *, size_t n, struct buf *out);

/* 2026-11-20, 2026-11-20T08:32:01Z (UTC), or 90s, 10m, 2h, 3d before now. false: none of these. */
bool show_when(const char *text, int64_t now_ms, int64_t *ms);

/* For those above: a sentence about a member that is not up; "": it is. */
void show_trouble(const struct pt_value *member, struct buf *out);

#endif
