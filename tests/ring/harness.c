/* SPDX-License-Identifier: MIT
 * harness.c - stories and their tests, failing, waiting. The rest is in harness_*.c. */
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/clock.h"
#include "base/diag.h"
#include "base/escape.h"
#include "harness_own.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined __SANITIZE_THREAD__ || __has_feature(thread_sanitizer)
enum { FACTOR = 6 };
#elif defined __SANITIZE_ADDRESS__ || __has_feature(address_sanitizer)
enum { FACTOR = 3 };
#else
enum { FACTOR = 1 };
#endif

struct ring_rig *rig_now;
static const char *at_file = "?";
static int at_line;

/* ---- the program ---- */

static double
factor(void)
{
	const char *text = getenv("ZOG_TEST_SLOW");
	double f = text != NULL ? atof(text) : 0;
	return f >= 1 ? f : FACTOR;
}

int64_t
slow_ms(int64_t ms)
{
	return (int64_t)((double)ms * factor());
}

int
slow_count(int n)
{
	return (int)(n / factor());
}

bool
sanitized(void)
{
	return FACTOR != 1;
}

TCase *
story_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);
	/* Every wait inside has a deadline of its own: this one is for a hang of the harness. */
	tcase_set_timeout(tcase, 280 * factor());
	suite_add_tcase(suite, tcase);
	return tcase;
}

void
story_skip(const char *why)
{
	printf("skipped: %s: %s\n", tcase_name(), why);
	fflush(stdout);
}

/* A detached zogd whose test died becomes our child, since we are the nearest subreaper. */
static void
kill_orphans(void)
{
#ifdef __linux__
	char path[64];
	snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
	for (int round = 0; round < 8; round++) {
		size_t len;
		char *text = file_read(path, &len), *next = text;
		for (long pid; (pid = strtol(next, &next, 10)) > 0;)
			kill((pid_t)pid, SIGKILL);
		free(text);
		if (len == 0 || waitpid(-1, NULL, 0) < 0)
			return;
	}
#endif
}

int
story_main(const char *name, story_add *add)
{
	diag_program(name);
	signal(SIGPIPE, SIG_IGN);
	if (getenv("ZOGD") == NULL) {
		fprintf(stderr, "%s: ZOGD names no program\n", name);
		return 64;
	}
#ifdef __linux__
	prctl(PR_SET_CHILD_SUBREAPER, 1);
#endif
	Suite *suite = suite_create(name);
	add(suite);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	kill_orphans();
	return failed == 0 ? 0 : 1;
}

/* ---- failing ---- */

void
harness_at(const char *file, int line)
{
	at_file = file;
	at_line = line;
}

/* The last lines, each as far as a terminal shows it. */
static void
print_tail(const char *path, int lines)
{
	size_t len;
	char *text = file_read(path, &len), *from = text + len;
	for (; from > text && lines >= 0; from--)
		if (from[-1] == '\n' && lines-- == 0)
			break;
	if (len != 0)
		fprintf(stderr, "---- %s%s\n", path, from != text ? " (its end)" : "");
	for (char *end; from < text + len; from = end + 1) {
		end = memchr(from, '\n', (size_t)(text + len - from));
		if (end == NULL)
			end = text + len;
		struct buf shown = BUF_INIT;
		escape(&shown, from, (size_t)(end - from), 160);
		fprintf(stderr, "%.*s\n", (int)shown.len, shown.len != 0 ? buf_begin(&shown) : "");
		buf_fini(&shown);
	}
	free(text);
}

static void
print_member(struct ring_rig *rig, int i)
{
	static const char *const files[] = { "stderr", "log/error.log", "log/access.log" };
	static const int lines[] = { 40, 40, 6 };
	fprintf(stderr, "---- %s: %s\n", rig->m[i].name, rig->m[i].pid != 0 ? "running" : "not running");
	for (size_t k = 0; k < sizeof files / sizeof *files; k++)
		print_tail(rig_path(rig, i, files[k]), lines[k]);
}

void
rig_fail(const char *file, int line, const char *fmt, ...)
{
	char what[2048];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	/* What zogd says is quoted in it, and may be anything. */
	struct buf shown = BUF_INIT;
	if (escape(&shown, what, strlen(what), sizeof what) && buf_put(&shown, "", 1))
		snprintf(what, sizeof what, "%s", buf_begin(&shown));
	buf_fini(&shown);
	const char *base = strrchr(file, '/'), *at = strrchr(at_file, '/');
	fflush(stdout);
	fprintf(stderr, "FAILED %s:%d: %s (last step of the story: %s:%d)\n",
	    base != NULL ? base + 1 : file, line, what, at != NULL ? at + 1 : at_file, at_line);
	if (rig_now != NULL) {
		struct ring_rig *rig = rig_now;
		rig->pump = NULL;
		/* In a large ring the first ones tell enough. */
		for (int i = 0; i < rig->size && i < 7; i++)
			print_member(rig, i);
		rig_abandon();
		fprintf(stderr, "---- kept: %s\n", rig->folder);
	}
	fflush(stderr);
	ck_abort_msg("%s", what);
	abort();
}

/* ---- waiting ---- */

int64_t
wait_until_ms(int64_t ms)
{
	return clock_mono_ms() + slow_ms(ms);
}

bool
wait_turn(int64_t until)
{
	struct ring_rig *rig = rig_now;
	if (rig != NULL)
		rig_check_alive(rig);
	if (clock_mono_ms() >= until)
		return false;
	if (rig != NULL && rig->pump != NULL)
		rig->pump(rig->pump_arg, 2);
	else
		usleep(2000);
	return true;
}

void
wait_while_running(int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;
	while (wait_turn(until))
		;
}
