/* SPDX-License-Identifier: MIT
 * sample-server.h - what the servers share: arguments, a thread for each peer, and the end by SIGTERM.
 *
 *	NAME [-i IDENT] [-t ACCEPT_MS] HOST PORT [ARGUMENT...]  PORT 0: one that is free
 *	NAME [-i IDENT] [-t ACCEPT_MS] /a/path 0 [ARGUMENT...]  a Unix socket
 *	NAME [-i IDENT] [-t ACCEPT_MS] - [ARGUMENT...]          one peer, on standard input and output
 *
 * main calls sample_arguments, then sample_serve with the function that is to run in a thread of each
 * peer. */
#ifndef SAMPLE_SERVER_H
#define SAMPLE_SERVER_H

#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sample-wait.h"

enum { SAMPLE_PEERS = 500, SAMPLE_IDLE_MS = 600000, SAMPLE_FRAME_MS = 20000 };
enum { SAMPLE_PART_MS = 1000, SAMPLE_END_S = 15 };

struct sample_peer {
	struct pt_conn     *conn;
	int                 fd;
	struct sample_peer *next;
};

static struct {
	/* constant after sample_arguments */
	char            ident[SAMPLE_NAME];
	int             accept_ms;
	bool            stdio;          /* one peer, on standard input and output */
	const char     *host, *port;
	char          **more;           /* arguments behind PORT, with a NULL at the end */
	void          (*session)(struct pt_conn *);

	pthread_mutex_t lock;
	pthread_cond_t  gone;           /* wait for: count == 0 */
	/* under lock */
	struct sample_peer *peers;
	int             count;
} sample = { .accept_ms = 5000, .lock = PTHREAD_MUTEX_INITIALIZER, .gone = PTHREAD_COND_INITIALIZER };

static int sample_stop_pipe[2];

static inline void
sample_stop(int sig)
{
	int before = errno;
	(void)sig;
	sample_wake(sample_stop_pipe);
	errno = before;
}

/* Without this, what the peer sent and nobody read would make our last words be lost on their way. */
static inline void
sample_part(int fd)
{
	char rest[4096];
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	long long until = now.tv_sec * 1000LL + now.tv_nsec / 1000000 + SAMPLE_PART_MS;
	if (shutdown(fd, SHUT_WR) < 0)
		return;
	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		long long left = until - now.tv_sec * 1000LL - now.tv_nsec / 1000000;
		if (left <= 0 || poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, (int)left) <= 0 ||
		    recv(fd, rest, sizeof rest, MSG_DONTWAIT) <= 0)
			return;
	}
}

static inline void *
sample_thread(void *arg)
{
	struct sample_peer *peer = arg;
	sample.session(peer->conn);
	sample_part(peer->fd);
	/* Closed only once it is out of the list: sample_end looks at descriptors there. */
	pthread_mutex_lock(&sample.lock);
	struct sample_peer **p = &sample.peers;
	while (*p != peer)
		p = &(*p)->next;
	*p = peer->next;
	pthread_mutex_unlock(&sample.lock);
	pt_close(&peer->conn);
	free(peer);
	pthread_mutex_lock(&sample.lock);
	sample.count--;
	pthread_cond_signal(&sample.gone);
	pthread_mutex_unlock(&sample.lock);
	return NULL;
}

/* Takes over the descriptor. */
static inline void
sample_start(int fd)
{
	struct pt_options options = PT_OPTIONS_INIT;
	options.idle_ms = SAMPLE_IDLE_MS;
	options.frame_ms = SAMPLE_FRAME_MS;
	struct sample_peer *peer = malloc(sizeof *peer);
	pthread_mutex_lock(&sample.lock);
	struct pt_conn *conn = NULL;
	if (peer == NULL || sample.count == SAMPLE_PEERS)
		close(fd);
	else
		conn = pt_from_fd(fd, &options);
	pthread_t thread;
	if (conn != NULL) {
		*peer = (struct sample_peer){ conn, fd, sample.peers };
		if (pthread_create(&thread, NULL, sample_thread, peer) == 0) {
			pthread_detach(thread);
			sample.peers = peer;
			sample.count++;
			peer = NULL;
		} else {
			pt_close(&conn);
		}
	}
	pthread_mutex_unlock(&sample.lock);
	free(peer);
}

