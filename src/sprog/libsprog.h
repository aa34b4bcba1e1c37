/* SPDX-License-Identifier: MIT
 * libsprog.h - the library's inside; not installed.
 *
 * A handle has a target for each member that it may send to, and a target has at most one
 * connection and a queue. A message is in exactly one queue: a target's, or `pending` while no
 * target will do.
 *
 *      queue of a target:   |- told or waiting for the reply -|- being written -|- not yet sent -|
 *                            0 .. sent_count                    at most one
 *
 * A connection is opened by HELLO and is numbered from then on: a line is "N TEXT". A member that does
 * not know HELLO is spoken to in the plain form, the line is the text then.
 *
 * Numbers. A message gets its number when it goes to a target, and keeps it once it was sent. Each
 * target has a block of numbers of its own: members remember of a client a few dozen ranges of numbers
 * only, and what came over one connection is to be one range, however far another one lags behind.
 * Pending lines carry none; of those that have one it is in struct sprog_flight.
 *
 * Invariants:
 * 1. Plain: a message whose line end was given to the kernel never leaves its target's queue for
 *    another, unless the member said that it did not take it. What was not given that far may.
 *    Numbered: it may always, its number stays, and the ring logs it once.
 * 2. Each message is reported once (or, if sprog_send waits for it, handed to it): in_flight
 *    counts those that are not. One that was given up while its reply is outstanding stays as
 *    told, so that the replies that follow are not taken for another message's.
 * 3. The callback may submit: a report is made only where no pointer into a queue is used after.
 * 4. Numbers grow along a connection, along the sent part of a queue, and along its rest. Where the
 *    rest begins lower, the target is to be renewed: nothing more is written until all that was sent
 *    is answered, and the rest goes over a new connection. Pending has those with a number first, by
 *    number, then the others by id.
 *
 * libsprog.c         the public functions but these, what is reported
 * libsprog_submit.c  messages come in
 * libsprog_open.c    options, ring file, host
 * libsprog_queue.c   lines and what is known of each
 * libsprog_choose.c  which target: choice, backoff, pending, deadlines
 * libsprog_link.c    one connection: connect, write, read
 * libsprog_reply.c   what replies mean
 */
#ifndef ZOG_LIBSPROG_H
#define ZOG_LIBSPROG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/net.h"
#include "sprog/sprog.h"

enum {
	SPROG_ADDRS = 8,                /* addresses of one host that are tried */
	SPROG_WHY = 160,                /* bytes of why a target cannot be used */
	SPROG_REASON = 512,
	SPROG_BATCH = 64 * 1024,        /* bytes for one read or write */
	SPROG_MAX_REPLY = 1024,         /* bytes of a reply line */
	SPROG_DIGITS = 20,              /* of a number of 64 bits */
	SPROG_BLOCK = 1 << 20,          /* numbers */
	SPROG_RUN = 256,                /* messages in a row to one member, at most */
	SPROG_COPY = 64,                /* bytes that are copied at a time */
	SPROG_LOOK_MS = 10,             /* after so long a connection is looked at before it is used */
	SPROG_PLAIN_MS = 600 * 1000,    /* a plain member may have learned HELLO after that */
};

/* One message; its line is in the queue's bytes. */
struct sprog_flight {
	uint64_t id;
	uint64_t number;        /* where it is in a numbered queue, or kept */
	void    *tag;
	int64_t  submitted_ns, deadline_ns;
	uint32_t end;           /* of its line, in all bytes that this queue ever had, counted round */
	uint16_t size;          /* bytes of the line, its number and CR LF among them */
	uint8_t  head;          /* bytes of the number and its blank; 0: none */
	bool     told : 1;      /* reported already, or elsewhere now: only its place is kept */
	bool     answered : 1;  /* told, and its reply has come, before those of earlier ones */
	bool     kept : 1;      /* was sent: its number stands */
	bool     doubt : 1;     /* a member may have it, though none has settled it */
	bool     unconfirmed : 1;       /* the last answer was that */
};

/* The lines lie as they are to be sent: one send(2) takes many, and to send them again nothing is
 * put together anew. */
struct sprog_queue {
	struct buf           bytes;     /* the lines, in order */
	uint32_t             eaten;     /* bytes before them, counted round */
	struct sprog_flight *ring;      /* count of them from head on, counted round */
	size_t               size, head, count; /* size is a power of two */
	int64_t              soonest_ns;        /* none that is not told has an earlier deadline */
	bool                 numbered;          /* how lines are put */
	/* The hundred of the last number put, in decimal, so that only two digits are to be made for
	 * most. It begins at first and ends at SPROG_DIGITS; what is behind is there to be copied
	 * without looking. 0: none. */
	uint64_t             hundred;
	unsigned             first;
	char                 digits[2 * SPROG_DIGITS];
};

static inline struct sprog_flight *
sprog_queue_at(const struct sprog_queue *q, size_t i)
{
	return &q->ring[(q->head + i) & (q->size - 1)];
}

