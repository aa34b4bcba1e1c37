/* SPDX-License-Identifier: MIT
 * 01-start.c - starting and stopping one zogd: options, exit codes, pidfile, detaching, readiness. */
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
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

static struct ring_rig rig;
static struct buf out = BUF_INIT, err = BUF_INIT;

#define run(...) rig_run(&rig, (const char *const[]){ __VA_ARGS__, NULL }, &out, &err)
#define expect_code(code, ...) \
	do { \
		harness_at(__FILE__, __LINE__); \
		int got_ = run(__VA_ARGS__); \
		require(got_ == (code), "exit code %d, expected %d; stderr: %s", got_, code, err.data); \
	} while (0)

static void
expect_stderr(const char *text)
{
	require(strstr(err.data, text) != NULL, "stderr lacks '%s': %s", text, err.data);
}

/* "program: what failed: why", one line. */
static void
expect_one_line(void)
{
	const char *lf = strchr(err.data, '\n');
	require(strncmp(err.data, "zogd: ", 6) == 0 && lf != NULL && lf[1] == '\0',
	    "stderr is not one line that begins with 'zogd: ': %s", err.data);
}

static void
done(void)
{
	rig_done(&rig);
	buf_fini(&out);
	buf_fini(&err);
}

START_TEST(starts_and_stops_at_term)
{
	rig_make(&rig, 1, NULL);
	rig_start(&rig, 0);
	rig_say(&rig, 0, "hello");
	rig_stop(&rig, 0);
	log_check_form(&rig, 0);
	done();
}
END_TEST

START_TEST(stops_at_int)
{
	rig_make(&rig, 1, NULL);
	rig_start(&rig, 0);
	rig_expect_exit(&rig, 0);
	rig_signal(&rig, 0, SIGINT);
	int code = rig_wait_exit(&rig, 0, SOON);
	require(code == 0, "exit code %d after INT", code);
	done();
}
END_TEST

START_TEST(closes_its_ports_at_the_end)
{
	rig_make(&rig, 1, NULL);
	rig_start(&rig, 0);
	rig_stop(&rig, 0);
	struct conn c;
	require(!conn_try_client(&c, &rig, 0, 1000) && errno == ECONNREFUSED, "somebody still listens");
	/* With what the first one left behind, the second one starts. */
	rig_start(&rig, 0);
	done();
}
END_TEST

START_TEST(a_client_at_the_stop_is_closed)
{
	rig_make(&rig, 1, NULL);
	rig_start(&rig, 0);
	struct conn c;
	conn_client(&c, &rig, 0);
	conn_puts(&c, "hello\r\n");
	conn_expect(&c, "ok");
	rig_stop(&rig, 0);
	conn_expect_end(&c);
	conn_close(&c);
	done();
}
END_TEST

START_TEST(version_and_help)
{
	rig_make(&rig, 1, NULL);
	expect_code(0, "-V");
	require(strstr(out.data, "zogd") != NULL, "-V says: %s", out.data);
	expect_code(0, "--version");
	expect_code(0, "-h");
	require(strstr(out.data, "--config") != NULL && strstr(out.data, "--option") != NULL &&
	    strstr(out.data, "--daemon") != NULL && strstr(out.data, "--test") != NULL, "-h says: %s", out.data);
	expect_code(0, "--help");
	done();
}
END_TEST

START_TEST(usage_errors)
{
	rig_make(&rig, 1, NULL);
	expect_code(64, "-x");
	expect_stderr("zogd: ");
	expect_code(64, "--nonsense");
	expect_stderr("zogd: ");
	expect_code(64, "-c");
	expect_stderr("zogd: ");
	expect_code(64, "-o");
	expect_stderr("zogd: ");
	expect_code(64, "-t", "-c", rig_path(&rig, 0, "zogd.conf"), "surplus");
	expect_stderr("zogd: ");
	done();
}
END_TEST

