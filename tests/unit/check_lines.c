/* SPDX-License-Identifier: MIT
 * lines_render by wide registers and in plain C: the same text as line by line and number by number, whatever the body
 * holds; no look behind it, and nothing written behind the room for it. */
#include "store/lines.h"

#include "guard_rig.h"

enum { MOST = 600, BEFORE = 7 };

static size_t
render_number(char number[24], uint64_t v)
{
	size_t k = 24;
	number[--k] = ' ';
	do
		number[--k] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	return k;
}

/* Line by line, each number by itself. */
static bool
reference(struct buf *out, const struct frame_head *h, const char *body, const uint32_t *skip, uint32_t skips)
{
	char head[CLOCK_STAMP + 1 + FRAME_NAME + 1], number[24];
	clock_stamp(head, h->time_ms);
	size_t n = CLOCK_STAMP - 1, name = strlen(h->origin);
	head[n++] = ' ';
	memcpy(head + n, h->origin, name);
	n += name;
	head[n++] = ':';

	char *o = buf_room(out, h->bytes + (size_t)h->count * (n + sizeof number));
	if (o == NULL)
		return false;
	char *begin = o;
	const char *p = body, *end = body + h->bytes;
	uint32_t next = 0;
	for (uint32_t i = 0; p < end && i < h->count; i++) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		size_t text = (size_t)((lf != NULL ? lf : end) - p), k;
		if (next < skips && skip[next] == i) {
			next++;
		} else {
			memcpy(o, head, n);
			o += n;
			k = render_number(number, h->seq != 0 ? h->seq + i : 0);
			memcpy(o, number + k, sizeof number - k);
			o += sizeof number - k;
			if (text != 0 && p[text - 1] == '\r')
				text--;
			memcpy(o, p, text);
			o += text;
			*o++ = '\n';
		}
		if (lf == NULL)
			break;
		p = lf + 1;
	}
	buf_added(out, (size_t)(o - begin));
	return true;
}

/* ---- comparing ---- */

static struct {
	struct guard g;
	struct buf   want, got;
	size_t       size;      /* of got */
} t;

static void
start(size_t body)
{
	guard_init(&t.g, body + 256);
	/* Of one size: no test is to move it. */
	t.size = 40 * body + 65536;
	ck_assert_ptr_nonnull(buf_room(&t.got, t.size));
}

static void
stop(void)
{
	guard_fini(&t.g);
	buf_fini(&t.want);
	buf_fini(&t.got);
}

static void
compare(bool (*render)(struct buf *, const struct frame_head *, const char *, const uint32_t *, uint32_t),
    const struct frame_head *h, const char *body, const uint32_t *skip, uint32_t skips)
{
	/* At most what the reference asks for, and the slack. */
	size_t room = h->bytes + (size_t)h->count * (CLOCK_STAMP + 1 + strlen(h->origin) + 24) + 64;
	buf_clear(&t.got);
	ck_assert(BEFORE + room + 256 <= t.size);
	memset(t.got.data, '#', BEFORE + room + 256);
	t.got.len = BEFORE;
	unit_require(render(&t.got, h, body, skip, skips), "no memory");
	unit_require(t.got.start == 0 && t.got.len == BEFORE + t.want.len &&
	    memcmp(t.got.data, "#######", BEFORE) == 0 &&
	    (t.want.len == 0 || memcmp(t.got.data + BEFORE, t.want.data, t.want.len) == 0),
	    "%u lines from %" PRIu64 " in %u bytes, %u skipped: not the same", h->count, h->seq, h->bytes, skips);
	for (size_t i = 0; i < 256; i++)
		unit_require(t.got.data[BEFORE + room + i] == '#', "%u lines in %u bytes: written behind the room", h->count, h->bytes);
}

static void
same(const char *body, size_t n, uint32_t count, uint64_t seq, const uint32_t *skip, uint32_t skips)
{
	struct frame_head h = { .origin = "la", .seq = seq, .epoch = 1, .count = count, .bytes = (uint32_t)n,
		.time_ms = INT64_C(1795163521999) };
	/* A head of more than 32 bytes, and the longest. */
	if (n % 3 == 0)
		strcpy(h.origin, "sixteen-letters_");
	buf_clear(&t.want);
	unit_require(reference(&t.want, &h, body, skip, skips), "no memory");
	compare(lines_render, &h, body, skip, skips);
	compare(lines_render_plain, &h, body, skip, skips);
}

