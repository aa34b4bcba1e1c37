/* SPDX-License-Identifier: MIT
 * 40-faults.c - a peer that vanished behind a cut, a link that is slow, disks that are slow, without inodes or read-only, a
 * clock that jumps, memory and threads that are out, very many starts, and very many clients that say nothing. */
#include "harness_numbered.h"
#include "proxy_rig.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"

static const char quick[] = "reconnect-max = 0.5\npeer-timeout = 1\nack-timeout = 2\n";

static void
judge(struct numbered *l, const char *what)
{
	numbered_halt(l);
	numbered_wait_logged(l, 0);
	rig_stop_all(&rig);
	numbered_require(l, rig_all(&rig), what);
	numbered_fini(l);
}

/* ---- the network ---- */

/* It dies and starts anew where nobody can see it: no FIN, no RST, and the connections of before stand on the other side. */
START_TEST(a_peer_that_vanished)
{
	struct numbered l;
	if (!up_with_proxies(quick))
		return;
	numbered_init(&l, &rig, 'a', 4, 200000);
	l.every_ms = 3;
	l.patience_ms = 2000;
	for (int i = 0; i < 4; i++)
		numbered_place(&l, i, i, 0x0f);
	numbered_pump(&l);
	numbered_wait_settled(&l, 200);
	for (int i = 0; i < 4; i++)
		set_cut_both(i, 4, true);
	rig_kill(&rig, 4);
	numbered_wait_settled(&l, 200);
	rig_launch(&rig, 4);
	rig_wait_ready(&rig, 4);
	numbered_wait_settled(&l, 500);
	for (int i = 0; i < 4; i++)
		set_cut_both(i, 4, false);
	numbered_wait_settled(&l, 200);
	judge(&l, "a peer that vanished");
	done();
}
END_TEST

/* One link takes 40 KB a second. What waits for it is bounded, the rest is pulled, and nobody else is slower for it. */
START_TEST(a_slow_link)
{
	struct numbered l;
	if (!up_with_proxies("reconnect-max = 0.5\nqueue-limit = 256K\npeer-timeout = 30\n"))
		return;
	atomic_store(&control[0][1].rate, 200);
	numbered_init(&l, &rig, 'a', 4, slow_count(5000));
	l.least = 300;
	l.most = 400;
	l.window = 200;
	for (int i = 0; i < 4; i++)
		numbered_place(&l, i, 0, 1);
	numbered_run(&l);
	numbered_wait_logged(&l, 0x1d);
	log_wait_error(&rig, 0, "is full: it gets no further message");
	long rss_kb = proc_rss_kb(rig.m[0].pid);
	require(sanitized() || rss_kb < 64 * 1024, "%ld KB resident", rss_kb);
	atomic_store(&control[0][1].rate, 0);
	judge(&l, "a slow link");
	done();
}
END_TEST

/* ---- disks ---- */

/* Each write to the journal of all members takes 20 ms more: fewer messages, and that is all. */
START_TEST(slow_disks)
{
	struct numbered l;
	pid_t tracer[3];
	rig_up(&rig, 3, NULL);
	for (int i = 0; i < 3; i++) {
		tracer[i] = rig_inject(&rig, i, "pwritev:delay_enter=20ms");
		if (tracer[i] < 0) {
			story_skip("strace is not there, or may not attach");
			rig_down(&rig);
			return;
		}
	}
	numbered_init(&l, &rig, 'a', 6, slow_count(300));
	l.ack = "all";
	l.window = 100;
	l.steady = true;
	numbered_run(&l);
	for (int i = 0; i < 3; i++)
		require(sanitized() || proc_rss_kb(rig.m[i].pid) < 64 * 1024, "%ld KB resident", proc_rss_kb(rig.m[i].pid));
	for (int i = 0; i < 3; i++) {
		kill(tracer[i], SIGINT);
		waitpid(tracer[i], NULL, 0);
	}
	judge(&l, "slow disks");
	rig_down(&rig);
}
END_TEST

/* fdatasync fails once: what it was for is not told to be there, and is in the end. */
START_TEST(a_sync_that_fails)
{
	struct numbered l;
	rig_up(&rig, 3, "sync = always\nreconnect-max = 0.5\n");
	pid_t tracer = rig_inject(&rig, 0, "fdatasync:error=EIO:when=5+40");
	if (tracer < 0) {
		story_skip("strace is not there, or may not attach");
		rig_down(&rig);
		return;
	}
	numbered_init(&l, &rig, 'a', 3, slow_count(400));
	l.ack = "majority";
	l.patience_ms = 3000;
	numbered_run(&l);
	kill(tracer, SIGINT);
	waitpid(tracer, NULL, 0);
	require(log_error_has(&rig, 0, "Input/output error"), "the failure is not reported");
	judge(&l, "a sync that fails");
	rig_down(&rig);
}
END_TEST

