/* SPDX-License-Identifier: MIT
 * check_conf_values.c - each key by itself: what it takes and refuses, its default, its field. */
#include "daemon/conf.h"

#include <sched.h>

#include "conf_rig.h"
#include "daemon/sandbox.h"
#include "unit.h"

/* ---- values ---- */

static const char *const seconds_keys[] = { "ack-timeout", "keep-alive", "reconnect-max", "peer-timeout", "digest-interval",
	"gap-timeout", "client-idle-timeout", "drain-timeout" };
static const char *const bytes_keys[] = { "queue-limit", "log-queue-limit", "journal-limit", "journal-segment" };
static const char *const count_keys[] = { "remember-clients", "max-clients", "max-clients-per-address",
	"bad-lines" };
static const char *const path_keys[] = { "log-dir", "state-dir", "control", "pidfile" };
static const char *const listen_keys[] = { "listen-peers", "listen-clients" };

/* shown: what conf_print makes of a good value; wanted: what is said of a bad one. */
struct value {
	const char *text, *shown, *wanted;
};

static void
try_value(const char *key, const struct value *v)
{
	char line[1024], got[1024], want[1024];
	snprintf(line, sizeof line, "%s = %s\n", key, v->text);
	load_with(line);
	if (v->shown != NULL) {
		assert_errors("");
		printed(key, got, sizeof got);
		ck_assert_msg(strcmp(got, v->shown) == 0, "%s = %s is printed as '%s', not '%s'", key, v->text, got, v->shown);
	} else {
		snprintf(want, sizeof want, "$F:3: bad value '%.60s%s': %s should be %s\n", v->text,
		    strlen(v->text) > 60 ? "..." : "", key, *v->text != '\0' ? v->wanted : "not empty");
		assert_errors(want);
	}
	/* As an option it is the same. */
	char option[1024];
	snprintf(option, sizeof option, "%s=%s", key, v->text);
	t.options[0] = option;
	t.count = 1;
	load_with("");
	ck_assert_int_eq(t.good, v->shown != NULL);
	if (v->shown == NULL) {
		char shown[100];
		snprintf(shown, sizeof shown, strlen(option) > 60 ? "-o %.60s..." : "-o %s", option);
		/* The place is shown cut where it is long; what is wrong stands behind it. */
		ck_assert_int_eq(strncmp(unit_text(&t.errors), shown, strlen(shown)), 0);
		ck_assert_ptr_nonnull(strstr(unit_text(&t.errors), ": bad value '"));
	}
	t.count = 0;
}

static void
try_values(const char *const *keys, size_t n, const struct value *v, size_t values)
{
	begin();
	for (size_t k = 0; k < n; k++)
		for (size_t i = 0; i < values; i++)
			try_value(keys[k], &v[i]);
	end();
}
#define TRY_KEYS(keys, values) try_values(keys, UNIT_COUNT(keys), values, UNIT_COUNT(values))
#define TRY_KEY(key, values) try_values((const char *const[]){ key }, 1, values, UNIT_COUNT(values))

START_TEST(values_in_seconds)
{
	static const struct value values[] = {
		{ "0.2", "0.200", NULL }, { "0.25", "0.250", NULL }, { "300", "300.000", NULL },
		{ "31622400", "31622400.000", NULL },
		{ "0", NULL, SECONDS }, { "0.0009", NULL, SECONDS }, { "31622400.001", NULL, SECONDS }, { "-1", NULL, SECONDS },
		{ "5s", NULL, SECONDS }, { "1 2", NULL, SECONDS }, { "none", NULL, SECONDS },
		{ "99999999999999999999", NULL, SECONDS }, { "", NULL, SECONDS },
	};
	TRY_KEYS(seconds_keys, values);
	static const struct value least[] = {
		{ "0.001", "0.001", NULL }, { "60", "60.000", NULL }, { "0", NULL, SECONDS }, { "x", NULL, SECONDS },
	};
	TRY_KEY("reconnect-min", least);
}
END_TEST

