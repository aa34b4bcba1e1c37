/* SPDX-License-Identifier: MIT
 * compare.h - what the members hold of each stream, asked of them by `sum` and answered by `sums`
 * (doc/protocol, section 6).
 * Who is asked reads its journal in a thread of its own, one question after the other, and answers on
 * its own link. */
#ifndef ZOG_DAEMON_COMPARE_H
#define ZOG_DAEMON_COMPARE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "ring/ring.h"
#include "store/sums.h"

struct server;
struct compare_question;

enum { COMPARE_STREAMS = 256, COMPARE_WAITING = 16 };

/* What a member said of one stream. */
struct compare_answer {
	bool     told;
	uint64_t first, count, hash;
};

struct compare {
	/* constant after compare_init */
	struct server  *server;

	atomic_bool     stop;           /* any thread */
	struct lock     lock;           /* RANK_SUMS */
	pthread_cond_t  more;           /* wait for: what has been told */
	/* under lock: questions of others, and the thread that answers them */
	struct compare_question *list;
	int             waiting;
	bool            runs, joinable;
	pthread_t       thread;
	/* under lock: our own question */
	bool            asking;
	struct sums    *asked;          /* the asker's, as long as asking */
	char            name[RING_MAX][RING_NAME + 1];
	struct compare_answer (*answer)[COMPARE_STREAMS];       /* by member and stream; the asker's, likewise */
};

void compare_init(struct compare *, struct server *);
void compare_stop(struct compare *);    /* the thread ends; before the logger does */
void compare_fini(struct compare *);

/* For peer.c. false: too much is asked, or it makes no sense. */
bool compare_take_question(struct compare *, const char *peer, const char *words);
bool compare_take_answer(struct compare *, const char *peer, char *words);

/* For the control socket: asks the members of mask by their places, and waits until all have told
 * everything, stop says so or the
 * time has come. answer[i] is the i-th member's. false: another is asking. */
bool compare_ask(struct compare *, struct sums *, const struct ring *, uint64_t mask,
    struct compare_answer (*answer)[COMPARE_STREAMS]);
bool compare_all_told(struct compare *, uint64_t mask);
void compare_wait(struct compare *, int64_t until_ms);  /* for the next word */
void compare_end(struct compare *);

/* Reads our own journal for these. false with errno: it cannot be read. */
bool compare_own(struct server *, struct sums *, const atomic_bool *stop);

#endif
