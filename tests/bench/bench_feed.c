/* SPDX-License-Identifier: MIT */
#include "bench_feed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
open_pipe(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		bench_die("pipe: %s", strerror(errno));
}

void
feed_open(struct feed *f, const struct rig *rig, const struct shape *s, bool watch)
{
	char program[BENCH_PATH + 16], conns[16], window[16], size[32];
	const char *argv[16 + 3 * RIG_MAX];
	int n = 0, in[2], out[2];
	snprintf(program, sizeof program, "%s/load", bench.here);
	snprintf(conns, sizeof conns, "%d", s->conns);
	snprintf(window, sizeof window, "%d", s->window != 0 ? s->window : 10000);
	snprintf(size, sizeof size, "%d-%d", s->size.least, s->size.most);
	const char *fixed[] = { program, "-f", s->form, "-c", conns, "-w", window, "-b", size };
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		argv[n++] = fixed[i];
	if (s->ack != NULL) {
		argv[n++] = "-a";
		argv[n++] = s->ack;
	}
	for (int i = 0; watch && i < rig->size; i++) {
		argv[n++] = "-l";
		argv[n++] = rig->m[i].file;
	}
	for (int i = 0; i < (s->spread ? rig->size : 1); i++)
		argv[n++] = rig->m[i].target;
	argv[n] = NULL;
	open_pipe(in);
	open_pipe(out);
	memset(f, 0, sizeof *f);
	f->pid = rig_spawn(argv, in[0], out[1], NULL);
	f->in = in[1];
	f->out = out[0];
	close(in[0]);
	close(out[1]);
}

void
feed_close(struct feed *f)
{
	close(f->in);
	close(f->out);
	if (f->pid != 0)
		rig_reap(f->pid);
	f->pid = 0;
}

void
feed_tell(struct feed *f, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vdprintf(f->in, fmt, ap);
	va_end(ap);
	if (n < 0)
		bench_die("load does not listen: %s", strerror(errno));
}

static const char *
next_line(struct feed *f)
{
	char *lf = memchr(f->buffer + f->eaten, '\n', f->len - f->eaten);
	if (lf == NULL)
		return NULL;
	const char *line = f->buffer + f->eaten;
	*lf = '\0';
	f->eaten = (size_t)(lf + 1 - f->buffer);
	return line;
}

const char *
feed_line(struct feed *f, int64_t wait_us)
{
	struct pollfd p = { .fd = f->out, .events = POLLIN };
	struct timespec t = { .tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000 };
	const char *line = next_line(f);
	if (line != NULL)
		return line;
	bench_interrupted();
	if (ppoll(&p, 1, &t, NULL) <= 0)
		return NULL;
	memmove(f->buffer, f->buffer + f->eaten, f->len - f->eaten);
	f->len -= f->eaten;
	f->eaten = 0;
	ssize_t n = read(f->out, f->buffer + f->len, sizeof f->buffer - f->len);
	if (n <= 0) {
		int status = 0;
		waitpid(f->pid, &status, 0);
		f->pid = 0;
		bench_die("load has ended, with %s %d",
		    WIFSIGNALED(status) ? "signal" : "exit code",
		    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
	f->len += (size_t)n;
	return next_line(f);
}

bool
feed_done(const char *line, struct fed *d)
{
	memset(d, 0, sizeof *d);
	return sscanf(line, "done %" SCNd64 " %" SCNd64 " %" SCNu64 " %" SCNu64 " %159[^\n]",
		   &d->start_ns, &d->end_ns, &d->ok, &d->failed, d->why) >= 4;
}
