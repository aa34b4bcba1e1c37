/* SPDX-License-Identifier: MIT */
#include "store/access.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "store/cursor.h"
#include "store/known.h"
#include "store/lines.h"
#include "store/logfile.h"
#include "store/lineset.h"
#include "store/oldlog.h"

enum { HELD_BYTES = 64 * 1024 * 1024 }; /* of lines to be written at the start */

/* A line that is in the journal, and in access.log under another number: of frames not yet flushed. */
struct skipped {
	uint64_t epoch, seq;
	uint32_t origin;                        /* CRC of the name */
};

struct access {
	struct logfile      file;
	struct cursor_file *cursor_file;
	struct cursor       cursor;             /* as it was read, or is to be written */
	bool                syncing;            /* between access_sync_begin and _end, and the file is still the same */
	bool                have_cursor, started, behind, completing;
	struct journal_pos  flushed;            /* the file has everything before this */
	uint64_t            size;               /* of the file, as far as we wrote it */
	struct buf          out;                /* rendered, not yet written */
	struct buf          skipped;            /* struct skipped, since flushed, in the journal's order */
	size_t              skip_at;            /* while the journal is read again: the next of them */
	struct known       *known;              /* lines that were in the file before us */
	struct lineset     *given;              /* while it is completed: headers of what was given, since what the journal wrote
	                                           again after a failed sync stands in it twice */
	access_say         *say;
	void               *arg;
	struct oldlog      *old;                /* while the start compares */
};

/* ---- opening ---- */

static void
say_torn(struct access *a, uint64_t bytes)
{
	char text[100];
	snprintf(text, sizeof text, "access.log: a torn last line was cut (%llu bytes)", (unsigned long long)bytes);
	a->say(a->arg, text);
}

struct access *
access_open(const char *log_dir, const char *state_dir, uid_t uid, gid_t gid, access_say *sayer, void *arg)
{
	struct access *a = calloc(1, sizeof *a);
	if (a == NULL)
		return NULL;
	a->file.fd = -1;
	a->say = sayer;
	a->arg = arg;
	int rc = logfile_open(&a->file, log_dir, "access.log", uid, gid);
	if (rc == 0 && (a->cursor_file = cursor_open(state_dir)) == NULL)
		rc = -1;
	if (rc == 0 && (a->known = known_open(a->file.path, state_dir)) == NULL)
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
	if (a->have_cursor) {
		bool pruned = journal_pruned_beyond(state_dir, a->cursor.pos);
		a->flushed = a->cursor.pos;
		a->old = oldlog_open(log_dir, &a->cursor, pruned, sayer, arg);
	}
	uint64_t torn = oldlog_is(a->old, a->file.fd) ? 0 : logfile_mend(&a->file);
	if (torn != 0)
		say_torn(a, torn);
	return a;
}

void
access_close(struct access **ap)
{
	struct access *a = *ap;
	if (a == NULL)
		return;
	oldlog_close(&a->old);
	logfile_close(&a->file);
	cursor_close(&a->cursor_file);
	known_close(&a->known);
	buf_fini(&a->out);
	buf_fini(&a->skipped);
	lineset_free(&a->given);
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

/* Takes out of what was just rendered the lines that the old file has next. */
static void
drop_old(struct access *a, size_t from)
{
	size_t kept = from;
	for (size_t at = from, n; at < a->out.len; at += n) {
		char *p = buf_begin(&a->out);
		n = (size_t)((char *)memchr(p + at, '\n', a->out.len - at) - (p + at)) + 1;
		if (oldlog_has(a->old, p + at, n))
			continue;
		memmove(p + kept, p + at, n);
		kept += n;
	}
	a->out.len = kept;
}

static int write_out(struct access *a);

/* What lies behind the cursor, and is not what the file has next, is to be written, unless it stands further up, from before
 * it was damaged in the journal and came back. While there is little of it this is asked when it is complete. */
static void
write_held(struct access *a)
{
	known_load(a->known);
	known_drop(a->known, &a->out, 0);
	if (write_out(a) == 0)
		return;
	a->behind = true;
	buf_clear(&a->out);
}

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
	if (a->started)
		known_drop(a->known, &a->out, before);
	else if (!oldlog_done(a->old))
		drop_old(a, before);
	if (!a->started && a->out.len >= HELD_BYTES)
		write_held(a);
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
	buf_clear(&a->out);
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
	oldlog_end(a->old);
	/* Lines from before are of use while what the state lost comes back from the others. A first start has none. */
	bool lost = known_doubt(a->known) || doubtful || !a->have_cursor || is_before(end, a->cursor.pos);
	lost = lost && (a->have_cursor || a->out.len != 0 || (fstat(a->file.fd, &st) == 0 && st.st_size != 0));
	if (lost)
		known_load(a->known);
	else
		known_load_only(a->known, &a->out);
	known_drop(a->known, &a->out, 0);
	if (lost)
		known_set_doubt(a->known);
	else
		known_forget(a->known);
	a->size = fstat(a->file.fd, &st) == 0 ? (uint64_t)st.st_size : 0;
	a->started = true;
	if (a->behind || write_out(a) != 0) {
		a->behind = true;       /* from flushed on, with the skips noted so far */
		buf_clear(&a->out);
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
	free(skip);
	if (good) {
		known_drop(a->known, &a->out, before);
		g->error = write_out(a);
	} else {
		g->error = ENOMEM;
	}
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
		known_forget(a->known);
	a->completing = true;
	known_load(a->known);
	buf_clear(&a->out);
	a->skip_at = 0;
	if (journal_scan(j, a->flushed, again_visit, &g) < 0)
		g.error = errno;
	buf_clear(&a->out);
	buf_eat(&a->skipped, a->skip_at * sizeof(struct skipped));
	if (g.error != 0)
		return g.error;
	a->behind = a->completing = false;
	a->flushed = end;
	buf_clear(&a->skipped);
	lineset_free(&a->given);
	if (!known_doubt(a->known))
		known_forget(a->known);
	return 0;
}

int
access_flush(struct access *a, struct journal *j, struct journal_pos end)
{
	int error = a->behind ? complete(a, j, end) : write_out(a);
	if (error != 0) {
		a->behind = true;
		buf_clear(&a->out);
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
	known_end_doubt(a->known);
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
