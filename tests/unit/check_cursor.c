/* SPDX-License-Identifier: MIT */
#include "store/cursor.h"

#include "unit.h"

enum { SLOT = 192, APART = 4096 };      /* as the file's form is */

static char dir[UNIT_PATH], file[UNIT_PATH + 10];

static void
setup(void)
{
	unit_folder(dir);
	sprintf(file, "%s/cursor", dir);
}

static void
teardown(void)
{
	unit_folder_remove(dir);
}

static struct cursor
number(uint64_t i)
{
	return (struct cursor){ { i, i * 1000 }, 8, i + 77, i * 3 };
}

static void
equal(const struct cursor *a, struct cursor b)
{
	ck_assert(a->pos.segment == b.pos.segment && a->pos.offset == b.pos.offset && a->dev == b.dev && a->inode == b.inode &&
	    a->size == b.size);
}

/* What a new process would read: the number of the cursor, 0: none. */
static uint64_t
reopened(void)
{
	struct cursor c;
	struct cursor_file *f = cursor_open(dir);
	ck_assert_ptr_nonnull(f);
	int r = cursor_read(f, &c);
	ck_assert_int_ge(r, 0);
	cursor_close(&f);
	ck_assert_ptr_null(f);
	if (r == 0)
		return 0;
	equal(&c, number(c.pos.segment));
	return c.pos.segment;
}

static size_t
slurp(char *bytes, size_t most)
{
	int fd = open(file, O_RDONLY);
	ssize_t n = read(fd, bytes, most);
	ck_assert_int_ge(n, 0);
	close(fd);
	return (size_t)n;
}

static void
spill(const char *bytes, size_t n)
{
	int fd = open(file, O_WRONLY | O_TRUNC | O_CREAT, 0640);
	ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
	close(fd);
}

/* Writes the cursors 1 .. last. */
static void
fill(uint64_t last)
{
	struct cursor_file *f = cursor_open(dir);
	ck_assert_ptr_nonnull(f);
	for (uint64_t i = 1; i <= last; i++) {
		struct cursor c = number(i), back;
		ck_assert_int_eq(cursor_write(f, &c), 0);
		ck_assert_int_eq(cursor_read(f, &back), 1);
		equal(&back, c);
	}
	cursor_close(&f);
}

START_TEST(none_then_some)
{
	ck_assert_uint_eq(reopened(), 0);
	for (uint64_t last = 1; last < 10; last++) {
		fill(last);
		ck_assert_uint_eq(reopened(), last);
	}
	struct stat st;
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_int_eq(st.st_size, APART + SLOT);
}
END_TEST

START_TEST(extremes)
{
	struct cursor most = { { UINT64_MAX, UINT64_MAX }, UINT64_MAX, UINT64_MAX, UINT64_MAX }, none = { { 0, 0 }, 0, 0, 0 }, c;
	struct cursor_file *f = cursor_open(dir);
	ck_assert_int_eq(cursor_write(f, &most), 0);
	ck_assert_int_eq(cursor_read(f, &c), 1);
	equal(&c, most);
	ck_assert_int_eq(cursor_write(f, &none), 0);
	cursor_close(&f);
	f = cursor_open(dir);
	ck_assert_int_eq(cursor_read(f, &c), 1);
	equal(&c, none);
	cursor_close(&f);
}
END_TEST

/* A write that ends after any of its bytes leaves the cursor before, or is complete. */
START_TEST(torn_at_every_byte)
{
	char before[2 * APART], after[2 * APART], torn[2 * APART];
	for (uint64_t last = 1; last < 5; last++) {
		memset(before, 0, sizeof before);
		unlink(file);
		fill(last);
		size_t n = slurp(before, sizeof before);
		unlink(file);
		fill(last + 1);
		ck_assert_uint_eq(slurp(after, sizeof after), n);
		size_t at = last % 2 != 0 ? APART : 0;  /* the slot that the last write went to */
		for (size_t k = 0; k <= SLOT; k++) {
			memcpy(torn, before, n);
			memcpy(torn + at, after + at, k);
			spill(torn, n);
			uint64_t expected = memcmp(torn + at, after + at, SLOT) == 0 ? last + 1 : last;
			ck_assert_uint_eq(reopened(), expected);
			/* And it goes on. */
			struct cursor_file *f = cursor_open(dir);
			struct cursor c = number(99);
			ck_assert_int_eq(cursor_write(f, &c), 0);
			cursor_close(&f);
			ck_assert_uint_eq(reopened(), 99);
		}
	}
}
END_TEST