/* A file system of this mount's options on a folder of member 0, gone with this process. */
static bool
mount_on(const char *folder, const char *options)
{
	const char *path = rig_path(&rig, 0, folder);
	mkdir(path, 0755);
	if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("tmpfs", path, "tmpfs", 0, options) == 0)
		return true;
	story_skip("no file system may be mounted");
	rig_done(&rig);
	return false;
}

/* No new file can be made, neither a segment nor a log: what is open goes on, and when there are inodes again all is as it was. */
START_TEST(no_inodes)
{
	struct numbered l;
	rig_make(&rig, 2, "journal-segment = 64K\njournal-limit = 256K\nack-timeout = 2\nreconnect-max = 0.5\n");
	if (!mount_on("state", "size=8m,nr_inodes=12"))
		return;
	rig_start_all(&rig);
	char path[RIG_PATH + 32];
	int taken = 0;
	for (int fd; snprintf(path, sizeof path, "%s/ballast%d", rig_path(&rig, 0, "state"), taken) > 0 &&
	    (fd = open(path, O_CREAT | O_WRONLY, 0600)) >= 0; taken++)
		close(fd);
	numbered_init(&l, &rig, 'a', 2, slow_count(3000));
	l.window = 50;
	l.patience_ms = 1000;
	numbered_pump(&l);
	wait_for(log_error_has(&rig, 0, "No space left"), SOON, "it does not say so");
	while (taken-- > 0) {
		snprintf(path, sizeof path, "%s/ballast%d", rig_path(&rig, 0, "state"), taken);
		unlink(path);
	}
	numbered_run(&l);
	judge(&l, "no inodes");
	umount2(rig_path(&rig, 0, "state"), MNT_DETACH);
	rig_down(&rig);
}
END_TEST

/* A folder for logs that nothing can be written to is found at the start; while it runs, the file that is open stays. */
START_TEST(read_only)
{
	rig_make(&rig, 1, NULL);
	if (!mount_on("log", "size=1m"))
		return;
	char path[RIG_PATH], old[RIG_PATH + 8];
	snprintf(path, sizeof path, "%s", rig_path(&rig, 0, "log"));
	rig_start(&rig, 0);
	rig_say(&rig, 0, "before");
	/* A bind mount that is read-only leaves open files as they are. */
	require(mount(path, path, NULL, MS_BIND, NULL) == 0 &&
	    mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) == 0, "mount: %s", strerror(errno));
	rig_signal(&rig, 0, SIGHUP);
	struct conn c;
	conn_client(&c, &rig, 0);
	conn_puts(&c, "read-only by now\r\n");
	conn_expect(&c, "ok");
	conn_close(&c);
	log_wait_once(&rig, 1, "read-only by now");
	rig_stop(&rig, 0);
	/* Now there is nothing that is open. */
	const char *const argv[] = { "-c", rig_path(&rig, 0, "zogd.conf"), NULL };
	struct buf out = BUF_INIT, err = BUF_INIT;
	int code = rig_run(&rig, argv, &out, &err);
	require(code == 73, "exit code %d: %.*s", code, (int)err.len, err.data);
	buf_fini(&out);
	buf_fini(&err);
	require(umount2(path, MNT_DETACH) == 0, "umount: %s", strerror(errno));
	rig_start(&rig, 0);
	rig_say(&rig, 0, "after");
	snprintf(old, sizeof old, "%s", path);
	rig_stop(&rig, 0);
	umount2(old, MNT_DETACH);
	rig_done(&rig);
}
END_TEST

/* ---- the clock ---- */

/* A library that moves CLOCK_REALTIME by the seconds in a file, for one member. */
static const char clock_source[] =
    "#define _GNU_SOURCE\n#include <time.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n#include <sys/syscall.h>\n"
    "int clock_gettime(clockid_t c, struct timespec *t)\n{\n\tlong off = 0;\n\tint r = (int)syscall(SYS_clock_gettime, c, t);\n"
    "\tFILE *f = c == CLOCK_REALTIME ? fopen(getenv(\"ZOG_CLOCK\"), \"r\") : NULL;\n"
    "\tif (f != NULL) {\n\t\tif (fscanf(f, \"%ld\", &off) == 1)\n\t\t\tt->tv_sec += off;\n\t\tfclose(f);\n\t}\n\treturn r;\n}\n";

