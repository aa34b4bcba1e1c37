/* SPDX-License-Identifier: MIT
 * link_frames.c - a link in the numbered form (doc/protocol, section 6): the opening, then frames and lines as they are
 * queued; back come ok, gone and ack. Entered by the link's writer thread. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/clock.h"
#include "daemon/link_private.h"
#include "daemon/secret.h"
#include "daemon/words.h"

enum {
	PARTS = 128,            /* pieces handed to the kernel in one call */
	DEAF_FRAMES = 64,       /* sent to a peer whose answers are not read meanwhile */
};

/* ---- the opening ---- */

bool
link_frames_hello(struct link *l, const struct view *v, char line[LINK_HELLO_BYTES])
{
	char nonce[PROOF_NONCE + 1];
	bool secret = v->conf.secrets != NULL;
	l->proving = false;
	if (secret && !proof_nonce(nonce))
		return false;
	snprintf(l->hello, sizeof l->hello, "HELLO zog/1 ring=%08x from=%s to=%s epoch=%" PRIu64 "%s%s", view_ring_id(v),
	    v->conf.member, l->member.name, server_epoch(l->server), secret ? " nonce=" : "", secret ? nonce : "");
	snprintf(line, LINK_HELLO_BYTES, "%.*s\r\n", LINK_HELLO_BYTES - 3, l->hello);
	return true;
}

/* Its answer to HELLO that is no OK. NULL: it speaks the plain form, and shall. */
static const char *
refused(struct link *l, const struct view *v, const char *line)
{
	if (strncmp(line, "error", 5) != 0)
		return "its answer to HELLO makes no sense";
	/* With a secret there is no plain form: else all would be had by claiming to know no other. */
	if (strstr(line, "not a member") != NULL || strstr(line, "not the member") != NULL || v->conf.secrets != NULL) {
		link_answered(l, line, strlen(line));
		return "it refuses us";
	}
	link_set_form(l, LINK_PLAIN);
	logger_say(l->server->logger, "zogd", "%s speaks the plain form only: at most once, nothing is repaired", l->member.name);
	link_go_up(l);
	return NULL;
}

/* It has said OK: we prove that we know the secret. */
static const char *
prove(struct link *l, const struct view *v, const char *line)
{
	char nonce[WORDS_VALUE];
	struct buf proof = BUF_INIT;
	if (!words_value(line, strlen(line), "nonce", nonce))
		return "its answer to HELLO is without nonce: has it no secret-file?";
	if (!proof_nonce_ok(nonce) || strlen(line) >= sizeof l->answer)
		return "its answer to HELLO makes no sense";
	strcpy(l->answer, line);
	bool good = secrets_prove(v->conf.secrets, l->hello, l->answer, &proof) && buf_put(&proof, "\r\n", 3) &&
	    link_put_first(l, proof.data);
	buf_fini(&proof);
	l->proving = true;
	return good ? NULL : strerror(ENOMEM);
}

/* The answer to HELLO, and with a secret the one to our PROOF. */
static const char *
opening(struct link *l, const struct view *v, const char *line)
{
	static const char ok[] = "OK zog/1 ";
	char value[WORDS_VALUE], id[16];
	size_t n = strlen(line);
	if (l->proving) {
		if (!secrets_accept(v->conf.secrets, line, n, l->hello, l->answer))
			return "it does not know the secret";
		line = l->answer;
		n = strlen(line);
	} else if (strncmp(line, ok, sizeof ok - 1) != 0) {
		return refused(l, v, line);
	} else if (!words_value(line, n, "from", value) || strcmp(value, l->member.name) != 0) {
		return "another member answers there";
	} else if (v->conf.secrets != NULL) {
		return prove(l, v, line);
	}
	snprintf(id, sizeof id, "%08x", view_ring_id(v));
	l->other_ring = words_value(line, n, "ring", value) && strcmp(value, id) != 0;
	l->heard = true;
	/* What waited for a peer that spoke the plain form it now pulls. */
	buf_clear(&l->out);
	link_set_form(l, LINK_FRAMES);
	link_go_up(l);
	return NULL;
}

const char *
link_frames_opening(struct link *l, char *p, size_t n)
{
	char line[LINK_ANSWER_BYTES + 1];
	memcpy(line, p, n);
	line[n] = '\0';
	/* What it answers must be out, else the rest of it would be lost, or follow behind something else. */
	if (strlen(line) != n || l->unanswered == 0)
		return "its answer to HELLO makes no sense";
	l->unanswered = 0;
	l->probing = false;
	struct view *v = server_view(l->server);
	const char *why = opening(l, v, line);
	view_drop(&v);
	return why;
}

/* ---- sending ---- */

