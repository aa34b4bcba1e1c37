/* SPDX-License-Identifier: MIT
 * probe.h - a frame that goes round the ring by the forwarding rule and is stored nowhere; each member
 * that gets it tells its origin so
 * (doc/protocol, section 6). One at a time of ours. */
#ifndef ZOG_DAEMON_PROBE_H
#define ZOG_DAEMON_PROBE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "ring/ring.h"
#include "wire/frame.h"

#define PROBE_KIND "probe"
enum { PROBE_TOKEN = 16 };      /* hex digits */

struct server;
struct view;

struct probe_seen {
	char    name[RING_NAME + 1];
	char    via[RING_NAME + 1];     /* from whom it had it */
	int64_t us;                     /* from the sending until its word was here */
};

struct probes {
	struct lock     lock;           /* RANK_PROBE */
	pthread_cond_t  more;           /* wait for: seen_count */
	/* under lock */
	char            token[PROBE_TOKEN + 1];         /* of the one that is under way; "": none */
	int64_t         sent_us;
	int             seen_count;
	struct probe_seen seen[RING_MAX];
};

void probes_init(struct probes *);
void probes_fini(struct probes *);

/* Sends one. false: another is under way, or there is no memory. */
bool probe_send(struct server *, struct view *);
/* How many have seen it, copied to out; waits until more than count have, or until then. */
int  probe_wait(struct server *, int count, int64_t until_ms, struct probe_seen out[RING_MAX]);
void probe_end(struct server *);

/* For peer.c, in the session's thread. */
/* it has been forwarded: tell its origin */
void probe_pass(struct server *, struct view *, const struct frame *, const char *from);
void probe_told(struct server *, const char *by, char *words);                                  /* "TOKEN VIA" */

#endif
