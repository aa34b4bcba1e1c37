/* SPDX-License-Identifier: MIT
 * members_net.h - what five members in one process stand on (members_rig.h): what clients sent, a network made of queues, a
 * clock that is a number.
 *
 * A connection is opened by one side: frames, have and want go forth on it, ok and gone come back. */
#ifndef ZOG_TESTS_MEMBERS_NET_H
#define ZOG_TESTS_MEMBERS_NET_H

#include <stdarg.h>
#include <sys/resource.h>

#include "ring/route.h"
#include "store/core_private.h"
#include "store/journal_private.h"
#include "unit.h"

enum {
	N = 5,
	CLIENTS = 4,                    /* numbered ones; the last of them sends without numbers */
	TEXTS = 4096,
	BATCH = 5,                      /* texts in a frame */
	QUEUE = 12,                     /* frames on a connection; more are let go */
};

/* ---- what clients have sent ---- */

struct text {
	int      client;                /* CLIENTS: one without a number */
	uint64_t n;
	int      level;
	bool     settled;
	int      safe;                  /* settled so that fewer faults than this, counted from the start, cannot take it */
};

/* One batch on its way through a member. */
struct sent {
	struct core_own own;            /* first */
	struct sent    *next;
	struct node  *member;
	int             text[BATCH], count;
	int             faults;         /* that there had been when it was sent */
};

/* ---- the network ---- */

struct wire {
	struct frame *frame;            /* NULL: a line */
	char         *line;
	char          wrap;
};

struct queue {
	struct wire *wire;
	int          first, count, room, frames;
	bool         full;
};

struct conn {
	bool         open, cut;
	struct queue forth, back;
};

/* ---- members ---- */

struct place {
	struct stream_place {
		char     origin[FRAME_NAME + 1];
		uint64_t epoch, last;
	} *stream;
	int count;
};

struct node {
	int           place;
	char          name[RING_NAME + 1];
	char          dir[UNIT_PATH + 64], copy[UNIT_PATH + 64];       /* copy: of dir, as it was at some time */
	bool          has_copy;
	struct core  *core;             /* NULL: it is down */
	uint64_t      epoch, seq;
	uint64_t      lost;             /* messages that it said are lost */
	char          lost_lines[2000]; /* and how it said so */
	int64_t       clock_off;        /* its real time against ours */
	struct sent  *sent;
	unsigned char log[TEXTS];       /* access.log: how often each text is in it */
	unsigned char before[TEXTS];    /* as it was when it was killed */
	bool          same;             /* the journal was not touched since */
	bool          more;             /* it may hold what was refused, because it could not be synced */
	bool          opening, late;
	enum { DISK_GOOD, DISK_FULL, DISK_NO_SYNC } disk;
	struct journal_pos log_upto;    /* where the journal's end was when it was killed */
	struct place  order;            /* the last number logged of each stream */
	struct { int to; char origin[FRAME_NAME + 1]; uint64_t epoch; } ok[64]; /* to be answered when stored */
	int           oks;
};

static struct {
	uint64_t      random, seed;
	int64_t       now;              /* ms; monotonic and real time alike */
	char          dir[UNIT_PATH];
	struct ring   ring;
	struct node member[N];
	struct conn   conn[N][N];       /* [from][to] */
	struct text   text[TEXTS];
	int           texts;
	uint64_t      next_n[CLIENTS + 1];
	int           faults;           /* journals that lost something */
	int           gap_ms, segment_bytes;
	int64_t       sync_ms;
	bool          prune;            /* journals are short: access.log stays over a restart, and not all is everywhere */
	bool          trace, sync_fails;
	struct rlimit disk;             /* the limit in force while a disk is full */
	bool          disk_full;
	uint64_t      lost_said, late_said, doubled, missing;
} w;

static inline unsigned
below(unsigned n)
{
	return unit_below(&w.random, n);
}

static inline bool
chance(unsigned percent)
{
	return below(100) < percent;
}

/* ---- telling ---- */

static inline void
disk_limit(bool on)
{
	struct rlimit r = w.disk;
	if (!on)
		r.rlim_cur = r.rlim_max;
	if (w.disk_full)
		setrlimit(RLIMIT_FSIZE, &r);
}

static inline void __attribute__((format(printf, 1, 2)))
trace(const char *fmt, ...)
{
	if (!w.trace)
		return;
	va_list ap;
	disk_limit(false);
	va_start(ap, fmt);
	printf("%8lld ", (long long)(w.now % 100000000));
	vprintf(fmt, ap);
	putchar('\n');
	fflush(stdout);
	va_end(ap);
	disk_limit(true);
}

#define require(condition, ...) \
	do { \
		if (!(condition)) { \
			char text_[400]; \
			disk_limit(false); \
			snprintf(text_, sizeof text_, __VA_ARGS__); \
			trace("FAILED: %s", text_); \
			ck_abort_msg("ZOG_SEED=%" PRIu64 " ZOG_SEEDS=1 ZOG_TRACE=1: %s", w.seed, text_); \
		} \
	} while (0)

/* ---- queues ---- */

static inline void
queue_put(struct queue *q, struct wire x)
{
	if (q->first + q->count == q->room) {
		if (q->first == 0)
			q->room = q->room * 2 + 16;
		q->wire = realloc(q->wire, (size_t)q->room * sizeof *q->wire);
		memmove(q->wire, q->wire + q->first, (size_t)q->count * sizeof *q->wire);
		q->first = 0;
	}
	q->wire[q->first + q->count++] = x;
	q->frames += x.frame != NULL;
}

static inline struct wire
queue_take(struct queue *q)
{
	struct wire x = q->wire[q->first++];
	q->count--;
	q->frames -= x.frame != NULL;
	if (q->frames <= QUEUE / 2)
		q->full = false;
	return x;
}

static inline void
wire_free(struct wire *x)
{
	frame_drop(&x->frame);
	free(x->line);
}

static inline void
queue_clear(struct queue *q)
{
	while (q->count != 0) {
		struct wire x = queue_take(q);
		wire_free(&x);
	}
	q->full = false;
}

/* On our own connection, and only while it is open. A frame that does not fit is let go, an answer is not. false: not open. */
static inline bool
put_frame(int from, int to, struct frame *f, char wrap, bool answer)
{
	struct conn *c = &w.conn[from][to];
	if (!c->open)
		return false;
	if (!answer && (c->forth.full || c->forth.frames >= QUEUE)) {
		c->forth.full = true;
		trace("%d>%d lets go %s:%" PRIu64, from, to, f->h.origin, f->h.seq);
		return true;
	}
	queue_put(&c->forth, (struct wire){ frame_ref(f), NULL, wrap });
	return true;
}

static inline void
put_line(struct queue *q, const char *text)
{
	queue_put(q, (struct wire){ NULL, strdup(text), '0' });
}

#endif
