/* SPDX-License-Identifier: MIT
 * fuzz_conf.c - the bytes of a zogd.conf: errors by line and readable, or settings within their limits. What stands before
 * the first NUL is tried as an option as well. */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/conf.h"

static int conf_fd;
static char folder[256], conf_path[300], ring_path[300], ring_option[320];

static void
remove_files(void)
{
	unlink(conf_path);
	unlink(ring_path);
	rmdir(folder);
}

static void
make_files(void)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(folder, sizeof folder, "%.200s/zog-fuzz.XXXXXX", tmp != NULL ? tmp : "/tmp");
	fuzz_require(mkdtemp(folder) != NULL);
	snprintf(conf_path, sizeof conf_path, "%.250s/zogd.conf", folder);
	snprintf(ring_path, sizeof ring_path, "%.250s/ring", folder);
	snprintf(ring_option, sizeof ring_option, "ring=%.290s", ring_path);
	static const char ring[] = "la 127.0.0.1\nt 127.0.0.2\n";
	int fd = open(ring_path, O_WRONLY | O_CREAT, 0600);
	fuzz_require(fd >= 0 && write(fd, ring, sizeof ring - 1) == sizeof ring - 1 && close(fd) == 0);
	/* In memory where that can be had: it is written a million times. */
	conf_fd = memfd_create("zogd.conf", 0);
	char name[32];
	snprintf(name, sizeof name, "/proc/self/fd/%d", conf_fd);
	if (conf_fd >= 0 && access(name, R_OK) == 0)
		strcpy(conf_path, name);
	else
		conf_fd = open(conf_path, O_WRONLY | O_CREAT, 0600);
	fuzz_require(conf_fd >= 0);
	atexit(remove_files);
}

static void
check_limits(const struct conf *c)
{
	const int64_t ms[] = { c->keep_alive_ms, c->reconnect_min_ms, c->reconnect_max_ms, c->peer_timeout_ms,
	    c->client_idle_ms, c->drain_ms, c->ack_timeout_ms, c->digest_ms, c->gap_ms };
	const int64_t bytes[] = { c->queue_limit, c->log_queue_limit, c->journal_limit, c->journal_segment };
	const int64_t counts[] = { c->max_clients, c->max_clients_per_address, c->bad_lines };
	for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
		fuzz_require(ms[i] >= 1 && ms[i] <= INT64_C(366) * 86400000);
	for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++)
		fuzz_require(bytes[i] >= 65536 && bytes[i] <= INT64_C(1) << 50);
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		fuzz_require(counts[i] >= 0 && counts[i] <= 1000000);
	fuzz_require(c->reconnect_min_ms <= c->reconnect_max_ms);
	fuzz_require(c->forwarding == ROUTE_V022 || c->forwarding == ROUTE_V02);
	fuzz_require(c->self == 0 && strcmp(c->member, "la") == 0);
	fuzz_require(c->ack != NULL && c->sync != NULL && c->log_dir != NULL && *c->log_dir == '/');
	fuzz_require(strcmp(c->ring_file, ring_path) == 0);
	fuzz_require(c->allow_clients.count >= 0 && c->allow_clients.count <= CONF_RANGES);
	const struct conf_listen *listen[] = { &c->listen_peers, &c->listen_clients };
	for (int k = 0; k < 2; k++) {
		fuzz_require(listen[k]->count >= 0 && listen[k]->count <= CONF_LISTEN);
		for (int i = 0; i < listen[k]->count; i++)
			fuzz_require(*listen[k]->host[i] != '\0' && listen[k]->port[i] >= 0 && listen[k]->port[i] <= 65535);
	}
}

/* The last option wins, so ring and member stay ours, and no file that the input names is read. */
static void
try(const char *file, const char *option, const char *place)
{
	const char *options[] = { option, ring_option, "member=la", "secret-file=none" };
	struct conf_source from = { .file = file, .options = options, .count = 4, .dir = folder };
	if (option == NULL) {
		from.options++;
		from.count--;
	}
	static struct conf c;
	struct buf errors = BUF_INIT, notes = BUF_INIT, printed = BUF_INIT;
	if (conf_load(&c, &from, &errors, &notes)) {
		fuzz_require(errors.len == 0);
		check_limits(&c);
		conf_print(&c, &printed);
		fuzz_require(printed.len != 0);
		buf_clear(&printed);
		conf_fixed_changes(&c, &c, &printed);
		fuzz_require(printed.len == 0);
	} else {
		fuzz_require(errors.len != 0);
		fuzz_require_errors(buf_begin(&errors), errors.len, place);
	}
	fuzz_require_errors(buf_begin(&notes), notes.len, place);
	conf_fini(&c);
	buf_fini(&errors);
	buf_fini(&notes);
	buf_fini(&printed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (*folder == '\0')
		make_files();
	fuzz_require(ftruncate(conf_fd, 0) == 0 && pwrite(conf_fd, data, size, 0) == (ssize_t)size);
	try(conf_path, NULL, conf_path);
	char *option = malloc(size + 1);
	fuzz_require(option != NULL);
	memcpy(option, data, size);
	option[size] = '\0';
	try(NULL, option, "-o");
	free(option);
	return 0;
}
