/* SPDX-License-Identifier: MIT
 * messages.c - cat and tail: messages, as access.log has them. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "zogctl/zogctl.h"

/* The body of an answer. On a terminal no byte of it is trusted. */
static int
put_body(const struct pt_value *body)
{
	struct buf out = BUF_INIT;
	bool good = true;
	if (body == NULL || body->type != PT_BYTES || body->bytes.len == 0)
		return EX_OK;
	good = isatty(STDOUT_FILENO) ? show_lines(body->bytes.at, body->bytes.len, &out) :
	    buf_put(&out, body->bytes.at, body->bytes.len);
	int code = good ? say_out(&out) : EX_OSERR;
	if (!good)
		diag("cannot go on: %s", strerror(ENOMEM));
	buf_fini(&out);
	return code;
}

/* All pairs of the answer. */
static int
put_all(struct call *c, int code)
{
	char words[VALUE_WORDS];
	while (code == EX_OK) {
		code = put_body(c->body);
		int64_t lost = value_int(c->header, "lost", 0);
		if (lost != 0)
			diag("%s messages were not shown: they came faster than they were read",
			    words_count(lost, words));
		if (code != EX_OK || !value_bool(c->header, "more"))
			return code;
		code = call_next(c);
	}
	return code;
}

int
command_cat(struct call *c, struct words w)
{
	static const struct option names[] = { { "since", required_argument, NULL, 's' }, { "origin",
	    required_argument, NULL, 'o' },
	    { NULL, 0, NULL, 0 } };
	struct pt_value more[4];
	size_t keys = 0;
	int option;
	int64_t since;
	optind = 0;
	while ((option = getopt_long(w.count, w.word, "+:", names, NULL)) >= 0) {
		if (option == 's' && !show_when(optarg, clock_real_ms(), &since))
			return usage_of("cat: --since wants 2026-11-20, 2026-11-20T08:32:01Z, or 90s, 10m, 2h, 3d");
		if ((option != 's' && option != 'o') || keys == 2)
			return usage_of("cat: --since TIME, --origin NAME, once each");
		more[2 * keys] = option == 's' ? (struct pt_value)PT_TEXT("since") : (struct pt_value)PT_TEXT("origin");
		more[2 * keys + 1] = option == 's' ? (struct pt_value)PT_INT_OF(since) :
		    (struct pt_value)PT_BYTES_OF(optarg, strlen(optarg));
		keys++;
	}
	int code = surplus(w, optind);
	if (code == EX_OK)
		code = call_open(c);
	return code == EX_OK ? put_all(c, call_ask(c, "cat", more, keys)) : code;
}

int
command_tail(struct call *c, struct words w)
{
	int code = surplus(w, 1);
	if (code == EX_OK)
		code = call_open(c);
	return code == EX_OK ? put_all(c, call_ask(c, "tail", NULL, 0)) : code;
}
