/* SPDX-License-Identifier: MIT
 * petrichor.h - the Petrichor protocol primitives: typed data in HEADER,BODY pairs over any stream
 * (libpetrichor, link with -lpetrichor). Nothing beyond libc and threads.
 *
 *	struct pt_conn *c;
 *	const struct pt_value *header, *body;
 *	struct pt_value user[] = { PT_TEXT("user"), PT_TEXT("zed") };
 *	struct pt_value ident = PT_DICT_OF(user, 1);
 *
 *	int e = pt_connect(&c, NULL, "localhost", 7777, &ident, NULL, 20000, &header, &body);
 *	if (e != PT_OK)
 *		errx(1, "%s", pt_error_text(e));
 *	if (!pt_connect_allowed(header, 0))
 *		errx(1, "denied: %.*s", (int)body->bytes.len, body->bytes.at);
 *
 * A frame is a tnetstring, SIZE:PAYLOAD and a tag that says what PAYLOAD is. A stream is pairs of
 * frames: a header, which is a dict, and a body, which is anything. Either side may send at any time.
 *
 * Layers, each usable without the ones below it:
 *   frames     pt_frame, pt_decode, pt_encode: no I/O, no state (tnetstring(3))
 *   pairs      pt_recv, pt_send, ...: over sockets, descriptors or your own callbacks
 *   helpers    requests that run once, compression, bodies in pieces
 *
 * What a peer sends can cause no more than an error code, and memory in the measure of what has
 * arrived: limits are checked before anything is allocated, nothing recurses, nothing asserts.
 *
 * Results are PT_OK (0) or one of enum pt_error; functions that return pointers give NULL when memory
 * is out. Sizes are bytes, times are milliseconds (-1: for ever) on a clock that does not jump. Texts
 * need no NUL behind them and may hold NULs: they are a pointer and a length.
 *
 * Threads. No state outside of the handles; a connection is for one thread at a time (one that reads
 * and one that sends are two: pt_recv and pt_send of one connection must not run at the same time). A
 * struct pt_dedupe may be shared by any number of threads. Different handles know nothing of each other.
 */
#ifndef PETRICHOR_H
#define PETRICHOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PT_API __attribute__((visibility("default")))
#else
#define PT_API
#endif

/* ---- what can go wrong ---- */

enum pt_error {
	PT_OK = 0,
	PT_CLOSED,              /* the peer closed where a header would begin: the clean end */
	/* a frame; the offset says where */
	PT_E_EMPTY,             /* no byte at all */
	PT_E_TRUNC,             /* incomplete: a stream waits for the rest */
	PT_E_LEN_DIGIT,         /* a byte that is no digit where a size is due */
	PT_E_LEN_ZERO,          /* a size with a leading zero */
	PT_E_LEN_LONG,          /* a size of more than 9 digits */
	PT_E_TAG,               /* a tag that is none of the seven */
	PT_E_INT,
	PT_E_INT_RANGE,         /* beyond 64 bits */
	PT_E_FLOAT,
	PT_E_FLOAT_RANGE,       /* beyond a double */
	PT_E_BOOL,
	PT_E_NULL,
	PT_E_CHILD,             /* a frame that ends behind the container it stands in */
	PT_E_KEY,               /* a key that is not bytes */
	PT_E_ODD,               /* a key without a value */
	PT_E_DUPKEY,
	PT_E_DEPTH,
	PT_E_LIMIT,             /* a limit of struct pt_limits */
	PT_E_TRAILING,          /* bytes behind the frame, where it should be all */
	/* a pair */
	PT_E_HDR_NOT_DICT,
	PT_E_TRUNC_BODY,        /* the peer closed between header and body */
	/* the rest */
	PT_E_ENCODING,          /* a body in a coding that was not agreed on, or not as it says */
	PT_E_TIMEOUT,           /* the time for the operation is up */
	PT_E_IO,                /* read or write failed: errno, pt_conn_errno */
	PT_E_RESOLVE,           /* the host's name has no address */
	PT_E_MEMORY,
	PT_E_ARGUMENT,          /* the caller's mistake: a header that is no dict, a float that is no number */
	/* the helpers */
	PT_E_DENIED,            /* the verdict does not let in */
	PT_E_RESTARTED,         /* the server is another one than that to which the request was sent */
	PT_ERRORS               /* how many there are */
};
PT_API const char *pt_error_name(int error);    /* "LEN_DIGIT"; static */
PT_API const char *pt_error_text(int error);    /* a few words for people; static */

