/* SPDX-License-Identifier: MIT
 * net.h - addresses, listening and connecting, address ranges. Any thread may call these;
 * nothing here keeps state. Every descriptor made here is close-on-exec. */
#ifndef ZOG_BASE_NET_H
#define ZOG_BASE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct addr {
	struct sockaddr_storage ss;
	socklen_t               len;
};

/* 127.0.0.1:51234 or [::1]:51234; an IPv4 address that came in by IPv6 is shown as IPv4 */
enum { ADDR_TEXT = 64 };
void addr_text(const struct addr *, char text[ADDR_TEXT]);
void addr_host_text(const struct addr *, char text[ADDR_TEXT]);         /* without the port */
bool addr_same_host(const struct addr *, const struct addr *);          /* ports do not count */
void addr_set_port(struct addr *, uint16_t port);
uint16_t addr_port(const struct addr *);
void addr_from_bytes(struct addr *, int family, const unsigned char *bytes);     /* port 0 */
bool addr_of_peer(int fd, struct addr *);                               /* false: not connected */
bool addr_of_self(int fd, struct addr *);

/* Every address of a host; asks the resolver, and so may block, unless numeric is set.
 * Returns how many were found (up to max), 0 with *why (a static text) when none. */
int  net_resolve(const char *host, uint16_t port, bool numeric, struct addr *, int max, const char **why);

/* "HOST", "HOST:PORT", "[V6]:PORT" or a bare IPv6 address. host must hold NET_HOST bytes; *port is left as it was where
 * the text names none. false: not of that form. */
enum { NET_HOST = 256 };
bool net_split(const char *text, char host[NET_HOST], uint16_t *port);
bool net_port(const char *text, uint16_t *port);                        /* 1 to 65535 */

int  net_listen(const struct addr *);                   /* non-blocking; -1 with errno */
int  net_connect_start(const struct addr *to, const struct addr *from); /* non-blocking; from may be NULL; -1, errno */
int  net_connect_result(int fd);                        /* 0, or the errno of the attempt; once writable */
int  net_connect(const struct addr *to, const struct addr *from, int timeout_ms);       /* both; -1 with errno */

/* A range of addresses: 192.168.0.0/16, ::1/128, a single address, or any. */
struct cidr {
	int             family;         /* AF_INET, AF_INET6, AF_UNSPEC: any */
	unsigned char   bytes[16];
	int             bits;
};
bool cidr_parse(const char *text, struct cidr *);
bool cidr_holds(const struct cidr *, const struct addr *);

#endif
