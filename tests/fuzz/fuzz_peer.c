/* SPDX-License-Identifier: MIT
 * fuzz_peer.c - what a member sends on its connection to us, in any pieces: plain lines, HELLO, frames and words about
 * streams, and with SECRET the opening with its proofs (doc/protocol, sections 3 and 6). What is foretold comes from the
 * whole of the bytes. Nothing of a frame whose CRC is wrong, nor of what comes before the proof, reaches the logger.
 * OTHER: from an address that is no member's. CORE: the logger's jobs go to a real core (talk_core.h). See talk.h. */
#include "talk.h"
#include "talk_core.h"

#include "daemon/words.h"
#include "wire/line.h"

enum { CORE = 128, LINE_MOST = 4096, OPENING_MOST = 1023 };

static void
on_job(struct job *job, char text[200])
{
	if ((talk.flags & CORE) == 0) {
		talk_job(job, text);
		return;
	}
	if (core == NULL)
		open_core();
	core_job(job);
}

/* ---- what is foretold ---- */

struct told {
	struct buf  did, bad;
	const char *p, *end;            /* bytes not yet looked at */
	const char *out, *out_end;      /* replies likewise */
	size_t      fates, due;         /* foretold; the first that was not seen answered: of frames, whose answers may be said in one */
	bool        compare, over, other_ring;
	char        peer[RING_NAME + 1];
};

/* The next reply is text; a NULL in its place: is it? */
static bool
is_next(struct told *t, const char *text)
{
	size_t n = strlen(text);
	return (size_t)(t->out_end - t->out) >= n + 2 && memcmp(t->out, text, n) == 0 && memcmp(t->out + n, "\r\n", 2) == 0;
}

static void
expect(struct told *t, const char *text)
{
	if (is_next(t, text)) {
		t->out += strlen(text) + 2;
		return;
	}
	fprintf(stderr, "replied \"%.*s\", not \"%s\"\n", (int)(t->out_end - t->out), t->out, text);
	abort();
}

/* Of the same stream: what is said of the second may stand for the first as well. */
static bool
same_stream(const char *a, const char *b)
{
	const char *end = strrchr(a, ' ');
	if (strcmp(a, "ack") == 0 || strcmp(b, "ack") == 0)
		return true;            /* whose it is the line does not say */
	return strncmp(a, b, (size_t)(end - a) + 1) == 0;
}

/* The answers of all frames up to here. */
static void
expect_frames(struct told *t)
{
	const char *said = "";
	while (t->due < t->fates) {
		size_t i = t->due;
		while (i < t->fates && !is_next(t, talk_fate(i)->text) && same_stream(talk_fate(t->due)->text, talk_fate(i)->text))
			i++;
		if (i < t->fates && is_next(t, talk_fate(i)->text)) {
			said = talk_fate(i)->text;
			expect(t, said);
			t->due = i + 1;
		} else {
			/* It may have been said with the one before. */
			fuzz_require(strcmp(talk_fate(t->due)->text, said) == 0);
			t->due++;
		}
	}
}

static void
reply(struct told *t, const char *text)
{
	if (!t->compare)
		return;
	expect_frames(t);
	expect(t, text);
}

static void
bad(struct told *t, const char *reason)
{
	char text[100];
	buf_printf(&t->bad, "%s\n", reason);
	snprintf(text, sizeof text, "error %s", reason);
	reply(t, text);
}

static void
closes(struct told *t, const char *reason)
{
	bad(t, reason);
	t->over = true;
}

