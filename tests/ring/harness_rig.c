/* SPDX-License-Identifier: MIT
 * harness_rig.c - the rig: folder, addresses, configuration, and its end. */
#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "harness_own.h"

/* ---- addresses ---- */

void
rig_addr(struct addr *a, const char *host, uint16_t port)
{
	const char *why;
	require(net_resolve(host, port, true, a, 1, &why) == 1, "%s: %s", host, why);
}

/* Whether a listener could be there; *port 0 takes any free one, and says which. */
static bool
can_listen(const char *host, uint16_t *port)
{
	struct addr a;
	rig_addr(&a, host, *port);
	int fd = net_listen(&a);
	if (fd < 0)
		return false;
	addr_of_self(fd, &a);
	*port = addr_port(&a);
	close(fd);
	return true;
}

/* A name in the abstract space lasts as long as its socket: no other run takes the same block. */
static bool
claim_block(struct ring_rig *rig)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int n = snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "zog-test-%s", rig->block);
	rig->claim = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	if (rig->claim >= 0 && bind(rig->claim, (struct sockaddr *)&a, len) == 0)
		return true;
	close(rig->claim);
	rig->claim = -1;
	return false;
}

static void
choose_block(struct ring_rig *rig)
{
	uint16_t any = 0;
	rig->own_addresses = getenv("ZOG_TEST_ONE_ADDRESS") == NULL && can_listen("127.64.0.1", &any);
	if (!rig->own_addresses)
		return;
	unsigned seed = (unsigned)getpid() * 2654435761u ^ (unsigned)clock_real_ms();
	for (int tries = 0; tries < 100; tries++) {
		unsigned r = (unsigned)rand_r(&seed);
		snprintf(rig->block, sizeof rig->block, "127.%u.%u", 64 + r % 187, (r >> 10) % 256);
		if (claim_block(rig))
			return;
	}
	rig_fail(__FILE__, __LINE__, "no block of loopback addresses is free");
}

static void
choose_address(struct ring_rig *rig, int i)
{
	struct rig_member *m = &rig->m[i];
	snprintf(m->host, sizeof m->host, "127.0.0.1");
	if (rig->own_addresses) {
		snprintf(m->host, sizeof m->host, "%s.%d", rig->block, i + 1);
		m->peer_port = 55551;
		m->client_port = 55552;
		if (can_listen(m->host, &m->peer_port) && can_listen(m->host, &m->client_port))
			return;
	}
	m->peer_port = m->client_port = 0;
	require(can_listen(m->host, &m->peer_port), "%s: no free port", m->host);
	do {
		m->client_port = 0;
		require(can_listen(m->host, &m->client_port), "%s: no free port", m->host);
	} while (m->client_port == m->peer_port);
}

const char *
rig_stranger(struct ring_rig *rig, int n, char text[64])
{
	if (rig->own_addresses)
		snprintf(text, 64, "%s.%d", rig->block, 200 + n);
	else
		snprintf(text, 64, "127.0.0.1");
	return text;
}

/* ---- folder and files ---- */

/* Paths that were asked for; there are few different ones, and callers keep them. */
static struct path {
	struct path *next;
	char         text[RIG_PATH * 2];
} *paths;

static void
forget_paths(void)
{
	while (paths != NULL) {
		struct path *p = paths;
		paths = p->next;
		free(p);
	}
}

const char *
rig_path(struct ring_rig *rig, int i, const char *file)
{
	char text[RIG_PATH * 2];
	snprintf(text, sizeof text, "%s/%s", rig->m[i].folder, file);
	for (struct path *p = paths; p != NULL; p = p->next)
		if (strcmp(p->text, text) == 0)
			return p->text;
	struct path *p = malloc(sizeof *p);
	require(p != NULL, "out of memory");
	memcpy(p->text, text, sizeof text);
	p->next = paths;
	paths = p;
	return p->text;
}

static void
make_folder(const char *path)
{
	require(mkdir(path, 0755) == 0, "%s: %s", path, strerror(errno));
}

static void
name_member(struct rig_member *m, int i)
{
	static const char *const names[] = { "mv", "pa", "g", "la", "s" };
	if (i < 5)
		snprintf(m->name, sizeof m->name, "%s", names[i]);
	else
		snprintf(m->name, sizeof m->name, "m-%d", i);
}

void
rig_write_ring(struct ring_rig *rig, int members)
{
	struct buf b = BUF_INIT;
	buf_puts(&b, "# NAME ADDRESS PEER-PORT CLIENT-PORT\n");
	for (int i = 0; i < members; i++) {
		struct rig_member *m = &rig->m[i];
		buf_printf(&b, "%-4s %s %u %u\n", m->name, m->host, m->peer_port, m->client_port);
	}
	buf_put(&b, "", 1);
	file_write(rig->ring_file, buf_begin(&b));
	buf_fini(&b);
}

