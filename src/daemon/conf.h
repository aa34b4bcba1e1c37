/* SPDX-License-Identifier: MIT
 * conf.h - the settings of one zogd: defaults, zogd.conf, -o options, the ring file.
 * Filled by one thread, then constant. */
#ifndef ZOG_DAEMON_CONF_H
#define ZOG_DAEMON_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/net.h"
#include "ring/ring.h"
#include "ring/route.h"

enum { CONF_LISTEN = 8, CONF_RANGES = 64 };

struct secrets;

struct conf_listen {
	int  count;
	char host[CONF_LISTEN][NET_HOST];
	int  port[CONF_LISTEN];         /* 0: any free one */
};

struct conf_allow {
	int         count;
	struct cidr range[CONF_RANGES];
	bool        ring;               /* the members too */
};

struct conf {
	char *member;                   /* our name; text settings belong to the conf, NULL: none */
	char *ring_file, *log_dir, *state_dir, *control, *pidfile, *user, *group;
	struct conf_listen listen_peers, listen_clients;        /* count 0: the member's own address */
	struct conf_allow  allow_clients, allow_peers;          /* the latter counts with a secret only */
	char           *secret_file;
	struct secrets *secrets;        /* what is in it; NULL: none */
	int64_t forwarding;             /* enum route_rule */
	int64_t keep_alive_ms, reconnect_min_ms, reconnect_max_ms, peer_timeout_ms;
	int64_t client_idle_ms, drain_ms;
	int64_t queue_limit, log_queue_limit;                   /* bytes */
	int64_t max_clients, max_clients_per_address;           /* connections; 0: no limit */
	int64_t bad_lines;              /* error.log lines a second for one address and reason */
	char   *ack;                    /* as conf_ack reads it */
	int64_t ack_timeout_ms, digest_ms, gap_ms, journal_limit, journal_segment;
	int64_t remember_clients;       /* numbered clients whose numbers are known */
	char   *sync;
	int64_t seccomp, landlock;      /* 0: no */

	struct ring ring;
	int         self;               /* our place in the ring */
};

/* Where settings come from; kept for reading them again. */
struct conf_source {
	const char        *file;        /* NULL: none */
	bool               may_lack;    /* no error if the file is not there */
	const char *const *options;     /* "KEY=VALUE", they win over the file */
	int                count;
	const char        *dir;         /* what relative paths are relative to */
};

/* Reads the file, then the options, then the ring. What is wrong is appended to errors, a line "FILE:LINE: what" for each; what
 * is right but without effect, to notes (may be NULL). false: there were errors. conf_fini in any case. */
bool conf_load(struct conf *, const struct conf_source *, struct buf *errors, struct buf *notes);
/* A level of acknowledgement: a number from 1 to 64, majority or all (below 0: for conf_level). false: none of these. */
bool conf_ack(const char *text, int *level);
int  conf_level(int level, int size);   /* members of a ring of that size that are to have a message */
void conf_fini(struct conf *);
void conf_print(const struct conf *, struct buf *out);  /* key = value, all in force */

/* The names of settings that differ and that a running zogd cannot change, separated by blanks; empty: none. */
void conf_fixed_changes(const struct conf *running, const struct conf *wanted, struct buf *names);

#endif
