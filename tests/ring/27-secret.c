/* SPDX-License-Identifier: MIT
 * 27-secret.c - members that prove to each other that they know the ring's secret, and what becomes of those that do not. */
#include "harness_numbered.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wire/proof.h"

#define SECRET "7c9e6679-7425-40de-944b-e07fc1f90ae7"
#define OTHER "3fa85f64-5717-4562-b3fc-2c963f66afa6"

static struct ring_rig rig;

/* A file with these secrets, beside the member's others. */
static void
give(int member, const char *secrets)
{
	const char *path = rig_path(&rig, member, "secret");
	file_write(path, secrets);
	require(chmod(path, 0600) == 0, "chmod");
}

static void
make(int members, const char *conf)
{
	char path[RIG_PATH + 32];
	rig_make(&rig, members, "reconnect-max = 0.5\n");
	for (int i = 0; i < members; i++) {
		give(i, "# of this ring\n" SECRET "\n");
		snprintf(path, sizeof path, "secret-file = %s\n", rig_path(&rig, i, "secret"));
		rig_conf(&rig, i, path);
		if (conf != NULL)
			rig_conf(&rig, i, conf);
	}
}

/* Nothing of a secret, nor a proof, is in any log. */
static void
down(void)
{
	static const char *const logs[] = { "log/error.log", "log/access.log" };
	require(file_exists(rig_path(&rig, 0, logs[0])), "no error.log");
	for (int i = 0; i < rig.size; i++)
		for (int log = 0; log < 2; log++) {
			const char *path = rig_path(&rig, i, logs[log]);
			require(!file_has(path, SECRET) && !file_has(path, OTHER), "%s tells a secret", path);
			/* The other words there are ours, and the one of a stranger who begins by it. */
			require(file_count(path, "PROOF ") == file_count(path, "PROOF without") + file_count(path, ": PROOF 00"),
			    "%s tells a proof", path);
		}
	rig_down(&rig);
}

START_TEST(five)
{
	make(5, NULL);
	rig_start_all(&rig);
	for (int i = 0; i < 5; i++) {
		char text[32];
		snprintf(text, sizeof text, "hello from %d", i);
		rig_say(&rig, i, text);
	}
	/* And after one has been away. */
	rig_kill(&rig, 3);
	rig_say(&rig, 0, "while it is away");
	rig_start(&rig, 3);
	rig_wait_links(&rig);
	log_wait_once(&rig, 0, "while it is away");
	down();
}
END_TEST

/* One has another secret, or none: the others go on without it, and both sides say why. */
static void
outsider(bool has_one, const char *ours, const char *theirs)
{
	make(3, NULL);
	if (has_one)
		give(2, OTHER "\n");
	else
		rig_conf(&rig, 2, "");
	if (!has_one) {
		char path[RIG_PATH + 32];
		snprintf(path, sizeof path, "%s", rig_path(&rig, 2, "zogd.conf"));
		char *text = file_read(path, NULL), *line = strstr(text, "secret-file");
		require(line != NULL, "no secret-file in %s", path);
		line[0] = '#';
		file_write(path, text);
		free(text);
	}
	for (int i = 0; i < 3; i++)
		rig_launch(&rig, i);
	for (int i = 0; i < 3; i++)
		rig_wait_ready(&rig, i);
	rig_wait_link(&rig, 0, 1);
	rig_wait_link(&rig, 1, 0);
	log_wait_error(&rig, 0, ours);
	log_wait_error(&rig, 2, theirs);
	struct conn c;
	conn_client(&c, &rig, 0);
	conn_puts(&c, "among us\r\n");
	conn_expect(&c, "ok");
	conn_close(&c);
	conn_client(&c, &rig, 2);
	conn_puts(&c, "alone\r\n");
	conn_expect(&c, "ok");
	conn_close(&c);
	log_wait_once(&rig, 1 << 0 | 1 << 1, "among us");
	log_wait_once(&rig, 1 << 2, "alone");
	require(log_count_text(&rig, 2, "among us") == 0 && log_count_text(&rig, 0, "alone") == 0, "it got through");
	require(!rig_link_up(&rig, 0, 2) && !rig_link_up(&rig, 2, 0), "a link is up");
	down();
}

