/* SPDX-License-Identifier: MIT
 * diag.h - one line to the operator: "program: what failed: why". On stderr, or in syslog
 * once the process has detached. Any thread may call it; a line is one write. */
#ifndef ZOG_BASE_DIAG_H
#define ZOG_BASE_DIAG_H

void diag_program(const char *name);            /* call before threads start; the text must stay */
void diag_to_syslog(void);                      /* for a process whose stderr is gone */
void diag(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void diag_plain(const char *text);              /* text of whole lines, without the program's name */

#endif
