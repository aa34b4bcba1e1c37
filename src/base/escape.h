/* SPDX-License-Identifier: MIT
 * escape.h - the one way by which bytes from outside reach a log, a terminal or a reply. */
#ifndef ZOG_BASE_ESCAPE_H
#define ZOG_BASE_ESCAPE_H

#include <stddef.h>

#include "base/buf.h"

/* Appends at most max bytes of p: printing ASCII as it is, backslash as \\, every other byte as \xNN.
 * What is longer ends in "...". Nothing a sender writes can end a line or drive a terminal.
 * false: no memory. */
bool escape(struct buf *, const char *p, size_t n, size_t max);

/* Nothing in it but printing ASCII: then it can stand as it is, when its backslashes are ours. */
bool escape_none(const char *text);

#endif
