/* SPDX-License-Identifier: MIT
 * check_zogctl.c - what zogctl makes of a status: the screen, the line for monitoring, JSON; and the
 * values they are made of. */
#include "zogctl/show.h"

#include "daemon/stats.h"
#include "unit.h"

#include "status_rig.h"

static const struct show_style no_style;

static struct buf
screen(const struct made *m, const struct show_style *style)
{
	struct buf b = BUF_INIT;
	struct pt_value *v = made_status(m);
	ck_assert(show_screen(v, style, &b));
	pt_free(&v);
	return b;
}

static bool
has(struct buf *b, const char *text)
{
	return strstr(unit_text(b), text) != NULL;
}

START_TEST(values_that_are_not_there)
{
	char text[VALUE_TEXT];
	const struct pt_value wrong = PT_INT_OF(7);
	ck_assert_int_eq(value_int(NULL, "x", -3), -3);
	ck_assert_int_eq(value_int(&wrong, "x", -3), -3);
	ck_assert(!value_bool(&wrong, "x"));
	ck_assert_uint_eq(value_len(&wrong), 0);
	ck_assert_uint_eq(value_len(NULL), 0);
	ck_assert_str_eq(value_text(&wrong, "x", text), "");
	/* And a status of nothing at all can be shown. */
	const struct pt_value nothing = PT_DICT_OF(NULL, 0);
	struct buf b = BUF_INIT;
	ck_assert(show_screen(&nothing, &no_style, &b) && has(&b, "not serving: "));
	buf_fini(&b);
	ck_assert(show_screen(&wrong, &no_style, &b));
	buf_fini(&b);
}
END_TEST

START_TEST(numbers_for_people)
{
	static const struct { int64_t n; const char *count, *bytes, *time; } table[] = {
		{ 0, "0", "0 B", "0 s" }, { 999, "999", "999 B", "0 s" }, { 1000, "1,000", "1.0 KiB", "1 s" },
		{ 61234, "61,234", "60 KiB", "1 min 1 s" }, { 3600000, "3,600,000", "3.4 MiB", "1 h 0 min" },
		{ 90061000, "90,061,000", "86 MiB", "1 d 1 h" }, { -1234, "-1,234", "-1234 B", "-1 s" },
		{ INT64_MAX, "9,223,372,036,854,775,807", "8.0 EiB", "106751991167 d 7 h" },
	};
	char text[VALUE_WORDS];
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		ck_assert_str_eq(words_count(table[i].n, text), table[i].count);
		ck_assert_str_eq(words_bytes(table[i].n, text), table[i].bytes);
		ck_assert_str_eq(words_time(table[i].n, text), table[i].time);
	}
	ck_assert_str_eq(words_short(340, text), "0.34 ms");
	ck_assert_str_eq(words_short(12345, text), "12 ms");
	ck_assert_str_eq(words_short(61000000, text), "1 min 1 s");
}
END_TEST

START_TEST(screen_when_all_is_well)
{
	struct buf b = screen(&made_well, &no_style);
	ck_assert(has(&b, "mv: serving, running for 5 s, zogd 1.2.3, place 1 of 3, 2025-11-20T00:00:05Z\n"));
	ck_assert(has(&b, "well: mv: all 3 members up, nothing missing, 3 clients\n"));
	ck_assert(has(&b, "\nmv    this member\n"));
	ck_assert(has(&b,
	    "\npa    up              1 d 1 h             0   12,345     0.34 ms  Connection refused\n"));
	ck_assert(has(&b, "\nla    up              59 s                ?   12,345     0.34 ms\n"));
	ck_assert(has(&b, "\njournal  163 KiB of 1.0 GiB in 2 segments, 0 damaged places\n"));
	ck_assert(has(&b,
	    "\nrates    1,200/s from clients, 4,800/s from peers, 6,000/s logged, 2,400/s forwarded\n"));
	ck_assert(has(&b, "\ndropped  nothing\n"));
	ck_assert(!has(&b, "\033"));
	buf_fini(&b);
}
END_TEST

START_TEST(screen_says_who_is_missing)
{
	struct buf b = screen(&made_ill, &no_style);
	ck_assert(has(&b,
	    "\ndegraded: mv: 3 of 3 peers missing: pa (down for 3 min 0 s: Connection refused), la (not answering for 12 s), "
	    "s (another ring file for 1 s); 1,234 messages missing here\n"));
	ck_assert(has(&b, "\npa    down            3 min 0 s   1,234,567 "));
	ck_assert(has(&b, "\ns     up, other ring  1 s "));
	ck_assert(has(&b, "\ndropped  5 lost for good\n"));
	buf_fini(&b);
}
END_TEST

