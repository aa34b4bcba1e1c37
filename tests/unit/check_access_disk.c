/* SPDX-License-Identifier: MIT
 * check_access_disk.c - access.log with much to be brought up at the start, on a disk that is full, or one that fails. */
#include "access_rig.h"

#include <sys/resource.h>

/* ---- more than is held in memory at the start ---- */

enum { BIG_FRAMES = 350, BIG_LINES = 400, BIG_TEXT = 490 };

static void
add_big_frames(int frames)
{
	for (int k = 0; k < frames; k++) {
		struct frame *f = frame_new("data", "t", BIG_LINES * (BIG_TEXT + 2));
		char text[BIG_TEXT];
		memset(text, 'x', sizeof text);
		for (int i = 0; i < BIG_LINES; i++)
			frame_add(f, text, sizeof text);
		f->h.epoch = EPOCH;
		f->h.seq = t.next;
		f->h.time_ms = INT64_C(1795163521000);
		t.next += BIG_LINES;
		frame_seal(f);
		core_frame(t.core, f, -1);
		frame_drop(&f);
		core_store(t.core, t.now);
	}
}

/* access.log holds the lines 1 .. t.next - 1 in their order; where the line at `line` begins. */
static size_t
assert_in_order(uint64_t line)
{
	struct bytes log = get(t.log, "access.log");
	size_t at = 0, found = 0;
	for (uint64_t i = 1; i < t.next; i++) {
		char head[64];
		int n = snprintf(head, sizeof head, "2026-11-20T08:32:01Z t:%" PRIu64 " x", i);
		unit_require(at + (size_t)n < log.n && memcmp(log.p + at, head, (size_t)n) == 0, "line %" PRIu64, i);
		if (i == line)
			found = at;
		at = (size_t)((char *)memchr(log.p + at, '\n', log.n - at) - log.p) + 1;
	}
	ck_assert_uint_eq(at, log.n);
	free(log.p);
	return found;
}

START_TEST(far_behind)
{
	char path[UNIT_PATH + 128];
	begin_again();
	add_big_frames(1);
	ck_assert_int_eq(flush(), 0);
	ck_assert_int_eq(access_sync(t.access, true), 0);
	add_big_frames(BIG_FRAMES);
	kill_it();
	start();
	size_t half = assert_in_order(t.next / 2);
	kill_it();
	/* The same without a cursor, and with half of it there. */
	snprintf(path, sizeof path, "%s/cursor", t.state);
	ck_assert_int_eq(unlink(path), 0);
	snprintf(path, sizeof path, "%s/access.log", t.log);
	ck_assert_int_eq(truncate(path, (off_t)half + 7), 0);
	start();
	assert_in_order(0);
}
END_TEST

/* ---- a disk that is full ---- */

static void
limit_files(rlim_t most)
{
	struct rlimit r;
	getrlimit(RLIMIT_FSIZE, &r);
	r.rlim_cur = most != 0 ? most : r.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &r), 0);
}

enum { MUCH = 300000 };

/* access.log begins with so much that it is the first to reach the limit. */
static void
begin_with_much(void)
{
	static char much[MUCH];
	begin_again();
	kill_it();
	remove_files(t.state);
	memset(much, 'm', sizeof much);
	for (size_t i = 99; i < sizeof much; i += 100)
		much[i] = '\n';
	unit_file_write(t.log, "access.log.1", "", 0);
	unit_file_write(t.log, "access.log", much, sizeof much);
	start();
}

static void
assert_without_much(const char *what, size_t at)
{
	struct bytes log = get(t.log, "access.log"), rest = { log.p + MUCH, log.n - MUCH };
	ck_assert_uint_ge(log.n, MUCH);
	put(t.log, "access.log", &rest, rest.n);
	assert_once(1, what, at);
	put(t.log, "access.log", &log, log.n);
	free(log.p);
}

/* Lines of a client among them, of which some had been logged under another number. */
START_TEST(full)
{
	for (size_t room = 0; room < 400; room += 11) {
		begin_with_much();
		build(3, 2);
		add_numbered(1, 3);
		ck_assert_int_eq(flush(), 0);
		limit_files(MUCH + 400 + room);
		int failed = 0;
		for (int i = 0; i < 6; i++) {
			add_lines(2);
			failed += flush() < 0;
			add_numbered(2 + (uint64_t)i, 3);
			add_numbered(1, 2);
			failed += i % 2 == 0 && flush() < 0;
		}
		ck_assert_int_gt(failed, 0);
		ck_assert(access_behind(t.access));
		/* Killed like that, or there is room again. */
		if (room % 2 == 0) {
			kill_it();
			limit_files(0);
			start();
		}
		limit_files(0);
		ck_assert_int_eq(flush(), 0);
		ck_assert(!access_behind(t.access));
		assert_without_much("room", room);
		add_numbered(1, 9);
		add_lines(1);
		ck_assert_int_eq(flush(), 0);
		kill_it();
		start();
		ck_assert_int_eq(flush(), 0);
		assert_without_much("room, and a start", room);
		kill_it();
	}
}
END_TEST

static bool sync_fails;

static int
sync_hook(int fd)
{
	(void)fd;
	errno = EIO;
	return sync_fails ? -1 : 0;
}

/* What the journal writes a second time, when the disk failed in between, is logged once. */
START_TEST(written_again_by_the_journal)
{
	journal_set_sync(sync_hook);
	for (int last = 0; last < 2; last++) {
		begin_with_much();
		build(3, 2);
		limit_files(MUCH + 400);
		for (int i = 0; i < 6; i++) {
			add_lines(2);
			flush();
		}
		ck_assert(access_behind(t.access));
		limit_files(0);
		sync_fails = true;
		ck_assert_int_lt(journal_sync(core_journal(t.core)), 0);
		sync_fails = false;
		ck_assert_int_eq(journal_sync(core_journal(t.core)), 0);
		if (last != 0) {
			kill_it();
			start();
		}
		ck_assert_int_eq(flush(), 0);
		assert_without_much("written again", (size_t)last);
		kill_it();
	}
	journal_set_sync(NULL);
}
END_TEST

static void
add(Suite *s)
{
	ADD(far_behind);
	ADD(full);
	ADD(written_again_by_the_journal);
}

int
main(void)
{
	signal(SIGXFSZ, SIG_IGN);
	return unit_main("access, disk", add);
}
