/* SPDX-License-Identifier: MIT */
#include "base/diag.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/escape.h"

static const char *program = "zog";
static bool to_syslog;

void
diag_program(const char *name)
{
	program = name;
}

void
diag_to_syslog(void)
{
	openlog(program, LOG_PID, LOG_DAEMON);
	to_syslog = true;
}

void
diag_plain(const char *text)
{
	if (to_syslog)
		syslog(LOG_ERR, "%s", text);
	else if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return;         /* nowhere left to say it */
}

/* Names of files and the like may hold what drives a terminal; letters of all languages may stay. */
static bool
drives(const char *line)
{
	const unsigned char *p = (const unsigned char *)line;
	for (unsigned char before = 0; *p != '\0'; before = *p++)
		if ((*p < 0x20 && *p != '\t') || *p == 0x7f || (*p >= 0x80 && *p < 0xa0 && (before < 0x80 || before == 0xc2)))
			return true;
	return false;
}

void
diag(const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	va_start(ap, fmt);
	int n = to_syslog ? 0 : snprintf(line, sizeof line, "%s: ", program);
	size_t used = n < 0 ? 0 : (size_t)n;
	if (used < sizeof line - 1)
		vsnprintf(line + used, sizeof line - 1 - used, fmt, ap);
	va_end(ap);
	struct buf shown = BUF_INIT;
	if (drives(line) && escape(&shown, line, strlen(line), sizeof line - 2))
		snprintf(line, sizeof line - 1, "%.*s", (int)shown.len, buf_begin(&shown));
	buf_fini(&shown);
	strcat(line, "\n");
	diag_plain(line);
}
