/* SPDX-License-Identifier: MIT
 * journal.c - open and close, the segments and their files, append and its undoing, retention. */
#include "store/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "store/journal_private.h"

/* ---- small things ---- */

void
segment_name(uint64_t number, char name[SEGMENT_NAME])
{
	snprintf(name, SEGMENT_NAME, "journal-%016" PRIx64, number);
}

void
journal_say(const struct journal *j, const char *fmt, ...)
{
	char text[512];
	int e = errno;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (j->options.say != NULL)
		j->options.say(j->options.arg, text);
	errno = e;
}

bool
journal_said(struct journal *j, struct journal_pos pos)
{
	for (unsigned i = 0; i < JOURNAL_SAID; i++)
		if (journal_pos_compare(j->said[i], pos) == 0)
			return true;
	j->said[j->said_next++ % JOURNAL_SAID] = pos;
	return false;
}

struct segment *
journal_last(const struct journal *j)
{
	return j->segment_count != 0 ? &j->segments[j->segment_count - 1] : NULL;
}

struct segment *
journal_push(struct journal *j, uint64_t number)
{
	if (j->segment_count == j->segment_room) {
		size_t room = j->segment_room * 2 + 16;
		struct segment *p = realloc(j->segments, room * sizeof *p);
		if (p == NULL)
			return NULL;
		j->segments = p;
		j->segment_room = room;
	}
	struct segment *seg = &j->segments[j->segment_count++];
	*seg = (struct segment){ .number = number };
	if (number > j->highest)
		j->highest = number;
	return seg;
}

int
journal_segment_fd(struct journal *j, uint64_t number)
{
	char name[SEGMENT_NAME];
	const struct segment *last = journal_last(j);
	if (last != NULL && last->number == number && j->fd >= 0)
		return j->fd;
	if (j->read_fd >= 0 && j->read_segment == number)
		return j->read_fd;
	segment_name(number, name);
	int fd = openat(j->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0)
		return -1;
	if (j->read_fd >= 0)
		close(j->read_fd);
	j->read_fd = fd;
	j->read_segment = number;
	return fd;
}

static void
forget_read_fd(struct journal *j, uint64_t number)
{
	if (j->read_fd >= 0 && j->read_segment == number) {
		close(j->read_fd);
		j->read_fd = -1;
	}
}

struct journal_pos
journal_tail(const struct journal *j)
{
	const struct segment *last = journal_last(j);
	return last != NULL ? (struct journal_pos){ last->number, last->size } : (struct journal_pos){ 0, 0 };
}

struct journal_pos
journal_end(const struct journal *j)
{
	return j->fd >= 0 ? journal_tail(j) : (struct journal_pos){ j->highest + 1, 0 };
}

struct journal_pos
journal_begin(const struct journal *j)
{
	return j->segment_count != 0 ? (struct journal_pos){ j->segments[0].number, 0 } : journal_end(j);
}

void
journal_counts(const struct journal *j, struct journal_counts *counts)
{
	*counts = j->counts;
	counts->segments = j->segment_count;
}

/* ---- open and close ---- */

static int
open_dir(struct journal *j, const char *dir, const char **why)
{
	if (mkdir(dir, 0750) != 0 && errno != EEXIST) {
		*why = strerror(errno);
		return -1;
	}
	j->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->dir_fd >= 0)
		j->lock_fd = openat(j->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0640);
	struct stat st;
	bool regular = j->lock_fd >= 0 && fstat(j->lock_fd, &st) == 0 && S_ISREG(st.st_mode);
	if (!regular) {
		*why = j->lock_fd < 0 ? strerror(errno) : "lock is not a regular file";
		return -1;
	}
	/* Not fcntl: such a lock goes when anything in the process closes the file. */
	if (flock(j->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		*why = errno == EWOULDBLOCK ? "another process has it open" : strerror(errno);
		return -1;
	}
	return 0;
}

static void
set_limits(struct journal *j, int64_t limit_bytes, int64_t segment_bytes)
{
	j->options.limit_bytes = limit_bytes > 0 ? limit_bytes : 1;
	j->options.segment_bytes = segment_bytes > 0 ? segment_bytes : 1;
}

static void
journal_free(struct journal *j)
{
	const int fds[] = { j->fd, j->read_fd, j->lock_fd, j->dir_fd };
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	index_fini(&j->index);
	free(j->segments);
	free(j->scan.buf);
	free(j);
}

