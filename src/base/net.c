/* SPDX-License-Identifier: MIT */
#include "base/net.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* The address bytes as a family has them; IPv4 in IPv6 counts as IPv4. */
static int
host_bytes(const struct addr *a, unsigned char out[16])
{
	if (a->ss.ss_family == AF_INET) {
		memcpy(out, &((const struct sockaddr_in *)(const void *)&a->ss)->sin_addr, 4);
		return AF_INET;
	}
	if (a->ss.ss_family != AF_INET6)
		return AF_UNSPEC;
	const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)&a->ss)->sin6_addr;
	if (IN6_IS_ADDR_V4MAPPED(six)) {
		memcpy(out, six->s6_addr + 12, 4);
		return AF_INET;
	}
	memcpy(out, six, 16);
	return AF_INET6;
}

uint16_t
addr_port(const struct addr *a)
{
	if (a->ss.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)(const void *)&a->ss)->sin_port);
	if (a->ss.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)(const void *)&a->ss)->sin6_port);
	return 0;
}

void
addr_set_port(struct addr *a, uint16_t port)
{
	if (a->ss.ss_family == AF_INET)
		((struct sockaddr_in *)(void *)&a->ss)->sin_port = htons(port);
	else if (a->ss.ss_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)&a->ss)->sin6_port = htons(port);
}

void
addr_host_text(const struct addr *a, char text[ADDR_TEXT])
{
	unsigned char bytes[16];
	int family = host_bytes(a, bytes);
	if (family == AF_UNSPEC || inet_ntop(family, bytes, text, ADDR_TEXT) == NULL)
		strcpy(text, "?");
}

void
addr_text(const struct addr *a, char text[ADDR_TEXT])
{
	char host[ADDR_TEXT];
	addr_host_text(a, host);
	/* The longest IPv6 address has 45 characters: brackets and port fit. */
	snprintf(text, ADDR_TEXT, strchr(host, ':') ? "[%.45s]:%u" : "%.45s:%u", host, addr_port(a));
}

bool
addr_same_host(const struct addr *a, const struct addr *b)
{
	unsigned char x[16], y[16];
	int family = host_bytes(a, x);
	return family != AF_UNSPEC && family == host_bytes(b, y) &&
	    memcmp(x, y, family == AF_INET ? 4 : 16) == 0;
}

void
addr_from_bytes(struct addr *a, int family, const unsigned char *bytes)
{
	memset(a, 0, sizeof *a);
	a->ss.ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		memcpy(&((struct sockaddr_in *)(void *)&a->ss)->sin_addr, bytes, 4);
		a->len = sizeof(struct sockaddr_in);
	} else if (family == AF_INET6) {
		memcpy(&((struct sockaddr_in6 *)(void *)&a->ss)->sin6_addr, bytes, 16);
		a->len = sizeof(struct sockaddr_in6);
	}
}

bool
addr_of_peer(int fd, struct addr *a)
{
	a->len = sizeof a->ss;
	return getpeername(fd, (struct sockaddr *)&a->ss, &a->len) == 0;
}

bool
addr_of_self(int fd, struct addr *a)
{
	a->len = sizeof a->ss;
	return getsockname(fd, (struct sockaddr *)&a->ss, &a->len) == 0;
}

int
net_resolve(const char *host, uint16_t port, bool numeric, struct addr *out, int max, const char **why)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
	    .ai_flags = numeric ? AI_NUMERICHOST : AI_ADDRCONFIG };
	struct addrinfo *list;
	int rc = getaddrinfo(host, NULL, &hints, &list);
	if (rc != 0) {
		*why = rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc);
		return 0;
	}
	int n = 0;
	for (struct addrinfo *i = list; i != NULL && n < max; i = i->ai_next) {
		if (i->ai_addrlen > sizeof out->ss)
			continue;
		memcpy(&out[n].ss, i->ai_addr, i->ai_addrlen);
		out[n].len = i->ai_addrlen;
		addr_set_port(&out[n++], port);
	}
	freeaddrinfo(list);
	*why = "no address found";
	return n;
}

