/* SPDX-License-Identifier: MIT
 * echo-client.c - sends each line of its input and prints what comes back.
 *
 *	echo-client [-s] [-i IDENT] HOST PORT USER              PORT 0: HOST is the path of a Unix socket
 *	echo-client [-s] [-i IDENT] -p USER COMMAND [ARG...]    through a program, as one that speaks TLS
 *
 * -s: only in where the verdict says so, not also where it says nothing of it. */
#include <err.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "sample.h"

enum { TIMEOUT_MS = 20000 };

/* Each line a request, until the end of either. */
static int
talk(struct pt_conn *c)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int e = PT_OK;
	bool terminal = isatty(0) && isatty(1);

	while (e == PT_OK && (fputs(terminal ? "> " : "", stdout), (n = getline(&line, &room, stdin)) > 0)) {
		const struct pt_value *header, *reply;
		struct pt_value body = PT_BYTES_OF(line, (size_t)n - (line[n - 1] == '\n'));
		e = pt_request(c, NULL, &body, TIMEOUT_MS, &header, &reply);
		if (e == PT_OK && reply->type == PT_BYTES && !terminal)
			fwrite(reply->bytes.at, 1, reply->bytes.len, stdout);
		else if (e == PT_OK)
			sample_print(stdout, reply);
		if (e == PT_OK)
			putchar('\n');
	}
	free(line);
	return e;
}

int
main(int argc, char **argv)
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
			return 2;
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
		e = pt_connect(&c, NULL, argv[0], atoi(argv[1]), &identity, NULL, TIMEOUT_MS, &verdict, &body);
	else if ((e = pt_spawn(&c, argv + 1, NULL)) == PT_OK)
		e = pt_greet(c, &identity, NULL, TIMEOUT_MS, &verdict, &body);
	if (e != PT_OK) {
		pt_close(&c);
		errx(1, "%s", pt_error_text(e));
	}

	bool allowed = pt_connect_allowed(verdict, flags);
	fputs(allowed ? "CONNECTED " : "YOU WERE DENIED ", stdout);
	sample_print(stdout, body);
	putchar('\n');
	if (allowed)
		e = talk(c);
	pt_close(&c);
	if (e != PT_OK)
		errx(1, "%s", pt_error_text(e));
	return allowed ? 0 : 1;
}
