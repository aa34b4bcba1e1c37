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
#include "daemon/ranks.h"
#include "daemon/server.h"

enum {
	ADDRS = 8,                      /* of one host that are tried in turn */
	OUT_BYTES = 64 * 1024,          /* rendered at a time */
	ANSWER_BYTES = 4096,            /* longest answer line that is still read */
	WHY = 160,
};

enum state { DOWN, UP, STALLED, STOPPED };
static const char *const state_text[] = { "down", "up", "not answering", "stopped" };

struct link {
	/* constant after link_new */
	struct server *server;
	struct member  member;
	struct outq   *queue;

	atomic_uint    refs;
	atomic_bool    poked, stop;
	_Atomic int64_t stop_ms;        /* set before stop: when to give up draining */
	pthread_t      thread;

	struct lock    lock;            /* RANK_LINK */
	/* under lock */
	struct addr    addr[ADDRS];
	int            addrs;
	enum state     state;
	int64_t        since_ms;        /* real time */
	char           error[WHY];      /* why it was last down */

	/* owned by the writer thread */
	int            fd;              /* -1: not connected */
	int            next_addr;
	unsigned       seed;            /* of the jitter */
	int64_t        pause_ms, retry_ms;      /* present pause; when to dial again */
	bool           heard;           /* the peer has answered on this connection */
	bool           suspect;         /* the last connection fell silent: this one is to answer first */
	int64_t        connected_ms, sent_ms, heard_ms, progress_ms;
	uint64_t       unanswered;      /* lines sent whole and not answered */
	bool           probing;         /* they are one keepAlive */
	struct buf     entries;         /* taken from the queue */
	struct buf     out;             /* rendered; begins with a whole line */
	size_t         out_sent;        /* bytes of that line that are out already */
	struct buf     in;
};

struct link *
link_new(struct server *server, const struct member *m, size_t limit_bytes)
{
	struct link *l = calloc(1, sizeof *l);
	if (l == NULL)
		return NULL;
	l->queue = outq_new(limit_bytes);
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
	l->addrs = net_resolve(m->host, m->peer_port, true, l->addr, ADDRS, &why);
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
		frame_drop(&((struct outq_entry *)(void *)buf_begin(entries))->frame);
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
		stats_add(&s->stats.forwarded, f->count);
		break;
	case OUTQ_DOWN:
		return false;
	case OUTQ_FILLED:
		logger_say(s->logger, "zogd", "queue to %s is full: it gets no further message until half of it is sent",
		    l->member.name);
		stats_add(&s->stats.dropped, f->count);
		break;
	case OUTQ_FULL:
		stats_add(&s->stats.dropped, f->count);
		break;
	}
	return true;
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
	buf_printf(out, "%s %s%s%s:%u %s since %s, queue %llu messages %llu bytes, dropped %llu%s%s", l->member.name,
	    v6 ? "[" : "", l->member.host, v6 ? "]" : "", l->member.peer_port, state_text[l->state], since, (unsigned long long)c.lines,
	    (unsigned long long)c.bytes, (unsigned long long)c.dropped_lines,
	    l->error[0] != '\0' ? ", last down: " : "", l->error);
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

/* ---- going up and down, in the writer's thread ---- */

static void
set_state(struct link *l, enum state state, const char *why)
{
	lock_acquire(&l->lock);
	bool changed = l->state != state;
	l->state = state;
	if (changed)
		l->since_ms = clock_real_ms();
	if (why != NULL)
		snprintf(l->error, sizeof l->error, "%s", why);
	lock_release(&l->lock);
}

/* Sends a frame that the peer was to pass on straight to those beyond it. */
static void
send_beyond(struct link *l, struct view *view, struct frame *f, char wrap)
{
	int via = ring_find(&view->conf.ring, l->member.name);
	if (via >= 0)
		view_forward_beyond(view, f, via, wrap);
}

