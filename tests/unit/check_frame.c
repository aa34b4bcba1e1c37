/* SPDX-License-Identifier: MIT */
#include "wire/frame.h"

#include "base/crc32c.h"
#include "unit.h"

/* ---- header lines, field by field ---- */

enum { W, KIND, ORIGIN, EPOCH, SEQ, COUNT, BYTES, TIME, CLIENT, N, CRC, FIELDS };

static const char *const usual[FIELDS] = { "2", "data", "la", "1732091521000", "4242", "2", "14", "1732091533123", "c1",
	"7", "9f3c21aa" };

/* Two fields may differ from the usual; NULL: they do not. Read from memory that ends where the line does. */
static enum frame_is
read_with(int field, const char *value, int other, const char *other_value, struct frame_head *h)
{
	char line[2048];
	size_t len = 0, head_size;
	const char *why;
	char wrap;
	for (int i = 0; i < FIELDS; i++) {
		const char *text = value != NULL && i == field ? value : other_value != NULL && i == other ? other_value : usual[i];
		len += (size_t)sprintf(line + len, "%s%s", i == 0 ? "" : " ", text);
	}
	len += (size_t)sprintf(line + len, "\r\n");
	char *copy = malloc(len);
	memcpy(copy, line, len);
	enum frame_is is = frame_read_head(copy, len, h, &head_size, &wrap, &why);
	free(copy);
	ck_assert_int_ne(is, FRAME_MORE);
	if (is == FRAME_GOOD) {
		ck_assert_uint_eq(head_size, len);
		ck_assert_ptr_null(why);
	} else {
		ck_assert_ptr_nonnull(why);
	}
	return is;
}

static void
good(int field, const char *value)
{
	struct frame_head h;
	ck_assert_msg(read_with(field, value, 0, NULL, &h) == FRAME_GOOD, "field %d: '%s' is good", field, value);
}

static void
bad(int field, const char *value)
{
	struct frame_head h;
	ck_assert_msg(read_with(field, value, 0, NULL, &h) == FRAME_BAD, "field %d: '%s' is bad", field, value);
}

static void
two(int field, const char *value, int other, const char *other_value, enum frame_is expected)
{
	struct frame_head h;
	ck_assert_msg(read_with(field, value, other, other_value, &h) == expected, "fields %d, %d: '%s', '%s'", field, other,
	    value, other_value);
}

START_TEST(fields_are_read)
{
	struct frame_head h;
	ck_assert_int_eq(read_with(0, NULL, 0, NULL, &h), FRAME_GOOD);
	ck_assert_str_eq(h.kind, "data");
	ck_assert_str_eq(h.origin, "la");
	ck_assert_uint_eq(h.epoch, 1732091521000);
	ck_assert_uint_eq(h.seq, 4242);
	ck_assert_uint_eq(h.count, 2);
	ck_assert_uint_eq(h.bytes, 14);
	ck_assert_int_eq(h.time_ms, 1732091533123);
	ck_assert_str_eq(h.client, "c1");
	ck_assert_uint_eq(h.n, 7);
	ck_assert_uint_eq(h.crc, 0x9f3c21aa);
}
END_TEST

START_TEST(words_at_their_limits)
{
	const char *words[] = { "", " ", "-", "a", "data2", "0", "no\tno", "a\rb", "\xc3\xa4", "a\x01", "\x7f", "Data", "a_b",
		"a.b", "a+b", "a/b", "a:b" };
	/* good in: kind, origin, client */
	const char fits[][4] = { "nnn", "nnn", "yy-", "yyy", "yyy", "yyy", "nnn", "nnn", "nnn", "nnn", "nnn", "nyy", "nyy",
		"nny", "nnn", "nnn", "nnn" };
	const int fields[] = { KIND, ORIGIN, CLIENT };
	const size_t most[] = { FRAME_KIND, FRAME_NAME, FRAME_CLIENT };
	for (int f = 0; f < 3; f++) {
		char word[64];
		for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
			if (fits[i][f] != '-')
				(fits[i][f] == 'y' ? good : bad)(fields[f], words[i]);
		memset(word, 'w', sizeof word);
		word[most[f] + 1] = '\0';
		bad(fields[f], word);
		word[most[f]] = '\0';
		good(fields[f], word);
	}
	/* No client has no numbers, and no number has no client. */
	two(CLIENT, "-", N, "0", FRAME_GOOD);
	two(CLIENT, "-", N, "1", FRAME_BAD);
	two(CLIENT, "c1", N, "0", FRAME_BAD);
	two(CLIENT, "--", N, "1", FRAME_GOOD);
}
END_TEST

