/* SPDX-License-Identifier: MIT
 * check_conf.c - files, options and all settings together; check_conf_values.c has the keys. */
#include "daemon/conf.h"

#include "conf_rig.h"
#include "unit.h"

/* ---- the form of the file ---- */

START_TEST(forms_of_a_line)
{
	begin();
	load("# a comment\n"
	    "\n"
	    "   \t\r\n"
	    "member=la# ourselves\r\n"
	    "\tring\t=\tring\t\r\n"
	    "  keep-alive   =   5   # seconds\n"
	    "user = a = b\n"
	    "drain-timeout = 7");
	assert_errors("");
	ck_assert_int_eq(t.conf.keep_alive_ms, 5000);
	ck_assert_int_eq(t.conf.drain_ms, 7000);
	ck_assert_str_eq(t.conf.user, "a = b");
	end();
}
END_TEST

START_TEST(bad_lines)
{
	static const struct { const char *line, *error; } table[] = {
		{ "keep-alive", "$F:3: no '=' in 'keep-alive'\n" },
		{ "keep-alive 5", "$F:3: no '=' in 'keep-alive 5'\n" },
		{ "keep-alive # = 5", "$F:3: no '=' in 'keep-alive'\n" },
		{ "[zogd]", "$F:3: no '=' in '[zogd]'\n" },
		{ "\x1b[2J\x80", "$F:3: no '=' in '\\x1b[2J\\x80'\n" },
		{ "keep-alive = \x1b[2J", "$F:3: bad value '\\x1b[2J': keep-alive should be " SECONDS "\n" },
		{ "a\rb = 1", "$F:3: unknown key 'a\\x0db' (did you mean 'ack'?)\n" },
	};
	begin();
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		load_with(table[i].line);
		/* Which key is near to rubbish is not the point. */
		if (strstr(table[i].error, "a\\x0db") != NULL)
			ck_assert_ptr_nonnull(strstr(unit_text(&t.errors), ":3: unknown key 'a\\x0db'"));
		else
			assert_errors(table[i].error);
	}
	end();
}
END_TEST

START_TEST(unknown_keys)
{
	static const struct { const char *key, *more; } table[] = {
		{ "keepalive", " (did you mean 'keep-alive'?)" },
		{ "keep_alive", " (did you mean 'keep-alive'?)" },
		{ "Member", " (did you mean 'member'?)" },
		{ "logdir", " (did you mean 'log-dir'?)" },
		{ "listen-client", " (did you mean 'listen-clients'?)" },
		{ "max-client", " (did you mean 'max-clients'?)" },
		{ "rnig", " (did you mean 'ring'?)" },
		{ "something else entirely", "" },
		{ "supercalifragilisticexpialidocious", "" },
	};
	begin();
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		char line[200], want[300];
		snprintf(line, sizeof line, "%s = 1\n", table[i].key);
		snprintf(want, sizeof want, "$F:3: unknown key '%s'%s\n", table[i].key, table[i].more);
		load_with(line);
		assert_errors(want);
	}
	end();
}
END_TEST

START_TEST(doubled_keys)
{
	begin();
	load_with("keep-alive = 5\n\nkeep-alive = 6\nring = other\nkeep-alive = 7\n");
	assert_errors("$F:5: key 'keep-alive' is here for the second time (line 3 has it)\n"
	    "$F:6: key 'ring' is here for the second time (line 2 has it)\n"
	    "$F:7: key 'keep-alive' is here for the second time (line 3 has it)\n");
	/* Also where the first was no good. */
	load_with("keep-alive = x\nkeep-alive = 6\n");
	assert_errors("$F:3: bad value 'x': keep-alive should be " SECONDS "\n"
	    "$F:4: key 'keep-alive' is here for the second time (line 3 has it)\n");
	end();
}
END_TEST

