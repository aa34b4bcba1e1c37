/* SPDX-License-Identifier: MIT
 * check_outq.c - what goes in and comes out, how much, in which mode; check_outq_threads.c has many threads. */
#include "outq_rig.h"

/* ---- in and out ---- */

START_TEST(first_in_first_out)
{
	struct outq *q = new_up(1000);
	struct buf taken = BUF_INIT;
	ck_assert(!outq_take_all(q, &taken));
	ck_assert_uint_eq(taken.len, 0);
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(put(q, i, 10, (char)('0' + i % 3)), OUTQ_TAKEN);
	ck_assert(outq_take_all(q, &taken));
	ck_assert_uint_eq(taken.len, 5 * sizeof(struct outq_entry));
	ck_assert(!outq_take_all(q, &taken));
	/* What comes later stands behind what was not sent yet. */
	ck_assert_int_eq(put(q, 5, 10, '1'), OUTQ_TAKEN);
	ck_assert_int_eq(put(q, 6, 10, '1'), OUTQ_TAKEN);
	ck_assert(outq_take_all(q, &taken));
	ck_assert_uint_eq(taken.len, 7 * sizeof(struct outq_entry));
	for (unsigned i = 0; i < 7; i++) {
		struct outq_entry *e = entries_of(&taken) + i;
		ck_assert_uint_eq(e->frame->h.seq, i);
		ck_assert_int_eq(e->wrap, i < 5 ? (char)('0' + i % 3) : '1');
	}
	drop_all(&q, &taken);
}
END_TEST

START_TEST(references)
{
	struct outq *q = new_up(30);
	struct buf taken = BUF_INIT;
	struct frame *f = frame(1, 10);
	ck_assert_int_eq(outq_put(q, f, '0'), OUTQ_TAKEN);
	ck_assert_int_eq(outq_put(q, f, '2'), OUTQ_TAKEN);
	ck_assert_uint_eq(atomic_load(&f->refs), 3);
	ck_assert(outq_take_all(q, &taken));
	ck_assert_uint_eq(atomic_load(&f->refs), 3);    /* they go with the entries */
	send_first(q, &taken);
	ck_assert_uint_eq(atomic_load(&f->refs), 2);
	/* What is not taken is not held. */
	struct frame *large = frame(2, 100);
	ck_assert_int_eq(outq_put(q, large, '0'), OUTQ_FILLED);
	outq_set_mode(q, OUTQ_KEEP);
	ck_assert_int_eq(outq_put(q, large, '1'), OUTQ_DOWN);
	ck_assert_uint_eq(atomic_load(&large->refs), 1);
	frame_drop(&large);
	send_first(q, &taken);
	ck_assert_uint_eq(atomic_load(&f->refs), 1);
	/* With the queue goes what nobody took. */
	ck_assert_int_eq(outq_put(q, f, '0'), OUTQ_TAKEN);
	drop_all(&q, &taken);
	ck_assert_uint_eq(atomic_load(&f->refs), 1);
	frame_drop(&f);
	outq_free(&q);          /* NULL is fine */
}
END_TEST

/* ---- how much ---- */

START_TEST(counts)
{
	struct outq *q = new_up(100);
	struct buf taken = BUF_INIT;
	assert_counts(q, 0, 0, 0, 0, 0);
	put(q, 1, 9, '0');
	put(q, 2, 12, '0');
	assert_counts(q, 2, 3 + 4, 21, 0, 0);
	/* Taken is not sent. */
	outq_take_all(q, &taken);
	assert_counts(q, 2, 7, 21, 0, 0);
	send_first(q, &taken);
	assert_counts(q, 1, 4, 12, 0, 0);
	ck_assert_int_eq(put(q, 3, 90, '0'), OUTQ_FILLED);
	assert_counts(q, 1, 4, 12, 1, 30);
	ck_assert_int_eq(put(q, 4, 9, '0'), OUTQ_FULL);
	assert_counts(q, 1, 4, 12, 2, 33);
	/* Not given to one that is down is no loss: it goes another way. */
	outq_set_mode(q, OUTQ_KEEP);
	ck_assert_int_eq(put(q, 5, 9, '2'), OUTQ_DOWN);
	assert_counts(q, 1, 4, 12, 2, 33);
	drop_all(&q, &taken);
}
END_TEST

