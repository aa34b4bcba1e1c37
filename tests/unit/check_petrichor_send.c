/* SPDX-License-Identifier: MIT
 * check_petrichor_send.c - what goes out: pairs, requests, identities and verdicts. */
#include <ctype.h>

#include "pairs_rig.h"

static const struct pt_value some_items[] = { PT_TEXT("a"), PT_INT_OF(1), PT_TEXT("b"), PT_NULL_OF };
static const struct pt_value some = PT_DICT_OF(some_items, 2), hello = PT_TEXT("hello");

static const struct pt_value zed_items[] = { PT_TEXT("user"), PT_TEXT("zed") };
static const struct pt_value who_zed = PT_DICT_OF(zed_items, 1);

static void
sent(struct script *s, const char *want)
{
	unit_assert_bytes(&s->out, want, strlen(want));
	buf_clear(&s->out);
}

START_TEST(pairs_are_header_and_body)
{
	struct script s = { 0 };
	script_text(&s, "", NULL);
	ck_assert_int_eq(pt_send(s.conn, &some, &hello), PT_OK);
	sent(&s, "15:1:a,1:1#1:b,0:~}5:hello,");
	ck_assert_uint_eq(s.calls, 1);          /* one write */
	ck_assert_int_eq(pt_send(s.conn, NULL, NULL), PT_OK);
	sent(&s, "0:}0:,");
	ck_assert_int_eq(pt_send(s.conn, NULL, &some), PT_OK);
	sent(&s, "0:}15:1:a,1:1#1:b,0:~}");
	/* Frames that are made already. */
	const struct pt_value header = { .type = PT_FRAME, .bytes = { "3:0:,}", 6 } };
	const struct pt_value dict = { .type = PT_FRAME, .bytes = { "7:1:a,0:~}", 10 } };
	ck_assert_int_eq(pt_send(s.conn, &dict, &header), PT_OK);
	sent(&s, "7:1:a,0:~}3:0:,}");
	script_end(&s);
}
END_TEST

START_TEST(any_size_of_header_and_body)
{
	static const size_t sizes[] = { 0, 1, 500, 513, 2000, 3000, 70000 };
	static char run[70000], want[2 * 70000 + 64];
	memset(run, 'x', sizeof run);
	for (size_t i = 0; i < UNIT_COUNT(sizes) * UNIT_COUNT(sizes); i++) {
		size_t head = sizes[i / UNIT_COUNT(sizes)], n = sizes[i % UNIT_COUNT(sizes)];
		const struct pt_value items[] = { PT_TEXT("k"), PT_BYTES_OF(run, head) }, header = PT_DICT_OF(items, 1);
		const struct pt_value body = PT_BYTES_OF(run, n);
		char value[16];
		size_t size = 4 + (size_t)sprintf(value, "%zu:", head) + head + 1;
		int k = sprintf(want, "%zu:1:k,%s%.*s,}%zu:%.*s,", size, value, (int)head, run, n, (int)n, run);
		struct script s = { 0 };
		script_text(&s, "", NULL);
		for (int again = 0; again < 2; again++) {
			ck_assert_int_eq(pt_send(s.conn, &header, &body), PT_OK);
			unit_assert_bytes(&s.out, want, (size_t)k);
			buf_clear(&s.out);
		}
		script_end(&s);
	}
}
END_TEST

START_TEST(what_cannot_be_sent_writes_nothing)
{
	struct script s = { 0 };
	const struct pt_value number = PT_INT_OF(1), nan = PT_FLOAT_OF(0.0 / 0.0), list = PT_LIST_OF(&number, 1);
	const struct pt_value bad_items[] = { PT_INT_OF(1), PT_INT_OF(2) }, bad_key = PT_DICT_OF(bad_items, 1);
	const struct pt_value no_dict = { .type = PT_FRAME, .bytes = { "0:]", 3 } }, no_frame = { .type = PT_FRAME, .bytes = { "}", 1 } };
	script_text(&s, "", NULL);
	ck_assert_int_eq(pt_send(s.conn, &number, NULL), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_send(s.conn, &list, NULL), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_send(s.conn, &no_dict, NULL), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_send(s.conn, &no_frame, NULL), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_send(s.conn, &bad_key, NULL), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_send(s.conn, NULL, &nan), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_send(s.conn, &some, &bad_key), PT_E_ARGUMENT);
	ck_assert_uint_eq(s.calls, 0);
	/* And nothing is broken. */
	ck_assert_int_eq(pt_send(s.conn, NULL, &hello), PT_OK);
	sent(&s, "0:}5:hello,");
	script_end(&s);
}
END_TEST