/* HELLO up to whether a secret is known. NULL, or what is wrong. */
static const char *
read_hello(struct told *t, const char *p, size_t n, bool secret)
{
	char from[WORDS_VALUE], to[WORDS_VALUE], ring[WORDS_VALUE], nonce[WORDS_VALUE], id[16];
	if (memchr(p, '\0', n) != NULL)
		return "bad HELLO";
	if (!words_value(p, n, "from", from) || !words_value(p, n, "to", to) || !words_value(p, n, "ring", ring))
		return "bad HELLO";
	if (strcmp(to, "la") != 0)
		return "not the member that was asked for";
	bool member = secret ? strcmp(from, "la") != 0 && ring_find(&talk.views[0]->conf.ring, from) >= 0 : strcmp(from, "ny") == 0;
	if (!member)
		return "not a member";
	if (secret && !words_value(p, n, "nonce", nonce))
		return "HELLO without nonce: has it no secret-file?";
	if (secret && (strlen(nonce) != 32 || strspn(nonce, "0123456789abcdef") != 32))
		return "bad nonce";
	snprintf(id, sizeof id, "%08x", (unsigned)ring_hash(&talk.views[0]->conf.ring));
	t->other_ring = strncmp(ring, id, 15) != 0;
	strcpy(t->peer, from);
	return NULL;
}

static void
answer_hello(char text[200], bool secret)
{
	snprintf(text, 200, "OK zog/1 from=la epoch=%" PRIu64 " ring=%08x%s%s", TALK_EPOCH,
	    (unsigned)ring_hash(&talk.views[0]->conf.ring), secret ? " nonce=" : "", secret ? talk_nonce : "");
}

static void
opened(struct told *t)
{
	buf_printf(&t->did, "hello %s \n", t->peer);
}

/* ---- the plain form ---- */

static void
plain_message(struct told *t, const char *p, const struct line *l)
{
	char text[300];
	fuzz_require(buf_printf(&t->did, "plain %c ny 0 ", *p) && buf_put(&t->did, l->text, l->len) && buf_puts(&t->did, "\n"));
	if (!t->compare)
		return;
	const struct fate *f = talk_fate(t->fates++);
	t->due = t->fates;
	fuzz_require(f->known);
	snprintf(text, sizeof text, f->text[0] != '\0' ? "error %s" : "ok", f->text);
	reply(t, text);
}

/* A good line of the plain form; true: it was HELLO, and frames follow. */
static bool
plain_line(struct told *t, const char *p, const struct line *l, bool first)
{
	char text[200];
	if (l->size == 11 && (memcmp(p, "keepAlive", 9) == 0 || memcmp(p, "keepalive", 9) == 0)) {
		reply(t, "ack");
	} else if (first && l->size >= 12 && memcmp(p, "HELLO zog/", 10) == 0) {
		const char *why = read_hello(t, p, l->size - 2, false);
		if (why != NULL) {
			closes(t, why);
			return false;
		}
		answer_hello(text, false);
		reply(t, text);
		opened(t);
		return true;
	} else if (*p < '0' || *p > '2') {
		bad(t, "bad wrapping byte");
	} else {
		plain_message(t, p, l);
	}
	return false;
}

static bool
plain(struct told *t)
{
	for (bool first = true, frames = false; !t->over && t->p != t->end;) {
		struct line l;
		size_t left = (size_t)(t->end - t->p);
		switch (line_next(t->p, left, 1, &l)) {
		case LINE_NEVER:
			closes(t, "no line end in 64 KiB");
			break;
		case LINE_MORE:
			closes(t, "no line end");
			break;
		case LINE_BAD:
			bad(t, l.reason);
			t->p += l.size;
			break;
		case LINE_GOOD:
			frames = plain_line(t, t->p, &l, first);
			first = false;
			t->p += l.size;
			break;
		}
		if (frames)
			return true;
	}
	return false;
}

/* ---- the numbered form ---- */

static void
answered(struct told *t, bool frame)
{
	if (!t->compare)
		return;
	const struct fate *f = talk_fate(t->fates);
	fuzz_require(f->known);
	if (!frame) {
		expect_frames(t);
		size_t n = strlen(f->text);
		fuzz_require((size_t)(t->out_end - t->out) >= n && memcmp(t->out, f->text, n) == 0);
		t->out += n;
		t->due = t->fates + 1;
	}
	t->fates++;
}

/* CRC and lines, as they are told of in doc/protocol. */
static const char *
check_frame(const struct frame_head *h, const char *p, size_t head_size)
{
	uint32_t crc = (uint32_t)strtoul(p + head_size - 10, NULL, 16);
	if (crc32c(crc32c(0, p + 2, head_size - 12), p + head_size, h->bytes) != crc)
		return "frame CRC";
	return frame_check_lines_plain(h, p + head_size) ? NULL : "frame lines";
}

