/* SPDX-License-Identifier: MIT */
#include "daemon/compare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/thread.h"
#include "daemon/logger_private.h"
#include "daemon/ranks.h"
#include "daemon/server.h"
#include "store/reader.h"

enum { LINE_BYTES = 3700, LOGGER_MS = 5000 };

struct compare_question {
	struct compare_question *next;
	char        peer[RING_NAME + 1];
	struct sums sums;
};

void
compare_init(struct compare *c, struct server *s)
{
	memset(c, 0, sizeof *c);
	c->server = s;
	lock_init(&c->lock, RANK_SUMS);
	lock_cond_init(&c->more);
}

static void
free_question(struct compare_question *q)
{
	if (q != NULL)
		sums_fini(&q->sums);
	free(q);
}

void
compare_fini(struct compare *c)
{
	for (struct compare_question *q; (q = c->list) != NULL; free_question(q))
		c->list = q->next;
	pthread_cond_destroy(&c->more);
	lock_fini(&c->lock);
}

/* ---- our own journal ---- */

struct own {
	struct sums       *sums;
	const atomic_bool *stop;
};

static bool
count(void *arg, const struct frame_head *h, const char *body)
{
	const struct own *o = arg;
	sums_frame(o->sums, h, body);
	return !atomic_load(o->stop);
}

/* What the logger's thread is asked: copies, since it may come to it when we are gone. */
struct ends {
	struct journal_pos end;
	size_t             count;
	struct stretch {
		char     origin[FRAME_NAME + 1];
		uint64_t epoch, to;
		bool     pruned;        /* whole: it was had, and is not kept any more */
	} at[];
};

static void
look(struct logger *l, void *arg)
{
	struct ends *e = arg;
	e->end = journal_end(core_journal(l->core));
	for (size_t i = 0; i < e->count; i++) {
		struct stretch *s = &e->at[i];
		uint64_t first = core_first(l->core, s->origin, s->epoch);
		s->pruned = core_upto(l->core, s->origin, s->epoch) >= s->to && (first == 0 || first > s->to);
	}
}

/* NULL with errno. */
static struct ends *
ask_ends(struct server *s, const struct sums *sums)
{
	struct ends *e = calloc(1, sizeof *e + sums->count * sizeof *e->at);
	if (e == NULL)
		return NULL;
	e->count = sums->count;
	for (size_t i = 0; i < sums->count; i++) {
		memcpy(e->at[i].origin, sums->at[i].origin, sizeof e->at[i].origin);
		e->at[i].epoch = sums->at[i].epoch;
		e->at[i].to = sums->at[i].to;
	}
	errno = ETIMEDOUT;
	return logger_ask(s->logger, look, free, e, LOGGER_MS) ? e : NULL;
}

bool
compare_own(struct server *s, struct sums *sums, const atomic_bool *stop)
{
	struct own o = { sums, stop };
	const struct reader_ops ops = { .arg = &o, .good = count };
	struct ends *e = ask_ends(s, sums);
	if (e == NULL)
		return false;
	struct view *v = server_view(s);
	int rc = reader_scan(v->conf.state_dir, e->end, &ops), error = rc < 0 ? errno : sums->failed ? ENOMEM : 0;
	view_drop(&v);
	for (size_t i = 0; i < sums->count; i++)
		if (sums->at[i].count == 0 && e->at[i].pruned)
			sums->at[i].first = sums->at[i].to + 1;
	free(e);
	errno = error;
	return error == 0;
}

/* ---- answering ---- */

static void
say(struct compare *c, const char *peer, struct buf *line)
{
	if (line->len != 0 && buf_put(line, "", 1))
		server_tell(c->server, peer, buf_begin(line));
	buf_clear(line);
}

static void
answer(struct compare *c, struct compare_question *q)
{
	struct buf line = BUF_INIT;
	bool good = compare_own(c->server, &q->sums, &c->stop);
	for (size_t i = 0; good && !atomic_load(&c->stop) && i < q->sums.count; i++) {
		if (line.len == 0)
			buf_puts(&line, "sums");
		sums_put_answer(&q->sums.at[i], &line);
		if (line.len > LINE_BYTES)
			say(c, q->peer, &line);
	}
	say(c, q->peer, &line);
	buf_fini(&line);
}

static void *
compare_main(void *arg)
{
	struct compare *c = arg;
	struct compare_question *q;
	thread_name("sums");
	lock_acquire(&c->lock);
	while ((q = c->list) != NULL && !atomic_load(&c->stop)) {
		c->list = q->next;
		c->waiting--;
		lock_release(&c->lock);
		answer(c, q);
		free_question(q);
		lock_acquire(&c->lock);
	}
	c->runs = false;
	lock_release(&c->lock);
	return NULL;
}

