/* SPDX-License-Identifier: MIT
 * The journal's start on segments that are missing, doubled, or somebody else's. */
#include "journal_damage_rig.h"

/* ---- segments ---- */

START_TEST(segment_missing_or_empty)
{
	char name[RIG_PATH];
	build(2, 28);
	for (uint64_t i = 1; i <= IMAGES; i++)
		for (int empty = 0; empty < 2; empty++) {
			size_t first, end;
			restore(i, "", 0);
			file_name(name, i);
			if (!empty)
				unlink(name);
			rig_open();
			records_of(i, &first, &end);
			visited_but(first, end);
			bool said = strstr(rig.said, strrchr(name, '/') + 1) != NULL;
			ck_assert_int_eq(said, (i > 1 || empty) && i < IMAGES);
			goes_on(i == IMAGES || (i == 1 && !empty));
			journal_close(&rig.j);
		}
	restore(0, NULL, 0);
	for (uint64_t i = 2; i <= 4; i++) {
		file_name(name, i);
		unlink(name);
	}
	rig_open();
	ck_assert_ptr_nonnull(strstr(rig.said, "journal-0000000000000002 to journal-0000000000000004 are missing"));
}
END_TEST

/* Every frame once, in the order of the numbers, whatever the order of the files. */
static void
reads_all_once(size_t but_from, size_t but_to)
{
	struct shown_list la = { 0 }, ny = { 0 };
	ck_assert_int_eq(journal_read(rig.j, "la", all.shown[0].epoch, 1, UINT64_MAX, take_into, &la), 0);
	ck_assert_int_eq(journal_read(rig.j, "ny", all.shown[0].epoch, 1, UINT64_MAX, take_into, &ny), 0);
	ck_assert_uint_eq(la.count + ny.count, all.count - (but_to - but_from));
	size_t l = 0, n = 0;
	for (size_t i = 0; i < all.count; i++) {
		if (i >= but_from && i < but_to)
			continue;
		const struct shown *s = all.shown[i].origin[0] == 'l' ? &la.shown[l++] : &ny.shown[n++];
		ck_assert_uint_eq(s->seq, all.shown[i].seq);
		ck_assert_uint_eq(s->crc, all.shown[i].crc);
	}
	forget(&la);
	forget(&ny);
}

START_TEST(segments_swapped_or_doubled)
{
	char name[RIG_PATH];
	size_t first, end, in_2;
	build(2, 28);
	records_of(2, &first, &end);
	in_2 = end - first;
	restore(2, image[4].p, image[4].n);
	file_name(name, 4);
	spill(name, image[2].p, image[2].n);
	rig_open();
	ck_assert_str_eq(rig.said, "");
	ck_assert_uint_eq(rig.visited.count, all.count);
	reads_all_once(0, 0);
	goes_on(true);
	journal_close(&rig.j);
	/* One of them twice: under a new number, and in the place of another. */
	restore(0, NULL, 0);
	file_name(name, IMAGES + 1);
	spill(name, image[2].p, image[2].n);
	rig_open();
	ck_assert_uint_eq(rig.visited.count, all.count + in_2);
	reads_all_once(0, 0);
	goes_on(true);
	journal_close(&rig.j);
	restore(4, image[2].p, image[2].n);
	rig_open();
	records_of(4, &first, &end);
	reads_all_once(first, end);
	goes_on(true);
	/* Where one copy is damaged the other is given. */
	journal_close(&rig.j);
	for (int copy = 0; copy < 2; copy++) {
		restore(0, NULL, 0);
		file_name(name, IMAGES + 1);
		spill(name, image[2].p, image[2].n);
		rig_open();
		file_name(name, copy == 0 ? 2 : IMAGES + 1);
		char *p = malloc(image[2].n);
		memcpy(p, image[2].p, image[2].n);
		p[70] ^= 1;
		spill(name, p, image[2].n);
		free(p);
		reads_all_once(0, 0);
		journal_close(&rig.j);
	}
}
END_TEST

START_TEST(what_is_no_segment)
{
	const char *names[] = { "journal-1", "journal-0000000000000002.bak", "journal-000000000000000A", "journal-0000000000000000",
		"journal-ffffffffffffffff", "journal-7fffffffffffffff", "journal-", "journal-00000000000000022" };
	char path[RIG_PATH], name[RIG_PATH];
	build(2, 28);
	restore(0, NULL, 0);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", rig.dir, names[i]);
		spill(path, names[i], strlen(names[i]));
	}
	snprintf(path, sizeof path, "%s/notes", rig.dir);
	spill(path, "x", 1);
	rig_open();
	visited_but(0, 0);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char to[64];
		snprintf(to, sizeof to, "foreign-%s", names[i]);
		kept_is(to, names[i], strlen(names[i]));
		ck_assert_ptr_nonnull(strstr(rig.said, to));
	}
	kept_is("notes", "x", 1);
	goes_on(true);
	journal_close(&rig.j);
	/* Good names, bad files: text, a folder, a link; twice, so that the name to give is taken. */
	for (int round = 0; round < 2; round++) {
		const char text[] = "\x7f" "ELF and so on\nand so on\n";
		restore(3, text, sizeof text - 1);
		for (int again = 0; again <= round; again++) {
			file_name(name, 2);
			unlink(name);
			ck_assert_int_eq(symlink("../secret", name), 0);
			file_name(name, 4);
			unlink(name);
			mkdir(name, 0700);
			file_name(name, 3);
			spill(name, text, sizeof text - 1);
			rig_open();
			ck_assert_uint_lt(rig.visited.count, all.count);
			for (uint64_t i = 2; i <= 4; i++) {
				char to[64];
				snprintf(to, sizeof to, "foreign-journal-%016" PRIx64 "%s", i, again ? ".2" : "");
				ck_assert_ptr_nonnull(strstr(rig.said, to));
				if (i == 3)
					kept_is(to, text, sizeof text - 1);
			}
			goes_on(false);
			journal_close(&rig.j);
		}
	}
	/* The last one is somebody else's: its number is not used again. */
	restore(IMAGES, "hello\r\n", 7);
	rig_open();
	ck_assert_uint_eq(journal_end(rig.j).segment, IMAGES + 1);
	goes_on(false);
}
END_TEST

START_TEST(visitor_that_stops)
{
	build(2, 28);
	restore(0, NULL, 0);
	rig.visited.most = 4;
	/* rig_open forgets it: */
	struct journal_options o = { rig.dir, INT64_MAX, INT64_MAX, rig_say, rig_pruned, &rig };
	const char *why;
	rig.j = journal_open(&o, rig_visit, &why);
	ck_assert_ptr_nonnull(rig.j);
	ck_assert_uint_eq(rig.visited.count, 4);
	reads_all_once(0, 0);
	journal_close(&rig.j);
	rig.j = journal_open(&o, NULL, &why);
	ck_assert_ptr_nonnull(rig.j);
	reads_all_once(0, 0);
}
END_TEST

static void
add(Suite *s)
{
	DAMAGE_TEST(s, segment_missing_or_empty);
	DAMAGE_TEST(s, segments_swapped_or_doubled);
	DAMAGE_TEST(s, what_is_no_segment);
	DAMAGE_TEST(s, visitor_that_stops);
}

int
main(void)
{
	return unit_main("journal_segments", add);
}
