/* SPDX-License-Identifier: MIT
 * load.c - load, the client of the benchmark: sends messages, as many and as fast as it is told,
 * and says when.
 *
 *   load [-f numbered|plain|raw] [-c CONNECTIONS] [-j THREADS] [-w WINDOW] [-a ACK] [-b MIN-MAX]
 *        [-l FILE]... HOST:PORT...
 *
 * Then it obeys lines on its standard input, and ends where that does:
 *   run FIRST COUNT              the messages FIRST, FIRST+1 ... over all connections, as fast as
 *                                the window lets them
 *   pace FIRST COUNT RATE EVERY  RATE a second on the first connection; of each EVERYth it is seen
 *                                how long it takes until all FILEs have grown by it
 * and answers `done START END OK FAILED WHY`: the times of CLOCK_MONOTONIC in ns before the first
 * send and after the last answer, counts of messages, and why the first one failed. */
#include "load.h"

#include <err.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 64 };

static struct load load = { .conns = 1, .window = 10000, .size = { 32, 63 } };
static struct sender *senders;

int64_t
load_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
}

/* ---- a run ---- */

struct slice {
	pthread_t      thread;
	struct sender *first;
	int            count;
};

static void *
slice_run(void *arg)
{
	struct slice *s = arg;
	if (load.form == LOAD_NUMBERED)
		sender_run(s->first, s->count);
	else
		plain_run(s->first, s->count);
	return NULL;
}

static void
run_all(void)
{
	static struct slice slice[THREADS];
	for (int i = 0; i < load.threads; i++) {
		int from = load.conns * i / load.threads;
		slice[i].first = senders + from;
		slice[i].count = load.conns * (i + 1) / load.threads - from;
	}
	for (int i = 1; i < load.threads; i++)
		if (pthread_create(&slice[i].thread, NULL, slice_run, &slice[i]) != 0)
			errx(71, "no thread");
	slice_run(&slice[0]);
	for (int i = 1; i < load.threads; i++)
		pthread_join(slice[i].thread, NULL);
}

static void
prepare(uint64_t first, uint64_t count)
{
	uint64_t conns = (uint64_t)load.conns;
	for (uint64_t i = 0; i < conns; i++) {
		struct sender *s = &senders[i];
		s->next = first + count * i / conns;
		s->end = first + count * (i + 1) / conns;
		s->ok = s->failed = s->awaited = 0;
		s->why[0] = '\0';
	}
}

static void
report(int64_t start)
{
	int64_t end = load_now_ns();
	uint64_t ok = 0, failed = 0;
	const char *why = "";
	for (int i = load.conns; i-- > 0;) {
		ok += senders[i].ok;
		failed += senders[i].failed;
		if (senders[i].why[0] != '\0')
			why = senders[i].why;
	}
	printf("done %" PRId64 " %" PRId64 " %" PRIu64 " %" PRIu64 " %s\n", start, end, ok, failed,
	    why);
	fflush(stdout);
}

static void
obey(const char *line)
{
	uint64_t first, count, every;
	double rate;
	if (sscanf(line, "run %" SCNu64 " %" SCNu64, &first, &count) == 2) {
		prepare(first, count);
		int64_t start = load_now_ns();
		run_all();
		report(start);
	} else if (sscanf(line, "pace %" SCNu64 " %" SCNu64 " %lf %" SCNu64, &first, &count, &rate,
		       &every) == 4 &&
	    rate > 0 && every > 0) {
		prepare(first, count);
		int64_t start = load_now_ns();
		pace_run(senders, &load, rate, count, every);
		report(start);
	} else {
		errx(64, "what is '%s'?", line);
	}
}

/* ---- arguments ---- */

static void
usage(void)
{
	fputs("usage: load [-f numbered|plain|raw] [-c CONNECTIONS] [-j THREADS] [-w WINDOW] [-a ACK]\n"
	    "            [-b MIN-MAX] [-l FILE]... HOST:PORT...\n", stderr);
	exit(64);
}

static void
set_form(const char *name)
{
	if (strcmp(name, "numbered") == 0)
		load.form = LOAD_NUMBERED;
	else if (strcmp(name, "plain") == 0)
		load.form = LOAD_PLAIN;
	else if (strcmp(name, "raw") == 0)
		load.form = LOAD_RAW;
	else
		usage();
}

static void
option(int c)
{
	switch (c) {
	case 'f': set_form(optarg); break;
	case 'c': load.conns = atoi(optarg); break;
	case 'j': load.threads = atoi(optarg); break;
	case 'w': load.window = atoi(optarg); break;
	case 'a': load.ack = optarg; break;
	case 'b':
		if (sscanf(optarg, "%d-%d", &load.size.least, &load.size.most) != 2)
			usage();
		break;
	case 'l':
		if (load.files == LOAD_WATCHED)
			usage();
		load.watched[load.files++] = optarg;
		break;
	default: usage();
	}
}

static void
arguments(int argc, char **argv)
{
	for (int c; (c = getopt(argc, argv, "f:c:j:w:a:b:l:")) != -1;)
		option(c);
	for (; optind < argc && load.targets < LOAD_TARGETS; optind++)
		load.target[load.targets++] = argv[optind];
	if (load.threads == 0)
		load.threads = load.conns < 8 ? load.conns : 8;
	if (load.targets == 0 || load.conns < 1 || load.threads < 1 || load.threads > load.conns ||
	    load.threads > THREADS || load.window < 1 || load.size.least < BODY_LEAST ||
	    load.size.most > BODY_MAX || load.size.least > load.size.most)
		usage();
}

int
main(int argc, char **argv)
{
	arguments(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	/* A wait of 20 us is to be one. */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	body_init();
	senders = calloc((size_t)load.conns, sizeof *senders);
	if (senders == NULL)
		err(71, "senders");
	for (int i = 0; i < load.conns; i++)
		sender_open(&senders[i], &load, i);
	char *line = NULL;
	size_t size = 0;
	while (getline(&line, &size, stdin) > 0)
		obey(line);
	for (int i = 0; i < load.conns; i++)
		sender_close(&senders[i]);
	free(senders);
	free(line);
	return 0;
}
