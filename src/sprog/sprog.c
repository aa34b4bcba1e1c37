/* SPDX-License-Identifier: MIT
 * sprog.c - the command: sends messages to the ring, one after another or as a stream. One
 * thread. Signals are let in only while it waits in ppoll, so that none can come between a look
 * and a wait. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/diag.h"
#include "sprog/cmd.h"

static const int64_t second_ns = 1000000000;

/* How far behind its times it may fall and still catch up: longer gaps are not made good by a
 * burst. */
static const int64_t catch_up_ns = 100000000;

static volatile sig_atomic_t signals;

struct run {
	const struct options *options;
	struct source source;
	struct report report;
	struct sprog *sprog;
	bool     waiting;               /* the source has nothing just now */
	bool     stopped;               /* no more is to be sent */
	int64_t  now_ns, due_ns;        /* when the next message is to be sent */
	int64_t  tick_ns;               /* when progress is shown next */
	struct stats before;            /* at the last tick */
	bool     hinted;
	struct pollfd fds[1 + SPROG_MAX_FDS];
	sigset_t unblocked;
};

static int64_t
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * second_ns + t.tv_nsec;
}

static void
caught(int number)
{
	(void)number;
	signals++;
}

/* INT and TERM are seen in ppoll only; one that was ignored when we were started (nohup, a
 * background job) stays so. */
static void
catch_signals(struct run *r)
{
	static const int numbers[] = { SIGINT, SIGTERM };
	sigset_t ours;
	sigemptyset(&ours);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		struct sigaction old, new = { .sa_handler = caught };
		sigemptyset(&new.sa_mask);
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			continue;
		sigaction(numbers[i], &new, NULL);
		sigaddset(&ours, numbers[i]);
	}
	sigprocmask(SIG_BLOCK, &ours, &r->unblocked);
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		sigdelset(&r->unblocked, numbers[i]);
}

/* No more is sent; what was not sent yet is given up, what was is waited for. */
static void
stop(struct run *r)
{
	if (r->stopped)
		return;
	r->stopped = true;
	sprog_cancel(r->sprog);
}

/* But for the time. */
static bool
may_send(const struct run *r)
{
	return !r->stopped && !r->waiting && r->report.stats.submitted < r->options->count &&
	    sprog_room(r->sprog) > 0;
}

static void
count_submitted(struct run *r, size_t count)
{
	struct stats *stats = &r->report.stats;
	if (stats->submitted == 0)
		stats->first_ns = r->now_ns;
	stats->submitted += count;
}

/* Puts the good lines of a file in flight that are there, up to one that is not, where no pause is
 * asked for between them. false: there was none. */
static bool
send_lines(struct run *r)
{
	const struct options *o = r->options;
	if (o->file == NULL || o->interval_ns != 0 || !may_send(r) ||
	    o->count - r->report.stats.submitted < sprog_room(r->sprog))
		return false;
	size_t len, count;
	const char *text = source_lines(&r->source, &len);
	size_t used = sprog_submit_lines(r->sprog, text, len, r->source.line + 1, &count);
	source_took(&r->source, used, count);
	count_submitted(r, count);
	return count > 0;
}

/* Takes the next text and puts it in flight. false: nothing to do until something happens. */
static bool
send_one(struct run *r)
{
	const char *text;
	size_t len;
	if (!may_send(r) || r->due_ns > r->now_ns)
		return false;
	switch (source_next(&r->source, &text, &len)) {
	case SOURCE_WAIT:
		r->waiting = true;
		return false;
	case SOURCE_END:
		r->stopped = true;
		return false;
	case SOURCE_TEXT:
		break;
	}
	int status = sprog_submit(r->sprog, text, len, (void *)(uintptr_t)r->source.line);
	if (status == SPROG_BAD_TEXT) {
		report_bad_line(&r->report, &r->source, sprog_reason(r->sprog));
		return true;
	}
	if (status != SPROG_OK) {
		report_say(&r->report, "sending: %s", sprog_strerror(status));
		report_failed(&r->report, EX_OSERR);
		stop(r);
		return false;
	}
	count_submitted(r, 1);
	r->due_ns += r->options->interval_ns;
	if (r->due_ns < r->now_ns - catch_up_ns)
		r->due_ns = r->now_ns + r->options->interval_ns;
	return true;
}

static bool
is_done(const struct run *r)
{
	bool more = !r->stopped && r->report.stats.submitted < r->options->count;
	return !more && sprog_in_flight(r->sprog) == 0;
}

