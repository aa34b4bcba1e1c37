/* SPDX-License-Identifier: MIT
 * The frames' vectors, read value by value, from every end and in every cut, and the encoder against them. */
#include "petrichor/petrichor.h"

#include "guard_rig.h"
#include "vectors_rig.h"

static struct vectors *all;

static bool
is_frame(const struct vector *v)
{
	return strchr("cnx", v->id[0]) != NULL;
}

/* Every row of these kinds; returns how many. */
static int
each(const char *kinds, void (*check)(const struct vector *))
{
	int n = 0;
	all = vectors_load();
	for (int i = 0; i < all->count; i++) {
		if (strchr(kinds, all->v[i].id[0]) == NULL)
			continue;
		check(&all->v[i]);
		n++;
	}
	vectors_free(all);
	return n;
}

static struct pt_value *
decode_good(const struct vector *v)
{
	struct pt_value *value;
	size_t offset;
	int e = decode(v->bytes, v->n, &value, &offset);
	ck_assert_msg(e == PT_OK, "%s: %s at %zu", v->id, pt_error_name(e), offset);
	return value;
}

static void
check_value(const struct vector *v)
{
	struct pt_value *value = decode_good(v);
	ck_assert_msg(vector_matches(value, v->text), "%s is not %s", v->id, v->text);
	pt_free(&value);
	ck_assert_ptr_null(value);
	pt_free(&value);
}

START_TEST(values_of_vectors)
{
	ck_assert_int_gt(each("cn", check_value), 60);
}
END_TEST

static void
check_reason(const struct vector *v)
{
	struct pt_value *value;
	size_t offset;
	int e = decode(v->bytes, v->n, &value, &offset);
	ck_assert_msg(strcmp(pt_error_name(e), v->text) == 0, "%s: %s, not %s", v->id, pt_error_name(e), v->text);
}

START_TEST(reasons_of_vectors)
{
	ck_assert_int_gt(each("x", check_reason), 100);
}
END_TEST

/* ---- encoding them again ---- */

static void
check_again(const struct vector *v)
{
	struct pt_value *value = decode_good(v), *again;
	size_t size = 0, measured, offset;
	char *frame;
	ck_assert_int_eq(pt_measure(value, &measured), PT_OK);
	ck_assert_int_eq(pt_encode_new(value, 0, &frame, &size), PT_OK);
	ck_assert_uint_eq(size, measured);
	bool same = size == v->n && memcmp(frame, v->bytes, size) == 0;
	ck_assert_msg(same == (v->id[0] == 'c'), "%s became %.*s", v->id, (int)size, frame);
	ck_assert_int_eq(decode(frame, size, &again, &offset), PT_OK);
	ck_assert_msg(pt_same(value, again), "%s is another value when read again", v->id);
	/* What is canonical stays. */
	char *twice;
	ck_assert_int_eq(pt_encode_new(again, 0, &twice, &measured), PT_OK);
	ck_assert(measured == size && memcmp(twice, frame, size) == 0);
	free(twice);
	free(frame);
	pt_free(&value);
	pt_free(&again);
}

START_TEST(vectors_encoded_again)
{
	ck_assert_int_gt(each("cn", check_again), 60);
}
END_TEST

/* ---- parts of frames ---- */

/* Never a value, and what pt_frame says of how much is missing is never too much. */
static void
check_prefixes(const struct vector *v)
{
	struct pt_value *value;
	for (size_t n = 0; n < v->n; n++) {
		char *part = malloc(n != 0 ? n : 1);
		size_t offset, size;
		memcpy(part, v->bytes, n);
		int e = decode(part, n, &value, &offset), want = n == 0 ? PT_E_EMPTY : PT_E_TRUNC;
		unit_require(e == want && offset == n, "%s, the first %zu bytes: %s at %zu", v->id, n, pt_error_name(e), offset);
		unit_require(pt_frame(part, n, PT_MOST, &size) == want, "%s, pt_frame, the first %zu bytes", v->id, n);
		unit_require(size > n && size <= v->n, "%s: of %zu bytes %zu would be enough", v->id, n, size);
		const char *colon = n != 0 ? memchr(part, ':', n) : NULL;
		unit_require(colon == NULL || size == v->n, "%s: the size is known with the colon", v->id);
		free(part);
	}
}

START_TEST(prefixes_are_incomplete)
{
	ck_assert_int_gt(each("cn", check_prefixes), 60);
}
END_TEST

/* A fault in the prefix is told with the byte that it is, and stays the same whatever comes. */
static void
check_early(const struct vector *v)
{
	size_t whole_size = 0, size;
	int whole = pt_frame(v->bytes, v->n, PT_MOST, &whole_size);
	for (size_t n = 0; n <= v->n; n++) {
		int e = pt_frame(v->bytes, n, PT_MOST, &size);
		if (e == PT_E_EMPTY || e == PT_E_TRUNC) {
			unit_require(size > n, "%s: %zu bytes, and %zu were enough", v->id, n, size);
			unit_require(whole != PT_E_LEN_DIGIT || n <= whole_size, "%s: seen late, at %zu", v->id, n);
			continue;
		}
		unit_require(e == whole && size == whole_size, "%s: another answer with %zu bytes", v->id, n);
		unit_require(e == PT_OK ? size <= n : size < n, "%s: told before it came, at %zu", v->id, n);
	}
}