START_TEST(no_number)
{
	const char *never[] = { "", " ", "01", "00", "007", "+1", "-1", "1a", "a1", "0x1", "1.0", "1e3", "9223372036854775808",
		"9999999999999999999", "18446744073709551615", "18446744073709551616", "18446744073709551621",
		"99999999999999999999", "123456789012345678901234567890", "000000000000000000000000000001", "1\t", "\r", "1\r", "\xb2" };
	const int fields[] = { EPOCH, SEQ, COUNT, BYTES, TIME, N };
	for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++)
		for (size_t i = 0; i < sizeof never / sizeof never[0]; i++)
			bad(fields[f], never[i]);
}
END_TEST

START_TEST(numbers_at_their_limits)
{
	good(EPOCH, "1");
	good(EPOCH, "9223372036854775807");
	two(EPOCH, "0", SEQ, "0", FRAME_GOOD);
	two(EPOCH, "0", SEQ, "1", FRAME_BAD);
	two(EPOCH, "1", SEQ, "0", FRAME_BAD);
	good(TIME, "0");
	good(TIME, "9223372036854775807");
	/* The last line's number counts. COUNT is 2. */
	for (int f = 0; f < 2; f++) {
		int field = f == 0 ? SEQ : N;
		good(field, "1");
		good(field, "9223372036854775806");
		bad(field, "9223372036854775807");
		two(field, "9223372036854775807", COUNT, "1", FRAME_GOOD);
		two(field, "9223372036854775805", COUNT, "3", FRAME_GOOD);
		two(field, "9223372036854775805", COUNT, "4", FRAME_BAD);
	}
	bad(COUNT, "0");
	bad(BYTES, "0");
	good(COUNT, "4");
	bad(COUNT, "5");                        /* of 14 bytes: a line has three at least */
	good(BYTES, "6");
	bad(BYTES, "5");
	good(BYTES, "262144");
	bad(BYTES, "262145");
	two(COUNT, "87381", BYTES, "262143", FRAME_GOOD);
	two(COUNT, "87381", BYTES, "262144", FRAME_GOOD);
	two(COUNT, "87381", BYTES, "262142", FRAME_BAD);
	two(COUNT, "87382", BYTES, "262144", FRAME_BAD);
	two(COUNT, "262144", BYTES, "262144", FRAME_BAD);
	two(COUNT, "262145", BYTES, "262144", FRAME_BAD);
	two(COUNT, "1431655766", BYTES, "2", FRAME_BAD);        /* three times that is 2 in 32 bits */
	two(COUNT, "4294967297", BYTES, "3", FRAME_BAD);
	two(COUNT, "1", BYTES, "4294967299", FRAME_BAD);
}
END_TEST

START_TEST(crc_field_and_wrapping_byte)
{
	const char *bad_crcs[] = { "", "0", "9f3c21a", "9f3c21aa0", "9F3C21AA", "9f3c21ag", " 9f3c21a", "9f3c21a ", "0x3c21aa",
		"9f3c21aa ", "9f3c21aa x", "9f3c21aa\r" };
	const char *bad_wraps[] = { "", "3", "9", "x", "00", "-", " 0", "/", "\r" };
	for (size_t i = 0; i < sizeof bad_crcs / sizeof bad_crcs[0]; i++)
		bad(CRC, bad_crcs[i]);
	good(CRC, "00000000");
	good(CRC, "ffffffff");
	for (size_t i = 0; i < sizeof bad_wraps / sizeof bad_wraps[0]; i++)
		bad(W, bad_wraps[i]);
	good(W, "0");
	good(W, "1");
	good(W, "2");
}
END_TEST

