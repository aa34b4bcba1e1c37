/* SPDX-License-Identifier: MIT
 * stats.h - what has happened since the start. Every loss and every refusal has a counter.
 * Any thread adds, any thread reads; no lock. */
#ifndef ZOG_DAEMON_STATS_H
#define ZOG_DAEMON_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#define STATS(X) \
	X(clients_accepted,     "client connections taken") \
	X(clients_refused,      "client connections refused (allow-clients, max-clients)") \
	X(clients_shed,         "idle client connections closed for others' sake (max-clients)") \
	X(peers_accepted,       "peer connections taken") \
	X(peers_refused,        "peer connections refused (not a member)") \
	X(peers_unproven,       "peer connections sent away (no HELLO, or no proof that they know the secret)") \
	X(peers_shed,           "peer connections closed for others' sake, that had not opened") \
	X(control_accepted,     "connections to the control socket taken") \
	X(control_refused,      "connections to the control socket refused (too many)") \
	X(from_clients,         "good messages from clients") \
	X(from_peers,           "good messages from peers") \
	X(bad,                  "bad messages") \
	X(forwarded,            "messages put into the queues of peers") \
	X(dropped,              "messages that a peer's full queue did not take") \
	X(unanswered,           "messages given to a connection that broke before it answered") \
	X(rejected,             "messages that a peer answered with an error") \
	X(logged,               "messages given to access.log") \
	X(again,                "messages that were logged already under the same client and number") \
	X(error_lines_lost,     "lines that error.log did not take") \
	X(connects,             "connections to peers made") \
	X(connect_failures,     "connections to peers that failed")

struct stats {
#define X(name, text) atomic_uint_fast64_t name;
	STATS(X)
#undef X
};

static inline void
stats_add(atomic_uint_fast64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static inline uint64_t
stats_get(atomic_uint_fast64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