/* ---- values ---- */

enum pt_type {
	PT_BYTES = ',', PT_INT = '#', PT_FLOAT = '^', PT_BOOL = '!', PT_NULL = '~', PT_LIST = ']', PT_DICT = '}',
	PT_FRAME = 'F'          /* encoder only: bytes are a whole frame, written as it is (one of its size, tag unlooked at) */
};

/* Made by hand, by the macros below, or by pt_decode. Nothing here is owned by the value. */
struct pt_value {
	enum pt_type type;
	union {
		struct { const char *at; size_t len; } bytes;
		/* list: len values; dict: len keys and len values in turn, 2 * len in all */
		struct { const struct pt_value *at; size_t len; } items;
		int64_t integer;
		double  real;
		bool    boolean;
	};
};

#define PT_TEXT(literal)        { .type = PT_BYTES, .bytes = { literal, sizeof literal - 1 } }
#define PT_BYTES_OF(p, n)       { .type = PT_BYTES, .bytes = { p, n } }
#define PT_INT_OF(i)            { .type = PT_INT, .integer = i }
#define PT_FLOAT_OF(d)          { .type = PT_FLOAT, .real = d }
#define PT_BOOL_OF(b)           { .type = PT_BOOL, .boolean = b }
#define PT_NULL_OF              { .type = PT_NULL }
#define PT_LIST_OF(p, n)        { .type = PT_LIST, .items = { p, n } }
#define PT_DICT_OF(p, pairs)    { .type = PT_DICT, .items = { p, pairs } }

/* The value of a key, NULL where there is none or dict is NULL or no dict. */
PT_API const struct pt_value *pt_get(const struct pt_value *dict, const char *key);
PT_API const struct pt_value *pt_get_bytes(const struct pt_value *dict, const char *key, size_t len);
PT_API bool pt_is_text(const struct pt_value *, const char *text);      /* bytes, and just these; false for NULL */
/* Order of keys does not matter, type does; 0.0 and -0.0 are two. What cannot be encoded is like nothing, and
 * false, too, where there is no memory for it. */
PT_API bool pt_same(const struct pt_value *, const struct pt_value *);

/* ---- frames: no I/O ---- */

struct pt_limits {
	size_t   header_bytes;          /* payload of a header, pairs only */
	size_t   body_bytes;            /* payload of a body, and of what pt_decode takes; at most PT_MOST */
	size_t   nodes;                 /* values in a frame */
	size_t   float_bytes;
	unsigned depth;                 /* containers in each other, the outermost is 1; at most PT_DEPTH_MOST */
};
enum { PT_MOST = 999999999, PT_DEPTH_MOST = 4096 };
#define PT_LIMITS_INIT { 65536, 16777216, 65536, 512, 128 }

/* What the first n bytes of a stream say of the frame that begins there; judges each byte as early as can
 * be. PT_OK: *size is the whole frame's, and at[*size - 1] its tag. PT_E_EMPTY, PT_E_TRUNC: *size is how
 * many bytes there have to be before another look is of use: the whole frame's once its size is known.
 * Else *size is the offset of the fault. limit_bytes is of the payload, PT_E_LIMIT before it has come. The
 * tag and the payload are not looked at. */
PT_API int pt_frame(const char *at, size_t n, size_t limit_bytes, size_t *size);

/* One frame as a value, a single block that pt_free frees. Bytes point into `at`, which has to stay as long;
 * with PT_COPY they are in the block, too. used: takes the first frame's size, and the rest is not looked
 * at; NULL: the frame has to be all (PT_E_TRAILING). limits may be NULL. Time is linear in n, memory 24 to 32
 * bytes a value, and nothing where there is a fault; while it runs, up to 144 bytes a key of large dicts.
 *
 * Of several faults it is the first that counts: prefix, limit, completeness; then from left to right, what is
 * in a frame before what is behind it. In a frame: its prefix, CHILD, nodes, tag, payload; DEPTH before what is
 * inside; KEY once the key itself proved sound; DUPKEY once the second key's value did. A float over float_bytes
 * is PT_E_FLOAT. offset (or NULL) takes where it is: of EMPTY and TRUNC the first byte that is missing; of LEN_*
 * and TAG the byte; of INT*, FLOAT*, BOOL, NULL the payload's first byte; of CHILD, DEPTH, KEY, DUPKEY (the
 * second one) and LIMIT the frame's first byte; of ODD the dict's tag; of TRAILING the first byte behind. */