START_TEST(short_writes_are_gone_on_with)
{
	for (size_t step = 1; step < 30; step++) {
		struct script s = { .out_step = step, .interrupts = step % 2 == 1 };
		script_text(&s, "", NULL);
		ck_assert_int_eq(pt_send(s.conn, &some, &hello), PT_OK);
		sent(&s, "15:1:a,1:1#1:b,0:~}5:hello,");
		script_end(&s);
	}
}
END_TEST

START_TEST(half_a_pair_is_the_end)
{
	for (size_t most = 1; most < 27; most++)
		for (int breaks = 0; breaks < 2; breaks++) {
			struct script s = { .out_most = most, .out_breaks = breaks, .out_step = 5 };
			int want = breaks ? PT_E_IO : PT_E_TIMEOUT;
			script_text(&s, "0:}0:,", NULL);
			ck_assert_int_eq(pt_send(s.conn, &some, &hello), want);
			unit_assert_bytes(&s.out, "15:1:a,1:1#1:b,0:~}5:hello,", most);
			s.out_most = 0;
			ck_assert_int_eq(pt_send(s.conn, &some, &hello), want);
			ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), want);
			ck_assert_uint_eq(s.out.len, most);
			ck_assert(!breaks || pt_conn_errno(s.conn) == EPIPE);
			script_end(&s);
		}
}
END_TEST

static ssize_t
never_writes(void *ctx, const void *from, size_t n, int timeout_ms)
{
	(void)ctx;
	(void)from;
	(void)n;
	(void)timeout_ms;
	return script_fails(ETIMEDOUT);
}

START_TEST(nothing_written_may_be_tried_again)
{
	struct script s = { 0 };
	script_text(&s, "", NULL);
	s.conn->io.write = never_writes;
	ck_assert_int_eq(pt_send(s.conn, &some, &hello), PT_E_TIMEOUT);
	s.conn->io.write = script_write;
	ck_assert_int_eq(pt_send(s.conn, &some, &hello), PT_OK);
	sent(&s, "15:1:a,1:1#1:b,0:~}5:hello,");
	script_end(&s);
}
END_TEST

START_TEST(a_last_word_after_the_end_of_what_comes)
{
	static const struct {
		const char *stream;
		bool        may;
	} some_ends[] = {
		{ "", true }, { "0:]", true }, { "15:6:pt.enc,3:lz4,}0:,", true },
		{ "0", false }, { "0:}", false }, { "x", false }, { "65537:", false }, { "0:}0:!", false },
	};
	for (size_t i = 0; i < UNIT_COUNT(some_ends); i++) {
		struct script s = { 0 };
		script_text(&s, some_ends[i].stream, NULL);
		int e = pt_recv(s.conn, NULL, NULL);
		ck_assert_int_ne(e, PT_OK);
		ck_assert_int_eq(pt_send(s.conn, NULL, NULL), some_ends[i].may ? PT_OK : e);
		sent(&s, some_ends[i].may ? "0:}0:," : "");
		ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), e);
		script_end(&s);
	}
}
END_TEST

START_TEST(buffers_stay_and_large_ones_go)
{
	struct script s = { 0 };
	size_t n = 1 << 20;
	char *large = calloc(1, n);
	struct pt_value body = PT_BYTES_OF(large, n);
	script_text(&s, "", NULL);
	ck_assert_int_eq(pt_send(s.conn, &some, &hello), PT_OK);
	const char *kept = s.conn->out;
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(pt_send(s.conn, &some, &hello), PT_OK);
	ck_assert_ptr_eq(s.conn->out, kept);
	ck_assert_uint_le(s.conn->out_room, 4096);
	ck_assert_int_eq(pt_send(s.conn, &some, &body), PT_OK);
	ck_assert_uint_eq(s.conn->out_room, 0);
	ck_assert_int_eq(pt_send(s.conn, &some, &hello), PT_OK);
	free(large);
	script_end(&s);
}
END_TEST

/* ---- requests ---- */

