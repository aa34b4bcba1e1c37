/* SPDX-License-Identifier: MIT
 * check_petrichor_connect.c - hosts with several addresses, Unix sockets, programs: connected to, listened at, and all that
 * goes wrong with it. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "pairs_rig.h"

static const struct pt_value who_items[] = { PT_TEXT("user"), PT_TEXT("zed") };
static const struct pt_value who = PT_DICT_OF(who_items, 1), welcome = PT_TEXT("WELCOME"), go_away = PT_TEXT("GO AWAY");

/* ---- a resolver of our own: the addresses of the host "several" ---- */

static char several[4][16];

int
getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
	struct made {
		struct addrinfo a;
		struct sockaddr_in in;
	};
	struct addrinfo **to = list;
	*list = NULL;
	if (host != NULL && strcmp(host, "nowhere") == 0)
		return EAI_NONAME;
	for (int i = 0; i < 4; i++) {
		const char *text = host == NULL ? "0.0.0.0" : strcmp(host, "several") == 0 ? several[i] : host;
		struct made *m = calloc(1, sizeof *m);
		m->in.sin_family = AF_INET;
		m->in.sin_port = htons((uint16_t)atoi(service));
		if (text[0] == '\0' || inet_pton(AF_INET, text, &m->in.sin_addr) != 1) {
			free(m);
			break;
		}
		m->a = (struct addrinfo){ .ai_family = AF_INET, .ai_socktype = hints->ai_socktype, .ai_addrlen = sizeof m->in,
			.ai_addr = (struct sockaddr *)&m->in };
		*to = &m->a;
		to = &m->a.ai_next;
		if (host == NULL || strcmp(host, "several") != 0)
			break;
	}
	return *list != NULL ? 0 : EAI_NONAME;
}

void
freeaddrinfo(struct addrinfo *list)
{
	for (struct addrinfo *next; list != NULL; list = next) {
		next = list->ai_next;
		free(list);
	}
}

static void
addresses(const char *a, const char *b, const char *c)
{
	memset(several, 0, sizeof several);
	strcpy(several[0], a);
	strcpy(several[1], b);
	strcpy(several[2], c);
}

/* ---- a server for one peer ---- */

struct server {
	int       fd, port;
	bool      denies, closes;       /* without a word */
	pthread_t thread;
};

static void *
serve(void *arg)
{
	struct server *s = arg;
	const struct pt_value *header, *body;
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
	struct pt_conn *c = pt_from_fd(fd, NULL);
	if (s->closes || pt_accept(c, 60000, &header, &body) != PT_OK) {
		pt_close(&c);
		return NULL;
	}
	if (s->denies)
		pt_peer_denied(c, header, &go_away);
	else
		pt_peer_allowed(c, header, &welcome);
	while (!s->denies && pt_recv(c, &header, &body) == PT_OK && pt_send(c, header, body) == PT_OK)
		;
	pt_close(&c);
	return NULL;
}

