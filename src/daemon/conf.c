/* SPDX-License-Identifier: MIT */
#include "daemon/conf.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/text.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/usr/local/etc"
#endif
#ifndef LOCALSTATEDIR
#define LOCALSTATEDIR "/usr/local/var"
#endif
#ifndef RUNSTATEDIR
#define RUNSTATEDIR LOCALSTATEDIR "/run"
#endif

/* One setting. parse returns NULL or what a value should look like; it may be called again, for an option. */
struct key {
	const char *name;
	const char *preset;             /* NULL: none */
	const char *(*parse)(void *at, const char *value);
	size_t      at;                 /* offset in struct conf */
	enum { LIVE, FIXED, LATER } when;       /* changes at HUP; only at a start; has no effect yet */
};

static const char *
parse_text(void *at, const char *value)
{
	char **text = at, *copy = strdup(value);
	if (copy == NULL)
		return "more memory";
	free(*text);
	*text = copy;
	return NULL;
}

static const char *
parse_name(void *at, const char *value)
{
	return ring_name_ok(value) ? parse_text(at, value) : "a member's name (a letter, then up to 15 of A-Za-z0-9_-)";
}

static const char *
parse_path(void *at, const char *value)
{
	return parse_text(at, value);   /* made absolute in finish */
}

static const char *
parse_ms(void *at, const char *value)
{
	int64_t ms;
	if (!text_seconds(value, &ms) || ms < 1 || ms > INT64_C(366) * 86400 * 1000)
		return "seconds, 0.001 to a year";
	memcpy(at, &ms, sizeof ms);
	return NULL;
}

static const char *
parse_bytes(void *at, const char *value)
{
	int64_t n;
	if (!text_bytes(value, &n) || n < 64 * 1024 || n > INT64_C(1) << 50)
		return "bytes, at least 64K, like 512K, 64M or 1G";
	memcpy(at, &n, sizeof n);
	return NULL;
}

static const char *
parse_count(void *at, const char *value)
{
	int64_t n = 0;
	if (strcmp(value, "none") != 0 && !text_int(value, 1, 1000000, &n))
		return "a number from 1 to 1000000, or none";
	memcpy(at, &n, sizeof n);
	return NULL;
}

static const char *
parse_rule(void *at, const char *value)
{
	int64_t rule = strcmp(value, "v0.2") == 0 ? ROUTE_V02 : ROUTE_V022;
	if (rule == ROUTE_V022 && strcmp(value, "v0.2.2") != 0)
		return "v0.2.2 or v0.2";
	memcpy(at, &rule, sizeof rule);
	return NULL;
}

enum { LEVEL_MAJORITY = -1, LEVEL_ALL = -2 };

bool
conf_ack(const char *text, int *level)
{
	int64_t n;
	if (strcmp(text, "majority") == 0)
		*level = LEVEL_MAJORITY;
	else if (strcmp(text, "all") == 0)
		*level = LEVEL_ALL;
	else if (text[0] != '0' && text_int(text, 1, RING_MAX, &n))
		*level = (int)n;
	else
		return false;
	return true;
}

int
conf_level(int level, int size)
{
	if (level == LEVEL_MAJORITY)
		return size / 2 + 1;
	return level == LEVEL_ALL || level > size ? size : level;
}

static const char *
parse_ack(void *at, const char *value)
{
	int level;
	return conf_ack(value, &level) ? parse_text(at, value) : "a number from 1 to the ring's size, majority or all";
}

static const char *
parse_sync(void *at, const char *value)
{
	int64_t ms;
	if (strcmp(value, "none") != 0 && strcmp(value, "always") != 0 && !text_seconds(value, &ms))
		return "none, always or seconds";
	return parse_text(at, value);
}

static const char *
parse_never(void *at, const char *value)
{
	(void)at;
	(void)value;
	return "not set: this version cannot check a secret, and will not pretend to";
}