/* The lines of out that are still to be passed on by the peer: to the others, and wrapped 0 from here on. */
static void
unwrap_out(struct link *l, struct view *view)
{
	struct frame *f = l->out.len == 0 ? NULL : frame_new(view->conf.member, l->out.len);
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
	if (f->count != 0)
		send_beyond(l, view, f, wrap);
	frame_drop(&f);
}

/* From here on nothing is given to this peer to pass on, and what it had been given and not sent goes round it. */
static void
route_around(struct link *l)
{
	struct view *view = server_view(l->server);
	outq_set_up(l->queue, false);
	outq_take_all(l->queue, &l->entries);
	unwrap_out(l, view);
	struct outq_entry *e = (struct outq_entry *)(void *)buf_begin(&l->entries);
	for (size_t n = l->entries.len / sizeof *e; n > 0; n--, e++) {
		if (e->wrap != '0')
			send_beyond(l, view, e->frame, e->wrap);
		e->wrap = '0';
	}
	view_drop(&view);
}

static void
go_up(struct link *l)
{
	set_state(l, UP, NULL);
	outq_set_up(l->queue, true);
	logger_say(l->server->logger, "zogd", "link to %s up", l->member.name);
}

static void
stall(struct link *l, const char *why)
{
	set_state(l, STALLED, why);
	logger_say(l->server->logger, "zogd", "link to %s down: %s", l->member.name, why);
	route_around(l);
}

/* 0.75 to 1.25 of the pause, so that members that lost each other together do not dial together for ever. */
static void
schedule_dial(struct link *l, const struct conf *c)
{
	int64_t pause = l->pause_ms;
	if (pause < c->reconnect_min_ms)
		pause = c->reconnect_min_ms;
	l->pause_ms = pause * 2 < c->reconnect_max_ms ? pause * 2 : c->reconnect_max_ms;
	pause = pause * (750 + rand_r(&l->seed) % 500) / 1000;
	if (pause > c->reconnect_max_ms)
		pause = c->reconnect_max_ms;
	/* The first one comes within reconnect-min. */
	if (l->pause_ms <= 2 * c->reconnect_min_ms && pause > c->reconnect_min_ms)
		pause = c->reconnect_min_ms;
	l->retry_ms = clock_mono_ms() + pause;
}

static void
go_down(struct link *l, const struct conf *c, const char *why)
{
	uint64_t lost = l->probing ? 0 : l->unanswered;
	int64_t now = clock_mono_ms();
	close(l->fd);
	l->fd = -1;
	if (l->heard || now - l->connected_ms > l->pause_ms)
		l->pause_ms = 0;
	stats_add(&l->server->stats.unanswered, lost);
	if (lost != 0)
		logger_say(l->server->logger, "zogd", "link to %s down: %s; %llu messages unanswered", l->member.name, why,
		    (unsigned long long)lost);
	else if (l->state == UP)        /* of one that did not answer it was said before */
		logger_say(l->server->logger, "zogd", "link to %s down: %s", l->member.name, why);
	/* The peer has half a line at most, which is none to it: the next connection begins with the whole. */
	l->out_sent = 0;
	set_state(l, DOWN, why);
	route_around(l);
	buf_clear(&l->in);
	l->unanswered = 0;
	l->probing = false;
	schedule_dial(l, c);
}

/* ---- dialling ---- */

/* A connection that cannot be made: said when it is news, not at every attempt. */
static void
dial_failed(struct link *l, const struct conf *c, const char *why)
{
	stats_add(&l->server->stats.connect_failures, 1);
	lock_acquire(&l->lock);
	bool news = strcmp(l->error, why) != 0;
	lock_release(&l->lock);
	if (news)
		logger_say(l->server->logger, "zogd", "link to %s: cannot connect to %s:%u: %s", l->member.name,
		    l->member.host, l->member.peer_port, why);
	set_state(l, DOWN, why);
	schedule_dial(l, c);
}

