/* SPDX-License-Identifier: MIT
 * fuzz_link.c - what a member answers on our own connection to it, in any pieces: to HELLO, with SECRET to PROOF, then to
 * frames or plain lines, while others put frames and lines into its queue (doc/protocol, sections 3 and 6). What its
 * words were taken for is foretold. What goes out must be what doc/protocol lets us send: frames with their right CRCs,
 * and none before the opening is over. See talk.h. */
#include "talk.h"

#include "daemon/words.h"
#include "wire/line.h"

enum { ANSWER_MOST = 4096, HELLO_ANSWER_MOST = 512 };

static struct link *the_link;
static uint64_t next_seq;

/* ---- those who put something into its queue ---- */

static void
put_frame(unsigned how)
{
	struct frame *f = frame_new((how & 8) != 0 ? "data" : "k-9", (how & 16) != 0 ? "la" : "t", 64);
	fuzz_require(f != NULL);
	frame_add(f, "hello", 5);
	if ((how & 32) != 0)
		frame_add(f, "world", 5);
	f->h.epoch = TALK_EPOCH;
	f->h.seq = next_seq;
	next_seq += f->h.count;
	f->h.time_ms = talk.now_ms;
	frame_seal(f);
	if ((how & 3) == 3)
		link_put_answer(the_link, f);
	else
		link_put(the_link, f, (char)('0' + (how & 3)));
	frame_drop(&f);
}

/* While its thread sleeps. */
static void
look(void)
{
	fuzz_require(the_link->in.len <= 2 * ANSWER_MOST && the_link->out.len <= 256 * 1024);
	if (talk.broken || talk.stopped || next_seq > 200)
		return;
	unsigned how = talk_step();
	if ((how & 64) != 0)
		put_frame(how);
	if (how >= 0xe0)
		link_put_line(the_link, (how & 1) != 0 ? "have la 1 2" : "want ny 1 2 3");
}

static void
stop(void)
{
	link_ask_stop(the_link, talk.dials > 1 || (talk_step() & 1) != 0 ? 0 : 1000);
}

/* ---- what is foretold ---- */

struct told {
	struct buf did;
	bool       open, proven, plain;
	char       hello[HELLO_ANSWER_MOST], answer[HELLO_ANSWER_MOST];
};

static void
make_hello(char hello[HELLO_ANSWER_MOST])
{
	snprintf(hello, HELLO_ANSWER_MOST, "HELLO zog/1 ring=%08x from=la to=ny epoch=%" PRIu64 "%s%s",
	    (unsigned)ring_hash(&talk.views[0]->conf.ring), TALK_EPOCH, (talk.flags & SECRET) != 0 ? " nonce=" : "",
	    (talk.flags & SECRET) != 0 ? talk_nonce : "");
}

/* Whether so many lines of ours were out when the byte at was read. */
static bool
was_asked(size_t at, int lines)
{
	const struct talk_read *r = (const struct talk_read *)(const void *)buf_begin(&talk.reads);
	const char *p = buf_begin(&talk.out), *lf = p;
	size_t n = talk.reads.len / sizeof *r;
	while (n != 0 && r->in <= at)
		r++, n--;
	for (; n != 0 && lines > 0; lines--) {
		lf = lf != NULL ? memchr(lf, '\n', r->out - (size_t)(lf - p)) : NULL;
		lf = lf != NULL ? lf + 1 : NULL;
		if (lf == NULL)
			return false;
	}
	return n != 0;
}

/* The answer to HELLO, or to PROOF. false: the connection is over. */
static bool
opening(struct told *t, const char *p, size_t n)
{
	char value[WORDS_VALUE];
	bool secret = (talk.flags & SECRET) != 0;
	/* Who answers what was not asked is let go. */
	if (memchr(p, '\0', n) != NULL || !was_asked((size_t)(p - buf_begin(&talk.sent)) + n, t->answer[0] != '\0' ? 2 : 1))
		return false;
	if (t->answer[0] != '\0') {
		t->proven = t->open = secrets_accept(talk.views[1]->conf.secrets, p, n, t->hello, t->answer);
		return t->open;
	}
	snprintf(t->answer, sizeof t->answer, "%.*s", (int)n, p);
	if (strncmp(t->answer, "error", 5) == 0) {
		t->plain = t->open = !secret && memmem(p, n, "not a member", 12) == NULL && memmem(p, n, "not the member", 14) == NULL;
		return t->open;
	}
	if (strncmp(t->answer, "OK zog/1 ", 9) != 0 || !words_value(p, n, "from", value) || strcmp(value, "ny") != 0)
		return false;
	t->open = !secret;
	return !secret || (words_value(p, n, "nonce", value) && proof_nonce_ok(value) && n < HELLO_ANSWER_MOST);
}

