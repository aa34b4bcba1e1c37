/* SPDX-License-Identifier: MIT */
#include "base/diag.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

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
	strcat(line, "\n");
	diag_plain(line);
}
