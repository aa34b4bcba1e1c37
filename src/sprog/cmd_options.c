/* SPDX-License-Identifier: MIT
 * cmd_options.c - what was typed after sprog. All of it is checked before anything is opened or
 * sent. */
#include "sprog/cmd.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/diag.h"
#include "base/escape.h"
#include "base/net.h"
#include "base/text.h"
#include "config.h"
#include "wire/line.h"

static const int64_t second_ns = 1000000000;

enum { WINDOW = 256, SEED, CLIENT };

static const struct option long_options[] = {
	{ "ring", required_argument, NULL, 'R' },
	{ "interval", required_argument, NULL, 'i' },
	{ "count", required_argument, NULL, 'n' },
	{ "message", required_argument, NULL, 'm' },
	{ "file", required_argument, NULL, 'f' },
	{ "length", required_argument, NULL, 'l' },
	{ "round-robin", no_argument, NULL, 'r' },
	{ "roundRobin", no_argument, NULL, 'r' },
	{ "specific-host", required_argument, NULL, 's' },
	{ "specificHost", required_argument, NULL, 's' },
	{ "testing", no_argument, NULL, 'T' },
	{ "port", required_argument, NULL, 'p' },
	{ "ack", required_argument, NULL, 'a' },
	{ "client", required_argument, NULL, CLIENT },
	{ "timeout", required_argument, NULL, 't' },
	{ "window", required_argument, NULL, WINDOW },
	{ "seed", required_argument, NULL, SEED },
	{ "log", required_argument, NULL, 'L' },
	{ "progress", no_argument, NULL, 'P' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 }
};
static const char short_options[] = ":R:i:n:m:f:l:rs:Tp:a:t:L:PqvhV";

static void
help(void)
{
	fputs("Usage: sprog [OPTION]...\n"
	    "Send short text messages to a ring of zogds: quasi-random printing text to a\n"
	    "random member, every 10 seconds, for ever, unless options say otherwise.\n"
	    "\n"
	    "What is sent:\n"
	    "  -m, --message TEXT      this text instead\n"
	    "  -f, --file FILE         each line of FILE (-: standard input); ends with it\n"
	    "  -l, --length MIN[-MAX]  bytes of the quasi-random text (default 32-47)\n"
	    "      --seed N            the same quasi-random text every time\n"
	    "  -n, --count N           stop after N messages (default: never)\n"
	    "  -i, --interval SECONDS  fractions allowed; 0: the next when one is settled\n"
	    "                          (default 10, with --file 0)\n"
	    "      --window N          messages in flight (default 1); 0 chooses for speed\n"
	    "\n"
	    "Where to:\n"
	    "  -R, --ring FILE         default " SYSCONFDIR "/zog/ring\n"
	    "  -r, --round-robin       the members in turn, not at random; also --roundRobin\n"
	    "  -s, --specific-host HOST\n"
	    "                          this one: a member's name, or ADDRESS[:PORT], where\n"
	    "                          no ring file is needed; also --specificHost\n"
	    "  -T, --testing           the same as -s 127.0.0.1\n"
	    "  -p, --port PORT         client port, not the ring file's (default 55552)\n"
	    "  -a, --ack LEVEL         settled once so many members have it: 1 to the ring's\n"
	    "                          size, majority or all (default: the member's setting)\n"
	    "  -t, --timeout SECONDS   give up on a message after that (default 30)\n"
	    "      --client TOKEN      fixed, numbers go on; default a fresh random one\n"
	    "\n"
	    "What is said:\n"
	    "  -L, --log FILE          append time, member, outcome, text of each message\n"
	    "  -P, --progress          progress on a terminal; rate and latency at the end\n"
	    "  -q, --quiet             nothing but the first failure\n"
	    "  -v, --verbose           on standard output what --log writes\n"
	    "  -h, --help              this\n"
	    "  -V, --version\n"
	    "\n"
	    "Exit code: 0 all settled, 64 bad usage, 65 bad message text, 66 no input file,\n"
	    "69 no member could be reached, 71 system error, 73 cannot create the log,\n"
	    "74 input/output error, 75 not settled, try again, 76 protocol error,\n"
	    "77 not permitted, 78 bad ring file.\n"
	    "\n"
	    "From cron: sprog -n 1 -m \"backup done\"\n"
	    "\n"
	    "Report bugs to the zog project.\n", stdout);
}