/* Where its line begins, and the first byte of it; of the one behind the last: where that would. */
static inline size_t
sprog_queue_offset(const struct sprog_queue *q, size_t i)
{
	if (i == q->count)
		return q->bytes.len;
	const struct sprog_flight *f = sprog_queue_at(q, i);
	return (uint32_t)(f->end - f->size - q->eaten);
}

static inline const char *
sprog_queue_line(const struct sprog_queue *q, size_t i)
{
	return buf_begin(&q->bytes) + sprog_queue_offset(q, i);
}

/* The first one goes; its line can be read until something is put. */
static inline void
sprog_queue_pop(struct sprog_queue *q)
{
	uint32_t size = sprog_queue_at(q, 0)->size;
	q->eaten += size;
	q->bytes.len -= size;
	q->bytes.start = q->bytes.len == 0 ? 0 : q->bytes.start + size;
	q->head = (q->head + 1) & (q->size - 1);
	q->count--;
}

static inline void
sprog_queue_due(struct sprog_queue *q, int64_t deadline_ns)
{
	if (deadline_ns < q->soonest_ns)
		q->soonest_ns = deadline_ns;
}

/* A new one at the end, with all that has to do with its line; id, tag, times (sprog_queue_due) and
 * flags, which are not set, are the caller's. readable: bytes that may be read at text, at least
 * len; with more of them copying costs less. NULL: no memory. */
struct sprog_flight *sprog_queue_add(struct sprog_queue *, uint64_t number, const char *text,
    size_t len, size_t readable);
/* These copy the text, too. false: no memory, nothing was done. */
bool sprog_queue_put(struct sprog_queue *, const struct sprog_flight *, const char *text,
    size_t len);
bool sprog_queue_reserve(struct sprog_queue *, size_t count, size_t bytes); /* for plain lines */
/* Order of pending. */
bool sprog_before(const struct sprog_flight *, const struct sprog_flight *);
/* What of from, from its flight first on, is not told goes to `to`, which is plain and in order, as
 * this is; from stays as it is. */
bool sprog_queue_merge(struct sprog_queue *to, const struct sprog_queue *from, size_t first);
bool sprog_queue_move(struct sprog_queue *to, const struct sprog_queue *from, size_t i);
void sprog_queue_cut(struct sprog_queue *, size_t count);       /* keeps so many */
void sprog_queue_fini(struct sprog_queue *);

/* Greeting: HELLO was sent, nothing else is before its answer. */
enum sprog_link { LINK_CLOSED, LINK_CONNECTING, LINK_GREETING, LINK_OPEN };

/* The latest thing that was wrong with a target. */
enum sprog_wrong {
	WRONG_NOTHING, WRONG_UNREACHABLE, WRONG_CROWDED, WRONG_FORBIDDEN, WRONG_PROTOCOL,
	WRONG_REFUSING,         /* takes no message just now, as with a full disk */
	WRONG_REJECTED,         /* does not like our token or level */
	WRONG_STRANGER          /* what answers there is no member, or none that will do */
};

struct sprog_target {
	/* constant after sprog_open */
	char     name[NET_HOST + 16];
	char     host[NET_HOST];
	uint16_t port;

	struct addr     addr[SPROG_ADDRS];      /* as of the last connect */
	int             addrs, next_addr;
	enum sprog_link link;
	int             fd;
	bool            probe;          /* connect though nothing waits for it: is it back? */
	int64_t         connect_by_ns;          /* connected, and then greeted */
	int64_t         used_ns;        /* when something was last written or read */
	uint64_t        replies;        /* over this connection */
	bool            plain;          /* no HELLO on this connection, or it was not understood */
	int64_t         plain_until_ns; /* and none on the next ones before that */
	int64_t         answered_ns;    /* the last reply, or the first message that waits for one */
	struct buf      in;

	struct sprog_queue queue;
	struct sprog_queue again;       /* answered by "try again"; for pending, by number */
	size_t   sent_count;            /* messages whose whole line the kernel has */
	size_t   sent_bytes;            /* what it has, part of a further line among it */
	size_t   told_count;                    /* of the sent ones: given up, and not answered */
	uint64_t last_number;                   /* the highest that was begun on this connection */
	uint64_t next_number, block_end;        /* its block; none where they are equal */
	bool     renew;                         /* invariant 4 */

	int      failures;              /* in a row; 0 again with the first reply */
	int64_t  retry_ns;              /* not before */
	enum sprog_wrong wrong;
	char     why[SPROG_WHY];
};

/* A part of the line behind the sent ones has been sent. */
static inline bool
sprog_begun(const struct sprog_target *t)
{
	return t->sent_bytes > sprog_queue_offset(&t->queue, t->sent_count);
}

struct sprog {
	/* constant after sprog_open */
	int64_t        timeout_ns, idle_ns, connect_ns;
	int64_t        patience_ns;     /* without any reply, then it all goes to another member */
	size_t         window;
	size_t         share;           /* of it, for one target while another will do */
	unsigned       run;             /* messages in a row to one target */
	int            choice;
	bool           ack;             /* a level was asked for */
	char           hello[128];      /* the line */
	sprog_settled *settled;
	void          *context;
	int            targets;
	struct sprog_target *target;

