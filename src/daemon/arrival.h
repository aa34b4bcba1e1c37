/* SPDX-License-Identifier: MIT
 * arrival.h - what becomes of a connection that has just been accepted: who may come in, how many, and who has to go for that.
 * Not a byte of it has been read. For acceptors. */
#ifndef ZOG_DAEMON_ARRIVAL_H
#define ZOG_DAEMON_ARRIVAL_H

#include "daemon/acceptor.h"

/* They take the descriptor. */
acceptor_arrived arrival_client, arrival_peer;

#endif
