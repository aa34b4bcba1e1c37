/* SPDX-License-Identifier: MIT
 * The journal on records that are damaged. */
#include "journal_damage_rig.h"

#include "base/crc32c.h"

/* ---- in the middle ---- */

START_TEST(every_byte_of_a_record_flipped)
{
	build(2, 28);
	size_t first, end;
	records_of(3, &first, &end);
	/* The first, one in the middle, and the last one of a segment. */
	const size_t which[] = { first, first + 1, end - 1 };
	for (int w = 0; w < 3; w++) {
		const struct shown *s = &all.shown[which[w]];
		for (size_t i = 0; i < s->size; i++)
			for (int bit = 0; bit < 8; bit += i < s->size - 60 ? 1 : 5) {
				char *byte = image[3].p + s->at.offset + i, was = *byte, kept[80];
				*byte = (char)(was ^ 1 << bit);
				restore(3, image[3].p, image[3].n);
				rig_open();
				ck_assert_msg(is_said(3, s->at.offset), "byte %zu bit %d: %s", i, bit, rig.said);
				ck_assert_uint_eq(counts().damaged, 1);
				if (i == 0 && (*byte == '1' || *byte == '2')) {
					visited_but(0, 0);
				} else {
					visited_but(which[w], which[w] + 1);
					snprintf(kept, sizeof kept, "damaged-%016x-%" PRIu64, 3, s->at.offset);
					kept_is(kept, image[3].p + s->at.offset, s->size);
					const char *text = read_as_text(s->origin, s->epoch, s->seq, s->seq + 1);
					ck_assert_str_eq(text, "");
				}
				if (bit == 0) {
					unsigned files = rig_files(rig.dir, "damaged-", false);
					goes_on(false);
					/* It is said at each start, and kept once. */
					ck_assert(is_said(3, s->at.offset) == (w < 2 || i == 0));       /* the last is cut off */
					ck_assert_uint_eq(rig_files(rig.dir, "damaged-", false), files);
				}
				journal_close(&rig.j);
				*byte = was;
			}
	}
}
END_TEST

/* Where a page was lost, what does not lie in it is kept. */
START_TEST(page_of_nuls)
{
	build(18, 500);
	char *p = malloc(image[2].n);
	for (size_t page = 0; page + 4096 < image[2].n; page += 4096) {
		size_t first, end, from, to;
		memcpy(p, image[2].p, image[2].n);
		memset(p + page, 0, 4096);
		restore(2, p, image[2].n);
		rig_open();
		records_of(2, &first, &end);
		from = whole(first, end, page);
		for (to = from; to < end && all.shown[to].at.offset < page + 4096; )
			to++;
		visited_but(from, to);
		ck_assert(is_said(2, all.shown[from].at.offset));
		goes_on(false);
		journal_close(&rig.j);
	}
	free(p);
}
END_TEST

/* A client may send lines that are a frame, CRC and all. Whatever happens to the frame they are in, they are text. */
START_TEST(text_that_looks_like_a_record)
{
	char forged[128], name[RIG_PATH], whole_lines[400];
	int n = sprintf(forged, "0 data la 1732091521000 9999 1 5 1732091533123 - 0 ");
	uint32_t crc = crc32c(crc32c(0, forged + 2, (size_t)n - 2), "abc\r\n", 5);
	sprintf(forged + n, "%08" PRIx32, crc);
	struct frame *f[3] = { make("la", 1, 1, 1, 30), frame_new("data", "la", sizeof whole_lines), make("la", 1, 9, 1, 30) };
	for (int i = 0; i < 3; i++) {
		frame_add(f[1], forged, strlen(forged));
		frame_add(f[1], "abc", 3);
	}
	f[1]->h.epoch = 1;
	f[1]->h.seq = 2;
	frame_seal(f[1]);
	size_t n0 = frame_size(f[0]), n1 = frame_size(f[1]), n2 = frame_size(f[2]);
	char *p = malloc(n0 + n1 + n2);
	memcpy(p, f[0]->record, n0);
	memcpy(p + n0, f[1]->record, n1);
	memcpy(p + n0 + n1, f[2]->record, n2);
	file_name(name, 1);
	/* Torn in the middle of it, with and without the NULs that a power cut leaves. */
	for (size_t k = n0; k < n0 + n1; k++)
		for (int nuls = 0; nuls < 2; nuls++) {
			char *torn = calloc(1, n0 + n1);
			memcpy(torn, p, k);
			spill(name, torn, nuls ? n0 + n1 : k);
			free(torn);
			rig_open();
			ck_assert_uint_eq(rig.visited.count, 1);
			journal_close(&rig.j);
		}
	/* Any byte of its body, and any digit of COUNT and BYTES, of CRC, of TIME. */
	for (size_t i = n0; i < n0 + n1; i++)
		for (int bit = 0; bit < 8; bit++) {
			int was = p[i], is = was ^ 1 << bit;
			if (i < n0 + f[1]->head_size && (was < '0' || was > '9' || is < '0' || is > '9'))
				continue;
			p[i] = (char)is;
			spill(name, p, n0 + n1 + n2);
			p[i] = (char)was;
			rig_open();
			ck_assert_uint_ge(rig.visited.count, 2);
			for (size_t k = 0; k < rig.visited.count; k++)
				ck_assert_uint_ne(rig.visited.shown[k].seq, 9999);
			ck_assert_uint_eq(rig.visited.shown[rig.visited.count - 1].seq, 9);
			journal_close(&rig.j);
		}
	free(p);
	for (int i = 0; i < 3; i++)
		frame_drop(&f[i]);
}
END_TEST