static const char *
parse_listen(void *at, const char *value)
{
	struct conf_listen *l = at;
	static const char form[] = "up to 8 of ADDRESS:PORT or [V6]:PORT, separated by blanks";
	char *copy = strdup(value), *rest = copy, *word;
	if (copy == NULL)
		return "more memory";
	memset(l, 0, sizeof *l);
	bool good = true;
	while (good && (word = text_word(&rest)) != NULL) {
		uint16_t port = 0;
		/* Port 0 is for tests: the kernel chooses, and error.log tells. */
		char *zero = strrchr(word, ':');
		bool v6 = zero != NULL && zero != strchr(word, ':') && zero[-1] != ']';
		if (zero != NULL && !v6 && strcmp(zero, ":0") == 0)
			*zero = '\0';
		else
			zero = NULL;
		good = l->count < CONF_LISTEN && net_split(word, l->host[l->count], &port) && (port != 0 || zero != NULL);
		if (good)
			l->port[l->count++] = port;
	}
	good &= l->count > 0;
	free(copy);
	return good ? NULL : form;
}

static const char *
parse_allow(void *at, const char *value)
{
	struct conf_allow *a = at;
	char *copy = strdup(value), *rest = copy, *word;
	if (copy == NULL)
		return "more memory";
	memset(a, 0, sizeof *a);
	bool good = true;
	while (good && (word = text_word(&rest)) != NULL) {
		if (strcmp(word, "ring") == 0)
			a->ring = true;
		else
			good = a->count < CONF_RANGES && cidr_parse(word, &a->range[a->count++]);
	}
	free(copy);
	return good ? NULL : "up to 64 of ADDRESS, ADDRESS/BITS, ring or any, separated by blanks";
}

#define AT(field) offsetof(struct conf, field)
static const struct key keys[] = {
	{ "member", NULL, parse_name, AT(member), FIXED },
	{ "ring", SYSCONFDIR "/zog/ring", parse_path, AT(ring_file), LIVE },
	{ "log-dir", LOCALSTATEDIR "/log/zog", parse_path, AT(log_dir), FIXED },
	{ "state-dir", LOCALSTATEDIR "/lib/zog", parse_path, AT(state_dir), FIXED },
	{ "control", RUNSTATEDIR "/zog/zogd.sock", parse_path, AT(control), LATER },
	{ "pidfile", NULL, parse_path, AT(pidfile), FIXED },
	{ "user", NULL, parse_text, AT(user), FIXED },
	{ "group", NULL, parse_text, AT(group), FIXED },
	{ "listen-peers", NULL, parse_listen, AT(listen_peers), FIXED },
	{ "listen-clients", NULL, parse_listen, AT(listen_clients), FIXED },
	{ "allow-clients", "127.0.0.0/8 ::1/128 ring", parse_allow, AT(allow_clients), LIVE },
	{ "secret-file", NULL, parse_never, 0, FIXED },
	{ "forwarding", "v0.2.2", parse_rule, AT(forwarding), LIVE },
	{ "ack", "1", parse_ack, AT(ack), LIVE },
	{ "ack-timeout", "10", parse_ms, AT(ack_timeout_ms), LIVE },
	{ "keep-alive", "300", parse_ms, AT(keep_alive_ms), LIVE },
	{ "reconnect-min", "0.2", parse_ms, AT(reconnect_min_ms), LIVE },
	{ "reconnect-max", "60", parse_ms, AT(reconnect_max_ms), LIVE },
	{ "peer-timeout", "5", parse_ms, AT(peer_timeout_ms), LIVE },
	{ "digest-interval", "0.2", parse_ms, AT(digest_ms), LIVE },
	{ "gap-timeout", "60", parse_ms, AT(gap_ms), LIVE },
	{ "queue-limit", "64M", parse_bytes, AT(queue_limit), LIVE },
	{ "log-queue-limit", "16M", parse_bytes, AT(log_queue_limit), FIXED },
	{ "journal-limit", "1G", parse_bytes, AT(journal_limit), LIVE },
	{ "journal-segment", "64M", parse_bytes, AT(journal_segment), LIVE },
	{ "sync", "1", parse_sync, AT(sync), LIVE },
	{ "remember-clients", "65536", parse_count, AT(remember_clients), FIXED },
	{ "max-clients", "4096", parse_count, AT(max_clients), LIVE },
	{ "max-clients-per-address", "none", parse_count, AT(max_clients_per_address), LIVE },
	{ "client-idle-timeout", "900", parse_ms, AT(client_idle_ms), LIVE },
	{ "drain-timeout", "5", parse_ms, AT(drain_ms), LIVE },
	{ "bad-lines", "10", parse_count, AT(bad_lines), FIXED },
};
enum { KEYS = sizeof keys / sizeof *keys };

