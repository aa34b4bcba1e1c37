/* SPDX-License-Identifier: MIT
 * session_answer.c - the answers of a connection, in the order of what they answer. Entered by the session's thread, and by the
 * logger's to tell that a job is done. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/session_private.h"

/* Something that the logger has. */
struct session_job {
	struct job          job;
	struct session     *session;
	enum session_answer answer;
	uint32_t            entries;    /* owned by the session's thread: replies that wait for it */
	size_t              size;
	uint64_t            n;          /* the client's number of the first line that is still to be answered */
	bool                done;       /* under the session's lock */
	char                error[96];  /* the same; "": none */
};

/* One stretch of the answers: what is to be said when the job is done (so many ok), then some bytes of texts. */
struct reply {
	struct session_job *job;        /* NULL: nothing to wait for */
	uint32_t            oks;
	uint32_t            text;
};

static struct reply *
reply_at(const struct session *s, size_t i)
{
	return (struct reply *)(void *)buf_begin(&s->replies) + i;
}

/* The last reply if more can be said in it: text always, an ok only of the same job and before any text.
 * Else a new one; NULL: no memory. */
static struct reply *
reply_at_end(struct session *s, struct session_job *job)
{
	size_t n = s->replies.len / sizeof(struct reply);
	if (n != 0) {
		struct reply *last = reply_at(s, n - 1);
		if (job == NULL || (last->job == job && last->text == 0))
			return last;
	}
	struct reply r = { job, 0, 0 };
	if (!buf_put(&s->replies, &r, sizeof r))
		return NULL;
	if (job != NULL)
		job->entries++;
	return reply_at(s, n);
}

/* What was taken in is answered as far as it goes; the rest is unknown to the sender, as after any cut. */
void
session_out_of_memory(struct session *s)
{
	logger_limited(s->server->logger, &s->addr, "out of memory", "out of memory or descriptors: connection closed");
	s->closing = true;
}

void
session_reply(struct session *s, const char *text)
{
	struct reply *r = reply_at_end(s, NULL);
	if (r == NULL || !buf_printf(&s->texts, "%s\r\n", text))
		session_out_of_memory(s);
	else
		r->text += (uint32_t)strlen(text) + 2;
}

void
session_bad(struct session *s, const char *reason, const char *bytes, size_t n)
{
	char text[128];
	logger_bad(s->server->logger, &s->addr, reason, bytes, n);
	snprintf(text, sizeof text, "error %s", reason);
	session_reply(s, text);
}

void
session_close(struct session *s)
{
	s->closing = true;
}

/* Whether what was answered in its place leaves the session's own thread something to do. */
static bool
wants_its_thread(const struct session *s)
{
	return s->closing || s->out.len != 0 || s->reading != session_may_read(s);
}

/* Called by the logger. */
static void
session_done(struct job *job, const char *error)
{
	struct session_job *j = (struct session_job *)(void *)job;
	struct session *s = j->session;
	lock_acquire(&s->lock);
	if (error != NULL)
		snprintf(j->error, sizeof j->error, "%s", error);
	j->done = true;
	bool wake = s->state == SESSION_ASKING;
	if (s->state == SESSION_ASLEEP) {
		session_collect(s);     /* the job may be gone after that */
		session_flush(s);
		wake = wants_its_thread(s);
	}
	/* Within the lock: without a pending job the session may be gone the moment after. */
	if (wake && eventfd_write(s->wake_fd, 1) == 0)
		s->state = SESSION_AWAKE;
	lock_release(&s->lock);
}

static void
job_free(struct session_job *j)
{
	if (j == NULL)
		return;
	frame_drop(&j->job.frame);
	frame_drop(&j->job.own.frame);
	free(j->job.text);
	buf_fini(&j->job.reply);
	free(j);
}

static struct session_job *
job_new(struct session *s)
{
	if (s->wake_fd < 0)
		s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct session_job *j = s->wake_fd < 0 ? NULL : calloc(1, sizeof *j);
	if (j == NULL)
		return NULL;
	j->job.done = session_done;
	j->session = s;
	return j;
}

bool
session_add(struct session *s, const char *kind, const char *origin, const char *text, size_t len)
{
	if (s->batch == NULL) {
		s->batch = job_new(s);
		/* All that this turn can still add has been read, and every line of it brings its own CR LF. */
		if (s->batch != NULL && (s->batch->job.frame = frame_new(kind, origin, s->in.len)) == NULL)
			job_free(s->batch), s->batch = NULL;
	}
	struct reply *r = s->batch == NULL ? NULL : reply_at_end(s, s->batch);
	if (r == NULL) {
		session_reply(s, "error out of memory or descriptors");
		session_out_of_memory(s);
		return false;
	}
	frame_add(s->batch->job.frame, text, len);
	r->oks++;
	return true;
}

struct frame *
session_batch(struct session *s)
{
	size_t n = s->replies.len / sizeof(struct reply);
	if (s->closing || s->batch == NULL || n == 0 || reply_at(s, n - 1)->job != s->batch || reply_at(s, n - 1)->text != 0)
		return NULL;
	return s->batch->job.frame;
}

void
session_added(struct session *s, uint32_t count, size_t size)
{
	if (count == 0)
		return;
	reply_at(s, s->replies.len / sizeof(struct reply) - 1)->oks += count;
	buf_eat(&s->in, size);
	stats_add(&s->server->stats.from_clients, count);
}

void
session_number(struct session *s, const char *client, uint64_t n)
{
	struct frame *f = s->batch->job.frame;
	strcpy(f->h.client, client);
	f->h.n = n;
}

