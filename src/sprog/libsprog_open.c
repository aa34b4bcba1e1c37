/* SPDX-License-Identifier: MIT
 * libsprog_open.c - from options to targets: the ring file, a member's name, a host. */
#include "sprog/libsprog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/text.h"
#include "ring/ring.h"
#include "wire/frame.h"

_Static_assert((int)SPROG_MAX_FDS >= (int)RING_MAX, "a descriptor for each member");

enum {
	TIMEOUT_MS = 30 * 1000,
	IDLE_MS = 300 * 1000,
	WINDOW = 10 * 1000,
	WINDOW_MOST = 1000 * 1000,
	CONNECT_LEAST_MS = 100, CONNECT_MOST_MS = 5000,
};

static const char default_ring[] = SYSCONFDIR "/zog/ring";

static bool
add_target(struct sprog *s, const char *name, const char *host, uint16_t port)
{
	struct sprog_target *more = realloc(s->target, (size_t)(s->targets + 1) * sizeof *more);
	if (more == NULL)
		return false;
	s->target = more;
	struct sprog_target *t = &s->target[s->targets++];
	memset(t, 0, sizeof *t);
	t->fd = -1;
	t->port = port;
	snprintf(t->host, sizeof t->host, "%s", host);
	if (name != NULL)
		snprintf(t->name, sizeof t->name, "%s", name);
	else
		snprintf(t->name, sizeof t->name, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u",
		    host, port);
	return true;
}

static int
add_members(struct sprog *s, const struct ring *r, int port)
{
	for (int i = 0; i < r->size; i++) {
		const struct member *m = &r->member[i];
		if (!add_target(s, m->name, m->host, port != 0 ? (uint16_t)port : m->client_port))
			return SPROG_MEMORY;
	}
	return SPROG_OK;
}

/* A member of the ring, if it can be one and there is a ring that has it; else any host. */
static int
add_host(struct sprog *s, const struct sprog_options *o, struct ring *r, struct buf *why)
{
	char host[NET_HOST];
	uint16_t named = 0, port = o->port != 0 ? (uint16_t)o->port : RING_CLIENT_PORT;
	if (!net_split(o->host, host, &named)) {
		buf_puts(why, "host '");
		escape(why, o->host, strlen(o->host), 80);
		buf_puts(why, "': neither a name nor HOST[:PORT]\n");
		return SPROG_ARGUMENT;
	}
	if (named != 0)
		port = named;
	if (ring_name_ok(host) && (o->ring_file != NULL || access(default_ring, R_OK) == 0)) {
		if (!ring_read(r, o->ring_file != NULL ? o->ring_file : default_ring, why))
			return SPROG_RING;
		int i = ring_find(r, host);
		if (i >= 0) {
			if (named == 0 && o->port == 0)
				port = r->member[i].client_port;
			bool added = add_target(s, host, r->member[i].host, port);
			return added ? SPROG_OK : SPROG_MEMORY;
		}
	}
	return add_target(s, NULL, host, port) ? SPROG_OK : SPROG_MEMORY;
}

int
sprog_targets(struct sprog *s, const struct sprog_options *o, struct buf *why)
{
	struct ring *r = malloc(sizeof *r);
	int status = SPROG_MEMORY;
	if (r == NULL)
		return status;
	if (o->host != NULL)
		status = add_host(s, o, r, why);
	else if (!ring_read(r, o->ring_file != NULL ? o->ring_file : default_ring, why))
		status = SPROG_RING;
	else
		status = add_members(s, r, o->port);
	free(r);
	return status;
}

static const char *
bad_option(const struct sprog_options *o)
{
	if (o->port < 0 || o->port > 65535)
		return "port: 1 to 65535\n";
	if (o->choice != SPROG_RANDOM && o->choice != SPROG_ROUND_ROBIN)
		return "choice: SPROG_RANDOM or SPROG_ROUND_ROBIN\n";
	if (o->timeout_ms < 0 || o->idle_ms < 0)
		return "timeout_ms and idle_ms: not negative\n";
	if (o->window < 0 || o->window > WINDOW_MOST)
		return "window: 1 to 1000000\n";
	if (o->client != NULL && !frame_client_ok(o->client))
		return "client: not a token of 1 to 32 of A-Za-z0-9_.-\n";
	int64_t level;
	if (o->ack != NULL && strcmp(o->ack, "majority") != 0 && strcmp(o->ack, "all") != 0 &&
	    !text_int(o->ack, 1, RING_MAX, &level))
		return "ack: a number from 1 to the ring's size, majority or all\n";
	return NULL;
}

