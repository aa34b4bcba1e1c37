/* SPDX-License-Identifier: MIT
 * 20-numbered.c - the numbered form of the client port, byte by byte (doc/protocol, section 4), on a ring of one and of
 * three: what is good, what is refused, what is remembered, and how many members have what was settled. */
#include "harness_numbered.h"

#include <stdlib.h>
#include <string.h>

static struct ring_rig rig;

/* ---- the opening ---- */

START_TEST(hello)
{
	static const struct { const char *line, *reply; } good[] = {
		{ "HELLO zog/1 client=a\r\n", "OK zog/1 member=mv ack=1 last=0" },
		{ "HELLO zog/1 client=a ack=1\r\n", "OK zog/1 member=mv ack=1 last=0" },
		{ "HELLO zog/1 client=a ack=all\r\n", "OK zog/1 member=mv ack=all last=0" },
		{ "HELLO zog/1 ack=majority client=a\r\n", "OK zog/1 member=mv ack=majority last=0" },
		/* Words and versions that are not known. */
		{ "HELLO zog/1 client=a colour=red ack=1 x\r\n", "OK zog/1 member=mv ack=1 last=0" },
		{ "HELLO zog/9 client=a\r\n", "OK zog/1 member=mv ack=1 last=0" },
		{ "HELLO zog/2 client=A-Za-z0-9_.-\r\n", "OK zog/1 member=mv ack=1 last=0" },
		{ "HELLO zog/1 client=12345678901234567890123456789012\r\n", "OK zog/1 member=mv ack=1 last=0" },
	};
	rig_up(&rig, 1, NULL);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct conn c;
		conn_client(&c, &rig, 0);
		conn_puts(&c, good[i].line);
		conn_expect(&c, good[i].reply);
		conn_puts(&c, "keepAlive\r\n");
		conn_expect(&c, "ack");
		conn_puts(&c, "keepalive\r\n");
		conn_expect(&c, "ack");
		conn_puts(&c, "quit\r\n");
		conn_expect_rest(&c, "ok\r\n");
		conn_close(&c);
	}
	require(log_lines(&rig, 0) == 0, "a HELLO is logged");
	rig_down(&rig);
}
END_TEST

START_TEST(bad_hello)
{
	static const struct { const char *line, *reply; } bad[] = {
		{ "HELLO zog/1\r\n", "error bad client token\r\n" },
		{ "HELLO zog/1 ack=1\r\n", "error bad client token\r\n" },
		{ "HELLO zog/1 client=\r\n", "error bad client token\r\n" },
		{ "HELLO zog/1 client=-\r\n", "error bad client token\r\n" },
		{ "HELLO zog/1 client=a/b\r\n", "error bad client token\r\n" },
		{ "HELLO zog/1 client=a:b\r\n", "error bad client token\r\n" },
		{ "HELLO zog/1 client=\xc3\xa4\r\n", "error bad client token\r\n" },
		{ "HELLO zog/1 client=123456789012345678901234567890123\r\n", "error bad client token\r\n" },
		{ "HELLO zog/1 client=a ack=0\r\n", "error bad ack level\r\n" },
		{ "HELLO zog/1 client=a ack=01\r\n", "error bad ack level\r\n" },
		{ "HELLO zog/1 client=a ack=2\r\n", "error bad ack level\r\n" },
		{ "HELLO zog/1 client=a ack=-1\r\n", "error bad ack level\r\n" },
		{ "HELLO zog/1 client=a ack=most\r\n", "error bad ack level\r\n" },
		{ "HELLO zog/1 client=a ack=18446744073709551617\r\n", "error bad ack level\r\n" },
	};
	rig_up(&rig, 1, "bad-lines = none\n");
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct conn c;
		conn_client(&c, &rig, 0);
		conn_puts(&c, bad[i].line);
		conn_puts(&c, "1 one\r\n");
		conn_expect_rest(&c, bad[i].reply);
		conn_close(&c);
	}
	log_wait_error(&rig, 0, " bad client token: HELLO zog/1 client=a/b");
	log_wait_error(&rig, 0, " bad ack level: HELLO zog/1 client=a ack=most");
	/* It is nothing special where it is not the first line, nor in other letters. */
	struct conn c;
	conn_client(&c, &rig, 0);
	conn_puts(&c, "first\r\nHELLO zog/1 client=a\r\nhello zog/1 client=a\r\n");
	conn_expect(&c, "ok");
	conn_expect(&c, "ok");
	conn_expect(&c, "ok");
	conn_close(&c);
	conn_hello(&c, &rig, 0, "a", NULL, 0);
	conn_puts(&c, "HELLO zog/1 client=a\r\n");
	conn_expect(&c, "error no number");
	conn_close(&c);
	log_wait_lines(&rig, 0, 3);
	rig_down(&rig);
}
END_TEST

