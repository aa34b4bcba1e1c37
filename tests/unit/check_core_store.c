/* SPDX-License-Identifier: MIT
 * check_core_store.c - one member's core, call by call: what it gives to whom asks for it, what it makes of words that make no
 * sense, what it does while the disk is full or fails, and what it knows of its own streams and of clients. */
#include "core_rig.h"

#include "base/text.h"

/* ---- want ---- */

/* What is answered by gone goes into the events; where its TO is what was asked for, or higher, as "on". */
static void
want(const char *words, bool sense)
{
	struct buf b = BUF_INIT;
	uint64_t asked = 0, to;
	ck_assert_msg(core_want(t.core, t.b, words, &b) == sense, "want %s", words);
	sscanf(words, "%*s %*s %*s %" SCNu64, &asked);
	char *rest = (char *)(uintptr_t)unit_text(&b), *line;
	while ((line = text_line(&rest)) != NULL) {
		char from[80];
		ck_assert_msg(sscanf(line, "gone %*s %*d %*d %" SCNu64, &to) == 1, "want %s gets: %s", words, line);
		snprintf(from, sizeof from, "%.*s", (int)(strrchr(line, ' ') - line), line);
		if (to >= asked)
			buf_printf(&t.events, "%s on\n", from);
		else
			buf_printf(&t.events, "%s\n", line);
	}
	buf_fini(&b);
}

START_TEST(want_of_what_there_is)
{
	frame("d", 5, 1, 3, t.d);
	frame("d", 5, 4, 1, t.d);
	frame("d", 5, 5, 6, t.d);
	expect("log d:1+3\nlog d:4+1\nlog d:5+6\n");
	want("d 5 1 10", true);
	expect("send b d:1+3\nsend b d:4+1\nsend b d:5+6\n");
	/* Whole frames. */
	want("d 5 3 5", true);
	expect("send b d:1+3\nsend b d:4+1\nsend b d:5+6\n");
	want("d 5 4 4", true);
	expect("send b d:4+1\n");
	want("d 5 9 20", true);
	expect("send b d:5+6\ngone d 5 11 on\n");
	want("d 5 11 20", true);
	expect("gone d 5 11 on\n");
	/* And what was passed over is gone. */
	core_peer_up(t.core, t.b);
	given_up_after(6);
	want("d 6 1 4", true);
	expect("send b d:3+1\ngone d 6 1 2\ngone d 6 4 on\n");
}
END_TEST

/* Only so many at a time. */
START_TEST(want_of_too_much)
{
	enum { FRAMES = 9, LINES = 8192 };
	for (int i = 0; i < FRAMES; i++)
		frame("d", 5, (uint64_t)i * LINES + 1, LINES, t.d);
	buf_clear(&t.events);
	want("d 5 1 9223372036854775806", true);
	expect("send b d:1+8192\nsend b d:8193+8192\nsend b d:16385+8192\nsend b d:24577+8192\nsend b d:32769+8192\n"
	    "send b d:40961+8192\nsend b d:49153+8192\nsend b d:57345+8192\n");
}
END_TEST

START_TEST(want_of_nothing)
{
	frame("d", 5, 1, 3, t.d);
	expect("log d:1+3\n");
	/* Never heard of: a stream, a name, or a time. */
	want("d 6 1 10", true);
	want("nobody 5 1 10", true);
	want("d 5 9223372036854775000 9223372036854775001", true);
	expect("gone d 6 1 on\ngone nobody 5 1 on\ngone d 5 9223372036854775000 on\n");
	/* The wrong way round there is nothing in it. */
	want("d 5 3 2", true);
	expect("");
	ck_assert_uint_eq(core_upto(t.core, "d", 6), 0);
}
END_TEST

