/* SPDX-License-Identifier: MIT
 * lock.h - a mutex that knows its owner and its rank.
 * A thread takes locks in growing rank only; lock_acquire aborts on the first wrong order, so
 * that a deadlock shows as a stack trace in the first test that comes by, not as a hang in
 * the field. The ranks are the program's own enum (daemon/ranks.h). */
#ifndef ZOG_BASE_LOCK_H
#define ZOG_BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct lock {
	pthread_mutex_t mutex;
	int             rank;           /* constant after lock_init */
	int             outer;          /* under mutex: the rank that its owner held before */
	pthread_t       owner;          /* under mutex; read without it only by lock_assert_held */
	bool            held;
};

void lock_init(struct lock *, int rank);        /* rank: above 0 */
void lock_fini(struct lock *);
void lock_acquire(struct lock *);
void lock_release(struct lock *);
void lock_assert_held(struct lock *);           /* by the calling thread */

/* Conditions wait on the monotonic clock. The lock is held before and after. */
void lock_cond_init(pthread_cond_t *);
void lock_wait(struct lock *, pthread_cond_t *);
bool lock_wait_until(struct lock *, pthread_cond_t *, int64_t mono_ms); /* false: the time has come */

#endif
