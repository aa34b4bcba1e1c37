/* SPDX-License-Identifier: MIT
 * 23-disks.c - what may happen to a member's files: lost, put back from a copy, cut, flipped, rotated away, pruned. Nothing
 * settled is lost where another has it, nothing is logged twice, and what is lost is named. Power cuts: 25-power.c. */
#include "harness_numbered.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ring_rig rig;

enum { VICTIM = 2 };

static const char quick[] = "reconnect-max = 0.5\n";

/* A load from now to its end. members: where its clients may go. */
static void
send_some(struct numbered *l, char tag, int each, uint64_t members)
{
	numbered_init(l, &rig, tag, 4, each);
	l->steady = true;
	for (int i = 0, m = 0; i < 4; i++, m++) {
		while ((members >> m % rig.size & 1) == 0)
			m++;
		numbered_place(l, i, m % rig.size, members);
	}
	numbered_run(l);
}

static void
judge_all(struct numbered *l, int n, const char *what)
{
	for (int i = 0; i < n; i++)
		numbered_wait_logged(&l[i], 0);
	rig_stop_all(&rig);
	for (int i = 0; i < n; i++) {
		numbered_require(&l[i], rig_all(&rig), what);
		numbered_fini(&l[i]);
	}
	rig_down(&rig);
}

/* ---- lost ---- */

static void
lose(bool state, bool log, bool killed, const char *what)
{
	struct numbered l[3];
	uint64_t others = 0x1f & ~(UINT64_C(1) << VICTIM);
	rig_up(&rig, 5, quick);
	send_some(&l[0], 'a', slow_count(1000), 0x1f);
	numbered_wait_logged(&l[0], 0);
	if (killed)
		rig_kill(&rig, VICTIM);
	else
		rig_stop(&rig, VICTIM);
	send_some(&l[1], 'b', slow_count(1000), others);
	if (state)
		folder_empty(rig_path(&rig, VICTIM, "state"));
	if (log)
		folder_empty(rig_path(&rig, VICTIM, "log"));
	rig_start(&rig, VICTIM);
	send_some(&l[2], 'c', slow_count(500), 0x1f);
	judge_all(l, 3, what);
}

START_TEST(state_and_log_lost)
{
	lose(true, true, true, "state and log lost");
}
END_TEST

START_TEST(state_lost)
{
	lose(true, false, true, "state lost");
	lose(true, false, false, "state lost after an orderly stop");
}
END_TEST

/* Killed again and again while it catches up, with the access.log of before. */
START_TEST(killed_while_it_catches_up)
{
	struct numbered l[2];
	rig_up(&rig, 5, quick);
	send_some(&l[0], 'a', slow_count(5000), 0x1f);
	numbered_wait_logged(&l[0], 0);
	rig_kill(&rig, VICTIM);
	folder_empty(rig_path(&rig, VICTIM, "state"));
	for (int i = 0; i < 8; i++) {
		rig_start(&rig, VICTIM);
		wait_while_running(15 * i);
		rig_kill(&rig, VICTIM);
	}
	rig_start(&rig, VICTIM);
	send_some(&l[1], 'b', slow_count(500), 0x1f);
	judge_all(l, 2, "killed while it catches up");
}
END_TEST

/* Two of five at once, and all that they ever had; the level was three. */
START_TEST(two_disks_lost)
{
	struct numbered l[2];
	rig_up(&rig, 5, quick);
	send_some(&l[0], 'a', slow_count(1000), 0x1f);
	for (int i = 0; i < 2; i++) {
		rig_kill(&rig, i);
		folder_empty(rig_path(&rig, i, "state"));
		folder_empty(rig_path(&rig, i, "log"));
	}
	rig_start(&rig, 0);
	rig_start(&rig, 1);
	send_some(&l[1], 'b', slow_count(500), 0x1f);
	judge_all(l, 2, "two disks lost");
}
END_TEST

/* ---- put back ---- */

static void
put_back(bool running, const char *what)
{
	struct numbered a, b, c, d;
	const char *copy;
	rig_up(&rig, 5, quick);
	send_some(&a, 'a', slow_count(500), 0x1f);
	numbered_wait_logged(&a, 0);
	copy = rig_path(&rig, VICTIM, "copy");
	/* A load goes on while it is copied. */
	numbered_init(&b, &rig, 'b', 5, slow_count(2000));
	b.every_ms = running ? 1 : 0;
	numbered_pump(&b);
	numbered_wait_settled(&b, 100);
	if (!running)
		rig_stop(&rig, VICTIM);
	folder_copy(rig_path(&rig, VICTIM, "state"), copy);
	if (!running)
		rig_start(&rig, VICTIM);
	numbered_run(&b);
	send_some(&c, 'c', slow_count(1000), 0x1f);
	rig_kill(&rig, VICTIM);
	folder_copy(copy, rig_path(&rig, VICTIM, "state"));
	rig_start(&rig, VICTIM);
	send_some(&d, 'd', slow_count(500), 0x1f);
	struct numbered l[] = { a, b, c, d };
	judge_all(l, 4, what);
}

