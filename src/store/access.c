/* SPDX-License-Identifier: MIT */
#include "store/access.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/crc32c.h"
#include "store/cursor.h"
#include "store/lines.h"
#include "store/logfile.h"
#include "store/lineset.h"

enum {
	WRITE_BYTES = 256 * 1024,               /* of lines in one write */
	COMPARE_BYTES = 256 * 1024,
	SEARCHES = 16,
	SET_BYTES = 256 * 1024 * 1024,          /* of the file's end that are taken as a set of lines */
	DOUBT_MS = 3600 * 1000,                 /* without a line of that set coming again: then it is let go */
};

/* A line that is in the journal, and in access.log under another number: of frames not yet flushed. */
struct skipped {
	uint64_t epoch, seq;
	uint32_t origin;                        /* CRC of the name */
};

struct access {
	struct logfile      file;
	char               *dir;
	struct cursor_file *cursor_file;
	struct cursor       cursor;             /* as it was read, or is to be written */
	bool                syncing;            /* between access_sync_begin and _end, and the file is still the same */
	bool                have_cursor, started, behind, completing;
	bool                set_tried;          /* known was loaded, as far as there was anything */
	struct journal_pos  flushed;            /* the file has everything before this */
	uint64_t            size;               /* of the file, as far as we wrote it */
	uint64_t            lines;
	struct buf          out;                /* rendered, not yet written */
	uint64_t            out_lines;          /* in it */
	struct buf          skipped;            /* struct skipped, since flushed, in the journal's order */
	size_t              skip_at;            /* while the journal is read again: the next of them */
	struct lineset     *known;              /* lines that were in the file before us; NULL: none are of interest */
	struct lineset     *given;              /* while it is completed: headers of what was given, since what the journal wrote
	                                           again after a failed sync stands in it twice */
	char               *doubt_path;         /* a file that keeps known in use over restarts */
	bool                doubt;              /* it is there: what comes from others may be in the file already */
	int64_t             hit_ms;             /* when a line was found in known last */
	access_say         *say;
	void               *arg;

	/* while the start compares */
	int                 old_fd;             /* the file that the cursor knows; -1: done with it */
	uint64_t            old_at;             /* up to here it is the journal's */
	char               *old_name;
	struct buf          old;                /* its bytes from old_at on */
	int                 searches;           /* the file has lines here that the journal has pruned: that many lines are tried to find
	                                           where those begin that it still holds; 0: found, or there are none */
};

/* ---- the file that the cursor knows ---- */

/* Opens the file with this inode in the log folder, whatever its name is by now. */
static int
find_inode(struct access *a, const struct cursor *c)
{
	DIR *d = opendir(a->dir);
	struct dirent *e;
	int fd = -1;
	while (d != NULL && fd < 0 && (e = readdir(d)) != NULL) {
		struct stat st;
		if (strncmp(e->d_name, "access.log", 10) != 0 || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode) || (uint64_t)st.st_ino != c->inode || (uint64_t)st.st_dev != c->dev)
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		/* What is shorter, or has no line end where one was, is not what we left there. */
		char end = '\n';
		bool as_left = fd >= 0 && (uint64_t)st.st_size >= c->size &&
		    (c->size == 0 || (pread(fd, &end, 1, (off_t)c->size - 1) == 1 && end == '\n'));
		if (fd >= 0 && (!as_left || (a->old_name = strdup(e->d_name)) == NULL)) {
			close(fd);
			fd = -1;
			break;
		}
	}
	if (d != NULL)
		closedir(d);
	return fd;
}

static void
say(struct access *a, const char *name, const char *what, uint64_t n)
{
	char text[400];
	snprintf(text, sizeof text, "%.200s: %s (%llu bytes)", name, what, (unsigned long long)n);
	a->say(a->arg, text);
}

/* Reads more of the old file behind what is at hand; false: there is no more. */
static bool
read_old(struct access *a)
{
	char *room = buf_room(&a->old, COMPARE_BYTES);
	ssize_t n = room == NULL ? 0 : pread(a->old_fd, room, COMPARE_BYTES, (off_t)(a->old_at + a->old.len));
	if (n > 0)
		buf_added(&a->old, (size_t)n);
	return n > 0;
}

