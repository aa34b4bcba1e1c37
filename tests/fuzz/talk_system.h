/* SPDX-License-Identifier: MIT
 * talk_system.h - the system as talk.h plays it: poll, recv, send, the clock, threads. The linker puts it
 * in the place of libc's functions (--wrap), which it calls outside of an input. */
#ifndef ZOG_TESTS_TALK_SYSTEM_H
#define ZOG_TESTS_TALK_SYSTEM_H

#include "talk_logger.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "wire/proof.h"

#ifdef __clang__
/* What is to be covered is the code that is tried, and not this. */
#pragma clang attribute push (__attribute__((no_sanitize("coverage"))), apply_to = function)
#endif

int     __real_poll(struct pollfd *, nfds_t, int);
ssize_t __real_recv(int, void *, size_t, int);
ssize_t __real_send(int, const void *, size_t, int);
ssize_t __real_sendmsg(int, const struct msghdr *, int);
int     __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int     __real_pthread_join(pthread_t, void **);
int64_t __real_clock_mono_ms(void);
int     __wrap_poll(struct pollfd *, nfds_t, int);
ssize_t __wrap_recv(int, void *, size_t, int);
ssize_t __wrap_send(int, const void *, size_t, int);
ssize_t __wrap_sendmsg(int, const struct msghdr *, int);
int     __wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int     __wrap_pthread_join(pthread_t, void **);
int64_t __wrap_clock_mono_ms(void);
bool    __wrap_proof_nonce(char nonce[PROOF_NONCE + 1]);
int     __wrap_net_connect_start(const struct addr *, const struct addr *);
int     __wrap_net_connect_result(int);

int
__wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	if (!talk.inside)
		return __real_pthread_create(thread, attr, run, arg);
	talk.run = run;
	talk.arg = arg;
	*thread = pthread_self();
	return 0;
}

int
__wrap_pthread_join(pthread_t thread, void **result)
{
	return talk.inside ? 0 : __real_pthread_join(thread, result);
}

int64_t
__wrap_clock_mono_ms(void)
{
	return talk.inside ? talk.now_ms : __real_clock_mono_ms();
}

bool
__wrap_proof_nonce(char nonce[PROOF_NONCE + 1])
{
	strcpy(nonce, talk_nonce);
	return true;
}

/* A link gets one connection; when that is over it is to end. */
int
__wrap_net_connect_start(const struct addr *to, const struct addr *from)
{
	(void)to, (void)from;
	if (talk.dials++ == 0)
		return TALK_FD;
	talk.stop();
	return errno = ECONNREFUSED, -1;
}

int
__wrap_net_connect_result(int fd)
{
	(void)fd;
	return 0;
}

ssize_t
__wrap_recv(int fd, void *p, size_t n, int flags)
{
	if (!talk.inside)
		return __real_recv(fd, p, n, flags);
	size_t left = talk.sent.len - talk.at;
	fuzz_require(n != 0 && (flags & MSG_DONTWAIT) != 0);
	if (talk.broken)
		return errno = ECONNRESET, -1;
	if (talk.piece == 0)
		return errno = EAGAIN, -1;
	n = n < left ? n : left;
	n = n < talk.piece ? n : talk.piece;
	talk.piece = left != 0 ? talk.piece - n : talk.piece;
	if (n != 0)
		memcpy(p, buf_begin(&talk.sent) + talk.at, n);
	talk.at += n;
	struct talk_read r = { talk.at, talk.out.len };
	fuzz_require(buf_put(&talk.reads, &r, sizeof r));
	return (ssize_t)n;
}

ssize_t
__wrap_send(int fd, const void *p, size_t n, int flags)
{
	if (!talk.inside)
		return __real_send(fd, p, n, flags);
	fuzz_require(n != 0 && (flags & MSG_DONTWAIT) != 0 && (flags & MSG_NOSIGNAL) != 0);
	if (talk.broken)
		return errno = EPIPE, -1;
	if (talk.window == 0)
		return errno = EAGAIN, -1;
	n = n < talk.window ? n : talk.window;
	talk.window -= (talk.flags & NARROW) != 0 ? n : 0;
	fuzz_require(buf_put(&talk.out, p, n));
	return (ssize_t)n;
}

