/* SPDX-License-Identifier: MIT
 * check_members.c - streams, journal, repair, numbered clients and settlement of five members under random faults: kills, also
 * between forwarding and storing, cut links, queues let go, full disks, and of a few disks a power cut, a loss, an old copy,
 * a flipped byte. In the end all is healed; then what was settled is on every member, once (doc/protocol, section 6).
 *
 * ZOG_SEED=N is the first seed, ZOG_SEEDS=N how many, ZOG_TRACE=1 tells what happens. */
#include "members_faults.h"

enum { STEPS = 400, SEEDS = 4000, SECONDS = 40 };

/* ---- a run ---- */

static void
set_up(uint64_t seed)
{
	static const int64_t clocks[] = { 0, 0, 0, -100000, 100000 };
	uint64_t random = seed;
	w.seed = seed;
	w.random = unit_random(&random);
	w.now = 1000 * 1000 * 1000;
	w.texts = w.faults = 0;
	memset(w.next_n, 0, sizeof w.next_n);
	w.gap_ms = chance(30) ? 500 : chance(50) ? 3000 : 6000;
	w.prune = chance(20);
	w.segment_bytes = w.prune || chance(50) ? 2000 : 1 << 20;
	w.sync_ms = chance(40) ? CORE_SYNC_NONE : chance(50) ? CORE_SYNC_ALWAYS : 1000;
	w.ring.size = N;
	for (int i = 0; i < N; i++) {
		struct node *m = &w.member[i];
		snprintf(m->name, sizeof m->name, "m%d", i);
		strcpy(w.ring.member[i].name, m->name);
		m->place = i;
		m->clock_off = clocks[below(5)];
		m->same = m->more = m->has_copy = false;
		m->lost = 0;
		m->lost_lines[0] = '\0';
		m->log_upto = (struct journal_pos){ 0, 0 };
		memset(m->log, 0, sizeof m->log);
		m->order.count = 0;
		each_file(m->dir, remove_file, NULL);
	}
	for (int i = 0; i < N; i++)
		member_start(&w.member[i]);
}

static void
open_all(void)
{
	for (int a = 0; a < N; a++)
		for (int b = 0; b < N; b++)
			if (a != b)
				conn_open(a, b);
}

static void
clear_up(void)
{
	for (int i = 0; i < N; i++) {
		struct node *m = &w.member[i];
		if (m->core != NULL)
			member_kill(m);
		free(m->order.stream);
		m->order = (struct place){ NULL, 0 };
		for (int k = 0; k < N; k++) {
			struct conn *c = &w.conn[i][k];
			queue_clear(&c->forth);
			queue_clear(&c->back);
			free(c->forth.wire);
			free(c->back.wire);
			*c = (struct conn){ .open = false };
		}
	}
}

/* ---- random steps ---- */

static struct node *
any_up(void)
{
	struct node *m = &w.member[below(N)];
	return m->core != NULL ? m : NULL;
}

static void
step_links(void)
{
	int a = (int)below(N), b = (int)below(N);
	if (a == b)
		return;
	switch (below(8)) {
	case 0:
		w.conn[a][b].cut = true;
		conn_close(a, b);
		break;
	case 1:
		w.conn[a][b].cut = w.conn[b][a].cut = true;
		conn_close(a, b);
		conn_close(b, a);
		break;
	case 2:
		conn_close(a, b);
		break;
	case 3:
		for (int i = 0; i < N * N; i++)
			w.conn[i / N][i % N].cut = false;
		open_all();
		break;
	default:
		conn_open(a, b);
		break;
	}
}

static void
step_disks(int faults)
{
	struct node *m = &w.member[below(N)];
	if (m->core == NULL) {
		if (w.faults < faults && chance(25))
			random_fault(m);
		member_start(m);
		for (int i = 0; i < N && chance(90); i++) {
			conn_open(m->place, i);
			conn_open(i, m->place);
		}
	} else if (chance(50)) {
		member_kill(m);
	} else if (chance(30)) {
		m->disk = m->disk != DISK_GOOD ? DISK_GOOD : chance(50) ? DISK_FULL : DISK_NO_SYNC;
	} else if (chance(50)) {
		copy_dir(m->dir, m->copy);
		m->has_copy = true;
	}
}

static void
step(int pace, int faults)
{
	unsigned r = below(100);
	struct node *m = any_up();
	w.now += below((unsigned)pace);
	if (r < 25) {
		bool killed = chance(3);
		if (m != NULL && chance(40))
			send_again(m, killed);
		else if (m != NULL)
			send_new(m, killed);
	} else if (r < 65) {
		int a = (int)below(N), b = (int)below(N);
		for (unsigned n = 1 + below(8); n > 0 && deliver(a, b); n--)
			continue;
	} else if (r < 88) {
		if (m != NULL)
			member_round(m);
	} else if (r < 94) {
		step_disks(faults);
	} else {
		step_links();
	}
}

/* ---- the end ---- */