static void
foretell(struct told *t)
{
	const char *p = buf_begin(&talk.sent), *end = talk.sent.len != 0 ? p + talk.sent.len : p, *lf;
	bool goes_on = true;
	make_hello(t->hello);
	for (; goes_on && p < end && (lf = memchr(p, '\n', (size_t)(end - p))) != NULL; p = lf + 1) {
		size_t n = (size_t)(lf - p);
		n -= n != 0 && lf[-1] == '\r';
		if (n > ANSWER_MOST)
			break;
		if (!t->open) {
			goes_on = opening(t, p, n);
			if (t->open && !t->plain)
				buf_puts(&t->did, "up ny \n");
		} else if (!t->plain && memchr(p, '\0', n) == NULL && n >= 3 && memcmp(p, "ok ", 3) == 0) {
			buf_printf(&t->did, "have ny %.*s\n", (int)n - 3, p + 3);
		} else if (!t->plain && memchr(p, '\0', n) == NULL && n >= 5 && memcmp(p, "gone ", 5) == 0) {
			buf_printf(&t->did, "gone ny %.*s\n", (int)n - 5, p + 5);
		}
	}
	if (t->open && !t->plain)
		buf_puts(&t->did, "down ny \n");
}

/* ---- what goes out ---- */

static bool
is_line(const char *p, size_t n, const char *text)
{
	return n == strlen(text) && memcmp(p, text, n) == 0;
}

/* One frame; returns its size, 0: it is cut off. */
static size_t
check_frame(const char *p, size_t n)
{
	struct frame *f = NULL;
	size_t size = 0;
	char wrap;
	const char *why = "";
	enum frame_is is = frame_read(p, n, &f, &size, &wrap, &why);
	fuzz_require(is != FRAME_BAD);
	frame_drop(&f);
	return is == FRAME_GOOD ? size : 0;
}

/* A line that stands whole; n: with its line end. */
static void
check_line(const struct told *t, const char *p, size_t n, bool first)
{
	static const char *const lines[] = { "keepAlive\r\n", "have la 1 2\r\n", "want ny 1 2 3\r\n" };
	if (first) {
		fuzz_require(n == strlen(t->hello) + 2 && memcmp(p, t->hello, n - 2) == 0 && memcmp(p + n - 2, "\r\n", 2) == 0);
		return;
	}
	if ((talk.flags & SECRET) != 0 && n > 6 && memcmp(p, "PROOF ", 6) == 0)
		return;
	fuzz_require(t->open || is_line(p, n, lines[0]));
	if (t->plain && *p >= '0' && *p <= '2') {
		fuzz_require(is_line(p + 1, n - 1, "hello\r\n") || is_line(p + 1, n - 1, "world\r\n"));
		return;
	}
	fuzz_require(is_line(p, n, lines[0]) || (!t->plain && (is_line(p, n, lines[1]) || is_line(p, n, lines[2]))));
}

static void
check_out(const struct told *t)
{
	const char *p = buf_begin(&talk.out), *end = talk.out.len != 0 ? p + talk.out.len : p, *lf;
	for (bool first = true; p < end; first = false) {
		if (!t->plain && !first && end - p >= 2 && *p >= '0' && *p <= '2' && p[1] == ' ') {
			size_t size = check_frame(p, (size_t)(end - p));
			fuzz_require(t->open);
			if (size == 0)
				return;
			p += size;
			continue;
		}
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL)
			return;         /* the connection ended within it */
		check_line(t, p, (size_t)(lf - p) + 1, first);
		p = lf + 1;
	}
}

/* The proof that "PROOF *" stands for: by the one who answers, of our HELLO and the first line of what is sent. */
static void
make_proof(const uint8_t *p, size_t n, char text[PROOF_HEX + 16])
{
	static const char secret[] = "0123456789abcdef0123456789abcdef";
	char hello[HELLO_ANSWER_MOST], answer[HELLO_ANSWER_MOST], proof[PROOF_HEX + 1];
	const uint8_t *lf = n != 0 ? memchr(p, '\n', n) : NULL;
	size_t len = lf != NULL ? (size_t)(lf - p) : n;
	len -= len != 0 && p[len - 1] == '\r';
	make_hello(hello);
	snprintf(answer, sizeof answer, "%.*s", (int)(len < HELLO_ANSWER_MOST ? len : HELLO_ANSWER_MOST), (const char *)p);
	proof_make(proof, PROOF_ANSWERER, secret, sizeof secret - 1, hello, answer);
	snprintf(text, PROOF_HEX + 16, "PROOF %s", proof);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct told t = { .open = false };
	char proof[PROOF_HEX + 16] = "";
	if (size < 2)
		return 0;
	size_t from = talk_begin(data, size);
	if ((talk.flags & (SECRET | PUT_RIGHT)) == (SECRET | PUT_RIGHT))
		make_proof(data + from, size - from, proof);
	talk_fill(data + from, size - from, proof[0] != '\0' ? proof : NULL);
	next_seq = 1;
	the_link = link_new(&talk.server, &talk.views[0]->conf.ring.member[1], 1024);
	fuzz_require(the_link != NULL);
	talk.stop = stop;
	talk.look = look;
	talk.timed = true;
	talk.inside = true;
	fuzz_require(link_start(the_link) == 0);
	talk_run();
	foretell(&t);
	if ((talk.flags & TIMES) == 0)
		talk_compare("given to the logger", &talk.did, &t.did);
	else if (!t.open)
		fuzz_require(talk.did.len == 0);
	fuzz_require(talk.bad.len == 0);
	check_out(&t);
	link_drop(&the_link);
	buf_fini(&t.did);
	talk_finish();
	return 0;
}
