/* SPDX-License-Identifier: MIT
 * check_logger.c - access.log: each job once, in order, and told what is so; check_logger_errors.c has the rest. */
#include "daemon/logger.h"

#include <pthread.h>

#include "logger_rig.h"
#include "unit.h"

/* ---- access.log ---- */

START_TEST(lines_of_a_frame)
{
	struct entry a = { .calls = 0 }, b = a, c = a;
	begin();
	struct frame *f = frame_new("la", 100);
	f->seq = 4242;
	f->time_ms = INT64_C(1795163521999);
	frame_add(f, "hello", 5);
	frame_add(f, "two  words ", 11);
	frame_add(f, "\xc3\xa4\ttab", 6);
	put(&a, f);
	/* Of a peer's plain lines none has a number. */
	f = frame_new("sixteen-letters_", 100);
	f->time_ms = 0;
	frame_add(f, "one", 3);
	frame_add(f, "1 two", 5);
	put(&b, f);
	f = frame_new("x", 100);
	f->seq = UINT64_MAX;
	frame_add(f, "last", 4);
	put(&c, f);
	wait_done(3);
	unit_assert_file(t.dir, "access.log",
	    "2026-11-20T08:32:01Z la:4242 hello\n"
	    "2026-11-20T08:32:01Z la:4243 two  words \n"
	    "2026-11-20T08:32:01Z la:4244 \xc3\xa4\ttab\n"
	    "1970-01-01T00:00:00Z sixteen-letters_:0 one\n"
	    "1970-01-01T00:00:00Z sixteen-letters_:0 1 two\n"
	    "1970-01-01T00:00:00Z x:18446744073709551615 last\n");
	assert_done(&a, 0);
	assert_done(&b, 0);
	assert_done(&c, 0);
	logger_stop(t.logger);
	ck_assert_uint_eq(stats_get(&t.stats.logged), 6);
	ck_assert_uint_eq(stats_get(&t.stats.log_failed), 0);
	unit_assert_file(t.dir, "error.log", "");
	end();
}
END_TEST

/* The frame is dropped, not freed under others. */
START_TEST(reference_of_a_job)
{
	struct entry e = { .calls = 0 };
	begin();
	struct frame *f = frame_of("la", 1, "text", 1);
	put(&e, frame_ref(f));
	wait_done(1);
	logger_stop(t.logger);
	ck_assert_uint_eq(atomic_load(&f->refs), 1);
	frame_drop(&f);
	end();
}
END_TEST

/* A client that sees ok may forget: by then it stands there. */
START_TEST(stands_there_before_it_is_done)
{
	enum { MOST = 20 };
	struct entry e[MOST];
	begin();
	for (int i = 0; i < MOST; i++) {
		char text[32];
		snprintf(text, sizeof text, "text %d.", i);
		e[i] = (struct entry){ .look = true };
		snprintf(e[i].text, sizeof e[i].text, "%s\n", text);
		put(&e[i], frame_of("la", (uint64_t)i + 1, text, 1));
		if (i % 3 == 0)
			wait_done(i + 1);
	}
	wait_done(MOST);
	for (int i = 0; i < MOST; i++)
		ck_assert_msg(e[i].stands, "%d", i);
	stop_and_end();
}
END_TEST

/* More than fits into one write, handed over at once. */
START_TEST(large_batches)
{
	enum { JOBS = 30, LINES = 100 };
	static struct entry e[JOBS];
	char text[301];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	begin_with((struct logger_options){ .verbose = 0 });
	for (int i = 0; i < JOBS; i++) {
		e[i] = (struct entry){ .calls = 0 };
		put(&e[i], frame_of("la", (uint64_t)i * LINES + 1, text, LINES));
	}
	start();
	logger_stop(t.logger);
	char *log = unit_file_read(t.dir, "access.log", NULL), *p = log;
	for (int i = 1; i <= JOBS * LINES; i++) {
		char want[400];
		int n = snprintf(want, sizeof want, "2026-11-20T08:32:01Z la:%d %s\n", i, text);
		unit_require(strncmp(p, want, (size_t)n) == 0, "line %d: %.40s", i, p);
		p += n;
	}
	ck_assert_int_eq(*p, '\0');
	free(log);
	for (int i = 0; i < JOBS; i++) {
		assert_done(&e[i], 0);
		ck_assert_int_eq(e[i].number, i);
	}
	ck_assert_uint_eq(stats_get(&t.stats.logged), JOBS * LINES);
	end();
}
END_TEST

/* ---- many threads ---- */

enum { THREADS = 4, JOBS = 3000 };