/* Every line fits, and the whole, whatever there is to show. */
START_TEST(screen_of_80_by_24)
{
	static const struct show_style style = { .columns = 80, .rows = 24, .colour = false };
	struct made m = made_ill;
	m.streams = 60;
	for (int k = 0; k < 2; k++) {
		struct buf b = screen(&m, &style);
		int lines = 0;
		for (const char *p = unit_text(&b); *p != '\0'; p += strcspn(p, "\n") + 1, lines++)
			unit_require(strcspn(p, "\n") <= 80, "%zu columns: %.100s", strcspn(p, "\n"), p);
		unit_require(lines <= 24, "%d lines:\n%s", lines, unit_text(&b));
		if (k == 0)     /* who is missing is said to the end */
			ck_assert(has(&b,
			    "\ndegraded: mv: 3 of 3 peers missing: pa (down for 3 min 0 s: Connection\nrefused), la ") &&
			    has(&b, " 1,234\nmessages missing here\n"));
		ck_assert(has(&b, "\nm59 "));     /* the one that misses something */
		ck_assert(has(&b, "\ndropped  "));
		buf_fini(&b);
		for (int i = 0; i < 8; i++)
			m.peer[i] = (struct made_member){ .name = "abcdefghijklmnop", .state = "up", .up = true };
	}
}
END_TEST

START_TEST(colours_only_where_they_are_wanted)
{
	struct show_style style = { .columns = 80, .colour = true };
	struct buf b = screen(&made_ill, &style);
	ck_assert(has(&b, "\n\033[31mpa    down ") && has(&b, "\n\033[33ms     up, other ring"));
	/* Each is ended on its line. */
	for (char *p = buf_begin(&b); (p = strchr(p, '\033')) != NULL;) {
		char *end = strstr(p, "\033[0m\n");
		unit_require(end != NULL && end < strchr(p, '\n'), "a colour goes on");
		p = end + 4;
	}
	buf_fini(&b);
}
END_TEST

START_TEST(nothing_from_outside_gets_through)
{
	struct buf out[5] = { BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT };
	struct pt_value *v = made_status(&made_evil);
	show_screen(v, &no_style, &out[0]);
	show_check(v, &out[1]);
	show_json(v, &out[2]);
	show_metrics(v, &out[3]);
	show_dot(v, &out[4]);
	for (int i = 0; i < 5; i++) {
		const char *p = unit_text(&out[i]);
		for (; *p != '\0'; p++)
			unit_require((*p >= ' ' && *p <= '~') || *p == '\n' || (i == 4 && *p == '\t'),
			    "form %d: byte %d gets through", i, *p);
		buf_fini(&out[i]);
	}
	pt_free(&v);
}
END_TEST

START_TEST(check_of_each_fault)
{
	static const char *const starts[] = { "well: mv: ", "degraded: mv: ", "not serving: mv: " };
	struct made table[] = { made_well, made_ill, made_well, made_well, made_well, made_well };
	static const enum show_health want[] = { SHOW_WELL, SHOW_DEGRADED, SHOW_DEGRADED, SHOW_DEGRADED,
	    SHOW_NOT_SERVING,
	    SHOW_DEGRADED };
	static const char *const text[] = { "all 3 members up", "peers missing", "state-dir has 63 MiB left",
	    "1 messages missing here",
	    "disk full", "1 of 2 peers missing: la (silent, behind by 7,000)" };
	table[5].peer[1].silent = true;
	table[5].peer[1].behind = 7000;
	table[2].free = 63 << 20;
	table[3].missing = 1;
	table[4].state = "disk full";
	table[4].serving = false;
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		struct buf b = BUF_INIT;
		struct pt_value *v = made_status(&table[i]);
		ck_assert_int_eq(show_check(v, &b), want[i]);
		unit_require(strstr(unit_text(&b), text[i]) != NULL && strncmp(unit_text(&b), starts[want[i]],
		    strlen(starts[want[i]])) == 0,
		    "%s", unit_text(&b));
		ck_assert(strchr(unit_text(&b), '\n') == NULL);
		buf_fini(&b);
		pt_free(&v);
	}
}
END_TEST

