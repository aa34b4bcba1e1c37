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
PT_API bool pt_same(const struct pt_value *, const struct pt_value *);  /* order of keys does not matter, type does */

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
 * at; NULL: the frame has to be all (PT_E_TRAILING). offset (or NULL) takes where the fault is. limits may be
 * NULL. Time is linear in n, memory 24 to 32 bytes a value, and nothing where there is a fault. */
enum { PT_COPY = 1 };
PT_API int pt_decode(struct pt_value **, const char *at, size_t n, size_t *used,
	const struct pt_limits *limits, int flags, size_t *offset);
PT_API void pt_free(struct pt_value **);

/* How many bytes the frame of a value takes. PT_E_LIMIT: a payload over PT_MOST; PT_E_DEPTH: over
 * PT_DEPTH_MOST; PT_E_ARGUMENT: a float that is no number, a key that is not bytes, a PT_FRAME that is none.
 * Keys are not compared: who makes a dict with one twice, sends what its peer refuses. */
PT_API int pt_measure(const struct pt_value *, size_t *size);
/* Writes it; to has room for just what pt_measure said. PT_SORTED: keys by their bytes (memcmp, the shorter
 * first), in every dict. */
enum { PT_SORTED = 1 };
PT_API int pt_encode(const struct pt_value *, int flags, char *to, size_t size);
PT_API int pt_encode_new(const struct pt_value *, int flags, char **, size_t *size);    /* free(3) it */

/* The shortest text that reads as the same double, X.Y without an exponent, in any locale; 0: no number. */
enum { PT_FLOAT_TEXT = 352 };
PT_API size_t pt_float_text(char text[PT_FLOAT_TEXT], double);

/* ---- pairs over a stream ---- */

/* How to read and write. read and write move at least one byte and at most n, waiting no longer than
 * timeout_ms (-1: for ever, 0: not at all); they return how many, -1 with errno (ETIMEDOUT: the time is up;
 * EINTR is tried again). read gives 0 at the end of the stream. close may be NULL. */
struct pt_io {
	ssize_t (*read)(void *ctx, void *to, size_t n, int timeout_ms);
	ssize_t (*write)(void *ctx, const void *from, size_t n, int timeout_ms);
	int     (*close)(void *ctx);
	void     *ctx;
};

struct pt_options {
	struct pt_limits limits;
	int     idle_ms;        /* pt_recv: how long the first byte of a header may take */
	int     frame_ms;       /* from there to the end of the body; and for all of a pt_send */
};
#define PT_OPTIONS_INIT { PT_LIMITS_INIT, -1, 20000 }

struct pt_conn;

/* Each takes over the descriptors (or io), also where it returns NULL. options may be NULL; it is copied. */
PT_API struct pt_conn *pt_from_io(const struct pt_io *, const struct pt_options *);
PT_API struct pt_conn *pt_from_fd(int fd, const struct pt_options *);           /* a socket */
PT_API struct pt_conn *pt_from_fds(int in, int out, const struct pt_options *); /* pipes, files, terminals */
/* Starts a program whose standard input and output are the stream, as ssh's ProxyCommand does: argv ends in
 * NULL, no shell. pt_close waits for its end (and ends it by SIGTERM after a second). */
PT_API int  pt_spawn(struct pt_conn **, char *const argv[], const struct pt_options *);
PT_API void pt_close(struct pt_conn **);        /* and frees; NULL inside is fine */
PT_API int  pt_conn_fd(const struct pt_conn *);         /* to poll(2) for reading; -1: callbacks */
PT_API int  pt_conn_errno(const struct pt_conn *);      /* after PT_E_IO */
PT_API size_t pt_conn_offset(const struct pt_conn *);   /* in the frame at fault, after its error */
PT_API bool pt_conn_ready(const struct pt_conn *);      /* a whole pair is in memory: pt_recv will not wait */
PT_API void pt_conn_times(struct pt_conn *, int idle_ms, int frame_ms);

/* The next pair. Header and body (either may be NULL) belong to the connection and stay until its next read. Any error but
 * PT_OK is final for the connection: later calls return it again. PT_E_TIMEOUT while no byte of a header has
 * come is the exception: it may be called again. */
PT_API int pt_recv(struct pt_conn *, const struct pt_value **header, const struct pt_value **body);
/* The same, the body as the frame's own bytes, not looked at but for its size (to pass it on: PT_FRAME). */
PT_API int pt_recv_raw(struct pt_conn *, const struct pt_value **header, struct pt_value *body_frame);
/* One frame, whatever it is: null is a value, the end of the stream PT_CLOSED. */
PT_API int pt_read_chunk(struct pt_conn *, const struct pt_value **);
/* Both are encoded before a byte is written. A NULL header is {}, a NULL body is the empty bytes. A send that
 * failed half way is final for the connection. Two peers that both send large bodies and do not read wait for
 * each other: take turns, or use the frames' own functions in a loop that reads while it writes. */
PT_API int pt_send(struct pt_conn *, const struct pt_value *header, const struct pt_value *body);
/* pt_send and pt_recv, in timeout_ms. After PT_E_TIMEOUT close: a late reply would be the next one's. */
PT_API int pt_request(struct pt_conn *, const struct pt_value *header, const struct pt_value *body, int timeout_ms,
	const struct pt_value **reply_header, const struct pt_value **reply_body);

/* Connects to a port of a host, every address of it in turn (port 0: host is the path of a Unix socket), sends the identity
 * and takes the verdict, all of it in timeout_ms. On failure there is no connection. Verdict and body belong to it. */
PT_API int pt_connect(struct pt_conn **, const struct pt_options *, const char *host, int port,
	const struct pt_value *identity, const struct pt_value *body, int timeout_ms,
	const struct pt_value **verdict, const struct pt_value **verdict_body);
/* What pt_connect does behind connecting: for pt_spawn, pt_from_io. */
PT_API int pt_greet(struct pt_conn *, const struct pt_value *identity, const struct pt_value *body, int timeout_ms,
	const struct pt_value **verdict, const struct pt_value **verdict_body);
/* Does a verdict let in? `allowed` true does; where it is missing, too (the seed's rule), unless PT_STRICT.
 * Anything else, and NULL, does not. */
enum { PT_STRICT = 1 };
PT_API bool pt_connect_allowed(const struct pt_value *verdict, int flags);

/* A listening socket, close-on-exec: host may be NULL (any address); port 0: the system chooses one, *port
 * takes it; host with a slash: a Unix socket, port NULL. -1 with errno. */
PT_API int pt_listen(const char *host, int *port);
/* The first pair of a peer, its identity, in timeout_ms. */
PT_API int pt_accept(struct pt_conn *, int timeout_ms, const struct pt_value **identity, const struct pt_value **body);
/* The verdict: header with `allowed` set, in its place or at the end; the caller closes where it denied. */
PT_API int pt_peer_allowed(struct pt_conn *, const struct pt_value *header, const struct pt_value *body);
PT_API int pt_peer_denied(struct pt_conn *, const struct pt_value *header, const struct pt_value *body);

/* ---- helpers ---- */

/* 16 random bytes as 32 lower-case hex digits, and a NUL. */
enum { PT_ID_TEXT = 33 };
PT_API void pt_id(char id[PT_ID_TEXT]);

#ifdef __cplusplus
}
#endif
#endif