START_TEST(another_secret)
{
	outsider(true, "PROOF without the secret", "link to mv: cannot connect");
}
END_TEST

START_TEST(no_secret)
{
	outsider(false, "HELLO without nonce: has it no secret-file?", "link to mv: cannot connect");
}
END_TEST

/* ---- strangers on the peer port ---- */

static void
hello_line(char line[300], const char *from, const char *to, const char *ring, const char *more)
{
	snprintf(line, 300, "HELLO zog/1 ring=%s from=%s to=%s epoch=1%s", ring, from, to, more);
}

/* It says this, gets nothing back, and is let go. Several at once, since that comes late. */
enum { SENT_AWAY = 9 };

START_TEST(sent_away)
{
	static const char good_nonce[] = " nonce=000102030405060708090a0b0c0d0e0f";
	char line[SENT_AWAY][300];
	make(3, NULL);
	rig_launch(&rig, 0);
	rig_wait_ready(&rig, 0);
	const char *us = rig.m[0].name, *other = rig.m[1].name;
	strcpy(line[0], "keepAlive");
	strcpy(line[1], "2hello");
	strcpy(line[2], "want mv 1 1 1");
	hello_line(line[3], other, us, "00000000", "");
	hello_line(line[4], us, us, "00000000", good_nonce);
	hello_line(line[5], "nobody", us, "00000000", good_nonce);
	hello_line(line[6], other, "nobody", "00000000", good_nonce);
	hello_line(line[7], other, us, "00000000", " nonce=0123");
	strcpy(line[8], "PROOF 00");
	struct conn c[SENT_AWAY];
	for (int i = 0; i < SENT_AWAY; i++) {
		conn_peer(&c[i], &rig, 1, 0);
		conn_puts(&c[i], line[i]);
		conn_puts(&c[i], "\r\n2is anybody there\r\n");
	}
	for (int i = 0; i < SENT_AWAY; i++) {
		conn_expect_end(&c[i]);
		conn_close(&c[i]);
	}
	static const char *const why[] = { "no HELLO, and there is a secret", "HELLO without nonce", "not a member: HELLO zog/1",
	    "not the member that was asked for", "bad nonce" };
	for (size_t i = 0; i < sizeof why / sizeof *why; i++)
		log_wait_error(&rig, 0, why[i]);
	/* Nor who says nothing at all, or half a line. */
	conn_peer(&c[0], &rig, 1, 0);
	conn_peer(&c[1], &rig, 1, 0);
	conn_puts(&c[1], "HELLO zog");
	for (int i = 0; i < 2; i++) {
		conn_expect_end(&c[i]);
		conn_close(&c[i]);
	}
	log_wait_error(&rig, 0, "no HELLO, or no PROOF, in time");
	require(log_lines(&rig, 0) == 0, "something is logged");
	down();
}
END_TEST

/* Opens as member 1; what it got, without its end, in answer. */
static void
open_as_1(struct conn *c, char hello[300], char answer[300], const char *nonce)
{
	char more[64];
	snprintf(more, sizeof more, " nonce=%s", nonce);
	conn_peer(c, &rig, 1, 0);
	hello_line(hello, rig.m[1].name, rig.m[0].name, "00000000", more);
	conn_puts(c, hello);
	conn_puts(c, "\r\n");
	snprintf(answer, 300, "%s", conn_line(c));
	require(strncmp(answer, "OK zog/1 from=", 14) == 0 && strstr(answer, " nonce=") != NULL, "the answer is '%s'", answer);
}