START_TEST(values_in_bytes)
{
	static const struct value values[] = {
		{ "64K", "65536", NULL }, { "65536", "65536", NULL }, { "64m", "67108864", NULL }, { "2G", "2147483648", NULL },
		{ "1048576G", "1125899906842624", NULL },
		{ "1048577G", NULL, BYTES }, { "65535", NULL, BYTES }, { "63K", NULL, BYTES }, { "0", NULL, BYTES },
		{ "-1", NULL, BYTES }, { "64 K", NULL, BYTES }, { "64KB", NULL, BYTES }, { "none", NULL, BYTES }, { "", NULL, BYTES },
	};
	TRY_KEYS(bytes_keys, values);
}
END_TEST

START_TEST(values_that_count)
{
	static const struct value values[] = {
		{ "1", "1", NULL }, { "1000000", "1000000", NULL }, { "none", "none", NULL },
		{ "0", NULL, COUNT }, { "1000001", NULL, COUNT }, { "-1", NULL, COUNT }, { "None", NULL, COUNT },
		{ "1.5", NULL, COUNT }, { "", NULL, COUNT },
	};
	TRY_KEYS(count_keys, values);
}
END_TEST

START_TEST(values_to_choose_from)
{
	static const struct value rules[] = {
		{ "v0.2.2", "v0.2.2", NULL }, { "v0.2", "v0.2", NULL },
		{ "v0.2.1", NULL, "v0.2.2 or v0.2" }, { "0.2", NULL, "v0.2.2 or v0.2" }, { "V0.2", NULL, "v0.2.2 or v0.2" },
		{ "", NULL, "" },
	};
	TRY_KEY("forwarding", rules);
	static const struct value acks[] = {
		{ "1", "1", NULL }, { "3", "3", NULL }, { "majority", "majority", NULL }, { "all", "all", NULL },
		{ "0", NULL, ACK }, { "65", NULL, ACK }, { "-1", NULL, ACK }, { "01x", NULL, ACK }, { "Majority", NULL, ACK },
		{ "most", NULL, ACK }, { "1.5", NULL, ACK }, { "99999999999999999999", NULL, ACK }, { "", NULL, ACK },
	};
	TRY_KEY("ack", acks);
	static const struct value syncs[] = {
		{ "none", "none", NULL }, { "always", "always", NULL }, { "1", "1", NULL }, { "0.5", "0.5", NULL },
		{ "never", NULL, "none, always or seconds" }, { "-1", NULL, "none, always or seconds" }, { "", NULL, "" },
	};
	TRY_KEY("sync", syncs);
}
END_TEST

START_TEST(values_that_are_text)
{
	static const struct value names[] = {
		{ "la", "la", NULL }, { "lg", "lg", NULL },
		{ "l a", NULL, NAME }, { "9", NULL, NAME }, { "seventeen-letters", NULL, NAME }, { "la.example.org", NULL, NAME },
		{ "", NULL, NAME },
	};
	/* member stands in load_with already: here it stands alone. */
	begin();
	for (size_t i = 0; i < UNIT_COUNT(names); i++) {
		char text[200], want[300], got[100];
		snprintf(text, sizeof text, "ring = ring\nmember = %s\n", names[i].text);
		load(text);
		if (names[i].shown != NULL) {
			assert_errors("");
			printed("member", got, sizeof got);
			ck_assert_str_eq(got, names[i].shown);
			continue;
		}
		snprintf(want, sizeof want, "$F:2: bad value '%s': member should be %s\n", names[i].text,
		    *names[i].text != '\0' ? NAME : "not empty");
		expand(want, text, sizeof text);
		ck_assert_int_eq(strncmp(unit_text(&t.errors), text, strlen(text)), 0);
		ck_assert(!t.good);
	}
	end();
	static const struct value accounts[] = { { "zog", "zog", NULL }, { "1000", "1000", NULL }, { "", NULL, "" } };
	TRY_KEY("user", accounts);
	TRY_KEY("group", accounts);
	static const struct value paths[] = { { "/a/b c", "/a/b c", NULL }, { "/", "/", NULL }, { "", NULL, "" } };
	TRY_KEYS(path_keys, paths);
}
END_TEST

