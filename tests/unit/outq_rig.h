/* SPDX-License-Identifier: MIT
 * outq_rig.h - frames for a queue, and what was taken from one. */
#ifndef ZOG_TESTS_OUTQ_RIG_H
#define ZOG_TESTS_OUTQ_RIG_H

#include <poll.h>

#include "daemon/outq.h"
#include "unit.h"

/* A frame whose body has so many bytes, in lines of one byte and their end. */
static inline struct frame *
frame(uint64_t seq, size_t bytes)
{
	struct frame *f = frame_new("data", "la", bytes);
	ck_assert_ptr_nonnull(f);
	f->h.seq = seq;
	for (; bytes > 5; bytes -= 3)
		frame_add(f, "x", 1);
	frame_add(f, "xxx", bytes - 2);
	return f;
}

/* Puts a frame made for it, and keeps no reference. */
static inline enum outq_put
put(struct outq *q, uint64_t seq, size_t bytes, char wrap)
{
	struct frame *f = frame(seq, bytes);
	enum outq_put result = outq_put(q, f, wrap);
	frame_drop(&f);
	return result;
}

static inline struct outq_entry *
entries_of(const struct buf *b)
{
	return (struct outq_entry *)(void *)buf_begin(b);
}

/* The first of what was taken is sent. A line counts nowhere. */
static inline bool
send_first(struct outq *q, struct buf *taken)
{
	struct outq_entry *e = entries_of(taken);
	bool room = e->frame != NULL && outq_sent(q, e->frame);
	outq_entry_free(e);
	buf_eat(taken, sizeof *e);
	return room;
}

static inline void
drop_all(struct outq **q, struct buf *taken)
{
	while (taken->len != 0)
		send_first(*q, taken);
	buf_fini(taken);
	outq_free(q);
	ck_assert_ptr_null(*q);
}

static inline struct outq *
new_up(size_t limit)
{
	struct outq *q = outq_new(limit, NULL, NULL);
	ck_assert_ptr_nonnull(q);
	outq_set_mode(q, OUTQ_OPEN);
	return q;
}

static inline void
assert_counts(struct outq *q, uint64_t frames, uint64_t lines, uint64_t bytes, uint64_t dropped_frames,
    uint64_t dropped_lines)
{
	struct outq_counts c;
	outq_counts(q, &c);
	ck_assert_uint_eq(c.frames, frames);
	ck_assert_uint_eq(c.lines, lines);
	ck_assert_uint_eq(c.bytes, bytes);
	ck_assert_uint_eq(c.dropped_frames, dropped_frames);
	ck_assert_uint_eq(c.dropped_lines, dropped_lines);
}

static inline bool
readable(struct outq *q)
{
	struct pollfd p = { .fd = outq_wake_fd(q), .events = POLLIN };
	return poll(&p, 1, 0) == 1;
}

#endif
