/* SPDX-License-Identifier: MIT
 * journal_recover.c - reads the directory and every segment at the start. What is no good is cut off, set aside or
 * passed over, and said; nothing is deleted but NULs and what was kept elsewhere before. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/journal_private.h"

enum { ASIDE_NAME = 64 };

struct recovery {
	struct journal *j;
	journal_visit  *visit;          /* NULL once it has said stop */
	/* of one segment */
	uint64_t        number;
	char            name[SEGMENT_NAME];
	int             fd;
	bool            writable;
	uint64_t        file_size;
	uint64_t        limit;          /* without the NULs at its end */
	uint64_t        good_end;
	size_t          good;           /* records */
	bool            tail;           /* is there something behind good_end? */
	bool            torn;
	const char     *why;
};

/* ---- the directory ---- */

/* 16 hexadecimal digits, lower case; 0: not that. */
static uint64_t
number_of(const char *digits)
{
	uint64_t n = 0;
	for (int i = 0; i < 16; i++) {
		const char *all = "0123456789abcdef", *at = digits[i] != '\0' ? strchr(all, digits[i]) : NULL;
		if (at == NULL)
			return 0;
		n = n << 4 | (uint64_t)(at - all);
	}
	/* The next ones must be numbers, too. */
	return digits[16] == '\0' && n < (uint64_t)INT64_MAX ? n : 0;
}

bool
journal_pruned_beyond(const char *dir, struct journal_pos pos)
{
	DIR *d = opendir(dir);
	uint64_t lowest = 0;
	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
		uint64_t n = strncmp(e->d_name, "journal-", 8) == 0 ? number_of(e->d_name + 8) : 0;
		if (n != 0 && (lowest == 0 || n < lowest))
			lowest = n;
	}
	if (d != NULL)
		closedir(d);
	return pos.segment < lowest;
}