/* Wakes all threads and waits for their end, if not for long. */
static inline void
sample_end(void)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += SAMPLE_END_S;
	pthread_mutex_lock(&sample.lock);
	for (struct sample_peer *p = sample.peers; p != NULL; p = p->next)
		shutdown(p->fd, SHUT_RDWR);
	while (sample.count > 0 && pthread_cond_timedwait(&sample.gone, &sample.lock, &until) == 0)
		;
	pthread_mutex_unlock(&sample.lock);
}

/* Standard output is the peer's: what the sample prints goes to standard error. */
static inline int
sample_stdio(void)
{
	int out = dup(1);
	if (out < 0 || dup2(2, 1) < 0)
		err(1, "standard output");
	struct pt_options options = PT_OPTIONS_INIT;
	options.idle_ms = SAMPLE_IDLE_MS;
	struct pt_conn *conn = pt_from_fds(0, out, &options);
	if (conn == NULL)
		errx(1, "out of memory");
	sample.session(conn);
	sample_part(0);         /* does nothing where it is no socket */
	pt_close(&conn);
	return 0;
}

/* Until SIGTERM or SIGINT. */
static inline void
sample_accept_all(int fd)
{
	struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = sample_stop_pipe[0], .events = POLLIN } };
	while (p[1].revents == 0) {
		int peer = poll(p, 2, -1) > 0 && p[0].revents != 0 ? accept(fd, NULL, NULL) : -1;
		if (peer >= 0)
			sample_start(peer);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			poll(NULL, 0, 100);     /* it stays readable: not as fast as we can */
	}
}

/* need: so many arguments behind PORT at least. */
static inline void
sample_arguments(int argc, char **argv, int need)
{
	int option;
	pt_id(sample.ident);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	while ((option = getopt(argc, argv, "+i:t:")) != -1) {
		if (option == 'i')
			snprintf(sample.ident, sizeof sample.ident, "%s", optarg);
		else if (option == 't')
			sample.accept_ms = atoi(optarg);
		else
			exit(2);
	}
	sample.stdio = argc > optind && strcmp(argv[optind], "-") == 0;
	int own = sample.stdio ? 1 : 2;
	if (argc - optind < own + need)
		errx(2, "usage: [-i IDENT] [-t ACCEPT_MS] HOST PORT ..., or: [...] - ...");
	sample.host = argv[optind];
	sample.port = sample.stdio ? NULL : argv[optind + 1];
	sample.more = argv + optind + own;
}

/* Calls session in a thread of each peer; returns the program's exit code. */
static inline int
sample_serve(void (*session)(struct pt_conn *))
{
	sample.session = session;
	if (sample.stdio)
		return sample_stdio();
	if (!sample_wake_open(sample_stop_pipe))
		err(1, "pipe");
	signal(SIGTERM, sample_stop);
	signal(SIGINT, sample_stop);
	bool local = strchr(sample.host, '/') != NULL;
	int port = atoi(sample.port), fd = pt_listen(sample.host, local ? NULL : &port);
	if (fd < 0)
		err(1, "%s %s", sample.host, sample.port);
	printf("RUNNING %s %d\n", sample.host, port);
	sample_accept_all(fd);
	close(fd);
	if (local)
		unlink(sample.host);
	sample_end();
	return 0;
}

/* ---- identity and verdict, for the samples that are about something else: echo-server.c shows it in
 * full ---- */

/* Takes the identity, says WELCOME or GO AWAY. false: there is no more to do for this peer. */
static inline bool
sample_welcome(struct pt_conn *c, char user[SAMPLE_NAME])
{
	static const struct pt_value welcome = PT_TEXT("WELCOME"), go_away = PT_TEXT("GO AWAY");
	const struct pt_value reply[] = {
		PT_TEXT("ident"), PT_BYTES_OF(sample.ident, strlen(sample.ident)),
		PT_TEXT("version"), PT_TEXT(SAMPLE_VERSION),
	};
	const struct pt_value verdict = PT_DICT_OF(reply, 2);
	const struct pt_value *identity = NULL;
	int e = pt_accept(c, sample.accept_ms, &identity, NULL);
	if (e == PT_OK && sample_copy(user, pt_get(identity, "user")))
		return pt_peer_allowed(c, &verdict, &welcome) == PT_OK;
	if (e == PT_OK || e == PT_E_HDR_NOT_DICT)
		pt_peer_denied(c, &verdict, &go_away);
	return false;
}

#endif
