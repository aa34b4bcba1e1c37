/* SPDX-License-Identifier: MIT
 * client.c - what the lines of a client mean (doc/protocol, sections 2 and 4). Entered by the threads of client sessions. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "daemon/server.h"
#include "daemon/session.h"
#include "daemon/words.h"

static const struct session_kind numbered_kind;

/* The text of the line at p if it is plainly good: ASCII up to its CR LF. 0: it is not, or may go on. */
static size_t
plain_text(const char *p, const char *end)
{
	size_t n = (size_t)(end - p), len = line_ascii(p, n < LINE_MAX_TEXT + 1 ? n : LINE_MAX_TEXT + 1);
	return len <= LINE_MAX_TEXT && len + 2 <= n && p[len] == '\r' && p[len + 1] == '\n' ? len : 0;
}

static bool
is(const struct line *l, const char *word)
{
	return l->len == strlen(word) && memcmp(l->text, word, l->len) == 0;
}

/* keepAlive and quit, in both forms. */
static bool
is_command(struct session *s, const struct line *l)
{
	if (is(l, "keepAlive") || is(l, "keepalive")) {
		session_reply(s, "ack");
	} else if (is(l, "quit")) {
		session_reply(s, "ok");
		session_close(s);
	} else {
		return false;
	}
	return true;
}

static int64_t
client_patience(const struct session *s)
{
	return s->view->conf.client_idle_ms;
}

/* Sends the batch off, if there is one. */
static void
send_batch(struct session *s, enum session_answer answer)
{
	struct job *job = session_take(s, answer);
	if (job == NULL)
		return;
	job->what = JOB_OWN;
	job->own.frame = job->frame;
	job->frame = NULL;
	job->own.entry.level = conf_level(s->level, s->view->conf.ring.size);
	server_accept(s->server, s->view, job);
}

/* ---- the plain form ---- */

/* HELLO zog/1 client=TOKEN [ack=LEVEL]; a version that we do not know is answered with the one we do. */
static void
hello(struct session *s, const struct line *l)
{
	char token[WORDS_VALUE], ack[WORDS_VALUE], text[200];
	const char *bad = NULL;
	snprintf(ack, sizeof ack, "%s", s->view->conf.ack);
	words_value(l->text, l->len, "ack", ack);
	if (!words_value(l->text, l->len, "client", token) || !frame_client_ok(token))
		bad = "bad client token";
	else if (!conf_ack(ack, &s->level) || s->level > s->view->conf.ring.size)
		bad = "bad ack level";
	if (bad != NULL) {
		session_bad(s, bad, l->text, l->size);
		session_close(s);
		return;
	}
	strcpy(s->client, token);
	if (!session_ask(s, JOB_CLIENT, token, &s->known_n))
		return;
	snprintf(text, sizeof text, "OK zog/1 member=%s ack=%s last=%" PRIu64, s->view->conf.member, ack, s->known_n);
	session_reply(s, text);
	s->kind = &numbered_kind;
}

/* The lines at hand up to the first that is not plainly good, or may be a command. */
static void
client_run(struct session *s)
{
	struct frame *f = session_batch(s);
	const char *begin = buf_begin(&s->in), *p = begin, *end = begin + s->in.len;
	uint32_t count = 0;
	size_t len;
	if (f == NULL)
		return;
	for (; p < end && *p != 'k' && *p != 'q' && (len = plain_text(p, end)) != 0; p += len + 2, count++)
		frame_add(f, p, len);
	session_added(s, count, (size_t)(p - begin));
}

static void
client_line(struct session *s, const char *p, const struct line *l)
{
	static const char hello_word[] = "HELLO zog/";
	(void)p;
	if (is_command(s, l))
		return;
	if (!s->spoken && l->len >= sizeof hello_word - 1 && memcmp(l->text, hello_word, sizeof hello_word - 1) == 0)
		hello(s, l);
	else if (session_add(s, "data", s->view->conf.member, l->text, l->len))
		stats_add(&s->server->stats.from_clients, 1);
	s->spoken = true;
}

static void
client_input(struct session *s)
{
	session_lines(s, 0, client_line, client_run);
}

static void
client_turn(struct session *s)
{
	if (s->client[0] == '\0')
		conf_ack(s->view->conf.ack, &s->level);
}

static void
client_flush(struct session *s)
{
	send_batch(s, ANSWER_OKS);
}

const struct session_kind client_kind = { client_input, client_turn, client_flush, client_patience, "client", false };

/* ---- the numbered form: N TEXT ---- */

static void
numbered_flush(struct session *s)
{
	send_batch(s, ANSWER_NUMBER);
}

