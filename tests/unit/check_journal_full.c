/* SPDX-License-Identifier: MIT
 * The journal on a disk that fails or is full. */
#include "journal_rig.h"

#include <sched.h>
#include <sys/mount.h>

/* ---- sync ---- */

static int sync_calls, sync_errno;
static ino_t sync_failed_inode, sync_last_inode;
static int sync_failures;       /* still to come */

static int
test_sync(int fd)
{
	struct stat st;
	ck_assert_int_eq(fstat(fd, &st), 0);
	sync_calls++;
	sync_last_inode = st.st_ino;
	if (sync_failures != 0) {
		sync_failures--;
		sync_failed_inode = st.st_ino;
		errno = sync_errno;
		return -1;
	}
	return fdatasync(fd);
}

static void
fail_syncs(int times, int error)
{
	sync_calls = 0;
	sync_failures = times;
	sync_errno = error;
	journal_set_sync(test_sync);
}

START_TEST(sync_when_dirty)
{
	fail_syncs(0, 0);
	rig.segment_bytes = 1000;
	rig_open();
	ck_assert_int_eq(put("la", 5, 1, 1, 90), 0);
	ck_assert(journal_dirty(rig.j));
	ck_assert_int_eq(journal_sync(rig.j), 0);
	ck_assert(!journal_dirty(rig.j));
	ck_assert_int_eq(sync_calls, 1);
	ck_assert_int_eq(journal_sync(rig.j), 0);
	ck_assert_int_eq(sync_calls, 1);
	ck_assert_uint_eq(counts().syncs, 1);
	/* Each segment that got something since. */
	sync_calls = 0;
	for (uint64_t seq = 2; seq <= 30; seq++)
		ck_assert_int_eq(put("la", 5, seq, 1, 90), 0);
	ck_assert_int_eq(journal_sync(rig.j), 0);
	ck_assert_int_eq(sync_calls, (int)counts().segments);
	ck_assert_int_eq(put("la", 5, 31, 1, 90), 0);
	sync_calls = 0;
	journal_close(&rig.j);
	ck_assert_int_eq(sync_calls, 1);
	/* What a killed process left is not known to be on the disk. */
	rig_open();
	ck_assert(journal_dirty(rig.j));
	ck_assert_int_eq(journal_sync(rig.j), 0);
	ck_assert(!journal_dirty(rig.j));
	sync_errno = EINTR;
	sync_failures = 3;
	ck_assert_int_eq(put("la", 5, 32, 1, 90), 0);
	ck_assert_int_eq(journal_sync(rig.j), 0);
}
END_TEST

/* After a failure the same file is not asked again, and nothing is lost or given twice. */
START_TEST(sync_fails_once)
{
	rig_open();
	ck_assert_int_eq(put("la", 5, 1, 2, 90), 0);
	ck_assert_int_eq(journal_sync(rig.j), 0);
	ck_assert_int_eq(put("la", 5, 3, 2, 90), 0);
	ck_assert_int_eq(put("ny", 6, 1, 2, 90), 0);
	ck_assert_int_eq(put("pl", 0, 0, 1, 90), 0);
	uint64_t last = journal_end(rig.j).segment;
	fail_syncs(1, EIO);
	ck_assert_int_eq(journal_sync(rig.j), -1);
	ck_assert_int_eq(errno, EIO);
	ck_assert_int_eq(sync_calls, 2);
	ck_assert(sync_failed_inode != sync_last_inode);
	ck_assert_ptr_nonnull(strstr(rig.said, "Input/output error"));
	ck_assert_uint_eq(journal_end(rig.j).segment, last + 1);
	ck_assert(!journal_dirty(rig.j));
	ck_assert_int_eq(journal_sync(rig.j), 0);
	ck_assert_int_eq(put("la", 5, 5, 2, 90), 0);
	for (int round = 0; round < 2; round++) {
		ck_assert_str_eq(read_as_text("la", 5, 1, 9), "1+2 3+2 5+2 ");
		ck_assert_str_eq(read_as_text("ny", 6, 1, 9), "1+2 ");
		rig_reopen();
		ck_assert_str_eq(rig.said, "");
	}
	/* Two of them are there twice, but nothing that nobody could tell for a double. */
	ck_assert_uint_eq(rig.visited.count, 5 + 2);
	/* Without the file that failed everything that came since the last good sync is still there. */
	char name[RIG_PATH];
	file_name(name, last);
	journal_close(&rig.j);
	unlink(name);
	rig_open();
	ck_assert_str_eq(read_as_text("la", 5, 1, 9), "3+2 5+2 ");
	ck_assert_str_eq(read_as_text("ny", 6, 1, 9), "1+2 ");
}
END_TEST

