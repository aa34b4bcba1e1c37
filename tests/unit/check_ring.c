/* SPDX-License-Identifier: MIT */
#include "ring/ring.h"

#include "unit.h"

static struct ring ring;

/* Parses; errors as they are, to be the same as these. "": none. */
static void
try(const char *text, const char *errors)
{
	struct buf b = BUF_INIT;
	bool good = ring_parse(&ring, "R", text, &b);
	ck_assert_str_eq(unit_text(&b), errors);
	ck_assert_int_eq(good, *errors == '\0');
	buf_fini(&b);
}

static void
assert_member(int i, const char *name, const char *host, int peer_port, int client_port)
{
	ck_assert_str_eq(ring.member[i].name, name);
	ck_assert_str_eq(ring.member[i].host, host);
	ck_assert_int_eq(ring.member[i].peer_port, peer_port);
	ck_assert_int_eq(ring.member[i].client_port, client_port);
}

/* ---- what is good ---- */

START_TEST(good_file)
{
	try("# NAME ADDRESS\n"
	    "\n"
	    "mv\t192.168.152.242\n"
	    "  pa 192.168.152.252 1000   # own ports\n"
	    "lg\t \tlg.example.org\t1 65535\t\n"
	    "   # nothing\n"
	    "sixteen-letters_ ::1\n"
	    "Z9 [fe80\n", "R:8: bad address: '[fe80'\n");
	try("# NAME ADDRESS\n"
	    "\n"
	    "mv\t192.168.152.242\n"
	    "  pa 192.168.152.252 1000   # own ports\n"
	    "lg\t \tlg.example.org\t1 65535\t\n"
	    "   # nothing\n"
	    "sixteen-letters_ ::1#\n"
	    "Z9 fe80::1%eth0\n", "");
	ck_assert_int_eq(ring.size, 5);
	assert_member(0, "mv", "192.168.152.242", 55551, 55552);
	assert_member(1, "pa", "192.168.152.252", 1000, 55552);
	assert_member(2, "lg", "lg.example.org", 1, 65535);
	assert_member(3, "sixteen-letters_", "::1", 55551, 55552);
	assert_member(4, "Z9", "fe80::1%eth0", 55551, 55552);
}
END_TEST

START_TEST(line_ends)
{
	try("a h1\r\nb h2 1 2\r\n\r\n# c\r\nc h3\r\n", "");
	ck_assert_int_eq(ring.size, 3);
	assert_member(1, "b", "h2", 1, 2);
	assert_member(2, "c", "h3", 55551, 55552);
	try("a h1\nb h2", "");
	ck_assert_int_eq(ring.size, 2);
	try("a h1\nb h2\r", "");
	assert_member(1, "b", "h2", 55551, 55552);
	try("a h1", "");
	ck_assert_int_eq(ring.size, 1);
}
END_TEST

/* One address may be several members', on ports of their own. */
START_TEST(shared_addresses)
{
	try("a h 1 2\nb h 3 4\nc h 5 6\n", "");
	ck_assert_int_eq(ring.size, 3);
	try("a h 1 2\nb i 1 2\n", "");
}
END_TEST

/* ---- what is not ---- */

#define NAME_FORM "bad member name (a letter, then up to 15 of A-Za-z0-9_-)"
#define PORT_FORM "bad port (1 to 65535)"
#define FORM "(NAME ADDRESS [PEER-PORT [CLIENT-PORT]])"