/* Never over a file that is there. */
static int
rename_new(int dir_fd, const char *from, const char *to)
{
	struct stat st;
	if (renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* A file system that knows no such renaming; nobody else is in here. */
	if (fstatat(dir_fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(dir_fd, from, dir_fd, to);
}

static void
rename_foreign(struct journal *j, const char *name, const char *what)
{
	char to[NAME_MAX + 1];
	for (int i = 1; i < 100; i++) {
		int n = i == 1 ? snprintf(to, sizeof to, "foreign-%s", name) : snprintf(to, sizeof to, "foreign-%s.%d", name, i);
		if (n < 0 || (size_t)n >= sizeof to)
			break;
		if (rename_new(j->dir_fd, name, to) == 0) {
			journal_say(j, "%s %s: renamed to %s", name, what, to);
			return;
		}
		if (errno != EEXIST)
			break;
	}
	journal_say(j, "%s %s, and cannot be renamed: %s", name, what, strerror(errno));
}

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* One name of the directory: the number of a segment, or 0. */
static uint64_t
look_at(struct journal *j, const char *name)
{
	struct stat st;
	if (strncmp(name, "damaged-", 8) == 0)
		j->aside_count++;
	if (strncmp(name, "journal-", 8) != 0)
		return 0;
	uint64_t number = number_of(name + 8);
	if (number == 0)
		rename_foreign(j, name, "is not the name of a segment");
	else if (fstatat(j->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
		rename_foreign(j, name, "is not a file");
	else
		return number;
	return 0;
}

/* The numbers of all segments, growing. */
static int
list_segments(struct journal *j, uint64_t **numbers, size_t *count)
{
	size_t room = 0;
	int fd = openat(j->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (dir == NULL) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	errno = 0;
	for (struct dirent *e; (e = readdir(dir)) != NULL; errno = 0) {
		uint64_t number = look_at(j, e->d_name);
		if (number == 0)
			continue;
		if (*count == room) {
			room = room * 2 + 64;
			uint64_t *p = realloc(*numbers, room * sizeof *p);
			if (p == NULL)
				break;
			*numbers = p;
		}
		(*numbers)[(*count)++] = number;
	}
	int error = errno;
	closedir(dir);
	errno = error;
	if (*count != 0)
		qsort(*numbers, *count, sizeof **numbers, by_number);
	return error == 0 ? 0 : -1;
}

/* ---- setting aside ---- */

/* Are these the very bytes? */
static bool
same(int fd, uint64_t from, uint64_t size, int other)
{
	char a[8192], b[8192];
	struct stat st;
	if (fstat(other, &st) != 0 || (uint64_t)st.st_size != size)
		return false;
	for (uint64_t done = 0; done < size; ) {
		size_t n = size - done < sizeof a ? (size_t)(size - done) : sizeof a;
		if (pread(fd, a, n, (off_t)(from + done)) != (ssize_t)n || pread(other, b, n, (off_t)done) != (ssize_t)n ||
		    memcmp(a, b, n) != 0)
			return false;
		done += n;
	}
	return true;
}

static bool
copy(int fd, uint64_t from, uint64_t size, int to)
{
	char a[8192];
	for (uint64_t done = 0; done < size; ) {
		size_t n = size - done < sizeof a ? (size_t)(size - done) : sizeof a;
		ssize_t got = pread(fd, a, n, (off_t)(from + done));
		if (got <= 0 || write(to, a, (size_t)got) != got)
			return false;
		done += (uint64_t)got;
	}
	return journal_sync_fd(to) == 0;
}

static bool
copy_to_new(struct recovery *r, uint64_t from, uint64_t size, const char *name)
{
	struct journal *j = r->j;
	if (j->aside_count >= JOURNAL_ASIDE)
		return false;
	int to = openat(j->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0640);
	if (to < 0)
		return false;
	bool good = copy(r->fd, from, size, to);
	close(to);
	if (!good)
		unlinkat(j->dir_fd, name, 0);
	else
		j->aside_count++;
	return good;
}

/* A copy of these bytes in a file of their own; name is then its name, else empty. False: not all of them are in it. */
static bool
keep(struct recovery *r, uint64_t from, uint64_t to, char name[ASIDE_NAME])
{
	uint64_t size = to - from < JOURNAL_ASIDE_BYTES ? to - from : JOURNAL_ASIDE_BYTES;
	/* The same damage may have been kept at an earlier start, and other damage at the same place. */
	for (int i = 1; i < 10; i++) {
		int n = snprintf(name, ASIDE_NAME, "damaged-%016" PRIx64 "-%" PRIu64, r->number, from);
		if (i > 1)
			snprintf(name + n, (size_t)(ASIDE_NAME - n), ".%d", i);
		int there = openat(r->j->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		bool good = there >= 0 ? same(r->fd, from, size, there) :
		    errno == ENOENT && copy_to_new(r, from, size, name);
		if (there >= 0)
			close(there);
		if (good)
			return size == to - from;
		if (there < 0)
			break;
	}
	name[0] = '\0';
	return false;
}

/* ---- one segment ---- */

/* A power cut may leave NULs where the last writes should be. */
static uint64_t
without_nuls(int fd, uint64_t size)
{
	char buf[8192];
	while (size > 0) {
		size_t n = size < sizeof buf ? (size_t)size : sizeof buf;
		if (pread(fd, buf, n, (off_t)(size - n)) != (ssize_t)n)
			return size;
		for (; n > 0 && buf[n - 1] == '\0'; n--)
			size--;
		if (n > 0)
			break;
	}
	return size;
}

static int
open_segment(struct recovery *r)
{
	struct stat st;
	r->fd = openat(r->j->dir_fd, r->name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	r->writable = r->fd >= 0;
	if (r->fd < 0)
		r->fd = openat(r->j->dir_fd, r->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (r->fd < 0 || fstat(r->fd, &st) != 0) {
		journal_say(r->j, "%s: %s", r->name, strerror(errno));
		return -1;
	}
	posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	r->file_size = (uint64_t)st.st_size;
	r->limit = without_nuls(r->fd, r->file_size);
	r->good = 0;
	r->good_end = 0;
	r->tail = false;
	return 0;
}

static void
say_damaged(struct recovery *r, const struct scan_record *rec)
{
	char name[ASIDE_NAME];
	journal_said(r->j, (struct journal_pos){ r->number, rec->at });
	r->j->counts.damaged++;
	bool all = keep(r, rec->at, rec->at + rec->size, name);
	journal_say(r->j, "%s: damaged at offset %" PRIu64 ", %" PRIu64 " bytes (%s)%s%s; going on behind it",
	    r->name, rec->at, rec->size, rec->why, all ? ": kept in " : name[0] != '\0' ? ": in part kept in " : "", name);
}

static int
take_good(struct recovery *r, const struct scan_record *rec)
{
	struct journal *j = r->j;
	struct journal_pos at = { r->number, rec->at };
	if (rec->wrap != '0') {
		j->counts.damaged++;
		journal_say(j, "%s: at offset %" PRIu64 " a record is wrapped '%c'; taken for '0'", r->name, rec->at, rec->wrap);
	}
	if (!index_add(&j->index, &rec->head, at, rec->size)) {
		errno = ENOMEM;
		return -1;
	}
	r->good++;
	r->good_end = rec->at + rec->size;
	if (r->visit != NULL && !r->visit(j->options.arg, &rec->head, rec->record, rec->head_size, at))
		r->visit = NULL;
	return 0;
}

static int
read_segment(struct recovery *r)
{
	struct journal *j = r->j;
	struct scan_record rec;
	scan_begin(&j->scan, r->fd, 0, r->limit);
	for (;;) {
		switch (scan_next(&j->scan, &rec)) {
		case SCAN_GOOD:
			if (take_good(r, &rec) != 0)
				return -1;
			break;
		case SCAN_DAMAGED:
			r->tail = rec.at + rec.size >= j->scan.limit;
			r->torn = rec.torn && rec.at == r->good_end;
			r->why = rec.why;
			if (r->tail)
				return 0;
			say_damaged(r, &rec);
			index_no_further(&j->index, rec.at + rec.size);
			break;
		case SCAN_END:
			return 0;
		}
	}
}

/* Does it begin like something that we have written? */
static bool
foreign(const struct recovery *r)
{
	char begin[2];
	return r->good == 0 && r->tail && r->j->scan.unreadable == 0 && pread(r->fd, begin, 2, 0) == 2 &&
	    (begin[0] != '0' || begin[1] != ' ');
}

/* Cuts off what is behind the last good record. A torn record goes even if it could not be kept: nobody was told that it
 * was stored. Anything else stays where it is, then, and nothing is written behind it. */
static void
mend_tail(struct recovery *r, struct segment *seg)
{
	struct journal *j = r->j;
	char name[ASIDE_NAME] = "";
	bool kept = !r->tail || keep(r, r->good_end, r->limit, name);
	bool cut = j->scan.unreadable == 0 && (kept || r->torn) && r->writable &&
	    ftruncate(r->fd, (off_t)r->good_end) == 0;
	if (!cut)
		seg->beyond = r->file_size - r->good_end;
	if (r->tail && !r->torn)
		j->counts.damaged++;
	journal_said(j, (struct journal_pos){ r->number, r->good_end });
	journal_say(j, "%s: %s at its end, from offset %" PRIu64 ", %" PRIu64 " bytes%s%s%s; %s", r->name,
	    !r->tail ? "NULs" : r->torn ? "torn" : "damaged", r->good_end, r->file_size - r->good_end,
	    r->limit < r->file_size && r->tail ? " with NULs" : "",
	    name[0] == '\0' ? "" : kept ? ": kept in " : ": in part kept in ", name,
	    cut ? "cut off" : "left as it is, a new segment begins");
}

static int
recover_segment(struct recovery *r, bool last)
{
	struct journal *j = r->j;
	segment_name(r->number, r->name);
	int result = open_segment(r);
	if (result == 0)
		result = read_segment(r);
	struct segment *seg = NULL;
	if (result == 0 && foreign(r)) {
		j->highest = r->number;
		rename_foreign(j, r->name, "holds no record");
	} else if (result == 0 && (seg = journal_push(j, r->number)) == NULL) {
		errno = ENOMEM;
		result = -1;
	}
	if (seg != NULL) {
		seg->size = r->good_end;
		if (r->good_end < r->file_size)
			mend_tail(r, seg);
		else if (seg->size == 0 && !last)
			journal_say(j, "%s is empty", r->name);
		if (j->scan.unreadable != 0)
			journal_say(j, "%s: %u pages could not be read", r->name, j->scan.unreadable);
		j->counts.bytes += seg->size + seg->beyond;
	}
	if (last && seg != NULL && r->writable && seg->beyond == 0)
		j->fd = r->fd;
	else if (r->fd >= 0)
		close(r->fd);
	return result;
}

/* ---- all of it ---- */

static void
say_missing(const struct journal *j, uint64_t from, uint64_t to)
{
	char first[SEGMENT_NAME], last[SEGMENT_NAME];
	segment_name(from, first);
	segment_name(to, last);
	if (from == to)
		journal_say(j, "%s is missing", first);
	else
		journal_say(j, "%s to %s are missing", first, last);
}

int
journal_recover(struct journal *j, journal_visit *visit)
{
	struct recovery r = { .j = j, .visit = visit, .fd = -1 };
	uint64_t *numbers = NULL;
	size_t count = 0;
	int result = list_segments(j, &numbers, &count);
	j->busy = true;
	for (size_t i = 0; i < count && result == 0; i++) {
		r.number = numbers[i];
		if (i > 0 && numbers[i - 1] + 1 != r.number)
			say_missing(j, numbers[i - 1] + 1, r.number - 1);
		result = recover_segment(&r, i + 1 == count);
	}
	j->busy = false;
	free(numbers);
	if (result != 0)
		return -1;
	/* A process that was killed may have left what the disk has not yet; of more than two segments it is
	 * not worth the asking. */
	j->dir_dirty = j->segment_count != 0;
	if (j->segment_count != 0)
		j->synced = (struct journal_pos){ j->segments[j->segment_count - (j->segment_count > 1 ? 2 : 1)].number, 0 };
	return 0;
}
