/* SPDX-License-Identifier: MIT
 * zogd - a member of the ring. Arguments, settings, and the start; the rest is server.c's. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/diag.h"
#include "config.h"
#include "daemon/conf.h"
#include "daemon/process.h"
#include "daemon/sandbox.h"
#include "daemon/server.h"

static const char usage[] =
    "Usage: zogd [-c FILE] [-o KEY=VALUE]... [-d] [-t] [-v]... [-h] [-V]\n"
    "A member of a ring of daemons: what a client sends to one is in access.log on every one.\n"
    "\n"
    "  -c, --config FILE       settings (default " SYSCONFDIR "/zog/zogd.conf; with -o ring= it may be absent)\n"
    "  -o, --option KEY=VALUE  a setting, wins over the file; repeatable\n"
    "  -d, --daemon            detach; returns once the ports are open, with the exit code of the start\n"
    "  -t, --test              check settings and ring, print what is wrong by file and line, exit;\n"
    "                          with -v print the settings in force\n"
    "  -v, --verbose           error.log on stderr as well; twice: connections too\n"
    "  -h, --help              this text\n"
    "  -V, --version\n"
    "\n"
    "Signals: TERM, INT stop; HUP reopens the logs and reads settings and ring again; USR1 reopens the logs;\n"
    "USR2 writes a report into error.log.\n"
    "Exit codes: 0 done, 64 usage, 71 system error, 73 cannot create log or state, 77 not permitted,\n"
    "78 configuration error.\n"
    "\n"
    "Report bugs to the zog project.\n";

struct arguments {
	const char  *file;
	const char **options;           /* as many as there are arguments at most */
	int          count, verbose;
	bool         daemon, test, ring_given, file_given;
};

static bool
is_ring(const char *option)
{
	option += strspn(option, " \t");
	size_t n = strlen("ring");
	return strncmp(option, "ring", n) == 0 && option[n + strspn(option + n, " \t")] == '=';
}

