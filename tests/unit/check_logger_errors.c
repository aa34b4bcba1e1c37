/* SPDX-License-Identifier: MIT
 * check_logger_errors.c - error.log: its lines, what is held back and what is let go; and both files by name. */
#include "daemon/logger.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>

#include "logger_rig.h"
#include "unit.h"

/* ---- error.log ---- */

static struct addr
address(const char *text, uint16_t port)
{
	struct addr a;
	unsigned char bytes[4];
	ck_assert_int_eq(inet_pton(AF_INET, text, bytes), 1);
	addr_from_bytes(&a, AF_INET, bytes);
	addr_set_port(&a, port);
	return a;
}

START_TEST(bad_messages)
{
	struct addr a = address("127.0.0.1", 51234);
	char flood[500];
	memset(flood, 'y', sizeof flood);
	begin();
	logger_bad(t.logger, &a, "control character", "a\0b\n2026-11-20T08:32:01Z la:1 forged\x1b[2J\\", 41);
	logger_bad(t.logger, &a, "line too long", flood, 64);
	logger_bad(t.logger, &a, "line too long", flood, sizeof flood);
	logger_bad(t.logger, &a, "empty line", "", 0);
	logger_stop(t.logger);
	char *log = read_log("error.log");
	assert_form(log);
	ck_assert_int_eq(count_lines(log, ""), 4);
	ck_assert_ptr_nonnull(strstr(log, "Z 127.0.0.1:51234 control character: "
	    "a\\x00b\\x0a2026-11-20T08:32:01Z la:1 forged\\x1b[2J\\\\\n"));
	/* The first 64 bytes, and whether there was more. */
	char want[200];
	snprintf(want, sizeof want, "Z 127.0.0.1:51234 line too long: %.64s\n", flood);
	ck_assert_ptr_nonnull(strstr(log, want));
	snprintf(want, sizeof want, "Z 127.0.0.1:51234 line too long: %.64s...\n", flood);
	ck_assert_ptr_nonnull(strstr(log, want));
	ck_assert_ptr_nonnull(strstr(log, "Z 127.0.0.1:51234 empty line: \n"));
	ck_assert_uint_eq(stats_get(&t.server.stats.bad), 4);
	free(log);
	end();
}
END_TEST

/* How many are told in lines "N more suppressed". */
static int
suppressed(const char *log, const char *part)
{
	int sum = 0, n;
	for (const char *p = log; (p = strstr(p, part)) != NULL; p++)
		if (sscanf(p + strlen(part), "%d more suppressed\n", &n) == 1)
			sum += n;
	return sum;
}

/* A sender is its address, whatever its port; the counters stay exact. */
START_TEST(suppression)
{
	struct addr a = address("127.0.0.1", 1), again = address("127.0.0.1", 2), b = address("127.0.0.2", 1);
	for (;;) {
		begin_with((struct rig_options){ .error_lines = 10 });
		start();
		int64_t began = clock_mono_ms();
		for (int i = 0; i < 25; i++)
			logger_bad(t.logger, i % 2 == 0 ? &a : &again, "empty line", "", 0);
		for (int i = 0; i < 12; i++)
			logger_bad(t.logger, &a, "bad UTF-8", "\xff", 1);
		for (int i = 0; i < 3; i++)
			logger_bad(t.logger, &b, "empty line", "", 0);
		logger_limited(t.logger, &b, "refused", "not a member");
		bool one_second = clock_mono_ms() - began < 1000;
		logger_stop(t.logger);          /* tells the rest */
		char *log = read_log("error.log");
		assert_form(log);
		int empty = count_lines(log, " 127.0.0.1:1 empty line: ") + count_lines(log, " 127.0.0.1:2 empty line: ");
		int utf8 = count_lines(log, " 127.0.0.1:1 bad UTF-8: ");
		ck_assert_int_eq(empty + suppressed(log, " 127.0.0.1 empty line: "), 25);
		ck_assert_int_eq(utf8 + suppressed(log, " 127.0.0.1 bad UTF-8: "), 12);
		ck_assert_int_eq(count_lines(log, " 127.0.0.2:1 empty line: "), 3);
		ck_assert_ptr_nonnull(strstr(log, " 127.0.0.2:1 not a member\n"));
		ck_assert_uint_eq(stats_get(&t.server.stats.bad), 40);
		if (one_second) {
			ck_assert_int_eq(empty, 10);
			ck_assert_int_eq(utf8, 10);
			ck_assert_int_eq(count_lines(log, " 127.0.0.1 empty line: 15 more suppressed"), 1);
			ck_assert_int_eq(count_lines(log, " 127.0.0.1 bad UTF-8: 2 more suppressed"), 1);
		}
		free(log);
		end();
		if (one_second)
			break;
	}
}
END_TEST

