/* SPDX-License-Identifier: MIT */
#include "store/reader.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/journal_private.h"

struct numbers {
	uint64_t *at;
	size_t    count, room;
};

static bool
add_number(struct numbers *n, uint64_t number)
{
	if (n->count == n->room) {
		size_t room = n->room * 2 + 32;
		uint64_t *at = realloc(n->at, room * sizeof *at);
		if (at == NULL)
			return false;
		n->at = at;
		n->room = room;
	}
	n->at[n->count++] = number;
	return true;
}

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* The segments that are there, by their numbers. */
static int
list(DIR *d, uint64_t last, struct numbers *n)
{
	struct dirent *e;
	while ((e = readdir(d)) != NULL) {
		char name[SEGMENT_NAME];
		if (strncmp(e->d_name, "journal-", 8) != 0)
			continue;
		uint64_t number = strtoull(e->d_name + 8, NULL, 16);
		segment_name(number, name);
		if (strcmp(e->d_name, name) == 0 && number <= last && !add_number(n, number)) {
			errno = ENOMEM;
			return -1;
		}
	}
	if (n->count != 0)
		qsort(n->at, n->count, sizeof *n->at, by_number);
	return 0;
}

/* 1: go on, 0: stop, -1 with errno. */
static int
read_segment(int dir_fd, uint64_t number, uint64_t limit, char *room, const struct reader_ops *ops)
{
	char name[SEGMENT_NAME];
	struct scan s = { .buf = room };
	struct scan_record r;
	enum scan_is is;
	bool on;
	segment_name(number, name);
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT ? 1 : -1;
	off_t size = lseek(fd, 0, SEEK_END);
	if (size >= 0 && limit > (uint64_t)size)
		limit = (uint64_t)size;
	on = ops->segment == NULL || ops->segment(ops->arg, name);
	scan_begin(&s, fd, 0, limit);
	while (on && (is = scan_next(&s, &r)) != SCAN_END) {
		if (is == SCAN_GOOD)
			on = ops->good(ops->arg, &r.head, r.record + r.head_size);
		else if (ops->damaged != NULL)
			on = ops->damaged(ops->arg, name, r.at, r.size, r.why);
	}
	close(fd);
	return on;
}

int
reader_scan(const char *dir, struct journal_pos end, const struct reader_ops *ops)
{
	struct numbers n = { .at = NULL };
	char *room = malloc(SCAN_ROOM);
	DIR *d = opendir(dir);
	int on = d == NULL || room == NULL || list(d, end.segment, &n) < 0 ? -1 : 1;
	for (size_t i = 0; on == 1 && i < n.count; i++)
		on = read_segment(dirfd(d), n.at[i], n.at[i] == end.segment ? end.offset : UINT64_MAX, room, ops);
	int saved = errno;
	if (d != NULL)
		closedir(d);
	free(n.at);
	free(room);
	errno = saved;
	return on < 0 ? -1 : 0;
}
