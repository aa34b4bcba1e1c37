/* SPDX-License-Identifier: MIT
 * bench_proc.h - what the system tells of a process, by its pid. 0 where it does not tell. */
#ifndef ZOG_BENCH_PROC_H
#define ZOG_BENCH_PROC_H

#include <stdint.h>
#include <sys/types.h>

int64_t proc_cpu_ns(pid_t);     /* user and system time so far, exact */

struct proc_memory {
	int64_t rss, peak;      /* bytes: now, and the most so far */
};
struct proc_memory proc_memory(pid_t);

struct proc_written {
	int64_t calls;          /* bytes given to write(2) and the like; sockets' too where written to by write(2) */
	int64_t disk;           /* bytes that are to go to the disk */
};
struct proc_written proc_written(pid_t);

int64_t proc_machine_ns(void);  /* CPU time that all processes had, in steps of 10 ms or so */

#endif