struct job *
session_take(struct session *s, enum session_answer answer)
{
	struct session_job *j = s->batch;
	if (j == NULL)
		return NULL;
	s->batch = NULL;
	if (j->job.frame->h.count == 0) {       /* there was no memory for its first reply */
		job_free(j);
		return NULL;
	}
	j->answer = answer;
	j->size = j->job.frame->h.bytes;
	j->n = j->job.frame->h.n;
	s->pending_bytes += j->size;
	return &j->job;
}

struct job *
session_job(struct session *s, enum session_answer answer, size_t size)
{
	struct session_job *j = job_new(s);
	struct reply *r = j == NULL ? NULL : reply_at_end(s, j);
	if (r == NULL) {
		job_free(j);
		session_out_of_memory(s);
		return NULL;
	}
	j->answer = answer;
	j->size = size;
	s->pending_bytes += size;
	return &j->job;
}

bool
session_ask(struct session *s, enum job_what what, const char *text, uint64_t *number)
{
	struct session_job *j = job_new(s);
	if (j == NULL || (j->job.text = strdup(text)) == NULL) {
		job_free(j);
		session_out_of_memory(s);
		return false;
	}
	j->job.what = what;
	logger_put(s->server->logger, &j->job);
	for (bool done = false; !done;) {
		lock_acquire(&s->lock);
		done = j->done;
		s->state = done ? SESSION_AWAKE : SESSION_ASKING;
		lock_release(&s->lock);
		struct pollfd p = { .fd = s->wake_fd, .events = POLLIN };
		eventfd_t n;
		if (!done && poll(&p, 1, -1) > 0 && eventfd_read(s->wake_fd, &n) < 0)
			continue;
	}
	*number = j->job.upto;
	job_free(j);
	return true;
}

bool
session_ready(const struct session *s)
{
	const struct reply *r = s->replies.len != 0 ? reply_at(s, 0) : NULL;
	return r != NULL && s->out.len < SESSION_OUT_LIMIT && (r->job == NULL || r->job->done);
}

static bool
render_oks(struct session *s, uint32_t oks, const char *error)
{
	if (error[0] != '\0') {
		for (; oks > 0; oks--)
			if (!buf_printf(&s->out, "error %s\r\n", error))
				return false;
		return true;
	}
	char *room = buf_room(&s->out, (size_t)oks * 4);
	if (room == NULL)
		return false;
	for (uint32_t i = 0; i < oks; i++)
		memcpy(room + (size_t)i * 4, "ok\r\n", 4);
	buf_added(&s->out, (size_t)oks * 4);
	return true;
}

/* An ok that stands for all before it is said once, when what follows is not one of its kind. */
static bool
say_held_back(struct session *s)
{
	bool good = true;
	if (s->ok_n != 0)
		good = buf_printf(&s->out, "ok %llu\r\n", (unsigned long long)s->ok_n);
	s->ok_n = 0;
	if (s->ok_frame && s->ok_upto != 0)
		good &= buf_printf(&s->out, "ok %s %llu %llu\r\n", s->ok_origin, (unsigned long long)s->ok_epoch,
		    (unsigned long long)s->ok_upto);
	else if (s->ok_frame)
		good &= buf_puts(&s->out, "ack\r\n"); /* nothing of its stream yet: but it has come */
	s->ok_frame = false;
	return good;
}

/* Says, or holds back, what this reply is about. */
static bool
render_answer(struct session *s, struct reply *r)
{
	struct session_job *j = r->job;
	switch (j->answer) {
	case ANSWER_OKS:
		return render_oks(s, r->oks, j->error);
	case ANSWER_NUMBER:
		/* A bad line parts a batch: then it is answered in two, each for its own lines. */
		j->n += r->oks;
		if (j->error[0] == '\0') {
			s->ok_n = j->n - 1;
			return true;
		}
		if (!say_held_back(s))
			return false;
		for (uint64_t n = j->n - r->oks; n < j->n; n++)
			if (!buf_printf(&s->out, "error %llu %s\r\n", (unsigned long long)n, j->error))
				return false;
		return true;
	case ANSWER_FRAME:
		if (s->ok_frame && (s->ok_epoch != j->job.epoch || strcmp(s->ok_origin, j->job.origin) != 0) &&
		    !say_held_back(s))
			return false;
		s->ok_frame = true;
		memcpy(s->ok_origin, j->job.origin, sizeof s->ok_origin);
		s->ok_epoch = j->job.epoch;
		s->ok_upto = j->job.upto;
		return true;
	case ANSWER_TEXT:
		return say_held_back(s) && (j->job.reply.len == 0 ||
		    buf_put(&s->out, buf_begin(&j->job.reply), j->job.reply.len));
	}
	return false;
}

/* The first reply is dealt with: it goes, and its job with it when it was the last to wait for it. */
static void
drop_first_reply(struct session *s)
{
	struct reply *r = reply_at(s, 0);
	struct session_job *j = r->job;
	buf_eat(&s->texts, r->text);
	if (j != NULL && --j->entries == 0) {
		s->pending_bytes -= j->size;
		job_free(j);
	}
	buf_eat(&s->replies, sizeof *r);
}

void
session_collect(struct session *s)
{
	bool good = true;
	while (session_ready(s)) {
		struct reply *r = reply_at(s, 0);
		if (r->job != NULL)
			good &= render_answer(s, r);
		if (r->text != 0)
			good &= say_held_back(s) && buf_put(&s->out, buf_begin(&s->texts), r->text);
		drop_first_reply(s);
	}
	good &= say_held_back(s);
	if (!good)
		session_out_of_memory(s);       /* an answer is missing: the connection ends */
}
