/* SPDX-License-Identifier: MIT
 * check_settle.c - who is told what, when, in which order; against a naive list. */
#include "ring/settle.h"

#include "unit.h"

enum { MEMBERS = 5, MOST = 200 };

struct item {
	struct settle_entry entry;      /* first */
	bool done, enough;
	int  have, turn;
};

static struct {
	struct settle settle;
	struct item   item[MOST];
	int           turns;
} t;

static void
done(void *arg, struct settle_entry *e, bool enough, int have)
{
	struct item *i = (struct item *)(void *)e;
	ck_assert_ptr_eq(arg, &t);
	unit_require(!i->done, "told twice");
	i->done = true;
	i->enough = enough;
	i->have = have;
	i->turn = t.turns++;
}

static struct item *
add_item(int n, uint64_t seq, int level, int64_t deadline)
{
	t.item[n] = (struct item){ .entry = { .seq = seq, .level = level, .deadline_ms = deadline } };
	settle_add(&t.settle, &t.item[n].entry);
	return &t.item[n];
}

static void
look(const uint64_t had[MEMBERS], int64_t now)
{
	settle_look(&t.settle, had, MEMBERS, now, done, &t);
}

START_TEST(levels)
{
	settle_init(&t.settle);
	ck_assert_int_eq(settle_next(&t.settle), INT64_MAX);
	struct item *one = add_item(0, 10, 1, 1000), *two = add_item(1, 10, 2, 1000), *all = add_item(2, 10, 5, 900);
	ck_assert_int_eq(t.settle.waiting, 3);
	ck_assert_int_eq(settle_next(&t.settle), 900);
	look((uint64_t[]){ 9, 9, 9, 9, 9 }, 0);
	ck_assert(!one->done && !two->done && !all->done);
	look((uint64_t[]){ 10, 9, 0, 0, 9 }, 0);
	ck_assert(one->done && one->enough && one->have == 1 && !two->done);
	/* Any of them count. */
	look((uint64_t[]){ 0, 9, 11, 0, 10 }, 0);
	ck_assert(two->done && two->enough && two->have == 2 && !all->done);
	look((uint64_t[]){ 10, 10, 10, 10, 9 }, 899);
	ck_assert(!all->done);
	look((uint64_t[]){ 10, 10, 10, 10, 9 }, 900);
	ck_assert(all->done && !all->enough && all->have == 4);
	ck_assert_int_eq(t.settle.waiting, 0);
	ck_assert_int_eq(settle_next(&t.settle), INT64_MAX);
}
END_TEST

/* Enough at the very deadline is enough. */
START_TEST(deadlines)
{
	settle_init(&t.settle);
	struct item *a = add_item(0, 1, 2, 100), *b = add_item(1, 2, 2, 100), *c = add_item(2, 3, 2, 200);
	look((uint64_t[]){ 3, 1, 0, 0, 0 }, 100);
	ck_assert(a->done && a->enough && b->done && !b->enough && b->have == 1 && !c->done);
	ck_assert_int_eq(settle_next(&t.settle), 200);
	settle_all(&t.settle, (uint64_t[]){ 3, 1, 3, 0, 0 }, MEMBERS, done, &t);
	ck_assert(c->done && c->enough && c->have == 2);
	c = add_item(2, 4, 2, INT64_MAX);
	settle_all(&t.settle, (uint64_t[]){ 3, 4, 0, 0, 0 }, MEMBERS, done, &t);
	ck_assert(c->done && !c->enough && c->have == 1);
}
END_TEST

/* Whatever happens: told once, in the order of numbers within a level, never before there is a reason, never later than the
 * first look that has one. */
START_TEST(random_looks)
{
	uint64_t seed = unit_seed("random_looks");
	for (int run = 0; run < unit_amount(3000); run++) {
		uint64_t random = seed + (uint64_t)run, had[MEMBERS] = { 0 }, seq = 0;
		int64_t now = 0;
		int items = 0, last[MEMBERS + 1];
		settle_init(&t.settle);
		t.turns = 0;
		while (items < 60 || t.settle.waiting != 0) {
			if (items < 60 && unit_below(&random, 2) == 0) {
				seq += 1 + unit_below(&random, 4);
				add_item(items++, seq, 1 + (int)unit_below(&random, MEMBERS), now + 50);
				continue;
			}
			bool was[MOST];
			for (int i = 0; i < items; i++)
				was[i] = t.item[i].done;
			for (int m = 0; m < MEMBERS; m++)       /* what a member had may go down */
				had[m] = unit_below(&random, 8) == 0 ? had[m] / 2 : had[m] + unit_below(&random, (unsigned)(seq - had[m] + 1));
			now += unit_below(&random, 20);
			look(had, now);
			for (int i = 0; i < items; i++) {
				const struct item *x = &t.item[i];
				int have = 0;
				for (int m = 0; m < MEMBERS; m++)
					have += had[m] >= x->entry.seq;
				bool due = have >= x->entry.level || now >= x->entry.deadline_ms;
				unit_require(was[i] || x->done == due, "seed %" PRIu64 ": item %d is told %d", seed + (uint64_t)run, i, x->done);
				unit_require(was[i] || !x->done || (x->have == have && x->enough == (have >= x->entry.level)),
				    "seed %" PRIu64 ": item %d is told wrong", seed + (uint64_t)run, i);
			}
		}
		for (int level = 0; level <= MEMBERS; level++)
			last[level] = -1;
		for (int i = 0; i < items; i++) {
			unit_require(t.item[i].turn > last[t.item[i].entry.level], "seed %" PRIu64 ": item %d out of order",
			    seed + (uint64_t)run, i);
			last[t.item[i].entry.level] = t.item[i].turn;
		}
	}
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, levels);
	UNIT_TEST(s, deadlines);
	UNIT_TEST(s, random_looks);
}

int
main(void)
{
	return unit_main("settle", add);
}
