/* SPDX-License-Identifier: MIT
 * logger_thread.c - the logger's own thread: jobs to the core, the core's words to journal and access.log, then everyone is
 * told. */
#include "daemon/logger_private.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/block.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/text.h"
#include "base/thread.h"

/* How long the cursor of access.log may be behind: what came since is compared with the file at the next start. */
enum {
	CURSOR_MS = 10 * 1000,
	TRIM_MS = 1000,                 /* of quiet */
	TRIM_BYTES = 1024 * 1024,       /* less than that is not worth it */
};

/* Says a failure of access.log where it can still be said; once until it is over. */
static void
report_access(struct logger *l, int error)
{
	if (error == l->access_errno)
		return;
	l->access_errno = error;
	char text[512];
	if (error != 0)
		snprintf(text, sizeof text, "cannot write %.300s: %s: it will be completed from the journal", access_path(l->access),
		    strerror(error));
	else
		snprintf(text, sizeof text, "%.300s can be written again and is complete", access_path(l->access));
	diag("%s", text);
	logger_say(l, "zogd", "%s", text);
}

static void
write_errors(struct logger *l, struct buf *lines, uint64_t lost)
{
	char stamp[CLOCK_STAMP];
	clock_stamp(stamp, clock_real_ms());
	if (lost != 0)
		buf_printf(lines, "%s zogd %llu lines did not fit here\n", stamp, (unsigned long long)lost);
	if (lines->len == 0)
		return;
	bool failed = logfile_write(&l->error, buf_begin(lines), lines->len) < 0;
	int error = failed ? errno : 0;
	if (failed) {
		uint64_t n = 0;
		for (size_t i = 0; i < lines->len; i++)
			n += buf_begin(lines)[i] == '\n';
		stats_add(&l->stats->error_lines_lost, n);
	}
	if (l->verbose > 0 || failed) {
		if (buf_put(lines, "", 1))
			diag_plain(buf_begin(lines));
	}
	if (error != l->error_errno) {
		l->error_errno = error;
		diag(error != 0 ? "cannot write %s: %s" : "%s can be written again%s", l->error.path,
		    error != 0 ? strerror(error) : "");
	}
	buf_clear(lines);
}

/* error.log has it from the core. */
static void
report_journal(struct logger *l, int error)
{
	int before = atomic_exchange_explicit(&l->full, error, memory_order_relaxed);
	if (error != 0 && before == 0)
		diag("cannot write the journal: %s", strerror(error));
	else if (error == 0 && before != 0)
		diag("the journal can be written again");
}

static void
own_done(struct core_own *own, const char *error)
{
	struct job *job = (struct job *)(void *)((char *)own - offsetof(struct job, own));
	job->done(job, error);
}

/* "TOKEN N TEXT" */
static bool
used_for_another(struct core *c, char *text)
{
	int64_t n;
	char *rest = text, *token = text_word(&rest), *number = token != NULL ? text_word(&rest) : NULL;
	return number != NULL && text_int(number, 1, INT64_MAX, &n) &&
	    core_client_other(c, token, (uint64_t)n, rest, strlen(rest));
}

/* What a peer said, or what happened to its link. */
static void
take_word(struct logger *l, struct job *job)
{
	int peer = core_peer(l->core, job->peer);
	bool sense = true;
	if (peer < 0)
		return;         /* it was taken out of the ring in the meantime */
	switch (job->what) {
	case JOB_UP:
		core_peer_up(l->core, peer);
		break;
	case JOB_DOWN:
		core_peer_down(l->core, peer);
		break;
	case JOB_HELLO:
		core_peer_hello(l->core, peer);
		break;
	case JOB_HAVE:
		sense = core_have(l->core, peer, job->text);
		break;
	case JOB_GONE:
		sense = core_gone(l->core, peer, job->text);
		break;
	default:
		sense = core_want(l->core, peer, job->text, &job->reply);
		break;
	}
	if (!sense)
		logger_say(l, "zogd", "%s sent words about streams that make no sense", job->peer);
}

/* Gives the job to the core. true: it is done, false: it waits until the batch is stored, or settled. */
static bool
take_job(struct logger *l, struct job *job)
{
	switch (job->what) {
	case JOB_OWN:
		job->own.done = own_done;
		core_own(l->core, &job->own);
		return false;
	case JOB_FRAME:
		memcpy(job->origin, job->frame->h.origin, sizeof job->origin);
		job->epoch = job->frame->h.epoch;
		core_frame(l->core, job->frame, core_peer(l->core, job->peer));
		frame_drop(&job->frame);
		return false;
	case JOB_CLIENT:
		job->upto = core_client_last(l->core, job->text);
		return true;
	case JOB_OTHER:
		job->upto = used_for_another(l->core, job->text);
		return true;
	case JOB_ASK:
		logger_run(l, job);
		return true;
	default:
		take_word(l, job);
		return true;
	}
}

static void
flush_access(struct logger *l)
{
	struct journal *j = core_journal(l->core);
	struct journal_pos before = access_from(l->access), now;
	int rc = access_flush(l->access, j, journal_end(j));
	report_access(l, rc < 0 ? errno : 0);
	now = access_from(l->access);
	l->cursor_old |= now.segment != before.segment || now.offset != before.offset;
}

