/* SPDX-License-Identifier: MIT
 * fuzz_journal.c - bytes as the journal's files: it must open, show good records only, give each of them, go on, and find the
 * same at its next start.
 *
 * The first byte of an input: bit 0 puts right CRCs where there are headers; the second one says where the bytes are
 * divided into two segments. */
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "store/journal_private.h"

enum { SHOWN_MAX = 512 };

struct shown {
	size_t   count;
	uint64_t sum;                   /* of all that was shown, in its order */
	struct frame_head head[SHOWN_MAX];
};

static char dir[64];
static int dir_fd = -1;
static bool damaged;            /* said: something lies between good records that is none */

static int
no_sync(int fd)
{
	(void)fd;
	return 0;
}

static void
say(void *arg, const char *text)
{
	(void)arg;
	damaged = damaged || strstr(text, "going on behind it") != NULL;
	fuzz_require(strchr(text, '\n') == NULL && strlen(text) < 512);
	for (; *text != '\0'; text++)
		fuzz_require(*text >= ' ' && *text <= '~');
}

static void
pruned(void *arg, const char *origin, uint64_t epoch, uint64_t first_kept)
{
	(void)arg, (void)origin, (void)epoch, (void)first_kept;
}

static bool
visit(void *arg, const struct frame_head *h, const char *record, size_t head_size, struct journal_pos at)
{
	struct shown *s = arg;
	fuzz_require(record[0] == '0' && frame_check_crc(h, record, head_size) && frame_check_lines(h, record + head_size));
	if (s->count < SHOWN_MAX)
		s->head[s->count] = *h;
	s->count++;
	s->sum = s->sum * 31 + h->crc + at.segment * 7 + at.offset;
	return true;
}

struct wanted {
	uint64_t last;
	const struct frame_head *head;
	bool     found;
};

static bool
take(void *arg, struct frame *f)
{
	struct wanted *w = arg;
	uint64_t last = f->h.seq + f->h.count - 1;
	fuzz_require(f->h.epoch == w->head->epoch && strcmp(f->h.origin, w->head->origin) == 0);
	fuzz_require(last > w->last);
	w->last = last;
	if (f->h.seq <= w->head->seq && last >= w->head->seq + w->head->count - 1)
		w->found = true;
	frame_drop(&f);
	return true;
}

static struct journal *
open_journal(struct shown *s)
{
	const char *why;
	struct journal_options o = { dir, INT64_MAX, 1 << 20, say, pruned, s };
	s->count = 0;
	s->sum = 0;
	struct journal *j = journal_open(&o, visit, &why);
	fuzz_require(j != NULL);
	return j;
}

static void
empty_dir(void)
{
	DIR *d = fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY));
	fuzz_require(d != NULL);
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.')
			unlinkat(dir_fd, e->d_name, 0);
	closedir(d);
}

static void
clean_up(void)
{
	empty_dir();
	rmdir(dir);
}

static void
begin(void)
{
	if (dir_fd < 0) {
		strcpy(dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/fuzz.XXXXXX" : "fuzz.XXXXXX");
		fuzz_require(mkdtemp(dir) != NULL);
		dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
		fuzz_require(dir_fd >= 0);
		journal_set_sync(no_sync);
		atexit(clean_up);
	}
	empty_dir();
}

static void
write_segment(uint64_t number, const uint8_t *p, size_t n)
{
	char name[SEGMENT_NAME];
	segment_name(number, name);
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	fuzz_require(fd >= 0 && write(fd, p, n) == (ssize_t)n);
	close(fd);
}

static void
put_crcs(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct frame_head h;
		size_t head_size;
		const char *why;
		char digits[9];
		if ((i > 0 && p[i - 1] != '\n') ||
		    frame_read_head((char *)p + i, n - i, &h, &head_size, NULL, &why) != FRAME_GOOD || n - i - head_size < h.bytes)
			continue;
		sprintf(digits, "%08" PRIx32, crc32c(crc32c(0, p + i + 2, head_size - 12), p + i + head_size, h.bytes));
		memcpy(p + i + head_size - 10, digits, 8);
	}
}

/* Each that was shown is given, itself or in one that holds it. */
static void
read_each(struct journal *j, const struct shown *s)
{
	for (size_t i = 0; i < s->count && i < SHOWN_MAX; i++) {
		const struct frame_head *h = &s->head[i];
		struct wanted w = { 0, h, false };
		fuzz_require(journal_read(j, h->origin, h->epoch, h->seq, h->seq + h->count - 1, take, &w) == 0);
		fuzz_require(w.found == (h->epoch != 0));
	}
}

static void
append_one(struct journal *j)
{
	struct frame *f = frame_new("data", "fuzz", 8);
	fuzz_require(f != NULL);
	frame_add(f, "text", 4);
	f->h.epoch = f->h.seq = 77;
	frame_seal(f);
	fuzz_require(journal_append(j, &f, 1) == 0);
	frame_drop(&f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct shown first, scanned, second;
	if (size < 2)
		return 0;
	size_t n = size - 2, cut = data[1] != 0 && n != 0 ? data[1] * 7919u % n : n;
	uint8_t *p = malloc(n != 0 ? n : 1);
	fuzz_require(p != NULL);
	memcpy(p, data + 2, n);
	if ((data[0] & 1) != 0)
		put_crcs(p, n);
	begin();
	write_segment(1, p, cut);
	if (cut < n)
		write_segment(2, p + cut, n - cut);
	free(p);
	damaged = false;
	struct journal *j = open_journal(&first);
	scanned.count = 0;
	scanned.sum = 0;
	fuzz_require(journal_scan(j, journal_begin(j), visit, &scanned) == 0);
	/* Where a damaged record ends is told by what is left of its header, and by what stands there: a file that ends elsewhere
	 * may tell it otherwise. */
	fuzz_require(damaged || (scanned.count == first.count && scanned.sum == first.sum));
	read_each(j, damaged ? &scanned : &first);
	append_one(j);
	journal_close(&j);
	j = open_journal(&second);
	fuzz_require(damaged || second.count == first.count + 1);
	read_each(j, &second);
	journal_close(&j);
	return 0;
}
