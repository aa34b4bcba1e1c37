/* SPDX-License-Identifier: MIT */
#include "daemon/acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/thread.h"
#include "daemon/session.h"

enum {
	ACCEPTS = 64,           /* connections taken in one go, before ended sessions are looked after */
	PAUSE_MS = 20,          /* when descriptors or memory are out */
};

struct acceptor {
	/* constant after acceptor_start */
	int               fd, stop_fd;
	struct server    *server;
	struct logger    *logger;
	struct sessions  *sessions;
	acceptor_arrived *arrived;
	pthread_t         thread;
	bool              running;

	/* owned by the acceptor's thread */
	int               reserve_fd;   /* given up for a moment to refuse a connection when there is no other; -1: none */
};

static int
open_reserve(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

struct acceptor *
acceptor_open(const struct addr *addr)
{
	struct acceptor *a = calloc(1, sizeof *a);
	if (a == NULL)
		return NULL;
	a->fd = net_listen(addr);
	a->stop_fd = a->fd < 0 ? -1 : eventfd(0, EFD_CLOEXEC);
	a->reserve_fd = open_reserve();
	if (a->stop_fd >= 0)
		return a;
	int saved = errno;
	acceptor_free(&a);
	errno = saved;
	return NULL;
}

void
acceptor_addr(const struct acceptor *a, struct addr *addr)
{
	addr_of_self(a->fd, addr);
}

/* Out of descriptors: with the one in reserve the next in line is told so, rather than left to wait. */
static void
refuse_one(struct acceptor *a)
{
	if (a->reserve_fd >= 0)
		close(a->reserve_fd);
	int fd = accept4(a->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		session_refuse(fd, "error out of memory or descriptors");
	a->reserve_fd = open_reserve();
}

/* After a failed accept: true, there may be more connections; false, none now. */
static bool
go_on_after(struct acceptor *a, int error)
{
	struct addr self;
	char text[128];
	switch (error) {
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		addr_of_self(a->fd, &self);
		snprintf(text, sizeof text, "cannot accept connections: %s", strerror(error));
		logger_limited(a->logger, &self, "cannot accept connections", text);
		refuse_one(a);
		/* Whoever runs out must not spin: the backlog keeps the others. */
		poll(&(struct pollfd){ .fd = a->stop_fd, .events = POLLIN }, 1, PAUSE_MS);
		return false;
	default:                /* that connection is gone already, or the network had a say */
		return true;
	}
}

static void
accept_some(struct acceptor *a)
{
	for (int i = 0; i < ACCEPTS; i++) {
		struct addr from = { .len = sizeof from.ss };
		int fd = accept4(a->fd, (struct sockaddr *)&from.ss, &from.len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			a->arrived(a->server, fd, &from);
		else if (!go_on_after(a, errno))
			return;
	}
}

static void *
acceptor_main(void *arg)
{
	struct acceptor *a = arg;
	thread_name("acceptor");
	struct pollfd p[3] = {
		{ .fd = a->stop_fd, .events = POLLIN },
		{ .fd = sessions_wake_fd(a->sessions), .events = POLLIN },
		{ .fd = a->fd, .events = POLLIN },
	};
	for (;;) {
		if (poll(p, 3, -1) < 0)
			continue;
		if (p[0].revents != 0)
			return NULL;
		if (p[1].revents != 0)
			sessions_reap(a->sessions);
		if (p[2].revents != 0)
			accept_some(a);
	}
}

int
acceptor_start(struct acceptor *a, struct server *server, struct logger *logger, struct sessions *sessions,
    acceptor_arrived *arrived)
{
	a->server = server;
	a->logger = logger;
	a->sessions = sessions;
	a->arrived = arrived;
	int rc = pthread_create(&a->thread, NULL, acceptor_main, a);
	errno = rc;
	a->running = rc == 0;
	return rc == 0 ? 0 : -1;
}

void
acceptor_stop(struct acceptor *a)
{
	if (!a->running)
		return;
	while (eventfd_write(a->stop_fd, 1) < 0)
		continue;
	pthread_join(a->thread, NULL);
	a->running = false;
}

void
acceptor_free(struct acceptor **a)
{
	if (*a == NULL)
		return;
	if ((*a)->fd >= 0)
		close((*a)->fd);
	if ((*a)->stop_fd >= 0)
		close((*a)->stop_fd);
	if ((*a)->reserve_fd >= 0)
		close((*a)->reserve_fd);
	free(*a);
	*a = NULL;
}
