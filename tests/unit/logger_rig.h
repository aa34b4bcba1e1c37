/* SPDX-License-Identifier: MIT
 * logger_rig.h - a logger in a folder of its own, and jobs that note how they were done.
 * A full disk is played by a limit on the size of files, and a log that begins with a hole up to near it. */
#ifndef ZOG_TESTS_LOGGER_RIG_H
#define ZOG_TESTS_LOGGER_RIG_H

#include <pthread.h>

#include "daemon/server.h"
#include "unit.h"

static struct {
	char           dir[UNIT_PATH];
	char           state[UNIT_PATH + 64];
	struct server  server;          /* of it only what the logger needs: the counters */
	struct conf    conf;
	struct logger *logger;
	uint64_t       epoch;           /* of the frames that are made */
	int            old_stderr;      /* -1: not captured */
	struct rlimit  old_limit;

	pthread_mutex_t lock;
	pthread_cond_t  changed;
	/* under lock */
	int             done;           /* jobs */
	bool            gate_closed;    /* the logger's thread waits in done */
	bool            in_gate;
	size_t          given, finished, most;          /* bytes of frames */
} t;

/* ---- the rig ---- */

enum { EPOCH = 1795163521 };

struct rig_options {
	int     verbose;
	int64_t limit_bytes;    /* 0: a MiB */
	int64_t error_lines;    /* of a kind in a second; 0: no limit */
};

static inline struct logger *
open_logger(int verbose)
{
	return logger_open(&t.server, &t.conf, verbose, (uid_t)-1, (gid_t)-1);
}

static inline void
begin_with(struct rig_options o)
{
	static char member[] = "la", sync[] = "none";
	memset(&t.server, 0, sizeof t.server);
	t.old_stderr = -1;
	t.done = 0;
	t.gate_closed = t.in_gate = false;
	t.given = t.finished = t.most = 0;
	pthread_mutex_init(&t.lock, NULL);
	pthread_cond_init(&t.changed, NULL);
	unit_folder(t.dir);
	getrlimit(RLIMIT_FSIZE, &t.old_limit);
	signal(SIGXFSZ, SIG_IGN);
	unit_file_path(t.state, t.dir, "state");
	t.conf = (struct conf){ .member = member, .log_dir = t.dir, .state_dir = t.state, .sync = sync,
	    .journal_limit = 1 << 30, .journal_segment = 1 << 26, .digest_ms = 200, .gap_ms = 60000, .remember_clients = 10,
	    .log_queue_limit = o.limit_bytes != 0 ? o.limit_bytes : 1 << 20, .bad_lines = o.error_lines,
	    .ring = { 3, { { .name = "la" }, { .name = "t" }, { .name = "lg" } } } };
	t.logger = open_logger(o.verbose);
	ck_assert_ptr_nonnull(t.logger);
	t.epoch = EPOCH;
	logger_begin(t.logger, EPOCH);
}

static inline void
start(void)
{
	ck_assert_int_eq(logger_start(t.logger), 0);
}

static inline void
begin(void)
{
	begin_with((struct rig_options){ .verbose = 0 });
	start();
}

static inline void
end(void)
{
	logger_free(&t.logger);
	ck_assert_ptr_null(t.logger);
	pthread_mutex_destroy(&t.lock);
	pthread_cond_destroy(&t.changed);
	unit_folder_remove(t.state);
	unit_folder_remove(t.dir);
}

static inline void
stop_and_end(void)
{
	logger_stop(t.logger);
	end();
}

/* Into a file of the folder, until it is given back. */
static inline void
capture_stderr(void)
{
	char path[UNIT_PATH + 64];
	unit_file_path(path, t.dir, "stderr");
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	ck_assert_int_ge(fd, 0);
	t.old_stderr = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static inline void
give_back_stderr(void)
{
	dup2(t.old_stderr, STDERR_FILENO);
	close(t.old_stderr);
	t.old_stderr = -1;
}

/* No file grows past this; Check's own are far smaller. */
enum { DISK = 1 << 20 };

static inline void
limit_disk(rlim_t most)
{
	struct rlimit cut = t.old_limit;
	cut.rlim_cur = most;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &cut), 0);
}

/* The file has so many bytes left. */
static inline void
leave_room(const char *name, off_t bytes)
{
	char path[UNIT_PATH + 64];
	unit_file_path(path, t.dir, name);
	ck_assert_int_eq(truncate(path, DISK - bytes), 0);
	limit_disk(DISK);
}

static inline void
free_disk(void)
{
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &t.old_limit), 0);
}

/* What stands behind the hole, but for the line about the journal that a start writes. */
static inline char *
read_log(const char *name)
{
	size_t len;
	char *text = unit_file_read(t.dir, name, &len), *p = text;
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0')
			p = text + i + 1;
	memmove(text, p, strlen(p) + 1);
	if ((p = strstr(text, " zogd journal: ")) != NULL) {
		char *lf = strchr(p, '\n') + 1;
		while (p > text && p[-1] != '\n')
			p--;
		memmove(p, lf, strlen(lf) + 1);
	}
	return text;
}

