/* SPDX-License-Identifier: MIT
 * 26-unlike.c - members that are not as we are: of tomorrow, with kinds of frames that we do not know, or with another ring
 * file. One is played by the test, in the numbered form. */
#include "harness_numbered.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "wire/frame.h"

static struct ring_rig rig;

enum { PLAYED = 2 };

static struct conn from_us[2], to_us[2];        /* with members 0 and 1; by who dialled */

/* The next line of a connection that a member dialled; what it has is acknowledged by the way, if it is not wanted. */
static char *
told(struct conn *c, const char *start)
{
	for (;;) {
		conn_line(c);
		if (strncmp(c->last, start, strlen(start)) == 0)
			return c->last;
		require(strncmp(c->last, "have ", 5) == 0 || strcmp(c->last, "keepAlive") == 0,
		    "came '%s', expected '%s...'", c->last, start);
		conn_puts(c, "ack\r\n");
	}
}

/* Takes the link that a member dials, with this answer to its HELLO; ring: its RINGID, or what is put in its place. */
static void
answer_hello(int listener, int member, const char *ring, char id[16])
{
	struct conn *c = &to_us[member];
	char line[160];
	conn_accept(c, &rig, listener, member);
	c->link = false;
	conn_line(c);
	snprintf(line, sizeof line, " from=%s to=%s epoch=", rig.m[member].name, rig.m[PLAYED].name);
	require(sscanf(c->last, "HELLO zog/1 ring=%15[0-9a-f]", id) == 1 && strstr(c->last, line) != NULL, "HELLO is '%s'",
	    c->last);
	snprintf(line, sizeof line, "OK zog/1 from=%s epoch=1 ring=%s\r\n", rig.m[PLAYED].name, ring != NULL ? ring : id);
	conn_puts(c, line);
}

static void
say_hello(int member, const char *version, const char *ring, const char *more)
{
	struct conn *c = &from_us[member];
	char line[200], reply[64];
	conn_peer(c, &rig, PLAYED, member);
	snprintf(line, sizeof line, "HELLO %s ring=%s from=%s to=%s epoch=1%s\r\n", version, ring, rig.m[PLAYED].name,
	    rig.m[member].name, more);
	conn_puts(c, line);
	snprintf(reply, sizeof reply, "OK zog/1 from=%s epoch=", rig.m[member].name);
	conn_expect_start(c, reply);
}

static void
put_frame(struct conn *c, const char *kind, uint64_t epoch, uint64_t seq, int count, const char *text, char wrap)
{
	struct frame *f = frame_new(kind, rig.m[PLAYED].name, 4096);
	require(f != NULL, "out of memory");
	for (int i = 0; i < count; i++) {
		char line[64];
		int n = snprintf(line, sizeof line, "%s %d", text, i);
		frame_add(f, line, (size_t)n);
	}
	f->h.epoch = epoch;
	f->h.seq = seq;
	f->h.time_ms = clock_real_ms();
	frame_seal(f);
	conn_put(c, &wrap, 1);
	conn_put(c, f->record + 1, frame_size(f) - 1);
	frame_drop(&f);
}

static void
expect_frame(struct conn *c, const char *kind, uint64_t epoch, uint64_t seq, int count, const char *text)
{
	char head[80], line[64];
	snprintf(head, sizeof head, "0 %s %s %" PRIu64 " %" PRIu64 " %d ", kind, rig.m[PLAYED].name, epoch, seq, count);
	told(c, head);
	for (int i = 0; i < count; i++) {
		snprintf(line, sizeof line, "%s %d", text, i);
		conn_expect(c, line);
	}
}

static void
close_played(int listener)
{
	close(listener);
	for (int i = 0; i < 2; i++) {
		conn_close(&from_us[i]);
		conn_close(&to_us[i]);
	}
}

static void
up_with_played(int *listener)
{
	rig_make(&rig, 3, "peer-timeout = 60\nreconnect-max = 0.5\n");
	for (int i = 0; i < 2; i++)
		from_us[i] = to_us[i] = (struct conn){ .fd = -1 };
	*listener = rig_listen(&rig, PLAYED);
}

static void
from_a_client(int member, const char *line, const char *reply)
{
	struct conn c;
	conn_client(&c, &rig, member);
	conn_puts(&c, line);
	conn_expect(&c, reply);
	conn_close(&c);
}

