/* SPDX-License-Identifier: MIT */
#include "store/seen.h"

#include "base/crc32c.h"
#include "unit.h"

static enum seen_is
mark(struct seen *s, const char *client, uint64_t n, const char *text)
{
	return seen_mark(s, client, n, text, strlen(text));
}

static enum seen_is
look(struct seen *s, const char *client, uint64_t n, const char *text)
{
	return seen_look(s, client, n, text, strlen(text));
}

START_TEST(new_again_other)
{
	struct seen *s = seen_new(10);
	ck_assert_int_eq(look(s, "a", 1, "x"), SEEN_NEW);
	ck_assert_int_eq(look(s, "a", 1, "x"), SEEN_NEW);       /* to look is not to mark */
	ck_assert_int_eq(mark(s, "a", 1, "x"), SEEN_NEW);
	ck_assert_int_eq(look(s, "a", 1, "x"), SEEN_AGAIN);
	ck_assert_int_eq(mark(s, "a", 1, "x"), SEEN_AGAIN);
	ck_assert_int_eq(mark(s, "a", 1, "y"), SEEN_OTHER);
	ck_assert_int_eq(mark(s, "a", 1, "x"), SEEN_AGAIN);     /* the first text stays */
	ck_assert_int_eq(mark(s, "b", 1, "x"), SEEN_NEW);
	ck_assert_uint_eq(seen_last(s, "a"), 1);
	ck_assert_uint_eq(seen_last(s, "c"), 0);
	seen_free(&s);
	ck_assert_ptr_null(s);
	seen_free(&s);
}
END_TEST

/* Numbers come through two streams in any order: what was passed over is no duplicate. */
START_TEST(late_low_number)
{
	struct seen *s = seen_new(10);
	mark(s, "a", 5, "five");
	mark(s, "a", 9, "nine");
	ck_assert_int_eq(mark(s, "a", 7, "seven"), SEEN_NEW);
	ck_assert_int_eq(mark(s, "a", 1, "one"), SEEN_NEW);
	ck_assert_int_eq(mark(s, "a", 7, "seven"), SEEN_AGAIN);
	ck_assert_int_eq(look(s, "a", 6, "six"), SEEN_NEW);
	ck_assert_uint_eq(seen_last(s, "a"), 9);
	seen_free(&s);
}
END_TEST

START_TEST(largest_number)
{
	struct seen *s = seen_new(10);
	ck_assert_int_eq(mark(s, "a", INT64_MAX, "x"), SEEN_NEW);
	ck_assert_int_eq(mark(s, "a", INT64_MAX, "x"), SEEN_AGAIN);
	ck_assert_int_eq(mark(s, "a", UINT64_MAX, "x"), SEEN_NEW);
	ck_assert_int_eq(mark(s, "a", UINT64_MAX - 1, "x"), SEEN_NEW);
	ck_assert_int_eq(mark(s, "a", UINT64_MAX, "x"), SEEN_AGAIN);
	ck_assert_int_eq(mark(s, "a", 0, "x"), SEEN_NEW);
	ck_assert_int_eq(mark(s, "a", 0, "x"), SEEN_AGAIN);
	ck_assert(!seen_mark_batch(s, "b", 0, 1, "x\r\n", 3));
	ck_assert(!seen_mark_batch(s, "b", 1, 0, "", 0));
	ck_assert(!seen_mark_batch(s, "b", UINT64_MAX, 2, "x\r\nx\r\n", 6));
	ck_assert_uint_eq(seen_last(s, "b"), 0);
	seen_free(&s);
}
END_TEST

