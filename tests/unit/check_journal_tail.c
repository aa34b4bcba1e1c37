/* SPDX-License-Identifier: MIT
 * The journal's start on files that are torn at their end. */
#include "journal_damage_rig.h"

/* ---- tails ---- */

START_TEST(cut_at_every_byte)
{
	build(2, 28);
	for (uint64_t segment = IMAGES - 1; segment <= IMAGES; segment++) {
		size_t first, end;
		records_of(segment, &first, &end);
		for (size_t k = (size_t)all.shown[end - 2].at.offset; k <= image[segment].n; k++) {
			char kept[80];
			restore(segment, image[segment].p, k);
			rig_open();
			size_t good = whole(first, end, k);
			uint64_t edge = good < end ? all.shown[good].at.offset : image[segment].n;
			visited_but(good, end);
			if (k == edge) {
				ck_assert_str_eq(rig.said, "");
			} else {
				ck_assert(is_said(segment, edge));
				snprintf(kept, sizeof kept, "damaged-%016" PRIx64 "-%" PRIu64, segment, edge);
				kept_is(kept, image[segment].p + edge, k - edge);
			}
			ck_assert_uint_eq(counts().damaged, 0);         /* to be torn is no damage */
			goes_on(true);
			journal_close(&rig.j);
		}
	}
}
END_TEST

START_TEST(nuls_at_the_end)
{
	const size_t more[] = { 0, 1, 100, 4096, 100000 };
	build(2, 28);
	size_t first, end;
	records_of(IMAGES, &first, &end);
	size_t n = image[IMAGES].n;
	char *p = malloc(n + 100000);
	for (size_t m = 0; m < 5; m++)
		for (size_t k = (size_t)all.shown[end - 1].at.offset; k <= n; k++) {
			memset(p, 0, n + more[m]);
			memcpy(p, image[IMAGES].p, k);
			restore(IMAGES, p, n + more[m]);
			rig_open();
			size_t good = whole(first, end, k);
			visited_but(good, end);
			ck_assert(is_said(IMAGES, good < end ? all.shown[good].at.offset : n) || (k == n && more[m] == 0));
			goes_on(true);
			journal_close(&rig.j);
		}
	/* Nothing but NULs; and an empty file, which a rotation may leave. */
	memset(p, 0, n);
	for (int empty = 0; empty < 2; empty++) {
		restore(IMAGES, p, empty ? 0 : n);
		rig_open();
		visited_but(first, end);
		ck_assert_int_eq(rig.said[0] == '\0', empty);
		ck_assert_uint_eq(journal_end(rig.j).segment, IMAGES);
		goes_on(true);
		journal_close(&rig.j);
	}
	free(p);
}
END_TEST

/* Torn again and again at the same place, and there are only so many files to keep what was torn. */
START_TEST(torn_often)
{
	char name[RIG_PATH];
	build(2, 28);
	restore(0, NULL, 0);
	file_name(name, IMAGES);
	for (int i = 0; i < 80; i++) {
		char *p = malloc(image[IMAGES].n + 30);
		memcpy(p, image[IMAGES].p, image[IMAGES].n);
		int n = sprintf(p + image[IMAGES].n, "0 data la 173%d", i / 2);
		spill(name, p, image[IMAGES].n + (size_t)n);
		free(p);
		rig_open();
		visited_but(0, 0);
		ck_assert(is_said(IMAGES, image[IMAGES].n));
		ck_assert_ptr_nonnull(strstr(rig.said, "cut off"));
		journal_close(&rig.j);
	}
	ck_assert_uint_eq(rig_files(rig.dir, "damaged-", false), 9);
	build(2, 28);
	restore(0, NULL, 0);
	for (int i = 0; i < 100; i++) {
		rig_open();
		ck_assert_int_eq(put("la", 1, (uint64_t)i + 1, 1, 20), 0);
		journal_close(&rig.j);
		file_name(name, IMAGES + 99);           /* more segments than that there are not */
		uint64_t last = IMAGES + 99;
		while (access(name, F_OK) != 0)
			file_name(name, --last);
		FILE *f = fopen(name, "a");
		fputs("0 da", f);
		fclose(f);
	}
	rig_open();
	ck_assert_uint_eq(rig.visited.count, all.count + 100);
	ck_assert_uint_eq(rig_files(rig.dir, "damaged-", false), JOURNAL_ASIDE);
}
END_TEST

static void
add(Suite *s)
{
	DAMAGE_TEST(s, cut_at_every_byte);
	DAMAGE_TEST(s, nuls_at_the_end);
	DAMAGE_TEST(s, torn_often);
}

int
main(void)
{
	return unit_main("journal_tail", add);
}