START_TEST(values_to_listen_on)
{
	static const struct value values[] = {
		{ "127.0.0.1:55551", "127.0.0.1:55551", NULL }, { "[::1]:1", "[::1]:1", NULL }, { "la:65535", "la:65535", NULL },
		{ "127.0.0.1:0", "127.0.0.1:0", NULL }, { "[::1]:0", "[::1]:0", NULL },
		{ "a:1 [::]:2\t c:3", "a:1 [::]:2 c:3", NULL },
		{ "a:1 a:2 a:3 a:4 a:5 a:6 a:7 a:8", "a:1 a:2 a:3 a:4 a:5 a:6 a:7 a:8", NULL },
		{ "a:1 a:2 a:3 a:4 a:5 a:6 a:7 a:8 a:9", NULL, LISTEN },
		{ "127.0.0.1", NULL, LISTEN }, { "[::1]", NULL, LISTEN }, { "::1", NULL, LISTEN }, { "1::2:0", NULL, LISTEN },
		{ ":55551", NULL, LISTEN }, { "55551", NULL, LISTEN }, { "a:", NULL, LISTEN }, { "a:65536", NULL, LISTEN },
		{ "a:x", NULL, LISTEN }, { "a:1,b:2", NULL, LISTEN }, { "a:1 b", NULL, LISTEN }, { ":0", NULL, LISTEN },
		{ "", NULL, LISTEN },
	};
	TRY_KEYS(listen_keys, values);
}
END_TEST

START_TEST(values_of_who_may_send)
{
	static const struct value values[] = {
		{ "ring", "ring", NULL }, { "any ring", "any ring", NULL },
		{ "127.0.0.0/8 ::1/128 ring", "127.0.0.0/8 ::1/128 ring", NULL }, { "ring 10.0.0.1", "10.0.0.1/32 ring", NULL },
		{ "10.0.0.0/33", NULL, ALLOW }, { "la", NULL, ALLOW }, { "10.0.0.0/8,ring", NULL, ALLOW }, { "none", NULL, ALLOW },
		{ "ring any x", NULL, ALLOW }, { "", NULL, ALLOW },
	};
	TRY_KEY("allow-clients", values);

	/* How many. */
	begin();
	for (int n = 63; n <= 66; n++) {
		char line[2048] = "allow-clients = ring";
		for (int i = 0; i < n; i++)
			sprintf(line + strlen(line), " 10.0.0.%d", i);
		load_with(line);
		ck_assert_int_eq(t.good, n <= 64);
		if (t.good)
			ck_assert_int_eq(t.conf.allow_clients.count, n);
	}
	load_with("allow-clients = any");
	assert_errors("");
	ck_assert_int_eq(t.conf.allow_clients.count, 1);
	ck_assert_int_eq(t.conf.allow_clients.range[0].family, AF_UNSPEC);
	ck_assert(!t.conf.allow_clients.ring);
	end();
}
END_TEST

/* ---- defaults ---- */

