/* SPDX-License-Identifier: MIT */
#include "daemon/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

enum { FILE_MOST = 16 * 1024 };

struct secrets {
	int count;
	struct secret {
		size_t        size;
		unsigned char bytes[SECRET_MOST];
	} secret[SECRETS];
};

static const char proof_word[] = "PROOF ";

void
secrets_free(struct secrets **s)
{
	if (*s != NULL)
		explicit_bzero(*s, sizeof **s);
	free(*s);
	*s = NULL;
}

/* NULL, or what is wrong with this line. */
static const char *
take_line(struct secrets *s, const char *line)
{
	size_t n = strlen(line);
	if (n == 0 || line[0] == '#')
		return NULL;
	for (const char *p = line; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return "a secret is of printing characters without blanks";
	if (n < SECRET_LEAST || n > SECRET_MOST)
		return "a secret has 32 to 256 characters";
	if (s->count == SECRETS)
		return "over 4 secrets";
	struct secret *one = &s->secret[s->count++];
	memcpy(one->bytes, line, n);
	one->size = n;
	return NULL;
}

/* The open file's text, NUL behind it; -1 after saying what is wrong. It is not to be opened twice: it may be another then. */
static ssize_t
read_file(const char *file, char *text, struct buf *errors)
{
	struct stat st;
	size_t n = 0;
	ssize_t got = 1;
	/* A FIFO must not hold up the start. */
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	const char *wrong = NULL;
	if (fd < 0 || fstat(fd, &st) < 0)
		wrong = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		wrong = "is not a regular file";
	else if ((st.st_mode & (S_IRWXO | S_IWGRP)) != 0)
		wrong = "others may read or write it: chmod 0640 it";
	while (wrong == NULL && n < FILE_MOST && got > 0)
		if ((got = read(fd, text + n, FILE_MOST - n)) > 0)
			n += (size_t)got;
		else if (got < 0 && errno == EINTR)
			got = 1;
	if (wrong == NULL && got < 0)
		wrong = strerror(errno);
	else if (wrong == NULL && (n == FILE_MOST || memchr(text, '\0', n) != NULL))
		wrong = "is no text file of less than 16 KiB";
	if (fd >= 0)
		close(fd);
	if (wrong != NULL)
		buf_printf(errors, "%s: %s\n", file, wrong);
	text[wrong == NULL ? n : 0] = '\0';
	return wrong == NULL ? (ssize_t)n : -1;
}

struct secrets *
secrets_read(const char *file, struct buf *errors)
{
	struct secrets *s = calloc(1, sizeof *s);
	char *text = malloc(FILE_MOST + 1), *rest = text, *line;
	bool good = s != NULL && text != NULL;
	if (!good)
		buf_printf(errors, "%s: %s\n", file, strerror(ENOMEM));
	good = good && read_file(file, text, errors) >= 0;
	for (int n = 1; good && (line = text_line(&rest)) != NULL; n++) {
		const char *wrong = take_line(s, text_trim(line));
		if (wrong == NULL)
			continue;
		/* Not a word of the line itself. */
		buf_printf(errors, "%s:%d: %s\n", file, n, wrong);
		good = false;
	}
	if (good && s->count == 0) {
		buf_printf(errors, "%s: there is no secret in it\n", file);
		good = false;
	}
	if (text != NULL)
		explicit_bzero(text, FILE_MOST + 1);
	free(text);
	if (!good)
		secrets_free(&s);
	return s;
}

bool
secrets_prove(const struct secrets *s, const char *hello, const char *answer, struct buf *line)
{
	char proof[PROOF_HEX + 1];
	bool good = buf_puts(line, "PROOF");
	for (int i = 0; i < s->count; i++) {
		proof_make(proof, PROOF_OPENER, s->secret[i].bytes, s->secret[i].size, hello, answer);
		good = good && buf_puts(line, " ") && buf_puts(line, proof);
	}
	return good;
}

int
secrets_match(const struct secrets *s, const char *line, size_t n, const char *hello, const char *answer,
    char proof[PROOF_HEX + 1])
{
	size_t at = sizeof proof_word - 1;
	if (n < at || memcmp(line, proof_word, at) != 0)
		return -1;
	for (int tried = 0; tried < SECRETS && at < n; tried++) {
		const char *blank = memchr(line + at, ' ', n - at);
		size_t end = blank != NULL ? (size_t)(blank - line) : n;
		for (int i = 0; i < s->count; i++) {
			const struct secret *one = &s->secret[i];
			if (!proof_holds(line + at, end - at, PROOF_OPENER, one->bytes, one->size, hello, answer))
				continue;
			proof_make(proof, PROOF_ANSWERER, one->bytes, one->size, hello, answer);
			return i;
		}
		at = end + 1;
	}
	return -1;
}

bool
secrets_accept(const struct secrets *s, const char *line, size_t n, const char *hello, const char *answer)
{
	size_t at = sizeof proof_word - 1;
	bool good = false;
	if (n != at + PROOF_HEX || memcmp(line, proof_word, at) != 0)
		return false;
	for (int i = 0; i < s->count; i++)
		good |= proof_holds(line + at, PROOF_HEX, PROOF_ANSWERER, s->secret[i].bytes, s->secret[i].size, hello, answer);
	return good;
}
