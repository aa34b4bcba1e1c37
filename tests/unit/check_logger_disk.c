/* SPDX-License-Identifier: MIT
 * check_logger_disk.c - journal, access.log or error.log cannot be written: what is told, and what becomes of it. */
#include "daemon/logger.h"

#include "logger_rig.h"
#include "unit.h"

/* access.log alone: the journal has it, and the file is completed when it can be. */
START_TEST(access_log_is_full)
{
	struct entry e[4];
	begin();
	capture_stderr();
	put_text(&e[0], 1, "before");
	wait_done(1);
	leave_room("access.log", 10);
	put_text(&e[1], 2, "does not fit");
	wait_done(2);
	put_text(&e[2], 3, "neither does");
	wait_done(3);
	/* Said where it can still be said, once. */
	unit_wait(log_has("error.log", "access.log: File too large"));
	free_disk();
	/* By itself, though nothing more comes. */
	unit_wait(log_has("error.log", "access.log can be written again and is complete"));
	put_text(&e[3], 4, "after");
	wait_done(4);
	logger_stop(t.logger);
	give_back_stderr();

	for (int i = 0; i < 4; i++)
		assert_done(&e[i], "");
	size_t len;
	char *text = unit_file_read(t.dir, "access.log", &len), *error = read_log("error.log"), *said = read_log("stderr");
	ck_assert_str_eq(text, "2026-11-20T08:32:01Z la:1 before\n");
	/* Behind the hole. */
	ck_assert_uint_gt(len, DISK - 10);
	ck_assert_str_eq(text + DISK - 10, "2026-11-20T08:32:01Z la:2 does not fit\n"
	    "2026-11-20T08:32:01Z la:3 neither does\n2026-11-20T08:32:01Z la:4 after\n");
	free(text);
	assert_form(error);
	ck_assert_int_eq(count_lines(error, "zogd cannot write "), 1);
	ck_assert_int_eq(count_lines(error, "access.log can be written again"), 1);
	ck_assert_int_eq(count_lines(said, "cannot write "), 1);
	ck_assert_int_eq(count_lines(said, "access.log can be written again"), 1);
	free(error);
	free(said);
	end();
}
END_TEST

static off_t
size_of(const char *name)
{
	struct stat st;
	char path[UNIT_PATH + 128];
	unit_file_path(path, t.state, name);
	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_size;
}

/* What is told ok is in the journal and stands in access.log, what is told an error does not: whatever fits. When there is room
 * again nothing of it is lost or doubled. */
START_TEST(journal_is_full)
{
	enum { MOST = 20 };
	static struct entry e[MOST + 1];
	off_t room = _i * 197;
	begin_with((struct rig_options){ .verbose = 0 });
	start();
	/* Of a kind that access.log does not show: then the journal is the largest of all files. */
	struct frame *f = frame_new("filler", "t", FRAME_BODY_MAX);
	ck_assert_ptr_nonnull(f);
	for (char line[500] = { 0 }; f->h.bytes < FRAME_BODY_MAX - 1000;)
		frame_add(f, memset(line, 'f', sizeof line), sizeof line);
	f->h.epoch = f->h.seq = 1;
	put(&e[MOST], f);
	wait_done(1);
	t.done = 0;
	off_t limit = size_of("journal-0000000000000001") + 5500 + room;
	limit_disk((rlim_t)limit);
	int good = 0;
	for (int i = 0; i < MOST; i++) {
		char text[400];
		snprintf(text, sizeof text, "text number %2d.%0350d", i, 0);
		put_text(&e[i], (uint64_t)i + 1, text);
		text[15] = '\0';
		strcpy(e[i].text, text);
		wait_done(i + 1);
		ck_assert_int_eq(e[i].calls, 1);
		ck_assert(*e[i].error == '\0' || strcmp(e[i].error, "disk full") == 0);
		ck_assert_int_eq(log_has("access.log", e[i].text), *e[i].error == '\0');
		good += *e[i].error == '\0';
	}
	ck_assert_int_lt(good, MOST);
	ck_assert_int_gt(good, MOST / 2);
	unit_wait(logger_full(t.logger) != NULL);
	ck_assert_str_eq(logger_full(t.logger), "disk full");
	ck_assert_int_le(size_of("journal-0000000000000001"), limit);
	free_disk();
	unit_wait(logger_full(t.logger) == NULL);
	put_text(&e[MOST], MOST + 1, "last");
	wait_done(MOST + 1);
	assert_done(&e[MOST], "");
	logger_stop(t.logger);
	char *log = read_log("access.log"), *error = read_log("error.log");
	for (int i = 0; i <= MOST; i++)
		ck_assert_int_eq(count_lines(log, e[i].text), 1);
	ck_assert_int_eq(count_lines(log, ""), MOST + 1);
	ck_assert_int_eq(count_lines(error, "cannot write the journal: File too large"), 1);
	ck_assert_int_eq(count_lines(error, "the journal can be written again"), 1);
	free(log);
	free(error);
	end();
}
END_TEST

/* An error.log that is full is no reason not to go on; its lines are on stderr and counted. */
START_TEST(error_log_cannot_be_written)
{
	struct entry e;
	begin();
	capture_stderr();
	unit_wait(log_has("error.log", " zogd journal: "));
	leave_room("error.log", 5);
	logger_say(t.logger, "zogd", "this is lost");
	logger_say(t.logger, "zogd", "and this");
	put_text(&e, 1, "good");
	wait_done(1);
	unit_wait(stats_get(&t.server.stats.error_lines_lost) == 2);
	free_disk();
	logger_say(t.logger, "zogd", "this is not");
	logger_stop(t.logger);
	give_back_stderr();
	assert_done(&e, "");
	ck_assert_uint_eq(stats_get(&t.server.stats.logged), 1);
	ck_assert_uint_eq(stats_get(&t.server.stats.error_lines_lost), 2);
	char *said = read_log("stderr"), *log = read_log("error.log");
	ck_assert_int_eq(count_lines(log, ""), 1);
	ck_assert_int_eq(count_lines(log, " zogd this is not"), 1);
	ck_assert_int_eq(count_lines(said, "zogd this is lost"), 1);
	ck_assert_int_eq(count_lines(said, "zogd and this"), 1);
	ck_assert_int_eq(count_lines(said, "error.log: File too large"), 1);
	ck_assert_int_eq(count_lines(said, "error.log can be written again"), 1);
	free(said);
	free(log);
	end();
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, access_log_is_full);
	UNIT_LOOP(s, journal_is_full, 0, 6);
	UNIT_TEST(s, error_log_cannot_be_written);
}

int
main(void)
{
	return unit_main("logger_disk", add);
}
