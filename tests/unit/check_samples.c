/* SPDX-License-Identifier: MIT
 * check_samples.c - the conversations of tests/petrichor/transcripts, each of them with the real server,
 * where the test is the client, and with the real client, where it is the server: all bytes are compared,
 * and those that are sent come whole, one by one, or all at once. tests/petrichor/transcripts/README says
 * how they are written. */
#include "samples_rig.h"

static const char *const transcripts[] = {
	"cache", "cache-two", "chat", "chat-busy", "echo", "echo-bad-frame", "echo-cut", "echo-denied",
	"echo-http", "echo-lost", "echo-no-dict", "echo-no-user", "echo-strict", "echo-too-long",
	"echo-truthy", "echo-types", "echo-unsaid", "file-cut", "file-get", "file-names", "file-put",
	"http", "http-odd", "proxy", "proxy-denied", "proxy-push", "pubsub", "pubsub-many", "rpc",
	"rpc-late", "rpc-more", "work", "work-again", "work-back",
};

enum { CONNECTIONS = 4, LINES = 200 };
enum mode { WHOLE, BYTES, AT_ONCE };

struct line {
	char   who, what;       /* C, S, ...; > or $ */
	int    which;           /* connection, 0: the first */
	size_t len;
	char   text[2048];
};

static struct transcript {
	const char *name;
	char        server[512], upstream[512], client[512];
	int         count, exit_code;
	struct line line[LINES];
} t;

static char folder[UNIT_PATH];

/* ---- reading ---- */

static size_t
unescape(char *to, const char *from)
{
	size_t n = 0;
	while (*from != '\0') {
		unsigned byte;
		if (from[0] == '\\' && sscanf(from, "\\x%2x", &byte) == 1) {
			to[n++] = (char)byte;
			from += 4;
		} else {
			to[n++] = *from++;
		}
	}
	to[n] = '\0';
	return n;
}

/* $NAME in a command line becomes something else. */
static void
replace(char *command, const char *name, const char *value)
{
	char *at = strstr(command, name), text[512];
	if (at == NULL)
		return;
	snprintf(text, sizeof text, "%.*s%s%s", (int)(at - command), command, value, at + strlen(name));
	memcpy(command, text, sizeof text);
}

static void
read_line(char *text)
{
	struct line *l = &t.line[t.count];
	char *end = text + strcspn(text, "\n");
	*end = '\0';
	if (*text == '\0' || *text == '#')
		return;
	if (sscanf(text, "server: %511[^\n]", t.server) == 1 || sscanf(text, "client: %511[^\n]", t.client) == 1 ||
	    sscanf(text, "upstream: %511[^\n]", t.upstream) == 1 || sscanf(text, "exit: %d", &t.exit_code) == 1)
		return;
	l->who = *text++;
	if (*text >= '1' && *text <= '0' + CONNECTIONS)
		l->which = *text++ - '1';
	l->what = *text++;
	ck_assert_msg(strchr("CSIJOP", l->who) != NULL && (l->what == '>' || l->what == '$') && t.count < LINES - 1,
	    "%s: what is this: %s", t.name, text);
	l->len = unescape(l->text, text + (*text == ' '));
	t.count++;
}

static void
read_transcript(const char *name)
{
	char path[UNIT_PATH], text[4096];
	const char *top = getenv("TOP");
	memset(&t, 0, sizeof t);
	t.name = name;
	snprintf(path, sizeof path, "%s/tests/petrichor/transcripts/%s", top != NULL ? top : ".", name);
	FILE *f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
	while (fgets(text, sizeof text, f) != NULL)
		read_line(text);
	fclose(f);
	unit_folder(folder);
	unit_file_puts(folder, "hello", "hello world");
	replace(t.server, "$FOLDER", folder);
	replace(t.client, "$FOLDER", folder);
	for (int i = 0; i < t.count; i++)
		if (strstr(t.line[i].text, "$FOLDER") != NULL) {
			replace(t.line[i].text, "$FOLDER", folder);
			t.line[i].len = strlen(t.line[i].text);
		}
}

static const char *
where(const struct line *l)
{
	static char text[128];
	snprintf(text, sizeof text, "%s, %c%d%c in line %d of the conversation", t.name, l->who, l->which + 1,
	    l->what, (int)(l - t.line) + 1);
	return text;
}

/* ---- with the real server ---- */

static void
send_line(int fd, const struct line *l, enum mode mode)
{
	rig_write(fd, l->text, l->len, mode == BYTES ? 1 : l->len);
}

static void
step_server(const struct line *l, struct rig_child *server, int fd, enum mode mode)
{
	switch (l->who) {
	case 'C':
		if (mode == AT_ONCE)
			break;
		if (l->what == '$')
			shutdown(fd, SHUT_WR);
		else
			send_line(fd, l, mode);
		break;
	case 'S':
		if (l->what == '$')
			rig_expect_end(fd, where(l));
		else
			rig_expect(fd, l->text, l->len, where(l));
		break;
	case 'P':
		rig_expect_line(server, l->text, where(l));
		break;
	case 'J':
		rig_write(server->in, l->text, l->len, l->len);
		rig_write(server->in, "\n", 1, 1);
		break;
	}
}

