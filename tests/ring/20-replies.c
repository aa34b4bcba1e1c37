/* SPDX-License-Identifier: MIT
 * 20-replies.c - what the fuzz targets of connections found (tests/fuzz): each line has one reply, also where a bad one parts a
 * batch, the reason that doc/protocol names first, and a NUL ends nothing. */
#include "harness_numbered.h"

#include <string.h>

static struct ring_rig rig;

/* The example of doc/protocol, section 4, in one write. */
START_TEST(parted)
{
	struct conn c;
	rig_up(&rig, 1, NULL);
	conn_hello(&c, &rig, 0, "backup-pa", "majority", 0);
	conn_puts(&c, "1 night of the 20th\r\n1 night of the 20th\r\n2 night of the 21st\r\nquit\r\n");
	conn_expect_rest(&c, "ok 1\r\nerror 1 number does not grow\r\nok 2\r\nok\r\n");
	conn_close(&c);
	rig_down(&rig);
}
END_TEST

/* The same, where nothing of the batch is settled: an error for each number, and only one. */
START_TEST(parted_and_refused)
{
	struct conn c;
	rig_up(&rig, 3, "ack-timeout = 1\nreconnect-max = 1\ndrain-timeout = 1\n");
	rig_stop(&rig, 1);
	rig_stop(&rig, 2);
	conn_hello(&c, &rig, 0, "a", "all", 0);
	conn_puts(&c, "1 one\r\n2 two\r\n2 two\r\n3 three\r\nbad\r\n4 four\r\nquit\r\n");
	conn_expect_rest(&c, "error 1 unconfirmed: 1 of 3\r\nerror 2 unconfirmed: 1 of 3\r\nerror 2 number does not grow\r\n"
	    "error 3 unconfirmed: 1 of 3\r\nerror no number\r\nerror 4 unconfirmed: 1 of 3\r\nok\r\n");
	conn_close(&c);
	rig_down(&rig);
}
END_TEST

START_TEST(reasons)
{
	static const char nul[] = "2\0 two\r\n";
	char longest[700];
	struct conn c;
	rig_up(&rig, 1, "bad-lines = none\n");
	conn_hello(&c, &rig, 0, "a", NULL, 0);
	conn_puts(&c, "1 one\r\nbe\x07ll\r\n\r\n\xc0\x80\r\n1 \r\n");
	conn_put(&c, nul, sizeof nul - 1);
	memset(longest, 'x', sizeof longest);
	conn_put(&c, longest, sizeof longest);
	conn_puts(&c, "\nx\nquit\r\n");
	conn_expect_rest(&c, "ok 1\r\nerror control character\r\nerror empty line\r\nerror bad UTF-8\r\nerror 1 empty line\r\n"
	    "error control character\r\nerror line too long\r\nerror no CR before LF\r\nok\r\n");
	conn_close(&c);
	/* A level that is no word of 63 characters is none either, and not the member's own. */
	conn_client(&c, &rig, 0);
	conn_puts(&c, "HELLO zog/1 client=a ack=1111111111111111111111111111111111111111111111111111111111111111\r\n");
	conn_expect_rest(&c, "error bad ack level\r\n");
	conn_close(&c);
	rig_down(&rig);
}
END_TEST

/* What stands behind a NUL is part of the line. */
START_TEST(words_of_a_peer)
{
	static const char words[] = "keepAlive\0x\r\nhave x 1 1\0\r\nkeepAlive\r\n";
	char hello[100];
	struct conn c;
	rig_make(&rig, 2, "bad-lines = none\n");
	rig_launch(&rig, 0);
	rig_wait_ready(&rig, 0);
	snprintf(hello, sizeof hello, "HELLO zog/1 ring=00000000 from=%s to=%s epoch=1\r\n", rig.m[1].name, rig.m[0].name);
	conn_peer(&c, &rig, 1, 0);
	conn_puts(&c, hello);
	conn_expect_start(&c, "OK zog/1 ");
	conn_put(&c, words, sizeof words - 1);
	conn_expect(&c, "error unknown word");
	conn_expect(&c, "error unknown word");
	conn_expect(&c, "ack");
	conn_close(&c);
	rig_down(&rig);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, parted);
	STORY_TEST(s, parted_and_refused);
	STORY_TEST(s, reasons);
	STORY_TEST(s, words_of_a_peer);
}

int
main(void)
{
	return story_main("20-replies", add);
}