enum { PT_COPY = 1 };
PT_API int pt_decode(struct pt_value **, const char *at, size_t n, size_t *used,
	const struct pt_limits *limits, int flags, size_t *offset);
PT_API void pt_free(struct pt_value **);

/* How many bytes the frame of a value takes. PT_E_LIMIT: a payload over PT_MOST; PT_E_DEPTH: over
 * PT_DEPTH_MOST; PT_E_ARGUMENT: a float that is no number, a key that is not bytes, a PT_FRAME that is none;
 * PT_E_MEMORY: containers in each other by the dozen need some, and PT_SORTED does.
 * Keys are not compared: who makes a dict with one twice, sends what its peer refuses. */
PT_API int pt_measure(const struct pt_value *, size_t *size);
/* Writes it; to has room for just what pt_measure said. PT_SORTED: keys by their bytes (memcmp, the shorter
 * first), in every dict. */
enum { PT_SORTED = 1 };
PT_API int pt_encode(const struct pt_value *, int flags, char *to, size_t size);
/* The same in one go, without measuring, to the end of a buffer that is kept: the frame is the last *size bytes of
 * room. PT_E_TRUNC: it does not fit. What was before the frame in the buffer is lost. */
PT_API int pt_encode_tail(const struct pt_value *, int flags, char *to, size_t room, size_t *size);
PT_API int pt_encode_new(const struct pt_value *, int flags, char **, size_t *size);    /* free(3) it */

/* The shortest text that reads as the same double, X.Y without an exponent, in any locale; 0: no number. */
enum { PT_FLOAT_TEXT = 352 };
PT_API size_t pt_float_text(char text[PT_FLOAT_TEXT], double);

/* ---- pairs over a stream ---- */

/* How to read and write. read and write move at least one byte and at most n, waiting no longer than
 * timeout_ms (-1: for ever, 0: not at all); they return how many, -1 with errno (ETIMEDOUT or EAGAIN: the time is up;
 * EINTR is tried again). read gives 0 at the end of the stream. close may be NULL. What they return beyond that is
 * PT_E_IO with EIO. */
struct pt_io {
	ssize_t (*read)(void *ctx, void *to, size_t n, int timeout_ms);
	ssize_t (*write)(void *ctx, const void *from, size_t n, int timeout_ms);
	int     (*close)(void *ctx);
	void     *ctx;
};

struct pt_coding;
struct pt_options {
	struct pt_limits limits;
	/* -1: for ever. Each is one time for all of it: a byte now and then does not extend it. 0: what is there. */
	int     idle_ms;        /* pt_recv: how long the first byte of a header may take */
	int     frame_ms;       /* from there to the end of the body; and for all of a pt_send */
	const struct pt_coding *const *codings;         /* of bodies, best first; pt_conn_codings sets them, too */
	size_t  codings_count;
};
#define PT_OPTIONS_INIT { PT_LIMITS_INIT, -1, 20000, NULL, 0 }

struct pt_conn;

/* Each takes over the descriptors (or io), also where it returns NULL. options may be NULL; they are copied.
 *
 * No signal is raised and no flag of a descriptor changed. A socket (which pt_from_fds knows where it gets one) is never
 * waited for longer than said. For what is none the system has no call that promises this: it is polled, then read, or
 * written in small pieces (PIPE_BUF). That does not wait either, as long as nobody else reads from or writes to the same
 * pipe. A TCP socket sends at once (TCP_NODELAY). */
