/* SPDX-License-Identifier: MIT
 * load.h - what the parts of load, the client of the benchmark, tell each other. */
#ifndef ZOG_BENCH_LOAD_H
#define ZOG_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "body.h"

enum { LOAD_TARGETS = 64, LOAD_WATCHED = 64, LOAD_WHY = 160 };

enum load_form {
	LOAD_NUMBERED,          /* by libsprog */
	LOAD_PLAIN,             /* lines in blocks of 64 KiB, the replies are counted */
	LOAD_RAW                /* the same, and nobody replies */
};

/* Constant once the arguments have been read. */
struct load {
	enum load_form   form;
	const char      *target[LOAD_TARGETS];  /* HOST:PORT; connection i goes to the one at i modulo targets */
	int              targets, conns, threads, window;
	const char      *ack;                   /* NULL: what the member has set */
	struct body_size size;
	const char      *watched[LOAD_WATCHED]; /* files that grow by a line for each message */
	int              files;
};

/* One connection. */
struct sender {
	const struct load *load;
	struct sprog      *s;           /* of the numbered form */
	int                fd;          /* of the others */
	struct lines      *lines;       /* of the others: what waits to be written */
	/* of the present run */
	uint64_t next, end;             /* numbers not sent yet */
	uint64_t awaited, ok, failed;   /* messages: sent and unanswered, settled, not settled */
	char     why[LOAD_WHY];         /* the first that was not */
	void   (*heard)(struct sender *, uint64_t tag, bool ok);       /* may be NULL; of the numbered form */
	void    *heard_arg;
};

int64_t load_now_ns(void);              /* CLOCK_MONOTONIC */

/* load_send.c: opening, and the numbered form. On failure the program ends with a word. */
void sender_open(struct sender *, const struct load *, int conn);
void sender_close(struct sender *);
void sender_run(struct sender *, int count);    /* until all is answered: one thread, all of these */
void sender_failed(struct sender *, uint64_t messages, const char *why);
bool sender_submit(struct sender *, uint64_t number, uint64_t tag);     /* numbered: false: the window is full */

/* load_plain.c: the plain form, and the raw one. */
void plain_run(struct sender *, int count);
void plain_put(struct sender *, uint64_t number);       /* one line, at once */

/* load_pace.c: messages at a rate, and the time until each is settled and in all files. One line on
 * stdout for each: nanoseconds until settled, and until in all files; - where that was not
 * measured. */
void pace_run(struct sender *, const struct load *, double rate, uint64_t count, uint64_t every);

#endif
