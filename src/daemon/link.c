/* SPDX-License-Identifier: MIT */
#include "daemon/link.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/lock.h"
#include "base/thread.h"
#include "daemon/link_private.h"
#include "daemon/ranks.h"

enum { REST_MS = 10 * 1000 };    /* of silence; then the writer sleeps without looking at the clock, and is woken for the next */

static const char *const state_text[] = { "down", "up", "not answering", "stopped" };
static const char *const form_text[] = { "", ", plain", "" };

struct link *
link_new(struct server *server, const struct member *m, size_t limit_bytes)
{
	struct link *l = calloc(1, sizeof *l);
	if (l == NULL)
		return NULL;
	l->queue = outq_new(limit_bytes, link_frames_direct, l);
	if (l->queue == NULL) {
		free(l);
		return NULL;
	}
	l->server = server;
	l->member = *m;
	l->fd = -1;
	l->since_ms = clock_real_ms();
	l->seed = (unsigned)clock_mono_ms() ^ (unsigned)getpid() * 2654435761u;
	atomic_init(&l->refs, 1);
	lock_init(&l->lock, RANK_LINK);
	/* A numeric address needs no resolver: the peer is known from the start. */
	const char *why;
	l->addrs = net_resolve(m->host, m->peer_port, true, l->addr, LINK_ADDRS, &why);
	return l;
}

struct link *
link_ref(struct link *l)
{
	atomic_fetch_add(&l->refs, 1);
	return l;
}

static void
drop_entries(struct buf *entries)
{
	for (; entries->len != 0; buf_eat(entries, sizeof(struct outq_entry)))
		outq_entry_free((struct outq_entry *)(void *)buf_begin(entries));
	buf_fini(entries);
}

void
link_drop(struct link **l)
{
	if (*l != NULL && atomic_fetch_sub(&(*l)->refs, 1) == 1) {
		drop_entries(&(*l)->entries);
		outq_free(&(*l)->queue);
		buf_fini(&(*l)->out);
		buf_fini(&(*l)->in);
		lock_fini(&(*l)->lock);
		free(*l);
	}
	*l = NULL;
}

/* ---- what other threads call ---- */

bool
link_put(struct link *l, struct frame *f, char wrap)
{
	struct server *s = l->server;
	switch (outq_put(l->queue, f, wrap)) {
	case OUTQ_TAKEN:
		stats_add(&s->stats.forwarded, f->h.count);
		break;
	case OUTQ_DOWN:
		return false;
	case OUTQ_FILLED:
		logger_say(s->logger, "zogd", "queue to %s is full: it gets no further message until half of it is sent",
		    l->member.name);
		stats_add(&s->stats.dropped, f->h.count);
		break;
	case OUTQ_FULL:
		stats_add(&s->stats.dropped, f->h.count);
		break;
	}
	return true;
}

bool
link_put_answer(struct link *l, struct frame *f)
{
	return outq_put_answer(l->queue, f);
}

bool
link_put_line(struct link *l, const char *line)
{
	return outq_put_line(l->queue, line);
}

bool
link_is_up(struct link *l)
{
	lock_acquire(&l->lock);
	bool up = l->state == LINK_UP;
	lock_release(&l->lock);
	return up;
}

bool
link_is_plain(struct link *l)
{
	lock_acquire(&l->lock);
	bool plain = l->form == LINK_PLAIN;
	lock_release(&l->lock);
	return plain;
}

bool
link_is_from(struct link *l, const struct addr *a)
{
	bool same = false;
	lock_acquire(&l->lock);
	for (int i = 0; i < l->addrs && !same; i++)
		same = addr_same_host(&l->addr[i], a);
	lock_release(&l->lock);
	return same;
}

bool
link_is_to(const struct link *l, const struct member *m)
{
	return strcmp(l->member.name, m->name) == 0 && strcmp(l->member.host, m->host) == 0 &&
	    l->member.peer_port == m->peer_port;
}

