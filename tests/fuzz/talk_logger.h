/* SPDX-License-Identifier: MIT
 * talk_logger.h - what talk.h is about, and its stand-ins for the logger and the server. */
#ifndef ZOG_TESTS_TALK_LOGGER_H
#define ZOG_TESTS_TALK_LOGGER_H

#include "fuzz.h"

#include <stdarg.h>
#include <stdbool.h>

#include "base/escape.h"
#include "daemon/compare.h"
#include "daemon/link_private.h"
#include "daemon/probe.h"
#include "daemon/session.h"

#ifdef __clang__
/* What is to be covered is the code that is tried, and not this. */
#pragma clang attribute push (__attribute__((no_sanitize("coverage"))), apply_to = function)
#endif

enum flag {
	PUT_RIGHT = 1,          /* right CRCs into the headers of frames, and the right proof for "PROOF *" */
	TIMES = 2,              /* time passes, stops and broken connections: what can happen is not foretold then */
	NARROW = 4,             /* the other side takes little of what is sent at a time */
	STRETCH = 8,            /* \v and a byte N stand for (N + 1) * 512 of 'x' */
	REFUSE = 16,            /* the logger refuses some of what it is given */
	SECRET = 32,
	OTHER = 64,             /* the target's own */
};

enum { TALK_FD = 1 << 20, TALK_TURNS = 1000 * 1000 };

/* What became of one line, frame or want that the logger was given. */
struct fate {
	bool known;
	char text[200];         /* of a line "", or why not; else what is to be answered */
};

/* A job that the logger has. */
struct held {
	struct job *job;
	size_t      first, count;       /* its fates */
};

/* So many bytes had been read, and so many had come back. */
struct talk_read {
	size_t in, out;
};

static struct {
	/* constant after talk_begin */
	char          folder[64];
	struct view  *views[2];         /* without and with a secret */
	/* of one input */
	unsigned      flags;
	const uint8_t *schedule;
	size_t        steps, step;
	struct buf    sent;             /* what the other side sends, all of it */
	size_t        at;               /* bytes of it that were read */
	size_t        piece, window;    /* bytes that may be read, and sent, now */
	struct buf    out;              /* what came back */
	struct buf    did, bad;         /* what the logger was given, and the reasons of what was no good */
	struct buf    fates, held;
	struct buf    reads;            /* struct talk_read: of each read */
	bool          inside, stopped, broken, any_order;
	bool          timed;            /* it may sleep until its next timer */
	int64_t       now_ms;
	unsigned      turns, dials;
	void         *(*run)(void *);   /* the thread that began */
	void         *arg;
	void         (*job)(struct job *, char text[200]);      /* the target's logger; NULL: talk_job */
	void         (*stop)(void);
	void         (*look)(void);     /* at each poll: is it within its bounds? */
	struct server server;
} talk;

static const char talk_nonce[] = "000102030405060708090a0b0c0d0e0f";
#define TALK_EPOCH UINT64_C(1732091521000)

static inline unsigned
talk_step(void)
{
	return talk.steps != 0 ? talk.schedule[talk.step++ % talk.steps] : 0;
}

/* ---- the logger and the server ---- */

static inline void talk_done(void);

static inline struct fate *
talk_fate(size_t i)
{
	fuzz_require(i < talk.fates.len / sizeof(struct fate));
	return (struct fate *)(void *)buf_begin(&talk.fates) + i;
}

static inline void
talk_hold(struct job *job, size_t fates)
{
	struct held h = { job, talk.fates.len / sizeof(struct fate), fates };
	struct fate none = { false, "" };
	while (fates-- > 0)
		fuzz_require(buf_put(&talk.fates, &none, sizeof none));
	fuzz_require(buf_put(&talk.held, &h, sizeof h));
}

