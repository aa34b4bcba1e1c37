/* SPDX-License-Identifier: MIT
 * round.c - trace and verify: what goes round the ring. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "zogctl/zogctl.h"

enum { VERIFY_MS = 10 * 60 * 1000 };    /* large journals on slow disks */

void
show_trace(const struct pt_value *list, const char *self, struct buf *out)
{
	char text[VALUE_TEXT], via[VALUE_TEXT], words[VALUE_WORDS];
	buf_printf(out, "%-16s %10s\n", self, "sent");
	for (size_t i = 0; i < value_len(list); i++) {
		const struct pt_value *m = value_item(list, i);
		int64_t us = value_int(m, "time_us", -1);
		buf_printf(out, "%-16s ", value_text(m, "name", text));
		if (us >= 0)
			buf_printf(out, "%10s  from %s\n", words_short(us, words), value_text(m, "via", via));
		else if (value_bool(m, "up"))
			buf_printf(out, "%10s  it is up: an older version, or its link to us is down\n", "-");
		else
			buf_printf(out, "%10s  %s\n", "-", value_text(m, "state", via));
	}
}

static void
show_difference(const struct pt_value *d, struct buf *out)
{
	char text[VALUE_TEXT], stamp[CLOCK_STAMP];
	int64_t ours = value_int(d, "ours", 0), theirs = value_int(d, "theirs", 0);
	clock_stamp(stamp, value_int(d, "epoch", 0));
	buf_printf(out, "    stream of %s from %s, %" PRId64 " to %" PRId64 ": ", value_text(d, "origin", text),
	    stamp,
	    value_int(d, "from", 0), value_int(d, "to", 0));
	if (ours == theirs)
		buf_printf(out, "both have %" PRId64 ", and they are not the same\n", ours);
	else
		buf_printf(out, "it has %" PRId64 ", we have %" PRId64 "\n", theirs, ours);
}

bool
show_verify(const struct pt_value *v, struct buf *out)
{
	const struct pt_value *places = pt_get(v, "places"), *ring = pt_get(v, "ring");
	char a[VALUE_WORDS], b[VALUE_WORDS], text[VALUE_TEXT], why[VALUE_TEXT];
	int64_t damaged = value_int(v, "damaged", 0), left_out = value_int(v, "streams_left_out", 0);
	bool well = damaged == 0;
	buf_printf(out, "journal: %" PRId64 " segments, %s messages, %s, %" PRId64 " damaged places\n",
	    value_int(v, "segments", 0),
	    words_count(value_int(v, "messages", 0), a), words_bytes(value_int(v, "bytes", 0), b), damaged);
	for (size_t i = 0; i < value_len(places); i++) {
		const struct pt_value *p = value_item(places, i);
		buf_printf(out, "    %s at %" PRId64 ", %" PRId64 " bytes: %s\n", value_text(p, "segment",
		    text), value_int(p, "offset", 0),
		    value_int(p, "bytes", 0), value_text(p, "why", why));
	}
	if (damaged > (int64_t)value_len(places))
		buf_printf(out, "    and %" PRId64 " more\n", damaged - (int64_t)value_len(places));
	if (ring != NULL)
		buf_printf(out, "ring: %" PRId64 " streams compared\n", value_int(v, "streams", 0));
	if (left_out != 0)
		buf_printf(out, "    the oldest %" PRId64 " were left out\n", left_out);
	for (size_t i = 0; i < value_len(ring); i++) {
		const struct pt_value *m = value_item(ring, i), *list = pt_get(m, "differences");
		buf_printf(out, "%-16s %s\n", value_text(m, "name", text), value_text(m, "outcome", why));
		well &= !value_bool(m, "differs");
		for (size_t k = 0; k < value_len(list); k++)
			show_difference(value_item(list, k), out);
	}
	return well;
}

int
command_trace(struct call *c, struct words w)
{
	char self[VALUE_TEXT];
	int code = surplus(w, 1);
	if (code == EX_OK)
		code = call_open(c);
	if (code != EX_OK)
		return code;
	value_text(c->header, "member", self);
	if ((code = call_ask(c, "trace", NULL, 0)) != EX_OK)
		return code;
	struct buf out = BUF_INIT;
	show_trace(c->body, self, &out);
	code = say_out(&out);
	buf_fini(&out);
	return code;
}

int
command_verify(struct call *c, struct words w)
{
	static const struct option names[] = { { "ring", no_argument, NULL, 'r' }, { NULL, 0, NULL, 0 } };
	static const struct pt_value more[] = { PT_TEXT("ring"), PT_BOOL_OF(true) };
	bool ring = false;
	int option;
	optind = 0;
	while ((option = getopt_long(w.count, w.word, "+", names, NULL)) >= 0) {
		if (option != 'r')
			return usage_of("verify: no such option");
		ring = true;
	}
	int code = surplus(w, optind);
	c->timeout_ms = VERIFY_MS;
	if (code == EX_OK)
		code = call_open(c);
	if (code == EX_OK)
		code = call_ask(c, "verify", more, ring ? 1 : 0);
	if (code != EX_OK)
		return code;
	struct buf out = BUF_INIT;
	bool well = show_verify(c->body, &out);
	code = say_out(&out);
	buf_fini(&out);
	return code != EX_OK || well ? code : call_failed(c, EX_IOERR, "not all is as it should be");
}
