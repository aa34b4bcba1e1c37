/* SPDX-License-Identifier: MIT */
#include "daemon/logger.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/diag.h"
#include "base/escape.h"
#include "base/lock.h"
#include "daemon/logfile.h"
#include "daemon/ranks.h"
#include "daemon/suppress.h"

enum {
	WRITE_BYTES = 128 * 1024,       /* of access.log lines in one write */
	ERROR_BYTES = 1024 * 1024,      /* of error.log lines waiting; more are counted and let go */
	SHOWN_BYTES = 64,               /* of a bad message */
};

struct logger {
	/* constant after logger_start */
	struct stats   *stats;
	size_t          limit_bytes;
	int             verbose;
	pthread_t       thread;

	struct lock     lock;           /* RANK_LOGGER */
	pthread_cond_t  more;           /* wait for: head || errors.len || reopen || stop */
	pthread_cond_t  room;           /* wait for: bytes <= limit_bytes */
	/* under lock */
	struct job     *head, **tail;
	size_t          bytes;          /* of the frames given and not yet written */
	unsigned        waiting;        /* threads in logger_wait_room */
	struct buf      errors;         /* lines, ready to write */
	uint64_t        errors_lost;
	bool            reopen, stop, asleep;
	struct suppress suppress;

	/* owned by the logger thread, once it runs */
	struct logfile  access, error;
	struct buf      out;
	int64_t         looked_ms;      /* when we last looked whether the files are still there */
	int             access_errno, error_errno;      /* of the last write that failed; 0: all is well */
};

struct logger *
logger_open(const struct logger_options *o, struct stats *stats)
{
	struct logger *l = calloc(1, sizeof *l);
	if (l == NULL) {
		diag("logger: %s", strerror(errno));
		return NULL;
	}
	l->access.fd = l->error.fd = -1;
	l->stats = stats;
	l->limit_bytes = o->limit_bytes;
	l->verbose = o->verbose;
	l->tail = &l->head;
	lock_init(&l->lock, RANK_LOGGER);
	lock_cond_init(&l->more);
	lock_cond_init(&l->room);
	suppress_init(&l->suppress, o->error_lines);
	if (logfile_open(&l->access, o->dir, "access.log", o->uid, o->gid) == 0 &&
	    logfile_open(&l->error, o->dir, "error.log", o->uid, o->gid) == 0)
		return l;
	const struct logfile *f = l->error.path != NULL ? &l->error : &l->access;
	diag("cannot open %s: %s", f->path != NULL ? f->path : o->dir,
	    errno == EINVAL ? "not a regular file" : strerror(errno));
	logger_free(&l);
	return NULL;
}

void
logger_free(struct logger **l)
{
	if (*l == NULL)
		return;
	assert((*l)->head == NULL);
	logfile_close(&(*l)->access);
	logfile_close(&(*l)->error);
	buf_fini(&(*l)->errors);
	buf_fini(&(*l)->out);
	pthread_cond_destroy(&(*l)->more);
	pthread_cond_destroy(&(*l)->room);
	lock_fini(&(*l)->lock);
	free(*l);
	*l = NULL;
}

/* ---- what other threads call ---- */

static void
wake_locked(struct logger *l)
{
	lock_assert_held(&l->lock);
	if (l->asleep)
		pthread_cond_signal(&l->more);
}

void
logger_put(struct logger *l, struct job *job)
{
	job->next = NULL;
	lock_acquire(&l->lock);
	*l->tail = job;
	l->tail = &job->next;
	l->bytes += job->frame->size;
	wake_locked(l);
	lock_release(&l->lock);
}

void
logger_wait_room(struct logger *l)
{
	lock_acquire(&l->lock);
	l->waiting++;
	while (l->bytes > l->limit_bytes)
		lock_wait(&l->lock, &l->room);
	l->waiting--;
	lock_release(&l->lock);
}

void
logger_reopen(struct logger *l)
{
	lock_acquire(&l->lock);
	l->reopen = true;
	wake_locked(l);
	lock_release(&l->lock);
}

static void
say_locked(struct logger *l, const char *who, const char *text)
{
	char stamp[CLOCK_STAMP];
	lock_assert_held(&l->lock);
	clock_stamp(stamp, clock_real_ms());
	if (l->errors.len > ERROR_BYTES || !buf_printf(&l->errors, "%s %s %s\n", stamp, who, text)) {
		l->errors_lost++;
		stats_add(&l->stats->error_lines_lost, 1);
	}
	wake_locked(l);
}

