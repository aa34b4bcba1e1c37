/* SPDX-License-Identifier: MIT */
#include "base/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>

#include "unit.h"

/* An address from its text, by inet_pton alone. */
static struct addr
address(const char *text, uint16_t port)
{
	struct addr a;
	unsigned char bytes[16];
	int family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
	ck_assert_int_eq(inet_pton(family, text, bytes), 1);
	addr_from_bytes(&a, family, bytes);
	ck_assert_int_eq(addr_port(&a), 0);
	addr_set_port(&a, port);
	return a;
}

/* ---- text ---- */

START_TEST(texts)
{
	static const struct { const char *address; uint16_t port; const char *whole, *host; } table[] = {
		{ "127.0.0.1", 51234, "127.0.0.1:51234", "127.0.0.1" },
		{ "255.255.255.255", 65535, "255.255.255.255:65535", "255.255.255.255" },
		{ "::1", 1, "[::1]:1", "::1" },
		{ "::", 0, "[::]:0", "::" },
		{ "::ffff:192.168.1.2", 80, "192.168.1.2:80", "192.168.1.2" },
		{ "::fffe:192.168.1.2", 80, "[::fffe:c0a8:102]:80", "::fffe:c0a8:102" },
		{ "2001:db8:1111:2222:3333:4444:5555:6666", 55551, "[2001:db8:1111:2222:3333:4444:5555:6666]:55551",
		    "2001:db8:1111:2222:3333:4444:5555:6666" },
	};
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		struct addr a = address(table[i].address, table[i].port);
		char text[ADDR_TEXT];
		addr_text(&a, text);
		ck_assert_str_eq(text, table[i].whole);
		addr_host_text(&a, text);
		ck_assert_str_eq(text, table[i].host);
		ck_assert_int_eq(addr_port(&a), table[i].port);
	}
}
END_TEST

START_TEST(text_of_no_address)
{
	struct addr a;
	char text[ADDR_TEXT];
	memset(&a, 0, sizeof a);
	addr_host_text(&a, text);
	ck_assert_str_eq(text, "?");
	addr_text(&a, text);
	ck_assert_str_eq(text, "?:0");
	addr_set_port(&a, 5);
	ck_assert_int_eq(addr_port(&a), 0);
}
END_TEST

START_TEST(same_host)
{
	static const struct { const char *a, *b; bool same; } table[] = {
		{ "10.0.0.1", "10.0.0.1", true },
		{ "10.0.0.1", "10.0.0.2", false },
		{ "10.0.0.1", "11.0.0.1", false },
		{ "10.0.0.1", "::ffff:10.0.0.1", true },
		{ "10.0.0.2", "::ffff:10.0.0.1", false },
		{ "::ffff:10.0.0.1", "::ffff:10.0.0.1", true },
		{ "10.0.0.1", "::10.0.0.1", false },
		{ "::1", "::1", true },
		{ "::1", "::2", false },
		{ "1::1", "2::1", false },
		{ "127.0.0.1", "::1", false },
	};
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		struct addr a = address(table[i].a, 1), b = address(table[i].b, 2);
		ck_assert_msg(addr_same_host(&a, &b) == table[i].same, "%s and %s", table[i].a, table[i].b);
		ck_assert_msg(addr_same_host(&b, &a) == table[i].same, "%s and %s", table[i].b, table[i].a);
	}
	struct addr none;
	memset(&none, 0, sizeof none);
	ck_assert(!addr_same_host(&none, &none));
}
END_TEST

/* ---- HOST:PORT ---- */

START_TEST(ports)
{
	static const struct { const char *text; int port; } table[] = {
		{ "1", 1 }, { "80", 80 }, { "65535", 65535 }, { "00080", 80 },
		{ "0", -1 }, { "65536", -1 }, { "99999", -1 }, { "100000", -1 }, { "000080", -1 }, { "", -1 }, { " 1", -1 },
		{ "1 ", -1 }, { "+1", -1 }, { "-1", -1 }, { "0x1", -1 }, { "1.", -1 }, { "http", -1 },
	};
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		uint16_t port = 7;
		bool good = net_port(table[i].text, &port);
		ck_assert_msg(good == (table[i].port > 0), "'%s'", table[i].text);
		ck_assert_int_eq(port, good ? table[i].port : 7);
	}
}
END_TEST