START_TEST(test_of_a_good_configuration)
{
	rig_make(&rig, 5, "ack = 1\nforwarding = v0.2\nqueue-limit = 16M\nallow-clients = any\n");
	expect_code(0, "-t", "-c", rig_path(&rig, 2, "zogd.conf"));
	expect_code(0, "--test", "--config", rig_path(&rig, 2, "zogd.conf"));
	/* It only looks: nothing is written, no port is taken. */
	require(!file_exists(rig_path(&rig, 2, "log/access.log")), "-t makes logs");
	rig_start(&rig, 2);
	expect_code(0, "-t", "-c", rig_path(&rig, 2, "zogd.conf"));
	done();
}
END_TEST

/* The rig's own lines are the first five. */
static const struct { const char *line, *why; } bad_conf[] = {
	{ "colour = blue\n", "an unknown key" },
	{ "ack = 1\nack = 2\n", "a doubled key" },
	{ "ring = /elsewhere\n", "a doubled key, the first one the rig's" },
	{ "keep-alive\n", "no =" },
	{ "keep-alive = soon\n", "no number" },
	{ "keep-alive = -1\n", "a sign" },
	{ "keep-alive =\n", "no value" },
	{ "queue-limit = 64Q\n", "an unknown unit" },
	{ "forwarding = v0.3\n", "an unknown rule" },
	{ "ack = most\n", "an unknown level" },
	{ "allow-clients = 10.0.0.0/33\n", "an impossible range" },
	{ "listen-clients = 127.0.0.1:99999\n", "an impossible port" },
	{ "max-clients = many\n", "no number" },
	{ "sync = sometimes\n", "an unknown mode" },
};

START_TEST(bad_configuration_is_named_by_line)
{
	rig_make(&rig, 1, NULL);
	char *good = file_read(rig_path(&rig, 0, "zogd.conf"), NULL);
	for (size_t i = 0; i < sizeof bad_conf / sizeof *bad_conf; i++) {
		const char *line = bad_conf[i].line, *lf = strchr(line, '\n');
		file_write(rig_path(&rig, 0, "zogd.conf"), good);
		rig_conf(&rig, 0, line);
		int code = run("-t", "-c", rig_path(&rig, 0, "zogd.conf"));
		require(code == 78, "%s: exit code %d with -t; stderr: %s", bad_conf[i].why, code, err.data);
		char where[RIG_PATH];
		snprintf(where, sizeof where, "%s:%d:", "zogd.conf", lf[1] != '\0' ? 7 : 6);
		require(strstr(err.data, where) != NULL, "%s: stderr lacks %s: %s", bad_conf[i].why, where, err.data);
		/* The same at a start, and no port is opened. */
		code = run("-c", rig_path(&rig, 0, "zogd.conf"));
		require(code == 78, "%s: exit code %d at start", bad_conf[i].why, code);
		require(strstr(err.data, where) != NULL, "%s: stderr lacks %s: %s", bad_conf[i].why, where, err.data);
	}
	free(good);
	done();
}
END_TEST

static const struct { const char *line, *why; } bad_ring[] = {
	{ "1st 127.0.0.9\n", "a name that begins with a digit" },
	{ "abcdefghijklmnopq 127.0.0.9\n", "a name of 17" },
	{ "name\n", "no address" },
	{ "mv 127.0.0.9\n", "a name twice" },
	{ "name 127.0.0.9 0\n", "port 0" },
	{ "name 127.0.0.9 55551 65536\n", "port 65536" },
	{ "name 127.0.0.9 1 2 3\n", "too many words" },
};

START_TEST(bad_ring_is_named_by_line)
{
	rig_make(&rig, 1, NULL);
	for (size_t i = 0; i < sizeof bad_ring / sizeof *bad_ring; i++) {
		rig_write_ring(&rig, 1);        /* a comment and a member */
		file_append(rig.ring_file, bad_ring[i].line);
		int code = run("-t", "-c", rig_path(&rig, 0, "zogd.conf"));
		require(code == 78, "%s: exit code %d; stderr: %s", bad_ring[i].why, code, err.data);
		require(strstr(err.data, "/ring:3:") != NULL, "%s: stderr: %s", bad_ring[i].why, err.data);
	}
	done();
}
END_TEST

