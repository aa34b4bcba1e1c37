/* SPDX-License-Identifier: MIT */
#include "store/lineset.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

struct lineset {
	size_t    places, count;        /* places: a power of two, at most half of them taken */
	uint64_t *place;                /* 0: free */
};

static uint64_t
hash(const char *p, size_t n)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t w;
		memcpy(&w, p, 8);
		h = (h ^ w) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	for (; n > 0; p++, n--)
		h = (h ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	h ^= h >> 32;
	return h != 0 ? h : 1;
}

static void
insert(struct lineset *s, uint64_t h)
{
	size_t at = h & (s->places - 1);
	while (s->place[at] != 0 && s->place[at] != h)
		at = (at + 1) & (s->places - 1);
	s->count += s->place[at] == 0;
	s->place[at] = h;
}

static bool
add(struct lineset *s, uint64_t h)
{
	if (s->count * 2 >= s->places) {
		struct lineset more = { .places = s->places != 0 ? s->places * 2 : 1024 };
		more.place = calloc(more.places, sizeof *more.place);
		if (more.place == NULL)
			return false;
		for (size_t i = 0; i < s->places; i++)
			if (s->place[i] != 0)
				insert(&more, s->place[i]);
		free(s->place);
		*s = more;
	}
	insert(s, h);
	return true;
}

bool
lineset_has(const struct lineset *s, const char *line, size_t n)
{
	if (s == NULL || s->count == 0)
		return false;
	uint64_t h = hash(line, n);
	size_t at = h & (s->places - 1);
	while (s->place[at] != 0 && s->place[at] != h)
		at = (at + 1) & (s->places - 1);
	return s->place[at] == h;
}

/* Adds the whole lines at hand; false: no memory. */
static bool
add_lines(struct lineset *s, struct buf *b)
{
	const char *lf;
	while (b->len != 0 && (lf = memchr(buf_begin(b), '\n', b->len)) != NULL) {
		size_t n = (size_t)(lf - buf_begin(b)) + 1;
		if (!add(s, hash(buf_begin(b), n)))
			return false;
		buf_eat(b, n);
	}
	return true;
}

void
lineset_add(struct lineset **set, const char *file, size_t max_bytes)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	struct buf b = BUF_INIT;
	if (fd < 0)
		return;
	if (*set == NULL)
		*set = calloc(1, sizeof **set);
	bool good = *set != NULL && fstat(fd, &st) == 0;
	if (good && (size_t)st.st_size > max_bytes)
		good = lseek(fd, st.st_size - (off_t)max_bytes, SEEK_SET) >= 0;
	while (good) {
		char *room = buf_room(&b, 256 * 1024);
		ssize_t n = room == NULL ? 0 : read(fd, room, 256 * 1024);
		if (n <= 0)
			break;
		buf_added(&b, (size_t)n);
		good = add_lines(*set, &b);
	}
	buf_fini(&b);
	close(fd);
	if (*set != NULL && (*set)->count == 0)
		lineset_free(set);
}

struct lineset *
lineset_load(const char *file, size_t max_bytes)
{
	struct lineset *s = NULL;
	lineset_add(&s, file, max_bytes);
	return s;
}

bool
lineset_put(struct lineset **set, const char *line, size_t n)
{
	if (*set == NULL)
		*set = calloc(1, sizeof **set);
	return *set != NULL && add(*set, hash(line, n));
}

void
lineset_free(struct lineset **s)
{
	if (*s != NULL)
		free((*s)->place);
	free(*s);
	*s = NULL;
}