PT_API struct pt_conn *pt_from_io(const struct pt_io *, const struct pt_options *);
PT_API struct pt_conn *pt_from_fd(int fd, const struct pt_options *);           /* a socket */
PT_API struct pt_conn *pt_from_fds(int in, int out, const struct pt_options *); /* pipes, files, terminals */
/* Starts a program whose standard input and output are the stream (a socket), as ssh's ProxyCommand does: argv ends in
 * NULL, argv[0] is looked for in PATH, no shell. It keeps standard error and no other descriptor, has all signals
 * unblocked, and none caught or, of SIGPIPE, ignored. PT_E_IO: errno says why there is none.
 * pt_close waits for its end: a second, then SIGTERM, another second, then SIGKILL. */
PT_API int  pt_spawn(struct pt_conn **, char *const argv[], const struct pt_options *);
PT_API void pt_close(struct pt_conn **);        /* and frees; NULL inside is fine */
PT_API int  pt_conn_fd(const struct pt_conn *);         /* to poll(2) for reading; -1: callbacks */
PT_API int  pt_conn_errno(const struct pt_conn *);      /* after PT_E_IO; EPIPE: the peer, or the program, is gone */
PT_API size_t pt_conn_offset(const struct pt_conn *);   /* in the frame at fault, after its error */
/* A whole pair is in memory, or an error is due: pt_recv will not wait. In a poll(2) loop ask before each poll; once the
 * descriptor is readable, pt_recv may wait for the rest of a pair, no longer than frame_ms. */
PT_API bool pt_conn_ready(const struct pt_conn *);
PT_API void pt_conn_times(struct pt_conn *, int idle_ms, int frame_ms);         /* from the next call on */

/* The next pair. Header and body (either may be NULL) belong to the connection and stay until its next read; after an
 * error they are NULL. Any error but PT_OK is final for what is received: later calls return it again. PT_E_TIMEOUT while
 * no byte of a header has come is the exception: it may be called again.
 *   PT_CLOSED          the end, where a header would begin (a TLS wrapper may make one of a cut: who has to know says bye)
 *   PT_E_TRUNC         the end within a frame;  PT_E_TRUNC_BODY  the end between header and body
 *   PT_E_HDR_NOT_DICT  a frame whose tag is another one's, whatever is in it, once it is whole
 *   PT_E_LIMIT         at once when a size is announced that is over the limit, and of nodes
 *   PT_E_ENCODING      pt.enc in the header, and no such coding was agreed on
 * and those of pt_decode; nothing that is wrong is waited for. The receive buffer grows with what has come, not with what is
 * announced: at most twice that and 16 KiB. It is given back before a wait for the next pair where it is over 64 KiB. */
PT_API int pt_recv(struct pt_conn *, const struct pt_value **header, const struct pt_value **body);
/* The same, the body as the frame's own bytes, not looked at but for its size (to pass it on: PT_FRAME). */
PT_API int pt_recv_raw(struct pt_conn *, const struct pt_value **header, struct pt_value *body_frame);
/* One frame, whatever it is, in the limits of a body: null is a value, the end of the stream PT_CLOSED. */
PT_API int pt_read_chunk(struct pt_conn *, const struct pt_value **);
/* Both are encoded before a byte is written, then written at once, in frame_ms. A NULL header is {}, a NULL body is the
 * empty bytes. They may be what pt_recv gave. PT_E_ARGUMENT (the header is no dict, nor the frame of one), PT_E_LIMIT,
 * PT_E_DEPTH, PT_E_MEMORY, and PT_E_TIMEOUT where no byte went: nothing was sent, and nothing is changed. A send that
 * failed half way, and PT_E_IO, are final for the connection. After pt_recv gave PT_CLOSED, PT_E_HDR_NOT_DICT or
 * PT_E_ENCODING there may still be a last word; after another error of its pt_send returns that.
 * Two peers that both send large bodies and do not read wait for each other: take turns, or use the frames' own functions
 * in a loop that reads while it writes. */
PT_API int pt_send(struct pt_conn *, const struct pt_value *header, const struct pt_value *body);
/* pt_send and pt_recv, in timeout_ms for both. PT_E_TIMEOUT is final, since a late reply would be the next one's: close. */
PT_API int pt_request(struct pt_conn *, const struct pt_value *header, const struct pt_value *body, int timeout_ms,
	const struct pt_value **reply_header, const struct pt_value **reply_body);