/* All that was waiting: one write to the journal, one to access.log, then everyone is told. */
static void
take_jobs(struct logger *l, struct job *jobs)
{
	struct job *frames = NULL, **tail = &frames;
	size_t bytes = 0;
	for (struct job *j = jobs, *next; j != NULL; j = next) {
		next = j->next;
		bytes += j->size;
		if (j->what == JOB_FRAME) {
			*tail = j;
			tail = &j->next;
		}
		if (take_job(l, j))
			j->done(j, NULL);
	}
	*tail = NULL;
	/* What is of a stream will be pulled; a plain message has nobody to ask, and its sender must know. */
	const char *error = core_store(l->core, clock_mono_ms()) != 0 ? "not stored" : NULL;
	flush_access(l);
	for (struct job *j = frames, *next; j != NULL; j = next) {
		next = j->next;
		j->upto = core_upto(l->core, j->origin, j->epoch);
		j->done(j, j->epoch == 0 ? error : NULL);
	}
	l->cursor_bytes += bytes;
	l->trim_bytes += bytes;
	l->trim_ms = clock_mono_ms() + TRIM_MS;
	lock_acquire(&l->lock);
	l->bytes -= bytes;
	if (l->waiting != 0 && l->bytes <= l->limit_bytes)
		pthread_cond_broadcast(&l->room);
	lock_release(&l->lock);
}

/* A log that was deleted, or renamed without a word to us, is opened anew within a second of the next line. */
static void
look_after_files(struct logger *l, bool asked)
{
	int64_t now = clock_mono_ms();
	if (!asked && now < l->looked_ms + 1000)
		return;
	l->looked_ms = now;
	if (!asked && !access_moved(l->access) && !logfile_moved(&l->error))
		return;
	if (!asked)
		logger_say(l, "zogd", "a log is not the file we write to any more: both are opened anew");
	logger_reopen_files(l, NULL, 0);
}

/* After a busy time what it took of memory goes back to the system. */
static int64_t
trim_if_due(struct logger *l, int64_t now)
{
	if (l->trim_bytes < TRIM_BYTES)
		return INT64_MAX;
	if (now < l->trim_ms)
		return l->trim_ms;
	l->trim_bytes = 0;
	block_trim();
#ifdef __GLIBC__
	malloc_trim(0);
#endif
	return INT64_MAX;
}

/* ---- the disk, by way of the syncer ---- */

static void
say_cursor(struct logger *l, int error)
{
	logger_say(l, "zogd", "cannot note how far access.log goes: %s", strerror(error));
}

static void
fly(void *arg)
{
	struct flight *f = &((struct logger *)arg)->flight;
	f->journal_error = f->journal != NULL ? journal_flight_sync(f->journal) : 0;
	f->access_error = f->access_fd >= 0 && fdatasync(f->access_fd) < 0 ? errno : 0;
	if (f->access_fd >= 0)
		close(f->access_fd);
}

void
logger_landed(void *arg)
{
	struct logger *l = arg;
	lock_acquire(&l->lock);
	l->landed = true;
	lock_release(&l->lock);
	pthread_cond_signal(&l->more);
}

static void
cursor_taken(struct logger *l)
{
	l->cursor_due = l->cursor_old = false;
	l->cursor_ms = clock_mono_ms();
	l->cursor_bytes = 0;
}

/* Where access.log goes to by now is to be noted; what the cursor says must be on the disk before the cursor is. */
static int
take_cursor(struct logger *l)
{
	cursor_taken(l);
	int fd = access_sync_begin(l->access);
	if (fd < 0)
		say_cursor(l, errno);
	return fd;
}

static void
take_off(struct logger *l, struct journal_flight *journal)
{
	l->flight = (struct flight){ journal, l->cursor_due ? take_cursor(l) : -1, 0, 0 };
	l->flying = true;
	syncer_ask(l->syncer, fly);
}

static void
land(struct logger *l)
{
	if (!l->flying || syncer_busy(l->syncer))
		return;
	struct flight f = l->flight;    /* the syncer's until now */
	l->flying = false;
	if (f.journal != NULL)
		core_synced(l->core, f.journal_error, clock_mono_ms());
	int error = f.journal_error != 0 ? f.journal_error : f.access_error;
	if (f.access_fd >= 0 && error == 0 && access_sync_end(l->access) < 0)
		error = errno;
	if (f.access_fd >= 0 && error != 0)
		say_cursor(l, error);
}

static void
wait_for_landing(struct logger *l)
{
	if (l->flying)
		syncer_wait(l->syncer);
	land(l);
}

/* The core asks, when what is under way is not its own. */
void
logger_sync(void *arg, struct journal_flight *journal)
{
	wait_for_landing(arg);
	take_off(arg, journal);
}

void
logger_sync_wait(void *arg)
{
	wait_for_landing(arg);
}