START_TEST(a_kind_that_is_not_known)
{
	enum { EPOCH = 1000 };
	int listener;
	char id[16];
	up_with_played(&listener);
	rig_start(&rig, 0);
	answer_hello(listener, 0, NULL, id);
	rig_start(&rig, 1);
	answer_hello(listener, 1, NULL, id);
	rig_wait_links(&rig);
	/* Words and versions of tomorrow. */
	say_hello(0, "zog/1", id, " colour=red");
	say_hello(1, "zog/7", id, " x y=z =");

	put_frame(&from_us[0], "tuple", EPOCH, 1, 3, "a tuple", '0');
	conn_expect(&from_us[0], "ok g 1000 3");
	put_frame(&from_us[0], "data", EPOCH, 4, 2, "a message", '0');
	conn_expect(&from_us[0], "ok g 1000 5");
	/* The other one pulls it, and says so to us, whose stream it is. */
	told(&to_us[1], "have g 1000 5");
	log_wait_once(&rig, 0x3, "a message 0");
	log_wait_once(&rig, 0x3, "a message 1");
	/* Forwarded as any other: wrapped 2 to our +1 goes on to its +2, which is ourselves: to nobody. To +2 by us. */
	put_frame(&from_us[0], "tuple", EPOCH, 6, 1, "forwarded", '2');
	conn_expect(&from_us[0], "ok g 1000 6");

	/* From the one that was never sent it, after a restart, too. */
	for (int round = 0; round < 2; round++) {
		conn_puts(&from_us[1], "want g 1000 1 3\r\n");
		expect_frame(&to_us[1], "tuple", EPOCH, 1, 3, "a tuple");
		conn_puts(&from_us[1], "want g 1000 2 4\r\n");
		/* Whole frames. */
		expect_frame(&to_us[1], "tuple", EPOCH, 1, 3, "a tuple");
		expect_frame(&to_us[1], "data", EPOCH, 4, 2, "a message");
		conn_puts(&from_us[1], "want g 1000 7 9\r\n");
		conn_expect(&from_us[1], "gone g 1000 7 9223372036854775806");
		if (round == 0) {
			/* First the end of it: it would dial again. */
			rig_kill(&rig, 1);
			conn_close(&from_us[1]);
			conn_close(&to_us[1]);
			rig_start(&rig, 1);
			answer_hello(listener, 1, NULL, id);
			say_hello(1, "zog/1", id, "");
		}
	}
	for (int i = 0; i < 2; i++) {
		require(log_lines(&rig, i) == 2, "%s: %zu lines, 2 expected", rig.m[i].name, log_lines(&rig, i));
		require(!log_error_has(&rig, i, "tuple") && !log_error_has(&rig, i, "damaged at") &&
		    !log_error_has(&rig, i, "unknown") && !log_error_has(&rig, i, " bad "), "%s complains",
		    rig.m[i].name);
	}
	close_played(listener);
	rig_down(&rig);
}
END_TEST

/* One real, one played, and the played one has another ring file: nothing is forwarded, all is repaired. */
START_TEST(another_ring_file_played)
{
	int listener;
	char id[16], line[80];
	uint64_t epoch = 0;
	up_with_played(&listener);
	rig_start(&rig, 0);
	answer_hello(listener, 0, "00000000", id);
	say_hello(0, "zog/1", "00000000", "");
	log_wait_error(&rig, 0, "zogd g has another ring file");
	for (int i = 0; i < 50; i++) {
		char text[32];
		snprintf(text, sizeof text, "message %d\r\n", i);
		from_a_client(0, text, "ok");
	}
	/* It says what it has, and had it forwarded anything that would stand before. */
	do {
		told(&to_us[0], "have mv ");
		require(sscanf(to_us[0].last, "have mv %" SCNu64 " ", &epoch) == 1, "came '%s'", to_us[0].last);
	} while (snprintf(line, sizeof line, "have mv %" PRIu64 " 50", epoch) < 0 || strcmp(line, to_us[0].last) != 0);
	snprintf(line, sizeof line, "want mv %" PRIu64 " 1 50\r\n", epoch);
	conn_puts(&from_us[0], line);
	for (int i = 0; i < 50; i++) {
		snprintf(line, sizeof line, "0 data mv %" PRIu64 " %d 1 ", epoch, i + 1);
		told(&to_us[0], line);
		snprintf(line, sizeof line, "message %d", i);
		conn_expect(&to_us[0], line);
	}
	/* What we have it pulls; what we send wrapped it does not pass on. */
	put_frame(&from_us[0], "data", 1000, 1, 1, "from g", '2');
	log_wait_once(&rig, 1, "from g 0");
	conn_puts(&from_us[0], "have g 1000 3\r\n");
	conn_expect_start(&from_us[0], "ok g 1000 1");
	told(&to_us[0], "want g 1000 2 3");
	put_frame(&from_us[0], "data", 1000, 2, 2, "repaired", '0');
	log_wait_once(&rig, 1, "repaired 0");
	log_wait_once(&rig, 1, "repaired 1");
	close_played(listener);
	rig_down(&rig);
}
END_TEST

/* Three real ones, one of them with a ring file of tomorrow. */
START_TEST(another_ring_file)
{
	struct numbered l;
	char option[RIG_PATH * 2 + 16];
	rig_make(&rig, 3, "reconnect-max = 0.5\n");
	size_t len;
	char *text = file_read(rig.ring_file, &len);
	file_write(rig_path(&rig, 2, "ring"), text);
	file_append(rig_path(&rig, 2, "ring"), "new 127.0.0.1 1 2\n");
	free(text);
	snprintf(option, sizeof option, "ring=%s", rig_path(&rig, 2, "ring"));
	rig.m[2].arg[0] = "-o";
	rig.m[2].arg[1] = option;
	rig_start_all(&rig);
	log_wait_error(&rig, 0, "zogd g has another ring file");
	log_wait_error(&rig, 1, "zogd g has another ring file");
	log_wait_error(&rig, 2, "zogd mv has another ring file");
	log_wait_error(&rig, 2, "zogd pa has another ring file");
	numbered_init(&l, &rig, 'a', 6, slow_count(500));
	l.ack = "2";
	l.window = 100;
	l.steady = true;
	numbered_run(&l);
	numbered_wait_logged(&l, 0);
	rig_stop_all(&rig);
	require(log_error_has(&rig, 2, " report: forwarded 0\n"), "it forwards");
	numbered_require(&l, 0x7, "another ring file");
	numbered_fini(&l);
	rig_down(&rig);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, a_kind_that_is_not_known);
	STORY_TEST(s, another_ring_file_played);
	STORY_TEST(s, another_ring_file);
}

int
main(void)
{
	return story_main("26-unlike", add);
}