/* Connects to a port of a host, every address of it in turn (port 0: host is the path of a Unix socket), sends the identity
 * and takes the verdict, all of it in timeout_ms; an address that is silent has its share of what is left. To look up a
 * name waits for as long as the system's resolver does. On failure there is no connection; PT_E_IO: errno. Verdict and
 * body belong to the connection, as those of pt_recv: PT_OK says that there is a verdict, not what it is. */
PT_API int pt_connect(struct pt_conn **, const struct pt_options *, const char *host, int port,
	const struct pt_value *identity, const struct pt_value *body, int timeout_ms,
	const struct pt_value **verdict, const struct pt_value **verdict_body);
/* What pt_connect does behind connecting: for pt_spawn, pt_from_io. The connection stays the caller's to close. PT_E_TIMEOUT is
 * final; a program that ends before its verdict is PT_E_IO with EPIPE. */
PT_API int pt_greet(struct pt_conn *, const struct pt_value *identity, const struct pt_value *body, int timeout_ms,
	const struct pt_value **verdict, const struct pt_value **verdict_body);
/* Does a verdict let in? `allowed` true does; where it is missing, too (the seed's rule), unless PT_STRICT.
 * Anything else, and NULL, does not. */
enum { PT_STRICT = 1 };
PT_API bool pt_connect_allowed(const struct pt_value *verdict, int flags);

/* A listening socket, close-on-exec, for accept(2): host may be NULL (any address, IPv6 and IPv4); port 0: the system
 * chooses one, *port takes it; host with a slash: a Unix socket, port NULL, and removing it is the caller's. -1 with errno. */
PT_API int pt_listen(const char *host, int *port);
/* The first pair of a peer, its identity, in timeout_ms, however slowly it comes; else as pt_recv. */
PT_API int pt_accept(struct pt_conn *, int timeout_ms, const struct pt_value **identity, const struct pt_value **body);
/* The verdict: a copy of header (a dict, or NULL) with `allowed` set, in its place or at the end; the caller closes where it
 * denied. */
PT_API int pt_peer_allowed(struct pt_conn *, const struct pt_value *header, const struct pt_value *body);
PT_API int pt_peer_denied(struct pt_conn *, const struct pt_value *header, const struct pt_value *body);

/* ---- helpers ---- */

/* Header keys that begin with pt. are theirs; all others, but for `allowed`, are the user's. A pt.err in a reply
 * is a short code, its body words for people. */

/* 16 random bytes as 32 lower-case hex digits, and a NUL. */
enum { PT_ID_TEXT = 33 };
PT_API void pt_id(char id[PT_ID_TEXT]);

/* ---- compression ---- */

/* A way to write bytes shorter. pack writes at most room bytes and returns how many, 0: they do not fit. unpack is
 * given bytes that came from a peer, writes just size bytes, and says no to anything that is not that; it must write
 * no more than size. Both may be called by several threads at once. */
struct pt_coding {
	const char *name;
	size_t    (*pack)(void *ctx, const char *from, size_t n, char *to, size_t room);
	bool      (*unpack)(void *ctx, const char *from, size_t n, char *to, size_t size);
	void       *ctx;
	size_t      ratio_most;         /* bytes that one packed byte can stand for; 0: no bound */
};
PT_API const struct pt_coding *pt_lz4(void);    /* "lz4": blocks as liblz4 has them; built in */

/* What a connection may use, best first: before the first pair. The array is copied, the codings have to stay. Who
 * has some says so in the identity or the verdict (pt.accept); a body of 64 bytes or more is then packed in the first
 * of ours that the peer named, where that makes the pair shorter. Headers never are. A body packed in a way that we
 * did not name, or badly, is PT_E_ENCODING (a server may pt_fail "bad-encoding", and closes). PT_E_ARGUMENT: a name
 * that is empty or longer than 64 bytes, or stands there twice.
 * A secret packed along with what an attacker chose is told by the length (CRIME, BREACH), TLS or not: do not. */
PT_API int pt_conn_codings(struct pt_conn *, const struct pt_coding *const *codings, size_t count);

/* Answers with pt.err, the pt.id of the request where header has one (NULL: it has none), and words for people. */
PT_API int pt_fail(struct pt_conn *, const struct pt_value *header, const char *code, const char *text);

