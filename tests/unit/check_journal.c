/* SPDX-License-Identifier: MIT
 * The journal while all is well. A full or failing disk: check_journal_full.c; damage: check_journal_tail.c,
 * check_journal_damage.c, check_journal_segments.c; at random: check_journal_model.c. */
#include "journal_rig.h"

#include <sys/wait.h>

START_TEST(empty)
{
	const char *why;
	strcat(rig.dir, "/new");
	rig_open();
	struct stat st;
	ck_assert_int_eq(stat(rig.dir, &st), 0);
	ck_assert_int_eq(st.st_mode & 07027, 0);
	ck_assert_str_eq(rig.said, "");
	ck_assert_uint_eq(rig.visited.count, 0);
	ck_assert_uint_eq(journal_end(rig.j).segment, 1);
	ck_assert_uint_eq(journal_end(rig.j).offset, 0);
	ck_assert_uint_eq(journal_begin(rig.j).segment, 1);
	ck_assert(!journal_dirty(rig.j));
	ck_assert_int_eq(journal_sync(rig.j), 0);
	ck_assert_uint_eq(counts().syncs, 0);
	ck_assert_int_eq(journal_append(rig.j, NULL, 0), 0);
	ck_assert_str_eq(read_as_text("la", 5, 1, UINT64_MAX), "");
	rig_reopen();
	ck_assert_str_eq(rig.said, "");
	journal_close(&rig.j);
	rig_files(rig.dir, "", true);
	rmdir(rig.dir);
	/* Only the last level is made. */
	strcat(rig.dir, "/and/newer");
	ck_assert_ptr_null(rig_try(rig.dir, &why));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_str_eq(why, strerror(ENOENT));
	*strstr(rig.dir, "/new/and") = '\0';
}
END_TEST

START_TEST(append_and_reopen)
{
	struct shown_list before = { 0 };
	rig_open();
	ck_assert_int_eq(put("la", 5, 1, 3, 20), 0);
	ck_assert_int_eq(put("ny", 6, 1, 1, 500), 0);
	ck_assert_int_eq(put("la", 5, 4, 1, 1), 0);
	ck_assert_int_eq(put("sf", 0, 0, 1, 30), 0);    /* of no stream */
	ck_assert_int_eq(put("la", 7, 1, 2, 20), 0);
	scan_all(&before);
	ck_assert_uint_eq(before.count, 5);
	ck_assert_uint_eq(before.shown[0].at.offset, 0);
	struct journal_pos end = journal_end(rig.j);
	rig_reopen();
	ck_assert_str_eq(rig.said, "");
	same_shown(&rig.visited, &before);
	ck_assert_int_eq(journal_pos_compare(end, journal_end(rig.j)), 0);
	ck_assert_str_eq(read_as_text("la", 5, 1, 100), "1+3 4+1 ");
	ck_assert_str_eq(read_as_text("la", 5, 2, 2), "1+3 ");
	ck_assert_str_eq(read_as_text("la", 5, 3, 4), "1+3 4+1 ");
	ck_assert_str_eq(read_as_text("la", 5, 4, 4), "4+1 ");
	ck_assert_str_eq(read_as_text("la", 5, 5, UINT64_MAX), "");
	ck_assert_str_eq(read_as_text("la", 6, 1, 100), "");
	ck_assert_str_eq(read_as_text("ny", 6, 1, 100), "1+1 ");
	ck_assert_str_eq(read_as_text("sf", 0, 0, 100), "");
	/* And on. */
	ck_assert_int_eq(put("la", 7, 3, 1, 20), 0);
	ck_assert_str_eq(read_as_text("la", 7, 1, 100), "1+2 3+1 ");
	rig_reopen();
	ck_assert_uint_eq(rig.visited.count, 6);
	forget(&before);
}
END_TEST

START_TEST(files_hold_records_and_nothing_else)
{
	struct frame *f[2] = { make("la", 5, 1, 3, 20), make("ny", 6, 1, 1, 500) };
	char name[RIG_PATH];
	size_t n;
	rig_open();
	f[0]->record[0] = '0';
	ck_assert_int_eq(journal_append(rig.j, f, 2), 0);
	file_name(name, 1);
	char *p = slurp(name, &n);
	ck_assert_uint_eq(n, frame_size(f[0]) + frame_size(f[1]));
	ck_assert_mem_eq(p, f[0]->record, frame_size(f[0]));
	ck_assert_mem_eq(p + frame_size(f[0]), f[1]->record, frame_size(f[1]));
	free(p);
	frame_drop(&f[0]);
	frame_drop(&f[1]);
}
END_TEST

