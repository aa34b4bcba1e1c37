/* SPDX-License-Identifier: MIT
 * harness_rig.c - the rig: folder, addresses, configuration, processes. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "base/clock.h"
#include "harness_own.h"

/* ---- addresses ---- */

void
rig_addr(struct addr *a, const char *host, uint16_t port)
{
	const char *why;
	require(net_resolve(host, port, true, a, 1, &why) == 1, "%s: %s", host, why);
}

/* Whether a listener could be there; *port 0 takes any free one, and says which. */
static bool
can_listen(const char *host, uint16_t *port)
{
	struct addr a;
	rig_addr(&a, host, *port);
	int fd = net_listen(&a);
	if (fd < 0)
		return false;
	addr_of_self(fd, &a);
	*port = addr_port(&a);
	close(fd);
	return true;
}

/* A name in the abstract space lasts as long as its socket: no other run takes the same block. */
static bool
claim_block(struct ring_rig *rig)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int n = snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "zog-test-%s", rig->block);
	rig->claim = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	if (rig->claim >= 0 && bind(rig->claim, (struct sockaddr *)&a, len) == 0)
		return true;
	close(rig->claim);
	rig->claim = -1;
	return false;
}

static void
choose_block(struct ring_rig *rig)
{
	uint16_t any = 0;
	rig->own_addresses = getenv("ZOG_TEST_ONE_ADDRESS") == NULL && can_listen("127.64.0.1", &any);
	if (!rig->own_addresses)
		return;
	unsigned seed = (unsigned)getpid() * 2654435761u ^ (unsigned)clock_real_ms();
	for (int tries = 0; tries < 100; tries++) {
		unsigned r = (unsigned)rand_r(&seed);
		snprintf(rig->block, sizeof rig->block, "127.%u.%u", 64 + r % 187, (r >> 10) % 256);
		if (claim_block(rig))
			return;
	}
	rig_fail(__FILE__, __LINE__, "no block of loopback addresses is free");
}

static void
choose_address(struct ring_rig *rig, int i)
{
	struct rig_member *m = &rig->m[i];
	snprintf(m->host, sizeof m->host, "127.0.0.1");
	if (rig->own_addresses) {
		snprintf(m->host, sizeof m->host, "%s.%d", rig->block, i + 1);
		m->peer_port = 55551;
		m->client_port = 55552;
		if (can_listen(m->host, &m->peer_port) && can_listen(m->host, &m->client_port))
			return;
	}
	m->peer_port = m->client_port = 0;
	require(can_listen(m->host, &m->peer_port), "%s: no free port", m->host);
	do {
		m->client_port = 0;
		require(can_listen(m->host, &m->client_port), "%s: no free port", m->host);
	} while (m->client_port == m->peer_port);
}

const char *
rig_stranger(struct ring_rig *rig, int n, char text[64])
{
	if (rig->own_addresses)
		snprintf(text, 64, "%s.%d", rig->block, 200 + n);
	else
		snprintf(text, 64, "127.0.0.1");
	return text;
}

/* ---- folder and files ---- */

/* Paths that were asked for; there are few different ones, and callers keep them. */
static struct path {
	struct path *next;
	char         text[RIG_PATH * 2];
} *paths;

static void
forget_paths(void)
{
	while (paths != NULL) {
		struct path *p = paths;
		paths = p->next;
		free(p);
	}
}

const char *
rig_path(struct ring_rig *rig, int i, const char *file)
{
	char text[RIG_PATH * 2];
	snprintf(text, sizeof text, "%s/%s", rig->m[i].folder, file);
	for (struct path *p = paths; p != NULL; p = p->next)
		if (strcmp(p->text, text) == 0)
			return p->text;
	struct path *p = malloc(sizeof *p);
	require(p != NULL, "out of memory");
	memcpy(p->text, text, sizeof text);
	p->next = paths;
	paths = p;
	return p->text;
}

static void
make_folder(const char *path)
{
	require(mkdir(path, 0755) == 0, "%s: %s", path, strerror(errno));
}

static void
name_member(struct rig_member *m, int i)
{
	static const char *const names[] = { "mv", "pa", "g", "la", "s" };
	if (i < 5)
		snprintf(m->name, sizeof m->name, "%s", names[i]);
	else
		snprintf(m->name, sizeof m->name, "m-%d", i);
}