/* Exit code, or -1: go on. */
static int
parse(int argc, char **argv, struct arguments *a)
{
	static const struct option names[] = {
		{ "config", required_argument, NULL, 'c' }, { "option", required_argument, NULL, 'o' },
		{ "daemon", no_argument, NULL, 'd' }, { "test", no_argument, NULL, 't' },
		{ "verbose", no_argument, NULL, 'v' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 },
	};
	int c;
	while ((c = getopt_long(argc, argv, "c:o:dtvhV", names, NULL)) >= 0) {
		switch (c) {
		case 'c':
			a->file = optarg;
			a->file_given = true;
			break;
		case 'o':
			a->options[a->count++] = optarg;
			a->ring_given |= is_ring(optarg);
			break;
		case 'd':
			a->daemon = true;
			break;
		case 't':
			a->test = true;
			break;
		case 'v':
			a->verbose++;
			break;
		case 'h':
			fputs(usage, stdout);
			return EX_OK;
		case 'V':
			puts("zogd (zog) " PACKAGE_VERSION "\nCopyright (c) 2026 the zog authors\n"
			    "MIT licence; there is no warranty, to the extent permitted by law.");
			return EX_OK;
		default:
			fputs("Try 'zogd --help'.\n", stderr);
			return EX_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	diag("no such argument: %s", argv[optind]);
	fputs("Try 'zogd --help'.\n", stderr);
	return EX_USAGE;
}

static bool
folders_safe(const struct conf *c)
{
	bool safe = process_folder_safe("log-dir", c->log_dir);
	return process_folder_safe("state-dir", c->state_dir) && safe;
}

/* What a start would find missing, apart from the ports. */
static int
check_surroundings(const struct conf *c)
{
	struct process_account account;
	int rc = process_find_account(c->user, c->group, &account);
	if (rc == EX_OK && access(c->log_dir, W_OK | X_OK) < 0) {
		diag("log-dir %s: %s", c->log_dir, strerror(errno));
		rc = EX_CANTCREAT;
	}
	/* It is made at the start if it is not there. */
	if (rc == EX_OK && access(c->state_dir, W_OK | X_OK) < 0 && errno != ENOENT) {
		diag("state-dir %s: %s", c->state_dir, strerror(errno));
		rc = EX_CANTCREAT;
	}
	return rc == EX_OK && !folders_safe(c) ? EX_CONFIG : rc;
}

static int
test(const struct conf *c, int verbose)
{
	struct buf b = BUF_INIT;
	int rc = check_surroundings(c);
	if (verbose > 0)
		conf_print(c, &b);
	if (rc == EX_OK)
		buf_printf(&b, "settings and ring are good: member %s, place %d of %d\n", c->member, c->self + 1, c->ring.size);
	if (b.len != 0)
		fwrite(buf_begin(&b), 1, b.len, stdout);
	buf_fini(&b);
	return rc;
}

/* What a kernel does not have is said, and no reason not to serve. */
static void
enter_sandbox(struct server *server)
{
	struct buf said = BUF_INIT;
	sandbox_enter(&server->view->conf, server->source.file, &said);
	if (buf_put(&said, "", 1))
		logger_say(server->logger, "zogd", "%s", said.data);
	buf_fini(&said);
}

static int
serve(const struct conf_source *source, struct conf *conf, const struct arguments *a)
{
	struct process_account account;
	struct server server;
	bool secret = conf->secret_file != NULL;
	char *user = conf->user != NULL ? strdup(conf->user) : NULL;
	int rc = process_find_account(conf->user, conf->group, &account);
	if (rc == EX_OK && !folders_safe(conf))
		rc = EX_CANTCREAT;
	if (rc == EX_OK && conf->pidfile != NULL)
		rc = process_pidfile(conf->pidfile);
	if (rc != EX_OK) {
		free(user);
		conf_fini(conf);
		return rc;
	}
	process_raise_limits();
	process_block_signals();
	rc = server_open(&server, source, conf, a->verbose, account.uid, account.gid);
	if (rc == EX_OK)
		rc = process_drop(user, &account);
	if (rc == EX_OK)
		rc = process_seal(secret);
	if (rc == EX_OK)
		enter_sandbox(&server);
	if (rc == EX_OK && (rc = server_start(&server)) != EX_OK) {
		/* Some threads run and some do not: there is nothing yet that a stop in order would save. */
		process_pidfile_remove();
		process_started(rc);
		_exit(rc);
	}
	if (rc == EX_OK) {
		process_started(EX_OK);
		process_notify("READY=1");
		process_serve(&server);
		process_notify("STOPPING=1");
		server_stop(&server);
		process_stopped();
	}
	server_close(&server);
	process_pidfile_remove();
	free(user);
	return rc;
}

int
main(int argc, char **argv)
{
	diag_program("zogd");
	umask(022);                     /* files are to have the modes that the manual names, whoever starts us */
	struct arguments a = { .file = SYSCONFDIR "/zog/zogd.conf" };
	a.options = calloc((size_t)argc, sizeof *a.options);
	char *dir = getcwd(NULL, 0), *file = NULL;
	if (a.options == NULL) {
		diag("cannot start: %s", strerror(errno));
		return EX_OSERR;
	}
	int rc = parse(argc, argv, &a);
	if (rc < 0 && dir != NULL && a.file[0] != '/' && asprintf(&file, "%s/%s", dir, a.file) > 0)
		a.file = file;
	struct conf_source source = { .file = a.file, .may_lack = a.ring_given && !a.file_given, .options = a.options,
	    .count = a.count, .dir = dir };
	struct conf conf;
	struct buf errors = BUF_INIT, notes = BUF_INIT;
	if (rc < 0) {
		bool good = conf_load(&conf, &source, &errors, &notes);
		if (buf_put(&notes, "", 1) && buf_put(&errors, "", 1)) {
			diag_plain(errors.data);
			diag_plain(notes.data);
		}
		if (a.test || !good) {
			rc = good ? test(&conf, a.verbose) : EX_CONFIG;
			conf_fini(&conf);
		} else if (a.daemon && process_detach() < 0) {
			diag("cannot detach: %s", strerror(errno));
			rc = EX_OSERR;
			conf_fini(&conf);
		} else {
			rc = serve(&source, &conf, &a);
			process_started(rc);
		}
	}
	buf_fini(&errors);
	buf_fini(&notes);
	free(a.options);
	free(file);
	free(dir);
	return rc;
}
