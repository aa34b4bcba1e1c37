/* SPDX-License-Identifier: MIT */
#include "wire/frame.h"

#include <pthread.h>

#include "unit.h"

START_TEST(new_one)
{
	struct frame *f = frame_new("la", 100);
	ck_assert_ptr_nonnull(f);
	ck_assert_str_eq(f->origin, "la");
	ck_assert_uint_eq(f->seq, 0);
	ck_assert_int_eq(f->time_ms, 0);
	ck_assert_uint_eq(f->count, 0);
	ck_assert_uint_eq(f->size, 0);
	ck_assert_uint_eq(atomic_load(&f->refs), 1);
	frame_drop(&f);
	ck_assert_ptr_null(f);
	frame_drop(&f);         /* NULL is fine */
}
END_TEST

START_TEST(lines_with_their_ends)
{
	/* Exactly the room it takes: a sanitizer sees a byte more. */
	struct frame *f = frame_new("sixteen-letters-", 7 + 2 + 3);
	ck_assert_str_eq(f->origin, "sixteen-letters-");
	frame_add(f, "hello", 5);
	frame_add(f, "", 0);
	frame_add(f, "\0", 1);
	ck_assert_uint_eq(f->count, 3);
	ck_assert_uint_eq(f->size, 12);
	ck_assert(memcmp(f->body, "hello\r\n\r\n\0\r\n", 12) == 0);
	frame_drop(&f);
}
END_TEST

START_TEST(references)
{
	struct frame *f = frame_new("la", 10), *g = frame_ref(f), *h = frame_ref(g);
	ck_assert_ptr_eq(g, f);
	ck_assert_ptr_eq(h, f);
	ck_assert_uint_eq(atomic_load(&f->refs), 3);
	frame_add(f, "x", 1);
	frame_drop(&f);
	ck_assert_ptr_null(f);
	frame_drop(&h);
	ck_assert_uint_eq(atomic_load(&g->refs), 1);
	ck_assert(memcmp(g->body, "x\r\n", 3) == 0);
	frame_drop(&g);         /* the last one frees: a leak else, that the sanitizer sees */
}
END_TEST

START_TEST(origin_too_long)
{
	frame_new("seventeen-letters", 10);
}
END_TEST

enum { THREADS = 4 };

struct sharer {
	pthread_t     thread;
	struct frame *frame;
	int           rounds;
	bool          torn;
};

static void *
share(void *arg)
{
	struct sharer *s = arg;
	for (int i = 0; i < s->rounds; i++) {
		struct frame *mine = frame_ref(s->frame);
		if (memcmp(mine->body, "text\r\n", 6) != 0)
			s->torn = true;
		frame_drop(&mine);
	}
	frame_drop(&s->frame);
	return NULL;
}

/* Whoever comes last frees it, once, and nobody reads it after that. */
START_TEST(shared_by_threads)
{
	struct sharer s[THREADS];
	for (int round = 0; round < 50; round++) {
		struct frame *f = frame_new("la", 6);
		frame_add(f, "text", 4);
		for (int i = 0; i < THREADS; i++) {
			s[i] = (struct sharer){ .frame = frame_ref(f), .rounds = unit_amount(500) };
			ck_assert_int_eq(pthread_create(&s[i].thread, NULL, share, &s[i]), 0);
		}
		if (round % 2 == 0)
			frame_drop(&f);
		for (int i = 0; i < THREADS; i++) {
			pthread_join(s[i].thread, NULL);
			ck_assert(!s[i].torn);
		}
		if (f != NULL)
			ck_assert_uint_eq(atomic_load(&f->refs), 1);
		frame_drop(&f);
	}
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, new_one);
	UNIT_TEST(s, lines_with_their_ends);
	UNIT_TEST(s, references);
	UNIT_ABORTS(s, origin_too_long);
	UNIT_TEST(s, shared_by_threads);
}

int
main(void)
{
	return unit_main("frame", add);
}
