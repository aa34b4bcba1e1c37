/* SPDX-License-Identifier: MIT
 * zogctl.h - what the files of zogctl share: the connection to a zogd, and the commands. One thread.
 * What returns an exit code (0,
 * or one of sysexits.h) has said on stderr, in one line, what failed. */
#ifndef ZOG_ZOGCTL_ZOGCTL_H
#define ZOG_ZOGCTL_ZOGCTL_H

#include "zogctl/show.h"

/* Which socket: the setting `control` of the file, or the default where the file is absent and may be.
 * To be freed; NULL after
 * *code was set. */
char *place_find(const char *file, bool may_lack, int *code);

struct call {
	const char     *path;
	struct pt_conn *pairs;
	int             timeout_ms;
	bool            quiet;          /* failures are not said: they are in why */
	char            why[256];
	/* of the last answer, until the next */
	const struct pt_value *header, *body;
};

int  call_open(struct call *);          /* path and timeout_ms are set */
/* more: further keys and values */
int  call_ask(struct call *, const char *what, const struct pt_value *more, size_t pairs);
int  call_next(struct call *);          /* the next pair of an answer of several */
void call_close(struct call *);
int  call_failed(struct call *, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

int  get_status(struct call *);         /* opened, asked: the status is its body */

int  watch(struct call *);              /* the status again and again */
struct show_style terminal_style(void); /* what standard output is */

/* Writes all of it to standard output. */
int  say_out(const struct buf *);

/* The commands, with what stands behind their names. */
struct words {
	int    count;
	char **word;
};
int command_status(struct call *, struct words);
int command_metrics(struct call *, struct words);
int command_dot(struct call *, struct words);
int command_ping(struct call *, struct words);
int command_wait(struct call *, struct words);
int command_cat(struct call *, struct words);
int command_tail(struct call *, struct words);
int command_trace(struct call *, struct words);
int command_verify(struct call *, struct words);
int command_plain(struct call *, struct words);         /* reload, rotate */
int command_stop(struct call *, struct words);
int usage_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Options of a command by getopt_long; also says what is surplus. */
int surplus(struct words, int used);

#endif