static const struct { const char *text, *errors; } bad[] = {
	{ "9a h\n", "R:1: " NAME_FORM ": '9a'\n" },
	{ "_a h\n", "R:1: " NAME_FORM ": '_a'\n" },
	{ "-a h\n", "R:1: " NAME_FORM ": '-a'\n" },
	{ "a.b h\n", "R:1: " NAME_FORM ": 'a.b'\n" },
	{ "a:b h\n", "R:1: " NAME_FORM ": 'a:b'\n" },
	{ "\xc3\xa4 h\n", "R:1: " NAME_FORM ": '\\xc3\\xa4'\n" },
	{ "\xef\xbb\xbf" "a h\n", "R:1: " NAME_FORM ": '\\xef\\xbb\\xbfa'\n" },
	{ "seventeen-letters h\n", "R:1: " NAME_FORM ": 'seventeen-letters'\n" },
	{ "a\rb h\n", "R:1: " NAME_FORM ": 'a\\x0db'\n" },
	{ "a\n", "R:1: address missing " FORM "\n" },
	{ "a # h\n", "R:1: address missing " FORM "\n" },
	{ "a h,i\n", "R:1: bad address: 'h,i'\n" },
	{ "a h/8\n", "R:1: bad address: 'h/8'\n" },
	{ "a [::1]\n", "R:1: bad address: '[::1]'\n" },
	{ "a \x1b[2J\n", "R:1: bad address: '\\x1b[2J'\n" },
	{ "a h 0\n", "R:1: " PORT_FORM ": '0'\n" },
	{ "a h 65536\n", "R:1: " PORT_FORM ": '65536'\n" },
	{ "a h -1\n", "R:1: " PORT_FORM ": '-1'\n" },
	{ "a h x\n", "R:1: " PORT_FORM ": 'x'\n" },
	{ "a h 1 x\n", "R:1: " PORT_FORM ": 'x'\n" },
	{ "a h 1 0\n", "R:1: " PORT_FORM ": '0'\n" },
	{ "a h 1 2 3\n", "R:1: too many words " FORM ": '3'\n" },
	{ "a h 1 2 3 4 5\n", "R:1: too many words " FORM ": '3'\n" },
	{ "a h 7 7\n", "R:1: one port for both peers and clients: 'h'\n" },
	{ "a h 55552\n", "R:1: one port for both peers and clients: 'h'\n" },
	{ "a h\na i\n", "R:2: member named twice: 'a'\n" },
	{ "a h\nb h\n", "R:2: address and port used twice: 'h'\n" },
	{ "a h 1 2\nb h 1 3\n", "R:2: address and port used twice: 'h'\n" },
	{ "a h 1 2\nb h 3 2\n", "R:2: address and port used twice: 'h'\n" },
	{ "a h 1 2\nb h 2 3\n", "R:2: address and port used twice: 'h'\n" },
	{ "a h 1 2\nb h 3 1\n", "R:2: address and port used twice: 'h'\n" },
};

START_TEST(each_error)
{
	try(bad[_i].text, bad[_i].errors);
	/* Three lines on, between good members, it is the same error in another line. */
	char text[200], want[300];
	struct buf b = BUF_INIT;
	snprintf(text, sizeof text, "# one\n\nx x\n%sy y\n", bad[_i].text);
	int line = bad[_i].errors[2] - '0' + 3;
	snprintf(want, sizeof want, "R:%d%s", line, bad[_i].errors + 3);
	ck_assert(!ring_parse(&ring, "R", text, &b));
	ck_assert_str_eq(unit_text(&b), want);
	buf_fini(&b);
}
END_TEST

START_TEST(names)
{
	static const struct { const char *name; bool good; } table[] = {
		{ "a", true }, { "Z", true }, { "a-_9", true }, { "abcdefghijklmnop", true }, { "abcdefghijklmnopq", false },
		{ "", false }, { "9", false }, { "-", false }, { "_", false }, { "a b", false }, { "a.", false }, { "a\n", false },
		{ "\xc3\xa4", false },
	};
	for (size_t i = 0; i < UNIT_COUNT(table); i++)
		ck_assert_msg(ring_name_ok(table[i].name) == table[i].good, "'%s'", table[i].name);
}
END_TEST

/* A host name is as long as NET_HOST lets it, and a long word is shown cut. */
START_TEST(long_addresses)
{
	char text[NET_HOST + 20] = "a ";
	memset(text + 2, 'h', NET_HOST - 1);
	try(text, "");
	ck_assert_uint_eq(strlen(ring.member[0].host), NET_HOST - 1);
	text[2 + NET_HOST - 1] = 'h';
	try(text, "R:1: bad address: 'hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh...'\n");
}
END_TEST

START_TEST(all_errors_at_once)
{
	try("9 h\n"
	    "a h\n"
	    "b\n"
	    "# fine\n"
	    "c h x\n"
	    "a i\n"
	    "d h\n"
	    "e h 1 2 3\n"
	    "f f\n",
	    "R:1: " NAME_FORM ": '9'\n"
	    "R:3: address missing " FORM "\n"
	    "R:5: " PORT_FORM ": 'x'\n"
	    "R:6: member named twice: 'a'\n"
	    "R:7: address and port used twice: 'h'\n"
	    "R:8: too many words " FORM ": '3'\n");
}
END_TEST

START_TEST(errors_are_appended)
{
	struct buf b = BUF_INIT;
	ck_assert(buf_puts(&b, "before\n"));
	ck_assert(!ring_parse(&ring, "dir/ring", "9 h\n", &b));
	ck_assert_str_eq(unit_text(&b), "before\ndir/ring:1: " NAME_FORM ": '9'\n");
	buf_fini(&b);
}
END_TEST

START_TEST(no_member)
{
	static const char *const texts[] = { "", "\n", "# nobody\n", " \t\r\n" };
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		struct buf b = BUF_INIT;
		ck_assert(!ring_parse(&ring, "R", texts[i], &b));
		ck_assert_str_eq(unit_text(&b), "R:1: no member in the ring\n");
		buf_fini(&b);
	}
	/* Where there is another error, that is enough. */
	try("9 h\n", "R:1: " NAME_FORM ": '9'\n");
}
END_TEST

