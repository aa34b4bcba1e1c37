/* SPDX-License-Identifier: MIT */
#include "store/oldlog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/logfile.h"

enum {
	COMPARE_BYTES = 256 * 1024,
	SEARCHES = 16,
};

struct oldlog {
	char       *dir, *name;
	int         fd;                 /* -1: done with it */
	uint64_t    at;                 /* up to here it is the journal's */
	struct buf  in;                 /* its bytes from there on */
	int         searches;           /* it has lines here that the journal has pruned: that many lines are tried to find
	                                   where those begin that the journal still holds; 0: found, or there are none */
	oldlog_say *say;
	void       *arg;
};

/* Opens the file with this inode in the log folder, whatever its name is by now. */
static int
find_inode(struct oldlog *o, const struct cursor *c)
{
	DIR *d = opendir(o->dir);
	struct dirent *e;
	int fd = -1;
	while (d != NULL && fd < 0 && (e = readdir(d)) != NULL) {
		struct stat st;
		if (strncmp(e->d_name, "access.log", 10) != 0 || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode) || (uint64_t)st.st_ino != c->inode || (uint64_t)st.st_dev != c->dev)
			continue;
		fd = openat(dirfd(d), e->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
		/* What is shorter, or has no line end where one was, is not what we left there. */
		char end = '\n';
		bool as_left = fd >= 0 && (uint64_t)st.st_size >= c->size &&
		    (c->size == 0 || (pread(fd, &end, 1, (off_t)c->size - 1) == 1 && end == '\n'));
		if (fd >= 0 && (!as_left || (o->name = strdup(e->d_name)) == NULL)) {
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
say(struct oldlog *o, const char *name, const char *what, uint64_t n)
{
	char text[400];
	snprintf(text, sizeof text, "%.200s: %s (%llu bytes)", name, what, (unsigned long long)n);
	o->say(o->arg, text);
}

/* Reads more of the old file behind what is at hand; false: there is no more. */
static bool
read_more(struct oldlog *o)
{
	char *room = buf_room(&o->in, COMPARE_BYTES);
	ssize_t n = room == NULL ? 0 : pread(o->fd, room, COMPARE_BYTES, (off_t)(o->at + o->in.len));
	if (n > 0)
		buf_added(&o->in, (size_t)n);
	return n > 0;
}

/* The journal and the file part here: what follows in the file is a torn line, or was never had, or is not ours. */
static void
part_here(struct oldlog *o, const char *line, size_t n)
{
	while (read_more(o))
		continue;
	size_t left = o->in.len;
	const char *p = buf_begin(&o->in);
	bool torn = left < n && memcmp(p, line, left) == 0;
	bool zeros = left != 0;
	for (size_t i = 0; i < left && zeros; i++)
		zeros = p[i] == '\0';
	if (left != 0 && !torn && !zeros) {
		struct logfile aside;
		if (logfile_open(&aside, o->dir, "access.log.cut", (uid_t)-1, (gid_t)-1) == 0 &&
		    logfile_write(&aside, p, left) == 0)
			say(o, o->name, "its end is not in the journal: moved to access.log.cut", left);
		logfile_close(&aside);
	} else if (left != 0) {
		say(o, o->name, torn ? "a torn last line was cut" : "NUL bytes at its end were cut", left);
	}
	if (left != 0 && ftruncate(o->fd, (off_t)o->at) < 0)
		say(o, o->name, "its end cannot be cut", left);
	close(o->fd);
	o->fd = -1;
	buf_fini(&o->in);
}

/* Where this line begins in the old file from old_at on, in bytes from there; -1: nowhere. */
static int64_t
find_line(struct oldlog *o, const char *line, size_t n)
{
	struct buf part = BUF_INIT;
	uint64_t at = o->at;
	for (;;) {
		char *room = buf_room(&part, COMPARE_BYTES), *end;
		ssize_t more = room == NULL ? 0 : pread(o->fd, room, COMPARE_BYTES, (off_t)(at + part.len));
		if (more <= 0)
			break;
		buf_added(&part, (size_t)more);
		for (char *p = buf_begin(&part); part.len >= n; buf_eat(&part, (size_t)(end + 1 - p)), at += (size_t)(end + 1 - p)) {
			p = buf_begin(&part);
			if (memcmp(p, line, n) == 0) {
				buf_fini(&part);
				return (int64_t)(at - o->at);
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
skip_pruned(struct oldlog *o, const char *line, size_t n)
{
	int64_t at = find_line(o, line, n);
	o->searches = at >= 0 ? 0 : o->searches - 1;
	if (at > 0)
		o->at += (uint64_t)at;
	if (at >= 0 || o->searches > 0)
		return;
	/* It ends with them. */
	struct stat st;
	if (fstat(o->fd, &st) == 0 && (uint64_t)st.st_size > o->at)
		o->at = (uint64_t)logfile_last_line(o->fd, st.st_size);
}

bool
oldlog_has(struct oldlog *o, const char *line, size_t n)
{
	if (o->fd < 0)
		return false;
	if (o->searches > 0) {
		skip_pruned(o, line, n);
		if (o->searches > 0)
			return false;
	}
	while (o->in.len < n)
		if (!read_more(o))
			break;
	if (o->in.len >= n && memcmp(buf_begin(&o->in), line, n) == 0) {
		buf_eat(&o->in, n);
		o->at += n;
		return true;
	}
	part_here(o, line, n);
	return false;
}

void
oldlog_end(struct oldlog *o)
{
	if (o != NULL && o->fd >= 0)
		part_here(o, "", 0);
}

bool
oldlog_done(const struct oldlog *o)
{
	return o == NULL || o->fd < 0;
}

bool
oldlog_is(const struct oldlog *o, int fd)
{
	struct stat mine, other;
	return !oldlog_done(o) && fstat(o->fd, &mine) == 0 && fstat(fd, &other) == 0 && mine.st_ino == other.st_ino &&
	    mine.st_dev == other.st_dev;
}

struct oldlog *
oldlog_open(const char *dir, const struct cursor *c, bool pruned, oldlog_say *sayer, void *arg)
{
	struct oldlog *o = calloc(1, sizeof *o);
	if (o == NULL)
		return NULL;
	o->fd = -1;
	o->say = sayer;
	o->arg = arg;
	o->at = c->size;
	o->searches = pruned ? SEARCHES : 0;
	o->dir = strdup(dir);
	if (o->dir == NULL)
		oldlog_close(&o);
	else
		o->fd = find_inode(o, c);
	return o;
}

void
oldlog_close(struct oldlog **op)
{
	struct oldlog *o = *op;
	*op = NULL;
	if (o == NULL)
		return;
	if (o->fd >= 0)
		close(o->fd);
	buf_fini(&o->in);
	free(o->name);
	free(o->dir);
	free(o);
}
