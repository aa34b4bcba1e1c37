/* SPDX-License-Identifier: MIT
 * zogctl - asks a zogd how it is, and tells it what to do. Arguments, then one command; what they do is elsewhere. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/diag.h"
#include "config.h"
#include "zogctl/zogctl.h"

enum { TIMEOUT_MS = 15 * 1000 };

static const char usage[] =
    "Usage: zogctl [-c FILE | -S SOCKET] COMMAND [ARGUMENT]...\n"
    "Ask the zogd of this machine how it is, and tell it what to do.\n"
    "\n"
    "  -c, --config FILE   its settings, for where the socket is\n"
    "                      (default " SYSCONFDIR "/zog/zogd.conf)\n"
    "  -S, --socket PATH   the socket itself\n"
    "  -h, --help          this text\n"
    "  -V, --version\n"
    "\n"
    "Commands:\n"
    "  status              members, links, streams, clients, rates, disks; who is missing\n"
    "      --json          the same for programs\n"
    "      --check         one line for monitoring; exit code 0 well, 1 degraded, 2 not serving\n"
    "      --watch         again each second, until q\n"
    "  metrics             counters and gauges as Prometheus reads them\n"
    "      -o, --output FILE   into this file, at once and whole\n"
    "  dot                 the ring as a picture: zogctl dot | dot -Tsvg >ring.svg\n"
    "  ping MEMBER         how long it takes to answer\n"
    "  wait --caught-up    until this member misses nothing that its peers have\n"
    "      -t, --timeout SECONDS   exit code 75 after that (default: for ever)\n"
    "  cat                 the messages of the journal, as access.log has them\n"
    "      --since TIME    2026-11-20, 2026-11-20T08:32:01Z, or 90s, 10m, 2h, 3d ago\n"
    "      --origin NAME   what came in by this member\n"
    "  tail                messages as they come, until it is interrupted\n"
    "  trace               a probe's way round the ring, with the time at each member\n"
    "  verify              reads the journal, and says what of it is damaged\n"
    "      --ring          and whether the members that can be reached hold the same\n"
    "  reload              logs opened anew, zogd.conf and ring file read again\n"
    "  rotate              logs opened anew\n"
    "  stop                returns when it has ended\n"
    "\n"
    "Exit codes: 0 done, 64 usage, 69 no zogd there, 71 system error, 73 cannot create, 74 input/output\n"
    "error, 75 not now, try again, 76 protocol error, 77 not permitted, 78 configuration error.\n"
    "\n"
    "Report bugs to the zog project.\n";

static const struct {
	const char *name;
	int       (*run)(struct call *, struct words);
} commands[] = {
	{ "status", command_status },
	{ "metrics", command_metrics },
	{ "dot", command_dot },
	{ "ping", command_ping },
	{ "wait", command_wait },
	{ "cat", command_cat },
	{ "tail", command_tail },
	{ "trace", command_trace },
	{ "verify", command_verify },
	{ "reload", command_plain },
	{ "rotate", command_plain },
	{ "stop", command_stop },
};

int
usage_of(const char *fmt, ...)
{
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	diag("%s (see zogctl --help)", text);
	return EX_USAGE;
}

int
surplus(struct words w, int used)
{
	return used < w.count ? usage_of("%s: no such argument: %s", w.word[0], w.word[used]) : EX_OK;
}

int
say_out(const struct buf *b)
{
	if ((b->len == 0 || fwrite(buf_begin(b), 1, b->len, stdout) == b->len) && fflush(stdout) == 0)
		return EX_OK;
	diag("cannot write to standard output: %s", strerror(errno));
	return EX_IOERR;
}

struct arguments {
	const char *file, *socket;
};

/* Exit code, or -1: go on. */
static int
parse(int argc, char **argv, struct arguments *a)
{
	static const struct option names[] = {
		{ "config", required_argument, NULL, 'c' }, { "socket", required_argument, NULL, 'S' },
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 },
	};
	int c;
	opterr = 0;
	/* Options behind the command are the command's. */
	while ((c = getopt_long(argc, argv, "+:c:S:hV", names, NULL)) >= 0) {
		switch (c) {
		case 'c':
			a->file = optarg;
			break;
		case 'S':
			a->socket = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return EX_OK;
		case 'V':
			puts("zogctl (zog) " PACKAGE_VERSION "\nCopyright (c) 2026 the zog authors\n"
			    "MIT licence; there is no warranty, to the extent permitted by law.");
			return EX_OK;
		default:
			return usage_of(c == ':' ? "option %s: a value is missing" : "no such option: %s",
			    argv[optind - 1]);
		}
	}
	if (a->file != NULL && a->socket != NULL)
		return usage_of("either -c or -S");
	return optind < argc ? -1 : usage_of("a command is missing");
}

static int
run(const struct arguments *a, struct words w)
{
	size_t i = 0;
	while (i < sizeof commands / sizeof *commands && strcmp(commands[i].name, w.word[0]) != 0)
		i++;
	if (i == sizeof commands / sizeof *commands)
		return usage_of("no such command: %s", w.word[0]);
	int code = EX_OK;
	char *path = a->socket != NULL ? strdup(a->socket) : place_find(a->file != NULL ? a->file : SYSCONFDIR "/zog/zogd.conf",
	    a->file == NULL, &code);
	if (path == NULL)
		return code != EX_OK ? code : EX_OSERR;
	struct call c = { .path = path, .timeout_ms = TIMEOUT_MS };
	code = commands[i].run(&c, w);
	call_close(&c);
	free(path);
	return code;
}

int
main(int argc, char **argv)
{
	struct arguments a = { NULL, NULL };
	diag_program("zogctl");
	signal(SIGPIPE, SIG_IGN);
	int code = parse(argc, argv, &a);
	return code >= 0 ? code : run(&a, (struct words){ argc - optind, argv + optind });
}