static void
version(void)
{
	fputs("sprog (zog) " PACKAGE_VERSION "\n"
	    "Licence: MIT, see the file LICENSE. There is no warranty.\n", stdout);
}

static int
said_on_stdout(void)
{
	if (fflush(stdout) == 0)
		return EX_OK;
	diag("standard output: cannot write");
	return EX_IOERR;
}

/* What was wrong with an option, or its value; value may be NULL. */
static int
usage(const char *option, const char *value, const char *why)
{
	struct buf shown = BUF_INIT;
	if (value != NULL && buf_puts(&shown, " '") && escape(&shown, value, strlen(value), 60))
		buf_puts(&shown, "'");
	diag("%s%.*s: %s", option, (int)shown.len, shown.len > 0 ? buf_begin(&shown) : "", why);
	diag_plain("Try 'sprog --help'.\n");
	buf_fini(&shown);
	return EX_USAGE;
}

/* What getopt did not like, and the long option that was most likely meant. */
static int
bad_option(const char *word)
{
	char typed[40], why[80] = "no such option";
	int least = 4;
	if (optopt > 0 && optopt < 256 && strncmp(word, "--", 2) != 0) {
		snprintf(typed, sizeof typed, "-%c", optopt);
		return usage("option", typed, why);
	}
	snprintf(typed, sizeof typed, "%.*s", (int)strcspn(word, "="), word);
	for (const struct option *o = long_options; o->name != NULL && strlen(typed) > 2; o++) {
		int distance = text_distance(typed + 2, o->name);
		if (optopt == o->val)
			snprintf(why, sizeof why, "takes no value");
		else if (optopt == 0 && distance < least && distance < (int)strlen(typed) - 2) {
			least = distance;
			snprintf(why, sizeof why, "no such option (did you mean --%s?)", o->name);
		}
	}
	return usage("option", typed, why);
}

/* Seconds to the nanosecond: an interval may be a few microseconds. false: no number, or over
 * 10^9. */
static bool
seconds(const char *text, int64_t *ns)
{
	size_t whole = strspn(text, "0123456789");
	size_t part = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
	if (whole > 9 || whole + part == 0 || text[whole + (text[whole] == '.') + part] != '\0')
		return false;
	int64_t v = 0;
	for (size_t i = 0; i < whole; i++)
		v = v * 10 + (text[i] - '0');
	v *= second_ns;
	int64_t unit = second_ns / 10;
	for (size_t i = 0; i < part; i++, unit /= 10)
		v += unit * (text[whole + 1 + i] - '0');
	/* Too little to be told from 0 is not 0. */
	if (v == 0 && strspn(text, "0.") != strlen(text))
		v = 1;
	*ns = v;
	return true;
}

static bool
length(const char *text, struct options *o)
{
	char low[8];
	size_t n = strcspn(text, "-");
	int64_t least, most;
	if (n >= sizeof low)
		return false;
	memcpy(low, text, n);
	low[n] = '\0';
	if (!text_int(low, 1, LINE_MAX_TEXT, &least))
		return false;
	most = least;
	if (text[n] == '-' && !text_int(text + n + 1, least, LINE_MAX_TEXT, &most))
		return false;
	o->least = (unsigned)least;
	o->most = (unsigned)most;
	return true;
}

