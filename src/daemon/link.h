/* SPDX-License-Identifier: MIT
 * link.h - our connection to one peer: its queue, and the writer thread that drains it.
 * The thread alone touches the socket. It dials (bound to our own address, so that the peer knows us), sends what is
 * queued, counts the answers, keeps an idle connection alive, and dials again with growing pauses when it
 * breaks. A peer that takes data but answers nothing counts as down as well: what it would have passed on is
 * then sent straight to those beyond it. */
#ifndef ZOG_DAEMON_LINK_H
#define ZOG_DAEMON_LINK_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/net.h"
#include "daemon/outq.h"
#include "ring/ring.h"
#include "wire/frame.h"

struct link;
struct server;

struct link *link_new(struct server *, const struct member *, size_t limit_bytes);      /* one reference; NULL with errno */
struct link *link_ref(struct link *);
void         link_drop(struct link **);         /* frees with the last reference; it must have been stopped */
int          link_start(struct link *);         /* -1 with errno */
void         link_ask_stop(struct link *, int64_t drain_ms);    /* send what is queued, for so long, then end */
void         link_join(struct link *);

/* Any thread. */
bool         link_put(struct link *, struct frame *, char wrap);        /* false: the peer is down and was to pass it on;
                                                                           nothing was queued. A full queue counts what it drops. */
bool         link_put_answer(struct link *, struct frame *);    /* wrapped 0, whatever waits; false: the link is not open */
bool         link_put_line(struct link *, const char *);        /* without line end; the same */
bool         link_is_up(struct link *);
bool         link_is_plain(struct link *);      /* does it speak, or did it last, the plain form only? */
bool         link_is_from(struct link *, const struct addr *);  /* is that one of the peer's addresses? */
bool         link_is_to(const struct link *, const struct member *);    /* the same name, host and port? */
void         link_poke(struct link *);          /* the peer lives: dial now, without waiting out the pause */
void         link_redial(struct link *);        /* our ring file has changed: it opens anew, so that both know */
void         link_set_limit(struct link *, size_t limit_bytes);
const char  *link_name(const struct link *);

/* A keepAlive, as soon as all is answered; link_pinged tells whether the peer has answered one that was asked for after so many. */
uint64_t     link_ping(struct link *);
bool         link_pinged(struct link *, uint64_t after, int64_t *us);

enum { LINK_WHY = 160 };
struct link_status {
	const struct member *member;            /* as long as the link */
	const char *state;                      /* in words: up, down, connecting, not answering, stopped */
	bool        up, plain;                  /* plain: of the present connection, or the last */
	bool        apart;                      /* it has another ring file */
	int64_t     since_ms;                   /* real time: in that state */
	int64_t     round_trip_us;              /* 0: not known */
	int64_t     answered_ms;                /* monotonic: when it last said anything */
	uint64_t    unknown_words;              /* how often it has answered that it does not know a word of ours */
	uint64_t    queue_messages, queue_bytes, dropped;
	char        error[LINK_WHY];            /* why it was last down; "": it never was */
};
void         link_status(struct link *, struct link_status *);
void         link_report(struct link *, struct buf *);  /* one line about its state, without line end */

#endif
