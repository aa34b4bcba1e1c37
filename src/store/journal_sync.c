/* SPDX-License-Identifier: MIT
 * journal_sync.c - brings the journal to the disk, and what follows when that fails.
 *
 * After a failed fdatasync the kernel takes the pages for clean: to ask it again proves nothing, and the bytes may be on the
 * disk or not. While they are in memory they can still be read, though, so they are read, checked and written once
 * more, to a file that has not failed yet. The old ones stay where they are: whoever reads both drops one. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "store/journal_private.h"

static int (*sync_file)(int fd) = fdatasync;

void
journal_set_sync(int (*f)(int fd))
{
	sync_file = f != NULL ? f : fdatasync;
}

int
journal_sync_fd(int fd)
{
	int r;
	do {
		r = sync_file(fd);
	} while (r != 0 && errno == EINTR);
	return r;
}

bool
journal_dirty(const struct journal *j)
{
	return j->broken || journal_pos_compare(j->synced, journal_tail(j)) < 0;
}

/* ---- writing again ---- */

struct rewriting {
	struct journal *j;
	int             fd, error;
	uint64_t        size, number;
};

static bool
rewrite_record(void *arg, const struct frame_head *h, const char *record, size_t head_size, struct journal_pos at)
{
	struct rewriting *w = arg;
	size_t size = head_size + h->bytes, done = 0;
	(void)at;
	/* Of no stream: whoever met it twice could not tell. It was promised once at most. */
	if (h->epoch == 0)
		return true;
	while (done < size) {
		ssize_t n = pwrite(w->fd, record + done, size - done, (off_t)(w->size + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			w->error = n == 0 ? ENOSPC : errno;
			return false;
		}
		done += (size_t)n;
	}
	w->size += size;
	return true;
}

/* What lies behind synced, to a new file, and that to the disk. */
static int
rewrite_file(struct rewriting *w)
{
	struct journal *j = w->j;
	if (journal_walk(j, j->synced, rewrite_record, w) != 0)
		return -1;
	if (w->error != 0) {
		errno = w->error;
		return -1;
	}
	if (journal_sync_fd(w->fd) != 0)
		return -1;
	return fsync(j->dir_fd);
}

/* The new file is a segment like any other from now on, and the last. */
static int
take_over(struct rewriting *w)
{
	struct journal *j = w->j;
	struct segment *seg = journal_push(j, w->number);
	struct scan_record r;
	if (seg == NULL) {
		errno = ENOMEM;
		return -1;
	}
	errno = EIO;            /* if what comes back is not what went out */
	scan_begin(&j->scan, w->fd, 0, w->size);
	while (scan_next(&j->scan, &r) == SCAN_GOOD) {
		if (!index_add(&j->index, &r.head, (struct journal_pos){ w->number, r.at }, r.size)) {
			errno = ENOMEM;
			break;
		}
		seg->size = r.at + r.size;
	}
	if (seg->size != w->size) {
		index_cut(&j->index, (struct journal_pos){ w->number, 0 });
		j->segment_count--;
		j->highest = w->number - 1;
		return -1;
	}
	j->counts.bytes += seg->size;
	if (j->fd >= 0)
		close(j->fd);
	j->fd = w->fd;
	return 0;
}

int
journal_mend(struct journal *j)
{
	char name[SEGMENT_NAME];
	struct rewriting w = { .j = j };
	if (!j->broken)
		return 0;
	w.fd = journal_create(j, &w.number);
	if (w.fd < 0)
		return -1;
	segment_name(w.number, name);
	if (rewrite_file(&w) != 0 || take_over(&w) != 0) {
		int e = errno;
		close(w.fd);
		unlinkat(j->dir_fd, name, 0);
		errno = e;
		return -1;
	}
	j->synced = journal_tail(j);
	j->broken = j->dir_dirty = false;
	j->counts.syncs++;
	journal_say(j, "%s: %" PRIu64 " bytes were written again after the disk had failed", name, w.size);
	return 0;
}

/* ---- sync ---- */

/* Every segment with something behind synced. */
static int
sync_segments(struct journal *j)
{
	for (size_t i = 0; i < j->segment_count; i++) {
		const struct segment *seg = &j->segments[i];
		if (journal_pos_compare((struct journal_pos){ seg->number, seg->size }, j->synced) <= 0)
			continue;
		int fd = journal_segment_fd(j, seg->number);
		if (fd < 0 && errno == ENOENT)
			continue;               /* somebody removed it: nothing to be had */
		if (fd < 0 || journal_sync_fd(fd) != 0)
			return -1;
	}
	return j->dir_dirty ? fsync(j->dir_fd) : 0;
}

/* What is behind synced is in doubt from now on. Returns -1 with errno as it was. */
static int
sync_failed(struct journal *j)
{
	int e = errno;
	char name[SEGMENT_NAME];
	segment_name(j->synced.segment, name);
	journal_say(j, "the journal cannot be brought to the disk: %s; what is in it from %s offset %" PRIu64
	    " on is written again", strerror(e), name, j->synced.offset);
	j->broken = true;
	if (journal_mend(j) != 0)
		journal_say(j, "it cannot be written again either: %s; nothing is stored until that works", strerror(errno));
	errno = e;
	return -1;
}

int
journal_sync(struct journal *j)
{
	assert(!j->busy);
	if (j->broken)
		return journal_mend(j);
	if (!journal_dirty(j))
		return 0;
	if (sync_segments(j) != 0)
		return sync_failed(j);
	j->synced = journal_tail(j);
	j->dir_dirty = false;
	j->counts.syncs++;
	return 0;
}

/* ---- by another thread ---- */

static void
flight_close(struct journal_flight *f)
{
	for (int i = 0; i < f->count; i++)
		close(f->fd[i]);
	f->count = 0;
}

bool
journal_sync_begin(struct journal *j, struct journal_flight *f)
{
	*f = (struct journal_flight){ .dir_fd = j->dir_dirty ? j->dir_fd : -1, .upto = j->synced };
	if (j->broken)
		return false;
	for (size_t i = 0; i < j->segment_count && f->count < (int)(sizeof f->fd / sizeof f->fd[0]); i++) {
		const struct segment *seg = &j->segments[i];
		struct journal_pos end = { seg->number, seg->size };
		if (journal_pos_compare(end, j->synced) <= 0)
			continue;
		int fd = journal_segment_fd(j, seg->number);
		fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
		if (fd < 0) {
			flight_close(f);
			return false;
		}
		f->fd[f->count++] = fd;
		f->upto = end;
	}
	j->dir_dirty &= f->count == 0;
	return f->count != 0;
}

int
journal_flight_sync(struct journal_flight *f)
{
	int error = 0;
	for (int i = 0; i < f->count; i++)
		if (journal_sync_fd(f->fd[i]) != 0)
			error = errno;
	if (f->dir_fd >= 0 && fsync(f->dir_fd) != 0)
		error = errno;
	flight_close(f);
	return error;
}

int
journal_sync_end(struct journal *j, const struct journal_flight *f, int error)
{
	assert(!j->busy);
	errno = error;
	if (error != 0)
		return sync_failed(j);
	j->synced = f->upto;
	j->counts.syncs++;
	return 0;
}
