/* SPDX-License-Identifier: MIT
 * thread.h - the name of a thread, as ps -L, top -H and perf show it. */
#ifndef ZOG_BASE_THREAD_H
#define ZOG_BASE_THREAD_H

#ifdef __linux__
#include <sys/prctl.h>
#endif

/* Of the calling thread; what is longer than 15 bytes is cut. */
static inline void
thread_name(const char *name)
{
#ifdef __linux__
	prctl(PR_SET_NAME, name);
#else
	(void)name;
#endif
}

#endif
