/* SPDX-License-Identifier: MIT
 * journal_rig.h - what the journal's tests share: a folder, a journal in it, what it said and showed. */
#ifndef JOURNAL_RIG_H
#define JOURNAL_RIG_H

#include "store/journal_private.h"
#include "unit.h"

#define must(condition) unit_require(condition, "%s", #condition)

enum { RIG_DIR = UNIT_PATH + 20, RIG_PATH = RIG_DIR + 100 };

/* A record that was shown or given. */
struct shown {
	char     origin[FRAME_NAME + 1];
	uint64_t epoch, seq;
	uint32_t count, crc;
	struct journal_pos at;
	size_t   size;
};

struct shown_list {
	struct shown *shown;
	size_t        count, room, most;        /* most: then stop; 0: never */
};

struct rig {
	char              dir[RIG_DIR];
	int64_t           limit_bytes, segment_bytes;
	struct journal   *j;
	struct shown_list visited;              /* by journal_open */
	char              said[64 * 1024];
	struct shown_list pruned;               /* seq: first_kept */
};

static struct rig rig;

static inline void
show(struct shown_list *l, const struct frame_head *h, struct journal_pos at, size_t size)
{
	if (l->count == l->room) {
		l->room = l->room * 2 + 64;
		l->shown = realloc(l->shown, l->room * sizeof *l->shown);
		must(l->shown != NULL);
	}
	struct shown *s = &l->shown[l->count++];
	memset(s, 0, sizeof *s);
	strcpy(s->origin, h->origin);
	s->epoch = h->epoch;
	s->seq = h->seq;
	s->count = h->count;
	s->crc = h->crc;
	s->at = at;
	s->size = size;
}

static inline void
forget(struct shown_list *l)
{
	free(l->shown);
	memset(l, 0, sizeof *l);
}

static inline bool
visit_into(void *arg, const struct frame_head *h, const char *record, size_t head_size, struct journal_pos at)
{
	struct shown_list *l = arg;
	must(record[0] == '0');
	must(record[head_size - 1] == '\n');
	must(frame_check_crc(h, record, head_size));
	show(l, h, at, head_size + h->bytes);
	return l->most == 0 || l->count < l->most;
}

static inline bool
rig_visit(void *arg, const struct frame_head *h, const char *record, size_t head_size, struct journal_pos at)
{
	return visit_into(&((struct rig *)arg)->visited, h, record, head_size, at);
}

static inline bool
take_into(void *arg, struct frame *f)
{
	struct shown_list *l = arg;
	must(f->record[0] == '0');
	must(frame_check_crc(&f->h, f->record, f->head_size) && frame_check_lines(&f->h, f->body));
	show(l, &f->h, (struct journal_pos){ 0, 0 }, frame_size(f));
	frame_drop(&f);
	return l->most == 0 || l->count < l->most;
}

static inline void
rig_say(void *arg, const char *text)
{
	struct rig *r = arg;
	size_t n = strlen(r->said), more = strlen(text);
	must(strchr(text, '\n') == NULL);
	if (n + more + 2 > sizeof r->said)
		return;
	memcpy(r->said + n, text, more);
	memcpy(r->said + n + more, "\n", 2);
}

static inline void
rig_pruned(void *arg, const char *origin, uint64_t epoch, uint64_t first_kept)
{
	struct frame_head h = { .epoch = epoch, .seq = first_kept };
	strcpy(h.origin, origin);
	show(&((struct rig *)arg)->pruned, &h, (struct journal_pos){ 0, 0 }, 0);
}

static inline struct journal *
rig_try(const char *dir, const char **why)
{
	struct journal_options o = { dir, rig.limit_bytes, rig.segment_bytes, rig_say, rig_pruned, &rig };
	forget(&rig.visited);
	forget(&rig.pruned);
	rig.said[0] = '\0';
	*why = NULL;
	return journal_open(&o, rig_visit, why);
}

static inline void
rig_open(void)
{
	const char *why;
	ck_assert_ptr_null(rig.j);
	rig.j = rig_try(rig.dir, &why);
	ck_assert_msg(rig.j != NULL, "%s", why);
	ck_assert_ptr_null(why);
}

static inline void
rig_reopen(void)
{
	journal_close(&rig.j);
	rig_open();
}

static inline void
rig_setup(void)
{
	memset(&rig, 0, sizeof rig);
	unit_folder(rig.dir);
	rig.limit_bytes = INT64_MAX;
	rig.segment_bytes = INT64_MAX;
	journal_set_sync(NULL);
	journal_set_pread(NULL);
}

