/* SPDX-License-Identifier: MIT
 * check_outq_threads.c - many threads put, one takes. */
#include <pthread.h>

#include "outq_rig.h"

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
		struct frame *f = frame_new("data", p->name, 8);
		if (f == NULL)
			break;
		f->h.seq = (uint64_t)i;
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
		int who = f->h.origin[1] - '0';
		unit_require(who >= 0 && who < PUTTERS && f->h.seq > t->last[who], "%s:%" PRIu64 " behind %" PRIu64, f->h.origin,
		    f->h.seq, t->last[who]);
		unit_require(entries_of(&entries)->wrap == (f->h.seq % 2 == 0 ? '2' : '0'), "wrong wrapping");
		t->last[who] = f->h.seq;
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
	UNIT_TEST(s, many_threads);
	UNIT_TEST(s, many_threads_and_little_room);
}

int
main(void)
{
	return unit_main("outq_threads", add);
}
