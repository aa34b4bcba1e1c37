/* SPDX-License-Identifier: MIT
 * cmd.h - the parts of the command sprog.
 *
 * cmd_options.c  what was typed, help and version
 * cmd_source.c   where the texts come from: made up, given, or the lines of a file
 * cmd_report.c   what became of them: log, verbose lines, failures on stderr, the exit code
 * cmd_stats.c    counts, rate, latency, progress line
 * sprog.c        the loop that sends them
 */
#ifndef ZOG_SPROG_CMD_H
#define ZOG_SPROG_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sysexits.h>

#include "base/buf.h"
#include "sprog/sprog.h"

/* ---- options ---- */

struct options {
	struct sprog_options lib;
	int64_t     interval_ns;        /* 0: as fast as it is settled */
	uint64_t    count;              /* UINT64_MAX: no end */
	const char *message, *file;     /* NULL: quasi-random text */
	unsigned    least, most;        /* bytes of quasi-random text */
	uint64_t    seed;               /* of that */
	const char *log;
	bool        progress, quiet, verbose;
};

/* -1: go on; else the exit code, all having been said. */
int options_parse(struct options *, int argc, char *argv[]);

/* ---- source ---- */

enum source_is { SOURCE_TEXT, SOURCE_WAIT, SOURCE_END };

struct source {
	const char *message, *file;
	unsigned    least, spread;
	uint64_t    random;
	int         fd;                 /* -1: none */
	bool        ended, skipping;    /* at end of file; in the rest of a line that is too long */
	uint64_t    line;               /* number of the last one */
	size_t      used;               /* bytes of in that the last text came from */
	struct buf  in;
	char        text[512 + 8];
};

int  source_open(struct source *, const struct options *);      /* 0 or the exit code, said why */
void source_close(struct source *);
/* The next text stays until the next call. SOURCE_WAIT: source_read first, once fd can be read. */
enum source_is source_next(struct source *, const char **text, size_t *len);
/* All that is there of the file, for who can take many lines at once, and has then taken so many. */
const char *source_lines(struct source *, size_t *len);
void source_took(struct source *, size_t bytes, size_t lines);
bool source_read(struct source *);      /* one read; false: it failed, said why */

/* ---- stats ---- */

enum { STATS_BUCKETS = 64 * 32 };

struct stats {
	uint64_t submitted, ok, error, unknown, unsent;
	int64_t  first_ns, last_ns;     /* first submitted, last come to its end; 0: none */
	uint64_t most_ns;               /* the longest latency */
	uint64_t bucket[STATS_BUCKETS];
};

void stats_add(struct stats *, const struct sprog_result *);
uint64_t stats_quantile(const struct stats *, double share);    /* ns; within 4 percent */
void stats_summary(const struct stats *, struct buf *);         /* whole lines */
void stats_progress(const struct stats *, const struct stats *before, double seconds, struct buf *);

/* ---- report ---- */

struct report {
	const struct options *options;
	struct stats stats;
	int         code;               /* exit code so far: the gravest failure's */
	bool        hopeless;           /* a message could not be sent to anyone */
	int         log_fd;             /* -1: none */
	struct buf  log, out;           /* not yet written: of --log, of standard output */
	int64_t     stamp_s;            /* the second that stamp stands for */
	char        stamp[24];
	/* Failures one like another are said once, and counted. */
	uint64_t    failures, more;
	int         last_status;
	char        last_member[80], last_reason[512];
	bool        terminal;           /* standard error is one */
	bool        line_shown;         /* and a progress line stands there */
};

int  report_open(struct report *, const struct options *);      /* 0 or the exit code, said why */
/* The library's callback; tag is the line's number. */
void report_settled(void *report, const struct sprog_result *);
void report_failed(struct report *, int code);  /* said already: for the exit code */
void report_bad_line(struct report *, const struct source *, const char *why);
void report_more(struct report *);      /* how many failures were like the last one */
void report_progress(struct report *, const struct stats *before, double seconds);
void report_say(struct report *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool report_flush(struct report *);     /* false: an output cannot be written, said so */
int  report_close(struct report *, bool summary);       /* the exit code */

#endif
