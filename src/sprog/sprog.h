/* SPDX-License-Identifier: MIT
 * sprog.h - send short text messages to a ring of zogds (libsprog, link with -lsprog).
 *
 *	struct sprog_options o = SPROG_OPTIONS_INIT;
 *	char why[512];
 *	struct sprog *s;
 *
 *	o.why = why;
 *	o.why_size = sizeof why;
 *	if (sprog_open(&s, &o) != SPROG_OK)
 *		errx(1, "%s", why);
 *	if (sprog_send(s, "backup done", 11, -1) != SPROG_OK)
 *		warnx("not sent: %s", sprog_reason(s));
 *	sprog_close(&s);
 *
 * A message is one line of text, without its line end: 1 to 509 bytes of good UTF-8, printing
 * characters and TAB only. It goes to one member of the ring, which passes it on to all.
 *
 * Once. The handle calls itself by a token, and numbers its messages (zog/1). Where a member cannot
 * be reached, breaks, hangs, or does not settle them (its disk is full, too few others have them), all
 * that was not settled goes to another one, or the same again, in order and with the same numbers,
 * until the time of each is up: the ring knows the numbers, and logs each message once. To submit a
 * message anew is another message.
 *
 * What becomes of a message. Each one ends in exactly one of these:
 *   settled      SPROG_OK: as many members as `ack` asks for have it, and all others will
 *   refused      SPROG_ERROR: it was said why not, and it was not logged; for what may pass (a full
 *                disk) not before the time was up. SPROG_NUMBER, SPROG_BAD_TEXT: nor will it be
 *   not sent     SPROG_UNREACHABLE, SPROG_CROWDED, SPROG_FORBIDDEN, SPROG_ARGUMENT, SPROG_CANCELLED,
 *                SPROG_MEMORY, and SPROG_PROTOCOL where no member is named: none got it
 *   unknown      SPROG_UNKNOWN: it was sent, and not settled in time, or before the handle was
 *                closed. It may be logged or not; given to sprog_submit again it may be logged twice
 *
 * A member that does not know numbers (it answers HELLO by an error, or by "ok", having logged that as
 * a message) is spoken to in the plain form, for ten minutes, then it is asked again. What was sent to
 * it in full is not sent to another; where the connection breaks it is SPROG_UNKNOWN at once, and
 * SPROG_PROTOCOL where the answer makes no sense. Where `ack` asks for more than 1 such a member is not
 * used.
 *
 * Order. Messages that go over one connection are logged in the order in which they were given;
 * there is one connection to each member that is used, kept open from message to message. A message
 * that had to go to another member may change places with its neighbours.
 *
 * Errors are the codes below. The library prints nothing, never ends the program, raises no SIGPIPE
 * and keeps no state outside its handles.
 *
 * Threads. One handle is for one thread at a time; different handles know nothing of each other. A
 * handle must not be used by a child after fork(2), not even to close it.
 *
 * Memory is bounded by the window: a message in flight takes its text and about 70 bytes, in buffers
 * that double as they grow and stay until sprog_close. It is below 1 KB for each message of the window
 * where texts have 60 bytes, below 5 KB where they have 509, and 128 KB for each member.
 *
 * Time is in milliseconds where a name ends in _ms, on a clock that does not jump. Looking up the
 * name of a host (not an address) blocks for as long as the system's resolver does.
 *
 * Texts (const char *) that the library returns belong to it; how long they stay is said. Sizes are
 * in bytes; a text that is handed in with a length need not end in a NUL.
 */
#ifndef SPROG_H
#define SPROG_H

#include <stddef.h>
#include <stdint.h>

#ifdef __GNUC__
#define SPROG_API __attribute__((visibility("default")))
#else
#define SPROG_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct pollfd;          /* <poll.h> */
struct sprog;           /* a handle: a ring, and the connections to it */

