/* SPDX-License-Identifier: MIT */
#include "daemon/outq.h"

#include <poll.h>
#include <pthread.h>

#include "unit.h"

/* A frame whose body has so many bytes, in lines of one byte and their end. */
static struct frame *
frame(uint64_t seq, size_t bytes)
{
	struct frame *f = frame_new("la", bytes);
	ck_assert_ptr_nonnull(f);
	f->seq = seq;
	for (; bytes > 5; bytes -= 3)
		frame_add(f, "x", 1);
	frame_add(f, "xxx", bytes - 2);
	return f;
}

/* Puts a frame made for it, and keeps no reference. */
static enum outq_put
put(struct outq *q, uint64_t seq, size_t bytes, char wrap)
{
	struct frame *f = frame(seq, bytes);
	enum outq_put result = outq_put(q, f, wrap);
	frame_drop(&f);
	return result;
}

static struct outq_entry *
entries_of(const struct buf *b)
{
	return (struct outq_entry *)(void *)buf_begin(b);
}

/* The first of what was taken is sent. */
static bool
send_first(struct outq *q, struct buf *taken)
{
	struct outq_entry *e = entries_of(taken);
	bool room = outq_sent(q, e->frame);
	frame_drop(&e->frame);
	buf_eat(taken, sizeof *e);
	return room;
}

static void
drop_all(struct outq **q, struct buf *taken)
{
	while (taken->len != 0)
		send_first(*q, taken);
	buf_fini(taken);
	outq_free(q);
	ck_assert_ptr_null(*q);
}

static struct outq *
new_up(size_t limit)
{
	struct outq *q = outq_new(limit);
	ck_assert_ptr_nonnull(q);
	outq_set_up(q, true);
	return q;
}

static void
assert_counts(struct outq *q, uint64_t frames, uint64_t lines, uint64_t bytes, uint64_t dropped_frames,
    uint64_t dropped_lines)
{
	struct outq_counts c;
	outq_counts(q, &c);
	ck_assert_uint_eq(c.frames, frames);
	ck_assert_uint_eq(c.lines, lines);
	ck_assert_uint_eq(c.bytes, bytes);
	ck_assert_uint_eq(c.dropped_frames, dropped_frames);
	ck_assert_uint_eq(c.dropped_lines, dropped_lines);
}

static bool
readable(struct outq *q)
{
	struct pollfd p = { .fd = outq_wake_fd(q), .events = POLLIN };
	return poll(&p, 1, 0) == 1;
}

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
		ck_assert_uint_eq(e->frame->seq, i);
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
	outq_set_up(q, false);
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
	outq_set_up(q, false);
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

/* ---- up and down ---- */