START_TEST(prefix_faults_are_told_early)
{
	ck_assert_int_gt(each("cnxpq", check_early), 150);
}
END_TEST

/* As a stream's reader would: no more is fed than was asked for, so the frame has to come out at its last byte. */
static void
check_asked(const struct vector *v)
{
	size_t n = 0, size = 0, rounds = 0;
	int e;
	while ((e = pt_frame(v->bytes, n, PT_MOST, &size)) == PT_E_EMPTY || e == PT_E_TRUNC) {
		unit_require(size > n && size <= v->n && ++rounds < 20, "%s: asks for %zu of %zu", v->id, size, v->n);
		n = size;
	}
	unit_require(e == PT_OK && n == v->n && size == v->n, "%s: ends at %zu", v->id, n);
}

START_TEST(frames_are_asked_for)
{
	ck_assert_int_gt(each("cn", check_asked), 60);
}
END_TEST

/* ---- where they lie ---- */

static struct guard guard;

static void
check_guarded(const struct vector *v)
{
	for (int behind = 0; behind < 2; behind++) {
		char *p = behind ? guard_behind(&guard, v->bytes, v->n) : guard_before(&guard, v->bytes, v->n);
		struct pt_value *value;
		size_t offset, used;
		int e = decode(p, v->n, &value, &offset);
		ck_assert_msg((e == PT_OK) == v->valid, "%s: %s", v->id, pt_error_name(e));
		pt_free(&value);
		if (pt_decode(&value, p, v->n, &used, NULL, PT_COPY, NULL) == PT_OK)
			pt_free(&value);
	}
	/* Every part of it, too: the end of memory is where a size, a colon, a tag would be. */
	for (size_t n = 0; n < v->n; n++) {
		struct pt_value *value;
		size_t offset;
		if (decode(guard_behind(&guard, v->bytes, n), n, &value, &offset) == PT_OK)
			pt_free(&value);
	}
}

START_TEST(nothing_is_read_outside)
{
	guard_init(&guard, 8192);
	ck_assert_int_gt(each("cnx", check_guarded), 150);
	guard_fini(&guard);
}
END_TEST

/* Inside of containers nothing behind their end is looked at: there the tags would be good. */
START_TEST(nothing_is_read_behind_containers)
{
	all = vectors_load();
	for (int i = 0; i < all->count; i++) {
		const struct vector *v = &all->v[i];
		char frame[4096];
		struct pt_value *value;
		size_t offset;
		if (!is_frame(v) || v->n > 2000 || strcmp(v->text, "TRAILING") == 0)
			continue;
		int n = sprintf(frame, "%zu:", v->n);
		memcpy(frame + n, v->bytes, v->n);
		memcpy(frame + n + v->n, "]0:~0:~0:~", 10);
		int e = pt_decode(&value, frame, v->n + 30, &(size_t){ 0 }, &(struct pt_limits)VECTORS_LIMITS, 0, &offset);
		bool empty = v->n == 0;
		ck_assert_msg((e == PT_OK) == (v->valid || empty), "[%s]: %s", v->id, pt_error_name(e));
		if (e != PT_OK && strcmp(v->text, "TRUNC") == 0)
			ck_assert_msg(e == PT_E_CHILD, "[%s]: %s", v->id, pt_error_name(e));
		else if (e != PT_OK)
			ck_assert_str_eq(pt_error_name(e), v->text);
		pt_free(&value);
	}
	vectors_free(all);
}
END_TEST

/* n frames in a row are n frames and no rest, wherever the row is cut in two. */
START_TEST(rows_of_frames)
{
	size_t n = 0, frames = 0, found = 0, room = 1 << 16;
	char *row = malloc(room);
	all = vectors_load();
	for (int i = 0; i < all->count; i++) {
		const struct vector *v = &all->v[i];
		if (strchr("cn", v->id[0]) == NULL)
			continue;
		ck_assert_uint_le(n + v->n, room);
		memcpy(row + n, v->bytes, v->n);
		n += v->n;
		frames++;
	}
	vectors_free(all);
	for (size_t at = 0, used; at < n; at += used, found++) {
		struct pt_value *value;
		ck_assert_int_eq(pt_decode(&value, row + at, n - at, &used, NULL, 0, NULL), PT_OK);
		pt_free(&value);
	}
	ck_assert_uint_eq(found, frames);
	for (size_t cut = 0; cut <= n; cut++) {
		size_t at = 0, size, whole = 0;
		while (pt_frame(row + at, cut - at, PT_MOST, &size) == PT_OK) {
			at += size;
			whole++;
		}
		while (at < n) {
			unit_require(pt_frame(row + at, n - at, PT_MOST, &size) == PT_OK, "cut at %zu", cut);
			at += size;
			whole++;
		}
		unit_require(whole == frames && at == n, "cut at %zu: %zu frames", cut, whole);
	}
	free(row);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, values_of_vectors);
	UNIT_TEST(s, reasons_of_vectors);
	UNIT_TEST(s, vectors_encoded_again);
	UNIT_TEST(s, prefixes_are_incomplete);
	UNIT_TEST(s, prefix_faults_are_told_early);
	UNIT_TEST(s, frames_are_asked_for);
	UNIT_TEST(s, nothing_is_read_outside);
	UNIT_TEST(s, nothing_is_read_behind_containers);
	UNIT_TEST(s, rows_of_frames);
}

int
main(void)
{
	return unit_main("tnetstring", add);
}
