/* SPDX-License-Identifier: MIT */
#include "petrichor/lz4.h"

#include "guard_rig.h"
#include "unit.h"

static struct guard in_guard, out_guard;

/* With both sides against their guards, at their ends and again at their begins. */
static enum lz4_is
unpack(const char *block, size_t n, size_t size, char *out)
{
	char *to = out_guard.end - size;
	enum lz4_is is = lz4_unpack(guard_behind(&in_guard, block, n), n, to, size);
	if (is == LZ4_GOOD && out != NULL)
		memcpy(out, to, size);
	enum lz4_is again = lz4_unpack(guard_before(&in_guard, block, n), n, out_guard.begin, size);
	unit_require(again == is, "%d, then %d", is, again);
	unit_require(is != LZ4_GOOD || size == 0 || memcmp(to, out_guard.begin, size) == 0 || size * 2 >
	    (size_t)(out_guard.end - out_guard.begin), "not the same twice");
	return is;
}

static void
setup(void)
{
	guard_init(&in_guard, 300000);
	guard_init(&out_guard, 600000);
}

static void
teardown(void)
{
	guard_fini(&in_guard);
	guard_fini(&out_guard);
}

/* ---- the vectors ---- */

static size_t
read_hex(const char *hex, char *out)
{
	size_t n = 0;
	for (unsigned byte; sscanf(hex + 2 * n, "%2x", &byte) == 1 && hex[2 * n + 1] != '\t'; n++)
		out[n] = (char)byte;
	return n;
}

/* A JSON string whose characters are bytes. */
static size_t
read_string(const char *p, char *out)
{
	size_t n = 0;
	ck_assert_int_eq(*p++, '"');
	for (unsigned code; *p != '"'; n++) {
		static const char from[] = "nrtbf\"\\/", to[] = "\n\r\t\b\f\"\\/";
		ck_assert_int_ge(*p, ' ');
		if (*p != '\\') {
			out[n] = *p++;
		} else if (p[1] == 'u') {
			ck_assert_int_eq(sscanf(p + 2, "%4x", &code), 1);
			out[n] = (char)code;
			p += 6;
		} else {
			out[n] = to[strchr(from, p[1]) - from];
			p += 2;
		}
	}
	return n;
}

static const char *const reasons[] = { "", "Z_TRUNC", "Z_LONG", "Z_SHORT", "Z_OFFSET", "Z_END" };

static void
check_vector(const char *id, const char *hex, const char *verdict, const char *value)
{
	static char block[65536], want[65536], got[65536], packed[70000];
	size_t n = strcmp(hex, "-") == 0 ? 0 : read_hex(hex, block), size;
	if (strcmp(verdict, "valid") == 0) {
		size = read_string(value, want);
		ck_assert_msg(unpack(block, n, size, got) == LZ4_GOOD, "%s", id);
		ck_assert_msg(memcmp(got, want, size) == 0, "%s", id);
		/* And what we make of it. */
		n = lz4_pack(want, size, packed, sizeof packed);
		ck_assert_msg(n != 0 && unpack(packed, n, size, got) == LZ4_GOOD && memcmp(got, want, size) == 0, "%s", id);
		return;
	}
	char reason[32];
	ck_assert_str_eq(verdict, "invalid");
	ck_assert_int_eq(sscanf(value, "%31s size=%zu", reason, &size), 2);
	enum lz4_is is = unpack(block, n, size, NULL);
	ck_assert_msg(strcmp(reasons[is], reason) == 0, "%s: %s, not %s", id, reasons[is], reason);
}

START_TEST(vectors)
{
	char folder[UNIT_PATH], id[16];
	const char *top = getenv("TOP");
	snprintf(folder, sizeof folder, "%.400s/tests/petrichor", top != NULL ? top : ".");
	char *text = unit_file_read(folder, "vectors.tsv", NULL), *rest = text;
	int count = 0;
	for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
		char *end, *hex = strchr(line, '\t'), *verdict = hex != NULL ? strchr(hex + 1, '\t') : NULL;
		if (line[0] != 'z' || verdict == NULL)
			continue;
		end = strchr(verdict + 1, '\t');
		ck_assert_ptr_nonnull(end);
		*hex = *verdict = *end = '\0';
		snprintf(id, sizeof id, "%s", line);
		check_vector(id, hex + 1, verdict + 1, end + 1);
		count++;
	}
	ck_assert_int_ge(count, 18);
	free(text);
}
END_TEST