static const char *const garbage[] = { "", " ", "d", "d 5", "d 0 1 1", "d -5 1 1", "d x 1 1", "1 5 1 1", "-d 5 1 1", "\xc3\xa4 5 1 1",
	"d 5 01x 1", "d 5 1.5 2", "d 5 0 0", "d 9007199254740993 1 1", "d 5 9223372036854775807 9223372036854775807",
	"d 5 18446744073709551617 18446744073709551618", "longer-than-a-name 5 1 1" };

START_TEST(words_that_make_no_sense)
{
	core_peer_up(t.core, t.b);
	tick(0);
	frame("d", 5, 1, 1, t.d);
	tick(200);
	expect("log d:1+1\nto b: have d 5 1\n");
	for (size_t i = 0; i < UNIT_COUNT(garbage); i++) {
		want(garbage[i], false);
		/* An empty have says nothing, and is none the worse. */
		bool blank = garbage[i][strspn(garbage[i], " ")] == '\0';
		ck_assert_msg(core_have(t.core, t.b, garbage[i]) == blank, "have %s", garbage[i]);
		ck_assert_msg(core_gone(t.core, t.b, garbage[i]) == blank, "gone %s", garbage[i]);
	}
	ck_assert(!core_gone(t.core, t.b, "d 5 1"));
	want("d 5 1", false);
	ck_assert(!core_have(t.core, t.b, "d 5 1 d"));
	ck_assert(!core_have(t.core, t.b, "d 5 1 d 5"));
	tick(SOON_MS);
	expect("");
	ck_assert_uint_eq(core_upto(t.core, "d", 5), 1);
}
END_TEST

/* What stands before the nonsense was said all the same. */
START_TEST(have_with_a_bad_end)
{
	core_peer_up(t.core, t.b);
	ck_assert(!core_have(t.core, t.b, "d 5 10 c 7 x"));
	until_it_acts();
	expect("to b: want d 5 1 10\n");
}
END_TEST

/* ---- a disk that is full ---- */

START_TEST(ours_is_held_while_the_disk_is_full)
{
	core_peer_up(t.core, t.b);
	tick(0);
	own(1, 1, 10000);
	tick(200);
	expect("log a:1+1\ndone 1 ok\nto b: have a 1000 1\n");
	ck_assert_int_eq(core_errno(t.core), 0);
	t.full = true;
	put_own(2, 2, 1, 10000);
	put_frame("d", 5, 1, 1, t.d);
	ck_assert_int_eq(store(), EFBIG);
	expect("says cannot write the journal: File too large: nothing is accepted until it can be written\ndone 2 disk full\n");
	ck_assert_int_eq(core_errno(t.core), EFBIG);
	/* Behind it, in the order of numbers, and told at once. */
	put_own(4, 1, 3, 10000);
	expect("done 4 disk full\n");
	tick(500);
	tick(500);
	expect("");
	/* Not had, not offered; but nobody else can be asked for it. */
	ck_assert_uint_eq(core_upto(t.core, "a", EPOCH), 1);
	want("a 1000 1 5", true);
	expect("send b a:1+1\nsend b a:2+2\nsend b a:4+1\ngone a 1000 5 on\n");
	want("a 1000 3 3", true);
	expect("send b a:2+2\n");
	/* Of a peer's nothing is kept, and nothing asked for: it could not be stored. */
	ck_assert_uint_eq(core_upto(t.core, "d", 5), 0);
	have(t.b, "d 5 1");
	tick(0);
	tick(SOON_MS);
	expect("");

	t.full = false;
	tick(500);
	expect("log a:2+2\nlog a:4+1\nsays the journal can be written again\nto b: have a 1000 4\n");
	ck_assert_int_eq(core_errno(t.core), 0);
	until_it_acts();
	expect("to b: want d 5 1 1\n");
	own(5, 1, 10000);
	want("a 1000 2 5", true);
	expect("log a:5+1\nsend b a:2+2\nsend b a:4+1\nsend b a:5+1\n");
}
END_TEST

