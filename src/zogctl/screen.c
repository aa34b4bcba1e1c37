/* SPDX-License-Identifier: MIT
 * screen.c - a status on one screen: who is missing first, then each member, each stream, and what was dropped. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "zogctl/show.h"

enum {
	AROUND = 15,            /* lines that are neither of a member nor of a stream */
	HEAD_LINES = 3,         /* of what is not well */
	LEAST = 3,              /* rows of members, and of streams, however small the screen is */
};

enum tone { PLAIN, BAD, WORSE, STRONG };

const char *const show_rate_names[SHOW_RATES] = { "from_clients", "from_peers", "logged", "forwarded" };

struct screen {
	struct buf              *out;
	const struct show_style *style;
	size_t                   start; /* of the present line */
	int                      name;  /* columns of names */
};

/* Ends the line: cut to the screen, in its colour. */
static void
end_line(struct screen *s, enum tone tone)
{
	static const char *const codes[] = { "", "\033[33m", "\033[31m", "\033[1m" };
	struct buf *b = s->out;
	size_t columns = (size_t)s->style->columns;
	if (columns != 0 && b->len - s->start > columns)
		b->len = s->start + columns;
	while (b->len > s->start && buf_begin(b)[b->len - 1] == ' ')
		b->len--;
	if (s->style->colour && tone != PLAIN && b->len > s->start) {
		struct buf text = BUF_INIT;
		buf_put(&text, buf_begin(b) + s->start, b->len - s->start);
		b->len = s->start;
		buf_puts(b, codes[tone]);
		buf_put(b, buf_begin(&text), text.len);
		buf_puts(b, "\033[0m");
		buf_fini(&text);
	}
	buf_puts(b, "\n");
	s->start = b->len;
}

/* What is too important to be cut goes on in the next lines, at most so many. */
static void
put_wrapped(struct screen *s, const struct buf *text, enum tone tone, int lines)
{
	const char *p = buf_begin(text), *end = p + text->len;
	size_t columns = (size_t)s->style->columns;
	while (columns != 0 && lines-- > 1 && (size_t)(end - p) > columns) {
		const char *blank = memrchr(p, ' ', columns);
		if (blank == NULL || blank == p)
			break;
		buf_put(s->out, p, (size_t)(blank - p));
		end_line(s, tone);
		p = blank + 1;
	}
	buf_put(s->out, p, (size_t)(end - p));
	end_line(s, tone);
}

/* ---- the head ---- */

static void
put_head(struct screen *s, const struct pt_value *status)
{
	char text[VALUE_TEXT], words[VALUE_WORDS], stamp[CLOCK_STAMP];
	bool serving = value_bool(status, "serving");
	clock_stamp(stamp, value_int(status, "time_ms", 0));
	buf_printf(s->out, "%s: ", value_text(status, "member", text));
	buf_printf(s->out, "%s, running for %s, ", value_text(status, "state", text),
	    words_time(value_int(status, "up_ms", 0), words));
	buf_printf(s->out, "%s ", value_text(status, "program", text));
	buf_printf(s->out, "%s, place %" PRId64 " of %" PRId64 ", %s", value_text(status, "version", text),
	    value_int(status, "place", 0), value_int(status, "size", 0), stamp);
	end_line(s, serving ? STRONG : WORSE);

	struct buf line = BUF_INIT;
	enum show_health health = show_check(status, &line);
	put_wrapped(s, &line, health == SHOW_WELL ? PLAIN : health == SHOW_DEGRADED ? BAD : WORSE, HEAD_LINES);
	buf_fini(&line);
	end_line(s, PLAIN);
}

/* ---- members ---- */

static void
put_peer(struct screen *s, const struct pt_value *m)
{
	char text[VALUE_TEXT], state[VALUE_TEXT], words[VALUE_WORDS];
	value_text(m, "state", state);
	if (value_bool(m, "up"))
		strcpy(state, value_bool(m, "silent") ? "up, silent" : value_bool(m,
		    "other_ring") ? "up, other ring" : value_bool(m, "plain") ? "up, plain" : "up");
	int64_t behind = value_int(m, "behind", -1), trip = value_int(m, "round_trip_us", 0);
	buf_printf(s->out, "%-*s  ", s->name, value_text(m, "name", text));
	buf_printf(s->out, "%-14.14s  %-11s ", state, words_time(value_int(m, "since_ms", 0), words));
	buf_printf(s->out, "%9s ", behind < 0 ? "?" : words_count(behind, words));
	buf_printf(s->out, "%8s ", words_count(value_int(m, "queue_messages", 0), words));
	buf_printf(s->out, "%11s  %s", trip > 0 ? words_short(trip, words) : "-", value_text(m, "error", text));
	bool odd = value_bool(m, "other_ring") || value_bool(m, "silent");
	end_line(s, !value_bool(m, "up") ? WORSE : odd ? BAD : PLAIN);
}

