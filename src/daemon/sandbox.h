/* SPDX-License-Identifier: MIT
 * sandbox.h - what zogd gives up for good once its ports and files are open: system calls that a log daemon never makes, and
 * files that are none of its business. By the main thread, before the others are there; they inherit it.
 *
 * It is a second wall, for the day on which the first one has a hole. */
#ifndef ZOG_DAEMON_SANDBOX_H
#define ZOG_DAEMON_SANDBOX_H

#include "base/buf.h"
#include "daemon/conf.h"

/* Under sanitizers, which fork and trace, neither is the default. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__ || __has_feature(address_sanitizer) || \
    __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANDBOX_PRESET "no"
#else
#define SANDBOX_PRESET "yes"
#endif

enum sandbox_right {
	SANDBOX_READ,           /* files and folders */
	SANDBOX_DEVICE,         /* reading and writing what is there */
	SANDBOX_RUN,            /* pidfile and socket: made and removed */
	SANDBOX_KEEP,           /* files read, written, made, renamed, removed */
};

/* What may be done beneath a folder, or with a file. */
struct sandbox_path {
	const char        *path;        /* what is not there is passed over */
	enum sandbox_right right;
};

/* Refuses system calls with EPERM. 0, or -1 with errno: ENOSYS on processors whose calls are not known here. Both need
 * PR_SET_NO_NEW_PRIVS to be set. */
int sandbox_seccomp(void);
/* From now on these paths only. The version of Landlock that the kernel has, 0: none; -1 with errno. */
int sandbox_landlock(const struct sandbox_path *, int count);

/* Both, as the settings want it; conf_file: where they came from, NULL: no file. said: what is in force by now, a line without its
 * end. What a kernel does not have is no error. */
void sandbox_enter(const struct conf *, const char *conf_file, struct buf *said);

/* Numbers of the calls that are refused, whatever their arguments. */
extern const int sandbox_refused[];
extern const int sandbox_refused_count;

#endif