/* More frames in one call than writev takes at once, over many segments. */
START_TEST(large_batch)
{
	enum { COUNT = 3000 };
	static struct frame *f[COUNT];
	struct shown_list l = { 0 };
	rig.segment_bytes = 10000;
	rig_open();
	for (unsigned i = 0; i < COUNT; i++)
		f[i] = make("la", 5, i + 1, 1, 1 + i % 200);
	ck_assert_int_eq(journal_append(rig.j, f, COUNT), 0);
	for (int round = 0; round < 2; round++) {
		scan_all(&l);
		ck_assert_uint_eq(l.count, COUNT);
		for (unsigned i = 0; i < COUNT; i++)
			ck_assert_uint_eq(l.shown[i].crc, f[i]->h.crc);
		forget(&l);
		ck_assert_int_eq(journal_read(rig.j, "la", 5, 1, COUNT, take_into, &l), 0);
		ck_assert_uint_eq(l.count, COUNT);
		rig_reopen();
		ck_assert_str_eq(rig.said, "");
	}
	for (unsigned i = 0; i < COUNT; i++)
		frame_drop(&f[i]);
	forget(&l);
}
END_TEST

START_TEST(segments)
{
	struct stat st;
	char name[RIG_PATH];
	rig.segment_bytes = 1000;
	rig_open();
	for (uint64_t seq = 1; seq <= 100; seq++)
		ck_assert_int_eq(put("la", 5, seq, 1, 90), 0);
	/* One that fits nowhere has a segment of its own. */
	ck_assert_int_eq(put("la", 5, 101, 10, 500), 0);
	ck_assert_int_eq(put("la", 5, 111, 1, 90), 0);
	uint64_t last = journal_end(rig.j).segment;
	ck_assert_uint_gt(last, 15);
	ck_assert_uint_eq(counts().segments, last);
	uint64_t total = 0;
	for (uint64_t i = 1; i <= last; i++) {
		file_name(name, i);
		ck_assert_int_eq(stat(name, &st), 0);
		ck_assert_int_gt(st.st_size, 0);
		ck_assert(st.st_size <= 1000 || i == last - 1);
		total += (uint64_t)st.st_size;
	}
	ck_assert_uint_eq(counts().bytes, total);
	rig_reopen();
	ck_assert_uint_eq(counts().bytes, total);
	ck_assert_uint_eq(rig.visited.count, 102);
	ck_assert_str_eq(read_as_text("la", 5, 99, 200), "99+1 100+1 101+10 111+1 ");
	/* A limit that is changed counts from the next record on. */
	journal_limits(rig.j, INT64_MAX, INT64_MAX);
	for (uint64_t seq = 112; seq <= 150; seq++)
		ck_assert_int_eq(put("la", 5, seq, 1, 90), 0);
	ck_assert_uint_eq(journal_end(rig.j).segment, last);
}
END_TEST