START_TEST(a_clock_that_jumps)
{
	static const char *const jumps[] = { "31536000", "-31536000", "60", "-1795190000", "2500000000", "0" };
	static char preload[RIG_PATH + 64], clock_env[RIG_PATH + 64];
	char source[RIG_PATH + 32], library[RIG_PATH + 32], offset[RIG_PATH + 32];
	struct numbered l;
	rig_make(&rig, 3, "keep-alive = 2\nreconnect-max = 0.5\n");
	snprintf(source, sizeof source, "%s/clock.c", rig.folder);
	snprintf(library, sizeof library, "%s/clock.so", rig.folder);
	snprintf(offset, sizeof offset, "%s/clock.offset", rig.folder);
	file_write(source, clock_source);
	file_write(offset, "0");
	const char *cc = getenv("CC");
	if (sanitized() || run_tool(cc != NULL && strchr(cc, ' ') == NULL ? cc : "cc", "-shared", "-fPIC", "-o", library, source, NULL) != 0) {
		story_skip("no library can be put before the system's");
		rig_done(&rig);
		return;
	}
	snprintf(preload, sizeof preload, "LD_PRELOAD=%s", library);
	snprintf(clock_env, sizeof clock_env, "ZOG_CLOCK=%s", offset);
	rig.m[1].env[0] = preload;
	rig.m[1].env[1] = clock_env;
	rig_start_all(&rig);
	numbered_init(&l, &rig, 'a', 3, 200000);
	l.every_ms = 4;
	l.steady = true;
	for (int i = 0; i < 3; i++)
		numbered_place(&l, i, i == 1 ? 0 : i, 5);
	numbered_pump(&l);
	for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
		file_write(offset, jumps[i]);
		numbered_wait_settled(&l, 200);
		/* It goes on, and starts anew with an epoch above all of before. */
		rig_say(&rig, 1, jumps[i]);
		char day[CLOCK_STAMP];
		clock_stamp(day, clock_real_ms() + atoll(jumps[i]) * 1000);
		day[10] = '\0';
		require(file_has(rig_path(&rig, 1, "log/error.log"), day) || file_has(rig_path(&rig, 1, "log/access.log"), day),
		    "its clock has not jumped to %s", day);
		rig_stop(&rig, 1);
		rig_start(&rig, 1);
		numbered_wait_settled(&l, 100);
		char text[32];
		snprintf(text, sizeof text, "again %s", jumps[i]);
		rig_say(&rig, 1, text);
	}
	judge(&l, "a clock that jumps");
	rig_down(&rig);
}
END_TEST

/* ---- what runs out ---- */

/* No memory for more threads: who comes is refused, who is there is served; and when there is some all is as before. */
START_TEST(no_memory_for_more)
{
	enum { CLIENTS = 64 };
	struct conn before, c[CLIENTS];
	struct rlimit l;
	if (sanitized()) {
		story_skip("sanitizers need more than any limit");
		return;
	}
	rig_up(&rig, 2, NULL);
	conn_client(&before, &rig, 0);
	conn_puts(&before, "before\r\n");
	conn_expect(&before, "ok");
	char status[64];
	snprintf(status, sizeof status, "/proc/%d/statm", (int)rig.m[0].pid);
	char *text = file_read(status, NULL);
	rlim_t bytes = (rlim_t)atol(text) * (rlim_t)sysconf(_SC_PAGESIZE);
	free(text);
	require(prlimit(rig.m[0].pid, RLIMIT_AS, NULL, &l) == 0, "prlimit: %s", strerror(errno));
	rlim_t old = l.rlim_cur;
	l.rlim_cur = bytes + 2 * 1024 * 1024;
	require(prlimit(rig.m[0].pid, RLIMIT_AS, &l, NULL) == 0, "prlimit: %s", strerror(errno));
	int refused = 0;
	for (int i = 0; i < CLIENTS; i++) {
		conn_client(&c[i], &rig, 0);
		conn_put_some(&c[i], "keepAlive\r\n", 11);
		wait_for(!conn_quiet(&c[i]) || c[i].ended, SOON, "client %d hangs", i);
		refused += c[i].ended || strncmp(buf_begin(&c[i].in), "error out of ", 13) == 0;
	}
	require(refused > 0, "%d clients, and memory for all", CLIENTS);
	conn_puts(&before, "meanwhile\r\n");
	conn_expect(&before, "ok");
	for (int i = 0; i < CLIENTS; i++)
		conn_close(&c[i]);
	l.rlim_cur = old;
	require(prlimit(rig.m[0].pid, RLIMIT_AS, &l, NULL) == 0, "prlimit: %s", strerror(errno));
	conn_close(&before);
	rig_say(&rig, 0, "after");
	rig_say(&rig, 1, "from the other");
	rig_down(&rig);
}
END_TEST