START_TEST(a_request_has_its_reply)
{
	struct script s = { 0 };
	const struct pt_value *header, *body;
	script_text(&s, "8:1:n,1:7#}3:yes,0:}0:,", NULL);
	ck_assert_int_eq(pt_request(s.conn, NULL, &hello, 60000, &header, &body), PT_OK);
	sent(&s, "0:}5:hello,");
	ck_assert_int_eq(pt_get(header, "n")->integer, 7);
	ck_assert(pt_is_text(body, "yes"));
	ck_assert_int_gt(s.timeout_ms, 50000);
	ck_assert_int_eq(pt_request(s.conn, NULL, &hello, -1, NULL, NULL), PT_OK);
	ck_assert_int_eq(pt_request(s.conn, NULL, &hello, -1, &header, &body), PT_CLOSED);
	ck_assert(header == NULL && body == NULL);
	script_end(&s);
}
END_TEST

START_TEST(a_late_reply_is_not_the_next_ones)
{
	struct script s = { .end = SCRIPT_SILENT };
	const struct pt_value *header = &some, *body = &some;
	script_text(&s, "0:}4:late,", NULL);
	size_t all = s.n;
	s.n = 0;
	ck_assert_int_eq(pt_request(s.conn, NULL, &hello, 1000, &header, &body), PT_E_TIMEOUT);
	ck_assert(header == NULL && body == NULL);
	s.n = all;
	ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), PT_E_TIMEOUT);
	ck_assert_int_eq(pt_request(s.conn, NULL, &hello, 1000, NULL, NULL), PT_E_TIMEOUT);
	unit_assert_bytes(&s.out, "0:}5:hello,", 11);
	script_end(&s);
	/* All of it in one time. */
	struct script t = { .step = 1, .pause_ms = 4, .end = SCRIPT_SILENT };
	char bytes[2000];
	memset(bytes, 'x', sizeof bytes);
	memcpy(bytes, "0:}1990:", 8);
	script_open(&t, bytes, sizeof bytes, NULL);
	int64_t before = clock_mono_ms();
	ck_assert_int_eq(pt_request(t.conn, NULL, &hello, 100, NULL, NULL), PT_E_TIMEOUT);
	ck_assert_int_ge(clock_mono_ms() - before, 99);
	ck_assert_uint_lt(t.done, 100);
	script_end(&t);
}
END_TEST

/* ---- identity and verdict ---- */

START_TEST(who_is_let_in)
{
	static const struct {
		const char *verdict;
		bool        let_in, strictly;
	} verdicts[] = {
		{ "0:}", true, false }, { "17:7:allowed,4:true!}", true, true }, { "18:7:allowed,5:false!}", false, false },
		{ "17:7:allowed,4:true,}", false, false }, { "13:7:allowed,0:~}", false, false }, { "14:7:allowed,1:1#}", false, false },
		{ "18:7:allowed,5:false,}", false, false }, { "13:7:allowed,0:]}", false, false }, { "17:7:Allowed,4:true!}", true, false },
	};
	for (size_t i = 0; i < UNIT_COUNT(verdicts); i++) {
		struct script s = { 0 };
		char stream[64];
		const struct pt_value *verdict;
		snprintf(stream, sizeof stream, "%s0:,", verdicts[i].verdict);
		script_text(&s, stream, NULL);
		ck_assert_int_eq(pt_greet(s.conn, &some, NULL, 1000, &verdict, NULL), PT_OK);
		sent(&s, "15:1:a,1:1#1:b,0:~}0:,");
		ck_assert_msg(pt_connect_allowed(verdict, 0) == verdicts[i].let_in, "%s", stream);
		ck_assert_msg(pt_connect_allowed(verdict, PT_STRICT) == verdicts[i].strictly, "%s strictly", stream);
		script_end(&s);
	}
	ck_assert(!pt_connect_allowed(NULL, 0) && !pt_connect_allowed(NULL, PT_STRICT) && !pt_connect_allowed(&hello, 0));
}
END_TEST