/* ---- while it is open ---- */

START_TEST(damage_since_the_start)
{
	char name[RIG_PATH];
	build(2, 28);
	restore(0, NULL, 0);
	rig_open();
	size_t first, end;
	records_of(3, &first, &end);
	const struct shown *s = &all.shown[first + 1];
	file_name(name, 3);
	int fd = open(name, O_RDWR);
	for (size_t i = 0; i < s->size; i++) {
		char was = image[3].p[s->at.offset + i], other = (char)(was ^ 0x41);
		ck_assert_int_eq(pwrite(fd, &other, 1, (off_t)(s->at.offset + i)), 1);
		ck_assert_str_eq(read_as_text(s->origin, s->epoch, s->seq, s->seq + 1), "");
		ck_assert_str_eq(read_as_text(s->origin, s->epoch, s->seq, s->seq + 1), "");
		/* All the others are given. */
		struct shown_list l = { 0 };
		ck_assert_int_eq(journal_read(rig.j, "la", s->epoch, 1, UINT64_MAX, take_into, &l), 0);
		ck_assert_int_eq(journal_read(rig.j, "ny", s->epoch, 1, UINT64_MAX, take_into, &l), 0);
		ck_assert_uint_eq(l.count, all.count - 1);
		scan_all(&l);
		ck_assert_uint_eq(l.count, all.count - 1);
		forget(&l);
		ck_assert_int_eq(pwrite(fd, &was, 1, (off_t)(s->at.offset + i)), 1);
	}
	close(fd);
	ck_assert(is_said(3, s->at.offset));
	ck_assert_ptr_null(strchr(strchr(rig.said, '\n') + 1, '\n'));   /* once */
	ck_assert_uint_eq(counts().damaged, 1);
	struct shown_list l = { 0 };
	scan_all(&l);
	same_shown(&l, &all);
	/* Cut, and gone. */
	ck_assert_int_eq(truncate(name, (off_t)s->at.offset + 10), 0);
	scan_all(&l);
	ck_assert_uint_eq(l.count, all.count - (end - first - 1));
	rig_files(rig.dir, name + strlen(rig.dir) + 1, true);
	file_name(name, 2);
	rig_files(rig.dir, name + strlen(rig.dir) + 1, true);
	ck_assert_str_eq(read_as_text(all.shown[0].origin, all.shown[0].epoch, all.shown[0].seq, all.shown[0].seq), "2+2 ");
	records_of(2, &first, &end);
	s = &all.shown[first];
	ck_assert_str_eq(read_as_text(s->origin, s->epoch, s->seq, s->seq + 1), "");
	ck_assert_ptr_nonnull(strstr(rig.said, "journal-0000000000000002 is gone"));
	forget(&l);
}
END_TEST

static off_t bad_from, bad_to;

static ssize_t
bad_pread(int fd, void *p, size_t n, off_t at)
{
	struct stat st;
	if (fstat(fd, &st) == 0 && (size_t)st.st_size == image[3].n && at < bad_to && at + (off_t)n > bad_from) {
		if (at >= bad_from) {
			errno = EIO;
			return -1;
		}
		n = (size_t)(bad_from - at);
	}
	return pread(fd, p, n, at);
}

