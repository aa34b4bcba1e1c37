/* SPDX-License-Identifier: MIT
 * bench_tally.h - the lines that came to a log since a place in it: how many, and a sum over their
 * texts that does not depend on their order. */
#ifndef ZOG_BENCH_TALLY_H
#define ZOG_BENCH_TALLY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum tally_form {
	TALLY_RAW,              /* the line is the text */
	TALLY_PREFIX,           /* behind 40 bytes */
	TALLY_LOG               /* access.log: behind the second blank */
};

struct tally {
	int             fd;     /* -1: not open */
	enum tally_form form;
	off_t           at;     /* counted up to here: the end of a line */
	uint64_t        lines, sum;
};

bool  tally_open(struct tally *, const char *path, enum tally_form);    /* counts from its present end */
void  tally_close(struct tally *);
off_t tally_size(const struct tally *);         /* of the file */
void  tally_more(struct tally *);               /* the whole lines that have come since */
void  tally_restart(struct tally *);            /* nothing has been counted; from where it stands now */

#endif