/* ---- bodies ---- */

static const uint64_t seqs[] = { 0, 1, 5, 8, 9, 10, 98, 99, 995, 99990, 99999, 100000, 109998, 999999999, 4294967290,
	UINT64_C(9999999999999990), INT64_MAX - 600 };

/* Lines of up to longest bytes, n bytes in all; mostly good. Returns how many LFs. */
static uint32_t
fill(uint64_t *seed, char *p, size_t n, unsigned longest, bool good)
{
	size_t at = 0;
	uint32_t count = 0;
	while (at < n) {
		size_t len = unit_below(seed, longest) + 1;
		if (len > n - at)
			len = n - at;
		for (size_t i = 0; i < len; i++)
			p[at + i] = (char)('a' + (char)((at + i) % 26));
		at += len;
		if (at < n && (good || unit_below(seed, 4) != 0))
			p[at++] = '\r';
		if (at < n) {
			p[at++] = '\n';
			count++;
		}
	}
	/* An empty line has nothing before its LF that were a CR of its own. */
	if (!good && n != 0 && unit_below(seed, 4) == 0) {
		count += p[0] != '\n';
		p[0] = '\n';
	}
	for (unsigned k = good || n == 0 ? 0 : unit_below(seed, 5); k > 0; k--) {
		char *c = p + unit_below(seed, (unsigned)n), to = "\r\n\n\xff"[unit_below(seed, 4)];
		count += (unsigned)(to == '\n') - (unsigned)(*c == '\n');
		*c = to;
	}
	return count;
}

/* In the order of lines, or, one time in eight, not. */
static uint32_t
choose(uint64_t *seed, uint32_t *skip, uint32_t count)
{
	uint32_t n = 0, one_in = 1 + unit_below(seed, 10);
	for (uint32_t i = 0; i < count + 2; i++)
		if (unit_below(seed, one_in) == 0)
			skip[n++] = i;
	if (n > 1 && unit_below(seed, 8) == 0)
		skip[0] = skip[n - 1];
	return n;
}

START_TEST(every_length)
{
	uint64_t seed = unit_seed("every_length");
	char body[MOST];
	uint32_t skip[MOST + 2];
	start(MOST);
	for (size_t n = 0; n <= MOST; n++)
		for (int round = 0; round < 30; round++) {
			uint32_t count = fill(&seed, body, n, round % 3 == 0 ? 100 : round % 3 == 1 ? 8 : 30, round % 2 == 0);
			uint64_t seq = seqs[unit_below(&seed, UNIT_COUNT(seqs))];
			char *p = round % 4 == 0 ? guard_before(&t.g, body, n) : guard_behind(&t.g, body, n);
			same(p, n, count, seq, NULL, 0);
			same(p, n, count + 1 + unit_below(&seed, 3), seq, skip, choose(&seed, skip, count));
			if (count != 0)
				same(p, n, unit_below(&seed, count), seq, NULL, 0);
		}
	stop();
}
END_TEST

START_TEST(every_length_and_alignment)
{
	uint64_t seed = unit_seed("every_length_and_alignment");
	char body[MOST];
	uint32_t skip[MOST + 2];
	start(MOST);
	for (size_t align = 0; align < 64; align++)
		for (size_t n = 0; n <= MOST; n++) {
			uint32_t count = fill(&seed, body, n, n % 5 == 0 ? 8 : 60, n % 2 == 0);
			same(guard_aligned(&t.g, body, n, align, "\ny\r"[n % 3]), n, count,
			    seqs[unit_below(&seed, UNIT_COUNT(seqs))], skip, n % 4 == 0 ? choose(&seed, skip, count) : 0);
		}
	stop();
}
END_TEST