START_TEST(put_back_from_a_copy)
{
	put_back(false, "put back from a copy");
}
END_TEST

START_TEST(put_back_from_a_copy_made_while_running)
{
	put_back(true, "put back from a copy made while running");
}
END_TEST

/* ---- cut and flipped ---- */

/* Some messages of each member, one after the other; the last one is from's. */
static void
fill_journal(int from)
{
	for (int i = 0; i < 12; i++) {
		char text[16];
		snprintf(text, sizeof text, "m%d", i);
		rig_say(&rig, (from + 1 + i) % 3, text);
	}
}

static char *
segment(char path[RIG_PATH * 2])
{
	snprintf(path, RIG_PATH * 2, "%s", rig_path(&rig, VICTIM, "state/journal-0000000000000001"));
	require(file_exists(path), "%s is not there", path);
	return path;
}

/* A stopped member's files as they were. */
static void
keep_files(void)
{
	rig_stop(&rig, VICTIM);
	folder_copy(rig_path(&rig, VICTIM, "state"), rig_path(&rig, VICTIM, "state.kept"));
	folder_copy(rig_path(&rig, VICTIM, "log"), rig_path(&rig, VICTIM, "log.kept"));
}

static void
restore_files(void)
{
	folder_copy(rig_path(&rig, VICTIM, "state.kept"), rig_path(&rig, VICTIM, "state"));
	folder_copy(rig_path(&rig, VICTIM, "log.kept"), rig_path(&rig, VICTIM, "log"));
}

/* How often the journal files have the text as a line of a frame. */
static int
journal_count(const char *text)
{
	char line[40];
	DIR *d = opendir(rig_path(&rig, VICTIM, "state"));
	int n = 0;
	snprintf(line, sizeof line, "\n%s\r\n", text);
	require(d != NULL, "no state folder");
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char path[RIG_PATH * 2 + 300];
		snprintf(path, sizeof path, "%s/%s", rig_path(&rig, VICTIM, "state"), e->d_name);
		if (strncmp(e->d_name, "journal-", 8) == 0)
			n += file_count(path, line);
	}
	closedir(d);
	return n;
}

static void
require_complete(const char *what, long at)
{
	for (int i = 0; i < 12; i++) {
		char text[16];
		snprintf(text, sizeof text, "m%d", i);
		wait_for(log_count_text(&rig, VICTIM, text) >= 1, SOON, "%s %ld: '%s' is not in access.log", what, at, text);
		require(log_count_text(&rig, VICTIM, text) == 1, "%s %ld: '%s' is there twice", what, at, text);
	}
}

static void
cut_tail(int from, int stride)
{
	char path[RIG_PATH * 2];
	struct stat st;
	size_t len;
	rig_up(&rig, 3, "reconnect-min = 0.05\nreconnect-max = 0.1\ndigest-interval = 0.05\n");
	fill_journal(from);
	keep_files();
	char *bytes = file_read(segment(path), &len), *last = bytes + len;
	while (strncmp(last, "0 data ", 7) != 0)
		last--;
	require(strstr(last, "\nm11\r\n") != NULL, "the last frame is another");
	long cases = 0;
	for (off_t cut = last - bytes; cut < (off_t)len; cut += stride, cases++) {
		restore_files();
		require(truncate(path, cut) == 0, "truncate: %s", strerror(errno));
		int before = journal_count("m11");
		rig_start(&rig, VICTIM);
		/* Back in the journal, and not doubled in access.log. */
		wait_for(journal_count("m11") == before + 1, SOON, "cut at %ld: not pulled", (long)cut);
		require_complete("cut at", (long)cut);
		if (cut > last - bytes)
			log_wait_error(&rig, VICTIM, "journal-0000000000000001: ");
		rig_kill(&rig, VICTIM);
		require(stat(path, &st) == 0, "the segment is gone");
	}
	free(bytes);
	printf("the last frame of %s cut at %ld places: nothing lost, nothing doubled\n", from == VICTIM ? "its own" : "a peer's",
	    cases);
	rig_start(&rig, VICTIM);
	rig_say(&rig, VICTIM, "after all");
	rig_down(&rig);
}

START_TEST(a_peers_last_frame_is_cut_at_every_byte)
{
	cut_tail(1, sanitized() ? 5 : 1);
}
END_TEST

START_TEST(its_own_last_frame_is_cut)
{
	cut_tail(VICTIM, sanitized() ? 23 : 7);
}
END_TEST