enum sprog_status {
	SPROG_OK          = 0,
	/* What became of a message: see above. */
	SPROG_ERROR       = 1,  /* the member answered "error REASON" */
	SPROG_UNKNOWN     = 2,  /* sent, and not settled in time */
	SPROG_PROTOCOL    = 3,  /* the answer is none of the protocol's; no member named: not sent */
	SPROG_UNREACHABLE = 4,  /* no member could be reached in time */
	SPROG_CROWDED     = 5,  /* the members that could be reached had too many clients */
	SPROG_FORBIDDEN   = 6,  /* every member says that this machine may not send */
	SPROG_CANCELLED   = 7,  /* sprog_cancel or sprog_close came first */
	/* Why a call did nothing. */
	SPROG_MEMORY      = 8,  /* out of memory; of a message: not sent */
	SPROG_BAD_TEXT    = 9,  /* no good message: sprog_check says why */
	SPROG_FULL        = 10, /* as many messages are in flight as the window holds */
	SPROG_TIMEOUT     = 11, /* messages are still in flight */
	SPROG_ARGUMENT    = 12, /* an option that cannot be, or a call from within the callback; of
				   a message: every member says "bad ack level" or the like */
	SPROG_RING        = 13, /* the ring file cannot be read, or is wrong */
	SPROG_SYSTEM      = 14, /* the system refused: errno says why */
	/* What became of a message, again. */
	SPROG_NUMBER      = 15  /* its number was used for another text: somebody else has the token */
};

/* What became of one message, for the callback. Later versions may add fields at the end. */
struct sprog_result {
	uint64_t    id;         /* 1 for the first message given to this handle, then 2, 3 ... */
	void       *tag;        /* as given to sprog_submit */
	int         status;     /* an enum sprog_status */
	const char *text;       /* the message; it is not followed by a NUL */
	size_t      length;
	const char *member;     /* which one it was sent to: its name, or HOST:PORT; "": none */
	const char *reason;     /* printing characters; "" where status is SPROG_OK */
	uint64_t    latency_ns; /* from sprog_submit to the answer, or to giving up; of many submitted
				   between two polls the clock is read some hundred times a second */
};

/* Is called from within sprog_poll, sprog_dispatch, sprog_wait, sprog_send, sprog_cancel and
 * sprog_close, once for each message that was submitted. It may call sprog_submit (after which
 * the result's text is no longer there), and nothing else of this handle but what takes a const
 * one. The texts stay until it returns. */
typedef void sprog_settled(void *context, const struct sprog_result *result);

enum sprog_choice {
	SPROG_RANDOM      = 0,  /* a member chosen anew for each message */
	SPROG_ROUND_ROBIN = 1   /* the members in turn, beginning at a random one */
};
/* While messages are in flight a member gets several in a row, an eighth of its share of the window
 * but 256 at most, so that members can handle them together. */

/* Set it to SPROG_OPTIONS_INIT, then what is to differ. 0 and NULL stand for the default. Later
 * versions may add fields at the end; size says which ones the caller knows. */
struct sprog_options {
	size_t         size;       /* of this struct */
	const char    *ring_file;  /* SYSCONFDIR/zog/ring */
	const char    *host;       /* send to this one only: a member's name, or HOST[:PORT], for
				      which no ring file is needed; default: all of the ring */
	int            port;       /* the client port of all, not the ring file's or 55552 */
	int            choice;     /* an enum sprog_choice: SPROG_RANDOM */
	int            timeout_ms; /* when to give up on a message: 30,000 */
	int            idle_ms;    /* a connection unused for longer is opened anew: 300,000 */
	int            window;     /* messages in flight at most, 1 to 1,000,000: 10,000 */
	uint64_t       seed;       /* of the random choice of members; default: a random one */
	sprog_settled *settled;    /* what becomes of submitted messages; default: is not told */
	void          *context;    /* for settled */
	char          *why;        /* where sprog_open says why it failed, in lines; or nowhere */
	size_t         why_size;   /* bytes there, a NUL among them */
	const char    *client;     /* a fixed token, 1 to 32 of A-Za-z0-9_.-, for one handle at a
				      time: numbers go on behind the last that the first member
				      to answer knows. Default: a random one, numbers from 1 */
	const char    *ack;        /* how many members must have a message before it is settled: "1"
				      to the ring's size, "majority", "all": the member's setting */
};
#define SPROG_OPTIONS_INIT \
	{ sizeof(struct sprog_options), NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, NULL, NULL }

/* Opens a handle; options may be NULL. Reads the ring file, connects to nobody yet. The options
 * and what they point to (but context) need not stay. On failure *s is NULL: SPROG_ARGUMENT,
 * SPROG_RING, SPROG_SYSTEM, SPROG_MEMORY. */
SPROG_API int sprog_open(struct sprog **s, const struct sprog_options *options);