/* Every length of text, the others beside it short, and all of one length. */
START_TEST(texts_of_every_length)
{
	char *body = malloc(FRAME_BODY_MAX);
	start(FRAME_BODY_MAX);
	for (size_t len = 0; len <= 509; len++) {
		size_t n = 0, lines = len <= 80 ? 60 : 20;
		for (size_t i = 0; i < 2 * lines; i++) {
			size_t text = i % 2 == 0 || i >= lines ? len : 8;
			memset(body + n, 'x', text);
			n += text;
			memcpy(body + n, "\r\n", 2);
			n += 2;
		}
		same(guard_behind(&t.g, body, n), n, (uint32_t)(2 * lines), 1 + len, NULL, 0);
		/* Half of it is the mixed ones only; and as many as it likes. */
		same(guard_behind(&t.g, body, n), n, (uint32_t)lines, 99950, NULL, 0);
		same(guard_behind(&t.g, body, n), n, 5000, 99950, NULL, 0);
	}
	free(body);
	stop();
}
END_TEST

/* The number of a line grows a digit after each count of lines. */
START_TEST(numbers_that_grow)
{
	char body[3 * 130];
	uint32_t skip[] = { 3, 4, 5, 99, 129 };
	start(sizeof body);
	for (size_t i = 0; i < sizeof body; i += 3)
		memcpy(body + i, "x\r\n", 3);
	char *p = guard_behind(&t.g, body, sizeof body);
	for (uint64_t power = 10; power <= UINT64_C(1000000000000000000); power *= 10)
		for (uint64_t before = 0; before <= 130 && before < power; before++) {
			same(p, sizeof body, 130, power - before, NULL, 0);
			same(p, sizeof body, 130, power - before, skip, UNIT_COUNT(skip));
		}
	same(p, sizeof body, 130, 0, skip, UNIT_COUNT(skip));
	same(p, sizeof body, 130, INT64_MAX - 129, NULL, 0);
	stop();
}
END_TEST

/* In a buffer with just the room that is asked for, or a bit more, nothing is written behind it. */
START_TEST(no_more_than_the_room)
{
	enum { BEHIND = 128 };
	uint64_t seed = unit_seed("no_more_than_the_room");
	struct frame_head h = { .origin = "la", .seq = INT64_MAX - 10 };
	for (int round = 0; round < unit_amount(300); round++) {
		char body[300];
		h.bytes = 64 + unit_below(&seed, sizeof body - 64);
		h.count = fill(&seed, body, h.bytes, 90, true);
		h.seq = round % 2 == 0 ? 7 : INT64_MAX - 600;
		bool fits = false;
		for (size_t size = h.bytes; !fits; size++) {
			char *data = malloc(size + BEHIND);
			struct buf b = { .data = data, .size = size };
			memset(data, '#', size + BEHIND);
			ck_assert(lines_render(&b, &h, body, NULL, 0));
			fits = b.data == data;
			for (size_t i = 0; fits && i < BEHIND; i++)
				unit_require(data[size + i] == '#', "%u lines in %u bytes: written behind the room", h.count, h.bytes);
			buf_fini(&b);
		}
	}
}
END_TEST

START_TEST(large_bodies)
{
	uint64_t seed = unit_seed("large_bodies");
	char *body = malloc(FRAME_BODY_MAX);
	uint32_t *skip = malloc((FRAME_BODY_MAX + 2) * sizeof *skip);
	start(FRAME_BODY_MAX);
	for (int round = 0; round < unit_amount(300); round++) {
		size_t n = round % 4 == 0 ? FRAME_BODY_MAX : 1 + unit_below(&seed, 20000);
		uint32_t count = fill(&seed, body, n, 6 + unit_below(&seed, 504), round % 2 == 0);
		same(guard_behind(&t.g, body, n), n, count, seqs[unit_below(&seed, UNIT_COUNT(seqs))], skip,
		    round % 3 == 0 ? choose(&seed, skip, count) : 0);
	}
	free(skip);
	free(body);
	stop();
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, every_length);
	UNIT_TEST(s, every_length_and_alignment);
	UNIT_TEST(s, texts_of_every_length);
	UNIT_TEST(s, numbers_that_grow);
	UNIT_TEST(s, no_more_than_the_room);
	UNIT_TEST(s, large_bodies);
}

int
main(void)
{
	return unit_main("lines", add);
}
