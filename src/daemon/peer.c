/* SPDX-License-Identifier: MIT
 * peer.c - what a member's connection to us brings: plain lines, or after HELLO frames and words about streams (doc/protocol,
 * sections 3 and 6). Entered by the threads of peer sessions. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/peer_private.h"

enum {
	WORDS_BYTES = 4096,             /* of a line about streams */
	BODY_MS = 10 * 1000,            /* for the rest of a frame, or line, that has begun */
};

static int64_t
peer_patience(const struct session *s)
{
	int64_t idle = s->view->conf.keep_alive_ms * 5 / 2;
	/* A peer that speaks the plain form opens with nothing: its first word may be a keepAlive, much later. */
	int64_t rest = s->begun_ms - s->alive_ms + BODY_MS;
	return s->in.len != 0 && rest < idle ? rest : idle;
}

/* The ring may have been changed by HUP since the last turn: who is this now? */
void
peer_turn(struct session *s)
{
	char id[16];
	snprintf(id, sizeof id, "%08x", view_ring_id(s->view));
	s->other_ring = s->peer[0] != '\0' && strcmp(s->peer_ring, id) != 0;
	s->place = s->peer[0] != '\0' ? view_place(s->view, s->peer) : view_member_from(s->view, &s->addr);
	if (s->place != VIEW_STRANGER && (s->peer[0] == '\0' || s->place >= 0))
		return;
	session_reply(s, "error not a member");
	session_close(s);
}

/* ---- the plain form ---- */

static void
plain_flush(struct session *s)
{
	struct job *job = session_take(s, ANSWER_OKS);
	if (job == NULL)
		return;
	job->what = JOB_FRAME;
	server_relay_plain(s->server, s->view, job, s->place, s->batch_wrap);
}

static void
plain_line(struct session *s, const char *p, const struct line *l)
{
	static const char keep_alive[] = "keepAlive\r\n", hello_word[] = "HELLO zog/";
	bool first = !s->spoken;
	s->spoken = true;
	if (l->size == sizeof keep_alive - 1 && (memcmp(p, keep_alive, l->size) == 0 ||
	    memcmp(p, "keepalive\r\n", l->size) == 0)) {
		session_reply(s, "ack");
		return;
	}
	if (first && l->size > sizeof hello_word && memcmp(p, hello_word, sizeof hello_word - 1) == 0) {
		peer_hello(s, l->text, l->len);
		return;
	}
	if (p[0] < '0' || p[0] > '2') {
		session_bad(s, "bad wrapping byte", p, l->size);
		return;
	}
	if (p[0] != s->batch_wrap)
		plain_flush(s);
	s->batch_wrap = p[0];
	const char *name = s->place >= 0 ? s->view->conf.ring.member[s->place].name : "-";
	if (session_add(s, "plain", name, l->text, l->len))
		stats_add(&s->server->stats.from_peers, 1);
}

static void
plain_input(struct session *s)
{
	session_lines(s, 1, plain_line, NULL);
}

const struct session_kind peer_kind = { plain_input, peer_turn, plain_flush, peer_patience, "peer", false };

/* ---- the numbered form ---- */

/* One that is passed on, and kept nowhere. */
static void
take_probe(struct session *s, struct frame *f, char wrap)
{
	view_forward_frame(s->view, f, s->other_ring ? '0' : wrap);
	probe_pass(s->server, s->view, f, s->peer);
	frame_drop(&f);
	session_reply(s, "ack");
}