/* The journal and the file part here: what follows in the file is a torn line, or was never had, or is not ours. */
static void
end_compare(struct access *a, const char *line, size_t n)
{
	while (read_old(a))
		continue;
	size_t left = a->old.len;
	const char *p = buf_begin(&a->old);
	bool torn = left < n && memcmp(p, line, left) == 0;
	bool zeros = left != 0;
	for (size_t i = 0; i < left && zeros; i++)
		zeros = p[i] == '\0';
	if (left != 0 && !torn && !zeros) {
		struct logfile aside;
		if (logfile_open(&aside, a->dir, "access.log.cut", (uid_t)-1, (gid_t)-1) == 0 &&
		    logfile_write(&aside, p, left) == 0)
			say(a, a->old_name, "its end is not in the journal: moved to access.log.cut", left);
		logfile_close(&aside);
	} else if (left != 0) {
		say(a, a->old_name, torn ? "a torn last line was cut" : "NUL bytes at its end were cut", left);
	}
	if (left != 0 && ftruncate(a->old_fd, (off_t)a->old_at) < 0)
		say(a, a->old_name, "its end cannot be cut", left);
	close(a->old_fd);
	a->old_fd = -1;
	buf_fini(&a->old);
}

/* Where the last whole line of the file ends. */
static off_t
last_line_end(int fd, off_t size)
{
	char part[4096];
	while (size > 0) {
		off_t from = size > (off_t)sizeof part ? size - (off_t)sizeof part : 0;
		ssize_t n = pread(fd, part, (size_t)(size - from), from);
		if (n <= 0)
			return size;
		const char *lf = memrchr(part, '\n', (size_t)n);
		if (lf != NULL)
			return from + (lf - part) + 1;
		size = from;
	}
	return 0;
}

/* Where this line begins in the old file from old_at on, in bytes from there; -1: nowhere. */
static int64_t
find_line(struct access *a, const char *line, size_t n)
{
	struct buf part = BUF_INIT;
	uint64_t at = a->old_at;
	for (;;) {
		char *room = buf_room(&part, COMPARE_BYTES), *end;
		ssize_t more = room == NULL ? 0 : pread(a->old_fd, room, COMPARE_BYTES, (off_t)(at + part.len));
		if (more <= 0)
			break;
		buf_added(&part, (size_t)more);
		for (char *p = buf_begin(&part); part.len >= n; buf_eat(&part, (size_t)(end + 1 - p)), at += (size_t)(end + 1 - p)) {
			p = buf_begin(&part);
			if (memcmp(p, line, n) == 0) {
				buf_fini(&part);
				return (int64_t)(at - a->old_at);
			}
			end = memchr(p, '\n', part.len);
			if (end == NULL)
				break;
		}
	}
	buf_fini(&part);
	return -1;
}

/* The lines before this one in the old file are of what the journal has pruned. */
static void
skip_pruned(struct access *a, const char *line, size_t n)
{
	int64_t at = find_line(a, line, n);
	a->searches = at >= 0 ? 0 : a->searches - 1;
	if (at > 0)
		a->old_at += (uint64_t)at;
	if (at >= 0 || a->searches > 0)
		return;
	/* It ends with them. */
	struct stat st;
	if (fstat(a->old_fd, &st) == 0 && (uint64_t)st.st_size > a->old_at)
		a->old_at = (uint64_t)last_line_end(a->old_fd, st.st_size);
}

/* Is this line what the old file has next? */
static bool
in_old_file(struct access *a, const char *line, size_t n)
{
	if (a->old_fd < 0)
		return false;
	if (a->searches > 0) {
		skip_pruned(a, line, n);
		if (a->searches > 0)
			return false;
	}
	while (a->old.len < n)
		if (!read_old(a))
			break;
	if (a->old.len >= n && memcmp(buf_begin(&a->old), line, n) == 0) {
		buf_eat(&a->old, n);
		a->old_at += n;
		return true;
	}
	end_compare(a, line, n);
	return false;
}

/* ---- opening ---- */

/* Half a line at the end, from a kill or a power cut (then of NUL bytes, too): nothing of ours, and it must not be glued to what
 * comes. */
