/* SPDX-License-Identifier: MIT
 * access_rig.h - access.log, a real journal behind it, and lives that end by kill -9 in between. Files are changed in place:
 * the cursor knows access.log by its inode. */
#ifndef ZOG_TESTS_ACCESS_RIG_H
#define ZOG_TESTS_ACCESS_RIG_H

#include "store/access.h"
#include "store/core_private.h"
#include "store/journal_private.h"
#include "unit.h"

enum { LINES = 2000, NUMBERED = 1000, EPOCH = 7 };

struct bytes {
	char  *p;
	size_t n;
};

static struct {
	char           dir[UNIT_PATH], log[UNIT_PATH + 64], state[UNIT_PATH + 64];
	struct access *access;
	struct core   *core;
	int64_t        now;
	uint64_t       next;                    /* line of the stream; line N has the text "text-N." */
	bool           numbered[LINES];         /* a client's: it has the text "text-M.", M NUMBERED and the client's number */
	uint64_t       last_n;                  /* of that client */
	char           said[4096];
} t;

static inline void
on_log(void *arg, const struct frame_head *h, const char *body, const uint32_t *skip, uint32_t skips, struct journal_pos at)
{
	(void)arg;
	(void)at;
	access_add(t.access, h, body, skip, skips);
}

static inline void
on_say(void *arg, const char *text)
{
	(void)arg;
	size_t n = strlen(t.said);
	snprintf(t.said + n, sizeof t.said - n, "%s\n", text);
}

static inline void
on_send(void *arg, int peer, struct frame *f)
{
	(void)arg;
	(void)peer;
	(void)f;
}

static inline void
on_line(void *arg, int peer, const char *text)
{
	(void)arg;
	(void)peer;
	(void)text;
}

static inline void
on_epoch(void *arg, uint64_t least)
{
	(void)arg;
	(void)least;
}

/* In the parent of the tests' processes: it goes whatever happens. */
static inline void
make_folder(void)
{
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	unit_folder(t.dir);
	unit_file_path(t.log, t.dir, "log");
	unit_file_path(t.state, t.dir, "state");
	mkdir(t.log, 0700);
	mkdir(t.state, 0700);
}

/* As the logger does it. */
static inline void
start(void)
{
	const char *why;
	t.said[0] = '\0';
	t.access = access_open(t.log, t.state, (uid_t)-1, (gid_t)-1, on_say, NULL);
	ck_assert_ptr_nonnull(t.access);
	struct core_options o = { .dir = t.state, .self = "la", .journal_limit = 1 << 30, .journal_segment = 1 << 26,
	    .sync_ms = CORE_SYNC_NONE, .digest_ms = 200, .gap_ms = 1000, .clients = 10, .log_from = access_from(t.access) };
	struct core_ops ops = { .send = on_send, .line = on_line, .log = on_log, .say = on_say, .new_epoch = on_epoch };
	t.core = core_open(&o, &ops, t.now, &why);
	ck_assert_msg(t.core != NULL, "%s", why);
	access_started(t.access, journal_end(core_journal(t.core)), core_doubtful(t.core));
}

static inline int
flush(void)
{
	return access_flush(t.access, core_journal(t.core), journal_end(core_journal(t.core)));
}

static inline void
kill_it(void)
{
	settle_init(&t.core->settle);
	core_close(&t.core);
	access_close(&t.access);
}

static inline void
remove_files(const char *dir)
{
	DIR *d = opendir(dir);
	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
}

static inline void
remove_folder(void)
{
	unit_folder_remove(t.log);
	unit_folder_remove(t.state);
	unit_folder_remove(t.dir);
}

static inline void
tear_down(void)
{
	if (t.core != NULL)
		kill_it();
}

/* Everything anew. */
static inline void
begin_again(void)
{
	if (t.core != NULL)
		kill_it();
	remove_files(t.log);
	remove_files(t.state);
	t.next = 1;
	memset(t.numbered, 0, sizeof t.numbered);
	t.last_n = 0;
	start();
}

/* Lines of a peer's stream, from .. from + count - 1, to the journal; client and n: NULL and 0, or numbered. */
static inline void
store(uint64_t from, uint32_t count, const char *client, uint64_t n, uint64_t text)
{
	struct frame *f = frame_new("data", "t", count * 100);
	for (uint32_t i = 0; i < count; i++) {
		char line[100];
		int len = snprintf(line, sizeof line, "text-%" PRIu64 ". %.*s", text + i, (int)((text + i) % 40),
		    "........................................");
		frame_add(f, line, (size_t)len);
	}
	f->h.epoch = EPOCH;
	f->h.seq = from;
	f->h.time_ms = INT64_C(1795163521000);
	if (client != NULL)
		strcpy(f->h.client, client);
	f->h.n = n;
	frame_seal(f);
	core_frame(t.core, f, -1);
	frame_drop(&f);
	core_store(t.core, t.now);
}

