/* SPDX-License-Identifier: MIT
 * check_stream.c - a stream against a naive model: of each number whether it is missing, had or passed over. */
#include "ring/stream.h"

#include "unit.h"

enum { MOST = 300, DONE_MOST = 64 };

enum state { MISSING, HAD, PASSED };

static struct {
	struct stream *s;
	struct streams all;
	uint64_t       random, upto;
	unsigned char  is[MOST + 50];           /* enum state, by number */
} t;

static unsigned
below(unsigned n)
{
	return unit_below(&t.random, n);
}

static struct frame *
frame(uint64_t seq, unsigned count)
{
	struct frame *f = frame_new("data", "la", count * 3);
	ck_assert_ptr_nonnull(f);
	for (unsigned i = 0; i < count; i++)
		frame_add(f, "x", 1);
	f->h.epoch = 1;
	f->h.seq = seq;
	frame_seal(f);
	return f;
}

/* ---- the invariants, and that both say the same ---- */

static void
check_same(const char *after)
{
	const struct stream *s = t.s;
	unit_require(s->upto == t.upto, "%s: upto %" PRIu64 ", not %" PRIu64, after, s->upto, t.upto);
	unsigned char passed[MOST + 50] = { 0 };
	for (int i = 0; i < s->passed_count; i++) {
		struct run r = s->passed[i];
		unit_require(r.from >= 1 && r.from <= r.to && r.to <= s->upto, "%s: a run outside", after);
		unit_require(i == 0 || r.from > s->passed[i - 1].to + 1, "%s: runs %d and %d touch", after, i - 1, i);
		memset(passed + r.from, 1, r.to - r.from + 1);
	}
	for (uint64_t n = 1; n < MOST + 50; n++) {
		unit_require(passed[n] == (t.is[n] == PASSED), "%s: %" PRIu64 " is passed or not", after, n);
		unit_require(n <= t.upto ? t.is[n] != MISSING : t.is[n] == MISSING, "%s: the model is wrong", after);
	}
	size_t bytes = 0;
	for (int i = 0; i < s->ahead_count; i++) {
		bytes += frame_size(s->ahead[i]);
		unit_require(i == 0 || s->ahead[i]->h.seq >= s->ahead[i - 1]->h.seq, "%s: frames ahead in disorder", after);
	}
	unit_require(bytes == s->ahead_bytes, "%s: bytes ahead are not counted well", after);
	unit_require(stream_ahead_from(s) == (s->ahead_count != 0 ? s->ahead[0]->h.seq : 0), "%s: first ahead", after);
	uint64_t from = 1 + below(MOST), to = from + below(20);
	unit_require(stream_has_passed(s, from, to) == (memchr(t.is + from, PASSED, to - from + 1) != NULL), "%s: has_passed",
	    after);
}

/* ---- what a frame adds ---- */

struct done {
	uint64_t from, to;
};

/* What the model takes of from .. to now: the first run passed over in it, or what follows on upto. */
static enum stream_is
model_pick(uint64_t first, uint64_t last, uint64_t *from, uint64_t *to)
{
	for (uint64_t n = first; n <= last && n <= t.upto; n++) {
		if (t.is[n] != PASSED)
			continue;
		for (*from = *to = n; *to < last && t.is[*to + 1] == PASSED; ++*to)
			continue;
		return STREAM_STORE;
	}
	*from = first <= t.upto ? t.upto + 1 : first;
	*to = last;
	return last <= t.upto ? STREAM_HAD : *from == t.upto + 1 ? STREAM_STORE : STREAM_AHEAD;
}

