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
#include "store/access.h"
#include "store/logfile.h"

struct logger {
	/* constant after logger_start */
	struct server  *server;
	struct stats   *stats;
	size_t          limit_bytes;
	int             verbose;
	pthread_t       thread;

	atomic_int      full;           /* errno: why the journal cannot be written; 0: it can */

	struct lock     lock;           /* RANK_LOGGER */
	pthread_cond_t  more;           /* wait for: head || errors.len || reopen || report || ring || stop */
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
	struct suppress suppress;

	/* owned by the logger thread, once it runs */
	struct core    *core;
	struct access  *access;
	struct logfile  error;
	int64_t         sync_ms;
	int64_t         looked_ms;      /* when we last looked whether the files are still there */
	int64_t         cursor_ms;      /* when the cursor was written last */
	bool            cursor_old;     /* access.log has grown since */
	int             access_errno, error_errno;      /* of the last write that failed; 0: all is well */
};

void   *logger_main(void *logger);      /* the thread */
int64_t logger_sync_ms(const char *sync);       /* the setting, as store/core has it */
suppress_tell logger_tell_suppressed;   /* under lock */

#endif
