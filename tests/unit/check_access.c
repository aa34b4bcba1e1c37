/* SPDX-License-Identifier: MIT
 * check_access.c - access.log is brought up to the journal, whatever was done to either: every journaled line stands in the
 * log files once. */
#include "access_rig.h"

#include "store/lines.h"
#include "store/lineset.h"

/* ---- how a line looks ---- */

START_TEST(rendered)
{
	static const uint32_t skip[] = { 0, 2 };
	struct buf b = BUF_INIT;
	struct frame *f = frame_new("data", "sixteen-letters_", 1000);
	frame_add(f, "one", 3);
	frame_add(f, "\xc3\xa4\ttwo  ", 8);
	frame_add(f, "3", 1);
	f->h.epoch = 1;
	f->h.seq = INT64_MAX - 3;
	f->h.time_ms = 0;
	ck_assert(lines_render(&b, &f->h, f->body, NULL, 0));
	ck_assert_str_eq(unit_text(&b), "1970-01-01T00:00:00Z sixteen-letters_:9223372036854775804 one\n"
	    "1970-01-01T00:00:00Z sixteen-letters_:9223372036854775805 \xc3\xa4\ttwo  \n"
	    "1970-01-01T00:00:00Z sixteen-letters_:9223372036854775806 3\n");
	buf_clear(&b);
	f->h.seq = 0;
	f->h.time_ms = INT64_C(1795163521999);
	ck_assert(lines_render(&b, &f->h, f->body, skip, 2));
	ck_assert_str_eq(unit_text(&b), "2026-11-20T08:32:01Z sixteen-letters_:0 \xc3\xa4\ttwo  \n");
	buf_fini(&b);
	frame_drop(&f);
}
END_TEST

START_TEST(set_of_lines)
{
	char path[UNIT_PATH + 128], line[40];
	snprintf(path, sizeof path, "%s/x", t.log);
	ck_assert_ptr_null(lineset_load(path, 1000));
	unit_file_puts(t.log, "x", "");
	ck_assert_ptr_null(lineset_load(path, 1000));
	unit_file_puts(t.log, "x", "half");
	ck_assert_ptr_null(lineset_load(path, 1000));
	struct buf b = BUF_INIT;
	for (int i = 0; i < 50000; i++)
		buf_printf(&b, "line %d\n", i);
	unit_file_write(t.log, "x", buf_begin(&b), b.len);
	struct lineset *s = lineset_load(path, SIZE_MAX);
	for (int i = 0; i < 60000; i++) {
		int n = snprintf(line, sizeof line, "line %d\n", i);
		unit_require(lineset_has(s, line, (size_t)n) == (i < 50000), "line %d", i);
	}
	ck_assert(!lineset_has(s, "line 1", 6));
	lineset_free(&s);
	/* The end of the file only: what begins within it. */
	s = lineset_load(path, 3 * 11);
	ck_assert(lineset_has(s, "line 49999\n", 11));
	ck_assert(!lineset_has(s, "line 49990\n", 11));
	/* Of all of it only what is asked for. */
	struct lineset *only = NULL, *some = NULL;
	for (int i = 40000; i < 60000; i += 100) {
		int n = snprintf(line, sizeof line, "line %d\n", i);
		ck_assert(lineset_put(&only, line, (size_t)n));
	}
	lineset_add(&some, path, SIZE_MAX, only);
	for (int i = 0; i < 60000; i++) {
		int n = snprintf(line, sizeof line, "line %d\n", i);
		unit_require(lineset_has(some, line, (size_t)n) == (i >= 40000 && i < 50000 && i % 100 == 0), "line %d", i);
	}
	lineset_free(&only);
	lineset_free(&some);
	lineset_put(&only, "nobody's\n", 9);
	lineset_add(&some, path, SIZE_MAX, only);
	ck_assert_ptr_null(some);
	lineset_free(&only);
	unit_file_puts(t.log, "x", "other\n");
	lineset_add(&s, path, 1000, NULL);
	ck_assert(lineset_has(s, "other\n", 6) && lineset_has(s, "line 49999\n", 11));
	lineset_free(&s);
	buf_fini(&b);
}
END_TEST

/* ---- the end of the file ---- */

/* Where the third line from the end begins. */
static size_t
last_three(const struct bytes *b)
{
	size_t at = b->n - 1;
	for (int lines = 0; at > 0; at--)
		if (b->p[at - 1] == '\n' && ++lines == 3)
			break;
	return at;
}

