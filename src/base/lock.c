/* SPDX-License-Identifier: MIT */
#include "base/lock.h"

#include <assert.h>
#include <errno.h>
#include <time.h>

static _Thread_local int rank_held;     /* of the innermost lock; 0: none */

void
lock_init(struct lock *l, int rank)
{
	assert(rank > 0);
	int rc = pthread_mutex_init(&l->mutex, NULL);
	assert(rc == 0);
	l->rank = rank;
	l->held = false;
}

void
lock_fini(struct lock *l)
{
	int rc = pthread_mutex_destroy(&l->mutex);
	assert(rc == 0);
}

static void
owned(struct lock *l)
{
	l->outer = rank_held;
	l->owner = pthread_self();
	l->held = true;
	rank_held = l->rank;
}

static void
disowned(struct lock *l)
{
	assert(l->held && pthread_equal(l->owner, pthread_self()) && rank_held == l->rank);
	l->held = false;
	rank_held = l->outer;
}

void
lock_acquire(struct lock *l)
{
	assert(rank_held < l->rank);
	int rc = pthread_mutex_lock(&l->mutex);
	assert(rc == 0);
	owned(l);
}

void
lock_release(struct lock *l)
{
	disowned(l);
	int rc = pthread_mutex_unlock(&l->mutex);
	assert(rc == 0);
}

void
lock_assert_held(struct lock *l)
{
	assert(l->held && pthread_equal(l->owner, pthread_self()));
}

void
lock_cond_init(pthread_cond_t *c)
{
	pthread_condattr_t attr;
	int rc = pthread_condattr_init(&attr);
	if (rc == 0)
		rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (rc == 0)
		rc = pthread_cond_init(c, &attr);
	assert(rc == 0);
	pthread_condattr_destroy(&attr);
}

void
lock_wait(struct lock *l, pthread_cond_t *c)
{
	disowned(l);
	int rc = pthread_cond_wait(c, &l->mutex);
	assert(rc == 0);
	owned(l);
}

bool
lock_wait_until(struct lock *l, pthread_cond_t *c, int64_t mono_ms)
{
	struct timespec t = { .tv_sec = (time_t)(mono_ms / 1000), .tv_nsec = (long)(mono_ms % 1000) * 1000000 };
	disowned(l);
	int rc = pthread_cond_timedwait(c, &l->mutex, &t);
	owned(l);
	assert(rc == 0 || rc == ETIMEDOUT);
	return rc == 0;
}
