/* SPDX-License-Identifier: MIT
 * 08-clients.c - clients that behave badly, and very many of them. */
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"

static struct ring_rig rig;

/* A client's message while others misbehave; at once means at once. */
static void
prompt_say(struct conn *c, const char *text)
{
	int64_t began = clock_mono_ms();
	conn_puts(c, text);
	conn_puts(c, "\r\n");
	conn_expect(c, "ok");
	int64_t took = clock_mono_ms() - began;
	require(took < slow_ms(1000), "'%s' was settled only after %lld ms", text, (long long)took);
}

/* Sends this line again and again, reads nothing, until nothing more is taken. */
static void
flood_unread(const char *line)
{
	enum { MOST = 128 << 20 };
	rig_up(&rig, 1, NULL);
	struct conn deaf, other;
	conn_client(&deaf, &rig, 0);
	conn_client(&other, &rig, 0);
	size_t size = strlen(line), sent = 0, len = size * 400;
	char *many = malloc(len);
	for (size_t i = 0; i < len; i += size)
		memcpy(many + i, line, size);
	long rss = proc_rss_kb(rig.m[0].pid);
	int64_t last_ms = clock_mono_ms();
	ssize_t n;
	int said = 0;
	while (clock_mono_ms() - last_ms < slow_ms(1500)) {
		n = conn_put_some(&deaf, many + sent % size, len - sent % size);
		if (n < 0)
			break;          /* closed: that is a bound, too */
		if (n > 0)
			last_ms = clock_mono_ms();
		else
			wait_turn(INT64_MAX);
		sent += (size_t)n;
		require(sent < MOST, "%zu bytes are taken from a client that reads no reply", sent);
		if (sent / (4 << 20) > (size_t)said) {
			char text[32];
			snprintf(text, sizeof text, "meanwhile %d", said++);
			prompt_say(&other, text);
		}
	}
	prompt_say(&other, "at the end");
	long grown = proc_rss_kb(rig.m[0].pid) - rss;
	require(grown < 64 * 1024 || sanitized(), "zogd grew by %ld KiB", grown);
	printf("a client that never reads: %zu bytes taken, zogd grew by %ld KiB\n", sent, grown);
	free(many);
	conn_close(&deaf);
	prompt_say(&other, "after it");
	conn_close(&other);
	log_wait_once(&rig, 0, "after it");
	rig_down(&rig);
}

START_TEST(one_that_never_reads_its_acks)
{
	flood_unread("keepAlive\r\n");
}
END_TEST

START_TEST(one_that_never_reads_its_oks)
{
	flood_unread("some text of a usual length, more or less\r\n");
}
END_TEST

START_TEST(one_that_never_reads_its_errors)
{
	flood_unread("\x01\r\n");
}
END_TEST

/* A good one, only that it sends as much as it can before it reads: each line is answered in the end. */
START_TEST(one_that_reads_late)
{
	rig_up(&rig, 1, NULL);
	struct conn late;
	for (int round = 0; round < 3; round++) {
		static const char line[] = "some text\r\n";
		enum { SIZE = sizeof line - 1, MANY = 2000 };
		char *many = malloc(SIZE * MANY);
		for (size_t i = 0; i < SIZE * MANY; i += SIZE)
			memcpy(many + i, line, SIZE);
		conn_client(&late, &rig, 0);
		size_t sent = 0, most = (size_t)SIZE * (round == 0 ? 50000 : 2000000);
		int64_t last_ms = clock_mono_ms();
		while (sent < most && clock_mono_ms() - last_ms < slow_ms(300)) {
			ssize_t n = conn_put_some(&late, many + sent % SIZE, SIZE * MANY - sent % SIZE);
			require(n >= 0, "closed");
			sent += (size_t)n;
			if (n > 0)
				last_ms = clock_mono_ms();
			else
				wait_turn(INT64_MAX);
		}
		free(many);
		/* The rest of a line that went out half comes when there is room: when replies are read. */
		size_t lines = sent / SIZE, cut = sent % SIZE;
		for (size_t i = 0; i < lines; i++)
			conn_expect(&late, "ok");
		if (cut != 0) {
			conn_put(&late, line + cut, SIZE - cut);
			conn_expect(&late, "ok");
		}
		conn_puts(&late, "quit\r\n");
		conn_expect_rest(&late, "ok\r\n");
		conn_close(&late);
		printf("one that reads late: %zu lines, each answered\n", lines);
	}
	rig_down(&rig);
}
END_TEST

START_TEST(one_that_stops_in_mid_line)
{
	rig_up(&rig, 1, NULL);
	struct conn half, other;
	conn_client(&half, &rig, 0);
	conn_client(&other, &rig, 0);
	conn_puts(&half, "half a ");
	for (int i = 0; i < 20; i++) {
		char text[32];
		snprintf(text, sizeof text, "meanwhile %d", i);
		prompt_say(&other, text);
	}
	require(conn_quiet(&half), "a reply to half a line");
	conn_puts(&half, "line\r\n");
	conn_expect(&half, "ok");
	log_wait_once(&rig, 0, "half a line");
	conn_close(&half);
	conn_close(&other);
	rig_down(&rig);
}
END_TEST