START_TEST(sync_fails_for_long)
{
	rig.segment_bytes = 1000;
	rig_open();
	for (uint64_t seq = 1; seq <= 30; seq++)
		ck_assert_int_eq(put("la", 5, seq, 1, 90), 0);
	struct journal_pos end = journal_end(rig.j);
	fail_syncs(1000, ENOSPC);
	ck_assert_int_eq(journal_sync(rig.j), -1);
	ck_assert_int_eq(errno, ENOSPC);
	unsigned files = rig_files(rig.dir, "journal-", false);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(put("la", 5, 31, 1, 90), -1);
		ck_assert_int_eq(errno, ENOSPC);
		ck_assert_int_eq(journal_sync(rig.j), -1);
		ck_assert(journal_dirty(rig.j));
		ck_assert_int_eq(journal_pos_compare(end, journal_end(rig.j)), 0);
	}
	ck_assert_uint_eq(rig_files(rig.dir, "journal-", false), files);
	/* What it has can be read all the while; nothing goes that is not on the disk. */
	ck_assert_str_eq(read_as_text("la", 5, 2, 3), "2+1 3+1 ");
	journal_limits(rig.j, 1, 1000);
	ck_assert_uint_eq(counts().segments, files);
	journal_limits(rig.j, INT64_MAX, 1000);
	fail_syncs(0, 0);
	ck_assert_int_eq(put("la", 5, 31, 1, 90), 0);
	ck_assert_int_eq(journal_sync(rig.j), 0);
	for (int round = 0; round < 2; round++) {
		struct shown_list l = { 0 };
		ck_assert_int_eq(journal_read(rig.j, "la", 5, 1, 99, take_into, &l), 0);
		ck_assert_uint_eq(l.count, 31);
		for (uint64_t i = 0; i < 31; i++)
			ck_assert_uint_eq(l.shown[i].seq, i + 1);
		forget(&l);
		rig_reopen();
		ck_assert_str_eq(rig.said, "");
	}
}
END_TEST

/* ---- no room ---- */

/* Appends with that limit on the size of files. Check has files, too: the limit must not stay while it asserts. */
static int
append_limited(rlim_t bytes, struct frame *const *f, size_t count)
{
	struct rlimit l;
	getrlimit(RLIMIT_FSIZE, &l);
	rlim_t before = l.rlim_cur;
	signal(SIGXFSZ, SIG_IGN);
	l.rlim_cur = bytes < before ? bytes : before;
	setrlimit(RLIMIT_FSIZE, &l);
	int r = journal_append(rig.j, f, count), e = errno;
	l.rlim_cur = before;
	setrlimit(RLIMIT_FSIZE, &l);
	errno = e;
	return r;
}

/* Appends until it fails, and returns the number of the frame that did. */
static uint64_t
fill_up(uint64_t seq, rlim_t bytes, int error)
{
	int r;
	do {
		struct frame *f = make("la", 5, seq, 3, 90);
		r = append_limited(bytes, &f, 1);
		int e = errno;
		frame_drop(&f);
		ck_assert_uint_lt(seq, 1000000);
		if (r == 0)
			seq += 3;
		else
			ck_assert_int_eq(e, error);
	} while (r == 0);
	return seq;
}

static void
ends_with_a_record(void)
{
	struct journal_pos end = journal_end(rig.j);
	char name[RIG_PATH];
	struct stat st;
	file_name(name, end.segment);
	ck_assert_int_eq(stat(name, &st), 0);
	ck_assert_uint_eq((uint64_t)st.st_size, end.offset);
}

START_TEST(short_write_is_undone)
{
	for (rlim_t most = 5000; most < 5020; most++) {
		uint64_t seq = 1;
		rig_open();
		seq = fill_up(seq, most, EFBIG);
		ck_assert_uint_gt(seq, 40);
		ends_with_a_record();
		ck_assert_uint_eq(fill_up(seq, most, EFBIG), seq);
		ends_with_a_record();
		ck_assert_int_eq(put("la", 5, seq, 3, 90), 0);
		rig_reopen();
		ck_assert_str_eq(rig.said, "");
		ck_assert_uint_eq(rig.visited.count, (seq + 2) / 3);
		journal_close(&rig.j);
		rig_files(rig.dir, "journal-", true);
	}
}
END_TEST

