/* SPDX-License-Identifier: MIT
 * tls_talk.c - the two sides of the TLS test, which know nothing of TLS.
 *
 *	tls_talk serve                  a server on its standard input and output
 *	tls_talk listen                 one for a peer after the other; prints its port
 *	tls_talk talk HOST PORT         a client; PORT 0: a Unix socket
 *	tls_talk spawn COMMAND...       a client through a program
 *
 * The server gives back what it gets, the client sends what a tunnel might trip over, and says how it went:
 * 0, or 1 and the error's name. */
#include <petrichor.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TIMEOUT_MS = 30000, LARGE = 700000 };

static int
fail(int e, const char *doing)
{
	printf("%s: %s\n", doing, pt_error_name(e));
	return 1;
}

static int
serve(struct pt_conn *c)
{
	static const struct pt_value welcome = PT_TEXT("WELCOME");
	const struct pt_value *header, *body;
	int e = c != NULL ? pt_accept(c, TIMEOUT_MS, &header, &body) : PT_E_MEMORY;
	if (e == PT_OK)
		e = pt_peer_allowed(c, header, &welcome);
	while (e == PT_OK && (e = pt_recv(c, &header, &body)) == PT_OK)
		e = pt_send(c, header, body);
	if (c != NULL)
		pt_close(&c);
	return e == PT_CLOSED ? 0 : 1;
}

static int
serve_all(void)
{
	int port = 0, fd = pt_listen("127.0.0.1", &port);
	if (fd < 0)
		return 1;
	printf("%d\n", port);
	fflush(stdout);
	for (;;) {
		int peer = accept(fd, NULL, NULL);
		if (peer >= 0)
			serve(pt_from_fd(peer, NULL));
	}
}

/* What goes out has to come back. */
static int
same(struct pt_conn *c, const char *at, size_t n)
{
	const struct pt_value *header, *back;
	struct pt_value items[] = { PT_TEXT("size"), PT_INT_OF((int64_t)n) }, head = PT_DICT_OF(items, 1), body = PT_BYTES_OF(at, n);
	int e = pt_request(c, &head, &body, TIMEOUT_MS, &header, &back);
	if (e != PT_OK)
		return e;
	return pt_same(header, &head) && pt_same(back, &body) ? PT_OK : PT_E_TAG;
}

static int
talk(struct pt_conn *c)
{
	/* What s_client would take for commands. */
	static const char *const lines[] = { "Q\n", "\nQ\n", "R\n", "\nR\nB\n", "\nk\nK\n", "", "\r\n", "\x04\x1a", "{conn}" };
	char all[256];
	char *large = malloc(LARGE);
	int e = large != NULL ? PT_OK : PT_E_MEMORY;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	for (size_t i = 0; e == PT_OK && i < LARGE; i++)
		large[i] = (char)(i * i >> 7 ^ i);
	for (size_t i = 0; e == PT_OK && i < sizeof lines / sizeof *lines; i++)
		e = same(c, lines[i], strlen(lines[i]));
	if (e == PT_OK)
		e = same(c, all, sizeof all);
	/* One side at a time, so that nobody waits for the other. */
	if (e == PT_OK)
		e = same(c, large, LARGE);
	for (int i = 0; e == PT_OK && i < 256; i++)
		e = same(c, &all[i], 1);
	free(large);
	return e;
}

static int
client(int argc, char **argv)
{
	static const struct pt_value who_items[] = { PT_TEXT("user"), PT_TEXT("zed") }, who = PT_DICT_OF(who_items, 1);
	const struct pt_value *verdict, *words;
	struct pt_conn *c = NULL;
	int e;
	if (strcmp(argv[1], "spawn") == 0) {
		e = pt_spawn(&c, argv + 2, NULL);
		if (e == PT_OK)
			e = pt_greet(c, &who, NULL, TIMEOUT_MS, &verdict, &words);
	} else {
		e = argc == 4 ? pt_connect(&c, NULL, argv[2], atoi(argv[3]), &who, NULL, TIMEOUT_MS, &verdict, &words) : PT_E_ARGUMENT;
	}
	if (e != PT_OK) {
		pt_close(&c);
		return fail(e, "connecting");
	}
	if (!pt_connect_allowed(verdict, PT_STRICT) || !pt_is_text(words, "WELCOME"))
		e = PT_E_TAG;
	if (e == PT_OK)
		e = talk(c);
	pt_close(&c);
	return e == PT_OK ? 0 : fail(e, "talking");
}

int
main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_DFL);       /* the library raises none */
	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		return serve(pt_from_fds(0, 1, NULL));
	if (argc == 2 && strcmp(argv[1], "listen") == 0)
		return serve_all();
	return argc > 2 ? client(argc, argv) : 2;
}
