/* SPDX-License-Identifier: MIT */
#include "daemon/suppress.h"

#include "unit.h"

static struct suppress s;

/* What was told, as text. */
static struct buf told;

static void
tell(void *arg, const char *who, const char *what, uint64_t n)
{
	ck_assert_ptr_eq(arg, &told);
	buf_printf(&told, "%s/%s:%" PRIu64 " ", who, what, n);
}

static bool
allows(const char *who, const char *what, int64_t now)
{
	return suppress_allows(&s, who, what, now, tell, &told);
}

static int64_t
flush(int64_t now, bool all)
{
	return suppress_flush(&s, now, all, tell, &told);
}

static void
assert_told(const char *want)
{
	ck_assert_str_eq(unit_text(&told), want);
	buf_clear(&told);
}

static void
begin(unsigned per_second)
{
	buf_fini(&told);
	suppress_init(&s, per_second);
}

START_TEST(so_many_a_second)
{
	begin(3);
	for (int i = 0; i < 3; i++)
		ck_assert(allows("a", "x", 1000 + i));
	for (int i = 0; i < 5; i++)
		ck_assert(!allows("a", "x", 1003 + i));
	ck_assert(!allows("a", "x", 1999));
	assert_told("");
	/* A second after the first line it begins anew, and what was held back is told before. */
	ck_assert(allows("a", "x", 2000));
	assert_told("a/x:6 ");
	ck_assert(allows("a", "x", 2001));
	ck_assert(allows("a", "x", 2002));
	ck_assert(!allows("a", "x", 2999));
	ck_assert(allows("a", "x", 3000));
	assert_told("a/x:1 ");
	buf_fini(&told);
}
END_TEST

/* From the very first moment of a clock that starts at 0, too. */
START_TEST(at_zero)
{
	begin(1);
	ck_assert(allows("a", "x", 0));
	ck_assert(!allows("a", "x", 0));
	ck_assert(!allows("a", "x", 999));
	ck_assert(allows("a", "x", 1000));
	assert_told("a/x:2 ");
	buf_fini(&told);
}
END_TEST

START_TEST(each_sender_and_kind_by_itself)
{
	begin(1);
	ck_assert(allows("a", "x", 0));
	ck_assert(allows("a", "y", 0));
	ck_assert(allows("b", "x", 0));
	ck_assert(!allows("a", "x", 0));
	ck_assert(!allows("a", "y", 0));
	ck_assert(!allows("a", "y", 0));
	flush(0, true);
	ck_assert_uint_eq(s.held, 0);
	const char *text = unit_text(&told);
	ck_assert_ptr_nonnull(strstr(text, "a/x:1 "));
	ck_assert_ptr_nonnull(strstr(text, "a/y:2 "));
	ck_assert_uint_eq(strlen(text), 12);
	buf_fini(&told);
}
END_TEST

START_TEST(flush_tells_what_is_over)
{
	begin(1);
	ck_assert_int_eq(flush(0, false), INT64_MAX);
	allows("a", "x", 100);
	ck_assert_int_eq(flush(100, false), INT64_MAX);        /* nothing is held back */
	allows("a", "x", 200);
	allows("b", "x", 300);
	allows("b", "x", 400);
	allows("b", "x", 400);
	ck_assert_int_eq(flush(500, false), 1100);
	ck_assert_int_eq(flush(1099, false), 1100);
	assert_told("");
	ck_assert_int_eq(flush(1100, false), 1300);
	assert_told("a/x:1 ");
	ck_assert_int_eq(flush(1299, false), 1300);
	assert_told("");
	ck_assert_int_eq(flush(1300, false), INT64_MAX);
	assert_told("b/x:2 ");
	ck_assert_int_eq(flush(1301, true), INT64_MAX);
	assert_told("");                                        /* once */
	buf_fini(&told);
}
END_TEST

START_TEST(flush_all)
{
	begin(1);
	allows("a", "x", 100);
	allows("a", "x", 200);
	ck_assert_int_eq(flush(201, true), INT64_MAX);
	assert_told("a/x:1 ");
	/* The second goes on: what comes after is held back, and told in its turn. */
	ck_assert(!allows("a", "x", 300));
	ck_assert_int_eq(flush(300, false), 1100);
	ck_assert(allows("a", "x", 1100));
	assert_told("a/x:1 ");
	buf_fini(&told);
}
END_TEST

/* Many senders together do not get more than a hundred times as much. */
START_TEST(all_together)
{
	begin(2);
	int allowed = 0;
	char who[16];
	for (int i = 0; i < 1000; i++) {
		snprintf(who, sizeof who, "host%d", i);
		allowed += allows(who, "x", 500);
	}
	ck_assert_int_eq(allowed, 200);
	snprintf(who, sizeof who, "host%d", 2000);
	ck_assert(!allows(who, "x", 1499));
	ck_assert(allows(who, "x", 1500));
	buf_fini(&told);
}
END_TEST