START_TEST(line_ends)
{
	const char line[] = "2 data la 1 1 2 14 1 c1 7 9f3c21aa";
	const char *ends[] = { "\n", "\r", "\r\r\n", "\n\r", " \r\n", "\r \n", " 0\r\n" };
	struct frame_head h;
	size_t head_size;
	const char *why;
	char text[512];
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		size_t n = (size_t)sprintf(text, "%s%s", line, ends[i]);
		ck_assert_int_eq(frame_read_head(text, n, &h, &head_size, NULL, &why), i == 1 ? FRAME_MORE : FRAME_BAD);
	}
	/* What comes without an LF is waited for, up to a header's length. */
	memset(text, '0', sizeof text);
	ck_assert_int_eq(frame_read_head(text, FRAME_HEAD_MAX - 1, &h, &head_size, NULL, &why), FRAME_MORE);
	ck_assert_int_eq(frame_read_head(text, FRAME_HEAD_MAX, &h, &head_size, NULL, &why), FRAME_BAD);
	text[FRAME_HEAD_MAX] = '\n';
	ck_assert_int_eq(frame_read_head(text, FRAME_HEAD_MAX + 1, &h, &head_size, NULL, &why), FRAME_BAD);
	ck_assert_int_eq(frame_read_head(text, 0, &h, &head_size, NULL, &why), FRAME_MORE);
	ck_assert_int_eq(frame_read_head("\n", 1, &h, &head_size, NULL, &why), FRAME_BAD);
	ck_assert_int_eq(frame_read_head("\r\n", 2, &h, &head_size, NULL, &why), FRAME_BAD);
}
END_TEST

/* ---- whole frames ---- */

static struct frame *
make(const char *origin, uint64_t seq, uint64_t n, unsigned lines)
{
	struct frame *f = frame_new("data", origin, lines * 40);
	for (unsigned i = 0; i < lines; i++) {
		char text[40];
		frame_add(f, text, (size_t)snprintf(text, sizeof text, "line %u of seq %" PRIu64, i, seq));
	}
	f->h.epoch = 1732091521000;
	f->h.seq = seq;
	f->h.time_ms = 1732091533123;
	f->h.n = n;
	strcpy(f->h.client, n != 0 ? "client.A_1-" : "-");
	frame_seal(f);
	return f;
}

static void
same(const struct frame *a, const struct frame *b)
{
	ck_assert_uint_eq(frame_size(a), frame_size(b));
	ck_assert_mem_eq(a->record, b->record, frame_size(a));
	ck_assert_str_eq(a->h.kind, b->h.kind);
	ck_assert_str_eq(a->h.origin, b->h.origin);
	ck_assert_str_eq(a->h.client, b->h.client);
	ck_assert(a->h.epoch == b->h.epoch && a->h.seq == b->h.seq && a->h.n == b->h.n && a->h.count == b->h.count &&
	    a->h.bytes == b->h.bytes && a->h.crc == b->h.crc && a->h.time_ms == b->h.time_ms);
	ck_assert_mem_eq(a->body, b->body, a->h.bytes);
	ck_assert_ptr_eq(b->body, b->record + b->head_size);
}

/* From a copy that ends where it ends, so that a sanitizer sees who reads on. */
static enum frame_is
read_copy(const char *p, size_t n, struct frame **f, size_t *size, char *wrap, const char **why)
{
	char *copy = malloc(n != 0 ? n : 1);
	memcpy(copy, p, n);
	enum frame_is is = frame_read(copy, n, f, size, wrap, why);
	free(copy);
	return is;
}

START_TEST(published_frame)
{
	struct frame *f = frame_new("data", "la", 14);
	const char head[] = "0 data la 1732091521000 4242 2 14 1732091533123 - 0 ";
	char expected[128];
	frame_add(f, "hello", 5);
	frame_add(f, "world", 5);
	f->h.epoch = 1732091521000;
	f->h.seq = 4242;
	f->h.time_ms = 1732091533123;
	frame_seal(f);
	uint32_t crc = crc32c(crc32c(0, head + 2, strlen(head) - 2), "hello\r\nworld\r\n", 14);
	sprintf(expected, "%s%08" PRIx32 "\r\nhello\r\nworld\r\n", head, crc);
	ck_assert_uint_eq(frame_size(f), strlen(expected));
	ck_assert_mem_eq(f->record, expected, strlen(expected));
	frame_drop(&f);
	ck_assert_ptr_null(f);
}
END_TEST

START_TEST(round_trip)
{
	uint64_t seed = unit_seed("round_trip");
	for (int round = 0; round < unit_amount(2000); round++) {
		struct frame *f = make(round % 2 != 0 ? "la" : "a_very-long_NAME", unit_below(&seed, INT32_MAX) + 1,
		    round % 3 != 0 ? unit_below(&seed, INT32_MAX) + 1 : 0, 1 + unit_below(&seed, 50));
		struct frame *back;
		size_t size;
		char wrap;
		const char *why;
		char w = (char)('0' + round % 3);
		f->record[0] = w;       /* as a relay does */
		ck_assert_int_eq(read_copy(f->record, frame_size(f), &back, &size, &wrap, &why), FRAME_GOOD);
		f->record[0] = '0';
		ck_assert_int_eq(wrap, w);
		ck_assert_uint_eq(size, frame_size(f));
		same(f, back);
		frame_drop(&f);
		frame_drop(&back);
	}
}
END_TEST