bool
net_port(const char *text, uint16_t *port)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 5 || text[digits] != '\0')
		return false;
	long value = strtol(text, NULL, 10);
	if (value < 1 || value > 65535)
		return false;
	*port = (uint16_t)value;
	return true;
}

bool
net_split(const char *text, char host[NET_HOST], uint16_t *port)
{
	const char *begin = text, *end, *colon;
	if (*text == '[') {
		begin = text + 1;
		end = strchr(begin, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		colon = end[1] == ':' ? end + 1 : NULL;
	} else {
		colon = strchr(text, ':');
		if (colon != NULL && strchr(colon + 1, ':') != NULL)
			colon = NULL;           /* a bare IPv6 address */
		end = colon != NULL ? colon : text + strlen(text);
	}
	if (end == begin || (size_t)(end - begin) >= NET_HOST)
		return false;
	if (colon != NULL && !net_port(colon + 1, port))
		return false;
	memcpy(host, begin, (size_t)(end - begin));
	host[end - begin] = '\0';
	return true;
}

int
net_listen(const struct addr *a)
{
	int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	int on = 1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    (a->ss.ss_family != AF_INET6 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0) &&
	    bind(fd, (const struct sockaddr *)&a->ss, a->len) == 0 &&
	    listen(fd, SOMAXCONN) == 0)
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
net_connect_start(const struct addr *to, const struct addr *from)
{
	int fd = socket(to->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#ifdef IP_BIND_ADDRESS_NO_PORT
	/* Many links leave from one address: let connect choose the port by destination. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
#endif
	if ((from == NULL || from->ss.ss_family != to->ss.ss_family ||
	    bind(fd, (const struct sockaddr *)&from->ss, from->len) == 0) &&
	    (connect(fd, (const struct sockaddr *)&to->ss, to->len) == 0 || errno == EINPROGRESS))
		return fd;
	int saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
net_connect_result(int fd)
{
	int error = 0;
	socklen_t len = sizeof error;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	return error;
}

int
net_connect(const struct addr *to, const struct addr *from, int timeout_ms)
{
	int fd = net_connect_start(to, from);
	if (fd < 0)
		return -1;
	int64_t now = clock_mono_ms(), deadline = now + timeout_ms;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int n;
	while ((n = poll(&p, 1, clock_left_ms(deadline, now))) < 0 && errno == EINTR)
		now = clock_mono_ms();
	int error = n < 0 ? errno : n == 0 ? ETIMEDOUT : net_connect_result(fd);
	if (error == 0)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

bool
cidr_parse(const char *text, struct cidr *c)
{
	memset(c, 0, sizeof *c);
	if (strcmp(text, "any") == 0) {
		c->family = AF_UNSPEC;
		return true;
	}
	char host[ADDR_TEXT];
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	if (len >= sizeof host)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	c->family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET;
	if (inet_pton(c->family, host, c->bytes) != 1)
		return false;
	int most = c->family == AF_INET ? 32 : 128;
	c->bits = most;
	if (slash != NULL) {
		size_t digits = strspn(slash + 1, "0123456789");
		if (digits == 0 || digits > 3 || slash[1 + digits] != '\0')
			return false;
		c->bits = atoi(slash + 1);
	}
	if (c->bits > most)
		return false;
	/* An IPv4 address that comes in by IPv6 is matched as IPv4: so its range must be one, too. */
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	if (c->family == AF_INET6 && c->bits >= 96 && memcmp(c->bytes, mapped, 12) == 0) {
		c->family = AF_INET;
		c->bits -= 96;
		memmove(c->bytes, c->bytes + 12, 4);
		memset(c->bytes + 4, 0, 12);
	}
	return true;
}

bool
cidr_holds(const struct cidr *c, const struct addr *a)
{
	if (c->family == AF_UNSPEC)
		return true;
	unsigned char bytes[16];
	if (host_bytes(a, bytes) != c->family)
		return false;
	int whole = c->bits / 8, rest = c->bits % 8;
	if (memcmp(bytes, c->bytes, (size_t)whole) != 0)
		return false;
	return rest == 0 || ((bytes[whole] ^ c->bytes[whole]) >> (8 - rest)) == 0;
}
