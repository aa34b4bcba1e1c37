/* SPDX-License-Identifier: MIT
 * check_petrichor_io.c - pairs over sockets, pipes, files and terminals: time, signals, and what descriptors look like
 * afterwards. */
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <termios.h>

#include "pairs_rig.h"

enum { SOCKETS, PIPES, KINDS };

/* A stream of one direction: [0] is where it comes out. */
static void
stream_open(int kind, int fd[2])
{
	ck_assert_int_eq(kind == SOCKETS ? socketpair(AF_UNIX, SOCK_STREAM, 0, fd) : pipe(fd), 0);
}

static struct pt_conn *
reader_of(int kind, int fd, const struct pt_options *o)
{
	int nowhere = kind == PIPES ? open("/dev/null", O_WRONLY) : -1;
	struct pt_conn *c = kind == SOCKETS ? pt_from_fd(fd, o) : pt_from_fds(fd, nowhere, o);
	ck_assert_ptr_nonnull(c);
	return c;
}

static void
write_all(int fd, const char *at, size_t n)
{
	while (n != 0) {
		ssize_t k = write(fd, at, n);
		if (k < 0 && errno != EINTR)
			return;
		if (k > 0) {
			at += k;
			n -= (size_t)k;
		}
	}
}

/* Writes bytes in two parts, the second once the first has been read; then closes. */
struct feeder {
	const char *at;
	size_t      n, cut, step;
	int         out, in;
	pthread_t   thread;
};

static void *
feed(void *arg)
{
	struct feeder *f = arg;
	int unread = 1;
	write_all(f->out, f->at, f->cut);
	for (int i = 0; i < 100000 && ioctl(f->in, FIONREAD, &unread) == 0 && unread != 0; i++)
		usleep(20);
	for (size_t k = f->cut, part; k < f->n; k += part) {
		part = f->step < f->n - k ? f->step : f->n - k;
		write_all(f->out, f->at + k, part);
	}
	close(f->out);
	return NULL;
}