/* When the second is over it is told, though nothing else comes. */
START_TEST(suppression_is_told_by_itself)
{
	struct addr a = address("127.0.0.1", 1);
	begin_with((struct rig_options){ .error_lines = 1 });
	start();
	for (int i = 0; i < 5; i++)
		logger_bad(t.logger, &a, "empty line", "", 0);
	unit_wait(log_has("error.log", " more suppressed\n"));
	stop_and_end();
}
END_TEST

START_TEST(verbosity)
{
	for (int verbose = 0; verbose <= 2; verbose++) {
		begin_with((struct rig_options){ .verbose = verbose });
		capture_stderr();
		start();
		logger_say(t.logger, "zogd", "said %d", 7);
		logger_debug(t.logger, "127.0.0.1:5", "detail");
		logger_stop(t.logger);
		give_back_stderr();
		char *log = read_log("error.log"), *said = read_log("stderr");
		assert_form(log);
		ck_assert_int_eq(count_lines(log, "Z zogd said 7"), 1);
		ck_assert_int_eq(count_lines(log, "Z 127.0.0.1:5 detail"), verbose == 2);
		ck_assert_str_eq(said, verbose > 0 ? log : "");
		free(log);
		free(said);
		end();
	}
}
END_TEST

/* What comes faster than it can be written is let go at some point, and counted. */
START_TEST(flood_of_error_lines)
{
	enum { LINES = 20000 };
	char text[100];
	memset(text, 'f', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	begin();
	/* Nobody writes: the thread is held. */
	struct entry e;
	gate(true);
	put_text(&e, 1, "gate");
	pthread_mutex_lock(&t.lock);
	while (!t.in_gate)
		pthread_cond_wait(&t.changed, &t.lock);
	pthread_mutex_unlock(&t.lock);
	for (int i = 0; i < LINES; i++)
		logger_say(t.logger, "zogd", "%s", text);
	gate(false);
	logger_stop(t.logger);
	char *log = read_log("error.log");
	int lines = count_lines(log, text);
	uint64_t lost = stats_get(&t.server.stats.error_lines_lost);
	ck_assert_int_gt(lines, 5000);
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_eq((uint64_t)lines + lost, LINES);
	snprintf(text, sizeof text, "Z zogd %" PRIu64 " lines did not fit here\n", lost);
	ck_assert_ptr_nonnull(strstr(log, text));
	free(log);
	end();
}
END_TEST

/* ---- files ---- */

START_TEST(reopened)
{
	struct entry e[2];
	char from[UNIT_PATH + 64], to[UNIT_PATH + 64];
	begin();
	logger_say(t.logger, "zogd", "first");
	put_text(&e[0], 1, "one");
	wait_done(1);
	unit_wait(log_has("error.log", "first\n"));
	for (int i = 0; i < 2; i++) {
		unit_file_path(from, t.dir, i == 0 ? "access.log" : "error.log");
		unit_file_path(to, t.dir, i == 0 ? "access.log.1" : "error.log.1");
		ck_assert_int_eq(rename(from, to), 0);
	}
	logger_reopen(t.logger);
	/* Soon, though there is nothing to write. */
	unit_wait(access(from, F_OK) == 0);
	put_text(&e[1], 2, "two");
	logger_say(t.logger, "zogd", "second");
	logger_stop(t.logger);
	unit_assert_file(t.dir, "access.log.1", "2026-11-20T08:32:01Z la:1 one\n");
	unit_assert_file(t.dir, "access.log", "2026-11-20T08:32:01Z la:2 two\n");
	char *old = read_log("error.log.1"), *new = read_log("error.log");
	ck_assert_int_eq(count_lines(old, " first"), 1);
	ck_assert_int_eq(count_lines(old, ""), 1);
	ck_assert_int_eq(count_lines(new, " second"), 1);
	ck_assert_int_eq(count_lines(new, ""), 1);
	free(old);
	free(new);
	end();
}
END_TEST

/* What a power cut leaves is not glued to the next line. */
START_TEST(torn)
{
	static const char left[] = "2026-11-20T08:32:01Z zogd whole\n2026-11-20T08:3\0\0\0\0\0";
	begin_with((struct rig_options){ .verbose = 0 });
	logger_free(&t.logger);
	unit_file_write(t.dir, "error.log", left, sizeof left);
	t.logger = open_logger(0);
	start();
	logger_say(t.logger, "zogd", "next");
	logger_stop(t.logger);
	size_t n;
	char *log = unit_file_read(t.dir, "error.log", &n);
	ck_assert_uint_eq(strlen(log), n);
	assert_form(log);
	ck_assert_int_eq(count_lines(log, " whole"), 1);
	ck_assert_int_eq(count_lines(log, " next"), 1);
	free(log);
	end();
}
END_TEST

/* Nobody told us: noticed with one of the next lines. */
START_TEST(deleted)
{
	enum { MOST = 100000 };
	static struct entry e[MOST];
	char path[UNIT_PATH + 64];
	int n = 0;
	begin();
	put_text(&e[n++], 1, "one");
	wait_done(n);
	unit_file_path(path, t.dir, "access.log");
	ck_assert_int_eq(unlink(path), 0);
	/* It looks once a second, when it has something to do. */
	unit_wait((put_text(&e[n], (uint64_t)n + 1, "more"), wait_done(++n), n == MOST || access(path, F_OK) == 0));
	put_text(&e[0], (uint64_t)n + 1, "last");
	wait_done(n + 1);
	ck_assert(log_has("access.log", " last\n"));
	logger_stop(t.logger);
	ck_assert(log_has("error.log", "a log is not the file we write to any more: both are opened anew\n"));
	end();
}
END_TEST

START_TEST(old_files_stay_when_reopening_fails)
{
	struct entry e[2];
	char from[UNIT_PATH + 64], to[UNIT_PATH + 64];
	begin();
	capture_stderr();
	put_text(&e[0], 1, "one");
	wait_done(1);
	unit_file_path(from, t.dir, "access.log");
	unit_file_path(to, t.dir, "access.log.1");
	ck_assert_int_eq(rename(from, to), 0);
	ck_assert_int_eq(symlink("/dev/null", from), 0);
	logger_reopen(t.logger);
	unit_wait(log_has("error.log", "going on with the old file"));
	put_text(&e[1], 2, "two");
	logger_stop(t.logger);
	give_back_stderr();
	assert_done(&e[1], "");
	unit_assert_file(t.dir, "access.log.1", "2026-11-20T08:32:01Z la:1 one\n2026-11-20T08:32:01Z la:2 two\n");
	ck_assert(log_has("stderr", "cannot reopen "));
	end();
}
END_TEST

/* What cannot be opened is said by name, and why. */
START_TEST(cannot_open)
{
	static const struct { const char *name, *why; int kind; } table[] = {
		{ "access.log", "Is a directory", 'd' }, { "error.log", "Is a directory", 'd' },
		{ "access.log", "Too many levels of symbolic links", 'l' },
		{ "error.log", "Too many levels of symbolic links", 'l' },
		{ "access.log", "not a regular file", 'p' }, { "error.log", "not a regular file", 'p' },
	};
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		char path[UNIT_PATH + 64], want[2 * UNIT_PATH + 200];
		int reader = -1;
		begin_with((struct rig_options){ .verbose = 0 });
		logger_free(&t.logger);
		unit_file_path(path, t.dir, table[i].name);
		ck_assert_int_eq(unlink(path), 0);
		if (table[i].kind == 'd') {
			ck_assert_int_eq(mkdir(path, 0700), 0);
		} else if (table[i].kind == 'l') {
			ck_assert_int_eq(symlink("elsewhere", path), 0);
		} else {
			ck_assert_int_eq(mkfifo(path, 0600), 0);
			reader = open(path, O_RDONLY | O_NONBLOCK);
		}
		capture_stderr();
		struct logger *l = open_logger(0);
		give_back_stderr();
		ck_assert_ptr_null(l);
		if (*table[i].name == 'e')
			snprintf(want, sizeof want, "cannot open %s: %s\n", path, table[i].why);
		else
			snprintf(want, sizeof want, "cannot open access.log in %s, or its cursor in %s: %s\n", t.dir, t.state,
			    table[i].why);
		char *said = read_log("stderr");
		ck_assert_int_eq(count_lines(said, ""), 1);
		ck_assert_msg(strstr(said, want) != NULL, "%s", said);
		free(said);
		if (reader >= 0)
			close(reader);
		end();
	}
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, bad_messages);
	UNIT_TEST(s, suppression);
	UNIT_TEST(s, suppression_is_told_by_itself);
	UNIT_TEST(s, verbosity);
	UNIT_TEST(s, flood_of_error_lines);
	UNIT_TEST(s, reopened);
	UNIT_TEST(s, torn);
	UNIT_TEST(s, deleted);
	UNIT_TEST(s, old_files_stay_when_reopening_fails);
	UNIT_TEST(s, cannot_open);
}

int
main(void)
{
	return unit_main("logger_errors", add);
}