START_TEST(split)
{
	/* host NULL: refused; port 7: left as it was */
	static const struct { const char *text, *host; int port; } table[] = {
		{ "la", "la", 7 },
		{ "la:1", "la", 1 },
		{ "10.0.0.1", "10.0.0.1", 7 },
		{ "10.0.0.1:65535", "10.0.0.1", 65535 },
		{ "::1", "::1", 7 },
		{ "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", 7 },
		{ "[::1]", "::1", 7 },
		{ "[::1]:80", "::1", 80 },
		{ "[10.0.0.1]:80", "10.0.0.1", 80 },
		{ "", NULL, 7 }, { ":", NULL, 7 }, { ":80", NULL, 7 }, { "la:", NULL, 7 }, { "la:0", NULL, 7 },
		{ "la:65536", NULL, 7 }, { "la:x", NULL, 7 }, { "la:8 ", NULL, 7 }, { "[]", NULL, 7 }, { "[]:80", NULL, 7 },
		{ "[::1", NULL, 7 }, { "[::1]80", NULL, 7 }, { "[::1]:", NULL, 7 }, { "[::1]:0", NULL, 7 },
		{ "[::1]x:80", NULL, 7 }, { "[", NULL, 7 },
	};
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		char host[NET_HOST] = "";
		uint16_t port = 7;
		bool good = net_split(table[i].text, host, &port);
		ck_assert_msg(good == (table[i].host != NULL), "'%s' is %s", table[i].text, good ? "taken" : "refused");
		ck_assert_int_eq(port, table[i].port);
		if (good)
			ck_assert_str_eq(host, table[i].host);
	}
}
END_TEST

START_TEST(split_of_long_names)
{
	char text[NET_HOST + 10], host[NET_HOST + 1];
	uint16_t port = 7;
	memset(text, 'h', sizeof text);
	strcpy(text + NET_HOST - 1, ":80");
	host[NET_HOST] = '#';
	ck_assert(net_split(text, host, &port));
	ck_assert_uint_eq(strlen(host), NET_HOST - 1);
	ck_assert_int_eq(port, 80);
	memset(text, 'h', NET_HOST);
	strcpy(text + NET_HOST, ":80");
	ck_assert(!net_split(text, host, &port));
	ck_assert_int_eq(host[NET_HOST], '#');
}
END_TEST

/* ---- ranges ---- */

START_TEST(cidr_forms)
{
	static const struct { const char *text; bool good; } table[] = {
		{ "any", true }, { "10.0.0.0/8", true }, { "10.1.2.3/8", true }, { "0.0.0.0/0", true }, { "10.0.0.1", true },
		{ "10.0.0.1/32", true }, { "::1/128", true }, { "::/0", true }, { "::1", true }, { "fe80::/10", true },
		{ "2001:db8:1111:2222:3333:4444:5555:6666/128", true },
		{ "", false }, { "Any", false }, { "any/8", false }, { "/8", false }, { "10.0.0.0/", false },
		{ "10.0.0.0/33", false }, { "::/129", false }, { "10.0.0.0/-1", false }, { "10.0.0.0/+8", false },
		{ "10.0.0.0/8 ", false }, { "10.0.0.0/ 8", false }, { "10.0.0.0/8/8", false }, { "10.0.0.0/1000", false },
		{ "10.0.0.0/4294967304", false }, { "10.0.0.0/x", false }, { "10.0.0.0/255.0.0.0", false },
		{ "10.0.0/8", false }, { "10/8", false }, { "010.0.0.0/8", false }, { "256.0.0.0/8", false },
		{ "la", false }, { "localhost/8", false }, { ":::/8", false }, { "[::1]/128", false }, { "::1%lo", false },
		{ "11111111111111111111111111111111111111111111111111111111111111111111111111/8", false },
	};
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		struct cidr c;
		ck_assert_msg(cidr_parse(table[i].text, &c) == table[i].good, "'%s'", table[i].text);
	}
}
END_TEST

struct holds {
	const char *range, *address;
	bool        holds;
};

static void
try_holds(const struct holds *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct cidr c;
		struct addr a = address(t[i].address, 99);
		ck_assert(cidr_parse(t[i].range, &c));
		ck_assert_msg(cidr_holds(&c, &a) == t[i].holds, "%s in %s", t[i].address, t[i].range);
	}
}

