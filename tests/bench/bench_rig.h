/* SPDX-License-Identifier: MIT
 * bench_rig.h - a ring of processes on loopback, in a folder and a block of addresses of its own.
 *
 * Either zogds, each with its zogd.conf, or rawrings; both have a file for each member that grows
 * by a line for each message. One ring at a time. What does not come up, or ends by itself, ends
 * the benchmark with the reason. */
#ifndef ZOG_BENCH_RIG_H
#define ZOG_BENCH_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench.h"
#include "bench_tally.h"

enum { RIG_MAX = 16 };

enum rig_kind { RIG_RAW, RIG_LINE, RIG_ZOGD };

struct member {
	char  name[20], host[48], folder[BENCH_PATH];
	char  target[64];               /* HOST:PORT, where clients go */
	char  file[BENCH_PATH + 32];    /* access.log, or the raw ring's file */
	pid_t pid;                      /* 0: not running */
	struct tally tally;             /* of the file */
};

struct rig {
	enum rig_kind kind;
	const char   *program;          /* zogd */
	int           size;
	char          folder[BENCH_PATH], block[24];
	int           claim;            /* a socket whose name says that the block is taken */
	struct member m[RIG_MAX];
};

/* Everything up to rig_end: started, and linked. conf: more lines for each zogd.conf, or NULL. */
void rig_zogd(struct rig *, const char *program, int members, const char *conf);
void rig_raw(struct rig *, enum rig_kind);
void rig_end(struct rig *);             /* killed, since nobody reads it any more, and removed */

void rig_launch(struct rig *, int member);      /* the process only */
bool rig_ready(struct rig *, int member);       /* zogd's client port is open */
void rig_stop(struct rig *, int member);        /* TERM, and waited for */
void rig_check(struct rig *);                   /* that nobody has ended */

int64_t rig_cpu_ns(const struct rig *);         /* of all members together */

/* Starts a program: the child gets these as its standard input and output (-1: /dev/null), and is
 * gone when we are. */
pid_t rig_spawn(const char *const argv[], int in, int out, const char *err);
void  rig_reap(pid_t);                          /* killed and waited for */

#endif
