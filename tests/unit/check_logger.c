/* SPDX-License-Identifier: MIT
 * check_logger.c - access.log: each job once, in order, and told what is so; check_logger_disk.c has full disks,
 * check_logger_errors.c error.log. */
#include "daemon/logger.h"

#include <pthread.h>

#include "logger_rig.h"
#include "unit.h"

/* ---- access.log ---- */

START_TEST(lines_of_a_frame)
{
	struct entry a = { .calls = 0 }, b = a, c = a;
	begin();
	struct frame *f = frame_of("la", 1, "hello", 1);
	f->h.time_ms = INT64_C(1795163521999);
	put(&a, f);
	/* Of a peer's plain lines none has a number. */
	f = frame_new("plain", "sixteen-letters_", 100);
	frame_add(f, "one", 3);
	frame_add(f, "1 two", 5);
	put(&b, f);
	put(&c, frame_of("t", 1, "first", 2));
	wait_done(3);
	unit_assert_file(t.dir, "access.log",
	    "2026-11-20T08:32:01Z la:1 hello\n"
	    "1970-01-01T00:00:00Z sixteen-letters_:0 one\n"
	    "1970-01-01T00:00:00Z sixteen-letters_:0 1 two\n"
	    "2026-11-20T08:32:01Z t:1 first\n"
	    "2026-11-20T08:32:01Z t:2 first\n");
	assert_done(&a, "");
	assert_done(&b, "");
	assert_done(&c, "");
	ck_assert_uint_eq(c.job.upto, 2);
	logger_stop(t.logger);
	ck_assert_uint_eq(stats_get(&t.server.stats.logged), 5);
	char *log = read_log("error.log");
	ck_assert_str_eq(log, "");
	free(log);
	end();
}
END_TEST

/* Numbers with a gap before them wait for it; what is there twice is taken once. */
START_TEST(order_of_a_stream)
{
	struct entry e[5] = { { .calls = 0 } };
	begin();
	put(&e[0], frame_of("t", 3, "c", 1));
	wait_done(1);
	ck_assert_uint_eq(e[0].job.upto, 0);
	put(&e[1], frame_of("t", 1, "ab", 2));
	wait_done(2);
	ck_assert_uint_eq(e[1].job.upto, 3);
	put(&e[2], frame_of("t", 2, "again", 2));
	put(&e[3], frame_of("t", 2, "again", 3));
	wait_done(4);
	ck_assert_uint_eq(e[3].job.upto, 4);
	unit_assert_file(t.dir, "access.log", "2026-11-20T08:32:01Z t:1 ab\n2026-11-20T08:32:01Z t:2 ab\n"
	    "2026-11-20T08:32:01Z t:3 c\n2026-11-20T08:32:01Z t:4 again\n");
	stop_and_end();
}
END_TEST

/* Numbered clients: a number is logged once, whichever member it came through; what is known of them can be asked. */
START_TEST(numbered_clients)
{
	struct entry e[4] = { { .calls = 0 } };
	char token[] = "c";
	begin();
	for (int i = 0; i < 2; i++) {
		struct frame *f = frame_of(i == 0 ? "t" : "la", 1, "text", 3);
		ck_assert_ptr_nonnull(f);
		strcpy(f->h.client, "c");
		f->h.n = i == 0 ? 5 : 6;
		put(&e[i], f);
	}
	wait_done(2);
	e[2].job = (struct job){ .what = JOB_CLIENT, .text = token, .done = done };
	logger_put(t.logger, &e[2].job);
	wait_done(3);
	ck_assert_uint_eq(e[2].job.upto, 8);
	static const struct { const char *text; uint64_t other; } ask[] = {
		{ "c 6 text", 0 }, { "c 6 other", 1 }, { "c 9 other", 0 }, { "d 6 other", 0 }, { "c x other", 0 }, { "", 0 },
	};
	for (size_t i = 0; i < UNIT_COUNT(ask); i++) {
		char text[20];
		strcpy(text, ask[i].text);
		e[3].job = (struct job){ .what = JOB_OTHER, .text = text, .done = done };
		logger_put(t.logger, &e[3].job);
		wait_done(4 + (int)i);
		ck_assert_uint_eq(e[3].job.upto, ask[i].other);
	}
	logger_stop(t.logger);
	unit_assert_file(t.dir, "access.log", "2026-11-20T08:32:01Z t:1 text\n2026-11-20T08:32:01Z t:2 text\n"
	    "2026-11-20T08:32:01Z t:3 text\n2026-11-20T08:32:01Z la:3 text\n");
	ck_assert_uint_eq(stats_get(&t.server.stats.logged), 4);
	ck_assert_uint_eq(stats_get(&t.server.stats.again), 2);
	end();
}
END_TEST