/* What is for access.log is held to what a client may say. */
static const char *
check_texts(const struct frame_head *h, const char *p)
{
	if (strcmp(h->kind, "data") != 0 && strcmp(h->kind, "plain") != 0)
		return NULL;
	for (const char *end = p + h->bytes, *lf; p < end; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		const char *why = line_check(p, (size_t)(lf - p) - 1);
		if (why != NULL)
			return why;
	}
	return NULL;
}

static void
frame(struct told *t)
{
	struct frame_head h;
	size_t left = (size_t)(t->end - t->p), head_size = 0;
	const char *why = NULL;
	switch (frame_read_head(t->p, left, &h, &head_size, NULL, &why)) {
	case FRAME_BAD:
		closes(t, why);
		return;
	case FRAME_MORE:
		closes(t, "no line end");
		return;
	case FRAME_GOOD:
		break;
	}
	if (left - head_size < h.bytes)
		why = "no line end";
	else
		why = check_frame(&h, t->p, head_size);
	if (why != NULL) {
		closes(t, why);
		return;
	}
	size_t size = head_size + h.bytes;
	if (h.epoch == 0 && strcmp(h.kind, "probe") == 0) {
		reply(t, "ack");
		t->p += size;
		return;
	}
	why = check_texts(&h, t->p + head_size);
	if (why != NULL) {
		bad(t, why);
		t->p += size;
		return;
	}
	fuzz_require(buf_printf(&t->did, "frame %s %c", t->peer, t->other_ring ? '0' : *t->p) &&
	    buf_put(&t->did, t->p + 1, head_size + h.bytes - 1));
	answered(t, true);
	t->p += size;
}

static void
words(struct told *t, const char *p, size_t n)
{
	bool text = memchr(p, '\0', n) == NULL;
	if (n == 9 && (memcmp(p, "keepAlive", n) == 0 || memcmp(p, "keepalive", n) == 0)) {
		reply(t, "ack");
	} else if (text && n >= 5 && (memcmp(p, "have ", 5) == 0 || memcmp(p, "want ", 5) == 0)) {
		buf_printf(&t->did, "%.4s %s %.*s\n", p, t->peer, (int)n - 5, p + 5);
		if (*p == 'w')
			answered(t, false);
	} else if (text && n >= 4 && memcmp(p, "sum ", 4) == 0) {
		reply(t, "error cannot sum");
	} else if (text && n >= 5 && memcmp(p, "sums ", 5) == 0) {
		reply(t, "error bad sums");
	} else if (!text || n < 5 || memcmp(p, "seen ", 5) != 0) {
		bad(t, "unknown word");
	}
}

static void
frames(struct told *t)
{
	while (!t->over && t->p != t->end) {
		size_t left = (size_t)(t->end - t->p);
		if (left >= 2 && *t->p >= '0' && *t->p <= '2' && t->p[1] == ' ') {
			frame(t);
			continue;
		}
		const char *lf = memchr(t->p, '\n', left < LINE_MOST ? left : LINE_MOST);
		if (lf == NULL) {
			closes(t, left >= LINE_MOST ? "line too long" : "no line end");
			continue;
		}
		size_t n = (size_t)(lf - t->p);
		words(t, t->p, n != 0 && lf[-1] == '\r' ? n - 1 : n);
		t->p = lf + 1;
	}
}

/* ---- with a secret ---- */

/* The next line, without its end; SIZE_MAX: it has none, or too late. */
static size_t
opening_line(struct told *t, const char **p)
{
	size_t left = (size_t)(t->end - t->p);
	const char *lf = left != 0 ? memchr(t->p, '\n', left < OPENING_MOST ? left : OPENING_MOST) : NULL;
	*p = t->p;
	if (lf == NULL) {
		if (left > OPENING_MOST)
			buf_puts(&t->bad, "line too long\n");
		return SIZE_MAX;
	}
	t->p = lf + 1;
	size_t n = (size_t)(lf - *p);
	return n != 0 && lf[-1] == '\r' ? n - 1 : n;
}

