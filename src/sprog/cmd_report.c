/* SPDX-License-Identifier: MIT
 * cmd_report.c - what became of the messages: the log, verbose lines, failures, and the exit code
 * that comes of all of them. */
#include "sprog/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/diag.h"

int
report_open(struct report *r, const struct options *o)
{
	memset(r, 0, sizeof *r);
	r->options = o;
	r->log_fd = -1;
	r->stamp_s = -1;
	r->terminal = isatty(STDERR_FILENO) == 1;
	if (o->log == NULL)
		return EX_OK;
	r->log_fd = open(o->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
	if (r->log_fd >= 0)
		return EX_OK;
	diag("%s: %s", o->log, strerror(errno));
	return EX_CANTCREAT;
}

/* The gravest first: what makes all further ones pointless, then what may be lost, then what was
 * wrong with single messages. */
static int
gravity(int code)
{
	static const int order[] = { EX_USAGE, EX_OSERR, EX_IOERR, EX_NOPERM, EX_UNAVAILABLE, EX_PROTOCOL,
	    EX_TEMPFAIL, EX_DATAERR };
	enum { ORDERS = sizeof order / sizeof order[0] };
	for (int i = 0; i < ORDERS; i++)
		if (order[i] == code)
			return ORDERS - i;
	return 0;
}

void
report_failed(struct report *r, int code)
{
	if (r->code == EX_OK || gravity(code) > gravity(r->code))
		r->code = code;
}

void
report_say(struct report *r, const char *fmt, ...)
{
	char text[1000];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (r->line_shown)
		diag_plain("\r\033[K");
	r->line_shown = false;
	diag("%s", text);
}

void
report_more(struct report *r)
{
	if (r->more > 0 && !r->options->quiet)
		report_say(r, "and %llu more like that", (unsigned long long)r->more);
	r->more = 0;
}

static int
exit_code(const struct sprog_result *result)
{
	switch (result->status) {
	case SPROG_PROTOCOL:
		return EX_PROTOCOL;
	case SPROG_UNREACHABLE:
		return EX_UNAVAILABLE;
	case SPROG_FORBIDDEN:
		return EX_NOPERM;
	case SPROG_MEMORY:
		return EX_OSERR;
	case SPROG_BAD_TEXT:
	case SPROG_NUMBER:
		return EX_DATAERR;
	case SPROG_ARGUMENT:
		return EX_USAGE;
	default:
		/* A refusal as well: the text is good, so what is wrong is the member's, a full
		 * disk or the like. */
		return EX_TEMPFAIL;
	}
}

static void
say_failure(struct report *r, const struct sprog_result *result, const char *which)
{
	const char *member = result->member, *reason = result->reason;
	switch (result->status) {
	case SPROG_ERROR:
		if (*member != '\0')
			report_say(r, "%s: %s refused it: %s", which, member, reason);
		else
			report_say(r, "%s: refused: %s", which, reason);
		break;
	case SPROG_UNKNOWN:
		if (*member != '\0')
			report_say(r, "%s: sent to %s, which may have logged it or not: %s", which,
			    member, reason);
		else
			report_say(r, "%s: not settled in time, and may be logged or not: %s", which,
			    reason);
		break;
	case SPROG_PROTOCOL:
		report_say(r, "%s: %s%s%s: %s", which, *member != '\0' ? "sent to " : "not sent",
		    member, *member != '\0' ? ", which may have logged it or not" : "", reason);
		break;
	case SPROG_NUMBER:
	case SPROG_BAD_TEXT:
		report_say(r, "%s: not sent: %s: %s", which, member, reason);
		break;
	case SPROG_ARGUMENT:
		report_say(r, "%s: not sent: %s", which, reason);
		break;
	default:
		report_say(r, "%s: not sent, %s%s%s", which, sprog_strerror(result->status),
		    result->status == SPROG_CANCELLED || *reason == '\0' ? "" : ": ",
		    result->status == SPROG_CANCELLED ? "" : reason);
	}
}

static void
failure(struct report *r, const struct sprog_result *result)
{
	report_failed(r, exit_code(result));
	switch (result->status) {
	case SPROG_UNREACHABLE:
	case SPROG_FORBIDDEN:
	case SPROG_CROWDED:
	case SPROG_ARGUMENT:
		r->hopeless = true;
		break;
	default:
		/* Tried at one member after the other until the time was up. */
		r->hopeless |= *result->member == '\0' && result->status != SPROG_CANCELLED;
	}
	if (r->failures++ > 0) {
		if (r->options->quiet)
			return;
		if (result->status == r->last_status &&
		    strcmp(result->member, r->last_member) == 0 &&
		    strcmp(result->reason, r->last_reason) == 0) {
			r->more++;
			return;
		}
	}
	report_more(r);
	r->last_status = result->status;
	snprintf(r->last_member, sizeof r->last_member, "%s", result->member);
	snprintf(r->last_reason, sizeof r->last_reason, "%s", result->reason);
	char which[300];
	if (r->options->file != NULL)
		snprintf(which, sizeof which, "%s:%llu",
		    strcmp(r->options->file, "-") == 0 ? "standard input" : r->options->file,
		    (unsigned long long)(uintptr_t)result->tag);
	else
		snprintf(which, sizeof which, "message %llu", (unsigned long long)result->id);
	say_failure(r, result, which);
}

void
report_bad_line(struct report *r, const struct source *s, const char *why)
{
	report_failed(r, EX_DATAERR);
	if (r->failures++ > 0 && r->options->quiet)
		return;
	report_more(r);
	r->last_status = SPROG_BAD_TEXT;
	report_say(r, "%s:%llu: %s", s->file, (unsigned long long)s->line, why);
}

/* TIME MEMBER OUTCOME TEXT; the text is a good message, and needs no escaping. */
static void
put_line(struct report *r, struct buf *b, const struct sprog_result *result)
{
	int64_t now_ms = clock_real_ms();
	if (now_ms / 1000 != r->stamp_s) {
		r->stamp_s = now_ms / 1000;
		clock_stamp(r->stamp, now_ms);
	}
	buf_put(b, r->stamp, CLOCK_STAMP - 1);
	buf_put(b, " ", 1);
	buf_puts(b, *result->member != '\0' ? result->member : "-");
	if (result->status == SPROG_OK) {
		buf_put(b, " ok ", 4);
	} else if (result->status == SPROG_UNKNOWN ||
	    (result->status == SPROG_PROTOCOL && *result->member != '\0')) {
		buf_puts(b, " unknown ");
	} else if (result->status == SPROG_ERROR || result->status == SPROG_NUMBER) {
		buf_puts(b, " error \"");
		for (const char *c = result->reason; *c != '\0'; c++)
			buf_put(b, *c == '"' ? "'" : c, 1);
		buf_puts(b, "\" ");
	} else {
		buf_puts(b, " unsent ");
	}
	buf_put(b, result->text, result->length);
	buf_put(b, "\n", 1);
}

void
report_settled(void *context, const struct sprog_result *result)
{
	struct report *r = context;
	stats_add(&r->stats, result);
	if (r->log_fd >= 0)
		put_line(r, &r->log, result);
	if (r->options->verbose)
		put_line(r, &r->out, result);
	if (result->status != SPROG_OK)
		failure(r, result);
}

void
report_progress(struct report *r, const struct stats *before, double seconds)
{
	report_more(r);
	if (!r->options->progress || r->options->quiet || !r->terminal)
		return;
	struct buf b = BUF_INIT;
	if (buf_puts(&b, "\r\033[K")) {
		stats_progress(&r->stats, before, seconds, &b);
		if (buf_put(&b, "", 1))
			diag_plain(buf_begin(&b));
		r->line_shown = true;
	}
	buf_fini(&b);
}

static bool
write_out(int fd, struct buf *b)
{
	while (b->len > 0) {
		ssize_t n = write(fd, buf_begin(b), b->len);
		if (n >= 0) {
			buf_eat(b, (size_t)n);
		} else if (errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };
			poll(&p, 1, -1);
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

static void
write_failed(struct report *r, const char *what)
{
	report_say(r, "%s: %s", what, strerror(errno));
	report_failed(r, EX_IOERR);
}

bool
report_flush(struct report *r)
{
	bool good = true;
	if (!write_out(STDOUT_FILENO, &r->out)) {
		write_failed(r, "standard output");
		buf_clear(&r->out);
		good = false;
	}
	if (r->log_fd >= 0 && !write_out(r->log_fd, &r->log)) {
		write_failed(r, r->options->log);
		close(r->log_fd);
		r->log_fd = -1;
		good = false;
	}
	return good;
}

int
report_close(struct report *r, bool summary)
{
	report_more(r);
	report_flush(r);
	if (r->log_fd >= 0 && close(r->log_fd) != 0)
		write_failed(r, r->options->log);
	if (summary && !r->options->quiet) {
		struct buf b = BUF_INIT;
		if (r->line_shown)
			buf_puts(&b, "\r\033[K");
		stats_summary(&r->stats, &b);
		if (buf_put(&b, "", 1))
			diag_plain(buf_begin(&b));
		buf_fini(&b);
	}
	buf_fini(&r->log);
	buf_fini(&r->out);
	return r->code;
}