START_TEST(all_errors_at_once)
{
	begin();
	unit_file_puts(t.dir, "ring", "la 127.0.0.1\n9 h\nt 127.0.0.1\n");
	t.options[0] = "ack=most";
	t.options[1] = "bogus";
	t.count = 2;
	load("member = la\n"
	    "ring = ring\n"
	    "# fine\n"
	    "keep-alive = never\n"
	    "what is this\n"
	    "max-client = 5\n"
	    "queue-limit = 1\n"
	    "reconnect-min = 61\n"
	    "member = t\n");
	assert_errors("$F:4: bad value 'never': keep-alive should be " SECONDS "\n"
	    "$F:5: no '=' in 'what is this'\n"
	    "$F:6: unknown key 'max-client' (did you mean 'max-clients'?)\n"
	    "$F:7: bad value '1': queue-limit should be " BYTES "\n"
	    "$F:9: key 'member' is here for the second time (line 1 has it)\n"
	    "-o ack=most: bad value 'most': ack should be " ACK "\n"
	    "-o bogus: no '=' in 'bogus'\n"
	    "$F: reconnect-min is over reconnect-max\n"
	    "$R:2: bad member name (a letter, then up to 15 of A-Za-z0-9_-): '9'\n"
	    "$R:3: address and port used twice: '127.0.0.1'\n");
	end();
}
END_TEST

/* What an editor or a power cut leaves hides nothing. */
START_TEST(nul_byte)
{
	static const struct { const char *bytes; size_t n; } table[] = {
#define T(bytes) { bytes, sizeof bytes - 1 }
		T("\0"),
		T("\0\0\0\0\0\0\0\0"),
		T("member = la\nring = ring\n\0"),
		T("member = la\nring = ring\n\0\nbogus = 1\n"),
		T("member = la\nring = ring\nkeep-alive = 5\0 6\n"),
		T("member = la\nring = ring\n# \0\n"),
	};
	begin();
	t.options[0] = "member=la";
	t.options[1] = "ring=ring";
	t.count = 2;
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		load_bytes(table[i].bytes, table[i].n);
		ck_assert_msg(!t.good, "row %zu is taken", i);
		ck_assert_ptr_nonnull(strstr(unit_text(&t.errors), "NUL byte"));
	}
	load_bytes(table[4].bytes, table[4].n);
	ck_assert_ptr_nonnull(strstr(unit_text(&t.errors), "zogd.conf:3: NUL byte"));
	end();
}
END_TEST

/* ---- options ---- */

START_TEST(options_win)
{
	begin();
	t.options[0] = "keep-alive=7";
	t.options[1] = " member = t ";
	t.options[2] = "log-dir=elsewhere";
	t.options[3] = "listen-clients=b:2";
	t.options[4] = "keep-alive=8";          /* the last one counts */
	t.count = 5;
	load_with("keep-alive = 5\nlog-dir = logs\nlisten-clients = a:1 a:2\ndrain-timeout = 9\n");
	assert_errors("");
	ck_assert_int_eq(t.conf.keep_alive_ms, 8000);
	ck_assert_str_eq(t.conf.member, "t");
	ck_assert_int_eq(t.conf.self, 1);
	ck_assert_int_eq(t.conf.listen_clients.count, 1);
	ck_assert_str_eq(t.conf.listen_clients.host[0], "b");
	ck_assert_int_eq(t.conf.drain_ms, 9000);
	char want[UNIT_PATH + 64];
	unit_file_path(want, t.dir, "elsewhere");
	ck_assert_str_eq(t.conf.log_dir, want);
	end();
}
END_TEST