START_TEST(unreadable_page)
{
	build(18, 500);
	/* Segments that can be told by their size. */
	char *p = malloc(image[3].n + 7);
	memcpy(p, image[3].p, image[3].n);
	memcpy(p + image[3].n, "0 data ", 7);
	image[3].n += 7;
	for (bad_from = 0; bad_from < (off_t)image[3].n; bad_from += 4096) {
		size_t first, end, from, to, n;
		char name[RIG_PATH];
		bad_to = bad_from + 4096;
		restore(3, p, image[3].n);
		journal_set_pread(bad_pread);
		rig_open();
		records_of(3, &first, &end);
		from = whole(first, end, (uint64_t)bad_from);
		for (to = from; to < end && all.shown[to].at.offset < (uint64_t)bad_to; )
			to++;
		visited_but(from, to);
		ck_assert_ptr_nonnull(strstr(rig.said, "could not be read"));
		/* It may come back: nothing of it is cut off. */
		file_name(name, 3);
		char *q = slurp(name, &n);
		ck_assert_uint_eq(n, image[3].n);
		free(q);
		journal_set_pread(NULL);
		rig_reopen();
		visited_but(0, 0);
		journal_close(&rig.j);
	}
	free(p);
}
END_TEST

/* ---- much of it ---- */

START_TEST(too_much_damage_to_keep)
{
	enum { BIG = 17 * 1024 * 1024 };
	char name[RIG_PATH];
	struct stat st;
	build(2, 28);
	/* 17 MiB between good ones; then the same at an end, which stays, and the next record goes elsewhere. */
	char *p = malloc(BIG + 2 * image[IMAGES].n);
	memcpy(p, image[IMAGES].p, image[IMAGES].n);
	memset(p + image[IMAGES].n, 'x', BIG);
	p[image[IMAGES].n + BIG - 1] = '\n';
	memcpy(p + image[IMAGES].n + BIG, image[2].p, image[2].n);
	restore(IMAGES, p, image[IMAGES].n + BIG + image[2].n);
	rig_open();
	ck_assert(is_said(IMAGES, image[IMAGES].n));
	ck_assert_ptr_nonnull(strstr(rig.said, "in part kept"));
	ck_assert_uint_gt(rig.visited.count, all.count);
	goes_on(false);
	journal_close(&rig.j);
	restore(IMAGES, p, image[IMAGES].n + BIG);
	free(p);
	rig_open();
	visited_but(0, 0);
	ck_assert_ptr_nonnull(strstr(rig.said, "left as it is"));
	ck_assert_uint_eq(journal_end(rig.j).segment, IMAGES + 1);
	ck_assert_uint_gt(counts().bytes, BIG);
	file_name(name, IMAGES);
	ck_assert_int_eq(stat(name, &st), 0);
	ck_assert_uint_eq((size_t)st.st_size, image[IMAGES].n + BIG);
	goes_on(false);
}
END_TEST

/* More damaged records than there may be files. */
START_TEST(many_damaged_records)
{
	char name[RIG_PATH];
	size_t n;
	rig_open();
	for (uint64_t seq = 1; seq <= 300; seq++)
		ck_assert_int_eq(put("la", 5, seq, 1, 50), 0);
	scan_all(&all);
	journal_close(&rig.j);
	file_name(name, 1);
	char *p = slurp(name, &n);
	for (size_t i = 0; i < all.count; i += 2)
		p[all.shown[i].at.offset + 60] ^= 4;
	spill(name, p, n);
	free(p);
	for (int round = 0; round < 2; round++) {
		rig_open();
		ck_assert_uint_eq(rig.visited.count, 150);
		ck_assert_uint_eq(counts().damaged, 150);
		ck_assert_uint_eq(rig_files(rig.dir, "damaged-", false), JOURNAL_ASIDE);
		ck_assert_str_eq(read_as_text("la", 5, 1, 7), "2+1 4+1 6+1 ");
		journal_close(&rig.j);
	}
}
END_TEST

static void
add(Suite *s)
{
	DAMAGE_TEST(s, every_byte_of_a_record_flipped);
	DAMAGE_TEST(s, page_of_nuls);
	DAMAGE_TEST(s, text_that_looks_like_a_record);
	DAMAGE_TEST(s, damage_since_the_start);
	DAMAGE_TEST(s, unreadable_page);
	DAMAGE_TEST(s, too_much_damage_to_keep);
	DAMAGE_TEST(s, many_damaged_records);
}

int
main(void)
{
	return unit_main("journal_damage", add);
}
