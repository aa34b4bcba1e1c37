/* SPDX-License-Identifier: MIT */
#include "bench_proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

int64_t
proc_cpu_ns(pid_t pid)
{
	clockid_t clock;
	struct timespec t;
	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
		return 0;
	return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
}

/* The number behind `key` in /proc/PID/file. */
static int64_t
number(pid_t pid, const char *file, const char *key)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	char *text = text_slurp(path, 65536, NULL);
	if (text == NULL)
		return 0;
	const char *at = strstr(text, key);
	int64_t n = at != NULL ? strtoll(at + strlen(key), NULL, 10) : 0;
	free(text);
	return n;
}

struct proc_memory
proc_memory(pid_t pid)
{
	return (struct proc_memory){ number(pid, "status", "\nVmRSS:") * 1024,
		number(pid, "status", "\nVmHWM:") * 1024 };
}

struct proc_written
proc_written(pid_t pid)
{
	return (struct proc_written){ number(pid, "io", "\nwchar:"),
		number(pid, "io", "\nwrite_bytes:") };
}

int64_t
proc_machine_ns(void)
{
	long long user = 0, nice = 0, system = 0, irq = 0, softirq = 0, steal = 0;
	char *text = text_slurp("/proc/stat", 1 << 20, NULL);
	if (text == NULL)
		return 0;
	int n = sscanf(text, "cpu %lld %lld %lld %*d %*d %lld %lld %lld", &user, &nice, &system,
	    &irq, &softirq, &steal);
	free(text);
	int64_t ticks = user + nice + system + irq + softirq + steal;
	return n < 5 ? 0 : ticks * (1000000000 / sysconf(_SC_CLK_TCK));
}
