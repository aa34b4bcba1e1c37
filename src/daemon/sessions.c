/* SPDX-License-Identifier: MIT */
#include "daemon/sessions.h"

#include <assert.h>
#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/lock.h"
#include "daemon/ranks.h"
#include "daemon/session.h"

enum {
	STACK_BYTES = 256 * 1024,
	MANY = 1000,                    /* sessions that are not all looked at again in vain at each arrival, */
	VAIN_MS = 100,                  /* but after so long */
	TRIM = 256,                     /* sessions that have ended, and their memory goes back to the system */
};

struct sessions {
	/* constant after sessions_new */
	int             wake_fd;
	atomic_int      reaped;         /* any thread: since memory was given back */

	struct lock     lock;           /* RANK_SESSIONS */
	/* under lock */
	struct session *list;
	int64_t         vain_ms;        /* until then sessions_shed finds nothing */
	int             count;          /* of those that have not ended, or were not told to */
};

struct sessions *
sessions_new(void)
{
	struct sessions *all = calloc(1, sizeof *all);
	if (all == NULL)
		return NULL;
	all->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (all->wake_fd < 0) {
		free(all);
		return NULL;
	}
	lock_init(&all->lock, RANK_SESSIONS);
	return all;
}

void
sessions_free(struct sessions **all)
{
	if (*all == NULL)
		return;
	assert((*all)->list == NULL);
	close((*all)->wake_fd);
	lock_fini(&(*all)->lock);
	free(*all);
	*all = NULL;
}

static void
session_free(struct session *s)
{
	if (s->fd >= 0)
		close(s->fd);
	lock_fini(&s->lock);
	free(s);
}

int
sessions_start(struct sessions *all, struct server *server, const struct session_kind *kind, int fd,
    const struct addr *addr)
{
	struct session *s = calloc(1, sizeof *s);
	if (s == NULL) {
		session_refuse(fd, "error out of memory or descriptors");
		errno = ENOMEM;
		return -1;
	}
	int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	s->all = all;
	s->server = server;
	s->kind = kind;
	s->fd = fd;
	s->wake_fd = -1;
	s->addr = *addr;
	s->began_ms = clock_mono_ms();
	addr_text(addr, s->who);
	lock_init(&s->lock, RANK_SESSION);

	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	/* Under the lock, so that the thread cannot end before it stands in the list. */
	lock_acquire(&all->lock);
	int rc = pthread_create(&s->thread, &attr, session_main, s);
	if (rc == 0) {
		s->next = all->list;
		all->list = s;
		all->count++;
	}
	lock_release(&all->lock);
	pthread_attr_destroy(&attr);
	if (rc == 0)
		return 0;
	session_refuse(fd, "error out of threads");
	s->fd = -1;
	session_free(s);
	errno = rc;
	return -1;
}

void
sessions_ended(struct session *s)
{
	struct sessions *all = s->all;
	lock_acquire(&all->lock);
	s->ended = true;
	/* Within the lock: sessions_stop may join us and be rid of everything the moment after. */
	if (eventfd_write(all->wake_fd, 1) < 0)
		s->ended = true;        /* the counter is full: the acceptor is awake anyway */
	lock_release(&all->lock);
}

/* Takes the first session out of the list: one that has ended, or any. NULL: there is none. */
static struct session *
unlink_one(struct sessions *all, bool any)
{
	lock_acquire(&all->lock);
	struct session **at = &all->list, *s;
	while ((s = *at) != NULL && !s->ended && !any)
		at = &s->next;
	if (s != NULL) {
		*at = s->next;
		all->count -= !atomic_load(&s->shed);
	}
	lock_release(&all->lock);
	return s;
}

/* How many they were. */
static int
join_all(struct sessions *all, bool any)
{
	struct session *s;
	int n = 0;
	for (; (s = unlink_one(all, any)) != NULL; n++) {
		pthread_join(s->thread, NULL);
		session_free(s);
	}
	return n;
}

void
sessions_reap(struct sessions *all)
{
	eventfd_t n;
	if (eventfd_read(all->wake_fd, &n) != 0)
		return;
	int ended = join_all(all, false), reaped = atomic_fetch_add(&all->reaped, ended) + ended;
	/* What very many clients took goes back when most of them are gone. */
	if (reaped >= TRIM && sessions_count(all, NULL) < reaped) {
		atomic_store(&all->reaped, 0);
#ifdef __GLIBC__
		malloc_trim(0);
#endif
	}
}

void
sessions_stop(struct sessions *all)
{
	lock_acquire(&all->lock);
	for (struct session *s = all->list; s != NULL; s = s->next) {
		atomic_store(&s->stop, true);
		shutdown(s->fd, SHUT_RD);       /* wakes it from poll */
	}
	lock_release(&all->lock);
	join_all(all, true);
}

int
sessions_wake_fd(struct sessions *all)
{
	return all->wake_fd;
}

int
sessions_count(struct sessions *all, const struct addr *host)
{
	lock_acquire(&all->lock);
	int n = host == NULL ? all->count : 0;
	for (struct session *s = all->list; host != NULL && s != NULL; s = s->next)
		n += !s->ended && !atomic_load(&s->shed) && addr_same_host(&s->addr, host);
	lock_release(&all->lock);
	return n;
}

static int64_t
worth_of(struct session *s, sessions_worth *worth)
{
	int64_t w = INT64_MAX;
	if (s->ended || atomic_load(&s->shed))
		return w;
	lock_acquire(&s->lock);
	w = worth(s);
	lock_release(&s->lock);
	return w;
}

bool
sessions_shed(struct sessions *all, sessions_worth *worth, struct addr *whose)
{
	struct session *least = NULL;
	int64_t lowest = INT64_MAX, w;
	int64_t now = clock_mono_ms();
	lock_acquire(&all->lock);
	for (struct session *s = now < all->vain_ms ? NULL : all->list; s != NULL; s = s->next)
		if ((w = worth_of(s, worth)) < lowest) {
			lowest = w;
			least = s;
		}
	if (least != NULL) {
		*whose = least->addr;
		atomic_store(&least->shed, true);
		all->count--;
		shutdown(least->fd, SHUT_RD);   /* wakes it from poll */
	} else if (all->count >= MANY && now >= all->vain_ms) {
		all->vain_ms = now + VAIN_MS;
	}
	lock_release(&all->lock);
	return least != NULL;
}
