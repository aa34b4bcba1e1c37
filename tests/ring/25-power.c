/* SPDX-License-Identifier: MIT
 * 25-power.c - the power goes, of one member and of all of them at one moment, and what was not on a disk by then is not there.
 * Of the settled no more is missing than the table of losses allows (doc/protocol, section 6), and nothing is logged twice.
 *
 * The disks are ext4s in files, mounted where only the test sees them, and the power is cut by EXT4_IOC_SHUTDOWN. Who is not
 * root, or has no loop device, has these tests skipped. */
#include "harness_numbered.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

static struct ring_rig rig;
static uint64_t disks;          /* members whose folders are on a disk of their own */

/* ---- disks ---- */

static bool
mount_disk(int member)
{
	return run_tool("mount", "-o", "loop", rig_path(&rig, member, "image"), rig_path(&rig, member, "disk"), NULL) == 0;
}

/* A small ext4 with the member's folders on it. false: not here. */
static bool
make_disk(int member)
{
	static const char *const folders[] = { "state", "log" };
	const char *image = rig_path(&rig, member, "image");
	file_write(image, "");
	if (truncate(image, 32 << 20) != 0 || mkdir(rig_path(&rig, member, "disk"), 0755) != 0 ||
	    run_tool("mkfs.ext4", "-q", "-F", "-O", "^metadata_csum", image, NULL) != 0 || !mount_disk(member))
		return false;
	disks |= UINT64_C(1) << member;
	for (int i = 0; i < 2; i++) {
		char to[32];
		const char *folder = rig_path(&rig, member, folders[i]);
		snprintf(to, sizeof to, "disk/%s", folders[i]);
		require(mkdir(rig_path(&rig, member, to), 0755) == 0 && rmdir(folder) == 0 && symlink(to, folder) == 0, "%s: %s",
		    to, strerror(errno));
	}
	return true;
}

static void
unmount_disks(void)
{
	for (int i = 0; i < rig.size; i++)
		if ((disks >> i & 1) != 0)
			require(umount(rig_path(&rig, i, "disk")) == 0, "umount: %s", strerror(errno));
	disks = 0;
}

/* A rig whose first members have disks of their own. false: not here, and the test was told skipped. */
static bool
make_with_disks(int members, int with_disk, const char *conf)
{
	rig_make(&rig, members, conf);
	disks = 0;
	bool root = geteuid() == 0;
	bool good = root && unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	for (int i = 0; good && i < with_disk; i++)
		good = make_disk(i);
	if (good) {
		sync();
		return true;
	}
	story_skip(root ? "no ext4 in a file can be mounted (mkfs.ext4, a free loop device)" : "only root can mount disks");
	unmount_disks();
	rig_done(&rig);
	return false;
}

/* The power of all that have disks goes, at one moment: what was not written to them by then is not there. log: a file
 * system's own log may still be. Returns when it was. */
