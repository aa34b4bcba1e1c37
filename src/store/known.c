/* SPDX-License-Identifier: MIT */
#include "store/known.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/lineset.h"

enum {
	SET_BYTES = 256 * 1024 * 1024,          /* of each file's end */
	DOUBT_MS = 3600 * 1000,                 /* without a line of the set coming again */
};

struct known {
	char           *path, *rotated;         /* of access.log and of the one before it */
	char           *doubt_path;             /* a file that keeps doubt over restarts */
	struct lineset *lines;                  /* NULL: none are of interest */
	bool            loaded;                 /* as far as there was anything */
	bool            doubt;                  /* the file is there */
	int64_t         hit_ms;                 /* when a line was found last */
};

struct known *
known_open(const char *log_path, const char *state_dir)
{
	struct known *k = calloc(1, sizeof *k);
	if (k == NULL)
		return NULL;
	k->path = strdup(log_path);
	if (asprintf(&k->rotated, "%s.1", log_path) < 0)
		k->rotated = NULL;
	if (asprintf(&k->doubt_path, "%s/again", state_dir) < 0)
		k->doubt_path = NULL;
	if (k->path == NULL || k->rotated == NULL || k->doubt_path == NULL) {
		known_close(&k);
		errno = ENOMEM;
		return NULL;
	}
	k->doubt = access(k->doubt_path, F_OK) == 0;
	return k;
}

void
known_close(struct known **kp)
{
	struct known *k = *kp;
	*kp = NULL;
	if (k == NULL)
		return;
	lineset_free(&k->lines);
	free(k->path);
	free(k->rotated);
	free(k->doubt_path);
	free(k);
}

/* ---- the lines ---- */

void
known_load(struct known *k)
{
	if (k->loaded)
		return;
	k->loaded = true;
	lineset_add(&k->lines, k->path, SET_BYTES, NULL);
	lineset_add(&k->lines, k->rotated, SET_BYTES, NULL);
}

/* The end of the first line behind p, its LF with it. */
static const char *
line_end(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));
	return lf != NULL ? lf + 1 : end;
}

void
known_load_only(struct known *k, const struct buf *lines)
{
	const char *p = buf_begin(lines), *end = p + lines->len, *next;
	struct lineset *only = NULL;
	bool good = !k->loaded && lines->len != 0;
	for (; good && p < end; p = next) {
		next = line_end(p, end);
		good = lineset_put(&only, p, (size_t)(next - p));
	}
	if (good) {
		lineset_add(&k->lines, k->path, SET_BYTES, only);
		lineset_add(&k->lines, k->rotated, SET_BYTES, only);
		k->loaded = true;
	}
	lineset_free(&only);
}

void
known_forget(struct known *k)
{
	lineset_free(&k->lines);
	k->loaded = false;
}

bool
known_loaded(const struct known *k)
{
	return k->loaded;
}

void
known_drop(struct known *k, struct buf *lines, size_t from)
{
	if (k->lines == NULL)
		return;
	char *begin = buf_begin(lines), *kept = begin + from;
	const char *end = begin + lines->len, *next;
	bool hit = false;
	for (const char *p = kept; p < end; p = next) {
		size_t n = (size_t)((next = line_end(p, end)) - p);
		if (lineset_has(k->lines, p, n)) {
			hit = true;
		} else {
			memmove(kept, p, n);
			kept += n;
		}
	}
	if (hit)
		k->hit_ms = clock_mono_ms();
	lines->len = (size_t)(kept - begin);
}

/* ---- doubt ---- */

bool
known_doubt(const struct known *k)
{
	return k->doubt;
}

void
known_set_doubt(struct known *k)
{
	k->hit_ms = clock_mono_ms();
	if (k->doubt)
		return;
	k->doubt = true;
	int fd = open(k->doubt_path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0640);
	if (fd >= 0)
		close(fd);
}

void
known_end_doubt(struct known *k)
{
	if (!k->doubt || clock_mono_ms() < k->hit_ms + DOUBT_MS)
		return;
	k->doubt = false;
	unlink(k->doubt_path);
	known_forget(k);
}
