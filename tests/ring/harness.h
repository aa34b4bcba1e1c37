/* SPDX-License-Identifier: MIT
 * harness.h - real zogd processes on loopback, and all that a story asks of them.
 *
 * A story is one program: a main that hands its tests to story_main. Each test makes a rig (a
 * private folder, a ring file, a zogd.conf for each member, addresses that no other run has), starts
 * members, talks to them over conns, waits for conditions, and ends with rig_done or rig_down, which stop all
 * of them and want exit code 0 and silent sanitizers. Members that are never started are the
 * test's own to play: it listens on their addresses and dials from them.
 *
 * Nothing here waits for a time, only for conditions with a deadline; deadlines are for an idle
 * machine and grow with ZOG_TEST_SLOW (a factor) and in sanitizer builds. What fails prints the
 * tails of all logs, kills what runs, keeps the folder, and ends the test. One thread only.
 *
 * Environment: ZOGD (the program), TMPDIR, ZOG_TEST_SLOW, ZOG_TEST_WRAP (words put before zogd,
 * valgrind for example), ZOG_TEST_ONE_ADDRESS (as on systems with 127.0.0.1 only), ZOG_TEST_BIG (a ring
 * of 64 too), ZOG_LOAD_SECONDS (how long the thousand clients go on, 5), KEEP (folders stay). */
#ifndef ZOG_TESTS_HARNESS_H
#define ZOG_TESTS_HARNESS_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/net.h"

/* ---- the program ---- */

typedef void story_add(Suite *);
int    story_main(const char *name, story_add *);
TCase *story_case(Suite *, const char *name);
/* In a story_add. A test is a case of its own, so that CK_RUN_CASE=name runs it alone. */
#define STORY_TEST(suite, test) tcase_add_test(story_case(suite, #test), test)
/* Says so with the test's name; the test then returns. */
void   story_skip(const char *why);
/* Runs a program of the system to its end, without a word from it; arguments up to a NULL, 10 at most. Its exit code;
 * 127: there is none of that name. */
int    run_tool(const char *name, ...) __attribute__((sentinel));

/* ---- failing and waiting ---- */

void rig_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
#define require(condition, ...) \
	do { if (!(condition)) rig_fail(__FILE__, __LINE__, __VA_ARGS__); } while (0)

enum { SOON = 30000 };          /* ms: what is sure to happen on a working machine */
int64_t slow_ms(int64_t ms);    /* times the factor */
int     slow_count(int n);      /* divided by it: for amounts of work */
bool    sanitized(void);        /* memory is no measure then */

/* One turn of a wait: lets the pump run, or naps for a millisecond or two; fails the test at once when
 * a zogd is gone that nobody stopped. false: the time (of clock_mono_ms) has come. */
bool wait_turn(int64_t until_mono_ms);
int64_t wait_until_ms(int64_t ms);
#define wait_for(condition, ms, ...) \
	do { \
		int64_t until_ = wait_until_ms(ms); \
		while (!(condition)) \
			if (!wait_turn(until_)) \
				rig_fail(__FILE__, __LINE__, "not in time: " __VA_ARGS__); \
	} while (0)
/* For a measurement, never as synchronisation: what happens in so many ms. */
void wait_while_running(int64_t ms);

/* ---- the rig ---- */

enum { RIG_MAX = 64, RIG_PATH = 512 };

struct log_place {              /* how far a log has been counted */
	ino_t  inode;
	off_t  offset;
	size_t lines;
};

struct rig_member {
	char     name[20], host[64], folder[RIG_PATH];
	uint16_t peer_port, client_port;
	pid_t    pid;                   /* 0: not running */
	int      code;                  /* how it ended: exit code, or minus the signal */
	bool     stopped;               /* by rig_pause */
	bool     ending;                /* it is no failure when it ends */
	/* to be set before rig_start */
	const char   *arg[8];           /* more arguments, up to a NULL */
	const char   *env[4];           /* NAME=VALUE, up to a NULL */
	rlim_t        file_limit;       /* RLIMIT_FSIZE, 0: none */
	/* the harness's own */
	struct log_place access;
	off_t    link_mark[RIG_MAX];    /* where in its error.log news of each link begins */
};