static void
feed_start(struct feeder *f)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);    /* signals are for the test's own thread */
	ck_assert_int_eq(pthread_create(&f->thread, NULL, feed, f), 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void
fed_through(int kind, const char *at, size_t n, size_t cut, size_t step, struct buf *told)
{
	int fd[2];
	stream_open(kind, fd);
	struct feeder f = { .at = at, .n = n, .cut = cut, .step = step, .out = fd[1], .in = fd[0] };
	struct pt_conn *c = reader_of(kind, fd[0], NULL);
	ck_assert_int_eq(pt_conn_fd(c), fd[0]);
	buf_clear(told);
	feed_start(&f);
	pairs_told(c, told);
	/* Others see the same descriptor: it has no flags of ours. */
	unit_require((fcntl(fd[0], F_GETFL) & O_NONBLOCK) == 0, "non-blocking");
	pthread_join(f.thread, NULL);
	pt_close(&c);
}

START_TEST(vectors_in_every_split)
{
	struct vector v[VECTORS_MOST];
	int n = vectors_load(v, "pq");
	struct buf told = BUF_INIT;
	for (int i = 0; i < n; i++) {
		for (size_t cut = 0; cut <= v[i].n; cut += (size_t)(3 / unit_amount(3))) {
			fed_through(_i, v[i].bytes, v[i].n, cut, SIZE_MAX, &told);
			vector_agrees(&v[i], &told);
		}
		fed_through(_i, v[i].bytes, v[i].n, 0, 1, &told);
		vector_agrees(&v[i], &told);
	}
	buf_fini(&told);
	vectors_free(v, n);
}
END_TEST

START_TEST(large_ones_in_pieces)
{
	struct buf stream = BUF_INIT, told = BUF_INIT, want = BUF_INIT;
	long_stream(&stream);
	struct script s = { 0 };
	script_open(&s, buf_begin(&stream), stream.len, NULL);
	pairs_told(s.conn, &want);
	script_end(&s);
	static const size_t steps[] = { 777, 5000, SIZE_MAX };
	for (size_t i = 0; i < UNIT_COUNT(steps); i++) {
		fed_through(_i, buf_begin(&stream), stream.len, 4, steps[i], &told);
		unit_require(strcmp(unit_text(&told), unit_text(&want)) == 0, "%zu at a time", steps[i]);
	}
	buf_fini(&stream);
	buf_fini(&told);
	buf_fini(&want);
}
END_TEST

/* ---- time ---- */

static const struct pt_options brief = { PT_LIMITS_INIT, 60, 60, NULL, 0 };

START_TEST(silence_is_waited_for_as_long_as_said)
{
	static const char *const said[] = { "", "0:}", "0:}5:he" };
	for (size_t i = 0; i < UNIT_COUNT(said); i++) {
		int fd[2];
		stream_open(_i, fd);
		struct pt_conn *c = reader_of(_i, fd[0], &brief);
		write_all(fd[1], said[i], strlen(said[i]));
		int64_t before = clock_mono_ms();
		ck_assert_int_eq(pt_recv(c, NULL, NULL), PT_E_TIMEOUT);
		ck_assert_int_ge(clock_mono_ms() - before, 59);
		ck_assert_int_lt(clock_mono_ms() - before, 30000);
		/* Not at all. */
		pt_conn_times(c, 0, 0);
		ck_assert_int_eq(pt_recv(c, NULL, NULL), PT_E_TIMEOUT);
		write_all(fd[1], "0:}0:,", 6);
		ck_assert_int_eq(pt_recv(c, NULL, NULL), i == 0 ? PT_OK : PT_E_TIMEOUT);
		pt_close(&c);
		close(fd[1]);
	}
}
END_TEST

START_TEST(who_does_not_read_is_not_waited_for)
{
	enum { LARGE = 8 << 20 };
	int fd[2];
	stream_open(_i, fd);
	char *large = calloc(1, LARGE);
	struct pt_value body = PT_BYTES_OF(large, LARGE);
	struct pt_conn *c = _i == SOCKETS ? pt_from_fd(fd[1], &brief) : pt_from_fds(open("/dev/null", O_RDONLY), fd[1], &brief);
	int64_t before = clock_mono_ms();
	ck_assert_int_eq(pt_send(c, NULL, &body), PT_E_TIMEOUT);
	ck_assert_int_ge(clock_mono_ms() - before, 59);
	ck_assert_int_lt(clock_mono_ms() - before, 30000);
	ck_assert_int_eq(fcntl(fd[1], F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(pt_send(c, NULL, NULL), PT_E_TIMEOUT);
	ck_assert_int_eq(pt_recv(c, NULL, NULL), PT_E_TIMEOUT);
	pt_close(&c);
	close(fd[0]);
	free(large);
}
END_TEST

/* ---- signals ---- */

static volatile sig_atomic_t alarms;

static void
on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

static void
alarm_each(int us)
{
	struct sigaction a = { .sa_handler = on_alarm };        /* without SA_RESTART */
	ck_assert_int_eq(sigaction(SIGALRM, &a, NULL), 0);
	struct itimerval t = { { 0, us }, { 0, us } };
	ck_assert_int_eq(setitimer(ITIMER_REAL, &t, NULL), 0);
}

START_TEST(signals_neither_break_nor_extend)
{
	struct buf stream = BUF_INIT, told = BUF_INIT;
	long_stream(&stream);
	alarm_each(1000);
	fed_through(_i, buf_begin(&stream), stream.len, 5, 50000, &told);
	ck_assert_ptr_nonnull(strstr(unit_text(&told), " CLOSED@0"));
	int fd[2];
	stream_open(_i, fd);
	struct pt_conn *c = reader_of(_i, fd[0], &brief);
	int64_t before = clock_mono_ms();
	int had = alarms;
	ck_assert_int_eq(pt_recv(c, NULL, NULL), PT_E_TIMEOUT);
	ck_assert_int_ge(clock_mono_ms() - before, 59);
	ck_assert_int_lt(clock_mono_ms() - before, 30000);
	ck_assert_int_gt(alarms, had);
	alarm_each(0);
	pt_close(&c);
	close(fd[1]);
	buf_fini(&stream);
	buf_fini(&told);
}
END_TEST

static bool
is_pending(int sig)
{
	sigset_t set;
	sigpending(&set);
	return sigismember(&set, sig) == 1;
}

START_TEST(nobody_there_is_no_signal)
{
	signal(SIGPIPE, SIG_DFL);
	for (int blocked = 0; blocked < 3; blocked++) {
		sigset_t set, before, after;
		sigemptyset(&set);
		sigaddset(&set, SIGPIPE);
		if (blocked != 0)
			pthread_sigmask(SIG_BLOCK, &set, NULL);
		if (blocked == 2)
			raise(SIGPIPE);         /* somebody else's, which stays */
		int fd[2];
		stream_open(_i, fd);
		struct pt_conn *c = _i == SOCKETS ? pt_from_fd(fd[1], NULL) : pt_from_fds(open("/dev/null", O_RDONLY), fd[1], NULL);
		close(fd[0]);
		pthread_sigmask(SIG_BLOCK, NULL, &before);
		for (int i = 0; i < 3; i++) {
			ck_assert_int_eq(pt_send(c, NULL, NULL), PT_E_IO);
			ck_assert_int_eq(pt_conn_errno(c), EPIPE);
		}
		pthread_sigmask(SIG_BLOCK, NULL, &after);
		ck_assert_int_eq(sigismember(&after, SIGPIPE), sigismember(&before, SIGPIPE));
		ck_assert_int_eq(is_pending(SIGPIPE), blocked == 2);
		pt_close(&c);
	}
	signal(SIGPIPE, SIG_IGN);
}
END_TEST

/* ---- other kinds of ends ---- */

START_TEST(descriptors_are_closed_once_and_errors_told)
{
	int fd[2], other[2];
	stream_open(_i, fd);
	stream_open(_i, other);
	struct pt_conn *c = pt_from_fds(fd[0], other[1], NULL);
	pt_close(&c);
	ck_assert(fcntl(fd[0], F_GETFD) < 0 && fcntl(other[1], F_GETFD) < 0);
	ck_assert(fcntl(fd[1], F_GETFD) == 0 && fcntl(other[0], F_GETFD) == 0);
	c = pt_from_fd(other[1], NULL);         /* which is closed */
	ck_assert_int_eq(pt_recv(c, NULL, NULL), PT_E_IO);
	ck_assert_int_eq(pt_conn_errno(c), EBADF);
	pt_close(&c);
	close(fd[1]);
	close(other[0]);
}
END_TEST

static ssize_t
died(void *ctx, void *to, size_t n, int timeout_ms)
{
	(void)ctx;
	(void)to;
	(void)n;
	(void)timeout_ms;
	return script_fails(ETIMEDOUT);
}

START_TEST(a_dead_connection_is_not_one_that_is_slow)
{
	/* What TCP says when nobody has acknowledged anything for long. */
	int fd[2];
	stream_open(SOCKETS, fd);
	struct pt_conn *c = pt_from_fd(fd[0], NULL);
	c->io.read = died;
	ck_assert_int_eq(pt_recv(c, NULL, NULL), PT_E_IO);
	ck_assert_int_eq(pt_conn_errno(c), ETIMEDOUT);
	pt_close(&c);
	close(fd[1]);
}
END_TEST

START_TEST(files_are_streams_too)
{
	char dir[UNIT_PATH], in[UNIT_PATH + 64], out[UNIT_PATH + 64];
	const struct pt_value *header, *body;
	unit_folder(dir);
	unit_file_puts(dir, "in", "8:1:n,1:7#}5:hello,0:}3:bye,");
	unit_file_path(in, dir, "in");
	unit_file_path(out, dir, "out");
	struct pt_conn *c = pt_from_fds(open(in, O_RDONLY), open(out, O_WRONLY | O_CREAT, 0600), NULL);
	while (pt_recv(c, &header, &body) == PT_OK)
		ck_assert_int_eq(pt_send(c, header, body), PT_OK);
	ck_assert_int_eq(pt_recv(c, NULL, NULL), PT_CLOSED);
	pt_close(&c);
	unit_assert_file(dir, "out", "8:1:n,1:7#}5:hello,0:}3:bye,");
	unit_folder_remove(dir);
}
END_TEST

static void *
drain(void *arg)
{
	struct feeder *f = arg;
	char *at = malloc(f->n);
	size_t had = 0;
	for (ssize_t k; had < f->n && (k = read(f->in, at + had, f->n - had)) > 0;)
		had += (size_t)k;
	f->n = had;
	f->at = at;
	return NULL;
}

START_TEST(terminals_take_what_they_can)
{
	enum { SIZE = 20000 };
	int master = posix_openpt(O_RDWR | O_NOCTTY);
	ck_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	struct termios raw;
	ck_assert_int_eq(tcgetattr(slave, &raw), 0);
	cfmakeraw(&raw);
	ck_assert_int_eq(tcsetattr(slave, TCSANOW, &raw), 0);
	char *bytes = malloc(SIZE);
	for (int i = 0; i < SIZE; i++)
		bytes[i] = (char)i;
	struct pt_value body = PT_BYTES_OF(bytes, SIZE);
	struct pt_conn *c = pt_from_fds(slave, slave, &brief);
	/* Nobody reads: it does not hang. */
	ck_assert_int_eq(pt_send(c, NULL, &body), PT_E_TIMEOUT);
	pt_close(&c);
	tcflush(master, TCIOFLUSH);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	tcflush(slave, TCIOFLUSH);
	c = pt_from_fds(slave, slave, NULL);
	struct feeder f = { .in = master, .n = 3 + 6 + SIZE + 1 };
	ck_assert_int_eq(pthread_create(&f.thread, NULL, drain, &f), 0);
	ck_assert_int_eq(pt_send(c, NULL, &body), PT_OK);
	pthread_join(f.thread, NULL);
	ck_assert_uint_eq(f.n, 3 + 6 + SIZE + 1);
	ck_assert(memcmp(f.at, "0:}20000:", 9) == 0 && memcmp(f.at + 9, bytes, SIZE) == 0);
	pt_close(&c);
	close(master);
	free((char *)f.at);
	free(bytes);
}
END_TEST

/* ---- threads ---- */

enum { TALKS = 4 };

static void *
echo(void *arg)
{
	struct pt_conn *c = arg;
	const struct pt_value *header, *body;
	while (pt_recv(c, &header, &body) == PT_OK && pt_send(c, header, body) == PT_OK)
		;
	pt_close(&c);
	return NULL;
}

/* Lockstep through two pipes or a socket; every 50th body is large. NULL: all was well. */
static void *
talk(void *arg)
{
	struct pt_conn *c = arg;
	static char large[300000];
	static char failed[] = "failed";
	char *result = NULL;
	for (int i = 0; i < unit_amount(500) && result == NULL; i++) {
		struct pt_value items[] = { PT_TEXT("n"), PT_INT_OF(i) };
		struct pt_value header = PT_DICT_OF(items, 1), body = PT_BYTES_OF(large, i % 50 == 49 ? sizeof large : 20);
		const struct pt_value *h, *b;
		int e = pt_request(c, &header, &body, 60000, &h, &b);
		if (e != PT_OK || !pt_same(h, &header) || !pt_same(b, &body))
			result = failed;
	}
	pt_close(&c);
	return result;
}

START_TEST(each_thread_has_its_own)
{
	pthread_t thread[2 * TALKS];
	for (int i = 0; i < TALKS; i++) {
		int there[2], back[2];
		struct pt_conn *near, *far;
		stream_open(_i, there);
		if (_i == SOCKETS) {
			near = pt_from_fd(there[0], NULL);
			far = pt_from_fd(there[1], NULL);
		} else {
			stream_open(_i, back);
			near = pt_from_fds(back[0], there[1], NULL);
			far = pt_from_fds(there[0], back[1], NULL);
		}
		ck_assert_int_eq(pthread_create(&thread[2 * i], NULL, talk, near), 0);
		ck_assert_int_eq(pthread_create(&thread[2 * i + 1], NULL, echo, far), 0);
	}
	for (int i = 0; i < 2 * TALKS; i++) {
		void *result;
		ck_assert_int_eq(pthread_join(thread[i], &result), 0);
		ck_assert_ptr_null(result);
	}
}
END_TEST

static void
add(Suite *suite)
{
	UNIT_LOOP(suite, vectors_in_every_split, 0, KINDS);
	UNIT_LOOP(suite, large_ones_in_pieces, 0, KINDS);
	UNIT_LOOP(suite, silence_is_waited_for_as_long_as_said, 0, KINDS);
	UNIT_LOOP(suite, who_does_not_read_is_not_waited_for, 0, KINDS);
	UNIT_LOOP(suite, signals_neither_break_nor_extend, 0, KINDS);
	UNIT_LOOP(suite, nobody_there_is_no_signal, 0, KINDS);
	UNIT_LOOP(suite, descriptors_are_closed_once_and_errors_told, 0, KINDS);
	UNIT_TEST(suite, a_dead_connection_is_not_one_that_is_slow);
	UNIT_TEST(suite, files_are_streams_too);
	UNIT_TEST(suite, terminals_take_what_they_can);
	UNIT_LOOP(suite, each_thread_has_its_own, 0, KINDS);
}

int
main(void)
{
	return unit_main("petrichor_io", add);
}
