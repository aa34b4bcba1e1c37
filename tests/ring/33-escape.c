/* SPDX-License-Identifier: MIT
 * 33-escape.c - bytes that drive terminals, forge lines or are no text, put into every place that an outsider fills: no log, no
 * reply and nothing on stderr has a byte of them that was not escaped. */
#include "harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/frame.h"
#include "wire/line.h"

static struct ring_rig rig;

struct payload {
	const char *bytes;
	size_t      len;
};
#define P(text) { text, sizeof text - 1 }

static const struct payload payloads[] = { P("\0"), P("a\0b"), P("\x01"), P("\x07"), P("\x08"), P("\t"), P("\x0b"), P("\x0c"),
	P("\r"), P("\x1b[31m"), P("\x1b]0;title\x07"), P("\x1b]8;;http://x\x1b\\"), P("\x1bP+q\x1b\\"), P("\x1b[2J\x1b[H"), P("\x7f"),
	P("\xc2\x80"), P("\xc2\x9b" "31m"), P("\x9b" "31m"), P("\x80"), P("\xff"), P("\xc0\x80"), P("\xe2\x82"), P("\xed\xa0\x80"),
	P("\xf4\x90\x80\x80"), P("\xe2\x80\xae"), P("\xe2\x80\xa8"), P("\xef\xbb\xbf"), P("\\"), P("\\x1b[31m"), P("%s%n"), P("\xc3\xbc"),
	P("\r2026-11-20T08:32:01Z zogd forged"), P("'\"`$()") };
enum { PAYLOADS = sizeof payloads / sizeof *payloads };

/* Where it is put: what stands before and behind it. client: on the client port, else as member 1 on the peer port. */
struct place {
	bool        client;
	const char *before, *behind;
};

static const struct place places[] = {
	/* a client */
	{ true, "", "\r\n" },
	{ true, "text ", " text\r\n" },
	{ true, "text ", "" },
	{ true, "HELLO zog/1 client=", "\r\n" },
	{ true, "HELLO zog/1 client=abc ack=", "\r\n" },
	{ true, "HELLO zog/", " client=abc\r\n" },
	{ true, "HELLO zog/1 client=abc ", "\r\n1 good\r\n" },
	{ true, "HELLO zog/1 client=abc\r\n", " text\r\n" },
	{ true, "HELLO zog/1 client=abc\r\n1", " text\r\n" },
	{ true, "HELLO zog/1 client=abc\r\n1 ", "\r\n" },
	{ true, "keepAlive", "\r\n" },
	/* a member, in the plain form */
	{ false, "", "\r\n" },
	{ false, "0", "\r\n" },
	{ false, "0text ", " text\r\n" },
	{ false, "2text ", "" },
	/* and its HELLO */
	{ false, "HELLO zog/1 ring=00000000 from=", " to=mv epoch=1\r\n" },
	{ false, "HELLO zog/1 ring=", " from=pa to=mv epoch=1\r\n" },
	{ false, "HELLO zog/1 ring=00000000 from=pa to=", " epoch=1\r\n" },
	{ false, "HELLO zog/1 ring=00000000 from=pa to=mv epoch=", "\r\n" },
	{ false, "HELLO zog/1 ring=00000000 from=pa to=mv epoch=1 ", "\r\nkeepAlive\r\n" },
	/* and after that */
	{ false, "@", "\r\n" },
	{ false, "@have ", " 1 1\r\n" },
	{ false, "@have pa ", " 1\r\n" },
	{ false, "@want ", " 1 1 1\r\n" },
	{ false, "@want pa 1 1 ", "\r\n" },
	{ false, "@0 ", " pa 1 1 1 6 1 - 0 00000000\r\nabcd\r\n" },
	{ false, "@0 data ", " 1 1 1 6 1 - 0 00000000\r\nabcd\r\n" },
	{ false, "@0 data pa 1 1 1 6 1 ", " 0 00000000\r\nabcd\r\n" },
	{ false, "@0 data pa 1 1 1 6 1 - 0 ", "\r\nabcd\r\n" },
	{ false, "@keepAlive", "\r\n" },
};
enum { PLACES = sizeof places / sizeof *places };

static const char hello[] = "HELLO zog/1 ring=00000000 from=pa to=mv epoch=1\r\n";

/* What came back, to the end: lines of printing ASCII. */
static void
check_replies(struct conn *c, const char *what)
{
	conn_end(c);
	wait_for((conn_quiet(c), c->ended), SOON, "%s: no end comes", what);
	const char *p = c->in.len != 0 ? buf_begin(&c->in) : "";
	for (size_t i = 0; i < c->in.len; i++)
		require((p[i] >= 0x20 && p[i] < 0x7f) || p[i] == '\r' || p[i] == '\n', "%s: the reply has byte %#x", what,
		    (unsigned char)p[i]);
	conn_close(c);
}

static void
put_payload(const struct place *at, const struct payload *what)
{
	struct conn c;
	const char *before = at->before;
	if (at->client)
		conn_client(&c, &rig, 0);
	else
		conn_peer(&c, &rig, 1, 0);
	if (*before == '@') {
		conn_puts(&c, hello);
		before++;
	}
	conn_puts(&c, before);
	conn_put(&c, what->bytes, what->len);
	conn_puts(&c, at->behind);
	check_replies(&c, at->before);
}

