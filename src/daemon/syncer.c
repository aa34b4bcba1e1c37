/* SPDX-License-Identifier: MIT */
#include "daemon/syncer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/lock.h"
#include "base/thread.h"
#include "daemon/ranks.h"

struct syncer {
	/* constant after syncer_start */
	pthread_t       thread;
	void          (*done)(void *arg);
	void           *arg;

	struct lock     lock;           /* RANK_SYNCER */
	pthread_cond_t  more;           /* wait for: work || stop */
	pthread_cond_t  idle;           /* wait for: !work */
	/* under lock */
	void          (*work)(void *arg);       /* NULL: nothing to do */
	bool            stop;
};

static void *
syncer_main(void *arg)
{
	struct syncer *s = arg;
	thread_name("syncer");
	lock_acquire(&s->lock);
	for (;;) {
		while (s->work == NULL && !s->stop)
			lock_wait(&s->lock, &s->more);
		if (s->work == NULL)
			break;
		lock_release(&s->lock);
		s->work(s->arg);        /* it is not changed while it is set */
		lock_acquire(&s->lock);
		s->work = NULL;
		pthread_cond_signal(&s->idle);
		lock_release(&s->lock);
		s->done(s->arg);
		lock_acquire(&s->lock);
	}
	lock_release(&s->lock);
	return NULL;
}

struct syncer *
syncer_start(void (*done)(void *), void *arg)
{
	struct syncer *s = calloc(1, sizeof *s);
	if (s == NULL)
		return NULL;
	s->done = done;
	s->arg = arg;
	lock_init(&s->lock, RANK_SYNCER);
	lock_cond_init(&s->more);
	lock_cond_init(&s->idle);
	int rc = pthread_create(&s->thread, NULL, syncer_main, s);
	if (rc == 0)
		return s;
	pthread_cond_destroy(&s->more);
	pthread_cond_destroy(&s->idle);
	lock_fini(&s->lock);
	free(s);
	errno = rc;
	return NULL;
}

void
syncer_stop(struct syncer **sp)
{
	struct syncer *s = *sp;
	*sp = NULL;
	if (s == NULL)
		return;
	lock_acquire(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->more);
	lock_release(&s->lock);
	pthread_join(s->thread, NULL);
	pthread_cond_destroy(&s->more);
	pthread_cond_destroy(&s->idle);
	lock_fini(&s->lock);
	free(s);
}

void
syncer_ask(struct syncer *s, void (*work)(void *))
{
	lock_acquire(&s->lock);
	s->work = work;
	lock_release(&s->lock);
	pthread_cond_signal(&s->more);
}

bool
syncer_busy(struct syncer *s)
{
	lock_acquire(&s->lock);
	bool busy = s->work != NULL;
	lock_release(&s->lock);
	return busy;
}

void
syncer_wait(struct syncer *s)
{
	lock_acquire(&s->lock);
	while (s->work != NULL)
		lock_wait(&s->lock, &s->idle);
	lock_release(&s->lock);
}