/* Looks the host up anew (this may block; only this link waits), and keeps the old answer if there is none. */
static bool
look_up(struct link *l, const char **why)
{
	struct addr found[ADDRS];
	int n = net_resolve(l->member.host, l->member.peer_port, false, found, ADDRS, why);
	lock_acquire(&l->lock);
	if (n > 0) {
		memcpy(l->addr, found, sizeof found);
		l->addrs = n;
	}
	bool known = l->addrs > 0;
	lock_release(&l->lock);
	return known;
}

/* Waits for a connection under way, or for the word to stop. Returns 0 or an errno. */
static int
wait_connected(struct link *l, int fd, int64_t timeout_ms)
{
	int64_t now = clock_mono_ms(), deadline = now + timeout_ms;
	for (; now < deadline && !atomic_load(&l->stop); now = clock_mono_ms()) {
		struct pollfd p[2] = { { .fd = fd, .events = POLLOUT },
		    { .fd = outq_wake_fd(l->queue), .events = POLLIN } };
		int n = poll(p, 2, clock_left_ms(deadline, now));
		if (n > 0 && p[1].revents != 0)
			outq_woken(l->queue);
		if (n > 0 && p[0].revents != 0)
			return net_connect_result(fd);
	}
	return ETIMEDOUT;
}

/* Asks whether the peer is there, ahead of all that waits. */
static bool
put_probe(struct link *l)
{
	struct buf b = BUF_INIT;
	if (!buf_puts(&b, "keepAlive\r\n") || (l->out.len != 0 && !buf_put(&b, buf_begin(&l->out), l->out.len))) {
		buf_fini(&b);
		return false;
	}
	buf_fini(&l->out);
	l->out = b;
	l->probing = true;
	return true;
}

static void
dial(struct link *l, struct view *view)
{
	const struct conf *c = &view->conf;
	const char *why = NULL;
	atomic_store(&l->poked, false);
	if (!look_up(l, &why)) {
		dial_failed(l, c, why);
		return;
	}
	/* Only this thread writes addr: it may read it unlocked. */
	const struct addr *to = &l->addr[l->next_addr++ % l->addrs];
	const struct addr *from = view_own_addr(view, to->ss.ss_family);
	int fd = net_connect_start(to, from);
	/* Behind a translating router our ring address is not one of this machine. */
	if (fd < 0 && from != NULL && errno == EADDRNOTAVAIL)
		fd = net_connect_start(to, NULL);
	int error = fd < 0 ? errno : wait_connected(l, fd, c->peer_timeout_ms);
	if (error != 0) {
		if (fd >= 0)
			close(fd);
		if (!atomic_load(&l->stop))
			dial_failed(l, c, strerror(error));
		return;
	}
	stats_add(&l->server->stats.connects, 1);
	l->fd = fd;
	l->heard = false;
	l->connected_ms = l->sent_ms = l->heard_ms = l->progress_ms = clock_mono_ms();
	if (l->suspect && put_probe(l))
		set_state(l, STALLED, NULL);
	else
		go_up(l);
}

static void
wait_to_dial(struct link *l)
{
	int64_t now = clock_mono_ms();
	struct pollfd p = { .fd = outq_wake_fd(l->queue), .events = POLLIN };
	if (now < l->retry_ms && !atomic_load(&l->poked))
		if (poll(&p, 1, clock_left_ms(l->retry_ms, now)) > 0)
			outq_woken(l->queue);
	if (atomic_load(&l->poked)) {
		l->pause_ms = 0;
		l->retry_ms = 0;
	}
}

/* ---- a connection, in the plain form ---- */

