/* SPDX-License-Identifier: MIT
 * logger_ask.c - a question to the logger's thread, which alone may look at what it owns; waited for no
 * longer than the asker
 * likes, since a disk may hang; and what such questions do. Entered by the asker's thread and the logger's. */
#include "daemon/logger_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/diag.h"
#include "daemon/ranks.h"

struct ask {
	struct job      job;            /* first */
	/* constant */
	void          (*run)(struct logger *, void *);
	void          (*drop)(void *);
	void           *arg;

	struct lock     lock;           /* RANK_ASK */
	pthread_cond_t  done;           /* wait for: ran */
	/* under lock */
	bool            ran, left;      /* left: the asker waits no longer */
};

static void
free_ask(struct ask *a)
{
	pthread_cond_destroy(&a->done);
	lock_fini(&a->lock);
	free(a);
}

void
logger_run(struct logger *l, struct job *job)
{
	struct ask *a = (struct ask *)(void *)job;
	a->run(l, a->arg);
}

static void
ask_done(struct job *job, const char *error)
{
	struct ask *a = (struct ask *)(void *)job;
	(void)error;
	lock_acquire(&a->lock);
	a->ran = true;
	bool left = a->left;
	pthread_cond_signal(&a->done);
	lock_release(&a->lock);
	if (!left)
		return;         /* it is the asker's, and may be gone by now */
	a->drop(a->arg);
	free_ask(a);
}

bool
logger_ask(struct logger *l, void (*run)(struct logger *, void *), void (*drop)(void *), void *arg,
    int64_t timeout_ms)
{
	struct ask *a = calloc(1, sizeof *a);
	if (a == NULL) {
		drop(arg);
		return false;
	}
	a->job.what = JOB_ASK;
	a->job.done = ask_done;
	a->run = run;
	a->drop = drop;
	a->arg = arg;
	lock_init(&a->lock, RANK_ASK);
	lock_cond_init(&a->done);
	logger_put(l, &a->job);
	int64_t until = clock_mono_ms() + timeout_ms;
	lock_acquire(&a->lock);
	while (!a->ran && lock_wait_until(&a->lock, &a->done, until))
		continue;
	bool ran = a->ran;
	a->left = !ran;
	lock_release(&a->lock);
	if (ran)
		free_ask(a);
	return ran;
}

/* ---- opening the logs anew ---- */

static void
reopen_failed(struct logger *l, const char *path, int errnum, char *error, size_t room)
{
	const char *why = errnum == EINVAL ? "not a regular file" : strerror(errnum);
	diag("cannot reopen %s: %s", path, why);
	logger_say(l, "zogd", "cannot reopen %s, going on with the old file: %s", path, why);
	if (error != NULL && error[0] == '\0')
		snprintf(error, room, "cannot reopen %s: %s", path, why);
}

void
logger_reopen_files(struct logger *l, char *error, size_t room)
{
	if (access_reopen(l->access) < 0)
		reopen_failed(l, access_path(l->access), errno, error, room);
	if (logfile_reopen(&l->error) < 0)
		reopen_failed(l, l->error.path, errno, error, room);
}