/* Closes it and leaves NULL; NULL is fine. What is in flight is reported first: SPROG_CANCELLED
 * where it was not sent, else SPROG_UNKNOWN. Call sprog_wait before, to have it settled. */
SPROG_API void sprog_close(struct sprog **s);

/* Why this text is no good message (a static text), or NULL: it is one. "keepAlive", "keepalive",
 * "quit" and what begins with "HELLO zog/" are good; but to a member of the plain form, which would
 * take them for commands, they are not sent: SPROG_BAD_TEXT is what becomes of them there. */
SPROG_API const char *sprog_check(const char *text, size_t length);

/* ---- one message at a time ---- */

/* Sends one message and waits for what becomes of it, at most timeout_ms (-1: as in the options).
 * Messages in flight are served meanwhile. Returns the message's outcome, or SPROG_BAD_TEXT,
 * SPROG_ARGUMENT, SPROG_MEMORY; sprog_reason has more. It goes on after a signal. The callback is
 * not called for it. */
SPROG_API int sprog_send(struct sprog *s, const char *text, size_t length, int timeout_ms);

/* ---- many in flight ---- */

/* Takes a copy of the message, does not block and sends nothing yet: sprog_poll does, so call it
 * again and again while messages are in flight. SPROG_OK: the callback will be called for it.
 * SPROG_FULL: poll first. SPROG_BAD_TEXT, SPROG_MEMORY. */
SPROG_API int sprog_submit(struct sprog *s, const char *text, size_t length, void *tag);

/* The same for whole lines of text[0 .. length), which end in LF or CR LF, one after the other: for
 * files and the like, in half the time. The first one's tag is (void *)tag, the next one's tag + 1, and so
 * on. Returns how many bytes it took, *count is how many lines. It stops before what it cannot
 * take: where no room is left, or else before a line that has no end yet or is no good message, for
 * which sprog_submit has the reason. */
SPROG_API size_t sprog_submit_lines(struct sprog *s, const char *text, size_t length,
    uintptr_t tag, size_t *count);

/* Sends and receives, and waits until at least one message has come to its end, at most
 * timeout_ms (-1: for ever), or a signal is caught. Returns how many came to their end, 0 at once
 * where nothing is in flight, or -1 where poll(2) fails (errno says why) or it is called from the
 * callback. */
SPROG_API int sprog_poll(struct sprog *s, int timeout_ms);

/* Polls until nothing is in flight: SPROG_OK; or timeout_ms have passed (-1: no limit):
 * SPROG_TIMEOUT; or SPROG_ARGUMENT, SPROG_SYSTEM. */
SPROG_API int sprog_wait(struct sprog *s, int timeout_ms);

/* Gives up all messages that have not been sent yet, as SPROG_CANCELLED; what was sent goes on.
 * Returns how many, -1 from within the callback. */
SPROG_API int sprog_cancel(struct sprog *s);

SPROG_API size_t sprog_in_flight(const struct sprog *s);  /* submitted, not yet reported */
SPROG_API size_t sprog_room(const struct sprog *s);       /* how many more sprog_submit takes */

/* ---- in an event loop of your own ---- */

enum { SPROG_MAX_FDS = 64 };

/* Instead of sprog_poll: sends what can be sent, puts what to wait for into fds (there is never
 * need for more than SPROG_MAX_FDS) and how long at most into *timeout_ms (-1: for ever; 0 also
 * where messages have come to their end meanwhile). Returns how many fds are in use, -1 from the
 * callback. Then call poll(2), with others of yours among them, and sprog_dispatch with the
 * result, which returns what sprog_poll does. No call that sends or closes may stand between the
 * two. */
SPROG_API int sprog_pollfds(struct sprog *s, struct pollfd *fds, int max, int *timeout_ms);
SPROG_API int sprog_dispatch(struct sprog *s, const struct pollfd *fds, int count);

/* ---- texts ---- */

/* Why the last sprog_send, or sprog_submit, failed: one line, escaped so that it can be shown.
 * Stays until the next call. */
SPROG_API const char *sprog_reason(const struct sprog *s);

/* Which members cannot be used just now, and why: one line, "" where there are none. Stays until
 * the next call; not const, since it is put together here. */
SPROG_API const char *sprog_trouble(struct sprog *s);

SPROG_API const char *sprog_strerror(int status);       /* static, in English; never NULL */
SPROG_API const char *sprog_version(void);              /* of the library: "0.3.0" */

#ifdef __cplusplus
}
#endif

#endif
