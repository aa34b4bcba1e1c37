/* SPDX-License-Identifier: MIT */
#include "base/lock.h"

#include <pthread.h>

#include "unit.h"

START_TEST(growing_ranks)
{
	struct lock a, b, c;
	lock_init(&a, 1);
	lock_init(&b, 2);
	lock_init(&c, 7);
	for (int round = 0; round < 3; round++) {
		lock_acquire(&a);
		lock_acquire(&b);
		lock_acquire(&c);
		lock_assert_held(&a);
		lock_assert_held(&b);
		lock_assert_held(&c);
		lock_release(&c);
		lock_release(&b);
		/* After a release what counts is the one before it. */
		lock_acquire(&b);
		lock_release(&b);
		lock_acquire(&c);
		lock_release(&c);
		lock_release(&a);
	}
	/* And after the last one anything goes again. */
	lock_acquire(&c);
	lock_release(&c);
	lock_fini(&a);
	lock_fini(&b);
	lock_fini(&c);
}
END_TEST

/* ---- what aborts ---- */

static struct lock one, two;

static void
init_two(int rank_one, int rank_two)
{
	lock_init(&one, rank_one);
	lock_init(&two, rank_two);
}

START_TEST(falling_rank)
{
	init_two(1, 2);
	lock_acquire(&two);
	lock_acquire(&one);
}
END_TEST

START_TEST(equal_rank)
{
	init_two(3, 3);
	lock_acquire(&one);
	lock_acquire(&two);
}
END_TEST

START_TEST(falling_rank_after_a_release)
{
	struct lock three;
	init_two(1, 2);
	lock_init(&three, 3);
	lock_acquire(&two);
	lock_acquire(&three);
	lock_release(&three);
	lock_acquire(&one);
}
END_TEST

START_TEST(falling_rank_after_a_wait)
{
	pthread_cond_t c;
	init_two(1, 2);
	lock_cond_init(&c);
	lock_acquire(&two);
	lock_wait_until(&two, &c, clock_mono_ms());
	lock_acquire(&one);
}
END_TEST

START_TEST(acquired_twice)
{
	init_two(1, 2);
	lock_acquire(&one);
	lock_acquire(&one);
}
END_TEST

START_TEST(released_without_holding)
{
	init_two(1, 2);
	lock_release(&one);
}
END_TEST

START_TEST(released_twice)
{
	init_two(1, 2);
	lock_acquire(&one);
	lock_release(&one);
	lock_release(&one);
}
END_TEST

START_TEST(released_out_of_order)
{
	init_two(1, 2);
	lock_acquire(&one);
	lock_acquire(&two);
	lock_release(&one);
}
END_TEST

/* Nothing but its own note tells: the thread was its owner, and the rank is right. */
START_TEST(released_twice_beside_one_of_its_rank)
{
	init_two(1, 1);
	lock_acquire(&one);
	lock_release(&one);
	lock_acquire(&two);
	lock_release(&one);
}
END_TEST

START_TEST(not_held)
{
	init_two(1, 2);
	lock_assert_held(&one);
}
END_TEST

START_TEST(no_longer_held)
{
	init_two(1, 2);
	lock_acquire(&one);
	lock_release(&one);
	lock_assert_held(&one);
}
END_TEST

START_TEST(wait_without_holding)
{
	pthread_cond_t c;
	init_two(1, 2);
	lock_cond_init(&c);
	lock_wait(&one, &c);
}
END_TEST

START_TEST(rank_of_zero)
{
	lock_init(&one, 0);
}
END_TEST

static void *
release_one(void *arg)
{
	(void)arg;
	lock_release(&one);
	return NULL;
}

static void *
release_one_for_two(void *arg)
{
	(void)arg;
	lock_acquire(&two);
	lock_release(&one);
	return NULL;
}

static void *
assert_one(void *arg)
{
	(void)arg;
	lock_assert_held(&one);
	return NULL;
}

static void
by_another_thread(void *(*what)(void *))
{
	pthread_t t;
	init_two(1, 1);
	lock_acquire(&one);
	if (pthread_create(&t, NULL, what, NULL) == 0)
		pthread_join(t, NULL);
}

START_TEST(released_by_another_thread)
{
	by_another_thread(release_one);
}
END_TEST

START_TEST(released_by_another_thread_that_holds_one)
{
	by_another_thread(release_one_for_two);
}
END_TEST

START_TEST(held_by_another_thread)
{
	by_another_thread(assert_one);
}
END_TEST

/* ---- what threads do with it ---- */

enum { THREADS = 4, ROUNDS = 20000 };

static struct {
	struct lock    outer, inner;
	pthread_cond_t turn;
	/* under inner */
	int            count, whose, waits_over;
} shared;