START_TEST(full_until_half_empty)
{
	struct outq *q = new_up(100);
	struct buf taken = BUF_INIT;
	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(put(q, i, 10, '0'), OUTQ_TAKEN);      /* to the last byte */
	ck_assert_int_eq(put(q, 10, 3, '0'), OUTQ_FILLED);
	ck_assert_int_eq(put(q, 11, 3, '0'), OUTQ_FULL);
	/* It takes nothing more until it is half empty, and says so once. */
	outq_take_all(q, &taken);
	for (int left = 9; left > 5; left--) {
		ck_assert(!send_first(q, &taken));
		ck_assert_int_eq(put(q, 12, 3, '0'), OUTQ_FULL);
	}
	ck_assert(send_first(q, &taken));
	ck_assert_int_eq(put(q, 13, 10, '0'), OUTQ_TAKEN);
	ck_assert(!send_first(q, &taken));
	assert_counts(q, 5, 5 * 3, 50, 6, 6);
	/* And the next time it fills up is news again. */
	ck_assert_int_eq(put(q, 14, 60, '0'), OUTQ_FILLED);
	ck_assert_int_eq(put(q, 15, 60, '0'), OUTQ_FULL);
	drop_all(&q, &taken);
}
END_TEST

/* Frames that never fit must not shut the queue for those that do. */
START_TEST(larger_than_the_limit)
{
	struct outq *q = new_up(100);
	struct buf taken = BUF_INIT;
	for (int round = 0; round < 3; round++) {
		enum outq_put result = put(q, 1, 200, '0');
		ck_assert(result == OUTQ_TAKEN || result == OUTQ_FILLED);
		outq_take_all(q, &taken);
		while (taken.len != 0)
			send_first(q, &taken);
		assert_counts(q, 0, 0, 0, result == OUTQ_TAKEN ? 0 : (uint64_t)round + 1,
		    result == OUTQ_TAKEN ? 0 : 66 * ((uint64_t)round + 1));
		ck_assert_int_eq(put(q, 2, 10, '0'), OUTQ_TAKEN);
		outq_take_all(q, &taken);
		while (taken.len != 0)
			send_first(q, &taken);
	}
	drop_all(&q, &taken);
}
END_TEST

START_TEST(new_limit)
{
	struct outq *q = new_up(100);
	struct buf taken = BUF_INIT;
	for (unsigned i = 0; i < 10; i++)
		ck_assert_int_eq(put(q, i, 10, '0'), OUTQ_TAKEN);
	outq_set_limit(q, 200);
	ck_assert_int_eq(put(q, 10, 10, '0'), OUTQ_TAKEN);
	outq_set_limit(q, 40);
	ck_assert_int_eq(put(q, 11, 10, '0'), OUTQ_FILLED);
	outq_take_all(q, &taken);
	for (int left = 10; left > 2; left--)
		ck_assert(!send_first(q, &taken));
	ck_assert(send_first(q, &taken));
	drop_all(&q, &taken);
}
END_TEST

/* ---- what the peer is taken for ---- */

/* What is put, and what becomes of it: a frame wrapped 0, one to be passed on, an answer, a line. */
START_TEST(modes)
{
	static const struct { enum outq_mode mode; bool last, relayed, answer, line; } table[] = {
		{ OUTQ_CLOSED, false, false, false, false },
		{ OUTQ_KEEP, true, false, false, false },
		{ OUTQ_REPAIR, false, false, true, true },
		{ OUTQ_OPEN, true, true, true, true },
	};
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		struct outq *q = outq_new(100, NULL, NULL);
		struct buf taken = BUF_INIT;
		struct frame *f = frame(7, 10);
		ck_assert_int_eq(put(q, 1, 5, '0'), OUTQ_DOWN);        /* closed at first */
		outq_set_mode(q, table[i].mode);
		ck_assert_int_eq(put(q, 2, 5, '0'), table[i].last ? OUTQ_TAKEN : OUTQ_DOWN);
		ck_assert_int_eq(put(q, 3, 5, '2'), table[i].relayed ? OUTQ_TAKEN : OUTQ_DOWN);
		ck_assert_int_eq(put(q, 4, 5, '1'), table[i].relayed ? OUTQ_TAKEN : OUTQ_DOWN);
		ck_assert_int_eq(outq_put_answer(q, f), table[i].answer);
		ck_assert_int_eq(outq_put_line(q, "have la 1 2"), table[i].line);
		ck_assert_uint_eq(atomic_load(&f->refs), table[i].answer ? 2 : 1);
		unsigned want = table[i].last + 2u * table[i].relayed + table[i].answer + table[i].line;
		ck_assert_int_eq(outq_take_all(q, &taken), want != 0);
		ck_assert_uint_eq(taken.len, want * sizeof(struct outq_entry));
		assert_counts(q, want - table[i].line, want - table[i].line + 2u * table[i].answer,
		    5u * (want - table[i].answer - table[i].line) + 10u * table[i].answer, 0, 0);
		drop_all(&q, &taken);
		ck_assert_uint_eq(atomic_load(&f->refs), 1);
		frame_drop(&f);
	}
}
END_TEST

