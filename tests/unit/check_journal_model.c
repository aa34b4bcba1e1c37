/* SPDX-License-Identifier: MIT
 * The journal against a list of all that was appended, by random operations; and under random damage. */
#include "journal_rig.h"

enum { STREAMS = 12, KEPT_FRAMES = 40 };

/* All that was appended, in its order; what is in front of first was pruned. */
static struct shown_list model;
static size_t first;
static uint64_t seed;

static unsigned
below(unsigned n)
{
	return unit_below(&seed, n);
}

static struct {
	char     origin[8];
	uint64_t epoch, next;
	uint64_t pruned_to;             /* as the journal said last; UINT64_MAX: all of it is gone */
	bool     just_pruned;
	struct frame *late[KEPT_FRAMES];        /* made and not yet appended, or appended and to come again */
	unsigned late_count;
} streams[STREAMS];

static void
model_reset(void)
{
	rig_setup();
	journal_set_sync(no_sync);
	forget(&model);
	first = 0;
	memset(streams, 0, sizeof streams);
	for (int i = 0; i < STREAMS; i++) {
		sprintf(streams[i].origin, "m%d", i % 5);
		streams[i].epoch = 100 + (uint64_t)i;
		streams[i].next = 1 + below(1000);
	}
}

static void
model_free(void)
{
	for (int i = 0; i < STREAMS; i++)
		for (unsigned k = 0; k < streams[i].late_count; k++)
			frame_drop(&streams[i].late[k]);
	forget(&model);
	rig_teardown();
}

static void
prunings(void)
{
	for (size_t i = 0; i < rig.pruned.count; i++) {
		const struct shown *p = &rig.pruned.shown[i];
		for (int k = 0; k < STREAMS; k++)
			if (streams[k].epoch == p->epoch && strcmp(streams[k].origin, p->origin) == 0) {
				streams[k].pruned_to = p->seq != 0 ? p->seq : UINT64_MAX;
				streams[k].just_pruned = true;
			}
	}
	rig.pruned.count = 0;
}

static void
keep_for_later(unsigned i, struct frame *f)
{
	unsigned *n = &streams[i].late_count;
	if (*n == KEPT_FRAMES) {
		unsigned k = below(KEPT_FRAMES);
		frame_drop(&streams[i].late[k]);
		streams[i].late[k] = frame_ref(f);
	} else {
		streams[i].late[(*n)++] = frame_ref(f);
	}
}

/* The next one of the stream; or one from before: for the first time, again, or a part of it. */
static struct frame *
random_frame(void)
{
	unsigned i = below(1 + below(STREAMS));
	if (streams[i].late_count != 0 && below(8) == 0) {
		struct frame *f = streams[i].late[below(streams[i].late_count)];
		if (below(2) == 0)
			return frame_ref(f);
		uint64_t from = f->h.seq + below(f->h.count);
		return frame_cut(f, from, from + below((unsigned)(f->h.seq + f->h.count - from)));
	}
	unsigned lines = 1 + below(below(10) != 0 ? 4 : 100);
	struct frame *f = make(streams[i].origin, streams[i].epoch, streams[i].next, lines,
	    1 + below(below(4) != 0 ? 40 : 500));
	streams[i].next += lines + (below(10) == 0 ? below(5) : 0);
	if (below(4) == 0)
		keep_for_later(i, f);
	if (below(10) == 0)           /* later, perhaps */
		frame_drop(&f);
	return f;
}

static void
random_append(void)
{
	struct frame *f[64];
	size_t n = 0, want = 1 + below(below(5) != 0 ? 3 : 64);
	while (n < want)
		if ((f[n] = random_frame()) != NULL)
			n++;
	must(journal_append(rig.j, f, n) == 0);
	prunings();
	for (size_t i = 0; i < n; i++) {
		show(&model, &f[i]->h, (struct journal_pos){ 0, 0 }, frame_size(f[i]));
		frame_drop(&f[i]);
	}
}

static bool
same_frame(const struct shown *a, const struct shown *b)
{
	return a->epoch == b->epoch && a->seq == b->seq && a->count == b->count && a->crc == b->crc && a->size == b->size &&
	    strcmp(a->origin, b->origin) == 0;
}

/* The journal speaks of a stream if something of it was pruned, which is what is in front of first, and says what is still there. */
static void
compare_pruned(int k, size_t first_before)
{
	uint64_t min = UINT64_MAX;
	bool gone = false;
	for (size_t i = first_before; i < model.count; i++) {
		if (model.shown[i].epoch != streams[k].epoch)
			continue;
		gone = gone || i < first;
		if (i >= first && model.shown[i].seq < min)
			min = model.shown[i].seq;
	}
	must(gone == streams[k].just_pruned);
	must(!gone || streams[k].pruned_to == min);
	streams[k].just_pruned = false;
}