START_TEST(defaults)
{
	begin();
	load_with("");
	assert_errors("");
	assert_notes("");
	struct buf b = BUF_INIT;
	char want[4096];
	conf_print(&t.conf, &b);
	snprintf(want, sizeof want,
	    "member = la\n"
	    "ring = %s\n"
	    "log-dir = " LOCALSTATEDIR "/log/zog\n"
	    "state-dir = " LOCALSTATEDIR "/lib/zog\n"
	    "control = " RUNSTATEDIR "/zog/zogd.sock\n"
	    "pidfile = none\n"
	    "user = none\n"
	    "group = none\n"
	    "listen-peers = the member's own address\n"
	    "listen-clients = the member's own address\n"
	    "allow-clients = 127.0.0.0/8 ::1/128 ring\n"
	    "allow-peers = ring\n"
	    "secret-file = none\n"
	    "forwarding = v0.2.2\n"
	    "ack = 1\n"
	    "ack-timeout = 10.000\n"
	    "keep-alive = 300.000\n"
	    "reconnect-min = 0.200\n"
	    "reconnect-max = 60.000\n"
	    "peer-timeout = 5.000\n"
	    "digest-interval = 0.200\n"
	    "gap-timeout = 60.000\n"
	    "queue-limit = 67108864\n"
	    "log-queue-limit = 16777216\n"
	    "journal-limit = 1073741824\n"
	    "journal-segment = 67108864\n"
	    "sync = 1\n"
	    "remember-clients = 65536\n"
	    "max-clients = 4096\n"
	    "max-clients-per-address = none\n"
	    "client-idle-timeout = 900.000\n"
	    "drain-timeout = 5.000\n"
	    "bad-lines = 10\n"
	    "seccomp = " SANDBOX_PRESET "\n"
	    "landlock = " SANDBOX_PRESET "\n", t.ring);
	ck_assert_str_eq(unit_text(&b), want);
	buf_fini(&b);
	ck_assert_int_eq(t.conf.self, 0);
	ck_assert_int_eq(t.conf.ring.size, 3);
	end();
}
END_TEST

/* The ring file, too, has a place where it is looked for. */
START_TEST(default_ring)
{
	begin();
	load("member = la\n");
	if (!t.good)
		ck_assert_ptr_nonnull(strstr(unit_text(&t.errors), SYSCONFDIR "/zog/ring: "));
	ck_assert_str_eq(t.conf.ring_file, SYSCONFDIR "/zog/ring");
	end();
}
END_TEST

/* Who says nothing is the member of the host's name. */
START_TEST(default_member)
{
	char host[256], ring[400], want[1024];
	ck_assert_int_eq(gethostname(host, sizeof host), 0);
	host[sizeof host - 1] = '\0';
	host[strcspn(host, ".")] = '\0';
	begin();
	load("ring = ring\n");
	snprintf(want, sizeof want, "$R: member '%s' is not in the ring (set member = NAME)\n", host);
	if (strlen(host) <= 60 && strcmp(host, "la") != 0)
		assert_errors(want);
	if (ring_name_ok(host)) {
		snprintf(ring, sizeof ring, "x 127.0.0.1\n%s 127.0.0.2\n", host);
		unit_file_puts(t.dir, "ring", ring);
		load("ring = ring\n");
		assert_errors("");
		ck_assert_str_eq(t.conf.member, host);
		ck_assert_int_eq(t.conf.self, 1);
	}
	end();
}
END_TEST

/* Of a long host name the first part. In a place of its own, where we may name the host. */
START_TEST(default_member_of_a_long_name)
{
	if (!unit_forks() || unshare(CLONE_NEWUTS) < 0 || sethostname("lg.example.org", 14) < 0) {
		printf("skipped: default_member_of_a_long_name: the host cannot be named here\n");
		return;
	}
	begin();
	load("ring = ring\n");
	assert_errors("");
	ck_assert_str_eq(t.conf.member, "lg");
	ck_assert_int_eq(t.conf.self, 2);
	ck_assert_int_eq(sethostname("sm.example.org", 14), 0);
	load("ring = ring\n");
	assert_errors("$R: member 'sm' is not in the ring (set member = NAME)\n");
	end();
}
END_TEST