/* The lines of a frame: "WHAT ORIGIN N TEXT". */
static inline void
talk_did_lines(const char *what, const struct frame *f)
{
	const char *p = f->body, *end = p + f->h.bytes, *lf;
	uint32_t lines = 0;
	for (; p < end; p = lf + 1, lines++) {
		lf = memchr(p, '\n', (size_t)(end - p));
		fuzz_require(lf != NULL && lf > p && lf[-1] == '\r');
		fuzz_require(buf_printf(&talk.did, "%s %s %" PRIu64 " ", what, f->h.origin, f->h.n != 0 ? f->h.n + lines : 0) &&
		    buf_put(&talk.did, p, (size_t)(lf - p) - 1) && buf_puts(&talk.did, "\n"));
	}
	fuzz_require(lines == f->h.count && lines != 0);
}

void
server_accept(struct server *s, struct view *v, struct job *job)
{
	(void)s;
	fuzz_require(job->what == JOB_OWN && job->frame == NULL && strcmp(job->own.frame->h.kind, "data") == 0);
	fuzz_require(job->own.entry.level >= 1 && job->own.entry.level <= v->conf.ring.size);
	job->own.frame->h.epoch = TALK_EPOCH;
	job->own.frame->h.seq = 1;
	frame_seal(job->own.frame);
	talk_did_lines("own", job->own.frame);
	talk_hold(job, job->own.frame->h.count);
	/* What cannot be kept is refused at once. */
	if (talk.held.len == sizeof(struct held) && (talk.flags & REFUSE) != 0 && talk_step() % 8 == 7)
		talk_done();
}

void
server_relay_plain(struct server *s, struct view *v, struct job *job, int sender, char wrap)
{
	char what[] = "plain 0";
	(void)s, (void)v;
	fuzz_require(job->what == JOB_FRAME && sender >= -1);
	what[6] = wrap;
	frame_seal(job->frame);
	talk_did_lines(what, job->frame);
	talk_hold(job, job->frame->h.count);
}

void
server_relay(struct server *s, struct view *v, struct job *job, char wrap)
{
	struct frame *f = job->frame;
	(void)s, (void)v;
	fuzz_require(job->what == JOB_FRAME);
	fuzz_require(buf_printf(&talk.did, "frame %s %c", job->peer, wrap) && buf_put(&talk.did, f->record + 1, frame_size(f) - 1));
	talk_hold(job, 1);
}

/* What members ask each other for zogctl's sake: here nobody asks, or can answer. */
bool
compare_take_question(struct compare *c, const char *peer, const char *words)
{
	(void)c;
	(void)peer;
	(void)words;
	return false;
}

bool
compare_take_answer(struct compare *c, const char *peer, char *words)
{
	(void)c;
	(void)peer;
	(void)words;
	return false;
}

void
probe_pass(struct server *s, struct view *v, const struct frame *f, const char *from)
{
	(void)s;
	(void)v;
	(void)f;
	(void)from;
}

void
probe_told(struct server *s, const char *by, char *words)
{
	(void)s;
	(void)by;
	(void)words;
}

void
logger_put(struct logger *l, struct job *job)
{
	(void)l;
	fuzz_require(job->what == JOB_CLIENT || job->what == JOB_OTHER || job->what == JOB_WANT);
	if (job->what == JOB_WANT)
		fuzz_require(buf_printf(&talk.did, "want %s %s\n", job->peer, job->text));
	talk_hold(job, job->what == JOB_WANT ? 1 : 0);
}

static inline void
talk_free_job(struct job *job, const char *error)
{
	(void)error;
	free(job->text);
	free(job);
}

bool
logger_tell(struct logger *l, enum job_what what, const char *peer, const char *text)
{
	static const char *const name[] = { [JOB_HAVE] = "have", [JOB_GONE] = "gone", [JOB_UP] = "up", [JOB_DOWN] = "down",
		[JOB_HELLO] = "hello" };
	struct job *job = calloc(1, sizeof *job);
	(void)l;
	fuzz_require(job != NULL && strlen(peer) <= RING_NAME);
	job->what = what;
	strcpy(job->peer, peer);
	job->text = text != NULL ? strdup(text) : NULL;
	job->done = talk_free_job;
	fuzz_require(buf_printf(&talk.did, "%s %s %s\n", name[what], peer, text != NULL ? text : ""));
	talk_hold(job, 0);
	return true;
}

