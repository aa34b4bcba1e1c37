/* SPDX-License-Identifier: MIT
 * check_block.c - blocks are nobody else's while they are in use, by many threads, and go back to the system. */
#include "base/block.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "unit.h"

enum { MANY = 4 * BLOCKS_KEPT };

/* Pages of ours in memory. */
static long
resident(void)
{
	long size, pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (f == NULL)
		return -1;
	ck_assert_int_eq(fscanf(f, "%ld %ld", &size, &pages), 2);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

START_TEST(each_its_own)
{
	unsigned char *block[MANY];
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++) {
			block[i] = block_get();
			ck_assert_ptr_nonnull(block[i]);
			memset(block[i], i, BLOCK_BYTES);
		}
		for (int i = 0; i < MANY; i++) {
			for (int k = 0; k < BLOCK_BYTES; k += 1000)
				unit_require(block[i][k] == i, "block %d holds another's bytes", i);
			block_put(block[i]);
		}
	}
	block_trim();
}
END_TEST

#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__    /* they have memory of their own */
START_TEST(given_back)
{
	void *block[MANY];
	long before = resident();
	for (int i = 0; i < MANY; i++)
		memset(block[i] = block_get(), 1, BLOCK_BYTES);
	if (before < 0)
		return;
	ck_assert_int_ge(resident(), before + (MANY - 1) * (long)BLOCK_BYTES);
	for (int i = 0; i < MANY; i++)
		block_put(block[i]);
	ck_assert_int_le(resident(), before + (BLOCKS_KEPT + 2) * (long)BLOCK_BYTES);
	block_trim();
	ck_assert_int_le(resident(), before + 2 * (long)BLOCK_BYTES);
}
END_TEST
#endif

static void *
use_blocks(void *arg)
{
	unsigned char mark = (unsigned char)(uintptr_t)arg, *block[5];
	for (int round = 0; round < 2000; round++) {
		for (int i = 0; i < 5; i++) {
			block[i] = block_get();
			if (block[i] == NULL)
				return (void *)(uintptr_t)"no memory";
			memset(block[i] + round, mark, 500);
		}
		for (int i = 0; i < 5; i++) {
			for (int k = 0; k < 500; k++)
				if (block[i][round + k] != mark)
					return (void *)(uintptr_t)"another thread has the same block";
			block_put(block[i]);
		}
		if (round % 500 == 0)
			block_trim();
	}
	return NULL;
}

START_TEST(threads)
{
	pthread_t thread[4];
	for (uintptr_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, use_blocks, (void *)(i + 1)), 0);
	for (int i = 0; i < 4; i++) {
		void *why;
		pthread_join(thread[i], &why);
		ck_assert_msg(why == NULL, "%s", (const char *)why);
	}
	block_trim();
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, each_its_own);
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__    /* they have memory of their own */
	UNIT_TEST(s, given_back);
#endif
	UNIT_TEST(s, threads);
}

int
main(void)
{
	return unit_main("block", add);
}
