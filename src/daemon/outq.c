/* SPDX-License-Identifier: MIT */
#include "daemon/outq.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/lock.h"
#include "daemon/ranks.h"

enum {
	LINE_BYTES = 4 * 1024 * 1024,   /* of lines waiting: a peer that leaves so many unread is as good as down */
	DIRECT_BYTES = 8 * 1024,        /* more than this is better sent by the writer, on another processor */
};

struct outq {
	/* constant after outq_new */
	int                wake_fd;
	outq_direct       *direct;
	void              *arg;

	struct lock        lock;        /* RANK_OUTQ */
	/* under lock */
	size_t             limit_bytes;
	struct buf         entries;     /* of struct outq_entry */
	struct outq_counts counts;
	bool               asleep;      /* the writer saw the queue empty and looks at wake_fd only */
	enum outq_mode     mode;
	bool               full;
	size_t             line_bytes;  /* of lines waiting */
	bool               resting;     /* the writer is between outq_rest and outq_rise */
	size_t             begun;       /* of the first entry these bytes are out */
};

struct outq *
outq_new(size_t limit_bytes, outq_direct *direct, void *arg)
{
	struct outq *q = calloc(1, sizeof *q);
	if (q == NULL)
		return NULL;
	q->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->wake_fd < 0) {
		free(q);
		return NULL;
	}
	q->limit_bytes = limit_bytes;
	q->direct = direct;
	q->arg = arg;
	lock_init(&q->lock, RANK_OUTQ);
	return q;
}

void
outq_free(struct outq **q)
{
	if (*q == NULL)
		return;
	struct outq_entry *e = (struct outq_entry *)(void *)buf_begin(&(*q)->entries);
	for (size_t n = (*q)->entries.len / sizeof *e; n > 0; n--, e++)
		outq_entry_free(e);
	buf_fini(&(*q)->entries);
	close((*q)->wake_fd);
	lock_fini(&(*q)->lock);
	free(*q);
	*q = NULL;
}

void
outq_wake(struct outq *q)
{
	/* A counter that is full wakes as well: nothing to do when this fails. */
	if (eventfd_write(q->wake_fd, 1) < 0)
		return;
}

void
outq_woken(struct outq *q)
{
	eventfd_t n;
	if (eventfd_read(q->wake_fd, &n) < 0)
		return;
}

static enum outq_put
drop_locked(struct outq *q, const struct frame *f)
{
	lock_assert_held(&q->lock);
	q->counts.dropped_frames++;
	q->counts.dropped_lines += f->h.count;
	bool first = !q->full;
	/* Only what is sent makes room again: an empty queue is never full. */
	q->full = q->counts.frames != 0;
	return first ? OUTQ_FILLED : OUTQ_FULL;
}

void
outq_entry_free(struct outq_entry *e)
{
	frame_drop(&e->frame);
	free(e->line);
	e->line = NULL;
}

/* False: no memory. */
static bool
push_locked(struct outq *q, struct frame *f, char *line, char wrap)
{
	struct outq_entry e = { f, line, wrap };
	lock_assert_held(&q->lock);
	if (!buf_put(&q->entries, &e, sizeof e))
		return false;
	if (f != NULL) {
		frame_ref(f);
		q->counts.frames++;
		q->counts.lines += f->h.count;
		q->counts.bytes += f->h.bytes;
	}
	return true;
}

static size_t
entry_size(const struct outq_entry *e)
{
	return e->frame != NULL ? frame_size(e->frame) : strlen(e->line);
}

/* Tries to do without the writer. True: all of it is out. */
static bool
send_locked(struct outq *q, const struct outq_entry *e)
{
	lock_assert_held(&q->lock);
	size_t size = entry_size(e);
	if (!q->resting || q->direct == NULL || q->entries.len != 0 || size > DIRECT_BYTES)
		return false;
	q->begun = q->direct(q->arg, e);
	if (q->begun < size)
		return false;
	q->begun = 0;
	return true;
}

/* Ends the critical section; the writer is woken only if it sleeps, and outside of the lock. */
static void
release(struct outq *q, bool pushed)
{
	bool wake = pushed && q->asleep;
	if (wake)
		q->asleep = false;
	lock_release(&q->lock);
	if (wake)
		outq_wake(q);
}