static inline int
count_lines(const char *text, const char *part)
{
	int n = 0;
	for (const char *lf; (lf = strchr(text, '\n')) != NULL; text = lf + 1) {
		const char *at = strstr(text, part);
		n += at != NULL && at < lf;
	}
	ck_assert_int_eq(*text, '\0');          /* the last line is whole */
	return n;
}

static inline bool
log_has(const char *name, const char *part)
{
	char *text = unit_file_read(t.dir, name, NULL);
	bool has = strstr(text, part) != NULL;
	free(text);
	return has;
}

/* Every line of error.log is TIME WHO TEXT. */
static inline void
assert_form(const char *text)
{
	for (const char *lf; (lf = strchr(text, '\n')) != NULL; text = lf + 1) {
		static const char form[] = "dddd-dd-ddTdd:dd:ddZ ";
		for (size_t i = 0; form[i] != '\0'; i++)
			ck_assert_msg(form[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == form[i], "%.60s", text);
		ck_assert_ptr_nonnull(strchr(text + 21, ' '));
	}
}

/* ---- jobs ---- */

struct entry {
	struct job job;
	int        calls;               /* under t.lock */
	char       error[80];           /* the same; "": none */
	int        number;              /* of done, under t.lock */
	size_t     size;
	bool       look, stands;        /* in done: whether it stands in access.log by then */
	char       text[64];
};

static inline void
done(struct job *job, const char *error)
{
	struct entry *e = (struct entry *)(void *)job;
	if (e->look) {
		char path[UNIT_PATH + 64], bytes[2000];
		unit_file_path(path, t.dir, "access.log");
		int fd = open(path, O_RDONLY);
		ssize_t n = read(fd, bytes, sizeof bytes - 1);
		close(fd);
		bytes[n > 0 ? n : 0] = '\0';
		e->stands = strstr(bytes, e->text) != NULL;
	}
	pthread_mutex_lock(&t.lock);
	e->calls++;
	snprintf(e->error, sizeof e->error, "%s", error != NULL ? error : "");
	e->number = t.done++;
	t.finished += e->size;
	t.in_gate = t.gate_closed;
	pthread_cond_broadcast(&t.changed);
	while (t.gate_closed)
		pthread_cond_wait(&t.changed, &t.lock);
	t.in_gate = false;
	pthread_mutex_unlock(&t.lock);
}

static inline void
gate(bool closed)
{
	pthread_mutex_lock(&t.lock);
	t.gate_closed = closed;
	pthread_cond_broadcast(&t.changed);
	pthread_mutex_unlock(&t.lock);
}

/* To be sealed by put. NULL: no memory. Also from other threads. */
static inline struct frame *
frame_of(const char *origin, uint64_t seq, const char *text, uint32_t lines)
{
	struct frame *f = frame_new("data", origin, lines * (strlen(text) + 2));
	for (uint32_t i = 0; f != NULL && i < lines; i++)
		frame_add(f, text, strlen(text));
	if (f != NULL) {
		f->h.epoch = t.epoch;
		f->h.seq = seq;
		f->h.time_ms = INT64_C(1795163521000);
	}
	return f;
}

/* Our own, settled by our having it; that of a peer is done when it is stored. */
static inline void
put(struct entry *e, struct frame *f)
{
	bool own = strcmp(f->h.origin, "la") == 0;
	frame_seal(f);
	e->job.what = own ? JOB_OWN : JOB_FRAME;
	*(own ? &e->job.own.frame : &e->job.frame) = f;
	e->job.own.entry.level = 1;
	e->job.own.entry.deadline_ms = INT64_MAX;
	e->job.done = done;
	e->size = f->h.bytes;
	logger_put(t.logger, &e->job);
}

static inline void
put_text(struct entry *e, uint64_t seq, const char *text)
{
	*e = (struct entry){ .calls = 0 };
	snprintf(e->text, sizeof e->text, "%.63s", text);
	struct frame *f = frame_of("la", seq, text, 1);
	ck_assert_ptr_nonnull(f);
	put(e, f);
}

static inline void
wait_done(int n)
{
	pthread_mutex_lock(&t.lock);
	while (t.done < n)
		pthread_cond_wait(&t.changed, &t.lock);         /* Check's deadline is ours */
	pthread_mutex_unlock(&t.lock);
}

static inline void
assert_done(const struct entry *e, const char *error)
{
	pthread_mutex_lock(&t.lock);
	int calls = e->calls;
	ck_assert_str_eq(e->error, error);
	pthread_mutex_unlock(&t.lock);
	ck_assert_int_eq(calls, 1);
	ck_assert(e->job.frame == NULL && e->job.own.frame == NULL);
}

#endif