START_TEST(idle_ones_are_closed)
{
	rig_up(&rig, 1, "client-idle-timeout = 1\n");
	struct conn idle, byte, lively;
	conn_client(&idle, &rig, 0);
	conn_client(&byte, &rig, 0);
	conn_client(&lively, &rig, 0);
	int64_t began = clock_mono_ms(), until = wait_until_ms(SOON), next = began;
	/* Bytes do not count, complete lines do. */
	while (!idle.ended || !byte.ended) {
		if (clock_mono_ms() >= next) {
			conn_round(&lively);
			if (!byte.ended)
				conn_put_some(&byte, "x", 1);
			next = clock_mono_ms() + 100;
		}
		/* A word of farewell is allowed. */
		conn_quiet(&idle);
		conn_quiet(&byte);
		require(wait_turn(until), "idle clients stay: idle %d, byte by byte %d", !idle.ended, !byte.ended);
	}
	int64_t took = clock_mono_ms() - began;
	require(took >= 900, "closed after %lld ms already", (long long)took);
	conn_round(&lively);
	conn_close(&idle);
	conn_close(&byte);
	conn_close(&lively);
	rig_down(&rig);
}
END_TEST

/* ---- limits ---- */

/* The one that was here before may be counted for another moment. */
static void
open_accepted(struct conn *c, const char *host)
{
	int64_t until = wait_until_ms(SOON);
	for (;;) {
		conn_client_from(c, &rig, 0, host);
		conn_puts(c, "keepAlive\r\n");
		conn_line(c);
		if (strcmp(c->last, "ack") == 0)
			return;
		conn_close(c);
		require(wait_turn(until), "no further client is taken: %s", c->last);
	}
}

static void
open_refused(const char *host, const char *reply)
{
	struct conn c;
	conn_client_from(&c, &rig, 0, host);
	conn_expect_rest(&c, reply);
	conn_close(&c);
}

START_TEST(too_many)
{
	rig_up(&rig, 1, "max-clients = 3\n");
	struct conn c[3];
	for (int i = 0; i < 3; i++)
		open_accepted(&c[i], NULL);
	for (int i = 0; i < 3; i++)
		open_refused(NULL, "error too many clients\r\n");
	log_wait_error(&rig, 0, " too many clients");
	/* The others notice nothing; a place that comes free is given away. */
	for (int i = 0; i < 3; i++)
		conn_round(&c[i]);
	conn_close(&c[1]);
	open_accepted(&c[1], NULL);
	for (int i = 0; i < 3; i++)
		conn_close(&c[i]);
	rig_down(&rig);
}
END_TEST

START_TEST(too_many_of_one_address)
{
	rig_up(&rig, 1, "max-clients-per-address = 2\n");
	if (!rig.own_addresses) {
		story_skip("one loopback address only");
		rig_down(&rig);
		return;
	}
	char host[64];
	struct conn c[4];
	open_accepted(&c[0], NULL);
	open_accepted(&c[1], NULL);
	open_refused(NULL, "error too many clients\r\n");
	rig_stranger(&rig, 0, host);
	open_accepted(&c[2], host);
	open_accepted(&c[3], host);
	open_refused(host, "error too many clients\r\n");
	conn_close(&c[0]);
	open_accepted(&c[0], NULL);
	open_refused(host, "error too many clients\r\n");
	for (int i = 0; i < 4; i++)
		conn_close(&c[i]);
	rig_down(&rig);
}
END_TEST

START_TEST(not_allowed)
{
	rig_make(&rig, 1, NULL);
	if (!rig.own_addresses) {
		story_skip("one loopback address only");
		rig_down(&rig);
		return;
	}
	char host[64], line[128], want[128];
	snprintf(line, sizeof line, "allow-clients = 10.0.0.0/8 %s\n", rig_stranger(&rig, 0, host));
	rig_conf(&rig, 0, line);
	rig_start(&rig, 0);
	struct conn c;
	conn_client(&c, &rig, 0);
	snprintf(want, sizeof want, "Z %s not allowed", c.self);
	conn_expect_rest(&c, "error not allowed\r\n");
	conn_close(&c);
	log_wait_error(&rig, 0, want);
	conn_client_from(&c, &rig, 0, host);
	prompt_say(&c, "from an allowed one");
	conn_close(&c);
	rig_down(&rig);
}
END_TEST

/* ---- very many ---- */

static bool
enough_files(rlim_t n)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return false;
	if (l.rlim_cur < n) {
		l.rlim_cur = n;
		return setrlimit(RLIMIT_NOFILE, &l) == 0;
	}
	return true;
}

