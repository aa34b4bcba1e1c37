/* SPDX-License-Identifier: MIT
 * commands.c - status, reload, rotate, stop. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/diag.h"
#include "zogctl/zogctl.h"

enum { NAP_MS = 20 };

/* ---- status ---- */

int
get_status(struct call *c)
{
	int code = call_open(c);
	return code == EX_OK ? call_ask(c, "status", NULL, 0) : code;
}

/* What monitoring asks for is always one line on standard output, and never another exit code. */
static int
check(struct call *c)
{
	struct buf line = BUF_INIT;
	int health = SHOW_NOT_SERVING;
	c->quiet = true;
	if (get_status(c) == EX_OK)
		health = (int)show_check(c->body, &line);
	else
		buf_printf(&line, "not serving: %s", c->why);
	buf_puts(&line, "\n");
	if (say_out(&line) != EX_OK)
		health = SHOW_NOT_SERVING;
	buf_fini(&line);
	return health;
}

int
command_status(struct call *c, struct words w)
{
	static const struct option names[] = { { "json", no_argument, NULL, 'j' }, { "check", no_argument, NULL,
	    'k' },
	    { "watch", no_argument, NULL, 'w' }, { NULL, 0, NULL, 0 } };
	int how = 0, option;
	optind = 0;
	while ((option = getopt_long(w.count, w.word, "+", names, NULL)) >= 0) {
		if (option == '?' || how != 0)
			return usage_of("status: at most one of --json, --check, --watch");
		how = option;
	}
	int code = surplus(w, optind);
	if (code == EX_OK && how == 'k')
		return check(c);
	if (code == EX_OK && how == 'w')
		return watch(c);
	if (code != EX_OK)
		return code;
	if ((code = get_status(c)) != EX_OK)
		return code;
	struct buf out = BUF_INIT;
	struct show_style style = terminal_style();
	style.rows = 0;         /* what scrolls away can be scrolled back */
	if (how == 'j')
		show_json(c->body, &out);
	else
		show_screen(c->body, &style, &out);
	code = say_out(&out);
	buf_fini(&out);
	return code;
}

/* ---- reload, rotate, stop ---- */

int
command_plain(struct call *c, struct words w)
{
	int code = surplus(w, 1);
	if (code == EX_OK)
		code = call_open(c);
	return code == EX_OK ? call_ask(c, w.word[0], NULL, 0) : code;
}

/* Until the process is gone: it closes the connection a little before. */
static void
wait_for_end(int fd, pid_t pid)
{
	if (fd >= 0) {
		while (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, -1) < 0 && errno == EINTR)
			continue;
		close(fd);
		return;
	}
	while (kill(pid, 0) == 0 || errno == EPERM)
		poll(NULL, 0, NAP_MS);
}

int
command_stop(struct call *c, struct words w)
{
	int code = surplus(w, 1);
	if (code == EX_OK)
		code = call_open(c);
	if (code == EX_OK)
		code = call_ask(c, "stop", NULL, 0);
	if (code != EX_OK)
		return code;
	int64_t pid = value_int(c->body, "pid", 0);
	if (pid <= 0)
		return call_failed(c, EX_PROTOCOL, "zogd does not say which process it is");
	/* Taken while it lives, this is the process that answered, whoever may get its number afterwards. */
	int fd = -1;
#ifdef SYS_pidfd_open
	fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
#endif
	pt_conn_times(c->pairs, -1, -1);
	const struct pt_value *header;
	while (pt_recv(c->pairs, &header, NULL) == PT_OK)
		continue;
	wait_for_end(fd, (pid_t)pid);
	return EX_OK;
}
