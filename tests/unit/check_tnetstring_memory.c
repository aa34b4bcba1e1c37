/* SPDX-License-Identifier: MIT
 * Every allocation of the frames fails once, in turn: an error, no value, and nothing left behind. With an allocator of our
 * own around libc's, which the sanitizers do not like: under them there is nothing to test here. */
#include "petrichor/petrichor.h"

#include "unit.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define NO_ALLOCATOR
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NO_ALLOCATOR
#endif
#endif

static bool counts;
static int left;                /* allocations that succeed from now on */
static int live;                /* blocks that are not freed */

#ifndef NO_ALLOCATOR

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void  __libc_free(void *);

static bool
may(void)
{
	if (!counts)
		return true;
	errno = ENOMEM;
	return left-- > 0;
}

void *
malloc(size_t n)
{
	void *p = may() ? __libc_malloc(n) : NULL;
	live += counts && p != NULL;
	return p;
}

void *
calloc(size_t n, size_t size)
{
	void *p = may() ? __libc_calloc(n, size) : NULL;
	live += counts && p != NULL;
	return p;
}

void *
realloc(void *old, size_t n)
{
	void *p = may() ? __libc_realloc(old, n) : NULL;
	live += counts && p != NULL && old == NULL;
	return p;
}

void
free(void *p)
{
	live -= counts && p != NULL;
	__libc_free(p);
}

#endif

/* 100 dicts in each other, each with 20 keys, so that everything has to grow. */
enum { DEPTH = 100, KEYS = 20 };

static const struct pt_value *
big(void)
{
	static struct pt_value v[DEPTH][2 * KEYS];
	static struct pt_value all;
	static char text[KEYS][8];
	for (int i = 0; i < KEYS; i++)
		sprintf(text[i], "k%02d", KEYS - i);
	for (int d = 0; d < DEPTH; d++)
		for (int i = 0; i < KEYS; i++) {
			v[d][2 * i] = (struct pt_value)PT_BYTES_OF(text[i], 3);
			v[d][2 * i + 1] = (struct pt_value)PT_NULL_OF;
			if (i == KEYS - 1 && d != 0)
				v[d][2 * i + 1] = (struct pt_value)PT_DICT_OF(v[d - 1], KEYS);
		}
	all = (struct pt_value)PT_DICT_OF(v[DEPTH - 1], KEYS);
	return &all;
}

static void
start(int allocations)
{
	left = allocations;
	live = 0;
	counts = true;
}

#ifndef NO_ALLOCATOR

START_TEST(decoding)
{
	char *frame;
	size_t size;
	ck_assert_int_eq(pt_encode_new(big(), 0, &frame, &size), PT_OK);
	int e = PT_E_MEMORY, n = 0;
	for (; e != PT_OK; n++) {
		struct pt_value *v;
		start(n);
		e = pt_decode(&v, frame, size, NULL, NULL, PT_COPY, NULL);
		counts = false;
		ck_assert_int_lt(n, 100);
		ck_assert_msg(e == PT_OK || e == PT_E_MEMORY, "%d allocations: %s", n, pt_error_name(e));
		ck_assert((v != NULL) == (e == PT_OK));
		ck_assert_int_eq(live, e == PT_OK);
		pt_free(&v);
	}
	ck_assert_int_gt(n, 10);
	free(frame);
}
END_TEST

START_TEST(encoding)
{
	const struct pt_value *v = big();
	int e = PT_E_MEMORY, n = 0;
	for (; e != PT_OK; n++) {
		char *frame;
		size_t size;
		start(n);
		e = pt_encode_new(v, PT_SORTED, &frame, &size);
		counts = false;
		ck_assert_int_lt(n, 300);
		ck_assert_msg(e == PT_OK || e == PT_E_MEMORY, "%d allocations: %s", n, pt_error_name(e));
		ck_assert((frame != NULL) == (e == PT_OK));
		ck_assert_int_eq(live, e == PT_OK);
		free(frame);
	}
	ck_assert_int_gt(n, DEPTH);
}
END_TEST

START_TEST(comparing)
{
	const struct pt_value *v = big();
	int n = 0;
	for (bool same = false; !same; n++) {
		start(n);
		same = pt_same(v, v);
		counts = false;
		ck_assert_int_lt(n, 600);
		ck_assert_int_eq(live, 0);
	}
	ck_assert_int_gt(n, 2 * DEPTH);
}
END_TEST

#endif

/* A small pair takes one block to decode, and none to encode. */
START_TEST(small_frames)
{
	const struct pt_value items[] = { PT_TEXT("verb"), PT_TEXT("put"), PT_TEXT("n"), PT_INT_OF(4242) };
	const struct pt_value header = PT_DICT_OF(items, 2);
	char to[64];
	size_t size, used;
	struct pt_value *v;
	start(0);
	int measured = pt_measure(&header, &size), encoded = pt_encode(&header, 0, to, size);
	start(1);
	int decoded = pt_decode(&v, to, size, &used, NULL, 0, NULL);
	counts = false;
	ck_assert_int_eq(measured, PT_OK);
	ck_assert_int_eq(encoded, PT_OK);
	ck_assert_int_eq(decoded, PT_OK);
	ck_assert(pt_same(v, &header));
	pt_free(&v);
	ck_assert(live >= 0 && big()->items.len == KEYS);
}
END_TEST

static void
add(Suite *s)
{
#ifndef NO_ALLOCATOR
	UNIT_TEST(s, decoding);
	UNIT_TEST(s, encoding);
	UNIT_TEST(s, comparing);
#endif
	UNIT_TEST(s, small_frames);
}

int
main(void)
{
	return unit_main("tnetstring_memory", add);
}
