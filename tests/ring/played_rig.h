/* SPDX-License-Identifier: MIT
 * played_rig.h - one real zogd (member 0, mv) in a ring that the test plays, in the plain form. */
#ifndef ZOG_TESTS_PLAYED_RIG_H
#define ZOG_TESTS_PLAYED_RIG_H

#include <string.h>
#include <unistd.h>

#include "harness.h"

static struct ring_rig rig;

/* A member that the test plays. */
static struct fake {
	int         listener;   /* -1: it does not listen */
	struct conn in;         /* the link that mv dialled to it */
	struct conn out;        /* the one that it dialled to mv */
} fake[RIG_MAX];

static rlim_t file_limit;       /* for mv, 0: none */

static inline void
link_accept(int i)
{
	conn_accept(&fake[i].in, &rig, fake[i].listener, 0);
}

/* While we wait for something, the other members do what keeps their links alive. */
static inline void
serve(void *arg, int ms)
{
	struct ring_rig *r = arg;
	for (int i = 1; i < r->size; i++)
		conn_serve(&fake[i].in);
	usleep((useconds_t)ms * 1000);
}

/* mv runs, all others but those of the mask listen, and their links are up. */
static inline bool
up_without(uint64_t absent, int members, const char *conf)
{
	rig_make(&rig, members, conf);
	rig_conf(&rig, 0, "drain-timeout = 1\n");
	if (!rig.own_addresses) {
		story_skip("one loopback address only: peers cannot be told apart");
		rig_done(&rig);
		return false;
	}
	for (int i = 1; i < members; i++) {
		fake[i].listener = (absent >> i & 1) != 0 ? -1 : rig_listen(&rig, i);
		fake[i].in.fd = fake[i].out.fd = -1;
	}
	rig.pump = serve;
	rig.pump_arg = &rig;
	rig.m[0].file_limit = file_limit;
	rig_launch(&rig, 0);
	for (int i = 1; i < members; i++)
		if (fake[i].listener >= 0)
			link_accept(i);
	rig_wait_ready(&rig, 0);
	for (int i = 1; i < members; i++) {
		if (fake[i].listener < 0)
			continue;
		rig_wait_link(&rig, 0, i);
		conn_peer(&fake[i].out, &rig, i, 0);
	}
	return true;
}

static inline bool
up(int members, const char *conf)
{
	return up_without(0, members, conf);
}

/* mv has ended; each link that is not in the mask must have brought what was asked for, and nothing more. */
static inline void
done_but(uint64_t any)
{
	rig_stop(&rig, 0);
	log_check_form(&rig, 0);
	for (int i = 1; i < rig.size; i++) {
		if (fake[i].in.fd >= 0 && (any >> i & 1) == 0)
			conn_expect_end(&fake[i].in);
		conn_close(&fake[i].in);
		conn_close(&fake[i].out);
		if (fake[i].listener >= 0)
			close(fake[i].listener);
	}
	rig_done(&rig);
}

static inline void
done(void)
{
	done_but(0);
}

/* ---- what goes over the links ---- */

/* A frame comes on mv's link to member i, and is answered. */
#define expect_at(i, frame) (harness_at(__FILE__, __LINE__), expect_at_(i, frame))
static inline void
expect_at_(int i, const char *frame)
{
	conn_expect_(&fake[i].in, frame);
	conn_puts_(&fake[i].in, "ok\r\n");
}

/* Member i says this to mv. */
#define say_from(i, frame) (harness_at(__FILE__, __LINE__), say_from_(i, frame))
static inline void
say_from_(int i, const char *frame)
{
	conn_puts_(&fake[i].out, frame);
	conn_puts_(&fake[i].out, "\r\n");
	conn_expect_(&fake[i].out, "ok");
}

static inline void
say_to_mv(const char *text)
{
	struct conn c;
	conn_client(&c, &rig, 0);
	conn_puts(&c, text);
	conn_puts(&c, "\r\n");
	conn_expect(&c, "ok");
	conn_puts(&c, "quit\r\n");
	conn_expect_rest(&c, "ok\r\n");
	conn_close(&c);
}

static inline void
expect_logged_from(int i, const char *text)
{
	char want[700];
	snprintf(want, sizeof want, "Z %s:0 %s\n", rig.m[i].name, text);
	const char *path = rig_path(&rig, 0, "log/access.log");
	require(file_count(path, want) == 1, "'%s' is %d times in access.log", want + 2, file_count(path, want));
}

#endif
