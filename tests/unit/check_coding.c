/* SPDX-License-Identifier: MIT */
#include "petrichor/coding.h"

#include "coding_rig.h"

static char run_of_a[301];

static void
setup(void)
{
	memset(run_of_a, 'a', 300);
}

/* ---- what goes over the wire ---- */

START_TEST(published_bytes)
{
	struct wire w;
	const struct pt_value *header, *body;
	agree_lz4(&w);
	send_text(&w, run_of_a, 300);
	wire_expect(&w, PUBLISHED, PUBLISHED_SIZE);
	wire_say(&w, PUBLISHED, PUBLISHED_SIZE);
	ck_assert_int_eq(pt_recv(w.conn, &header, &body), PT_OK);
	ck_assert_int_eq(body->type, PT_BYTES);
	ck_assert_uint_eq(body->bytes.len, 300);
	ck_assert_mem_eq(body->bytes.at, run_of_a, 300);
	/* What came can be sent back: its memory is not that of what is sent. */
	ck_assert_int_eq(pt_send(w.conn, NULL, body), PT_OK);
	wire_expect(&w, PUBLISHED, PUBLISHED_SIZE);
	/* With its header, too: that does not say any more that the body is packed. */
	ck_assert_ptr_null(pt_get(header, "pt.enc"));
	ck_assert_ptr_null(pt_get(header, "pt.len"));
	ck_assert_int_eq(pt_send(w.conn, header, body), PT_OK);
	wire_expect(&w, PUBLISHED, PUBLISHED_SIZE);
	wire_close(&w);
}
END_TEST

START_TEST(client_offers)
{
	struct wire w;
	const struct pt_value identity = DICT(PT_TEXT("user"), PT_TEXT("zed")), *verdict, *body;
	open_lz4(&w);
	wire_says(&w, LZ4_VERDICT);
	ck_assert_int_eq(pt_greet(w.conn, &identity, NULL, 1000, &verdict, &body), PT_OK);
	ck_assert(pt_connect_allowed(verdict, PT_STRICT));
	wire_expects(&w, LZ4_IDENTITY);
	send_text(&w, run_of_a, 300);
	wire_expect(&w, PUBLISHED, PUBLISHED_SIZE);
	wire_close(&w);
}
END_TEST

/* The body as it is: nothing was agreed on. */
static void
goes_as_it_is(struct wire *w)
{
	char pair[400];
	int n = snprintf(pair, sizeof pair, "0:}300:%s,", run_of_a);
	send_text(w, run_of_a, 300);
	wire_expect(w, pair, (size_t)n);
}

START_TEST(only_what_both_have)
{
	static const char *const good[] = { "0:}0:,", "22:9:pt.accept,7:4:zlib,]}0:,", "18:9:pt.accept,3:lz4,}0:,",
		"19:9:pt.accept,4:1:4#]}0:,", "15:9:pt.accept,0:]}0:," };
	struct wire w;
	for (size_t i = 0; i < UNIT_COUNT(good); i++) {
		open_lz4(&w);
		const struct pt_value *h, *b;
		wire_says(&w, good[i]);
		int e = pt_accept(w.conn, 1000, &h, &b);
		ck_assert_msg(e == PT_OK, "%s: %s", good[i], pt_error_name(e));
		ck_assert_int_eq(pt_peer_allowed(w.conn, NULL, NULL), PT_OK);
		wire_expects(&w, LZ4_VERDICT);
		goes_as_it_is(&w);
		wire_close(&w);
	}
	/* We have none, the peer does. */
	wire_open(&w);
	agree(&w, LZ4_IDENTITY);
	wire_expects(&w, "17:7:allowed,4:true!}0:,");
	goes_as_it_is(&w);
	wire_close(&w);
	/* Taken back. */
	open_lz4(&w);
	ck_assert_int_eq(pt_conn_codings(w.conn, NULL, 0), PT_OK);
	agree(&w, LZ4_IDENTITY);
	wire_expects(&w, "17:7:allowed,4:true!}0:,");
	goes_as_it_is(&w);
	wire_close(&w);
}
END_TEST

START_TEST(small_and_random_ones_are_not)
{
	static char noise[5000], pair[6000];
	struct wire w;
	uint64_t seed = unit_seed("small_and_random_ones_are_not");
	agree_lz4(&w);
	send_text(&w, run_of_a, 63);
	int n = snprintf(pair, sizeof pair, "0:}63:%.63s,", run_of_a);
	wire_expect(&w, pair, (size_t)n);
	send_text(&w, run_of_a, 64);
	wire_expect(&w, "29:6:pt.enc,3:lz4,6:pt.len,2:68#}14:\x4f" "64:a\1\0\x28" "Paaaa,,", 51);
	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (char)unit_random(&seed);
	for (size_t size = 64; size <= sizeof noise; size += 617) {
		n = snprintf(pair, sizeof pair, "0:}%zu:", size);
		memcpy(pair + n, noise, size);
		pair[(size_t)n + size] = ',';
		send_text(&w, noise, size);
		wire_expect(&w, pair, (size_t)n + size + 1);
	}
	wire_close(&w);
}
END_TEST