static void
server_start(struct server *s, const char *host)
{
	s->fd = pt_listen(host, strchr(host, '/') != NULL ? NULL : &s->port);
	ck_assert_msg(s->fd >= 0, "%s: %s", host, strerror(errno));
	ck_assert_int_eq(fcntl(s->fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void
server_end(struct server *s)
{
	pthread_join(s->thread, NULL);
	close(s->fd);
}

static void
talk(struct pt_conn **c, const struct pt_value *verdict, const struct pt_value *words)
{
	const struct pt_value *body;
	ck_assert_ptr_nonnull(*c);
	ck_assert(pt_connect_allowed(verdict, PT_STRICT) && pt_is_text(words, "WELCOME"));
	ck_assert(pt_is_text(pt_get(verdict, "user"), "zed"));
	ck_assert_int_eq(fcntl(pt_conn_fd(*c), F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(pt_request(*c, NULL, &go_away, 60000, NULL, &body), PT_OK);
	ck_assert(pt_is_text(body, "GO AWAY"));
	pt_close(c);
}

/* ---- hosts ---- */

START_TEST(a_port_of_a_host)
{
	struct server s = { 0 };
	struct pt_conn *c;
	const struct pt_value *verdict, *words;
	server_start(&s, "127.0.0.1");
	ck_assert_int_gt(s.port, 0);
	ck_assert_int_eq(pt_connect(&c, NULL, "127.0.0.1", s.port, &who, NULL, 60000, &verdict, &words), PT_OK);
	int on = 0;
	ck_assert_int_eq(getsockopt(pt_conn_fd(c), IPPROTO_TCP, TCP_NODELAY, &on, &(socklen_t){ sizeof on }), 0);
	ck_assert_int_eq(on, 1);
	talk(&c, verdict, words);
	server_end(&s);
	/* The same port at once again, and any address. */
	s.fd = pt_listen(NULL, &s.port);
	ck_assert_int_ge(s.fd, 0);
	int again = s.port;
	ck_assert_int_eq(pt_listen(NULL, &again), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	close(s.fd);
}
END_TEST

START_TEST(denied_is_a_verdict)
{
	struct server s = { .denies = true };
	struct pt_conn *c;
	const struct pt_value *verdict, *words;
	server_start(&s, "127.0.0.1");
	ck_assert_int_eq(pt_connect(&c, NULL, "127.0.0.1", s.port, &who, NULL, 60000, &verdict, &words), PT_OK);
	ck_assert(!pt_connect_allowed(verdict, 0) && pt_is_text(words, "GO AWAY"));
	ck_assert_int_eq(pt_recv(c, NULL, NULL), PT_CLOSED);
	pt_close(&c);
	server_end(&s);
}
END_TEST

START_TEST(dead_addresses_are_passed_over)
{
	struct server s = { 0 };
	struct pt_conn *c;
	const struct pt_value *verdict, *words;
	addresses("127.0.0.3", "127.0.0.2", "127.0.0.1");
	server_start(&s, "127.0.0.1");
	ck_assert_int_eq(pt_connect(&c, NULL, "several", s.port, &who, NULL, -1, &verdict, &words), PT_OK);
	talk(&c, verdict, words);
	server_end(&s);
	c = (struct pt_conn *)&s;
	ck_assert_int_eq(pt_connect(&c, NULL, "several", s.port, &who, NULL, 60000, &verdict, &words), PT_E_IO);
	ck_assert_int_eq(errno, ECONNREFUSED);
	ck_assert(c == NULL && verdict == NULL && words == NULL);
	ck_assert_int_eq(pt_connect(&c, NULL, "nowhere", 1, &who, NULL, 60000, NULL, NULL), PT_E_RESOLVE);
	ck_assert_int_eq(pt_connect(&c, NULL, "127.0.0.1", -1, &who, NULL, 60000, NULL, NULL), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_connect(&c, NULL, "127.0.0.1", 65536, &who, NULL, 60000, NULL, NULL), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_connect(&c, NULL, NULL, 1, &who, NULL, 60000, NULL, NULL), PT_E_ARGUMENT);
}
END_TEST

/* Fills the queue of a socket that nobody accepts from: who comes now gets no answer. */
static int
fill(const char *host, int port, int fds[], int most)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int n = 0;
	inet_pton(AF_INET, host, &in.sin_addr);
	while (n < most) {
		int fd = fds[n++] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&in, sizeof in) < 0 &&
		    poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 300) == 0)
			return n;
	}
	return n;
}

START_TEST(silent_addresses_do_not_take_all_the_time)
{
	enum { MOST = 16 };
	int fds[MOST];
	struct server s = { 0 };
	struct pt_conn *c;
	const struct pt_value *verdict, *words;
	server_start(&s, "127.0.0.1");
	int silent = pt_listen("127.0.0.2", &s.port);
	ck_assert_int_eq(listen(silent, 1), 0);
	int n = fill("127.0.0.2", s.port, fds, MOST);
	ck_assert_int_lt(n, MOST);
	addresses("127.0.0.2", "", "");
	int64_t before = clock_mono_ms();
	ck_assert_int_eq(pt_connect(&c, NULL, "several", s.port, &who, NULL, 150, NULL, NULL), PT_E_TIMEOUT);
	ck_assert_int_ge(clock_mono_ms() - before, 149);
	ck_assert_int_lt(clock_mono_ms() - before, 30000);
	addresses("127.0.0.2", "127.0.0.1", "");
	ck_assert_int_eq(pt_connect(&c, NULL, "several", s.port, &who, NULL, 4000, &verdict, &words), PT_OK);
	talk(&c, verdict, words);
	server_end(&s);
	while (n > 0)
		close(fds[--n]);
	close(silent);
}
END_TEST

START_TEST(no_verdict_is_no_connection)
{
	struct server s = { .closes = true };
	struct pt_conn *c;
	const struct pt_value *verdict, *words;
	server_start(&s, "127.0.0.1");
	int e = pt_connect(&c, NULL, "127.0.0.1", s.port, &who, NULL, 60000, &verdict, &words);
	/* That our identity was not read may show as a reset. */
	ck_assert(e == PT_CLOSED || (e == PT_E_IO && (errno == ECONNRESET || errno == EPIPE)));
	ck_assert(c == NULL && verdict == NULL && words == NULL);
	server_end(&s);
	/* In the queue of one who never says a word. */
	int port = 0, silent = pt_listen("127.0.0.1", &port);
	int64_t before = clock_mono_ms();
	ck_assert_int_eq(pt_connect(&c, NULL, "127.0.0.1", port, &who, NULL, 80, &verdict, NULL), PT_E_TIMEOUT);
	ck_assert_int_ge(clock_mono_ms() - before, 79);
	ck_assert_int_lt(clock_mono_ms() - before, 30000);
	ck_assert_ptr_null(c);
	close(silent);
}
END_TEST

/* ---- Unix sockets ---- */

START_TEST(a_path)
{
	char dir[UNIT_PATH], path[UNIT_PATH + 64], far[300];
	struct server s = { 0 };
	struct pt_conn *c;
	const struct pt_value *verdict, *words;
	unit_folder(dir);
	unit_file_path(path, dir, "s");
	if (strlen(path) > 100) {
		unit_folder_remove(dir);
		return;         /* no such address can be that long */
	}
	ck_assert_int_eq(pt_connect(&c, NULL, path, 0, &who, NULL, 60000, NULL, NULL), PT_E_IO);
	ck_assert_int_eq(errno, ENOENT);
	server_start(&s, path);
	ck_assert_int_eq(pt_connect(&c, NULL, path, 0, &who, NULL, 60000, &verdict, &words), PT_OK);
	talk(&c, verdict, words);
	/* A name that is taken stays so. */
	ck_assert_int_eq(pt_listen(path, NULL), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	server_end(&s);
	ck_assert_int_eq(pt_connect(&c, NULL, path, 0, &who, NULL, 60000, NULL, NULL), PT_E_IO);
	ck_assert_int_eq(errno, ECONNREFUSED);
	memset(far, '/', sizeof far - 1);
	far[sizeof far - 1] = '\0';
	ck_assert_int_eq(pt_connect(&c, NULL, far, 0, &who, NULL, 60000, NULL, NULL), PT_E_IO);
	ck_assert_int_eq(errno, ENAMETOOLONG);
	ck_assert_int_eq(pt_listen(far, NULL), -1);
	ck_assert_int_eq(errno, ENAMETOOLONG);
	unit_folder_remove(dir);
}
END_TEST

START_TEST(a_path_with_a_queue)
{
	char dir[UNIT_PATH], path[UNIT_PATH + 64];
	struct pt_conn *c;
	int fds[64], n = 0;
	unit_folder(dir);
	unit_file_path(path, dir, "s");
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int s = strlen(path) <= 100 ? pt_listen(path, NULL) : -1;
	if (s < 0) {
		unit_folder_remove(dir);
		return;
	}
	listen(s, 0);
	strcpy(un.sun_path, path);
	for (bool room = true; room && n < 64; n++) {
		fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		room = connect(fds[n], (struct sockaddr *)&un, sizeof un) == 0;
	}
	ck_assert_int_lt(n, 64);
	int64_t before = clock_mono_ms();
	ck_assert_int_eq(pt_connect(&c, NULL, path, 0, &who, NULL, 100, NULL, NULL), PT_E_TIMEOUT);
	ck_assert_int_ge(clock_mono_ms() - before, 99);
	while (n > 0)
		close(fds[--n]);
	close(s);
	unit_folder_remove(dir);
}
END_TEST

START_TEST(listening_that_fails)
{
	int port = 65536;
	ck_assert_int_eq(pt_listen("127.0.0.1", &port), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(pt_listen("127.0.0.1", NULL), -1);
	ck_assert_int_eq(errno, EINVAL);
	port = 0;
	ck_assert_int_eq(pt_listen("nowhere", &port), -1);
	ck_assert_int_eq(errno, EADDRNOTAVAIL);
}
END_TEST

/* ---- programs ---- */

static int
open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;
	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

START_TEST(a_program_is_a_stream)
{
	char *cat[] = { (char[]){ "cat" }, NULL };
	const struct pt_value *header, *body;
	struct pt_conn *c;
	int before = open_descriptors();
	ck_assert_int_eq(pt_spawn(&c, cat, NULL), PT_OK);
	ck_assert_int_ge(pt_conn_fd(c), 3);
	pid_t child = c->child;
	ck_assert_int_eq(pt_greet(c, &who, &welcome, 60000, &header, &body), PT_OK);
	ck_assert(pt_same(header, &who) && pt_same(body, &welcome));
	char bytes[256];
	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	struct pt_value all = PT_BYTES_OF(bytes, 256);
	ck_assert_int_eq(pt_request(c, NULL, &all, 60000, NULL, &body), PT_OK);
	ck_assert(pt_same(body, &all));
	pt_close(&c);
	/* It has been waited for. */
	ck_assert(waitpid(child, NULL, WNOHANG) < 0 && errno == ECHILD);
	ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

START_TEST(programs_that_fail)
{
	char *missing[] = { (char[]){ "/does/not/exist" }, NULL }, *none[] = { NULL }, *folder[] = { (char[]){ "/" }, NULL };
	char *dies[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "exit 3" }, NULL };
	char *reads[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "head -c 3 >/dev/null" }, NULL };
	struct pt_conn *c;
	int before = open_descriptors();
	ck_assert_int_eq(pt_spawn(&c, missing, NULL), PT_E_IO);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_null(c);
	ck_assert_int_eq(pt_spawn(&c, folder, NULL), PT_E_IO);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(pt_spawn(&c, none, NULL), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_spawn(&c, NULL, NULL), PT_E_ARGUMENT);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(pt_spawn(&c, i % 2 == 0 ? dies : reads, NULL), PT_OK);
		ck_assert_int_eq(pt_greet(c, &who, NULL, 60000, NULL, NULL), PT_E_IO);
		ck_assert_int_eq(pt_conn_errno(c), EPIPE);
		ck_assert_int_eq(pt_recv(c, NULL, NULL), PT_E_IO);
		pt_close(&c);
	}
	ck_assert(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

START_TEST(programs_that_do_not_end)
{
	char *obeys[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){
		"trap 'echo term >was; exit' TERM; echo; while :; do sleep 0.1; done" }, NULL };
	char *stubborn[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){ "trap '' TERM; echo; while :; do sleep 1; done" }, NULL };
	sigset_t term;
	struct pt_conn *c;
	/* Held back here, it is not to be so there. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &term, NULL);
	char dir[UNIT_PATH];
	unit_folder(dir);
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(pt_spawn(&c, obeys, NULL), PT_OK);
	ck_assert_int_eq(pt_recv(c, NULL, NULL), PT_E_LEN_DIGIT);       /* it has set its trap */
	int64_t before = clock_mono_ms();
	pt_close(&c);
	ck_assert_int_ge(clock_mono_ms() - before, 900);
	unit_assert_file(dir, "was", "term\n");
	unit_folder_remove(dir);
	ck_assert_int_eq(pt_spawn(&c, stubborn, NULL), PT_OK);
	ck_assert_int_eq(pt_recv(c, NULL, NULL), PT_E_LEN_DIGIT);
	before = clock_mono_ms();
	pt_close(&c);
	ck_assert_int_ge(clock_mono_ms() - before, 1900);
	ck_assert(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}
END_TEST

START_TEST(a_program_gets_what_a_shell_would_give)
{
	/* Its descriptors, what it ignores and what it holds back, as one frame. */
	char *tells[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char[]){
		"t=$(ls /proc/$$/fd | tr '\\n' ' '; sed -n 's/^Sig\\(Blk\\|Ign\\):[[:space:]]*/ /p' /proc/$$/status | tr -d '\\n');"
		"printf '0:}%d:%s,' ${#t} \"$t\"" }, NULL };
	const struct pt_value *body;
	struct pt_conn *c;
	sigset_t all;
	if (access("/proc/self/status", R_OK) != 0)
		return;
	int leak = dup2(2, 37);         /* not close-on-exec */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pt_spawn(&c, tells, NULL), PT_OK);
	int e = pt_recv(c, NULL, &body);
	ck_assert_msg(e == PT_OK, "%s", pt_error_name(e));
	char text[200];
	snprintf(text, sizeof text, "%.*s", (int)body->bytes.len, body->bytes.at);
	ck_assert_ptr_nonnull(strstr(text, "0 1 2 "));
	ck_assert_ptr_null(strstr(text, " 37 "));
	/* No signal blocked, and SIGPIPE (bit 12) not ignored. */
	unsigned long long blocked = 1, ignored = 1;
	ck_assert_int_eq(sscanf(strstr(text, " 0000"), " %llx %llx", &blocked, &ignored), 2);
	ck_assert_uint_eq(blocked, 0);
	ck_assert_uint_eq(ignored & (1u << (SIGPIPE - 1)), 0);
	close(leak);
	pt_close(&c);
}
END_TEST

START_TEST(standard_descriptors_may_be_closed)
{
	char *cat[] = { (char[]){ "cat" }, NULL };
	const struct pt_value *body;
	struct pt_conn *c;
	int in = dup(0), out = dup(1);
	close(0);
	close(1);
	int e = pt_spawn(&c, cat, NULL), greeted = e == PT_OK ? pt_greet(c, &who, &welcome, 60000, NULL, &body) : e;
	bool same = greeted == PT_OK && pt_same(body, &welcome) && pt_conn_fd(c) > 2;
	if (e == PT_OK)
		pt_close(&c);
	dup2(in, 0);
	dup2(out, 1);
	ck_assert_int_eq(greeted, PT_OK);
	ck_assert(same);
}
END_TEST

static void
add(Suite *suite)
{
	UNIT_TEST(suite, a_port_of_a_host);
	UNIT_TEST(suite, denied_is_a_verdict);
	UNIT_TEST(suite, dead_addresses_are_passed_over);
	UNIT_TEST(suite, silent_addresses_do_not_take_all_the_time);
	UNIT_TEST(suite, no_verdict_is_no_connection);
	UNIT_TEST(suite, a_path);
	UNIT_TEST(suite, a_path_with_a_queue);
	UNIT_TEST(suite, listening_that_fails);
	UNIT_TEST(suite, a_program_is_a_stream);
	UNIT_TEST(suite, programs_that_fail);
	UNIT_TEST(suite, programs_that_do_not_end);
	UNIT_TEST(suite, a_program_gets_what_a_shell_would_give);
	UNIT_TEST(suite, standard_descriptors_may_be_closed);
}

int
main(void)
{
	return unit_main("petrichor_connect", add);
}