START_TEST(second_process_is_refused)
{
	const char *why;
	rig_open();
	pid_t pid = fork();
	if (pid == 0) {
		struct journal_options o = { rig.dir, 1, 1, NULL, NULL, NULL };
		/* The lock goes with the file that both have open: it must be asked for anew. */
		_exit(journal_open(&o, NULL, &why) == NULL && errno == EWOULDBLOCK && why != NULL ? 42 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	ck_assert_ptr_null(rig_try(rig.dir, &why));
	ck_assert_int_eq(errno, EWOULDBLOCK);
	rig_reopen();
}
END_TEST

START_TEST(scan_from_a_position)
{
	struct shown_list all = { 0 }, part = { 0 };
	rig.segment_bytes = 1000;
	rig_open();
	for (uint64_t seq = 1; seq <= 30; seq++)
		ck_assert_int_eq(put("la", 5, seq, 1, 90), 0);
	scan_all(&all);
	for (size_t i = 0; i < all.count; i++) {
		forget(&part);
		ck_assert_int_eq(journal_scan(rig.j, all.shown[i].at, visit_into, &part), 0);
		ck_assert_uint_eq(part.count, all.count - i);
		ck_assert_mem_eq(part.shown, &all.shown[i], part.count * sizeof *part.shown);
		/* The end of a segment is the beginning of the next one. */
		struct journal_pos behind = { all.shown[i].at.segment, all.shown[i].at.offset + all.shown[i].size };
		forget(&part);
		ck_assert_int_eq(journal_scan(rig.j, behind, visit_into, &part), 0);
		ck_assert_uint_eq(part.count, all.count - i - 1);
	}
	forget(&part);
	ck_assert_int_eq(journal_scan(rig.j, journal_end(rig.j), visit_into, &part), 0);
	ck_assert_int_eq(journal_scan(rig.j, (struct journal_pos){ 99, 0 }, visit_into, &part), 0);
	ck_assert_uint_eq(part.count, 0);
	part.most = 7;
	ck_assert_int_eq(journal_scan(rig.j, (struct journal_pos){ 0, 0 }, visit_into, &part), 0);
	ck_assert_uint_eq(part.count, 7);
	forget(&part);
	part.most = 3;
	ck_assert_int_eq(journal_read(rig.j, "la", 5, 4, 30, take_into, &part), 0);
	ck_assert_uint_eq(part.count, 3);
	ck_assert_uint_eq(part.shown[0].seq, 4);
	forget(&part);
	forget(&all);
}
END_TEST

/* A file that came from elsewhere is in the way of the next segment. */
START_TEST(number_is_taken)
{
	char name[RIG_PATH];
	rig.segment_bytes = 1000;
	rig_open();
	file_name(name, 2);
	spill(name, "mine\n", 5);
	for (uint64_t seq = 1; seq <= 10; seq++)
		ck_assert_int_eq(put("la", 5, seq, 1, 90), 0);
	ck_assert_uint_eq(journal_end(rig.j).segment, 3);
	ck_assert_str_eq(read_as_text("la", 5, 9, 10), "9+1 10+1 ");
	size_t n;
	char *p = slurp(name, &n);
	ck_assert_uint_eq(n, 5);
	free(p);
}
END_TEST

/* ---- retention ---- */

/* Files that are gone and still open, which keep their bytes on the disk. */
static int
deleted_files(void)
{
	char link[32], to[PATH_MAX];
	int count = 0;
	for (int fd = 3; fd < 200; fd++) {
		sprintf(link, "/proc/self/fd/%d", fd);
		ssize_t n = readlink(link, to, sizeof to - 1);
		if (n <= 0)
			continue;
		to[n] = '\0';
		count += strstr(to, "/journal-") != NULL && strstr(to, "(deleted)") != NULL;
	}
	return count;
}

START_TEST(oldest_segments_go)
{
	struct shown_list l = { 0 };
	char name[RIG_PATH];
	rig.segment_bytes = 1000;
	rig.limit_bytes = 4000;
	rig_open();
	ck_assert_int_eq(put("old", 4, 7, 1, 90), 0);
	for (uint64_t seq = 1; seq <= 200; seq++) {
		ck_assert_int_eq(put(seq % 2 != 0 ? "la" : "ny", 5, seq, 1, 90), 0);
		ck_assert_uint_le(counts().bytes, 4000);
		ck_assert_int_eq(deleted_files(), 0);
		scan_all(&l);
		ck_assert_uint_eq(journal_begin(rig.j).segment, l.shown[0].at.segment);
		read_as_text(l.shown[0].origin, l.shown[0].epoch, l.shown[0].seq, l.shown[0].seq);
	}
	ck_assert_uint_gt(l.shown[0].seq, 100);
	file_name(name, journal_begin(rig.j).segment - 1);
	ck_assert_int_eq(access(name, F_OK), -1);
	ck_assert_str_eq(read_as_text("la", 5, 1, 50), "");
	/* The stream that is gone was said to be, once; the others' beginnings are what is still there. */
	uint64_t first[2] = { 0, 0 }, gone = 0;
	for (size_t i = 0; i < rig.pruned.count; i++) {
		const struct shown *p = &rig.pruned.shown[i];
		if (strcmp(p->origin, "old") == 0) {
			gone++;
			ck_assert_uint_eq(p->seq, 0);
			ck_assert_uint_eq(p->epoch, 4);
		} else {
			ck_assert_uint_gt(p->seq, first[p->origin[0] == 'n']);
			first[p->origin[0] == 'n'] = p->seq;
		}
	}
	ck_assert_uint_eq(gone, 1);
	ck_assert_uint_eq(first[0] < first[1] ? first[0] : first[1], l.shown[0].seq);
	ck_assert_uint_eq(first[0] < first[1] ? first[1] : first[0], l.shown[1].seq);
	struct shown_list again = { 0 };
	rig_reopen();
	ck_assert_str_eq(rig.said, "");         /* numbers that are missing in front are no loss */
	scan_all(&again);
	same_shown(&l, &again);
	/* A lower limit works at once; the last one stays in any case. */
	journal_limits(rig.j, 1, 1000);
	ck_assert_uint_eq(counts().segments, 1);
	ck_assert_uint_gt(counts().bytes, 0);
	ck_assert_uint_gt(rig.pruned.count, 0);
	forget(&l);
	forget(&again);
}
END_TEST

static void
add(Suite *s)
{
	RIG_TEST(s, empty);
	RIG_TEST(s, append_and_reopen);
	RIG_TEST(s, files_hold_records_and_nothing_else);
	RIG_TEST(s, large_batch);
	RIG_TEST(s, segments);
	RIG_TEST(s, second_process_is_refused);
	RIG_TEST(s, scan_from_a_position);
	RIG_TEST(s, number_is_taken);
	RIG_TEST(s, oldest_segments_go);
}

int
main(void)
{
	return unit_main("journal", add);
}