struct sender {
	pthread_t        thread;
	char             name[16];
	int              jobs, bad;
	bool             wait_room, say;
	size_t           text;                  /* bytes of each */
	pthread_mutex_t *order;                 /* NULL: none among the threads */
	uint64_t        *next;                  /* under order */
	struct entry    *entries;
};

static void *
send_many(void *arg)
{
	struct sender *s = arg;
	char text[2000];
	memset(text, '.', sizeof text);
	for (int i = 0; i < s->jobs; i++) {
		snprintf(text, 32, "%s %d ", s->name, i);
		text[strlen(text)] = '.';
		text[s->text] = '\0';
		struct frame *f = frame_of(s->name, (uint64_t)i + 1, text, 1);
		text[s->text] = '.';
		if (f == NULL) {
			s->bad++;
			continue;
		}
		if (s->wait_room)
			logger_wait_room(t.logger);
		pthread_mutex_lock(&t.lock);
		t.given += f->size;
		if (t.given - t.finished > t.most)
			t.most = t.given - t.finished;
		pthread_cond_broadcast(&t.changed);
		pthread_mutex_unlock(&t.lock);
		if (s->order != NULL) {
			pthread_mutex_lock(s->order);
			f->seq = ++*s->next;
		}
		put(&s->entries[i], f);
		if (s->order != NULL)
			pthread_mutex_unlock(s->order);
		if (s->say)
			logger_say(t.logger, s->name, "after %d", i);
	}
	return NULL;
}

static void
start_senders(struct sender s[THREADS], struct sender like)
{
	for (int i = 0; i < THREADS; i++) {
		s[i] = like;
		snprintf(s[i].name, sizeof s[i].name, "t%d", i);
		s[i].entries = calloc((size_t)s[i].jobs, sizeof *s[i].entries);
		ck_assert_ptr_nonnull(s[i].entries);
	}
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&s[i].thread, NULL, send_many, &s[i]), 0);
}

static void
join_senders(struct sender s[THREADS])
{
	for (int i = 0; i < THREADS; i++) {
		pthread_join(s[i].thread, NULL);
		ck_assert_int_eq(s[i].bad, 0);
	}
}

/* Each job was done once and well. After logger_stop. */
static void
assert_all_done(struct sender s[THREADS])
{
	for (int k = 0; k < THREADS; k++) {
		for (int i = 0; i < s[k].jobs; i++)
			unit_require(s[k].entries[i].calls == 1 && s[k].entries[i].error == 0 &&
			    s[k].entries[i].job.frame == NULL, "job %d of thread %d: %d calls, error %d", i, k,
			    s[k].entries[i].calls, s[k].entries[i].error);
	}
	ck_assert_int_eq(t.done, THREADS * s[0].jobs);
}

static void
free_senders(struct sender s[THREADS])
{
	for (int i = 0; i < THREADS; i++)
		free(s[i].entries);
}

/* The lines in the file: each is whole, and each thread's come in its order. Returns how many there are. */
static int
check_lines(const struct sender s[THREADS], bool one_order)
{
	char *log = unit_file_read(t.dir, "access.log", NULL), *p = log;
	int next[THREADS] = { 0 }, lines = 0;
	for (char *lf; (lf = strchr(p, '\n')) != NULL; p = lf + 1) {
		unsigned who, again;
		int i;
		uint64_t seq;
		*lf = '\0';
		lines++;
		unit_require(sscanf(p, "2026-11-20T08:32:01Z t%u:%" SCNu64 " t%u %d ", &who, &seq, &again, &i) == 4 &&
		    who < THREADS && who == again, "line %d: %s", lines, p);
		unit_require(i == next[who], "line %d: %d of thread %u, not %d", lines, i, who, next[who]);
		next[who]++;
		unit_require(seq == (uint64_t)(one_order ? lines : i + 1), "line %d: number %" PRIu64, lines, seq);
		const char *text = strchr(strchr(p, ' ') + 1, ' ') + 1;
		unit_require(strlen(text) == s[who].text && text[s[who].text - 1] == '.', "line %d is not whole", lines);
	}
	ck_assert_int_eq(*p, '\0');
	free(log);
	return lines;
}

/* The order of logger_put is that of the file and of done; nothing is lost by a stop right behind the last. */
START_TEST(one_order_for_all)
{
	struct sender s[THREADS];
	pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
	uint64_t next = 0;
	begin();
	start_senders(s, (struct sender){ .jobs = unit_amount(JOBS), .text = 40, .order = &order, .next = &next });
	join_senders(s);
	logger_stop(t.logger);
	assert_all_done(s);
	ck_assert_int_eq(check_lines(s, true), THREADS * s[0].jobs);
	for (int k = 0; k < THREADS; k++)
		for (int i = 1; i < s[k].jobs; i++)
			unit_require(s[k].entries[i].number > s[k].entries[i - 1].number, "job %d of thread %d is done early", i, k);
	ck_assert_uint_eq(stats_get(&t.stats.logged), (uint64_t)(THREADS * s[0].jobs));
	free_senders(s);
	end();
}
END_TEST