static inline void
add_lines(uint32_t count)
{
	store(t.next, count, NULL, 0, t.next);
	t.next += count;
}

/* Those of a client's numbers that it sent before are there already, and skipped. */
static inline void
add_numbered(uint64_t n, uint32_t count)
{
	store(t.next, count, "c", n, NUMBERED + n);
	memset(&t.numbered[t.next], 1, count);
	t.next += count;
	if (n + count - 1 > t.last_n)
		t.last_n = n + count - 1;
}

/* Frames of 1 to 3 lines, flushed each; the cursor is written behind so many of them (and at the start, by access_started). */
static inline void
build(int frames, int cursor_at)
{
	for (int i = 0; i < frames; i++) {
		add_lines(1 + (uint32_t)i % 3);
		ck_assert_int_eq(flush(), 0);
		if (i + 1 == cursor_at)
			ck_assert_int_eq(access_sync(t.access, true), 0);
	}
}

/* ---- files, in place ---- */

static inline struct bytes
get(const char *dir, const char *name)
{
	struct bytes b;
	b.p = unit_file_read(dir, name, &b.n);
	return b;
}

static inline void
put(const char *dir, const char *name, const struct bytes *b, size_t n)
{
	unit_file_write(dir, name, b->p, n);    /* truncates: the inode stays */
}

static inline void
append_bytes(const char *dir, const char *name, const char *p, size_t n)
{
	char path[UNIT_PATH + 64 + 64];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	FILE *f = fopen(path, "a");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(p, 1, n, f), n);
	fclose(f);
}

/* ---- what is in the files ---- */

static inline void
count_in(const char *name, int counts[LINES], int *others)
{
	char path[UNIT_PATH + 128];
	snprintf(path, sizeof path, "%s/%s", t.log, name);
	if (access(path, F_OK) != 0)
		return;
	size_t len;
	char *text = unit_file_read(t.log, name, &len), *p = text;
	unit_require(strlen(text) == len, "%s holds NUL bytes", name);
	for (char *lf; (lf = strchr(p, '\n')) != NULL; p = lf + 1) {
		uint64_t seq, id;
		*lf = '\0';
		if (sscanf(p, "2026-11-20T08:32:01Z t:%" SCNu64 " text-%" SCNu64 ".", &seq, &id) == 2 && id < LINES)
			counts[id]++;
		else
			++*others;
	}
	unit_require(*p == '\0', "%s ends in half a line: %s", name, p);
	free(text);
}

/* Lines from .. t.next - 1 stand in all files together once each, those before at most once. */
static inline void
assert_once(uint64_t from, const char *what, size_t at)
{
	int counts[LINES] = { 0 }, others = 0;
	count_in("access.log", counts, &others);
	count_in("access.log.1", counts, &others);
	for (uint64_t i = 1; i < LINES; i++) {
		bool there = i <= NUMBERED ? i < t.next && !t.numbered[i] : i - NUMBERED <= t.last_n;
		unit_require(counts[i] == there || (i < from && counts[i] == 0), "%s %zu: text-%" PRIu64 " is there %d times; %s",
		    what, at, i, counts[i], t.said);
	}
	unit_require(others == 0, "%s %zu: %d lines of nobody; %s", what, at, others, t.said);
}

/* A start after a kill, another one, and life goes on. */
static inline void
assert_recovers(uint64_t from, const char *what, size_t at)
{
	start();
	ck_assert_int_eq(flush(), 0);
	assert_once(from, what, at);
	kill_it();
	uint64_t was = t.next;
	for (int i = 0; i < 2; i++) {
		start();
		ck_assert_int_eq(flush(), 0);
		assert_once(from, what, at);
		add_lines(2);
		ck_assert_int_eq(flush(), 0);
		assert_once(from, what, at);
		kill_it();
	}
	t.next = was;
}

static inline void
add_case(Suite *s, const char *name, const TTest *test)
{
	TCase *c = unit_case(s, name);
	tcase_add_unchecked_fixture(c, make_folder, remove_folder);
	tcase_add_checked_fixture(c, NULL, tear_down);
	tcase_add_test(c, test);
}
#define ADD(test) add_case(s, #test, test)

#endif
