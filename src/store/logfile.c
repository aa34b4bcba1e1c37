/* SPDX-License-Identifier: MIT */
#include "store/logfile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
folder_gives_group(const char *path)
{
	struct stat st;
	const char *slash = strrchr(path, '/');
	char *dir = slash != NULL ? strndup(path, (size_t)(slash - path) + 1) : NULL;
	bool gives = dir != NULL && stat(dir, &st) == 0 && (st.st_mode & S_ISGID) != 0;
	free(dir);
	return gives;
}

static int
open_path(const char *path, uid_t uid, gid_t gid)
{
	/* Without O_NONBLOCK a FIFO laid in our way would hang the open. */
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0640);
	if (fd < 0)
		return -1;
	struct stat st;
	int error = fstat(fd, &st) < 0 ? errno : !S_ISREG(st.st_mode) ? EINVAL : 0;
	/* In a folder that gives its files a group of its own, that one may read them. */
	if (folder_gives_group(path))
		gid = (gid_t)-1;
	if (error == 0 && (uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(fd, uid, gid) < 0)
		error = errno;
	if (error == 0)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

int
logfile_open(struct logfile *l, const char *dir, const char *name, uid_t uid, gid_t gid)
{
	*l = (struct logfile){ .fd = -1 };
	if (asprintf(&l->path, "%s/%s", dir, name) < 0) {
		l->path = NULL;
		errno = ENOMEM;
		return -1;
	}
	l->fd = open_path(l->path, uid, gid);
	return l->fd < 0 ? -1 : 0;
}

void
logfile_close(struct logfile *l)
{
	if (l->fd >= 0)
		close(l->fd);
	free(l->path);
	*l = (struct logfile){ .fd = -1 };
}

int
logfile_reopen(struct logfile *l)
{
	int fd = open_path(l->path, (uid_t)-1, (gid_t)-1);
	if (fd < 0)
		return -1;
	struct stat before, after;
	bool same = fstat(l->fd, &before) == 0 && fstat(fd, &after) == 0 && before.st_dev == after.st_dev &&
	    before.st_ino == after.st_ino;
	/* dup3 swaps in one step: no thread can be given our number in between. */
	int rc = dup3(fd, l->fd, O_CLOEXEC), saved = errno;
	close(fd);
	errno = saved;
	if (rc < 0)
		return -1;
	l->torn &= same;
	return 0;
}

bool
logfile_moved(const struct logfile *l)
{
	struct stat mine, named;
	if (fstat(l->fd, &mine) < 0)
		return false;
	return stat(l->path, &named) < 0 ? errno == ENOENT :
	    mine.st_dev != named.st_dev || mine.st_ino != named.st_ino;
}

off_t
logfile_last_line(int fd, off_t size)
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

uint64_t
logfile_mend(struct logfile *l)
{
	struct stat st;
	uint64_t torn = 0;
	int fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	if (fd >= 0 && fstat(fd, &st) == 0) {
		off_t good = logfile_last_line(fd, st.st_size);
		torn = (uint64_t)(st.st_size - good);
		if (torn != 0 && ftruncate(l->fd, good) < 0)
			l->torn = true;
	}
	if (fd >= 0)
		close(fd);
	return torn;
}

/* How many bytes went out; errno says why not all. */
static size_t
write_some(int fd, const char *p, size_t n)
{
	size_t done = 0;
	while (done < n) {
		ssize_t k = write(fd, p + done, n - done);
		if (k > 0) {
			done += (size_t)k;
			continue;
		}
		if (k == 0)
			errno = ENOSPC; /* POSIX leaves it open; never fail with errno 0 */
		if (errno != EINTR)
			break;
	}
	return done;
}

static void
cut_back(struct logfile *l, size_t written)
{
	struct stat st;
	int saved = errno;
	if (written != 0 && (fstat(l->fd, &st) < 0 || ftruncate(l->fd, st.st_size - (off_t)written) < 0))
		l->torn = true;
	errno = saved;
}

int
logfile_write(struct logfile *l, const char *p, size_t n)
{
	assert(n > 0);
	if (l->torn) {
		if (write_some(l->fd, "\n", 1) != 1)
			return -1;
		l->torn = false;
	}
	size_t written = write_some(l->fd, p, n);
	if (written == n)
		return 0;
	cut_back(l, written);
	return -1;
}
