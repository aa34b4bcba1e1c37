/* SPDX-License-Identifier: MIT
 * echo-server.c - sends back what it gets, to any number of peers at once, each in a thread of its own.
 * sample-server.h says how to call it, and starts serve() in those threads.
 *
 *	echo-server 127.0.0.1 7777
 *	echo-server -                   one peer, on standard input and output */
#include "sample-server.h"

static void
received(const char *user, const char *ident, const struct pt_value *header, const struct pt_value *body)
{
	flockfile(stdout);      /* a line of one thread, not of several */
	fputs("RECEIVED ", stdout);
	sample_put(stdout, user, strlen(user));
	putchar(' ');
	sample_put(stdout, ident, strlen(ident));
	putchar(' ');
	sample_print(stdout, header);
	putchar(' ');
	sample_print(stdout, body);
	putchar('\n');
	funlockfile(stdout);
}

/* Who is it? Anybody is let in who says so: here would be some kind of auth. */
static bool
let_in(struct pt_conn *c, char user[SAMPLE_NAME], char ident[SAMPLE_NAME])
{
	const struct pt_value reply[] = {
		PT_TEXT("ident"), PT_BYTES_OF(sample.ident, strlen(sample.ident)),
		PT_TEXT("version"), PT_TEXT(SAMPLE_VERSION),
	};
	const struct pt_value verdict = PT_DICT_OF(reply, 2);
	const struct pt_value welcome = PT_TEXT("WELCOME"), go_away = PT_TEXT("GO AWAY");
	const struct pt_value *identity = NULL;

	int e = pt_accept(c, sample.accept_ms, &identity, NULL);
	bool named = sample_copy(user, pt_get(identity, "user")) && sample_copy(ident, pt_get(identity, "ident"));
	if (e == PT_OK && named)
		return pt_peer_allowed(c, &verdict, &welcome) == PT_OK;
	/* What is no frame at all gets no answer: who knows what it is that speaks there. */
	if (e == PT_OK || e == PT_E_HDR_NOT_DICT)
		pt_peer_denied(c, &verdict, &go_away);
	if (e != PT_CLOSED)
		warnx("no identity: %s", e == PT_OK ? "user and ident are missing" : pt_error_text(e));
	return false;
}

static void
serve(struct pt_conn *c)
{
	char user[SAMPLE_NAME], ident[SAMPLE_NAME];
	const struct pt_value *header, *body;
	int e;

	if (!let_in(c, user, ident))
		return;
	while ((e = pt_recv(c, &header, &body)) == PT_OK) {
		received(user, ident, header, body);
		if ((e = pt_send(c, NULL, body)) != PT_OK)
			break;
	}
	if (e == PT_CLOSED)
		received(user, ident, NULL, NULL);
	else
		warnx("%s", pt_error_text(e));
	puts("ALL DONE");
}

int
main(int argc, char **argv)
{
	sample_arguments(argc, argv, 0);
	return sample_serve(serve);
}