/* A frame in the middle, with its body m5. */
static char *
middle_frame(char *bytes, size_t len)
{
	char *body = memmem(bytes, len, "\r\nm5\r\n", 6);
	require(body != NULL, "no m5 in the journal");
	while (strncmp(body, "0 data ", 7) != 0)
		body--;
	return body;
}

static void
flip(off_t at, const char *what, bool again)
{
	char path[RIG_PATH * 2], byte;
	restore_files();
	int fd = open(segment(path), O_RDWR | O_CLOEXEC);
	require(fd >= 0 && pread(fd, &byte, 1, at) == 1, "%s: %s", path, strerror(errno));
	byte ^= 1;
	require(pwrite(fd, &byte, 1, at) == 1, "%s: %s", path, strerror(errno));
	close(fd);
	int before = journal_count("m5");
	rig_start(&rig, VICTIM);
	log_wait_error(&rig, VICTIM, "journal-0000000000000001: ");
	if (again)
		wait_for(journal_count("m5") == before + 1, SOON, "%s flipped: not pulled", what);
	require_complete(what, (long)at);
	rig_kill(&rig, VICTIM);
	/* Nor does the next start find more to do. */
	rig_start(&rig, VICTIM);
	rig_wait_links(&rig);
	require_complete(what, (long)at);
	rig_kill(&rig, VICTIM);
}

START_TEST(a_byte_flipped_in_each_field)
{
	static const char *const field[] = { "wrapping", "KIND", "ORIGIN", "EPOCH", "SEQ", "COUNT", "BYTES", "TIME", "CLIENT",
		"N", "CRC" };
	enum { FIELDS = sizeof field / sizeof *field };
	char path[RIG_PATH * 2];
	size_t len;
	rig_up(&rig, 3, "reconnect-min = 0.05\nreconnect-max = 0.1\ndigest-interval = 0.05\n");
	fill_journal(1);
	keep_files();
	char *bytes = file_read(segment(path), &len), *frame = middle_frame(bytes, len), *at = frame;
	char *body = (char *)memchr(frame, '\n', len - (size_t)(frame - bytes)) + 1;
	for (int i = 0; i < FIELDS; i++) {
		/* The wrapping byte says nothing on a disk: 0, 1 and 2 are taken alike. */
		flip(at - bytes, field[i], i != 0);
		char *blank = memchr(at, ' ', (size_t)(body - at));
		flip((blank != NULL ? blank : body - 2) - bytes, "what is behind it", true);
		at = blank != NULL ? blank + 1 : body;
	}
	require(at == body, "the header has more fields");
	flip(body - 1 - bytes, "the header's LF", true);
	flip(body - bytes, "the body", true);
	flip(body + 2 - bytes, "the body's CR", true);
	flip(body + 3 - bytes, "the body's LF", true);
	free(bytes);
	printf("a byte flipped in %d places of a frame in the middle: nothing lost, nothing doubled\n", 2 * FIELDS + 4);
	rig_start(&rig, VICTIM);
	rig_say(&rig, VICTIM, "after all");
	rig_down(&rig);
}
END_TEST

/* ---- access.log ---- */

enum what_of_it { DELETED, ROTATED, TRUNCATED };

static void
without_log(enum what_of_it what, bool killed, const char *name)
{
	struct numbered l[3];
	uint64_t others = 0x7 & ~(UINT64_C(1) << VICTIM), only = UINT64_C(1) << VICTIM;
	const char *log;
	rig_up(&rig, 3, quick);
	log = rig_path(&rig, VICTIM, "log/access.log");
	send_some(&l[0], 'a', slow_count(1000), 0x7);
	numbered_wait_logged(&l[0], 0);
	if (killed)
		rig_kill(&rig, VICTIM);
	else
		rig_stop(&rig, VICTIM);
	if (what == DELETED)
		require(unlink(log) == 0, "unlink: %s", strerror(errno));
	else if (what == TRUNCATED)
		require(truncate(log, 0) == 0, "truncate: %s", strerror(errno));
	else
		require(rename(log, rig_path(&rig, VICTIM, "log/access.log.1")) == 0, "rename: %s", strerror(errno));
	send_some(&l[1], 'b', slow_count(1000), others);
	rig_start(&rig, VICTIM);
	send_some(&l[2], 'c', slow_count(1000), 0x7);
	bool rotated = what == ROTATED;
	numbered_wait_logged_(&l[1], 0, rotated);
	numbered_wait_logged_(&l[2], 0, rotated);
	rig_stop_all(&rig);
	/* What was taken away with the file may be logged again, once, or not. */
	struct numbered_verdict v = numbered_judge(&l[0], only, rotated, name);
	require(v.doubled == 0 && v.invented == 0, "%s: doubled", name);
	require(!rotated || v.lost == 0, "%s: lost", name);
	numbered_require(&l[0], others, "the others");
	numbered_require_(&l[1], only, rotated, name);
	numbered_require_(&l[2], only, rotated, name);
	for (int i = 0; i < 3; i++)
		numbered_fini(&l[i]);
	rig_down(&rig);
}

