/* SPDX-License-Identifier: MIT
 * 29-tunnel.c - members and senders that reach each other through stunnel, by the files of doc/security: all connections come
 * from 127.0.0.1, so that nothing but HELLO and the proof says who a member is. */
#include "harness_numbered.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET "7c9e6679-7425-40de-944b-e07fc1f90ae7"
#define OTHER "3fa85f64-5717-4562-b3fc-2c963f66afa6"

enum {
	MEMBERS = 3,
	/* The ports of the document. Each member has an address of its own here as well, so that no other program's outgoing
	 * connection has one of them. */
	TLS_PEERS = 55561, TLS_CLIENTS = 55562,         /* where its tunnel takes connections */
	TO_PEERS = 55501, TO_CLIENTS = 55601,           /* and where it leads to the first other one's ports */
};

static struct ring_rig rig;
static pid_t tunnel[MEMBERS + 1];                               /* the last: the sender's */

/* ---- certificates ---- */

static const char *
tls_path(const char *name, const char *end)
{
	static char path[4][RIG_PATH + 64];
	static int next;
	char *at = path[next++ % 4];
	snprintf(at, sizeof *path, "%s/%s%s", rig.folder, name, end);
	return at;
}

/* As doc/security says, by one authority; ca: its own. */
static void
certify(const char *name, const char *ca)
{
	char script[4096];
	snprintf(script, sizeof script,
	    "cd '%s' && { [ -f %s.pem ] || openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=zog -keyout %s.key"
	    " -out %s.pem; } && openssl req -newkey rsa:2048 -nodes -subj /CN=%s -keyout %s.key -out %s.csr &&"
	    " printf 'subjectAltName = DNS:%s\\n' >%s.ext && openssl x509 -req -in %s.csr -CA %s.pem -CAkey %s.key"
	    " -CAcreateserial -days 3650 -extfile %s.ext -out %s.pem",
	    rig.folder, ca, ca, ca, name, name, name, name, name, name, ca, ca, name, name);
	require(run_tool("sh", "-c", script, NULL) == 0, "no certificate for %s", name);
}

/* ---- the files of doc/security, with our names, folders and ports ---- */

/* From the line with first to the one with last, without it; to be freed. */
static char *
doc_part(const char *first, const char *last)
{
	char path[RIG_PATH];
	snprintf(path, sizeof path, "%s/doc/security", getenv("TOP"));
	char *text = file_read(path, NULL), *begin = strstr(text, first), *end = begin != NULL ? strstr(begin, last) : NULL;
	require(end != NULL, "%s has no part from '%s' to '%s'", path, first, last);
	char *part = strndup(begin, (size_t)(end - begin));
	free(text);
	return part;
}

