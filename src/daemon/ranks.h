/* SPDX-License-Identifier: MIT
 * ranks.h - the order in which locks are taken (doc/threads). */
#ifndef ZOG_DAEMON_RANKS_H
#define ZOG_DAEMON_RANKS_H

enum {
	RANK_SERVER = 1,        /* which view is the present one */
	RANK_CONTROL,           /* who is connected to the control socket, and rates */
	RANK_SESSIONS,          /* who is connected */
	RANK_ORIGIN,            /* numbering, forwarding and logging of our own clients' batches in one order */
	RANK_SESSION,           /* which jobs of one connection are done */
	RANK_LINK,              /* what is shown of one link */
	RANK_OUTQ,              /* one peer's queue */
	RANK_LOGGER,            /* the logger's queue */
	RANK_SYNCER,            /* what is asked of the syncer */
	RANK_PROBE,             /* who has seen our probe */
	RANK_SUMS,              /* what members said of what they hold; what we are to say */
	RANK_ASK,               /* one question to the logger */
	RANK_TAILS,             /* what those who follow the log have not read yet */
};

#endif