START_TEST(cidr)
{
	static const struct holds table[] = {
		{ "any", "10.0.0.1", true }, { "any", "::1", true },
		{ "127.0.0.0/8", "127.0.0.1", true }, { "127.0.0.0/8", "127.255.255.255", true },
		{ "127.0.0.0/8", "128.0.0.0", false }, { "127.0.0.0/8", "126.255.255.255", false },
		{ "127.1.2.3/8", "127.9.9.9", true },
		{ "192.168.4.0/22", "192.168.7.255", true }, { "192.168.4.0/22", "192.168.8.0", false },
		{ "192.168.4.0/22", "192.168.3.255", false },
		{ "10.0.0.128/25", "10.0.0.128", true }, { "10.0.0.128/25", "10.0.0.127", false },
		{ "10.0.0.1/31", "10.0.0.0", true }, { "10.0.0.1/31", "10.0.0.2", false },
		{ "10.0.0.1/32", "10.0.0.1", true }, { "10.0.0.1/32", "10.0.0.0", false }, { "10.0.0.1", "10.0.0.1", true },
		{ "10.0.0.1", "10.0.0.3", false },
		{ "128.0.0.0/1", "128.0.0.0", true }, { "128.0.0.0/1", "127.255.255.255", false },
		{ "0.0.0.0/0", "1.2.3.4", true }, { "0.0.0.0/0", "::1", false }, { "::/0", "1.2.3.4", false },
		{ "::/0", "1::", true },
		{ "::1/128", "::1", true }, { "::1/128", "::2", false }, { "::1/128", "::", false }, { "::1", "::1", true },
		{ "fe80::/10", "fe80::1", true }, { "fe80::/10", "febf::1", true }, { "fe80::/10", "fec0::1", false },
		{ "2001:db8::/33", "2001:db8:7fff::", true }, { "2001:db8::/33", "2001:db8:8000::", false },
		{ "2001:db8::/127", "2001:db8::1", true }, { "2001:db8::/127", "2001:db8::2", false },
	};
	try_holds(table, UNIT_COUNT(table));
	struct cidr c;
	struct addr none;
	memset(&none, 0, sizeof none);
	ck_assert(cidr_parse("10.0.0.0/8", &c));
	ck_assert(!cidr_holds(&c, &none));
}
END_TEST

/* An IPv4 client of a socket that does both comes as ::ffff:a.b.c.d, and is meant all the same. */
START_TEST(cidr_and_mapped_addresses)
{
	static const struct holds table[] = {
		{ "10.0.0.0/8", "::ffff:10.1.2.3", true }, { "10.0.0.0/8", "::ffff:11.1.2.3", false },
		{ "127.0.0.1", "::ffff:127.0.0.1", true }, { "::/0", "::ffff:10.1.2.3", false },
		{ "0.0.0.0/0", "::ffff:10.1.2.3", true }, { "any", "::ffff:10.1.2.3", true },
	};
	try_holds(table, UNIT_COUNT(table));
}
END_TEST

START_TEST(cidr_of_mapped_addresses)
{
	static const struct holds table[] = {
		{ "::ffff:10.0.0.0/104", "10.1.2.3", true }, { "::ffff:10.0.0.0/104", "::ffff:10.1.2.3", true },
		{ "::ffff:10.0.0.0/104", "11.1.2.3", false }, { "::ffff:10.0.0.1", "10.0.0.1", true },
		{ "::ffff:10.0.0.1", "10.0.0.2", false },
	};
	try_holds(table, UNIT_COUNT(table));
}
END_TEST

/* ---- sockets ---- */

START_TEST(resolve_numeric)
{
	struct addr a[4];
	const char *why = NULL;
	char text[ADDR_TEXT];
	ck_assert_int_eq(net_resolve("127.0.0.3", 8080, true, a, 4, &why), 1);
	addr_text(&a[0], text);
	ck_assert_str_eq(text, "127.0.0.3:8080");
	ck_assert_int_eq(net_resolve("::1", 80, true, a, 4, &why), 1);
	addr_text(&a[0], text);
	ck_assert_str_eq(text, "[::1]:80");
	why = NULL;
	ck_assert_int_eq(net_resolve("localhost", 80, true, a, 4, &why), 0);
	ck_assert_ptr_nonnull(why);
	ck_assert_int_eq(net_resolve("127.0.0.1", 80, true, a, 0, &why), 0);
}
END_TEST

