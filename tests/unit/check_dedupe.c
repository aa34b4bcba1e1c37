/* SPDX-License-Identifier: MIT */
#include "petrichor/dedupe.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#include "helpers_rig.h"
#include "petrichor/keyed.h"

static int64_t now_ms;

static int64_t
test_clock(void *ctx)
{
	(void)ctx;
	return now_ms;
}

static struct pt_dedupe *
table(size_t capacity, size_t reply_bytes, int age_ms)
{
	struct pt_dedupe_options o = { capacity, reply_bytes, age_ms };
	struct pt_dedupe *d = pt_dedupe_new(&o);
	unit_require(d != NULL, "no memory");
	dedupe_set_clock(d, test_clock, NULL);
	return d;
}

/* A request of a peer, whose id and body are these texts. */
static enum pt_outcome
begin(struct pt_dedupe *d, const char *peer, const char *id, const char *text, struct pt_run *run)
{
	const struct pt_value header = DICT(PT_TEXT("pt.id"), PT_BYTES_OF(id, strlen(id)), PT_TEXT("op"), PT_TEXT("pay"));
	const struct pt_value body = PT_BYTES_OF(text, strlen(text));
	int e = pt_dedupe_begin(d, peer, strlen(peer), &header, &body, run);
	unit_require(e == PT_OK, "%s", pt_error_name(e));
	unit_require((run->reply != NULL) == (run->outcome == PT_REPLAY), "a reply for a replay alone");
	unit_require((run->dedupe != NULL) == (run->outcome == PT_NEW), "something to finish");
	return run->outcome;
}

/* The outcome alone; what is new goes on running. */
static enum pt_outcome
outcome(struct pt_dedupe *d, const char *peer, const char *id, const char *text)
{
	struct pt_run run;
	enum pt_outcome is = begin(d, peer, id, text, &run);
	free(run.reply);
	return is;
}

static void
finish(struct pt_run *run, const char *text)
{
	const struct pt_value header = DICT(PT_TEXT("ok"), PT_BOOL_OF(true)), body = PT_BYTES_OF(text, strlen(text));
	int e = pt_dedupe_finish(run, &header, &body);
	unit_require(e == PT_OK, "%s", pt_error_name(e));
}

static void
run_through(struct pt_dedupe *d, const char *peer, const char *id, const char *text)
{
	struct pt_run run;
	ck_assert_int_eq(begin(d, peer, id, text, &run), PT_NEW);
	finish(&run, text);
}

/* ---- the hash ---- */

START_TEST(hash_is_siphash)
{
	unsigned char bytes[64];
	uint64_t key[2] = { UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) };
	struct keyed k;
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (unsigned char)i;
	keyed_begin(&k, key);
	keyed_add(&k, bytes, 15);
	ck_assert_uint_eq(keyed_end(&k), UINT64_C(0xa129ca6149be45e5));         /* the example of its paper */
	for (size_t n = 0; n <= sizeof bytes; n++) {
		keyed_begin(&k, key);
		keyed_add(&k, bytes, n);
		uint64_t whole = keyed_end(&k);
		for (size_t cut = 0; cut <= n; cut++) {
			keyed_begin(&k, key);
			keyed_add(&k, bytes, cut);
			keyed_add(&k, bytes + cut, n - cut);
			unit_require(keyed_end(&k) == whole, "%zu of %zu", cut, n);
		}
	}
}
END_TEST

START_TEST(ids_are_random)
{
	char a[PT_ID_TEXT], b[PT_ID_TEXT];
	pt_id(a);
	pt_id(b);
	ck_assert_uint_eq(strlen(a), 32);
	ck_assert_uint_eq(strspn(a, "0123456789abcdef"), 32);
	ck_assert_str_ne(a, b);
}
END_TEST

/* ---- outcomes ---- */

START_TEST(all_outcomes)
{
	struct pt_dedupe *d = table(2, 40, 1000);
	struct pt_run run, other;
	char long_text[41];
	ck_assert_int_eq(begin(d, "p", "1", "x", &run), PT_NEW);
	ck_assert_int_eq(outcome(d, "p", "1", "x"), PT_RUNNING);
	ck_assert_int_eq(outcome(d, "p", "1", "y"), PT_REUSED);
	ck_assert_int_eq(begin(d, "p", "2", "x", &other), PT_NEW);
	ck_assert_int_eq(outcome(d, "p", "3", "x"), PT_FULL);
	finish(&run, "done");
	ck_assert_int_eq(begin(d, "p", "1", "x", &run), PT_REPLAY);
	ck_assert_mem_eq(run.reply, "12:2:ok,4:true!}4:done,", 23);
	ck_assert_uint_eq(run.header_size, 16);
	ck_assert_uint_eq(run.body_size, 7);
	free(run.reply);
	ck_assert_int_eq(outcome(d, "p", "1", "y"), PT_REUSED);
	memset(long_text, 'z', 40);
	long_text[40] = '\0';
	finish(&other, long_text);
	ck_assert_int_eq(outcome(d, "p", "2", "x"), PT_GONE);
	ck_assert_int_eq(outcome(d, "p", "2", "y"), PT_REUSED);
	pt_dedupe_free(&d);
	ck_assert_ptr_null(d);
	pt_dedupe_free(&d);
}
END_TEST