START_TEST(whole_batch)
{
	struct seen *s = seen_new(10);
	ck_assert(seen_mark_batch(s, "a", 10, 3, "x\r\nyy\r\nzzz\r\n", 12));
	ck_assert_int_eq(look(s, "a", 9, "w"), SEEN_NEW);
	ck_assert_int_eq(look(s, "a", 10, "x"), SEEN_AGAIN);
	ck_assert_int_eq(look(s, "a", 11, "yy"), SEEN_AGAIN);
	ck_assert_int_eq(look(s, "a", 12, "zzz"), SEEN_AGAIN);
	ck_assert_int_eq(look(s, "a", 12, "zz"), SEEN_OTHER);
	ck_assert_int_eq(look(s, "a", 13, "w"), SEEN_NEW);
	/* Anything known at its first number or behind: one by one. */
	ck_assert(!seen_mark_batch(s, "a", 12, 2, "zzz\r\nx\r\n", 8));
	ck_assert(!seen_mark_batch(s, "a", 5, 2, "x\r\nx\r\n", 6));
	ck_assert_int_eq(look(s, "a", 13, "x"), SEEN_NEW);
	ck_assert(seen_mark_batch(s, "a", 13, 1, "w\r\n", 3));
	ck_assert(seen_mark_batch(s, "a", 20, 1, "v\r\n", 3));
	ck_assert_int_eq(look(s, "a", 19, "w"), SEEN_NEW);
	ck_assert_uint_eq(seen_last(s, "a"), 20);
	seen_free(&s);
}
END_TEST

/* Fingerprints of the last 64 by arrival; before them a number is known, its text no more. */
START_TEST(fingerprints_go)
{
	struct seen *s = seen_new(10);
	char body[100 * 8];
	size_t size = 0;
	for (int i = 0; i < 100; i++)
		size += (size_t)sprintf(body + size, "t%d\r\n", i);
	ck_assert(seen_mark_batch(s, "a", 1, 100, body, size));
	for (uint64_t n = 1; n <= 100; n++) {
		char text[16];
		sprintf(text, "t%d", (int)n - 1);
		ck_assert_int_eq(look(s, "a", n, text), SEEN_AGAIN);
		ck_assert_int_eq(look(s, "a", n, "other"), n <= 36 ? SEEN_AGAIN : SEEN_OTHER);
	}
	seen_free(&s);
}
END_TEST

START_TEST(ranges_go)
{
	struct seen *s = seen_new(10);
	struct seen_counts c;
	for (uint64_t n = 1; n <= SEEN_RANGES + 1; n++)
		ck_assert_int_eq(mark(s, "a", n * 10, "x"), SEEN_NEW);
	ck_assert_int_eq(look(s, "a", 10, "x"), SEEN_NEW);      /* the lowest was one too many */
	ck_assert_int_eq(look(s, "a", 20, "x"), SEEN_AGAIN);
	seen_counts(s, &c);
	ck_assert_uint_eq(c.evicted_ranges, 1);
	/* One that would be the lowest is not even taken in. */
	ck_assert_int_eq(mark(s, "a", 5, "x"), SEEN_NEW);
	ck_assert_int_eq(mark(s, "a", 5, "x"), SEEN_NEW);
	/* A gap that closes makes room. */
	for (uint64_t n = 21; n <= 29; n++)
		ck_assert_int_eq(mark(s, "a", n, "x"), SEEN_NEW);
	ck_assert_int_eq(mark(s, "a", 5, "x"), SEEN_NEW);
	ck_assert_int_eq(mark(s, "a", 5, "x"), SEEN_AGAIN);
	ck_assert_int_eq(look(s, "a", 650, "x"), SEEN_AGAIN);
	seen_free(&s);
}
END_TEST

START_TEST(oldest_client_goes)
{
	struct seen *s = seen_new(3);
	struct seen_counts c;
	mark(s, "a", 1, "x");
	mark(s, "b", 1, "x");
	mark(s, "c", 1, "x");
	look(s, "a", 7, "x");           /* used */
	seen_last(s, "b");              /* used, too */
	mark(s, "d", 1, "x");
	ck_assert_int_eq(look(s, "c", 1, "x"), SEEN_NEW);
	ck_assert_int_eq(look(s, "a", 1, "x"), SEEN_AGAIN);
	ck_assert_int_eq(look(s, "b", 1, "x"), SEEN_AGAIN);
	ck_assert_int_eq(look(s, "d", 1, "x"), SEEN_AGAIN);
	seen_counts(s, &c);
	ck_assert_uint_eq(c.clients, 3);
	ck_assert_uint_eq(c.evicted_clients, 1);
	seen_free(&s);
}
END_TEST