/* ---- how many ---- */

START_TEST(sixty_four)
{
	for (int n = 1; n <= 67; n++) {
		struct buf text = BUF_INIT, errors = BUF_INIT;
		for (int i = 0; i < n; i++)
			buf_printf(&text, "m%d 10.0.0.%d\n", i, i);
		bool good = ring_parse(&ring, "R", unit_text(&text), &errors);
		ck_assert_int_eq(good, n <= 64);
		ck_assert_int_eq(ring.size, n <= 64 ? n : 64);
		char want[200] = "";
		for (int i = 64; i < n; i++)
			sprintf(want + strlen(want), "R:%d: more than 64 members: 'm%d'\n", i + 1, i);
		ck_assert_str_eq(unit_text(&errors), want);
		buf_fini(&text);
		buf_fini(&errors);
	}
}
END_TEST

/* ---- looking up ---- */

START_TEST(find)
{
	try("a h1\nb h2\nab h3\n", "");
	ck_assert_int_eq(ring_find(&ring, "a"), 0);
	ck_assert_int_eq(ring_find(&ring, "b"), 1);
	ck_assert_int_eq(ring_find(&ring, "ab"), 2);
	ck_assert_int_eq(ring_find(&ring, "A"), -1);
	ck_assert_int_eq(ring_find(&ring, ""), -1);
	ck_assert_int_eq(ring_find(&ring, "abc"), -1);
}
END_TEST

START_TEST(at)
{
	ck_assert_int_eq(ring_at(5, 0, 1), 1);
	ck_assert_int_eq(ring_at(5, 4, 1), 0);
	ck_assert_int_eq(ring_at(5, 3, 4), 2);
	ck_assert_int_eq(ring_at(5, 2, 0), 2);
	ck_assert_int_eq(ring_at(5, 2, 5), 2);
	ck_assert_int_eq(ring_at(1, 0, 3), 0);
	ck_assert_int_eq(ring_at(64, 63, 63), 62);
}
END_TEST

/* ---- files ---- */

static void
try_file(const char *bytes, size_t n, const char *errors)
{
	char dir[UNIT_PATH], path[UNIT_PATH + 64], want[UNIT_PATH + 200] = "";
	struct buf b = BUF_INIT;
	unit_folder(dir);
	unit_file_path(path, dir, "ring");
	if (bytes != NULL)
		unit_file_write(dir, "ring", bytes, n);
	bool good = ring_read(&ring, path, &b);
	if (*errors != '\0')
		snprintf(want, sizeof want, "%s%s", path, errors);
	ck_assert_str_eq(unit_text(&b), want);
	ck_assert_int_eq(good, *errors == '\0');
	buf_fini(&b);
	unit_folder_remove(dir);
}
#define TRY_FILE(bytes, errors) try_file(bytes, sizeof bytes - 1, errors)

START_TEST(read_file)
{
	TRY_FILE("a h\nb i 1 2\n", "");
	ck_assert_int_eq(ring.size, 2);
	TRY_FILE("a h\r\nb i 1 2", "");
	ck_assert_int_eq(ring.size, 2);
	TRY_FILE("a h\n9 i\n", ":2: " NAME_FORM ": '9'\n");
	try_file(NULL, 0, ": No such file or directory\n");
}
END_TEST

/* What an editor or a power cut leaves is not the end of the file. */
START_TEST(nul_byte)
{
	TRY_FILE("\0", ":1: NUL byte in the file\n");
	TRY_FILE("a h\nb i\n\0c j\n", ":3: NUL byte in the file\n");
	TRY_FILE("a h\nb i\0\n", ":2: NUL byte in the file\n");
	TRY_FILE("a h\n\0\0\0\0", ":2: NUL byte in the file\n");
}
END_TEST

START_TEST(file_too_large)
{
	static char bytes[(1 << 20) + 1];
	memset(bytes, '\n', sizeof bytes);
	memcpy(bytes, "a h\n", 4);
	try_file(bytes, 1 << 20, "");
	try_file(bytes, sizeof bytes, ": File too large\n");
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, good_file);
	UNIT_TEST(s, line_ends);
	UNIT_TEST(s, shared_addresses);
	UNIT_LOOP(s, each_error, 0, UNIT_COUNT(bad));
	UNIT_TEST(s, names);
	UNIT_TEST(s, long_addresses);
	UNIT_TEST(s, all_errors_at_once);
	UNIT_TEST(s, errors_are_appended);
	UNIT_TEST(s, no_member);
	UNIT_TEST(s, sixty_four);
	UNIT_TEST(s, find);
	UNIT_TEST(s, at);
	UNIT_TEST(s, read_file);
	UNIT_TEST(s, nul_byte);
	UNIT_TEST(s, file_too_large);
}

int
main(void)
{
	return unit_main("ring", add);
}