struct journal *
journal_open(const struct journal_options *options, journal_visit *visit, const char **why)
{
	struct journal *j = calloc(1, sizeof *j);
	*why = strerror(ENOMEM);
	if (j == NULL)
		return NULL;
	j->options = *options;
	j->options.dir = NULL;          /* the caller's memory: not needed again */
	j->dir_fd = j->lock_fd = j->fd = j->read_fd = -1;
	set_limits(j, options->limit_bytes, options->segment_bytes);
	j->scan.buf = malloc(SCAN_ROOM);
	if (j->scan.buf == NULL || !index_init(&j->index)) {
		errno = ENOMEM;
		goto fail;
	}
	if (open_dir(j, options->dir, why) != 0)
		goto fail;
	if (journal_recover(j, visit) != 0) {
		*why = strerror(errno);
		goto fail;
	}
	*why = NULL;
	return j;
fail:;
	int e = errno;
	journal_free(j);
	errno = e;
	return NULL;
}

void
journal_close(struct journal **jp)
{
	struct journal *j = *jp;
	*jp = NULL;
	if (j == NULL)
		return;
	journal_sync(j);        /* what goes wrong it says itself */
	journal_free(j);
}

/* ---- segments ---- */

int
journal_create(struct journal *j, uint64_t *number)
{
	char name[SEGMENT_NAME];
	int fd = -1;
	/* A number may be taken by a file that could not be removed. */
	for (int tries = 0; tries < 16 && fd < 0; tries++) {
		*number = j->highest + 1;
		segment_name(*number, name);
		fd = openat(j->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0640);
		if (fd < 0 && errno != EEXIST)
			return -1;
		if (fd < 0)
			j->highest++;
	}
	if (fd >= 0)
		j->dir_dirty = true;
	return fd;
}

/* The last segment is another one from now on; 0, or -1 with errno, and all is as before. */
static int
begin_segment(struct journal *j)
{
	uint64_t number;
	int fd = journal_create(j, &number);
	if (fd < 0)
		return -1;
	if (journal_push(j, number) == NULL) {
		char name[SEGMENT_NAME];
		segment_name(number, name);
		close(fd);
		unlinkat(j->dir_fd, name, 0);
		errno = ENOMEM;
		return -1;
	}
	if (j->fd >= 0)
		close(j->fd);
	j->fd = fd;
	j->said_rotate = false;
	return 0;
}

/* Takes the last segment away, file and all. */
static void
drop_last(struct journal *j)
{
	char name[SEGMENT_NAME];
	struct segment *last = journal_last(j);
	segment_name(last->number, name);
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	forget_read_fd(j, last->number);
	/* Nobody was told of it: its number is free again, if it goes. */
	if (unlinkat(j->dir_fd, name, 0) != 0)
		journal_say(j, "%s cannot be removed, what was refused stays in it: %s", name, strerror(errno));
	else if (last->number == j->highest)
		j->highest--;
	j->counts.bytes -= last->size + last->beyond;
	j->segment_count--;
}

static bool
over_limit(const struct journal *j)
{
	if (j->segment_count < 2 || j->counts.bytes <= (uint64_t)j->options.limit_bytes)
		return false;
	/* What is still to be written again must not go before it was. */
	return !j->broken || j->segments[0].number < j->synced.segment;
}

static void
prune(struct journal *j)
{
	while (over_limit(j)) {
		char name[SEGMENT_NAME];
		struct segment gone = j->segments[0];
		segment_name(gone.number, name);
		if (unlinkat(j->dir_fd, name, 0) != 0 && errno != ENOENT) {
			if (!j->said_prune)
				journal_say(j, "%s is over the limit and cannot be removed: %s", name, strerror(errno));
			j->said_prune = true;
			return;
		}
		j->said_prune = false;
		forget_read_fd(j, gone.number);
		j->counts.bytes -= gone.size + gone.beyond;
		memmove(j->segments, j->segments + 1, --j->segment_count * sizeof *j->segments);
		j->busy = true;
		index_prune(&j->index, gone.number, j->options.pruned, j->options.arg);
		j->busy = false;
	}
}

void
journal_limits(struct journal *j, int64_t limit_bytes, int64_t segment_bytes)
{
	assert(!j->busy);
	set_limits(j, limit_bytes, segment_bytes);
	prune(j);
}

/* ---- append ---- */

