/* SPDX-License-Identifier: MIT
 * load_pace.c - messages at a rate, and how long each takes: until it is settled, and until all
 * files have grown by it.
 *
 * How much a file grows by a message is learnt from the first one: what stands before a text is as
 * long for each, but for the digits of its number, which count from 1 for this connection. So the
 * ring must be a fresh one, and ours alone. */
#include "load.h"

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sprog/sprog.h"

enum { LOOK_NS = 20000, FDS = 8, GIVE_UP_S = 20 };

struct sample {
	int64_t sent_ns, settled_ns, all_ns;    /* all_ns 0: not looked for */
};

struct pace {
	struct sender     *s;
	const struct load *load;
	struct sample     *sample;
	uint64_t           count, sent, every;
	uint64_t           lines;               /* of this ring so far */
	int                fd[LOAD_WATCHED];
	off_t              expected[LOAD_WATCHED];      /* with all that was sent */
	off_t              watched[LOAD_WATCHED];       /* with the sample that is looked for */
	off_t              overhead;            /* of a line, without the digits of its number */
	uint64_t           watching;            /* the sample that is looked for, or count */
};

static off_t
size_of(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 ? st.st_size : -1;
}

static off_t
digits(const struct pace *p, uint64_t n)
{
	off_t d = 0;
	for (; p->load->form != LOAD_RAW && n != 0; n /= 10)
		d++;
	return d;
}

static bool
all_grown(const struct pace *p)
{
	for (int i = 0; i < p->load->files; i++)
		if (size_of(p->fd[i]) < p->watched[i])
			return false;
	return true;
}

static void
heard(struct sender *s, uint64_t tag, bool ok)
{
	struct pace *p = s->heard_arg;
	if (ok && tag < p->count)
		p->sample[tag].settled_ns = load_now_ns();
}

static void
send_one(struct pace *p, uint64_t tag)
{
	char text[BODY_MAX];
	uint64_t number = p->s->next++;
	off_t grows =
	    p->overhead + (off_t)body_make(text, number, p->load->size) + digits(p, ++p->lines);
	for (int i = 0; i < p->load->files; i++)
		p->expected[i] += grows;
	if (tag < p->count)
		p->sample[tag].sent_ns = load_now_ns();
	if (p->load->form == LOAD_RAW)
		plain_put(p->s, number);
	else if (!sender_submit(p->s, number, tag))
		sender_failed(p->s, 1, "the window is full");
	if (p->watching == p->count && tag < p->count && tag % p->every == 0 &&
	    p->load->files != 0) {
		p->watching = tag;
		memcpy(p->watched, p->expected, sizeof p->watched);
	}
}

/* Sends what has been submitted, takes what has come, waits for more until then. */
static void
serve(struct pace *p, int64_t until_ns)
{
	struct pollfd fds[FDS];
	int n = 0, ms = -1;
	if (p->s->s != NULL)
		n = sprog_pollfds(p->s->s, fds, FDS, &ms);
	int64_t left = until_ns - load_now_ns();
	if (left < 0 || ms == 0)
		left = 0;
	struct timespec t = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
	if (ppoll(fds, (nfds_t)n, &t, NULL) < 0)
		err(71, "poll");
	if (p->s->s != NULL)
		sprog_dispatch(p->s->s, fds, n);
}

static void
look(struct pace *p)
{
	if (p->watching == p->count || !all_grown(p))
		return;
	p->sample[p->watching].all_ns = load_now_ns();
	p->watching = p->count;
}

/* The first message of a connection also opens it: it is none of those that are measured. */
static void
learn(struct pace *p)
{
	off_t before[LOAD_WATCHED];
	char text[BODY_MAX];
	off_t len = (off_t)body_make(text, p->s->next, p->load->size);
	for (int i = 0; i < p->load->files; i++)
		before[i] = p->expected[i] = size_of(p->fd[i]);
	send_one(p, p->count);
	int64_t until = load_now_ns() + (int64_t)GIVE_UP_S * 1000000000, quiet = 0;
	off_t last = -1;
	/* A line comes with one write; a little time more, in case it does not. */
	while (quiet < 100) {
		serve(p, load_now_ns() + 1000000);
		off_t least = -1, grown;
		for (int i = 0; i < p->load->files; i++)
			if (grown = size_of(p->fd[i]) - before[i], i == 0 || grown < least)
				least = grown;
		quiet = least == last && least != 0 && p->s->awaited == 0 ? quiet + 1 : 0;
		last = least;
		if (load_now_ns() > until)
			errx(75, "the first message does not arrive");
	}
	p->overhead = last - len - digits(p, 1);
	for (int i = 0; i < p->load->files; i++)
		p->expected[i] = before[i] + last;
}

static void
open_files(struct pace *p)
{
	for (int i = 0; i < p->load->files; i++) {
		p->fd[i] = open(p->load->watched[i], O_RDONLY | O_CLOEXEC);
		if (p->fd[i] < 0)
			err(66, "%s", p->load->watched[i]);
	}
}

static void
print(const struct pace *p)
{
	for (uint64_t i = 0; i < p->count; i++) {
		const struct sample *a = &p->sample[i];
		if (a->settled_ns != 0)
			printf("%" PRId64, a->settled_ns - a->sent_ns);
		else
			putchar('-');
		if (a->all_ns != 0)
			printf(" %" PRId64 "\n", a->all_ns - a->sent_ns);
		else
			puts(" -");
	}
}

static void
go(struct pace *p, double rate)
{
	int64_t start = load_now_ns() + 1000000, due = start, stuck = 0;
	while (p->sent < p->count || p->s->awaited != 0 || p->watching != p->count) {
		int64_t now = load_now_ns();
		if (p->sent < p->count && now >= due) {
			send_one(p, p->sent++);
			due = start + (int64_t)((double)p->sent * 1e9 / rate);
			stuck = now + (int64_t)GIVE_UP_S * 1000000000;
		}
		if (p->sent == p->count && now > stuck)
			errx(75, "messages do not arrive");
		bool watching = p->watching != p->count;
		int64_t until = watching ? now + LOOK_NS : now + 100000000;
		serve(p, p->sent < p->count && due < until ? due : until);
		look(p);
	}
}

void
pace_run(struct sender *s, const struct load *load, double rate, uint64_t count, uint64_t every)
{
	struct pace p = { .s = s, .load = load, .count = count, .every = every, .watching = count };
	p.sample = calloc(count + 1, sizeof *p.sample);
	if (p.sample == NULL)
		err(71, "samples");
	open_files(&p);
	s->heard = heard;
	s->heard_arg = &p;
	if (load->files != 0)
		learn(&p);
	go(&p, rate);
	s->heard = NULL;
	print(&p);
	for (int i = 0; i < load->files; i++)
		close(p.fd[i]);
	free(p.sample);
}