/* ---- numbers ---- */

/* In each log, and only once. */
static void
everywhere(const char *text)
{
	log_wait_once(&rig, 0, text);
}

static void
numbers_on(int members)
{
	static const char *const none[] = { "text", "1", " 1 text", "01 text", "0 text", "00 text", "+1 text", "-1 text",
		"1.5 text", "0x1 text", "1\ttext", "9223372036854775808 text", "18446744073709551617 text",
		"999999999999999999999999999999 text", "1a text" };
	rig_up(&rig, members, "bad-lines = none\n");
	struct conn c;
	conn_hello(&c, &rig, 0, "teller", members == 1 ? "1" : "all", 0);
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		conn_puts(&c, none[i]);
		conn_puts(&c, "\r\n");
		conn_expect(&c, "error no number");
	}
	conn_puts(&c, "1 first\r\n");
	conn_expect(&c, "ok 1");
	/* Many at once: the replies may be fewer, and are cumulative. */
	conn_puts(&c, "2 second\r\n3 third\r\n4 3 3\r\n5  blank first\r\n6 sixth\r\n");
	conn_expect_settled(&c, 6);
	/* They grow, and may leave some out. */
	conn_puts(&c, "6 sixth\r\n");
	conn_expect(&c, "error 6 number does not grow");
	conn_puts(&c, "5 fifth\r\n");
	conn_expect(&c, "error 5 number does not grow");
	conn_puts(&c, "100 a hundred\r\n1000 a thousand\r\n");
	conn_expect_settled(&c, 1000);
	conn_puts(&c, "999 one less\r\n");
	conn_expect(&c, "error 999 number does not grow");
	conn_puts(&c, "9223372036854775806 nearly\r\n");
	conn_expect(&c, "ok 9223372036854775806");
	conn_puts(&c, "9223372036854775807 the last\r\n");
	conn_expect(&c, "ok 9223372036854775807");
	conn_puts(&c, "9223372036854775807 the last\r\n");
	conn_expect(&c, "error 9223372036854775807 number does not grow");
	conn_round(&c);
	conn_puts(&c, "quit\r\n");
	conn_expect_rest(&c, "ok\r\n");
	conn_close(&c);
	static const char *const logged[] = { "first", "second", "third", "3 3", " blank first", "sixth", "a hundred",
		"a thousand", "nearly", "the last" };
	enum { LOGGED = sizeof logged / sizeof *logged };
	for (int i = 0; i < LOGGED; i++)
		everywhere(logged[i]);
	for (int i = 0; i < members; i++)
		require(log_lines(&rig, i) == LOGGED, "%zu lines", log_lines(&rig, i));
	/* The journal has it, too. */
	rig_kill(&rig, 0);
	rig_start(&rig, 0);
	conn_hello(&c, &rig, 0, "teller", "1", 9223372036854775807u);
	conn_puts(&c, "9223372036854775807 the last\r\n");
	conn_expect(&c, "ok 9223372036854775807");
	conn_close(&c);
	everywhere("the last");
	require(!log_error_has(&rig, 0, "damaged at"), "what it settled is damaged");
	rig_down(&rig);
}

START_TEST(numbers_on_a_ring_of_one)
{
	numbers_on(1);
}
END_TEST

START_TEST(numbers_on_a_ring_of_three)
{
	numbers_on(3);
}
END_TEST