static void
deliver_all(void)
{
	bool more = true;
	for (int i = 0; more; i++) {
		more = false;
		require(i < 100000, "the members do not come to rest");
		for (int a = 0; a < N; a++)
			for (int b = 0; b < N; b++)
				more |= deliver(a, b);
	}
}

/* One member's text that another lacks, as place * TEXTS + text; -1: there is none. */
static int
difference(void)
{
	for (int i = 1; i < N; i++)
		for (int t = 0; t < w.texts; t++)
			if (w.member[i].log[t] != w.member[0].log[t])
				return (w.member[i].log[t] ? 0 : i) * TEXTS + t;
	return -1;
}

static bool
anything_ahead(void)
{
	for (int i = 0; i < N; i++) {
		const struct streams *all = &w.member[i].core->streams;
		for (size_t k = 0; k < all->buckets; k++)
			for (const struct stream *s = all->bucket[k]; s != NULL; s = s->next)
				if (s->ahead_count != 0)
					return true;
	}
	return false;
}

static void
heal(void)
{
	for (int i = 0; i < N * N; i++)
		w.conn[i / N][i % N].cut = false;
	for (int i = 0; i < N; i++) {
		w.member[i].disk = DISK_GOOD;
		if (w.member[i].core == NULL)
			member_start(&w.member[i]);
	}
	trace("all is healed");
	/* At most what asking again for what was passed over takes. */
	int rest = 0;
	for (int round = 0; rest < 40; round++) {
		w.now += 100;
		open_all();
		deliver_all();
		for (int i = 0; i < N; i++)
			member_round(&w.member[i]);
		rest = w.prune || (difference() < 0 && !anything_ahead()) ? rest + 1 : 0;
		int d = round > 2000 ? difference() : -1;
		require(round <= 2000, "no end: %d lacks text %d", d / TEXTS, d % TEXTS);
	}
}

/* By the table of losses: a disk's fault may take what was settled by fewer members than have lost something since. */
static void
check_settled(uint64_t *settled, uint64_t *logged)
{
	for (int t = 0; t < w.texts; t++) {
		const struct text *x = &w.text[t];
		*settled += x->settled;
		*logged += w.member[0].log[t];
		if (!x->settled || w.member[0].log[t] != 0 || w.faults >= x->safe || w.prune)
			continue;
		w.missing++;
		require(false, "text %d is lost: it was settled so that %d faults could not take it, and there were %d", t,
		    x->safe - 1, w.faults);
	}
}

static void
run(uint64_t seed, uint64_t *settled, uint64_t *logged)
{
	set_up(seed);
	open_all();
	int pace = chance(50) ? 20 : chance(50) ? 100 : 500, faults = w.prune ? 0 : (int)below(3);
	for (int i = 0; i < STEPS; i++)
		step(pace, faults);
	heal();
	check_settled(settled, logged);
	/* And what the journals hold says the same. */
	for (int i = 0; i < N; i++)
		member_kill(&w.member[i]);
	for (int i = 0; i < N; i++)
		member_start(&w.member[i]);
	clear_up();
}

/* ---- away for longer than the journals reach back ---- */

static void
pass_time(int64_t ms)
{
	for (int64_t until = w.now + ms; w.now < until; w.now += 100) {
		open_all();
		deliver_all();
		for (int i = 0; i < N; i++)
			if (w.member[i].core != NULL)
				member_round(&w.member[i]);
	}
}

static void
send_some(struct node *m, int count)
{
	for (int i = 0; i < count; i++) {
		require(w.texts < TEXTS, "too many texts");
		w.text[w.texts] = (struct text){ .client = 0, .n = ++w.next_n[0], .level = 1 };
		submit(m, &w.texts, 1, 1000, false);
		w.texts++;
		if (i % 5 == 0)
			pass_time(100);
	}
	pass_time(1000);
}

/* Many lines of a kind that is not logged, in frames of their own: more of them than one want asks for. */
static void
send_bulk(struct node *m, int frames, int lines)
{
	for (int i = 0; i < frames; i++) {
		struct frame *f = frame_new("bulk", m->name, (size_t)lines * 3);
		for (int k = 0; k < lines; k++)
			frame_add(f, "x", 1);
		f->h.epoch = m->epoch;
		f->h.seq = m->seq + 1;
		m->seq += (uint64_t)lines;
		frame_seal(f);
		forward_own(m, f);
		core_frame(m->core, f, -1);
		frame_drop(&f);
		pass_time(100);
	}
}

static uint64_t
missing_on(const struct node *m)
{
	uint64_t n = 0;
	for (int t = 0; t < w.texts; t++)
		n += w.member[0].log[t] != 0 && m->log[t] == 0;
	return n;
}

static void
restart(struct node *m)
{
	member_kill(m);
	pass_time(1000);
	member_start(m);
	pass_time(1000);
}