/* Under the lock: a thread that has ended is joined before the next one begins. */
static bool
start_locked(struct compare *c)
{
	if (c->runs)
		return true;
	if (c->joinable)
		pthread_join(c->thread, NULL);
	c->joinable = c->runs = pthread_create(&c->thread, NULL, compare_main, c) == 0;
	return c->runs;
}

bool
compare_take_question(struct compare *c, const char *peer, const char *words)
{
	struct compare_question *q = calloc(1, sizeof *q), **at;
	char *copy = strdup(words);
	bool good = q != NULL && copy != NULL && sums_read_question(&q->sums, copy);
	free(copy);
	if (!good) {
		free_question(q);
		return false;
	}
	snprintf(q->peer, sizeof q->peer, "%s", peer);
	lock_acquire(&c->lock);
	for (at = &c->list; *at != NULL; at = &(*at)->next)
		continue;
	*at = q;
	good = c->waiting < COMPARE_WAITING && !atomic_load(&c->stop) && start_locked(c);
	if (good)
		c->waiting++;
	else
		*at = NULL;
	lock_release(&c->lock);
	if (!good)
		free_question(q);
	return good;
}

void
compare_stop(struct compare *c)
{
	atomic_store(&c->stop, true);
	lock_acquire(&c->lock);
	bool joinable = c->joinable;
	c->joinable = false;
	lock_release(&c->lock);
	if (joinable)
		pthread_join(c->thread, NULL);
}

/* ---- asking ---- */

static void
send_question(struct compare *c, const struct sums *sums, const char *name)
{
	struct buf line = BUF_INIT;
	for (size_t i = 0; i < sums->count; i++) {
		if (line.len == 0)
			buf_puts(&line, "sum");
		sums_put_question(&sums->at[i], &line);
		if (line.len > LINE_BYTES)
			say(c, name, &line);
	}
	say(c, name, &line);
	buf_fini(&line);
}

bool
compare_ask(struct compare *c, struct sums *sums, const struct ring *r, uint64_t mask,
    struct compare_answer (*to)[COMPARE_STREAMS])
{
	lock_acquire(&c->lock);
	bool busy = c->asking;
	if (!busy) {
		c->asking = true;
		c->asked = sums;
		c->answer = to;
		for (int i = 0; i < RING_MAX; i++)
			snprintf(c->name[i], sizeof *c->name, "%s", i < r->size ? r->member[i].name : "");
	}
	lock_release(&c->lock);
	for (int i = 0; !busy && i < r->size; i++)
		if ((mask >> i & 1) != 0)
			send_question(c, sums, r->member[i].name);
	return !busy;
}

void
compare_end(struct compare *c)
{
	lock_acquire(&c->lock);
	c->asking = false;
	c->asked = NULL;
	c->answer = NULL;
	lock_release(&c->lock);
}

bool
compare_all_told(struct compare *c, uint64_t mask)
{
	bool all = true;
	lock_acquire(&c->lock);
	for (int i = 0; i < RING_MAX; i++)
		for (size_t k = 0; (mask >> i & 1) != 0 && k < c->asked->count; k++)
			all &= c->answer[i][k].told;
	lock_release(&c->lock);
	return all;
}

void
compare_wait(struct compare *c, int64_t until)
{
	lock_acquire(&c->lock);
	lock_wait_until(&c->lock, &c->more, until);
	lock_release(&c->lock);
}

struct told {
	struct compare *compare;
	int             member;
};

/* Under the lock. */
static void
take(void *arg, const struct sum *s)
{
	const struct told *t = arg;
	struct compare *c = t->compare;
	for (size_t i = 0; i < c->asked->count; i++)
		if (c->asked->at[i].epoch == s->epoch && strcmp(c->asked->at[i].origin, s->origin) == 0)
			c->answer[t->member][i] = (struct compare_answer){ true, s->first, s->count, s->hash };
}

bool
compare_take_answer(struct compare *c, const char *peer, char *words)
{
	struct told t = { c, 0 };
	bool good = true;
	lock_acquire(&c->lock);
	while (c->asking && t.member < RING_MAX && strcmp(c->name[t.member], peer) != 0)
		t.member++;
	if (c->asking && t.member < RING_MAX) {
		good = sums_read_answer(words, take, &t);
		pthread_cond_broadcast(&c->more);
	}
	lock_release(&c->lock);
	return good;
}