START_TEST(reply_of_just_the_size)
{
	/* 12:2:ok,4:true!} is 16, and 17:...17 bytes..., is 21 */
	for (size_t cap = 36; cap <= 37; cap++) {
		struct pt_dedupe *d = table(4, cap, 1000);
		struct pt_run run;
		begin(d, "p", "1", "x", &run);
		finish(&run, "12345678901234567");
		ck_assert_int_eq(outcome(d, "p", "1", "x"), cap == 37 ? PT_REPLAY : PT_GONE);
		pt_dedupe_free(&d);
	}
}
END_TEST

START_TEST(abort_forgets)
{
	struct pt_dedupe *d = table(1, 1000, 1000);
	struct pt_run run, copy;
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(begin(d, "p", "1", "x", &run), PT_NEW);
		copy = run;
		pt_dedupe_abort(&run);
		pt_dedupe_abort(&run);
		pt_dedupe_abort(&copy);
	}
	/* What is over stays so, whoever still has its ticket. */
	ck_assert_int_eq(begin(d, "p", "1", "x", &run), PT_NEW);
	ck_assert_int_eq(pt_dedupe_finish(&copy, NULL, NULL), PT_E_ARGUMENT);
	copy = run;
	finish(&run, "r");
	ck_assert_int_eq(pt_dedupe_finish(&run, NULL, NULL), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_dedupe_finish(&copy, NULL, NULL), PT_E_ARGUMENT);
	copy.dedupe = d;
	pt_dedupe_abort(&copy);
	ck_assert_int_eq(outcome(d, "p", "1", "x"), PT_REPLAY);
	/* Its place is another's by now. */
	ck_assert_int_eq(begin(d, "p", "2", "x", &run), PT_NEW);
	copy.dedupe = d;
	pt_dedupe_abort(&copy);
	ck_assert_int_eq(outcome(d, "p", "2", "x"), PT_RUNNING);
	pt_dedupe_free(&d);
}
END_TEST

START_TEST(reply_that_cannot_be_written)
{
	struct pt_dedupe *d = table(4, 1000, 1000);
	struct pt_value bad = PT_FLOAT_OF(NAN), list = PT_LIST_OF(NULL, 0);
	struct pt_run run;
	begin(d, "p", "1", "x", &run);
	ck_assert_int_eq(pt_dedupe_finish(&run, NULL, &bad), PT_E_ARGUMENT);
	ck_assert_int_eq(outcome(d, "p", "1", "x"), PT_GONE);
	begin(d, "p", "2", "x", &run);
	ck_assert_int_eq(pt_dedupe_finish(&run, &list, NULL), PT_E_ARGUMENT);
	ck_assert_int_eq(outcome(d, "p", "2", "x"), PT_GONE);
	begin(d, "p", "3", "x", &run);
	ck_assert_int_eq(pt_dedupe_finish(&run, NULL, NULL), PT_OK);
	ck_assert_int_eq(begin(d, "p", "3", "x", &run), PT_REPLAY);
	ck_assert_mem_eq(run.reply, "0:}0:,", 6);
	free(run.reply);
	pt_dedupe_free(&d);
}
END_TEST

/* ---- who and what ---- */

START_TEST(scoped_by_peer)
{
	struct pt_dedupe *d = table(16, 1000, 1000);
	run_through(d, "ab", "c", "x");
	ck_assert_int_eq(outcome(d, "a", "bc", "x"), PT_NEW);
	ck_assert_int_eq(outcome(d, "", "abc", "x"), PT_NEW);
	ck_assert_int_eq(outcome(d, "abc", "c", "x"), PT_NEW);
	ck_assert_int_eq(outcome(d, "ab", "c", "x"), PT_REPLAY);
	pt_dedupe_free(&d);
}
END_TEST

