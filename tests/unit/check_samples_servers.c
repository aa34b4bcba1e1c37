/* SPDX-License-Identifier: MIT
 * check_samples_servers.c - the servers of doc/samples with many peers, silent ones, slow ones and mad
 * ones, and their end. Conversations byte for byte are in check_samples.c. */
#include "samples_rig.h"

#define IDENTITY "73:5:ident,32:0123456789abcdef0123456789abcdef,4:user,3:zed,7:version,3:0.1,}0:,"

static char folder[UNIT_PATH];

/* All servers, and how each is started; all listen on a port of their own. */
static const char *const servers[] = {
	"echo-server", "http-server", "rpc-server", "pubsub-server", "cache-server", "work-server", "file-server",
	"chat-server", "proxy",
};
static const char *const arguments[] = { "", "/x=hi", "", "", "", "", "$FOLDER", "", "127.0.0.1 $UPSTREAM" };

static struct rig_child server, upstream;

static int
start(size_t which, const char *options)
{
	char command[1024], more[UNIT_PATH + 32];
	snprintf(more, sizeof more, "%s", arguments[which]);
	if (strcmp(more, "$FOLDER") == 0)
		snprintf(more, sizeof more, "%s", folder);
	if (strstr(more, "$UPSTREAM") != NULL)
		snprintf(more, sizeof more, "127.0.0.1 %d", rig_start_server(&upstream, "echo-server 127.0.0.1 0"));
	snprintf(command, sizeof command, "%s %s 127.0.0.1 0 %s", servers[which], options, more);
	return rig_start_server(&server, command);
}

static void
stop(size_t which)
{
	rig_stop_server(&server);
	if (strstr(arguments[which], "$UPSTREAM") != NULL)
		rig_stop_server(&upstream);
}

/* Says who it is, and takes what comes until the end of a verdict. false: not let in. */
static bool
enter(int fd)
{
	char got[512];
	size_t n = 0;
	rig_write(fd, IDENTITY, strlen(IDENTITY), 1000);
	while (n < 10 || memcmp(got + n - 10, "7:WELCOME,", 10) != 0) {
		ck_assert_uint_lt(n, sizeof got);
		if (rig_read(fd, got + n, 1) == 0)
			return false;
		n++;
	}
	return true;
}

/* The same on a connection that it closes at once. */
static bool
lets_in(int port)
{
	int fd = rig_connect(port);
	bool in = enter(fd);
	close(fd);
	return in;
}

/* ---- many ---- */

enum { CLIENTS = 50, REQUESTS = 20 };

static void
many(size_t which)
{
	static struct rig_child client[CLIENTS];
	static char line[8192];
	char command[128], want[64];
	int port = start(which, "-t 60000");
	int silent = rig_connect(port), half = rig_connect(port);
	rig_write(half, IDENTITY, 20, 20);
	snprintf(command, sizeof command, "echo-client 127.0.0.1 %d zed", port);
	for (int i = 0; i < CLIENTS; i++)
		rig_start(&client[i], command);
	for (int i = 0; i < CLIENTS; i++)
		rig_expect_line(&client[i], "CONNECTED WELCOME", command);
	for (int n = 0; n < REQUESTS; n++) {
		for (int i = 0; i < CLIENTS; i++) {
			snprintf(want, sizeof want, "line %d of %d\n", n, i);
			rig_write(client[i].in, want, strlen(want), 100);
		}
		for (int i = 0; i < CLIENTS; i++) {
			snprintf(want, sizeof want, "line %d of %d", n, i);
			rig_expect_line(&client[i], want, command);
		}
		/* It prints, too, and must not wait for us. */
		for (int i = 0; which == 0 && i < CLIENTS; i++)
			rig_line(&server, line, sizeof line);
	}
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(rig_end(&client[i]), 0);
	stop(which);
	rig_expect_end(silent, "the silent one");
	close(silent);
	close(half);
}

START_TEST(fifty_at_once)
{
	many(0);
}
END_TEST

START_TEST(fifty_by_the_proxy)
{
	many(UNIT_COUNT(servers) - 1);
}
END_TEST

/* ---- ends ---- */

START_TEST(silence_is_dropped)
{
	int port = start((size_t)_i, "-t 200"), silent = rig_connect(port), slow = rig_connect(port);
	/* Each byte in time, and all of them too late. */
	for (const char *at = IDENTITY; *at != '\0' && !rig_wait(slow, 20); at++)
		if (send(slow, at, 1, MSG_NOSIGNAL) < 0)
			break;
	rig_expect_end(slow, servers[_i]);
	rig_expect_end(silent, servers[_i]);
	close(silent);
	close(slow);
	stop((size_t)_i);
}
END_TEST

