/* SPDX-License-Identifier: MIT
 * control.h - the control socket: a Unix socket on which whoever is in the daemon's group asks how it
 * is, and tells it what
 * to do, in Petrichor pairs (doc/control). */
#ifndef ZOG_DAEMON_CONTROL_H
#define ZOG_DAEMON_CONTROL_H

#include <sys/types.h>

struct control;
struct server;

/* Opens it, mode 0660, of that account (-1: ours). A socket that nobody answers on is replaced. NULL
 * after saying why. Before threads
 * start, since it sets the umask for a moment. */
struct control *control_open(struct server *, const char *path, uid_t, gid_t);
int             control_start(struct control *);        /* its threads; -1 with errno */
void            control_stop(struct control *);         /* ends all connections, and joins; NULL is fine */
void            control_close(struct control **);       /* removes the socket */

#endif
