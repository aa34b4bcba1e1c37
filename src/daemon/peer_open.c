/* SPDX-License-Identifier: MIT
 * peer_open.c - how a member's connection to us opens (doc/protocol, section 6): HELLO and our answer, and with a secret the
 * proofs, before which nothing else is listened to. Entered by the threads of peer sessions. */
#include "daemon/peer_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/secret.h"
#include "daemon/words.h"

enum {
	OPENING_MS = 5 * 1000,          /* for HELLO, for PROOF; and how late a stranger is sent away */
	LINE_BYTES = 1024,              /* of either */
	ANSWER_BYTES = 256,
};

/* What HELLO says. */
struct hello {
	char from[WORDS_VALUE], to[WORDS_VALUE], ring[WORDS_VALUE], nonce[WORDS_VALUE];
	char id[16];                    /* our RINGID */
};

/* Between our answer and the proof. */
struct opening {
	char from[RING_NAME + 1], ring[16];
	char hello[LINE_BYTES], answer[ANSWER_BYTES];
};

/* HELLO zog/1 ring=RINGID from=NAME to=NAME epoch=EPOCH [nonce=NONCE]. NULL, or what is wrong with it. */
static const char *
read_hello(const struct session *s, const char *line, size_t n, struct hello *h)
{
	const struct conf *c = &s->view->conf;
	snprintf(h->id, sizeof h->id, "%08x", view_ring_id(s->view));
	/* A NUL would end the line for the proof, and not for those who read its words. */
	if (memchr(line, '\0', n) != NULL)
		return "bad HELLO";
	if (!words_value(line, n, "from", h->from) || !words_value(line, n, "to", h->to) || !words_value(line, n, "ring", h->ring))
		return "bad HELLO";
	if (strcmp(h->to, c->member) != 0)
		return "not the member that was asked for";
	/* With a secret it is the proof that tells who it is: behind a tunnel all have one address. */
	int place = view_place(s->view, h->from);
	if (c->secrets != NULL)
		return place < 0 || s->view->link[place] == NULL ? "not a member" :
		    !words_value(line, n, "nonce", h->nonce) ? "HELLO without nonce: has it no secret-file?" :
		    !proof_nonce_ok(h->nonce) ? "bad nonce" : NULL;
	return view_is_member(s->view, h->from, &s->addr) ? NULL : "not a member";
}

/* It is who it says. Our answer has been given. */
static void
opened(struct session *s, const char *from, const char *ring)
{
	char id[16];
	snprintf(id, sizeof id, "%08x", view_ring_id(s->view));
	snprintf(s->peer, sizeof s->peer, "%s", from);
	snprintf(s->peer_ring, sizeof s->peer_ring, "%.15s", ring);
	s->other_ring = strcmp(ring, id) != 0;
	s->place = view_place(s->view, from);
	if (s->other_ring)
		logger_say(s->server->logger, "zogd", "%s has another ring file: it only repairs with us", from);
	logger_tell(s->server->logger, JOB_HELLO, from, NULL);
	s->kind = &peer_frames_kind;
	atomic_store(&s->opened, true);
}

static void
make_answer(const struct session *s, const struct hello *h, const char *nonce, char text[ANSWER_BYTES])
{
	snprintf(text, ANSWER_BYTES, "OK zog/1 from=%s epoch=%" PRIu64 " ring=%s%s%s", s->view->conf.member, server_epoch(s->server),
	    h->id, nonce != NULL ? " nonce=" : "", nonce != NULL ? nonce : "");
}

void
peer_hello(struct session *s, const char *line, size_t n)
{
	struct hello h;
	char text[ANSWER_BYTES];
	const char *bad = read_hello(s, line, n, &h);
	if (bad != NULL) {
		session_bad(s, bad, line, n);
		session_close(s);
		return;
	}
	make_answer(s, &h, NULL, text);
	session_reply(s, text);
	opened(s, h.from, h.ring);
}

