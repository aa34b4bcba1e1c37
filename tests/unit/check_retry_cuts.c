/* SPDX-License-Identifier: MIT
 * A real client, a proxy that cuts connections after a random count of bytes, in either direction, and a real server: each
 * request runs once. */
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>

#include "helpers_rig.h"

/* Requests are numbers of three digits, so that all are of one size. */
enum { CUTS = 100, REQUESTS = 1000, FIRST = 102, CONNECTIONS = 4000 };

/* ---- the server: a thread for each connection ---- */

struct server {
	struct pt_dedupe *dedupe;
	int               fd, port;
	atomic_bool       ends;
	atomic_int        runs[REQUESTS];
	atomic_int        outcomes[PT_FULL + 1];
	pthread_t         thread, session[CONNECTIONS];
	int               sessions;
};

struct session {
	struct server *server;
	int            fd;
};

/* The request's body is its number. */
static void
answer(struct server *s, struct pt_conn *c, struct pt_run *run, const struct pt_value *body)
{
	int64_t n = body->type == PT_INT && body->integer >= 0 && body->integer < REQUESTS ? body->integer : 0;
	const struct pt_value header = DICT(PT_TEXT("n"), PT_INT_OF(n)),
	    reply = PT_TEXT("a reply of some length, so that it can be cut");
	atomic_fetch_add(&s->runs[n], 1);
	/* Some go on while their client is back already. */
	if (n % 3 == 0)
		usleep(20000);
	pt_once_reply(c, run, &header, &reply);
}

static void *
serve(void *arg)
{
	struct session session = *(struct session *)arg;
	struct server *s = session.server;
	const struct pt_value ident = DICT(PT_TEXT("ident"), PT_TEXT("fedcba9876543210")), *header, *body;
	free(arg);
	struct pt_conn *c = pt_from_fd(session.fd, NULL);
	if (c != NULL && pt_accept(c, UNIT_SOON_MS, &header, &body) == PT_OK && pt_peer_allowed(c, &ident, NULL) == PT_OK) {
		struct pt_run run;
		while (pt_recv(c, &header, &body) == PT_OK &&
		    pt_once_begin(s->dedupe, c, "zed", 3, header, body, &run) == PT_OK) {
			atomic_fetch_add(&s->outcomes[run.outcome], 1);
			if (run.outcome == PT_NEW)
				answer(s, c, &run, body);
		}
	}
	pt_close(&c);
	return NULL;
}

static void *
accept_all(void *arg)
{
	struct server *s = arg;
	while (!atomic_load(&s->ends)) {
		struct session *session = malloc(sizeof *session);
		session->server = s;
		session->fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
		if (session->fd < 0 || s->sessions == CONNECTIONS ||
		    pthread_create(&s->session[s->sessions], NULL, serve, session) != 0) {
			if (session->fd >= 0)
				close(session->fd);
			free(session);
			continue;
		}
		s->sessions++;
	}
	return NULL;
}

static void
server_start(struct server *s)
{
	memset(s, 0, sizeof *s);
	s->dedupe = pt_dedupe_new(NULL);
	s->fd = pt_listen("127.0.0.1", &s->port);
	ck_assert_int_ge(s->fd, 0);
	ck_assert_int_eq(pthread_create(&s->thread, NULL, accept_all, s), 0);
}

/* Where a thread waits for connections: one that says that it is over. */
static void
wake(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	close(fd);
}

static void
server_stop(struct server *s)
{
	atomic_store(&s->ends, true);
	wake(s->port);
	pthread_join(s->thread, NULL);
	for (int i = 0; i < s->sessions; i++)
		pthread_join(s->session[i], NULL);
	close(s->fd);
	pt_dedupe_free(&s->dedupe);
}

/* ---- the proxy: one connection after the other, as the client has them ---- */

struct proxy {
	int         fd, port, to_port;
	atomic_bool ends;
	atomic_int  cuts;
	int         most[2];    /* a cut comes within that many bytes, to the server and from it */
	uint64_t    seed;
	pthread_t   thread;
};

static int
dial(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	close(fd);
	return -1;
}

/* What can be read from one goes to the other, at most *left bytes in all. false: it is over. */
static bool
pump(int from, int to, long *left)
{
	char bytes[4096];
	size_t most = *left >= 0 && *left < (long)sizeof bytes ? (size_t)*left : sizeof bytes;
	ssize_t n = read(from, bytes, most);
	for (ssize_t done = 0, k; done < n; done += k)
		if ((k = send(to, bytes + done, (size_t)(n - done), MSG_NOSIGNAL)) <= 0)
			return false;
	if (*left >= 0 && n > 0)
		*left -= n;
	return n > 0 && *left != 0;
}

