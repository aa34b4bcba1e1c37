/* SPDX-License-Identifier: MIT
 * libsprog_reply.c - what a member's lines mean: the answer to HELLO, and replies in both forms. No
 * sockets here. Where a function says false the connection has been closed. */
#include "sprog/libsprog.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "wire/line.h"

/* "error REASON" with the word taken off, as one line that can be shown. */
static void
reason_text(const char *line, size_t len, char reason[SPROG_WHY])
{
	size_t skip = len > 6 ? 6 : len;
	line += skip;
	len -= skip;
	struct buf shown = BUF_INIT;
	if (len == 0)
		snprintf(reason, SPROG_WHY, "error");
	else if (line_check(line, len) == NULL)
		snprintf(reason, SPROG_WHY, "%.*s", (int)len, line);
	else if (escape(&shown, line, len, (SPROG_WHY - 4) / 4))
		snprintf(reason, SPROG_WHY, "%.*s", (int)shown.len, buf_begin(&shown));
	else
		snprintf(reason, SPROG_WHY, "?");
	buf_fini(&shown);
}

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* A member that turns a client away says so instead of its first answer, and has then taken
 * nothing. */
static enum sprog_wrong
turned_away(const struct sprog_target *t, const char *reason)
{
	static const struct { const char *reason; enum sprog_wrong wrong; } words[] = {
		{ "bad client token", WRONG_REJECTED },         /* these two answer HELLO only */
		{ "bad ack level", WRONG_REJECTED },
		{ "too many clients", WRONG_CROWDED },
		{ "out of threads", WRONG_CROWDED },
		{ "out of memory or descriptors", WRONG_CROWDED },
		{ "not allowed", WRONG_FORBIDDEN },
		{ "not a member", WRONG_FORBIDDEN },    /* said at the port for peers */
	};
	for (size_t i = 0; t->replies == 0 && i < sizeof words / sizeof words[0]; i++)
		if (begins(reason, words[i].reason))
			return words[i].wrong;
	return WRONG_NOTHING;
}

/* The first message of the queue comes to its end. */
static void
settle(struct sprog *s, struct sprog_target *t, int status, const char *reason)
{
	struct sprog_flight f = *sprog_queue_at(&t->queue, 0);
	const char *text = buf_begin(&t->queue.bytes);
	sprog_queue_pop(&t->queue);
	t->sent_count--;
	t->sent_bytes -= f.size;
	if (!f.told)
		sprog_report(s, t, &f, text, status, reason);
	else if (!f.answered)
		t->told_count--;
}

/* So do, well, all up to this number; and behind it those whose end is known already. It is what
 * settle and sprog_report would do one by one. */
static void
settle_through(struct sprog *s, struct sprog_target *t, uint64_t n)
{
	struct sprog_queue *q = &t->queue;
	struct sprog_result r = { .status = SPROG_OK, .member = t->name, .reason = "" };
	while (t->sent_count > 0) {
		const struct sprog_flight *f = sprog_queue_at(q, 0);
		if (f->number > n && !f->answered)
			return;
		if (f->told || f->id == s->awaited_id) {
			settle(s, t, SPROG_OK, "");
			continue;
		}
		r.id = f->id;
		r.tag = f->tag;
		r.text = buf_begin(&q->bytes) + f->head;
		r.length = f->size - f->head - 2u;
		r.latency_ns = (uint64_t)(s->now_ns - f->submitted_ns);
		t->sent_count--;
		t->sent_bytes -= f->size;
		sprog_queue_pop(q);
		s->in_flight--;
		s->ended++;
		if (s->settled == NULL)
			continue;
		s->inside = true;
		s->settled(s->context, &r);
		s->inside = false;
	}
}

static void
answered(struct sprog_target *t)
{
	t->replies++;
	t->failures = 0;
	t->wrong = WRONG_NOTHING;
}

static void
bad_reply(struct sprog *s, struct sprog_target *t, const char *line, size_t len)
{
	char why[SPROG_WHY] = "bad reply";
	struct buf shown = BUF_INIT;
	if (escape(&shown, line, len, 24))
		snprintf(why, sizeof why, "bad reply '%.*s'", (int)shown.len, buf_begin(&shown));
	buf_fini(&shown);
	sprog_link_fail(s, t, t->link == LINK_GREETING ? WRONG_STRANGER : WRONG_PROTOCOL, why, true);
}

