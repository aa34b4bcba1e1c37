/* SPDX-License-Identifier: MIT
 * conf.c - the file, the options, and what only all settings together can tell. The settings themselves: conf_keys.c. */
#include "daemon/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/text.h"
#include "daemon/conf_private.h"
#include "daemon/secret.h"

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
	for (int i = 0; i < CONF_KEYS; i++)
		if (strcmp(conf_keys[i].name, name) == 0)
			return &conf_keys[i];
	return NULL;
}

static void
complain_unknown(struct buf *errors, const struct place *at, const char *name)
{
	int best = 4;           /* letters apart; further is no help */
	char more[80] = "";
	for (int i = 0; i < CONF_KEYS; i++) {
		int d = text_distance(name, conf_keys[i].name);
		if (d >= best)
			continue;
		best = d;
		snprintf(more, sizeof more, " (did you mean '%s'?)", conf_keys[i].name);
	}
	complain(errors, at, "unknown key", name, more);
}

/* One "key = value", its text cut up on the way. seen: the lines on which each key stood before, NULL for options. */
static bool
set(struct conf *c, const struct place *at, char *text, int seen[CONF_KEYS], struct buf *errors)
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
	if (seen != NULL && seen[k - conf_keys] != 0) {
		snprintf(more, sizeof more, " is here for the second time (line %d has it)", seen[k - conf_keys]);
		complain(errors, at, "key", name, more);
		return false;
	}
	if (seen != NULL)
		seen[k - conf_keys] = at->line;
	const char *wanted = *value == '\0' ? "not empty" : k->parse((char *)c + k->at, value);
	if (wanted != NULL) {
		snprintf(more, sizeof more, ": %s should be %s", k->name, wanted);
		complain(errors, at, "bad value", value, more);
		return false;
	}
	return true;
}

static bool
load_file(struct conf *c, const struct conf_source *from, struct buf *errors)
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
	int seen[CONF_KEYS] = { 0 };
	bool good = true;
	struct place at = { file, 0 };
	while ((line = text_line(&rest)) != NULL) {
		at.line++;
		char *hash = strchr(line, '#');
		if (hash != NULL)
			*hash = '\0';
		line = text_trim(line);
		if (*line != '\0')
			good &= set(c, &at, line, seen, errors);
	}
	if ((size_t)(rest - text) != len) {
		complain(errors, &at, "NUL byte in or after this line", NULL, "");
		good = false;
	}
	free(text);
	return good;
}

static bool
load_options(struct conf *c, const struct conf_source *from, struct buf *errors)
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
		good &= set(c, &at, copy, NULL, errors);
		free(copy);
	}
	return good;
}

/* NULL: it is none. */
static bool
make_absolute(char **path, const char *dir)
{
	char *whole;
	if (path == NULL || *path == NULL || **path == '/' || dir == NULL)
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
	for (int i = 0; i < CONF_KEYS; i++)
		if (!make_absolute(conf_path(c, &conf_keys[i]), from->dir))
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
	if (c->secret_file != NULL)
		good &= (c->secrets = secrets_read(c->secret_file, errors)) != NULL;
	else if (notes != NULL && (c->allow_peers.count != 0 || !c->allow_peers.ring))
		buf_printf(notes, "%s: allow-peers has no effect without secret-file: a peer is known by its address\n", file);
	return good;
}

bool
conf_load(struct conf *c, const struct conf_source *from, struct buf *errors, struct buf *notes)
{
	memset(c, 0, sizeof *c);
	bool good = true;
	for (const struct key *k = conf_keys; k < conf_keys + CONF_KEYS; k++) {
		const char *wanted = k->preset == NULL ? NULL : k->parse((char *)c + k->at, k->preset);
		if (wanted != NULL) {
			buf_printf(errors, "%s: default %s: should be %s\n", k->name, k->preset, wanted);
			return false;
		}
	}
	if (from->file != NULL)
		good &= load_file(c, from, errors);
	good &= load_options(c, from, errors);
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
	free(c->secret_file);
	secrets_free(&c->secrets);
	memset(c, 0, sizeof *c);
}

void
conf_print(const struct conf *c, struct buf *out)
{
	for (int i = 0; i < CONF_KEYS; i++) {
		buf_printf(out, "%s = ", conf_keys[i].name);
		conf_print_value(c, &conf_keys[i], out);
		buf_puts(out, "\n");
	}
}

void
conf_fixed_changes(const struct conf *running, const struct conf *wanted, struct buf *names)
{
	struct buf a = BUF_INIT, b = BUF_INIT;
	for (int i = 0; i < CONF_KEYS; i++) {
		if (conf_keys[i].when != FIXED)
			continue;
		buf_clear(&a);
		buf_clear(&b);
		conf_print_value(running, &conf_keys[i], &a);
		conf_print_value(wanted, &conf_keys[i], &b);
		if (a.len != b.len || memcmp(buf_begin(&a), buf_begin(&b), a.len) != 0)
			buf_printf(names, "%s%s", names->len != 0 ? " " : "", conf_keys[i].name);
	}
	const struct member *x = &running->ring.member[running->self], *y = &wanted->ring.member[wanted->self];
	if (strcmp(x->host, y->host) != 0 || x->peer_port != y->peer_port || x->client_port != y->client_port)
		buf_printf(names, "%sthe member's own address", names->len != 0 ? " " : "");
	buf_fini(&a);
	buf_fini(&b);
}