START_TEST(sizes_of_ids_and_peers)
{
	struct pt_dedupe *d = table(16, 1000, 1000);
	char text[300];
	struct pt_run run;
	memset(text, 'i', sizeof text);
	for (size_t n = 0; n <= 66; n++) {
		const struct pt_value header = DICT(PT_TEXT("pt.id"), PT_BYTES_OF(text, n));
		bool good = n >= 1 && n <= 64;
		ck_assert_int_eq(pt_dedupe_begin(d, "p", 1, &header, NULL, &run), good ? PT_OK : PT_E_ARGUMENT);
		ck_assert_int_eq(run.outcome == PT_NEW, good);
		pt_dedupe_abort(&run);
		ck_assert_int_eq(pt_dedupe_seen(d, "q", 1, text, n), good ? PT_NEW : PT_FULL);
	}
	const struct pt_value header = DICT(PT_TEXT("pt.id"), PT_TEXT("a\0b")), number = DICT(PT_TEXT("pt.id"), PT_INT_OF(7)),
	    none = DICT(PT_TEXT("pt.ie"), PT_TEXT("x"));
	ck_assert_int_eq(pt_dedupe_begin(d, text, 256, &header, NULL, &run), PT_OK);
	ck_assert_int_eq(pt_dedupe_begin(d, text, 257, &header, NULL, &run), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_dedupe_begin(d, "p", 1, &number, NULL, &run), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_dedupe_begin(d, "p", 1, &none, NULL, &run), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_dedupe_begin(d, "p", 1, NULL, NULL, &run), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_dedupe_seen(d, text, 257, "x", 1), PT_FULL);
	pt_dedupe_free(&d);
}
END_TEST

static enum pt_outcome
ask(struct pt_dedupe *d, struct pt_value header, struct pt_value body)
{
	struct pt_run run;
	ck_assert_int_eq(pt_dedupe_begin(d, "p", 1, &header, &body, &run), PT_OK);
	if (run.dedupe != NULL)
		ck_assert_int_eq(pt_dedupe_finish(&run, NULL, NULL), PT_OK);
	free(run.reply);
	return run.outcome;
}

#define ID PT_TEXT("pt.id"), PT_TEXT("7")

START_TEST(what_makes_it_the_same)
{
	struct pt_dedupe *d = table(16, 1000, 1000);
	struct pt_value x = PT_TEXT("x");
	ck_assert_int_eq(ask(d, V(DICT(ID, PT_TEXT("a"), PT_INT_OF(1), PT_TEXT("b"), PT_INT_OF(2))), x), PT_NEW);
	/* The order, and what the helpers put there, does not count. */
	ck_assert_int_eq(ask(d, V(DICT(PT_TEXT("b"), PT_INT_OF(2), ID, PT_TEXT("a"), PT_INT_OF(1))), x), PT_REPLAY);
	ck_assert_int_eq(ask(d, V(DICT(ID, PT_TEXT("a"), PT_INT_OF(1), PT_TEXT("b"), PT_INT_OF(2), PT_TEXT("pt.len"),
	    PT_INT_OF(2))), x), PT_REPLAY);
	struct pt_value frame = { .type = PT_FRAME, .bytes = { "1:x,", 4 } };
	ck_assert_int_eq(ask(d, V(DICT(ID, PT_TEXT("a"), PT_INT_OF(1), PT_TEXT("b"), PT_INT_OF(2))), frame), PT_REPLAY);
	/* All else does. */
	ck_assert_int_eq(ask(d, V(DICT(ID, PT_TEXT("a"), PT_INT_OF(1))), x), PT_REUSED);
	ck_assert_int_eq(ask(d, V(DICT(ID, PT_TEXT("a"), PT_INT_OF(1), PT_TEXT("b"), PT_TEXT("2"))), x), PT_REUSED);
	ck_assert_int_eq(ask(d, V(DICT(ID, PT_TEXT("a"), PT_INT_OF(1), PT_TEXT("b"), PT_INT_OF(2), PT_TEXT("pt"),
	    PT_INT_OF(2))), x), PT_REUSED);
	ck_assert_int_eq(ask(d, V(DICT(ID, PT_TEXT("a"), PT_INT_OF(1), PT_TEXT("b"), PT_INT_OF(2))), V(PT_TEXT("y"))),
	    PT_REUSED);
	ck_assert_int_eq(ask(d, V(DICT(ID, PT_TEXT("a"), PT_INT_OF(1), PT_TEXT("b"), PT_INT_OF(2))), V(PT_NULL_OF)),
	    PT_REUSED);
	pt_dedupe_free(&d);
}
END_TEST

/* ---- age and room ---- */

