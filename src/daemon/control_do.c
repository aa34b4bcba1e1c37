/* SPDX-License-Identifier: MIT
 * control_do.c - what can be asked for on the control socket (doc/control). Entered by the threads of
 * its connections. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "daemon/control_private.h"
#include "daemon/logger_private.h"

enum {
	LOGGER_MS = 5000,
	RELOAD_MS = 10 * 1000,          /* it looks up names */
	PING_MS = 5000,
};

int
control_answer(struct control_conn *c, const struct tree *body)
{
	static const struct pt_value said[] = { PT_TEXT("ok"), PT_BOOL_OF(true) };
	static const struct pt_value header = PT_DICT_OF(said, 1);
	if (body == NULL)
		return pt_send(c->pairs, &header, NULL);
	if (!tree_whole(body))
		return control_fail(c, "no-memory", "out of memory");
	const struct pt_value frame = { .type = PT_FRAME, .bytes = { buf_begin(&body->at[0]), body->at[0].len } };
	return pt_send(c->pairs, &header, &frame);
}

int
control_fail(struct control_conn *c, const char *code, const char *fmt, ...)
{
	char text[CONTROL_TEXT];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	const struct pt_value said[] = { PT_TEXT("ok"), PT_BOOL_OF(false),
	    PT_TEXT("error"), PT_BYTES_OF(code, strlen(code)),
	    PT_TEXT("text"), PT_BYTES_OF(text, strlen(text)) };
	const struct pt_value header = PT_DICT_OF(said, 3);
	return pt_send(c->pairs, &header, NULL);
}

int
control_piece(struct control_conn *c, const struct buf *b, bool more, uint64_t lost)
{
	const struct pt_value said[] = { PT_TEXT("ok"), PT_BOOL_OF(true), PT_TEXT("more"), PT_BOOL_OF(more),
	    PT_TEXT("lost"),
	    PT_INT_OF((int64_t)lost) };
	const struct pt_value header = PT_DICT_OF(said, lost != 0 ? 3 : 2);
	const struct pt_value body = PT_BYTES_OF(b->len != 0 ? buf_begin(b) : "", b->len);
	pt_conn_times(c->pairs, CONTROL_IDLE_MS, -1);
	int e = pt_send(c->pairs, &header, &body);
	pt_conn_times(c->pairs, CONTROL_IDLE_MS, CONTROL_BEGIN_MS);
	return e;
}

bool
control_over(struct control_conn *c)
{
	struct pollfd p = { .fd = pt_conn_fd(c->pairs), .events = POLLIN | POLLRDHUP };
	return atomic_load(&c->control->stop) || poll(&p, 1, 0) != 0;
}

bool
control_text(const struct pt_value *header, const char *key, char *text, size_t room)
{
	const struct pt_value *v = pt_get(header, key);
	if (v == NULL || v->type != PT_BYTES || v->bytes.len >= room ||
	    memchr(v->bytes.at, '\0', v->bytes.len) != NULL)
		return false;
	memcpy(text, v->bytes.at, v->bytes.len);
	text[v->bytes.len] = '\0';
	return true;
}

/* What is done by whom is to be known afterwards. */
static void
note(const struct control_conn *c, const char *what)
{
	logger_say(c->control->server->logger, "control", "%s: asked for by pid %d, uid %d", what, c->pid, c->uid);
}

/* ---- the commands ---- */

static int
do_status(struct control_conn *c, const struct pt_value *header)
{
	struct control *all = c->control;
	struct tree t = TREE_INIT;
	(void)header;
	lock_acquire(&all->lock);
	struct rates rates = all->rates;
	lock_release(&all->lock);
	status_tell(all->server, &rates, &t);
	int e = control_answer(c, &t);
	tree_fini(&t);
	return e;
}

/* By the signal, since only the main thread stops; the answer goes out before it can. The connection
 * stays open until zogd is
 * about to end. */
static int
do_stop(struct control_conn *c, const struct pt_value *header)
{
	struct tree t = TREE_INIT;
	(void)header;
	note(c, "stop");
	tree_dict(&t, NULL);
	tree_int(&t, "pid", getpid());
	tree_end(&t);
	int e = control_answer(c, &t);
	tree_fini(&t);
	/* A second TERM would end the drain. */
	if (!atomic_load(&c->control->server->stopping))
		kill(getpid(), SIGTERM);
	return e;
}