static void
cut_torn_line(struct access *a)
{
	struct stat st;
	int fd = open(a->file.path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && fstat(fd, &st) == 0) {
		off_t good = last_line_end(fd, st.st_size);
		if (good < st.st_size)
			say(a, "access.log", "a torn last line was cut", (uint64_t)(st.st_size - good));
		if (good < st.st_size && ftruncate(a->file.fd, good) < 0)
			a->file.torn = true;
	}
	if (fd >= 0)
		close(fd);
}

/* The lines before the last rotation, too. */
static void
load_rotated(struct access *a)
{
	char *path;
	if (asprintf(&path, "%s.1", a->file.path) < 0)
		return;
	lineset_add(&a->known, path, SET_BYTES);
	free(path);
}

struct access *
access_open(const char *log_dir, const char *state_dir, uid_t uid, gid_t gid, access_say *sayer, void *arg)
{
	struct access *a = calloc(1, sizeof *a);
	if (a == NULL)
		return NULL;
	a->file.fd = a->old_fd = -1;
	a->say = sayer;
	a->arg = arg;
	a->dir = strdup(log_dir);
	int rc = a->dir == NULL ? -1 : logfile_open(&a->file, log_dir, "access.log", uid, gid);
	if (rc == 0 && (a->cursor_file = cursor_open(state_dir)) == NULL)
		rc = -1;
	if (rc == 0)
		rc = cursor_read(a->cursor_file, &a->cursor);
	if (rc < 0) {
		int saved = errno;
		access_close(&a);
		errno = saved;
		return NULL;
	}
	a->have_cursor = rc == 1;
	if (asprintf(&a->doubt_path, "%s/again", state_dir) < 0) {
		a->doubt_path = NULL;
		access_close(&a);
		errno = ENOMEM;
		return NULL;
	}
	a->doubt = access(a->doubt_path, F_OK) == 0;
	if (a->have_cursor) {
		if (journal_pruned_beyond(state_dir, a->cursor.pos))
			a->searches = SEARCHES;
		a->flushed = a->cursor.pos;
		a->old_fd = find_inode(a, &a->cursor);
		a->old_at = a->cursor.size;
	}
	struct stat mine, old;
	bool same = a->old_fd >= 0 && fstat(a->old_fd, &old) == 0 && fstat(a->file.fd, &mine) == 0 &&
	    old.st_ino == mine.st_ino && old.st_dev == mine.st_dev;
	if (!same) {
		cut_torn_line(a);
		a->known = lineset_load(a->file.path, SET_BYTES);
	}
	return a;
}

void
access_close(struct access **ap)
{
	struct access *a = *ap;
	if (a == NULL)
		return;
	if (a->old_fd >= 0)
		close(a->old_fd);
	logfile_close(&a->file);
	cursor_close(&a->cursor_file);
	lineset_free(&a->known);
	buf_fini(&a->out);
	buf_fini(&a->old);
	buf_fini(&a->skipped);
	lineset_free(&a->given);
	free(a->doubt_path);
	free(a->old_name);
	free(a->dir);
	free(a);
	*ap = NULL;
}

struct journal_pos
access_from(const struct access *a)
{
	return a->flushed;
}

/* ---- adding and writing ---- */

static void
note_skips(struct access *a, const struct frame_head *h, const uint32_t *skip, uint32_t skips)
{
	uint32_t origin = crc32c(0, h->origin, strlen(h->origin));
	for (uint32_t i = 0; i < skips; i++) {
		struct skipped s = { h->epoch, h->seq + skip[i], origin };
		buf_put(&a->skipped, &s, sizeof s);
	}
}

/* The lines of the file, and of the one before it, as a set. */
static void
forget_set(struct access *a)
{
	lineset_free(&a->known);
	a->set_tried = false;
}

/* From now on, over restarts too, what comes from others may be in the file already: the state was lost, or part of it. */
static void
set_doubt(struct access *a)
{
	a->hit_ms = clock_mono_ms();
	if (a->doubt)
		return;
	a->doubt = true;
	int fd = open(a->doubt_path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd >= 0)
		close(fd);
}

static void
end_doubt(struct access *a)
{
	if (!a->doubt || clock_mono_ms() < a->hit_ms + DOUBT_MS)
		return;
	a->doubt = false;
	unlink(a->doubt_path);
	forget_set(a);
}

