/* SPDX-License-Identifier: MIT
 * members_faults.h - what clients do with the members of members_rig.h, and what is done to their disks. */
#ifndef ZOG_TESTS_MEMBERS_FAULTS_H
#define ZOG_TESTS_MEMBERS_FAULTS_H

#include "members_rig.h"

/* ---- clients ---- */

static inline void
forward_own(struct node *m, struct frame *f)
{
	struct hop hops[RING_MAX], beyond[RING_MAX];
	int n = route_from_client(ROUTE_V022, N, m->place, hops);
	for (int i = 0; i < n; i++) {
		if (put_frame(m->place, hops[i].to, f, hops[i].wrap, false))
			continue;
		int k = route_beyond(ROUTE_V022, N, m->place, hops[i].to, hops[i].wrap, beyond);
		while (k-- > 0)
			put_frame(m->place, beyond[k].to, f, beyond[k].wrap, false);
	}
}

/* These texts of one client, as one batch. killed: right behind forwarding. */
static inline void
submit(struct node *m, const int *texts, int count, int64_t patience_ms, bool killed)
{
	const struct text *t = &w.text[texts[0]];
	if (core_errno(m->core) != 0)
		return;         /* error disk full, before anyone else gets it */
	struct frame *f = frame_new("data", m->name, BATCH * 400);
	struct sent *s = calloc(1, sizeof *s);
	s->count = count;
	s->member = m;
	s->faults = w.faults;
	for (int i = 0; i < count; i++) {
		char text[400];
		int n = snprintf(text, sizeof text, "%d by %d", texts[i], t->client);
		memset(text + n, '.', sizeof text - (size_t)n);
		frame_add(f, text, (size_t)n + (unsigned)texts[i] * 7 % (texts[i] % 10 == 0 ? 300 : 20));
		s->text[i] = texts[i];
	}
	f->h.epoch = m->epoch;
	f->h.seq = m->seq + 1;
	m->seq += (uint64_t)count;
	f->h.time_ms = w.now;
	f->h.n = t->n;
	if (t->n != 0)
		snprintf(f->h.client, sizeof f->h.client, "c%d", t->client);
	frame_seal(f);
	trace("%d accepts texts %d.. (%d) as %" PRIu64 ":%" PRIu64 ", level %d%s", m->place, texts[0], count, m->epoch, f->h.seq,
	    t->level, killed ? ", and is killed before it is stored" : "");
	forward_own(m, f);
	s->own.frame = f;
	s->own.done = on_done;
	s->own.entry.level = t->level;
	s->own.entry.deadline_ms = w.now + patience_ms;
	s->next = m->sent;
	m->sent = s;
	if (killed) {
		frame_drop(&s->own.frame);
		member_kill(m);
	} else {
		core_own(m->core, &s->own);
	}
}

/* Below gap-timeout: what others gave up counts as had. */
static inline int64_t
patience(void)
{
	return 100 + (int64_t)below((unsigned)w.gap_ms - 100);
}

static inline void
send_new(struct node *m, bool killed)
{
	static const int levels[] = { 1, 1, 3, 3, 5 };
	int texts[BATCH], count = chance(60) ? 1 : 1 + (int)below(BATCH), level = levels[below(5)];
	int client = (int)below(CLIENTS + 1);
	if (w.texts + count > TEXTS)
		return;
	for (int i = 0; i < count; i++) {
		uint64_t n = client == CLIENTS ? 0 : ++w.next_n[client];
		w.text[w.texts] = (struct text){ .client = client, .n = n, .level = level };
		texts[i] = w.texts++;
	}
	submit(m, texts, count, patience(), killed);
}

/* What is not settled, once more, here: from a random one on, as long as the numbers follow on each other. */
static inline void
send_again(struct node *m, bool killed)
{
	int from = w.texts == 0 ? 0 : (int)below((unsigned)w.texts), texts[BATCH], count = 0, most = 1 + (int)below(BATCH);
	for (int i = from; i < w.texts && count < most; i++) {
		const struct text *t = &w.text[i];
		if (t->settled || t->n == 0)
			continue;
		if (count != 0 && (t->client != w.text[texts[0]].client || t->n != w.text[texts[count - 1]].n + 1))
			continue;
		texts[count++] = i;
	}
	if (count != 0)
		submit(m, texts, count, patience(), killed);
}