/* ---- with a secret ---- */

static int64_t
opening_patience(const struct session *s)
{
	(void)s;
	return OPENING_MS;
}

static void
no_flush(struct session *s)
{
	(void)s;
}

/* Whatever it still says. It is let go late, and without a word: who tries secrets is to learn nothing, and slowly. */
static void
ignore(struct session *s)
{
	buf_clear(&s->in);
}

static const struct session_kind stranger_kind = { ignore, NULL, no_flush, opening_patience, "peer", true };

static void
send_away(struct session *s, const char *why, const char *line, size_t n)
{
	stats_add(&s->server->stats.peers_unproven, 1);
	logger_bad(s->server->logger, &s->addr, why, line, n);
	s->spoken = true;
	free(s->opening);
	s->opening = NULL;
	s->kind = &stranger_kind;
}

/* The first line of in, without its end; 0: it is not there yet. What has none in time or in LINE_BYTES is sent away. */
static size_t
first_line(struct session *s, size_t *n)
{
	const char *p = buf_begin(&s->in);
	size_t most = s->in.len < LINE_BYTES ? s->in.len : LINE_BYTES - 1;
	const char *lf = memchr(p, '\n', most);
	if (lf == NULL) {
		if (s->in.len >= LINE_BYTES)
			send_away(s, "line too long", p, LINE_BYTES);
		return 0;
	}
	*n = (size_t)(lf - p);
	if (*n != 0 && p[*n - 1] == '\r')
		--*n;
	return (size_t)(lf - p) + 1;
}

static void
proof_input(struct session *s)
{
	struct opening *o = s->opening;
	char proof[PROOF_HEX + 1], text[PROOF_HEX + 16];
	size_t n, size = first_line(s, &n);
	if (size == 0)
		return;
	if (secrets_match(s->view->conf.secrets, buf_begin(&s->in), n, o->hello, o->answer, proof) < 0) {
		/* Not a digit of it into a log. */
		send_away(s, "PROOF without the secret", o->hello, strlen(o->hello));
		return;
	}
	buf_eat(&s->in, size);
	s->alive_ms = INT64_MAX;        /* take_turn sets the time */
	snprintf(text, sizeof text, "PROOF %s", proof);
	session_reply(s, text);
	opened(s, o->from, o->ring);
	/* It lives: if we wait to dial it, we need not. */
	if (s->place >= 0)
		link_poke(s->view->link[s->place]);
	free(o);
	s->opening = NULL;
}

static const struct session_kind proof_kind = { proof_input, NULL, no_flush, opening_patience, "peer", true };

static void
hello_input(struct session *s)
{
	struct hello h;
	char nonce[PROOF_NONCE + 1];
	size_t n, size = first_line(s, &n);
	const char *line = buf_begin(&s->in);
	static const char word[] = "HELLO zog/";
	if (size == 0)
		return;
	const char *bad = n < sizeof word - 1 || memcmp(line, word, sizeof word - 1) != 0 ? "no HELLO, and there is a secret" :
	    read_hello(s, line, n, &h);
	struct opening *o = bad == NULL ? calloc(1, sizeof *o) : NULL;
	if (bad == NULL && (o == NULL || !proof_nonce(nonce)))
		bad = "no memory, or no random bytes";
	if (bad != NULL) {
		send_away(s, bad, line, n);
		free(o);
		return;
	}
	memcpy(o->hello, line, n);
	snprintf(o->from, sizeof o->from, "%.*s", RING_NAME, h.from);
	snprintf(o->ring, sizeof o->ring, "%.15s", h.ring);
	make_answer(s, &h, nonce, o->answer);
	session_reply(s, o->answer);
	s->opening = o;
	buf_eat(&s->in, size);
	s->alive_ms = INT64_MAX;
	s->kind = &proof_kind;
}

const struct session_kind peer_secret_kind = { hello_input, NULL, no_flush, opening_patience, "peer", true };
