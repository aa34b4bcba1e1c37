/* SPDX-License-Identifier: MIT
 * status_rig.h - statuses to be shown, made up by hand as a zogd would tell them. Included once, after unit.h. */
#ifndef ZOG_TESTS_STATUS_RIG_H
#define ZOG_TESTS_STATUS_RIG_H

#include "daemon/tree.h"
#include "petrichor/petrichor.h"
#include "zogctl/show.h"

struct made_member {
	const char *name, *state, *error;
	bool        up, other_ring, silent;
	int64_t     since_ms, behind;   /* behind -1: not known */
};

struct made {
	const char *member, *state;
	bool        serving;
	struct made_member peer[8];     /* up to one without a name */
	int         streams;
	int64_t     missing, free, lost;
};

static void
made_member(struct tree *t, const struct made_member *m)
{
	tree_dict(t, NULL);
	tree_text(t, "name", m->name);
	tree_text(t, "host", "10.0.0.1");
	tree_bool(t, "self", m->state == NULL);
	if (m->state != NULL) {
		tree_text(t, "state", m->state);
		tree_bool(t, "up", m->up);
		tree_bool(t, "plain", false);
		tree_bool(t, "silent", m->silent);
		tree_bool(t, "other_ring", m->other_ring);
		tree_int(t, "since_ms", m->since_ms);
		tree_int(t, "queue_messages", 12345);
		tree_int(t, "queue_bytes", 1048576);
		tree_int(t, "queue_limit", 64 << 20);
		if (m->behind >= 0)
			tree_int(t, "behind", m->behind);
		tree_int(t, "round_trip_us", 340);
		tree_int(t, "dropped", 7);
		tree_text(t, "error", m->error != NULL ? m->error : "");
	}
	tree_end(t);
}

static void
made_streams(struct tree *t, const struct made *m)
{
	tree_list(t, "streams");
	for (int i = 0; i < m->streams; i++) {
		char origin[16];
		snprintf(origin, sizeof origin, "m%d", i);
		tree_dict(t, NULL);
		tree_text(t, "origin", origin);
		tree_int(t, "epoch", INT64_C(1763596800000));
		tree_bool(t, "own", i == 0);
		tree_int(t, "first", 1);
		tree_int(t, "upto", 1000000);
		tree_int(t, "known", 1000000);
		tree_int(t, "missing", i == m->streams - 1 ? m->missing : 0);
		tree_int(t, "passed", 0);
		tree_end(t);
	}
	tree_end(t);
	tree_int(t, "streams_known", m->streams);
	tree_int(t, "missing", m->missing);
	tree_int(t, "passed", 0);
}

static void
made_rest(struct tree *t, const struct made *m)
{
	tree_dict(t, "journal");
	tree_int(t, "segments", 2);
	tree_int(t, "bytes", 163 << 10);
	tree_int(t, "limit", 1 << 30);
	tree_int(t, "damaged", 0);
	tree_int(t, "syncs", 9);
	tree_text(t, "error", "");
	tree_end(t);
	tree_dict(t, "access_log");
	tree_bool(t, "behind", false);
	tree_text(t, "error", "");
	tree_end(t);
	tree_dict(t, "clients");
	tree_int(t, "connected", 3);
	tree_int(t, "limit", 4096);
	tree_int(t, "peer_connections", 4);
	tree_end(t);
	tree_dict(t, "rates");
	tree_int(t, "over_ms", 5000);
	tree_int(t, "from_clients", 1200);
	tree_int(t, "from_peers", 4800);
	tree_int(t, "logged", 6000);
	tree_int(t, "forwarded", 2400);
	tree_end(t);
	tree_list(t, "disks");
	tree_dict(t, NULL);
	tree_text(t, "what", "state-dir");
	tree_text(t, "path", "/var/lib/zog");
	tree_int(t, "free", m->free);
	tree_int(t, "size", INT64_C(1) << 40);
	tree_end(t);
	tree_end(t);
	tree_dict(t, "counters");
	tree_int(t, "clients_accepted", 12);
	tree_int(t, "lost", m->lost);
	tree_end(t);
}

/* To be freed by pt_free. */
static struct pt_value *
made_status(const struct made *m)
{
	struct tree t = TREE_INIT;
	struct pt_value *v;
	tree_dict(&t, NULL);
	tree_text(&t, "program", "zogd");
	tree_text(&t, "version", "1.2.3");
	tree_int(&t, "pid", 4711);
	tree_text(&t, "member", m->member);
	tree_int(&t, "place", 1);
	tree_int(&t, "size", 3);
	tree_text(&t, "forwarding", "v0.2.2");
	tree_int(&t, "digest_ms", 200);
	tree_int(&t, "time_ms", INT64_C(1763596805000));
	tree_int(&t, "up_ms", 5000);
	tree_text(&t, "state", m->state);
	tree_bool(&t, "serving", m->serving);
	tree_list(&t, "members");
	made_member(&t, &(struct made_member){ .name = m->member });
	for (int i = 0; i < 8 && m->peer[i].name != NULL; i++)
		made_member(&t, &m->peer[i]);
	tree_end(&t);
	made_streams(&t, m);
	made_rest(&t, m);
	tree_end(&t);
	ck_assert(tree_whole(&t));
	ck_assert_int_eq(pt_decode(&v, buf_begin(&t.at[0]), t.at[0].len, NULL, NULL, PT_COPY, NULL), PT_OK);
	tree_fini(&t);
	return v;
}

static const struct made made_well = { .member = "mv", .state = "serving", .serving = true,
    .free = INT64_C(1) << 36, .streams = 2,
    .peer = { { .name = "pa", .state = "up", .up = true, .since_ms = 90061000, .error = "Connection refused" },
	{ .name = "la", .state = "up", .up = true, .since_ms = 59000, .behind = -1 } } };
static const struct made made_ill = { .member = "mv", .state = "serving", .serving = true,
    .free = INT64_C(1) << 36, .streams = 2,
    .missing = 1234, .lost = 5,
    .peer = { { .name = "pa", .state = "down", .since_ms = 180000, .error = "Connection refused", .behind = 1234567 },
	{ .name = "la", .state = "not answering", .since_ms = 12000, .error = "does not answer" },
	{ .name = "s", .state = "up", .up = true, .other_ring = true, .since_ms = 1000 } } };
/* Another's words, that are to reach no terminal. */
static const struct made made_evil = { .member = "m\033[2J", .state = "ser\nving", .serving = true,
    .free = 1000, .streams = 1,
    .peer = { { .name = "p\"\\\n\x9b", .state = "do\rwn", .error = "\033]0;x\007\xc2\x9b" } } };

#endif
