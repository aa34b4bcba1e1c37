/* SPDX-License-Identifier: MIT
 * link_dial.c - a link going up and down: dialling, the pauses between, what goes round a peer that is down. Entered by the
 * link's writer thread. */
#include "daemon/link_private.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

/* ---- going up and down, in the writer's thread ---- */

void
link_set_state(struct link *l, enum link_state state, const char *why)
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

void
link_set_form(struct link *l, enum link_form form)
{
	lock_acquire(&l->lock);
	l->form = form;
	lock_release(&l->lock);
}

/* Sends a frame that the peer was to pass on straight to those beyond it. What is not ours they pull. */
void
link_send_beyond(struct link *l, struct view *view, struct frame *f, char wrap)
{
	int via = ring_find(&view->conf.ring, l->member.name);
	if (via >= 0 && strcmp(f->h.origin, view->conf.member) == 0)
		view_forward_beyond(view, f, via, wrap);
}

/* From here on nothing is given to this peer to pass on, and what it had been given and not sent goes round it. A peer that can
 * pull needs nothing to be kept for it. */
static void
route_around(struct link *l)
{
	struct view *view = server_view(l->server);
	bool plain = l->form == LINK_PLAIN;
	outq_set_mode(l->queue, plain ? OUTQ_KEEP : OUTQ_CLOSED);
	outq_take_all(l->queue, &l->entries);
	if (plain)
		link_plain_unwrap(l, view);
	struct buf kept = BUF_INIT;
	size_t half = l->entry_sent != 0;       /* it is out already, as far as we are concerned */
	for (; l->entries.len != 0; buf_eat(&l->entries, sizeof(struct outq_entry))) {
		struct outq_entry e = *(struct outq_entry *)(void *)buf_begin(&l->entries);
		if (e.frame != NULL && e.wrap != '0' && half == 0)
			link_send_beyond(l, view, e.frame, e.wrap);
		if (half == 0)
			e.wrap = '0';
		if ((half != 0 || (plain && e.frame != NULL)) && buf_put(&kept, &e, sizeof e)) {
			half = 0;
			continue;
		}
		if (e.frame != NULL)
			outq_sent(l->queue, e.frame);
		outq_entry_free(&e);
	}
	buf_fini(&l->entries);
	l->entries = kept;
	view_drop(&view);
}

void
link_go_up(struct link *l)
{
	link_set_state(l, LINK_UP, NULL);
	lock_acquire(&l->lock);
	l->apart = l->form == LINK_FRAMES && l->other_ring;
	lock_release(&l->lock);
	outq_set_mode(l->queue, l->form == LINK_FRAMES && l->other_ring ? OUTQ_REPAIR : OUTQ_OPEN);
	logger_say(l->server->logger, "zogd", "link to %s up", l->member.name);
	if (l->other_ring)
		logger_say(l->server->logger, "zogd", "%s has another ring file: nothing is forwarded to it, it pulls", l->member.name);
	if (l->form == LINK_FRAMES)
		logger_tell(l->server->logger, JOB_UP, l->member.name, NULL);
}

static void
tell_down(struct link *l)
{
	if (l->form == LINK_FRAMES && l->state == LINK_UP)
		logger_tell(l->server->logger, JOB_DOWN, l->member.name, NULL);
}

void
link_stall(struct link *l, const char *why)
{
	tell_down(l);
	link_set_state(l, LINK_STALLED, why);
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

/* ---- dialling ---- */

/* A connection that cannot be made: said when it is news, not at every attempt. */
static void
say_failed(struct link *l, const char *why)
{
	stats_add(&l->server->stats.connect_failures, 1);
	lock_acquire(&l->lock);
	bool news = strcmp(l->error, why) != 0;
	lock_release(&l->lock);
	if (news)
		logger_say(l->server->logger, "zogd", "link to %s: cannot connect to %s:%u: %s", l->member.name,
		    l->member.host, l->member.peer_port, why);
}

static void
dial_failed(struct link *l, const struct conf *c, const char *why)
{
	say_failed(l, why);
	link_set_state(l, LINK_DOWN, why);
	schedule_dial(l, c);
}

void
link_go_down(struct link *l, const struct conf *c, const char *why)
{
	uint64_t lost = l->probing || l->form != LINK_PLAIN ? 0 : l->unanswered;
	int64_t now = clock_mono_ms();
	close(l->fd);
	l->fd = -1;
	/* A peer that refuses us, or is another, is not dialled at once again. */
	if (l->heard || now - l->connected_ms > l->pause_ms)
		l->pause_ms = 0;
	stats_add(&l->server->stats.unanswered, lost);
	if (lost != 0)
		logger_say(l->server->logger, "zogd", "link to %s down: %s; %llu messages unanswered", l->member.name, why,
		    (unsigned long long)lost);
	else if (l->state == LINK_UP)   /* of one that did not answer it was said before */
		logger_say(l->server->logger, "zogd", "link to %s down: %s", l->member.name, why);
	else if (l->form == LINK_OPENING && l->state == LINK_DOWN)
		say_failed(l, why);
	/* The peer has half a line, or half a frame, at most, which is none to it. */
	l->out_sent = l->entry_sent = 0;
	tell_down(l);
	link_set_state(l, LINK_DOWN, why);
	if (l->form == LINK_OPENING)
		link_set_form(l, l->was);
	route_around(l);
	while (l->out.len != 0 && (l->form != LINK_PLAIN || strchr("012", *buf_begin(&l->out)) == NULL)) {
		const char *p = buf_begin(&l->out);     /* HELLO, keepAlive: of this connection */
		buf_eat(&l->out, (size_t)((const char *)memchr(p, '\n', l->out.len) - p) + 1);
	}
	buf_clear(&l->in);
	l->unanswered = 0;
	l->waiting_ms = 0;
	l->probing = false;
	schedule_dial(l, c);
}

/* Looks the host up anew (this may block; only this link waits), and keeps the old answer if there is none. */
static bool
look_up(struct link *l, const char **why)
{
	struct addr found[LINK_ADDRS];
	int n = net_resolve(l->member.host, l->member.peer_port, false, found, LINK_ADDRS, why);
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

/* A line ahead of all that waits in out. false: no memory. */
bool
link_put_first(struct link *l, const char *line)
{
	struct buf b = BUF_INIT;
	if (!buf_puts(&b, line) || (l->out.len != 0 && !buf_put(&b, buf_begin(&l->out), l->out.len))) {
		buf_fini(&b);
		return false;
	}
	buf_fini(&l->out);
	l->out = b;
	l->probing = true;
	return true;
}

void
link_dial(struct link *l, struct view *view)
{
	const struct conf *c = &view->conf;
	const char *why = NULL;
	atomic_store(&l->poked, false);
	atomic_store(&l->redial, false);
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
	l->heard = l->other_ring = false;
	l->connected_ms = l->sent_ms = l->heard_ms = clock_mono_ms();
	l->waiting_ms = l->asked_us = l->pinged_us = 0;
	l->deaf = false;
	/* The numbered form is tried first, always: a peer may have been replaced by a newer one. */
	char hello[LINK_HELLO_BYTES];
	l->was = l->form;
	link_set_form(l, LINK_OPENING);
	if (!link_frames_hello(l, view, hello) || !link_put_first(l, hello))
		l->connected_ms = 0;    /* over at the next turn */
}

void
link_wait_to_dial(struct link *l)
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