/* ---- round trips ---- */

enum { KINDS = 6 };

/* All one byte; short periods; words; few values; random bytes; random with copies from far back. */
static void
fill(char *p, size_t n, int kind, uint64_t *seed)
{
	static const char *const words[] = { "alpha ", "beta ", "gamma\n", "delta, ", "epsilon" };
	unsigned period = 1 + unit_below(seed, 40);
	for (size_t i = 0; i < n;) {
		const char *word = words[unit_below(seed, 5)];
		unsigned back = 1 + unit_below(seed, 70000);
		switch (kind) {
		case 0:
			p[i++] = 'a';
			break;
		case 1:
			p[i] = i < period ? (char)unit_random(seed) : p[i - period];
			i++;
			break;
		case 2:
			for (; *word != '\0' && i < n; word++)
				p[i++] = *word;
			break;
		case 3:
			p[i++] = (char)('0' + unit_below(seed, 3));
			break;
		case 4:
			p[i++] = (char)unit_random(seed);
			break;
		default:
			for (unsigned k = 4 + unit_below(seed, 600); k > 0 && i < n; k--, i++)
				p[i] = i >= back && back % 2 != 0 ? p[i - back] : (char)unit_random(seed);
		}
	}
}

/* What old decoders rely on: see lz4.c. */
static void
check_end_rules(const char *block, size_t n, size_t size)
{
	const unsigned char *p = (const unsigned char *)block, *end = p + n;
	size_t out = 0, last_match = 0;
	bool matched = false;
	for (;;) {
		size_t literals = *p >> 4, match = *p & 15;
		p++;
		if (literals == 15)
			do
				literals += *p;
			while (*p++ == 255);
		p += literals;
		out += literals;
		if (p == end) {
			unit_require(!matched || (literals >= 5 && size - last_match >= 12), "the end rules");
			return;
		}
		p += 2;
		if (match == 15)
			do
				match += *p;
			while (*p++ == 255);
		last_match = out;
		matched = true;
		out += match + 4;
	}
}

static void
check_round_trip(const char *data, size_t n)
{
	static char packed[210000], got[200000];
	size_t bound = lz4_bound(n);
	unit_require(bound <= sizeof packed, "bound %zu", bound);
	char *from = guard_behind(&in_guard, data, n);
	size_t k = lz4_pack(from, n, packed, bound);
	unit_require(k != 0 && k <= n + n / 255 + 16, "%zu bytes take %zu", n, k);
	check_end_rules(packed, k, n);
	unit_require(unpack(packed, k, n, got) == LZ4_GOOD && memcmp(got, data, n) == 0, "%zu bytes", n);
	/* Just enough room, against a guard, and a byte less. */
	char *to = out_guard.end - k;
	from = guard_behind(&in_guard, data, n);
	unit_require(lz4_pack(from, n, to, k) == k && memcmp(to, packed, k) == 0, "%zu bytes in %zu", n, k);
	unit_require(lz4_pack(from, n, to + 1, k - 1) == 0, "%zu bytes in %zu less one", n, k);
	/* Another size is refused. */
	unit_require(unpack(packed, k, n + 1, NULL) == LZ4_SHORT, "%zu + 1", n);
	unit_require(n == 0 || unpack(packed, k, n - 1, NULL) == LZ4_LONG, "%zu - 1", n);
}

START_TEST(all_small_sizes)
{
	static char data[301];
	uint64_t seed = unit_seed("all_small_sizes");
	for (int kind = 0; kind < KINDS; kind++)
		for (size_t n = 0; n <= 300; n++) {
			fill(data, n, kind, &seed);
			check_round_trip(data, n);
		}
}
END_TEST

