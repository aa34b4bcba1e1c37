/* SPDX-License-Identifier: MIT
 * harness_numbered_judge.c - what became of the messages of numbered clients, by the logs. */
#include "harness_numbered.h"

#include <stdlib.h>
#include <string.h>

#include "harness_own.h"

struct tally {
	struct numbered *load;
	struct load_texts texts;
	struct numbered_verdict *v;
	unsigned char   *seen;          /* [client * each + n] of one member */
	int             *logs;          /* the same: in how many logs */
};

/* What was sent on one connection stays in order: of those whose connection can be told. A line NAME:0 has no number. */
static bool
in_order(struct numbered *l, struct numbered_client *c, int n, const struct log_line *line)
{
	struct numbered_span *only = NULL;
	if (line->seq == 0)
		return true;
	for (int i = 0; i < c->spans; i++) {
		struct numbered_span *s = &c->span[i];
		if (n < s->from || n >= s->to || strcmp(l->rig->m[s->member].name, line->name) != 0)
			continue;
		if (only != NULL)
			return true;
		only = s;
	}
	/* Logged under the number of a member that it was never sent to. */
	if (only == NULL)
		return false;
	bool good = n > only->last && line->seq > only->last_seq;
	only->last = n;
	only->last_seq = line->seq;
	return good;
}

static void
judge_line(struct tally *t, const char *path, const char *text, size_t len)
{
	struct numbered *l = t->load;
	struct log_line line;
	int client, n;
	require(log_parse(text, len, &line), "%s: bad line: %.*s", path, (int)len, text);
	if (!load_text_whose(&t->texts, line.text, line.len, &client, &n)) {
		t->v->invented += load_text_like(&t->texts, line.text, line.len);
		return;
	}
	struct numbered_client *c = &l->client[client];
	size_t at = (size_t)client * (size_t)l->each + (size_t)n;
	if (n >= c->sent) {
		t->v->invented++;
	} else if (t->seen[at] != 0) {
		t->v->doubled++;
	} else {
		t->seen[at] = 1;
		t->logs[at]++;
		t->v->logged++;
		t->v->disordered += !in_order(l, c, n, &line);
	}
}

static void
judge_file(struct tally *t, const char *path)
{
	size_t len;
	char *text = file_read(path, &len), *end = text + len;
	for (char *line = text, *lf; line < end; line = lf + 1) {
		lf = memchr(line, '\n', (size_t)(end - line));
		/* One that is being written has its end a moment later. */
		if (lf == NULL)
			break;
		judge_line(t, path, line, (size_t)(lf - line));
	}
	free(text);
}

static void
judge_member(struct tally *t, int member, bool rotated)
{
	struct numbered *l = t->load;
	memset(t->seen, 0, (size_t)l->clients * (size_t)l->each);
	for (int i = 0; i < l->clients; i++)
		for (int k = 0; k < l->client[i].spans; k++) {
			l->client[i].span[k].last = -1;
			l->client[i].span[k].last_seq = 0;
		}
	if (rotated)
		judge_file(t, rig_path(l->rig, member, "log/access.log.1"));
	judge_file(t, rig_path(l->rig, member, "log/access.log"));
	for (int i = 0; i < l->clients; i++)
		for (int n = 0; n < l->client[i].settled; n++) {
			size_t at = (size_t)i * (size_t)l->each + (size_t)n;
			if (t->seen[at] != 0)
				continue;
			t->v->lost++;
			if (l->settled_ms[at] < t->v->lost_since_ms)
				t->v->lost_since_ms = l->settled_ms[at];
		}
}

struct numbered_verdict
numbered_judge(struct numbered *l, uint64_t mask, bool rotated, const char *what)
{
	struct numbered_verdict v = { .lost_since_ms = INT64_MAX };
	struct tally t = { .load = l, .texts = { l->tag, l->clients, l->each, l->least, l->most }, .v = &v };
	size_t all = (size_t)l->clients * (size_t)l->each;
	int members = 0;
	t.seen = malloc(all);
	t.logs = calloc(all, sizeof *t.logs);
	require(t.seen != NULL && t.logs != NULL, "out of memory");
	mask = rig_mask(l->rig, mask);
	for (int i = 0; i < l->rig->size; i++)
		if ((mask >> i & 1) != 0) {
			judge_member(&t, i, rotated);
			members++;
		}
	for (size_t i = 0; i < all; i++)
		v.split += t.logs[i] != 0 && t.logs[i] != members;
	free(t.seen);
	free(t.logs);
	if (what == NULL)
		return v;
	printf("%s: sent %ld settled %ld again %ld broken %ld unconfirmed %ld full %ld; on %d: logged %ld doubled %ld lost %ld"
	    " invented %ld disordered %ld split %ld\n", what, l->sent, l->settled, l->resent, l->broken, l->unconfirmed,
	    l->full, members, v.logged, v.doubled, v.lost, v.invented, v.disordered, v.split);
	fflush(stdout);
	return v;
}

void
numbered_wait_logged_(struct numbered *l, uint64_t mask, bool rotated)
{
	mask = rig_mask(l->rig, mask);
	for (int i = 0; i < l->rig->size; i++) {
		uint64_t one = mask & (uint64_t)1 << i;
		if (one == 0)
			continue;
		/* Reading it all is dear: only when there may be enough in it. */
		if (!rotated)
			wait_for(log_lines(l->rig, i) >= (size_t)l->settled, SOON, "%s: %zu lines in access.log, %ld settled",
			    l->rig->m[i].name, log_lines(l->rig, i), l->settled);
		wait_for(numbered_judge(l, one, rotated, NULL).lost == 0, SOON, "%s: %ld settled messages are not in its log",
		    l->rig->m[i].name, numbered_judge(l, one, rotated, NULL).lost);
	}
}

void
numbered_require_(struct numbered *l, uint64_t mask, bool rotated, const char *what)
{
	struct numbered_verdict v = numbered_judge(l, mask, rotated, what);
	require(v.lost == 0, "%s: %ld settled messages are not in a log", what, v.lost);
	require(v.doubled == 0, "%s: %ld messages are in a log twice", what, v.doubled);
	require(v.invented == 0, "%s: %ld lines that nobody sent", what, v.invented);
	require(v.disordered == 0, "%s: %ld messages out of order", what, v.disordered);
	require(v.split == 0, "%s: %ld messages are in some logs only", what, v.split);
}