/* false: the connection has been closed. */
static bool
error_reply(struct sprog *s, struct sprog_target *t, const char *line, size_t len)
{
	char reason[SPROG_WHY];
	reason_text(line, len, reason);
	enum sprog_wrong wrong = turned_away(t, reason);
	if (wrong != WRONG_NOTHING) {
		sprog_link_fail(s, t, wrong, reason, false);
		return false;
	}
	if (t->sent_count > 0 && t->queue.numbered) {
		sprog_link_fail(s, t, WRONG_UNREACHABLE, reason, true);
		return false;
	}
	if (t->sent_count > 0) {
		answered(t);
		settle(s, t, SPROG_ERROR, reason);
		return true;
	}
	/* It answers nothing: a good-bye, such as to a client that was idle for long. */
	if (t->replies > 0)
		sprog_link_close(t);
	else
		sprog_link_fail(s, t, WRONG_UNREACHABLE, reason, true);
	return false;
}

/* ---- the numbered form ---- */

/* The number that a line goes on with, behind the word; *rest is what follows it. */
static bool
number_at(const char *line, size_t len, size_t word, uint64_t *n, size_t *rest)
{
	size_t i = word;
	uint64_t v = 0;
	for (; i < len && i - word < SPROG_DIGITS - 1 && line[i] >= '0' && line[i] <= '9'; i++)
		v = v * 10 + (uint64_t)(line[i] - '0');
	*n = v;
	*rest = i;
	return i > word && (i == len || line[i] == ' ');
}

/* "ok N" */
static bool
ok_reply(struct sprog *s, struct sprog_target *t, uint64_t n)
{
	if (n > t->last_number)
		return false;
	answered(t);
	settle_through(s, t, n);
	return true;
}

/* Which of the sent ones has this number; sent_count: none. */
static size_t
find_sent(const struct sprog_target *t, uint64_t n)
{
	size_t low = 0, high = t->sent_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (sprog_queue_at(&t->queue, middle)->number < n)
			low = middle + 1;
		else
			high = middle;
	}
	bool found = low < t->sent_count && sprog_queue_at(&t->queue, low)->number == n;
	return found ? low : t->sent_count;
}

/* Not now, or not here: to send the message again is what helps. */
static bool
try_again(const char *reason)
{
	static const char *const words[] = { "unconfirmed", "disk full", "journal not writable",
	    "not stored", "out of memory" };
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (begins(reason, words[i]))
			return true;
	return false;
}

/* The sent message i, whose line is at text, goes to others. false: no memory for that. */
static bool
send_again(struct sprog *s, struct sprog_target *t, size_t i, const char *text, const char *reason)
{
	struct sprog_flight f = *sprog_queue_at(&t->queue, i);
	f.unconfirmed = begins(reason, "unconfirmed");
	f.doubt |= f.unconfirmed;
	f.kept = true;
	if (f.unconfirmed)
		snprintf(s->unconfirmed, sizeof s->unconfirmed, "%s", reason);
	const struct sprog_queue *a = &t->again;
	if (a->count > 0 && !sprog_before(sprog_queue_at(a, a->count - 1), &f))
		sprog_again(s, t);
	if (a->count > 0 && !sprog_before(sprog_queue_at(a, a->count - 1), &f))
		return false;
	if (!sprog_queue_put(&t->again, &f, text + f.head, f.size - f.head - 2u))
		return false;
	/* Of all that one read brings it is one failure. */
	if (t->failures == 0 || s->now_ns >= t->retry_ns)
		sprog_choose_failed(s, t, WRONG_REFUSING, reason);
	return true;
}

/* "error N REASON". false: the connection has been closed. */
static bool
error_number(struct sprog *s, struct sprog_target *t, uint64_t n, const char *reason)
{
	size_t i = find_sent(t, n);
	if (i == t->sent_count || begins(reason, "number does not grow")) {
		sprog_link_fail(s, t, WRONG_PROTOCOL, reason, true);
		return false;
	}
	struct sprog_flight *f = sprog_queue_at(&t->queue, i), copy = *f;
	const char *text = sprog_queue_line(&t->queue, i);
	t->replies++;
	if (copy.told) {
		t->told_count -= !copy.answered;
		f->answered = true;
	} else if (try_again(reason)) {
		f->told = f->answered = send_again(s, t, i, text, reason);
	} else {
		f->told = f->answered = true;
		t->failures = 0;
		t->wrong = WRONG_NOTHING;
		bool used = begins(reason, "number used for another text");
		sprog_report(s, t, &copy, text, used ? SPROG_NUMBER : SPROG_ERROR, reason);
	}
	while (t->sent_count > 0 && sprog_queue_at(&t->queue, 0)->answered)
		settle(s, t, SPROG_OK, "");
	return true;
}