/* Ends with a reset or, as if all was well, with the end of the stream. */
static void
hang_up(struct proxy *p, int fd)
{
	struct linger now = { 1, 0 };
	if (unit_below(&p->seed, 2) == 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(fd);
}

static void
relay(struct proxy *p, int client)
{
	int server = dial(p->to_port);
	long left[2] = { -1, -1 };
	bool cut = atomic_load(&p->cuts) < CUTS;
	if (cut) {
		unsigned way = unit_below(&p->seed, 2);
		/* A request that has just arrived in full is what matters most. */
		bool whole = way == 0 && unit_below(&p->seed, 3) == 0;
		left[way] = whole ? p->most[0] : (long)unit_below(&p->seed, (unsigned)p->most[way]);
	}
	struct pollfd fds[2] = { { client, POLLIN, 0 }, { server, POLLIN, 0 } };
	bool goes_on = server >= 0 && left[0] != 0 && left[1] != 0;
	while (goes_on && poll(fds, 2, UNIT_SOON_MS) > 0)
		for (int i = 0; i < 2 && goes_on; i++)
			if (fds[i].revents != 0)
				goes_on = pump(fds[i].fd, fds[1 - i].fd, &left[i]);
	if (cut && (left[0] == 0 || left[1] == 0))
		atomic_fetch_add(&p->cuts, 1);
	hang_up(p, client);
	if (server >= 0)
		hang_up(p, server);
}

static void *
relay_all(void *arg)
{
	struct proxy *p = arg;
	while (!atomic_load(&p->ends)) {
		int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0 && !atomic_load(&p->ends))
			relay(p, fd);
		else if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static void
proxy_start(struct proxy *p, int to_port, int most_to, int most_from, uint64_t seed)
{
	memset(p, 0, sizeof *p);
	p->to_port = to_port;
	p->most[0] = most_to;
	p->most[1] = most_from;
	p->seed = seed;
	p->fd = pt_listen("127.0.0.1", &p->port);
	ck_assert_int_ge(p->fd, 0);
	ck_assert_int_eq(pthread_create(&p->thread, NULL, relay_all, p), 0);
}

static void
proxy_stop(struct proxy *p)
{
	atomic_store(&p->ends, true);
	wake(p->port);
	pthread_join(p->thread, NULL);
	close(p->fd);
}

/* ---- the tests ---- */

static struct pt_retry *
client(int port)
{
	static const struct pt_value pairs[] = { PT_TEXT("ident"), PT_TEXT("0123456789abcdef"), PT_TEXT("user"),
		PT_TEXT("zed") }, identity = PT_DICT_OF(pairs, 2);
	struct pt_retry_options o = PT_RETRY_INIT;
	o.host = "127.0.0.1";
	o.port = port;
	o.identity = &identity;
	o.wait_ms = 1;
	o.wait_most_ms = 4;
	struct pt_retry *r = pt_retry_new(&o);
	ck_assert_ptr_nonnull(r);
	return r;
}

static void
ask(struct pt_retry *r, int n)
{
	const struct pt_value body = PT_INT_OF(n), *header, *reply;
	int e = pt_retry_request(r, NULL, &body, UNIT_SOON_MS, &header, &reply);
	ck_assert_msg(e == PT_OK, "request %d: %s", n, pt_error_name(e));
	ck_assert_msg(pt_get(header, "n") != NULL && pt_get(header, "n")->integer == n, "another's reply");
}

static struct server the_server;
static struct proxy the_proxy;

/* One request; a connection lives shorter than it takes to be answered, a hundred times over. Identity and request are 102
 * bytes, verdict and reply 159, and a few more with pt.dup. */
START_TEST(one_request_a_hundred_cuts)
{
	uint64_t seed = unit_seed("one_request_a_hundred_cuts");
	server_start(&the_server);
	proxy_start(&the_proxy, the_server.port, 102, 159, seed);
	struct pt_retry *r = client(the_proxy.port);
	ask(r, FIRST);
	ck_assert_int_eq(atomic_load(&the_proxy.cuts), CUTS);
	ck_assert_int_eq(atomic_load(&the_server.runs[FIRST]), 1);
	pt_retry_free(&r);
	proxy_stop(&the_proxy);
	server_stop(&the_server);
	printf("replayed %d, running %d\n", the_server.outcomes[PT_REPLAY], the_server.outcomes[PT_RUNNING]);
	ck_assert_int_eq(atomic_load(&the_server.runs[FIRST]), 1);
	ck_assert_int_gt(the_server.outcomes[PT_REPLAY], 0);
}
END_TEST

/* Many requests over connections that live a little longer: some until the third one has arrived. */
START_TEST(many_requests_a_hundred_cuts)
{
	uint64_t seed = unit_seed("many_requests_a_hundred_cuts");
	int n = FIRST;
	server_start(&the_server);
	proxy_start(&the_proxy, the_server.port, 210, 500, seed);
	struct pt_retry *r = client(the_proxy.port);
	while (n < REQUESTS && atomic_load(&the_proxy.cuts) < CUTS)
		ask(r, n++);
	pt_retry_free(&r);
	proxy_stop(&the_proxy);
	server_stop(&the_server);
	ck_assert_int_eq(the_proxy.cuts, CUTS);
	for (int i = 0; i < REQUESTS; i++)
		ck_assert_msg(the_server.runs[i] == (i >= FIRST && i < n), "request %d of %d ran %d times", i, n,
		    the_server.runs[i]);
	printf("requests %d, replayed %d, running %d\n", n - FIRST,
	    the_server.outcomes[PT_REPLAY], the_server.outcomes[PT_RUNNING]);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, one_request_a_hundred_cuts);
	UNIT_TEST(s, many_requests_a_hundred_cuts);
}

int
main(void)
{
	return unit_main("retry_cuts", add);
}