START_TEST(larger_sizes)
{
	static char data[200000];
	static const size_t sizes[] = { 4095, 4096, 65535, 65536, 65547, 65548, 65549, 131072, 200000 };
	uint64_t seed = unit_seed("larger_sizes");
	for (int round = unit_amount(60); round > 0; round--) {
		size_t n = 301 + unit_below(&seed, round % 4 == 0 ? 190000 : 5000);
		fill(data, n, round % KINDS, &seed);
		check_round_trip(data, n);
	}
	for (size_t i = 0; i < UNIT_COUNT(sizes); i++)
		for (int kind = 0; kind < KINDS; kind++) {
			fill(data, sizes[i], kind, &seed);
			check_round_trip(data, sizes[i]);
		}
}
END_TEST

/* A match from as far back as can be said, and one byte too far for it. */
START_TEST(farthest_match)
{
	static char data[66000], packed[70000], got[66000];
	static const char mark[] = "a mark that is nowhere else but here and there";
	uint64_t seed = unit_seed("farthest_match");
	for (size_t far = 65535; far <= 65536; far++) {
		size_t size = far + sizeof mark + 20;
		fill(data, size, 4, &seed);
		memcpy(data + 1, mark, sizeof mark);
		memcpy(data + 1 + far, mark, sizeof mark);
		size_t n = lz4_pack(data, size, packed, sizeof packed);
		ck_assert_int_eq(unpack(packed, n, size, got), LZ4_GOOD);
		ck_assert_mem_eq(got, data, size);
	}
}
END_TEST

START_TEST(it_is_worth_it)
{
	static char data[100000], packed[110000];
	uint64_t seed = 1;
	memset(data, 'a', sizeof data);
	ck_assert_uint_lt(lz4_pack(data, sizeof data, packed, sizeof packed), sizeof data / 250 + 16);
	fill(data, sizeof data, 2, &seed);
	ck_assert_uint_lt(lz4_pack(data, sizeof data, packed, sizeof packed), sizeof data * 2 / 3);
	/* The most that a block can say, whatever its size. */
	for (size_t n = 1; n <= sizeof data; n += 997) {
		memset(data, 'a', n);
		ck_assert_uint_le(n, LZ4_RATIO * lz4_pack(data, n, packed, sizeof packed));
	}
}
END_TEST

/* ---- blocks that are not whole, or not right ---- */

START_TEST(cut_at_every_byte)
{
	static char data[3000], packed[4000];
	uint64_t seed = unit_seed("cut_at_every_byte");
	for (int kind = 0; kind < KINDS; kind++)
		for (int round = 0; round < 4; round++) {
			size_t n = 1 + unit_below(&seed, round == 0 ? 40 : sizeof data - 1);
			fill(data, n, kind, &seed);
			size_t k = lz4_pack(data, n, packed, sizeof packed);
			for (size_t cut = 0; cut < k; cut++)
				unit_require(unpack(packed, cut, n, NULL) != LZ4_GOOD, "%zu of %zu", cut, k);
		}
}
END_TEST

/* Each byte set to each value: refused or of another content, but nothing outside is touched. */
START_TEST(every_byte_changed)
{
	static char data[600], packed[1000];
	uint64_t seed = unit_seed("every_byte_changed");
	for (int kind = 0; kind < KINDS; kind++) {
		fill(data, sizeof data, kind, &seed);
		size_t k = lz4_pack(data, sizeof data, packed, sizeof packed);
		for (size_t i = 0; i < k; i++) {
			char was = packed[i];
			for (int v = 0; v < 256; v += k > 100 ? 17 : 1) {
				packed[i] = (char)v;
				unpack(packed, k, sizeof data, NULL);
			}
			packed[i] = was;
		}
	}
}
END_TEST

static enum lz4_is
unpack_text(const char *block, size_t n, size_t size)
{
	return unpack(block, n, size, NULL);
}