START_TEST(bad_options)
{
	static const struct { const char *option, *error; } table[] = {
		{ "keep-alive", "-o keep-alive: no '=' in 'keep-alive'\n" },
		{ "", "-o : no '=' in ''\n" },
		{ "keepalive=1", "-o keepalive=1: unknown key 'keepalive' (did you mean 'keep-alive'?)\n" },
		{ "keep-alive=", "-o keep-alive=: bad value '': keep-alive should be not empty\n" },
		{ "keep-alive=\n", "-o keep-alive=\\x0a: bad value '\\x0a': keep-alive should be " SECONDS "\n" },
		{ "keep-alive=5 # five", "-o keep-alive=5 # five: bad value '5 # five': keep-alive should be " SECONDS "\n" },
	};
	begin();
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		t.options[0] = table[i].option;
		t.count = 1;
		load_with("");
		assert_errors(table[i].error);
	}
	end();
}
END_TEST

/* ---- files ---- */

START_TEST(files_that_are_not_there)
{
	begin();
	load(NULL);
	ck_assert(!t.good);
	ck_assert_ptr_nonnull(strstr(unit_text(&t.errors), "/zogd.conf: No such file or directory\n"));
	t.may_lack = true;
	t.options[0] = "ring=ring";
	t.options[1] = "member=lg";
	t.count = 2;
	load(NULL);
	assert_errors("");
	ck_assert_int_eq(t.conf.self, 2);
	/* No file at all is the same. */
	forget();
	struct conf_source from = { .options = t.options, .count = 2, .dir = t.dir };
	ck_assert(conf_load(&t.conf, &from, &t.errors, NULL));
	ck_assert_int_eq(t.conf.self, 2);
	t.options[2] = "reconnect-max=0.1";
	from.count = 3;
	forget();
	ck_assert(!conf_load(&t.conf, &from, &t.errors, NULL));
	ck_assert_str_eq(unit_text(&t.errors), "-o: reconnect-min is over reconnect-max\n");
	/* One that is there, and cannot be read, is an error though it may lack. */
	unit_folder_remove(t.dir);
	ck_assert_int_eq(mkdir(t.dir, 0700), 0);
	ck_assert_int_eq(mkdir(t.file, 0700), 0);
	unit_file_puts(t.dir, "ring", "lg 127.0.0.1\n");
	load(NULL);
	assert_errors("$F: Is a directory\n");
	/* And so is the ring file. */
	t.options[0] = "ring=nowhere";
	ck_assert_int_eq(rmdir(t.file), 0);
	load("");
	ck_assert(!t.good);
	ck_assert_ptr_nonnull(strstr(unit_text(&t.errors), "/nowhere: No such file or directory\n"));
	end();
}
END_TEST

START_TEST(file_too_large)
{
	static char text[(1 << 20) + 1];
	begin();
	memset(text, '\n', sizeof text);
	load_bytes(text, sizeof text);
	ck_assert(!t.good);
	ck_assert_ptr_nonnull(strstr(unit_text(&t.errors), "/zogd.conf: File too large\n"));
	end();
}
END_TEST

START_TEST(relative_paths)
{
	begin();
	load_with("log-dir = logs\nstate-dir = ./a/b\ncontrol = /abs/sock\npidfile = p\n");
	assert_errors("");
	char want[UNIT_PATH + 64];
	ck_assert_str_eq(t.conf.ring_file, t.ring);
	unit_file_path(want, t.dir, "logs");
	ck_assert_str_eq(t.conf.log_dir, want);
	unit_file_path(want, t.dir, "./a/b");
	ck_assert_str_eq(t.conf.state_dir, want);
	ck_assert_str_eq(t.conf.control, "/abs/sock");
	unit_file_path(want, t.dir, "p");
	ck_assert_str_eq(t.conf.pidfile, want);

	/* Nothing to be relative to: as they are. */
	forget();
	char ring_option[UNIT_PATH + 80];
	snprintf(ring_option, sizeof ring_option, "ring=%s", t.ring);
	const char *options[] = { ring_option, "member=la", "log-dir=logs" };
	struct conf_source from = { .options = options, .count = 3 };
	ck_assert(conf_load(&t.conf, &from, &t.errors, NULL));
	ck_assert_str_eq(t.conf.log_dir, "logs");
	end();
}
END_TEST

