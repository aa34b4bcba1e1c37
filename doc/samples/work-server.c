/* SPDX-License-Identifier: MIT
 * work-server.c - jobs that some put and others take. A job is done when its worker has acknowledged it:
 * if that worker goes before, the job goes back and another one is given it. A put that is sent again,
 * with the same pt.id, adds no second job.
 *
 *	work-server 127.0.0.1 7777 [FIRST_JOB]
 *
 *	{op: put, pt.id: p1} "resize a.png"     ->      {pt.id: p1, job: 12} ~
 *	{op: take} ~                            ->      {job: 12, pt.id: 12} "resize a.png"     once there is one
 *	{ack: 12} ~                                     no reply */
#include "sample-server.h"

enum { JOBS = 1000, BODY_BYTES = 65536, HELD = 16 };

struct job {
	struct job *next;
	char        id[24];
	size_t      size;
	char        frame[];
};

struct worker {
	struct pt_conn *conn;
	char            user[SAMPLE_NAME];
	struct job     *held;           /* given to it and not acknowledged, the youngest first */
	int             holds;
	int             wake[2];
	int             wishes;         /* under lock: how many it may be given */
	struct worker  *next;           /* under lock */
};

static struct pt_dedupe *done;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* under lock */
static struct job *jobs, **last = &jobs;
static int waiting;
static unsigned long long number;
static struct worker *workers;

static void
wake_locked(void)
{
	for (struct worker *w = workers; w != NULL; w = w->next)
		if (w->wishes > 0)
			sample_wake(w->wake);
}

/* At the end of the queue. false: no room. */
static bool
add(const struct pt_value *body, char id[24])
{
	size_t size;
	if (pt_measure(body, &size) != PT_OK || size > BODY_BYTES)
		return false;
	struct job *job = calloc(1, sizeof *job + size);
	if (job == NULL || pt_encode(body, 0, job->frame, job->size = size) != PT_OK) {
		free(job);
		return false;
	}
	pthread_mutex_lock(&lock);
	bool room = waiting < JOBS;
	if (room) {
		snprintf(job->id, sizeof job->id, "%llu", number++);
		memcpy(id, job->id, sizeof job->id);
		*last = job;
		last = &job->next;
		waiting++;
		wake_locked();
	}
	pthread_mutex_unlock(&lock);
	if (!room)
		free(job);
	return room;
}

static struct job *
remove_first(struct worker *w)
{
	pthread_mutex_lock(&lock);
	struct job *job = w->wishes > 0 ? jobs : NULL;
	if (job != NULL) {
		jobs = job->next;
		last = jobs != NULL ? last : &jobs;
		waiting--;
		w->wishes--;
	}
	pthread_mutex_unlock(&lock);
	return job;
}

/* What it did not finish comes first again, in the order in which it was. */
static void
give_back(struct worker *w)
{
	pthread_mutex_lock(&lock);
	for (struct job *job; (job = w->held) != NULL; waiting++) {
		w->held = job->next;
		job->next = jobs;
		last = jobs != NULL ? last : &job->next;
		jobs = job;
	}
	wake_locked();
	pthread_mutex_unlock(&lock);
}

static int
put(struct worker *w, const struct pt_value *header, const struct pt_value *body)
{
	static const struct pt_value null = PT_NULL_OF;
	struct pt_run run;
	char id[24];
	int e = pt_once_begin(done, w->conn, w->user, strlen(w->user), header, body, &run);
	if (e != PT_OK || run.outcome != PT_NEW)
		return e;
	if (!add(body, id))
		return pt_once_fail(w->conn, &run, "full", "no room for this job");
	const struct pt_value pairs[] = { PT_TEXT("job"), PT_BYTES_OF(id, strlen(id)) }, reply = PT_DICT_OF(pairs, 1);
	return pt_once_reply(w->conn, &run, &reply, &null);
}

static int
give(struct worker *w)
{
	int e = PT_OK;
	for (struct job *job; e == PT_OK && (job = remove_first(w)) != NULL;) {
		job->next = w->held;
		w->held = job;
		w->holds++;
		const struct pt_value id = PT_BYTES_OF(job->id, strlen(job->id));
		const struct pt_value pairs[] = { PT_TEXT("job"), id, PT_TEXT("pt.id"), id };
		const struct pt_value header = PT_DICT_OF(pairs, 2);
		const struct pt_value body = { .type = PT_FRAME, .bytes = { job->frame, job->size } };
		e = pt_send(w->conn, &header, &body);
	}
	return e;
}

static void
acknowledge(struct worker *w, const struct pt_value *id)
{
	for (struct job **p = &w->held, *job; (job = *p) != NULL; p = &job->next)
		if (pt_is_text(id, job->id)) {
			*p = job->next;
			w->holds--;
			free(job);
			return;
		}
}

static int
handle(struct worker *w)
{
	const struct pt_value *header, *body, *op;
	int e = pt_recv(w->conn, &header, &body);
	if (e != PT_OK)
		return e;
	op = pt_get(header, "op");
	if (pt_is_text(op, "put"))
		return put(w, header, body);
	if (!pt_is_text(op, "take")) {
		acknowledge(w, pt_get(header, "ack"));
		return PT_OK;
	}
	pthread_mutex_lock(&lock);
	if (w->wishes + w->holds < HELD)
		w->wishes++;
	pthread_mutex_unlock(&lock);
	return PT_OK;
}

static void
serve(struct pt_conn *c)
{
	struct worker w = { .conn = c };
	if (!sample_welcome(c, w.user) || !sample_wake_open(w.wake))
		return;
	pthread_mutex_lock(&lock);
	w.next = workers;
	workers = &w;
	pthread_mutex_unlock(&lock);

	/* One that neither asks nor acknowledges for so long has lost its jobs: sample_wait gives 0. */
	int what, e = PT_OK;
	while (e == PT_OK && (what = sample_wait(c, w.wake[0], SAMPLE_IDLE_MS)) != 0) {
		sample_awake(w.wake);
		if ((what & SAMPLE_PAIR) != 0)
			e = handle(&w);
		e = e == PT_OK ? give(&w) : e;
	}

	pthread_mutex_lock(&lock);
	struct worker **p = &workers;
	while (*p != &w)
		p = &(*p)->next;
	*p = w.next;
	pthread_mutex_unlock(&lock);
	give_back(&w);
	sample_wake_close(w.wake);
}

int
main(int argc, char **argv)
{
	sample_arguments(argc, argv, 0);
	number = sample.more[0] != NULL ? strtoull(sample.more[0], NULL, 10) : 1;
	done = pt_dedupe_new(NULL);
	if (done == NULL)
		errx(1, "out of memory");
	return sample_serve(serve);
}