/* A bad text has a number all the same, which is not used up. */
START_TEST(bad_texts)
{
	char text[600], longest[520];
	rig_up(&rig, 1, "bad-lines = none\n");
	struct conn c;
	conn_hello(&c, &rig, 0, "a", NULL, 0);
	memset(longest, 'x', 509);
	longest[509] = '\0';
	conn_puts(&c, "1 \r\n");
	conn_expect(&c, "error 1 empty line");
	conn_puts(&c, "1 a\x01z\r\n");
	conn_expect(&c, "error 1 control character");
	conn_puts(&c, "1 a\xffz\r\n");
	conn_expect(&c, "error 1 bad UTF-8");
	conn_puts(&c, "1 no CR\n");
	conn_expect(&c, "error 1 no CR before LF");
	snprintf(text, sizeof text, "1 %sx\r\n", longest);
	conn_puts(&c, text);
	conn_expect(&c, "error 1 line too long");
	/* The limit is the text's, not the number's. */
	snprintf(text, sizeof text, "1234567890123456789 %s\r\n", longest);
	conn_puts(&c, text);
	conn_expect(&c, "ok 1234567890123456789");
	conn_puts(&c, "\r\n");
	conn_expect_start(&c, "error ");
	/* One bad among good ones. */
	conn_close(&c);
	conn_hello(&c, &rig, 0, "b", NULL, 0);
	conn_puts(&c, "1 one\r\n2 t\x02o\r\n3 three\r\n");
	conn_expect(&c, "ok 1");
	conn_expect(&c, "error 2 control character");
	conn_expect(&c, "ok 3");
	conn_puts(&c, "4 cut");
	conn_end(&c);
	conn_expect_rest(&c, "error no line end\r\n");
	conn_close(&c);
	conn_hello(&c, &rig, 0, "b", NULL, 3);
	conn_close(&c);
	log_wait_once(&rig, 0, longest);
	require(log_lines(&rig, 0) == 3, "%zu lines", log_lines(&rig, 0));
	rig_down(&rig);
}
END_TEST

/* ---- what is remembered ---- */

static void
say(int member, const char *token, uint64_t last, const char *line, const char *reply)
{
	struct conn c;
	conn_hello(&c, &rig, member, token, NULL, last);
	conn_puts(&c, line);
	conn_puts(&c, "\r\n");
	conn_expect(&c, reply);
	conn_close(&c);
}

static void
remembered_on(int members)
{
	rig_up(&rig, members, "bad-lines = none\nreconnect-max = 1\n");
	say(0, "a", 0, "7 seven", "ok 7");
	everywhere("seven");
	for (int i = 0; i < members; i++) {
		say(i, "a", 7, "7 seven", "ok 7");
		say(i, "a", 7, "7 another", "error 7 number used for another text");
		say(i, "a", 7, "6 six", "ok 6");
		everywhere("six");
	}
	/* Tokens are clients: another one has numbers of its own. */
	say(0, "A", 0, "7 seven of A", "ok 7");
	say(members - 1, "a", 7, "8 eight", "ok 8");
	everywhere("eight");
	everywhere("seven of A");
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < members; i++) {
			if (round == 0)
				rig_stop(&rig, i);
			else
				rig_kill(&rig, i);
		}
		rig_start_all(&rig);
		for (int i = 0; i < members; i++) {
			say(i, "a", 8, "8 eight", "ok 8");
			say(i, "a", 8, "7 another", "error 7 number used for another text");
			say(i, "A", 7, "7 seven of A", "ok 7");
		}
	}
	say(0, "a", 8, "9 nine", "ok 9");
	everywhere("nine");
	for (int i = 0; i < members; i++)
		require(log_lines(&rig, i) == 5, "%s: %zu lines, 5 expected", rig.m[i].name, log_lines(&rig, i));
	rig_down(&rig);
}

START_TEST(remembered_by_one)
{
	remembered_on(1);
}
END_TEST

START_TEST(remembered_by_three)
{
	remembered_on(3);
}
END_TEST

/* Fingerprints are kept of the last 64 only; ranges of all. */
START_TEST(sent_again_after_many)
{
	rig_up(&rig, 1, NULL);
	struct buf b = BUF_INIT;
	for (int i = 1; i <= 500; i++)
		buf_printf(&b, "%d text %d\r\n", i, i);
	for (int round = 0; round < 3; round++) {
		struct conn c;
		conn_hello(&c, &rig, 0, "a", NULL, round == 0 ? 0 : 500);
		conn_put(&c, buf_begin(&b), b.len);
		conn_expect_settled(&c, 500);
		conn_close(&c);
		if (round == 1) {
			rig_kill(&rig, 0);
			rig_start(&rig, 0);
		}
	}
	buf_fini(&b);
	require(log_lines(&rig, 0) == 500, "%zu lines", log_lines(&rig, 0));
	rig_down(&rig);
}
END_TEST

