/* SPDX-License-Identifier: MIT
 * bench_feed.h - the client of a run: the program `load` as a process, which obeys lines and
 * answers them. */
#ifndef ZOG_BENCH_FEED_H
#define ZOG_BENCH_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench_rig.h"
#include "body.h"

struct shape {                  /* of the load */
	const char *form;               /* numbered, plain, raw */
	int         conns;
	bool        spread;             /* over all members; else all at the first one */
	int         window;             /* 0: 10,000 */
	const char *ack;                /* NULL: the member's */
	struct body_size size;
};

struct feed {
	pid_t pid;
	int   in, out;                  /* its standard input and output, our ends */
	char  buffer[8192];
	size_t len, eaten;
};

struct fed {                    /* what "done" says */
	int64_t  start_ns, end_ns;
	uint64_t ok, failed;
	char     why[160];
};

/* watch: load is to watch the members' files, for latency. */
void feed_open(struct feed *, const struct rig *, const struct shape *, bool watch);
void feed_close(struct feed *);
void feed_tell(struct feed *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Its next line, valid until the next call, waiting for it for so long at most; NULL: none yet. */
const char *feed_line(struct feed *, int64_t wait_us);
bool feed_done(const char *line, struct fed *);         /* false: that was no "done" */

#endif