START_TEST(access_log_deleted)
{
	without_log(DELETED, false, "access.log deleted");
	without_log(DELETED, true, "access.log deleted, killed");
}
END_TEST

START_TEST(access_log_rotated)
{
	without_log(ROTATED, false, "access.log rotated");
	without_log(ROTATED, true, "access.log rotated, killed");
}
END_TEST

START_TEST(access_log_truncated)
{
	without_log(TRUNCATED, false, "access.log truncated");
	without_log(TRUNCATED, true, "access.log truncated, killed");
}
END_TEST

/* ---- pruned ---- */

/* The sum of all "lost NAME:A-B" in a member's error.log. */
static long
lost_lines(int member)
{
	size_t len;
	char *text = file_read(rig_path(&rig, member, "log/error.log"), &len);
	long sum = 0;
	for (char *at = text; (at = strstr(at, " zogd lost ")) != NULL; at++) {
		long from, to;
		require(sscanf(at, " zogd lost %*[A-Za-z0-9_-]:%ld-%ld", &from, &to) == 2, "error.log: %.80s", at);
		sum += to - from + 1;
	}
	free(text);
	return sum;
}

START_TEST(away_for_longer_than_the_journals_reach)
{
	struct numbered l[3];
	uint64_t others = 0x7 & ~(UINT64_C(1) << VICTIM), only = UINT64_C(1) << VICTIM;
	rig_up(&rig, 3, "reconnect-max = 0.5\njournal-limit = 1M\njournal-segment = 128K\ngap-timeout = 1\n");
	send_some(&l[0], 'a', 300, 0x7);
	numbered_wait_logged(&l[0], 0);
	rig_stop(&rig, VICTIM);
	numbered_init(&l[1], &rig, 'b', 4, 3000);
	l[1].least = l[1].most = 500;
	l[1].window = 50;
	for (int i = 0; i < 4; i++)
		numbered_place(&l[1], i, i % 2, others);
	numbered_run(&l[1]);
	numbered_wait_logged(&l[1], 0);
	rig_start(&rig, VICTIM);
	rig_wait_links(&rig);
	send_some(&l[2], 'c', 300, 0x7);
	numbered_wait_logged(&l[2], 0);
	/* What is missing is named, to the last line. */
	wait_for(numbered_judge(&l[1], only, false, NULL).lost == lost_lines(VICTIM), SOON,
	    "%ld lines are missing, %ld are said to be lost", numbered_judge(&l[1], only, false, NULL).lost,
	    lost_lines(VICTIM));
	log_wait_error(&rig, VICTIM, " zogd lost mv:");
	log_wait_error(&rig, VICTIM, " zogd lost pa:");
	rig_stop_all(&rig);
	for (int i = 0; i < 3; i++)
		numbered_require(&l[i], i == 1 ? others : 0x7, "the others");
	struct numbered_verdict v = numbered_judge(&l[1], only, false, "the one that was away");
	require(v.doubled == 0 && v.invented == 0 && v.disordered == 0, "doubled, invented or disordered");
	require(v.lost > 0 && v.logged > 500, "pruned: %ld lost, %ld logged", v.lost, v.logged);
	require(v.lost == lost_lines(VICTIM), "%ld lost, %ld said", v.lost, lost_lines(VICTIM));
	for (int i = 0; i < 2; i++)
		require(lost_lines(i) == 0, "%s lost something", rig.m[i].name);
	for (int i = 0; i < 3; i++)
		numbered_fini(&l[i]);
	rig_down(&rig);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, state_and_log_lost);
	STORY_TEST(s, state_lost);
	STORY_TEST(s, killed_while_it_catches_up);
	STORY_TEST(s, two_disks_lost);
	STORY_TEST(s, put_back_from_a_copy);
	STORY_TEST(s, put_back_from_a_copy_made_while_running);
	STORY_TEST(s, a_peers_last_frame_is_cut_at_every_byte);
	STORY_TEST(s, its_own_last_frame_is_cut);
	STORY_TEST(s, a_byte_flipped_in_each_field);
	STORY_TEST(s, access_log_deleted);
	STORY_TEST(s, access_log_rotated);
	STORY_TEST(s, access_log_truncated);
	STORY_TEST(s, away_for_longer_than_the_journals_reach);
}

int
main(void)
{
	return story_main("23-disks", add);
}
