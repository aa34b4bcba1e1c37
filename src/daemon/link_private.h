/* SPDX-License-Identifier: MIT
 * link_private.h - what the files of a link share: link.c (state, dialling, the thread), link_plain.c and link_frames.c
 * (a connection in the plain form, and in the numbered one). */
#ifndef ZOG_DAEMON_LINK_PRIVATE_H
#define ZOG_DAEMON_LINK_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/lock.h"
#include "daemon/link.h"
#include "daemon/server.h"

enum {
	LINK_ADDRS = 8,                 /* of one host that are tried in turn */
	LINK_ANSWER_BYTES = 4096,       /* longest answer line that is still read */
	LINK_HELLO_BYTES = 256,
	LINK_PROOF_BYTES = 512,         /* of an answer to HELLO where there is a secret */
	LINK_OPENING_MS = 5000,         /* for the peer to answer HELLO */
};

enum link_state { LINK_DOWN, LINK_UP, LINK_STALLED, LINK_STOPPED };
enum link_form { LINK_OPENING, LINK_PLAIN, LINK_FRAMES };

struct link {
	/* constant after link_new */
	struct server  *server;
	struct member   member;
	struct outq    *queue;

	atomic_uint     refs;
	atomic_bool     poked, redial, stop, ping;
	_Atomic int64_t answered_ms;    /* when the peer last said anything on it; any thread reads */
	_Atomic int64_t stop_ms;        /* set before stop: when to give up draining */
	pthread_t       thread;

	struct lock     lock;           /* RANK_LINK */
	/* under lock; state and form are written by the writer thread only, which reads them without */
	struct addr     addr[LINK_ADDRS];
	int             addrs;
	enum link_state state;
	enum link_form  form;           /* of the present or the last connection */
	enum link_form  was;            /* while opening: of the last one */
	int64_t         since_ms;       /* real time */
	char            error[LINK_WHY];        /* why it was last down */
	int64_t         round_trip_us;  /* of what was last sent to a peer that had answered all, until its answer; 0: none yet */
	uint64_t        pings;          /* answered, of those of link_ping */
	int64_t         ping_us;        /* how long the last one took */
	uint64_t        unknown_words;
	bool            apart;          /* the peer's ring file is another */

	/* owned by the writer thread; while it rests (outq_rest) by whoever holds the queue's lock */
	int             fd;             /* -1: not connected */
	int             next_addr;
	unsigned        seed;           /* of the jitter */
	int64_t         pause_ms, retry_ms;     /* present pause; when to dial again */
	bool            heard;          /* the peer has answered on this connection */
	bool            other_ring;     /* the peer's ring file is another */
	int64_t         connected_ms, sent_ms, heard_ms;
	int64_t         waiting_ms;     /* since when what was sent is unanswered, or the last answer came; 0: all is answered */
	int64_t         asked_us;       /* when waiting_ms began, where the answer is read at once; 0: it is not measured */
	int64_t         pinged_us;      /* when the keepAlive of link_ping went; 0: none is under way */
	uint64_t        unanswered;     /* plain: lines sent whole and not answered */
	bool            deaf;           /* it rests, and what the peer answers may wait */
	bool            read_all;       /* the last read left nothing */
	unsigned        direct;         /* frames sent by others since it rests deaf */
	bool            proving;        /* opening: our PROOF is out, the peer's is awaited */
	char            hello[LINK_HELLO_BYTES];        /* opening with a secret: both lines, without their ends */
	char            answer[LINK_PROOF_BYTES];
	bool            probing;        /* what is unanswered is a keepAlive, or the opening */
	struct buf      entries;        /* taken from the queue: struct outq_entry */
	size_t          entry_sent;     /* frames: bytes of the first of them that are out already */
	struct buf      out;            /* plain: rendered lines; frames: keepAlive and the opening; begins with a whole line */
	size_t          out_sent;       /* bytes of its first line that are out already */
	struct buf      in;
};

void link_set_state(struct link *, enum link_state, const char *why);
void link_asked(struct link *, int64_t now_ms); /* something went out: the peer is to answer it */
void link_set_form(struct link *, enum link_form);
void link_go_up(struct link *);
void link_stall(struct link *, const char *why);
void link_ping_if_asked(struct link *);
void link_acked(struct link *);         /* ack: of a keepAlive, perhaps */
void link_answered(struct link *, const char *p, size_t n);     /* an answer that is no good news: into error.log */
void link_go_down(struct link *, const struct conf *, const char *why);
void link_dial(struct link *, struct view *);           /* one attempt; with its opening when it succeeds */
void link_wait_to_dial(struct link *);
bool link_put_first(struct link *, const char *line);   /* ahead of all that waits in out; false: no memory */
void link_send_beyond(struct link *, struct view *, struct frame *, char wrap);

/* What returns const char *: NULL, or why the connection is over. */
/* The plain form. */
void        link_plain_fill(struct link *);             /* renders from entries and queue into out */
const char *link_plain_send(struct link *, int64_t now);
size_t      link_plain_may_send(const struct link *);   /* bytes of out that may go now */
const char *link_plain_line(struct link *, char *p, size_t n);
void        link_plain_unwrap(struct link *, struct view *);    /* what waits in out and was to be passed on goes round */
uint64_t    link_plain_lines(const struct link *);              /* messages that wait in out */

/* The numbered form. */
bool        link_frames_hello(struct link *, const struct view *, char line[LINK_HELLO_BYTES]); /* the opening; false: no random bytes */
const char *link_frames_opening(struct link *, char *p, size_t n);      /* the answer to it */
const char *link_frames_send(struct link *, int64_t now);
outq_direct link_frames_direct;                         /* in the place of the writer */
bool        link_frames_may_send(struct link *);
const char *link_frames_line(struct link *, char *p, size_t n);

#endif
