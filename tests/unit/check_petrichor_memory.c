/* SPDX-License-Identifier: MIT
 * check_petrichor_memory.c - a connection costs in the measure of what has come, and gives it back. */
#include <malloc.h>
#include <sys/socket.h>

#include "pairs_rig.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif

/* What is allocated just now; 0 where nobody can say. */
static size_t
allocated(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33) && !defined(SANITIZED)
	struct mallinfo2 m = mallinfo2();
	return m.uordblks + m.hblkhd;
#else
	return 0;
#endif
}

struct watch {
	struct script s;
	size_t        before, most;     /* bytes; most over what the arrived ones may cost */
};

static ssize_t
watched_read(void *ctx, void *to, size_t n, int timeout_ms)
{
	struct watch *w = ctx;
	size_t now = allocated() - w->before, may = 3 * w->s.done + 64 * 1024;
	if (now > w->most)
		w->most = now;
	unit_require(now <= may, "%zu bytes have come, %zu are allocated", w->s.done, now);
	unit_require(w->s.conn->in_room <= 2 * w->s.done + CONN_ROOM_FIRST, "a buffer of %zu", w->s.conn->in_room);
	return script_read(&w->s, to, n, timeout_ms);
}

static void
watch_open(struct watch *w, const char *bytes, size_t n, const struct pt_options *o)
{
	script_open(&w->s, bytes, n, o);
	w->s.conn->io.read = watched_read;
	w->before = allocated();
}

START_TEST(announced_is_not_allocated)
{
	struct pt_options o = PT_OPTIONS_INIT;
	o.limits.header_bytes = o.limits.body_bytes = PT_MOST;
	static const char *const said[] = { "999999999:", "0:}999999999:", "0:}999999999:x" };
	for (size_t i = 0; i < UNIT_COUNT(said); i++) {
		struct watch w = { .s = { .end = SCRIPT_SILENT } };
		watch_open(&w, said[i], strlen(said[i]), &o);
		ck_assert_int_eq(pt_recv(w.s.conn, NULL, NULL), PT_E_TIMEOUT);
		printf("%s and silence: %zu bytes\n", said[i], w.most);
		ck_assert_uint_lt(w.most, 100 * 1024);
		ck_assert_uint_le(w.s.conn->in_room, 64 * 1024);
		script_end(&w.s);
	}
}
END_TEST

START_TEST(announced_over_a_socket_is_not_allocated)
{
	struct pt_options o = PT_OPTIONS_INIT;
	o.limits.body_bytes = PT_MOST;
	o.frame_ms = 50;
	int fd[2];
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	size_t before = allocated();
	struct pt_conn *c = pt_from_fd(fd[0], &o);
	ck_assert_int_eq(write(fd[1], "0:}999999999:", 13), 13);
	ck_assert_int_eq(pt_recv(c, NULL, NULL), PT_E_TIMEOUT);
	ck_assert_uint_lt(allocated() - before, 100 * 1024);
	pt_close(&c);
	close(fd[1]);
	ck_assert_uint_le(allocated(), before + 1024);
}
END_TEST

/* The frame of a body, behind an empty header. */
static char *
large_pair(size_t size, size_t *n)
{
	char *at = malloc(size + 32);
	size_t head = (size_t)sprintf(at, "0:}%zu:", size);
	memset(at + head, 'x', size);
	at[head + size] = ',';
	*n = head + size + 1;
	return at;
}

START_TEST(memory_grows_with_what_comes)
{
	size_t n;
	char *pair = large_pair(3000000, &n);
	static const size_t steps[] = { 100, 4000, 100000, 0 };
	for (size_t i = 0; i < UNIT_COUNT(steps); i++) {
		struct watch w = { .s = { .step = steps[i] } };
		const struct pt_value *body;
		watch_open(&w, pair, n, NULL);
		ck_assert_int_eq(pt_recv(w.s.conn, NULL, &body), PT_OK);
		ck_assert_uint_eq(body->bytes.len, 3000000);
		/* No more than the frame itself. */
		ck_assert_uint_le(w.s.conn->in_room, n);
		ck_assert_int_eq(pt_recv(w.s.conn, NULL, NULL), PT_CLOSED);
		script_end(&w.s);
	}
	free(pair);
}
END_TEST

START_TEST(who_has_had_a_large_one_waits_with_a_small_buffer)
{
	size_t n;
	char *pair = large_pair(3000000, &n);
	struct script s = { .end = SCRIPT_SILENT };
	script_open(&s, pair, n, NULL);
	for (int i = 0; i < 3; i++) {
		s.done = 0;
		ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), PT_OK);
		ck_assert_uint_gt(s.conn->in_room, 1000000);
		ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), PT_E_TIMEOUT);
		ck_assert_uint_le(s.conn->in_room, CONN_ROOM_FIRST);
	}
	script_end(&s);
	free(pair);
	/* But who sends one after the other has them all in the same one. */
	struct buf many = BUF_INIT;
	pair = large_pair(300000, &n);
	for (int i = 0; i < 10; i++)
		buf_put(&many, pair, n);
	struct script t = { 0 };
	script_open(&t, buf_begin(&many), many.len, NULL);
	size_t room = 0;
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(pt_recv(t.conn, NULL, NULL), PT_OK);
		ck_assert(i < 2 || t.conn->in_room == room);
		room = t.conn->in_room;
	}
	ck_assert_uint_lt(room, 2 * n);
	script_end(&t);
	buf_fini(&many);
	free(pair);
}
END_TEST

START_TEST(small_ones_cost_nothing_more)
{
	struct script s = { 0 };
	struct buf many = BUF_INIT;
	const struct pt_value *header, *body;
	for (int i = 0; i < 20000; i++)
		buf_puts(&many, "8:1:n,1:7#}20:abcdefghijklmnopqrst,");
	script_open(&s, buf_begin(&many), many.len, NULL);
	size_t before = 0;
	for (int i = 0; i < 20000; i++) {
		ck_assert(pt_recv(s.conn, &header, &body) == PT_OK && pt_send(s.conn, header, body) == PT_OK);
		s.out.len = 0;
		if (i == 100)
			before = allocated();
		unit_require(i < 100 || allocated() <= before + 1024, "pair %d", i);
		unit_require(s.conn->in_room == CONN_ROOM_FIRST && s.conn->out_room <= 4096, "pair %d", i);
	}
	ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), PT_CLOSED);
	script_end(&s);
	buf_fini(&many);
}
END_TEST

static void
add(Suite *suite)
{
	UNIT_TEST(suite, announced_is_not_allocated);
	UNIT_TEST(suite, announced_over_a_socket_is_not_allocated);
	UNIT_TEST(suite, memory_grows_with_what_comes);
	UNIT_TEST(suite, who_has_had_a_large_one_waits_with_a_small_buffer);
	UNIT_TEST(suite, small_ones_cost_nothing_more);
}

int
main(void)
{
	return unit_main("petrichor_memory", add);
}