START_TEST(sigterm)
{
	int port = start((size_t)_i, "-t 60000");
	int idle = rig_connect(port), half = rig_connect(port), new = rig_connect(port);
	if (strcmp(servers[_i], "chat-server") != 0)
		ck_assert(enter(half));
	ck_assert(enter(idle));
	rig_write(half, "0:}1000:hel", 11, 11);
	int64_t began = clock_mono_ms();
	stop((size_t)_i);
	ck_assert_int_lt(clock_mono_ms() - began, 12000);
	rig_expect_end(idle, servers[_i]);
	rig_expect_end(half, servers[_i]);
	rig_expect_end(new, servers[_i]);
	close(idle);
	close(half);
	close(new);
}
END_TEST

/* ---- other ways in ---- */

START_TEST(unix_socket)
{
	static struct rig_child client;
	char command[UNIT_PATH + 64];
	snprintf(command, sizeof command, "echo-server %s/socket 0", folder);
	rig_start_server(&server, command);
	snprintf(command, sizeof command, "echo-client %s/socket 0 zed", folder);
	rig_start(&client, command);
	rig_write(client.in, "hello\n", 6, 6);
	rig_expect_line(&client, "CONNECTED WELCOME", command);
	rig_expect_line(&client, "hello", command);
	ck_assert_int_eq(rig_end(&client), 0);
	rig_stop_server(&server);
	snprintf(command, sizeof command, "%s/socket", folder);
	ck_assert_int_lt(access(command, F_OK), 0);
}
END_TEST

START_TEST(standard_input_and_output)
{
	static struct rig_child client;
	const char *build = getenv("BUILD");
	char command[UNIT_PATH];
	snprintf(command, sizeof command, "echo-client -s -p zed %s/doc/samples/echo-server -",
	    build != NULL ? build : "build");
	rig_start(&client, command);
	rig_write(client.in, "hello\n\nbye\n", 11, 11);
	rig_expect_line(&client, "CONNECTED WELCOME", command);
	rig_expect_line(&client, "hello", command);
	rig_expect_line(&client, "", command);
	rig_expect_line(&client, "bye", command);
	ck_assert_int_eq(rig_end(&client), 0);
	rig_start(&client, "echo-client -p zed /bin/true");
	ck_assert_int_eq(rig_end(&client), 1);
	rig_start(&client, "echo-client -p zed /nonexistent");
	ck_assert_int_eq(rig_end(&client), 1);
}
END_TEST

START_TEST(nobody_listens)
{
	static struct rig_child client;
	char command[128];
	int port, fd = rig_listen(&port);
	close(fd);
	snprintf(command, sizeof command, "echo-client 127.0.0.1 %d zed", port);
	rig_start(&client, command);
	ck_assert_int_eq(rig_end(&client), 1);
	snprintf(command, sizeof command, "proxy 127.0.0.1 0 127.0.0.1 %d", port);
	fd = rig_connect(rig_start_server(&server, command));
	rig_write(fd, IDENTITY, strlen(IDENTITY), 1000);
	rig_expect(fd, "18:7:allowed,5:false!}9:NO SERVER,", 34, "proxy");
	rig_expect_end(fd, "proxy");
	close(fd);
	rig_stop_server(&server);
}
END_TEST

/* ---- large and slow ---- */

/* Who subscribes and does not read is dropped, and those who do read hear everything. */
START_TEST(slow_reader)
{
	enum { BODY = 60000, ROUNDS = 600 };    /* more than the system keeps for it, and the queue */
	static char message[BODY + 100], *at;
	int port = start(3, ""), slow = rig_connect(port), quick = rig_connect(port);
	ck_assert(enter(slow) && enter(quick));
	rig_write(slow, "13:3:sub,4:1:x,]}0:,", 20, 20);
	/* The slow one's subscription is there once it has heard of itself. */
	rig_write(slow, "12:5:topic,1:x,}0:,", 19, 19);
	rig_expect(slow, "24:5:pt.id,1:1,5:topic,1:x,}0:,", 31, "slow");
	rig_write(quick, "13:3:sub,4:1:x,]}0:,", 20, 20);
	for (int rounds = 0; rounds < ROUNDS; rounds++) {
		char head[64], want[64], got[64];
		int n = snprintf(head, sizeof head, "12:5:topic,1:x,}%d:", BODY);
		memcpy(message, head, (size_t)n);
		memset(at = message + n, 'a' + rounds % 26, BODY);
		at[BODY] = ',';
		rig_write(quick, message, (size_t)n + BODY + 1, BODY);
		int digits = snprintf(got, sizeof got, "%d", rounds + 2);
		int m = snprintf(want, sizeof want, "%d:5:pt.id,%d:%s,5:topic,1:x,}%d:", 23 + digits, digits, got, BODY);
		rig_expect(quick, want, (size_t)m, "quick");
		rig_expect(quick, at, BODY + 1, "quick");
	}
	size_t heard = 0, n;
	while ((n = rig_read(slow, message, sizeof message)) > 0)
		heard += n;
	ck_assert_uint_lt(heard, (size_t)BODY * ROUNDS);
	printf("dropped after %zu bytes\n", heard);
	close(slow);
	close(quick);
	stop(3);
}
END_TEST