/* Writes all of it at that offset, or -1 with errno. iov is used up. */
static int
write_all(int fd, struct iovec *iov, int count, off_t at)
{
	while (count > 0) {
		ssize_t n = pwritev(fd, iov, count, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return -1;
		at += n;
		for (; count > 0 && (size_t)n >= iov->iov_len; iov++, count--)
			n -= (ssize_t)iov->iov_len;
		if (count > 0) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

/* Frames to the end of the last segment. */
static int
write_run(struct journal *j, struct frame *const *frames, size_t count)
{
	struct segment *last = journal_last(j);
	struct iovec iov[IOV_MAX];
	while (count > 0) {
		size_t n = count < IOV_MAX ? count : IOV_MAX, bytes = 0;
		for (size_t i = 0; i < n; i++) {
			iov[i] = (struct iovec){ frames[i]->record, frame_size(frames[i]) };
			bytes += iov[i].iov_len;
		}
		if (write_all(j->fd, iov, (int)n, (off_t)last->size) != 0)
			return -1;
		last->size += bytes;
		j->counts.bytes += bytes;
		frames += n;
		count -= n;
	}
	return 0;
}

/* Back to where an append began, errno as it was. Returns -1. */
static int
undo(struct journal *j, struct journal_pos mark)
{
	int e = errno;
	while (journal_last(j)->number != mark.segment)
		drop_last(j);
	struct segment *last = journal_last(j);
	if (j->fd < 0) {
		char name[SEGMENT_NAME];
		segment_name(mark.segment, name);
		j->fd = openat(j->dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	}
	j->counts.bytes -= last->size - mark.offset;
	last->size = mark.offset;
	if (j->fd < 0 || ftruncate(j->fd, (off_t)mark.offset) != 0) {
		char name[SEGMENT_NAME];
		segment_name(mark.segment, name);
		journal_say(j, "%s cannot be cut back to %" PRIu64 " bytes: %s; a new segment begins", name, mark.offset,
		    strerror(errno));
		if (j->fd >= 0)
			close(j->fd);
		j->fd = -1;
	}
	errno = e;
	return -1;
}

/* How many of the frames the last segment still takes; an empty one takes any first. */
static size_t
fitting(const struct journal *j, struct frame *const *frames, size_t count)
{
	uint64_t size = journal_last(j)->size, most = (uint64_t)j->options.segment_bytes;
	size_t n = 0;
	while (n < count && (size == 0 || size + frame_size(frames[n]) <= most))
		size += frame_size(frames[n++]);
	return n;
}

/* Segment by segment. -1 with errno: how far it came is for undo. */
static int
write_frames(struct journal *j, struct frame *const *frames, size_t count)
{
	while (count > 0) {
		size_t n = fitting(j, frames, count);
		if (n == 0) {
			if (begin_segment(j) == 0)
				continue;
			/* No more files, but perhaps more bytes: the old one may grow. */
			if (!j->said_rotate)
				journal_say(j, "no new segment can be begun: %s; the last one grows", strerror(errno));
			j->said_rotate = true;
			n = count;
		}
		if (write_run(j, frames, n) != 0)
			return -1;
		frames += n;
		count -= n;
	}
	return 0;
}

/* The frames stand one after the other from mark on, up to the end of each segment. */
static bool
index_frames(struct journal *j, struct journal_pos mark, struct frame *const *frames, size_t count)
{
	size_t seg = j->segment_count - 1;
	while (j->segments[seg].number != mark.segment)
		seg--;
	for (size_t i = 0; i < count; i++) {
		while (mark.offset == j->segments[seg].size)
			mark = (struct journal_pos){ j->segments[++seg].number, 0 };
		if (!index_add(&j->index, &frames[i]->h, mark, frame_size(frames[i])))
			return false;
		mark.offset += frame_size(frames[i]);
	}
	return true;
}

int
journal_append(struct journal *j, struct frame *const *frames, size_t count)
{
	assert(!j->busy);
	if (count == 0)
		return 0;
	if (journal_mend(j) != 0)
		return -1;
	prune(j);               /* a limit that was lowered may be what makes room */
	if (j->fd < 0 && begin_segment(j) != 0)
		return -1;
	struct journal_pos mark = journal_tail(j);
	if (write_frames(j, frames, count) != 0)
		return undo(j, mark);
	if (!index_frames(j, mark, frames, count)) {
		index_cut(&j->index, mark);
		errno = ENOMEM;
		return undo(j, mark);
	}
	prune(j);
	return 0;
}
