/* SPDX-License-Identifier: MIT */
#include "bench_tally.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "body.h"

enum { CHUNK = 1 << 20, LINE_PREFIX = 40 };

bool
tally_open(struct tally *t, const char *path, enum tally_form form)
{
	memset(t, 0, sizeof *t);
	t->form = form;
	t->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (t->fd >= 0)
		t->at = tally_size(t);
	return t->fd >= 0;
}

void
tally_close(struct tally *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

off_t
tally_size(const struct tally *t)
{
	struct stat st;
	return fstat(t->fd, &st) == 0 ? st.st_size : 0;
}

void
tally_restart(struct tally *t)
{
	t->lines = t->sum = 0;
}

/* NULL: no line of this form. */
static const char *
text_of(const struct tally *t, const char *line, const char *end)
{
	switch (t->form) {
	case TALLY_RAW: return line;
	case TALLY_PREFIX: return end - line >= LINE_PREFIX ? line + LINE_PREFIX : NULL;
	case TALLY_LOG: break;
	}
	for (int i = 0; i < 2 && line != NULL; i++) {
		line = memchr(line, ' ', (size_t)(end - line));
		line = line != NULL ? line + 1 : NULL;
	}
	return line;
}

/* A line that is none counts, and spoils the sum. */
static void
count(struct tally *t, const char *line, const char *end)
{
	const char *text = text_of(t, line, end);
	if (text != NULL && end > text && end[-1] == '\r')
		end--;
	t->sum += text != NULL ? body_hash(text, (size_t)(end - text)) : 1;
	t->lines++;
}

void
tally_more(struct tally *t)
{
	static char chunk[CHUNK];
	ssize_t n;
	while ((n = pread(t->fd, chunk, sizeof chunk, t->at)) > 0) {
		const char *line = chunk, *end = chunk + n, *lf;
		while ((lf = memchr(line, '\n', (size_t)(end - line))) != NULL) {
			count(t, line, lf);
			line = lf + 1;
		}
		if (line == chunk)
			return;
		t->at += line - chunk;
	}
}