/* Renders from the entries, and the queue behind them, until out holds enough. */
static void
fill_out(struct link *l)
{
	while (l->out.len < OUT_BYTES) {
		if (l->entries.len == 0 && !outq_take_all(l->queue, &l->entries))
			return;
		struct outq_entry *e = (struct outq_entry *)(void *)buf_begin(&l->entries);
		struct frame *f = e->frame;
		char *o = buf_room(&l->out, f->size + f->count);
		if (o == NULL)
			return;         /* no memory now: the next turn tries again */
		for (const char *p = f->body, *end = p + f->size, *lf; p < end; p = lf + 1) {
			lf = memchr(p, '\n', (size_t)(end - p));
			assert(lf != NULL);
			*o++ = e->wrap;
			l->probing = false;
			memcpy(o, p, (size_t)(lf - p) + 1);
			o += lf - p + 1;
		}
		buf_added(&l->out, f->size + f->count);
		if (outq_sent(l->queue, f))
			logger_say(l->server->logger, "zogd", "queue to %s has room again", l->member.name);
		frame_drop(&e->frame);
		buf_eat(&l->entries, sizeof *e);
	}
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
		if (l->unanswered == 0)
			l->progress_ms = now;
		for (char *q = p; q <= lf; q = (char *)memchr(q, '\n', (size_t)(lf - q) + 1) + 1)
			l->unanswered++;
		buf_eat(&l->out, whole);
		l->out_sent -= whole;
	}
	l->sent_ms = now;
}

/* How many bytes of out may go now. To a peer that does not answer nothing more is given but the question
 * whether it is there. */
static size_t
may_send(const struct link *l)
{
	if (l->out.len == 0 || l->state == UP)
		return l->out.len - l->out_sent;
	if (!l->probing || l->unanswered != 0)
		return 0;
	const char *p = buf_begin(&l->out);
	return (size_t)((const char *)memchr(p, '\n', l->out.len) - p) + 1 - l->out_sent;
}

