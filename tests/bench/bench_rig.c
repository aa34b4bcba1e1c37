/* SPDX-License-Identifier: MIT
 * bench_rig.c - folder, addresses, configuration and processes of one ring. */
#include "bench_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/net.h"
#include "base/text.h"
#include "bench_proc.h"

enum { PEER_PORT = 55551, CLIENT_PORT = 55552, SOON_S = 60 };

static struct rig *rig_now;     /* to be ended when we are */

/* ---- processes ---- */

static void
child(const char *const argv[], int in, int out, const char *err, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	int null = open("/dev/null", O_RDWR);
	dup2(in >= 0 ? in : null, 0);
	dup2(out >= 0 ? out : null, 1);
	int e = err != NULL ? open(err, O_WRONLY | O_CREAT | O_APPEND, 0666) : -1;
	if (e >= 0)
		dup2(e, 2);
	/* All of ours are close-on-exec. */
	unsetenv("NOTIFY_SOCKET");
	signal(SIGPIPE, SIG_DFL);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

pid_t
rig_spawn(const char *const argv[], int in, int out, const char *err)
{
	fflush(NULL);
	pid_t parent = getpid(), pid = fork();
	if (pid < 0)
		bench_die("fork: %s", strerror(errno));
	if (pid == 0)
		child(argv, in, out, err, parent);
	return pid;
}

void
rig_reap(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* What it said last, as the reason. */
static void
died(struct rig *rig, int i)
{
	char path[BENCH_PATH + 32];
	struct member *m = &rig->m[i];
	snprintf(path, sizeof path, "%s/stderr", m->folder);
	char *said = text_slurp(path, 65536, NULL);
	bench_die("member %s has ended: %.400s", m->name,
	    said != NULL && *said != '\0' ? said : "it did not say why");
}

void
rig_check(struct rig *rig)
{
	for (int i = 0; i < rig->size; i++)
		if (rig->m[i].pid != 0 && waitpid(rig->m[i].pid, NULL, WNOHANG) == rig->m[i].pid) {
			rig->m[i].pid = 0;
			died(rig, i);
		}
}

static int64_t
deadline(void)
{
	return now_ns() + (int64_t)(SOON_S * bench_setting("ZOG_TEST_SLOW", 1) * 1e9);
}

void
rig_stop(struct rig *rig, int i)
{
	struct member *m = &rig->m[i];
	int64_t until = deadline();
	kill(m->pid, SIGTERM);
	while (waitpid(m->pid, NULL, WNOHANG) == 0) {
		if (now_ns() > until)
			bench_die("member %s does not stop", m->name);
		nap_us(1000);
	}
	m->pid = 0;
}

int64_t
rig_cpu_ns(const struct rig *rig)
{
	int64_t ns = 0;
	for (int i = 0; i < rig->size; i++)
		if (rig->m[i].pid != 0)
			ns += proc_cpu_ns(rig->m[i].pid);
	return ns;
}

/* ---- folder and addresses ---- */

static void print(char *to, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Parts of a rig are made of other parts: gcc thinks that they might overlap. */
static void
print(char *to, size_t size, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(to, size, fmt, ap);
	va_end(ap);
}

static void
remove_folder(const char *path)
{
	const char *argv[] = { "/bin/rm", "-rf", path, NULL };
	pid_t pid = rig_spawn(argv, -1, -1, NULL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void
at_exit(void)
{
	if (rig_now != NULL)
		rig_end(rig_now);
}

/* A name in the abstract space lasts as long as its socket: no other run takes the same block. */
static bool
claim_block(struct rig *rig)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int n = snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "zog-test-%s", rig->block);
	rig->claim = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	if (rig->claim >= 0 && bind(rig->claim, (struct sockaddr *)&a, len) == 0)
		return true;
	close(rig->claim);
	return false;
}

static void
choose_block(struct rig *rig)
{
	static unsigned seed;
	if (seed == 0)
		seed = (unsigned)getpid() * 2654435761u ^ (unsigned)now_ns();
	for (int tries = 0; tries < 100; tries++) {
		unsigned r = (unsigned)rand_r(&seed);
		print(rig->block, sizeof rig->block, "127.%u.%u", 64 + r % 187, (r >> 10) % 256);
		if (claim_block(rig))
			return;
	}
	bench_die("no block of loopback addresses is free");
}

static void
make_folder(const char *path)
{
	if (mkdir(path, 0755) < 0)
		bench_die("%s: %s", path, strerror(errno));
}

static void
make(struct rig *rig, enum rig_kind kind, const char *program, int members)
{
	static const char *const names[] = { "mv", "pa", "g", "la", "s" };
	static bool registered;
	if (!registered)
		atexit(at_exit);
	registered = true;
	memset(rig, 0, sizeof *rig);
	rig->kind = kind;
	rig->program = program;
	rig->size = members;
	choose_block(rig);
	const char *tmp = getenv("TMPDIR");
	print(rig->folder, sizeof rig->folder, "%.300s/zog-bench.XXXXXX",
	    tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
	if (mkdtemp(rig->folder) == NULL)
		bench_die("%s: %s", rig->folder, strerror(errno));
	rig_now = rig;
	for (int i = 0; i < members; i++) {
		struct member *m = &rig->m[i];
		m->tally.fd = -1;
		if (i < 5)
			print(m->name, sizeof m->name, "%s", names[i]);
		else
			print(m->name, sizeof m->name, "m%d", i);
		print(m->host, sizeof m->host, "%s.%d", rig->block, i + 1);
		print(m->folder, sizeof m->folder, "%.400s/%s", rig->folder, m->name);
		make_folder(m->folder);
	}
}

void
rig_end(struct rig *rig)
{
	rig_now = NULL;
	for (int i = 0; i < rig->size; i++) {
		if (rig->m[i].pid != 0)
			rig_reap(rig->m[i].pid);
		rig->m[i].pid = 0;
		tally_close(&rig->m[i].tally);
	}
	close(rig->claim);
	if (getenv("KEEP") == NULL)
		remove_folder(rig->folder);
}

static void
wait_file(struct rig *rig, int i, enum tally_form form)
{
	int64_t until = deadline();
	while (!tally_open(&rig->m[i].tally, rig->m[i].file, form)) {
		rig_check(rig);
		if (now_ns() > until)
			bench_die("%s: %s", rig->m[i].file, strerror(errno));
		nap_us(1000);
	}
}

/* ---- zogd ---- */

static FILE *
create(const char *path)
{
	FILE *f = fopen(path, "we");
	if (f == NULL)
		bench_die("%s: %s", path, strerror(errno));
	return f;
}

static void
write_confs(struct rig *rig, const char *conf)
{
	char path[BENCH_PATH + 32];
	snprintf(path, sizeof path, "%s/ring", rig->folder);
	FILE *f = create(path);
	for (int i = 0; i < rig->size; i++)
		fprintf(f, "%s %s %d %d\n", rig->m[i].name, rig->m[i].host, PEER_PORT, CLIENT_PORT);
	fclose(f);
	for (int i = 0; i < rig->size; i++) {
		struct member *m = &rig->m[i];
		snprintf(path, sizeof path, "%s/zogd.conf", m->folder);
		f = create(path);
		fprintf(f,
		    "member = %s\nring = %s/ring\nlog-dir = %s\nstate-dir = %s/state\ncontrol = %s/sock\n%s",
		    m->name, rig->folder, m->folder, m->folder, m->folder,
		    conf != NULL ? conf : "");
		fclose(f);
		print(m->file, sizeof m->file, "%s/access.log", m->folder);
		print(m->target, sizeof m->target, "%s:%d", m->host, CLIENT_PORT);
	}
}

void
rig_launch(struct rig *rig, int i)
{
	char conf[BENCH_PATH + 32], err[BENCH_PATH + 32];
	struct member *m = &rig->m[i];
	snprintf(conf, sizeof conf, "%s/zogd.conf", m->folder);
	snprintf(err, sizeof err, "%s/stderr", m->folder);
	const char *argv[] = { rig->program, "-c", conf, NULL };
	m->pid = rig_spawn(argv, -1, -1, err);
}

bool
rig_ready(struct rig *rig, int i)
{
	struct addr a;
	const char *why;
	rig_check(rig);
	if (net_resolve(rig->m[i].host, CLIENT_PORT, true, &a, 1, &why) != 1)
		bench_die("%s: %s", rig->m[i].host, why);
	int fd = net_connect(&a, NULL, 1000);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* As error.log says, of a ring that has just been made. */
static bool
linked(const struct rig *rig, int i)
{
	char path[BENCH_PATH + 32], up[64];
	snprintf(path, sizeof path, "%s/error.log", rig->m[i].folder);
	char *text = text_slurp(path, 1 << 24, NULL);
	bool all = text != NULL;
	for (int k = 0; all && k < rig->size; k++) {
		snprintf(up, sizeof up, " link to %s up\n", rig->m[k].name);
		all = k == i || strstr(text, up) != NULL;
	}
	free(text);
	return all;
}

void
rig_zogd(struct rig *rig, const char *program, int members, const char *conf)
{
	make(rig, RIG_ZOGD, program, members);
	write_confs(rig, conf);
	for (int i = 0; i < members; i++)
		rig_launch(rig, i);
	int64_t until = deadline();
	for (int i = 0; i < members; i++)
		while (!rig_ready(rig, i) || !linked(rig, i)) {
			if (now_ns() > until)
				bench_die("member %s is not linked to all others", rig->m[i].name);
			nap_us(2000);
		}
	for (int i = 0; i < members; i++)
		wait_file(rig, i, TALLY_LOG);
}

/* ---- raw ---- */

static void
launch_raw(struct rig *rig, int i)
{
	/* Who follows whom. */
	static const int next[5][2] = { { 1, 2 }, { 3, -1 }, { 4, -1 }, { -1, -1 }, { -1, -1 } };
	char program[BENCH_PATH + 32], err[BENCH_PATH + 32];
	struct member *m = &rig->m[i];
	snprintf(program, sizeof program, "%s/rawring", bench.here);
	snprintf(err, sizeof err, "%s/stderr", m->folder);
	const char *lines = i == 0 ? "first" : "line", *mode = rig->kind == RIG_RAW ? "raw" : lines;
	const char *argv[8] = { program, mode, m->file, m->target };
	for (int k = 0, n = 4; k < 2; k++)
		if (next[i][k] >= 0)
			argv[n++] = rig->m[next[i][k]].target;
	m->pid = rig_spawn(argv, -1, -1, err);
}

void
rig_raw(struct rig *rig, enum rig_kind kind)
{
	make(rig, kind, NULL, 5);
	for (int i = 0; i < rig->size; i++) {
		struct member *m = &rig->m[i];
		print(m->file, sizeof m->file, "%s/raw", m->folder);
		print(m->target, sizeof m->target, "%s:%d", m->host, CLIENT_PORT);
	}
	for (int i = 0; i < rig->size; i++)
		launch_raw(rig, i);
	for (int i = 0; i < rig->size; i++)
		wait_file(rig, i, kind == RIG_RAW ? TALLY_RAW : TALLY_PREFIX);
}