/* ---- requests that run once ---- */

/* What a server remembers of requests, by who sent them and their pt.id: of each that it runs, and its reply for a
 * while. At most once while an entry is remembered; when it is too old, had to make room, or the server has
 * started anew, a repeated request runs again. What must never run twice belongs into your own transaction. */
struct pt_dedupe;
struct pt_dedupe_options {
	size_t capacity;        /* requests, the running ones among them */
	size_t reply_bytes;     /* a longer reply (header and body frames) is not kept */
	int    age_ms;          /* since it was done */
};
#define PT_DEDUPE_INIT { 1024, 65536, 300000 }
PT_API struct pt_dedupe *pt_dedupe_new(const struct pt_dedupe_options *);       /* NULL: PT_DEDUPE_INIT */
PT_API void pt_dedupe_free(struct pt_dedupe **);        /* when no thread uses it any more */

enum pt_outcome {
	PT_NEW,                 /* to be run */
	PT_REPLAY,              /* done: here is its reply */
	PT_RUNNING,             /* another one with this id runs just now */
	PT_REUSED,              /* the id is another request's */
	PT_GONE,                /* done, its reply was not kept */
	PT_FULL                 /* as many are running as are remembered */
};
enum { PT_ID_MOST = 64, PT_PEER_MOST = 256 };   /* bytes of a pt.id (at least 1), of a peer's name */

/* One request in a server; all of it belongs to the helper. */
struct pt_run {
	enum pt_outcome   outcome;
	struct pt_dedupe *dedupe;       /* NULL: there is nothing to finish */
	size_t            slot;
	uint64_t          serial;
	char              id[PT_ID_MOST];
	size_t            id_len;       /* 0: the request has none */
	char             *reply;        /* PT_REPLAY: the header's frame and the body's, free(3) it */
	size_t            header_size, body_size;
};
/* peer is who sent it, as far as you know that: a name from a certificate rather than the `ident` it sent, for who
 * knows another's id and may take its name is given its reply. PT_E_ARGUMENT: the header has no pt.id of
 * 1 to 64 bytes, or peer is too long. Where the outcome is PT_NEW, one of finish and abort has to follow, from
 * any thread: what runs is never forgotten. */
PT_API int pt_dedupe_begin(struct pt_dedupe *, const char *peer, size_t peer_len,
	const struct pt_value *header, const struct pt_value *body, struct pt_run *);
PT_API int pt_dedupe_finish(struct pt_run *, const struct pt_value *header, const struct pt_value *body);
PT_API void pt_dedupe_abort(struct pt_run *);   /* as if it had never come: a repeated one runs */
/* For what has no reply: PT_NEW the first time, then PT_GONE; PT_FULL: not remembered. */
PT_API enum pt_outcome pt_dedupe_seen(struct pt_dedupe *, const char *peer, size_t peer_len, const char *id, size_t id_len);

/* The same with a connection. Begins with a pair that pt_recv gave, and answers all but PT_NEW by itself: the stored reply
 * with pt.dup, or pt.err in-progress, id-reused, reply-gone, busy, bad-id. A request without pt.id is PT_NEW
 * each time. Returns what sending returned; where that is not PT_OK, nothing is to be run. */
PT_API int pt_once_begin(struct pt_dedupe *, struct pt_conn *, const char *peer, size_t peer_len,
	const struct pt_value *header, const struct pt_value *body, struct pt_run *);
/* Adds the request's pt.id to the reply, keeps it, then sends it. */
PT_API int pt_once_reply(struct pt_conn *, struct pt_run *, const struct pt_value *header, const struct pt_value *body);
/* Forgets the request, so that it may be sent again, and answers as pt_fail does. */
PT_API int pt_once_fail(struct pt_conn *, struct pt_run *, const char *code, const char *text);

