/* SPDX-License-Identifier: MIT
 * call.c - the conversation with a zogd (doc/control): who we are, one request after the other, and what
 * becomes of failures. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/diag.h"
#include "config.h"
#include "zogctl/zogctl.h"

enum { MORE_KEYS = 4 };

int
call_failed(struct call *c, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(c->why, sizeof c->why, fmt, ap);
	va_end(ap);
	if (!c->quiet)
		diag("%s", c->why);
	return code;
}

/* A call of the library that failed. */
static int
broken(struct call *c, int error, const char *doing)
{
	int saved = error == PT_E_IO && c->pairs != NULL ? pt_conn_errno(c->pairs) : errno;
	switch (error) {
	case PT_E_TIMEOUT:
		return call_failed(c, EX_TEMPFAIL, "cannot %s %s: no answer in time", doing, c->path);
	case PT_CLOSED:
	case PT_E_TRUNC_BODY:
		return call_failed(c, EX_UNAVAILABLE, "cannot %s %s: it closed the connection", doing, c->path);
	case PT_E_MEMORY:
		return call_failed(c, EX_OSERR, "cannot %s %s: %s", doing, c->path, strerror(ENOMEM));
	case PT_E_IO:
		return call_failed(c, saved == EACCES || saved == EPERM ? EX_NOPERM :
		    saved == ENOENT || saved == ECONNREFUSED || saved == ECONNRESET ||
		    saved == EPIPE ? EX_UNAVAILABLE :
		    saved == ENAMETOOLONG ? EX_CONFIG : EX_IOERR, "cannot %s %s: %s", doing, c->path,
		    saved == ECONNREFUSED ? "no zogd runs there" : strerror(saved));
	default:
		return call_failed(c, EX_PROTOCOL, "cannot %s %s: %s", doing, c->path, pt_error_text(error));
	}
}

/* What a zogd says that will not, or cannot. */
static int
refused(struct call *c)
{
	static const struct { const char *code; int exit; } codes[] = {
		{ "busy", EX_TEMPFAIL }, { "no-answer", EX_TEMPFAIL }, { "stopping", EX_TEMPFAIL },
		    { "no-memory", EX_OSERR },
		{ "bad-configuration", EX_CONFIG }, { "not-reopened", EX_CANTCREAT }, { "not-a-member", EX_USAGE },
		{ "bad-argument", EX_USAGE }, { "unreachable", EX_UNAVAILABLE }, { "not-readable", EX_IOERR },
	};
	char text[VALUE_TEXT];
	value_text(c->header, "text", text);
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (value_is(c->header, "error", codes[i].code))
			return call_failed(c, codes[i].exit, "zogd: %s", text);
	return call_failed(c, EX_PROTOCOL, "zogd: %s", *text != '\0' ? text : "an answer that makes no sense");
}

int
call_open(struct call *c)
{
	static const struct pt_value who[] = { PT_TEXT("client"), PT_TEXT("zogctl"), PT_TEXT("version"),
	    PT_TEXT(PACKAGE_VERSION) };
	static const struct pt_value identity = PT_DICT_OF(who, 2);
	const struct pt_options options = PT_OPTIONS_INIT;
	int e = pt_connect(&c->pairs, &options, c->path, 0, &identity, NULL, c->timeout_ms, &c->header, &c->body);
	if (e != PT_OK)
		return broken(c, e, "ask");
	if (!pt_connect_allowed(c->header, PT_STRICT))
		return refused(c);
	return EX_OK;
}

static int
judge(struct call *c, int e)
{
	if (e != PT_OK)
		return broken(c, e, "ask");
	return value_bool(c->header, "ok") ? EX_OK : refused(c);
}

int
call_ask(struct call *c, const char *what, const struct pt_value *more, size_t pairs)
{
	struct pt_value keys[2 + 2 * MORE_KEYS] = { PT_TEXT("do"), PT_BYTES_OF(what, strlen(what)) };
	if (pairs > MORE_KEYS)
		return call_failed(c, EX_SOFTWARE, "too many arguments");
	if (pairs != 0)
		memcpy(keys + 2, more, 2 * pairs * sizeof *more);
	const struct pt_value header = PT_DICT_OF(keys, 1 + pairs);
	return judge(c, pt_request(c->pairs, &header, NULL, c->timeout_ms, &c->header, &c->body));
}

int
call_next(struct call *c)
{
	return judge(c, pt_recv(c->pairs, &c->header, &c->body));
}

void
call_close(struct call *c)
{
	pt_close(&c->pairs);
}