/* What was told to be settled is there after a start, and nothing twice. */
START_TEST(after_a_restart)
{
	struct entry e;
	begin();
	for (uint64_t round = 1; round <= 5; round++) {
		put_text(&e, round % 2 == 1 ? 1 : 2, "text");
		wait_done((int)round);
		if (round % 2 == 1)
			continue;
		logger_stop(t.logger);
		logger_free(&t.logger);
		t.logger = open_logger(0);
		ck_assert_ptr_nonnull(t.logger);
		ck_assert_uint_eq(logger_last_epoch(t.logger), EPOCH + round / 2 - 1);
		logger_begin(t.logger, EPOCH + round / 2);
		start();
		strcpy(e.text, "");
		t.epoch = EPOCH + round / 2;
	}
	logger_stop(t.logger);
	char *log = read_log("access.log");
	ck_assert_int_eq(count_lines(log, " la:1 text"), 3);
	ck_assert_int_eq(count_lines(log, " la:2 text"), 2);
	ck_assert_int_eq(count_lines(log, ""), 5);
	free(log);
	end();
}
END_TEST

/* The frame is dropped, not freed under others. */
START_TEST(reference_of_a_job)
{
	struct entry e = { .calls = 0 };
	begin();
	struct frame *f = frame_ref(frame_of("la", 1, "text", 1));
	put(&e, f);
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
	static struct entry e[MOST];
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
	begin_with((struct rig_options){ .verbose = 0 });
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
		assert_done(&e[i], "");
		ck_assert_int_eq(e[i].number, i);
	}
	ck_assert_uint_eq(stats_get(&t.server.stats.logged), JOBS * LINES);
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
		struct frame *f = frame_of(s->order != NULL ? "la" : s->name, (uint64_t)i + 1, text, 1);
		text[s->text] = '.';
		if (f == NULL) {
			s->bad++;
			continue;
		}
		if (s->wait_room)
			logger_wait_room(t.logger);
		pthread_mutex_lock(&t.lock);
		t.given += f->h.bytes;
		if (t.given - t.finished > t.most)
			t.most = t.given - t.finished;
		pthread_cond_broadcast(&t.changed);
		pthread_mutex_unlock(&t.lock);
		if (s->order != NULL) {
			pthread_mutex_lock(s->order);
			f->h.seq = ++*s->next;
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
			unit_require(s[k].entries[i].calls == 1 && *s[k].entries[i].error == '\0' &&
			    s[k].entries[i].job.frame == NULL, "job %d of thread %d: %d calls, error %s", i, k,
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
		unit_require(one_order ? sscanf(p, "2026-11-20T08:32:01Z la:%" SCNu64 " t%u %d ", &seq, &who, &i) == 3 :
		    sscanf(p, "2026-11-20T08:32:01Z t%u:%" SCNu64 " t%u %d ", &again, &seq, &who, &i) == 4 && who == again,
		    "line %d: %s", lines, p);
		unit_require(who < THREADS, "line %d: %s", lines, p);
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
	ck_assert_uint_eq(stats_get(&t.server.stats.logged), (uint64_t)(THREADS * s[0].jobs));
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
	begin_with((struct rig_options){ .limit_bytes = LIMIT });
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

/* Who does not ask for room is not held up. */
START_TEST(put_does_not_wait)
{
	enum { MOST = 100 };
	static struct entry e[MOST];
	begin_with((struct rig_options){ .limit_bytes = 10 });
	gate(true);
	start();
	for (int i = 0; i < MOST; i++)
		put_text(&e[i], (uint64_t)i + 1, "some text");
	gate(false);
	wait_done(MOST);
	logger_wait_room(t.logger);
	for (int i = 0; i < MOST; i++)
		assert_done(&e[i], "");
	stop_and_end();
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
	UNIT_TEST(s, order_of_a_stream);
	UNIT_TEST(s, numbered_clients);
	UNIT_TEST(s, after_a_restart);
	UNIT_TEST(s, reference_of_a_job);
	UNIT_TEST(s, stands_there_before_it_is_done);
	UNIT_TEST(s, large_batches);
	UNIT_TEST(s, one_order_for_all);
	UNIT_TEST(s, each_thread_its_order);
	UNIT_TEST(s, room_bounds_memory);
	UNIT_TEST(s, put_does_not_wait);
	UNIT_TEST(s, stop);
}

int
main(void)
{
	return unit_main("logger", add);
}