void
logger_bad(struct logger *l, const struct addr *a, const char *reason, const char *bytes, size_t n)
{
	struct buf text = BUF_INIT;
	escape(&text, bytes, n, 64);
	fuzz_require(buf_put(&text, "", 1));
	logger_limited(l, a, reason, text.data);
	buf_fini(&text);
	fuzz_require(buf_printf(&talk.bad, "%s\n", reason));
}

/* What zogd says of itself is its own words: at most a name of the ring, or escaped bytes, are in it. */
void
logger_limited(struct logger *l, const struct addr *a, const char *what, const char *text)
{
	(void)l, (void)a, (void)what;
	for (; *text != '\0'; text++)
		fuzz_require(*text >= ' ' && *text <= '~');
}

void
logger_say(struct logger *l, const char *who, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void)who;
	logger_limited(l, NULL, NULL, text);
}

void
logger_debug(struct logger *l, const char *who, const char *fmt, ...)
{
	(void)l, (void)who, (void)fmt;
}

struct view *
server_view(struct server *s)
{
	(void)s;
	return view_ref(talk.views[(talk.flags & SECRET) != 0]);
}

uint64_t
server_epoch(struct server *s)
{
	(void)s;
	return TALK_EPOCH;
}

bool
server_awaits(struct server *s, int64_t now_ms)
{
	(void)s, (void)now_ms;
	return (talk_step() & 1) != 0;
}

/* A logger without a core: everything of a stream is had up to the frame that came. */
static inline void
talk_job(struct job *job, char text[200])
{
	static const char *const refusals[] = { "", "disk full", "unconfirmed: 1 of 3", "not stored: Input/output error" };
	if (job->what == JOB_OWN || (job->what == JOB_FRAME && job->frame->h.epoch == 0))
		strcpy(text, (talk.flags & REFUSE) != 0 ? refusals[talk_step() % 4] : "");
	if (job->what == JOB_FRAME)
		job->upto = job->frame->h.epoch != 0 ? job->frame->h.seq + job->frame->h.count - 1 : 0;
	if (job->what == JOB_WANT && (talk_step() & 1) != 0)
		fuzz_require(buf_puts(&job->reply, "gone la 1 2 3\r\ngone la 1 7 9\r\n"));
}

/* The logger is done with one of its jobs. */
static inline void
talk_done(void)
{
	struct held *all = (struct held *)(void *)buf_begin(&talk.held);
	size_t n = talk.held.len / sizeof *all, i = talk.any_order ? talk_step() % n : 0;
	struct held h = all[i];
	char text[200] = "";
	(talk.job != NULL ? talk.job : talk_job)(h.job, text);
	if (h.job->what == JOB_FRAME) {
		memcpy(h.job->origin, h.job->frame->h.origin, sizeof h.job->origin);
		h.job->epoch = h.job->frame->h.epoch;
	}
	/* A frame of a connection in the numbered form says who sent it: its answer is no ok. */
	bool numbered = h.job->what == JOB_FRAME && h.job->peer[0] != '\0';
	for (size_t k = 0; k < h.count; k++) {
		struct fate *f = talk_fate(h.first + k);
		f->known = true;
		if (numbered && h.job->upto != 0)
			snprintf(f->text, sizeof f->text, "ok %s %" PRIu64 " %" PRIu64, h.job->origin, h.job->epoch, h.job->upto);
		else if (h.job->what == JOB_WANT)
			snprintf(f->text, sizeof f->text, "%.*s", (int)h.job->reply.len, buf_begin(&h.job->reply));
		else
			strcpy(f->text, numbered ? "ack" : text);
	}
	frame_drop(&h.job->frame);
	frame_drop(&h.job->own.frame);
	memmove(&all[i], &all[i + 1], (n - i - 1) * sizeof *all);
	talk.held.len -= sizeof *all;
	h.job->done(h.job, text[0] != '\0' ? text : NULL);
}

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