/* The list is the end of the model's; what the model has in front of it is pruned. */
static void
compare_all(const struct shown_list *l)
{
	size_t first_before = first;
	must(l->count <= model.count - first);
	first = model.count - l->count;
	uint64_t bytes = 0;
	for (size_t i = 0; i < l->count; i++) {
		must(same_frame(&l->shown[i], &model.shown[first + i]));
		bytes += l->shown[i].size;
		if (i > 0)
			must(journal_pos_compare(l->shown[i - 1].at, l->shown[i].at) < 0);
	}
	must(counts().bytes == bytes);
	must(bytes <= (uint64_t)rig.limit_bytes || counts().segments == 1);
	for (int k = 0; k < STREAMS; k++)
		compare_pruned(k, first_before);
}

static int
by_number(const void *a, const void *b)
{
	const struct shown *x = a, *y = b;
	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return x->count > y->count ? -1 : x->count < y->count;
}

/* What journal_read is to give. */
static void
model_read(struct shown_list *l, unsigned k, uint64_t from, uint64_t to)
{
	for (size_t i = first; i < model.count; i++) {
		const struct shown *s = &model.shown[i];
		struct frame_head h = { .epoch = s->epoch, .seq = s->seq, .count = s->count, .crc = s->crc };
		if (s->epoch != streams[k].epoch || s->seq > to || s->seq + s->count - 1 < from)
			continue;
		strcpy(h.origin, s->origin);
		show(l, &h, s->at, s->size);
	}
	if (l->count != 0)
		qsort(l->shown, l->count, sizeof *l->shown, by_number);
	size_t kept = 0;
	uint64_t covered = 0;
	for (size_t i = 0; i < l->count; i++) {
		const struct shown *s = &l->shown[i];
		if (s->seq + s->count - 1 <= covered)
			continue;
		covered = s->seq + s->count - 1;
		l->shown[kept++] = *s;
	}
	l->count = kept;
}

static void
random_read(void)
{
	unsigned k = below(STREAMS);
	uint64_t from = below((unsigned)streams[k].next + 10), to = from;
	struct shown_list expected = { 0 }, l = { 0 };
	if (below(2) == 0)
		to += below(300);
	else if (below(2) == 0)
		to = UINT64_MAX;
	model_read(&expected, k, from, to);
	if (below(4) == 0)
		l.most = 1 + below(5);
	must(journal_read(rig.j, streams[k].origin, streams[k].epoch, from, to, take_into, &l) == 0);
	must(l.count == (l.most != 0 && l.most < expected.count ? l.most : expected.count));
	for (size_t i = 0; i < l.count; i++)
		must(same_frame(&l.shown[i], &expected.shown[i]));
	forget(&expected);
	forget(&l);
}

START_TEST(random_operations)
{
	struct shown_list l = { 0 };
	seed = unit_seed("random_operations");
	model_reset();
	rig.segment_bytes = 1 + below(below(2) != 0 ? 5000 : 200000);
	rig.limit_bytes = below(3) == 0 ? INT64_MAX : rig.segment_bytes + below(300000);
	rig_open();
	for (int i = 0; i < unit_amount(200); i++) {
		random_append();
		switch (below(20)) {
		case 0:
			rig_reopen();
			ck_assert_str_eq(rig.said, "");
			compare_all(&rig.visited);
			break;
		case 1:
			rig.segment_bytes = 1 + below(100000);
			rig.limit_bytes = 1 + below(300000);
			journal_limits(rig.j, rig.limit_bytes, rig.segment_bytes);
			prunings();
			break;
		case 2:
			ck_assert_int_eq(journal_sync(rig.j), 0);
			break;
		}
		scan_all(&l);
		compare_all(&l);
		for (int k = 0; k < 5; k++)
			random_read();
	}
	/* A few spans for each 64 KiB, and what comes with each segment; realloc leaves some room. */
	ck_assert_uint_lt(index_bytes(&rig.j->index), 20000 + counts().segments * 1000 + counts().bytes / 20);
	forget(&l);
	model_free();
}
END_TEST

/* ---- random damage ---- */

struct hole {
	uint64_t segment, from, to;
	bool     moved;         /* good records may stand where they do not belong */
};

/* Something that may happen to a file's bytes; what can no longer be as it was. */
static struct hole
damage(uint64_t segment)
{
	char name[RIG_PATH];
	size_t n;
	file_name(name, segment);
	char *p = slurp(name, &n);
	ck_assert_uint_gt(n, 0);
	size_t from = below((unsigned)n), to = from + 1 + below(below(2) != 0 ? 4 : 5000);
	if (to > n)
		to = n;
	unsigned kind = below(5);
	switch (kind) {
	case 0:
		p[from] = (char)(p[from] ^ 1 << below(8));
		to = from + 1;
		break;
	case 1:
		for (size_t i = from; i < to; i++)
			p[i] = (char)below(256);
		break;
	case 2:
		memset(p + from, 0, to - from);
		break;
	case 3:                                 /* a part of it elsewhere */
		memmove(p + from, p + below((unsigned)(n - (to - from) + 1)), to - from);
		break;
	default:
		n = from;
		to = SIZE_MAX;
		break;
	}
	spill(name, p, n);
	free(p);
	return (struct hole){ segment, from, to, kind == 3 };
}