/* true: the proof is right, and frames follow. */
static bool
secret(struct told *t)
{
	const char *p, *why;
	char hello[OPENING_MOST + 1], answer[200], proof[PROOF_HEX + 1], text[PROOF_HEX + 16];
	size_t n = opening_line(t, &p);
	if (n == SIZE_MAX)
		return false;
	why = n < 10 || memcmp(p, "HELLO zog/", 10) != 0 ? "no HELLO, and there is a secret" : read_hello(t, p, n, true);
	if (why != NULL) {
		buf_printf(&t->bad, "%s\n", why);
		return false;
	}
	snprintf(hello, sizeof hello, "%.*s", (int)n, p);
	answer_hello(answer, true);
	reply(t, answer);
	n = opening_line(t, &p);
	if (n == SIZE_MAX)
		return false;
	if (secrets_match(talk.views[1]->conf.secrets, p, n, hello, answer, proof) < 0) {
		buf_puts(&t->bad, "PROOF without the secret\n");
		return false;
	}
	snprintf(text, sizeof text, "PROOF %s", proof);
	reply(t, text);
	opened(t);
	return true;
}

/* The proof that "PROOF *" stands for: of the first line of what is sent. */
static void
make_proof(const uint8_t *p, size_t n, struct buf *proof)
{
	char hello[OPENING_MOST + 1], answer[200];
	const uint8_t *lf = n != 0 ? memchr(p, '\n', n) : NULL;
	size_t len = lf != NULL ? (size_t)(lf - p) : n;
	if (len != 0 && p[len - 1] == '\r')
		len--;
	snprintf(hello, sizeof hello, "%.*s", (int)(len < OPENING_MOST ? len : OPENING_MOST), (const char *)p);
	answer_hello(answer, true);
	fuzz_require(secrets_prove(talk.views[1]->conf.secrets, hello, answer, proof) && buf_put(proof, "", 1));
}

/* ---- */

static void
foretell(struct told *t)
{
	bool numbered = false;
	t->p = buf_begin(&talk.sent);
	t->end = talk.sent.len != 0 ? t->p + talk.sent.len : t->p;
	if ((talk.flags & SECRET) != 0)
		numbered = secret(t);
	else if ((talk.flags & OTHER) == 0)
		numbered = plain(t);
	else if (t->p != t->end)
		reply(t, "error not a member");
	if (numbered)
		frames(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct told t = { .over = false };
	struct buf proof = BUF_INIT;
	if (size < 2)
		return 0;
	size_t from = talk_begin(data, size);
	if ((talk.flags & (SECRET | PUT_RIGHT)) == (SECRET | PUT_RIGHT))
		make_proof(data + from, size - from, &proof);
	talk_fill(data + from, size - from, proof.data);
	size_t whole = talk.sent.len;
	talk.job = on_job;
	bool stranger = (talk.flags & OTHER) != 0 && (talk.flags & SECRET) == 0;
	talk_session((talk.flags & SECRET) != 0 ? &peer_secret_kind : &peer_kind, stranger ? "127.0.0.9" : "127.0.0.2");
	talk.sent.len = whole;
	t.compare = (talk.flags & TIMES) == 0;
	t.out = buf_begin(&talk.out);
	t.out_end = talk.out.len != 0 ? t.out + talk.out.len : t.out;
	foretell(&t);
	talk_compare("given to the logger", &talk.did, &t.did);
	/* Who has not proved that it knows the secret learns our nonce, and nothing else. */
	fuzz_require((talk.flags & SECRET) == 0 || t.did.len != 0 || talk.out.len <= 200);
	if (t.compare) {
		expect_frames(&t);
		if (t.out != t.out_end) fprintf(stderr, "further replies: %.*s\n", (int)(t.out_end - t.out), t.out);
	fuzz_require(t.out == t.out_end);
		talk_compare("bad", &talk.bad, &t.bad);
	}
	buf_fini(&t.did);
	buf_fini(&t.bad);
	buf_fini(&proof);
	talk_finish();
	close_core();
	return 0;
}