/* Whether the pair becomes shorter counts, with all that packing puts into the header. */
START_TEST(never_longer)
{
	static char text[400], got[2000];
	struct wire w;
	uint64_t seed = unit_seed("never_longer");
	agree_lz4(&w);
	bool both[2] = { false, false };
	for (int round = 0; round < 500; round++) {
		size_t n = 64 + unit_below(&seed, 200), same = unit_below(&seed, 100);
		for (size_t i = 0; i < n; i++)
			text[i] = i < same ? 'a' : (char)unit_random(&seed);
		send_text(&w, text, n);
		ssize_t k = read(w.fd, got, sizeof got);
		size_t plain = 3 + (n < 100 ? 2u : 3u) + 2 + n;
		bool packed = got[0] != '0';
		ck_assert(packed ? (size_t)k < plain : (size_t)k == plain);
		both[packed] = true;
	}
	ck_assert(both[0] && both[1]);
	wire_close(&w);
}
END_TEST

/* ---- both sides ---- */

struct two {
	struct pt_conn *a, *b;
};

static void
connect_two(struct two *t, const struct pt_options *options)
{
	int fds[2];
	const struct pt_value *header, *body, none = DICT(PT_TEXT("pt.accept"), PT_LIST_OF(NULL, 0));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	t->a = pt_from_fd(fds[0], options);
	t->b = pt_from_fd(fds[1], options);
	/* Both are servers, so that one thread can do it. */
	ck_assert_int_eq(pt_peer_allowed(t->a, &none, NULL), PT_OK);
	ck_assert_int_eq(pt_peer_allowed(t->b, &none, NULL), PT_OK);
	ck_assert_int_eq(pt_accept(t->a, 1000, &header, &body), PT_OK);
	ck_assert(pt_get(header, "pt.accept")->items.len != 0);
	ck_assert_int_eq(pt_accept(t->b, 1000, &header, &body), PT_OK);
}

static void
close_two(struct two *t)
{
	pt_close(&t->a);
	pt_close(&t->b);
}

START_TEST(every_type_survives)
{
	const struct pt_coding *codings[] = { pt_lz4() };
	struct pt_options o = PT_OPTIONS_INIT;
	struct two t;
	struct pt_value list[100], dict[100];
	static char keys[50][4], text[20000];
	uint64_t seed = unit_seed("every_type_survives");
	o.codings = codings;
	o.codings_count = 1;
	connect_two(&t, &o);
	for (int i = 0; i < 50; i++) {
		snprintf(keys[i], sizeof keys[i], "%d", i);
		dict[2 * i] = (struct pt_value)PT_BYTES_OF(keys[i], strlen(keys[i]));
		dict[2 * i + 1] = (struct pt_value)PT_INT_OF(i);
	}
	for (int i = 0; i < 100; i++)
		list[i] = i % 3 == 0 ? (struct pt_value)PT_BOOL_OF(true) : i % 3 == 1 ? (struct pt_value)PT_FLOAT_OF(1.5) :
		    (struct pt_value)PT_DICT_OF(dict, 1);
	for (int round = 0; round < unit_amount(200); round++) {
		size_t n = unit_below(&seed, sizeof text);
		for (size_t i = 0; i < n; i++)
			text[i] = (char)('a' + unit_below(&seed, 1 + (unsigned)round % 20));
		struct pt_value bodies[] = { PT_BYTES_OF(text, n), PT_LIST_OF(list, 100), PT_DICT_OF(dict, 50), PT_NULL_OF,
			PT_INT_OF(7) };
		const struct pt_value header = DICT(PT_TEXT("n"), PT_INT_OF(round)), *body = &bodies[round % 5], *h, *b;
		ck_assert_int_eq(pt_send(t.a, &header, body), PT_OK);
		ck_assert_int_eq(pt_recv(t.b, &h, &b), PT_OK);
		ck_assert(pt_same(b, body));
		ck_assert_int_eq(pt_get(h, "n")->integer, round);
		/* And back, from the other's memory. */
		ck_assert_int_eq(pt_send(t.b, &header, b), PT_OK);
		ck_assert_int_eq(pt_recv(t.a, &h, &b), PT_OK);
		ck_assert(pt_same(b, body));
	}
	close_two(&t);
}
END_TEST

/* A coding of the user's: turns a run of one byte into a count, and nothing else. */
static size_t
pack_run(void *ctx, const char *from, size_t n, char *to, size_t room)
{
	int *mode = ctx;
	if (*mode == 1)
		return room + 1;
	if (n < 20 || memchr(from, 'b', n) == NULL)
		return 0;
	return (size_t)snprintf(to, room, "%zu", n) < room ? strlen(to) : 0;
}