static bool
touches(const struct hole *h, const struct shown *s)
{
	return h->segment == s->at.segment && s->at.offset < h->to && s->at.offset + s->size > h->from;
}

/* Where a header's BYTES and COUNT both mislead, whole records may lie hidden behind it: what they cover is searched no more
 * than if it were text. It takes more than one damaged record, or a header in the wrong place. */
static void
widen(struct hole *h, const struct shown_list *l)
{
	size_t touched = 0;
	for (size_t i = 0; i < l->count; i++)
		touched += touches(h, &l->shown[i]);
	if (h->moved || (touched > 1 && h->to != SIZE_MAX))
		h->to += SCAN_RECORD_MAX;
}

static bool
has(const struct shown_list *l, const struct shown *s)
{
	for (size_t i = 0; i < l->count; i++)
		if (same_frame(&l->shown[i], s))
			return true;
	return false;
}

START_TEST(random_damage)
{
	seed = unit_seed("random_damage");
	model_reset();
	rig.segment_bytes = 1000 + below(50000);
	rig_open();
	for (int i = 0; i < 40; i++)
		random_append();
	struct shown_list before = { 0 };
	scan_all(&before);
	uint64_t segments = counts().segments;
	journal_close(&rig.j);
	struct hole h = damage(1 + below((unsigned)segments));
	widen(&h, &before);
	rig_open();
	/* Nothing is there that was not; nothing is missing that was not touched. What was moved may be there twice. */
	size_t missing = 0;
	for (size_t i = 0; i < before.count; i++)
		if (!has(&rig.visited, &before.shown[i])) {
			missing++;
			ck_assert_msg(touches(&h, &before.shown[i]), "record at %" PRIu64 " of %" PRIu64 " is missing, hole %" PRIu64
			    "-%" PRIu64 ": %s", before.shown[i].at.offset, before.shown[i].at.segment, h.from, h.to, rig.said);
		}
	for (size_t i = 0; i < rig.visited.count; i++)
		must(has(&before, &rig.visited.shown[i]));
	must(missing == 0 || rig.said[0] != '\0' || h.to == SIZE_MAX);
	/* It can go on, and a second start finds the same. */
	struct shown_list after = rig.visited;
	memset(&rig.visited, 0, sizeof rig.visited);
	must(put("new", 9, 1, 1, 10) == 0);
	rig_reopen();
	must(rig.visited.count == after.count + 1);
	for (size_t i = 0; i < after.count; i++)
		must(memcmp(&rig.visited.shown[i], &after.shown[i], sizeof *after.shown) == 0);
	must(strcmp(read_as_text("new", 9, 1, 1), "1+1 ") == 0);
	forget(&after);
	forget(&before);
	model_free();
}
END_TEST

/* ---- many streams ---- */

/* As 5,000 starts with one message each leave them. */
START_TEST(many_streams)
{
	enum { COUNT = 5000 };
	model_reset();
	rig_open();
	for (uint64_t i = 1; i <= COUNT; i++)
		ck_assert_int_eq(put("la", i, 1, 1, 50), 0);
	for (int round = 0; round < 2; round++) {
		for (uint64_t i = 1; i <= COUNT; i += 7)
			ck_assert_str_eq(read_as_text("la", i, 1, UINT64_MAX), "1+1 ");
		ck_assert_uint_lt(index_bytes(&rig.j->index), COUNT * 200);
		rig_reopen();
	}
	model_free();
}
END_TEST

/* Fifty streams in turn, each with small frames all along: still a few spans for each 64 KiB. */
START_TEST(mixed_streams)
{
	struct frame *f[500];
	model_reset();
	rig.segment_bytes = 4 * 1024 * 1024;
	rig_open();
	for (uint64_t round = 0; round < 400; round++) {
		for (unsigned i = 0; i < 500; i++)
			f[i] = make("la", 1 + i % 50, 1 + round * 10 + i / 50, 1, 40);
		ck_assert_int_eq(journal_append(rig.j, f, 500), 0);
		for (unsigned i = 0; i < 500; i++)
			frame_drop(&f[i]);
	}
	ck_assert_uint_gt(counts().bytes, 14 * 1024 * 1024);
	ck_assert_uint_lt(index_bytes(&rig.j->index), 16 * 16 * 16 * sizeof(struct span));
	ck_assert_str_eq(read_as_text("la", 17, 2000, 2003), "2000+1 2001+1 2002+1 2003+1 ");
	model_free();
}
END_TEST

static void
add(Suite *s)
{
	UNIT_LOOP(s, random_operations, 0, unit_amount(20));
	UNIT_LOOP(s, random_damage, 0, unit_amount(300));
	UNIT_TEST(s, many_streams);
	UNIT_TEST(s, mixed_streams);
}

int
main(void)
{
	return unit_main("journal_model", add);
}