static void
put_members(struct screen *s, const struct pt_value *members, size_t most)
{
	char text[VALUE_TEXT];
	size_t left_out = 0;
	s->name = 4;
	for (size_t i = 0; i < value_len(members); i++) {
		int n = (int)strlen(value_text(value_item(members, i), "name", text));
		s->name = n > s->name ? n : s->name;
	}
	buf_printf(s->out, "%-*s  %-14s  %-11s %9s %8s %11s  %s", s->name, "NAME", "STATE", "SINCE", "BEHIND",
	    "QUEUE", "ROUND TRIP",
	    "LAST ERROR");
	end_line(s, STRONG);
	bool all = value_len(members) <= most;
	for (size_t i = 0; i < value_len(members); i++) {
		const struct pt_value *m = value_item(members, i);
		if (!all && (value_bool(m, "self") || value_bool(m, "up"))) {
			left_out++;
		} else if (value_bool(m, "self")) {
			buf_printf(s->out, "%-*s  this member", s->name, value_text(m, "name", text));
			end_line(s, PLAIN);
		} else {
			put_peer(s, m);
		}
	}
	if (left_out != 0) {
		buf_printf(s->out, "and %zu more that are up", left_out);
		end_line(s, PLAIN);
	}
	end_line(s, PLAIN);
}

/* ---- streams ---- */

static void
put_stream(struct screen *s, const struct pt_value *t)
{
	char text[VALUE_TEXT], words[VALUE_WORDS], since[CLOCK_STAMP];
	int64_t missing = value_int(t, "missing", 0), passed = value_int(t, "passed", 0);
	clock_stamp(since, value_int(t, "epoch", 0));
	buf_printf(s->out, "%-*s  %s  ", s->name, value_text(t, "origin", text), since);
	buf_printf(s->out, "%13s ", words_count(value_int(t, "first", 0), words));
	buf_printf(s->out, "%13s ", words_count(value_int(t, "upto", 0), words));
	buf_printf(s->out, "%13s", words_count(missing, words));
	if (passed != 0)
		buf_printf(s->out, "  %s passed over", words_count(passed, words));
	end_line(s, missing + passed != 0 ? BAD : PLAIN);
}

static void
put_streams(struct screen *s, const struct pt_value *status, size_t most)
{
	const struct pt_value *streams = pt_get(status, "streams");
	size_t shown = 0, n = value_len(streams);
	char words[VALUE_WORDS];
	if (streams == NULL)
		return;
	buf_printf(s->out, "%-*s  %-20s  %13s %13s %13s", s->name, "FROM", "STREAM BEGUN", "FIRST KEPT",
	    "UP TO", "MISSING");
	end_line(s, STRONG);
	/* Those that miss something first, where not all fit. */
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < n && (shown < most || n <= most); i++) {
			const struct pt_value *t = value_item(streams, i);
			bool lacks = value_int(t, "missing", 0) + value_int(t, "passed", 0) != 0;
			if (n <= most ? round == 0 : lacks == (round == 0)) {
				put_stream(s, t);
				shown++;
			}
		}
	}
	int64_t more = value_int(status, "streams_known", 0) - (int64_t)shown;
	if (more > 0) {
		buf_printf(s->out, "and %s earlier or further streams", words_count(more, words));
		end_line(s, PLAIN);
	}
	end_line(s, PLAIN);
}

/* ---- clients, rates, disk, drops ---- */

static void
put_clients(struct screen *s, const struct pt_value *status)
{
	static const char *const rate_words[SHOW_RATES] = { "from clients", "from peers", "logged", "forwarded" };
	const struct pt_value *clients = pt_get(status, "clients"), *counters = pt_get(status, "counters"),
	    *rates = pt_get(status, "rates");
	char a[VALUE_WORDS], b[VALUE_WORDS], c[VALUE_WORDS], d[VALUE_WORDS];
	int64_t limit = value_int(clients, "limit", 0);
	buf_printf(s->out, "clients  %s connected%s%s, %s accepted, %s refused",
	    words_count(value_int(clients, "connected", 0), a), limit != 0 ? " of " : "",
	    limit != 0 ? words_count(limit, b) : "",
	    words_count(value_int(counters, "clients_accepted", 0), c), words_count(value_int(counters,
	    "clients_refused", 0), d));
	end_line(s, PLAIN);
	buf_puts(s->out, "rates    ");
	for (int i = 0; i < SHOW_RATES; i++)
		buf_printf(s->out, "%s%s/s %s", i != 0 ? ", " : "",
		    words_count(s->style->rates ? s->style->rate[i] : value_int(rates, show_rate_names[i], 0),
		    a), rate_words[i]);
	end_line(s, PLAIN);
}