static void
load_set(struct access *a)
{
	if (a->set_tried)
		return;
	a->set_tried = true;
	if (a->known == NULL)
		a->known = lineset_load(a->file.path, SET_BYTES);
	load_rotated(a);
}

/* Takes out of what was just rendered the lines that are in the file already. */
static void
drop_known(struct access *a, size_t before)
{
	size_t kept = before, at = before;
	bool hit = false;
	while (at < a->out.len) {
		char *p = buf_begin(&a->out);
		size_t n = (size_t)((char *)memchr(p + at, '\n', a->out.len - at) - (p + at)) + 1;
		bool there = in_old_file(a, p + at, n);
		/* Behind the cursor, and not what the file has next: to be written, unless it stands further up, from before it
		 * was damaged in the journal and came back. */
		if (!there && !a->started)
			load_set(a);
		there = there || (a->known != NULL && lineset_has(a->known, p + at, n));
		hit |= there;
		if (!there) {
			memmove(p + kept, p + at, n);
			kept += n;
		} else {
			a->out_lines--;
		}
		at += n;
	}
	a->out.len = kept;
	if (hit)
		a->hit_ms = clock_mono_ms();
}

static void
clear_out(struct access *a)
{
	buf_clear(&a->out);
	a->out_lines = 0;
}

static int write_out(struct access *a);

void
access_add(struct access *a, const struct frame_head *h, const char *body, const uint32_t *skip, uint32_t skips)
{
	note_skips(a, h, skip, skips);
	if (a->behind)
		return;         /* it will be read from the journal */
	size_t before = a->out.len;
	if (!lines_render(&a->out, h, body, skip, skips)) {
		a->behind = true;
		return;
	}
	a->out_lines += h->count - skips;
	if (!a->started || a->known != NULL)
		drop_known(a, before);
	if (!a->started && a->out.len >= WRITE_BYTES)
		write_out(a);
}

/* 0, or an errno; the lines stay in out then. */
static int
write_out(struct access *a)
{
	if (a->out.len == 0)
		return 0;
	if (logfile_write(&a->file, buf_begin(&a->out), a->out.len) < 0)
		return errno;
	a->size += a->out.len;
	a->lines += a->out_lines;
	clear_out(a);
	buf_shrink(&a->out, 4096);
	return 0;
}

static bool
is_before(struct journal_pos a, struct journal_pos b)
{
	return a.segment < b.segment || (a.segment == b.segment && a.offset < b.offset);
}

