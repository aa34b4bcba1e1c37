/* SPDX-License-Identifier: MIT
 * unit.h - what the unit tests share: a main, random numbers that can be had again, a folder of one's own.
 * One check_MODULE.c is one program, and includes this once. Asserts belong into the test's own thread.
 *
 * Environment: ZOG_TEST_SEED (a number: the same random inputs again), ZOG_TEST_SLOW (a factor by which amounts of work
 * are cut, for valgrind), and Check's own, as CK_FORK=no and CK_RUN_CASE=name of a test. */
#ifndef ZOG_TESTS_UNIT_H
#define ZOG_TESTS_UNIT_H

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

/* For what is asked a million times: Check notes down each assert of its own in a file. */
#define unit_require(condition, ...) \
	do { \
		if (!(condition)) \
			ck_abort_msg(__VA_ARGS__); \
	} while (0)

#define UNIT_COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- the program ---- */

static inline int
unit_main(const char *name, void (*add)(Suite *))
{
	/* Tests of asserts abort, and leave no core files behind. */
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	signal(SIGPIPE, SIG_IGN);
	Suite *suite = suite_create(name);
	add(suite);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}

static inline TCase *
unit_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);
	tcase_set_timeout(tcase, 120);          /* for a hang only */
	suite_add_tcase(suite, tcase);
	return tcase;
}

static inline bool
unit_forks(void)
{
	const char *fork = getenv("CK_FORK");
	return fork == NULL || strcmp(fork, "no") != 0;
}

/* In an add function. Each test is a case of its own, so that CK_RUN_CASE=name runs it alone. */
#define UNIT_TEST(suite, test) tcase_add_test(unit_case(suite, #test), test)
#define UNIT_LOOP(suite, test, from, to) tcase_add_loop_test(unit_case(suite, #test), test, from, to)
/* A test that is to end in abort; only where it has a process of its own. */
#define UNIT_ABORTS(suite, test) \
	do { \
		if (unit_forks()) \
			tcase_add_test_raise_signal(unit_case(suite, #test), test, SIGABRT); \
	} while (0)

static inline int
unit_amount(int n)
{
	const char *text = getenv("ZOG_TEST_SLOW");
	double factor = text != NULL ? atof(text) : 1;
	return factor > 1 && n / factor >= 1 ? (int)(n / factor) : n;
}

/* ---- random numbers (splitmix64) ---- */

static inline uint64_t
unit_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline unsigned
unit_below(uint64_t *state, unsigned n)
{
	return (unsigned)(unit_random(state) % n);
}

static inline uint64_t
unit_seed(const char *test)
{
	const char *text = getenv("ZOG_TEST_SEED");
	uint64_t seed = text != NULL ? strtoull(text, NULL, 10) :
	    (uint64_t)clock_real_ms() ^ (uint64_t)getpid() << 20;
	printf("%s: ZOG_TEST_SEED=%" PRIu64 "\n", test, seed);
	fflush(stdout);
	return seed;
}

/* ---- buffers ---- */

/* What is in it, as a string that stays until the buffer changes. */
static inline const char *
unit_text(struct buf *b)
{
	ck_assert(buf_put(b, "", 1));
	b->len--;
	return buf_begin(b);
}

static inline void
unit_assert_bytes(const struct buf *b, const char *want, size_t n)
{
	ck_assert_uint_eq(b->len, n);
	ck_assert(n == 0 || memcmp(buf_begin(b), want, n) == 0);
}

/* ---- files ---- */

enum { UNIT_PATH = 512 };

static inline void
unit_folder(char path[UNIT_PATH])
{
	const char *tmp = getenv("TMPDIR");
	snprintf(path, UNIT_PATH, "%.400s/zog-unit.XXXXXX", tmp != NULL ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(path));
}

/* With all that is in it, one level deep. */
static inline void
unit_folder_remove(const char *path)
{
	DIR *dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && unlinkat(dirfd(dir), e->d_name, 0) < 0)
			unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
	closedir(dir);
	ck_assert_int_eq(rmdir(path), 0);
}

static inline void
unit_file_path(char path[UNIT_PATH + 64], const char *dir, const char *name)
{
	snprintf(path, UNIT_PATH + 64, "%.500s/%.60s", dir, name);
}

static inline void
unit_file_write(const char *dir, const char *name, const void *bytes, size_t n)
{
	char path[UNIT_PATH + 64];
	unit_file_path(path, dir, name);
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
}

static inline void
unit_file_puts(const char *dir, const char *name, const char *text)
{
	unit_file_write(dir, name, text, strlen(text));
}

/* The whole file, with a NUL behind it, to be freed. Not by the code under test. */
static inline char *
unit_file_read(const char *dir, const char *name, size_t *len)
{
	char path[UNIT_PATH + 64];
	unit_file_path(path, dir, name);
	FILE *f = fopen(path, "r");
	ck_assert_msg(f != NULL, "cannot open %s: %s", path, strerror(errno));
	ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
	long size = ftell(f);
	ck_assert_int_ge(size, 0);
	rewind(f);
	char *text = malloc((size_t)size + 1);
	ck_assert_ptr_nonnull(text);
	size_t n = fread(text, 1, (size_t)size, f);
	fclose(f);
	text[n] = '\0';
	if (len != NULL)
		*len = n;
	return text;
}

static inline void
unit_assert_file(const char *dir, const char *name, const char *want)
{
	size_t len;
	char *text = unit_file_read(dir, name, &len);
	ck_assert_str_eq(text, want);
	ck_assert_uint_eq(len, strlen(want));
	free(text);
}

/* ---- waiting ---- */

enum { UNIT_SOON_MS = 60000 };  /* what is sure to happen */

/* For a condition that nobody signals; the deadline is there to fail, not to pass. */
#define unit_wait(condition) \
	do { \
		int64_t until_ = clock_mono_ms() + UNIT_SOON_MS; \
		while (!(condition)) { \
			ck_assert_msg(clock_mono_ms() < until_, "not in time: %s", #condition); \
			usleep(500); \
		} \
	} while (0)

/* Gives what must not happen some time to happen. Passing late changes nothing, only a fault can be missed. */
#define unit_never(condition, ms) \
	do { \
		int64_t until_ = clock_mono_ms() + (ms); \
		while (clock_mono_ms() < until_) { \
			ck_assert_msg(!(condition), "happened: %s", #condition); \
			usleep(500); \
		} \
	} while (0)

#endif
