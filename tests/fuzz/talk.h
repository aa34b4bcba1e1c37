/* SPDX-License-Identifier: MIT
 * talk.h - the other side of a connection, for the fuzz targets fuzz_client, fuzz_peer and fuzz_link. One thread.
 *
 * What is tried is src/daemon itself, up to the functions that are the threads of a session and of a link: pthread_create only
 * notes such a function (linked with -Wl,--wrap, as the others here), talk_run calls it. The system's part is played here: poll
 * says what happens next - bytes come, in pieces; bytes can go; the logger is done with a job; time passes, a stop, a broken
 * connection - and recv and send are the two ends of the connection. The logger and the server are stand-ins: they write down
 * what they are given (did, bad), and answer when it is their turn.
 *
 * An input: a byte of enum flag, a byte N, N bytes (the schedule, read round and round: which of what can happen does, and how
 * much of it), then what the other side sends. */
#ifndef ZOG_TESTS_TALK_H
#define ZOG_TESTS_TALK_H

#include "talk_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "daemon/secret.h"

#ifdef __clang__
/* What is to be covered is the code that is tried, and not this. */
#pragma clang attribute push (__attribute__((no_sanitize("coverage"))), apply_to = function)
#endif

/* ---- an input ---- */

static inline void
talk_remove(void)
{
	DIR *d = opendir(talk.folder);
	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d != NULL)
		closedir(d);
	rmdir(talk.folder);
}

static inline void
talk_write(const char *name, const char *text)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", talk.folder, name);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	fuzz_require(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static inline struct view *
talk_view(const char *secret)
{
	const char *options[] = { "ring=ring", "member=la", secret }, *why = "";
	struct conf_source from = { .options = options, .count = 3, .dir = talk.folder };
	struct conf conf;
	struct buf errors = BUF_INIT;
	fuzz_require(conf_load(&conf, &from, &errors, NULL));
	struct view *v = view_new(&talk.server, &conf, NULL, &why);
	fuzz_require(v != NULL && errors.len == 0);
	return v;
}

static inline void
talk_end_all(void)
{
	view_drop(&talk.views[0]);
	view_drop(&talk.views[1]);
	talk_remove();
}

/* Once: la of a ring of five, with and without two secrets. */
static inline void
talk_start(void)
{
	if (talk.folder[0] != '\0')
		return;
	strcpy(talk.folder, access("/dev/shm", W_OK) == 0 ? "/dev/shm/fuzz.XXXXXX" : "fuzz.XXXXXX");
	fuzz_require(mkdtemp(talk.folder) != NULL);
	talk_write("ring", "la 127.0.0.1\nny 127.0.0.2\nt 127.0.0.3\nde 127.0.0.4\npa 127.0.0.5\n");
	talk_write("secret", "0123456789abcdef0123456789abcdef\nanother-secret-of-this-ring-for-a-change\n");
	talk.views[0] = talk_view("secret-file=none");
	talk.views[1] = talk_view("secret-file=secret");
	atexit(talk_end_all);
}

static inline void
talk_put_crcs(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct frame_head h;
		size_t head_size;
		const char *why;
		char digits[9];
		if ((i > 0 && p[i - 1] != '\n') ||
		    frame_read_head(p + i, n - i, &h, &head_size, NULL, &why) != FRAME_GOOD || n - i - head_size < h.bytes)
			continue;
		sprintf(digits, "%08" PRIx32, crc32c(crc32c(0, p + i + 2, head_size - 12), p + i + head_size, h.bytes));
		memcpy(p + i + head_size - 10, digits, 8);
	}
}

/* What the other side sends: p with its stretches, and "PROOF *" as proof; NULL: as it is. */
static inline void
talk_fill(const uint8_t *p, size_t n, const char *proof)
{
	static const char star[] = "PROOF *";
	for (size_t i = 0; i < n; i++) {
		if ((talk.flags & STRETCH) != 0 && p[i] == '\v' && i + 1 < n) {
			size_t more = (size_t)(p[++i] + 1) * 512;
			char *room = buf_room(&talk.sent, more);
			fuzz_require(room != NULL);
			memset(room, 'x', more);
			buf_added(&talk.sent, more);
		} else if (proof != NULL && n - i >= sizeof star - 1 && memcmp(p + i, star, sizeof star - 1) == 0) {
			fuzz_require(buf_puts(&talk.sent, proof));
			i += sizeof star - 2;
		} else {
			fuzz_require(buf_put(&talk.sent, &p[i], 1));
		}
	}
	if ((talk.flags & PUT_RIGHT) != 0)
		talk_put_crcs(buf_begin(&talk.sent), talk.sent.len);
}

