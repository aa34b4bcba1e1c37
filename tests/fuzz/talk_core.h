/* SPDX-License-Identifier: MIT
 * talk_core.h - a real core behind the stand-in for the logger, with a journal in memory: what a member sends reaches all of it. */
#ifndef ZOG_TESTS_TALK_CORE_H
#define ZOG_TESTS_TALK_CORE_H

#include "talk.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/core.h"
#include "store/journal_private.h"

enum { CORE_LINE_MOST = 4096 };

static struct core *core;
static char core_dir[80];

static inline void
on_send(void *arg, int peer, struct frame *f)
{
	(void)arg;
	fuzz_require(core_peer_name(core, peer) != NULL && f->record != NULL);
	fuzz_require(frame_check_crc(&f->h, f->record, f->head_size) && frame_check_lines_plain(&f->h, f->body));
}

static inline void
on_text(const char *text)
{
	fuzz_require(strlen(text) < CORE_LINE_MOST);
	for (; *text != '\0'; text++)
		fuzz_require(*text >= ' ' && *text <= '~');
}

static inline void
on_line(void *arg, int peer, const char *text)
{
	(void)arg;
	fuzz_require(core_peer_name(core, peer) != NULL);
	on_text(text);
}

static inline void
on_log(void *arg, const struct frame_head *h, const char *body, const uint32_t *skip, uint32_t skips, struct journal_pos at)
{
	(void)arg, (void)at;
	fuzz_require(frame_check_lines_plain(h, body) && skips <= h->count);
	for (uint32_t i = 0; i < skips; i++)
		fuzz_require(skip[i] < h->count && (i == 0 || skip[i] > skip[i - 1]));
}

static inline void
on_say(void *arg, const char *text)
{
	(void)arg;
	on_text(text);
}

static inline void
on_new_epoch(void *arg, uint64_t least)
{
	(void)arg;
	core_begin(core, least);
}

static inline int
no_sync(int fd)
{
	(void)fd;
	return 0;
}

static inline void
remove_core(void)
{
	DIR *d = opendir(core_dir);
	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	rmdir(core_dir);
}

static inline void
open_core(void)
{
	static const struct core_ops ops = { .send = on_send, .line = on_line, .log = on_log, .say = on_say,
		.new_epoch = on_new_epoch };
	snprintf(core_dir, sizeof core_dir, "%s.core", talk.folder);
	fuzz_require(mkdir(core_dir, 0700) == 0);
	journal_set_sync(no_sync);
	struct core_options o = { .dir = core_dir, .self = "la", .journal_limit = 1 << 20, .journal_segment = 1 << 16,
	    .sync_ms = CORE_SYNC_NONE, .digest_ms = 200, .gap_ms = 60000, .clients = 4 };
	const char *why;
	core = core_open(&o, &ops, talk.now_ms, &why);
	fuzz_require(core != NULL);
	core_ring(core, &talk.views[0]->conf.ring, 0);
	core_begin(core, TALK_EPOCH);
	core_peer_up(core, core_peer(core, "ny"));
}

static inline void
core_job(struct job *job)
{
	int peer = core_peer(core, job->peer);
	struct frame *f = job->frame;
	if (job->what == JOB_FRAME) {
		core_frame(core, f, peer);
		fuzz_require(core_store(core, talk.now_ms) == 0);
		job->upto = core_upto(core, f->h.origin, f->h.epoch);
	} else if (job->what == JOB_HELLO) {
		core_peer_hello(core, peer);
	} else if (job->what == JOB_HAVE) {
		core_have(core, peer, job->text);
	} else {
		core_want(core, peer, job->text, &job->reply);
	}
	talk.now_ms += (talk_step() & 3) * 100;
	core_tick(core, talk.now_ms);
}

static inline void
close_core(void)
{
	if (core == NULL)
		return;
	core_close(&core);
	remove_core();
}

#endif
