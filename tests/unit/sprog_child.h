/* SPDX-License-Identifier: MIT
 * sprog_child.h - runs the command sprog ($SPROG, else build/sprog) as a user does, reads what it
 * says. */
#ifndef ZOG_TESTS_SPROG_CHILD_H
#define ZOG_TESTS_SPROG_CHILD_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sprog/sprog.h"
#include "sprog_stub.h"

struct child {
	pid_t      pid;
	int        in;          /* -1: closed */
	int        fd[2];       /* standard output, standard error; -1: at their end */
	struct buf text[2];
	int        code;        /* exit code; -1: ended by a signal */
};

static char folder[64];         /* of this test process */
static struct child c;

static inline const char *
path(const char *name)
{
	static char full[4][128];
	static int next;
	char *p = full[next++ % 4];
	snprintf(p, sizeof full[0], "%s/%s", folder, name);
	return p;
}

static inline void
start(const char *first, ...)
{
	const char *args[32] = { "sprog", first }, *program = getenv("SPROG");
	va_list ap;
	va_start(ap, first);
	for (int i = 2; args[i - 1] != NULL; i++)
		args[i] = va_arg(ap, const char *);
	va_end(ap);
	int in[2], out[2], err[2];
	ck_assert_int_eq(pipe2(in, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(err, O_CLOEXEC), 0);
	memset(&c, 0, sizeof c);
	c.pid = fork();
	ck_assert_int_ge(c.pid, 0);
	if (c.pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		execv(program != NULL ? program : "build/sprog", (char *const *)(uintptr_t)args);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	c.in = in[1];
	c.fd[0] = out[0];
	c.fd[1] = err[0];
}

/* Reads what the child says until a text is there; NULL: until it has closed both. */
static inline void
listen_for(int which, const char *wanted)
{
	int64_t until = clock_mono_ms() + STUB_DEADLINE_MS;
	for (;;) {
		if (wanted != NULL && c.text[which].len > 0 && buf_put(&c.text[which], "", 1)) {
			c.text[which].len--;
			if (strstr(buf_begin(&c.text[which]), wanted) != NULL)
				return;
		}
		if (c.fd[0] < 0 && c.fd[1] < 0)
			break;
		struct pollfd p[2] = {
			{ .fd = c.fd[0], .events = POLLIN }, { .fd = c.fd[1], .events = POLLIN } };
		int n = poll(p, 2, clock_left_ms(until, clock_mono_ms()));
		if (n == 0)
			kill(c.pid, SIGKILL);
		ck_assert_msg(n > 0, "sprog hangs");
		for (int i = 0; i < 2; i++) {
			if (p[i].revents == 0)
				continue;
			ssize_t got = read(c.fd[i], buf_room(&c.text[i], 65536), 65536);
			ck_assert_int_ge(got, 0);
			buf_added(&c.text[i], (size_t)got);
			if (got == 0) {
				close(c.fd[i]);
				c.fd[i] = -1;
			}
		}
	}
	ck_assert_msg(wanted == NULL, "sprog did not say '%s'", wanted);
}

static inline void
end_input(void)
{
	if (c.in >= 0)
		close(c.in);
	c.in = -1;
}

static inline void
say(const char *text)
{
	ck_assert_int_eq(write(c.in, text, strlen(text)), (ssize_t)strlen(text));
}

static inline const char *
said(int which)
{
	if (!buf_put(&c.text[which], "", 1))
		return "";
	c.text[which].len--;
	return buf_begin(&c.text[which]);
}

static inline void
finish(void)
{
	int status;
	end_input();
	listen_for(0, NULL);
	ck_assert_int_eq(waitpid(c.pid, &status, 0), c.pid);
	c.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	said(0);
	said(1);
}

static inline void
forget(void)
{
	buf_fini(&c.text[0]);
	buf_fini(&c.text[1]);
}

#define run(...) (forget(), start(__VA_ARGS__, NULL), finish())
#define is(code_, out_, err_) do { \
	ck_assert_msg(c.code == (code_), "exit code %d, stderr: %s", c.code, said(1)); \
	if ((out_) != NULL) ck_assert_str_eq(said(0), (out_)); \
	if ((err_) != NULL) ck_assert_str_eq(said(1), (err_)); \
} while (0)
#define says(which, part) \
	ck_assert_msg(strstr(said(which), part) != NULL, "no '%s' in: %s", part, said(which))

static char host[40];           /* of the stub x */
static struct stub x;

static inline void
serve_script(const struct stub_script *script, int scripts)
{
	ck_assert(stub_start_at(&x, "127.0.0.1", script, scripts));
	snprintf(host, sizeof host, "127.0.0.1:%u", x.port);
}
#define serve(script) serve_script(script, stub_scripts(script))

static inline void
spill(const char *name, const char *text)
{
	int fd = open(path(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static inline char *
slurp(const char *name)
{
	static char text[1 << 16];
	int fd = open(path(name), O_RDONLY);
	ck_assert_int_ge(fd, 0);
	ssize_t n = read(fd, text, sizeof text - 1);
	ck_assert_int_ge(n, 0);
	text[n] = '\0';
	close(fd);
	return text;
}

static inline void
setup(void)
{
	snprintf(folder, sizeof folder, "%s/sprog.XXXXXX", stub_folder());
	ck_assert_ptr_nonnull(mkdtemp(folder));
	signal(SIGPIPE, SIG_IGN);
}

static inline void
teardown(void)
{
	static const char *const files[] = { "lines", "log", "ring", "one", "two" };
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
		unlink(path(files[i]));
	rmdir(folder);
	forget();
	stub_free(&x);
}

#endif