/* The other side: a request that is sent again, on a new connection, until there is a reply. */
struct pt_retry;
struct pt_retry_options {
	const char *host;                       /* as of pt_connect */
	int         port;
	const struct pt_options *options;       /* may be NULL */
	const struct pt_value *identity, *identity_body;        /* may be NULL */
	/* Instead of host, port and identity: makes a connection and does pt_greet. */
	int       (*connect)(void *ctx, struct pt_conn **, int timeout_ms,
		const struct pt_value **verdict, const struct pt_value **verdict_body);
	void       *ctx;
	int         flags;                      /* PT_STRICT, PT_RERUN */
	int         try_ms;                     /* of one attempt: then the next, though nothing has failed */
	int         wait_ms, wait_most_ms;      /* between attempts, doubled each time, and a random part less */
};
#define PT_RETRY_INIT { NULL, 0, NULL, NULL, NULL, NULL, NULL, 0, 10000, 50, 5000 }
enum { PT_RERUN = 2 };  /* go on with a server that has started anew */

/* Copies the options, not what they point to; connects to nobody yet. */
PT_API struct pt_retry *pt_retry_new(const struct pt_retry_options *);
PT_API void pt_retry_free(struct pt_retry **);
/* A pt.id is added where the header has none. Sends the same pair again after each failure of the connection, and
 * while the server says in-progress or busy, until timeout_ms are up (PT_E_TIMEOUT). Replies of other requests are
 * dropped. The reply belongs to the handle until its next call.
 * PT_E_DENIED: the verdict, which is given as the reply, did not let us in. PT_E_RESTARTED: the request was sent, and
 * then there was a verdict with another `ident`: whether it ran nobody knows any more; the same call with its pt.id
 * tries it there. */
PT_API int pt_retry_request(struct pt_retry *, const struct pt_value *header, const struct pt_value *body, int timeout_ms,
	const struct pt_value **reply_header, const struct pt_value **reply_body);
PT_API const char *pt_retry_id(const struct pt_retry *);        /* the pt.id that was added last, "": none */
PT_API unsigned pt_retry_attempts(const struct pt_retry *);     /* how often the last request was sent */

/* ---- bodies in pieces ---- */

/* Sends one piece: header (the user's, for the first piece; may be NULL) with pt.id, pt.more, and pt.total where total is
 * not -1. */
PT_API int pt_send_piece(struct pt_conn *, const struct pt_value *header, const char *id, size_t id_len,
	const char *at, size_t n, bool more, int64_t total);
/* A whole body, in pieces of piece_bytes; the first one has the header and the total. */
PT_API int pt_send_pieces(struct pt_conn *, const struct pt_value *header, const char *id, size_t id_len,
	const char *at, size_t n, size_t piece_bytes);

/* A piece as it came. What it points to stays until the callback returns. */
struct pt_piece {
	const char            *id;
	size_t                 id_len;
	const struct pt_value *header;  /* of this pair */
	const char            *at;
	size_t                 len;
	uint64_t               offset;  /* in the body */
	int64_t                total;   /* -1: not said */
	bool                   last;
};

/* Puts bodies together, those of different ids side by side, or hands on each piece and keeps none. */
struct pt_pieces;
struct pt_pieces_options {
	uint64_t body_bytes;            /* of one body; UINT64_MAX: no bound, for a callback */
	size_t   open_bytes;            /* of all that have begun */
	size_t   open;                  /* how many may have begun */
	/* Pieces as they come: nothing is kept, and pt_pieces_add gives no body. What is not PT_OK ends it. */
	int    (*piece)(void *ctx, const struct pt_piece *);
	void    *ctx;
};
#define PT_PIECES_INIT { 16777216, 67108864, 16, NULL, NULL }
PT_API struct pt_pieces *pt_pieces_new(const struct pt_pieces_options *);       /* NULL: PT_PIECES_INIT */
PT_API void pt_pieces_free(struct pt_pieces **);
/* A pair that pt_recv gave. *whole_header is NULL while more is due; else they are the first piece's header without
 * the pieces' own keys but pt.id, and the body, until the next call. A pair without pt.more is whole as it is.
 * PT_E_LIMIT, PT_E_ENCODING (a piece that is no bytes, has no id, or not the total it said): final, later calls
 * return it again; close the connection. */
PT_API int pt_pieces_add(struct pt_pieces *, const struct pt_value *header, const struct pt_value *body,
	const struct pt_value **whole_header, const struct pt_value **whole_body);
PT_API size_t pt_pieces_open(const struct pt_pieces *); /* how many have begun and not ended */

#ifdef __cplusplus
}
#endif
#endif
