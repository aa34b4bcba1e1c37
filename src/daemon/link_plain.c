/* SPDX-License-Identifier: MIT
 * link_plain.c - a link in the plain form: W and text, an ok for each line. Entered by the link's writer thread. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/link_private.h"

enum { OUT_BYTES = 64 * 1024 };         /* rendered at a time */

static void
render(struct link *l, const struct outq_entry *e, char *o)
{
	const struct frame *f = e->frame;
	for (const char *p = f->body, *end = p + f->h.bytes, *lf; p < end; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		assert(lf != NULL);     /* frame_read has seen to it */
		*o++ = e->wrap;
		memcpy(o, p, (size_t)(lf - p) + 1);
		o += lf - p + 1;
	}
	l->probing = false;
}

void
link_plain_fill(struct link *l)
{
	while (l->out.len < OUT_BYTES) {
		if (l->entries.len == 0 && !outq_take_all(l->queue, &l->entries))
			return;
		struct outq_entry *e = (struct outq_entry *)(void *)buf_begin(&l->entries);
		struct frame *f = e->frame;
		/* Of what is no message a plain peer would make nothing. */
		if (f != NULL && (strcmp(f->h.kind, "data") == 0 || strcmp(f->h.kind, "plain") == 0)) {
			char *o = buf_room(&l->out, f->h.bytes + f->h.count);
			if (o == NULL)
				return;         /* no memory now: the next turn tries again */
			render(l, e, o);
			buf_added(&l->out, f->h.bytes + f->h.count);
		}
		if (f != NULL && outq_sent(l->queue, f))
			logger_say(l->server->logger, "zogd", "queue to %s has room again", l->member.name);
		outq_entry_free(e);
		buf_eat(&l->entries, sizeof *e);
	}
}

void
link_plain_unwrap(struct link *l, struct view *view)
{
	struct frame *f = l->out.len == 0 ? NULL : frame_new("data", view->conf.member, l->out.len);
	char wrap = '0', *first = buf_begin(&l->out), *p = first;
	if (f == NULL)
		return;
	for (char *end = p + l->out.len, *lf; p < end; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		assert(lf != NULL);
		/* Of a line that is half out on a connection that stands, the wrapping is out too. */
		if ((*p != '1' && *p != '2') || (p == first && l->out_sent != 0))
			continue;
		wrap = *p;      /* the same for all: the rule is the same for all */
		*p = '0';
		frame_add(f, p + 1, (size_t)(lf - p) - 2);
	}
	if (f->h.count != 0) {
		frame_seal(f);
		link_send_beyond(l, view, f, wrap);
	}
	frame_drop(&f);
}

uint64_t
link_plain_lines(const struct link *l)
{
	uint64_t lines = 0;
	const char *p = buf_begin(&l->out), *end = p + l->out.len;
	for (; p != end; p = (const char *)memchr(p, '\n', (size_t)(end - p)) + 1)
		lines += *p >= '0' && *p <= '2';
	return lines;
}

/* So many more bytes are out: whole lines leave the buffer and are to be answered. */
static void
count_sent(struct link *l, size_t n, int64_t now)
{
	char *p = buf_begin(&l->out);
	l->out_sent += n;
	char *lf = memrchr(p, '\n', l->out_sent);
	if (lf != NULL) {
		size_t whole = (size_t)(lf - p) + 1;
		link_asked(l, now);
		for (char *q = p; q <= lf; q = (char *)memchr(q, '\n', (size_t)(lf - q) + 1) + 1)
			l->unanswered++;
		buf_eat(&l->out, whole);
		l->out_sent -= whole;
	}
	l->sent_ms = now;
}

/* To a peer that does not answer nothing more is given but the question whether it is there. */
size_t
link_plain_may_send(const struct link *l)
{
	if (l->out.len == 0 || (l->state == LINK_UP && l->form != LINK_OPENING))
		return l->out.len - l->out_sent;
	if (!l->probing || l->unanswered != 0)
		return 0;
	const char *p = buf_begin(&l->out);
	return (size_t)((const char *)memchr(p, '\n', l->out.len) - p) + 1 - l->out_sent;
}

const char *
link_plain_send(struct link *l, int64_t now)
{
	size_t may;
	while ((may = link_plain_may_send(l)) != 0) {
		ssize_t n = send(l->fd, buf_begin(&l->out) + l->out_sent, may, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			count_sent(l, (size_t)n, now);
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return NULL;
		else if (errno != EINTR)
			return strerror(errno);
		if (l->form == LINK_PLAIN && l->out.len < OUT_BYTES / 2 && l->state == LINK_UP)
			link_plain_fill(l);
	}
	return NULL;
}

const char *
link_plain_line(struct link *l, char *p, size_t n)
{
	if (l->unanswered > 0 && --l->unanswered == 0)
		l->probing = false;
	bool ack = n == 3 && memcmp(p, "ack", 3) == 0;
	if (ack)
		link_acked(l);
	if ((n == 2 && memcmp(p, "ok", 2) == 0) || ack)
		l->heard = true;
	else
		link_answered(l, p, n);
	return NULL;
}