START_TEST(largest)
{
	struct frame *f = frame_new("abcdefghijklmn-9", "ABCDEFGHIJKLMNOP", FRAME_BODY_MAX), *back;
	char text[512];
	size_t size;
	const char *why;
	memset(text, 'x', sizeof text);
	while (f->h.bytes + 512 <= FRAME_BODY_MAX)
		frame_add(f, text, 510);
	ck_assert_uint_eq(f->h.bytes, FRAME_BODY_MAX);
	f->h.epoch = FRAME_NUMBER_MAX;
	f->h.seq = f->h.n = FRAME_NUMBER_MAX - f->h.count + 1;
	f->h.time_ms = INT64_MAX;
	memset(f->h.client, 'c', FRAME_CLIENT);
	frame_seal(f);
	ck_assert_uint_lt(f->head_size, FRAME_HEAD_MAX);
	ck_assert_int_eq(read_copy(f->record, frame_size(f), &back, &size, NULL, &why), FRAME_GOOD);
	same(f, back);
	frame_drop(&f);
	frame_drop(&back);
}
END_TEST

START_TEST(every_split)
{
	struct frame *f = make("la", 4242, 17, 3), *back = NULL;
	struct frame_head h;
	size_t head_size, size;
	const char *why;
	for (size_t n = 0; n < frame_size(f); n++) {
		char *copy = malloc(n + 1);
		memcpy(copy, f->record, n);
		ck_assert_int_eq(frame_read_head(copy, n, &h, &head_size, NULL, &why), n < f->head_size ? FRAME_MORE : FRAME_GOOD);
		free(copy);
		ck_assert_int_eq(read_copy(f->record, n, &back, &size, NULL, &why), FRAME_MORE);
		ck_assert_uint_eq(size, n < f->head_size ? 1 : frame_size(f));
	}
	ck_assert_ptr_null(back);
	frame_drop(&f);
}
END_TEST

START_TEST(more_behind_it)
{
	struct frame *f = make("la", 1, 0, 2), *back;
	size_t n = frame_size(f), size;
	const char *why;
	char *two_of_them = malloc(2 * n);
	memcpy(two_of_them, f->record, n);
	memcpy(two_of_them + n, f->record, n);
	ck_assert_int_eq(read_copy(two_of_them, 2 * n - 1, &back, &size, NULL, &why), FRAME_GOOD);
	ck_assert_uint_eq(size, n);
	same(f, back);
	free(two_of_them);
	frame_drop(&back);
	frame_drop(&f);
}
END_TEST

/* The CRC sees each bit but those of the wrapping byte. */
START_TEST(every_bit_flipped)
{
	struct frame *f = make("la", 4242, 17, 3), *back;
	size_t size;
	const char *why;
	for (size_t i = 1; i < frame_size(f); i++)
		for (int bit = 0; bit < 8; bit++) {
			f->record[i] = (char)(f->record[i] ^ 1 << bit);
			ck_assert_msg(read_copy(f->record, frame_size(f), &back, &size, NULL, &why) != FRAME_GOOD, "byte %zu", i);
			f->record[i] = (char)(f->record[i] ^ 1 << bit);
		}
	ck_assert(frame_check_crc(&f->h, f->record, f->head_size));
	frame_drop(&f);
}
END_TEST

START_TEST(lines_of_a_body)
{
	struct {
		const char *body;
		uint32_t    count;
		bool        good;
	} t[] = {
		{ "a\r\n", 1, true }, { "a\r\nb\r\n", 2, true }, { "a\r\nb\r\n", 1, false }, { "a\r\nb\r\n", 3, false },
		{ "\r\n", 1, false }, { "a\r\n\r\n", 2, false }, { "a\n", 1, false }, { "ab\n", 1, false }, { "a\r", 1, false },
		{ "a\rb\r\n", 1, false }, { "a\r\r\n", 1, false }, { "a\r\nb", 1, false }, { "a\r\nb\r", 2, false },
		{ "\n\r\n", 1, false }, { "\ra\r\n", 1, false }, { "a\r\n\n", 1, false },
	};
	for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
		struct frame_head h = { .count = t[i].count, .bytes = (uint32_t)strlen(t[i].body) };
		char *body = malloc(h.bytes);
		memcpy(body, t[i].body, h.bytes);
		ck_assert_msg(frame_check_lines(&h, body) == t[i].good, "body %zu", i);
		free(body);
	}
}
END_TEST