/* The bytes of an entry, in one or two pieces, from the byte sent on. */
static int
pieces(const struct outq_entry *e, size_t sent, struct iovec *v)
{
	if (e->frame == NULL) {
		v[0] = (struct iovec){ e->line + sent, strlen(e->line) - sent };
		return 1;
	}
	char *record = e->frame->record;
	size_t size = frame_size(e->frame);
	if (sent != 0) {
		v[0] = (struct iovec){ record + sent, size - sent };
		return 1;
	}
	/* Only the wrapping byte differs from member to member: the rest goes out as it came in. */
	v[0] = (struct iovec){ (void *)(uintptr_t)&e->wrap, 1 };
	v[1] = (struct iovec){ record + 1, size - 1 };
	return 2;
}

/* So many bytes of the entries are out. */
static void
count_sent(struct link *l, size_t n, int64_t now)
{
	l->sent_ms = now;
	while (n != 0) {
		struct outq_entry *e = (struct outq_entry *)(void *)buf_begin(&l->entries);
		size_t left = (e->frame != NULL ? frame_size(e->frame) : strlen(e->line)) - l->entry_sent;
		if (n < left) {
			l->entry_sent += n;
			return;
		}
		n -= left;
		l->entry_sent = 0;
		if (e->frame != NULL) {
			link_asked(l, now);
			l->probing = false;
			if (outq_sent(l->queue, e->frame))
				logger_say(l->server->logger, "zogd", "queue to %s has room again", l->member.name);
		}
		outq_entry_free(e);
		buf_eat(&l->entries, sizeof *e);
	}
}

static const char *
send_entries(struct link *l, int64_t now, bool *again)
{
	struct iovec v[PARTS];
	int n = 0;
	const struct outq_entry *e = (const struct outq_entry *)(const void *)buf_begin(&l->entries);
	size_t count = l->entries.len / sizeof *e;
	for (size_t i = 0; i < count && n + 2 <= PARTS; i++)
		n += pieces(&e[i], i == 0 ? l->entry_sent : 0, &v[n]);
	struct msghdr m = { .msg_iov = v, .msg_iovlen = (size_t)n };
	ssize_t sent = sendmsg(l->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	*again = sent >= 0 || errno == EINTR;
	if (sent >= 0)
		count_sent(l, (size_t)sent, now);
	else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
		return strerror(errno);
	return NULL;
}

size_t
link_frames_direct(void *arg, const struct outq_entry *e)
{
	struct link *l = arg;
	struct iovec v[2];
	struct msghdr m = { .msg_iov = v, .msg_iovlen = (size_t)pieces(e, 0, v) };
	ssize_t n = sendmsg(l->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n <= 0)
		return 0;       /* the writer will see why */
	l->sent_ms = clock_mono_ms();
	if (l->deaf && (++l->direct == DEAF_FRAMES || server_awaits(l->server, l->sent_ms)))
		outq_wake(l->queue);
	if (e->frame != NULL) {
		link_asked(l, l->sent_ms);
		l->probing = false;
	}
	return (size_t)n;
}

bool
link_frames_may_send(struct link *l)
{
	return l->out.len != 0 || (l->state == LINK_UP && l->entries.len != 0) || l->entry_sent != 0;
}

const char *
link_frames_send(struct link *l, int64_t now)
{
	const char *why = NULL;
	bool again = true;
	while (why == NULL && again) {
		/* A frame that is half out is finished before anything else; a keepAlive goes between two frames. */
		if (l->out.len != 0 && l->entry_sent == 0) {
			ssize_t n = send(l->fd, buf_begin(&l->out), l->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
			again = n >= 0 || errno == EINTR;
			if (n >= 0)
				buf_eat(&l->out, (size_t)n);
			else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
				why = strerror(errno);
			l->sent_ms = now;
			link_asked(l, now);
			continue;
		}
		if (l->state != LINK_UP && l->entry_sent == 0)
			return NULL;
		if (l->entries.len == 0 && !outq_take_all(l->queue, &l->entries))
			return NULL;
		why = send_entries(l, now, &again);
	}
	return why;
}

/* ---- answers ---- */

const char *
link_frames_line(struct link *l, char *p, size_t n)
{
	struct logger *log = l->server->logger;
	char line[LINK_ANSWER_BYTES + 1];
	memcpy(line, p, n);
	line[n] = '\0';
	l->heard = true;
	l->probing = false;
	if (strlen(line) != n)
		link_answered(l, p, n);
	else if (strncmp(line, "ok ", 3) == 0)
		logger_tell(log, JOB_HAVE, l->member.name, line + 3);
	else if (strncmp(line, "gone ", 5) == 0)
		logger_tell(log, JOB_GONE, l->member.name, line + 5);
	else if (strcmp(line, "ack") == 0)
		link_acked(l);
	else
		link_answered(l, p, n);
	if (strcmp(line, "error unknown word") == 0) {
		lock_acquire(&l->lock);
		l->unknown_words++;
		lock_release(&l->lock);
	}
	return NULL;
}
