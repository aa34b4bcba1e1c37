/* SPDX-License-Identifier: MIT
 * sample-client.h - what the clients share: arguments, getting in, words of a line.
 *
 *	NAME [-s] [-i IDENT] HOST PORT USER             PORT 0: HOST is the path of a Unix socket
 *	NAME [-s] [-i IDENT] -p USER COMMAND [ARG...]   through a program, as one that speaks TLS
 *
 * -s: only in where the verdict says so, not also where it says nothing of it. */
#ifndef SAMPLE_CLIENT_H
#define SAMPLE_CLIENT_H

#include <err.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "sample.h"

enum { SAMPLE_TIMEOUT_MS = 20000 };

/* Connects, says who we are, and prints the verdict; does not return where we are not let in. */
static inline struct pt_conn *
sample_connect(int argc, char **argv)
{
	char id[PT_ID_TEXT];
	const char *ident = id;
	bool spawn = false;
	int option, flags = 0;

	pt_id(id);
	signal(SIGPIPE, SIG_IGN);       /* the program that we speak through may end first */
	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((option = getopt(argc, argv, "+i:ps")) != -1) {
		if (option == 'i')
			ident = optarg;
		else if (option == 'p')
			spawn = true;
		else if (option == 's')
			flags |= PT_STRICT;
		else
			exit(2);
	}
	argc -= optind;
	argv += optind;
	if (spawn ? argc < 2 : argc != 3)
		errx(2, "usage: [-s] [-i IDENT] HOST PORT USER, or: [-s] [-i IDENT] -p USER COMMAND [ARG...]");

	const char *user = spawn ? argv[0] : argv[2];
	const struct pt_value who[] = {
		PT_TEXT("ident"), PT_BYTES_OF(ident, strlen(ident)), PT_TEXT("user"), PT_BYTES_OF(user, strlen(user)),
		PT_TEXT("version"), PT_TEXT(SAMPLE_VERSION),
	};
	const struct pt_value identity = PT_DICT_OF(who, 3);
	const struct pt_value *verdict, *body;
	struct pt_conn *c = NULL;
	int e;

	if (!spawn)
		e = pt_connect(&c, NULL, argv[0], atoi(argv[1]), &identity, NULL, SAMPLE_TIMEOUT_MS, &verdict, &body);
	else if ((e = pt_spawn(&c, argv + 1, NULL)) == PT_OK)
		e = pt_greet(c, &identity, NULL, SAMPLE_TIMEOUT_MS, &verdict, &body);
	if (e != PT_OK) {
		pt_close(&c);
		errx(1, "%s", pt_error_text(e));
	}
	bool allowed = pt_connect_allowed(verdict, flags);
	fputs(allowed ? "CONNECTED " : "YOU WERE DENIED ", stdout);
	sample_print(stdout, body);
	putchar('\n');
	if (!allowed) {
		pt_close(&c);
		exit(1);
	}
	return c;
}

/* Closes, and says with what the program ends. */
static inline int
sample_done(struct pt_conn **c, int e)
{
	pt_close(c);
	if (e != PT_OK)
		warnx("%s", pt_error_text(e));
	return e != PT_OK;
}

static inline void
sample_show(const struct pt_value *header, const struct pt_value *body)
{
	sample_print(stdout, header);
	putchar(' ');
	sample_print(stdout, body);
	putchar('\n');
}

/* The next word of a line, the rest moves on; "" where there is none. */
static inline char *
sample_word(char **rest)
{
	char *word = *rest + strspn(*rest, " ");
	size_t n = strcspn(word, " ");
	*rest = word + n;
	if (**rest != '\0')
		*(*rest)++ = '\0';
	return word;
}

/* The same as a value; it points into the line. */
static inline struct pt_value
sample_word_value(char **rest)
{
	const char *word = sample_word(rest);
	return (struct pt_value)PT_BYTES_OF(word, strlen(word));
}

static inline struct pt_value
sample_rest_value(const char *rest)
{
	return (struct pt_value)PT_BYTES_OF(rest, strlen(rest));
}

/* Each line of standard input is given to a function, until it says anything but PT_OK. */
static inline int
sample_each_line(struct pt_conn *c, int (*request)(struct pt_conn *, char *line))
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int e = PT_OK;
	bool terminal = isatty(0) && isatty(1);
	while (e == PT_OK && (fputs(terminal ? "> " : "", stdout), (n = getline(&line, &room, stdin)) > 0)) {
		line[n - (line[n - 1] == '\n')] = '\0';
		if (*line != '\0')
			e = request(c, line);
	}
	free(line);
	return e;
}

#endif