/* A frame that is right in all but the text in it, perhaps; true: in that, too. */
static bool
put_frame(const struct payload *what, int seq)
{
	struct frame *f = frame_new("data", "pa", 4096);
	struct conn c;
	char text[128];
	size_t n = (size_t)snprintf(text, sizeof text, "framed ");
	memcpy(text + n, what->bytes, what->len);
	require(f != NULL, "out of memory");
	frame_add(f, "first", 5);
	frame_add(f, text, n + what->len);
	f->h.epoch = 1;
	f->h.seq = (uint64_t)seq;
	f->h.time_ms = 1;
	strcpy(f->h.client, "-");
	frame_seal(f);
	conn_peer(&c, &rig, 1, 0);
	conn_puts(&c, hello);
	conn_put(&c, f->record, frame_size(f));
	frame_drop(&f);
	check_replies(&c, "a frame");
	return line_check(text, n + what->len) == NULL;
}

/* error.log and stderr: printing ASCII in lines. access.log: good texts. */
static void
check_logs(void)
{
	static const char *const ascii[] = { "log/error.log", "stderr", "stdout" };
	for (int i = 0; i < 3; i++) {
		size_t len;
		char *text = file_read(rig_path(&rig, 0, ascii[i]), &len);
		for (size_t k = 0; k < len; k++)
			require((text[k] >= 0x20 && text[k] < 0x7f) || text[k] == '\n', "%s has byte %#x after '%.*s'", ascii[i],
			    (unsigned char)text[k], k < 60 ? (int)k : 60, text + (k < 60 ? 0 : k - 60));
		require(strstr(text, "\n2026-11-20T08:32:01Z zogd forged") == NULL, "%s has a forged line", ascii[i]);
		free(text);
	}
	size_t len;
	char *text = file_read(rig_path(&rig, 0, "log/access.log"), &len), *end = text + len;
	for (char *p = text; p < end;) {
		char *lf = memchr(p, '\n', (size_t)(end - p));
		struct log_line l;
		require(lf != NULL && log_parse(p, (size_t)(lf - p), &l), "access.log: a bad line");
		require(line_check(l.text, l.len) == NULL, "access.log has a text: %s: %.*s", line_check(l.text, l.len), (int)l.len, l.text);
		p = lf + 1;
	}
	free(text);
}

static void
start(void)
{
	rig_make(&rig, 2, "bad-lines = none\nreconnect-max = 0.05\nreconnect-min = 0.05\npeer-timeout = 60\n");
	rig.m[0].arg[0] = "-vv";
	rig_launch(&rig, 0);
	rig_wait_ready(&rig, 0);
}

START_TEST(everywhere)
{
	start();
	for (int i = 0; i < PLACES; i++)
		for (int k = 0; k < PAYLOADS; k++)
			put_payload(&places[i], &payloads[k]);
	rig_say(&rig, 0, "it lives");
	check_logs();
	rig_done(&rig);
}
END_TEST

START_TEST(in_frames)
{
	start();
	/* The next one has the numbers of those that were not taken. */
	for (int k = 0, seq = 1; k < PAYLOADS; k++)
		if (put_frame(&payloads[k], seq))
			seq += 2;
	rig_say(&rig, 0, "it lives");
	require(log_count_text(&rig, 0, "framed \t") == 1 && log_count_text(&rig, 0, "framed \xc3\xbc") == 1, "good texts are missing");
	log_wait_error(&rig, 0, " control character: 0 data pa 1 1 2 ");
	check_logs();
	rig_done(&rig);
}
END_TEST

/* In the answers of a member that is dialled. */
START_TEST(in_answers)
{
	static const char *const before[] = { "", "error ", "error not a member ", "OK zog/1 from=", "OK zog/1 from=pa ring=",
	    "OK zog/1 from=pa ring=00000000\r\n", "OK zog/1 from=pa ring=00000000\r\nok ", "OK zog/1 from=pa ring=00000000\r\ngone " };
	start();
	int listener = rig_listen(&rig, 1);
	for (size_t i = 0; i < sizeof before / sizeof *before; i++)
		for (int k = 0; k < PAYLOADS; k++) {
			struct conn c;
			conn_accept(&c, &rig, listener, 0);
			c.link = false;
			conn_line(&c);
			conn_puts(&c, before[i]);
			conn_put(&c, payloads[k].bytes, payloads[k].len);
			conn_puts(&c, "\r\n");
			check_replies(&c, before[i]);
		}
	close(listener);
	rig_signal(&rig, 0, SIGUSR2);   /* the report has the last error */
	log_wait_error(&rig, 0, "report: connected clients");
	check_logs();
	rig_done(&rig);
}
END_TEST