struct ring_rig {
	int      size;
	bool     own_addresses;         /* a loopback address for each member */
	char     folder[RIG_PATH], ring_file[RIG_PATH + 8];
	char     block[24];             /* "127.x.y" */
	pid_t    owner;                 /* the process that made it */
	int      claim;                 /* a socket whose name says that the block is taken */
	void   (*pump)(void *, int ms); /* run in waits */
	void    *pump_arg;
	struct rig_member m[RIG_MAX];
};

/* conf: lines for every zogd.conf, may be NULL. Nothing is started. */
void rig_make(struct ring_rig *, int members, const char *conf);
void rig_up(struct ring_rig *, int members, const char *conf);          /* rig_make, and all run */
void rig_conf(struct ring_rig *, int member, const char *lines);        /* more lines for one */
void rig_write_ring(struct ring_rig *, int members);    /* the ring file anew, of the first so many */
void rig_done(struct ring_rig *);                       /* stops everything, judges, removes the folder */
void rig_down(struct ring_rig *);                       /* the same, and every line of all logs is of the right form */
uint64_t rig_all(const struct ring_rig *);              /* the mask of all members */

void rig_launch(struct ring_rig *, int member);         /* only the process */
void rig_wait_ready(struct ring_rig *, int member);     /* its client port takes a conversation */
void rig_start(struct ring_rig *, int member);          /* both */
void rig_start_all(struct ring_rig *);                  /* all at once, and their links up */
void rig_signal(struct ring_rig *, int member, int signal);
void rig_pause(struct ring_rig *, int member);          /* SIGSTOP, and stopped */
void rig_resume(struct ring_rig *, int member);
void rig_kill(struct ring_rig *, int member);           /* -9, and gone */
void rig_stop(struct ring_rig *, int member);           /* if it runs: TERM, and exit code 0 */
void rig_stop_all(struct ring_rig *);
int  rig_wait_exit(struct ring_rig *, int member, int64_t ms);  /* exit code, or minus the signal */
void rig_expect_exit(struct ring_rig *, int member);    /* it may end by itself now: rig_wait_exit judges */
bool rig_running(struct ring_rig *, int member);
bool rig_alive(struct ring_rig *, int member);          /* the process has not ended yet, asked for or not */

/* Every link between running members has been reported up since either end was started. */
void rig_wait_links(struct ring_rig *);
void rig_wait_link(struct ring_rig *, int from, int to);
bool rig_link_up(struct ring_rig *, int from, int to);
bool rig_link_fell(struct ring_rig *, int from, int to);        /* reported down, whatever came then */
/* All that run have seen that this one is gone. */
void rig_wait_gone(struct ring_rig *, int member);
void rig_link_news(struct ring_rig *, int from, int to);        /* what error.log says so far is old */

void rig_addr(struct addr *, const char *host, uint16_t port);
/* Addresses of the block that are no member's: n from 0; "127.0.0.1" where there is only that. */
const char *rig_stranger(struct ring_rig *, int n, char text[64]);

/* Runs zogd to its end with these arguments (up to a NULL), stdout and stderr into out and err,
 * which the caller finishes; the exit code, or minus the signal. */
int  rig_run(struct ring_rig *, const char *const *argv, struct buf *out, struct buf *err);

/* strace on a member, by a rule of its -e inject= ("fdatasync:error=EIO:when=3"); it ends with the member, or by SIGINT and a
 * waitpid. -1: it is not there, or may not attach. */
pid_t rig_inject(struct ring_rig *, int member, const char *rule);

const char *rig_path(struct ring_rig *, int member, const char *file);  /* it stays until rig_done */

/* ---- files ---- */