/* A proof is good once, for its connection and its direction; nothing is shown to who has shown nothing. */
START_TEST(proofs)
{
	enum { BAD = 6 };
	char hello[300], answer[300], proof[PROOF_HEX + 1], first[PROOF_HEX + 1], line[BAD][200];
	static const char nonce[] = "000102030405060708090a0b0c0d0e0f";
	struct conn c, bad[BAD];
	make(3, NULL);
	rig_launch(&rig, 0);
	rig_wait_ready(&rig, 0);
	open_as_1(&c, hello, answer, nonce);
	proof_make(first, PROOF_OPENER, SECRET, strlen(SECRET), hello, answer);
	conn_puts(&c, "PROOF ");
	conn_puts(&c, first);
	conn_puts(&c, "\r\nkeepAlive\r\n");
	proof_make(proof, PROOF_ANSWERER, SECRET, strlen(SECRET), hello, answer);
	snprintf(line[0], sizeof line[0], "PROOF %s", proof);
	conn_expect(&c, line[0]);
	conn_expect(&c, "ack");
	for (int i = 0; i < BAD; i++) {
		open_as_1(&bad[i], hello, answer, nonce);
		proof_make(proof, PROOF_OPENER, i == 2 ? OTHER : SECRET, strlen(SECRET), hello, answer);
		if (i == 1)
			proof_make(proof, PROOF_ANSWERER, SECRET, strlen(SECRET), hello, answer);
		snprintf(line[i], sizeof line[i], "PROOF %.*s", i == 3 ? 62 : 64, i == 0 ? first : proof);
		if (i == 4)
			strcpy(line[i], "keepAlive");
		if (i == 5)
			memset(line[i] + 6, 'z', 64);
		conn_puts(&bad[i], line[i]);
		conn_puts(&bad[i], "\r\nkeepAlive\r\n");
	}
	for (int i = 0; i < BAD; i++) {
		conn_expect_end(&bad[i]);
		conn_close(&bad[i]);
	}
	log_wait_error(&rig, 0, "PROOF without the secret");
	/* The first one goes on. */
	conn_round(&c);
	conn_close(&c);
	down();
}
END_TEST

/* Whom we dial must know the secret, too; and who says that it knows the plain form only is not believed. */
START_TEST(dialled)
{
	struct conn c;
	char hello[300], answer[300], proof[PROOF_HEX + 1], line[100];
	make(2, "peer-timeout = 60\n");
	int listener = rig_listen(&rig, 1);
	rig_launch(&rig, 0);
	static const char *const answers[] = { "error unknown word", "ok", "epoch=1 ring=00000000", "epoch=1 ring=00000000 nonce=12",
	    "epoch=1 ring=00000000 nonce=000102030405060708090a0b0c0d0e0f" };
	for (size_t i = 0; i < 6; i++) {
		conn_accept(&c, &rig, listener, 0);
		c.link = false;
		snprintf(hello, sizeof hello, "%s", conn_line(&c));
		require(strstr(hello, " nonce=") != NULL, "HELLO is '%s'", hello);
		if (i < 2)
			strcpy(answer, answers[i]);
		else
			snprintf(answer, sizeof answer, "OK zog/1 from=%s %s", rig.m[1].name, answers[i < 5 ? i : 4]);
		conn_puts(&c, answer);
		conn_puts(&c, "\r\n");
		if (i >= 4) {
			proof_make(proof, PROOF_OPENER, SECRET, strlen(SECRET), hello, answer);
			snprintf(line, sizeof line, "PROOF %s", proof);
			conn_expect(&c, line);
			/* Its own proof, thrown back at it; then the right one. */
			if (i == 5)
				proof_make(proof, PROOF_ANSWERER, SECRET, strlen(SECRET), hello, answer);
			conn_puts(&c, "PROOF ");
			conn_puts(&c, proof);
			conn_puts(&c, "\r\n");
		}
		if (i < 5)
			conn_expect_end(&c);
		else
			rig_wait_link(&rig, 0, 1);
		conn_close(&c);
	}
	static const char *const why[] = { "it refuses us", "its answer to HELLO makes no sense",
	    "its answer to HELLO is without nonce: has it no secret-file?", "it does not know the secret" };
	for (size_t i = 0; i < 4; i++)
		log_wait_error(&rig, 0, why[i]);
	require(!log_error_has(&rig, 0, "plain form"), "it fell back");
	close(listener);
	down();
}
END_TEST