ssize_t
__wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
	ssize_t sum = 0, n = 0;
	if (!talk.inside)
		return __real_sendmsg(fd, m, flags);
	for (size_t i = 0; i < m->msg_iovlen && (i == 0 || n == (ssize_t)m->msg_iov[i - 1].iov_len); i++) {
		n = __wrap_send(fd, m->msg_iov[i].iov_base, m->msg_iov[i].iov_len, flags);
		if (n < 0)
			break;
		sum += n;
	}
	return sum != 0 ? sum : n;
}

enum talk_act { ACT_JOB, ACT_IN, ACT_OUT, ACT_TIME, ACT_STOP, ACT_BREAK };

/* One of those things that can happen now; false: none can but that time passes. */
static inline bool
talk_choose(short events, int timeout, enum talk_act *act)
{
	enum talk_act can[4];
	unsigned n = 0, how = talk_step();
	if (talk.held.len != 0)
		can[n++] = ACT_JOB;
	if ((events & (POLLIN | POLLRDHUP)) != 0)
		can[n++] = ACT_IN;
	if ((events & POLLOUT) != 0)
		can[n++] = ACT_OUT;
	*act = n != 0 ? can[how % n] : ACT_TIME;
	if ((talk.flags & TIMES) == 0 || how < 0xf0)
		return n != 0;
	if (how >= 0xfc && events != 0 && !talk.broken)
		*act = ACT_BREAK;
	else if (how >= 0xf8 && !talk.stopped)
		*act = ACT_STOP;
	else if (timeout >= 0)
		*act = ACT_TIME;
	return true;
}

/* How much comes at once: all, or so many bytes, and not too little of a stretch. */
static inline size_t
talk_much(void)
{
	unsigned v = talk_step();
	return v == 0 ? SIZE_MAX : (v < 128 ? v : (v - 127) * 53) + (talk.sent.len - talk.at) / 4096 * 16;
}

/* Does what was chosen; true: it is to be seen in poll. */
static inline bool
talk_act(enum talk_act act, struct pollfd *p, int timeout)
{
	switch (act) {
	case ACT_JOB:
		talk_done();
		return false;
	case ACT_IN:
		talk.piece = talk_much();
		p->revents = p->events & POLLIN;
		return true;
	case ACT_OUT:
		talk.window = (talk.flags & NARROW) != 0 ? 16 + talk_step() * 8 : SIZE_MAX;
		p->revents = POLLOUT;
		return true;
	case ACT_TIME:
		/* Who sleeps for ever with nothing that could wake it. */
		fuzz_require(timeout >= 0);
		talk.now_ms += timeout;
		return true;
	case ACT_STOP:
		talk.stopped = true;
		talk.stop();
		return false;
	case ACT_BREAK:
		talk.broken = true;
		p->revents = p->events & (POLLIN | POLLOUT);
		return true;
	}
	return false;
}

int
__wrap_poll(struct pollfd *p, nfds_t n, int timeout)
{
	if (!talk.inside)
		return __real_poll(p, n, timeout);
	struct pollfd *ours = NULL;
	for (nfds_t i = 0; i < n; i++) {
		p[i].revents = 0;
		if (p[i].fd >= TALK_FD)
			ours = &p[i];
	}
	talk.piece = 0;
	if (talk.look != NULL)
		talk.look();
	for (;;) {
		struct pollfd none = { .events = 0 }, *on = ours != NULL ? ours : &none;
		enum talk_act act;
		fuzz_require(++talk.turns < TALK_TURNS);
		/* The other descriptors are real: they say whether somebody is woken. */
		for (nfds_t i = 0; i < n; i++)
			if (&p[i] != ours && p[i].fd >= 0 && __real_poll(&p[i], 1, 0) > 0)
				return 1;
		bool any = talk_choose(on->events, timeout, &act);
		/* Nobody needs the clock to go on, but a link: it has its timers. */
		fuzz_require(any || (talk.flags & TIMES) != 0 || talk.timed);
		if (talk_act(act, on, timeout))
			return on->revents != 0 ? 1 : 0;
	}
}

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