/* The options that say where to. -1, or the exit code. */
static int
option_where(struct options *o, int letter)
{
	uint16_t port;
	int64_t ns;
	switch (letter) {
	case 'R':
		o->lib.ring_file = optarg;
		break;
	case 'r':
		o->lib.choice = SPROG_ROUND_ROBIN;
		break;
	case 's':
		o->lib.host = optarg;
		break;
	case 'T':
		o->lib.host = "127.0.0.1";
		break;
	case 'p':
		if (!net_port(optarg, &port))
			return usage("--port", optarg, "not 1 to 65535");
		o->lib.port = port;
		break;
	case 'a':
		o->lib.ack = optarg;
		break;
	case CLIENT:
		o->lib.client = optarg;
		break;
	case 't':
		if (!seconds(optarg, &ns) || ns == 0 || (ns + 999999) / 1000000 > INT_MAX)
			return usage("--timeout", optarg, "not a number of seconds above 0");
		o->lib.timeout_ms = (int)((ns + 999999) / 1000000);
		break;
	default:
		abort();        /* a letter of short_options that has no case */
	}
	return -1;
}

/* The options that say what and when; the others go to option_where. -1, or the exit code. */
static int
option_what(struct options *o, int letter)
{
	int64_t n;
	switch (letter) {
	case 'm':
		o->message = optarg;
		break;
	case 'f':
		o->file = optarg;
		break;
	case 'l':
		if (!length(optarg, o))
			return usage("--length", optarg, "not MIN or MIN-MAX of 1 to 509");
		break;
	case 'n':
		if (!text_int(optarg, 1, INT64_MAX, &n))
			return usage("--count", optarg, "not a number from 1 on");
		o->count = (uint64_t)n;
		break;
	case 'i':
		if (!seconds(optarg, &o->interval_ns))
			return usage("--interval", optarg, "not a number of seconds");
		break;
	case WINDOW:
		if (!text_int(optarg, 0, 1000000, &n))
			return usage("--window", optarg, "not 0 to 1000000");
		o->lib.window = (int)n;
		break;
	case SEED:
		if (!text_int(optarg, 0, INT64_MAX, &n))
			return usage("--seed", optarg, "not a number from 0 on");
		o->seed = (uint64_t)n;
		o->lib.seed = o->seed + 1;      /* 0 would be a random one */
		break;
	case 'L':
		o->log = optarg;
		break;
	case 'P':
		o->progress = true;
		break;
	case 'q':
		o->quiet = true;
		break;
	case 'v':
		o->verbose = true;
		break;
	default:
		return option_where(o, letter);
	}
	return -1;
}

static int
finish(struct options *o, int argc, char *argv[])
{
	if (optind < argc)
		return usage("argument", argv[optind], "there are only options");
	if (o->message != NULL && o->file != NULL)
		return usage("--message and --file", NULL, "only one of them");
	if (o->interval_ns < 0)
		o->interval_ns = o->file != NULL ? 0 : 10 * second_ns;
	if (o->lib.seed == 0 && getrandom(&o->seed, sizeof o->seed, 0) != (ssize_t)sizeof o->seed) {
		diag("getrandom: %s", strerror(errno));
		return EX_OSERR;
	}
	return -1;
}

int
options_parse(struct options *o, int argc, char *argv[])
{
	*o = (struct options){ .lib = SPROG_OPTIONS_INIT, .interval_ns = -1, .count = UINT64_MAX,
	    .least = 32, .most = 47 };
	o->lib.window = 1;
	opterr = 0;
	for (;;) {
		int letter = getopt_long(argc, argv, short_options, long_options, NULL), code;
		switch (letter) {
		case -1:
			return finish(o, argc, argv);
		case 'h':
			help();
			return said_on_stdout();
		case 'V':
			version();
			return said_on_stdout();
		case ':':
			return usage(argv[optind - 1], NULL, "needs a value");
		case '?':
			return bad_option(argv[optind - 1]);
		default:
			code = option_what(o, letter);
			if (code >= 0)
				return code;
		}
	}
}
