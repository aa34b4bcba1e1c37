/* SPDX-License-Identifier: MIT
 * check_reader.c - the journal as who only looks sees it, beside the one that writes. */
#include "store/reader.h"

#include "journal_rig.h"

static struct {
	struct shown_list good;
	unsigned          damaged, segments, most;
	char              where[128];
} seen;

static bool
on_good(void *arg, const struct frame_head *h, const char *body)
{
	(void)arg;
	must(frame_check_lines(h, body));
	show(&seen.good, h, (struct journal_pos){ 0, 0 }, 0);
	return seen.most == 0 || seen.good.count < seen.most;
}

static bool
on_damaged(void *arg, const char *segment, uint64_t offset, uint64_t bytes, const char *why)
{
	(void)arg;
	(void)bytes;
	snprintf(seen.where, sizeof seen.where, "%s %" PRIu64 " %s", segment, offset, why);
	seen.damaged++;
	return true;
}

static bool
on_segment(void *arg, const char *name)
{
	(void)arg;
	must(strncmp(name, "journal-", 8) == 0);
	seen.segments++;
	return true;
}

static void
look(struct journal_pos end)
{
	const struct reader_ops ops = { NULL, on_good, on_damaged, on_segment };
	forget(&seen.good);
	seen.damaged = seen.segments = 0;
	ck_assert_int_eq(reader_scan(rig.dir, end, &ops), 0);
}

START_TEST(all_in_order_over_segments)
{
	rig.segment_bytes = 1000;
	rig_open();
	look(journal_end(rig.j));
	ck_assert_uint_eq(seen.good.count, 0);
	for (uint64_t seq = 1; seq <= 50; seq++)
		must(put("la", 5, seq, 1, 100) == 0);
	look(journal_end(rig.j));
	ck_assert_uint_eq(seen.good.count, 50);
	ck_assert_uint_eq(seen.segments, counts().segments);
	ck_assert(seen.segments > 5 && seen.damaged == 0);
	for (size_t i = 0; i < seen.good.count; i++)
		ck_assert_uint_eq(seen.good.shown[i].seq, i + 1);
	seen.most = 7;
	look(journal_end(rig.j));
	ck_assert_uint_eq(seen.good.count, 7);
	seen.most = 0;
}
END_TEST

/* What is appended behind the end that was asked for is not looked at, nor what is half there. */
START_TEST(no_further_than_the_end)
{
	char name[RIG_PATH];
	rig_open();
	for (uint64_t seq = 1; seq <= 5; seq++)
		must(put("la", 5, seq, 1, 100) == 0);
	struct journal_pos end = journal_end(rig.j);
	must(put("la", 5, 6, 1, 100) == 0);
	file_name(name, 1);
	int fd = open(name, O_WRONLY | O_APPEND);
	must(fd >= 0 && write(fd, "0 data la", 9) == 9);
	close(fd);
	look(end);
	ck_assert(seen.good.count == 5 && seen.damaged == 0);
}
END_TEST

/* Damage is told, nothing is changed by looking, and files of others are none of its business. */
START_TEST(damage_and_strangers)
{
	char name[RIG_PATH];
	size_t n, after;
	rig_open();
	for (uint64_t seq = 1; seq <= 5; seq++)
		must(put("la", 5, seq, 1, 100) == 0);
	file_name(name, 1);
	char *p = slurp(name, &n);
	p[n / 2] ^= 1;
	spill(name, p, n);
	char other[RIG_PATH + 32];
	static const char *const strangers[] = { "journal-1", "journal-000000000000000g", "journal-", "notes" };
	for (size_t i = 0; i < UNIT_COUNT(strangers); i++) {
		snprintf(other, sizeof other, "%s/%s", rig.dir, strangers[i]);
		spill(other, "0 x\n", 4);
	}
	look(journal_end(rig.j));
	ck_assert(seen.good.count == 4 && seen.damaged == 1 && seen.segments == 1);
	ck_assert(strstr(seen.where, "journal-0000000000000001 ") != NULL);
	char *q = slurp(name, &after);
	ck_assert(after == n && memcmp(p, q, n) == 0);
	free(p);
	free(q);
	/* One that is gone, as when it was pruned meanwhile, is passed over. */
	unlink(name);
	look(journal_end(rig.j));
	ck_assert_uint_eq(seen.good.count, 0);
	const struct reader_ops ops = { NULL, on_good, NULL, NULL };
	ck_assert_int_eq(reader_scan("/nonexistent", journal_end(rig.j), &ops), -1);
	ck_assert_int_eq(errno, ENOENT);
}
END_TEST

static void
add(Suite *s)
{
	RIG_TEST(s, all_in_order_over_segments);
	RIG_TEST(s, no_further_than_the_end);
	RIG_TEST(s, damage_and_strangers);
}

int
main(void)
{
	return unit_main("reader", add);
}
