/* SPDX-License-Identifier: MIT
 * harness_zogd.c - the processes of a rig, and the links between them. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "harness_own.h"

/* ---- processes ---- */

static void
child_exec(char **argv, const struct rig_member *m, pid_t parent)
{
#ifdef __linux__
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
#else
	(void)parent;
#endif
	signal(SIGPIPE, SIG_DFL);
	if (m != NULL && m->file_limit != 0) {
		struct rlimit l;
		getrlimit(RLIMIT_FSIZE, &l);
		l.rlim_cur = m->file_limit;
		setrlimit(RLIMIT_FSIZE, &l);
	}
	unsetenv("NOTIFY_SOCKET");
	for (int i = 0; m != NULL && m->env[i] != NULL; i++)
		putenv((char *)(uintptr_t)m->env[i]);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* argv of zogd, with what ZOG_TEST_WRAP puts before it. */
static void
make_argv(char **argv, size_t max, const char *const *arg)
{
	static char wrap[1024];
	size_t n = 0;
	snprintf(wrap, sizeof wrap, "%s", getenv("ZOG_TEST_WRAP") != NULL ? getenv("ZOG_TEST_WRAP") : "");
	for (char *save, *w = strtok_r(wrap, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	argv[n++] = getenv("ZOGD");
	for (; *arg != NULL && n + 1 < max; arg++)
		argv[n++] = (char *)(uintptr_t)*arg;
	argv[n] = NULL;
}

static pid_t
spawn(const char *const *arg, const struct rig_member *m, const char *out, const char *err)
{
	char *argv[48];
	make_argv(argv, sizeof argv / sizeof *argv, arg);
	fflush(NULL);
	pid_t parent = getpid(), pid = fork();
	require(pid >= 0, "fork: %s", strerror(errno));
	if (pid != 0)
		return pid;
	int in = open("/dev/null", O_RDONLY);
	int o = open(out, O_WRONLY | O_CREAT | O_APPEND, 0666);
	int e = open(err, O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (in < 0 || o < 0 || e < 0)
		_exit(127);
	dup2(in, 0);
	dup2(o, 1);
	dup2(e, 2);
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	child_exec(argv, m, parent);
	return 0;
}

static int
code_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int
rig_run(struct ring_rig *rig, const char *const *argv, struct buf *out, struct buf *err)
{
	static int number;
	char files[2][RIG_PATH + 32];
	number++;
	snprintf(files[0], sizeof *files, "%s/run%d.stdout", rig->folder, number);
	snprintf(files[1], sizeof *files, "%s/run%d.stderr", rig->folder, number);
	pid_t pid = spawn(argv, NULL, files[0], files[1]), got;
	int status = 0;
	int64_t until = wait_until_ms(SOON);
	while ((got = waitpid(pid, &status, WNOHANG)) == 0)
		if (!wait_turn(until)) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
			rig_fail(__FILE__, __LINE__, "zogd did not end in time");
		}
	require(got == pid, "waitpid: %s", strerror(errno));
	struct buf *to[2] = { out, err };
	for (int i = 0; i < 2; i++) {
		size_t len;
		char *text = file_read(files[i], &len);
		buf_clear(to[i]);
		buf_put(to[i], text, len + 1);
		free(text);
	}
	return code_of(status);
}

void
rig_launch(struct ring_rig *rig, int i)
{
	struct rig_member *m = &rig->m[i];
	require(m->pid == 0, "%s is running", m->name);
	const char *arg[12] = { "-c", rig_path(rig, i, "zogd.conf") };
	for (int k = 0; k < 8 && m->arg[k] != NULL; k++)
		arg[2 + k] = m->arg[k];
	for (int k = 0; k < rig->size; k++) {
		rig_link_news(rig, i, k);
		rig_link_news(rig, k, i);
	}
	m->stopped = m->ending = false;
	m->pid = spawn(arg, m, rig_path(rig, i, "stdout"), rig_path(rig, i, "stderr"));
}

void
rig_wait_ready(struct ring_rig *rig, int i)
{
	struct conn c;
	wait_for(conn_try_client(&c, rig, i, 1000), SOON, "%s takes no client", rig->m[i].name);
	/* Whatever it answers, at the end it counts us no more. */
	conn_put_some(&c, "quit\r\n", 6);
	conn_drain(&c);
	conn_close(&c);
}

void
rig_start(struct ring_rig *rig, int i)
{
	rig_launch(rig, i);
	rig_wait_ready(rig, i);
}

void
rig_start_all(struct ring_rig *rig)
{
	for (int i = 0; i < rig->size; i++)
		rig_launch(rig, i);
	for (int i = 0; i < rig->size; i++)
		rig_wait_ready(rig, i);
	rig_wait_links(rig);
}

bool
rig_running(struct ring_rig *rig, int i)
{
	return rig->m[i].pid != 0;
}

bool
rig_alive(struct ring_rig *rig, int i)
{
	siginfo_t info = { .si_pid = 0 };
	return rig->m[i].pid != 0 && waitid(P_PID, (id_t)rig->m[i].pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_pid == 0;
}

/* Takes note of its end, if it has ended. */
static bool
reap(struct rig_member *m)
{
	int status;
	if (m->pid == 0 || waitpid(m->pid, &status, WNOHANG) != m->pid)
		return false;
	m->code = code_of(status);
	m->pid = 0;
	return true;
}

void
rig_check_alive(struct ring_rig *rig)
{
	for (int i = 0; i < rig->size; i++)
		if (!rig->m[i].ending && reap(&rig->m[i]))
			rig_fail(__FILE__, __LINE__, "%s ended by itself: %s %d", rig->m[i].name,
			    rig->m[i].code < 0 ? "signal" : "exit code", abs(rig->m[i].code));
}

void
rig_signal(struct ring_rig *rig, int i, int sig)
{
	require(rig->m[i].pid != 0, "%s is not running", rig->m[i].name);
	require(kill(rig->m[i].pid, sig) == 0, "kill: %s", strerror(errno));
}

void
rig_pause(struct ring_rig *rig, int i)
{
	struct rig_member *m = &rig->m[i];
	rig_signal(rig, i, SIGSTOP);
	int status = 0;
	require(waitpid(m->pid, &status, WUNTRACED) == m->pid && WIFSTOPPED(status), "%s does not stop", m->name);
	m->stopped = true;
}

void
rig_resume(struct ring_rig *rig, int i)
{
	rig->m[i].stopped = false;
	rig_signal(rig, i, SIGCONT);
}

/* From now on the peers' links to it count as up only when they say so anew. */
static void
link_news_of(struct ring_rig *rig, int i)
{
	for (int k = 0; k < rig->size; k++)
		if (k != i && rig->m[k].pid != 0)
			rig_link_news(rig, k, i);
}

void
rig_kill(struct ring_rig *rig, int i)
{
	struct rig_member *m = &rig->m[i];
	link_news_of(rig, i);
	rig_signal(rig, i, SIGKILL);
	int status;
	require(waitpid(m->pid, &status, 0) == m->pid, "waitpid: %s", strerror(errno));
	m->code = code_of(status);
	m->pid = 0;
}

void
rig_expect_exit(struct ring_rig *rig, int i)
{
	if (!rig->m[i].ending)
		link_news_of(rig, i);
	rig->m[i].ending = true;
}

int
rig_wait_exit(struct ring_rig *rig, int i, int64_t ms)
{
	struct rig_member *m = &rig->m[i];
	require(m->pid != 0, "%s is not running", m->name);
	rig_expect_exit(rig, i);
	wait_for(reap(m), ms, "%s does not end", m->name);
	return m->code;
}

static void
judge_exit(struct rig_member *m)
{
	require(m->code == 0, "%s: %s %d after TERM", m->name, m->code < 0 ? "signal" : "exit code",
	    abs(m->code));
}

/* All get the signal before the first is waited for. */
static void
stop_members(struct ring_rig *rig, uint64_t mask)
{
	for (int i = 0; i < rig->size; i++)
		if ((mask >> i & 1) != 0) {
			if (rig->m[i].stopped)
				rig_resume(rig, i);
			rig_expect_exit(rig, i);
			rig_signal(rig, i, SIGTERM);
		}
	for (int i = 0; i < rig->size; i++)
		if ((mask >> i & 1) != 0) {
			rig_wait_exit(rig, i, SOON);
			judge_exit(&rig->m[i]);
		}
}

void
rig_stop(struct ring_rig *rig, int i)
{
	if (rig->m[i].pid != 0)
		stop_members(rig, (uint64_t)1 << i);
}

void
rig_stop_all(struct ring_rig *rig)
{
	uint64_t mask = 0;
	for (int i = 0; i < rig->size; i++)
		if (rig->m[i].pid != 0)
			mask |= (uint64_t)1 << i;
	stop_members(rig, mask);
}

/* ---- links ---- */

void
rig_link_news(struct ring_rig *rig, int from, int to)
{
	struct stat st;
	rig->m[from].link_mark[to] = stat(rig_path(rig, from, "log/error.log"), &st) == 0 ? st.st_size : 0;
}

/* What error.log says of a link since its news began: that it is up now, or that it was down once. */
static bool
link_news_say(struct ring_rig *rig, int from, int to, bool down_once)
{
	char up[64], down[64];
	snprintf(up, sizeof up, "Z zogd link to %s up\n", rig->m[to].name);
	snprintf(down, sizeof down, "Z zogd link to %s down", rig->m[to].name);
	size_t len, mark = (size_t)rig->m[from].link_mark[to];
	char *text = file_read(rig_path(rig, from, "log/error.log"), &len);
	const char *at = text + (mark < len ? mark : len), *last_up = NULL, *last_down = NULL;
	for (const char *p = at; (p = strstr(p, up)) != NULL; p++)
		last_up = p;
	for (const char *p = at; (p = strstr(p, down)) != NULL; p++)
		last_down = p;
	free(text);
	if (down_once)
		return last_down != NULL;
	return last_up != NULL && (last_down == NULL || last_down < last_up);
}

bool
rig_link_up(struct ring_rig *rig, int from, int to)
{
	return link_news_say(rig, from, to, false);
}

bool
rig_link_fell(struct ring_rig *rig, int from, int to)
{
	return link_news_say(rig, from, to, true);
}

void
rig_wait_gone(struct ring_rig *rig, int member)
{
	for (int i = 0; i < rig->size; i++)
		if (i != member && rig->m[i].pid != 0)
			wait_for(rig_link_fell(rig, i, member) && !rig_link_up(rig, i, member), SOON,
			    "%s does not report its link to %s as down", rig->m[i].name, rig->m[member].name);
}

void
rig_wait_link(struct ring_rig *rig, int from, int to)
{
	wait_for(rig_link_up(rig, from, to), SOON, "%s does not report its link to %s as up", rig->m[from].name,
	    rig->m[to].name);
}

void
rig_wait_links(struct ring_rig *rig)
{
	for (int i = 0; i < rig->size; i++)
		for (int k = 0; k < rig->size; k++)
			if (i != k && rig->m[i].pid != 0 && rig->m[k].pid != 0)
				rig_wait_link(rig, i, k);
}
