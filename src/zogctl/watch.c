/* SPDX-License-Identifier: MIT
 * watch.c - the status again each second, until q or a signal. The terminal is put back as it was,
 * however it ends. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "zogctl/zogctl.h"

enum { EVERY_MS = 1000, PATIENCE_MS = 5000, COLUMNS = 80, ROWS = 24 };

/* ---- signals ---- */

static volatile sig_atomic_t ended_by, suspended, resized;

static void
caught(int number)
{
	if (number == SIGTSTP)
		suspended = 1;
	else if (number == SIGWINCH)
		resized = 1;
	else
		ended_by = number;
}

static void
catch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH };
	struct sigaction a = { .sa_handler = caught };          /* no SA_RESTART: poll is to end */
	sigemptyset(&a.sa_mask);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaction(numbers[i], &a, NULL);
}

/* ---- the terminal ---- */

struct screen {
	bool           draws;           /* standard output is a terminal */
	bool           reads;           /* standard input is one, and was is how it was */
	struct termios was;
};

static void
put(const char *text)
{
	fputs(text, stdout);
	fflush(stdout);
}

static void
enter(struct screen *s)
{
	s->draws = isatty(STDOUT_FILENO);
	s->reads = s->draws && isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &s->was) == 0;
	if (s->reads) {
		struct termios t = s->was;
		t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		tcsetattr(STDIN_FILENO, TCSANOW, &t);
	}
	/* The other screen, without a cursor. */
	if (s->draws)
		put("\033[?1049h\033[?25l");
}

static void
leave(struct screen *s)
{
	if (s->draws)
		put("\033[?25h\033[?1049l");
	if (s->reads)
		tcsetattr(STDIN_FILENO, TCSANOW, &s->was);
}

/* ^Z: the shell is to find its terminal as it left it. */
static void
suspend(struct screen *s)
{
	leave(s);
	raise(SIGSTOP);
	suspended = 0;
	enter(s);
}

struct show_style
terminal_style(void)
{
	struct winsize size = { .ws_col = 0 };
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	if (!isatty(STDOUT_FILENO))
		return (struct show_style){ .colour = false };
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0)
		size = (struct winsize){ .ws_col = COLUMNS, .ws_row = ROWS };
	bool colour = (no_colour == NULL || *no_colour == '\0') && term != NULL && strcmp(term, "dumb") != 0;
	return (struct show_style){ .colour = colour, .columns = size.ws_col, .rows = size.ws_row };
}

/* ---- one picture ---- */

/* What has been counted between two pictures makes the rates. */
struct sample {
	int64_t at_us, count[SHOW_RATES];
};

static void
take_sample(const struct pt_value *status, struct sample *last, struct show_style *style)
{
	struct sample now = { .at_us = clock_mono_us() };
	int64_t us = now.at_us - last->at_us;
	for (int i = 0; i < SHOW_RATES; i++) {
		now.count[i] = value_int(pt_get(status, "counters"), show_rate_names[i], 0);
		int64_t n = now.count[i] - last->count[i];
		style->rate[i] = us > 0 && n > 0 ? (int64_t)((double)n * 1e6 / (double)us + 0.5) : 0;
	}
	style->rates = last->at_us != 0;
	*last = now;
}

static int
draw(struct call *c, const struct screen *s, struct sample *last)
{
	struct show_style style = terminal_style();
	struct buf out = BUF_INIT;
	int code = c->pairs == NULL ? call_open(c) : EX_OK;
	if (code == EX_OK)
		code = call_ask(c, "status", NULL, 0);
	/* Each line over what was there, then nothing below: it does not flicker. */
	buf_puts(&out, s->draws ? "\033[H\033[J" : "");
	if (code == EX_OK) {
		take_sample(c->body, last, &style);
		show_screen(c->body, &style, &out);
	} else {
		buf_printf(&out, "not serving: %s\n", c->why);
		call_close(c);
		*last = (struct sample){ .at_us = 0 };
	}
	/* A line end behind the last line would scroll the first one away where the screen is full. */
	if (s->draws && out.len != 0)
		out.len--;
	else
		buf_puts(&out, "\n");
	code = say_out(&out);
	buf_fini(&out);
	return code;
}

/* Until the next picture is due. true: q was pressed, or nobody is at the keyboard any more. */
static bool
rest(struct screen *s, int64_t until)
{
	char keys[16];
	struct pollfd p = { .fd = s->reads ? STDIN_FILENO : -1, .events = POLLIN };
	int64_t now;
	while (ended_by == 0 && suspended == 0 && resized == 0 && (now = clock_mono_ms()) < until) {
		if (poll(&p, 1, clock_left_ms(until, now)) <= 0 || p.revents == 0)
			continue;
		ssize_t n = read(STDIN_FILENO, keys, sizeof keys);
		if (n == 0 || (n < 0 && errno != EINTR) || (n > 0 && memchr(keys, 'q', (size_t)n) != NULL))
			return true;
	}
	resized = 0;
	return false;
}

int
watch(struct call *c)
{
	struct screen s;
	struct sample last = { .at_us = 0 };
	int code = EX_OK;
	bool over = false;
	c->quiet = true;
	c->timeout_ms = PATIENCE_MS;
	catch_signals();
	enter(&s);
	while (!over && code == EX_OK && ended_by == 0) {
		int64_t until = clock_mono_ms() + EVERY_MS;
		code = draw(c, &s, &last);
		over = rest(&s, until);
		if (suspended != 0)
			suspend(&s);
	}
	leave(&s);
	if (ended_by != 0) {
		/* Whoever waits for us is to see why we ended. */
		signal(ended_by, SIG_DFL);
		raise(ended_by);
	}
	return code;
}