/* In the order of the puts, with its line end, and without a frame. */
START_TEST(lines_among_frames)
{
	struct outq *q = new_up(1000);
	struct buf taken = BUF_INIT;
	char line[] = "want la 7 1 2";
	put(q, 1, 5, '2');
	ck_assert(outq_put_line(q, line));
	line[0] = 'x';          /* copied */
	put(q, 2, 5, '0');
	ck_assert(outq_put_line(q, ""));
	assert_counts(q, 2, 2, 10, 0, 0);
	ck_assert(outq_take_all(q, &taken));
	struct outq_entry *e = entries_of(&taken);
	ck_assert_uint_eq(taken.len, 4 * sizeof *e);
	ck_assert_uint_eq(e[0].frame->h.seq, 1);
	ck_assert_ptr_null(e[0].line);
	ck_assert_ptr_null(e[1].frame);
	ck_assert_str_eq(e[1].line, "want la 7 1 2\r\n");
	ck_assert_uint_eq(e[2].frame->h.seq, 2);
	ck_assert_str_eq(e[3].line, "\r\n");
	drop_all(&q, &taken);
	/* What nobody took goes with the queue. */
	q = new_up(100);
	ck_assert(outq_put_line(q, "keepAlive"));
	outq_free(&q);
}
END_TEST

/* Asked for: not let go for want of room, and it shuts nobody else out for longer than it is there. */
START_TEST(answers_are_not_let_go)
{
	struct outq *q = new_up(100);
	struct buf taken = BUF_INIT;
	struct frame *f = frame(9, 80);
	ck_assert_int_eq(put(q, 1, 80, '0'), OUTQ_TAKEN);
	ck_assert_int_eq(put(q, 2, 80, '0'), OUTQ_FILLED);
	for (int i = 0; i < 5; i++)
		ck_assert(outq_put_answer(q, f));
	assert_counts(q, 6, 6 * 26, 480, 1, 26);
	outq_take_all(q, &taken);
	for (size_t i = 0; i < 6; i++) {
		ck_assert_int_eq(entries_of(&taken)[i].wrap, '0');
		ck_assert_uint_eq(entries_of(&taken)[i].frame->h.seq, i == 0 ? 1 : 9);
	}
	while (taken.len != 0)
		send_first(q, &taken);
	ck_assert_int_eq(put(q, 3, 80, '0'), OUTQ_TAKEN);
	outq_take_all(q, &taken);
	drop_all(&q, &taken);
	ck_assert_uint_eq(atomic_load(&f->refs), 1);
	frame_drop(&f);
}
END_TEST

/* One that leaves megabytes of lines unread gets no more of them; once they are taken there is room. */
START_TEST(lines_have_a_bound)
{
	enum { LINE = 4000, BOUND = 4 * 1024 * 1024 };
	static char line[LINE + 1];
	struct outq *q = new_up(100);
	struct buf taken = BUF_INIT;
	memset(line, 'h', LINE);
	for (int round = 0; round < 2; round++) {
		unsigned n = 0;
		while (n <= BOUND / LINE && outq_put_line(q, line))
			n++;
		ck_assert_uint_ge(n, BOUND / LINE - 1);
		ck_assert_uint_le(n, BOUND / LINE);
		ck_assert(outq_take_all(q, &taken));
		ck_assert_uint_eq(taken.len, n * sizeof(struct outq_entry));
		while (taken.len != 0)
			send_first(q, &taken);
	}
	assert_counts(q, 0, 0, 0, 0, 0);
	drop_all(&q, &taken);
}
END_TEST

