/* SPDX-License-Identifier: MIT */
#include "daemon/probe.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "daemon/ranks.h"
#include "daemon/server.h"
#include "petrichor/petrichor.h"

void
probes_init(struct probes *p)
{
	memset(p, 0, sizeof *p);
	lock_init(&p->lock, RANK_PROBE);
	lock_cond_init(&p->more);
}

void
probes_fini(struct probes *p)
{
	pthread_cond_destroy(&p->more);
	lock_fini(&p->lock);
}

/* ---- who asks ---- */

bool
probe_send(struct server *s, struct view *v)
{
	struct probes *p = &s->probes;
	char id[PT_ID_TEXT];
	struct frame *f = frame_new(PROBE_KIND, v->conf.member, PROBE_TOKEN + 2);
	if (f == NULL)
		return false;
	pt_id(id);
	id[PROBE_TOKEN] = '\0';
	frame_add(f, id, PROBE_TOKEN);
	strcpy(f->h.client, "-");
	f->h.time_ms = clock_real_ms();
	frame_seal(f);
	lock_acquire(&p->lock);
	bool taken = p->token[0] != '\0';
	if (!taken) {
		memcpy(p->token, id, sizeof p->token);
		p->seen_count = 0;
		p->sent_us = clock_mono_us();
	}
	lock_release(&p->lock);
	if (!taken)
		view_forward_own(v, f);
	frame_drop(&f);
	return !taken;
}

int
probe_wait(struct server *s, int count, int64_t until, struct probe_seen out[RING_MAX])
{
	struct probes *p = &s->probes;
	lock_acquire(&p->lock);
	while (p->seen_count <= count && lock_wait_until(&p->lock, &p->more, until))
		continue;
	int n = p->seen_count;
	memcpy(out, p->seen, (size_t)n * sizeof *out);
	lock_release(&p->lock);
	return n;
}

void
probe_end(struct server *s)
{
	lock_acquire(&s->probes.lock);
	s->probes.token[0] = '\0';
	lock_release(&s->probes.lock);
}

void
probe_told(struct server *s, const char *by, char *words)
{
	struct probes *p = &s->probes;
	char *token = text_word(&words), *via = token != NULL ? text_word(&words) : NULL;
	int64_t now = clock_mono_us();
	if (via == NULL || !ring_name_ok(via))
		return;
	lock_acquire(&p->lock);
	bool known = p->token[0] == '\0' || strcmp(token, p->token) != 0 || p->seen_count == RING_MAX;
	for (int i = 0; i < p->seen_count; i++)
		known |= strcmp(p->seen[i].name, by) == 0;
	if (!known) {
		struct probe_seen *n = &p->seen[p->seen_count++];
		snprintf(n->name, sizeof n->name, "%s", by);
		snprintf(n->via, sizeof n->via, "%s", via);
		n->us = now - p->sent_us;
		pthread_cond_broadcast(&p->more);
	}
	lock_release(&p->lock);
}

/* ---- who gets one ---- */

void
probe_pass(struct server *s, struct view *v, const struct frame *f, const char *from)
{
	char line[PROBE_TOKEN + RING_NAME + 16];
	/* Our own, come back, is no news. */
	if (strcmp(f->h.origin, v->conf.member) == 0 || f->h.bytes != PROBE_TOKEN + 2 ||
	    strspn(f->body, "0123456789abcdef") != PROBE_TOKEN)
		return;
	snprintf(line, sizeof line, "seen %.*s %s", PROBE_TOKEN, f->body, from);
	server_tell(s, f->h.origin, line);
}