START_TEST(configuration_that_does_not_fit_the_ring)
{
	rig_make(&rig, 6, NULL);
	char ring[RIG_PATH + 32];
	expect_code(78, "-t", "-c", rig_path(&rig, 0, "zogd.conf"), "-o", "member=nobody");
	expect_stderr("nobody");
	expect_code(78, "-t", "-c", rig_path(&rig, 0, "zogd.conf"), "-o", "forwarding=v0.2");
	expect_stderr("v0.2");
	snprintf(ring, sizeof ring, "ring=%s/none", rig.folder);
	expect_code(78, "-t", "-c", rig_path(&rig, 0, "zogd.conf"), "-o", ring);
	expect_stderr("/none");
	done();
}
END_TEST

START_TEST(options_win_over_the_file)
{
	rig_make(&rig, 1, "keep-alive = 100\n");
	expect_code(78, "-t", "-c", rig_path(&rig, 0, "zogd.conf"), "-o", "keep-alive=never");
	expect_code(78, "-t", "-c", rig_path(&rig, 0, "zogd.conf"), "-o", "nonsense=1");
	expect_stderr("nonsense");
	rig_conf(&rig, 0, "# the last line, and a comment\n");
	expect_code(0, "-t", "-c", rig_path(&rig, 0, "zogd.conf"), "-o", "keep-alive=1", "--option", "ack=1");
	/* A member that the file does not name rightly. */
	char *good = file_read(rig_path(&rig, 0, "zogd.conf"), NULL);
	file_write(rig_path(&rig, 0, "zogd.conf"), "member = nobody\n");
	rig_conf(&rig, 0, strchr(good, '\n') + 1);
	free(good);
	rig.m[0].arg[0] = "-o";
	rig.m[0].arg[1] = "member=mv";
	rig_start(&rig, 0);
	rig_say(&rig, 0, "hello");
	done();
}
END_TEST

START_TEST(no_file_but_a_ring)
{
	rig_make(&rig, 1, NULL);
#ifdef SYSCONFDIR
	if (file_exists(SYSCONFDIR "/zog/zogd.conf")) {
		story_skip("this machine has a " SYSCONFDIR "/zog/zogd.conf");
		done();
		return;
	}
#endif
	char ring[RIG_PATH + 32], log[RIG_PATH * 2 + 32];
	snprintf(ring, sizeof ring, "ring=%s", rig.ring_file);
	snprintf(log, sizeof log, "log-dir=%s", rig_path(&rig, 0, "log"));
	expect_code(0, "-t", "-o", ring, "-o", "member=mv", "-o", log);
	/* One that is named has to be there. */
	int code = run("-t", "-c", "/nonexistent/zogd.conf");
	require(code != 0, "-t is content with no file at all");
	expect_stderr("/nonexistent/zogd.conf");
	done();
}
END_TEST

START_TEST(log_folder_that_cannot_be)
{
	rig_make(&rig, 1, NULL);
	char option[RIG_PATH * 2];
	snprintf(option, sizeof option, "log-dir=%s/deeper", rig.ring_file);
	expect_code(73, "-c", rig_path(&rig, 0, "zogd.conf"), "-o", option);
	expect_one_line();
	/* A folder in the place of the file. */
	snprintf(option, sizeof option, "log-dir=%s", rig.folder);
	char path[RIG_PATH * 2];
	snprintf(path, sizeof path, "%s/access.log", rig.folder);
	require(mkdir(path, 0755) == 0, "%s: %s", path, strerror(errno));
	expect_code(73, "-c", rig_path(&rig, 0, "zogd.conf"), "-o", option);
	expect_one_line();
	expect_stderr("access.log");
	done();
}
END_TEST

static int
take_port(struct ring_rig *r, uint16_t port)
{
	struct addr a;
	const char *why;
	require(net_resolve(r->m[0].host, port, true, &a, 1, &why) == 1, "%s", why);
	int fd = net_listen(&a);
	require(fd >= 0, "listen: %s", strerror(errno));
	return fd;
}