static bool
unpack_run(void *ctx, const char *from, size_t n, char *to, size_t size)
{
	(void)ctx;
	char text[16] = "";
	if (n >= sizeof text)
		return false;
	memcpy(text, from, n);
	if ((size_t)atol(text) != size || size != 305)
		return false;
	memset(to, 'b', size);
	memcpy(to, "300:", 4);
	to[304] = ',';
	return true;
}

START_TEST(codings_of_the_user)
{
	int mode = 0;
	struct pt_coding run = { "run", pack_run, unpack_run, &mode, 0 };
	const struct pt_coding *codings[] = { &run, pt_lz4() };
	struct wire w;
	const struct pt_value *header, *body;
	char all_b[300];
	memset(all_b, 'b', sizeof all_b);
	open_with(&w, codings, 2, 0);
	/* Ours count, not the order of the peer's. */
	agree(&w, "28:9:pt.accept,12:3:lz4,3:run,]}0:,");
	wire_expects(&w, "45:9:pt.accept,12:3:run,3:lz4,]7:allowed,4:true!}0:,");
	send_text(&w, all_b, 300);
	wire_expects(&w, "30:6:pt.enc,3:run,6:pt.len,3:305#}3:305,");
	wire_says(&w, "30:6:pt.enc,3:run,6:pt.len,3:305#}3:305,");
	ck_assert_int_eq(pt_recv(w.conn, &header, &body), PT_OK);
	ck_assert(body->bytes.len == 300 && memcmp(body->bytes.at, all_b, 300) == 0);
	/* The peer may use all that we named. */
	wire_say(&w, PUBLISHED, PUBLISHED_SIZE);
	ck_assert_int_eq(pt_recv(w.conn, &header, &body), PT_OK);
	/* Where it does not fit, or says that it took more than there is, the body goes as it is. */
	goes_as_it_is(&w);
	mode = 1;
	goes_as_it_is(&w);
	wire_close(&w);
	/* The next of ours where the peer has not the first. */
	open_with(&w, codings, 2, 0);
	agree(&w, LZ4_IDENTITY);
	wire_expects(&w, "45:9:pt.accept,12:3:run,3:lz4,]7:allowed,4:true!}0:,");
	send_text(&w, run_of_a, 300);
	wire_expect(&w, PUBLISHED, PUBLISHED_SIZE);
	wire_close(&w);
}
END_TEST

START_TEST(names)
{
	static char long_name[66];
	struct pt_coding a = *pt_lz4(), b = a;
	const struct pt_coding *codings[] = { &a, &b };
	struct wire w;
	memset(long_name, 'n', 65);
	wire_open(&w);
	ck_assert_int_eq(pt_conn_codings(w.conn, codings, 2), PT_E_ARGUMENT);
	b.name = "";
	ck_assert_int_eq(pt_conn_codings(w.conn, codings, 2), PT_E_ARGUMENT);
	b.name = long_name;
	ck_assert_int_eq(pt_conn_codings(w.conn, codings, 2), PT_E_ARGUMENT);
	b.name = long_name + 1;
	ck_assert_int_eq(pt_conn_codings(w.conn, codings, 2), PT_OK);
	b.unpack = NULL;
	ck_assert_int_eq(pt_conn_codings(w.conn, codings, 2), PT_E_ARGUMENT);
	wire_close(&w);
}
END_TEST

/* A pair that says already how its body is packed is passed on. */
START_TEST(packed_already)
{
	struct wire w;
	const struct pt_value header = DICT(PT_TEXT("pt.enc"), PT_TEXT("zstd"), PT_TEXT("pt.len"), PT_INT_OF(9)),
	    body = PT_BYTES_OF(run_of_a, 300);
	char pair[400];
	agree_lz4(&w);
	ck_assert_int_eq(pt_send(w.conn, &header, &body), PT_OK);
	int n = snprintf(pair, sizeof pair, "29:6:pt.enc,4:zstd,6:pt.len,1:9#}300:%s,", run_of_a);
	wire_expect(&w, pair, (size_t)n);
	wire_close(&w);
}
END_TEST

#define TEST(suite, test) \
	do { \
		TCase *tcase_ = unit_case(suite, #test); \
		tcase_add_checked_fixture(tcase_, setup, NULL); \
		tcase_add_test(tcase_, test); \
	} while (0)

static void
add(Suite *s)
{
	TEST(s, published_bytes);
	TEST(s, client_offers);
	TEST(s, only_what_both_have);
	TEST(s, small_and_random_ones_are_not);
	TEST(s, never_longer);
	TEST(s, every_type_survives);
	TEST(s, codings_of_the_user);
	TEST(s, names);
	TEST(s, packed_already);
}

int
main(void)
{
	return unit_main("coding", add);
}
