/* SPDX-License-Identifier: MIT */
#include "daemon/logger_private.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"
#include "base/escape.h"
#include "base/text.h"
#include "daemon/ranks.h"

enum {
	ERROR_BYTES = 1024 * 1024,      /* of error.log lines waiting; more are counted and let go */
	SHOWN_BYTES = 64,               /* of a bad message */
	NEWS_MS = 250,                  /* what a peer has can wait so long, when nobody waits for it */
};

/* ---- opening ---- */

static void
core_says(void *arg, const char *text)
{
	logger_say(arg, "zogd", "%s", text);
}

static void
core_logs(void *arg, const struct frame_head *h, const char *body, const uint32_t *skip, uint32_t skips,
    struct journal_pos at)
{
	struct logger *l = arg;
	access_add(l->access, h, body, skip, skips);
	if (at.segment == 0)
		tails_log(&l->tails, h, body, skip, skips);
	stats_add(&l->stats->logged, h->count - skips);
	stats_add(&l->stats->again, skips);
}

static void
core_sends(void *arg, int peer, struct frame *f)
{
	struct logger *l = arg;
	server_answer(l->server, core_peer_name(l->core, peer), f);
}

static void
core_tells(void *arg, int peer, const char *text)
{
	struct logger *l = arg;
	server_tell(l->server, core_peer_name(l->core, peer), text);
}

static void
core_new_epoch(void *arg, uint64_t least)
{
	struct logger *l = arg;
	core_begin(l->core, server_new_epoch(l->server, least));
}

int64_t
logger_sync_ms(const char *text)
{
	int64_t ms = 1000;
	if (strcmp(text, "none") == 0)
		return CORE_SYNC_NONE;
	if (strcmp(text, "always") == 0)
		return CORE_SYNC_ALWAYS;
	text_seconds(text, &ms);
	return ms;
}

static bool
open_core(struct logger *l, const struct conf *c)
{
	struct core_options o = { .dir = c->state_dir, .self = c->member, .journal_limit = c->journal_limit,
	    .journal_segment = c->journal_segment, .sync_ms = l->sync_ms, .digest_ms = c->digest_ms, .gap_ms = c->gap_ms,
	    .clients = c->remember_clients != 0 ? (size_t)c->remember_clients : SIZE_MAX / 2, .log_from = access_from(l->access) };
	struct core_ops ops = { l, core_sends, core_tells, core_logs, core_says, core_new_epoch, logger_sync, logger_sync_wait };
	const char *why = NULL;
	int64_t begin = clock_mono_ms();
	l->core = core_open(&o, &ops, begin, &why);
	if (l->core == NULL) {
		diag("cannot open the journal in %s: %s", c->state_dir, errno == EWOULDBLOCK ?
		    "another process uses it" : why);
		return false;
	}
	struct journal_counts jc;
	struct core_counts cc;
	journal_counts(core_journal(l->core), &jc);
	core_counts(l->core, &cc);
	access_started(l->access, journal_end(core_journal(l->core)), core_doubtful(l->core));
	logger_say(l, "zogd", "journal: %llu segments, %llu bytes, %llu streams read in %lld ms, %llu damaged places",
	    (unsigned long long)jc.segments, (unsigned long long)jc.bytes, (unsigned long long)cc.streams,
	    (long long)(clock_mono_ms() - begin), (unsigned long long)jc.damaged);
	core_ring(l->core, &c->ring, c->self);
	return true;
}

