/* SPDX-License-Identifier: MIT
 * rawring.c - the least that five processes can do to get a client's bytes into five files: what
 * zogd is compared with.
 *
 *   rawring MODE FILE HOST:PORT [HOST:PORT]...
 *
 * Takes one connection at the first address, and passes all that comes on to the others, then to
 * FILE: blocking, one thread, 64 KiB at a time. bench makes the ring's tree of them:
 * client -> 0; 0 -> 1, 2; 1 -> 3; 2 -> 4. MODE:
 *   raw     bytes as they come
 *   first   member 0 of the line ring: each line is found by memchr and copied behind 40 constant bytes
 *   line    the others of it: each line is found by memchr and copied
 * No line is numbered, kept for anyone or answered. It ends when its upstream does. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/net.h"

enum { BLOCK = 65536, PREFIX = 40, NEXT_MAX = 4, CONNECT_TRIES = 5000 };

/* As long as what zogd puts before a line. */
static const char prefix[PREFIX + 1] = "2026-11-20T08:32:01Z member:0123456789- ";

struct out {
	int    fd[NEXT_MAX + 1];        /* those that come next, then the file */
	int    count;
	char   block[BLOCK];            /* of the line modes: whole lines that have not gone yet */
	size_t len;
};

static void
die(const char *what)
{
	fprintf(stderr, "rawring: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
address(const char *text, struct addr *a)
{
	char host[NET_HOST];
	uint16_t port = 0;
	const char *why = "no HOST:PORT";
	if (!net_split(text, host, &port) || net_resolve(host, port, true, a, 1, &why) != 1) {
		fprintf(stderr, "rawring: %s: %s\n", text, why);
		exit(64);
	}
}

static void
set_blocking(int fd)
{
	int one = 1;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* The others are started at the same time: they are there in a moment. */
static int
connect_to(const char *text)
{
	struct addr a;
	address(text, &a);
	for (int i = 0; i < CONNECT_TRIES; i++) {
		int fd = net_connect(&a, NULL, 1000);
		if (fd >= 0) {
			set_blocking(fd);
			return fd;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	die(text);
	return -1;
}

static int
listen_at(const char *text)
{
	struct addr a;
	address(text, &a);
	int fd = net_listen(&a);
	if (fd < 0)
		die(text);
	set_blocking(fd);
	return fd;
}

static void
put(struct out *out, const char *data, size_t len)
{
	for (int i = 0; i < out->count; i++)
		for (size_t done = 0; done < len;) {
			ssize_t n = write(out->fd[i], data + done, len - done);
			if (n < 0)
				die("write");
			done += (size_t)n;
		}
}

static void
flush(struct out *out)
{
	put(out, out->block, out->len);
	out->len = 0;
}

static void
put_line(struct out *out, const char *line, size_t len, bool first)
{
	if (out->len + len + PREFIX > sizeof out->block)
		flush(out);
	if (first) {
		memcpy(out->block + out->len, prefix, PREFIX);
		out->len += PREFIX;
	}
	memcpy(out->block + out->len, line, len);
	out->len += len;
}

/* Whole lines go; returns how much of a line is left at the end. */
static size_t
put_lines(struct out *out, const char *data, size_t len, bool first)
{
	const char *end = data + len, *lf;
	while ((lf = memchr(data, '\n', (size_t)(end - data))) != NULL) {
		put_line(out, data, (size_t)(lf + 1 - data), first);
		data = lf + 1;
	}
	flush(out);
	return (size_t)(end - data);
}

static void
copy_raw(int in, struct out *out)
{
	static char data[BLOCK];
	ssize_t n;
	while ((n = read(in, data, sizeof data)) > 0)
		put(out, data, (size_t)n);
	if (n < 0)
		die("read");
}

static void
copy_lines(int in, struct out *out, bool first)
{
	static char data[BLOCK];
	size_t len = 0;
	ssize_t n;
	while ((n = read(in, data + len, sizeof data - len)) > 0) {
		len += (size_t)n;
		size_t left = put_lines(out, data, len, first);
		if (left == sizeof data) {
			errno = EMSGSIZE;
			die("line");
		}
		memmove(data, data + len - left, left);
		len = left;
	}
	if (n < 0)
		die("read");
}

int
main(int argc, char **argv)
{
	static struct out out;
	if (argc < 4 || argc > 4 + NEXT_MAX) {
		fputs("usage: rawring raw|first|line FILE HOST:PORT [HOST:PORT]...\n", stderr);
		return 64;
	}
	int listener = listen_at(argv[3]);
	for (int i = 4; i < argc; i++)
		out.fd[out.count++] = connect_to(argv[i]);
	out.fd[out.count] = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (out.fd[out.count++] < 0)
		die(argv[2]);
	int in = accept(listener, NULL, NULL);
	if (in < 0)
		die("accept");
	set_blocking(in);
	if (strcmp(argv[1], "raw") == 0)
		copy_raw(in, &out);
	else
		copy_lines(in, &out, strcmp(argv[1], "first") == 0);
	return 0;
}