START_TEST(many_clients)
{
	const size_t most = 65536;
	struct seen *s = seen_new(most);
	struct seen_counts c;
	char name[40];
	for (int i = 0; i < 70000; i++) {
		sprintf(name, "client-with-quite-a-long-n-%05d", i);
		ck_assert_int_eq(mark(s, name, 1, "x"), SEEN_NEW);
	}
	seen_counts(s, &c);
	ck_assert_uint_eq(c.clients, most);
	ck_assert_uint_eq(c.evicted_clients, 70000 - most);
	printf("%" PRIu64 " bytes for each client that sent one message\n", c.bytes / most);
	ck_assert_uint_lt(c.bytes / most, 200);
	for (int i = 0; i < 70000; i++) {
		sprintf(name, "client-with-quite-a-long-n-%05d", i);
		ck_assert_int_eq(look(s, name, 1, "x"), i < 70000 - (int)most ? SEEN_NEW : SEEN_AGAIN);
	}
	/* All that one client can take. */
	uint64_t before = c.bytes;
	for (uint64_t n = 1; n < 1000; n++)
		mark(s, name, n * 2, "x");
	seen_counts(s, &c);
	ck_assert_uint_le(c.bytes - before, SEEN_RANGES * 16 + 64 * 16);
	/* What clients take comes back when they go. */
	for (int i = 0; i < 70000; i++) {
		sprintf(name, "b%05d", i);
		mark(s, name, 1, "x");
	}
	seen_counts(s, &c);
	ck_assert_uint_le(c.bytes, before);
	seen_free(&s);
}
END_TEST

/* What all have together is bounded, and each has its sure share all the same. */
START_TEST(many_ranges)
{
	enum { CLIENTS_FULL = SEEN_BYTES / (SEEN_RANGES * 16), CLIENTS_MORE = 300 };
	struct seen *s = seen_new(65536);
	struct seen_counts c;
	char name[40];
	for (int i = 0; i < CLIENTS_FULL + CLIENTS_MORE; i++) {
		uint64_t count = i < CLIENTS_FULL ? SEEN_RANGES : 4 * SEEN_RANGES_SURE;
		sprintf(name, "c%d", i);
		for (uint64_t n = 1; n <= count; n++)
			unit_require(mark(s, name, 2 * n, "x") == SEEN_NEW, "%s", name);
	}
	seen_counts(s, &c);
	ck_assert_uint_gt(c.bytes, SEEN_BYTES);
	ck_assert_uint_lt(c.bytes, SEEN_BYTES + (CLIENTS_FULL + CLIENTS_MORE) * 5000);
	/* The last one came when all was full. */
	for (uint64_t n = 1; n <= 4 * SEEN_RANGES_SURE; n++)
		ck_assert_int_eq(look(s, name, 2 * n, "x"), n <= 3 * SEEN_RANGES_SURE ? SEEN_NEW : SEEN_AGAIN);
	ck_assert_int_eq(look(s, "c0", 2, "x"), SEEN_AGAIN);
	seen_free(&s);
}
END_TEST

/* ---- against a model that is slow and plain ---- */

enum { CLIENTS = 5, MOST = 3, NUMBERS = 3 * SEEN_RANGES, FEW = 400, PRINTS = 40000 };

struct model_client {
	bool     there;
	int      used;
	bool     has[NUMBERS + 2];
	struct { int n, text; } prints[PRINTS];
	int      print_count;
};

static struct model_client model[CLIENTS];
static int model_time;
static uint64_t seed;
static int numbers;             /* in use: few, so that ranges meet, or so many that they are too many */
static uint64_t model_evicted_clients, model_evicted_ranges;

static int
below(int n)
{
	return (int)unit_below(&seed, (unsigned)n);
}

static void
model_use(int c)
{
	if (model[c].there)
		model[c].used = ++model_time;
}