void   file_write(const char *path, const char *text);
void   file_append(const char *path, const char *text);
char  *file_read(const char *path, size_t *len);                /* to be freed; "" where there is none */
bool   file_has(const char *path, const char *text);
int    file_count(const char *path, const char *text);          /* occurrences */
bool   file_exists(const char *path);
void   folder_copy(const char *from, const char *to);           /* to is what from is, and nothing else */
void   folder_empty(const char *path);

/* ---- processes; -1 where the system does not tell ---- */

long proc_cpu_ms(pid_t);
long proc_rss_kb(pid_t);
long proc_fds(pid_t);

/* ---- logs ---- */

size_t log_lines(struct ring_rig *, int member);                /* whole lines in access.log */
void   log_wait_lines(struct ring_rig *, int member, size_t n);
bool   log_error_has(struct ring_rig *, int member, const char *text);
void   log_wait_error(struct ring_rig *, int member, const char *text);
/* In access.log of each member of mask (bit i: member i) or of all that run (0): the text, once. */
void   log_wait_once(struct ring_rig *, uint64_t mask, const char *text);
int    log_count_text(struct ring_rig *, int member, const char *text); /* lines with just this text */

/* DATE NAME:SEQ TEXT; false: not of that form. line has no LF. */
struct log_line {
	char     name[20];
	uint64_t seq;
	const char *text;
	size_t   len;
};
bool log_parse(const char *line, size_t len, struct log_line *);
/* A DATE, a space; NULL: it is none. */
const char *log_after_date(const char *line, size_t len);
void log_check_form(struct ring_rig *, int member);             /* every line of both logs; no control bytes */
void log_check_access(struct ring_rig *, int member);           /* of access.log only */

/* ---- connections ---- */

struct conn {
	int        fd;                  /* -1: none */
	bool       ended;               /* EOF or reset was read */
	bool       link;                /* a member dialled us: HELLO and keepAlive are answered by the way */
	struct buf in;
	char       self[ADDR_TEXT];     /* our end, as error.log shows it */
	char       last[1024];          /* the line that conn_line gave */
};

void conn_client(struct conn *, struct ring_rig *, int member);
void conn_client_from(struct conn *, struct ring_rig *, int member, const char *host);
bool conn_try_client(struct conn *, struct ring_rig *, int member, int ms);     /* connected in time? */
void conn_peer(struct conn *, struct ring_rig *, int from, int to);     /* to's peer port, from from's address */
void conn_peer_from(struct conn *, struct ring_rig *, const char *host, int to);
int  rig_listen(struct ring_rig *, int member);         /* on a member's peer port, in its place */
void conn_accept(struct conn *, struct ring_rig *, int listener, int from);     /* a link that from dialled */
void conn_close(struct conn *);
void conn_reset(struct conn *);                         /* closes with a RST */
void conn_end(struct conn *);                           /* no more from us: shutdown(SHUT_WR) */

void conn_put(struct conn *, const void *, size_t);     /* all of it */
ssize_t conn_put_some(struct conn *, const void *, size_t);     /* what goes at once: -1 gone, 0 full */
#define conn_puts(c, text) (harness_at(__FILE__, __LINE__), conn_puts_(c, text))
void conn_puts_(struct conn *, const char *);
/* The next line without its CR LF, in c->last; fails where none comes. */
#define conn_line(c) (harness_at(__FILE__, __LINE__), conn_line_(c))
char *conn_line_(struct conn *);
#define conn_expect(c, line) (harness_at(__FILE__, __LINE__), conn_expect_(c, line))
void conn_expect_(struct conn *, const char *line);
#define conn_expect_start(c, start) (harness_at(__FILE__, __LINE__), conn_expect_start_(c, start))
void conn_expect_start_(struct conn *, const char *start);
/* Reads and forgets all that comes before the end. */
void conn_drain(struct conn *);
/* Exactly these bytes and no more come before the end. */
#define conn_expect_rest(c, bytes) (harness_at(__FILE__, __LINE__), conn_expect_rest_(c, bytes))
void conn_expect_rest_(struct conn *, const char *bytes);
#define conn_expect_end(c) (harness_at(__FILE__, __LINE__), conn_expect_rest_(c, ""))
bool conn_quiet(struct conn *);                         /* nothing has come that was not asked for */
void conn_serve(struct conn *);                         /* answers the keepAlives that stand first on a link */
/* keepAlive and ack: all that was sent on it before has been read by zogd. */
#define conn_round(c) (harness_at(__FILE__, __LINE__), conn_round_(c))
void conn_round_(struct conn *);
/* A client's whole life: the text is sent, ok, and once in every log that runs. */
#define rig_say(rig, member, text) (harness_at(__FILE__, __LINE__), rig_say_(rig, member, text))
void rig_say_(struct ring_rig *, int member, const char *text);
void harness_at(const char *file, int line);            /* where in the story we are, for messages */