/* ---- changing it ---- */

static void
renew(int member, const char *secrets)
{
	give(member, secrets);
	rig_signal(&rig, member, SIGHUP);
}

/* Member by member, each with its links broken in between, while messages go on. */
START_TEST(changed)
{
	static const char *const steps[] = { SECRET "\n" OTHER "\n", OTHER "\n" };
	struct numbered l;
	make(3, NULL);
	rig_start_all(&rig);
	numbered_init(&l, &rig, 'a', 3, 200000);
	l.every_ms = 5;
	l.patience_ms = 3000;
	numbered_pump(&l);
	for (int step = 0; step < 2; step++) {
		for (int i = 0; i < 3; i++) {
			int before = file_count(rig_path(&rig, i, "log/error.log"), "reloaded");
			renew(i, steps[step]);
			wait_for(file_count(rig_path(&rig, i, "log/error.log"), "reloaded") > before, SOON, "member %d reloads", i);
			rig_kill(&rig, (i + 1) % 3);
			rig_start(&rig, (i + 1) % 3);
			rig_wait_links(&rig);
		}
	}
	numbered_halt(&l);
	numbered_wait_logged(&l, 0);
	numbered_require(&l, 0, "while the secret was changed");
	numbered_fini(&l);
	/* One that has the old one only is out. */
	rig_stop(&rig, 2);
	give(2, SECRET "\n");
	rig_launch(&rig, 2);
	rig_wait_ready(&rig, 2);
	log_wait_error(&rig, 0, "PROOF without the secret");
	down();
}
END_TEST

/* ---- the file ---- */

START_TEST(refused_files)
{
	make(3, NULL);
	char conf[RIG_PATH];
	snprintf(conf, sizeof conf, "%s", rig_path(&rig, 0, "zogd.conf"));
	const char *const check[] = { "-t", "-c", conf, NULL }, *const start[] = { "-c", conf, NULL };
	struct buf out = BUF_INIT, err = BUF_INIT;
	require(rig_run(&rig, check, &out, &err) == 0, "-t: %.*s", (int)err.len, err.data);
	buf_clear(&err);
	require(chmod(rig_path(&rig, 0, "secret"), 0644) == 0, "chmod");
	for (int i = 0; i < 2; i++) {
		require(rig_run(&rig, i == 0 ? check : start, &out, &err) == 78, "it is taken");
		require(memmem(err.data, err.len, "others may read or write it", 27) != NULL, "%.*s", (int)err.len, err.data);
		buf_clear(&err);
	}
	/* A bad one changes nothing in a zogd that runs. */
	give(0, SECRET "\n");
	rig_start_all(&rig);
	renew(0, "short\n");
	log_wait_error(&rig, 0, "a secret has 32 to 256 characters");
	rig_kill(&rig, 1);
	rig_start(&rig, 1);
	rig_wait_links(&rig);
	rig_say(&rig, 0, "still one ring");
	buf_fini(&out);
	buf_fini(&err);
	down();
}
END_TEST

static void
add(Suite *suite)
{
	STORY_TEST(suite, five);
	STORY_TEST(suite, another_secret);
	STORY_TEST(suite, no_secret);
	STORY_TEST(suite, sent_away);
	STORY_TEST(suite, proofs);
	STORY_TEST(suite, dialled);
	STORY_TEST(suite, changed);
	STORY_TEST(suite, refused_files);
}

int
main(void)
{
	return story_main("secret", add);
}
