/* SPDX-License-Identifier: MIT */
#include "store/sums.h"

#include "unit.h"

/* A frame of lines "NUMBER" from seq on. */
static struct frame *
made(uint64_t seq, uint32_t count)
{
	struct frame *f = frame_new("data", "la", count * 24);
	char text[24];
	for (uint32_t i = 0; i < count; i++)
		frame_add(f, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, seq + i));
	strcpy(f->h.client, "-");
	f->h.epoch = 5;
	f->h.seq = seq;
	frame_seal(f);
	return f;
}

static void
feed(struct sums *s, uint64_t seq, uint32_t count)
{
	struct frame *f = made(seq, count);
	sums_frame(s, &f->h, f->body);
	frame_drop(&f);
}

START_TEST(order_and_repetition_do_not_matter)
{
	uint64_t seed = unit_seed("order_and_repetition_do_not_matter");
	for (int round = 0; round < 300; round++) {
		struct sums once = { .at = NULL }, mixed = { .at = NULL };
		uint64_t from = 1 + unit_below(&seed, 50), to = from + unit_below(&seed, 100);
		struct sum *a = sums_add(&once, "la", 5, from, to), *b = sums_add(&mixed, "la", 5, from, to);
		feed(&once, 1, 200);
		/* The same in pieces that overlap, in any order, until all is there. */
		for (int i = 0; i < 60; i++)
			feed(&mixed, 1 + unit_below(&seed, 190), 1 + unit_below(&seed, 10));
		for (int i = 19; i >= 0; i--)
			feed(&mixed, 1 + 10 * (uint64_t)i, 10);
		ck_assert_uint_eq(a->count, to - from + 1);
		ck_assert_uint_eq(b->count, a->count);
		ck_assert(b->hash == a->hash && a->first == from && b->first == from && b->runs == 1);
		sums_fini(&once);
		sums_fini(&mixed);
	}
}
END_TEST

/* By another program, after doc/protocol. */
START_TEST(hash_as_documented)
{
	struct sums s = { .at = NULL };
	const struct sum *t = sums_add(&s, "la", 5, 1, 3);
	feed(&s, 1, 5);
	ck_assert(t->count == 3 && t->hash == UINT64_C(0xd8e23f6996e6812d));
	sums_fini(&s);
}
END_TEST

START_TEST(what_is_missing_or_other_shows)
{
	struct sums s = { .at = NULL };
	struct sum *all = sums_add(&s, "la", 5, 1, 100);
	ck_assert_ptr_eq(sums_add(&s, "la", 5, 1, 100), all);
	feed(&s, 1, 49);
	feed(&s, 51, 50);
	struct sum lacking = s.at[0];
	ck_assert_uint_eq(lacking.count, 99);
	ck_assert_uint_eq(lacking.runs, 2);
	feed(&s, 50, 1);
	ck_assert(s.at[0].count == 100 && s.at[0].hash != lacking.hash);
	/* Two that are swapped are other messages. */
	struct sums t = { .at = NULL };
	sums_add(&t, "la", 5, 1, 2);
	struct frame *f = frame_new("data", "la", 32);
	frame_add(f, "2", 1);
	frame_add(f, "1", 1);
	strcpy(f->h.client, "-");
	f->h.epoch = 5;
	f->h.seq = 1;
	frame_seal(f);
	sums_frame(&t, &f->h, f->body);
	uint64_t swapped = t.at[0].hash;
	sums_fini(&t);
	sums_add(&t, "la", 5, 1, 2);
	feed(&t, 1, 2);
	ck_assert(t.at[0].hash != swapped);
	/* Nor do other streams count. */
	f->h.epoch = 6;
	sums_frame(&t, &f->h, f->body);
	ck_assert_uint_eq(t.at[0].count, 2);
	frame_drop(&f);
	sums_fini(&t);
	sums_fini(&s);
}
END_TEST

static void
take(void *arg, const struct sum *s)
{
	*(struct sum *)arg = *s;
}

START_TEST(words)
{
	struct sums s = { .at = NULL };
	struct sum got = { .epoch = 0 };
	struct buf b = BUF_INIT;
	char question[] = "la 5 1 100 mv 9007199254740992 7 7";
	ck_assert(sums_read_question(&s, question) && s.count == 2 && s.at[1].from == 7 &&
	    strcmp(s.at[1].origin, "mv") == 0);
	sums_put_question(&s.at[0], &b);
	ck_assert_str_eq(unit_text(&b), " la 5 1 100");
	buf_clear(&b);
	s.at[0].first = 3;
	s.at[0].count = 4;
	s.at[0].hash = 0xabc;
	sums_put_answer(&s.at[0], &b);
	ck_assert_str_eq(unit_text(&b), " la 5 3 4 0000000000000abc");
	ck_assert(sums_read_answer((char *)(uintptr_t)unit_text(&b), take, &got));
	ck_assert(got.epoch == 5 && got.first == 3 && got.count == 4 && got.hash == 0xabc);
	sums_fini(&s);
	static const char *const bad[] = { "la", "la 5", "la 5 1", "la 0 1 2", "la 5 2 1", "la 5 0 1",
	    "1a 5 1 1", "la 5 1 x",
	    "la 5 1 99999999999999999999" };
	for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
		char text[64];
		snprintf(text, sizeof text, "%s", bad[i]);
		unit_require(!sums_read_question(&s, text), "'%s' is good", bad[i]);
		sums_fini(&s);
		snprintf(text, sizeof text, "%s", bad[i]);
		unit_require(!sums_read_answer(text, take, &got), "'%s' is an answer", bad[i]);
	}
	buf_fini(&b);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, order_and_repetition_do_not_matter);
	UNIT_TEST(s, hash_as_documented);
	UNIT_TEST(s, what_is_missing_or_other_shows);
	UNIT_TEST(s, words);
}

int
main(void)
{
	return unit_main("sums", add);
}