START_TEST(port_that_is_taken)
{
	rig_make(&rig, 1, NULL);
	const uint16_t port[2] = { rig.m[0].peer_port, rig.m[0].client_port };
	for (int i = 0; i < 2; i++) {
		int fd = take_port(&rig, port[i]);
		char where[96];
		snprintf(where, sizeof where, "%s:%u", rig.m[0].host, port[i]);
		expect_code(71, "-c", rig_path(&rig, 0, "zogd.conf"));
		expect_one_line();
		expect_stderr(where);
		expect_code(71, "-d", "-c", rig_path(&rig, 0, "zogd.conf"));
		expect_stderr(where);
		close(fd);
	}
	rig_start(&rig, 0);
	done();
}
END_TEST

/* Every member of the rig gets the same one. */
static const char *
use_pidfile(void)
{
	static char path[RIG_PATH + 16];
	char line[RIG_PATH + 32];
	snprintf(path, sizeof path, "%s/zogd.pid", rig.folder);
	snprintf(line, sizeof line, "pidfile = %s\n", path);
	for (int i = 0; i < rig.size; i++)
		rig_conf(&rig, i, line);
	return path;
}

static long
read_pid(const char *path)
{
	char *text = file_read(path, NULL), *end;
	long pid = strtol(text, &end, 10);
	require(end != text && strcmp(end, "\n") == 0, "%s holds '%s'", path, text);
	free(text);
	return pid;
}

START_TEST(pidfile_is_written_and_removed)
{
	rig_make(&rig, 2, NULL);
	const char *path = use_pidfile();
	rig_start(&rig, 0);
	require(read_pid(path) == rig.m[0].pid, "the pidfile says %ld", read_pid(path));

	/* A second one with the same pidfile, though its ports are free. */
	int code = run("-c", rig_path(&rig, 1, "zogd.conf"));
	require(code > 0, "a second zogd with the pidfile of the first: %d", code);
	expect_one_line();
	expect_stderr("zogd.pid");
	require(read_pid(path) == rig.m[0].pid, "the refused one wrote the pidfile");
	rig_say(&rig, 0, "still there");

	rig_stop(&rig, 0);
	require(!file_exists(path), "the pidfile is left behind");
	done();
}
END_TEST

START_TEST(stale_pidfile_is_no_obstacle)
{
	rig_make(&rig, 1, NULL);
	const char *path = use_pidfile();
	rig_start(&rig, 0);
	rig_kill(&rig, 0);
	require(file_exists(path), "kill -9 removed the pidfile?");
	/* Longer than any number, so that what is left over would show. */
	file_append(path, "99999999\n99999999\n");
	rig_start(&rig, 0);
	require(read_pid(path) == rig.m[0].pid, "the pidfile says %ld", read_pid(path));
	done();
}
END_TEST