/* A line on a numbered connection. false: the connection has been closed. */
static bool
numbered_reply(struct sprog *s, struct sprog_target *t, const char *line, size_t len)
{
	uint64_t n;
	size_t rest;
	t->answered_ns = s->now_ns;
	if (len > 3 && memcmp(line, "ok ", 3) == 0 && number_at(line, len, 3, &n, &rest) &&
	    rest == len && ok_reply(s, t, n))
		return true;
	if (len > 6 && memcmp(line, "error ", 6) == 0 && number_at(line, len, 6, &n, &rest)) {
		char reason[SPROG_WHY];
		/* As if the number were not there. */
		reason_text(line + rest - 5, len - rest + 5, reason);
		return error_number(s, t, n, reason);
	}
	if (len >= 5 && memcmp(line, "error", 5) == 0 && (len == 5 || line[5] == ' '))
		return error_reply(s, t, line, len);
	bad_reply(s, t, line, len);
	return false;
}

/* The member knows no HELLO. false: it will not do. */
static bool
greeted_plain(struct sprog *s, struct sprog_target *t)
{
	if (s->ack) {
		sprog_link_fail(s, t, WRONG_STRANGER, "speaks the plain form, without --ack", true);
		return false;
	}
	t->plain = true;
	t->plain_until_ns = s->now_ns + SPROG_PLAIN_MS * INT64_C(1000000);
	return true;
}

/* "OK zog/1 member=NAME ack=LEVEL last=N" */
static bool
greeted(struct sprog *s, struct sprog_target *t, const char *line, size_t len)
{
	static const char word[] = " last=";
	enum { WORD = sizeof word - 1 };
	uint64_t last = 0;
	size_t rest;
	for (size_t i = 0; i + WORD < len; i++)
		if (memcmp(line + i, word, WORD) == 0 && number_at(line, len, i + WORD, &last, &rest))
			break;
	if (!s->base_known && last > INT64_MAX / 2) {
		sprog_link_fail(s, t, WRONG_REJECTED, "client token has no numbers left", true);
		return false;
	}
	if (!s->base_known)
		s->next_block = last + 1;
	s->base_known = true;
	t->plain_until_ns = 0;
	return true;
}

/* The answer to HELLO. false: the connection has been closed. */
static bool
greeting_reply(struct sprog *s, struct sprog_target *t, const char *line, size_t len)
{
	char reason[SPROG_WHY];
	if (len >= 9 && memcmp(line, "OK zog/1 ", 9) == 0) {
		if (!greeted(s, t, line, len))
			return false;
	} else if (len == 2 && memcmp(line, "ok", 2) == 0) {
		/* An old one, which has logged it as a message. */
		if (!greeted_plain(s, t))
			return false;
	} else if (len >= 5 && memcmp(line, "error", 5) == 0 && (len == 5 || line[5] == ' ')) {
		reason_text(line, len, reason);
		enum sprog_wrong wrong = turned_away(t, reason);
		if (wrong == WRONG_NOTHING && try_again(reason))
			wrong = WRONG_REFUSING;
		if (wrong != WRONG_NOTHING)
			sprog_link_fail(s, t, wrong, reason, true);
		else if (greeted_plain(s, t))
			sprog_link_close(t);    /* it may do so as well: a new one is safe */
		return false;
	} else {
		bad_reply(s, t, line, len);
		return false;
	}
	t->replies++;
	t->link = LINK_OPEN;
	return sprog_link_form(s, t);
}

/* ---- replies ---- */

/* A line on a plain connection. false: the connection has been closed. */
static bool
plain_reply(struct sprog *s, struct sprog_target *t, const char *line, size_t len)
{
	if (len == 2 && memcmp(line, "ok", 2) == 0 && t->sent_count > 0) {
		answered(t);
		settle(s, t, SPROG_OK, "");
		return true;
	}
	if (len >= 5 && memcmp(line, "error", 5) == 0 && (len == 5 || line[5] == ' '))
		return error_reply(s, t, line, len);
	bad_reply(s, t, line, len);
	return false;
}

bool
sprog_replies(struct sprog *s, struct sprog_target *t)
{
	while (t->in.len > 0) {
		const char *line = buf_begin(&t->in);
		size_t most = t->in.len < SPROG_MAX_REPLY ? t->in.len : SPROG_MAX_REPLY;
		const char *lf = memchr(line, '\n', most);
		if (lf == NULL && most < SPROG_MAX_REPLY)
			return true;
		size_t size = lf != NULL ? (size_t)(lf - line) + 1 : most;
		size_t len = size - (lf != NULL ? 1 : 0);
		if (lf != NULL && len > 0 && line[len - 1] == '\r')
			len--;

		buf_eat(&t->in, size);          /* line can still be read */
		if (lf == NULL) {
			bad_reply(s, t, line, len);
			return false;
		}
		bool on = t->link == LINK_GREETING ? greeting_reply(s, t, line, len) :
		    t->queue.numbered ? numbered_reply(s, t, line, len) :
		    plain_reply(s, t, line, len);
		if (!on)
			return false;
	}
	return true;
}