START_TEST(a_verdict_is_a_copy)
{
	struct pt_value items[] = { PT_TEXT("x"), PT_INT_OF(1), PT_TEXT("allowed"), PT_TEXT("maybe"), PT_TEXT("y"), PT_INT_OF(2) };
	struct pt_value header = PT_DICT_OF(items, 3);
	struct script s = { 0 };
	script_text(&s, "", NULL);
	ck_assert_int_eq(pt_peer_allowed(s.conn, &header, &hello), PT_OK);
	sent(&s, "33:1:x,1:1#7:allowed,4:true!1:y,1:2#}5:hello,");
	ck_assert_int_eq(pt_peer_denied(s.conn, &header, &hello), PT_OK);
	sent(&s, "34:1:x,1:1#7:allowed,5:false!1:y,1:2#}5:hello,");
	ck_assert(pt_is_text(&items[3], "maybe") && header.items.len == 3);
	ck_assert_int_eq(pt_peer_allowed(s.conn, &some, NULL), PT_OK);
	sent(&s, "32:1:a,1:1#1:b,0:~7:allowed,4:true!}0:,");
	ck_assert_uint_eq(some.items.len, 2);
	ck_assert_int_eq(pt_peer_denied(s.conn, NULL, NULL), PT_OK);
	sent(&s, "18:7:allowed,5:false!}0:,");
	ck_assert_int_eq(pt_peer_denied(s.conn, &hello, NULL), PT_E_ARGUMENT);
	ck_assert_uint_eq(s.out.len, 0);
	script_end(&s);
}
END_TEST

START_TEST(an_identity_has_its_own_time)
{
	struct script s = { .end = SCRIPT_SILENT };
	const struct pt_value *identity, *body;
	script_text(&s, "15:1:a,1:1#1:b,0:~}5:hello,", NULL);
	size_t all = s.n;
	s.n = 0;
	ck_assert_int_eq(pt_accept(s.conn, 5000, &identity, &body), PT_E_TIMEOUT);
	ck_assert_int_gt(s.timeout_ms, 4000);
	ck_assert_int_le(s.timeout_ms, 5000);
	ck_assert(identity == NULL && body == NULL);
	s.n = all;
	ck_assert_int_eq(pt_accept(s.conn, 5000, &identity, &body), PT_OK);
	ck_assert(pt_same(identity, &some) && pt_same(body, &hello));
	script_end(&s);
	struct script t = { 0 };
	script_text(&t, "5:hello,0:,", NULL);
	ck_assert_int_eq(pt_accept(t.conn, 5000, NULL, NULL), PT_E_HDR_NOT_DICT);
	script_end(&t);
}
END_TEST

START_TEST(a_verdict_that_never_comes)
{
	static const struct {
		const char     *stream;
		enum script_end end;
		int             error;
	} never[] = {
		{ "", SCRIPT_SILENT, PT_E_TIMEOUT }, { "0:}", SCRIPT_SILENT, PT_E_TIMEOUT }, { "", SCRIPT_CLOSES, PT_CLOSED },
		{ "0:}", SCRIPT_CLOSES, PT_E_TRUNC_BODY }, { "0:~0:,", SCRIPT_CLOSES, PT_E_HDR_NOT_DICT }, { "", SCRIPT_BREAKS, PT_E_IO },
	};
	for (size_t i = 0; i < UNIT_COUNT(never); i++) {
		struct script s = { .end = never[i].end };
		const struct pt_value *verdict = &some, *body = &some;
		script_text(&s, never[i].stream, NULL);
		ck_assert_int_eq(pt_greet(s.conn, NULL, NULL, 50, &verdict, &body), never[i].error);
		ck_assert(verdict == NULL && body == NULL);
		ck_assert(!pt_connect_allowed(verdict, 0));
		ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), never[i].error);
		sent(&s, "0:}0:,");
		script_end(&s);
	}
}
END_TEST

/* ---- codings: that they are asked ---- */

static const char packed[] = "30:6:pt.enc,3:lz4,6:pt.len,3:305#}16:\x5f\x33\x30\x30\x3a\x61\x01\x00\xff\x15\x50\x61\x61\x61\x61\x2c,";

