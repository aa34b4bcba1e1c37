/* SPDX-License-Identifier: MIT
 * harness_trace.c - strace, to make system calls of a member fail, wait, or kill. */
#include "harness.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <signal.h>
#include <sys/prctl.h>
#endif

pid_t
rig_inject(struct ring_rig *r, int member, const char *rule)
{
	char pid_text[24], trace[64], inject[160], out[RIG_PATH + 16];
	snprintf(pid_text, sizeof pid_text, "%d", (int)r->m[member].pid);
	snprintf(trace, sizeof trace, "trace=%.*s", (int)strcspn(rule, ":"), rule);
	snprintf(inject, sizeof inject, "inject=%s", rule);
	snprintf(out, sizeof out, "%s/strace", r->folder);
	unlink(out);
	fflush(NULL);
	pid_t parent = getpid(), pid = fork();
	require(pid >= 0, "fork: %s", strerror(errno));
	if (pid == 0) {
#ifdef __linux__
		prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
		if (getppid() != parent || freopen(out, "w", stderr) == NULL)
			_exit(127);
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		execlp("strace", "strace", "-f", "-o", "/dev/null", "-e", trace, "-e", inject, "-p", pid_text, (char *)NULL);
		_exit(127);
	}
	int status;
	int64_t until = wait_until_ms(SOON);
	while (!file_has(out, " attached")) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return -1;
		require(wait_turn(until), "strace does not attach");
	}
	return pid;
}