/* The number before the text; text and len are then what is behind its blank. false: there is none. */
static bool
cut_number(struct line *l, uint64_t *n)
{
	const char *blank = memchr(l->text, ' ', l->len);
	char digits[24];
	int64_t v;
	size_t len = blank != NULL ? (size_t)(blank - l->text) : 0;
	/* A NUL would end the digits for text_int. */
	if (len == 0 || len >= sizeof digits || l->text[0] == '0' || memchr(l->text, '\0', len) != NULL)
		return false;
	memcpy(digits, l->text, len);
	digits[len] = '\0';
	if (!text_int(digits, 1, INT64_MAX, &v))
		return false;
	*n = (uint64_t)v;
	l->text += len + 1;
	l->len -= len + 1;
	return true;
}

static void
bad_number(struct session *s, uint64_t n, const char *reason, const char *bytes, size_t size)
{
	char text[128];
	logger_bad(s->server->logger, &s->addr, reason, bytes, size);
	snprintf(text, sizeof text, "error %" PRIu64 " %s", n, reason);
	session_reply(s, text);
}

/* Whether this member knows the number as that of another text. Only of those that were used before this connection, so that
 * what is new costs nothing. */
static bool
is_other(struct session *s, uint64_t n, const struct line *l)
{
	char text[FRAME_CLIENT + 24 + LINE_MAX_TEXT + 4];
	uint64_t other = 0;
	if (n > s->known_n)
		return false;
	snprintf(text, sizeof text, "%s %" PRIu64 " %.*s", s->client, n, (int)l->len, l->text);
	return session_ask(s, JOB_OTHER, text, &other) && other != 0;
}

/* A number and the blank behind it, or NULL. */
static const char *
read_number(const char *p, const char *end, uint64_t *n)
{
	uint64_t v = 0;
	const char *most = end - p > 18 ? p + 18 : end;
	for (; p < most && *p >= '0' && *p <= '9'; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	*n = v;
	return p < most && *p == ' ' ? p + 1 : NULL;
}

/* The lines at hand as long as they are plainly good, and each has the next number, and one not used before. */
static void
numbered_run(struct session *s)
{
	struct frame *f = session_batch(s);
	const char *begin = buf_begin(&s->in), *p = begin, *end = begin + s->in.len;
	uint32_t count = 0;
	if (f == NULL || s->last_n < s->known_n)
		return;
	while (p < end && *p != '0') {
		uint64_t n;
		const char *text = read_number(p, end, &n);
		size_t len = text != NULL && n == s->last_n + 1 ? plain_text(text, end) : 0;
		if (len == 0)
			break;
		frame_add(f, text, len);
		p = text + len + 2;
		s->last_n = n;
		count++;
	}
	session_added(s, count, (size_t)(p - begin));
}

static void
numbered_line(struct session *s, const char *p, struct line *l)
{
	uint64_t n = 0;
	const char *reason = l->reason;
	if (reason == NULL && is_command(s, l))
		return;
	bool numbered = cut_number(l, &n);
	if (l->len > LINE_MAX_TEXT)
		reason = line_reason_long;
	else if (reason == NULL)
		reason = line_check(l->text, l->len);
	if (!numbered) {
		session_bad(s, reason != NULL ? reason : "no number", p, l->size);
		return;
	}
	if (reason == NULL && n <= s->last_n)
		reason = "number does not grow";
	if (reason == NULL && is_other(s, n, l))
		reason = "number used for another text";
	if (reason != NULL) {
		bad_number(s, n, reason, p, l->size);
		return;
	}
	/* A batch's numbers follow on each other. */
	if (s->batch != NULL && n != s->last_n + 1)
		numbered_flush(s);
	bool first = s->batch == NULL;
	if (!session_add(s, "data", s->view->conf.member, l->text, l->len))
		return;
	if (first)
		session_number(s, s->client, n);
	s->last_n = n;
	stats_add(&s->server->stats.from_clients, 1);
}

static void
numbered_input(struct session *s)
{
	struct line l;
	enum line_is is;
	while (!s->closing && (is = line_find(buf_begin(&s->in), s->in.len, &l)) != LINE_MORE) {
		if (is == LINE_NEVER) {
			session_bad(s, line_reason_never, l.text, s->in.len);
			s->closing = true;
			return;
		}
		size_t size = l.size;
		numbered_line(s, l.text, &l);
		buf_eat(&s->in, size);
		s->alive_ms = INT64_MAX;
		numbered_run(s);
	}
}

static const struct session_kind numbered_kind = { numbered_input, client_turn, numbered_flush, client_patience, "client", false };