static void
last_cursor(struct logger *l)
{
	wait_for_landing(l);
	if (!l->cursor_old || access_behind(l->access))
		return;
	cursor_taken(l);
	/* The journal first: it must never end before the place that the cursor names. */
	core_sync(l->core, clock_mono_ms());
	if (access_sync(l->access, l->sync_ms != CORE_SYNC_NONE) < 0)
		say_cursor(l, errno);
}

static int64_t
cursor_if_due(struct logger *l, int64_t now)
{
	if (!l->cursor_old || l->flying || access_behind(l->access))
		return INT64_MAX;
	if (now < l->cursor_ms + CURSOR_MS && l->cursor_bytes < l->cursor_most)
		return l->cursor_ms + CURSOR_MS;
	l->cursor_due = true;
	if (l->sync_ms == CORE_SYNC_NONE)
		last_cursor(l);
	else if (!journal_dirty(core_journal(l->core)))
		take_off(l, NULL);
	/* Else with the journal, which will take off soon. */
	return INT64_MAX;
}

static void
report_core(struct logger *l)
{
	struct core_counts c;
	struct journal_counts j;
	core_counts(l->core, &c);
	journal_counts(core_journal(l->core), &j);
	logger_say(l, "zogd", "report: journal segments %llu bytes %llu damaged %llu streams %llu", (unsigned long long)j.segments,
	    (unsigned long long)j.bytes, (unsigned long long)j.damaged, (unsigned long long)c.streams);
	logger_say(l, "zogd", "report: stored %llu again %llu late %llu lost %llu wants %llu answered %llu",
	    (unsigned long long)c.stored, (unsigned long long)c.again, (unsigned long long)c.late, (unsigned long long)c.lost,
	    (unsigned long long)c.wants, (unsigned long long)c.wanted);
}

/* What was asked for by flags, taken under the lock. */
struct asked {
	struct job        *jobs;
	struct buf         errors;
	uint64_t           lost;
	const struct conf *ring;
	bool               reopen, report, landed;
};

static void
take_settings(struct logger *l, const struct conf *c)
{
	l->sync_ms = logger_sync_ms(c->sync);
	l->cursor_most = (uint64_t)c->journal_limit / 4;
	core_settings(l->core, l->sync_ms, c->digest_ms, c->gap_ms, c->journal_limit, c->journal_segment);
	core_ring(l->core, &c->ring, c->self);
	lock_acquire(&l->lock);
	l->ring = NULL;
	pthread_cond_broadcast(&l->taken);
	lock_release(&l->lock);
}

/* One round; returns when to come again though nothing happens. */
static int64_t
one_round(struct logger *l, struct asked *a)
{
	if (a->ring != NULL)
		take_settings(l, a->ring);
	if (a->landed)
		land(l);
	look_after_files(l, a->reopen);
	if (a->report)
		report_core(l);
	write_errors(l, &a->errors, a->lost);
	if (a->jobs != NULL)
		take_jobs(l, a->jobs);
	int64_t now = clock_mono_ms(), next = core_tick(l->core, now);
	/* The clock may have brought frames, too: what was held back, or waited behind a gap that was passed over. */
	flush_access(l);
	report_journal(l, core_errno(l->core));
	int64_t cursor = cursor_if_due(l, now), trim = trim_if_due(l, now);
	if (trim < next)
		next = trim;
	if (access_behind(l->access) && now + 500 < next)
		next = now + 500;
	return cursor < next ? cursor : next;
}

/* Sleeps until there is something to do, or the time has come. false: stop. Called and returns with the lock held. */
static bool
wait_locked(struct logger *l, int64_t next)
{
	for (;;) {
		int64_t flush = suppress_flush(&l->suppress, clock_mono_ms(), l->stop, logger_tell_suppressed, l);
		if (l->head != NULL || l->errors.len != 0 || l->reopen || l->report || l->ring != NULL || l->errors_lost != 0 ||
		    l->landed || l->asked_round)
			return true;
		if (l->stop)
			return false;
		int64_t until = flush < next ? flush : next;
		if (clock_mono_ms() >= next)
			return true;
		l->asleep = true;
		l->until_ms = until;
		if (until == INT64_MAX)
			lock_wait(&l->lock, &l->more);
		else
			lock_wait_until(&l->lock, &l->more, until);
		l->asleep = false;
	}
}

void *
logger_main(void *arg)
{
	struct logger *l = arg;
	struct asked a = { .jobs = NULL };
	int64_t next = 0;
	thread_name("logger");
	lock_acquire(&l->lock);
	while (wait_locked(l, next)) {
		struct buf empty = a.errors;
		a = (struct asked){ l->head, l->errors, l->errors_lost, l->ring, l->reopen, l->report, l->landed };
		l->head = NULL;
		l->tail = &l->head;
		l->errors = empty;
		l->errors_lost = 0;
		l->reopen = l->report = l->landed = false;
		bool answer = l->asked_round;
		lock_release(&l->lock);
		next = one_round(l, &a);
		buf_shrink(&a.errors, 4096);
		lock_acquire(&l->lock);
		l->awaited = core_awaits(l->core);
		l->asked_round &= !answer;
	}
	lock_release(&l->lock);
	last_cursor(l);
	buf_fini(&a.errors);
	return NULL;
}

