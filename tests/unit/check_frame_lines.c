/* SPDX-License-Identifier: MIT
 * frame_check_lines by wide registers: the same answer as line by line, whatever a body holds and wherever it lies, and no
 * look before or behind it. */
#include "wire/frame.h"

#include "guard_rig.h"

enum { MOST = 600 };

/* Line by line, with memchr. */
static bool
reference(const struct frame_head *h, const char *body)
{
	const char *p = body, *end = body + h->bytes;
	uint32_t lines = 0;
	for (; p < end; lines++) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL || lf - p < 2 || memchr(p, '\r', (size_t)(lf - p)) != lf - 1)
			return false;
		p = lf + 1;
	}
	return lines == h->count;
}

/* Returns the answer. */
static bool
same(const char *body, size_t n, uint32_t count, const char *what)
{
	struct frame_head h = { .bytes = (uint32_t)n, .count = count };
	bool want = reference(&h, body);
	unit_require(frame_check_lines(&h, body) == want, "%s: %zu bytes, %u lines: not %d", what, n, count, want);
	unit_require(frame_check_lines_plain(&h, body) == want, "%s, plain: %zu bytes, %u lines: not %d", what, n, count, want);
	return want;
}

/* Also with other counts: the good one is known only if there is one. */
static void
same_counts(const char *body, size_t n, uint32_t count, const char *what)
{
	same(body, n, count, what);
	same(body, n, count + 1, what);
	if (count != 0)
		same(body, n, count - 1, what);
}

static uint32_t
lfs(const char *p, size_t n)
{
	uint32_t count = 0;
	for (size_t i = 0; i < n; i++)
		count += p[i] == '\n';
	return count;
}

/* Good lines, n bytes in all (3 or more, or none); returns how many. */
static uint32_t
fill(uint64_t *seed, char *p, size_t n, unsigned longest)
{
	uint32_t count = 0;
	for (size_t at = 0; at < n; count++) {
		size_t len = 1 + unit_below(seed, longest);
		if (at + len + 2 > n || n - (at + len + 2) < 3)
			len = n - at - 2;
		memset(p + at, (int)('a' + unit_below(seed, 26)), len);
		at += len + 2;
		p[at - 2] = '\r';
		p[at - 1] = '\n';
	}
	return count;
}

static char
any(uint64_t *seed)
{
	return "\r\n\r\nx"[unit_below(seed, 5)];
}

/* Good bodies, and what a byte or two may do to them. */
static void
spoil(uint64_t *seed, char *p, size_t n, uint32_t count, const char *what)
{
	unit_require(same(p, n, count, what), "%s: %zu bytes are bad", what, n);
	same_counts(p, n, count, what);
	for (int k = 0; n != 0 && k < 4; k++) {
		size_t i = unit_below(seed, (unsigned)n), j = unit_below(seed, (unsigned)n);
		char a = p[i], b = p[j];
		p[i] = any(seed);
		same_counts(p, n, lfs(p, n), what);
		p[j] = any(seed);
		same_counts(p, n, lfs(p, n), what);
		p[j] = b;
		p[i] = a;
	}
	/* Too early an end: what is a CR may be the last. */
	for (size_t cut = 1; cut <= 4 && cut <= n; cut++)
		same_counts(p, n - cut, lfs(p, n - cut), what);
}

START_TEST(every_length)
{
	uint64_t seed = unit_seed("every_length");
	struct guard g;
	guard_init(&g, MOST);
	for (size_t n = 0; n <= MOST; n++)
		for (int round = 0; round < 20 && n != 1 && n != 2; round++) {
			char body[MOST];
			uint32_t count = fill(&seed, body, n, round % 4 == 0 ? 3 : round % 4 == 1 ? 400 : 70);
			spoil(&seed, guard_behind(&g, body, n), n, count, "behind");
			spoil(&seed, guard_before(&g, body, n), n, count, "before");
		}
	guard_fini(&g);
}
END_TEST

START_TEST(every_length_and_alignment)
{
	uint64_t seed = unit_seed("every_length_and_alignment");
	struct guard g;
	guard_init(&g, MOST + 256);
	for (size_t align = 0; align < 64; align++)
		for (size_t n = 3; n <= MOST; n++) {
			char body[MOST];
			uint32_t count = fill(&seed, body, n, n % 3 != 0 ? 60 : 10);
			spoil(&seed, guard_aligned(&g, body, n, align, any(&seed)), n, count, "aligned");
		}
	guard_fini(&g);
}
END_TEST

/* Every way to put five bytes that matter into a good body, in each place. */
START_TEST(every_pattern_in_each_place)
{
	uint64_t seed = unit_seed("every_pattern_in_each_place");
	struct guard g;
	guard_init(&g, MOST);
	for (size_t n = 64; n <= 215; n += 1 + unit_below(&seed, 50)) {
		char body[MOST];
		fill(&seed, body, n, 40);
		char *p = guard_behind(&g, body, n);
		for (size_t at = 0; at + 5 <= n; at++) {
			for (unsigned k = 0; k < 3 * 3 * 3 * 3 * 3; k++) {
				for (unsigned i = 0, rest = k; i < 5; i++, rest /= 3)
					p[at + i] = "x\r\n"[rest % 3];
				same(p, n, lfs(p, n), "pattern");
			}
			memcpy(p + at, body + at, 5);
		}
	}
	guard_fini(&g);
}
END_TEST

/* So many line ends that they are counted in several turns, also all of them in one place of 16. */
START_TEST(many_lines)
{
	uint64_t seed = unit_seed("many_lines");
	struct guard g;
	guard_init(&g, FRAME_BODY_MAX);
	char *body = malloc(FRAME_BODY_MAX);
	for (size_t len = 1; len <= 70; len++) {
		size_t n = FRAME_BODY_MAX / (len + 2) * (len + 2);
		memset(body, 'x', n);
		for (size_t at = len; at < n; at += len + 2)
			memcpy(body + at, "\r\n", 2);
		spoil(&seed, guard_behind(&g, body, n), n, (uint32_t)(n / (len + 2)), "of one length");
	}
	for (int round = 0; round < 200; round++) {
		size_t n = 3 + unit_below(&seed, FRAME_BODY_MAX - 2);
		uint32_t count = fill(&seed, body, n, 1 + unit_below(&seed, 509));
		spoil(&seed, guard_behind(&g, body, n), n, count, "of many lengths");
	}
	free(body);
	guard_fini(&g);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, every_length);
	UNIT_TEST(s, every_length_and_alignment);
	UNIT_TEST(s, every_pattern_in_each_place);
	UNIT_TEST(s, many_lines);
}

int
main(void)
{
	return unit_main("frame_lines", add);
}