/* As the core does it. What was stored is appended to done. */
static enum stream_is
add(const struct frame *f, struct done *done, int *count)
{
	for (;;) {
		uint64_t from, to, want_from, want_to;
		enum stream_is is = stream_pick(t.s, f, &from, &to);
		enum stream_is want = model_pick(f->h.seq, f->h.seq + f->h.count - 1, &want_from, &want_to);
		unit_require(is == want, "frame %" PRIu64 "+%u: %d, not %d", f->h.seq, f->h.count, is, want);
		if (is != STREAM_STORE)
			return is;
		unit_require(from == want_from && to == want_to, "frame %" PRIu64 "+%u: %" PRIu64 "-%" PRIu64 ", not %" PRIu64 "-%" PRIu64,
		    f->h.seq, f->h.count, from, to, want_from, want_to);
		stream_had(t.s, from, to);
		memset(t.is + from, HAD, to - from + 1);
		if (to > t.upto)
			t.upto = to;
		if (*count < DONE_MOST)
			done[(*count)++] = (struct done){ from, to };
		check_same("had");
	}
}

static void
add_ahead(struct done *done, int *count)
{
	struct frame *f;
	while ((f = stream_next_ahead(t.s)) != NULL) {
		unit_require(f->h.seq <= t.upto + 1, "a frame ahead came too early");
		unit_require(add(f, done, count) != STREAM_AHEAD, "a frame ahead is still ahead");
		frame_drop(&f);
	}
	unit_require(t.s->ahead_count == 0 || t.s->ahead[0]->h.seq > t.upto + 1, "a frame ahead is forgotten");
}

/* The journal refused: all of it is taken back, the last first. */
static void
take_back(const struct done *done, int count, const unsigned char *was, uint64_t upto)
{
	while (count-- > 0)
		stream_unhad(t.s, done[count].from, done[count].to);
	/* Where the last run had been passed over, it may count as missing now: then it is asked for again. */
	unit_require(t.s->upto <= upto, "taken back, and more is there than before");
	memcpy(t.is, was, sizeof t.is);
	for (uint64_t n = t.s->upto + 1; n <= upto; n++) {
		unit_require(was[n] == PASSED, "number %" PRIu64 " was had, and is missing", n);
		t.is[n] = MISSING;
	}
	t.upto = t.s->upto;
	check_same("taken back");
}

static void
take_frame(uint64_t seq, unsigned count)
{
	struct done done[DONE_MOST];
	int stored = 0;
	unsigned char was[sizeof t.is];
	uint64_t upto = t.upto;
	struct frame *f = frame(seq, count);
	memcpy(was, t.is, sizeof was);
	bool refused = below(10) == 0;
	enum stream_is is = add(f, done, &stored);
	if (is == STREAM_AHEAD) {
		if (stream_keep_ahead(t.s, f))
			ck_assert_uint_eq(atomic_load(&f->refs), 2);
		else
			ck_assert_uint_eq(atomic_load(&f->refs), 1);
	}
	frame_drop(&f);
	/* Some members have only then a disk that is full. */
	if (refused && stored != 0)
		take_back(done, stored, was, upto);
	else
		add_ahead(done, &stored);
	check_same("a frame");
}

static void
begin(void)
{
	ck_assert(streams_init(&t.all));
	t.s = streams_get(&t.all, "la", 1);
	ck_assert_ptr_nonnull(t.s);
	memset(t.is, 0, sizeof t.is);
	t.upto = 0;
}

