/* SPDX-License-Identifier: MIT
 * server_reload.c - HUP: settings and ring read again, a new view, links that come and go. Entered by the main thread. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/diag.h"
#include "daemon/server.h"

static bool
in_view(const struct view *v, const struct link *l)
{
	for (int i = 0; i < RING_MAX; i++)
		if (v->link[i] == l)
			return true;
	return false;
}

/* Starts the links that only the new view has; on failure stops those it started. */
static int
start_new_links(struct view *v, const struct view *old)
{
	for (int i = 0; i < RING_MAX; i++) {
		if (v->link[i] == NULL || in_view(old, v->link[i]) || link_start(v->link[i]) == 0)
			continue;
		int saved = errno;
		for (int j = 0; j < i; j++) {
			if (v->link[j] == NULL || in_view(old, v->link[j]))
				continue;
			link_ask_stop(v->link[j], 0);
			link_join(v->link[j]);
		}
		errno = saved;
		return -1;
	}
	return 0;
}

static void
say_lines(struct server *s, struct buf *lines, const char *prefix, char outcome[SERVER_OUTCOME])
{
	char *rest = buf_put(lines, "", 1) ? buf_begin(lines) : NULL, *line;
	for (; rest != NULL && (line = strsep(&rest, "\n")) != NULL;) {
		if (*line == '\0')
			continue;
		if (outcome[0] == '\0')
			snprintf(outcome, SERVER_OUTCOME, "%s", line);
		logger_say(s->logger, "zogd", "%s%s", prefix, line);
		diag("%s%s", prefix, line);
	}
	buf_clear(lines);
}

/* NULL, or the new view, not yet in use; what is wrong has been said. */
static struct view *
load_view(struct server *s, struct view *old, char outcome[SERVER_OUTCOME])
{
	struct conf conf;
	struct buf errors = BUF_INIT, fixed = BUF_INIT;
	struct view *v = NULL;
	if (conf_load(&conf, &s->source, &errors, NULL)) {
		conf_fixed_changes(&old->conf, &conf, &fixed);
		if (fixed.len != 0 && buf_put(&fixed, "", 1))
			logger_say(s->logger, "zogd", "reload: these settings change at a restart only: %s", fixed.data);
		const char *why = NULL;
		v = view_new(s, &conf, old, &why);
		if (v == NULL)
			buf_printf(&errors, "%s\n", why);
	} else {
		conf_fini(&conf);
	}
	if (v == NULL)
		say_lines(s, &errors, "reload: nothing changed: ", outcome);
	buf_fini(&errors);
	buf_fini(&fixed);
	return v;
}

static void
take_view(struct server *s, struct view *v, struct view *old)
{
	lock_acquire(&s->lock);
	s->view = v;
	lock_release(&s->lock);
	logger_ring(s->logger, &v->conf);
	for (int i = 0; i < RING_MAX; i++) {
		if (v->link[i] != NULL)
			link_set_limit(v->link[i], (size_t)v->conf.queue_limit);
		if (v->link[i] != NULL && v->ring_id != old->ring_id)
			link_redial(v->link[i]);
		if (old->link[i] != NULL && !in_view(v, old->link[i])) {
			logger_say(s->logger, "zogd", "link to %s ends: it is not in the ring any more", link_name(old->link[i]));
			link_ask_stop(old->link[i], v->conf.drain_ms);
			link_join(old->link[i]);
		}
	}
}

static void
reload(struct server *s, char outcome[SERVER_OUTCOME])
{
	struct view *old = s->view;     /* only this thread changes it */
	struct view *v = load_view(s, old, outcome);
	if (v == NULL)
		return;
	if (start_new_links(v, old) < 0) {
		snprintf(outcome, SERVER_OUTCOME, "cannot start a thread: %s", strerror(errno));
		logger_say(s->logger, "zogd", "reload: nothing changed: %s", outcome);
		view_drop(&v);
		return;
	}
	take_view(s, v, old);
	view_drop(&old);
	logger_say(s->logger, "zogd", "reloaded: member %s, place %d of %d", v->conf.member, v->conf.self + 1,
	    v->conf.ring.size);
}

void
server_reload(struct server *s)
{
	char outcome[SERVER_OUTCOME] = "";
	logger_reopen(s->logger);
	reload(s, outcome);
	lock_acquire(&s->lock);
	s->reloads++;
	memcpy(s->outcome, outcome, sizeof s->outcome);
	pthread_cond_broadcast(&s->reloaded);
	lock_release(&s->lock);
}

uint64_t
server_reloads(struct server *s)
{
	lock_acquire(&s->lock);
	uint64_t n = s->reloads;
	lock_release(&s->lock);
	return n;
}

bool
server_wait_reload(struct server *s, uint64_t before, int64_t until, char outcome[SERVER_OUTCOME])
{
	lock_acquire(&s->lock);
	while (s->reloads == before && !atomic_load(&s->stopping) && lock_wait_until(&s->lock, &s->reloaded, until))
		continue;
	bool over = s->reloads != before;
	memcpy(outcome, s->outcome, SERVER_OUTCOME);
	lock_release(&s->lock);
	return over;
}