static void __attribute__((format(printf, 3, 0)))
say_va(struct logger *l, const char *who, const char *fmt, va_list ap)
{
	char text[1024];
	vsnprintf(text, sizeof text, fmt, ap);
	lock_acquire(&l->lock);
	say_locked(l, who, text);
	lock_release(&l->lock);
}

void
logger_say(struct logger *l, const char *who, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say_va(l, who, fmt, ap);
	va_end(ap);
}

void
logger_debug(struct logger *l, const char *who, const char *fmt, ...)
{
	if (l->verbose < 2)
		return;
	va_list ap;
	va_start(ap, fmt);
	say_va(l, who, fmt, ap);
	va_end(ap);
}

static void
tell_suppressed(void *arg, const char *who, const char *what, uint64_t n)
{
	struct logger *l = arg;
	char text[128];
	snprintf(text, sizeof text, "%s: %llu more suppressed", what, (unsigned long long)n);
	say_locked(l, who, text);
}

/* The limit counts by address, not by port: a sender that dials again is the same sender. */
static bool
allowed_locked(struct logger *l, const struct addr *a, const char *what)
{
	char host[ADDR_TEXT];
	addr_host_text(a, host);
	return suppress_allows(&l->suppress, host, what, clock_mono_ms(), tell_suppressed, l);
}

void
logger_limited(struct logger *l, const struct addr *a, const char *what, const char *text)
{
	char who[ADDR_TEXT];
	addr_text(a, who);
	lock_acquire(&l->lock);
	if (allowed_locked(l, a, what))
		say_locked(l, who, text);
	else
		wake_locked(l);         /* to tell the number when the second is over */
	lock_release(&l->lock);
}

void
logger_bad(struct logger *l, const struct addr *a, const char *reason, const char *bytes, size_t n)
{
	struct buf text = BUF_INIT;
	stats_add(&l->stats->bad, 1);
	buf_printf(&text, "%s: ", reason);
	escape(&text, bytes, n, SHOWN_BYTES);
	if (buf_put(&text, "", 1))
		logger_limited(l, a, reason, text.data);
	buf_fini(&text);
}

/* ---- the thread ---- */