START_TEST(down)
{
	struct outq *q = outq_new(100);
	struct buf taken = BUF_INIT;
	for (int round = 0; round < 2; round++) {
		/* Down from the start, until it is said to be up. */
		ck_assert_int_eq(put(q, 1, 5, '1'), OUTQ_DOWN);
		ck_assert_int_eq(put(q, 2, 5, '2'), OUTQ_DOWN);
		ck_assert_int_eq(put(q, 3, 5, '0'), OUTQ_TAKEN);
		outq_set_up(q, true);
		ck_assert_int_eq(put(q, 4, 5, '1'), OUTQ_TAKEN);
		ck_assert_int_eq(put(q, 5, 5, '2'), OUTQ_TAKEN);
		ck_assert_int_eq(put(q, 6, 5, '0'), OUTQ_TAKEN);
		outq_set_up(q, false);
	}
	/* Down comes before full: another way is better than none. */
	ck_assert_int_eq(put(q, 7, 80, '0'), OUTQ_FILLED);
	ck_assert_int_eq(put(q, 8, 5, '1'), OUTQ_DOWN);
	ck_assert_int_eq(put(q, 8, 5, '0'), OUTQ_FULL);
	ck_assert(outq_take_all(q, &taken));
	static const unsigned want[] = { 3, 4, 5, 6, 3, 4, 5, 6 };
	ck_assert_uint_eq(taken.len, sizeof want / sizeof *want * sizeof(struct outq_entry));
	for (size_t i = 0; i < UNIT_COUNT(want); i++)
		ck_assert_uint_eq(entries_of(&taken)[i].frame->seq, want[i]);
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
	/* What is not taken is nothing to wake for. */
	ck_assert(!outq_take_all(q, &taken));
	ck_assert_int_eq(put(q, 5, 100, '0'), OUTQ_FILLED);
	ck_assert(!readable(q));
	outq_set_up(q, false);
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

/* ---- many threads ---- */

enum { PUTTERS = 4, FRAMES = 20000 };

struct putter {
	pthread_t    thread;
	struct outq *queue;
	char         name[16];
	int          frames;
	uint64_t     taken, full, filled, other;        /* answers */
};

static void *
put_many(void *arg)
{
	struct putter *p = arg;
	for (int i = 1; i <= p->frames; i++) {
		struct frame *f = frame_new(p->name, 8);
		if (f == NULL)
			break;
		f->seq = (uint64_t)i;
		frame_add(f, "x", 1);
		frame_add(f, "yy", i % 3 == 0 ? 2 : 0);
		switch (outq_put(p->queue, f, i % 2 == 0 ? '2' : '0')) {
		case OUTQ_TAKEN: p->taken++; break;
		case OUTQ_FULL: p->full++; break;
		case OUTQ_FILLED: p->filled++; break;
		default: p->other++;
		}
		frame_drop(&f);
	}
	return NULL;
}

struct taken {
	uint64_t count[PUTTERS], last[PUTTERS], room;
};

/* The taker's turn: all that there is, and of each thread in the order in which it put it. false: nothing there. */
static bool
take_and_check(struct outq *q, struct taken *t)
{
	struct buf entries = BUF_INIT;
	if (!outq_take_all(q, &entries))
		return false;
	while (entries.len != 0) {
		struct frame *f = entries_of(&entries)->frame;
		int who = f->origin[1] - '0';
		unit_require(who >= 0 && who < PUTTERS && f->seq > t->last[who], "%s:%" PRIu64 " behind %" PRIu64, f->origin,
		    f->seq, t->last[who]);
		unit_require(entries_of(&entries)->wrap == (f->seq % 2 == 0 ? '2' : '0'), "wrong wrapping");
		t->last[who] = f->seq;
		t->count[who]++;
		t->room += send_first(q, &entries) ? 1 : 0;
	}
	buf_fini(&entries);
	return true;
}

/* Runs the threads against one taker that sleeps as the writer of a link does. */
static void
run_many(size_t limit, struct putter p[PUTTERS], struct taken *t)
{
	struct outq *q = new_up(limit);
	struct outq_counts c;
	uint64_t all = 0, seen = 0;
	memset(t, 0, sizeof *t);
	for (int i = 0; i < PUTTERS; i++) {
		p[i] = (struct putter){ .queue = q, .frames = unit_amount(FRAMES) };
		snprintf(p[i].name, sizeof p[i].name, "t%d", i);
		all += (uint64_t)p[i].frames;
		ck_assert_int_eq(pthread_create(&p[i].thread, NULL, put_many, &p[i]), 0);
	}
	do {
		struct pollfd w = { .fd = outq_wake_fd(q), .events = POLLIN };
		while (take_and_check(q, t))
			continue;
		outq_counts(q, &c);
		seen = c.dropped_frames;
		for (int i = 0; i < PUTTERS; i++)
			seen += t->count[i];
		/* What was dropped wakes nobody: then we look again soon. */
		int n = seen == all ? 0 : poll(&w, 1, limit == SIZE_MAX ? UNIT_SOON_MS : 1);
		unit_require(seen == all || limit != SIZE_MAX || n == 1, "a put did not wake the taker: %" PRIu64 " of %" PRIu64,
		    seen, all);
		if (n > 0)
			outq_woken(q);
	} while (seen != all);
	for (int i = 0; i < PUTTERS; i++)
		pthread_join(p[i].thread, NULL);
	outq_counts(q, &c);
	ck_assert_uint_eq(c.frames + c.lines + c.bytes, 0);
	uint64_t dropped = 0;
	for (int i = 0; i < PUTTERS; i++)
		dropped += p[i].full + p[i].filled;
	ck_assert_uint_eq(c.dropped_frames, dropped);
	ck_assert_uint_eq(c.dropped_lines, 2 * dropped);
	outq_free(&q);
}

START_TEST(many_threads)
{
	struct putter p[PUTTERS];
	struct taken t;
	run_many(SIZE_MAX, p, &t);
	for (int i = 0; i < PUTTERS; i++) {
		ck_assert_uint_eq(t.count[i], (uint64_t)p[i].frames);
		ck_assert_uint_eq(t.last[i], (uint64_t)p[i].frames);
		ck_assert_uint_eq(p[i].taken, (uint64_t)p[i].frames);
		ck_assert_uint_eq(p[i].full + p[i].filled + p[i].other, 0);
	}
}
END_TEST

START_TEST(many_threads_and_little_room)
{
	struct putter p[PUTTERS];
	struct taken t;
	run_many(200, p, &t);
	uint64_t filled = 0;
	for (int i = 0; i < PUTTERS; i++) {
		/* What was said to be taken came out, and nothing else. */
		ck_assert_uint_eq(t.count[i], p[i].taken);
		ck_assert_uint_eq(p[i].taken + p[i].full + p[i].filled, (uint64_t)p[i].frames);
		ck_assert_uint_eq(p[i].other, 0);
		filled += p[i].filled;
	}
	ck_assert_uint_gt(filled, 0);
	/* Each time that it filled up there was room again, and once each. */
	ck_assert_uint_eq(t.room, filled);
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
	UNIT_TEST(s, down);
	UNIT_TEST(s, wakes_one_that_sleeps);
	UNIT_TEST(s, woken_by_hand);
	UNIT_ABORTS(s, sent_what_was_not_there);
	UNIT_TEST(s, many_threads);
	UNIT_TEST(s, many_threads_and_little_room);
}

int
main(void)
{
	return unit_main("outq", add);
}
