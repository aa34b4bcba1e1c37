/* SPDX-License-Identifier: MIT
 * session_private.h - what the files of a session share: session.c (its thread and input) and session_answer.c (what is
 * answered, and when). */
#ifndef ZOG_DAEMON_SESSION_PRIVATE_H
#define ZOG_DAEMON_SESSION_PRIVATE_H

#include "daemon/server.h"
#include "daemon/session.h"

enum { SESSION_OUT_LIMIT = 64 * 1024 }; /* replies the other side has not taken: then nothing more is read */

void session_out_of_memory(struct session *);   /* says so, and ends the connection */
bool session_ready(const struct session *);     /* is there an answer whose turn has come? under lock */
void session_collect(struct session *);         /* moves all such to out; under lock */
void session_flush(struct session *);           /* sends what it can of out */
bool session_may_read(const struct session *);

#endif
