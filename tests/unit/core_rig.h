/* SPDX-License-Identifier: MIT
 * core_rig.h - one core, member a of a ring of a, b, c and d, and everything that it does noted down: a line for each call back,
 * which a test compares as a whole. Time is a number. */
#ifndef ZOG_TESTS_CORE_RIG_H
#define ZOG_TESTS_CORE_RIG_H

#include "store/core.h"
#include "store/journal_private.h"
#include "unit.h"

enum { OWN_MOST = 64 };
#define EPOCH 1000              /* of our own stream */

/* A batch of a client of ours. */
struct own {
	struct core_own own;            /* first */
	uint64_t        seq;
};

static struct {
	char          dir[UNIT_PATH];
	struct core_options options;
	struct ring   ring;
	struct core  *core;
	int64_t       now;
	int           b, c, d;          /* slots */
	struct own    own[OWN_MOST];    /* [seq] */
	struct buf    events;
	bool          opening;
	bool          full;             /* no more fits on the disk than this */
	rlim_t        room;             /* bytes */
	bool          sync_fails;
	int           syncs;
} t;

/* ---- what it does ---- */

static inline void
on_send(void *arg, int peer, struct frame *f)
{
	(void)arg;
	buf_printf(&t.events, "send %s %s:%" PRIu64 "+%u\n", core_peer_name(t.core, peer), f->h.origin, f->h.seq, f->h.count);
}

static inline void
on_line(void *arg, int peer, const char *text)
{
	(void)arg;
	buf_printf(&t.events, "to %s: %s\n", core_peer_name(t.core, peer), text);
}

static inline void
on_log(void *arg, const struct frame_head *h, const char *body, const uint32_t *skip, uint32_t skips, struct journal_pos at)
{
	(void)arg;
	(void)body;
	ck_assert_int_eq(at.segment != 0, t.opening);
	buf_printf(&t.events, "log %s:%" PRIu64 "+%u", h->origin, h->seq, h->count);
	for (uint32_t i = 0; i < skips; i++)
		buf_printf(&t.events, " but %u", skip[i]);
	buf_puts(&t.events, "\n");
}

static inline void
on_say(void *arg, const char *text)
{
	(void)arg;
	buf_printf(&t.events, "says %s\n", text);
}

static inline void
on_new_epoch(void *arg, uint64_t least)
{
	(void)arg;
	buf_printf(&t.events, "new epoch %" PRIu64 "\n", least);
	core_begin(t.core, least);
}

static inline void
on_done(struct core_own *own, const char *error)
{
	struct own *o = (struct own *)(void *)own;
	buf_printf(&t.events, "done %" PRIu64 " %s\n", o->seq, error != NULL ? error : "ok");
}

/* All that it did since the last time. */
static inline void
expect_(const char *want, int line)
{
	ck_assert_msg(strcmp(unit_text(&t.events), want) == 0, "line %d: it did:\n%s---- expected:\n%s", line, unit_text(&t.events),
	    want);
	buf_clear(&t.events);
}
#define expect(want) expect_(want, __LINE__)

/* ---- up and down ---- */

static inline int
sync_hook(int fd)
{
	t.syncs++;
	errno = EIO;
	return t.sync_fails ? -1 : fdatasync(fd);
}

static inline void
start(void)
{
	struct core_ops ops = { .send = on_send, .line = on_line, .log = on_log, .say = on_say, .new_epoch = on_new_epoch };
	const char *why;
	t.opening = true;
	t.core = core_open(&t.options, &ops, t.now, &why);
	t.opening = false;
	ck_assert_msg(t.core != NULL, "%s", why);
	core_ring(t.core, &t.ring, 0);
	t.b = core_peer(t.core, "b");
	t.c = core_peer(t.core, "c");
	t.d = core_peer(t.core, "d");
}

static inline void
rig_setup(void)
{
	static const char *const names[] = { "a", "b", "c", "d" };
	memset(&t, 0, sizeof t);
	unit_folder(t.dir);
	t.now = 1000000;
	t.options = (struct core_options){ .dir = t.dir, .self = "a", .journal_limit = 1 << 30, .journal_segment = 1 << 20,
	    .sync_ms = CORE_SYNC_NONE, .digest_ms = 200, .gap_ms = 60000, .clients = 100 };
	t.ring.size = 4;
	for (int i = 0; i < 4; i++)
		strcpy(t.ring.member[i].name, names[i]);
	journal_set_sync(sync_hook);
	signal(SIGXFSZ, SIG_IGN);
	start();
	core_begin(t.core, EPOCH);
}

static inline void
rig_teardown(void)
{
	core_close(&t.core);
	buf_fini(&t.events);
	unit_folder_remove(t.dir);
}