static int
model_ranges(int c)
{
	int ranges = 0;
	for (int n = 1; n <= numbers; n++)
		ranges += model[c].has[n] && !model[c].has[n - 1];
	return ranges;
}

static int
model_last(int c)
{
	for (int n = numbers; n > 0; n--)
		if (model[c].has[n])
			return n;
	return 0;
}

static enum seen_is
model_is(int c, int n, int text)
{
	if (!model[c].there || !model[c].has[n])
		return SEEN_NEW;
	int from = model[c].print_count > SEEN_PRINTS ? model[c].print_count - SEEN_PRINTS : 0;
	for (int i = model[c].print_count - 1; i >= from; i--)
		if (model[c].prints[i].n == n)
			return model[c].prints[i].text == text ? SEEN_AGAIN : SEEN_OTHER;
	return SEEN_AGAIN;
}

static void
model_add_client(int c)
{
	if (model[c].there)
		return;
	int count = 0, oldest = -1;
	for (int i = 0; i < CLIENTS; i++)
		if (model[i].there) {
			count++;
			if (oldest < 0 || model[i].used < model[oldest].used)
				oldest = i;
		}
	if (count == MOST) {
		model[oldest].there = false;
		model_evicted_clients++;
	}
	memset(&model[c], 0, sizeof model[c]);
	model[c].there = true;
}

static void
model_put(int c, int n, int text)
{
	model[c].has[n] = true;
	model[c].prints[model[c].print_count].n = n;
	model[c].prints[model[c].print_count++].text = text;
}

static void
model_limit(int c)
{
	if (model_ranges(c) <= SEEN_RANGES)
		return;
	int n = 1;
	while (!model[c].has[n])
		n++;
	for (; model[c].has[n]; n++)
		model[c].has[n] = false;
	model_evicted_ranges++;
}

static void
random_mark(struct seen *s, int c, const char *name)
{
	int n = 1 + below(numbers), text = below(3);
	char line[16];
	size_t len = (size_t)sprintf(line, "text%d", text);
	ck_assert_int_eq(seen_look(s, name, (uint64_t)n, line, len), model_is(c, n, text));
	model_use(c);
	model_add_client(c);
	enum seen_is expected = model_is(c, n, text);
	if (expected == SEEN_NEW) {
		model_put(c, n, text);
		model_limit(c);
	}
	model_use(c);
	ck_assert_int_eq(seen_mark(s, name, (uint64_t)n, line, len), expected);
}

static void
random_batch(struct seen *s, int c, const char *name)
{
	int last = model[c].there ? model_last(c) : 0, count = 1 + below(below(4) != 0 ? 5 : 100);
	int n = last - 1 + below(4), texts[100];
	char body[100 * 16];
	size_t size = 0;
	if (n < 1 || n + count > numbers)
		return;
	for (int i = 0; i < count; i++)
		size += (size_t)sprintf(body + size, "text%d\r\n", texts[i] = below(3));
	bool expected = n > last;
	model_use(c);
	model_add_client(c);
	model_use(c);
	if (expected) {
		for (int i = 0; i < count; i++)
			model_put(c, n + i, texts[i]);
		model_limit(c);
	}
	ck_assert_int_eq(seen_mark_batch(s, name, (uint64_t)n, (uint32_t)count, body, size), expected);
}

/* Some at once: the same as one by one, of few clients and of many, known and not. */
START_TEST(some_at_once)
{
	seed = unit_seed("some_at_once");
	size_t most = _i % 2 != 0 ? 20 : 1000;
	struct seen *one = seen_new(most), *some = seen_new(most);
	for (int round = 0; round < unit_amount(300); round++) {
		struct seen_mark marks[SEEN_SOME];
		unsigned count = (unsigned)below(SEEN_SOME + 1);
		enum seen_is expected[SEEN_SOME];
		for (unsigned i = 0; i < count; i++) {
			char text[16];
			size_t len = (size_t)sprintf(text, "text%d", below(2));
			sprintf(marks[i].client, "c%d", below(_i < 2 ? 30 : 2000));
			marks[i].n = 1 + (uint64_t)below(50);
			marks[i].crc = crc32c(0, text, len);
			expected[i] = seen_mark(one, marks[i].client, marks[i].n, text, len);
		}
		seen_mark_some(some, marks, count);
		for (unsigned i = 0; i < count; i++)
			unit_require(marks[i].is == expected[i], "%s %" PRIu64, marks[i].client, marks[i].n);
	}
	struct seen_counts a, b;
	seen_counts(one, &a);
	seen_counts(some, &b);
	ck_assert_mem_eq(&a, &b, sizeof a);
	seen_free(&one);
	seen_free(&some);
}
END_TEST