/* What was made as root is the user's, who will have to open it at the next start perhaps. */
static void
own_files(const char *dir, uid_t uid, gid_t gid)
{
	DIR *d = uid != (uid_t)-1 ? opendir(dir) : NULL;
	struct dirent *e;
	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && fchownat(dirfd(d), e->d_name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
			diag("cannot give %s/%s to the user: %s", dir, e->d_name, strerror(errno));
	if (d != NULL)
		closedir(d);
}

struct logger *
logger_open(struct server *server, const struct conf *c, int verbose, uid_t uid, gid_t gid)
{
	struct logger *l = calloc(1, sizeof *l);
	if (l == NULL) {
		diag("logger: %s", strerror(errno));
		return NULL;
	}
	l->error.fd = -1;
	l->server = server;
	l->stats = &server->stats;
	l->limit_bytes = (size_t)c->log_queue_limit;
	l->verbose = verbose;
	l->tail = &l->head;
	l->sync_ms = logger_sync_ms(c->sync);
	l->cursor_most = (uint64_t)c->journal_limit / 4;
	lock_init(&l->lock, RANK_LOGGER);
	lock_cond_init(&l->more);
	lock_cond_init(&l->room);
	lock_cond_init(&l->taken);
	tails_init(&l->tails);
	suppress_init(&l->suppress, c->bad_lines != 0 ? (unsigned)c->bad_lines : UINT_MAX / 100);
	if (logfile_open(&l->error, c->log_dir, "error.log", uid, gid) < 0) {
		diag("cannot open %s/error.log: %s", c->log_dir, errno == EINVAL ? "not a regular file" : strerror(errno));
		logger_free(&l);
		return NULL;
	}
	/* It is never synced: a power cut can leave half a line, or NUL bytes. */
	logfile_mend(&l->error);
	if (mkdir(c->state_dir, 0750) < 0 && errno != EEXIST)
		diag("cannot make %s: %s", c->state_dir, strerror(errno));
	else if (uid != (uid_t)-1 && chown(c->state_dir, uid, gid) < 0)
		diag("cannot give %s to the user: %s", c->state_dir, strerror(errno));
	l->access = access_open(c->log_dir, c->state_dir, uid, gid, core_says, l);
	if (l->access == NULL)
		diag("cannot open access.log in %s, or its cursor in %s: %s", c->log_dir, c->state_dir,
		    errno == EINVAL ? "not a regular file" : strerror(errno));
	if (l->access == NULL || !open_core(l, c)) {
		logger_free(&l);
		return NULL;
	}
	own_files(c->state_dir, uid, gid);
	return l;
}

void
logger_free(struct logger **lp)
{
	struct logger *l = *lp;
	if (l == NULL)
		return;
	core_close(&l->core);
	access_close(&l->access);
	logfile_close(&l->error);
	buf_fini(&l->errors);
	pthread_cond_destroy(&l->more);
	pthread_cond_destroy(&l->room);
	pthread_cond_destroy(&l->taken);
	tails_fini(&l->tails);
	lock_fini(&l->lock);
	free(l);
	*lp = NULL;
}

uint64_t
logger_last_epoch(struct logger *l)
{
	return core_last_epoch(l->core);
}

struct tails *
logger_tails(struct logger *l)
{
	return &l->tails;
}

void
logger_begin(struct logger *l, uint64_t epoch)
{
	core_begin(l->core, epoch);
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
	struct frame *f = job->what == JOB_OWN ? job->own.frame : job->frame;
	job->size = f != NULL ? f->h.bytes : job->text != NULL ? strlen(job->text) : 0;
	lock_acquire(&l->lock);
	*l->tail = job;
	l->tail = &job->next;
	l->bytes += job->size;
	bool wake = l->asleep && (job->what != JOB_HAVE || l->awaited || l->until_ms > clock_mono_ms() + NEWS_MS);
	if (wake)
		l->asleep = false;
	lock_release(&l->lock);
	/* Outside of the lock, which is the first thing that the logger takes when it wakes. */
	if (wake)
		pthread_cond_signal(&l->more);
}

static void
free_job(struct job *job, const char *error)
{
	(void)error;
	free(job->text);
	free(job);
}

bool
logger_tell(struct logger *l, enum job_what what, const char *peer, const char *text)
{
	struct job *job = calloc(1, sizeof *job);
	if (job == NULL || (text != NULL && (job->text = strdup(text)) == NULL)) {
		free(job);
		return false;
	}
	job->what = what;
	job->done = free_job;
	snprintf(job->peer, sizeof job->peer, "%s", peer);
	logger_put(l, job);
	return true;
}

const char *
logger_full(struct logger *l)
{
	int error = atomic_load_explicit(&l->full, memory_order_relaxed);
	return error == 0 ? NULL : error == ENOSPC || error == EDQUOT || error == EFBIG ? "disk full" : "journal not writable";
}

void
logger_ring(struct logger *l, const struct conf *c)
{
	lock_acquire(&l->lock);
	l->ring = c;
	wake_locked(l);
	while (l->ring != NULL)
		lock_wait(&l->lock, &l->taken);
	lock_release(&l->lock);
}

void
logger_report(struct logger *l)
{
	lock_acquire(&l->lock);
	l->report = true;
	wake_locked(l);
	lock_release(&l->lock);
}

bool
logger_answers(struct logger *l)
{
	lock_acquire(&l->lock);
	bool answered = !l->asked_round;
	l->asked_round = true;
	wake_locked(l);
	lock_release(&l->lock);
	return answered;
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
	/* What is from outside is escaped by now. This is for what nobody thought of, a file's name: no line is ever forged. */
	struct buf shown = BUF_INIT;
	bool good = escape_none(text) || (escape(&shown, text, strlen(text), strlen(text)) && buf_put(&shown, "", 1));
	if (l->errors.len > ERROR_BYTES || !good ||
	    !buf_printf(&l->errors, "%s %s %s\n", stamp, who, shown.len != 0 ? shown.data : text)) {
		l->errors_lost++;
		stats_add(&l->stats->error_lines_lost, 1);
	}
	buf_fini(&shown);
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

void
logger_tell_suppressed(void *arg, const char *who, const char *what, uint64_t n)
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
	return suppress_allows(&l->suppress, host, what, clock_mono_ms(), logger_tell_suppressed, l);
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

/* ---- start and stop ---- */

int
logger_start(struct logger *l)
{
	l->syncer = syncer_start(logger_landed, l);
	if (l->syncer == NULL)
		return -1;
	int rc = pthread_create(&l->thread, NULL, logger_main, l);
	if (rc == 0)
		return 0;
	syncer_stop(&l->syncer);
	errno = rc;
	return -1;
}

void
logger_stop(struct logger *l)
{
	lock_acquire(&l->lock);
	l->stop = true;
	pthread_cond_signal(&l->more);
	lock_release(&l->lock);
	pthread_join(l->thread, NULL);
	syncer_stop(&l->syncer);
}
