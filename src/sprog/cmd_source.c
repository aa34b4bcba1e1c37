/* SPDX-License-Identifier: MIT
 * cmd_source.c - where the texts come from: made up, given, or the lines of a file, read as it
 * comes. */
#include "sprog/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/diag.h"
#include "wire/line.h"

enum { READ_BYTES = 256 * 1024 };

static int
open_file(struct source *s)
{
	if (strcmp(s->file, "-") == 0) {
		s->file = "standard input";
		s->fd = STDIN_FILENO;
		return EX_OK;
	}
	/* A named pipe is waited for; a signal ends that. */
	s->fd = open(s->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	if (s->fd >= 0 && fstat(s->fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		source_close(s);
		errno = EISDIR;
	}
	if (s->fd >= 0)
		return EX_OK;
	diag("%s: %s", s->file, strerror(errno));
	return EX_NOINPUT;
}

int
source_open(struct source *s, const struct options *o)
{
	*s = (struct source){ .message = o->message, .file = o->file, .fd = -1, .random = o->seed,
	    .least = o->least, .spread = o->most - o->least + 1 };
	if (s->file != NULL)
		return open_file(s);
	const char *why = s->message != NULL ? sprog_check(s->message, strlen(s->message)) : NULL;
	if (why == NULL)
		return EX_OK;
	diag("--message: %s", why);
	return EX_DATAERR;
}

void
source_close(struct source *s)
{
	if (s->fd > STDIN_FILENO)
		close(s->fd);
	s->fd = -1;
	buf_fini(&s->in);
}

/* splitmix64: a few instructions, and the same numbers everywhere. */
static uint64_t
next_random(struct source *s)
{
	uint64_t z = s->random += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* Printing ASCII, no blank at either end, by eight characters for each number. */
static void
make_up(struct source *s, size_t len)
{
	for (size_t i = 0; i < len; i += 8) {
		uint64_t r = next_random(s);
		for (size_t k = 0; k < 8; k++)
			s->text[i + k] = (char)(' ' + ((r >> 8 * k & 255) * 95 >> 8));
	}
	uint64_t r = next_random(s);
	if (s->text[0] == ' ')
		s->text[0] = (char)('!' + ((r & 255) * 94 >> 8));
	if (s->text[len - 1] == ' ')
		s->text[len - 1] = (char)('!' + ((r >> 8 & 255) * 94 >> 8));
}

/* A line, without its line end, so far as it is in the buffer; false: read more first. Of a line
 * that is too long the beginning is enough to be called that, the rest is skipped. */
static bool
next_line(struct source *s, const char **text, size_t *len)
{
	buf_eat(&s->in, s->used);
	s->used = 0;
	while (s->in.len > 0) {
		const char *begin = buf_begin(&s->in);
		const char *lf = memchr(begin, '\n', s->in.len);
		bool whole = lf != NULL || s->ended;
		size_t n = lf != NULL ? (size_t)(lf - begin) : s->in.len;
		if (s->skipping) {
			s->skipping = lf == NULL;
			buf_eat(&s->in, lf != NULL ? n + 1 : n);
			continue;
		}
		if (!whole && n <= LINE_MAX_TEXT + 1)   /* the last byte may be a CR */
			return false;
		s->skipping = !whole;
		s->used = lf != NULL ? n + 1 : n;
		s->line++;
		if (n > 0 && begin[n - 1] == '\r' && whole)
			n--;
		*text = begin;
		*len = n;
		return true;
	}
	return false;
}

enum source_is
source_next(struct source *s, const char **text, size_t *len)
{
	if (s->file != NULL) {
		if (next_line(s, text, len))
			return SOURCE_TEXT;
		return s->ended ? SOURCE_END : SOURCE_WAIT;
	}
	if (s->message != NULL) {
		*text = s->message;
		*len = strlen(s->message);
		return SOURCE_TEXT;
	}
	do {    /* again, where it is one of the words that are commands */
		*len = s->least + (size_t)((next_random(s) >> 32) * s->spread >> 32);
		make_up(s, *len);
	} while (*len < 10 && sprog_check(s->text, *len) != NULL);
	*text = s->text;
	return SOURCE_TEXT;
}

const char *
source_lines(struct source *s, size_t *len)
{
	buf_eat(&s->in, s->used);
	s->used = 0;
	*len = s->skipping ? 0 : s->in.len;
	return buf_begin(&s->in);
}

void
source_took(struct source *s, size_t bytes, size_t lines)
{
	buf_eat(&s->in, bytes);
	s->line += lines;
}

bool
source_read(struct source *s)
{
	buf_eat(&s->in, s->used);
	s->used = 0;
	char *room = buf_room(&s->in, READ_BYTES);
	if (room == NULL) {
		diag("%s: %s", s->file, strerror(ENOMEM));
		return false;
	}
	ssize_t n = read(s->fd, room, READ_BYTES);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n < 0) {
		diag("%s: %s", s->file, strerror(errno));
		return false;
	}
	buf_added(&s->in, (size_t)n);
	s->ended = n == 0;
	return true;
}
