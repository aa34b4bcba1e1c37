/* SPDX-License-Identifier: MIT
 * conf_keys.c - each setting by itself: its name, its default, what its value looks like, and how it is shown. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "daemon/conf_private.h"
#include "daemon/sandbox.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/usr/local/etc"
#endif
#ifndef LOCALSTATEDIR
#define LOCALSTATEDIR "/usr/local/var"
#endif
#ifndef RUNSTATEDIR
#define RUNSTATEDIR LOCALSTATEDIR "/run"
#endif

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
	return parse_text(at, value);   /* made absolute when all is read */
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
parse_yes(void *at, const char *value)
{
	int64_t yes = strcmp(value, "yes") == 0;
	if (yes == 0 && strcmp(value, "no") != 0)
		return "yes or no";
	memcpy(at, &yes, sizeof yes);
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

/* A path, or none (off is the same word). */
static const char *
parse_path_or_none(void *at, const char *value)
{
	char **text = at;
	if (strcmp(value, "none") != 0 && strcmp(value, "off") != 0)
		return parse_text(at, value);
	free(*text);
	*text = NULL;
	return NULL;
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
const struct key conf_keys[] = {
	{ "member", NULL, parse_name, AT(member), FIXED },
	{ "ring", SYSCONFDIR "/zog/ring", parse_path, AT(ring_file), LIVE },
	{ "log-dir", LOCALSTATEDIR "/log/zog", parse_path, AT(log_dir), FIXED },
	{ "state-dir", LOCALSTATEDIR "/lib/zog", parse_path, AT(state_dir), FIXED },
	{ "control", RUNSTATEDIR "/zog/zogd.sock", parse_path_or_none, AT(control), FIXED },
	{ "pidfile", NULL, parse_path, AT(pidfile), FIXED },
	{ "user", NULL, parse_text, AT(user), FIXED },
	{ "group", NULL, parse_text, AT(group), FIXED },
	{ "listen-peers", NULL, parse_listen, AT(listen_peers), FIXED },
	{ "listen-clients", NULL, parse_listen, AT(listen_clients), FIXED },
	{ "allow-clients", "127.0.0.0/8 ::1/128 ring", parse_allow, AT(allow_clients), LIVE },
	{ "allow-peers", "ring", parse_allow, AT(allow_peers), LIVE },
	{ "secret-file", NULL, parse_path_or_none, AT(secret_file), FIXED },
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
	{ "seccomp", SANDBOX_PRESET, parse_yes, AT(seccomp), FIXED },
	{ "landlock", SANDBOX_PRESET, parse_yes, AT(landlock), FIXED },
};

/* ---- showing ---- */

char **
conf_path(struct conf *c, const struct key *k)
{
	return k->parse == parse_path || k->parse == parse_path_or_none ? (char **)(void *)((char *)c + k->at) : NULL;
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

void
conf_print_value(const struct conf *c, const struct key *k, struct buf *out)
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
	else if (k->parse == parse_yes)
		buf_puts(out, n != 0 ? "yes" : "no");
	else if (k->parse == parse_rule)
		buf_puts(out, n == ROUTE_V02 ? "v0.2" : "v0.2.2");
	else if (k->parse == parse_listen)
		print_listen(at, out);
	else if (k->parse == parse_allow)
		print_allow(at, out);
	else
		buf_puts(out, *(char *const *)at != NULL ? *(char *const *)at : "none");
}
