/* SPDX-License-Identifier: MIT
 * members_rig.h - five members in one process, each a real core with a journal of its own: what it calls, how it comes up and
 * goes down, what arrives. What can be done to them is in members_faults.h. */
#ifndef ZOG_TESTS_MEMBERS_RIG_H
#define ZOG_TESTS_MEMBERS_RIG_H

#include "members_net.h"

/* ---- the core's callbacks ---- */

static inline void
on_send(void *arg, int peer, struct frame *f)
{
	struct node *m = arg;
	put_frame(m->place, ring_find(&w.ring, core_peer_name(m->core, peer)), f, '0', true);
}

static inline void
on_line(void *arg, int peer, const char *text)
{
	struct node *m = arg;
	int to = ring_find(&w.ring, core_peer_name(m->core, peer));
	trace("%d>%d %s%s", m->place, to, text, w.conn[m->place][to].open ? "" : " (not open)");
	if (w.conn[m->place][to].open)
		put_line(&w.conn[m->place][to].forth, text);
}

/* Each stream in its order, but for what is said to be late. */
static inline void
check_order(struct node *m, const struct frame_head *h)
{
	struct place *p = &m->order;
	int i = 0;
	while (i < p->count && (p->stream[i].epoch != h->epoch || strcmp(p->stream[i].origin, h->origin) != 0))
		i++;
	if (i == p->count) {
		p->stream = realloc(p->stream, (size_t)(i + 1) * sizeof *p->stream);
		p->stream[i].epoch = h->epoch;
		p->stream[i].last = 0;
		strcpy(p->stream[p->count++].origin, h->origin);
	}
	require(h->seq > p->stream[i].last || m->late || m->opening, "%d logs %s:%" PRIu64 " behind %" PRIu64, m->place, h->origin,
	    h->seq, p->stream[i].last);
	m->late = false;
	if (h->seq + h->count - 1 > p->stream[i].last)
		p->stream[i].last = h->seq + h->count - 1;
}

static inline void
log_text(struct node *m, const struct frame_head *h, uint32_t line, const char *text)
{
	int id = atoi(text);
	require(id >= 0 && id < w.texts, "%d logs what nobody sent: %.40s", m->place, text);
	const struct text *t = &w.text[id];
	require(t->n == 0 || t->n == h->n + line, "%d logs text %d under number %" PRIu64 ", not %" PRIu64, m->place, id,
	    h->n + line, t->n);
	trace("%d logs %d (%s %" PRIu64 ":%" PRIu64 ")%s", m->place, id, h->origin, h->epoch, h->seq + line,
	    m->opening ? " again" : "");
	m->log[id]++;
	w.doubled += m->log[id] > 1;
	require(m->log[id] == 1, "%d logs text %d twice", m->place, id);
}

static inline void
on_log(void *arg, const struct frame_head *h, const char *body, const uint32_t *skip, uint32_t skips, struct journal_pos at)
{
	struct node *m = arg;
	const char *p = body;
	uint32_t next = 0;
	require((at.segment != 0) == m->opening, "%d: a place in the journal is %s", m->place, m->opening ? "missing" : "given");
	check_order(m, h);
	for (uint32_t i = 0; i < h->count; i++) {
		if (next < skips && skip[next] == i)
			next++;
		else
			log_text(m, h, i, p);
		p = strchr(p, '\n') + 1;
	}
	require(next == skips && p == body + h->bytes, "%d: lines to be skipped do not fit", m->place);
}

static inline void
note_lost(struct node *m, const char *text)
{
	uint64_t from, to;
	size_t n = strlen(m->lost_lines);
	if (sscanf(text, "lost m%*d:%" SCNu64 "-%" SCNu64, &from, &to) != 2)
		return;
	w.lost_said++;
	m->lost += to - from + 1;
	snprintf(m->lost_lines + n, sizeof m->lost_lines - n, "%s\n", text);
}

static inline void
on_say(void *arg, const char *text)
{
	struct node *m = arg;
	trace("%d says %s", m->place, text);
	m->late = strncmp(text, "late: ", 6) == 0;
	w.late_said += m->late;
	note_lost(m, text);
	require(strstr(text, "for two texts") == NULL, "%d says %s", m->place, text);
}

/* As server_new_epoch: where the clock is behind, not the next one, which may have been in use before. */
static inline void
begin_stream(struct node *m, uint64_t least)
{
	uint64_t now = (uint64_t)(w.now + m->clock_off);
	m->epoch = now > least ? now : least + below(1 << 20);
	m->seq = 0;
	trace("%d begins stream %" PRIu64, m->place, m->epoch);
	core_begin(m->core, m->epoch);
}