START_TEST(random_frames)
{
	uint64_t seed = unit_seed("random_frames");
	for (int run = 0; run < unit_amount(400); run++) {
		t.random = seed + (uint64_t)run;
		begin();
		for (int i = 0; i < 150; i++) {
			uint64_t near = t.upto + 1 > 20 ? t.upto - 19 : 1, seq = below(3) == 0 ? near + below(60) : t.upto + 1;
			if (seq > MOST)
				seq = 1 + below(MOST);
			if (below(12) == 0 && t.upto + 1 < MOST - 10) {
				uint64_t to = t.upto + 1 + below(9);
				struct done done[DONE_MOST];
				int stored = 0;
				ck_assert(stream_pass(t.s, to));
				memset(t.is + t.upto + 1, PASSED, to - t.upto);
				t.upto = to;
				add_ahead(done, &stored);
				check_same("passed");
			} else {
				take_frame(seq, 1 + below(below(4) == 0 ? 30 : 3));
			}
		}
		/* All comes in the end, in pieces and more than once. */
		for (int round = 0; t.upto < MOST || t.s->passed_count != 0; round++) {
			ck_assert_int_lt(round, 2000);
			for (uint64_t seq = 1 + below(5); seq <= MOST; seq += 1 + below(9))
				take_frame(seq, 1 + below(12));
			take_frame(1, 1 + below(12));
		}
		ck_assert_uint_eq(t.s->kept, 1);
		streams_fini(&t.all);
	}
}
END_TEST

/* ---- the journal, read again ---- */

/* What a journal holds is what was had: in any order in which it may have come. Where the beginning is missing it was
 * pruned; what is missing in between had been passed over. */
START_TEST(scanned)
{
	uint64_t seed = unit_seed("scanned");
	for (int run = 0; run < unit_amount(2000); run++) {
		t.random = seed + (uint64_t)run;
		begin();
		uint64_t first = below(2) == 0 ? 1 : 1 + below(20);
		t.upto = first - 1;
		memset(t.is + 1, HAD, t.upto);
		for (int i = 0; i < 40 && t.upto < MOST - 40; i++) {
			uint64_t from = t.upto + 1, to;
			if (i != 0 && t.s->passed_count != 0 && below(2) == 0) {
				struct run r = t.s->passed[below((unsigned)t.s->passed_count)];
				from = r.from + below((unsigned)(r.to - r.from + 1));
				to = from + below((unsigned)(r.to - from + 1));
			} else {
				from += i != 0 && below(4) == 0 ? below(9) : 0;
				to = from + below(6);
				memset(t.is + t.upto + 1, PASSED, from - t.upto - 1);
			}
			stream_scanned(t.s, from, to);
			memset(t.is + from, HAD, to - from + 1);
			if (to > t.upto)
				t.upto = to;
			check_same("scanned");
			ck_assert_uint_le(t.s->kept, from);
		}
		ck_assert_uint_eq(t.s->kept, first);
		streams_fini(&t.all);
	}
}
END_TEST

/* ---- how much is kept ahead ---- */

START_TEST(ahead_has_a_bound)
{
	char text[500];
	memset(text, 'x', sizeof text);
	begin();
	unsigned kept = 0;
	for (unsigned i = 0; i < 200; i++) {
		struct frame *f = frame_new("data", "la", 100 * sizeof text + 200);
		for (int k = 0; k < 100; k++)
			frame_add(f, text, sizeof text);
		f->h.epoch = 1;
		f->h.seq = 2 + i * 100;
		frame_seal(f);
		kept += stream_keep_ahead(t.s, f);
		ck_assert(!stream_keep_ahead(t.s, f));          /* it is there, or there is no room */
		frame_drop(&f);
	}
	ck_assert_uint_le(t.s->ahead_bytes, STREAM_AHEAD_BYTES);
	ck_assert_uint_gt(t.s->ahead_bytes, STREAM_AHEAD_BYTES - 60000);
	ck_assert_uint_gt(kept, 50);
	ck_assert_ptr_null(stream_next_ahead(t.s));
	stream_had(t.s, 1, 1);
	struct frame *f = stream_next_ahead(t.s);
	ck_assert_uint_eq(f->h.seq, 2);
	ck_assert_uint_eq(atomic_load(&f->refs), 1);
	frame_drop(&f);
	streams_fini(&t.all);
}
END_TEST

/* ---- the table ---- */

static void
count_visit(void *arg, struct stream *s)
{
	unsigned char *seen = arg;
	seen[(s->epoch - 1) * 3 + (uint64_t)(s->origin[0] - 'a')]++;
}