/* Through the proxy, and larger than any buffer between. */
START_TEST(large_file)
{
	enum { BYTES = 3 * 1000 * 1000 + 7 };
	static struct rig_child client, proxy;
	char command[2 * UNIT_PATH + 64], *back;
	uint64_t seed = unit_seed("large_file");
	size_t len;
	char *bytes = malloc(BYTES);
	ck_assert_ptr_nonnull(bytes);
	for (int i = 0; i < BYTES; i++)
		bytes[i] = (char)unit_random(&seed);
	unit_file_write(folder, "from", bytes, BYTES);
	snprintf(command, sizeof command, "proxy 127.0.0.1 0 127.0.0.1 %d", start(6, ""));
	snprintf(command, sizeof command, "file-client 127.0.0.1 %d zed", rig_start_server(&proxy, command));
	rig_start(&client, command);
	rig_expect_line(&client, "CONNECTED WELCOME", command);
	snprintf(command, sizeof command, "put %s/from there\nget there %s/back\n", folder, folder);
	rig_write(client.in, command, strlen(command), 1000);
	rig_expect_line(&client, "{'pt.id': '1', 'stored': True} None", "put");
	snprintf(command, sizeof command, "%s/back is there", folder);
	rig_expect_line(&client, command, "get");
	ck_assert_int_eq(rig_end(&client), 0);
	back = unit_file_read(folder, "back", &len);
	ck_assert_uint_eq(len, BYTES);
	ck_assert(memcmp(back, bytes, BYTES) == 0);
	rig_stop_server(&proxy);
	stop(6);
	free(back);
	free(bytes);
}
END_TEST

/* ---- madness ---- */

/* Pairs that mean something to one or the other of them, to be damaged. */
static const char *const pairs[] = {
	IDENTITY, "0:}5:hello,", "44:4:verb,3:GET,4:path,2:/x,4:host,9:a.example,}0:,",
	"27:6:method,3:add,5:pt.id,1:7,}8:1:1#1:2#]", "17:3:sub,8:5:news.,]}0:,", "20:5:topic,9:news.rain,}3:wet,",
	"22:2:op,3:get,3:key,2:k1,}0:~", "24:2:op,3:set,3:key,4:,,]},}3:1.5^",
	"12:2:op,4:take,}0:~", "24:2:op,3:put,5:pt.id,2:12,}1:x,", "11:3:ack,2:12,}0:~", "13:3:bye,4:true!}0:,",
	"48:5:pt.id,4:5f3a,7:pt.more,4:true!8:pt.total,2:11#}6:hello ,",
	"33:5:pt.id,4:5f3a,7:pt.more,5:false!}5:world,",
	"37:2:op,3:get,4:name,4:from,5:pt.id,1:1,}0:~", "0:}999999999:", "0:}18:0:]0:]0:]0:]0:]0:]]",
};

static void
damage(char *text, size_t n, unsigned bytes, uint64_t *seed)
{
	for (; bytes > 0 && n > 0; bytes--) {
		char digit = (char)('0' + unit_below(seed, 12)), any = (char)unit_random(seed);
		text[unit_below(seed, (unsigned)n)] = unit_below(seed, 2) != 0 ? digit : any;
	}
}

static void
rave(int port, uint64_t *seed)
{
	char text[4096], rest[4096];
	size_t n = 0;
	int fd = rig_connect(port);
	if (unit_below(seed, 8) != 0)
		n = (size_t)snprintf(text, sizeof text, "%s", IDENTITY);
	for (unsigned i = unit_below(seed, 8); i > 0; i--)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s", pairs[unit_below(seed, UNIT_COUNT(pairs))]);
	damage(text, n, unit_below(seed, 3), seed);
	/* It may close before it has heard all. */
	for (size_t sent = 0; sent < n;) {
		ssize_t some = send(fd, text + sent, n - sent < 100 ? n - sent : 100, MSG_NOSIGNAL);
		if (some <= 0)
			break;
		sent += (size_t)some;
	}
	if (unit_below(seed, 2) != 0) {
		shutdown(fd, SHUT_WR);
		while (rig_read(fd, rest, sizeof rest) > 0)
			;
	}
	close(fd);
}