static inline void
on_new_epoch(void *arg, uint64_t least)
{
	begin_stream(arg, least);
}

/* ---- settled ---- */

static inline void
sent_free(struct sent *s)
{
	struct sent **at = &s->member->sent;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	free(s);
}

/* Enough members have it, now; a disk that lost something may have had it when it said so. */
static inline void
check_level(const struct sent *s, int text)
{
	int have = 0;
	for (int i = 0; i < N; i++)
		have += w.member[i].core != NULL ? w.member[i].log[text] : w.member[i].before[text];
	require(have >= s->own.entry.level - (w.faults - s->faults), "%d settles text %d at level %d, and %d have it",
	    s->member->place, text, s->own.entry.level, have);
}

static inline void
on_done(struct core_own *own, const char *error)
{
	struct sent *s = (struct sent *)(void *)own;
	trace("%d tells text %d.. %s", s->member->place, s->text[0], error != NULL ? error : "ok");
	for (int i = 0; error == NULL && i < s->count; i++) {
		struct text *t = &w.text[s->text[i]];
		if (!t->settled || own->entry.level + s->faults > t->safe)
			t->safe = own->entry.level + s->faults;
		t->settled = true;
		check_level(s, s->text[i]);
	}
	sent_free(s);
}

/* ---- up and down ---- */

static inline int
slot(const struct node *m, int peer)
{
	return core_peer(m->core, w.member[peer].name);
}

static inline void
conn_open(int from, int to)
{
	struct conn *c = &w.conn[from][to];
	if (from == to || c->open || c->cut || w.member[from].core == NULL || w.member[to].core == NULL)
		return;
	queue_clear(&c->forth);
	queue_clear(&c->back);
	trace("%d>%d opens", from, to);
	c->open = true;
	core_peer_hello(w.member[to].core, slot(&w.member[to], from));
	core_peer_up(w.member[from].core, slot(&w.member[from], to));
}

/* What is on its way may still arrive, as from a kernel's buffer, unless its receiver is gone. */
static inline void
conn_close(int from, int to)
{
	struct conn *c = &w.conn[from][to];
	if (c->open && w.member[from].core != NULL)
		core_peer_down(w.member[from].core, slot(&w.member[from], to));
	if (c->open)
		trace("%d>%d closes", from, to);
	c->open = false;
	queue_clear(&c->back);
	if (w.member[to].core == NULL || chance(50))
		queue_clear(&c->forth);
}

static inline void
member_start(struct node *m)
{
	struct core_options o = { .dir = m->dir, .self = m->name, .journal_limit = w.prune ? 5 * w.segment_bytes : 1 << 30,
	    .journal_segment = w.segment_bytes, .sync_ms = w.sync_ms, .digest_ms = 200, .gap_ms = w.gap_ms, .clients = 100 };
	struct core_ops ops = { .arg = m, .send = on_send, .line = on_line, .log = on_log, .say = on_say, .new_epoch = on_new_epoch };
	const char *why;
	if (w.prune) {
		o.log_from = m->log_upto;
	} else {
		memset(m->log, 0, sizeof m->log);
		m->order.count = 0;
	}
	m->oks = 0;
	m->disk = DISK_GOOD;
	if (chance(20))
		m->clock_off = (int64_t)below(3) * 100000 - 100000;
	trace("%d starts", m->place);
	m->opening = true;
	m->core = core_open(&o, &ops, w.now, &why);
	m->opening = false;
	require(m->core != NULL, "%d does not start: %s", m->place, why);
	for (int i = 0; m->same && i < w.texts; i++)
		require(m->log[i] == m->before[i] || (m->log[i] && m->more), "%d: by its journal text %d is %s", m->place, i,
		    m->log[i] ? "logged, and was not" : "not logged, and was");
	core_ring(m->core, &w.ring, m->place);
	begin_stream(m, core_last_epoch(m->core) + 1);
}

/* As by kill -9: nothing is settled, said or written any more. */
static inline void
member_kill(struct node *m)
{
	trace("%d is killed", m->place);
	m->log_upto = journal_end(core_journal(m->core));
	settle_init(&m->core->settle);
	core_close(&m->core);
	m->core = NULL;
	while (m->sent != NULL)
		sent_free(m->sent);
	for (int i = 0; i < N; i++) {
		conn_close(m->place, i);
		conn_close(i, m->place);
	}
	memcpy(m->before, m->log, sizeof m->before);
	m->same = true;
}