void
link_poke(struct link *l)
{
	atomic_store(&l->poked, true);
	outq_wake(l->queue);
}

void
link_redial(struct link *l)
{
	atomic_store(&l->redial, true);
	outq_wake(l->queue);
}

void
link_set_limit(struct link *l, size_t limit_bytes)
{
	outq_set_limit(l->queue, limit_bytes);
}

const char *
link_name(const struct link *l)
{
	return l->member.name;
}

void
link_report(struct link *l, struct buf *out)
{
	struct outq_counts c;
	char since[CLOCK_STAMP];
	outq_counts(l->queue, &c);
	lock_acquire(&l->lock);
	clock_stamp(since, l->since_ms);
	bool v6 = strchr(l->member.host, ':') != NULL;
	buf_printf(out, "%s %s%s%s:%u %s%s since %s, queue %llu messages %llu bytes, dropped %llu%s%s", l->member.name,
	    v6 ? "[" : "", l->member.host, v6 ? "]" : "", l->member.peer_port, state_text[l->state], form_text[l->form], since, (unsigned long long)c.lines,
	    (unsigned long long)c.bytes, (unsigned long long)c.dropped_lines,
	    l->error[0] != '\0' ? ", last down: " : "", l->error);
	lock_release(&l->lock);
}

void
link_status(struct link *l, struct link_status *out)
{
	struct outq_counts c;
	outq_counts(l->queue, &c);
	*out = (struct link_status){ .member = &l->member,
	    .answered_ms = atomic_load_explicit(&l->answered_ms, memory_order_relaxed), .queue_messages = c.lines, .queue_bytes = c.bytes,
	    .dropped = c.dropped_lines };
	lock_acquire(&l->lock);
	out->state = l->state == LINK_DOWN && l->error[0] == '\0' ? "connecting" : state_text[l->state];
	out->up = l->state == LINK_UP;
	out->plain = l->form == LINK_PLAIN;
	out->apart = l->apart;
	out->since_ms = l->since_ms;
	out->round_trip_us = l->round_trip_us;
	out->unknown_words = l->unknown_words;
	memcpy(out->error, l->error, sizeof out->error);
	lock_release(&l->lock);
}

void
link_ask_stop(struct link *l, int64_t drain_ms)
{
	atomic_store(&l->stop_ms, clock_mono_ms() + drain_ms);
	atomic_store(&l->stop, true);
	outq_wake(l->queue);
}

void
link_join(struct link *l)
{
	pthread_join(l->thread, NULL);
}

/* ---- a connection ---- */

void
link_asked(struct link *l, int64_t now)
{
	if (l->waiting_ms != 0)
		return;
	l->waiting_ms = now;
	l->asked_us = l->deaf ? 0 : clock_mono_us();
}

static void
note_round_trip(struct link *l)
{
	if (l->asked_us == 0)
		return;
	lock_acquire(&l->lock);
	l->round_trip_us = clock_mono_us() - l->asked_us;
	lock_release(&l->lock);
	l->asked_us = 0;
}

void
link_answered(struct link *l, const char *p, size_t n)
{
	struct buf text = BUF_INIT;
	stats_add(&l->server->stats.rejected, 1);
	buf_printf(&text, "%s answers: ", l->member.name);
	escape(&text, p, n, 100);
	if (buf_put(&text, "", 1)) {
		link_set_state(l, l->state, text.data);
		logger_limited(l->server->logger, &l->addr[0], text.data, text.data);
	}
	buf_fini(&text);
}

typedef const char *answer_line(struct link *, char *, size_t);