/* Streams of which nothing at all is kept are named, too, exactly, at once, and never again. */
START_TEST(away_for_too_long)
{
	enum { BULK = 40, LINES = 1000 };
	struct node *a = &w.member[0], *b = &w.member[1], *away = &w.member[N - 1];
	getrlimit(RLIMIT_FSIZE, &w.disk);
	journal_set_sync(sync_hook);
	set_up((uint64_t)_i);
	w.prune = true;
	w.gap_ms = 6000;
	w.segment_bytes = 4000;
	for (int i = 0; i < N; i++) {
		member_kill(&w.member[i]);
		w.member[i].clock_off = 0;
		member_start(&w.member[i]);
	}
	send_some(a, 20);
	member_kill(away);
	uint64_t old = a->epoch, bulk = b->epoch;
	send_some(a, 40);
	send_bulk(b, BULK, LINES);
	restart(a);
	restart(b);
	send_some(a, 600);
	for (int i = 0; i < N - 1; i++) {
		const struct stream *s = streams_find(&w.member[i].core->streams, "m0", old);
		const struct stream *x = streams_find(&w.member[i].core->streams, "m1", bulk);
		require(s != NULL && s->upto == 60 && s->kept == 0, "%d keeps some of the old stream", i);
		require(x != NULL && x->upto == BULK * LINES && x->kept == 0, "%d keeps some of the great stream", i);
	}
	member_start(away);
	pass_time(w.gap_ms + 4000);
	uint64_t missing = missing_on(away);
	require(missing > 40 && away->lost == missing + BULK * LINES, "%" PRIu64 " are missing, said is:\n%.300s", missing, away->lost_lines);
	require(strstr(away->lost_lines, "lost m0:21-60\n") != NULL, "said is:\n%.300s", away->lost_lines);
	require(strstr(away->lost_lines, "lost m1:1-40000\n") != NULL, "said is:\n%.300s", away->lost_lines);
	for (int i = 0; i < N; i++)
		restart(&w.member[i]);
	send_some(away, 5);
	pass_time(100000);
	require(w.lost_said == 3 && missing_on(away) == missing, "%" PRIu64 " runs were given up:\n%.300s", w.lost_said, away->lost_lines);
	printf("members: %d logged, %" PRIu64 " of them not by who was away, and named; %" PRIu64 " doubled\n", w.texts, missing, w.doubled);
	clear_up();
}
END_TEST

/* ---- random faults ---- */

static uint64_t
number_from(const char *name, uint64_t preset)
{
	const char *text = getenv(name);
	return text != NULL ? strtoull(text, NULL, 10) : preset;
}

/* In the parent of the test's process: it goes whatever happens. */
static void
make_folder(void)
{
	if (access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	unit_folder(w.dir);
	for (int i = 0; i < N; i++) {
		snprintf(w.member[i].dir, sizeof w.member[i].dir, "%.400s/%d", w.dir, i);
		snprintf(w.member[i].copy, sizeof w.member[i].copy, "%.400s/copy%d", w.dir, i);
		mkdir(w.member[i].dir, 0700);
		mkdir(w.member[i].copy, 0700);
	}
}

static void
remove_folder(void)
{
	for (int i = 0; i < N; i++) {
		unit_folder_remove(w.member[i].dir);
		unit_folder_remove(w.member[i].copy);
	}
	unit_folder_remove(w.dir);
}

START_TEST(random_faults)
{
	uint64_t settled = 0, logged = 0, runs = 0;
	uint64_t first = number_from("ZOG_SEED", (uint64_t)clock_real_ms() * 1000 % 1000000007);
	uint64_t most = number_from("ZOG_SEEDS", (uint64_t)unit_amount(SEEDS));
	int64_t until = getenv("ZOG_SEEDS") != NULL ? INT64_MAX : clock_mono_ms() + SECONDS * 1000;
	w.trace = number_from("ZOG_TRACE", 0) != 0;
	getrlimit(RLIMIT_FSIZE, &w.disk);
	journal_set_sync(sync_hook);
	signal(SIGXFSZ, SIG_IGN);
	for (; runs < most && clock_mono_ms() < until; runs++)
		run(first + runs, &settled, &logged);
	printf("members: seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " runs, %" PRIu64 " settled, %" PRIu64 " logged, %" PRIu64
	    " doubled, %" PRIu64 " lost (%" PRIu64 " runs of numbers were given up, %" PRIu64 " came late)\n", first, first + runs - 1, runs,
	    settled, logged, w.doubled, w.missing, w.lost_said, w.late_said);
}
END_TEST

static void
add(Suite *s)
{
	TCase *c = unit_case(s, "random_faults");
	tcase_add_unchecked_fixture(c, make_folder, remove_folder);
	tcase_add_test(c, random_faults);
	c = unit_case(s, "away_for_too_long");
	tcase_add_unchecked_fixture(c, make_folder, remove_folder);
	tcase_add_loop_test(c, away_for_too_long, 1, 4);
}

int
main(void)
{
	return unit_main("members", add);
}