#define RIG_TEST(suite, test) \
	do { \
		TCase *tcase = unit_case(suite, #test); \
		tcase_add_checked_fixture(tcase, rig_setup, rig_teardown); \
		tcase_add_test(tcase, test); \
	} while (0)

/* ---- what comes in ---- */

/* Check writes files, too: only the core meets the limit. */
static inline void
disk_limit(bool on)
{
	struct rlimit r;
	getrlimit(RLIMIT_FSIZE, &r);
	r.rlim_cur = on && t.full ? journal_end(core_journal(t.core)).offset + t.room : r.rlim_max;
	setrlimit(RLIMIT_FSIZE, &r);
}

static inline int
store(void)
{
	disk_limit(true);
	int error = core_store(t.core, t.now);
	disk_limit(false);
	return error;
}

/* Looks at the clock after so long, and returns in how many ms it wants to be called again. */
static inline int64_t
tick(int64_t after_ms)
{
	t.now += after_ms;
	disk_limit(true);
	int64_t next = core_tick(t.core, t.now);
	disk_limit(false);
	return next == INT64_MAX ? next : next - t.now;
}

/* The clock runs until it does something, SOON_MS at most. */
enum { SOON_MS = 3000 };
static inline void
until_it_acts(void)
{
	int64_t until = t.now + SOON_MS;
	int64_t next = tick(0);
	while (t.events.len == 0 && next <= until - t.now)
		next = tick(next < 0 ? 0 : next);
}

static inline struct frame *
make_frame(const char *origin, uint64_t epoch, uint64_t seq, uint32_t count, const char *client, uint64_t n, const char *text)
{
	struct frame *f = frame_new("data", origin, count * (strlen(text) + 2));
	ck_assert_ptr_nonnull(f);
	for (uint32_t i = 0; i < count; i++)
		frame_add(f, text, strlen(text));
	f->h.epoch = epoch;
	f->h.seq = seq;
	f->h.time_ms = 1;
	strcpy(f->h.client, client);
	f->h.n = n;
	frame_seal(f);
	return f;
}

/* A batch of ours, of count lines from seq on; not stored yet. */
static inline void
put_own(uint64_t seq, uint32_t count, int level, int64_t patience_ms)
{
	struct own *o = &t.own[seq];
	*o = (struct own){ .own = { .entry = { .level = level, .deadline_ms = t.now + patience_ms }, .done = on_done }, .seq = seq };
	o->own.frame = make_frame("a", EPOCH, seq, count, "-", 0, "ours");
	core_own(t.core, &o->own);
}

static inline void
own(uint64_t seq, int level, int64_t patience_ms)
{
	put_own(seq, 1, level, patience_ms);
	ck_assert_int_eq(store(), 0);
}

/* A frame of another member's stream, by way of a peer; not stored yet. */
static inline void
put_frame(const char *origin, uint64_t epoch, uint64_t seq, uint32_t count, int peer)
{
	struct frame *f = make_frame(origin, epoch, seq, count, "-", 0, "theirs");
	core_frame(t.core, f, peer);
	frame_drop(&f);
}

static inline void
frame(const char *origin, uint64_t epoch, uint64_t seq, uint32_t count, int peer)
{
	put_frame(origin, epoch, seq, count, peer);
	ck_assert_int_eq(store(), 0);
}

/* The options, as they are by now. */
static inline void
settings(void)
{
	core_settings(t.core, t.options.sync_ms, t.options.digest_ms, t.options.gap_ms, t.options.journal_limit,
	    t.options.journal_segment);
}

static inline void
have(int peer, const char *words)
{
	ck_assert_msg(core_have(t.core, peer, words), "have %s", words);
}

static inline void
gone(int peer, const char *words)
{
	ck_assert_msg(core_gone(t.core, peer, words), "gone %s", words);
}

/* A frame of d behind two lines that nobody has, b is asked for them; how long it takes until they are given up. */
static inline int64_t
given_up_after(uint64_t epoch)
{
	char words[40];
	int64_t began = t.now;
	snprintf(words, sizeof words, "d %" PRIu64 " 1 2", epoch);
	frame("d", epoch, 3, 1, t.b);
	for (int i = 0; i < 1000 && strstr(unit_text(&t.events), "says lost") == NULL; i++) {
		gone(t.b, words);
		int64_t next = tick(0);
		tick(next < 0 ? 0 : next);
	}
	ck_assert_ptr_nonnull(strstr(unit_text(&t.events), "says lost d:1-2\n"));
	ck_assert_ptr_nonnull(strstr(unit_text(&t.events), "log d:3+1\n"));
	buf_clear(&t.events);
	return t.now - began;
}

#endif
