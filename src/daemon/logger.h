/* SPDX-License-Identifier: MIT
 * logger.h - the one thread that writes access.log and error.log.
 * Others hand it frames with a job to be told by, and lines for error.log; it takes all that is waiting, writes it
 * with few calls, then tells the jobs. Its queue is bounded by logger_wait_room, which is where a
 * slow disk slows down those who send. */
#ifndef ZOG_DAEMON_LOGGER_H
#define ZOG_DAEMON_LOGGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/net.h"
#include "daemon/stats.h"
#include "wire/frame.h"

struct logger;

/* A frame on its way through the logger. done is called by the logger's thread, once, when the lines stand in
 * access.log (error 0) or cannot be written there (an errno); from then on the job is the owner's again. */
struct job {
	struct job   *next;     /* the logger's */
	struct frame *frame;    /* a reference, dropped before done is called */
	void        (*done)(struct job *, int error);
};

struct logger_options {
	const char *dir;
	uid_t       uid;                /* owner of the files; -1: whoever we are */
	gid_t       gid;
	size_t      limit_bytes;        /* of frames waiting, past which logger_wait_room waits */
	unsigned    error_lines;        /* a second, for one address and reason */
	int         verbose;            /* 1: error.log's lines on stderr as well; 2: logger_debug's too */
};

struct logger *logger_open(const struct logger_options *, struct stats *);      /* opens the files; NULL after saying why */
void logger_free(struct logger **);
int  logger_start(struct logger *);             /* -1 with errno */
void logger_stop(struct logger *);              /* writes all it was given, then joins */

void logger_put(struct logger *, struct job *); /* takes the job; order of calls is order in the file */
void logger_wait_room(struct logger *);         /* blocks while too much is waiting */
void logger_reopen(struct logger *);            /* both files by name, soon, by the thread */

/* One line for error.log: "TIME WHO TEXT". Never blocks. */
void logger_say(struct logger *, const char *who, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void logger_debug(struct logger *, const char *who, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A bad message: who sent it, why it is bad, its bytes escaped; so many a second of one sender and reason. */
void logger_bad(struct logger *, const struct addr *, const char *reason, const char *bytes, size_t n);
/* The same limit, for anything else that an outsider can cause at will. what counts as the kind. */
void logger_limited(struct logger *, const struct addr *, const char *what, const char *text);

#endif