/* A token is not longer than this: what is, is not remembered. */
START_TEST(too_long)
{
	struct seen *s = seen_new(2);
	ck_assert_int_eq(mark(s, "01234567890123456789012345678901", 1, "x"), SEEN_NEW);
	ck_assert_int_eq(mark(s, "01234567890123456789012345678901", 1, "x"), SEEN_AGAIN);
	ck_assert_int_eq(mark(s, "012345678901234567890123456789012", 1, "x"), SEEN_NEW);
	ck_assert_int_eq(mark(s, "012345678901234567890123456789012", 1, "x"), SEEN_NEW);
	seen_free(&s);
}
END_TEST

START_TEST(against_model)
{
	seed = unit_seed("against_model");
	memset(model, 0, sizeof model);
	model_time = 0;
	model_evicted_clients = model_evicted_ranges = 0;
	numbers = _i % 2 != 0 ? FEW : NUMBERS;
	struct seen *s = seen_new(MOST);
	struct seen_counts counts;
	/* Nearly as many ranges as may be. */
	if (numbers == NUMBERS)
		model_add_client(0);
	model_use(0);
	for (int n = 2; n < 2 * SEEN_RANGES && numbers == NUMBERS; n += 2) {
		model_put(0, n, 0);
		unit_require(seen_mark(s, "c0", (uint64_t)n, "text0", 5) == SEEN_NEW, "%d", n);
	}
	for (int i = 0; i < unit_amount(numbers == FEW ? 10000 : 2000); i++) {
		/* Mostly few clients, so that they live long enough to fill up. */
		int c = below(below(100) == 0 ? CLIENTS : 2);
		char name[8];
		sprintf(name, "c%d", c);
		switch (below(8)) {
		case 0:
			model_use(c);
			ck_assert_uint_eq(seen_last(s, name), (uint64_t)(model[c].there ? model_last(c) : 0));
			break;
		case 1:
			random_batch(s, c, name);
			break;
		default:
			random_mark(s, c, name);
			break;
		}
		if (below(200) == 0)                          /* or everything would be full soon */
			for (int n = 1; model[c].there && n <= numbers; n++) {
				char text[] = "text0";
				ck_assert_int_eq(seen_look(s, name, (uint64_t)n, text, 5), model_is(c, n, 0));
				model_use(c);
			}
	}
	seen_counts(s, &counts);
	ck_assert_uint_eq(counts.evicted_clients, model_evicted_clients);
	ck_assert_uint_eq(counts.evicted_ranges, model_evicted_ranges);
	printf("%" PRIu64 " clients, %" PRIu64 " ranges evicted\n", counts.evicted_clients, counts.evicted_ranges);
	seen_free(&s);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, new_again_other);
	UNIT_TEST(s, late_low_number);
	UNIT_TEST(s, largest_number);
	UNIT_TEST(s, whole_batch);
	UNIT_TEST(s, fingerprints_go);
	UNIT_TEST(s, ranges_go);
	UNIT_TEST(s, oldest_client_goes);
	UNIT_TEST(s, many_clients);
	UNIT_TEST(s, many_ranges);
	UNIT_TEST(s, too_long);
	UNIT_LOOP(s, some_at_once, 0, 4);
	UNIT_LOOP(s, against_model, 0, 10);
}

int
main(void)
{
	return unit_main("seen", add);
}