static int
do_reload(struct control_conn *c, const struct pt_value *header)
{
	struct server *s = c->control->server;
	char outcome[SERVER_OUTCOME];
	uint64_t before = server_reloads(s);
	(void)header;
	note(c, "reload");
	if (atomic_load(&s->stopping) || kill(getpid(), SIGHUP) < 0)
		return control_fail(c, "stopping", "it is stopping");
	if (!server_wait_reload(s, before, clock_mono_ms() + RELOAD_MS, outcome))
		return control_fail(c, "no-answer", "the reload is not over yet: see error.log");
	if (outcome[0] != '\0')
		return control_fail(c, "bad-configuration", "nothing changed: %s", outcome);
	return control_answer(c, NULL);
}

struct rotation {
	char error[CONTROL_TEXT];
};

static void
rotate(struct logger *l, void *arg)
{
	struct rotation *r = arg;
	logger_reopen_files(l, r->error, sizeof r->error);
}

static int
do_rotate(struct control_conn *c, const struct pt_value *header)
{
	struct rotation *r = calloc(1, sizeof *r);
	(void)header;
	note(c, "rotate");
	if (r == NULL || !logger_ask(c->control->server->logger, rotate, free, r, LOGGER_MS))
		return control_fail(c, "no-answer", "the disk does not answer");
	int e = r->error[0] == '\0' ? control_answer(c, NULL) : control_fail(c, "not-reopened", "%s", r->error);
	free(r);
	return e;
}

/* By a keepAlive on the link: through its writer, and the session there. */
static int
ping(struct control_conn *c, struct link *l, const char *name)
{
	struct link_status s;
	struct tree t = TREE_INIT;
	int64_t us, until = clock_mono_ms() + PING_MS;
	link_status(l, &s);
	if (!s.up)
		return control_fail(c, "unreachable", "%s: %s%s%s", name, s.state,
		    s.error[0] != '\0' ? ": " : "", s.error);
	uint64_t before = link_ping(l);
	while (!link_pinged(l, before, &us)) {
		if (clock_mono_ms() >= until || atomic_load(&c->control->stop))
			return control_fail(c, "no-answer", "%s does not answer", name);
		poll(NULL, 0, 1);
	}
	tree_dict(&t, NULL);
	tree_int(&t, "round_trip_us", us);
	tree_end(&t);
	int e = control_answer(c, &t);
	tree_fini(&t);
	return e;
}

static int
do_ping(struct control_conn *c, const struct pt_value *header)
{
	char name[RING_NAME + 1];
	if (!control_text(header, "member", name, sizeof name) || !ring_name_ok(name))
		return control_fail(c, "bad-argument", "no member's name");
	struct view *v = server_view(c->control->server);
	int place = view_place(v, name), e;
	if (place < 0)
		e = control_fail(c, "not-a-member", "%s is not in the ring", name);
	else if (v->link[place] == NULL)
		e = control_fail(c, "not-a-member", "%s is this member itself", name);
	else
		e = ping(c, v->link[place], name);
	view_drop(&v);
	return e;
}

static const struct {
	const char *name;
	control_command *run;
} commands[] = {
	{ "status", do_status },
	{ "stop", do_stop },
	{ "reload", do_reload },
	{ "rotate", do_rotate },
	{ "ping", do_ping },
	{ "cat", control_cat },
	{ "tail", control_tail },
	{ "trace", control_trace },
	{ "verify", control_verify },
};

int
control_do(struct control_conn *c, const struct pt_value *header)
{
	const struct pt_value *what = pt_get(header, "do");
	if (what == NULL || what->type != PT_BYTES)
		return control_fail(c, "bad-request", "the header has no 'do'");
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		if (pt_is_text(what, commands[i].name))
			return commands[i].run(c, header);
	struct buf name = BUF_INIT;
	escape(&name, what->bytes.at, what->bytes.len, 40);
	int e = control_fail(c, "unknown-command", "no such command: %.*s", (int)name.len,
	    name.len != 0 ? buf_begin(&name) : "");
	buf_fini(&name);
	return e;
}
