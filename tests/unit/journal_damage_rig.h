/* SPDX-License-Identifier: MIT
 * journal_damage_rig.h - a journal of five segments, kept in memory, that is put back with something changed. */
#ifndef JOURNAL_DAMAGE_RIG_H
#define JOURNAL_DAMAGE_RIG_H

#include "journal_rig.h"

/* A journal as it was before anything happened to it. */
enum { IMAGES = 5 };
static struct {
	char  *p;
	size_t n;
} image[IMAGES + 1];
static struct shown_list all;

/* Three records or so in each of five segments. */
static inline void
build(unsigned lines, size_t bytes)
{
	char name[RIG_PATH];
	forget(&all);
	rig.segment_bytes = (int64_t)(3 * (lines * (bytes + 2) + 80));
	journal_set_sync(no_sync);
	rig_open();
	for (uint64_t seq = 2, i = 0; journal_end(rig.j).segment <= IMAGES; seq += lines)
		ck_assert_int_eq(put(++i % 3 == 0 ? "ny" : "la", 1732091521000, seq, lines, bytes), 0);
	scan_all(&all);
	while (all.shown[all.count - 1].at.segment > IMAGES)
		all.count--;
	journal_close(&rig.j);
	for (uint64_t i = 1; i <= IMAGES; i++) {
		file_name(name, i);
		free(image[i].p);
		image[i].p = slurp(name, &image[i].n);
	}
	rig_files(rig.dir, "", true);
}

/* All of it as it was, but for one segment: 0: none. */
static inline void
restore(uint64_t but, const char *p, size_t n)
{
	char name[RIG_PATH];
	rig_files(rig.dir, "", true);
	for (uint64_t i = 1; i <= IMAGES; i++) {
		file_name(name, i);
		spill(name, i == but ? p : image[i].p, i == but ? n : image[i].n);
	}
}

static inline void
damage_teardown(void)
{
	for (int i = 0; i <= IMAGES; i++) {
		free(image[i].p);
		image[i].p = NULL;
	}
	forget(&all);
	rig_teardown();
}

static inline bool
is_said(uint64_t segment, uint64_t offset)
{
	char file[SEGMENT_NAME], where[64];
	segment_name(segment, file);
	snprintf(where, sizeof where, "offset %" PRIu64, offset);
	for (const char *line = rig.said; *line != '\0'; line = strchr(line, '\n') + 1) {
		const char *f = strstr(line, file), *at = strstr(line, where), *end = strchr(line, '\n');
		if (f != NULL && f < end && at != NULL && at < end && (at[strlen(where)] < '0' || at[strlen(where)] > '9'))
			return true;
	}
	return false;
}

/* Were just those records of all visited that are not from .. to - 1? */
static inline void
visited_but(size_t from, size_t to)
{
	must(rig.visited.count == all.count - (to - from));
	for (size_t i = 0; i < rig.visited.count; i++)
		must(memcmp(&rig.visited.shown[i], &all.shown[i < from ? i : i + to - from], sizeof *all.shown) == 0);
}

/* Does it take new ones, and has them after a start that finds nothing to say? */
static inline void
goes_on(bool silent)
{
	size_t before = rig.visited.count;
	ck_assert_int_eq(put("sf", 77, 1, 1, 50), 0);
	ck_assert_int_eq(put("sf", 77, 2, 1, 50), 0);
	rig_reopen();
	ck_assert_uint_eq(rig.visited.count, before + 2);
	ck_assert_str_eq(read_as_text("sf", 77, 1, 9), "1+1 2+1 ");
	if (silent)
		ck_assert_str_eq(rig.said, "");
}

static inline void
kept_is(const char *name, const char *p, size_t n)
{
	char path[RIG_PATH];
	size_t m;
	snprintf(path, sizeof path, "%s/%s", rig.dir, name);
	char *q = slurp(path, &m);
	must(m == n);
	must(memcmp(p, q, n) == 0);
	free(q);
}

/* Of the records of a segment in all: from first to end - 1. */
static inline void
records_of(uint64_t segment, size_t *first, size_t *end)
{
	*first = 0;
	while (all.shown[*first].at.segment != segment)
		++*first;
	for (*end = *first; *end < all.count && all.shown[*end].at.segment == segment; )
		++*end;
}

/* Records of the segment that end by there. */
static inline size_t
whole(size_t first, size_t end, uint64_t offset)
{
	size_t i = first;
	while (i < end && all.shown[i].at.offset + all.shown[i].size <= offset)
		i++;
	return i;
}

#define DAMAGE_TEST(suite, test) \
	do { \
		TCase *tcase = unit_case(suite, #test); \
		tcase_add_checked_fixture(tcase, rig_setup, damage_teardown); \
		tcase_add_test(tcase, test); \
	} while (0)

#endif