/* Without an order among them each thread's own is kept; both logs are written at once. */
START_TEST(each_thread_its_order)
{
	struct sender s[THREADS];
	begin();
	start_senders(s, (struct sender){ .jobs = unit_amount(JOBS), .text = 100, .wait_room = true, .say = true });
	join_senders(s);
	logger_stop(t.logger);
	assert_all_done(s);
	ck_assert_int_eq(check_lines(s, false), THREADS * s[0].jobs);
	char *log = read_log("error.log");
	assert_form(log);
	ck_assert_int_eq(count_lines(log, " after "), THREADS * s[0].jobs);
	free(log);
	free_senders(s);
	end();
}
END_TEST

/* While the logger does not come along, no more than the limit is waiting, and one frame for each thread. */
START_TEST(room_bounds_memory)
{
	enum { LIMIT = 20000, TEXT = 998, SIZE = TEXT + 2 };
	struct sender s[THREADS];
	begin_with((struct logger_options){ .limit_bytes = LIMIT });
	gate(true);
	start();
	start_senders(s, (struct sender){ .jobs = unit_amount(500), .text = TEXT, .wait_room = true });
	/* They give until it is too much. */
	pthread_mutex_lock(&t.lock);
	while (t.given - t.finished <= LIMIT - SIZE || !t.in_gate)
		pthread_cond_wait(&t.changed, &t.lock);
	pthread_mutex_unlock(&t.lock);
	/* Then they wait, though there is time for more. */
	for (int64_t until = clock_mono_ms() + 50; clock_mono_ms() < until;)
		usleep(500);
	pthread_mutex_lock(&t.lock);
	size_t given = t.given;
	pthread_mutex_unlock(&t.lock);
	gate(false);
	join_senders(s);
	logger_stop(t.logger);
	ck_assert_uint_le(given, SIZE + LIMIT + THREADS * SIZE);
	ck_assert_uint_le(t.most, LIMIT + THREADS * SIZE);
	ck_assert_uint_ge(t.most, LIMIT);
	assert_all_done(s);
	ck_assert_int_eq(check_lines(s, false), THREADS * s[0].jobs);
	free_senders(s);
	end();
}
END_TEST

static void *
wait_for_room(void *early)
{
	logger_wait_room(t.logger);
	pthread_mutex_lock(&t.lock);
	*(bool *)early = t.gate_closed;
	pthread_mutex_unlock(&t.lock);
	return NULL;
}

/* All that wait go on when there is room, though none of them makes another one go on. */
START_TEST(room_for_all_who_wait)
{
	struct entry e[2];
	pthread_t thread[THREADS];
	bool early[THREADS] = { false };
	begin_with((struct logger_options){ .limit_bytes = 10 });
	gate(true);
	put_text(&e[0], 1, "more than ten bytes");
	put_text(&e[1], 2, "and more of them");
	start();
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, wait_for_room, &early[i]), 0);
	/* Time to begin waiting; who comes late need not wait. */
	for (int64_t until = clock_mono_ms() + 50; clock_mono_ms() < until;)
		usleep(500);
	gate(false);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		ck_assert(!early[i]);
	}
	stop_and_end();
}
END_TEST

/* Who does not ask for room is not held up. */
START_TEST(put_does_not_wait)
{
	enum { MOST = 100 };
	static struct entry e[MOST];
	begin_with((struct logger_options){ .limit_bytes = 10 });
	gate(true);
	start();
	for (int i = 0; i < MOST; i++)
		put_text(&e[i], (uint64_t)i + 1, "some text");
	gate(false);
	wait_done(MOST);
	logger_wait_room(t.logger);
	for (int i = 0; i < MOST; i++)
		assert_done(&e[i], 0);
	stop_and_end();
}
END_TEST

/* ---- a log that cannot be written ---- */

