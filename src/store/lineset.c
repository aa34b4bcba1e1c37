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

/* Room for n more. False: no memory. */
static bool
reserve(struct lineset *s, size_t n)
{
	struct lineset more = { .places = s->places != 0 ? s->places : 1024 };
	if ((s->count + n) * 2 <= s->places)
		return true;
	while ((s->count + n) * 2 > more.places)
		more.places *= 2;
	more.place = calloc(more.places, sizeof *more.place);
	if (more.place == NULL)
		return false;
	for (size_t i = 0; i < s->places; i++)
		if (s->place[i] != 0)
			insert(&more, s->place[i]);
	free(s->place);
	*s = more;
	return true;
}

static bool
holds(const struct lineset *s, uint64_t h)
{
	size_t at = h & (s->places - 1);
	while (s->place[at] != 0 && s->place[at] != h)
		at = (at + 1) & (s->places - 1);
	return s->place[at] == h;
}

bool
lineset_has(const struct lineset *s, const char *line, size_t n)
{
	return s != NULL && s->count != 0 && holds(s, hash(line, n));
}

/* ---- from a file ---- */

enum { READ_BYTES = 256 * 1024, TOGETHER = 64 };

static size_t
lines_in(const struct buf *b)
{
	size_t n = 0;
	for (const char *p = buf_begin(b), *end = p + b->len; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
		n++;
	return n;
}

/* Adds the whole lines at hand; false: no memory. Their places are all over the memory: each is asked for before the first
 * is waited for. */
static bool
add_lines(struct lineset *s, struct buf *b, const struct lineset *only)
{
	const struct lineset *where = only != NULL ? only : s;
	const char *p = buf_begin(b), *end = p + b->len, *lf = p;
	while (lf != NULL) {
		uint64_t some[TOGETHER];
		size_t n = 0;
		if (!reserve(s, TOGETHER))
			return false;
		while (n < TOGETHER && (lf = memchr(p, '\n', (size_t)(end - p))) != NULL) {
			some[n] = hash(p, (size_t)(lf - p) + 1);
			__builtin_prefetch(&where->place[some[n++] & (where->places - 1)]);
			p = lf + 1;
		}
		for (size_t i = 0; i < n; i++)
			if (only == NULL || holds(only, some[i]))
				insert(s, some[i]);
	}
	buf_eat(b, b->len - (size_t)(end - p));
	return true;
}

void
lineset_add(struct lineset **set, const char *file, size_t max_bytes, const struct lineset *only)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	struct buf b = BUF_INIT;
	if (fd < 0)
		return;
	if (*set == NULL)
		*set = calloc(1, sizeof **set);
	bool good = *set != NULL && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	size_t size = good && (size_t)st.st_size < max_bytes ? (size_t)st.st_size : max_bytes;
	if (good && (size_t)st.st_size > max_bytes)
		good = lseek(fd, st.st_size - (off_t)max_bytes, SEEK_SET) >= 0;
	for (bool first = true; good; first = false) {
		char *room = buf_room(&b, READ_BYTES);
		ssize_t n = room == NULL ? 0 : read(fd, room, READ_BYTES);
		if (n <= 0)
			break;
		buf_added(&b, (size_t)n);
		/* As many as there will be, if all are as long as these: a table that grows costs as much again. */
		if (first && only == NULL)
			reserve(*set, size / b.len * lines_in(&b));
		good = add_lines(*set, &b, only);
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
	lineset_add(&s, file, max_bytes, NULL);
	return s;
}

bool
lineset_put(struct lineset **set, const char *line, size_t n)
{
	if (*set == NULL)
		*set = calloc(1, sizeof **set);
	if (*set == NULL || !reserve(*set, 1))
		return false;
	insert(*set, hash(line, n));
	return true;
}

void
lineset_free(struct lineset **s)
{
	if (*s != NULL)
		free((*s)->place);
	free(*s);
	*s = NULL;
}