START_TEST(codings_are_offered_and_used)
{
	const struct pt_coding *lz4[] = { pt_lz4() };
	struct pt_options o = PT_OPTIONS_INIT;
	struct script client = { 0 }, server = { 0 };
	const struct pt_value *verdict, *identity, *body;
	struct buf bytes = BUF_INIT;
	char run[300];
	memset(run, 'a', sizeof run);
	const struct pt_value large = PT_BYTES_OF(run, sizeof run);
	o.codings = lz4;
	o.codings_count = 1;
	/* The client: a verdict that takes lz4, then a packed body. */
	buf_puts(&bytes, "38:7:allowed,4:true!9:pt.accept,6:3:lz4,]}0:,");
	buf_put(&bytes, packed, sizeof packed - 1);
	script_open(&client, buf_begin(&bytes), bytes.len, &o);
	ck_assert_int_eq(pt_greet(client.conn, &who_zed, &large, 1000, &verdict, NULL), PT_OK);
	ck_assert_uint_gt(client.out.len, 300);         /* nobody had agreed yet */
	ck_assert_int_eq(pt_send(client.conn, NULL, &large), PT_OK);
	ck_assert_int_eq(pt_recv(client.conn, NULL, &body), PT_OK);
	ck_assert(pt_same(body, &large));
	/* The server reads what the client sent, and answers in kind; a body it has is not changed by that. */
	script_open(&server, buf_begin(&client.out), client.out.len, &o);
	ck_assert_int_eq(pt_accept(server.conn, 1000, &identity, &body), PT_OK);
	ck_assert(pt_is_text(pt_get(identity, "user"), "zed") && pt_get(identity, "pt.accept") != NULL && pt_same(body, &large));
	ck_assert_int_eq(pt_peer_allowed(server.conn, NULL, NULL), PT_OK);
	sent(&server, "38:9:pt.accept,6:3:lz4,]7:allowed,4:true!}0:,");
	ck_assert_int_eq(pt_recv(server.conn, NULL, &body), PT_OK);
	ck_assert_int_eq(pt_send(server.conn, NULL, body), PT_OK);
	ck_assert_uint_lt(server.out.len, 100);
	ck_assert(memcmp(buf_begin(&server.out), packed, strlen("30:6:pt.enc,3:lz4,6:pt.len,3:305#}")) == 0);
	ck_assert(pt_same(body, &large));
	script_end(&server);
	script_end(&client);
	/* Who was not asked does not understand. */
	struct script deaf = { 0 };
	script_open(&deaf, packed, sizeof packed - 1, NULL);
	ck_assert_int_eq(pt_recv(deaf.conn, NULL, NULL), PT_E_ENCODING);
	script_end(&deaf);
	buf_fini(&bytes);
}
END_TEST

/* ---- names ---- */

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

START_TEST(ids_are_hex_and_differ)
{
	enum { MANY = 1000 };
	static char ids[MANY][PT_ID_TEXT];
	unsigned seen[PT_ID_TEXT - 1] = { 0 };
	for (int i = 0; i < MANY; i++) {
		memset(ids[i], 'x', PT_ID_TEXT);
		pt_id(ids[i]);
		ck_assert_uint_eq(strlen(ids[i]), 32);
		ck_assert_uint_eq(strspn(ids[i], "0123456789abcdef"), 32);
		for (int k = 0; k < PT_ID_TEXT - 1; k++)
			seen[k] |= 1u << (isdigit((unsigned char)ids[i][k]) ? ids[i][k] - '0' : ids[i][k] - 'a' + 10);
	}
	for (int k = 0; k < PT_ID_TEXT - 1; k++)
		ck_assert_uint_eq(seen[k], 0xffff);
	qsort(ids, MANY, sizeof *ids, by_text);
	for (int i = 1; i < MANY; i++)
		ck_assert_str_ne(ids[i - 1], ids[i]);
}
END_TEST

static void
add(Suite *suite)
{
	UNIT_TEST(suite, pairs_are_header_and_body);
	UNIT_TEST(suite, any_size_of_header_and_body);
	UNIT_TEST(suite, what_cannot_be_sent_writes_nothing);
	UNIT_TEST(suite, short_writes_are_gone_on_with);
	UNIT_TEST(suite, half_a_pair_is_the_end);
	UNIT_TEST(suite, nothing_written_may_be_tried_again);
	UNIT_TEST(suite, a_last_word_after_the_end_of_what_comes);
	UNIT_TEST(suite, buffers_stay_and_large_ones_go);
	UNIT_TEST(suite, a_request_has_its_reply);
	UNIT_TEST(suite, a_late_reply_is_not_the_next_ones);
	UNIT_TEST(suite, who_is_let_in);
	UNIT_TEST(suite, a_verdict_is_a_copy);
	UNIT_TEST(suite, an_identity_has_its_own_time);
	UNIT_TEST(suite, a_verdict_that_never_comes);
	UNIT_TEST(suite, codings_are_offered_and_used);
	UNIT_TEST(suite, ids_are_hex_and_differ);
}

int
main(void)
{
	return unit_main("petrichor_send", add);
}