START_TEST(full_disk)
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
	put_text(&e[3], 4, "after");
	wait_done(4);
	logger_stop(t.logger);
	give_back_stderr();

	assert_done(&e[0], 0);
	assert_done(&e[1], EFBIG);
	assert_done(&e[2], EFBIG);
	assert_done(&e[3], 0);
	size_t len;
	char *access = unit_file_read(t.dir, "access.log", &len), *error = read_log("error.log"), *said = read_log("stderr");
	ck_assert_str_eq(access, "2026-11-20T08:32:01Z la:1 before\n");
	/* Behind the hole. */
	ck_assert_uint_gt(len, DISK - 10);
	ck_assert_str_eq(access + DISK - 10, "2026-11-20T08:32:01Z la:4 after\n");
	free(access);
	assert_form(error);
	ck_assert_int_eq(count_lines(error, "zogd cannot write "), 1);
	ck_assert_int_eq(count_lines(error, "access.log can be written again"), 1);
	ck_assert_int_eq(count_lines(said, "cannot write "), 1);
	ck_assert_int_eq(count_lines(said, "access.log can be written again"), 1);
	ck_assert_uint_eq(stats_get(&t.stats.logged), 2);
	ck_assert_uint_eq(stats_get(&t.stats.log_failed), 2);
	free(error);
	free(said);
	end();
}
END_TEST

/* What is told ok stands there, what is told an error does not: whatever fits. */
START_TEST(told_what_is_so)
{
	enum { MOST = 40 };
	static struct entry e[MOST];
	for (off_t room = 0; room < 2000; room += 97) {
		begin_with((struct logger_options){ .verbose = 0 });
		capture_stderr();
		leave_room("access.log", room);
		/* Some at once, then by and by. */
		for (int i = 0; i < MOST / 2; i++) {
			char text[40];
			snprintf(text, sizeof text, "text number %d.", i);
			put_text(&e[i], (uint64_t)i + 1, text);
		}
		start();
		for (int i = MOST / 2; i < MOST; i++) {
			char text[40];
			wait_done(i);
			snprintf(text, sizeof text, "text number %d.", i);
			put_text(&e[i], (uint64_t)i + 1, text);
		}
		wait_done(MOST);
		logger_stop(t.logger);
		free_disk();
		give_back_stderr();
		char *log = read_log("access.log");
		int good = 0;
		for (int i = 0; i < MOST; i++) {
			ck_assert_int_eq(e[i].calls, 1);
			ck_assert(e[i].error == 0 || e[i].error == EFBIG);
			ck_assert_int_eq(count_lines(log, e[i].text), e[i].error == 0);
			good += e[i].error == 0;
		}
		ck_assert_int_eq(count_lines(log, ""), good);
		ck_assert_uint_eq(stats_get(&t.stats.logged), (uint64_t)good);
		ck_assert_uint_eq(stats_get(&t.stats.log_failed), (uint64_t)(MOST - good));
		free(log);
		end();
	}
}
END_TEST

/* An error.log that is full is no reason not to go on; its lines are on stderr and counted. */
START_TEST(error_log_cannot_be_written)
{
	struct entry e;
	begin();
	capture_stderr();
	leave_room("error.log", 5);
	logger_say(t.logger, "zogd", "this is lost");
	logger_say(t.logger, "zogd", "and this");
	put_text(&e, 1, "good");
	wait_done(1);
	unit_wait(stats_get(&t.stats.error_lines_lost) == 2);
	free_disk();
	logger_say(t.logger, "zogd", "this is not");
	logger_stop(t.logger);
	give_back_stderr();
	assert_done(&e, 0);
	ck_assert_uint_eq(stats_get(&t.stats.logged), 1);
	ck_assert_uint_eq(stats_get(&t.stats.error_lines_lost), 2);
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

/* Started and stopped, with nothing to do and with all that may be left. */
START_TEST(stop)
{
	for (int round = 0; round < 20; round++) {
		enum { MOST = 50 };
		static struct entry e[MOST];
		begin();
		for (int i = 0; i < (round == 0 ? 0 : MOST); i++) {
			put_text(&e[i], (uint64_t)i + 1, "text");
			logger_say(t.logger, "zogd", "line");
		}
		logger_stop(t.logger);
		char *access = read_log("access.log"), *error = read_log("error.log");
		ck_assert_int_eq(count_lines(access, " text"), round == 0 ? 0 : MOST);
		ck_assert_int_eq(count_lines(error, " line"), round == 0 ? 0 : MOST);
		ck_assert_int_eq(t.done, round == 0 ? 0 : MOST);
		free(access);
		free(error);
		end();
	}
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, lines_of_a_frame);
	UNIT_TEST(s, reference_of_a_job);
	UNIT_TEST(s, stands_there_before_it_is_done);
	UNIT_TEST(s, large_batches);
	UNIT_TEST(s, one_order_for_all);
	UNIT_TEST(s, each_thread_its_order);
	UNIT_TEST(s, room_bounds_memory);
	UNIT_TEST(s, room_for_all_who_wait);
	UNIT_TEST(s, put_does_not_wait);
	UNIT_TEST(s, full_disk);
	UNIT_TEST(s, told_what_is_so);
	UNIT_TEST(s, error_log_cannot_be_written);
	UNIT_TEST(s, stop);
}

int
main(void)
{
	return unit_main("logger", add);
}
