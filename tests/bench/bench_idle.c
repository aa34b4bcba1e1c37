/* SPDX-License-Identifier: MIT */
#include "bench_idle.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/net.h"
#include "bench_proc.h"
#include "bench_results.h"
#include "bench_rig.h"

/* Milliseconds that a ring gets to come to rest, and milliseconds for an answer. */
enum { CLIENTS_MOST = 1000, REST_MS = 1500, ANSWER_MS = 10000 };

void
idle_row(const struct zogd *z, int round)
{
	static struct rig rig;
	double seconds = bench_setting("BENCH_IDLE_SECONDS", bench.quick ? 2 : 5), most = 0,
	       sum = 0;
	rig_zogd(&rig, z->path, 5, NULL);
	nap_us(REST_MS * 1000);
	int64_t cpu = rig_cpu_ns(&rig), began = now_ns();
	nap_us((int64_t)(seconds * 1e6));
	double ms = (double)(rig_cpu_ns(&rig) - cpu) / 1e6 / ((double)(now_ns() - began) / 1e9);
	for (int i = 0; i < rig.size; i++) {
		double rss = (double)proc_memory(rig.m[i].pid).rss / 1048576;
		most = fmax(most, rss);
		sum += rss;
	}
	results_add("idle", z->label, round, "cpu", ms);
	results_add("idle", z->label, round, "rss", most);
	results_add("idle", z->label, round, "rss.all", sum);
	bench_say("%-12s %s%s%.2f ms CPU a second for five, %.1f MB each", "idle", z->label,
	    *z->label != '\0' ? " " : "", ms, most);
	rig_end(&rig);
}

/* One connection that has said something, and got an answer. */
static int
client(struct rig *rig, bool hello, int number)
{
	struct addr a;
	char host[NET_HOST], line[128];
	uint16_t port;
	const char *why;
	if (!net_split(rig->m[0].target, host, &port) ||
	    net_resolve(host, port, true, &a, 1, &why) != 1)
		bench_die("%s: no address", rig->m[0].target);
	int fd = net_connect(&a, NULL, ANSWER_MS);
	if (fd < 0)
		bench_die("%s: %s", rig->m[0].target, strerror(errno));
	if (hello)
		snprintf(line, sizeof line, "HELLO zog/1 client=idle%d\r\n", number);
	else
		snprintf(line, sizeof line, "keepAlive\r\n");
	struct pollfd p = { .fd = fd, .events = POLLIN };
	if (send(fd, line, strlen(line), 0) < 0 || poll(&p, 1, ANSWER_MS) != 1 ||
	    recv(fd, line, sizeof line, 0) <= 0)
		bench_die("%s gives no answer", rig->m[0].target);
	return fd;
}

static double
growth_kb(struct rig *rig, bool hello, int count)
{
	static int fd[CLIENTS_MOST];
	int64_t before = proc_memory(rig->m[0].pid).rss;
	for (int i = 0; i < count; i++)
		fd[i] = client(rig, hello, i);
	nap_us(300000);
	int64_t after = proc_memory(rig->m[0].pid).rss;
	for (int i = 0; i < count; i++)
		close(fd[i]);
	return (double)(after - before) / 1024 / count;
}

void
clients_row(const struct zogd *z, int round)
{
	static const char *const form[] = { "plain", "hello" };
	static struct rig rig;
	int count = (int)bench_setting("BENCH_IDLE_CLIENTS", CLIENTS_MOST);
	count = count > CLIENTS_MOST ? CLIENTS_MOST : count;
	/* A ring for each: memory that the ones before have left would hide what the next ones need. */
	for (int i = 0; i < 2; i++) {
		rig_zogd(&rig, z->path, 5, NULL);
		double kb = growth_kb(&rig, i == 1, count);
		results_add("clients", z->label, round, form[i], kb);
		bench_say("%-12s %s%s%.1f KB for each of %d idle ones, %s", "clients", z->label,
		    *z->label != '\0' ? " " : "", kb, count, form[i]);
		rig_end(&rig);
	}
}