/* Through two streams numbers reach the others in any order: a late low one is new. */
START_TEST(late_low_numbers)
{
	rig_up(&rig, 3, NULL);
	struct conn a, b;
	conn_hello(&a, &rig, 0, "c", "all", 0);
	conn_puts(&a, "5 five\r\n6 six\r\n7 seven\r\n8 eight\r\n9 nine\r\n");
	conn_expect_settled(&a, 9);
	conn_hello(&b, &rig, 1, "c", "all", 9);
	conn_puts(&b, "1 one\r\n2 two\r\n3 three\r\n4 four\r\n");
	conn_expect_settled(&b, 4);
	/* And these are there already, by the other's stream. */
	conn_puts(&b, "5 five\r\n6 six\r\n");
	conn_expect_settled(&b, 6);
	conn_close(&a);
	conn_close(&b);
	static const char *const texts[] = { "one", "two", "three", "four", "five", "six", "seven", "eight", "nine" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		everywhere(texts[i]);
	for (int i = 0; i < 3; i++)
		require(log_lines(&rig, i) == 9, "%zu lines", log_lines(&rig, i));
	rig_down(&rig);
}
END_TEST

/* Two texts under one number, at two members that cannot know of each other: both are logged, and it is said. */
START_TEST(two_texts_of_one_number)
{
	rig_up(&rig, 3, "reconnect-max = 1\n");
	rig_stop(&rig, 1);
	rig_stop(&rig, 2);
	say(0, "a", 0, "1 this", "ok 1");
	rig_stop(&rig, 0);
	rig_start(&rig, 1);
	say(1, "a", 0, "1 that", "ok 1");
	rig_start(&rig, 0);
	rig_start(&rig, 2);
	rig_wait_links(&rig);
	everywhere("this");
	everywhere("that");
	for (int i = 0; i < 3; i++)
		log_wait_error(&rig, i, "client a used number 1 for two texts");
	rig_down(&rig);
}
END_TEST

/* ---- levels ---- */

START_TEST(levels)
{
	rig_up(&rig, 3, "ack-timeout = 1\nreconnect-max = 1\ndrain-timeout = 1\n");
	struct conn all, most, one, two;
	conn_hello(&all, &rig, 0, "all", "all", 0);
	conn_hello(&most, &rig, 0, "most", "majority", 0);
	conn_hello(&two, &rig, 0, "two", "2", 0);
	conn_hello(&one, &rig, 0, "one", "1", 0);
	conn_puts(&all, "1 all, with three\r\n");
	conn_expect(&all, "ok 1");
	/* Settled at all: in each journal, so in each log now or in a moment. */
	everywhere("all, with three");

	rig_stop(&rig, 1);
	conn_puts(&most, "1 most, with two\r\n");
	conn_expect(&most, "ok 1");
	conn_puts(&all, "2 all, with two\r\n");
	conn_expect(&all, "error 2 unconfirmed: 2 of 3");
	rig_stop(&rig, 2);
	conn_puts(&one, "1 one, with one\r\n");
	conn_expect(&one, "ok 1");
	conn_puts(&all, "3 all, with one\r\n4 once more\r\n");
	conn_expect(&all, "error 3 unconfirmed: 1 of 3");
	conn_expect(&all, "error 4 unconfirmed: 1 of 3");
	conn_puts(&most, "2 most, with one\r\n");
	conn_expect(&most, "error 2 unconfirmed: 1 of 2");
	conn_puts(&two, "1 two, with one\r\n");
	conn_expect(&two, "error 1 unconfirmed: 1 of 2");
	/* To send it again is safe; here too little has it still. */
	conn_close(&two);
	conn_hello(&two, &rig, 0, "two", "2", 1);
	conn_puts(&two, "1 two, with one\r\n");
	conn_expect(&two, "error 1 unconfirmed: 1 of 2");

	/* It stayed in the ring. */
	rig_start(&rig, 1);
	rig_start(&rig, 2);
	rig_wait_links(&rig);
	static const char *const texts[] = { "all, with three", "most, with two", "all, with two", "one, with one",
		"all, with one", "once more", "most, with one", "two, with one" };
	enum { TEXTS = sizeof texts / sizeof *texts };
	for (int i = 0; i < TEXTS; i++)
		everywhere(texts[i]);
	conn_close(&all);
	conn_hello(&all, &rig, 2, "all", "all", 4);
	conn_puts(&all, "2 all, with two\r\n3 all, with one\r\n4 once more\r\n5 all again\r\n");
	conn_expect_settled(&all, 5);
	everywhere("all again");
	for (int i = 0; i < 3; i++)
		require(log_lines(&rig, i) == TEXTS + 1, "%s: %zu lines", rig.m[i].name, log_lines(&rig, i));
	conn_close(&all);
	conn_close(&most);
	conn_close(&two);
	conn_close(&one);
	rig_down(&rig);
}
END_TEST

/* The member's setting counts where none is given, for plain clients too. */
START_TEST(level_of_the_member)
{
	rig_up(&rig, 3, "ack = majority\nack-timeout = 1\nreconnect-max = 1\ndrain-timeout = 1\n");
	struct conn n, p;
	conn_client(&n, &rig, 0);
	conn_puts(&n, "HELLO zog/1 client=n\r\n");
	conn_expect(&n, "OK zog/1 member=mv ack=majority last=0");
	conn_client(&p, &rig, 0);
	rig_stop(&rig, 1);
	conn_puts(&n, "1 numbered, with two\r\n");
	conn_expect(&n, "ok 1");
	conn_puts(&p, "plain, with two\r\n");
	conn_expect(&p, "ok");
	rig_stop(&rig, 2);
	conn_puts(&n, "2 numbered, with one\r\n");
	conn_expect(&n, "error 2 unconfirmed: 1 of 2");
	conn_puts(&p, "plain, with one\r\n");
	conn_expect(&p, "error unconfirmed: 1 of 2");
	conn_close(&n);
	conn_close(&p);
	rig_start(&rig, 1);
	rig_start(&rig, 2);
	rig_wait_links(&rig);
	everywhere("numbered, with two");
	everywhere("plain, with two");
	everywhere("numbered, with one");
	everywhere("plain, with one");
	rig_down(&rig);
}
END_TEST

/* All levels under load, without any fault in the ring: nothing has to be sent again. */
START_TEST(a_load_of_them)
{
	static const char *const level[] = { "1", "majority", "all", "4", NULL };
	static const int window[] = { 1, 50, 250, 500, 3 };
	struct numbered l[5];
	rig_up(&rig, 5, NULL);
	for (int i = 0; i < 5; i++) {
		numbered_init(&l[i], &rig, (char)('a' + i), 5, slow_count(1500));
		l[i].ack = level[i];
		l[i].window = window[i];
		l[i].least = 20;
		l[i].most = 509;
		l[i].steady = true;
		numbered_run(&l[i]);
	}
	for (int i = 0; i < 5; i++)
		numbered_wait_logged(&l[i], 0);
	rig_stop_all(&rig);
	for (int i = 0; i < 5; i++) {
		numbered_require(&l[i], 0x1f, level[i] != NULL ? level[i] : "no level");
		numbered_fini(&l[i]);
	}
	rig_down(&rig);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, hello);
	STORY_TEST(s, bad_hello);
	STORY_TEST(s, numbers_on_a_ring_of_one);
	STORY_TEST(s, numbers_on_a_ring_of_three);
	STORY_TEST(s, bad_texts);
	STORY_TEST(s, remembered_by_one);
	STORY_TEST(s, remembered_by_three);
	STORY_TEST(s, sent_again_after_many);
	STORY_TEST(s, late_low_numbers);
	STORY_TEST(s, two_texts_of_one_number);
	STORY_TEST(s, levels);
	STORY_TEST(s, level_of_the_member);
	STORY_TEST(s, a_load_of_them);
}

int
main(void)
{
	return story_main("20-numbered", add);
}