static int
place(const char *who)
{
	for (int i = 0; i < SUPPRESS_PLACES; i++)
		if (strcmp(s.place[i].who, who) == 0)
			return i;
	return -1;
}

/* Two that meet in one place of the table: nothing that was held back is forgotten. */
START_TEST(two_in_one_place)
{
	char other[16] = "";
	begin(1);
	allows("first", "x", 0);
	int mine = place("first");
	ck_assert_int_ge(mine, 0);
	for (int i = 0; i < 100000; i++) {
		struct suppress saved = s;
		snprintf(other, sizeof other, "o%d", i);
		allows(other, "x", 5000);
		bool here = place(other) == mine;
		s = saved;
		if (here)
			break;
	}
	buf_clear(&told);
	ck_assert(!allows("first", "x", 1));
	ck_assert(!allows("first", "x", 2));
	ck_assert(allows(other, "x", 3));
	assert_told("first/x:2 ");
	ck_assert(!allows(other, "x", 4));
	ck_assert(allows("first", "x", 5));
	char want[64];
	snprintf(want, sizeof want, "%s/x:1 ", other);
	assert_told(want);
	ck_assert_uint_eq(s.held, 0);
	buf_fini(&told);
}
END_TEST

/* Two kinds of one sender that meet there are two all the same. */
START_TEST(two_kinds_in_one_place)
{
	char other[16] = "";
	begin(1);
	allows("a", "first", 0);
	int mine = place("a");
	for (int i = 0; i < 100000; i++) {
		struct suppress saved = s;
		snprintf(other, sizeof other, "o%d", i);
		allows("a", other, 0);
		bool here = strcmp(s.place[mine].what, "first") != 0;
		s = saved;
		if (here)
			break;
	}
	buf_clear(&told);
	ck_assert(!allows("a", "first", 1));
	ck_assert(allows("a", other, 2));
	assert_told("a/first:1 ");
	buf_fini(&told);
}
END_TEST

/* Names that do not fit are cut, and the same one is still the same one. */
START_TEST(long_names)
{
	char who[200], what[200];
	memset(who, 'w', sizeof who - 1);
	memset(what, 'r', sizeof what - 1);
	who[sizeof who - 1] = what[sizeof what - 1] = '\0';
	begin(1);
	ck_assert(allows(who, what, 0));
	ck_assert(!allows(who, what, 1));
	ck_assert(!allows(who, what, 2));
	flush(3, true);
	char want[200];
	snprintf(want, sizeof want, "%.63s/%.63s:2 ", who, what);
	assert_told(want);
	buf_fini(&told);
}
END_TEST

static void
add_up(void *arg, const char *who, const char *what, uint64_t n)
{
	(void)who;
	(void)what;
	*(uint64_t *)arg += n;
}

/* Whatever happens: what was let through and what is told are all there was. */
START_TEST(nothing_is_forgotten)
{
	uint64_t seed = unit_seed("nothing_is_forgotten"), sum = 0;
	int64_t now = (int64_t)unit_below(&seed, 1000000);
	suppress_init(&s, 5);
	for (int i = 1; i <= 200000; i++) {
		char who[16], what[16];
		/* A few senders that are loud, and many that meet them in the table. */
		snprintf(who, sizeof who, "%u", unit_below(&seed, unit_below(&seed, 2) == 0 ? 10 : 5000));
		snprintf(what, sizeof what, "%u", unit_below(&seed, 3));
		sum += suppress_allows(&s, who, what, now, add_up, &sum) ? 1 : 0;
		if (unit_below(&seed, 100) == 0)
			now += unit_below(&seed, 400);
		if (unit_below(&seed, 1000) == 0) {
			int64_t next = suppress_flush(&s, now, unit_below(&seed, 2) != 0, add_up, &sum);
			unit_require(next > now && (next == INT64_MAX) == (s.held == 0), "come again at %" PRId64 ", held %u", next,
			    s.held);
		}
	}
	suppress_flush(&s, now, true, add_up, &sum);
	ck_assert_uint_eq(sum, 200000);
	ck_assert_uint_eq(s.held, 0);
}
END_TEST

static void
add(Suite *suite)
{
	UNIT_TEST(suite, so_many_a_second);
	UNIT_TEST(suite, at_zero);
	UNIT_TEST(suite, each_sender_and_kind_by_itself);
	UNIT_TEST(suite, flush_tells_what_is_over);
	UNIT_TEST(suite, flush_all);
	UNIT_TEST(suite, all_together);
	UNIT_TEST(suite, two_in_one_place);
	UNIT_TEST(suite, two_kinds_in_one_place);
	UNIT_TEST(suite, long_names);
	UNIT_TEST(suite, nothing_is_forgotten);
}

int
main(void)
{
	return unit_main("suppress", add);
}