/* All that the client says, before anything else happens; only for a single one. */
static void
send_all(int fd)
{
	static char text[RIG_TEXT];
	size_t n = 0;
	bool closes = false;
	for (const struct line *l = t.line; l < t.line + t.count; l++)
		if (l->who == 'C' && l->what == '>') {
			memcpy(text + n, l->text, l->len);
			n += l->len;
		} else if (l->who == 'C') {
			closes = true;
		}
	rig_write(fd, text, n, n);
	if (closes)
		shutdown(fd, SHUT_WR);
}

static void
replay_server(enum mode mode)
{
	static struct rig_child server, upstream;
	char port_text[16];
	int fd[CONNECTIONS] = { -1, -1, -1, -1 };
	if (*t.upstream != '\0') {
		snprintf(port_text, sizeof port_text, "%d", rig_start_server(&upstream, t.upstream));
		replace(t.server, "$UPSTREAM", port_text);
	}
	int port = rig_start_server(&server, t.server);
	if (mode == AT_ONCE)
		send_all(fd[0] = rig_connect(port));
	for (const struct line *l = t.line; l < t.line + t.count; l++) {
		if (fd[l->which] < 0)
			fd[l->which] = rig_connect(port);
		step_server(l, &server, fd[l->which], mode);
	}
	for (int i = 0; i < CONNECTIONS; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	rig_stop_server(&server);
	if (*t.upstream != '\0')
		rig_stop_server(&upstream);
}

static bool
can_be_at_once(void)
{
	for (const struct line *l = t.line; l < t.line + t.count; l++)
		if (l->which != 0 || l->who == 'J')
			return false;
	return true;
}

/* Ours, which is not whole: it must not stay. */
static void
expect_no_parts(void)
{
	DIR *dir = opendir(folder);
	ck_assert_ptr_nonnull(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		ck_assert_msg(*e->d_name != '.' || strspn(e->d_name, ".") == strlen(e->d_name), "%s stayed", e->d_name);
	closedir(dir);
}

START_TEST(with_the_server)
{
	for (enum mode mode = WHOLE; mode <= AT_ONCE; mode++) {
		read_transcript(transcripts[_i]);
		if (*t.server != '\0' && (mode != AT_ONCE || can_be_at_once()))
			replay_server(mode);
		expect_no_parts();
		unit_folder_remove(folder);
	}
}
END_TEST

/* ---- with the real client ---- */

static void
step_client(const struct line *l, struct rig_child *client, int *fd, enum mode mode)
{
	switch (l->who) {
	case 'C':
		if (l->what == '$')
			rig_expect_end(*fd, where(l));
		else
			rig_expect(*fd, l->text, l->len, where(l));
		break;
	case 'S':
		if (l->what == '$')
			shutdown(*fd, SHUT_WR);
		else
			send_line(*fd, l, mode);
		break;
	case 'O':
		rig_expect_line(client, l->text, where(l));
		break;
	case 'I':
		if (l->what == '$') {
			rig_close_input(client);
			break;
		}
		rig_write(client->in, l->text, l->len, l->len);
		rig_write(client->in, "\n", 1, 1);
		break;
	}
}

static void
replay_client(enum mode mode)
{
	static struct rig_child client;
	char text[16];
	int port, listener = rig_listen(&port);
	snprintf(text, sizeof text, "%d", port);
	replace(t.client, "$PORT", text);
	rig_start(&client, t.client);
	ck_assert(rig_wait(listener, UNIT_SOON_MS));
	int fd = accept(listener, NULL, NULL);
	ck_assert_int_ge(fd, 0);
	for (const struct line *l = t.line; l < t.line + t.count; l++)
		step_client(l, &client, &fd, mode);
	shutdown(fd, SHUT_WR);          /* the end, for those that listen on */
	ck_assert_int_eq(rig_end(&client), t.exit_code);
	close(fd);
	close(listener);
}

START_TEST(with_the_client)
{
	for (enum mode mode = WHOLE; mode <= BYTES; mode++) {
		read_transcript(transcripts[_i]);
		if (*t.client != '\0')
			replay_client(mode);
		unit_folder_remove(folder);
	}
}
END_TEST

/* ---- the tests themselves ---- */

/* One that nobody lists would never be replayed. */
START_TEST(all_are_listed)
{
	char path[UNIT_PATH];
	const char *top = getenv("TOP");
	snprintf(path, sizeof path, "%s/tests/petrichor/transcripts", top != NULL ? top : ".");
	DIR *dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		bool listed = *e->d_name == '.' || strcmp(e->d_name, "README") == 0;
		for (size_t i = 0; i < UNIT_COUNT(transcripts) && !listed; i++)
			listed = strcmp(e->d_name, transcripts[i]) == 0;
		ck_assert_msg(listed, "%s is not in the list of check_samples.c", e->d_name);
	}
	closedir(dir);
}
END_TEST

static void
add_tests(Suite *s)
{
	UNIT_TEST(s, all_are_listed);
	UNIT_LOOP(s, with_the_server, 0, (int)UNIT_COUNT(transcripts));
	UNIT_LOOP(s, with_the_client, 0, (int)UNIT_COUNT(transcripts));
}

int
main(void)
{
	return unit_main("samples", add_tests);
}