/* What a line of the file, or an option, is called in an error. */
struct place {
	const char *file;
	int         line;       /* 0: file is all there is to say */
};

static void
complain(struct buf *errors, const struct place *at, const char *what, const char *word, const char *more)
{
	buf_puts(errors, at->file);
	if (at->line != 0)
		buf_printf(errors, ":%d", at->line);
	buf_printf(errors, ": %s", what);
	if (word != NULL) {
		buf_puts(errors, " '");
		escape(errors, word, strlen(word), 60);
		buf_puts(errors, "'");
	}
	buf_printf(errors, "%s\n", more);
}

static const struct key *
find_key(const char *name)
{
	for (int i = 0; i < KEYS; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static void
complain_unknown(struct buf *errors, const struct place *at, const char *name)
{
	int best = 4;           /* letters apart; further is no help */
	char more[80] = "";
	for (int i = 0; i < KEYS; i++) {
		int d = text_distance(name, keys[i].name);
		if (d >= best)
			continue;
		best = d;
		snprintf(more, sizeof more, " (did you mean '%s'?)", keys[i].name);
	}
	complain(errors, at, "unknown key", name, more);
}

/* One "key = value", its text cut up on the way. seen: the lines on which each key stood before, NULL for options. */
static bool
set(struct conf *c, const struct place *at, char *text, int seen[KEYS], struct buf *errors, struct buf *notes)
{
	char *equals = strchr(text, '='), more[160];
	if (equals == NULL) {
		complain(errors, at, "no '=' in", text, "");
		return false;
	}
	*equals = '\0';
	char *name = text_trim(text), *value = text_trim(equals + 1);
	const struct key *k = find_key(name);
	if (k == NULL) {
		complain_unknown(errors, at, name);
		return false;
	}
	if (seen != NULL && seen[k - keys] != 0) {
		snprintf(more, sizeof more, " is here for the second time (line %d has it)", seen[k - keys]);
		complain(errors, at, "key", name, more);
		return false;
	}
	if (seen != NULL)
		seen[k - keys] = at->line;
	const char *wanted = *value == '\0' ? "not empty" : k->parse((char *)c + k->at, value);
	if (wanted != NULL) {
		snprintf(more, sizeof more, ": %s should be %s", k->name, wanted);
		complain(errors, at, "bad value", value, more);
		return false;
	}
	if (k->when == LATER && notes != NULL && strcmp(name, "control") != 0)
		complain(notes, at, "key", name, " has no effect yet in this version");
	return true;
}

static bool
load_file(struct conf *c, const struct conf_source *from, struct buf *errors, struct buf *notes)
{
	const char *file = from->file;
	size_t len = 0;
	char *text = text_slurp(file, 1 << 20, &len), *rest = text, *line;
	if (text == NULL) {
		if (errno == ENOENT && from->may_lack)
			return true;
		buf_printf(errors, "%s: %s\n", file, strerror(errno));
		return false;
	}
	int seen[KEYS] = { 0 };
	bool good = true;
	struct place at = { file, 0 };
	while ((line = text_line(&rest)) != NULL) {
		at.line++;
		char *hash = strchr(line, '#');
		if (hash != NULL)
			*hash = '\0';
		line = text_trim(line);
		if (*line != '\0')
			good &= set(c, &at, line, seen, errors, notes);
	}
	if ((size_t)(rest - text) != len) {
		complain(errors, &at, "NUL byte in or after this line", NULL, "");
		good = false;
	}
	free(text);
	return good;
}

static bool
load_options(struct conf *c, const struct conf_source *from, struct buf *errors, struct buf *notes)
{
	bool good = true;
	for (int i = 0; i < from->count; i++) {
		const char *option = from->options[i];
		char *copy = strdup(option), at_text[80];
		struct buf shown = BUF_INIT;
		if (copy == NULL)
			return false;
		escape(&shown, option, strlen(option), 60);
		snprintf(at_text, sizeof at_text, "-o %.*s", (int)shown.len, shown.data != NULL ? shown.data : "");
		buf_fini(&shown);
		struct place at = { at_text, 0 };
		good &= set(c, &at, copy, NULL, errors, notes);
		free(copy);
	}
	return good;
}

static bool
make_absolute(char **path, const char *dir)
{
	char *whole;
	if (*path == NULL || **path == '/' || dir == NULL)
		return true;
	if (asprintf(&whole, "%s/%s", dir, *path) < 0)
		return false;
	free(*path);
	*path = whole;
	return true;
}

static bool
default_member(struct conf *c)
{
	char host[256];
	if (gethostname(host, sizeof host) < 0)
		host[0] = '\0';
	host[sizeof host - 1] = '\0';
	host[strcspn(host, ".")] = '\0';
	c->member = strdup(host);
	return c->member != NULL;
}

/* v0.2 sends on to the sender's +3 and +4: it needs a short ring, and members that can be told apart. */
static bool
check_v02(const struct conf *c, const char *file, struct buf *errors)
{
	const struct ring *r = &c->ring;
	if (r->size > ROUTE_V02_MAX) {
		buf_printf(errors, "%s: forwarding v0.2 reaches at most %d members, the ring has %d: use v0.2.2\n", file,
		    ROUTE_V02_MAX, r->size);
		return false;
	}
	for (int i = 0; i < r->size; i++) {
		for (int j = 0; j < i; j++) {
			if (strcmp(r->member[i].host, r->member[j].host) != 0)
				continue;
			buf_printf(errors, "%s: forwarding v0.2 tells members by their addresses, and %s and %s share one\n",
			    c->ring_file, r->member[j].name, r->member[i].name);
			return false;
		}
	}
	return true;
}

/* What only all settings together can tell. */
static bool
finish(struct conf *c, const struct conf_source *from, struct buf *errors, struct buf *notes)
{
	const char *file = from->file != NULL ? from->file : "-o";
	for (int i = 0; i < KEYS; i++)
		if (keys[i].parse == parse_path && !make_absolute((char **)(void *)((char *)c + keys[i].at), from->dir))
			return false;
	if (c->member == NULL && !default_member(c))
		return false;
	bool good = true;
	if (c->reconnect_min_ms > c->reconnect_max_ms) {
		buf_printf(errors, "%s: reconnect-min is over reconnect-max\n", file);
		good = false;
	}
	if (!ring_read(&c->ring, c->ring_file, errors))
		return false;
	c->self = ring_find(&c->ring, c->member);
	if (c->self < 0) {
		buf_printf(errors, "%s: member '", c->ring_file);
		escape(errors, c->member, strlen(c->member), 60);
		buf_printf(errors, "' is not in the ring (set member = NAME)\n");
		good = false;
	}
	int level;
	if (conf_ack(c->ack, &level) && level > c->ring.size) {
		buf_printf(errors, "%s: ack = %s, and the ring has %d members\n", file, c->ack, c->ring.size);
		good = false;
	}
	/* A member that gave a message up counts as having it: that must come later than any client waits. */
	if (c->ack_timeout_ms >= c->gap_ms && notes != NULL)
		buf_printf(notes, "%s: ack-timeout is not below gap-timeout: a message may be settled by members that gave it up\n",
		    file);
	if (c->forwarding == ROUTE_V02)
		good &= check_v02(c, file, errors);
	return good;
}

bool
conf_load(struct conf *c, const struct conf_source *from, struct buf *errors, struct buf *notes)
{
	memset(c, 0, sizeof *c);
	bool good = true;
	for (int i = 0; i < KEYS; i++) {
		const char *wanted = keys[i].preset == NULL ? NULL : keys[i].parse((char *)c + keys[i].at, keys[i].preset);
		if (wanted != NULL) {
			buf_printf(errors, "%s: default %s: should be %s\n", keys[i].name, keys[i].preset, wanted);
			return false;
		}
	}
	if (from->file != NULL)
		good &= load_file(c, from, errors, notes);
	good &= load_options(c, from, errors, notes);
	good &= finish(c, from, errors, notes);
	return good;
}

void
conf_fini(struct conf *c)
{
	free(c->member);
	free(c->ring_file);
	free(c->log_dir);
	free(c->state_dir);
	free(c->control);
	free(c->pidfile);
	free(c->user);
	free(c->group);
	free(c->ack);
	free(c->sync);
	memset(c, 0, sizeof *c);
}

static void
print_listen(const struct conf_listen *l, struct buf *out)
{
	for (int i = 0; i < l->count; i++)
		buf_printf(out, strchr(l->host[i], ':') ? "%s[%s]:%d" : "%s%s:%d", i != 0 ? " " : "", l->host[i], l->port[i]);
	if (l->count == 0)
		buf_puts(out, "the member's own address");
}

static void
print_allow(const struct conf_allow *a, struct buf *out)
{
	for (int i = 0; i < a->count; i++) {
		struct addr addr = { .ss = { .ss_family = 0 } };
		const struct cidr *r = &a->range[i];
		char host[ADDR_TEXT];
		addr_from_bytes(&addr, r->family, r->bytes);
		addr_host_text(&addr, host);
		if (r->family == AF_UNSPEC)
			buf_puts(out, "any ");
		else
			buf_printf(out, "%s/%d ", host, r->bits);
	}
	buf_puts(out, a->ring ? "ring" : "");
}

static void
print_value(const struct conf *c, const struct key *k, struct buf *out)
{
	const void *at = (const char *)c + k->at;
	int64_t n;
	memcpy(&n, at, sizeof n);
	if (k->parse == parse_ms)
		buf_printf(out, "%lld.%03d", (long long)(n / 1000), (int)(n % 1000));
	else if (k->parse == parse_bytes)
		buf_printf(out, "%lld", (long long)n);
	else if (k->parse == parse_count)
		n != 0 ? buf_printf(out, "%lld", (long long)n) : buf_puts(out, "none");
	else if (k->parse == parse_rule)
		buf_puts(out, n == ROUTE_V02 ? "v0.2" : "v0.2.2");
	else if (k->parse == parse_listen)
		print_listen(at, out);
	else if (k->parse == parse_allow)
		print_allow(at, out);
	else if (k->parse == parse_never)
		buf_puts(out, "none");
	else
		buf_puts(out, *(char *const *)at != NULL ? *(char *const *)at : "none");
}

void
conf_print(const struct conf *c, struct buf *out)
{
	for (int i = 0; i < KEYS; i++) {
		buf_printf(out, "%s = ", keys[i].name);
		print_value(c, &keys[i], out);
		buf_puts(out, "\n");
	}
}

void
conf_fixed_changes(const struct conf *running, const struct conf *wanted, struct buf *names)
{
	struct buf a = BUF_INIT, b = BUF_INIT;
	for (int i = 0; i < KEYS; i++) {
		if (keys[i].when != FIXED)
			continue;
		buf_clear(&a);
		buf_clear(&b);
		print_value(running, &keys[i], &a);
		print_value(wanted, &keys[i], &b);
		if (a.len != b.len || memcmp(buf_begin(&a), buf_begin(&b), a.len) != 0)
			buf_printf(names, "%s%s", names->len != 0 ? " " : "", keys[i].name);
	}
	const struct member *x = &running->ring.member[running->self], *y = &wanted->ring.member[wanted->self];
	if (strcmp(x->host, y->host) != 0 || x->peer_port != y->peer_port || x->client_port != y->client_port)
		buf_printf(names, "%sthe member's own address", names->len != 0 ? " " : "");
	buf_fini(&a);
	buf_fini(&b);
}