/* What waits of ours goes first: a peer's frame does not end the refusal before, though it may be smaller, and fit. */
START_TEST(held_goes_before_a_peers)
{
	t.full = true;
	t.room = 500;
	put_own(1, 100, 1, 10000);
	ck_assert_int_eq(store(), EFBIG);
	buf_clear(&t.events);
	for (int i = 0; i < 3; i++) {
		put_frame("d", 5, 1, 1, t.d);
		ck_assert_int_eq(store(), EFBIG);
		tick(500);
	}
	expect("");
	t.full = false;
	put_frame("d", 5, 1, 1, t.d);
	ck_assert_int_eq(store(), EFBIG);
	expect("");
	t.now += 500;
	put_frame("d", 5, 1, 1, t.d);
	ck_assert_int_eq(store(), 0);
	expect("log a:1+100\nsays the journal can be written again\nlog d:1+1\n");
}
END_TEST

/* And is let go with the core, not stored behind its back. */
START_TEST(held_when_it_ends)
{
	own(1, 1, 10000);
	t.full = true;
	put_own(2, 1, 1, 10000);
	ck_assert_int_eq(store(), EFBIG);
	buf_clear(&t.events);
	core_close(&t.core);
	start();
	expect("done 1 ok\nlog a:1+1\n");
	ck_assert_uint_eq(core_upto(t.core, "a", EPOCH), 1);
	ck_assert_uint_eq(core_last_epoch(t.core), EPOCH);
}
END_TEST

/* In the journal, but not surely on the disk: nobody is told that we have it. */
START_TEST(not_synced_is_not_had)
{
	t.options.sync_ms = CORE_SYNC_ALWAYS;
	settings();
	core_peer_up(t.core, t.b);
	tick(200);
	t.sync_fails = true;
	put_own(1, 1, 1, 10000);
	ck_assert_int_eq(store(), EIO);
	ck_assert_ptr_nonnull(strstr(unit_text(&t.events), "done 1 not stored: Input/output error\n"));
	buf_clear(&t.events);
	ck_assert_uint_eq(core_upto(t.core, "a", EPOCH), 0);
	core_peer_up(t.core, t.c);
	tick(400);
	expect("");
	ck_assert(!core_doubtful(t.core));
	t.sync_fails = false;
	tick(100);
	ck_assert_uint_eq(core_upto(t.core, "a", EPOCH), 1);
	ck_assert_int_eq(core_errno(t.core), 0);
	ck_assert_ptr_nonnull(strstr(unit_text(&t.events), "to b: have a 1000 1\n"));
	ck_assert_ptr_nonnull(strstr(unit_text(&t.events), "to c: have a 1000 1\n"));
}
END_TEST

/* ---- our own stream ---- */

START_TEST(a_later_stream_of_ours)
{
	own(1, 3, 10000);
	expect("log a:1+1\n");
	have(t.b, "a 900 7");
	have(t.b, "a 1000 1");
	expect("");
	/* Of what waits of the old one no more is heard. */
	have(t.b, "a 2000 5");
	expect("says a peer knows a later stream of ours, 2000: beginning a new one\nnew epoch 2001\ndone 1 unconfirmed: 2 of 3\n");
	have(t.c, "a 2000 5");
	expect("");
	ck_assert_uint_eq(core_last_epoch(t.core), 2001);
	/* Accepted before, stored after. */
	own(2, 1, 10000);
	own(3, 2, 10000);
	expect("log a:2+1\ndone 2 ok\nlog a:3+1\ndone 3 unconfirmed: 1 of 2\n");
}
END_TEST

START_TEST(close_tells_those_who_wait)
{
	own(1, 2, 10000);
	own(2, 2, 10000);
	have(t.b, "a 1000 1");
	core_close(&t.core);
	expect("log a:1+1\nlog a:2+1\ndone 1 ok\ndone 2 unconfirmed: 1 of 2\n");
	start();
	expect("log a:1+1\nlog a:2+1\n");
}
END_TEST