/* Cut at every byte of its last three lines; there may be more behind the cut, and the cursor may be old or all but new. */
static void
cut_everywhere(const char *tail, size_t tail_size, bool aside)
{
	static const int cursors[] = { 0, 3, 6 };
	for (size_t k = 0; k < UNIT_COUNT(cursors); k++) {
		begin_again();
		build(8, cursors[k]);
		kill_it();
		struct bytes log = get(t.log, "access.log"), cursor = get(t.state, "cursor"), state = get(t.state,
		    "journal-0000000000000001");
		for (size_t at = last_three(&log); at <= log.n; at++) {
			put(t.log, "access.log", &log, at);
			put(t.state, "cursor", &cursor, cursor.n);
			put(t.state, "journal-0000000000000001", &state, state.n);
			append_bytes(t.log, "access.log", tail, tail_size);
			assert_recovers(1, "cut at", at);
			char path[UNIT_PATH + 128];
			snprintf(path, sizeof path, "%s/access.log.cut", t.log);
			if (aside) {
				struct bytes cut = get(t.log, "access.log.cut");
				ck_assert_msg(cut.n >= tail_size && memcmp(cut.p + cut.n - tail_size, tail, tail_size) == 0,
				    "cut at %zu: the tail is not kept", at);
				free(cut.p);
			}
			unlink(path);
		}
		free(log.p);
		free(cursor.p);
		free(state.p);
	}
}

START_TEST(cut_at_every_byte)
{
	cut_everywhere("", 0, false);
}
END_TEST

START_TEST(nul_bytes_behind)
{
	static const char nuls[5000];
	cut_everywhere(nuls, 1, false);
	cut_everywhere(nuls, sizeof nuls, false);
}
END_TEST

START_TEST(foreign_bytes_behind)
{
	cut_everywhere("nobody's line\n", 14, true);
	cut_everywhere("2026-11-20T08:32:01Z t:1 text-1999. \nhalf", 41, true);
}
END_TEST

/* ---- other files ---- */

static void
rename_log(void)
{
	char from[UNIT_PATH + 128], to[UNIT_PATH + 128];
	snprintf(from, sizeof from, "%s/access.log", t.log);
	snprintf(to, sizeof to, "%s/access.log.1", t.log);
	ck_assert_int_eq(rename(from, to), 0);
}

START_TEST(rotated)
{
	for (int cursor = 0; cursor <= 6; cursor += 2) {
		/* While it ran, with and without more behind it. */
		for (uint32_t more = 0; more < 3; more++) {
			begin_again();
			build(6, cursor);
			rename_log();
			ck_assert(access_moved(t.access));
			ck_assert_int_eq(access_reopen(t.access), 0);
			ck_assert(!access_moved(t.access));
			if (more != 0)
				add_lines(more);
			ck_assert_int_eq(flush(), 0);
			kill_it();
			assert_recovers(1, "rotated before the kill", (size_t)cursor);
		}
		/* Renamed, and killed before it knew. */
		begin_again();
		build(3, cursor);
		rename_log();
		build(3, 0);
		kill_it();
		assert_recovers(1, "renamed before the kill", (size_t)cursor);
		/* Afterwards, with half a line at its end. */
		for (size_t cut = 0; cut < 60; cut += 7) {
			begin_again();
			build(6, cursor);
			kill_it();
			struct bytes log = get(t.log, "access.log");
			if (cursor < 5)
				put(t.log, "access.log", &log, log.n - cut);
			free(log.p);
			rename_log();
			if (cut % 2 == 1)
				unit_file_puts(t.log, "access.log", "");
			assert_recovers(1, "rotated after the kill", cut);
		}
	}
}
END_TEST

/* copytruncate: a copy is made, then the file is cut to nothing; while it runs or while it does not. */
START_TEST(truncated)
{
	for (int running = 0; running < 2; running++) {
		for (int cursor = 0; cursor <= 6; cursor += 2) {
			begin_again();
			build(6, cursor);
			if (!running)
				kill_it();
			struct bytes log = get(t.log, "access.log");
			put(t.log, "access.log.1", &log, log.n);
			put(t.log, "access.log", &log, 0);
			free(log.p);
			if (running) {
				/* It looks before it writes on, and notes what it saw. */
				access_moved(t.access);
				add_lines(3);
				ck_assert_int_eq(flush(), 0);
				kill_it();
			}
			assert_recovers(1, running ? "truncated, running, cursor" : "truncated, cursor", (size_t)cursor);
		}
	}
}
END_TEST

/* What the operator took away is gone; what is behind the cursor is written, and nothing twice. */
START_TEST(deleted)
{
	for (int cursor = 0; cursor <= 6; cursor += 3) {
		char path[UNIT_PATH + 128];
		begin_again();
		build(cursor, cursor);
		uint64_t from = t.next;
		build(3, 0);
		kill_it();
		snprintf(path, sizeof path, "%s/access.log", t.log);
		ck_assert_int_eq(unlink(path), 0);
		assert_recovers(from, "deleted, cursor", (size_t)cursor);
	}
}
END_TEST

/* ---- the cursor ---- */