/* ---- files ---- */

static inline void
each_file(const char *dir, void (*visit)(const char *from, const char *to), const char *other)
{
	DIR *d = opendir(dir);
	for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
		char from[UNIT_PATH + 400], to[UNIT_PATH + 400];
		if (e->d_name[0] == '.')
			continue;
		snprintf(from, sizeof from, "%s/%s", dir, e->d_name);
		snprintf(to, sizeof to, "%s/%s", other != NULL ? other : dir, e->d_name);
		visit(from, to);
	}
	if (d != NULL)
		closedir(d);
}

static inline void
remove_file(const char *from, const char *to)
{
	(void)to;
	unlink(from);
}

static inline void
copy_file(const char *from, const char *to)
{
	char bytes[65536];
	ssize_t n;
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	require(in >= 0 && out >= 0, "cannot copy %s", from);
	while ((n = read(in, bytes, sizeof bytes)) > 0)
		require(write(out, bytes, (size_t)n) == n, "cannot copy %s", from);
	close(in);
	close(out);
}

static inline void
copy_dir(const char *from, const char *to)
{
	mkdir(to, 0700);
	each_file(to, remove_file, NULL);
	each_file(from, copy_file, to);
}

/* The journal's files, oldest first. */
static inline int
segments(const struct node *m, char name[][UNIT_PATH + 400], int most)
{
	struct dirent **list;
	int n = scandir(m->dir, &list, NULL, alphasort), count = 0;
	for (int i = 0; i < n; i++) {
		if (strncmp(list[i]->d_name, "journal-", 8) == 0) {
			if (count == most)
				memmove(name[0], name[1], (size_t)--count * sizeof name[0]);
			snprintf(name[count++], sizeof name[0], "%s/%s", m->dir, list[i]->d_name);
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return count;
}

static inline off_t
file_size(const char *name)
{
	struct stat st;
	return stat(name, &st) == 0 ? st.st_size : 0;
}

/* ---- faults of a disk; the member is down ---- */

static inline void
fault(struct node *m, const char *what)
{
	trace("%d: %s", m->place, what);
	w.faults++;
	m->same = false;
}

/* What was not synced is gone, to a byte. */
static inline void
power_cut(struct node *m)
{
	char name[8][UNIT_PATH + 400];
	int n = segments(m, name, 8);
	off_t cut = 1 + (off_t)below(chance(30) ? 4000 : 600);
	fault(m, "power cut");
	while (n-- > 0 && cut > 0) {
		off_t size = file_size(name[n]);
		if (size > cut)
			require(truncate(name[n], size - cut) == 0, "cannot cut %s", name[n]);
		else
			unlink(name[n]);
		cut -= size;
	}
}

static inline void
disk_lost(struct node *m)
{
	fault(m, "disk lost");
	each_file(m->dir, remove_file, NULL);
}

static inline void
old_copy(struct node *m)
{
	fault(m, "an old copy is put back");
	copy_dir(m->copy, m->dir);
}

static inline void
damage(struct node *m)
{
	char name[8][UNIT_PATH + 400];
	int n = segments(m, name, 8), i = n != 0 ? (int)below((unsigned)n) : 0;
	off_t size = n != 0 ? file_size(name[i]) : 0;
	if (size == 0)
		return;
	fault(m, "a byte is flipped");
	off_t at = (off_t)below((unsigned)size);
	int fd = open(name[i], O_RDWR);
	char byte;
	require(pread(fd, &byte, 1, at) == 1, "cannot read %s", name[i]);
	byte = (char)(byte ^ 1 << below(8));
	require(pwrite(fd, &byte, 1, at) == 1, "cannot write %s", name[i]);
	close(fd);
}

static inline void
random_fault(struct node *m)
{
	switch (below(4)) {
	case 0:
		power_cut(m);
		break;
	case 1:
		disk_lost(m);
		break;
	case 2:
		if (m->has_copy)
			old_copy(m);
		break;
	default:
		damage(m);
		break;
	}
}

#endif
