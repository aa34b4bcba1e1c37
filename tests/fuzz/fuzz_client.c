/* SPDX-License-Identifier: MIT
 * fuzz_client.c - what a client sends, in any pieces, before and after HELLO: every line gets its one reply, in order, as
 * doc/protocol says (sections 1, 2 and 4), and exactly the good ones reach the logger. What is foretold comes from the
 * whole of the bytes, so that pieces may make no difference. OTHER: numbers up to 100 are known, each third with
 * another text. See talk.h. */
#include "talk.h"

#include "wire/line.h"

enum { KNOWN = 100 };

/* What is foretold, and how far the replies have been compared with it. */
struct told {
	struct buf  did, bad;
	const char *out, *end;          /* replies that were not yet looked at */
	size_t      fates;              /* of the lines that were foretold */
	struct buf  due;                /* uint64_t: numbers settled, whose ok has not been seen */
	bool        compare;
	bool        numbered, over;
	char        client[64];
	uint64_t    last, known;
};

static void
on_job(struct job *job, char text[200])
{
	if (job->what == JOB_CLIENT)
		job->upto = (talk.flags & OTHER) != 0 ? KNOWN : 0;
	else if (job->what == JOB_OTHER)
		job->upto = strtoull(strchr(job->text, ' '), NULL, 10) % 3 == 0;
	else
		talk_job(job, text);
}

/* The next reply, without its end; false: there is none, and should be. */
static size_t
next_reply(struct told *t, const char **p)
{
	const char *lf = t->out != t->end ? memchr(t->out, '\n', (size_t)(t->end - t->out)) : NULL;
	fuzz_require(lf != NULL && lf > t->out && lf[-1] == '\r');
	*p = t->out;
	t->out = lf + 1;
	return (size_t)(lf - *p) - 1;
}

static void
expect(struct told *t, const char *text)
{
	const char *p;
	size_t n = next_reply(t, &p);
	if (n == strlen(text) && memcmp(p, text, n) == 0)
		return;
	fprintf(stderr, "replied \"%.*s\", not \"%s\"\n", (int)n, p, text);
	abort();
}

/* The oks of all numbers that are due: each for one or more, the last for the last. */
static void
expect_due(struct told *t)
{
	while (t->due.len != 0) {
		const char *p;
		char ok[32];
		size_t n = next_reply(t, &p);
		bool found = false;
		while (!found && t->due.len != 0) {
			uint64_t number;
			memcpy(&number, buf_begin(&t->due), sizeof number);
			buf_eat(&t->due, sizeof number);
			found = n == (size_t)sprintf(ok, "ok %" PRIu64, number) && memcmp(p, ok, n) == 0;
		}
		fuzz_require(found);
	}
}

static void
reply(struct told *t, const char *text)
{
	if (!t->compare)
		return;
	expect_due(t);
	expect(t, text);
}

static void
bad(struct told *t, uint64_t n, const char *reason)
{
	char text[100];
	buf_printf(&t->bad, "%s\n", reason);
	if (n != 0)
		snprintf(text, sizeof text, "error %" PRIu64 " %s", n, reason);
	else
		snprintf(text, sizeof text, "error %s", reason);
	reply(t, text);
}

/* A message: it reached the logger, and is answered by what became of it there. */
static void
message(struct told *t, uint64_t n, const char *p, size_t len)
{
	char text[300];
	fuzz_require(buf_printf(&t->did, "own la %" PRIu64 " ", n) && buf_put(&t->did, p, len) && buf_puts(&t->did, "\n"));
	if (!t->compare)
		return;
	const struct fate *f = talk_fate(t->fates++);
	fuzz_require(f->known);
	if (n != 0 && f->text[0] == '\0') {
		fuzz_require(buf_put(&t->due, &n, sizeof n));
		return;
	}
	if (n != 0)
		snprintf(text, sizeof text, "error %" PRIu64 " %s", n, f->text);
	else
		snprintf(text, sizeof text, f->text[0] != '\0' ? "error %s" : "ok", f->text);
	reply(t, text);
}

/* The value of a word KEY=VALUE of the line; false: it has none, or one of over 63 characters, and then it is "". */
static bool
word(const char *p, size_t n, const char *key, char value[64])
{
	size_t k = strlen(key);
	for (const char *end = p + n, *to; p < end; p = to + 1) {
		to = memchr(p, ' ', (size_t)(end - p));
		to = to != NULL ? to : end;
		if ((size_t)(to - p) < k || memcmp(p, key, k) != 0)
			continue;
		value[0] = '\0';
		if ((size_t)(to - p) - k > 63)
			return false;
		snprintf(value, 64, "%.*s", (int)((size_t)(to - p) - k), p + k);
		return true;
	}
	return false;
}