/* ---- what all settings together tell ---- */

START_TEST(member_of_no_ring)
{
	begin();
	load("member = sm\nring = ring\n");
	assert_errors("$R: member 'sm' is not in the ring (set member = NAME)\n");
	end();
}
END_TEST

START_TEST(reconnect_times)
{
	begin();
	load_with("reconnect-min = 60.001\n");
	assert_errors("$F: reconnect-min is over reconnect-max\n");
	load_with("reconnect-min = 60\n");
	assert_errors("");
	load_with("reconnect-max = 0.199\n");
	assert_errors("$F: reconnect-min is over reconnect-max\n");
	end();
}
END_TEST

START_TEST(v02_refusals)
{
	begin();
	unit_file_puts(t.dir, "ring", "la h1\nt h2\nlg h3\nsm h4\ng h5\n");
	load_with("forwarding = v0.2\n");
	assert_errors("");
	unit_file_puts(t.dir, "ring", "la h1\nt h2\nlg h3\nsm h4\ng h5\nx h6\n");
	load_with("forwarding = v0.2\n");
	assert_errors("$F: forwarding v0.2 reaches at most 5 members, the ring has 6: use v0.2.2\n");
	load_with("forwarding = v0.2.2\n");
	assert_errors("");
	unit_file_puts(t.dir, "ring", "la h1\nt h2 1 2\nlg h2 3 4\n");
	load_with("forwarding = v0.2\n");
	assert_errors("$R: forwarding v0.2 tells members by their addresses, and t and lg share one\n");
	load_with("");
	assert_errors("");
	end();
}
END_TEST

/* How many members are to have a message, at most all. */
START_TEST(ack_and_ring)
{
	static const struct { const char *text; int size, level; } levels[] = {
		{ "1", 1, 1 }, { "1", 5, 1 }, { "3", 5, 3 }, { "5", 5, 5 }, { "64", 64, 64 }, { "5", 3, 3 },
		{ "majority", 1, 1 }, { "majority", 2, 2 }, { "majority", 3, 2 }, { "majority", 4, 3 }, { "majority", 5, 3 },
		{ "majority", 64, 33 }, { "all", 1, 1 }, { "all", 5, 5 }, { "all", 64, 64 },
	};
	for (size_t i = 0; i < UNIT_COUNT(levels); i++) {
		int level;
		ck_assert(conf_ack(levels[i].text, &level));
		ck_assert_int_eq(conf_level(level, levels[i].size), levels[i].level);
	}
	begin();
	load_with("ack = 3\n");
	assert_errors("");
	load_with("ack = 4\n");
	assert_errors("$F: ack = 4, and the ring has 3 members\n");
	load_with("ack = all\n");
	assert_errors("");
	unit_file_puts(t.dir, "ring", "la 127.0.0.1\n");
	load_with("ack = 2\n");
	assert_errors("$F: ack = 2, and the ring has 1 members\n");
	end();
}
END_TEST

/* ---- what is without effect yet ---- */

START_TEST(notes)
{
	begin();
	load_with("ack = 1\nkeep-alive = 5\nsync = none\nstate-dir = /x\ncontrol = /y\ngap-timeout = 5\nack-timeout = 1\n"
	    "digest-interval = 1\njournal-limit = 1G\njournal-segment = 1M\nremember-clients = 7\n");
	assert_errors("");
	assert_notes("");
	end();
}
END_TEST

/* ---- HUP ---- */