/* How long at most: what the library asks for, the next message, the next tick. */
static struct timespec
wait_time(const struct run *r, int timeout_ms)
{
	int64_t ns = r->tick_ns - r->now_ns;
	if (may_send(r) && r->due_ns - r->now_ns < ns)
		ns = r->due_ns - r->now_ns;
	if (timeout_ms >= 0 && timeout_ms * INT64_C(1000000) < ns)
		ns = timeout_ms * INT64_C(1000000);
	if (ns < 0)
		ns = 0;
	return (struct timespec){ .tv_sec = (time_t)(ns / second_ns),
	    .tv_nsec = (long)(ns % second_ns) };
}

static void
wait_and_serve(struct run *r)
{
	int timeout_ms;
	int n = sprog_pollfds(r->sprog, r->fds + 1, SPROG_MAX_FDS, &timeout_ms);
	r->fds[0] = (struct pollfd){ .events = POLLIN };
	r->fds[0].fd = r->waiting && !r->stopped ? r->source.fd : -1;
	struct timespec t = wait_time(r, timeout_ms);
	int ready = ppoll(r->fds, (nfds_t)(n + 1), &t, &r->unblocked);
	if (ready < 0 && errno != EINTR) {
		report_say(&r->report, "poll: %s", strerror(errno));
		report_failed(&r->report, EX_OSERR);
		r->stopped = true;
		return;
	}
	if (ready > 0)
		sprog_dispatch(r->sprog, r->fds + 1, n);
	if (ready > 0 && r->fds[0].revents != 0) {
		r->waiting = false;
		if (!source_read(&r->source)) {
			report_failed(&r->report, EX_IOERR);
			stop(r);
		}
	}
}

static void
tick(struct run *r)
{
	if (r->now_ns < r->tick_ns)
		return;
	report_progress(&r->report, &r->before, (double)(r->now_ns - r->tick_ns + second_ns) / 1e9);
	/* Who waits at a terminal is told for what, before the timeout does. */
	const char *trouble = sprog_trouble(r->sprog);
	if (r->report.terminal && !r->hinted && !r->options->quiet &&
	    sprog_in_flight(r->sprog) > 0 && *trouble != '\0') {
		report_say(&r->report, "trying on: %s", trouble);
		r->hinted = true;
	}
	r->before = r->report.stats;
	r->tick_ns = r->now_ns + second_ns;
}

static void
loop(struct run *r)
{
	r->now_ns = now();
	r->due_ns = r->now_ns;
	r->tick_ns = r->now_ns + second_ns;
	while (signals < 2) {
		while (send_lines(r) || send_one(r))
			;
		if (is_done(r))
			break;
		wait_and_serve(r);
		r->now_ns = now();
		r->report.stats.last_ns = r->now_ns;
		if (signals > 0)
			stop(r);
		/* A stream is not to lose its lines one by one to a ring that is not there; a
		 * beat goes on. */
		if (r->report.hopeless && r->options->interval_ns == 0)
			stop(r);
		if (!report_flush(&r->report))
			stop(r);
		tick(r);
	}
}

static int
open_ring(struct run *r, struct options *o)
{
	char why[8192];
	o->lib.settled = report_settled;
	o->lib.context = &r->report;
	o->lib.why = why;
	o->lib.why_size = sizeof why;
	int status = sprog_open(&r->sprog, &o->lib);
	if (status == SPROG_OK)
		return EX_OK;
	for (char *line = why, *end; line != NULL; line = end) {
		end = strchr(line, '\n');
		if (end != NULL)
			*end++ = '\0';
		diag("%s", line);
	}
	return status == SPROG_RING ? EX_CONFIG : status == SPROG_ARGUMENT ? EX_USAGE : EX_OSERR;
}

int
main(int argc, char *argv[])
{
	static struct run r;
	struct options o;
	diag_program("sprog");
	int code = options_parse(&o, argc, argv);
	if (code >= 0)
		return code;
	r.options = &o;
	if ((code = source_open(&r.source, &o)) != EX_OK || (code = open_ring(&r, &o)) != EX_OK ||
	    (code = report_open(&r.report, &o)) != EX_OK) {
		source_close(&r.source);
		sprog_close(&r.sprog);
		return code;
	}
	catch_signals(&r);
	loop(&r);
	sprog_close(&r.sprog);
	source_close(&r.source);
	return report_close(&r.report, o.progress || signals > 0);
}