void
access_started(struct access *a, struct journal_pos end, bool doubtful)
{
	struct stat st;
	if (a->old_fd >= 0)
		end_compare(a, "", 0);
	/* A set of old lines is of use while what the state lost comes back from the others. */
	bool lost = a->doubt || doubtful || !a->have_cursor || is_before(end, a->cursor.pos);
	struct stat old;
	/* A first start has nothing that could come again. */
	if (lost && (a->have_cursor || (fstat(a->file.fd, &old) == 0 && old.st_size != 0))) {
		load_set(a);
		set_doubt(a);
	} else {
		forget_set(a);
	}
	a->size = fstat(a->file.fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	a->started = true;
	if (write_out(a) != 0) {
		a->behind = true;       /* from flushed on, with the skips noted so far */
		clear_out(a);
		return;
	}
	a->flushed = end;
	buf_clear(&a->skipped);
	access_sync(a, false);
}

/* ---- completing from the journal ---- */

struct again {
	struct access *access;
	int            error;
};

/* Which lines of this frame were skipped when it came; the list runs in the journal's order. */
static uint32_t
noted_skips(struct access *a, const struct frame_head *h, uint32_t *skip, uint32_t room)
{
	uint32_t origin = crc32c(0, h->origin, strlen(h->origin)), n = 0;
	const struct skipped *all = (const struct skipped *)(const void *)buf_begin(&a->skipped);
	size_t count = a->skipped.len / sizeof *all;
	for (; a->skip_at < count && n < room; a->skip_at++) {
		const struct skipped *s = &all[a->skip_at];
		if (s->epoch != h->epoch || s->origin != origin || s->seq < h->seq || s->seq >= h->seq + h->count)
			break;
		skip[n++] = (uint32_t)(s->seq - h->seq);
	}
	return n;
}

static bool
again_visit(void *arg, const struct frame_head *h, const char *record, size_t head_size, struct journal_pos at)
{
	struct again *g = arg;
	struct access *a = g->access;
	if ((strcmp(h->kind, "data") != 0 && strcmp(h->kind, "plain") != 0) ||
	    lineset_has(a->given, record, head_size))
		return true;
	size_t before = a->out.len, skip_at = a->skip_at;
	uint32_t *skip = malloc(h->count * sizeof *skip);
	uint32_t skips = skip != NULL ? noted_skips(a, h, skip, h->count) : 0;
	bool good = skip != NULL && lines_render(&a->out, h, record + head_size, skip, skips);
	a->out_lines += good ? h->count - skips : 0;
	free(skip);
	if (!good) {
		g->error = ENOMEM;
	} else if (a->known != NULL) {
		drop_known(a, before);
	}
	if (good)
		g->error = write_out(a);
	if (g->error != 0) {
		a->skip_at = skip_at;
		return false;
	}
	lineset_put(&a->given, record, head_size);
	a->flushed = (struct journal_pos){ at.segment, at.offset + head_size + h->bytes };
	return true;
}

static int
complete(struct access *a, struct journal *j, struct journal_pos end)
{
	struct again g = { a, 0 };
	/* What was written before the disk failed may come again, too: all that is there when it begins. */
	if (!a->completing)
		forget_set(a);
	a->completing = true;
	load_set(a);
	clear_out(a);
	a->skip_at = 0;
	if (journal_scan(j, a->flushed, again_visit, &g) < 0)
		g.error = errno;
	clear_out(a);
	buf_eat(&a->skipped, a->skip_at * sizeof(struct skipped));
	if (g.error != 0)
		return g.error;
	a->behind = a->completing = false;
	a->flushed = end;
	buf_clear(&a->skipped);
	lineset_free(&a->given);
	if (!a->doubt)
		forget_set(a);
	return 0;
}

int
access_flush(struct access *a, struct journal *j, struct journal_pos end)
{
	int error = a->behind ? complete(a, j, end) : write_out(a);
	if (error != 0) {
		a->behind = true;
		clear_out(a);
		errno = error;
		return -1;
	}
	a->flushed = end;
	buf_clear(&a->skipped);
	return 0;
}

bool
access_behind(const struct access *a)
{
	return a->behind;
}

/* ---- the file and its cursor ---- */

static int
take_cursor(struct access *a)
{
	struct stat st;
	end_doubt(a);
	a->syncing = false;
	if (fstat(a->file.fd, &st) < 0)
		return -1;
	a->cursor = (struct cursor){ a->flushed, (uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size };
	return 0;
}

/* The file before the cursor: what the cursor says must be there after a power cut, too. */
int
access_sync(struct access *a, bool disk)
{
	if (take_cursor(a) < 0 || (disk && fdatasync(a->file.fd) < 0))
		return -1;
	return cursor_write(a->cursor_file, &a->cursor);
}

int
access_sync_begin(struct access *a)
{
	int fd = take_cursor(a) < 0 ? -1 : fcntl(a->file.fd, F_DUPFD_CLOEXEC, 0);
	a->syncing = fd >= 0;
	return fd;
}

int
access_sync_end(struct access *a)
{
	if (!a->syncing)
		return 0;
	a->syncing = false;
	return cursor_write(a->cursor_file, &a->cursor);
}

int
access_reopen(struct access *a)
{
	struct stat st;
	if (logfile_reopen(&a->file) < 0)
		return -1;
	a->size = fstat(a->file.fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	return access_sync(a, false);
}

bool
access_moved(struct access *a)
{
	struct stat st;
	if (logfile_moved(&a->file))
		return true;
	if (fstat(a->file.fd, &st) == 0 && (uint64_t)st.st_size < a->size) {
		a->size = (uint64_t)st.st_size;
		access_sync(a, false);
	}
	return false;
}

const char *
access_path(const struct access *a)
{
	return a->file.path;
}

uint64_t
access_lines(const struct access *a)
{
	return a->lines;
}