/* Which settings are said to need a restart when this one changes. */
START_TEST(fixed_changes)
{
	static const struct { const char *option, *names; } table[] = {
		{ "member=t", "member the member's own address" }, { "log-dir=/x", "log-dir" }, { "pidfile=/x", "pidfile" },
		{ "user=x", "user" }, { "group=x", "group" }, { "listen-peers=a:1", "listen-peers" },
		{ "listen-clients=a:1", "listen-clients" }, { "log-queue-limit=1M", "log-queue-limit" },
		{ "bad-lines=1", "bad-lines" }, { "state-dir=/x", "state-dir" }, { "remember-clients=1", "remember-clients" },
		{ "ring=other", "" }, { "ring=moved", "the member's own address" },
		{ "ring=ports", "the member's own address" },
		{ "control=/x", "control" }, { "allow-clients=any", "" }, { "forwarding=v0.2", "" }, { "ack=1", "" },
		{ "ack-timeout=1", "" }, { "keep-alive=1", "" }, { "reconnect-min=1", "" }, { "reconnect-max=1", "" },
		{ "peer-timeout=1", "" }, { "digest-interval=1", "" }, { "gap-timeout=1", "" }, { "queue-limit=1M", "" },
		{ "journal-limit=1M", "" }, { "journal-segment=1M", "" }, { "sync=none", "" }, { "max-clients=1", "" },
		{ "max-clients-per-address=1", "" }, { "client-idle-timeout=1", "" }, { "drain-timeout=1", "" },
	};
	begin();
	unit_file_puts(t.dir, "other", "t 127.0.0.2\nla 127.0.0.1\n");
	unit_file_puts(t.dir, "moved", "la 127.0.0.9\nt 127.0.0.2\nlg 127.0.0.3\n");
	unit_file_puts(t.dir, "ports", "la 127.0.0.1 55551 1\n");
	load_with("");
	assert_errors("");
	struct conf running = t.conf;
	memset(&t.conf, 0, sizeof t.conf);
	struct buf names = BUF_INIT;
	for (size_t i = 0; i < UNIT_COUNT(table); i++) {
		t.options[0] = table[i].option;
		t.count = 1;
		load_with("");
		assert_errors("");
		buf_clear(&names);
		conf_fixed_changes(&running, &t.conf, &names);
		ck_assert_str_eq(unit_text(&names), table[i].names);
		/* And the other way round. */
		buf_clear(&names);
		conf_fixed_changes(&t.conf, &running, &names);
		ck_assert_str_eq(unit_text(&names), table[i].names);
	}
	t.options[0] = "user=x";
	t.options[1] = "listen-peers=a:1";
	t.options[2] = "keep-alive=1";
	t.options[3] = "bad-lines=none";
	t.count = 4;
	load_with("");
	buf_clear(&names);
	conf_fixed_changes(&running, &t.conf, &names);
	ck_assert_str_eq(unit_text(&names), "user listen-peers bad-lines");
	buf_clear(&names);
	conf_fixed_changes(&t.conf, &t.conf, &names);
	ck_assert_str_eq(unit_text(&names), "");
	buf_fini(&names);
	conf_fini(&running);
	end();
}
END_TEST

START_TEST(fini_twice)
{
	begin();
	load_with("user = x\n");
	conf_fini(&t.conf);
	conf_fini(&t.conf);
	ck_assert_ptr_null(t.conf.user);
	end();
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, forms_of_a_line);
	UNIT_TEST(s, bad_lines);
	UNIT_TEST(s, unknown_keys);
	UNIT_TEST(s, doubled_keys);
	UNIT_TEST(s, all_errors_at_once);
	UNIT_TEST(s, nul_byte);
	UNIT_TEST(s, options_win);
	UNIT_TEST(s, bad_options);
	UNIT_TEST(s, files_that_are_not_there);
	UNIT_TEST(s, file_too_large);
	UNIT_TEST(s, relative_paths);
	UNIT_TEST(s, member_of_no_ring);
	UNIT_TEST(s, reconnect_times);
	UNIT_TEST(s, v02_refusals);
	UNIT_TEST(s, ack_and_ring);
	UNIT_TEST(s, notes);
	UNIT_TEST(s, fixed_changes);
	UNIT_TEST(s, fini_twice);
}

int
main(void)
{
	return unit_main("conf", add);
}