/* All or none, though what fails is in the third new segment, and the first was not full. */
START_TEST(batch_over_segments_is_undone)
{
	struct frame *f[40];
	rig.segment_bytes = 1000;
	rig_open();
	ck_assert_int_eq(put("la", 5, 1, 1, 90), 0);
	struct journal_pos end = journal_end(rig.j);
	for (unsigned i = 0; i < 40; i++)
		f[i] = make("la", 5, 2 + i, i < 30 ? 1 : 10, i < 30 ? 90 : 400);
	for (int round = 0; round < 3; round++) {
		ck_assert_int_eq(append_limited(3000, f, 40), -1);
		ck_assert_int_eq(errno, EFBIG);
		ck_assert_int_eq(journal_pos_compare(end, journal_end(rig.j)), 0);
		ck_assert_uint_eq(rig_files(rig.dir, "journal-", false), 1);
		ck_assert_uint_eq(counts().bytes, end.offset);
		ends_with_a_record();
		ck_assert_str_eq(read_as_text("la", 5, 1, 99), "1+1 ");
	}
	ck_assert_int_eq(append_limited(3000, f, 30), 0);
	ck_assert_int_eq(journal_append(rig.j, f + 30, 10), 0);
	rig_reopen();
	ck_assert_str_eq(rig.said, "");
	ck_assert_uint_eq(rig.visited.count, 41);
	for (unsigned i = 0; i < 40; i++)
		frame_drop(&f[i]);
}
END_TEST

/* A small tmpfs on rig.dir, in a mount namespace of this process; false: cannot be had. */
static bool
small_disk(const char *options, const char *test)
{
	if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("tmpfs", rig.dir, "tmpfs", 0, options) == 0)
		return true;
	printf("skipped: %s: no tmpfs: %s\n", test, strerror(errno));
	return false;
}

START_TEST(disk_full)
{
	char ballast[RIG_PATH];
	if (!small_disk("size=256k", "test_disk_full"))
		return;
	rig.segment_bytes = 64 * 1024;
	rig_open();
	snprintf(ballast, sizeof ballast, "%s/ballast", rig.dir);
	char zeros[32 * 1024] = { 0 };
	spill(ballast, zeros, sizeof zeros);
	uint64_t seq = fill_up(1, RLIM_INFINITY, ENOSPC);
	ends_with_a_record();
	ck_assert_uint_eq(fill_up(seq, RLIM_INFINITY, ENOSPC), seq);
	ends_with_a_record();
	/* Room again: on it goes. */
	unlink(ballast);
	ck_assert_int_eq(put("la", 5, seq, 3, 90), 0);
	uint64_t full = fill_up(seq + 3, RLIM_INFINITY, ENOSPC);
	ck_assert_uint_gt(full, seq + 3);
	/* A limit below the disk's size makes room by itself, even after a start. */
	rig.limit_bytes = 150 * 1024;
	rig_reopen();
	ck_assert_str_eq(rig.said, "");
	ck_assert_int_eq(put("la", 5, full, 3, 90), 0);
	for (uint64_t i = 1; i < 2000; i++)
		ck_assert_int_eq(put("la", 5, full + 3 * i, 3, 90), 0);
	rig_reopen();
	ck_assert_str_eq(rig.said, "");
	journal_close(&rig.j);
	umount(rig.dir);
}
END_TEST

START_TEST(no_more_files)
{
	if (!small_disk("size=1m,nr_inodes=4", "test_no_more_files"))
		return;                 /* the folder, lock and two segments */
	rig.segment_bytes = 1000;
	rig_open();
	for (uint64_t seq = 1; seq <= 100; seq++)
		ck_assert_int_eq(put("la", 5, seq, 1, 90), 0);
	ck_assert_uint_eq(counts().segments, 2);
	ck_assert_ptr_nonnull(strstr(rig.said, "No space left on device"));
	ck_assert_ptr_null(strstr(strchr(rig.said, '\n') + 1, "No space"));     /* once */
	ck_assert_int_eq(mount(NULL, rig.dir, NULL, MS_REMOUNT, "size=1m,nr_inodes=100"), 0);
	ck_assert_int_eq(put("la", 5, 101, 1, 90), 0);
	ck_assert_uint_eq(counts().segments, 3);
	rig_reopen();
	ck_assert_str_eq(rig.said, "");
	ck_assert_uint_eq(rig.visited.count, 101);
	journal_close(&rig.j);
	umount(rig.dir);
}
END_TEST

static void
add(Suite *s)
{
	RIG_TEST(s, sync_when_dirty);
	RIG_TEST(s, sync_fails_once);
	RIG_TEST(s, sync_fails_for_long);
	RIG_TEST(s, short_write_is_undone);
	RIG_TEST(s, batch_over_segments_is_undone);
	RIG_TEST(s, disk_full);
	RIG_TEST(s, no_more_files);
}

int
main(void)
{
	return unit_main("journal_full", add);
}