START_TEST(json)
{
	static const struct { const char *frame, *text; } table[] = {
		{ "0:}", "{}\n" }, { "0:]", "[]\n" }, { "0:~", "null\n" }, { "2:-7#", "-7\n" }, { "3:1.5^", "1.5\n" },
		{ "4:true!", "true\n" }, { "5:a\"\\\n\x7f,", "\"a\\\"\\\\\\u000a\\u007f\"\n" },
		{ "6:\xc3\xa4\xff\xc2\x9b!,", "\"\xc3\xa4\\u00ff\\u00c2\\u009b!\"\n" },
		{ "18:1:a,0:}1:b,4:1:x,]}", "{\"a\": {}, \"b\": [\"x\"]}\n" },
	};
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		struct buf b = BUF_INIT;
		struct pt_value *v;
		ck_assert_int_eq(pt_decode(&v, table[i].frame, strlen(table[i].frame), NULL, NULL, 0, NULL), PT_OK);
		ck_assert(show_json(v, &b));
		ck_assert_str_eq(unit_text(&b), table[i].text);
		buf_fini(&b);
		pt_free(&v);
	}
}
END_TEST

/* ---- metrics ---- */

/* [a-zA-Z_:][a-zA-Z0-9_:]* */
static size_t
name_length(const char *p)
{
	size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:0123456789");
	return n != 0 && *p >= '0' && *p <= '9' ? 0 : n;
}

/* {label="value",...}, with \\, \" and \n as the only escapes. Returns what stands behind, NULL: bad. */
static const char *
skip_labels(const char *p)
{
	if (*p != '{')
		return p;
	do {
		size_t n = name_length(++p);
		if (n == 0 || p[n] != '=' || p[n + 1] != '"')
			return NULL;
		for (p += n + 2; *p != '"'; p++) {
			if (*p == '\0' || *p == '\n' || (*p == '\\' && strchr("\\\"n", p[1]) == NULL))
				return NULL;
			p += *p == '\\';
		}
		p++;
	} while (*p == ',');
	return *p == '}' ? p + 1 : NULL;
}

/* Each line is a HELP, its TYPE, or a sample of the metric that these were about; no metric comes twice. */
static void
require_grammar(const char *text)
{
	char name[128] = "", type[16] = "", seen[16384] = " ";
	bool counter = false, sampled = true;
	for (const char *p = text, *end; *p != '\0'; p = end + 1) {
		end = strchr(p, '\n');
		unit_require(end != NULL, "the last line has no end");
		size_t n;
		if (strncmp(p, "# HELP ", 7) == 0) {
			n = name_length(p + 7);
			unit_require(sampled && n > 4 && n < sizeof name - 2 && p[7 + n] == ' ' &&
			    end > p + 9 + n, "%.60s", p);
			snprintf(name, sizeof name, " %.*s ", (int)n, p + 7);
			unit_require(strstr(seen, name) == NULL, "twice:%s", name);
			strcat(seen, name + 1);
			unit_require(strncmp(name, " zog_", 5) == 0, "a name of others:%s", name);
			type[0] = '\0';
			sampled = false;
			continue;
		}
		if (*p == '#') {
			char want[160];
			snprintf(want, sizeof want, "# TYPE%s", name);
			unit_require(strncmp(p, want, strlen(want)) == 0 && type[0] == '\0', "%.60s", p);
			snprintf(type, sizeof type, "%.*s", (int)(end - p - (ptrdiff_t)strlen(want)),
			    p + strlen(want));
			counter = strcmp(type, "counter") == 0;
			unit_require(counter || strcmp(type, "gauge") == 0, "type '%s'", type);
			bool total = strstr(name, "_total ") != NULL;
			unit_require(counter == total, "%s is a %s", name, type);
			continue;
		}
		n = name_length(p);
		unit_require(n != 0 && strlen(name) == n + 2 && strncmp(p, name + 1, n) == 0 && type[0] != '\0',
		    "%.60s", p);
		const char *value = skip_labels(p + n);
		unit_require(value != NULL && *value == ' ', "%.80s", p);
		char *rest;
		double v = strtod(value + 1, &rest);
		unit_require(rest == end && (!counter || v >= 0), "%.80s", p);
		sampled = true;
	}
	unit_require(sampled, "a metric without a sample:%s", name);
}

START_TEST(metrics_by_the_grammar)
{
	static const struct made *const table[] = { &made_well, &made_ill, &made_evil };
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		struct buf b = BUF_INIT;
		struct pt_value *v = made_status(table[i]);
		ck_assert(show_metrics(v, &b));
		require_grammar(unit_text(&b));
		buf_fini(&b);
		pt_free(&v);
	}
	struct buf b = BUF_INIT;
	ck_assert(show_metrics(NULL, &b));
	require_grammar(unit_text(&b));
	ck_assert(has(&b, "\nzog_up 0\n"));
	buf_fini(&b);
}
END_TEST

