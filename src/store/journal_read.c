/* SPDX-License-Identifier: MIT
 * journal_read.c - frames of one stream by their numbers, and everything from a position on. CRCs are looked at again: a disk
 * may have changed its mind since the start. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/journal_private.h"

/* Damage that the start or a reader has met before is not said again: a peer may ask a hundred times. */
static void
say_damage(struct journal *j, uint64_t segment, const struct scan_record *r)
{
	char name[SEGMENT_NAME];
	if (journal_said(j, (struct journal_pos){ segment, r->at }))
		return;
	segment_name(segment, name);
	j->counts.damaged++;
	journal_say(j, "%s: damaged at offset %" PRIu64 ", %" PRIu64 " bytes (%s): left out", name, r->at, r->size, r->why);
}

/* ---- everything ---- */

/* Opens for reading what may have been removed by hand: then 0 is returned, and there is nothing to be read; -1 with errno. */
static int
open_for_scan(struct journal *j, uint64_t segment, uint64_t at, uint64_t limit)
{
	int fd = journal_segment_fd(j, segment);
	if (fd >= 0) {
		scan_begin(&j->scan, fd, at, limit);
		return 1;
	}
	if (errno != ENOENT)
		return -1;
	if (!journal_said(j, (struct journal_pos){ segment, UINT64_MAX })) {
		char name[SEGMENT_NAME];
		segment_name(segment, name);
		journal_say(j, "%s is gone", name);
	}
	return 0;
}

int
journal_walk(struct journal *j, struct journal_pos from, journal_visit *visit, void *arg)
{
	bool on = true;
	assert(!j->busy);
	for (size_t i = 0; i < j->segment_count && on; i++) {
		const struct segment *seg = &j->segments[i];
		uint64_t at = seg->number == from.segment ? from.offset : 0;
		struct scan_record r;
		enum scan_is is;
		if (seg->number < from.segment || at >= seg->size)
			continue;
		int opened = open_for_scan(j, seg->number, at, seg->size);
		if (opened < 0)
			return -1;
		if (opened == 0)
			continue;
		j->busy = true;
		while (on && (is = scan_next(&j->scan, &r)) != SCAN_END) {
			if (is == SCAN_GOOD)
				on = visit(arg, &r.head, r.record, r.head_size, (struct journal_pos){ seg->number, r.at });
			else
				say_damage(j, seg->number, &r);
		}
		j->busy = false;
	}
	return 0;
}

int
journal_scan(struct journal *j, struct journal_pos from, journal_visit *visit, void *arg)
{
	return journal_walk(j, from, visit, arg);
}

/* ---- one stream ---- */

/* A record that was found and not yet given. */
struct found {
	uint64_t seq, last;             /* its lines */
	uint64_t segment, offset;
	size_t   size;
};

struct reading {
	struct journal *j;
	const char     *origin;
	uint64_t        epoch, from, to;
	journal_take   *take;
	void           *arg;
	struct found   *found;
	size_t          count, room;
	bool            ordered;        /* found[], as by_seq says */
	uint64_t        scanned;        /* the segment of which the window shows a part */
	uint64_t        covered;        /* the highest number that was given */
};

static int
by_seq(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	return x->last > y->last ? -1 : x->last < y->last;      /* the longest first: the others add nothing to it */
}

static int
add_found(struct reading *rd, const struct found *f)
{
	if (rd->count == rd->room) {
		size_t room = rd->room * 2 + 64;
		struct found *p = realloc(rd->found, room * sizeof *p);
		if (p == NULL) {
			errno = ENOMEM;
			return -1;
		}
		rd->found = p;
		rd->room = room;
	}
	if (rd->count != 0 && by_seq(&rd->found[rd->count - 1], f) > 0)
		rd->ordered = false;
	rd->found[rd->count++] = *f;
	return 0;
}

/* What of it is asked for. */
static int
look_through(struct reading *rd, const struct span *s)
{
	struct scan_record r;
	enum scan_is is;
	int opened = open_for_scan(rd->j, s->segment, s->begin, s->begin + s->length);
	rd->scanned = opened > 0 ? s->segment : 0;
	if (opened <= 0)
		return opened;
	while ((is = scan_next(&rd->j->scan, &r)) != SCAN_END) {
		if (is == SCAN_DAMAGED) {
			say_damage(rd->j, s->segment, &r);
			continue;
		}
		struct found f = { r.head.seq, r.head.seq + r.head.count - 1, s->segment, r.at, (size_t)r.size };
		if (r.head.epoch == rd->epoch && f.seq <= rd->to && f.last >= rd->from && strcmp(r.head.origin, rd->origin) == 0 &&
		    add_found(rd, &f) != 0)
			return -1;
	}
	return 0;
}

/* 1: given, or not worth giving; 0: take wants no more; -1 with errno. */
static int
give(struct reading *rd, const struct found *f)
{
	struct frame *frame;
	size_t n = f->size;
	const char *why;
	/* The same record may be there twice: a segment that was copied, or written again after a failed sync. */
	if (f->last <= rd->covered)
		return 1;
	if (rd->scanned != f->segment) {
		int opened = open_for_scan(rd->j, f->segment, f->offset, f->offset + f->size);
		if (opened <= 0)
			return opened < 0 ? -1 : 1;
		rd->scanned = f->segment;
	}
	/* The window ends with the span that was looked through last. */
	if (rd->j->scan.limit < f->offset + f->size)
		rd->j->scan.limit = f->offset + f->size;
	const char *p = scan_bytes(&rd->j->scan, f->offset, &n);
	errno = 0;
	if (frame_read(p, n, &frame, &n, NULL, &why) != FRAME_GOOD) {
		if (errno == ENOMEM)
			return -1;
		say_damage(rd->j, f->segment,
		    &(struct scan_record){ .at = f->offset, .size = f->size, .why = why != NULL ? why : "cut off" });
		return 1;
	}
	rd->covered = f->last;
	rd->j->busy = true;
	bool on = rd->take(rd->arg, frame);
	rd->j->busy = false;
	return on;
}

/* Gives what was found with numbers below until: nothing that is still to be looked through comes before it. */
static int
give_until(struct reading *rd, uint64_t until)
{
	size_t i = 0;
	int on = 1;
	if (!rd->ordered)
		qsort(rd->found, rd->count, sizeof *rd->found, by_seq);
	rd->ordered = true;
	while (on == 1 && i < rd->count && rd->found[i].seq < until)
		on = give(rd, &rd->found[i++]);
	rd->count -= i;
	if (rd->count != 0)
		memmove(rd->found, rd->found + i, rd->count * sizeof *rd->found);
	return on;
}

int
journal_read(struct journal *j, const char *origin, uint64_t epoch, uint64_t from, uint64_t to, journal_take *take, void *arg)
{
	struct reading rd = { .j = j, .origin = origin, .epoch = epoch, .from = from, .to = to, .take = take, .arg = arg,
		.ordered = true };
	size_t count;
	int on = 1;
	assert(!j->busy);
	struct span *spans = index_find(&j->index, origin, epoch, from, to, &count);
	if (spans == NULL)
		return errno == 0 ? 0 : -1;
	for (size_t i = 0; i < count && on == 1; i++) {
		on = look_through(&rd, &spans[i]) == 0 ? 1 : -1;
		if (on == 1)
			on = give_until(&rd, i + 1 < count ? spans[i + 1].min : UINT64_MAX);
	}
	int e = errno;
	free(rd.found);
	free(spans);
	errno = e;
	return on < 0 ? -1 : 0;
}