START_TEST(down)
{
	struct outq *q = outq_new(100, NULL, NULL);
	struct buf taken = BUF_INIT;
	outq_set_mode(q, OUTQ_KEEP);
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(put(q, 1, 5, '1'), OUTQ_DOWN);
		ck_assert_int_eq(put(q, 2, 5, '2'), OUTQ_DOWN);
		ck_assert_int_eq(put(q, 3, 5, '0'), OUTQ_TAKEN);
		outq_set_mode(q, OUTQ_OPEN);
		ck_assert_int_eq(put(q, 4, 5, '1'), OUTQ_TAKEN);
		ck_assert_int_eq(put(q, 5, 5, '2'), OUTQ_TAKEN);
		ck_assert_int_eq(put(q, 6, 5, '0'), OUTQ_TAKEN);
		outq_set_mode(q, OUTQ_KEEP);
	}
	/* Down comes before full: another way is better than none. */
	ck_assert_int_eq(put(q, 7, 80, '0'), OUTQ_FILLED);
	ck_assert_int_eq(put(q, 8, 5, '1'), OUTQ_DOWN);
	ck_assert_int_eq(put(q, 8, 5, '0'), OUTQ_FULL);
	ck_assert(outq_take_all(q, &taken));
	static const unsigned want[] = { 3, 4, 5, 6, 3, 4, 5, 6 };
	ck_assert_uint_eq(taken.len, sizeof want / sizeof *want * sizeof(struct outq_entry));
	for (size_t i = 0; i < UNIT_COUNT(want); i++)
		ck_assert_uint_eq(entries_of(&taken)[i].frame->h.seq, want[i]);
	drop_all(&q, &taken);
}
END_TEST

/* ---- waking ---- */

START_TEST(wakes_one_that_sleeps)
{
	struct outq *q = new_up(50);
	struct buf taken = BUF_INIT;
	ck_assert(!readable(q));
	/* Nobody has looked yet: it is at work, and will come by itself. */
	put(q, 1, 5, '0');
	ck_assert(!readable(q));
	ck_assert(outq_take_all(q, &taken));
	put(q, 2, 5, '0');
	ck_assert(!readable(q));
	ck_assert(outq_take_all(q, &taken));
	/* It has seen the queue empty: now it sleeps. */
	ck_assert(!outq_take_all(q, &taken));
	ck_assert(!readable(q));
	put(q, 3, 5, '0');
	ck_assert(readable(q));
	ck_assert(readable(q));
	outq_woken(q);
	ck_assert(!readable(q));
	/* Woken is awake, whether it has taken already or not. */
	put(q, 4, 5, '0');
	ck_assert(!readable(q));
	ck_assert(outq_take_all(q, &taken));
	/* A line wakes as well. */
	ck_assert(!outq_take_all(q, &taken));
	ck_assert(outq_put_line(q, "keepAlive"));
	ck_assert(readable(q));
	outq_woken(q);
	ck_assert(outq_take_all(q, &taken));
	/* What is not taken is nothing to wake for. */
	ck_assert(!outq_take_all(q, &taken));
	ck_assert_int_eq(put(q, 5, 100, '0'), OUTQ_FILLED);
	ck_assert(!readable(q));
	outq_set_mode(q, OUTQ_KEEP);
	ck_assert_int_eq(put(q, 6, 5, '1'), OUTQ_DOWN);
	ck_assert(!readable(q));
	drop_all(&q, &taken);
}
END_TEST

START_TEST(woken_by_hand)
{
	struct outq *q = new_up(50);
	struct buf taken = BUF_INIT;
	outq_woken(q);          /* too often is no harm */
	outq_wake(q);
	outq_wake(q);
	ck_assert(readable(q));
	outq_woken(q);
	ck_assert(!readable(q));
	drop_all(&q, &taken);
}
END_TEST

START_TEST(sent_what_was_not_there)
{
	struct outq *q = new_up(50);
	struct frame *f = frame(1, 10);
	outq_sent(q, f);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, first_in_first_out);
	UNIT_TEST(s, references);
	UNIT_TEST(s, counts);
	UNIT_TEST(s, full_until_half_empty);
	UNIT_TEST(s, larger_than_the_limit);
	UNIT_TEST(s, new_limit);
	UNIT_TEST(s, modes);
	UNIT_TEST(s, lines_among_frames);
	UNIT_TEST(s, answers_are_not_let_go);
	UNIT_TEST(s, lines_have_a_bound);
	UNIT_TEST(s, down);
	UNIT_TEST(s, wakes_one_that_sleeps);
	UNIT_TEST(s, woken_by_hand);
	UNIT_ABORTS(s, sent_what_was_not_there);
}

int
main(void)
{
	return unit_main("outq", add);
}