#ifdef __linux__
START_TEST(detached_start_returns_with_open_ports)
{
	rig_make(&rig, 1, NULL);
	const char *path = use_pidfile();
	/* So that the detached one comes to us when its parent is gone, with its exit code. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	expect_code(0, "-d", "-c", rig_path(&rig, 0, "zogd.conf"));

	pid_t pid = (pid_t)read_pid(path);
	require(pid > 1 && kill(pid, 0) == 0, "the pidfile says %d, and no such process is there", (int)pid);
	struct conn c;
	require(conn_try_client(&c, &rig, 0, 1000), "the ports are not open: %s", strerror(errno));
	conn_puts(&c, "hello\r\n");
	conn_expect(&c, "ok");
	conn_close(&c);
	require(getsid(pid) == pid || getsid(pid) != getsid(0), "it is still in our session");
	char proc[64], cwd[RIG_PATH];
	snprintf(proc, sizeof proc, "/proc/%d/cwd", (int)pid);
	ssize_t n = readlink(proc, cwd, sizeof cwd - 1);
	require(n == 1 && cwd[0] == '/', "its working directory keeps a file system busy: %.*s", (int)n, cwd);

	kill(pid, SIGTERM);
	int status = -1;
	wait_for(waitpid(pid, &status, WNOHANG) == pid, SOON, "it does not end after TERM");
	require(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x after TERM", status);
	require(!file_exists(path), "the pidfile is left behind");
	log_wait_lines(&rig, 0, 1);
	done();
}
END_TEST

START_TEST(detached_start_gives_the_exit_code)
{
	rig_make(&rig, 1, NULL);
	char option[RIG_PATH * 2];
	snprintf(option, sizeof option, "log-dir=%s/deeper", rig.ring_file);
	expect_code(73, "-d", "-c", rig_path(&rig, 0, "zogd.conf"), "-o", option);
	expect_one_line();
	expect_code(78, "-d", "-c", rig_path(&rig, 0, "zogd.conf"), "-o", "nonsense=1");
	expect_stderr("nonsense");
	done();
}
END_TEST

static void
expect_notice(int fd, const char *text)
{
	char got[1024];
	ssize_t n;
	do {
		wait_for((n = recv(fd, got, sizeof got - 1, MSG_DONTWAIT)) > 0, SOON, "no notice of %s", text);
		got[n] = '\0';
	} while (strstr(got, text) == NULL);
}

START_TEST(readiness_is_notified)
{
	rig_make(&rig, 1, NULL);
	static char setting[RIG_PATH * 2];
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	snprintf(a.sun_path, sizeof a.sun_path, "%.90s/notify", rig.folder);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (strlen(rig.folder) > 90 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		story_skip("no socket in the temporary folder");
	} else {
		snprintf(setting, sizeof setting, "NOTIFY_SOCKET=%s", a.sun_path);
		rig.m[0].env[0] = setting;
		rig_launch(&rig, 0);
		expect_notice(fd, "READY=1");
		/* Not before the ports are open. */
		struct conn c;
		require(conn_try_client(&c, &rig, 0, 1000), "READY=1, and no port is open");
		conn_close(&c);
		rig_signal(&rig, 0, SIGHUP);
		expect_notice(fd, "RELOADING=1");
		expect_notice(fd, "READY=1");
		rig_expect_exit(&rig, 0);
		rig_signal(&rig, 0, SIGTERM);
		expect_notice(fd, "STOPPING=1");
		require(rig_wait_exit(&rig, 0, SOON) == 0, "exit code %d", rig.m[0].code);
	}
	close(fd);
	done();
}
END_TEST
#endif

START_TEST(listens_where_it_is_told)
{
	rig_make(&rig, 1, NULL);
	if (!rig.own_addresses) {
		story_skip("one loopback address only");
		done();
		return;
	}
	char other[64], line[256];
	rig_stranger(&rig, 0, other);
	snprintf(line, sizeof line, "listen-clients = %s:%u %s:%u\n", rig.m[0].host, rig.m[0].client_port, other,
	    rig.m[0].client_port);
	rig_conf(&rig, 0, line);
	rig_start(&rig, 0);
	struct rig_member here = rig.m[0];
	snprintf(rig.m[0].host, sizeof rig.m[0].host, "%s", other);
	rig_say(&rig, 0, "at the other address");
	memcpy(rig.m[0].host, here.host, sizeof here.host);
	rig_say(&rig, 0, "at its own");
	done();
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, starts_and_stops_at_term);
	STORY_TEST(s, stops_at_int);
	STORY_TEST(s, closes_its_ports_at_the_end);
	STORY_TEST(s, a_client_at_the_stop_is_closed);
	STORY_TEST(s, version_and_help);
	STORY_TEST(s, usage_errors);
	STORY_TEST(s, test_of_a_good_configuration);
	STORY_TEST(s, bad_configuration_is_named_by_line);
	STORY_TEST(s, bad_ring_is_named_by_line);
	STORY_TEST(s, configuration_that_does_not_fit_the_ring);
	STORY_TEST(s, options_win_over_the_file);
	STORY_TEST(s, no_file_but_a_ring);
	STORY_TEST(s, log_folder_that_cannot_be);
	STORY_TEST(s, port_that_is_taken);
	STORY_TEST(s, pidfile_is_written_and_removed);
	STORY_TEST(s, stale_pidfile_is_no_obstacle);
#ifdef __linux__
	STORY_TEST(s, detached_start_returns_with_open_ports);
	STORY_TEST(s, detached_start_gives_the_exit_code);
	STORY_TEST(s, readiness_is_notified);
#endif
	STORY_TEST(s, listens_where_it_is_told);
}

int
main(void)
{
	return story_main("01-start", add);
}