static const char *
read_answers(struct link *l, int64_t now)
{
	static answer_line *const forms[] = { link_frames_opening, link_plain_line, link_frames_line };
	char *p = buf_room(&l->in, LINK_ANSWER_BYTES), *lf;
	const char *why = NULL;
	if (p == NULL)
		return strerror(ENOMEM);
	ssize_t n = recv(l->fd, p, LINK_ANSWER_BYTES, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? NULL : strerror(errno);
	if (n == 0)
		return "connection closed by peer";
	buf_added(&l->in, (size_t)n);
	note_round_trip(l);
	l->heard_ms = now;
	atomic_store_explicit(&l->answered_ms, now, memory_order_relaxed);
	l->read_all = n < LINK_ANSWER_BYTES;
	while (why == NULL && l->in.len != 0 && (lf = memchr(p = buf_begin(&l->in), '\n', l->in.len)) != NULL) {
		size_t len = (size_t)(lf - p), text = len != 0 && p[len - 1] == '\r' ? len - 1 : len;
		if (text > LINK_ANSWER_BYTES)
			return "answer too long";
		why = forms[l->form](l, p, text);
		buf_eat(&l->in, len + 1);
	}
	/* In the numbered form one ok stands for many frames: any word means that it goes on. */
	l->waiting_ms = l->form == LINK_PLAIN && l->unanswered != 0 ? now : 0;
	/* Its CR may be there, and its LF not yet. */
	return why == NULL && l->in.len > LINK_ANSWER_BYTES + 1 ? "answer too long" : why;
}

/* What the clock asks for. NULL, or why the connection is over; *wake: when to look again. */
static const char *
check_clock(struct link *l, const struct conf *c, int64_t now, int64_t *wake)
{
	int64_t silent = l->heard_ms + c->keep_alive_ms * 5 / 2;
	int64_t overdue = l->waiting_ms != 0 ? l->waiting_ms + c->peer_timeout_ms : INT64_MAX;
	/* Not all that is sent is answered: where nothing was heard for that long it is asked for. */
	int64_t last = l->sent_ms < l->heard_ms ? l->sent_ms : l->heard_ms;
	int64_t idle = l->waiting_ms == 0 && l->out.len == 0 ? last + c->keep_alive_ms : INT64_MAX;
	if (l->form == LINK_OPENING && now >= l->connected_ms + LINK_OPENING_MS)
		return "HELLO not answered";
	if (now >= silent)
		return "silent for two and a half keep-alives";
	if (now >= overdue && l->probing)
		return "keepAlive not answered";
	if (now >= overdue) {
		if (l->state == LINK_UP)
			link_stall(l, "does not answer");
		overdue = INT64_MAX;
	}
	if (now >= idle) {
		if (!link_put_first(l, "keepAlive\r\n"))
			return strerror(ENOMEM);
		idle = INT64_MAX;
	}
	*wake = silent < overdue ? silent : overdue;
	if (idle < *wake)
		*wake = idle;
	if (l->form == LINK_OPENING && l->connected_ms + LINK_OPENING_MS < *wake)
		*wake = l->connected_ms + LINK_OPENING_MS;
	return NULL;
}

static bool
drained(const struct link *l)
{
	return l->form != LINK_OPENING && l->entries.len == 0 && l->out.len == 0 && (l->waiting_ms == 0 || l->probing);
}

static const char *
send_some(struct link *l, int64_t now, bool *more)
{
	const char *why;
	if (l->form == LINK_FRAMES) {
		why = link_frames_send(l, now);
		*more = link_frames_may_send(l);
	} else {
		if (l->form == LINK_PLAIN && l->state == LINK_UP)
			link_plain_fill(l);
		why = link_plain_send(l, now);
		*more = link_plain_may_send(l) != 0;
	}
	return why;
}

/* One round: what can be sent is sent, then sleep until there is more. NULL, or why the connection is over. */
static const char *
turn(struct link *l, const struct conf *c)
{
	int64_t now = clock_mono_ms(), wake = now;
	bool more = false;
	if (atomic_exchange(&l->redial, false))
		return "the ring file has changed";
	link_ping_if_asked(l);
	const char *why = check_clock(l, c, now, &wake);
	if (why == NULL)
		why = send_some(l, now, &more);
	if (why != NULL)
		return why;
	bool stop = atomic_load(&l->stop);
	if (stop && drained(l))
		return NULL;
	int64_t stop_ms = atomic_load(&l->stop_ms);
	if (stop && stop_ms < wake)
		wake = stop_ms;
	/* What was just sent may be overdue before anything else is. */
	if (l->waiting_ms != 0 && l->state == LINK_UP && l->waiting_ms + c->peer_timeout_ms < wake)
		wake = l->waiting_ms + c->peer_timeout_ms;
	struct pollfd p[2] = {
		{ .fd = l->fd, .events = (short)(POLLIN | (more ? POLLOUT : 0)) },
		{ .fd = outq_wake_fd(l->queue), .events = POLLIN },
	};
	/* While others send in our place, what they sent may be overdue without our having been woken. */
	bool rest = l->form == LINK_FRAMES && l->state == LINK_UP && !more && !stop && now < l->sent_ms + REST_MS;
	if (rest && now + c->peer_timeout_ms / 4 < wake)
		wake = now + c->peer_timeout_ms / 4;
	/* Where no client waits for what others have, nobody needs to be woken for it. */
	l->deaf = rest && l->read_all && l->pinged_us == 0 && !server_awaits(l->server, now);
	l->direct = 0;
	if (l->deaf)
		p[0].events = POLLRDHUP;
	if (rest)
		outq_rest(l->queue);
	int ready = poll(p, 2, clock_left_ms(wake, now));
	if (rest && (l->entry_sent = outq_rise(l->queue)) != 0)
		outq_take_all(l->queue, &l->entries);
	if (ready <= 0 && !l->deaf)
		return NULL;
	if (p[1].revents != 0)
		outq_woken(l->queue);
	now = clock_mono_ms();
	why = l->deaf || (p[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 ? read_answers(l, now) : NULL;
	if (why == NULL && l->state == LINK_STALLED && l->heard_ms == now && l->form != LINK_OPENING)
		link_go_up(l);
	return why;
}

/* ---- the thread ---- */

/* Whether there is nothing left to do after the word to stop. */
static bool
may_end(struct link *l)
{
	if (!atomic_load(&l->stop))
		return false;
	if (l->fd < 0 || clock_mono_ms() >= atomic_load(&l->stop_ms))
		return true;
	struct outq_counts counts;
	outq_counts(l->queue, &counts);
	return counts.frames == 0 && drained(l);
}

static void
last_words(struct link *l)
{
	struct outq_counts c;
	outq_counts(l->queue, &c);
	uint64_t lines = c.lines + (l->form == LINK_PLAIN ? link_plain_lines(l) : 0);
	if (l->unanswered != 0 && !l->probing && l->form == LINK_PLAIN)
		stats_add(&l->server->stats.unanswered, l->unanswered);
	if (lines != 0) {
		stats_add(&l->server->stats.dropped, lines);
		logger_say(l->server->logger, "zogd", "link to %s: stopped with %llu messages not sent", l->member.name,
		    (unsigned long long)lines);
	}
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	outq_set_mode(l->queue, OUTQ_CLOSED);
	link_set_state(l, LINK_STOPPED, NULL);
}

static void *
link_main(void *arg)
{
	struct link *l = arg;
	char name[sizeof "to " + RING_NAME];
	snprintf(name, sizeof name, "to %s", l->member.name);
	thread_name(name);
	while (!may_end(l)) {
		struct view *view = server_view(l->server);
		if (l->fd >= 0) {
			const char *why = turn(l, &view->conf);
			if (why != NULL)
				link_go_down(l, &view->conf, why);
		} else if (clock_mono_ms() >= l->retry_ms || atomic_load(&l->poked)) {
			link_dial(l, view);
		} else {
			link_wait_to_dial(l);
		}
		view_drop(&view);
	}
	last_words(l);
	return NULL;
}

int
link_start(struct link *l)
{
	int rc = pthread_create(&l->thread, NULL, link_main, l);
	errno = rc;
	return rc == 0 ? 0 : -1;
}