/* ---- load ---- */

/* Many connections, each sending its own texts, all from one poll loop. A text tells its connection and number,
 * and its filler follows from both, so that a log line can be judged without a list. */

enum load_outcome { LOAD_UNSENT, LOAD_SENT, LOAD_OK, LOAD_ERROR };

struct load_conn {
	struct conn c;
	int      member;
	int      sent, answered;        /* messages */
	int64_t  next_ms, sent_ms;      /* when the next is due; when the last went */
	struct buf out;
};

struct load {
	struct ring_rig *rig;
	char   tag;                     /* of its texts */
	int    conns, each;             /* connections; messages of each */
	/* to be changed after load_init, before it runs */
	int    window;                  /* unanswered at most; 0: any number */
	int    every_ms;                /* between two messages of a connection */
	int    least, most;             /* bytes of a text: 32 to 63 */
	bool   may_break;               /* connections may be closed under us: what was not answered is unknown */
	bool   may_fail;                /* error replies are no failure of the test */
	/* results */
	struct load_conn *conn;
	unsigned char    *outcome;      /* [conn * each + n] */
	long   sent, ok, errors, broken;
	int64_t slowest_ms;             /* from a message to its reply, with window 1 */
	char   error[256];              /* the first one */
	bool   halted;                  /* nothing new is sent */
};

void load_init(struct load *, struct ring_rig *, char tag, int conns, int each);
void load_connect(struct load *, int conn, int member);
void load_connect_all(struct load *);           /* round robin over the members that run */
bool load_done(const struct load *);            /* everything sent is answered (or its connection broken) */
void load_step(struct load *, int ms);          /* waits at most so long for something to do, and does it */
void load_run(struct load *);                   /* to its end */
void load_pump(struct load *);                  /* runs in every wait of its rig from now on */
void load_halt(struct load *);                  /* sends no more, gets the answers */
void load_fini(struct load *);

/* What access.log of the members (mask as above; files access.log.1 ... access.log.rotated, then access.log)
 * say about a load. Prints one line of counts, or nothing where what is NULL. */
struct verdict {
	long logged, doubled, lost, invented, disordered;
	long errors_logged;             /* texts that got an error and stand in a log */
	long others;                    /* lines that are not this load's */
};
struct verdict load_judge(struct load *, uint64_t mask, int rotated, const char *what);
/* All settled there once, in order, nothing else of this load invented. */
#define load_require_once(load, mask, what) load_require_once_in(load, mask, 0, what)
#define load_require_once_in(load, mask, rotated, what) \
	(harness_at(__FILE__, __LINE__), load_require_once_(load, mask, rotated, what))
void load_require_once_(struct load *, uint64_t mask, int rotated, const char *what);
/* Nothing that was settled is missing any more. A ring that is stopped as a whole needs it: a member that
 * ends takes no more from those who are about to end. */
#define load_wait_logged(load, mask) load_wait_logged_in(load, mask, 0)
#define load_wait_logged_in(load, mask, rotated) \
	(harness_at(__FILE__, __LINE__), load_wait_logged_(load, mask, rotated))
void load_wait_logged_(struct load *, uint64_t mask, int rotated);

#endif
