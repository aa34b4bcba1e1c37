/* SPDX-License-Identifier: MIT
 * harness_log.c - what stands in access.log and error.log. */
#include "harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness_own.h"

/* ---- form ---- */

const char *
log_after_date(const char *line, size_t len)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ ";
	if (len < sizeof form - 1)
		return NULL;
	for (size_t i = 0; i < sizeof form - 1; i++)
		if (form[i] == 'd' ? line[i] < '0' || line[i] > '9' : line[i] != form[i])
			return NULL;
	return line + sizeof form - 1;
}

static bool
is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool
log_parse(const char *line, size_t len, struct log_line *l)
{
	const char *end = line + len, *at = log_after_date(line, len);
	size_t n = 0;
	if (at == NULL)
		return false;
	while (at < end && is_name(*at) && n < 16)
		l->name[n++] = *at++;
	l->name[n] = '\0';
	if (n == 0 || at == end || *at++ != ':')
		return false;
	const char *digits = at;
	for (l->seq = 0; at < end && *at >= '0' && *at <= '9' && at - digits < 19; at++)
		l->seq = l->seq * 10 + (uint64_t)(*at - '0');
	if (at == digits || at == end || *at != ' ')
		return false;
	l->text = at + 1;
	l->len = (size_t)(end - l->text);
	return l->len != 0;
}

/* Whether each line of the text passes, and the last one ends. */
static void
check_lines(const char *path, bool access)
{
	size_t len;
	char *text = file_read(path, &len), *end = text + len;
	for (char *line = text, *lf; line < end; line = lf + 1) {
		struct log_line l;
		lf = memchr(line, '\n', (size_t)(end - line));
		require(lf != NULL, "%s: the last line has no end: %s", path, line);
		size_t n = (size_t)(lf - line);
		bool good = access ? log_parse(line, n, &l) : log_after_date(line, n) != NULL;
		require(good, "%s: bad line: %.*s", path, (int)n, line);
		for (size_t i = 0; i < n; i++)
			require(((unsigned char)line[i] >= ' ' && line[i] != 0x7f &&
			    (access || (unsigned char)line[i] < 0x7f)) || (access && line[i] == '\t'),
			    "%s: byte %02x in a line", path, (unsigned char)line[i]);
	}
	free(text);
}

void
log_check_access(struct ring_rig *rig, int i)
{
	check_lines(rig_path(rig, i, "log/access.log"), true);
}

void
log_check_form(struct ring_rig *rig, int i)
{
	log_check_access(rig, i);
	check_lines(rig_path(rig, i, "log/error.log"), false);
}

/* ---- counting ---- */

size_t
log_lines(struct ring_rig *rig, int i)
{
	struct log_place *p = &rig->m[i].access;
	int fd = open(rig_path(rig, i, "log/access.log"), O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0 && (st.st_ino != p->inode || st.st_size < p->offset))
		*p = (struct log_place){ .inode = st.st_ino };
	static char bytes[1 << 18];
	ssize_t n;
	while ((n = pread(fd, bytes, sizeof bytes, p->offset)) > 0) {
		for (char *at = bytes; (at = memchr(at, '\n', (size_t)(bytes + n - at))) != NULL; at++)
			p->lines++;
		p->offset += n;
	}
	close(fd);
	return p->lines;
}

void
log_wait_lines(struct ring_rig *rig, int i, size_t n)
{
	wait_for(log_lines(rig, i) >= n, SOON, "%s: %zu lines in access.log, %zu expected", rig->m[i].name,
	    log_lines(rig, i), n);
}

bool
log_error_has(struct ring_rig *rig, int i, const char *text)
{
	return file_has(rig_path(rig, i, "log/error.log"), text);
}

void
log_wait_error(struct ring_rig *rig, int i, const char *text)
{
	wait_for(log_error_has(rig, i, text), SOON, "%s: '%s' is not in error.log", rig->m[i].name, text);
}

int
log_count_text(struct ring_rig *rig, int i, const char *want)
{
	size_t len, size = strlen(want);
	char *text = file_read(rig_path(rig, i, "log/access.log"), &len), *end = text + len;
	int n = 0;
	for (char *line = text, *lf; line < end && (lf = memchr(line, '\n', (size_t)(end - line))) != NULL;
	    line = lf + 1) {
		struct log_line l;
		if (log_parse(line, (size_t)(lf - line), &l) && l.len == size && memcmp(l.text, want, size) == 0)
			n++;
	}
	free(text);
	return n;
}

void
log_wait_once(struct ring_rig *rig, uint64_t mask, const char *text)
{
	for (int i = 0; i < rig->size; i++) {
		if (mask != 0 ? (mask >> i & 1) == 0 : rig->m[i].pid == 0)
			continue;
		int n = 0;
		wait_for((n = log_count_text(rig, i, text)) >= 1, SOON, "%s: '%s' is not in access.log",
		    rig->m[i].name, text);
		require(n == 1, "%s: '%s' is %d times in access.log", rig->m[i].name, text, n);
	}
}