void
rig_conf(struct ring_rig *rig, int i, const char *lines)
{
	file_append(rig_path(rig, i, "zogd.conf"), lines);
}

static void
make_member(struct ring_rig *rig, int i, const char *conf)
{
	struct rig_member *m = &rig->m[i];
	char name[sizeof m->name];
	memcpy(name, m->name, sizeof name);
	snprintf(m->folder, sizeof m->folder, "%.400s/%s", rig->folder, name);
	make_folder(m->folder);
	make_folder(rig_path(rig, i, "log"));
	make_folder(rig_path(rig, i, "state"));
	struct buf b = BUF_INIT;
	buf_printf(&b, "member = %s\nring = %s\n", m->name, rig->ring_file);
	buf_printf(&b, "log-dir = %s\n", rig_path(rig, i, "log"));
	buf_printf(&b, "state-dir = %s\n", rig_path(rig, i, "state"));
	buf_printf(&b, "control = %s\n", rig_path(rig, i, "zogd.sock"));
	/* What is put before zogd may do what zogd never does. */
	if (getenv("ZOG_TEST_WRAP") != NULL)
		buf_puts(&b, "seccomp = no\nlandlock = no\n");
	buf_puts(&b, conf != NULL ? conf : "");
	buf_put(&b, "", 1);
	file_write(rig_path(rig, i, "zogd.conf"), buf_begin(&b));
	buf_fini(&b);
}

static void
at_exit(void)
{
	if (rig_now != NULL && rig_now->owner == getpid())
		rig_abandon();
}

void
rig_make(struct ring_rig *rig, int members, const char *conf)
{
	static bool registered;
	if (rig_now != NULL)            /* with CK_FORK=no, of a test that failed */
		rig_abandon();
	if (!registered)
		atexit(at_exit);
	registered = true;

	memset(rig, 0, sizeof *rig);
	rig->claim = -1;
	rig->owner = getpid();
	const char *tmp = getenv("TMPDIR");
	snprintf(rig->folder, sizeof rig->folder, "%.300s/zog-ring.XXXXXX",
	    tmp != NULL && *tmp != '\0' ? tmp : "/tmp");
	require(mkdtemp(rig->folder) != NULL, "%s: %s", rig->folder, strerror(errno));
	rig_now = rig;
	rig->size = members;
	snprintf(rig->ring_file, sizeof rig->ring_file, "%s/ring", rig->folder);
	choose_block(rig);
	for (int i = 0; i < members; i++) {
		name_member(&rig->m[i], i);
		choose_address(rig, i);
	}
	rig_write_ring(rig, members);
	for (int i = 0; i < members; i++)
		make_member(rig, i, conf);
}

void
rig_up(struct ring_rig *rig, int members, const char *conf)
{
	rig_make(rig, members, conf);
	rig_start_all(rig);
}

/* ---- members by bits ---- */

uint64_t
rig_all(const struct ring_rig *rig)
{
	return ~(uint64_t)0 >> (64 - rig->size);
}

uint64_t
rig_mask(const struct ring_rig *rig, uint64_t mask)
{
	if (mask != 0)
		return mask;
	for (int i = 0; i < rig->size; i++)
		if (rig->m[i].pid != 0)
			mask |= (uint64_t)1 << i;
	return mask;
}

/* ---- the end ---- */

static void
judge_stderr(struct ring_rig *rig, int i)
{
	static const char *const signs[] = { "Sanitizer", "runtime error:", "Assertion" };
	for (size_t k = 0; k < sizeof signs / sizeof *signs; k++)
		require(!file_has(rig_path(rig, i, "stderr"), signs[k]), "%s: '%s' on stderr", rig->m[i].name,
		    signs[k]);
}

void
rig_done(struct ring_rig *rig)
{
	rig->pump = NULL;
	rig_stop_all(rig);
	for (int i = 0; i < rig->size; i++)
		judge_stderr(rig, i);
	close(rig->claim);
	rig_now = NULL;
	forget_paths();
	if (getenv("KEEP") == NULL)
		run_tool("rm", "-rf", rig->folder, NULL);
}

void
rig_down(struct ring_rig *rig)
{
	rig_stop_all(rig);
	for (int i = 0; i < rig->size; i++)
		log_check_form(rig, i);
	rig_done(rig);
}

void
rig_abandon(void)
{
	struct ring_rig *rig = rig_now;
	rig_now = NULL;
	for (int i = 0; i < rig->size; i++)
		if (rig->m[i].pid != 0) {
			kill(rig->m[i].pid, SIGKILL);
			waitpid(rig->m[i].pid, NULL, 0);
			rig->m[i].pid = 0;
		}
	if (rig->claim >= 0)
		close(rig->claim);
}