START_TEST(age_counts_from_the_end)
{
	struct pt_dedupe *d = table(4, 1000, 1000);
	struct pt_run run;
	now_ms = 5000;
	begin(d, "p", "1", "x", &run);
	now_ms = 1000000;
	ck_assert_int_eq(outcome(d, "p", "1", "x"), PT_RUNNING);
	finish(&run, "r");
	now_ms += 999;
	ck_assert_int_eq(outcome(d, "p", "1", "x"), PT_REPLAY);
	now_ms += 1;
	ck_assert_int_eq(outcome(d, "p", "1", "x"), PT_NEW);
	pt_dedupe_free(&d);
	d = table(4, 1000, -1);
	run_through(d, "p", "1", "x");
	now_ms += INT64_C(1) << 40;
	ck_assert_int_eq(outcome(d, "p", "1", "x"), PT_REPLAY);
	pt_dedupe_free(&d);
}
END_TEST

START_TEST(oldest_make_room_running_never)
{
	struct pt_dedupe *d = table(3, 1000, 1000);
	struct pt_run a, b;
	begin(d, "p", "a", "x", &a);
	begin(d, "p", "b", "x", &b);
	run_through(d, "p", "1", "x");
	run_through(d, "p", "2", "x");          /* instead of 1 */
	ck_assert_int_eq(outcome(d, "p", "a", "x"), PT_RUNNING);
	ck_assert_int_eq(outcome(d, "p", "b", "x"), PT_RUNNING);
	ck_assert_int_eq(outcome(d, "p", "2", "x"), PT_REPLAY);
	finish(&b, "r");                        /* done in the order 2, b */
	run_through(d, "p", "3", "x");
	ck_assert_int_eq(outcome(d, "p", "b", "x"), PT_REPLAY);
	ck_assert_int_eq(outcome(d, "p", "3", "x"), PT_REPLAY);
	ck_assert_int_eq(outcome(d, "p", "2", "x"), PT_NEW);    /* runs on, instead of b */
	ck_assert_int_eq(outcome(d, "p", "4", "x"), PT_NEW);    /* instead of 3 */
	ck_assert_int_eq(outcome(d, "p", "5", "x"), PT_FULL);
	pt_dedupe_abort(&a);
	ck_assert_int_eq(outcome(d, "p", "5", "x"), PT_NEW);
	pt_dedupe_free(&d);
}
END_TEST

START_TEST(one_way)
{
	struct pt_dedupe *d = table(2, 1000, 1000);
	struct pt_run run;
	ck_assert_int_eq(pt_dedupe_seen(d, "p", 1, "1", 1), PT_NEW);
	ck_assert_int_eq(pt_dedupe_seen(d, "p", 1, "1", 1), PT_GONE);
	ck_assert_int_eq(pt_dedupe_seen(d, "q", 1, "1", 1), PT_NEW);
	now_ms += 1000;
	ck_assert_int_eq(pt_dedupe_seen(d, "p", 1, "1", 1), PT_NEW);
	begin(d, "p", "a", "x", &run);
	begin(d, "p", "b", "x", &run);
	ck_assert_int_eq(pt_dedupe_seen(d, "p", 1, "2", 1), PT_FULL);
	pt_dedupe_free(&d);
}
END_TEST

/* ---- beside a model: a plain list, the one done first at its head ---- */

enum { MODEL_IDS = 12, MODEL_CAPACITY = 5, MODEL_AGE = 50 };

struct model {
	struct {
		bool          running, done;
		char          text;
		int64_t       done_ms, order;
		struct pt_run run;
	} id[MODEL_IDS];
	int64_t order;
};

static enum pt_outcome
model_begin(struct model *m, unsigned id, char text)
{
	int count = 0, oldest = -1;
	for (int i = 0; i < MODEL_IDS; i++) {
		if (m->id[i].done && now_ms - m->id[i].done_ms >= MODEL_AGE)
			m->id[i].done = false;
		count += m->id[i].running || m->id[i].done;
		if (m->id[i].done && (oldest < 0 || m->id[i].order < m->id[oldest].order))
			oldest = i;
	}
	if (m->id[id].running || m->id[id].done)
		return m->id[id].text != text ? PT_REUSED : m->id[id].running ? PT_RUNNING : PT_REPLAY;
	if (count == MODEL_CAPACITY) {
		if (oldest < 0)
			return PT_FULL;
		m->id[oldest].done = false;
	}
	m->id[id].running = true;
	m->id[id].text = text;
	return PT_NEW;
}