START_TEST(a_thousand)
{
	enum { CLIENTS = 1000 };
	const char *text = getenv("ZOG_LOAD_SECONDS");
	int seconds = text != NULL && atoi(text) > 0 ? atoi(text) : 5;
	if (!enough_files(CLIENTS + 100)) {
		story_skip("not enough file descriptors allowed");
		return;
	}
	rig_up(&rig, 5, "peer-timeout = 120\n");
	struct load l;
	load_init(&l, &rig, 'a', CLIENTS, seconds);
	l.window = 1;
	l.every_ms = 1000;
	load_connect_all(&l);
	load_run(&l);
	load_wait_logged(&l, 0);
	printf("1000 clients for %d s: the slowest reply took %lld ms\n", seconds, (long long)l.slowest_ms);
	rig_stop_all(&rig);
	require(l.ok == (long)CLIENTS * seconds, "%ld settled", l.ok);
	load_require_once(&l, 0x1f, "1000 clients");
	load_fini(&l);
	rig_down(&rig);
}
END_TEST

START_TEST(a_storm_of_connects)
{
	rig_up(&rig, 1, NULL);
	long fds = proc_fds(rig.m[0].pid);
	struct conn other;
	conn_client(&other, &rig, 0);
	for (int i = 0; i < slow_count(3000); i++) {
		struct conn c;
		conn_client(&c, &rig, 0);
		if (i % 3 == 0)
			conn_reset(&c);
		conn_close(&c);
		if (i % 500 == 0) {
			char text[32];
			snprintf(text, sizeof text, "in the storm %d", i);
			prompt_say(&other, text);
		}
	}
	conn_close(&other);
	if (fds >= 0)
		wait_for(proc_fds(rig.m[0].pid) <= fds + 2, SOON, "%ld descriptors, %ld before",
		    proc_fds(rig.m[0].pid), fds);
	rig_say(&rig, 0, "after the storm");
	rig_down(&rig);
}
END_TEST

#ifdef __linux__
START_TEST(no_descriptor_is_left)
{
	enum { CLIENTS = 30 };
	rig_up(&rig, 1, NULL);
	struct conn before, c[CLIENTS];
	conn_client(&before, &rig, 0);
	prompt_say(&before, "before");
	pid_t pid = rig.m[0].pid;
	struct rlimit old, tight;
	require(prlimit(pid, RLIMIT_NOFILE, NULL, &old) == 0, "prlimit: %s", strerror(errno));
	tight = old;
	tight.rlim_cur = (rlim_t)proc_fds(pid) + 4;
	require(prlimit(pid, RLIMIT_NOFILE, &tight, NULL) == 0, "prlimit: %s", strerror(errno));
	for (int i = 0; i < CLIENTS; i++) {
		conn_client(&c[i], &rig, 0);
		conn_put_some(&c[i], "keepAlive\r\n", 11);
	}
	/* It neither hangs nor spins. */
	prompt_say(&before, "meanwhile");
	long cpu = proc_cpu_ms(pid);
	wait_while_running(1000);
	cpu = proc_cpu_ms(pid) - cpu;
	require(cpu < 300, "%ld ms of CPU in one second of waiting", cpu);
	prompt_say(&before, "and later");

	require(prlimit(pid, RLIMIT_NOFILE, &old, NULL) == 0, "prlimit: %s", strerror(errno));
	rig_say(&rig, 0, "after");
	int served = 0;
	for (int i = 0; i < CLIENTS; i++) {
		/* Each was refused or is served by now; none is left hanging. */
		wait_for(!conn_quiet(&c[i]) || c[i].ended, SOON, "a client hangs");
		if (c[i].in.len != 0) {
			conn_line(&c[i]);
			require(strcmp(c[i].last, "ack") == 0 || strncmp(c[i].last, "error ", 6) == 0, "came '%s'",
			    c[i].last);
			served += c[i].last[0] == 'a';
		}
		conn_close(&c[i]);
	}
	require(served >= 1, "not one was served");
	printf("no descriptor left: %d of %d served in the end, %ld ms of CPU in a second\n", served, CLIENTS, cpu);
	conn_close(&before);
	rig_down(&rig);
}
END_TEST
#endif

static void
add(Suite *s)
{
	STORY_TEST(s, one_that_stops_in_mid_line);
	STORY_TEST(s, idle_ones_are_closed);
	STORY_TEST(s, too_many);
	STORY_TEST(s, too_many_of_one_address);
	STORY_TEST(s, not_allowed);
	STORY_TEST(s, one_that_reads_late);
	STORY_TEST(s, one_that_never_reads_its_acks);
	STORY_TEST(s, one_that_never_reads_its_oks);
	STORY_TEST(s, one_that_never_reads_its_errors);
	STORY_TEST(s, a_storm_of_connects);
#ifdef __linux__
	STORY_TEST(s, no_descriptor_is_left);
#endif
	STORY_TEST(s, a_thousand);
}

int
main(void)
{
	return story_main("08-clients", add);
}
