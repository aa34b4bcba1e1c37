/* SPDX-License-Identifier: MIT
 * echo-client.c - sends each line of its input and prints what comes back.
 *
 *	echo-client [-s] [-i IDENT] HOST PORT USER              PORT 0: HOST is the path of a Unix socket
 *	echo-client [-s] [-i IDENT] -p USER COMMAND [ARG...]    through a program, as one that speaks TLS
 *
 * -s: only in where the verdict says so, not also where it says nothing of it. */
#include "sample-client.h"

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
		e = pt_request(c, NULL, &body, SAMPLE_TIMEOUT_MS, &header, &reply);
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
	struct pt_conn *c = sample_connect(argc, argv);
	return sample_done(&c, talk(c));
}