/* The files whose names begin so: removed, or only counted. */
static inline unsigned
rig_files(const char *dir, const char *begin, bool remove_them)
{
	char name[RIG_PATH + 300];
	unsigned count = 0;
	DIR *d = opendir(dir);
	ck_assert_ptr_nonnull(d);
	for (struct dirent *e; (e = readdir(d)) != NULL; ) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || strncmp(e->d_name, begin, strlen(begin)) != 0)
			continue;
		count++;
		snprintf(name, sizeof name, "%s/%s", dir, e->d_name);
		if (remove_them && remove(name) != 0)
			ck_abort_msg("%s: %s", name, strerror(errno));
	}
	closedir(d);
	return count;
}

static inline void
rig_teardown(void)
{
	journal_set_sync(NULL);
	journal_set_pread(NULL);
	journal_close(&rig.j);
	forget(&rig.visited);
	forget(&rig.pruned);
	rig_files(rig.dir, "", true);
	rmdir(rig.dir);
}

#define RIG_TEST(suite, test) \
	do { \
		TCase *tcase = unit_case(suite, #test); \
		tcase_add_checked_fixture(tcase, rig_setup, rig_teardown); \
		tcase_add_test(tcase, test); \
	} while (0)

/* For tests that open and close a thousand times and need no disk for it. */
static inline int
no_sync(int fd)
{
	(void)fd;
	return 0;
}

/* ---- frames ---- */

/* Lines of text of that many bytes each. */
static inline struct frame *
make(const char *origin, uint64_t epoch, uint64_t seq, unsigned lines, size_t bytes)
{
	char text[512];
	struct frame *f = frame_new("data", origin, lines * (bytes + 2));
	must(f != NULL);
	must(bytes <= sizeof text);
	for (unsigned i = 0; i < lines; i++) {
		for (size_t k = 0; k < bytes; k++)
			text[k] = (char)('a' + (k * 7 + i + seq + epoch) % 26);
		frame_add(f, text, bytes);
	}
	f->h.epoch = epoch;
	f->h.seq = epoch != 0 ? seq : 0;
	f->h.time_ms = 1732091533123;
	frame_seal(f);
	return f;
}

/* Appends one frame; what journal_append returned. */
static inline int
put(const char *origin, uint64_t epoch, uint64_t seq, unsigned lines, size_t bytes)
{
	struct frame *f = make(origin, epoch, seq, lines, bytes);
	int r = journal_append(rig.j, &f, 1), e = errno;
	frame_drop(&f);
	errno = e;
	return r;
}

/* ---- files ---- */

static inline void
file_name(char name[RIG_PATH], uint64_t segment)
{
	snprintf(name, RIG_PATH, "%s/journal-%016" PRIx64, rig.dir, segment);
}

static inline char *
slurp(const char *name, size_t *n)
{
	struct stat st;
	int fd = open(name, O_RDONLY);
	ck_assert_msg(fd >= 0, "%s: %s", name, strerror(errno));
	fstat(fd, &st);
	char *p = malloc((size_t)st.st_size + 1);
	*n = (size_t)st.st_size;
	ck_assert_int_eq(read(fd, p, *n), (ssize_t)*n);
	close(fd);
	return p;
}

static inline void
spill(const char *name, const char *p, size_t n)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	ck_assert_msg(fd >= 0, "%s: %s", name, strerror(errno));
	must(write(fd, p, n) == (ssize_t)n);
	close(fd);
}

/* ---- what is there ---- */

static inline void
scan_all(struct shown_list *l)
{
	forget(l);
	ck_assert_int_eq(journal_scan(rig.j, (struct journal_pos){ 0, 0 }, visit_into, l), 0);
}

static inline void
same_shown(const struct shown_list *a, const struct shown_list *b)
{
	must(a->count == b->count);
	for (size_t i = 0; i < a->count; i++)
		must(memcmp(&a->shown[i], &b->shown[i], sizeof *a->shown) == 0);
}

/* What journal_read gives of these numbers, as "1+3 4+1 ": seq and count of each frame. */
static inline const char *
read_as_text(const char *origin, uint64_t epoch, uint64_t from, uint64_t to)
{
	static char text[4096];
	struct shown_list l = { 0 };
	size_t n = 0;
	must(journal_read(rig.j, origin, epoch, from, to, take_into, &l) == 0);
	text[0] = '\0';
	for (size_t i = 0; i < l.count && n < sizeof text - 64; i++) {
		must(strcmp(l.shown[i].origin, origin) == 0);
		must(l.shown[i].epoch == epoch);
		n += (size_t)sprintf(text + n, "%" PRIu64 "+%u ", l.shown[i].seq, l.shown[i].count);
	}
	forget(&l);
	return text;
}

static inline struct journal_counts
counts(void)
{
	struct journal_counts c;
	journal_counts(rig.j, &c);
	return c;
}

#endif