/* What it prints has to be read, or it waits for us. */
static void
drain(struct rig_child *c)
{
	char rest[4096];
	while (rig_wait(c->out, 0) && read(c->out, rest, sizeof rest) > 0)
		;
}

START_TEST(damaged_conversations)
{
	uint64_t seed = unit_seed(servers[_i]);
	int port = start((size_t)_i, "-t 300");
	unit_file_puts(folder, "from", "hello world");
	for (int i = unit_amount(150); i > 0; i--) {
		rave(port, &seed);
		drain(&server);
		if (upstream.pid != 0)
			drain(&upstream);
	}
	unit_wait(lets_in(port));       /* the chat's may be BUSY until it has seen the last one go */
	stop((size_t)_i);
}
END_TEST

/* The clients, and what is typed at each. They are to end, whatever a server says. */
static const char *const clients[][2] = {
	{ "echo-client", "a\nb\nc\n" }, { "http-client", "GET /x h\nGET /y h\n" },
	{ "rpc-client", "add 1 2\nsub\n" }, { "pubsub-client", "sub a\npub a b\n" },
	{ "cache-client", "get a\nset a 1 b\n" }, { "work-client", "put a\ntake\nhold\n" },
	{ "file-client", "get a $FOLDER/got\nput $FOLDER/from b\n" }, { "chat-client", "a\nb\n" },
};

static size_t
mad_replies(char *text, size_t size, uint64_t *seed)
{
	size_t n = 0;
	if (unit_below(seed, 8) != 0)
		n += (size_t)snprintf(text, size, "%s", "17:7:allowed,4:true!}7:WELCOME,");
	for (unsigned i = unit_below(seed, 6); i > 0; i--)
		n += (size_t)snprintf(text + n, size - n, "%s", pairs[unit_below(seed, UNIT_COUNT(pairs))]);
	damage(text, n, unit_below(seed, 2), seed);
	return n;
}

START_TEST(damaged_replies)
{
	static struct rig_child client;
	char text[4096], typed[2 * UNIT_PATH];
	uint64_t seed = unit_seed(clients[_i][0]);
	int port, listener = rig_listen(&port);
	unit_file_puts(folder, "from", "hello world");
	for (int i = unit_amount(40); i > 0; i--) {
		snprintf(text, sizeof text, "%s 127.0.0.1 %d zed", clients[_i][0], port);
		rig_start(&client, text);
		int fd = accept(listener, NULL, NULL);
		ck_assert_int_ge(fd, 0);
		size_t n = mad_replies(text, sizeof text, &seed);
		ck_assert_int_ge(send(fd, text, n, MSG_NOSIGNAL), 0);
		shutdown(fd, SHUT_WR);
		snprintf(typed, sizeof typed, "%s", clients[_i][1]);
		for (char *at; (at = strstr(typed, "$FOLDER")) != NULL;) {
			snprintf(text, sizeof text, "%.*s%s%s", (int)(at - typed), typed, folder, at + 7);
			snprintf(typed, sizeof typed, "%.1000s", text);
		}
		/* It may have ended by now. */
		(void)!write(client.in, typed, strlen(typed));
		int code = rig_end(&client);
		ck_assert_msg(code == 0 || code == 1, "%s: exit code %d", clients[_i][0], code);
		close(fd);
	}
	close(listener);
}
END_TEST

static void
set_up(void)
{
	unit_folder(folder);
}

static void
tear_down(void)
{
	unit_folder_remove(folder);
}

static void
add_tests(Suite *s)
{
	TCase *tcase;
#define TEST(name, to) \
	tcase = unit_case(s, #name); \
	tcase_add_checked_fixture(tcase, set_up, tear_down); \
	tcase_add_loop_test(tcase, name, 0, (int)(to))
	TEST(fifty_at_once, 1);
	TEST(fifty_by_the_proxy, 1);
	TEST(silence_is_dropped, UNIT_COUNT(servers));
	TEST(sigterm, UNIT_COUNT(servers));
	TEST(unix_socket, 1);
	TEST(standard_input_and_output, 1);
	TEST(nobody_listens, 1);
	TEST(slow_reader, 1);
	TEST(large_file, 1);
	TEST(damaged_conversations, UNIT_COUNT(servers));
	TEST(damaged_replies, UNIT_COUNT(clients));
}

int
main(void)
{
	return unit_main("samples_servers", add_tests);
}
