/* SPDX-License-Identifier: MIT
 * sprog_seen.h - a handle of libsprog whose callback remembers what became of each message. */
#ifndef ZOG_TESTS_SPROG_SEEN_H
#define ZOG_TESTS_SPROG_SEEN_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "sprog/sprog.h"
#include "sprog_stub.h"

/* What the callback has seen. */
struct seen {
	int      count[SPROG_NUMBER + 1];
	uint64_t last_ok;               /* ids of the settled must grow where order is asked for */
	bool     disorder;
	int      again;                 /* submit as many more from within, one for each outcome */
	int      burst;                 /* and as many at once when one is unknown */
	struct sprog *s;
	int      poll_inside;
	void    *tag;                   /* the latest */
	char     member[64], reason[256];
	struct buf unknown;             /* texts, each followed by LF */
	char     seen[200001];          /* how often each id was reported */
};

static struct seen seen;

static inline void
settled(void *context, const struct sprog_result *r)
{
	struct seen *x = context;
	x->count[r->status]++;
	x->tag = r->tag;
	if (r->id < sizeof x->seen)
		x->seen[r->id]++;
	if (r->status == SPROG_OK) {
		x->disorder |= r->id <= x->last_ok;
		x->last_ok = r->id;
	}
	if (r->status == SPROG_UNKNOWN) {
		buf_put(&x->unknown, r->text, r->length);
		buf_put(&x->unknown, "\n", 1);
		for (; x->burst > 0; x->burst--)
			sprog_submit(x->s, "instead", 7, NULL);
	}
	snprintf(x->member, sizeof x->member, "%s", r->member);
	snprintf(x->reason, sizeof x->reason, "%s", r->reason);
	if (x->again > 0) {
		x->again--;
		x->poll_inside = sprog_poll(x->s, 0);
		sprog_submit(x->s, "once more", 9, NULL);
	}
}

static inline int
total(void)
{
	int n = 0;
	for (int i = 0; i <= SPROG_NUMBER; i++)
		n += seen.count[i];
	return n;
}

static inline void
each_once(uint64_t ids)
{
	ck_assert_int_eq(total(), (int)ids);
	for (uint64_t i = 1; i <= ids; i++)
		ck_assert_int_eq(seen.seen[i], 1);
}

static inline struct sprog *
open_with(struct sprog_options *o)
{
	struct sprog *s;
	char why[512];
	memset(&seen, 0, sizeof seen);
	o->settled = settled;
	o->context = &seen;
	o->why = why;
	o->why_size = sizeof why;
	int status = sprog_open(&s, o);
	ck_assert_msg(status == SPROG_OK, "%s", why);
	seen.s = s;
	return s;
}

static inline struct sprog *
open_host(uint16_t port, int timeout_ms, int window)
{
	struct sprog_options o = SPROG_OPTIONS_INIT;
	o.host = "127.0.0.1";
	o.port = port;
	o.timeout_ms = timeout_ms;
	o.window = window;
	return open_with(&o);
}

static inline struct sprog *
open_ring(const uint16_t *ports, int n, int choice, int timeout_ms)
{
	struct sprog_options o = SPROG_OPTIONS_INIT;
	char file[64];
	stub_ring(file, ports, n);
	o.ring_file = file;
	o.choice = choice;
	o.timeout_ms = timeout_ms;
	o.seed = 1;
	struct sprog *s = open_with(&o);
	unlink(file);
	return s;
}

static inline int
send_text(struct sprog *s, const char *text)
{
	return sprog_send(s, text, strlen(text), -1);
}

/* Numbers as texts, as many in flight as the window allows. */
static inline void
submit_numbers(struct sprog *s, int n)
{
	for (int i = 1; i <= n; ) {
		char text[16];
		int len = snprintf(text, sizeof text, "%d", i);
		int status = sprog_submit(s, text, (size_t)len, NULL);
		if (status == SPROG_OK)
			i++;
		else
			ck_assert_int_eq(status, SPROG_FULL);
		if (status == SPROG_FULL)
			ck_assert_int_ge(sprog_poll(s, -1), 0);
	}
}

#endif
