/* SPDX-License-Identifier: MIT
 * harness_numbered.h - clients in the numbered form (doc/protocol, section 4), and the verdict on what became of their
 * messages.
 *
 * Each client has a token, a level and a window of messages in flight. When its connection breaks, or a member answers
 * `error N unconfirmed`, or that its disk is full, it goes on at the next member and sends all that is not settled again, in
 * order, with the same numbers. A text tells its client and number, and its filler follows from both. */
#ifndef ZOG_TESTS_HARNESS_NUMBERED_H
#define ZOG_TESTS_HARNESS_NUMBERED_H

#include "harness.h"

/* What one connection carried: messages from .. to - 1, at a member. */
struct numbered_span {
	int  member, from, to;
	int  last;                      /* the judge's: message of its last line in the log at hand */
	uint64_t last_seq;
};

struct numbered_client {
	struct conn c;
	struct buf  out;
	int      member;                /* where it is, or goes next */
	uint64_t allowed;               /* members it may go to (bit i: member i); 0: any */
	bool     greeted;               /* OK came */
	int      settled, next, sent;   /* messages below these: settled; sent on this connection; sent ever */
	int64_t  due_ms;                /* when the next new one is due */
	int64_t  dial_ms;               /* not before */
	int64_t  heard_ms;              /* since then nothing came that was asked for */
	uint64_t known[RIG_MAX];        /* what a member settled for it: it is to know that ever after */
	struct numbered_span *span;
	int      spans;
};

struct numbered {
	struct ring_rig *rig;
	char     tag;                   /* of texts and tokens */
	int      clients, each;
	/* to be changed after numbered_init, before it runs */
	const char *ack;                /* NULL: none is asked for */
	int      window, every_ms;      /* in flight at most; between two new messages of a client, 0: none */
	int      least, most;           /* bytes of a text */
	int64_t  patience_ms;           /* so long without an answer: on to the next member; 0: for ever */
	bool     steady;                /* a broken connection or an error fails the test */
	uint64_t forgetful;             /* members that may know less of a client than before */
	void   (*also)(void *, int ms); /* run in its waits as well; NULL: nothing */
	void    *also_arg;
	/* results */
	struct numbered_client *client;
	uint32_t *sent_ms;              /* [client * each + n] when it went first */
	int64_t *settled_ms;            /* the same: when its ok was read */
	long     sent, settled, resent, broken, unconfirmed, full;
	int64_t  slowest_ms;            /* from first sent to settled */
	int64_t  turn_ms, longest_turn_ms;      /* when it ran last; the longest that it did not run while it was the pump */
	bool     halted;                /* nothing new is sent */
};

void numbered_init(struct numbered *, struct ring_rig *, char tag, int clients, int each);
void numbered_place(struct numbered *, int client, int member, uint64_t allowed);       /* where it begins, and may go */
void numbered_pump(struct numbered *);          /* runs in every wait of its rig from now on */
void numbered_run(struct numbered *);           /* to its end: all sent and settled */
void numbered_halt(struct numbered *);          /* no more new ones; until all that was sent is settled */
void numbered_wait_settled(struct numbered *, long more);       /* so many more than now; or all */
void numbered_hang_up(struct numbered *);       /* closes all connections; what is not settled is unknown */
/* The longest from first sent to settled; of what is not settled, to this time (of clock_mono_ms). */
int64_t numbered_longest_wait_ms(const struct numbered *, int64_t now_ms);
void numbered_fini(struct numbered *);

/* What access.log of the members of mask (0: all that run; access.log.1 first, where rotated) say. */
struct numbered_verdict {
	long logged, doubled, lost, invented, disordered;
	long split;                     /* texts in some of these logs and not in others */
	int64_t lost_since_ms;          /* when the first of the lost ones was settled; INT64_MAX: none is lost */
};
struct numbered_verdict numbered_judge(struct numbered *, uint64_t mask, bool rotated, const char *what);
/* All that was settled is in each log; then all is settled there once, in order, and the logs hold the same. */
#define numbered_wait_logged(l, mask) (harness_at(__FILE__, __LINE__), numbered_wait_logged_(l, mask, false))
void numbered_wait_logged_(struct numbered *, uint64_t mask, bool rotated);
#define numbered_require(l, mask, what) (harness_at(__FILE__, __LINE__), numbered_require_(l, mask, false, what))
void numbered_require_(struct numbered *, uint64_t mask, bool rotated, const char *what);

/* Reads `ok N` lines that grow, up to n. */
#define conn_expect_settled(c, n) (harness_at(__FILE__, __LINE__), conn_expect_settled_(c, n))
void conn_expect_settled_(struct conn *, uint64_t n);
/* Opens a conversation: OK with this last number is expected. ack: NULL for none. */
#define conn_hello(c, rig, member, token, ack, last) \
	(harness_at(__FILE__, __LINE__), conn_hello_(c, rig, member, token, ack, last))
void conn_hello_(struct conn *, struct ring_rig *, int member, const char *token, const char *ack, uint64_t last);

#endif