/* A CRC can be had by anybody: the lines are looked at all the same. */
START_TEST(good_crc_over_bad_lines)
{
	const char *bodies[] = { "hello\r\nwor\nd\r\n", "hello\r\nworld\r\r", "hello world!\r\n", "he\r\no\r\nworl\r\n\r" };
	for (size_t i = 0; i < 4; i++) {
		char text[128];
		struct frame *f = NULL;
		size_t size;
		const char *why;
		int n = sprintf(text, "0 data la 1 1 2 14 1 - 0 ");
		uint32_t crc = crc32c(crc32c(0, text + 2, (size_t)n - 2), bodies[i], 14);
		n += sprintf(text + n, "%08" PRIx32 "\r\n%s", crc, bodies[i]);
		ck_assert_int_eq(read_copy(text, (size_t)n, &f, &size, NULL, &why), FRAME_BAD);
		ck_assert_str_eq(why, "frame lines");
		ck_assert_ptr_null(f);
	}
}
END_TEST

START_TEST(cut_anywhere)
{
	for (uint64_t n = 0; n <= 90; n += 90) {
		struct frame *f = make("la", 100, n, 6);
		for (uint64_t from = 100; from < 106; from++)
			for (uint64_t to = from; to < 106; to++) {
				struct frame *cut = frame_cut(f, from, to), *back;
				size_t size;
				const char *why;
				char text[64];
				int len = sprintf(text, "line %u of seq 100\r\n", (unsigned)(from - 100));
				ck_assert_uint_eq(cut->h.seq, from);
				ck_assert_uint_eq(cut->h.count, to - from + 1);
				ck_assert_uint_eq(cut->h.n, n == 0 ? 0 : n + (from - 100));
				ck_assert_uint_eq(cut->h.epoch, f->h.epoch);
				ck_assert_int_eq(cut->h.time_ms, f->h.time_ms);
				ck_assert_str_eq(cut->h.client, f->h.client);
				ck_assert_mem_eq(cut->body, text, (size_t)len);
				ck_assert_int_eq(read_copy(cut->record, frame_size(cut), &back, &size, NULL, &why), FRAME_GOOD);
				same(cut, back);
				frame_drop(&back);
				frame_drop(&cut);
			}
		struct frame *whole = frame_cut(f, 100, 105);
		same(f, whole);
		frame_drop(&whole);
		frame_drop(&f);
	}
}
END_TEST

START_TEST(references)
{
	struct frame *f = make("la", 1, 0, 1), *second = frame_ref(f), *none = NULL;
	frame_drop(&f);
	ck_assert_ptr_null(f);
	ck_assert_uint_eq(second->h.seq, 1);
	frame_drop(&second);
	frame_drop(&none);
}
END_TEST

START_TEST(client_tokens)
{
	const char *yes[] = { "a", "Z", "0", "_", ".", "--", "a-b.c_D9", "abcdefghijklmnopqrstuvwxyz012345" };
	const char *no[] = { "", "-", "a b", "a\n", "\xc3\xa4", "a=b", "a/b", "abcdefghijklmnopqrstuvwxyz0123456" };
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		ck_assert_msg(frame_client_ok(yes[i]), "%s", yes[i]);
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		ck_assert_msg(!frame_client_ok(no[i]), "%s", no[i]);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, fields_are_read);
	UNIT_TEST(s, words_at_their_limits);
	UNIT_TEST(s, no_number);
	UNIT_TEST(s, numbers_at_their_limits);
	UNIT_TEST(s, crc_field_and_wrapping_byte);
	UNIT_TEST(s, line_ends);
	UNIT_TEST(s, published_frame);
	UNIT_TEST(s, round_trip);
	UNIT_TEST(s, largest);
	UNIT_TEST(s, every_split);
	UNIT_TEST(s, more_behind_it);
	UNIT_TEST(s, every_bit_flipped);
	UNIT_TEST(s, lines_of_a_body);
	UNIT_TEST(s, good_crc_over_bad_lines);
	UNIT_TEST(s, cut_anywhere);
	UNIT_TEST(s, references);
	UNIT_TEST(s, client_tokens);
}

int
main(void)
{
	return unit_main("frame", add);
}