/* ---- numbered clients ---- */

static void
frame_of(const char *client, uint64_t seq, uint64_t n, const char *text)
{
	struct frame *f = make_frame("d", 5, seq, 1, client, n, text);
	core_frame(t.core, f, t.d);
	frame_drop(&f);
	ck_assert_int_eq(store(), 0);
}

START_TEST(numbers_of_clients)
{
	struct core_counts counts;
	ck_assert_uint_eq(core_client_last(t.core, "k"), 0);
	frame_of("k", 1, 7, "seven");
	frame_of("k", 2, 5, "five");
	expect("log d:1+1\nlog d:2+1\n");
	ck_assert_uint_eq(core_client_last(t.core, "k"), 7);
	ck_assert_uint_eq(core_client_last(t.core, "K"), 0);
	ck_assert(core_client_other(t.core, "k", 7, "Seven", 5));
	ck_assert(!core_client_other(t.core, "k", 7, "seven", 5));
	ck_assert(!core_client_other(t.core, "k", 6, "six", 3));
	ck_assert(!core_client_other(t.core, "K", 7, "Seven", 5));
	frame_of("k", 3, 7, "seven");
	expect("log d:3+1 but 0\n");
	core_counts(t.core, &counts);
	ck_assert_uint_eq(counts.again, 1);
	ck_assert_uint_eq(counts.stored, 3);
	ck_assert_uint_eq(counts.streams, 1);
}
END_TEST

/* ---- the start ---- */

/* What a member has is noted in its own journal as such a frame. Another's is not to be found there at the next start. */
START_TEST(state_of_another_is_not_taken)
{
	struct frame *f = frame_new("have", "d", 100);
	frame_add(f, "c 9 100", 7);
	f->h.epoch = 5;
	f->h.seq = 1;
	strcpy(f->h.client, "-");
	frame_seal(f);
	core_frame(t.core, f, t.d);
	frame_drop(&f);
	frame("d", 6, 1, 1, t.d);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(core_upto(t.core, "d", 5), 0);
		ck_assert_uint_eq(core_upto(t.core, "c", 9), 0);
		ck_assert_uint_eq(core_upto(t.core, "d", 6), 1);
		core_close(&t.core);
		start();
	}
}
END_TEST

START_TEST(doubtful_after_damage)
{
	char path[UNIT_PATH + 64];
	for (uint64_t i = 1; i <= 3; i++)
		frame("d", 5, i, 1, t.d);
	ck_assert(!core_doubtful(t.core));
	core_close(&t.core);
	start();
	ck_assert(!core_doubtful(t.core));
	ck_assert_uint_eq(core_upto(t.core, "d", 5), 3);
	core_close(&t.core);
	unit_file_path(path, t.dir, "journal-0000000000000001");
	struct stat st;
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(truncate(path, st.st_size - 1), 0);
	start();
	ck_assert(core_doubtful(t.core));
	ck_assert_uint_eq(core_upto(t.core, "d", 5), 2);
}
END_TEST

static void
add(Suite *s)
{
	RIG_TEST(s, want_of_what_there_is);
	RIG_TEST(s, want_of_too_much);
	RIG_TEST(s, want_of_nothing);
	RIG_TEST(s, words_that_make_no_sense);
	RIG_TEST(s, have_with_a_bad_end);
	RIG_TEST(s, ours_is_held_while_the_disk_is_full);
	RIG_TEST(s, held_goes_before_a_peers);
	RIG_TEST(s, held_when_it_ends);
	RIG_TEST(s, not_synced_is_not_had);
	RIG_TEST(s, a_later_stream_of_ours);
	RIG_TEST(s, close_tells_those_who_wait);
	RIG_TEST(s, numbers_of_clients);
	RIG_TEST(s, state_of_another_is_not_taken);
	RIG_TEST(s, doubtful_after_damage);
}

int
main(void)
{
	return unit_main("core_store", add);
}