static void
replace(char **text, const char *from, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void
replace(char **text, const char *from, const char *fmt, ...)
{
	char to[RIG_PATH + 64];
	struct buf b = BUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(to, sizeof to, fmt, ap);
	va_end(ap);
	char *p = *text, *at = strstr(p, from);
	require(at != NULL, "doc/security: no '%s' in the part at hand", from);
	for (; at != NULL; p = at + strlen(from), at = strstr(p, from)) {
		buf_put(&b, p, (size_t)(at - p));
		buf_puts(&b, to);
	}
	buf_put(&b, p, strlen(p) + 1);
	free(*text);
	*text = strdup(b.data);
	buf_fini(&b);
}

static void
add_part(struct buf *b, char *part)
{
	buf_puts(b, part);
	free(part);
}

/* What a test needs beside what the document says. */
static void
begin_file(struct buf *b, const char *name)
{
	buf_printf(b, "foreground = yes\npid =\nsyslog = no\noutput = %s\n", tls_path(name, ".tunnel.log"));
}

static void
write_tunnel(int i)
{
	struct buf b = BUF_INIT;
	begin_file(&b, rig.m[i].name);
	char *own = doc_part("    ; stunnel.conf on pa", "    [zog-to-mv]");
	replace(&own, "/etc/zog/tls/pa", "%s/%s", rig.folder, rig.m[i].name);
	replace(&own, "/etc/zog/tls", "%s", rig.folder);
	replace(&own, "192.168.152.252:55561", "%s:%d", rig.m[i].host, TLS_PEERS);
	replace(&own, "192.168.152.252:55562", "%s:%d", rig.m[i].host, TLS_CLIENTS);
	replace(&own, "127.0.0.1:55551", "%s:%d", rig.m[i].host, rig.m[i].peer_port);
	replace(&own, "127.0.0.1:55552", "%s:%d", rig.m[i].host, rig.m[i].client_port);
	add_part(&b, own);
	for (int j = 0; j < MEMBERS; j++) {
		if (j == i)
			continue;
		char *to = doc_part("    [zog-to-mv]", "and two sections like");
		replace(&to, "192.168.152.242:55561", "%s:%d", rig.m[j].host, TLS_PEERS);
		replace(&to, "192.168.152.242:55562", "%s:%d", rig.m[j].host, TLS_CLIENTS);
		replace(&to, "127.0.0.1:55501", "%s:%d", rig.m[i].host, TO_PEERS + j);
		replace(&to, "127.0.0.1:55601", "%s:%d", rig.m[i].host, TO_CLIENTS + j);
		replace(&to, "mv", "%s", rig.m[j].name);
		add_part(&b, to);
	}
	buf_put(&b, "", 1);
	file_write(tls_path(rig.m[i].name, ".tunnel"), b.data);
	buf_fini(&b);
}

static void
write_sender(const char *certificate)
{
	struct buf b = BUF_INIT;
	char host[64];
	begin_file(&b, "sender");
	char *part = doc_part("    ; stunnel.conf of a sender", "    sprog -s");
	replace(&part, "/etc/zog/tls/sender", "%s/%s", rig.folder, certificate);
	replace(&part, "/etc/zog/tls", "%s", rig.folder);
	replace(&part, "127.0.0.1:55552", "%s:55552", rig_stranger(&rig, 0, host));
	replace(&part, "192.168.152.252:55562", "%s:%d", rig.m[1].host, TLS_CLIENTS);
	add_part(&b, part);
	buf_put(&b, "", 1);
	file_write(tls_path("sender", ".tunnel"), b.data);
	buf_fini(&b);
}

static void
write_ring(int i)
{
	struct buf b = BUF_INIT;
	for (int j = 0; j < MEMBERS; j++)
		if (j == i)
			buf_printf(&b, "%s %s %d %d\n", rig.m[j].name, rig.m[j].host, rig.m[j].peer_port, rig.m[j].client_port);
		else
			buf_printf(&b, "%s %s %d %d\n", rig.m[j].name, rig.m[i].host, TO_PEERS + j, TO_CLIENTS + j);
	buf_put(&b, "", 1);
	file_write(rig_path(&rig, i, "ring"), b.data);
	buf_fini(&b);
}

/* ---- processes ---- */

static void
tunnel_start(int i, const char *name)
{
	const char *file = tls_path(name, ".tunnel");
	pid_t parent = getpid();
	fflush(NULL);
	tunnel[i] = fork();
	require(tunnel[i] >= 0, "fork: %s", strerror(errno));
	if (tunnel[i] != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int log = open(tls_path(name, ".tunnel.log"), O_WRONLY | O_CREAT | O_APPEND, 0644);
	if (getppid() != parent || log < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
		_exit(127);
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	execlp("stunnel", "stunnel", file, (char *)NULL);
	_exit(127);
}

static void
tunnel_stop(int i)
{
	if (tunnel[i] == 0)
		return;
	kill(tunnel[i], SIGTERM);
	require(waitpid(tunnel[i], NULL, 0) == tunnel[i], "waitpid: %s", strerror(errno));
	tunnel[i] = 0;
}

static bool
have_tools(void)
{
	if (run_tool("stunnel", "-version", NULL) != 127 && run_tool("openssl", "version", NULL) == 0)
		return true;
	story_skip("no stunnel (Debian: stunnel4), or no openssl");
	return false;
}

/* other: the member whose secret is another one, -1: none. false: it cannot be had here, and that was said. */
static bool
make(int other)
{
	static char option[MEMBERS][RIG_PATH + 16];
	char line[RIG_PATH + 64];
	rig_make(&rig, MEMBERS, "reconnect-max = 0.5\nallow-peers = 127.0.0.1\nallow-clients = 127.0.0.1\n");
	if (!rig.own_addresses) {
		story_skip("one loopback address only");
		rig_done(&rig);
		return false;
	}
	for (int i = 0; i < MEMBERS; i++) {
		const char *secret = rig_path(&rig, i, "secret");
		file_write(secret, i == other ? OTHER "\n" : SECRET "\n");
		require(chmod(secret, 0600) == 0, "chmod");
		snprintf(line, sizeof line, "secret-file = %s\n", secret);
		rig_conf(&rig, i, line);
		write_ring(i);
		snprintf(option[i], sizeof option[i], "ring=%s", rig_path(&rig, i, "ring"));
		rig.m[i].arg[0] = "-o";
		rig.m[i].arg[1] = option[i];
		certify(rig.m[i].name, "ca");
		write_tunnel(i);
		tunnel_start(i, rig.m[i].name);
	}
	certify("sender", "ca");
	write_sender("sender");
	return true;
}

static void
down(void)
{
	rig_stop_all(&rig);
	for (int i = 0; i <= MEMBERS; i++)
		tunnel_stop(i);
	rig_down(&rig);
}

/* ---- stories ---- */

START_TEST(members)
{
	struct numbered l;
	if (!have_tools() || !make(-1))
		return;
	rig_start_all(&rig);
	for (int i = 0; i < MEMBERS; i++) {
		char text[64];
		snprintf(text, sizeof text, "through the tunnel from %d", i);
		rig_say(&rig, i, text);
	}
	/* All come from one address, which is nobody's. */
	require(!log_error_has(&rig, 0, "not a member") && !log_error_has(&rig, 0, "not allowed"), "some come from elsewhere");
	/* One of the tunnels ends under load, and comes back. */
	numbered_init(&l, &rig, 'a', 3, 200000);
	l.every_ms = 2;
	l.ack = "1";
	numbered_pump(&l);
	numbered_wait_settled(&l, 300);
	rig_link_news(&rig, 0, 1);
	rig_link_news(&rig, 1, 0);
	tunnel_stop(1);
	wait_for(rig_link_fell(&rig, 0, 1) && rig_link_fell(&rig, 1, 0), SOON, "the links do not fall");
	numbered_wait_settled(&l, 300);
	tunnel_start(1, rig.m[1].name);
	rig_wait_link(&rig, 0, 1);
	rig_wait_link(&rig, 1, 0);
	numbered_wait_settled(&l, 300);
	numbered_halt(&l);
	numbered_wait_logged(&l, 0);
	rig_stop_all(&rig);
	numbered_require(&l, rig_all(&rig), "through tunnels");
	numbered_fini(&l);
	down();
}
END_TEST

START_TEST(wrong_secret)
{
	if (!have_tools() || !make(2))
		return;
	for (int i = 0; i < MEMBERS; i++)
		rig_launch(&rig, i);
	for (int i = 0; i < MEMBERS; i++)
		rig_wait_ready(&rig, i);
	rig_wait_link(&rig, 0, 1);
	rig_wait_link(&rig, 1, 0);
	log_wait_error(&rig, 0, "PROOF without the secret");
	log_wait_error(&rig, 1, "PROOF without the secret");
	log_wait_error(&rig, 2, "PROOF without the secret");
	struct conn c[2];
	for (int i = 0; i < 2; i++) {
		conn_client(&c[i], &rig, i * 2);
		conn_puts(&c[i], i == 0 ? "among us\r\n" : "alone\r\n");
		conn_expect(&c[i], "ok");
		conn_close(&c[i]);
	}
	log_wait_once(&rig, 1 << 0 | 1 << 1, "among us");
	log_wait_once(&rig, 1 << 2, "alone");
	require(log_count_text(&rig, 2, "among us") == 0 && log_count_text(&rig, 0, "alone") == 0 &&
	    log_count_text(&rig, 1, "alone") == 0, "it got through");
	for (int i = 0; i < 2; i++)
		require(!rig_link_up(&rig, i, 2) && !rig_link_up(&rig, 2, i), "a link is up");
	down();
}
END_TEST

/* Who has a certificate of the ring's authority, but for another name, is not taken for a member. */
START_TEST(wrong_name)
{
	if (!have_tools() || !make(-1))
		return;
	tunnel_stop(1);
	require(run_tool("cp", tls_path("g", ".pem"), tls_path("pa", ".pem"), NULL) == 0 &&
	    run_tool("cp", tls_path("g", ".key"), tls_path("pa", ".key"), NULL) == 0, "cp");
	tunnel_start(1, rig.m[1].name);
	for (int i = 0; i < MEMBERS; i++)
		rig_launch(&rig, i);
	rig_wait_link(&rig, 0, 2);
	rig_wait_link(&rig, 2, 0);
	/* It may dial: what it says of itself then is proven by the secret. */
	rig_wait_link(&rig, 1, 0);
	for (int i = 0; i < MEMBERS; i += 2) {
		wait_for(file_has(tls_path(rig.m[i].name, ".tunnel.log"), "Rejected by CERT at depth=0: CN=g"), SOON, "nobody looked at it");
		require(!rig_link_up(&rig, i, 1), "a link is up");
	}
	down();
}
END_TEST

static int
send_one(const char *text)
{
	char to[80], host[64];
	snprintf(to, sizeof to, "%s:55552", rig_stranger(&rig, 0, host));
	return run_tool(getenv("SPROG"), "-q", "-s", to, "-n", "1", "-t", "5", "-m", text, NULL);
}

START_TEST(sender)
{
	if (!have_tools() || !make(-1))
		return;
	rig_start_all(&rig);
	tunnel_start(MEMBERS, "sender");
	wait_for(send_one("is it there") == 0, SOON, "sprog does not get through");
	require(send_one("through the tunnel") == 0, "sprog does not get through");
	log_wait_once(&rig, 0, "through the tunnel");
	/* From a member, to another through its own tunnel, by its ring file. */
	require(run_tool(getenv("SPROG"), "-q", "-R", rig_path(&rig, 0, "ring"), "-s", "g", "-n", "1", "-m", "by name", NULL) == 0,
	    "sprog does not get through");
	log_wait_once(&rig, 0, "by name");
	/* A certificate of another authority opens nothing. */
	tunnel_stop(MEMBERS);
	certify("liar", "otherca");
	write_sender("liar");
	tunnel_start(MEMBERS, "sender");
	wait_for(file_has(tls_path("sender", ".tunnel.log"), "Configuration successful") ||
	    file_count(tls_path("sender", ".tunnel.log"), "signal") > 0, SOON, "the tunnel does not start");
	require(send_one("with a wrong certificate") != 0, "it got through");
	wait_for(file_has(tls_path("pa", ".tunnel.log"), "CERT: Pre-verification error"), SOON, "nobody looked at it");
	for (int i = 0; i < MEMBERS; i++)
		require(log_count_text(&rig, i, "with a wrong certificate") == 0, "it got through");
	down();
}
END_TEST

static void
add(Suite *suite)
{
	STORY_TEST(suite, members);
	STORY_TEST(suite, wrong_secret);
	STORY_TEST(suite, wrong_name);
	STORY_TEST(suite, sender);
}

int
main(void)
{
	return story_main("tunnel", add);
}