static void
model_step(struct pt_dedupe *d, struct model *m, uint64_t *seed)
{
	unsigned id = unit_below(seed, MODEL_IDS);
	char name[2] = { (char)('a' + id), '\0' }, text[2] = { "xxxxy"[unit_below(seed, 5)], '\0' };
	now_ms += unit_below(seed, 8);
	if (m->id[id].running && unit_below(seed, 2) == 0) {
		m->id[id].running = false;
		if (unit_below(seed, 4) == 0) {
			pt_dedupe_abort(&m->id[id].run);
			return;
		}
		finish(&m->id[id].run, name);
		m->id[id].done = true;
		m->id[id].done_ms = now_ms;
		m->id[id].order = m->order++;
		return;
	}
	struct pt_run run;
	enum pt_outcome want = model_begin(m, id, text[0]), is = begin(d, "p", name, text, &run);
	unit_require(is == want, "%d, not %d", is, want);
	if (is == PT_NEW)
		m->id[id].run = run;
	if (is == PT_REPLAY)
		unit_require(run.body_size == 4 && run.reply[run.header_size + 2] == name[0], "another's reply");
	free(run.reply);
}

START_TEST(beside_a_model)
{
	uint64_t seed = unit_seed("beside_a_model");
	for (int round = 0; round < 20; round++) {
		struct pt_dedupe *d = table(MODEL_CAPACITY, 1000, MODEL_AGE);
		struct model m = { .order = 0 };
		for (int i = unit_amount(5000); i > 0; i--)
			model_step(d, &m, &seed);
		pt_dedupe_free(&d);
	}
}
END_TEST

/* ---- threads ---- */

enum { THREADS = 8, REQUESTS = 400 };

struct many {
	struct pt_dedupe *d;
	atomic_int        runs[REQUESTS], wrong, number;
};

static void *
send_all(void *arg)
{
	struct many *m = arg;
	uint64_t seed = (uint64_t)atomic_fetch_add(&m->number, 1);
	for (int left = REQUESTS; left > 0;) {
		char id[16];
		/* About the same ones at the same time, and again until there is a reply. */
		unsigned i = (unsigned)(REQUESTS - left);
		if (i > 9 && unit_below(&seed, 4) == 0)
			i -= unit_below(&seed, 9);
		snprintf(id, sizeof id, "%u", i);
		const struct pt_value body = PT_BYTES_OF(id, strlen(id)), header = DICT(PT_TEXT("pt.id"), body);
		struct pt_run run;
		if (pt_dedupe_begin(m->d, "p", 1, &header, &body, &run) != PT_OK) {
			atomic_fetch_add(&m->wrong, 1);
		} else if (run.outcome == PT_NEW && unit_below(&seed, 8) == 0) {
			pt_dedupe_abort(&run);
			continue;
		} else if (run.outcome == PT_NEW) {
			atomic_fetch_add(&m->runs[i], 1);
			pt_dedupe_finish(&run, NULL, &body);
		} else if (run.outcome == PT_REPLAY) {
			size_t n = strlen(id);
			if (run.body_size != n + 3 || memcmp(run.reply + run.header_size + 2, id, n) != 0)
				atomic_fetch_add(&m->wrong, 1);
		} else if (run.outcome != PT_RUNNING) {
			atomic_fetch_add(&m->wrong, 1);
		}
		free(run.reply);
		if (run.outcome != PT_RUNNING)
			left--;
	}
	return NULL;
}

START_TEST(shared_by_threads)
{
	static struct many m;
	pthread_t thread[THREADS];
	m.d = table(REQUESTS, 1000, 1000000);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, send_all, &m), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	ck_assert_int_eq(m.wrong, 0);
	int most = 0, total = 0;
	for (int i = 0; i < REQUESTS; i++) {
		most = m.runs[i] > most ? m.runs[i] : most;
		total += m.runs[i];
	}
	ck_assert_int_eq(most, 1);
	ck_assert_int_gt(total, REQUESTS / 2);
	pt_dedupe_free(&m.d);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, hash_is_siphash);
	UNIT_TEST(s, ids_are_random);
	UNIT_TEST(s, all_outcomes);
	UNIT_TEST(s, reply_of_just_the_size);
	UNIT_TEST(s, abort_forgets);
	UNIT_TEST(s, reply_that_cannot_be_written);
	UNIT_TEST(s, scoped_by_peer);
	UNIT_TEST(s, sizes_of_ids_and_peers);
	UNIT_TEST(s, what_makes_it_the_same);
	UNIT_TEST(s, age_counts_from_the_end);
	UNIT_TEST(s, oldest_make_room_running_never);
	UNIT_TEST(s, one_way);
	UNIT_TEST(s, beside_a_model);
	UNIT_TEST(s, shared_by_threads);
}

int
main(void)
{
	return unit_main("dedupe", add);
}
