/* SPDX-License-Identifier: MIT */
#include "store/sums.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ring/ring.h"

#define FNV_BEGIN UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

void
sums_fini(struct sums *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->at[i].run);
	free(s->at);
	*s = (struct sums){ .at = NULL };
}

struct sum *
sums_add(struct sums *s, const char *origin, uint64_t epoch, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < s->count; i++) {
		struct sum *t = &s->at[i];
		if (t->epoch == epoch && t->from == from && t->to == to && strcmp(t->origin, origin) == 0)
			return t;
	}
	if (s->count == s->room) {
		size_t room = s->room * 2 + 32;
		struct sum *at = s->count >= SUMS_MOST ? NULL : realloc(s->at, room * sizeof *at);
		if (at == NULL)
			return NULL;
		s->at = at;
		s->room = room;
	}
	struct sum *t = &s->at[s->count++];
	*t = (struct sum){ .epoch = epoch, .from = from, .to = to };
	snprintf(t->origin, sizeof t->origin, "%s", origin);
	return t;
}

/* ---- counting ---- */

/* Is it new? It is counted from now on. Most come in their order, behind all others. */
static bool
is_new(struct sums *all, struct sum *s, uint64_t n)
{
	size_t low = 0, high = s->runs;
	if (s->runs != 0 && s->run[s->runs - 1].to + 1 == n) {
		s->run[s->runs - 1].to = n;
		return true;
	}
	while (low < high) {    /* the first run that ends at n or behind it */
		size_t mid = (low + high) / 2;
		if (s->run[mid].to < n)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < s->runs && s->run[low].from <= n)
		return false;
	if (s->runs == s->room) {
		size_t room = s->room * 2 + 8;
		struct sum_run *run = realloc(s->run, room * sizeof *run);
		if (run == NULL) {
			all->failed = true;
			return false;
		}
		s->run = run;
		s->room = room;
	}
	memmove(s->run + low + 1, s->run + low, (s->runs - low) * sizeof *s->run);
	s->run[low] = (struct sum_run){ n, n };
	s->runs++;
	/* It may have closed the gap to the next one. */
	if (low > 0 && s->run[low - 1].to + 1 == n) {
		s->run[low - 1].to = n;
		memmove(s->run + low, s->run + low + 1, (s->runs - low - 1) * sizeof *s->run);
		s->runs--;
		low--;
	}
	if (low + 1 < s->runs && s->run[low + 1].from == s->run[low].to + 1) {
		s->run[low].to = s->run[low + 1].to;
		memmove(s->run + low + 1, s->run + low + 2, (s->runs - low - 2) * sizeof *s->run);
		s->runs--;
	}
	return true;
}

/* FNV-1a of the number, 8 bytes, lowest first, and the text. */
static uint64_t
hash(uint64_t n, const char *text, size_t len)
{
	uint64_t h = FNV_BEGIN;
	for (int i = 0; i < 8; i++)
		h = (h ^ (n >> 8 * i & 0xff)) * FNV_PRIME;
	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * FNV_PRIME;
	return h;
}

static void
count_frame(struct sums *all, struct sum *s, const struct frame_head *h, const char *body)
{
	const char *p = body, *end = body + h->bytes;
	for (uint64_t n = h->seq; p < end; n++) {
		const char *lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL)
			return;
		if (n >= s->from && n <= s->to && is_new(all, s, n)) {
			s->count++;
			s->hash += hash(n, p, (size_t)(lf - p) - 1);
			if (s->first == 0 || n < s->first)
				s->first = n;
		}
		p = lf + 1;
	}
}

void
sums_frame(struct sums *s, const struct frame_head *h, const char *body)
{
	if (h->epoch == 0)
		return;
	for (size_t i = 0; i < s->count; i++) {
		struct sum *t = &s->at[i];
		if (t->epoch == h->epoch && h->seq <= t->to && h->seq + h->count > t->from &&
		    text_same(t->origin, h->origin))
			count_frame(s, t, h, body);
	}
}

/* ---- words ---- */

/* The next origin and so many decimal numbers behind it. 1: read, 0: at an end, -1: no sense. */
static int
read_words(char **rest, struct sum *s, uint64_t *numbers, int count)
{
	int64_t v;
	char *word = text_word(rest);
	if (word == NULL)
		return 0;
	if (!ring_name_ok(word))
		return -1;
	strcpy(s->origin, word);
	for (int i = 0; i < count; i++) {
		word = text_word(rest);
		if (word == NULL || !text_int(word, 0, INT64_MAX - 1, &v))
			return -1;
		numbers[i] = (uint64_t)v;
	}
	return 1;
}

bool
sums_read_question(struct sums *s, char *words)
{
	struct sum t;
	uint64_t n[3];
	int rc;
	while ((rc = read_words(&words, &t, n, 3)) > 0)
		if (n[0] == 0 || n[1] == 0 || n[1] > n[2] || sums_add(s, t.origin, n[0], n[1], n[2]) == NULL)
			return false;
	return rc == 0;
}

bool
sums_read_answer(char *words, void (*take)(void *arg, const struct sum *), void *arg)
{
	uint64_t n[3];
	int rc;
	for (;;) {
		struct sum s = { .run = NULL };
		char *end, *word;
		rc = read_words(&words, &s, n, 3);
		if (rc <= 0)
			return rc == 0;
		word = text_word(&words);
		if (word == NULL || strlen(word) != 16 || strspn(word, "0123456789abcdef") != 16)
			return false;
		s.epoch = n[0];
		s.first = n[1];
		s.count = n[2];
		s.hash = strtoull(word, &end, 16);
		take(arg, &s);
	}
}

void
sums_put_question(const struct sum *s, struct buf *out)
{
	buf_printf(out, " %s %" PRIu64 " %" PRIu64 " %" PRIu64, s->origin, s->epoch, s->from, s->to);
}

void
sums_put_answer(const struct sum *s, struct buf *out)
{
	buf_printf(out, " %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %016" PRIx64, s->origin, s->epoch, s->first,
	    s->count, s->hash);
}
