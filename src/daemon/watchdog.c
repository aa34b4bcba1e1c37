/* SPDX-License-Identifier: MIT */
#include "daemon/watchdog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "daemon/link.h"
#include "daemon/logger.h"
#include "daemon/process.h"
#include "daemon/server.h"
#include "daemon/view.h"

enum { LOOK_MS = 2000 };

void
watchdog_init(struct watchdog *w)
{
	const char *usec = getenv("WATCHDOG_USEC"), *whose = getenv("WATCHDOG_PID");
	int64_t us = 0, pid = getpid();
	*w = (struct watchdog){ .every_ms = 0 };
	if (getenv("NOTIFY_SOCKET") == NULL)
		return;
	w->every_ms = LOOK_MS;
	if (usec == NULL || !text_int(usec, 1, INT64_MAX, &us) || (whose != NULL && (!text_int(whose, 1, INT64_MAX, &pid) ||
	    pid != getpid())))
		return;
	w->guarded = true;
	/* Half of the time that it gives us. */
	if (us / 2000 < w->every_ms)
		w->every_ms = us / 2000 > 0 ? us / 2000 : 1;
}

/* How many other members there are, and to how many of them our link is up. */
static int
count_peers(struct server *s, int *up)
{
	int peers = 0;
	struct view *v = server_view(s);
	*up = 0;
	for (int i = 0; i < v->conf.ring.size; i++)
		if (v->link[i] != NULL) {
			peers++;
			*up += link_is_up(v->link[i]);
		}
	view_drop(&v);
	return peers;
}

static void
tell_status(struct watchdog *w, struct server *s)
{
	char text[sizeof w->status] = "STATUS=alone in the ring";
	const char *full = logger_full(s->logger);
	int up, peers = count_peers(s, &up);
	if (peers != 0)
		snprintf(text, sizeof text, "STATUS=%d of %d peers", up, peers);
	if (full != NULL)
		snprintf(text + strlen(text), sizeof text - strlen(text), "; nothing is accepted: %s", full);
	if (strcmp(text, w->status) == 0)
		return;
	process_notify(text);
	strcpy(w->status, text);
}

static void
look(struct watchdog *w, struct server *s)
{
	/* All work goes by way of the logger: has it gone round since the last look? */
	if (logger_answers(s->logger) && w->guarded)
		process_notify("WATCHDOG=1");
	tell_status(w, s);
}

int
watchdog_sigwait(struct watchdog *w, struct server *s, const sigset_t *set)
{
	int number;
	if (w->every_ms == 0)
		return sigwait(set, &number) == 0 ? number : -1;
	for (;;) {
		int64_t now = clock_mono_ms();
		if (now >= w->next_ms) {
			look(w, s);
			w->next_ms = now + w->every_ms;
		}
		int64_t left = w->next_ms - now;
		struct timespec t = { .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
		if ((number = sigtimedwait(set, NULL, &t)) > 0)
			return number;
	}
}