static void
put_disks(struct screen *s, const struct pt_value *status)
{
	const struct pt_value *journal = pt_get(status, "journal"), *disks = pt_get(status, "disks");
	char text[VALUE_TEXT], a[VALUE_WORDS], b[VALUE_WORDS];
	if (journal != NULL) {
		buf_printf(s->out, "journal  %s of %s in %" PRId64 " segments, %" PRId64 " damaged places",
		    words_bytes(value_int(journal, "bytes", 0), a), words_bytes(value_int(journal, "limit", 0), b),
		    value_int(journal, "segments", 0), value_int(journal, "damaged", 0));
		if (*value_text(journal, "error", text) != '\0')
			buf_printf(s->out, ", not writable: %s", text);
		end_line(s, *text != '\0' ? WORSE : PLAIN);
	}
	buf_puts(s->out, "disk     ");
	bool low = false;
	for (size_t i = 0; i < value_len(disks); i++) {
		const struct pt_value *d = value_item(disks, i);
		int64_t left = value_int(d, "free", 0);
		low |= left < SHOW_DISK_LEAST;
		buf_printf(s->out, "%s%s", i != 0 ? ", " : "", value_text(d, "what", text));
		buf_printf(s->out, " %s of %s free", words_bytes(left, a), words_bytes(value_int(d, "size", 0), b));
	}
	end_line(s, low ? BAD : PLAIN);
}

static void
put_drops(struct screen *s, const struct pt_value *status)
{
	static const struct { const char *name, *words; } drops[] = {
		{ "lost", "lost for good" }, { "late", "came late" }, { "dropped",
		    "let go by full queues (peers pull them)" },
		{ "unanswered", "unanswered by plain peers" }, { "rejected", "rejected by peers" },
		{ "bad", "bad messages (error.log)" }, { "again", "sent twice, logged once" },
		{ "clients_refused", "clients refused" }, { "clients_shed", "idle clients closed for others" },
		{ "peers_refused", "peers refused" }, { "peers_unproven", "peers without the secret" },
		{ "peers_shed", "peers closed for others" },
		{ "ahead_dropped", "let go beyond a gap (pulled)" }, { "error_lines_lost", "lines not in error.log" },
		{ "connect_failures", "failed connects" }, { "control_refused", "control connections refused" },
	};
	const struct pt_value *counters = pt_get(status, "counters");
	char words[VALUE_WORDS];
	bool some = false;
	buf_puts(s->out, "dropped  ");
	for (size_t i = 0; i < sizeof drops / sizeof *drops; i++) {
		int64_t n = value_int(counters, drops[i].name, 0);
		if (n == 0)
			continue;
		buf_printf(s->out, "%s%s %s", some ? ", " : "", words_count(n, words), drops[i].words);
		some = true;
	}
	if (!some)
		buf_puts(s->out, "nothing");
	end_line(s, value_int(counters, "lost", 0) != 0 ? WORSE : PLAIN);
}

bool
show_screen(const struct pt_value *status, const struct show_style *style, struct buf *out)
{
	struct screen s = { .out = out, .style = style, .start = out->len, .name = 4 };
	const struct pt_value *members = pt_get(status, "members");
	size_t most = SIZE_MAX, of_members = SIZE_MAX, of_streams = SIZE_MAX;
	if (style->rows != 0) {
		most = style->rows > AROUND + 2 * LEAST ? (size_t)style->rows - AROUND : 2 * LEAST;
		of_members = value_len(members) <= most - LEAST ? most - LEAST : LEAST;
		size_t taken = value_len(members) <= of_members ? value_len(members) : of_members;
		of_streams = most - taken;
	}
	put_head(&s, status);
	put_members(&s, members, of_members);
	put_streams(&s, status, of_streams);
	put_clients(&s, status);
	put_disks(&s, status);
	put_drops(&s, status);
	return true;
}