/* ---- a round of its logger ---- */

static inline void
disk_begin(struct node *m)
{
	w.sync_fails = m->disk == DISK_NO_SYNC && chance(70);
	m->more |= w.sync_fails;
	if (m->disk != DISK_FULL)
		return;
	w.disk_full = true;
	w.disk.rlim_cur = chance(30) ? 0 : journal_end(core_journal(m->core)).offset + below(200);
	disk_limit(true);
}

static inline void
disk_end(void)
{
	disk_limit(false);
	w.disk_full = w.sync_fails = false;
}

static inline int
sync_hook(int fd)
{
	(void)fd;
	errno = EIO;
	return w.sync_fails ? -1 : 0;
}

/* What came is stored, answered; then it looks at the clock. */
static inline void
member_round(struct node *m)
{
	char text[128];
	disk_begin(m);
	core_store(m->core, w.now);
	disk_end();
	for (int i = 0; i < m->oks; i++) {
		struct conn *c = &w.conn[m->ok[i].to][m->place];
		uint64_t upto = core_upto(m->core, m->ok[i].origin, m->ok[i].epoch);
		snprintf(text, sizeof text, "ok %s %" PRIu64 " %" PRIu64, m->ok[i].origin, m->ok[i].epoch, upto);
		if (c->open && upto != 0)
			put_line(&c->back, text);
	}
	m->oks = 0;
	disk_begin(m);
	int64_t next = core_tick(m->core, w.now);
	for (int i = 0; next <= w.now; i++) {
		require(i < 1000, "%d: the clock's work does not end", m->place);
		next = core_tick(m->core, w.now);
	}
	disk_end();
}

/* ---- what arrives ---- */

static inline void
take_frame(struct node *m, int from, struct wire *x)
{
	struct hop hops[RING_MAX];
	struct frame *f = x->frame;
	int origin = ring_find(&w.ring, f->h.origin);
	if (route_from_peer(ROUTE_V022, N, m->place, origin, x->wrap, hops) == 1)
		put_frame(m->place, hops[0].to, f, hops[0].wrap, false);
	trace("%d gets %s %" PRIu64 ":%" PRIu64 "+%u from %d", m->place, f->h.origin, f->h.epoch, f->h.seq, f->h.count, from);
	core_frame(m->core, f, slot(m, from));
	if (m->oks < (int)UNIT_COUNT(m->ok)) {
		m->ok[m->oks].to = from;
		m->ok[m->oks].epoch = f->h.epoch;
		strcpy(m->ok[m->oks++].origin, f->h.origin);
	}
}

static inline void
take_want(struct node *m, int from, const char *words)
{
	struct buf reply = BUF_INIT;
	require(core_want(m->core, slot(m, from), words, &reply), "%d does not understand: %s", m->place, words);
	char *rest = reply.len != 0 ? (char *)(uintptr_t)unit_text(&reply) : NULL;
	for (char *end; rest != NULL && (end = strstr(rest, "\r\n")) != NULL; rest = end + 2) {
		*end = '\0';
		trace("%d answers %d %s", m->place, from, rest);
		if (w.conn[from][m->place].open)
			put_line(&w.conn[from][m->place].back, rest);
	}
	buf_fini(&reply);
}

/* One piece of what is on its way, either way. false: nothing is. */
static inline bool
deliver(int from, int to)
{
	struct conn *c = &w.conn[from][to];
	struct node *a = &w.member[from], *b = &w.member[to];
	bool good = true;
	if (c->back.count != 0 && (c->forth.count == 0 || chance(50))) {
		struct wire x = queue_take(&c->back);
		if (strncmp(x.line, "ok ", 3) == 0)
			good = core_have(a->core, slot(a, to), x.line + 3);
		else
			good = core_gone(a->core, slot(a, to), x.line + 5);
		require(good, "%d does not understand: %s", from, x.line);
		wire_free(&x);
		return true;
	}
	if (c->forth.count == 0 || b->core == NULL)
		return false;
	struct wire x = queue_take(&c->forth);
	if (x.frame != NULL)
		take_frame(b, from, &x);
	else if (strncmp(x.line, "have ", 5) == 0)
		good = core_have(b->core, slot(b, from), x.line + 5);
	else
		take_want(b, from, x.line + 5);
	require(good, "%d does not understand: %s", to, x.line);
	wire_free(&x);
	return true;
}

#endif