/* Where there is a secret strangers hear nothing, and are let go late: all at once. */
START_TEST(with_a_secret)
{
	static const struct place openings[] = {
		{ false, "", "\r\n" },
		{ false, "HELLO zog/1 ring=", " from=pa to=mv epoch=1 nonce=000102030405060708090a0b0c0d0e0f\r\n" },
		{ false, "HELLO zog/1 ring=00000000 from=pa", " to=mv epoch=1 nonce=000102030405060708090a0b0c0d0e0f\r\n" },
		{ false, "HELLO zog/1 ring=00000000 from=pa to=mv epoch=1 nonce=", "\r\n" },
		{ false, "HELLO zog/1 ring=00000000 from=pa to=mv epoch=1 nonce=000102030405060708090a0b0c0d0e0f\r\nPROOF ", "\r\n" },
	};
	enum { OPENINGS = sizeof openings / sizeof *openings, THIRD = (PAYLOADS + 2) / 3 };
	static struct conn c[OPENINGS][THIRD];
	char line[RIG_PATH + 32];
	rig_make(&rig, 2, "bad-lines = none\nreconnect-max = 0.5\n");
	file_write(rig_path(&rig, 0, "secret"), "7c9e6679-7425-40de-944b-e07fc1f90ae7\n");
	require(chmod(rig_path(&rig, 0, "secret"), 0600) == 0, "chmod");
	snprintf(line, sizeof line, "secret-file = %s\n", rig_path(&rig, 0, "secret"));
	rig_conf(&rig, 0, line);
	rig_launch(&rig, 0);
	rig_wait_ready(&rig, 0);
	for (int i = 0; i < OPENINGS; i++)
		for (int k = 0; k < THIRD; k++) {
			const struct payload *what = &payloads[k * 3];
			conn_peer(&c[i][k], &rig, 1, 0);
			conn_puts(&c[i][k], openings[i].before);
			conn_put(&c[i][k], what->bytes, what->len);
			conn_puts(&c[i][k], openings[i].behind);
		}
	for (int i = 0; i < OPENINGS; i++)
		for (int k = 0; k < THIRD; k++)
			check_replies(&c[i][k], openings[i].before);
	rig_say(&rig, 0, "it lives");
	log_wait_error(&rig, 0, "PROOF without the secret");
	check_logs();
	rig_done(&rig);
}
END_TEST

/* Of files in its folders, of which nobody thought when a line was written. */
START_TEST(in_names_of_files)
{
	rig_make(&rig, 1, NULL);
	file_write(rig_path(&rig, 0, "state/journal-\x1b[31m"), "x");
	file_write(rig_path(&rig, 0, "state/journal-\n2026-11-20T08:32:01Z zogd forged"), "x");
	rig_launch(&rig, 0);
	rig_wait_ready(&rig, 0);
	rig_say(&rig, 0, "it lives");
	log_wait_error(&rig, 0, "journal-\\x1b[31m is not the name of a segment");
	check_logs();
	rig_done(&rig);
}
END_TEST

/* What the command line and a planted pidfile make zogd say. */
START_TEST(on_the_terminal)
{
	rig_make(&rig, 1, NULL);
	struct buf out = BUF_INIT, err = BUF_INIT;
	char conf[RIG_PATH], pid[RIG_PATH], option[RIG_PATH + 16];
	snprintf(conf, sizeof conf, "%s", rig_path(&rig, 0, "zogd.conf"));
	snprintf(pid, sizeof pid, "%s", rig_path(&rig, 0, "pid"));
	snprintf(option, sizeof option, "pidfile=%s", pid);
	const char *const bad[] = { "gr\xc3\xbc\xc3\x9f\x65\x1b[2J", NULL }, *const fine[] = { "gr\xc3\xbc\xc3\x9f\x65", NULL },
	    *const c1[] = { "\xc2\x9b" "2J", NULL }, *const start[] = { "-c", conf, "-o", option, NULL };
	require(rig_run(&rig, bad, &out, &err) == 64, "it starts");
	require(strstr(err.data, "gr\\xc3\\xbc\\xc3\\x9fe\\x1b[2J\n") != NULL, "'%s'", err.data);
	require(rig_run(&rig, c1, &out, &err) == 64 && strstr(err.data, "\\xc2\\x9b2J\n") != NULL, "'%s'", err.data);
	require(rig_run(&rig, fine, &out, &err) == 64 && strstr(err.data, "gr\xc3\xbc\xc3\x9f\x65\n") != NULL, "'%s'", err.data);
	/* Somebody else holds it, and has written what he likes. */
	file_write(pid, "12\x1b[2J\x07\n");
	int fd = open(pid, O_RDWR | O_CLOEXEC);
	require(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0, "flock");
	require(rig_run(&rig, start, &out, &err) == 71, "it starts");
	require(strstr(err.data, "is locked by process 12\n") != NULL, "'%s'", err.data);
	close(fd);
	buf_fini(&out);
	buf_fini(&err);
	rig_done(&rig);
}
END_TEST

static void
add(Suite *suite)
{
	STORY_TEST(suite, on_the_terminal);
	STORY_TEST(suite, in_names_of_files);
	STORY_TEST(suite, with_a_secret);
	STORY_TEST(suite, everywhere);
	STORY_TEST(suite, in_frames);
	STORY_TEST(suite, in_answers);
}

int
main(void)
{
	return story_main("escape", add);
}
