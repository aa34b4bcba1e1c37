/* SPDX-License-Identifier: MIT */
#include "daemon/suppress.h"

#include <stdio.h>
#include <string.h>

void
suppress_init(struct suppress *s, unsigned per_second)
{
	memset(s, 0, sizeof *s);
	s->per_second = per_second;
	s->second_ms = INT64_MIN / 2;
}

static struct suppress_place *
place_of(struct suppress *s, const char *who, const char *what)
{
	uint32_t h = 2166136261u;       /* FNV-1a */
	for (; *who != '\0'; who++)
		h = (h ^ (unsigned char)*who) * 16777619u;
	for (; *what != '\0'; what++)
		h = (h ^ (unsigned char)*what) * 16777619u;
	return &s->place[h % SUPPRESS_PLACES];
}

static void
tell_place(struct suppress *s, struct suppress_place *p, suppress_tell *tell, void *arg)
{
	if (p->suppressed == 0)
		return;
	tell(arg, p->who, p->what, p->suppressed);
	p->suppressed = 0;
	s->held--;
}

bool
suppress_allows(struct suppress *s, const char *who, const char *what, int64_t now, suppress_tell *tell, void *arg)
{
	struct suppress_place *p = place_of(s, who, what);
	bool same = strncmp(p->who, who, SUPPRESS_WHO - 1) == 0 && strncmp(p->what, what, SUPPRESS_WHAT - 1) == 0;
	if (!same || now >= p->since_ms + 1000) {
		tell_place(s, p, tell, arg);
		snprintf(p->who, sizeof p->who, "%s", who);
		snprintf(p->what, sizeof p->what, "%s", what);
		p->since_ms = now;
		p->lines = 0;
	}
	if (now >= s->second_ms + 1000) {
		s->second_ms = now;
		s->this_second = 0;
	}
	if (p->lines < s->per_second && s->this_second < s->per_second * 100) {
		p->lines++;
		s->this_second++;
		return true;
	}
	if (p->suppressed++ == 0)
		s->held++;
	return false;
}

int64_t
suppress_flush(struct suppress *s, int64_t now, bool all, suppress_tell *tell, void *arg)
{
	int64_t next = INT64_MAX;
	for (int i = 0; i < SUPPRESS_PLACES && s->held != 0; i++) {
		struct suppress_place *p = &s->place[i];
		if (p->suppressed == 0)
			continue;
		if (all || now >= p->since_ms + 1000)
			tell_place(s, p, tell, arg);
		else if (p->since_ms + 1000 < next)
			next = p->since_ms + 1000;
	}
	return next;
}