/* Each key sets its own field and no other. */
START_TEST(each_key_its_field)
{
	begin();
	load("member = lg\nring = ring\nlog-dir = /log\nstate-dir = /state\ncontrol = /control\npidfile = /pid\nuser = u\n"
	    "group = g\nlisten-peers = p:1\nlisten-clients = c:2 [::1]:3\nallow-clients = 10.0.0.0/8\nforwarding = v0.2\n"
	    "ack = majority\nack-timeout = 1\nkeep-alive = 2\nreconnect-min = 3\nreconnect-max = 4\npeer-timeout = 5\n"
	    "digest-interval = 6\ngap-timeout = 7\nqueue-limit = 65537\nlog-queue-limit = 65538\njournal-limit = 65539\n"
	    "journal-segment = 65540\nsync = always\nremember-clients = 13\nmax-clients = 8\nmax-clients-per-address = 9\n"
	    "client-idle-timeout = 10\ndrain-timeout = 11\nbad-lines = 12\nseccomp = no\nlandlock = no\n");
	assert_errors("");
	const struct conf *c = &t.conf;
	ck_assert_str_eq(c->member, "lg");
	ck_assert_int_eq(c->self, 2);
	ck_assert_str_eq(c->ring_file, t.ring);
	ck_assert_str_eq(c->log_dir, "/log");
	ck_assert_str_eq(c->state_dir, "/state");
	ck_assert_str_eq(c->control, "/control");
	ck_assert_str_eq(c->pidfile, "/pid");
	ck_assert_str_eq(c->user, "u");
	ck_assert_str_eq(c->group, "g");
	ck_assert_int_eq(c->listen_peers.count, 1);
	ck_assert_str_eq(c->listen_peers.host[0], "p");
	ck_assert_int_eq(c->listen_peers.port[0], 1);
	ck_assert_int_eq(c->listen_clients.count, 2);
	ck_assert_str_eq(c->listen_clients.host[1], "::1");
	ck_assert_int_eq(c->listen_clients.port[1], 3);
	ck_assert_int_eq(c->allow_clients.count, 1);
	ck_assert_int_eq(c->allow_clients.range[0].bits, 8);
	ck_assert(!c->allow_clients.ring);
	ck_assert_int_eq(c->forwarding, ROUTE_V02);
	ck_assert_str_eq(c->ack, "majority");
	ck_assert_str_eq(c->sync, "always");
	const int64_t ms[] = { c->ack_timeout_ms, c->keep_alive_ms, c->reconnect_min_ms, c->reconnect_max_ms,
	    c->peer_timeout_ms, c->digest_ms, c->gap_ms };
	for (size_t i = 0; i < UNIT_COUNT(ms); i++)
		ck_assert_int_eq(ms[i], (int64_t)(i + 1) * 1000);
	const int64_t bytes[] = { c->queue_limit, c->log_queue_limit, c->journal_limit, c->journal_segment };
	for (size_t i = 0; i < UNIT_COUNT(bytes); i++)
		ck_assert_int_eq(bytes[i], 65537 + (int64_t)i);
	ck_assert_int_eq(c->max_clients, 8);
	ck_assert_int_eq(c->max_clients_per_address, 9);
	ck_assert_int_eq(c->client_idle_ms, 10000);
	ck_assert_int_eq(c->drain_ms, 11000);
	ck_assert_int_eq(c->bad_lines, 12);
	ck_assert_int_eq(c->seccomp, 0);
	ck_assert_int_eq(c->landlock, 0);
	ck_assert_int_eq(c->remember_clients, 13);
	end();
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, values_in_seconds);
	UNIT_TEST(s, values_in_bytes);
	UNIT_TEST(s, values_that_count);
	UNIT_TEST(s, values_to_choose_from);
	UNIT_TEST(s, values_that_are_text);
	UNIT_TEST(s, values_to_listen_on);
	UNIT_TEST(s, values_of_who_may_send);
	UNIT_TEST(s, defaults);
	UNIT_TEST(s, default_ring);
	UNIT_TEST(s, default_member);
	UNIT_TEST(s, default_member_of_a_long_name);
	UNIT_TEST(s, each_key_its_field);
}

int
main(void)
{
	return unit_main("conf_values", add);
}