/* NULL, or why the connection is over. */
static const char *
send_some(struct link *l, int64_t now)
{
	size_t may;
	while ((may = may_send(l)) != 0) {
		ssize_t n = send(l->fd, buf_begin(&l->out) + l->out_sent, may, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			count_sent(l, (size_t)n, now);
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return NULL;
		else if (errno != EINTR)
			return strerror(errno);
		if (l->out.len < OUT_BYTES / 2 && l->state == UP)
			fill_out(l);
	}
	return NULL;
}

static void
take_answer(struct link *l, const char *p, size_t n)
{
	if (l->unanswered > 0 && --l->unanswered == 0)
		l->probing = false;
	if ((n == 2 && memcmp(p, "ok", 2) == 0) || (n == 3 && memcmp(p, "ack", 3) == 0)) {
		l->heard = true;
		return;
	}
	struct buf text = BUF_INIT;
	stats_add(&l->server->stats.rejected, 1);
	buf_printf(&text, "%s answers: ", l->member.name);
	escape(&text, p, n, 100);
	if (buf_put(&text, "", 1)) {
		set_state(l, l->state, text.data);
		logger_limited(l->server->logger, &l->addr[0], text.data, text.data);
	}
	buf_fini(&text);
}

static const char *
read_answers(struct link *l, int64_t now)
{
	char *p = buf_room(&l->in, ANSWER_BYTES), *lf;
	if (p == NULL)
		return strerror(ENOMEM);
	ssize_t n = recv(l->fd, p, ANSWER_BYTES, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? NULL : strerror(errno);
	if (n == 0)
		return "connection closed by peer";
	buf_added(&l->in, (size_t)n);
	l->heard_ms = l->progress_ms = now;
	l->suspect = false;
	while (l->in.len != 0 && (lf = memchr(p = buf_begin(&l->in), '\n', l->in.len)) != NULL) {
		size_t len = (size_t)(lf - p);
		take_answer(l, p, len != 0 && p[len - 1] == '\r' ? len - 1 : len);
		buf_eat(&l->in, (size_t)(lf - p) + 1);
	}
	return l->in.len > ANSWER_BYTES ? "answer too long" : NULL;
}

/* What the clock asks for. NULL, or why the connection is over; *wake: when to look again. */
static const char *
check_clock(struct link *l, const struct conf *c, int64_t now, int64_t *wake)
{
	int64_t silent = l->heard_ms + c->keep_alive_ms * 5 / 2;
	int64_t overdue = l->unanswered != 0 ? l->progress_ms + c->peer_timeout_ms : INT64_MAX;
	int64_t idle = l->unanswered == 0 && l->out.len == 0 ? l->sent_ms + c->keep_alive_ms : INT64_MAX;
	if (now >= silent)
		return "silent for two and a half keep-alives";
	if (now >= overdue && (l->probing || l->suspect))
		return "keepAlive not answered";
	if (now >= overdue) {
		if (l->state == UP)
			stall(l, "does not answer");
		overdue = INT64_MAX;
	}
	if (now >= idle) {
		if (!put_probe(l))
			return strerror(ENOMEM);
		idle = INT64_MAX;
	}
	*wake = silent < overdue ? silent : overdue;
	if (idle < *wake)
		*wake = idle;
	return NULL;
}

static bool
drained(const struct link *l)
{
	return l->entries.len == 0 && l->out.len == 0 && (l->unanswered == 0 || l->probing);
}

/* One round: what can be sent is sent, then sleep until there is more. NULL, or why the connection is over. */
static const char *
turn(struct link *l, const struct conf *c)
{
	int64_t now = clock_mono_ms(), wake = now;
	const char *why = check_clock(l, c, now, &wake);
	if (why == NULL && l->state == UP)
		fill_out(l);
	if (why == NULL)
		why = send_some(l, now);
	if (why != NULL)
		return why;
	bool stop = atomic_load(&l->stop);
	if (stop && drained(l))
		return NULL;
	int64_t stop_ms = atomic_load(&l->stop_ms);
	if (stop && stop_ms < wake)
		wake = stop_ms;
	struct pollfd p[2] = {
		{ .fd = l->fd, .events = (short)(POLLIN | (may_send(l) != 0 ? POLLOUT : 0)) },
		{ .fd = outq_wake_fd(l->queue), .events = POLLIN },
	};
	/* A just-sent line may be overdue before anything else is due. */
	if (l->unanswered != 0 && l->state == UP && l->progress_ms + c->peer_timeout_ms < wake)
		wake = l->progress_ms + c->peer_timeout_ms;
	if (poll(p, 2, clock_left_ms(wake, now)) <= 0)
		return NULL;
	if (p[1].revents != 0)
		outq_woken(l->queue);
	if (p[0].revents == 0)
		return NULL;
	now = clock_mono_ms();
	why = (p[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 ? read_answers(l, now) : NULL;
	if (why == NULL && l->state == STALLED && l->heard_ms == now)
		go_up(l);
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
	if (l->state == UP)
		fill_out(l);
	return drained(l);
}

static void
last_words(struct link *l)
{
	struct outq_counts c;
	outq_counts(l->queue, &c);
	uint64_t lines = c.lines;
	for (char *p = buf_begin(&l->out), *end = p + l->out.len; p != end; lines++)
		p = (char *)memchr(p, '\n', (size_t)(end - p)) + 1;
	if (l->unanswered != 0 && !l->probing)
		stats_add(&l->server->stats.unanswered, l->unanswered);
	if (lines != 0) {
		stats_add(&l->server->stats.dropped, lines);
		logger_say(l->server->logger, "zogd", "link to %s: stopped with %llu messages not sent", l->member.name,
		    (unsigned long long)lines);
	}
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	outq_set_up(l->queue, false);
	set_state(l, STOPPED, NULL);
}

static void *
link_main(void *arg)
{
	struct link *l = arg;
	while (!may_end(l)) {
		struct view *view = server_view(l->server);
		if (l->fd >= 0) {
			const char *why = turn(l, &view->conf);
			/* Only a connection that was silent is distrusted next time. */
			if (why != NULL) {
				l->suspect = l->state == STALLED || l->probing;
				go_down(l, &view->conf, why);
			}
		} else if (clock_mono_ms() >= l->retry_ms || atomic_load(&l->poked)) {
			dial(l, view);
		} else {
			wait_to_dial(l);
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
