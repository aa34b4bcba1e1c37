/* SPDX-License-Identifier: MIT
 * acceptor.h - the thread of one listening port. It lets connections in and hands them on; it never reads a byte. */
#ifndef ZOG_DAEMON_ACCEPTOR_H
#define ZOG_DAEMON_ACCEPTOR_H

#include "base/net.h"
#include "daemon/logger.h"
#include "daemon/sessions.h"

struct acceptor;
struct server;

/* Runs in the acceptor's thread; the descriptor (non-blocking, close-on-exec) is the callee's. */
typedef void acceptor_arrived(struct server *, int fd, const struct addr *);

/* Binds and listens; connections wait in the backlog until acceptor_start. NULL with errno. */
struct acceptor *acceptor_open(const struct addr *);
void             acceptor_addr(const struct acceptor *, struct addr *); /* with the port that the kernel chose */
int              acceptor_start(struct acceptor *, struct server *, struct logger *, struct sessions *,
                     acceptor_arrived *);                               /* -1 with errno */
void             acceptor_stop(struct acceptor *);                      /* joins; acceptor_free closes the port */
void             acceptor_free(struct acceptor **);

#endif