static bool
is_cloexec(int fd)
{
	return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

static bool
is_nonblocking(int fd)
{
	return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

/* Listens on a free port of that address, which it writes back. */
static int
listen_on(struct addr *a)
{
	int fd = net_listen(a);
	ck_assert_msg(fd >= 0, "listen: %s", strerror(errno));
	ck_assert(addr_of_self(fd, a));
	ck_assert_int_gt(addr_port(a), 0);
	return fd;
}

START_TEST(connect_and_accept)
{
	struct addr to = address("127.0.0.1", 0), from = address("127.0.0.2", 0), seen;
	int server = listen_on(&to);
	ck_assert(is_cloexec(server) && is_nonblocking(server));
	int fd = net_connect(&to, &from, UNIT_SOON_MS);
	if (fd < 0 && errno == EADDRNOTAVAIL) {         /* a system with one loopback address */
		from = to;
		addr_set_port(&from, 0);
		fd = net_connect(&to, &from, UNIT_SOON_MS);
	}
	ck_assert_int_ge(fd, 0);
	ck_assert(is_cloexec(fd));
	struct pollfd p = { .fd = server, .events = POLLIN };
	ck_assert_int_eq(poll(&p, 1, UNIT_SOON_MS), 1);
	int other = accept(server, NULL, NULL);
	ck_assert_int_ge(other, 0);
	/* The peer knows us by the address that we left from. */
	ck_assert(addr_of_peer(other, &seen));
	ck_assert(addr_same_host(&seen, &from));
	ck_assert(addr_of_peer(fd, &seen));
	ck_assert(addr_same_host(&seen, &to) && addr_port(&seen) == addr_port(&to));
	ck_assert(!addr_of_peer(server, &seen));
	close(other);
	close(fd);
	close(server);
}
END_TEST

START_TEST(connect_refused)
{
	struct addr to = address("127.0.0.1", 0);
	int server = listen_on(&to);
	close(server);          /* its port is free, and nobody is there */
	errno = 0;
	ck_assert_int_eq(net_connect(&to, NULL, UNIT_SOON_MS), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
}
END_TEST

/* A from of the other family is no hindrance: it is left to the system. */
START_TEST(connect_from_the_other_family)
{
	struct addr to = address("127.0.0.1", 0), from = address("::1", 0);
	int server = listen_on(&to);
	int fd = net_connect(&to, &from, UNIT_SOON_MS);
	ck_assert_int_ge(fd, 0);
	close(fd);
	close(server);
}
END_TEST

START_TEST(listen_errors)
{
	struct addr a = address("127.0.0.1", 0);
	int server = listen_on(&a);
	errno = 0;
	ck_assert_int_eq(net_listen(&a), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	close(server);
	struct addr foreign = address("192.0.2.1", 0);  /* for documents: nobody's */
	errno = 0;
	ck_assert_int_eq(net_listen(&foreign), -1);
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
	errno = 0;
	ck_assert_int_eq(net_connect_start(&a, &foreign), -1);
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
}
END_TEST

/* A listener whose queue is full lets nobody in, and says nothing. */
START_TEST(connect_times_out)
{
	struct addr a = address("127.0.0.1", 0);
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fds[8], n = 0;
	ck_assert_int_eq(bind(server, (struct sockaddr *)&a.ss, a.len), 0);
	ck_assert_int_eq(listen(server, 0), 0);
	ck_assert(addr_of_self(server, &a));
	errno = 0;
	int64_t began = clock_mono_ms();
	while (n < 8 && (fds[n] = net_connect(&a, NULL, 50)) >= 0) {
		struct addr seen;
		ck_assert(addr_of_peer(fds[n++], &seen));      /* what comes back is connected */
		began = clock_mono_ms();
	}
	if (n < 8) {
		ck_assert_int_eq(errno, ETIMEDOUT);
		ck_assert_int_ge(clock_mono_ms() - began, 49);
	}
	while (n > 0)
		close(fds[--n]);
	close(server);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, texts);
	UNIT_TEST(s, text_of_no_address);
	UNIT_TEST(s, same_host);
	UNIT_TEST(s, ports);
	UNIT_TEST(s, split);
	UNIT_TEST(s, split_of_long_names);
	UNIT_TEST(s, cidr_forms);
	UNIT_TEST(s, cidr);
	UNIT_TEST(s, cidr_and_mapped_addresses);
	UNIT_TEST(s, cidr_of_mapped_addresses);
	UNIT_TEST(s, resolve_numeric);
	UNIT_TEST(s, connect_and_accept);
	UNIT_TEST(s, connect_refused);
	UNIT_TEST(s, connect_from_the_other_family);
	UNIT_TEST(s, listen_errors);
	UNIT_TEST(s, connect_times_out);
}

int
main(void)
{
	return unit_main("net", add);
}