static void
take_frame(struct session *s, struct frame *f, char wrap)
{
	if (f->h.epoch == 0 && strcmp(f->h.kind, PROBE_KIND) == 0) {
		take_probe(s, f, wrap);
		return;
	}
	/* A member that lets in what no client of ours may say. It is not had, then, and in the end passed over. What is of a kind
	 * that is not logged may have any bytes. */
	bool logged = strcmp(f->h.kind, "data") == 0 || strcmp(f->h.kind, "plain") == 0;
	const char *bad = logged ? line_check_all(f->body, f->h.bytes, f->h.count) : NULL;
	if (bad != NULL) {
		session_bad(s, bad, f->record, frame_size(f));
		frame_drop(&f);
		return;
	}
	struct job *job = session_job(s, ANSWER_FRAME, f->h.bytes);
	if (job == NULL) {
		frame_drop(&f);
		return;
	}
	stats_add(&s->server->stats.from_peers, f->h.count);
	job->what = JOB_FRAME;
	job->frame = f;
	strcpy(job->peer, s->peer);
	server_relay(s->server, s->view, job, s->other_ring ? '0' : wrap);
}

/* A line that is no frame. */
static void
take_words(struct session *s, const char *p, size_t n)
{
	char line[WORDS_BYTES + 1];
	struct logger *log = s->server->logger;
	memcpy(line, p, n);
	line[n] = '\0';
	if (strlen(line) != n) {
		session_bad(s, "unknown word", p, n);   /* a NUL in it: what stands behind is not to be passed over */
	} else if (strcmp(line, "keepAlive") == 0 || strcmp(line, "keepalive") == 0) {
		session_reply(s, "ack");
	} else if (strncmp(line, "have ", 5) == 0) {
		logger_tell(log, JOB_HAVE, s->peer, line + 5);
	} else if (strncmp(line, "want ", 5) == 0) {
		struct job *job = session_job(s, ANSWER_TEXT, 0);
		if (job == NULL || (job->text = strdup(line + 5)) == NULL)
			return;
		job->what = JOB_WANT;
		strcpy(job->peer, s->peer);
		logger_put(log, job);
	} else if (strncmp(line, "sum ", 4) == 0) {
		session_reply(s, compare_take_question(&s->server->compare, s->peer, line + 4) ? "ack" : "error cannot sum");
	} else if (strncmp(line, "sums ", 5) == 0) {
		session_reply(s, compare_take_answer(&s->server->compare, s->peer, line + 5) ? "ack" : "error bad sums");
	} else if (strncmp(line, "seen ", 5) == 0) {
		probe_told(s->server, s->peer, line + 5);
	} else {
		session_bad(s, "unknown word", p, n);
	}
}

/* true: something was complete, and has been eaten. */
static bool
take_one(struct session *s)
{
	char *p = buf_begin(&s->in), wrap;
	size_t size = 0;
	const char *why;
	struct frame *f;
	if (s->in.len >= 2 && p[0] >= '0' && p[0] <= '2' && p[1] == ' ') {
		switch (frame_read(p, s->in.len, &f, &size, &wrap, &why)) {
		case FRAME_MORE:
			return false;
		case FRAME_BAD:
			/* Where the next one begins cannot be known: what is missing will be pulled. */
			session_bad(s, why, p, s->in.len);
			session_close(s);
			return false;
		case FRAME_GOOD:
			take_frame(s, f, wrap);
			break;
		}
	} else {
		char *lf = memchr(p, '\n', s->in.len < WORDS_BYTES ? s->in.len : WORDS_BYTES);
		if (lf == NULL) {
			if (s->in.len >= WORDS_BYTES) {
				session_bad(s, "line too long", p, s->in.len);
				session_close(s);
			}
			return false;
		}
		size = (size_t)(lf - p) + 1;
		take_words(s, p, size >= 2 && lf[-1] == '\r' ? size - 2 : size - 1);
	}
	buf_eat(&s->in, size);
	s->alive_ms = INT64_MAX;
	return true;
}

static void
frames_input(struct session *s)
{
	while (!s->closing && s->in.len != 0 && take_one(s))
		continue;
}

static void
frames_flush(struct session *s)
{
	(void)s;
}

const struct session_kind peer_frames_kind = { frames_input, peer_turn, frames_flush, peer_patience, "peer", false };
