/* SPDX-License-Identifier: MIT
 * sample-file.h - a file as the pieces of a body, and back: both sides of file-server.c do the same. */
#ifndef SAMPLE_FILE_H
#define SAMPLE_FILE_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sample.h"

enum { SAMPLE_PIECE_BYTES = 65536 };

/* As many as there are up to n; -1. */
static inline ssize_t
sample_file_read(int fd, char *to, size_t n)
{
	size_t got = 0;
	while (got < n) {
		ssize_t more = read(fd, to + got, n - got);
		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return -1;
		if (more == 0)
			break;
		got += (size_t)more;
	}
	return (ssize_t)got;
}

static inline bool
sample_file_write(int fd, const char *from, size_t n)
{
	while (n > 0) {
		ssize_t some = write(fd, from, n);
		if (some < 0 && errno == EINTR)
			continue;
		if (some <= 0)
			return false;
		from += some;
		n -= (size_t)some;
	}
	return true;
}

/* A file for reading, NULL size: none. Neither a device nor what a link leads to. */
static inline int
sample_file_open(int dir, const char *name, int64_t *size)
{
	struct stat st;
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		close(fd);
		fd = -1;
	}
	*size = fd >= 0 ? (int64_t)st.st_size : 0;
	return fd;
}

/* header is of the first piece. What is added to the file meanwhile is not sent; one that became shorter is
 * PT_E_IO: the connection is to be closed, for the peer waits for the rest. */
static inline int
sample_file_send(struct pt_conn *c, const struct pt_value *header, const struct pt_value *id, int fd, int64_t size,
	size_t piece_bytes)
{
	char *piece = malloc(piece_bytes);
	int64_t left = size;
	int e = piece != NULL ? PT_OK : PT_E_MEMORY;
	bool first = true;
	while (e == PT_OK && (first || left > 0)) {
		size_t n = left < (int64_t)piece_bytes ? (size_t)left : piece_bytes;
		left -= (int64_t)n;
		if (sample_file_read(fd, piece, n) != (ssize_t)n)
			e = PT_E_IO;
		else
			e = pt_send_piece(c, first ? header : NULL, id->bytes.at, id->bytes.len, piece, n, left > 0,
			    first ? size : -1);
		first = false;
	}
	free(piece);
	return e;
}

#endif
