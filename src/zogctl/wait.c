/* SPDX-License-Identifier: MIT
 * wait.c - ping, and wait. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/text.h"
#include "zogctl/zogctl.h"

enum { EVERY_MS = 100 };

int
command_ping(struct call *c, struct words w)
{
	if (w.count < 2)
		return usage_of("ping: of which member?");
	int code = surplus(w, 2);
	if (code == EX_OK)
		code = call_open(c);
	const struct pt_value more[] = { PT_TEXT("member"), PT_BYTES_OF(w.word[1], strlen(w.word[1])) };
	if (code == EX_OK)
		code = call_ask(c, "ping", more, 1);
	if (code != EX_OK)
		return code;
	char words[VALUE_WORDS];
	struct buf out = BUF_INIT;
	buf_printf(&out, "%s: %s\n", w.word[1], words_short(value_int(c->body, "round_trip_us", 0), words));
	code = say_out(&out);
	buf_fini(&out);
	return code;
}

static int
wait_until_caught_up(struct call *c, int64_t until)
{
	struct buf why = BUF_INIT;
	int code;
	while ((code = call_ask(c, "status", NULL, 0)) == EX_OK) {
		buf_clear(&why);
		if (show_caught_up(c->body, &why))
			break;
		int64_t now = clock_mono_ms();
		if (now >= until) {
			code = call_failed(c, EX_TEMPFAIL, "not caught up in time: %.*s", (int)why.len,
			    why.len != 0 ? buf_begin(&why) : "");
			break;
		}
		int left = clock_left_ms(until, now);
		poll(NULL, 0, left < 0 || left > EVERY_MS ? EVERY_MS : left);
	}
	buf_fini(&why);
	return code;
}

int
command_wait(struct call *c, struct words w)
{
	static const struct option names[] = { { "caught-up", no_argument, NULL, 'c' }, { "timeout",
	    required_argument, NULL, 't' },
	    { NULL, 0, NULL, 0 } };
	bool what = false;
	int option;
	int64_t ms = -1;
	optind = 0;
	while ((option = getopt_long(w.count, w.word, "+:t:", names, NULL)) >= 0) {
		if (option == 'c')
			what = true;
		else if (option != 't' || !text_seconds(optarg, &ms))
			return usage_of("wait: --caught-up [-t SECONDS]");
	}
	if (!what)
		return usage_of("wait: for what? --caught-up");
	int code = surplus(w, optind);
	if (code == EX_OK)
		code = call_open(c);
	return code == EX_OK ? wait_until_caught_up(c, ms < 0 ? INT64_MAX : clock_mono_ms() + ms) : code;
}