/* Takes the input apart; returns where its stream begins. */
static inline size_t
talk_begin(const uint8_t *data, size_t size)
{
	talk_start();
	size_t steps = data[1] < size - 2 ? data[1] : size - 2;
	talk.flags = data[0];
	talk.schedule = data + 2;
	talk.steps = steps;
	talk.step = talk.at = talk.turns = talk.dials = 0;
	talk.piece = 0;
	talk.window = SIZE_MAX;
	talk.stopped = talk.broken = talk.any_order = talk.timed = false;
	talk.now_ms = 1000 * 1000;
	memset(&talk.server.stats, 0, sizeof talk.server.stats);
	return 2 + steps;
}

static inline void
talk_run(void)
{
	talk.run(talk.arg);
	talk.inside = false;
}

static inline void
talk_finish(void)
{
	while (talk.held.len != 0)
		talk_done();
	buf_fini(&talk.sent);
	buf_fini(&talk.out);
	buf_fini(&talk.did);
	buf_fini(&talk.bad);
	buf_fini(&talk.fates);
	buf_fini(&talk.held);
	buf_fini(&talk.reads);
}

/* ---- a session ---- */

static inline void
talk_stop_session(void)
{
	struct session *s = talk.arg;
	atomic_store(&s->stop, true);
	talk.sent.len = talk.at;        /* as the shutdown of its socket does */
}

/* Memory is bounded: a read, a frame, what one read can be answered with. */
static inline void
talk_look_session(void)
{
	const struct session *s = talk.arg;
	fuzz_require(s->in.len <= FRAME_HEAD_MAX + FRAME_BODY_MAX + 128 * 1024);
	fuzz_require(s->texts.len <= 4 << 20 && s->out.len <= 4 << 20 && s->pending_bytes <= 2 << 20);
	fuzz_require(!s->reading || (s->texts.len < 64 * 1024 && s->out.len < 64 * 1024));
}

static inline void
talk_session(const struct session_kind *kind, const char *address)
{
	static struct sessions *all;
	struct addr from;
	const char *why;
	if (all == NULL)
		fuzz_require((all = sessions_new()) != NULL);
	fuzz_require(net_resolve(address, 50001, true, &from, 1, &why) == 1);
	talk.stop = talk_stop_session;
	talk.look = talk_look_session;
	talk.inside = true;
	fuzz_require(sessions_start(all, &talk.server, kind, TALK_FD, &from) == 0);
	talk_run();
	talk.inside = true;
	sessions_reap(all);
	talk.inside = false;
	/* Each reply is a line of text, the last one, too. */
	const char *text = buf_begin(&talk.out);
	for (size_t i = 0; i < talk.out.len; i++)
		fuzz_require(text[i] == '\r' ? i + 1 < talk.out.len && text[i + 1] == '\n' :
		    text[i] == '\n' ? i > 0 && text[i - 1] == '\r' : (unsigned char)text[i] >= ' ' && text[i] != 0x7f);
}

/* ---- what is foretold ---- */

static inline bool
talk_same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(buf_begin(a), buf_begin(b), a->len) == 0);
}

/* What was done is what was to be done; with TIMES it may have ended earlier. */
static inline void
talk_compare(const char *what, const struct buf *is, const struct buf *should)
{
	if (talk_same(is, should) || ((talk.flags & TIMES) != 0 && is->len <= should->len &&
	    (is->len == 0 || memcmp(buf_begin(is), buf_begin(should), is->len) == 0)))
		return;
	fprintf(stderr, "%s:\n%.*s---- but should:\n%.*s", what, (int)is->len, buf_begin(is), (int)should->len, buf_begin(should));
	abort();
}

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