static void
shared_init(void)
{
	memset(&shared, 0, sizeof shared);
	lock_init(&shared.outer, 1);
	lock_init(&shared.inner, 2);
	lock_cond_init(&shared.turn);
}

static void
shared_fini(void)
{
	pthread_cond_destroy(&shared.turn);
	lock_fini(&shared.inner);
	lock_fini(&shared.outer);
}

static void *
count(void *arg)
{
	int rounds = *(int *)arg;
	for (int i = 0; i < rounds; i++) {
		bool both = i % 3 == 0;
		if (both)
			lock_acquire(&shared.outer);
		lock_acquire(&shared.inner);
		shared.count++;
		lock_release(&shared.inner);
		if (both)
			lock_release(&shared.outer);
	}
	return NULL;
}

/* Ranks are each thread's own: what others hold does not count. */
START_TEST(one_at_a_time)
{
	pthread_t t[THREADS];
	int rounds = unit_amount(ROUNDS);
	shared_init();
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, count, &rounds), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	ck_assert_int_eq(shared.count, THREADS * rounds);
	shared_fini();
}
END_TEST

struct player {
	pthread_t thread;
	int       number, rounds;
};

static void *
take_turns(void *arg)
{
	struct player *p = arg;
	for (int i = 0; i < p->rounds; i++) {
		lock_acquire(&shared.inner);
		while (shared.whose != p->number)
			lock_wait(&shared.inner, &shared.turn);
		lock_assert_held(&shared.inner);
		shared.count++;
		shared.whose = (p->number + 1) % 2;
		pthread_cond_broadcast(&shared.turn);
		lock_release(&shared.inner);
	}
	return NULL;
}

START_TEST(waiting)
{
	struct player p[2];
	int rounds = unit_amount(2000);
	shared_init();
	for (int i = 0; i < 2; i++) {
		p[i].number = i;
		p[i].rounds = rounds;
		ck_assert_int_eq(pthread_create(&p[i].thread, NULL, take_turns, &p[i]), 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(p[i].thread, NULL);
	ck_assert_int_eq(shared.count, 2 * rounds);
	shared_fini();
}
END_TEST

START_TEST(waiting_until)
{
	shared_init();
	lock_acquire(&shared.inner);
	/* What has passed is over at once; a wait may end early, but not say that the time has come. */
	ck_assert(!lock_wait_until(&shared.inner, &shared.turn, 0));
	int64_t then = clock_mono_ms() + 30;
	while (lock_wait_until(&shared.inner, &shared.turn, then))
		continue;
	ck_assert_int_ge(clock_mono_ms(), then);
	lock_assert_held(&shared.inner);
	lock_release(&shared.inner);
	shared_fini();
}
END_TEST

static void *
signal_turn(void *arg)
{
	(void)arg;
	lock_acquire(&shared.inner);
	shared.whose = 1;
	pthread_cond_signal(&shared.turn);
	lock_release(&shared.inner);
	return NULL;
}

START_TEST(woken_before_the_time)
{
	pthread_t t;
	shared_init();
	lock_acquire(&shared.inner);
	ck_assert_int_eq(pthread_create(&t, NULL, signal_turn, NULL), 0);
	int64_t then = clock_mono_ms() + UNIT_SOON_MS;
	bool in_time = true;
	/* The lock is free while we wait, or the other could never set it. */
	while (shared.whose != 1 && in_time)
		in_time = lock_wait_until(&shared.inner, &shared.turn, then);
	ck_assert(in_time);
	lock_release(&shared.inner);
	pthread_join(t, NULL);
	shared_fini();
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, growing_ranks);
	UNIT_ABORTS(s, falling_rank);
	UNIT_ABORTS(s, equal_rank);
	UNIT_ABORTS(s, falling_rank_after_a_release);
	UNIT_ABORTS(s, falling_rank_after_a_wait);
	UNIT_ABORTS(s, acquired_twice);
	UNIT_ABORTS(s, released_without_holding);
	UNIT_ABORTS(s, released_twice);
	UNIT_ABORTS(s, released_out_of_order);
	UNIT_ABORTS(s, released_twice_beside_one_of_its_rank);
	UNIT_ABORTS(s, not_held);
	UNIT_ABORTS(s, no_longer_held);
	UNIT_ABORTS(s, wait_without_holding);
	UNIT_ABORTS(s, rank_of_zero);
	UNIT_ABORTS(s, released_by_another_thread);
	UNIT_ABORTS(s, released_by_another_thread_that_holds_one);
	UNIT_ABORTS(s, held_by_another_thread);
	UNIT_TEST(s, one_at_a_time);
	UNIT_TEST(s, waiting);
	UNIT_TEST(s, waiting_until);
	UNIT_TEST(s, woken_before_the_time);
}

int
main(void)
{
	return unit_main("lock", add);
}