START_TEST(metrics_tell_what_is_so)
{
	struct buf b = BUF_INIT;
	struct pt_value *v = made_status(&made_ill);
	show_metrics(v, &b);
	static const char *const lines[] = {
		"\nzog_up 1\n", "\nzog_build_info{version=\"1.2.3\",member=\"mv\",forwarding=\"v0.2.2\"} 1\n",
		"\nzog_uptime_seconds 5.000\n", "\nzog_serving 1\n", "\nzog_member_up{member=\"pa\"} 0\n",
		"\nzog_member_up{member=\"s\"} 1\n", "\nzog_member_other_ring{member=\"s\"} 1\n",
		"\nzog_member_state_seconds{member=\"pa\"} 180.000\n",
		    "\nzog_member_behind_messages{member=\"pa\"} 1234567\n",
		"\nzog_member_round_trip_seconds{member=\"la\"} 0.000340\n", "\nzog_missing_messages 1234\n",
		"\nzog_messages_lost_total 5\n", "\nzog_disk_free_bytes{folder=\"state-dir\"} 68719476736\n",
		"\nzog_journal_writable 1\n", "\nzog_clients_connected 3\n",
	};
	for (size_t i = 0; i < UNIT_COUNT(lines); i++)
		unit_require(has(&b, lines[i]), "no line%s", lines[i]);
	ck_assert(!has(&b, "member=\"mv\"} 0"));
	buf_fini(&b);
	pt_free(&v);
}
END_TEST

/* Whatever zogd counts is told. */
START_TEST(metrics_of_every_counter)
{
	static const char *const names[] = {
#define X(name, text) #name,
		STATS(X)
#undef X
	};
	for (size_t i = 0; i < UNIT_COUNT(names); i++) {
		struct pt_value pair[] = { PT_BYTES_OF(names[i], strlen(names[i])), PT_INT_OF(4242) };
		struct pt_value all = PT_DICT_OF(pair, 1), top[] = { PT_TEXT("counters"), all },
		    status = PT_DICT_OF(top, 1);
		struct buf b = BUF_INIT;
		show_metrics(&status, &b);
		unit_require(has(&b, "_total 4242\n"), "%s is in no metric", names[i]);
		buf_fini(&b);
	}
}
END_TEST

START_TEST(dot_of_a_ring)
{
	struct buf b = BUF_INIT;
	struct pt_value *v = made_status(&made_ill);
	ck_assert(show_dot(v, &b));
	ck_assert(has(&b, "digraph zog {\n") && has(&b, "\n}\n"));
	ck_assert(has(&b, "\t\"mv\" [color=forestgreen, penwidth=3];\n") && has(&b,
	    "\t\"s\" -> \"mv\" [style=dotted"));
	ck_assert(has(&b,
	    "\t\"mv\" -> \"pa\" [label=\"down for 3 min 0 s, behind by 1,234,567, 12,345 queued\", color=red"));
	ck_assert(has(&b, "\t\"mv\" -> \"la\" [label=\"not answering for 12 s, 12,345 queued\", color=orange"));
	buf_fini(&b);
	pt_free(&v);
}
END_TEST

/* ---- messages, times, waiting ---- */

START_TEST(lines_for_a_terminal)
{
	static const char in[] = "2026-11-20T08:32:01Z mv:1 gr\xc3\xbc\xc3\x9f" "e,\ttab\n" "2026-11-20T08:32:01Z mv:2 \x1b[2J\n"
	    "\x1b]0;x\n" "2026-11-20T08:32:01Z mv:3 no end";
	struct buf b = BUF_INIT;
	ck_assert(show_lines(in, sizeof in - 1, &b));
	ck_assert_str_eq(unit_text(&b),
	    "2026-11-20T08:32:01Z mv:1 gr\xc3\xbc\xc3\x9f" "e,\ttab\n" "2026-11-20T08:32:01Z mv:2 \\x1b[2J\n"
	    "\\x1b]0;x\n" "2026-11-20T08:32:01Z mv:3 no end\n");
	buf_fini(&b);
	ck_assert(show_lines("", 0, &b) && b.len == 0);
}
END_TEST

