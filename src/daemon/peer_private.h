/* SPDX-License-Identifier: MIT
 * peer_private.h - what the files of a member's connection to us share: peer.c (what it brings) and peer_open.c (its HELLO, and
 * the proof where there is a secret). Entered by the threads of peer sessions. */
#ifndef ZOG_DAEMON_PEER_PRIVATE_H
#define ZOG_DAEMON_PEER_PRIVATE_H

#include "daemon/server.h"
#include "daemon/session.h"

extern const struct session_kind peer_frames_kind;

void    peer_hello(struct session *, const char *line, size_t n);       /* without a secret: answers, and frames may come */
void    peer_turn(struct session *);            /* for kinds: who is this by now? */

#endif
