/* SPDX-License-Identifier: MIT
 * connect.c - to a host's addresses or a Unix socket, in one time for all of it; and listening. */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "petrichor/conn.h"

enum { PORT_TEXT = 8, CROWDED_PAUSE_MS = 10 };

/* Closes, and keeps errno. */
static int
give_up(int fd, int result)
{
	int saved = errno;
	close(fd);
	errno = saved;
	return result;
}

/* Waits for what connect(2) began; true: connected, else errno, ETIMEDOUT where *late. */
static bool
connected(int fd, int64_t until, bool *late)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int n, error = 0;
	do {
		n = poll(&p, 1, conn_left(until));
	} while (n < 0 && errno == EINTR);
	*late = n == 0;
	if (n == 0)
		errno = ETIMEDOUT;
	if (n <= 0)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){ sizeof error }) < 0)
		return false;
	errno = error;
	return error == 0;
}

/* One address. PT_E_TIMEOUT; PT_E_IO with errno. */
static int
dial(const struct sockaddr *to, socklen_t len, int64_t until, int *fd)
{
	bool late = false;
	int s = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s < 0)
		return PT_E_IO;
	/* A Unix socket whose queue is full says EAGAIN, and has begun nothing. */
	while (connect(s, to, len) < 0) {
		if (errno == EAGAIN && to->sa_family == AF_UNIX) {
			if (conn_left(until) == 0)
				return give_up(s, PT_E_TIMEOUT);
			poll(NULL, 0, CROWDED_PAUSE_MS);
		} else if (errno == EINPROGRESS || errno == EINTR) {
			if (connected(s, until, &late))
				break;
			return give_up(s, late ? PT_E_TIMEOUT : PT_E_IO);
		} else {
			return give_up(s, PT_E_IO);
		}
	}
	*fd = s;
	return PT_OK;
}

static bool
unix_address(const char *path, struct sockaddr_un *un)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof un->sun_path) {
		errno = ENAMETOOLONG;
		return false;
	}
	strcpy(un->sun_path, path);
	return true;
}

static int
dial_path(const char *path, int64_t until, int *fd)
{
	struct sockaddr_un un;
	if (!unix_address(path, &un))
		return PT_E_IO;
	return dial((struct sockaddr *)&un, sizeof un, until, fd);
}

/* PT_E_RESOLVE; PT_E_MEMORY; PT_E_IO with errno. */
static int
resolve(const char *host, int port, int flags, struct addrinfo **list)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV };
	char text[PORT_TEXT];
	snprintf(text, sizeof text, "%d", port);
	int e = getaddrinfo(host, text, &hints, list);
	return e == 0 ? PT_OK : e == EAI_MEMORY ? PT_E_MEMORY : e == EAI_SYSTEM ? PT_E_IO : PT_E_RESOLVE;
}

/* An address that is silent must not take the time of those behind it: each has its share of what is left. */
static int64_t
share(int64_t until, const struct addrinfo *rest)
{
	int n = 0;
	if (until == CONN_FOREVER)
		return until;
	for (; rest != NULL; rest = rest->ai_next)
		n++;
	return conn_now() + conn_left(until) / n;
}

static int
dial_host(const char *host, int port, int64_t until, int *fd)
{
	struct addrinfo *list;
	int e = resolve(host, port, 0, &list);
	if (e != PT_OK)
		return e;
	e = PT_E_RESOLVE;
	for (struct addrinfo *a = list; a != NULL; a = a->ai_next) {
		e = dial(a->ai_addr, a->ai_addrlen, share(until, a), fd);
		if (e == PT_OK)
			break;
	}
	int saved = errno;
	freeaddrinfo(list);
	errno = saved;
	return e;
}

int
pt_connect(struct pt_conn **conn, const struct pt_options *options, const char *host, int port,
	const struct pt_value *identity, const struct pt_value *body, int timeout_ms,
	const struct pt_value **verdict, const struct pt_value **verdict_body)
{
	int64_t until = conn_until(timeout_ms);
	int fd = -1;
	*conn = NULL;
	if (verdict != NULL)
		*verdict = NULL;
	if (verdict_body != NULL)
		*verdict_body = NULL;
	if (host == NULL || port < 0 || port > 65535)
		return PT_E_ARGUMENT;
	int e = port == 0 ? dial_path(host, until, &fd) : dial_host(host, port, until, &fd);
	if (e != PT_OK)
		return e;
	struct pt_conn *c = pt_from_fd(fd, options);
	if (c == NULL)
		return PT_E_MEMORY;
	e = conn_greet(c, until, identity, body, verdict, verdict_body);
	if (e == PT_OK) {
		*conn = c;
		return PT_OK;
	}
	int saved = c->io_errno;
	pt_close(&c);
	errno = saved;
	return e;
}

/* ---- listening ---- */

static int
listen_at(int family, const struct sockaddr *at, socklen_t len)
{
	int s = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -1;
	if (family == AF_INET || family == AF_INET6)
		setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if (family == AF_INET6)         /* any address is to be one of IPv4, too */
		setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 0 }, sizeof(int));
	if (bind(s, at, len) < 0 || listen(s, SOMAXCONN) < 0)
		return give_up(s, -1);
	return s;
}

static int
listen_path(const char *path)
{
	struct sockaddr_un un;
	if (!unix_address(path, &un))
		return -1;
	return listen_at(AF_UNIX, (struct sockaddr *)&un, sizeof un);
}

static int
port_of(int s)
{
	struct sockaddr_storage ss;
	struct sockaddr *sa = (struct sockaddr *)&ss;
	if (getsockname(s, sa, &(socklen_t){ sizeof ss }) < 0)
		return -1;
	return ntohs(sa->sa_family == AF_INET6 ? ((struct sockaddr_in6 *)sa)->sin6_port : ((struct sockaddr_in *)sa)->sin_port);
}

/* Of all addresses one, by order of family: first IPv6, which takes in IPv4. */
static int
listen_first(const struct addrinfo *list, bool any)
{
	int s = -1;
	for (int round = 0; s < 0 && round < (any ? 2 : 1); round++)
		for (const struct addrinfo *a = list; s < 0 && a != NULL; a = a->ai_next)
			if (!any || (a->ai_family == AF_INET6) == (round == 0))
				s = listen_at(a->ai_family, a->ai_addr, a->ai_addrlen);
	return s;
}

int
pt_listen(const char *host, int *port)
{
	struct addrinfo *list;
	if (host != NULL && strchr(host, '/') != NULL)
		return listen_path(host);
	if (port == NULL || *port < 0 || *port > 65535) {
		errno = EINVAL;
		return -1;
	}
	int e = resolve(host, *port, AI_PASSIVE, &list);
	if (e != PT_OK) {
		errno = e == PT_E_MEMORY ? ENOMEM : e == PT_E_IO ? errno : EADDRNOTAVAIL;
		return -1;
	}
	int s = listen_first(list, host == NULL), saved = errno;
	freeaddrinfo(list);
	errno = saved;
	if (s >= 0 && *port == 0 && (*port = port_of(s)) < 0)
		return give_up(s, -1);
	return s;
}