START_TEST(times_that_people_type)
{
	static const int64_t now = INT64_C(1763596805000);
	static const struct { const char *text; int64_t ms; } good[] = {
		{ "2025-11-20", INT64_C(1763596800000) }, { "2025-11-20T00:00:05Z", INT64_C(1763596805000) },
		{ "90s", INT64_C(1763596715000) }, { "10m", INT64_C(1763596205000) }, { "2h",
		    INT64_C(1763589605000) },
		{ "3d", INT64_C(1763337605000) }, { "0s", INT64_C(1763596805000) }, { "1970-01-01", 0 },
	};
	static const char *const bad[] = { "", "x", "10", "10x", "10m ", "-1d", "2025-13-01", "2025-11-20T",
	    "2025-11-20T00:00:05",
	    "yesterday", "99999999999999999999d" };
	int64_t ms;
	for (size_t i = 0; i < UNIT_COUNT(good); i++) {
		unit_require(show_when(good[i].text, now, &ms), "%s", good[i].text);
		unit_require(ms == good[i].ms, "%s is %lld", good[i].text, (long long)ms);
	}
	for (size_t i = 0; i < UNIT_COUNT(bad); i++)
		unit_require(!show_when(bad[i], now, &ms), "'%s' is a time", bad[i]);
}
END_TEST

START_TEST(caught_up_or_not)
{
	struct made table[6];
	static const char *const why[] = { NULL, "7 messages missing", "pa has not told yet what it has",
	    "la has not told yet what it has",
	    NULL, "disk full" };
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		table[i] = made_well;
		table[i].peer[0].since_ms = table[i].peer[1].since_ms = 60000;
	}
	table[1].missing = 7;
	table[2].peer[0].since_ms = 10;
	table[3].peer[1] = (struct made_member){ .name = "la", .state = "connecting", .since_ms = 60000 };
	table[4].peer[1] = (struct made_member){ .name = "la", .state = "down", .since_ms = 10 };
	table[5].serving = false;
	table[5].state = "disk full";
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		struct buf b = BUF_INIT;
		struct pt_value *v = made_status(&table[i]);
		bool good = show_caught_up(v, &b);
		unit_require(good == (why[i] == NULL), "case %zu: %s", i, unit_text(&b));
		if (why[i] != NULL)
			ck_assert_str_eq(unit_text(&b), why[i]);
		buf_fini(&b);
		pt_free(&v);
	}
	struct buf b = BUF_INIT;
	const struct pt_value nothing = PT_DICT_OF(NULL, 0);
	ck_assert(!show_caught_up(&nothing, &b));
	buf_fini(&b);
}
END_TEST

/* ---- the tree that they come from ---- */

START_TEST(tree_is_what_petrichor_reads)
{
	struct tree t = TREE_INIT;
	struct pt_value *v;
	tree_dict(&t, NULL);
	tree_list(&t, "list");
	tree_int(&t, NULL, INT64_MIN);
	tree_count(&t, NULL, UINT64_MAX);
	tree_dict(&t, NULL);
	tree_end(&t);
	tree_end(&t);
	tree_bytes(&t, "bytes", "a\0b", 3);
	tree_bool(&t, "no", false);
	ck_assert(!tree_whole(&t));
	tree_end(&t);
	ck_assert(tree_whole(&t));
	ck_assert_int_eq(pt_decode(&v, buf_begin(&t.at[0]), t.at[0].len, NULL, NULL, 0, NULL), PT_OK);
	const struct pt_value *list = pt_get(v, "list");
	ck_assert_uint_eq(value_len(list), 3);
	ck_assert(value_item(list, 0)->integer == INT64_MIN && value_item(list, 1)->integer == INT64_MAX);
	ck_assert_uint_eq(pt_get(v, "bytes")->bytes.len, 3);
	pt_free(&v);
	tree_fini(&t);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, values_that_are_not_there);
	UNIT_TEST(s, numbers_for_people);
	UNIT_TEST(s, screen_when_all_is_well);
	UNIT_TEST(s, screen_says_who_is_missing);
	UNIT_TEST(s, screen_of_80_by_24);
	UNIT_TEST(s, colours_only_where_they_are_wanted);
	UNIT_TEST(s, nothing_from_outside_gets_through);
	UNIT_TEST(s, check_of_each_fault);
	UNIT_TEST(s, json);
	UNIT_TEST(s, metrics_by_the_grammar);
	UNIT_TEST(s, metrics_tell_what_is_so);
	UNIT_TEST(s, metrics_of_every_counter);
	UNIT_TEST(s, dot_of_a_ring);
	UNIT_TEST(s, lines_for_a_terminal);
	UNIT_TEST(s, times_that_people_type);
	UNIT_TEST(s, caught_up_or_not);
	UNIT_TEST(s, tree_is_what_petrichor_reads);
}

int
main(void)
{
	return unit_main("zogctl", add);
}