enum outq_put
outq_put(struct outq *q, struct frame *f, char wrap)
{
	enum outq_put result = OUTQ_TAKEN;
	lock_acquire(&q->lock);
	if (q->mode < OUTQ_KEEP || q->mode == OUTQ_REPAIR || (q->mode == OUTQ_KEEP && wrap != '0'))
		result = OUTQ_DOWN;
	else if (q->full || (q->counts.bytes != 0 && q->counts.bytes + f->h.bytes > q->limit_bytes))
		result = drop_locked(q, f);
	bool sent = result == OUTQ_TAKEN && send_locked(q, &(struct outq_entry){ f, NULL, wrap });
	if (result == OUTQ_TAKEN && !sent && !push_locked(q, f, NULL, wrap))
		result = drop_locked(q, f);
	release(q, result == OUTQ_TAKEN && !sent);
	return result;
}

bool
outq_put_answer(struct outq *q, struct frame *f)
{
	lock_acquire(&q->lock);
	bool open = q->mode >= OUTQ_REPAIR, sent = open && send_locked(q, &(struct outq_entry){ f, NULL, '0' });
	bool pushed = open && !sent && push_locked(q, f, NULL, '0');
	release(q, pushed);
	return sent || pushed;
}

bool
outq_put_line(struct outq *q, const char *line)
{
	size_t n = strlen(line);
	char *copy = malloc(n + 3);
	if (copy == NULL)
		return false;
	memcpy(copy, line, n);
	memcpy(copy + n, "\r\n", 3);
	lock_acquire(&q->lock);
	bool open = q->mode >= OUTQ_REPAIR && q->line_bytes + n < LINE_BYTES;
	bool sent = open && send_locked(q, &(struct outq_entry){ NULL, copy, '0' });
	bool pushed = open && !sent && push_locked(q, NULL, copy, '0');
	if (pushed)
		q->line_bytes += n;
	release(q, pushed);
	if (!pushed)
		free(copy);
	return sent || pushed;
}

void
outq_rest(struct outq *q)
{
	lock_acquire(&q->lock);
	q->resting = true;
	lock_release(&q->lock);
}

size_t
outq_rise(struct outq *q)
{
	lock_acquire(&q->lock);
	size_t begun = q->begun;
	q->begun = 0;
	q->resting = false;
	lock_release(&q->lock);
	return begun;
}

bool
outq_take_all(struct outq *q, struct buf *entries)
{
	lock_acquire(&q->lock);
	bool any = q->entries.len != 0;
	if (any && entries->len == 0) {
		struct buf empty = *entries;
		*entries = q->entries;
		q->entries = empty;
		buf_clear(&q->entries);
	} else if (any) {
		any = buf_put(entries, buf_begin(&q->entries), q->entries.len);
		if (any)
			buf_clear(&q->entries);
	}
	q->asleep = !any;
	q->line_bytes = any ? 0 : q->line_bytes;
	lock_release(&q->lock);
	return any;
}

bool
outq_sent(struct outq *q, const struct frame *f)
{
	lock_acquire(&q->lock);
	assert(q->counts.frames > 0 && f->h.bytes <= q->counts.bytes);
	q->counts.frames--;
	q->counts.lines -= f->h.count;
	q->counts.bytes -= f->h.bytes;
	bool room = q->full && q->counts.bytes <= q->limit_bytes / 2;
	if (room)
		q->full = false;
	lock_release(&q->lock);
	return room;
}

void
outq_set_mode(struct outq *q, enum outq_mode mode)
{
	lock_acquire(&q->lock);
	q->mode = mode;
	lock_release(&q->lock);
}

void
outq_set_limit(struct outq *q, size_t limit_bytes)
{
	lock_acquire(&q->lock);
	q->limit_bytes = limit_bytes;
	lock_release(&q->lock);
}

int
outq_wake_fd(struct outq *q)
{
	return q->wake_fd;
}

void
outq_counts(struct outq *q, struct outq_counts *c)
{
	lock_acquire(&q->lock);
	*c = q->counts;
	lock_release(&q->lock);
}
