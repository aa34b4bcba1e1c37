/* SPDX-License-Identifier: MIT
 * cursor.c - a slot is one line of text, filled up with blanks:
 *
 *     zog-cursor 1 SERIAL SEGMENT OFFSET DEV INODE SIZE CRC\n
 *
 * CRC is the CRC-32C of what stands before it, in hex. The slots lie a page apart, so that no sector and no page holds
 * parts of both; the one not written last is written next. */
#include "store/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"

enum {
	SLOT_BYTES = 192,               /* the words, six numbers of up to 20 digits, CRC, blanks between */
	SLOT_APART = 4096,
};

struct cursor_file {
	int           fd;
	int           slot;             /* where the last good one is; -1: nowhere */
	uint64_t      serial;
	struct cursor cursor;
};

static void
write_slot(char slot[SLOT_BYTES], uint64_t serial, const struct cursor *c)
{
	char line[SLOT_BYTES + 1];
	int n = snprintf(line, sizeof line, "zog-cursor 1 %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
	    " ", serial, c->pos.segment, c->pos.offset, c->dev, c->inode, c->size);
	uint32_t crc = crc32c(0, line, (size_t)n);
	n += snprintf(line + n, sizeof line - (size_t)n, "%08" PRIx32, crc);
	memset(line + n, ' ', SLOT_BYTES - (size_t)n);
	line[SLOT_BYTES - 1] = '\n';
	memcpy(slot, line, SLOT_BYTES);
}

/* What is good is what write_slot would write of it, to the byte. */
static bool
read_slot(const char bytes[SLOT_BYTES], uint64_t *serial, struct cursor *c)
{
	char slot[SLOT_BYTES + 1], again[SLOT_BYTES];
	memcpy(slot, bytes, SLOT_BYTES);
	slot[SLOT_BYTES] = '\0';
	if (sscanf(slot, "zog-cursor 1 %20" SCNu64 " %20" SCNu64 " %20" SCNu64 " %20" SCNu64 " %20" SCNu64 " %20" SCNu64, serial,
	    &c->pos.segment, &c->pos.offset, &c->dev, &c->inode, &c->size) != 6)
		return false;
	write_slot(again, *serial, c);
	return memcmp(again, bytes, SLOT_BYTES) == 0;
}

static int
load(struct cursor_file *f)
{
	f->slot = -1;
	f->serial = 0;
	for (int i = 0; i < 2; i++) {
		char bytes[SLOT_BYTES];
		uint64_t serial;
		struct cursor c;
		ssize_t n = pread(f->fd, bytes, sizeof bytes, (off_t)i * SLOT_APART);
		if (n < 0)
			return -1;
		if (n == SLOT_BYTES && read_slot(bytes, &serial, &c) && (f->slot < 0 || serial > f->serial)) {
			f->slot = i;
			f->serial = serial;
			f->cursor = c;
		}
	}
	return 0;
}

struct cursor_file *
cursor_open(const char *dir)
{
	struct cursor_file *f = malloc(sizeof *f);
	char *name = NULL;
	if (f == NULL)
		return NULL;
	f->fd = -1;
	if (asprintf(&name, "%s/cursor", dir) < 0) {
		name = NULL;
		errno = ENOMEM;
		goto fail;
	}
	struct stat st;
	f->fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0640);
	if (f->fd >= 0 && fstat(f->fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		errno = EINVAL;
		goto fail;
	}
	if (f->fd < 0 || load(f) != 0)
		goto fail;
	/* So that it can still be written when the disk is full. Where that cannot be had, it is not had. */
	(void)!posix_fallocate(f->fd, 0, SLOT_APART + SLOT_BYTES);
	free(name);
	return f;
fail:;
	int e = errno;
	free(name);
	cursor_close(&f);
	errno = e;
	return NULL;
}

void
cursor_close(struct cursor_file **fp)
{
	struct cursor_file *f = *fp;
	*fp = NULL;
	if (f == NULL)
		return;
	if (f->fd >= 0)
		close(f->fd);
	free(f);
}

int
cursor_read(struct cursor_file *f, struct cursor *c)
{
	if (load(f) != 0)
		return -1;
	if (f->slot < 0)
		return 0;
	*c = f->cursor;
	return 1;
}

int
cursor_write(struct cursor_file *f, const struct cursor *c)
{
	char slot[SLOT_BYTES];
	int other = f->slot == 0 ? 1 : 0;
	write_slot(slot, f->serial + 1, c);
	for (size_t done = 0; done < SLOT_BYTES; ) {
		ssize_t n = pwrite(f->fd, slot + done, SLOT_BYTES - done, (off_t)other * SLOT_APART + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return -1;
		done += (size_t)n;
	}
	f->slot = other;
	f->serial++;
	f->cursor = *c;
	return 0;
}