static int64_t
cut_power(bool log)
{
	uint32_t flag = log ? 1 : 2;
	int fd[RIG_MAX];
	for (int i = 0; i < rig.size; i++) {
		fd[i] = -1;
		if ((disks >> i & 1) != 0)
			fd[i] = open(rig_path(&rig, i, "disk"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		require(fd[i] >= 0 || (disks >> i & 1) == 0, "open: %s", strerror(errno));
	}
	int64_t when = clock_mono_ms();
	for (int i = 0; i < rig.size; i++)      /* EXT4_IOC_SHUTDOWN */
		require(fd[i] < 0 || ioctl(fd[i], 0x8004587d, &flag) == 0, "shutdown: %s", strerror(errno));
	for (int i = 0; i < rig.size; i++) {
		if (fd[i] < 0)
			continue;
		close(fd[i]);
		rig_kill(&rig, i);
		require(umount(rig_path(&rig, i, "disk")) == 0, "umount: %s", strerror(errno));
		require(mount_disk(i), "the disk cannot be mounted again");
	}
	return when;
}

/* error.log is never synced: a power cut may leave NULs at the end of what it had. */
static void
end_with_disks(void)
{
	rig_stop_all(&rig);
	for (int i = 0; i < rig.size; i++)
		log_check_access(&rig, i);
	unmount_disks();
	rig_done(&rig);
}

/* ---- one of three ---- */

/* Level 1, and nobody else has it: the disk does, before the client hears of it. */
START_TEST(power_cut_with_sync_always)
{
	enum { ROUNDS = 4 };
	struct numbered l[ROUNDS];
	if (!make_with_disks(3, 1, "reconnect-max = 0.5\nsync = always\n"))
		return;
	for (int i = 0; i < ROUNDS; i++) {
		rig_start(&rig, 0);
		numbered_init(&l[i], &rig, (char)('a' + i), 4, 20000);
		l[i].ack = "1";
		for (int k = 0; k < 4; k++)
			numbered_place(&l[i], k, 0, 1);
		numbered_wait_settled(&l[i], slow_count(400) + 37 * i);
		cut_power(i % 2 == 0);
		/* What it answered before the end has come, or has not. */
		numbered_hang_up(&l[i]);
	}
	rig_start(&rig, 0);
	for (int i = 0; i < ROUNDS; i++) {
		wait_for(numbered_judge(&l[i], 1, false, NULL).lost == 0, SOON, "round %d: %ld settled ones are not in its log",
		    i, numbered_judge(&l[i], 1, false, NULL).lost);
		numbered_require(&l[i], 1, "sync always, on itself");
	}
	rig_start(&rig, 1);
	rig_start(&rig, 2);
	rig_wait_links(&rig);
	for (int i = 0; i < ROUNDS; i++)
		wait_for(numbered_judge(&l[i], 0x7, false, NULL).split == 0, SOON, "not the same in all logs");
	rig_stop_all(&rig);
	for (int i = 0; i < ROUNDS; i++) {
		numbered_require(&l[i], 0x7, "sync always");
		numbered_fini(&l[i]);
	}
	end_with_disks();
}
END_TEST

/* Level 2, and the disk is behind by up to a second: the other one has it. */
START_TEST(power_cut_of_fewer_than_the_level)
{
	struct numbered l;
	if (!make_with_disks(3, 1, "reconnect-max = 0.5\nsync = 1\n"))
		return;
	rig_start_all(&rig);
	numbered_init(&l, &rig, 'a', 6, 200000);
	l.ack = "2";
	l.every_ms = 1;
	l.forgetful = 1;
	for (int k = 0; k < 6; k++)
		numbered_place(&l, k, 0, 0);
	numbered_pump(&l);
	for (int i = 0; i < 4; i++) {
		numbered_wait_settled(&l, 500);
		wait_while_running(130 * i);
		cut_power(i % 2 == 0);
		numbered_wait_settled(&l, 200);
		rig_start(&rig, 0);
		/* Some come back to it. */
		for (int k = 0; k < 3; k++)
			conn_close(&l.client[k].c), l.client[k].member = 0;
		numbered_wait_settled(&l, 200);
	}
	numbered_halt(&l);
	numbered_wait_logged(&l, 0);
	rig_stop_all(&rig);
	numbered_require(&l, 0x7, "sync 1, ack 2");
	numbered_fini(&l);
	end_with_disks();
}
END_TEST

/* ---- all of five, with sync = S ---- */

/* Why S is the bound, and what is added to it. A member sees to it that no more than S passes from storing something to the end
 * of a sync that brings it to the disk. More can only pass where a sync takes longer than it is given, or the machine lets the
 * member wait: then it stores nothing meanwhile, and its clients wait as long, who send all the time and to every member. So
 * what is added is the longest wait of any client up to the cut, and the longest time in which none can have sent.
 * It is one machine and one monotonic clock. A client has its ok after the message was stored, so that by its clock what is
 * lost is younger than it really was, by less than one of those waits; and the time of the cut is taken right before it. */
struct power_cut {
	const char *sync;               /* what the members are told */
	int64_t     sync_ms;            /* and what it means */
	int64_t     when_ms, slack_ms;  /* of the cut; what is added */
	long        lost;               /* of all rounds, each member by itself and all together */
};

/* How long before the cut the first of the lost was settled; 0: none is. */
static int64_t
age_ms(const struct power_cut *p, const struct numbered_verdict *v)
{
	return v->lost != 0 ? p->when_ms - v->lost_since_ms : 0;
}

static void
require_young(const struct power_cut *p, const struct numbered_verdict *v, const char *who)
{
	require(age_ms(p, v) <= p->sync_ms + p->slack_ms, "%s lost what was settled %" PRId64 " ms before the cut, with sync = %s;"
	    " no sync took longer than %" PRId64 " ms", who, age_ms(p, v), p->sync, p->slack_ms);
	require(v->doubled == 0 && v->invented == 0 && v->disordered == 0, "%s: %ld doubled, %ld invented, %ld out of order", who,
	    v->doubled, v->invented, v->disordered);
}

/* Each member by itself, before it can ask another: at level all every one of them had what was settled. */
static void
judge_each(struct power_cut *p, struct numbered *l)
{
	for (int i = 0; i < rig.size; i++) {
		rig_start(&rig, i);
		rig_stop(&rig, i);
		struct numbered_verdict v = numbered_judge(l, UINT64_C(1) << i, false, NULL);
		printf("sync = %s, %s by itself: settled %ld logged %ld doubled %ld lost %ld, the first of them from %" PRId64 " ms"
		    " before the cut\n", p->sync, rig.m[i].name, l->settled, v.logged, v.doubled, v.lost, age_ms(p, &v));
		require_young(p, &v, rig.m[i].name);
		p->lost += v.lost;
	}
}

/* Under load, all at once, so long after the first message was settled. */
static void
cut_all(struct power_cut *p, char tag, const char *ack, int64_t after_ms)
{
	char what[64];
	struct numbered l;
	rig_start_all(&rig);
	numbered_init(&l, &rig, tag, 2 * rig.size, 20000);
	l.ack = ack;
	l.every_ms = 4;
	l.steady = true;
	for (int i = 0; i < l.clients; i++)
		numbered_place(&l, i, i % rig.size, UINT64_C(1) << i % rig.size);
	numbered_wait_settled(&l, 1);
	wait_while_running(after_ms);
	p->when_ms = cut_power(false);
	p->slack_ms = numbered_longest_wait_ms(&l, p->when_ms) + l.longest_turn_ms + l.every_ms;
	numbered_hang_up(&l);
	if (strcmp(ack, "all") == 0)
		judge_each(p, &l);
	rig_start_all(&rig);
	wait_for(numbered_judge(&l, 0, false, NULL).split == 0, SOON, "not the same in all logs");
	rig_stop_all(&rig);
	snprintf(what, sizeof what, "sync = %s, ack %s, all cut", p->sync, ack);
	struct numbered_verdict v = numbered_judge(&l, rig_all(&rig), false, what);
	printf("%s: the first of the lost was settled %" PRId64 " ms before the cut; no sync took longer than %" PRId64 " ms\n",
	    what, age_ms(p, &v), p->slack_ms);
	require_young(p, &v, "the ring");
	require(v.split == 0, "%ld messages are in some logs only", v.split);
	p->lost += v.lost;
	numbered_fini(&l);
}

static void
power_cut_of_all(const char *sync, int64_t sync_ms)
{
	static const char *const ack[] = { "all", "2", "all", "1" };
	struct power_cut p = { .sync = sync, .sync_ms = sync_ms };
	char conf[100];
	snprintf(conf, sizeof conf, "reconnect-max = 0.5\ngap-timeout = 3\nack-timeout = 2\nsync = %s\n", sync);
	if (!make_with_disks(5, 5, conf))
		return;
	/* The first message is synced at once. The first cut comes soon after the next sync must have been, and would show one
	 * that comes late. */
	for (int i = 0; i < 4; i++)
		cut_all(&p, (char)('a' + i), ack[i], sync_ms * (24 + 9 * i) / 20);
	/* Else the disks were no disks, and the cut none. */
	require(p.lost != 0, "no member has lost anything");
	end_with_disks();
}

START_TEST(power_cut_of_all_with_sync_1)
{
	power_cut_of_all("1", 1000);
}
END_TEST

START_TEST(power_cut_of_all_with_a_shorter_sync)
{
	power_cut_of_all("0.25", 250);
}
END_TEST

static void
add(Suite *s)
{
	STORY_TEST(s, power_cut_with_sync_always);
	STORY_TEST(s, power_cut_of_fewer_than_the_level);
	STORY_TEST(s, power_cut_of_all_with_sync_1);
	STORY_TEST(s, power_cut_of_all_with_a_shorter_sync);
}

int
main(void)
{
	return story_main("25-power", add);
}