START_TEST(without_a_cursor)
{
	char path[UNIT_PATH + 128];
	snprintf(path, sizeof path, "%s/cursor", t.state);
	for (int twice = 0; twice < 2; twice++) {
		for (size_t cut = 0; cut < 120; cut += 13) {
			begin_again();
			build(6, 3);
			if (twice != 0) {
				rename_log();
				ck_assert_int_eq(access_reopen(t.access), 0);
				build(3, 0);
			}
			kill_it();
			struct bytes log = get(t.log, "access.log");
			put(t.log, "access.log", &log, log.n - cut);
			free(log.p);
			ck_assert_int_eq(unlink(path), 0);
			assert_recovers(1, "no cursor, cut", cut);
		}
	}
}
END_TEST

/* The journal was pruned beyond the cursor: in the file there are lines behind it that the journal has no more. The last write to
 * the file was cut off, too. */
START_TEST(pruned_beyond_the_cursor)
{
	for (int kept = 1; kept < 12; kept++) {
		for (size_t cut = 0; cut < 200; cut += 7) {
			begin_again();
			core_settings(t.core, CORE_SYNC_NONE, 200, 1000, 1 << 30, 300);
			build(2, 2);
			struct journal_pos cursor = access_from(t.access);
			build(10, 0);
			core_settings(t.core, CORE_SYNC_NONE, 200, 1000, kept * 300, 300);
			ck_assert(journal_pruned_beyond(t.state, cursor) || kept > 4);
			uint64_t first = streams_find(&t.core->streams, "t", EPOCH)->kept;
			kill_it();
			struct bytes log = get(t.log, "access.log");
			put(t.log, "access.log", &log, log.n - cut);
			free(log.p);
			/* What the journal has lost, and the file with it, is lost. */
			assert_recovers(cut == 0 ? 1 : first, "pruned, cut", cut);
		}
	}
}
END_TEST

START_TEST(torn_cursor)
{
	begin_again();
	build(4, 2);
	build(4, 2);
	kill_it();
	struct bytes cursor = get(t.state, "cursor"), log = get(t.log, "access.log");
	struct bytes journal = get(t.state, "journal-0000000000000001");
	for (size_t slot = 0; slot < 3; slot++) {
		for (size_t at = 0; at < 192; at += 5) {
			struct bytes bad = { malloc(cursor.n), cursor.n };
			memcpy(bad.p, cursor.p, cursor.n);
			memset(bad.p + (slot % 2) * 4096 + at, 0, 192 - at);
			if (slot == 2)
				memset(bad.p + 4096 + at, '9', 192 - at);
			put(t.state, "cursor", &bad, bad.n);
			put(t.log, "access.log", &log, log.n);
			put(t.state, "journal-0000000000000001", &journal, journal.n);
			assert_recovers(1, "cursor torn at", slot * 1000 + at);
			free(bad.p);
		}
	}
	free(cursor.p);
	free(log.p);
	free(journal.p);
}
END_TEST

/* The journal lost its end, and the others give it back: the lines are there already. */
START_TEST(journal_shorter_than_the_cursor)
{
	static const int cursors[] = { 0, 2, 5, 8 };
	for (size_t k = 0; k < UNIT_COUNT(cursors); k++) {
		begin_again();
		build(8, cursors[k]);
		kill_it();
		uint64_t next = t.next;
		struct bytes log = get(t.log, "access.log"), cursor = get(t.state, "cursor");
		struct bytes journal = get(t.state, "journal-0000000000000001");
		for (size_t n = 0; n < journal.n; n += 41) {
			put(t.log, "access.log", &log, log.n);
			put(t.state, "cursor", &cursor, cursor.n);
			put(t.state, "journal-0000000000000001", &journal, n);
			for (int again = 0; again < 2; again++) {
				start();
				ck_assert_int_eq(flush(), 0);
				/* From another member, cut up in another way. */
				for (uint64_t i = 1; again == 1 && i < next; i += 2)
					store(i, i + 1 < next ? 2 : 1, NULL, 0, i);
				ck_assert_int_eq(flush(), 0);
				if (again == 1)
					assert_once(1, "journal cut to", n);
				kill_it();
			}
			assert_recovers(1, "journal cut to", n);
		}
		free(log.p);
		free(cursor.p);
		free(journal.p);
	}
}
END_TEST

static void
add(Suite *s)
{
	ADD(rendered);
	ADD(set_of_lines);
	ADD(cut_at_every_byte);
	ADD(nul_bytes_behind);
	ADD(foreign_bytes_behind);
	ADD(rotated);
	ADD(truncated);
	ADD(deleted);
	ADD(without_a_cursor);
	ADD(pruned_beyond_the_cursor);
	ADD(torn_cursor);
	ADD(journal_shorter_than_the_cursor);
}

int
main(void)
{
	return unit_main("access", add);
}