START_TEST(each_byte_damaged)
{
	char bytes[2 * APART];
	fill(6);
	size_t n = slurp(bytes, sizeof bytes);
	for (size_t i = 0; i < SLOT; i++) {
		bytes[APART + i] ^= 1;                  /* cursor 6 */
		spill(bytes, n);
		ck_assert_uint_eq(reopened(), 5);
		bytes[APART + i] ^= 1;
		bytes[i] ^= 1;                          /* cursor 5 */
		spill(bytes, n);
		ck_assert_uint_eq(reopened(), 6);
		bytes[i] ^= 1;
	}
}
END_TEST

START_TEST(cut_at_every_byte)
{
	char bytes[2 * APART];
	fill(6);
	size_t n = slurp(bytes, sizeof bytes);
	for (size_t k = 0; k <= n; k = k < SLOT || k > APART ? k + 1 : APART + 1) {
		spill(bytes, k);
		ck_assert_uint_eq(reopened(), k < SLOT ? 0 : k < n ? 5 : 6);
	}
}
END_TEST

START_TEST(garbage)
{
	char bytes[3 * APART];
	const char *texts[] = { "", "\n", "zog-cursor 1 1 2 3 4 5 6 00000000", "zog-cursor 2 1 2 3 4 5 6 00000000",
		"zog-cursor 1 -1 -2 3 4 5 6", "zog-cursor 1 99999999999999999999999 1 1 1 1 1" };
	for (int c = 0; c < 256; c++) {
		memset(bytes, c, sizeof bytes);
		spill(bytes, sizeof bytes);
		ck_assert_uint_eq(reopened(), 0);
	}
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		memset(bytes, ' ', sizeof bytes);
		memcpy(bytes, texts[i], strlen(texts[i]));
		bytes[SLOT - 1] = '\n';
		spill(bytes, sizeof bytes);
		ck_assert_uint_eq(reopened(), 0);
	}
	fill(1);
	ck_assert_uint_eq(reopened(), 1);
}
END_TEST

START_TEST(failed_write_keeps_the_old)
{
	struct rlimit limit, small;
	struct cursor c = number(1), next = number(2);
	struct cursor_file *f = cursor_open(dir);
	ck_assert_int_eq(cursor_write(f, &c), 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	small = limit;
	small.rlim_cur = APART + 50;            /* in the middle of the second slot */
	setrlimit(RLIMIT_FSIZE, &small);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(cursor_write(f, &next), -1);
		ck_assert_int_eq(errno, EFBIG);
		ck_assert_int_eq(cursor_read(f, &c), 1);
		equal(&c, number(1));
		ck_assert_uint_eq(reopened(), 1);
	}
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert_int_eq(cursor_write(f, &next), 0);
	cursor_close(&f);
	ck_assert_uint_eq(reopened(), 2);
}
END_TEST

START_TEST(no_file)
{
	ck_assert_ptr_null(cursor_open("no/such/folder"));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(symlink("elsewhere", file), 0);
	ck_assert_ptr_null(cursor_open(dir));
	ck_assert_int_eq(errno, ELOOP);
	unlink(file);
	mkdir(file, 0700);
	ck_assert_ptr_null(cursor_open(dir));
	ck_assert_int_eq(errno, EISDIR);
	rmdir(file);
	struct cursor_file *none = NULL;
	cursor_close(&none);
}
END_TEST

#define CURSOR_TEST(suite, test) \
	do { \
		TCase *tcase = unit_case(suite, #test); \
		tcase_add_checked_fixture(tcase, setup, teardown); \
		tcase_add_test(tcase, test); \
	} while (0)

static void
add(Suite *s)
{
	CURSOR_TEST(s, none_then_some);
	CURSOR_TEST(s, extremes);
	CURSOR_TEST(s, torn_at_every_byte);
	CURSOR_TEST(s, each_byte_damaged);
	CURSOR_TEST(s, cut_at_every_byte);
	CURSOR_TEST(s, garbage);
	CURSOR_TEST(s, failed_write_keeps_the_old);
	CURSOR_TEST(s, no_file);
}

int
main(void)
{
	return unit_main("cursor", add);
}
