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
 * Invariants:
 * 1. A message whose line end was given to the kernel never leaves its target's queue for another,
 *    unless the member said that it did not take it. What was not given that far may.
 * 2. Each message is reported once (or, if sprog_send waits for it, handed to it): in_flight
 *    counts those that are not. One that was given up while its reply is outstanding stays as
 *    told, so that the replies that follow are not taken for another message's.
 * 3. The callback may submit: a report is made only where no pointer into a queue is used after.
 *
 * libsprog.c         the public functions, what is reported
 * libsprog_open.c    options, ring file, host
 * libsprog_queue.c   lines and what is known of each
 * libsprog_choose.c  which target: choice, backoff, pending, deadlines
 * libsprog_link.c    one connection: connect, write, read, replies
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
};

/* One message; its line is in the queue's bytes. */
struct sprog_flight {
	uint64_t id;
	void    *tag;
	int64_t  submitted_ns, deadline_ns;
	uint32_t size;          /* bytes of the line, its CR LF among them */
	bool     told;          /* reported already: only its reply is still to come */
};

struct sprog_queue {
	struct buf           bytes;     /* the lines, in order */
	struct sprog_flight *ring;      /* count of them from head on, counted round */
	size_t               size, head, count; /* size is a power of two */
	int64_t              soonest_ns;        /* none that is not told has an earlier deadline */
};

/* Both copy the text. false: no memory, nothing was done. */
bool sprog_queue_put(struct sprog_queue *, const struct sprog_flight *, const char *text,
    size_t len);
bool sprog_queue_move(struct sprog_queue *to, struct sprog_queue *from, size_t i, size_t offset);
struct sprog_flight *sprog_queue_at(const struct sprog_queue *, size_t i);
void sprog_queue_pop(struct sprog_queue *);     /* its line can be read until the next put */
void sprog_queue_cut(struct sprog_queue *, size_t count, size_t bytes); /* keeps so many */
void sprog_queue_fini(struct sprog_queue *);

enum sprog_link { LINK_CLOSED, LINK_CONNECTING, LINK_OPEN };

/* The latest thing that was wrong with a target. */
enum sprog_wrong {
	WRONG_NOTHING, WRONG_UNREACHABLE, WRONG_CROWDED, WRONG_FORBIDDEN, WRONG_PROTOCOL
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
	int64_t         connect_by_ns;
	int64_t         used_ns;        /* when something was last written or read */
	uint64_t        replies;        /* over this connection */
	struct buf      in;

	struct sprog_queue queue;
	size_t   sent_count, sent_line_bytes;   /* messages whose whole line the kernel has */
	size_t   sent_bytes;                    /* and bytes, part of a further line among them */
	size_t   told_count;                    /* of the sent ones */

	int      failures;              /* in a row; 0 again with the first reply */
	int64_t  retry_ns;              /* not before */
	enum sprog_wrong wrong;
	char     why[SPROG_WHY];
};

struct sprog {
	/* constant after sprog_open */
	int64_t        timeout_ns, idle_ns, connect_ns;
	size_t         window;
	size_t         share;           /* of it, for one target while another will do */
	int            choice;
	sprog_settled *settled;
	void          *context;
	int            targets;
	struct sprog_target *target;

	uint64_t       random;          /* state of the generator */
	int            next;            /* round robin */
	int64_t        now_ns;          /* as of the last look at the clock */
	struct sprog_queue pending;
	size_t         in_flight;
	uint64_t       last_id;
	int            ended;           /* messages reported since the public call began */
	bool           inside;          /* the callback is running */
	uint64_t       awaited_id;      /* whose outcome sprog_send waits for; 0: none */
	int            awaited_status;
	char           reason[SPROG_REASON];
	char           trouble[SPROG_REASON];
};

/* libsprog.c */
int64_t sprog_clock(struct sprog *);            /* sets now_ns, too */
uint64_t sprog_random(struct sprog *);
/* The flight is a copy, already out of its queue; text is its line. */
void sprog_report(struct sprog *, const struct sprog_target *, const struct sprog_flight *,
    const char *text, int status, const char *reason);

/* libsprog_open.c */
int sprog_targets(struct sprog *, const struct sprog_options *, struct buf *why);

/* libsprog_choose.c */
struct sprog_target *sprog_choose(struct sprog *);      /* NULL: none will do just now */
void sprog_choose_failed(struct sprog *, struct sprog_target *, enum sprog_wrong, const char *why);
void sprog_assign(struct sprog *);              /* pending messages to targets */
void sprog_take_back(struct sprog *, struct sprog_target *);    /* what was not sent, to pending */
void sprog_give_up(struct sprog *, int status); /* all that are pending */
void sprog_expire(struct sprog *);              /* deadlines of messages and connects */
int64_t sprog_next_event(const struct sprog *); /* when the next of them comes; INT64_MAX: none */
void sprog_trouble_text(const struct sprog *, char *text, size_t size);

/* libsprog_link.c */
/* Connects, writes: what the queue asks for. */
void sprog_link_push(struct sprog *, struct sprog_target *);
void sprog_link_ready(struct sprog *, struct sprog_target *, short revents);
void sprog_link_connect_failed(struct sprog *, struct sprog_target *, const char *why);
/* Ends the connection; sent messages become status, the others pending. taken: the member may
 * have taken the sent ones. */
void sprog_link_fail(struct sprog *, struct sprog_target *, enum sprog_wrong, const char *why,
    bool taken);
void sprog_link_close(struct sprog_target *);   /* the connection only */

#endif
