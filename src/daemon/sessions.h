/* SPDX-License-Identifier: MIT
 * sessions.h - the connections that one acceptor has let in: started, counted, joined. */
#ifndef ZOG_DAEMON_SESSIONS_H
#define ZOG_DAEMON_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/net.h"

struct server;
struct session;
struct session_kind;
struct sessions;

struct sessions *sessions_new(void);                    /* NULL with errno */
void             sessions_free(struct sessions **);     /* once all are joined */
/* Takes the descriptor, whatever comes of it: -1 with errno and it is closed. */
int              sessions_start(struct sessions *, struct server *, const struct session_kind *, int fd,
                     const struct addr *);
void             sessions_ended(struct session *);      /* the last word of a session's thread */
void             sessions_reap(struct sessions *);      /* joins those that ended; the acceptor's thread */
void             sessions_stop(struct sessions *);      /* asks all to finish what is under way, and joins them */
int              sessions_wake_fd(struct sessions *);   /* readable when there is something to reap */
int              sessions_count(struct sessions *, const struct addr *);        /* NULL: all; else from that host */

/* Ends the one of lowest worth, so that another can have its place; INT64_MAX: not that one. worth is called with the session's
 * lock held: only while the session sleeps it may look at what is the session's own. false: there is none. Those that are shed do not count any more. */
typedef int64_t sessions_worth(const struct session *);
bool             sessions_shed(struct sessions *, sessions_worth *, struct addr *whose);

#endif
