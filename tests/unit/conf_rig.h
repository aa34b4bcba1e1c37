/* SPDX-License-Identifier: MIT
 * conf_rig.h - a folder with a ring file and a zogd.conf, what conf_load makes of it, and what it should. */
#ifndef ZOG_TESTS_CONF_RIG_H
#define ZOG_TESTS_CONF_RIG_H

#include "daemon/conf.h"
#include "unit.h"

enum { OPTIONS = 8 };

/* What a test has loaded, and where from. */
static struct {
	char        dir[UNIT_PATH], file[UNIT_PATH + 64], ring[UNIT_PATH + 64];
	const char *options[OPTIONS];
	int         count;
	bool        may_lack, good;
	struct conf conf;
	struct buf  errors, notes;
} t;

static inline void
begin(void)
{
	memset(&t, 0, sizeof t);
	unit_folder(t.dir);
	unit_file_path(t.file, t.dir, "zogd.conf");
	unit_file_path(t.ring, t.dir, "ring");
	unit_file_puts(t.dir, "ring", "la 127.0.0.1\nt 127.0.0.2\nlg 127.0.0.3\n");
}

static inline void
forget(void)
{
	conf_fini(&t.conf);
	buf_fini(&t.errors);
	buf_fini(&t.notes);
}

static inline void
end(void)
{
	forget();
	unit_folder_remove(t.dir);
}

/* Loads zogd.conf (NULL: there is none) and the options. */
static inline void
load_bytes(const char *text, size_t n)
{
	forget();
	if (text != NULL)
		unit_file_write(t.dir, "zogd.conf", text, n);
	struct conf_source from = { .file = t.file, .may_lack = t.may_lack, .options = t.options, .count = t.count,
	    .dir = t.dir };
	t.good = conf_load(&t.conf, &from, &t.errors, &t.notes);
}

static inline void
load(const char *text)
{
	load_bytes(text, text != NULL ? strlen(text) : 0);
}

/* The text with $F and $R for the two files. */
static inline void
expand(const char *pattern, char *out, size_t size)
{
	size_t n = 0;
	for (; *pattern != '\0'; pattern++) {
		const char *put = *pattern != '$' ? NULL : *++pattern == 'F' ? t.file : t.ring;
		int k = put != NULL ? snprintf(out + n, size - n, "%s", put) : snprintf(out + n, size - n, "%c", *pattern);
		n += (size_t)k;
		ck_assert_uint_lt(n, size);
	}
	out[n] = '\0';
}

/* The errors are exactly these; "": none, and it is good. */
static inline void
assert_errors(const char *pattern)
{
	char want[8192];
	expand(pattern, want, sizeof want);
	ck_assert_str_eq(unit_text(&t.errors), want);
	ck_assert_int_eq(t.good, *pattern == '\0');
}

static inline void
assert_notes(const char *pattern)
{
	char want[4096];
	expand(pattern, want, sizeof want);
	ck_assert_str_eq(unit_text(&t.notes), want);
}

/* The value that conf_print shows. */
static inline void
printed(const char *key, char *out, size_t size)
{
	struct buf b = BUF_INIT;
	char start[64];
	ck_assert(buf_puts(&b, "\n"));
	conf_print(&t.conf, &b);
	snprintf(start, sizeof start, "\n%s = ", key);
	const char *at = strstr(unit_text(&b), start);
	ck_assert_msg(at != NULL, "%s is not printed", key);
	at += strlen(start);
	snprintf(out, size, "%.*s", (int)strcspn(at, "\n"), at);
	buf_fini(&b);
}

/* A file with all it needs, and this. */
static inline void
load_with(const char *lines)
{
	char text[8192];
	int n = snprintf(text, sizeof text, "member = la\nring = ring\n%s", lines);
	ck_assert(n > 0 && (size_t)n < sizeof text);
	load(text);
}

/* What a value should be. */
#define SECONDS "seconds, 0.001 to a year"
#define BYTES "bytes, at least 64K, like 512K, 64M or 1G"
#define COUNT "a number from 1 to 1000000, or none"
#define LISTEN "up to 8 of ADDRESS:PORT or [V6]:PORT, separated by blanks"
#define ALLOW "up to 64 of ADDRESS, ADDRESS/BITS, ring or any, separated by blanks"
#define NAME "a member's name (a letter, then up to 15 of A-Za-z0-9_-)"
#define ACK "a number from 1 to the ring's size, majority or all"

#endif