static bool
good_token(const char *token)
{
	static const char may[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t n = strlen(token);
	return n >= 1 && n <= 32 && strspn(token, may) == n && strcmp(token, "-") != 0;
}

static bool
good_level(const char *level)
{
	static const char *const good[] = { "1", "2", "3", "4", "5", "majority", "all" };
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (strcmp(level, good[i]) == 0)
			return true;
	return false;
}

static void
hello(struct told *t, const char *p, size_t n)
{
	char token[64] = "", level[64] = "1", text[200];
	const char *why = NULL;
	word(p, n, "ack=", level);
	if (!word(p, n, "client=", token) || !good_token(token))
		why = "bad client token";
	else if (!good_level(level))
		why = "bad ack level";
	if (why != NULL) {
		bad(t, 0, why);
		t->over = true;
		return;
	}
	t->known = (talk.flags & OTHER) != 0 ? KNOWN : 0;
	snprintf(text, sizeof text, "OK zog/1 member=la ack=%s last=%" PRIu64, level, t->known);
	reply(t, text);
	t->numbered = true;
}

/* The number before a text: decimal, from 1 on, without leading zeros, below 2^63, a blank behind it. 0: none. */
static uint64_t
number(const char *p, size_t n, size_t *len)
{
	uint64_t v = 0;
	size_t i = 0;
	for (; i < n && p[i] >= '0' && p[i] <= '9'; i++) {
		if ((i == 0 && p[i] == '0') || v > (INT64_MAX - (uint64_t)(p[i] - '0')) / 10)
			return 0;
		v = v * 10 + (uint64_t)(p[i] - '0');
	}
	*len = i + 1;
	return i < n && p[i] == ' ' ? v : 0;
}

static bool
command(struct told *t, const char *p, size_t n)
{
	if (n == 9 && (memcmp(p, "keepAlive", n) == 0 || memcmp(p, "keepalive", n) == 0)) {
		reply(t, "ack");
	} else if (n == 4 && memcmp(p, "quit", n) == 0) {
		reply(t, "ok");
		t->over = true;
	} else {
		return false;
	}
	return true;
}

/* One line with its LF; size: without. */
static void
line(struct told *t, const char *p, size_t size, bool *first)
{
	bool cr = size != 0 && p[size - 1] == '\r';
	size_t len = cr ? size - 1 : size, skip = 0;
	uint64_t n = t->numbered ? number(p, len, &skip) : 0;
	if (n != 0)
		p += skip, len -= skip;
	const char *why = len > 509 ? "line too long" : !cr ? "no CR before LF" : line_check(p, len);
	if (why == NULL && n == 0 && command(t, p, len))
		return;
	if (t->numbered && n == 0) {
		bad(t, 0, why != NULL ? why : "no number");
		return;
	}
	if (why == NULL && n != 0 && n <= t->last)
		why = "number does not grow";
	if (why == NULL && n != 0 && n <= t->known && n % 3 == 0)
		why = "number used for another text";
	if (why != NULL) {
		bad(t, n, why);
		return;
	}
	if (*first && len >= 10 && memcmp(p, "HELLO zog/", 10) == 0)
		hello(t, p, len);
	else
		message(t, n, p, len);
	t->last = n != 0 ? n : t->last;
	*first = false;
}

static void
foretell(struct told *t)
{
	const char *p = buf_begin(&talk.sent), *end = talk.sent.len != 0 ? p + talk.sent.len : p, *lf;
	bool first = true;
	while (!t->over && p != end) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if ((size_t)((lf != NULL ? lf : end) - p) > 65536) {
			bad(t, 0, "no line end in 64 KiB");
			t->over = true;
		} else if (lf == NULL) {
			bad(t, 0, "no line end");
			t->over = true;
		} else {
			line(t, p, (size_t)(lf - p), &first);
			p = lf + 1;
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct told t = { .numbered = false };
	if (size < 2)
		return 0;
	size_t from = talk_begin(data, size);
	talk.flags &= ~(unsigned)SECRET;
	talk_fill(data + from, size - from, NULL);
	struct buf whole = talk.sent;
	talk.any_order = true;
	talk.job = on_job;
	talk_session(&client_kind, "127.0.0.1");
	talk.sent.len = whole.len;
	t.compare = (talk.flags & TIMES) == 0;
	t.out = buf_begin(&talk.out);
	t.end = talk.out.len != 0 ? t.out + talk.out.len : t.out;
	foretell(&t);
	talk_compare("given to the logger", &talk.did, &t.did);
	if (t.compare) {
		expect_due(&t);
		fuzz_require(t.out == t.end);
		talk_compare("bad", &talk.bad, &t.bad);
		fuzz_require(talk.held.len == 0);
	}
	buf_fini(&t.did);
	buf_fini(&t.bad);
	buf_fini(&t.due);
	talk_finish();
	return 0;
}
