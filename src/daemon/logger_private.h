/* SPDX-License-Identifier: MIT
 * logger_private.h - what the files of the logger share: logger.c (opening, and what other threads call) and
 * logger_thread.c (what its own thread does). */
#ifndef ZOG_DAEMON_LOGGER_PRIVATE_H
#define ZOG_DAEMON_LOGGER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "base/lock.h"
#include "daemon/conf.h"
#include "daemon/logger.h"
#include "daemon/server.h"
#include "daemon/suppress.h"
#include "daemon/syncer.h"
#include "daemon/tails.h"
#include "store/access.h"
#include "store/logfile.h"

struct logger {
	/* constant after logger_start */
	struct server  *server;
	struct stats   *stats;
	size_t          limit_bytes;
	int             verbose;
	pthread_t       thread;
	struct syncer  *syncer;

	atomic_int      full;           /* errno: why the journal cannot be written; 0: it can */

	struct tails    tails;          /* any thread */

	struct lock     lock;           /* RANK_LOGGER */
	pthread_cond_t  more;           /* wait for: head || errors.len || reopen || report || ring || landed || asked_round || stop */
	pthread_cond_t  room;           /* wait for: bytes <= limit_bytes */
	pthread_cond_t  taken;          /* wait for: !ring */
	/* under lock */
	struct job     *head, **tail;
	size_t          bytes;          /* that the jobs given and not yet written stand for */
	unsigned        waiting;        /* threads in logger_wait_room */
	struct buf      errors;         /* lines, ready to write */
	uint64_t        errors_lost;
	const struct conf *ring;        /* new settings, to be taken over; NULL: none */
	bool            reopen, report, stop, asleep;
	int64_t         until_ms;       /* while asleep: when it wakes by itself */
	bool            awaited;        /* somebody waits for what peers have */
	bool            landed;         /* the syncer is done with flight */
	bool            asked_round;    /* to go round once, for logger_answers; still so while it does */
	struct suppress suppress;

	/* owned by the logger thread, once it runs */
	struct core    *core;
	struct access  *access;
	struct logfile  error;
	int64_t         sync_ms;
	uint64_t        trim_bytes;     /* that came since memory was given back */
	int64_t         trim_ms;        /* when it is to be given back, unless more comes */
	int64_t         looked_ms;      /* when we last looked whether the files are still there */
	int64_t         cursor_ms;      /* when the cursor was last taken */
	uint64_t        cursor_bytes;   /* that came since */
	uint64_t        cursor_most;    /* so many, and it is due whatever the time */
	bool            cursor_old;     /* access.log has grown since */
	bool            cursor_due;     /* it goes with the next flight */
	bool            flying;         /* flight is the syncer's, until landed */
	struct flight {
		struct journal_flight *journal; /* NULL: not of this flight */
		int     access_fd;              /* likewise: -1 */
		int     journal_error, access_error;
	} flight;
	int             access_errno, error_errno;      /* of the last write that failed; 0: all is well */
};

void   *logger_main(void *logger);      /* the thread */
void    logger_run(struct logger *, struct job *);      /* what logger_ask is about */
void    logger_reopen_files(struct logger *, char *error, size_t room); /* what failed has been said, and is in error (NULL: never mind) */
void    logger_landed(void *logger);    /* what the syncer calls */
void    logger_sync(void *logger, struct journal_flight *);     /* what the core calls */
void    logger_sync_wait(void *logger);
int64_t logger_sync_ms(const char *sync);       /* the setting, as store/core has it */
suppress_tell logger_tell_suppressed;   /* under lock */

#endif