/* The line that opens a connection, with a token that is nobody else's. */
static bool
make_hello(struct sprog *s, const struct sprog_options *o)
{
	static const char letters[33] = "abcdefghijklmnopqrstuvwxyz234567";
	unsigned char random[16];
	char token[sizeof random + 1];
	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return false;
	for (size_t i = 0; i < sizeof random; i++)
		token[i] = letters[random[i] % 32];
	token[sizeof random] = '\0';
	snprintf(s->hello, sizeof s->hello, "HELLO zog/1 client=%s%s%s\r\n",
	    o->client != NULL ? o->client : token, o->ack != NULL ? " ack=" : "",
	    o->ack != NULL ? o->ack : "");
	s->base_known = o->client == NULL;
	s->next_block = 1;
	s->ack = o->ack != NULL && strcmp(o->ack, "1") != 0;
	for (int i = 0; i < s->targets; i++)
		s->target[i].queue.numbered = s->base_known;
	return true;
}

static int
start(struct sprog *s, const struct sprog_options *o, struct buf *why)
{
	const char *bad = bad_option(o);
	if (bad != NULL) {
		buf_puts(why, bad);
		return SPROG_ARGUMENT;
	}
	int status = sprog_targets(s, o, why);
	if (status != SPROG_OK)
		return status;
	s->random = o->seed;
	if ((o->seed == 0 &&
	    getrandom(&s->random, sizeof s->random, 0) != (ssize_t)sizeof s->random) ||
	    !make_hello(s, o)) {
		buf_printf(why, "getrandom: %s\n", strerror(errno));
		return SPROG_SYSTEM;
	}
	int timeout_ms = o->timeout_ms != 0 ? o->timeout_ms : TIMEOUT_MS;
	int connect_ms = timeout_ms / s->targets;
	if (connect_ms < CONNECT_LEAST_MS)
		connect_ms = CONNECT_LEAST_MS;
	if (connect_ms > CONNECT_MOST_MS)
		connect_ms = CONNECT_MOST_MS;
	s->connect_ns = connect_ms * INT64_C(1000000);
	s->timeout_ns = timeout_ms * INT64_C(1000000);
	s->patience_ns = s->timeout_ns / 5 * 2;
	s->idle_ns = (o->idle_ms != 0 ? o->idle_ms : IDLE_MS) * INT64_C(1000000);
	s->window = (size_t)(o->window != 0 ? o->window : WINDOW);
	s->share = s->window * 3 / (2 * (size_t)s->targets) + 1;
	/* Batches, and the window is for all. */
	size_t run = s->window / (8 * (size_t)s->targets);
	s->run = run < 1 ? 1 : run > SPROG_RUN ? SPROG_RUN : (unsigned)run;
	s->choice = o->choice;
	s->settled = o->settled;
	s->context = o->context;
	s->next = (int)(sprog_random(s) % (uint64_t)s->targets);
	return SPROG_OK;
}

/* What the caller's idea of the options has, and defaults for what it does not know. */
static bool
options_of(struct sprog_options *own, const struct sprog_options *theirs)
{
	*own = (struct sprog_options)SPROG_OPTIONS_INIT;
	if (theirs == NULL)
		return true;
	if (theirs->size < offsetof(struct sprog_options, why_size) + sizeof own->why_size)
		return false;           /* no version had fewer */
	memcpy(own, theirs, theirs->size < sizeof *own ? theirs->size : sizeof *own);
	return true;
}

int
sprog_open(struct sprog **out, const struct sprog_options *options)
{
	struct sprog_options o;
	struct buf why = BUF_INIT;
	int status;
	*out = NULL;
	if (!options_of(&o, options))
		return SPROG_ARGUMENT;
	struct sprog *s = calloc(1, sizeof *s);
	if (s == NULL)
		status = SPROG_MEMORY;
	else
		status = start(s, &o, &why);
	if (status == SPROG_OK)
		*out = s;
	else
		sprog_close(&s);
	if (o.why != NULL && o.why_size > 0) {
		/* Without the last line end, so that one line can stand in a sentence. */
		if (status == SPROG_OK)
			*o.why = '\0';
		else if (why.len > 0)
			snprintf(o.why, o.why_size, "%.*s", (int)why.len - 1, buf_begin(&why));
		else
			snprintf(o.why, o.why_size, "%s", sprog_strerror(status));
	}
	buf_fini(&why);
	return status;
}
