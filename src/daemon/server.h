/* SPDX-License-Identifier: MIT
 * server.h - owns every object of a running zogd: the order in which they start, and in which they stop
 * (doc/threads). */
#ifndef ZOG_DAEMON_SERVER_H
#define ZOG_DAEMON_SERVER_H

#include "base/lock.h"
#include "daemon/acceptor.h"
#include "daemon/compare.h"
#include "daemon/conf.h"
#include "daemon/logger.h"
#include "daemon/probe.h"
#include "daemon/sessions.h"
#include "daemon/stats.h"
#include "daemon/view.h"

enum { SERVER_ACCEPTORS = 2 * CONF_LISTEN, SERVER_OUTCOME = 256 };

struct control;

struct server {
	/* constant while threads run */
	struct conf_source source;              /* for HUP */
	struct logger     *logger;
	struct sessions   *clients, *peers;
	struct acceptor   *client_port[SERVER_ACCEPTORS], *peer_port[SERVER_ACCEPTORS];
	int                client_ports, peer_ports;
	struct control    *control;             /* NULL: there is none */
	int64_t            started_ms;          /* real time */

	struct stats       stats;               /* any thread */
	_Atomic int64_t    awaits_ms;           /* any thread: until then server_awaits */
	atomic_bool        stopping;            /* any thread */

	struct probes      probes;              /* any thread */
	struct compare     compare;             /* any thread */

	struct lock        lock;                /* RANK_SERVER */
	pthread_cond_t     reloaded;            /* wait for: reloads, stopping */
	/* under lock */
	struct view       *view;                /* the present one */
	uint64_t           reloads;             /* that are over */
	char               outcome[SERVER_OUTCOME];     /* of the last one: what was wrong, "" nothing */

	struct lock        origin;              /* RANK_ORIGIN: held over numbering, forwarding and handing to the logger, so
	                                           that our clients' batches stand in one order everywhere */
	/* under origin */
	uint64_t           epoch, next_seq;     /* our present stream, and its next number */
};

/* Opens what can fail by the operator's doing: logs, ports. Takes the conf. Exit code of sysexits.h after saying why. */
int  server_open(struct server *, const struct conf_source *, struct conf *, int verbose, int uid, int gid);
int  server_start(struct server *);             /* starts every thread; exit code as above */
void server_reload(struct server *);            /* HUP; the thread that started it only */
void server_report(struct server *);            /* USR2: links, queues and counters into error.log */
void server_stop(struct server *);              /* stops what was started, in order; drains */
void server_hurry(struct server *);             /* ends that draining now; from a signal handler, too */
void server_close(struct server *);             /* frees what server_open made; also after a failure */

/* Any thread. */
struct view *server_view(struct server *);      /* a reference to the present one */

bool         server_awaits(struct server *, int64_t now_ms);    /* does a client of ours wait, or did one of late, for what others have? */
uint64_t     server_reloads(struct server *);   /* how many there were */
/* Waits for one more than those, and takes how it ended. false: not in time, or the server stops. */
bool         server_wait_reload(struct server *, uint64_t before, int64_t until_mono_ms, char outcome[SERVER_OUTCOME]);
uint64_t     server_epoch(struct server *);     /* of our present stream */

/* For client.c and peer.c: a job with its frame on its way. They block while the logger has too much waiting. */
void server_accept(struct server *, struct view *, struct job *);       /* of our clients: numbered here, and settled */
void server_relay(struct server *, struct view *, struct job *, char wrap);
void server_relay_plain(struct server *, struct view *, struct job *, int sender, char wrap);

/* For the logger's thread. */
void     server_answer(struct server *, const char *member, struct frame *);    /* to its want */
void     server_tell(struct server *, const char *member, const char *line);
uint64_t server_new_epoch(struct server *, uint64_t least);             /* our next frame begins a new stream */

extern const struct session_kind client_kind;
extern const struct session_kind peer_kind, peer_secret_kind;  /* the second where there is a secret */

#endif