static bool
rest_visit(void *arg, struct stream *s)
{
	(*(int *)arg)++;
	return s->epoch == 2;
}

static void
kept_visit(void *arg, struct stream *s)
{
	(void)arg;
	s->kept = s->epoch == 1 ? 0 : 1;
}

START_TEST(table)
{
	enum { EPOCHS = 3000 };
	static const char *const names[] = { "a", "b", "c-is-sixteen-byt" };
	static unsigned char seen[EPOCHS * 3];
	ck_assert(streams_init(&t.all));
	ck_assert_ptr_null(streams_find(&t.all, "a", 1));
	for (uint64_t e = 1; e <= EPOCHS; e++) {
		for (int i = 0; i < 3; i++) {
			struct stream *s = streams_get(&t.all, names[i], e);
			ck_assert(s != NULL && s->epoch == e && strcmp(s->origin, names[i]) == 0 && s->upto == 0);
			unit_require(streams_get(&t.all, names[i], e) == s && streams_find(&t.all, names[i], e) == s, "another one");
		}
	}
	ck_assert_uint_eq(t.all.count, EPOCHS * 3);
	memset(seen, 0, sizeof seen);
	streams_each(&t.all, count_visit, seen);
	for (size_t i = 0; i < sizeof seen; i++)
		unit_require(seen[i] == 1, "stream %zu was visited %d times", i, seen[i]);
	streams_fini(&t.all);
}
END_TEST

START_TEST(awake)
{
	int visits = 0;
	ck_assert(streams_init(&t.all));
	for (uint64_t e = 1; e <= 100; e++)
		streams_get(&t.all, "a", e);
	streams_each_awake(&t.all, rest_visit, &visits);
	ck_assert_int_eq(visits, 100);
	struct stream *s = streams_find(&t.all, "a", 7);
	stream_wake(&t.all, s);
	stream_wake(&t.all, s);
	visits = 0;
	streams_each_awake(&t.all, rest_visit, &visits);
	ck_assert_int_eq(visits, 2);
	streams_fini(&t.all);
}
END_TEST

/* Of too many the oldest go that are at rest and pruned whole, and none for an older one. */
START_TEST(too_many)
{
	int visits = 0;
	ck_assert(streams_init(&t.all));
	for (uint64_t e = 1; t.all.count < STREAMS_MOST; e++)
		for (int i = 0; i < 2; i++)
			ck_assert_ptr_nonnull(streams_get(&t.all, i == 0 ? "a" : "b", e));
	streams_each(&t.all, kept_visit, NULL);
	ck_assert_ptr_null(streams_get(&t.all, "c", STREAMS_MOST));     /* all are awake */
	streams_each_awake(&t.all, rest_visit, &visits);
	ck_assert_ptr_null(streams_get(&t.all, "c", 1));
	ck_assert_ptr_nonnull(streams_get(&t.all, "a", 1));
	ck_assert_ptr_nonnull(streams_get(&t.all, "c", STREAMS_MOST));
	ck_assert_ptr_nonnull(streams_get(&t.all, "c", STREAMS_MOST + 1));
	ck_assert_ptr_null(streams_find(&t.all, "a", 1));
	ck_assert_ptr_null(streams_find(&t.all, "b", 1));
	ck_assert_ptr_null(streams_get(&t.all, "c", STREAMS_MOST + 2)); /* all others are kept */
	ck_assert_uint_eq(t.all.count, STREAMS_MOST);
	streams_fini(&t.all);
}
END_TEST

static void
add_tests(Suite *s)
{
	UNIT_TEST(s, random_frames);
	UNIT_TEST(s, scanned);
	UNIT_TEST(s, ahead_has_a_bound);
	UNIT_TEST(s, table);
	UNIT_TEST(s, awake);
	UNIT_TEST(s, too_many);
}

int
main(void)
{
	return unit_main("stream", add_tests);
}