void
rig_write_ring(struct ring_rig *rig, int members)
{
	struct buf b = BUF_INIT;
	buf_puts(&b, "# NAME ADDRESS PEER-PORT CLIENT-PORT\n");
	for (int i = 0; i < members; i++) {
		struct rig_member *m = &rig->m[i];
		buf_printf(&b, "%-4s %s %u %u\n", m->name, m->host, m->peer_port, m->client_port);
	}
	buf_put(&b, "", 1);
	file_write(rig->ring_file, buf_begin(&b));
	buf_fini(&b);
}

void
rig_conf(struct ring_rig *rig, int i, const char *lines)
{
	file_append(rig_path(rig, i, "zogd.conf"), lines);
}

static void
make_member(struct ring_rig *rig, int i, const char *conf)
{
	struct rig_member *m = &rig->m[i];
	snprintf(m->folder, sizeof m->folder, "%.400s/%s", rig->folder, m->name);
	make_folder(m->folder);
	make_folder(rig_path(rig, i, "log"));
	make_folder(rig_path(rig, i, "state"));
	struct buf b = BUF_INIT;
	buf_printf(&b, "member = %s\nring = %s\n", m->name, rig->ring_file);
	buf_printf(&b, "log-dir = %s\n", rig_path(rig, i, "log"));
	buf_printf(&b, "state-dir = %s\n", rig_path(rig, i, "state"));
	buf_printf(&b, "control = %s\n", rig_path(rig, i, "zogd.sock"));
	buf_puts(&b, conf != NULL ? conf : "");
	buf_put(&b, "", 1);
	file_write(rig_path(rig, i, "zogd.conf"), buf_begin(&b));
	buf_fini(&b);
}

static void
at_exit(void)
{
	if (rig_now != NULL && rig_now->owner == getpid())
		rig_abandon();
}

void
rig_make(struct ring_rig *rig, int members, const char *conf)
{
	static bool registered;
	if (rig_now != NULL)            /* with CK_FORK=no, of a test that failed */
		rig_abandon();
	if (!registered)
		atexit(at_exit);
	registered = true;

	memset(rig, 0, sizeof *rig);
	rig->claim = -1;
	rig->owner = getpid();
	const char *tmp = getenv("TMPDIR");
	snprintf(rig->folder, sizeof rig->folder, "%.300s/zog-ring.XXXXXX",
	    tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
	require(mkdtemp(rig->folder) != NULL, "%s: %s", rig->folder, strerror(errno));
	rig_now = rig;
	rig->size = members;
	snprintf(rig->ring_file, sizeof rig->ring_file, "%s/ring", rig->folder);
	choose_block(rig);
	for (int i = 0; i < members; i++) {
		name_member(&rig->m[i], i);
		choose_address(rig, i);
	}
	rig_write_ring(rig, members);
	for (int i = 0; i < members; i++)
		make_member(rig, i, conf);
}

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
		/* The tests are about failing writes, not about the signal. */
		signal(SIGXFSZ, SIG_IGN);
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
	rig->m[i].ending = true;
	link_news_of(rig, i);
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
			wait_for(rig_link_fell(rig, i, member), SOON, "%s does not report its link to %s as down",
			    rig->m[i].name, rig->m[member].name);
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

/* ---- the end ---- */

static void
remove_folder(const char *path)
{
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		execlp("rm", "rm", "-rf", path, (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void
judge_stderr(struct ring_rig *rig, int i)
{
	static const char *const signs[] = { "Sanitizer", "runtime error:", "Assertion" };
	for (size_t k = 0; k < sizeof signs / sizeof *signs; k++)
		require(!file_has(rig_path(rig, i, "stderr"), signs[k]), "%s: '%s' on stderr", rig->m[i].name,
		    signs[k]);
}

void
rig_done(struct ring_rig *rig)
{
	rig->pump = NULL;
	rig_stop_all(rig);
	for (int i = 0; i < rig->size; i++)
		judge_stderr(rig, i);
	close(rig->claim);
	rig_now = NULL;
	forget_paths();
	if (getenv("KEEP") == NULL)
		remove_folder(rig->folder);
}

void
rig_abandon(void)
{
	struct ring_rig *rig = rig_now;
	rig_now = NULL;
	for (int i = 0; i < rig->size; i++)
		if (rig->m[i].pid != 0) {
			kill(rig->m[i].pid, SIGKILL);
			waitpid(rig->m[i].pid, NULL, 0);
			rig->m[i].pid = 0;
		}
	if (rig->claim >= 0)
		close(rig->claim);
}
