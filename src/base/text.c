/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

char *
text_slurp(const char *file, size_t max, size_t *len)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return NULL;
	struct buf b = BUF_INIT;
	ssize_t n = -1;
	for (;;) {
		char *room = buf_room(&b, 4096);
		if (room == NULL)
			break;
		n = read(fd, room, 4095);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		buf_added(&b, (size_t)n);
		if (b.len > max) {
			errno = EFBIG;
			n = -1;
			break;
		}
	}
	int saved = errno;
	close(fd);
	errno = saved;
	if (n != 0 || !buf_put(&b, "", 1)) {
		buf_fini(&b);
		return NULL;
	}
	if (len != NULL)
		*len = b.len - 1;
	return b.data;
}

char *
text_line(char **rest)
{
	char *line = *rest;
	if (line == NULL || *line == '\0')
		return NULL;
	char *end = strchr(line, '\n');
	*rest = end != NULL ? end + 1 : line + strlen(line);
	if (end == NULL)
		return line;
	if (end > line && end[-1] == '\r')
		end--;
	*end = '\0';
	return line;
}

char *
text_word(char **rest)
{
	char *word = *rest + strspn(*rest, " \t");
	if (*word == '\0')
		return NULL;
	char *end = word + strcspn(word, " \t");
	*rest = *end != '\0' ? end + 1 : end;
	*end = '\0';
	return word;
}

char *
text_trim(char *s)
{
	s += strspn(s, " \t\r");
	size_t n = strlen(s);
	while (n > 0 && strchr(" \t\r", s[n - 1]) != NULL)
		s[--n] = '\0';
	return s;
}

bool
text_int(const char *s, int64_t least, int64_t most, int64_t *out)
{
	size_t digits = strspn(s, "0123456789");
	if (digits == 0 || digits > 19 || s[digits] != '\0')
		return false;
	errno = 0;
	long long v = strtoll(s, NULL, 10);
	if (errno != 0 || v < least || v > most)
		return false;
	*out = v;
	return true;
}

bool
text_bytes(const char *s, int64_t *out)
{
	char digits[24];
	size_t n = strspn(s, "0123456789");
	int shift = 0;
	if (n >= sizeof digits)
		return false;
	memcpy(digits, s, n);
	digits[n] = '\0';
	if (s[n] != '\0') {
		static const char units[] = "KkMmGg";
		const char *unit = strchr(units, s[n]);
		if (unit == NULL || s[n + 1] != '\0')
			return false;
		shift = (int)((unit - units) / 2 + 1) * 10;
	}
	int64_t v;
	if (!text_int(digits, 0, INT64_MAX >> shift, &v))
		return false;
	*out = v << shift;
	return true;
}

bool
text_seconds(const char *s, int64_t *ms)
{
	size_t whole = strspn(s, "0123456789");
	size_t part = s[whole] == '.' ? strspn(s + whole + 1, "0123456789") : 0;
	if (whole > 9 || whole + part == 0 || s[whole + (s[whole] == '.') + part] != '\0')
		return false;
	int64_t v = 0;
	for (size_t i = 0; i < whole; i++)
		v = v * 10 + (s[i] - '0');
	v *= 1000;
	for (size_t i = 0, unit = 100; i < part && unit != 0; i++, unit /= 10)
		v += (int64_t)unit * (s[whole + 1 + i] - '0');
	*ms = v;
	return true;
}

int
text_distance(const char *a, const char *b)
{
	enum { MOST = 31 };
	int row[MOST + 1], n = (int)strnlen(b, MOST);
	for (int j = 0; j <= n; j++)
		row[j] = j;
	for (int i = 1; *a != '\0' && i <= MOST; a++, i++) {
		int corner = row[0];
		row[0] = i;
		for (int j = 1; j <= n; j++) {
			int change = corner + (*a != b[j - 1]);
			corner = row[j];
			int step = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
			row[j] = change < step ? change : step;
		}
	}
	return row[n];
}