START_TEST(each_rule)
{
	char long_sum[4000];
	/* Nothing is no block; the empty block has one byte. */
	ck_assert_int_eq(unpack_text("", 0, 0), LZ4_TRUNC);
	ck_assert_int_eq(unpack_text("\0", 1, 0), LZ4_GOOD);
	ck_assert_int_eq(unpack_text("\0\0", 2, 0), LZ4_TRUNC);
	ck_assert_int_eq(unpack_text("\1", 1, 0), LZ4_END);
	/* Behind a match there is always a token. */
	ck_assert_int_eq(unpack_text("\x10" "a\1\0", 4, 5), LZ4_TRUNC);
	ck_assert_int_eq(unpack_text("\x10" "a\1\0\0", 5, 5), LZ4_GOOD);
	ck_assert_int_eq(unpack_text("\x10" "a\1\0\1", 5, 5), LZ4_END);
	/* Half a distance, none, and one byte too far. */
	ck_assert_int_eq(unpack_text("\x10" "a\1", 3, 5), LZ4_TRUNC);
	ck_assert_int_eq(unpack_text("\x10" "a\0\0\0", 5, 5), LZ4_OFFSET);
	ck_assert_int_eq(unpack_text("\x10" "a\2\0\0", 5, 5), LZ4_OFFSET);
	ck_assert_int_eq(unpack_text("\0\1\0\0", 4, 4), LZ4_OFFSET);
	ck_assert_int_eq(unpack_text("\x20" "ab\2\0\0", 6, 6), LZ4_GOOD);
	/* A match where there is no room for one. */
	ck_assert_int_eq(unpack_text("\x10" "a\1\0\0", 5, 1), LZ4_LONG);
	ck_assert_int_eq(unpack_text("\x10" "a\1\0\0", 5, 4), LZ4_LONG);
	ck_assert_int_eq(unpack_text("\x1f" "a\1\0\0\0", 6, 20), LZ4_GOOD);
	ck_assert_int_eq(unpack_text("\x1f" "a\1\0\0\0", 6, 19), LZ4_LONG);
	/* Sums that never end. */
	memset(long_sum, 0xff, sizeof long_sum);
	ck_assert_int_eq(unpack_text(long_sum, sizeof long_sum, 500000), LZ4_LONG);
	ck_assert_int_eq(unpack_text(long_sum, 1000, 500000), LZ4_TRUNC);
	long_sum[0] = 0x1f;
	long_sum[2] = 1;
	long_sum[3] = 0;
	ck_assert_int_eq(unpack_text(long_sum, sizeof long_sum, 500000), LZ4_LONG);
	ck_assert_int_eq(unpack_text(long_sum, 1000, 500000), LZ4_TRUNC);
}
END_TEST

/* Every distance with every way to copy, beside what copying one byte after the other gives. */
START_TEST(distances)
{
	char block[64], want[200], got[200];
	for (size_t distance = 1; distance <= 40; distance++)
		for (size_t match = 4; match <= 100; match++)
			for (size_t tail = 0; tail <= 20; tail += 4) {
				size_t n = 0, low = match - 4 < 15 ? match - 4 : 15;
				block[n++] = (char)((distance < 15 ? distance << 4 : 0xf0) | low);
				if (distance >= 15)
					block[n++] = (char)(distance - 15);
				for (size_t i = 0; i < distance; i++)
					want[i] = block[n++] = (char)('0' + i);
				block[n++] = (char)distance;
				block[n++] = 0;
				if (match - 4 >= 15)
					block[n++] = (char)(match - 4 - 15);
				for (size_t i = distance; i < distance + match; i++)
					want[i] = want[i - distance];
				block[n++] = (char)((tail < 15 ? tail : 15) << 4);
				if (tail >= 15)
					block[n++] = (char)(tail - 15);
				/* The tail's bytes do not fit into block: they are all the same. */
				char all[128];
				memcpy(all, block, n);
				memset(all + n, 'z', tail);
				memset(want + distance + match, 'z', tail);
				unit_require(unpack(all, n + tail, distance + match + tail, got) == LZ4_GOOD &&
				    memcmp(got, want, distance + match + tail) == 0, "%zu back, %zu, %zu", distance, match, tail);
			}
}
END_TEST

#define GUARDED(suite, test) \
	do { \
		TCase *tcase_ = unit_case(suite, #test); \
		tcase_add_checked_fixture(tcase_, setup, teardown); \
		tcase_add_test(tcase_, test); \
	} while (0)

static void
add(Suite *s)
{
	GUARDED(s, vectors);
	GUARDED(s, all_small_sizes);
	GUARDED(s, larger_sizes);
	GUARDED(s, farthest_match);
	GUARDED(s, it_is_worth_it);
	GUARDED(s, cut_at_every_byte);
	GUARDED(s, every_byte_changed);
	GUARDED(s, each_rule);
	GUARDED(s, distances);
}

int
main(void)
{
	return unit_main("lz4", add);
}