	uint64_t       random;          /* state of the generator */
	int            next;            /* round robin */
	struct sprog_target *run_target;        /* and how many more it gets in this run */
	unsigned       run_left;
	bool           base_known;      /* of a fixed token: a member has said where it goes on */
	uint64_t       next_block;      /* where the next block of numbers begins */
	bool           closing;
	int64_t        now_ns;          /* as of the last look at the clock */
	bool           timed;           /* by a message that was submitted since the last turn */
	int64_t        tick_ns;         /* of the clock that jumps, then */
	struct sprog_queue pending;
	size_t         in_flight;
	uint64_t       last_id;
	int            ended;           /* messages reported since the public call began */
	bool           inside;          /* the callback is running */
	uint64_t       awaited_id;      /* whose outcome sprog_send waits for; 0: none */
	int            awaited_status;
	char           reason[SPROG_REASON];
	char           trouble[SPROG_REASON];
	char           unconfirmed[SPROG_WHY];  /* the last reason of that kind */
};

/* libsprog.c */
int64_t sprog_clock(struct sprog *);            /* sets now_ns, too */
uint64_t sprog_random(struct sprog *);
/* The flight is a copy, already out of its queue; text is its line. */
void sprog_report(struct sprog *, const struct sprog_target *, const struct sprog_flight *,
    const char *text, int status, const char *reason);

/* Why a call did nothing, for sprog_reason; returns status. */
int sprog_refuse(struct sprog *, int status, const char *why);

/* libsprog_submit.c */
/* Puts a message into a queue; what a queue asks for is done by the next turn. */
int sprog_take(struct sprog *, const char *text, size_t len, void *tag, int64_t timeout_ns);
const char *sprog_check_plain(const char *text, size_t len);    /* why not in the plain form */

/* libsprog_open.c */
int sprog_targets(struct sprog *, const struct sprog_options *, struct buf *why);

/* libsprog_choose.c */
/* For sprog_choose, of which it is the rare part. */
struct sprog_target *sprog_choose_anew(struct sprog *);
void sprog_choose_failed(struct sprog *, struct sprog_target *, enum sprog_wrong, const char *why);
void sprog_assign(struct sprog *);              /* pending messages to targets */
void sprog_new_block(struct sprog *, struct sprog_target *);    /* of numbers */
bool sprog_take_back(struct sprog *, struct sprog_target *);    /* what was not sent, to pending */
void sprog_again(struct sprog *, struct sprog_target *);        /* its again, to pending */
void sprog_give_up(struct sprog *, int status); /* all that are pending */
void sprog_expire(struct sprog *);              /* deadlines of messages and connects */
int64_t sprog_next_event(const struct sprog *); /* when the next of them comes; INT64_MAX: none */
void sprog_trouble_text(const struct sprog *, char *text, size_t size);

/* Will do: connected and answering, or never found wanting. One that has failed gets a single
 * message until it has answered that: a member that crashes over and over must not take a whole
 * window with it. */
static inline bool
sprog_is_good(const struct sprog *s, const struct sprog_target *t)
{
	if (t->link == LINK_OPEN && t->failures > 0)
		return t->queue.count == 0 && s->now_ns >= t->retry_ns;
	return t->failures == 0 && t->told_count == 0;
}

/* NULL: none will do just now. */
static inline struct sprog_target *
sprog_choose(struct sprog *s)
{
	/* The usual case: the one that has its run. Who sends one by one makes no runs. */
	struct sprog_target *t = s->run_target;
	if (s->run_left > 0 && s->in_flight > 0 && t->queue.count < s->share && sprog_is_good(s, t)) {
		s->run_left--;
		return t;
	}
	return sprog_choose_anew(s);
}

/* The number of a message that goes to the end of the target's queue; 0: none is needed there. */
static inline uint64_t
sprog_number(struct sprog *s, struct sprog_target *t)
{
	const struct sprog_queue *q = &t->queue;
	if (!q->numbered)
		return 0;
	uint64_t least = q->count > 0 ? sprog_queue_at(q, q->count - 1)->number : t->last_number;
	if (t->next_number == t->block_end || t->next_number <= least)
		sprog_new_block(s, t);
	return t->next_number++;
}

/* libsprog_link.c */
/* Connects, writes: what the queue asks for. */
void sprog_link_push(struct sprog *, struct sprog_target *);
void sprog_link_ready(struct sprog *, struct sprog_target *, short revents);
void sprog_link_connect_failed(struct sprog *, struct sprog_target *, const char *why);
size_t sprog_link_writable(const struct sprog_target *);        /* bytes of the queue to be sent */
/* Ends the connection; all become pending, but what a plain member may have taken: taken says
 * that it may. */
void sprog_link_fail(struct sprog *, struct sprog_target *, enum sprog_wrong, const char *why,
    bool taken);
void sprog_link_close(struct sprog_target *);   /* the connection only */
/* How lines are to look from now on; those that look otherwise go back to pending. Nothing of the
 * queue has been sent. false: the connection has been closed. */
bool sprog_link_form(struct sprog *, struct sprog_target *);

/* libsprog_reply.c */
/* Takes the replies that have come. false: the connection has been closed. */
bool sprog_replies(struct sprog *, struct sprog_target *);

#endif
