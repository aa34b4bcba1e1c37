/* SPDX-License-Identifier: MIT
 * export.c - metrics and dot: a status for other programs. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/diag.h"
#include "zogctl/zogctl.h"

enum { FILE_MODE = 0644 };

static bool
write_all(int fd, const struct buf *b)
{
	size_t done = 0;
	while (done < b->len) {
		ssize_t n = write(fd, buf_begin(b) + done, b->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* Under a name of its own first, beside it: who reads the file has the old one or the new one, whole. */
static int
write_file(const char *path, const struct buf *b)
{
	char *name;
	if (asprintf(&name, "%s.XXXXXX", path) < 0) {
		diag("cannot write %s: %s", path, strerror(ENOMEM));
		return EX_OSERR;
	}
	int fd = mkstemp(name), code = EX_OK;
	if (fd < 0) {
		diag("cannot make %s: %s", name, strerror(errno));
		free(name);
		return EX_CANTCREAT;
	}
	bool good = write_all(fd, b) && fchmod(fd, FILE_MODE) == 0;
	int error = good ? 0 : errno;
	if (close(fd) < 0 && good)
		error = errno;
	if (error == 0 && rename(name, path) < 0)
		error = errno;
	if (error != 0) {
		diag("cannot write %s: %s", path, strerror(error));
		unlink(name);
		code = EX_IOERR;
	}
	free(name);
	return code;
}

int
command_metrics(struct call *c, struct words w)
{
	static const struct option names[] = { { "output", required_argument, NULL, 'o' }, { NULL, 0, NULL, 0 } };
	const char *file = NULL;
	int option;
	optind = 0;
	while ((option = getopt_long(w.count, w.word, "+:o:", names, NULL)) >= 0) {
		if (option != 'o')
			return usage_of(option == ':' ? "metrics: -o wants a file" : "metrics: no such option");
		file = optarg;
	}
	int code = surplus(w, optind), written;
	if (code != EX_OK)
		return code;
	/* That nobody answers is a metric, too. */
	code = get_status(c);
	struct buf out = BUF_INIT;
	show_metrics(code == EX_OK ? c->body : NULL, &out);
	written = file != NULL ? write_file(file, &out) : say_out(&out);
	buf_fini(&out);
	return code != EX_OK ? code : written;
}

int
command_dot(struct call *c, struct words w)
{
	int code = surplus(w, 1);
	if (code == EX_OK)
		code = get_status(c);
	if (code != EX_OK)
		return code;
	struct buf out = BUF_INIT;
	show_dot(c->body, &out);
	code = say_out(&out);
	buf_fini(&out);
	return code;
}
