/* SPDX-License-Identifier: MIT
 * harness_files.c - small things about files, and what the system tells of a process. */
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"

static void
write_file(const char *path, const char *text, int flags)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
	require(fd >= 0, "%s: %s", path, strerror(errno));
	size_t len = strlen(text);
	ssize_t n = write(fd, text, len);
	require(n == (ssize_t)len, "%s: %s", path, strerror(errno));
	close(fd);
}

void
file_write(const char *path, const char *text)
{
	write_file(path, text, O_TRUNC);
}

void
file_append(const char *path, const char *text)
{
	write_file(path, text, O_APPEND);
}

char *
file_read(const char *path, size_t *len)
{
	size_t n = 0;
	char *text = text_slurp(path, (size_t)1 << 30, &n);
	if (text == NULL) {
		text = calloc(1, 1);
		n = 0;
	}
	if (len != NULL)
		*len = n;
	return text;
}

int
file_count(const char *path, const char *text)
{
	size_t len, size = strlen(text);
	char *all = file_read(path, &len), *at = all;
	int n = 0;
	while ((at = memmem(at, len - (size_t)(at - all), text, size)) != NULL) {
		n++;
		at += size;
	}
	free(all);
	return n;
}

bool
file_has(const char *path, const char *text)
{
	return file_count(path, text) != 0;
}

bool
file_exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

void
folder_copy(const char *from, const char *to)
{
	require(run_tool("rm", "-rf", to, NULL) == 0 && run_tool("cp", "-a", from, to, NULL) == 0, "cannot copy %s", from);
}

void
folder_empty(const char *path)
{
	require(run_tool("rm", "-rf", path, NULL) == 0 && mkdir(path, 0755) == 0, "cannot empty %s", path);
}

/* ---- processes ---- */

int
run_tool(const char *name, ...)
{
	const char *arg[12] = { name };
	va_list ap;
	va_start(ap, name);
	for (int i = 1; i < 11 && (arg[i] = va_arg(ap, const char *)) != NULL; i++)
		continue;
	va_end(ap);
	fflush(NULL);
	pid_t pid = fork();
	require(pid >= 0, "fork: %s", strerror(errno));
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		execvp(name, (char *const *)(uintptr_t)arg);
		_exit(127);
	}
	int status;
	require(waitpid(pid, &status, 0) == pid, "waitpid: %s", strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

long
proc_cpu_ms(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	char *text = file_read(path, NULL), *after = strrchr(text, ')');
	long user, system, ms = -1;
	if (after != NULL && sscanf(after + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld",
	    &user, &system) == 2)
		ms = (user + system) * 1000 / sysconf(_SC_CLK_TCK);
	free(text);
	return ms;
}

long
proc_rss_kb(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	char *text = file_read(path, NULL), *at = strstr(text, "\nVmRSS:");
	long kb = at != NULL ? strtol(at + 7, NULL, 10) : -1;
	free(text);
	return kb;
}

long
proc_fds(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	DIR *d = opendir(path);
	if (d == NULL)
		return -1;
	long n = 0;
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}
