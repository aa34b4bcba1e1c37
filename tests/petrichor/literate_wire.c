/* SPDX-License-Identifier: MIT
 * literate_wire.c - what the library sends where doc/petrichor shows helpers on the wire.
 *
 *   literate_wire WHAT EXPECTED [<REQUESTS]
 *
 * EXPECTED is a file of pairs: `once` answers REQUESTS by them, the others send something themselves. What goes out has to
 * be the same, but for the order of keys. WHAT is one of the table at the end. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "petrichor/petrichor.h"

/* ---- a stream in memory: what is read, and what was written ---- */

static char in[65536], out[65536], expected[65536];
static size_t in_n, in_done, out_n, expected_n;

static ssize_t
take(void *ctx, void *to, size_t n, int timeout_ms)
{
	(void)ctx, (void)timeout_ms;
	if (n > in_n - in_done)
		n = in_n - in_done;
	memcpy(to, in + in_done, n);
	in_done += n;
	return (ssize_t)n;
}

static ssize_t
give(void *ctx, const void *from, size_t n, int timeout_ms)
{
	(void)ctx, (void)timeout_ms;
	if (n > sizeof out - out_n)
		errx(1, "too much goes out");
	memcpy(out + out_n, from, n);
	out_n += n;
	return (ssize_t)n;
}

static struct pt_conn *
connection(const struct pt_options *options)
{
	struct pt_conn *c = pt_from_io(&(struct pt_io){ take, give, NULL, NULL }, options);
	if (c == NULL)
		errx(1, "out of memory");
	return c;
}

static void
good(int e)
{
	if (e != PT_OK)
		errx(1, "%s", pt_error_text(e));
}

/* ---- what is shown ---- */

static void
verdicts(void)
{
	const struct pt_value welcome = PT_TEXT("WELCOME"), no = PT_TEXT("bad password");
	struct pt_conn *c = connection(NULL);
	good(pt_peer_allowed(c, &(struct pt_value)PT_DICT_OF(NULL, 0), &welcome));
	good(pt_peer_denied(c, &(struct pt_value)PT_DICT_OF(NULL, 0), &no));
	pt_close(&c);
}

static void
once(void)
{
	const struct pt_value ok[] = { PT_TEXT("ok"), PT_BOOL_OF(true) }, reply = PT_DICT_OF(ok, 1), done = PT_TEXT("done");
	struct pt_dedupe *table = pt_dedupe_new(NULL);
	struct pt_conn *c = connection(NULL);
	const struct pt_value *header, *body;
	struct pt_run run;
	while (pt_recv(c, &header, &body) == PT_OK) {
		good(pt_once_begin(table, c, "zed", 3, header, body, &run));
		if (run.outcome == PT_NEW)
			good(pt_once_reply(c, &run, &reply, &done));
	}
	pt_close(&c);
	pt_dedupe_free(&table);
}

static const struct pt_coding *codings[1];
static struct pt_options options = PT_OPTIONS_INIT;

static void
accepts(void)
{
	const struct pt_value user[] = { PT_TEXT("user"), PT_TEXT("zed") }, identity = PT_DICT_OF(user, 1);
	struct pt_conn *c = connection(&options);
	/* Nobody answers. */
	if (pt_greet(c, &identity, NULL, -1, NULL, NULL) == PT_OK)
		errx(1, "there was a verdict");
	pt_close(&c);
}

static void
packed(void)
{
	static const char verdict[] = "21:9:pt.accept,6:3:lz4,]}0:,";
	char text[300];
	struct pt_conn *c = connection(&options);
	memcpy(in, verdict, in_n = sizeof verdict - 1);
	good(pt_greet(c, &(struct pt_value)PT_DICT_OF(NULL, 0), NULL, -1, NULL, NULL));
	out_n = 0;
	memset(text, 'a', sizeof text);
	good(pt_send(c, NULL, &(struct pt_value)PT_BYTES_OF(text, sizeof text)));
	pt_close(&c);
}

static void
pieces(void)
{
	struct pt_conn *c = connection(NULL);
	good(pt_send_pieces(c, NULL, "5f3a", 4, "hello world", 11, 6));
	pt_close(&c);
}

/* ---- is it what was to be expected? ---- */

static void
compare(void)
{
	size_t a = 0, b = 0, frames = 0;
	while (a < out_n && b < expected_n) {
		struct pt_value *v, *w;
		size_t used_a, used_b;
		good(pt_decode(&v, out + a, out_n - a, &used_a, NULL, 0, NULL));
		good(pt_decode(&w, expected + b, expected_n - b, &used_b, NULL, 0, NULL));
		if (!pt_same(v, w) || used_a != used_b)
			errx(1, "frame %zu is %.*s, not %.*s", frames, (int)used_a, out + a, (int)used_b, expected + b);
		pt_free(&v);
		pt_free(&w);
		a += used_a;
		b += used_b;
		frames++;
	}
	if (a != out_n || b != expected_n || frames == 0)
		errx(1, "%zu frames are the same, then one ends before the other", frames);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} what[] = { { "verdicts", verdicts }, { "once", once }, { "accept", accepts }, { "packed", packed }, { "pieces", pieces } };
	codings[0] = pt_lz4();
	options.codings = codings;
	options.codings_count = 1;
	FILE *f = argc == 3 ? fopen(argv[2], "rb") : NULL;
	if (f == NULL)
		errx(2, "usage: literate_wire WHAT EXPECTED");
	expected_n = fread(expected, 1, sizeof expected, f);
	fclose(f);
	for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
		if (strcmp(argv[1], what[i].name) != 0)
			continue;
		in_n = i == 1 ? fread(in, 1, sizeof in, stdin) : 0;
		what[i].run();
		compare();
		return 0;
	}
	errx(2, "%s?", argv[1]);
}