/* Says a failure of one of our own files where it can still be said; once until it is over. */
static void
report_write(struct logger *l, const struct logfile *f, int *last, int error)
{
	if (error == *last)
		return;
	*last = error;
	char text[512];
	if (error != 0)
		snprintf(text, sizeof text, "cannot write %.400s: %s", f->path, strerror(error));
	else
		snprintf(text, sizeof text, "%.400s can be written again", f->path);
	diag("%s", text);
	lock_acquire(&l->lock);
	say_locked(l, "zogd", text);
	lock_release(&l->lock);
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

/* The lines of one frame as access.log has them. false: no memory. */
static bool
render(struct buf *out, const struct frame *f)
{
	char head[CLOCK_STAMP + 1 + FRAME_NAME + 1];
	clock_stamp(head, f->time_ms);
	size_t n = CLOCK_STAMP - 1, name = strlen(f->origin);
	head[n++] = ' ';
	memcpy(head + n, f->origin, name);
	n += name;
	head[n++] = ':';

	const char *p = f->body, *end = f->body + f->size;
	for (uint64_t seq = f->seq; p < end; seq += f->seq != 0) {
		char number[24];
		size_t k = sizeof number;
		uint64_t v = seq;
		number[--k] = ' ';
		do
			number[--k] = (char)('0' + v % 10);
		while ((v /= 10) != 0);
		const char *cr = memchr(p, '\r', (size_t)(end - p));
		assert(cr != NULL);
		size_t text = (size_t)(cr - p), digits = sizeof number - k;
		char *o = buf_room(out, n + digits + text + 1);
		if (o == NULL)
			return false;
		memcpy(o, head, n);
		memcpy(o + n, number + k, digits);
		memcpy(o + n + digits, p, text);
		o[n + digits + text] = '\n';
		buf_added(out, n + digits + text + 1);
		p = cr + 2;
	}
	return true;
}

/* Tells the jobs first .. last (not in it) how it went, and gives their room back. */
static void
finish(struct logger *l, struct job *first, struct job *last, int error)
{
	size_t bytes = 0;
	uint64_t lines = 0;
	for (struct job *j = first, *next; j != last; j = next) {
		next = j->next;
		bytes += j->frame->size;
		lines += j->frame->count;
		frame_drop(&j->frame);
		j->done(j, error);
	}
	stats_add(error == 0 ? &l->stats->logged : &l->stats->log_failed, lines);
	lock_acquire(&l->lock);
	l->bytes -= bytes;
	if (l->waiting != 0 && l->bytes <= l->limit_bytes)
		pthread_cond_broadcast(&l->room);
	lock_release(&l->lock);
}

static void
write_jobs(struct logger *l, struct job *jobs)
{
	struct job *first = jobs;
	for (struct job *j = jobs, *next; j != NULL; j = next) {
		next = j->next;
		size_t before = l->out.len;
		int error = render(&l->out, j->frame) ? 0 : ENOMEM;
		if (error != 0)
			l->out.len = before;
		if (error == 0 && l->out.len < WRITE_BYTES && next != NULL)
			continue;
		/* Settle only what stands in the file: a client that sees ok may forget. */
		if (error != 0) {
			if (before != 0)
				error = logfile_write(&l->access, buf_begin(&l->out), l->out.len) < 0 ? errno : 0;
			finish(l, first, j, error);
			finish(l, j, next, ENOMEM);
		} else {
			error = logfile_write(&l->access, buf_begin(&l->out), l->out.len) < 0 ? errno : 0;
			finish(l, first, next, error);
		}
		report_write(l, &l->access, &l->access_errno, error);
		buf_clear(&l->out);
		first = next;
	}
	buf_shrink(&l->out, 4096);
}

static void
reopen(struct logger *l, struct logfile *f)
{
	int failed = logfile_reopen(f);
	if (failed < 0) {
		int error = errno;
		diag("cannot reopen %s: %s", f->path, strerror(error));
		logger_say(l, "zogd", "cannot reopen %s, going on with the old file: %s", f->path,
		    error == EINVAL ? "not a regular file" : strerror(error));
	}
}

/* A log that was deleted, or renamed without a word to us, is opened anew within a second of the next line. */
static void
look_after_files(struct logger *l, bool asked)
{
	int64_t now = clock_mono_ms();
	if (!asked && now < l->looked_ms + 1000)
		return;
	l->looked_ms = now;
	struct logfile *files[] = { &l->access, &l->error };
	for (int i = 0; i < 2; i++) {
		if (!asked && !logfile_moved(files[i]))
			continue;
		if (!asked)
			logger_say(l, "zogd", "%s is not the file we write to any more: opened anew", files[i]->path);
		reopen(l, files[i]);
	}
}

static void *
logger_main(void *arg)
{
	struct logger *l = arg;
	struct buf errors = BUF_INIT;
	lock_acquire(&l->lock);
	for (;;) {
		int64_t next = suppress_flush(&l->suppress, clock_mono_ms(), l->stop, tell_suppressed, l);
		if (l->head == NULL && l->errors.len == 0 && !l->reopen && l->errors_lost == 0) {
			if (l->stop)
				break;
			l->asleep = true;
			if (next == INT64_MAX)
				lock_wait(&l->lock, &l->more);
			else
				lock_wait_until(&l->lock, &l->more, next);
			l->asleep = false;
			continue;
		}
		struct job *jobs = l->head;
		struct buf empty = errors;
		uint64_t lost = l->errors_lost;
		bool asked = l->reopen;
		l->head = NULL;
		l->tail = &l->head;
		errors = l->errors;
		l->errors = empty;
		l->errors_lost = 0;
		l->reopen = false;
		lock_release(&l->lock);

		look_after_files(l, asked);
		write_errors(l, &errors, lost);
		write_jobs(l, jobs);
		buf_shrink(&errors, 4096);
		lock_acquire(&l->lock);
	}
	lock_release(&l->lock);
	buf_fini(&errors);
	return NULL;
}

int
logger_start(struct logger *l)
{
	int rc = pthread_create(&l->thread, NULL, logger_main, l);
	errno = rc;
	return rc == 0 ? 0 : -1;
}

void
logger_stop(struct logger *l)
{
	lock_acquire(&l->lock);
	l->stop = true;
	pthread_cond_signal(&l->more);
	lock_release(&l->lock);
	pthread_join(l->thread, NULL);
}