/* Each start is a new stream: what is kept and said of them does not grow without a bound. */
START_TEST(very_many_starts)
{
	int starts = getenv("ZOG_TEST_BIG") != NULL ? slow_count(5000) : slow_count(300);
	rig_up(&rig, 2, "drain-timeout = 1\nreconnect-max = 0.2\nkeep-alive = 5\n");
	long first_ms = 0, last_ms = 0;
	for (int i = 0; i < starts; i++) {
		struct conn c;
		char text[32];
		int64_t began = clock_mono_ms();
		snprintf(text, sizeof text, "start %d\r\n", i);
		conn_client(&c, &rig, 1);
		conn_puts(&c, text);
		conn_expect(&c, "ok");
		conn_close(&c);
		if (i % 2 == 0)
			rig_kill(&rig, 1);
		else
			rig_stop(&rig, 1);
		rig_start(&rig, 1);
		last_ms = (long)(clock_mono_ms() - began);
		if (i == 0)
			first_ms = last_ms;
	}
	log_wait_lines(&rig, 0, (size_t)starts);
	log_wait_lines(&rig, 1, (size_t)starts);
	long kb = proc_rss_kb(rig.m[1].pid);
	printf("%d starts: the first round %ld ms, the last %ld ms; %ld KB resident\n", starts, first_ms, last_ms, kb);
	require(sanitized() || kb < 32 * 1024, "%ld KB resident", kb);
	rig_down(&rig);
}
END_TEST

/* ---- very many clients ---- */

/* The slowest but one of a hundred round trips of one after another, in microseconds. */
static long
p99_us(struct conn *c, int n)
{
	long us[2000];
	for (int i = 0; i < n; i++) {
		struct timespec a, b;
		clock_gettime(CLOCK_MONOTONIC, &a);
		conn_puts(&c[i % 100], "a message of one of the active ones\r\n");
		conn_expect(&c[i % 100], "ok");
		clock_gettime(CLOCK_MONOTONIC, &b);
		long t = (b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000;
		int k = i;
		for (; k > 0 && us[k - 1] > t; k--)
			us[k] = us[k - 1];
		us[k] = t;
	}
	return us[n * 99 / 100];
}

START_TEST(very_many_idle_clients)
{
	enum { ACTIVE = 100, ROUNDS = 2000 };
	int idle = getenv("ZOG_TEST_BIG") != NULL && !sanitized() ? 10000 : slow_count(1000);
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_max < (rlim_t)idle + 500) {
		story_skip("not enough file descriptors allowed");
		return;
	}
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	rig_up(&rig, 1, "max-clients = 20000\n");
	struct conn active[ACTIVE], *c = calloc((size_t)idle, sizeof *c);
	require(c != NULL, "out of memory");
	for (int i = 0; i < ACTIVE; i++)
		conn_client(&active[i], &rig, 0);
	long alone_us = p99_us(active, ROUNDS), fds = proc_fds(rig.m[0].pid), before_kb = proc_rss_kb(rig.m[0].pid);
	for (int i = 0; i < idle; i++) {
		conn_client(&c[i], &rig, 0);
		conn_puts(&c[i], "keepAlive\r\n");
	}
	for (int i = 0; i < idle; i++)
		conn_expect(&c[i], "ack");
	long with_us = p99_us(active, ROUNDS), kb = proc_rss_kb(rig.m[0].pid);
	printf("%d idle clients: %ld KB more resident, %.1f each; p99 of the active %ld us, %ld without\n", idle, kb - before_kb,
	    (double)(kb - before_kb) / idle, with_us, alone_us);
	require(sanitized() || kb < 300 * 1024, "%ld KB resident", kb);
	for (int i = 0; i < idle; i++)
		conn_close(&c[i]);
	wait_for(proc_fds(rig.m[0].pid) <= fds, SOON, "%ld descriptors, %ld before", proc_fds(rig.m[0].pid), fds);
	/* What it took goes back, but for stacks that libc keeps for the next ones. */
	wait_for(sanitized() || proc_rss_kb(rig.m[0].pid) < before_kb + (kb - before_kb) / 4 + 16 * 1024, SOON, "%ld KB resident, %ld before",
	    proc_rss_kb(rig.m[0].pid), before_kb);
	for (int i = 0; i < ACTIVE; i++)
		conn_close(&active[i]);
	free(c);
	rig_down(&rig);
}
END_TEST

static void
add(Suite *suite)
{
	STORY_TEST(suite, a_peer_that_vanished);
	STORY_TEST(suite, a_slow_link);
	STORY_TEST(suite, slow_disks);
	STORY_TEST(suite, a_sync_that_fails);
	STORY_TEST(suite, no_inodes);
	STORY_TEST(suite, read_only);
	STORY_TEST(suite, a_clock_that_jumps);
	STORY_TEST(suite, no_memory_for_more);
	STORY_TEST(suite, very_many_starts);
	STORY_TEST(suite, very_many_idle_clients);
}

int
main(void)
{
	return story_main("faults", add);
}
