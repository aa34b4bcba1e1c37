/* SPDX-License-Identifier: MIT
 * check_petrichor.c - what comes, pair by pair, through callbacks: in whatever pieces it comes. */
#include "pairs_rig.h"

/* ---- vectors, splits, prefixes ---- */

static int
told_of(struct script *s, const void *bytes, size_t n, struct buf *told)
{
	buf_clear(told);
	script_open(s, bytes, n, NULL);
	int e = pairs_told(s->conn, told);
	script_end(s);
	return e;
}

START_TEST(vectors_say_what_they_should)
{
	struct vector v[VECTORS_MOST];
	int n = vectors_load(v, "pq");
	ck_assert_int_ge(n, 20);
	struct buf told = BUF_INIT;
	for (int i = 0; i < n; i++) {
		told_of(&(struct script){ 0 }, v[i].bytes, v[i].n, &told);
		vector_agrees(&v[i], &told);
		told_of(&(struct script){ .interrupts = true }, v[i].bytes, v[i].n, &told);
		vector_agrees(&v[i], &told);
	}
	buf_fini(&told);
	vectors_free(v, n);
}
END_TEST

/* However it comes it says the same. */
static void
any_split_says_the_same(const char *bytes, size_t n, size_t stride)
{
	struct buf whole = BUF_INIT, split = BUF_INIT;
	told_of(&(struct script){ 0 }, bytes, n, &whole);
	const char *want = unit_text(&whole);
	for (size_t cut = 1; cut < n; cut += stride) {
		told_of(&(struct script){ .cut = cut }, bytes, n, &split);
		unit_require(strcmp(unit_text(&split), want) == 0, "cut at %zu of %zu", cut, n);
	}
	static const size_t steps[] = { 1, 2, 3, 7, 1000, 16 * 1024 };
	for (size_t i = 0; i < UNIT_COUNT(steps); i++) {
		told_of(&(struct script){ .step = steps[i], .interrupts = i == 0 }, bytes, n, &split);
		unit_require(strcmp(unit_text(&split), want) == 0, "%zu at a time, of %zu", steps[i], n);
	}
	buf_fini(&whole);
	buf_fini(&split);
}

START_TEST(every_split_says_the_same)
{
	struct vector v[VECTORS_MOST];
	int n = vectors_load(v, "pqx");
	for (int i = 0; i < n; i++)
		any_split_says_the_same(v[i].bytes, v[i].n, 1);
	vectors_free(v, n);
	struct buf stream = BUF_INIT;
	long_stream(&stream);
	any_split_says_the_same(buf_begin(&stream), stream.len, (size_t)(8191 / unit_amount(4)));
	buf_fini(&stream);
}
END_TEST

/* The bounds of the frames of a stream that is good: where may it end, and how. */
static int
end_of_prefix(const struct vector *v, size_t n)
{
	size_t at = 0, size;
	for (int frames = 0;; frames++) {
		if (at == n)
			return frames % 2 == 0 ? PT_CLOSED : PT_E_TRUNC_BODY;
		if (pt_frame(v->bytes + at, v->n - at, PT_MOST, &size) != PT_OK || size > n - at)
			return PT_E_TRUNC;
		at += size;
	}
}

START_TEST(every_prefix_ends_as_it_should)
{
	struct vector v[VECTORS_MOST];
	int n = vectors_load(v, "p");
	struct buf told = BUF_INIT;
	for (int i = 0; i < n; i++)
		for (size_t k = 0; k <= v[i].n; k++) {
			int e = told_of(&(struct script){ .step = k % 5 }, v[i].bytes, k, &told);
			int want = end_of_prefix(&v[i], k);
			unit_require(e == want, "%s, %zu bytes: %s, not %s", v[i].id, k, pt_error_name(e), pt_error_name(want));
		}
	buf_fini(&told);
	vectors_free(v, n);
}
END_TEST

/* ---- how streams end ---- */

static const struct {
	const char *stream, *told;
} edges[] = {
	{ "", "[] CLOSED@0" },
	{ "0", "[] TRUNC@1" },
	{ "2:{}}0:,", "[] LEN_DIGIT@2" },
	{ "0:}", "[] TRUNC_BODY@0" },
	{ "0:}5:he", "[] TRUNC@4" },
	{ "0:}5:hello", "[] TRUNC@7" },
	{ "0:}5:hello,", "[[{},\"hello\"]] CLOSED@0" },
	{ "0:}5:hello,0", "[[{},\"hello\"]] TRUNC@1" },
	{ "0:]5:hello,0:}0:,", "[] HDR_NOT_DICT@2" },
	{ "0:~5:hello,", "[] HDR_NOT_DICT@2" },
	{ "5:hello,0:,", "[] HDR_NOT_DICT@7" },
	{ "3:1:a]", "[] HDR_NOT_DICT@5" },
	{ "0:)", "[] TAG@2" },
	{ "GET / HTTP/1.1\r\n", "[] LEN_DIGIT@0" },
	{ "\x16\x03\x01", "[] LEN_DIGIT@0" },
	{ "1234567890", "[] LEN_LONG@9" },
	{ "65536:", "[] TRUNC@6" },
	{ "0:}16777216:", "[] TRUNC@9" },
	{ "0:}0:}0:}0:}", "[[{},{}],[{},{}]] CLOSED@0" },
	{ "0:}0:~", "[[{},null]] CLOSED@0" },
	{ "0:}3:x,y", "[] TRUNC@5" },
	{ "0:}0:,\n0:}0:,", "[[{},\"\"]] LEN_DIGIT@0" },
	{ "0:}9:8:1:a,1:1}0:,", "[] CHILD@2" },
	/* packed, and nobody agreed on that; but first of all the body has to be one */
	{ "15:6:pt.enc,3:lz4,}1:x,0:}0:,", "[] ENCODING@0" },
	{ "15:6:pt.enc,3:lz4,}1:x", "[] TRUNC@3" },
	{ "15:6:pt.enc,3:lz4,}1:x!", "[] BOOL@2" },
	{ "12:6:pt.enc,0:~}1:1#", "[] ENCODING@0" },
};

START_TEST(the_edges)
{
	struct buf told = BUF_INIT;
	for (size_t i = 0; i < UNIT_COUNT(edges); i++) {
		told_of(&(struct script){ 0 }, edges[i].stream, strlen(edges[i].stream), &told);
		ck_assert_str_eq(unit_text(&told), edges[i].told);
	}
	/* A size that is too large says so before anything of it has come. */
	static const char *const too_large[] = { "65537:", "999999999:", "0:}16777217:", "0:}999999999:" };
	for (size_t i = 0; i < UNIT_COUNT(too_large); i++) {
		struct script s = { .end = SCRIPT_SILENT };
		script_text(&s, too_large[i], NULL);
		ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), PT_E_LIMIT);
		script_end(&s);
	}
	buf_fini(&told);
}
END_TEST

START_TEST(what_is_wrong_shows_as_early_as_can_be)
{
	/* Silence follows: who waits for more gets a timeout. */
	static const struct {
		const char *stream;
		int error;
	} early[] = {
		{ "x", PT_E_LEN_DIGIT }, { "00", PT_E_LEN_ZERO }, { "1234567890", PT_E_LEN_LONG }, { "1x", PT_E_LEN_DIGIT },
		{ "0:,", PT_E_HDR_NOT_DICT }, { "16:1:a,1:1#1:a,1:2#}", PT_E_DUPKEY }, { "0:?", PT_E_TAG }, { "0:}x", PT_E_LEN_DIGIT },
		{ "0:}01", PT_E_LEN_ZERO }, { "0:}2:xx!", PT_E_BOOL }, { "0", PT_E_TIMEOUT }, { "0:}", PT_E_TIMEOUT },
	};
	for (size_t i = 0; i < UNIT_COUNT(early); i++) {
		struct script s = { .end = SCRIPT_SILENT, .step = 1 };
		script_text(&s, early[i].stream, NULL);
		int e = pt_recv(s.conn, NULL, NULL);
		ck_assert_msg(e == early[i].error, "%s: %s", early[i].stream, pt_error_name(e));
		ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), e);
		script_end(&s);
	}
}
END_TEST

START_TEST(limits_are_the_options)
{
	struct pt_options o = PT_OPTIONS_INIT;
	o.limits.header_bytes = 8;
	o.limits.body_bytes = 4;
	static const struct {
		const char *stream;
		int error;
	} some[] = {
		{ "8:1:n,1:7#}4:abcd,", PT_CLOSED }, { "9:2:nn,1:7#}4:abcd,", PT_E_LIMIT }, { "0:}5:abcde,", PT_E_LIMIT },
	};
	for (size_t i = 0; i < UNIT_COUNT(some); i++) {
		struct script s = { 0 };
		struct buf told = BUF_INIT;
		script_text(&s, some[i].stream, &o);
		ck_assert_int_eq(pairs_told(s.conn, &told), some[i].error);
		buf_fini(&told);
		script_end(&s);
	}
	/* Nodes and depth count in each frame. */
	o = (struct pt_options)PT_OPTIONS_INIT;
	o.limits.nodes = 3;
	o.limits.depth = 1;
	struct script s = { 0 };
	script_text(&s, "8:1:n,1:7#}3:0:~]0:}3:0:]]", &o);
	ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), PT_OK);
	ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), PT_E_DEPTH);
	script_end(&s);
}
END_TEST

/* ---- what stays and what does not ---- */

START_TEST(no_byte_in_time_may_be_asked_again)
{
	struct script s = { .end = SCRIPT_SILENT };
	const struct pt_value *header, *body;
	script_text(&s, "0:}2:hi,", NULL);
	size_t all = s.n;
	s.n = 0;
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pt_recv(s.conn, &header, &body), PT_E_TIMEOUT);
	ck_assert(!pt_conn_ready(s.conn));
	s.n = all;
	ck_assert_int_eq(pt_recv(s.conn, &header, &body), PT_OK);
	ck_assert(pt_is_text(body, "hi"));
	ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), PT_E_TIMEOUT);
	script_end(&s);
	/* Half of one is another matter, and so is no body. */
	static const char *const half[] = { "0", "0:", "0:}", "0:}2:h" };
	for (size_t i = 0; i < UNIT_COUNT(half); i++) {
		struct script h = { .end = SCRIPT_SILENT };
		script_text(&h, half[i], NULL);
		ck_assert_int_eq(pt_recv(h.conn, NULL, NULL), PT_E_TIMEOUT);
		h.end = SCRIPT_CLOSES;
		ck_assert_int_eq(pt_recv(h.conn, NULL, NULL), PT_E_TIMEOUT);
		ck_assert_int_eq(pt_send(h.conn, NULL, NULL), PT_E_TIMEOUT);
		script_end(&h);
	}
}
END_TEST

START_TEST(values_stay_until_the_next_read)
{
	struct script s = { .step = 1 };
	const struct pt_value *h, *b;
	script_text(&s, "8:1:n,1:7#}5:hello,0:}3:bye,", NULL);
	ck_assert_int_eq(pt_recv(s.conn, &h, &b), PT_OK);
	/* Not touched by what is sent or asked. */
	ck_assert_int_eq(pt_send(s.conn, h, b), PT_OK);
	ck_assert(!pt_conn_ready(s.conn));
	ck_assert_int_eq(pt_get(h, "n")->integer, 7);
	ck_assert(pt_is_text(b, "hello"));
	unit_assert_bytes(&s.out, s.at, 19);
	ck_assert_int_eq(pt_recv(s.conn, NULL, &b), PT_OK);
	ck_assert(pt_is_text(b, "bye"));
	script_end(&s);
}
END_TEST

START_TEST(ready_is_a_whole_pair)
{
	static const char stream[] = "0:}5:hello,8:1:n,1:7#}0:~0:}5:hel";
	struct script s = { .end = SCRIPT_SILENT };
	const struct pt_value *body;
	script_text(&s, stream, NULL);
	ck_assert(!pt_conn_ready(s.conn));
	ck_assert_int_eq(pt_conn_fd(s.conn), -1);
	ck_assert_int_eq(pt_recv(s.conn, NULL, &body), PT_OK);
	ck_assert(pt_conn_ready(s.conn));
	ck_assert(pt_is_text(body, "hello"));
	ck_assert_int_eq(pt_recv(s.conn, NULL, &body), PT_OK);
	ck_assert(body->type == PT_NULL);
	ck_assert(!pt_conn_ready(s.conn));
	script_end(&s);
	/* What will be refused at once need not be waited for. */
	static const char *const bad[] = { "0:}0:,x", "0:}0:,0:]", "0:}0:,0:}x", "0:}0:,65537:", "0:}0:,00" };
	for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
		struct script t = { .end = SCRIPT_SILENT };
		script_text(&t, bad[i], NULL);
		ck_assert_int_eq(pt_recv(t.conn, NULL, NULL), PT_OK);
		ck_assert_msg(pt_conn_ready(t.conn), "%s", bad[i]);
		int e = pt_recv(t.conn, NULL, NULL);
		ck_assert(e != PT_OK && e != PT_E_TIMEOUT);
		script_end(&t);
	}
}
END_TEST

START_TEST(raw_bodies_are_not_looked_at)
{
	struct script s = { .step = 3 };
	const struct pt_value *header;
	struct pt_value body;
	static const char stream[] = "15:6:pt.enc,3:lz4,}3:x,y!0:}4:1:a,]0:}0:?0:}2:a";
	script_text(&s, stream, NULL);
	ck_assert_int_eq(pt_recv_raw(s.conn, &header, &body), PT_OK);
	ck_assert(pt_is_text(pt_get(header, "pt.enc"), "lz4"));
	ck_assert(body.type == PT_FRAME && body.bytes.len == 6 && memcmp(body.bytes.at, "3:x,y!", 6) == 0);
	/* It goes on as it came. */
	ck_assert_int_eq(pt_send(s.conn, header, &body), PT_OK);
	ck_assert_int_eq(pt_recv_raw(s.conn, NULL, &body), PT_OK);
	ck_assert_int_eq(pt_send(s.conn, NULL, &body), PT_OK);
	unit_assert_bytes(&s.out, stream, strlen("15:6:pt.enc,3:lz4,}3:x,y!0:}4:1:a,]"));
	ck_assert_int_eq(pt_recv_raw(s.conn, NULL, &body), PT_OK);
	ck_assert_int_eq(body.bytes.at[2], '?');
	ck_assert_int_eq(pt_recv_raw(s.conn, &header, &body), PT_E_TRUNC);
	ck_assert(body.type == PT_NULL && header == NULL);
	script_end(&s);
}
END_TEST

START_TEST(chunks_are_any_frames)
{
	struct script s = { .step = 1 };
	const struct pt_value *v;
	script_text(&s, "0:~5:hello,8:1:n,1:7#}1:", NULL);
	ck_assert_int_eq(pt_read_chunk(s.conn, &v), PT_OK);
	ck_assert(v->type == PT_NULL);
	ck_assert_int_eq(pt_read_chunk(s.conn, &v), PT_OK);
	ck_assert(pt_is_text(v, "hello"));
	ck_assert_int_eq(pt_read_chunk(s.conn, &v), PT_OK);
	ck_assert_int_eq(pt_get(v, "n")->integer, 7);
	ck_assert_int_eq(pt_read_chunk(s.conn, &v), PT_E_TRUNC);
	ck_assert_ptr_null(v);
	ck_assert_int_eq(pt_read_chunk(s.conn, &v), PT_E_TRUNC);
	ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), PT_E_TRUNC);
	script_end(&s);
	struct script t = { 0 };
	script_text(&t, "0:~0:~", NULL);
	ck_assert_int_eq(pt_read_chunk(t.conn, &v), PT_OK);
	ck_assert_int_eq(pt_read_chunk(t.conn, &v), PT_OK);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pt_read_chunk(t.conn, &v), PT_CLOSED);
	script_end(&t);
}
END_TEST

/* ---- callbacks that fail, or do what they must not ---- */

START_TEST(errors_of_reading_stay)
{
	struct script s = { .end = SCRIPT_BREAKS };
	script_text(&s, "0:}0:,0:}", NULL);
	ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), PT_OK);
	ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), PT_E_IO);
	ck_assert_int_eq(pt_conn_errno(s.conn), ECONNRESET);
	s.end = SCRIPT_CLOSES;
	ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), PT_E_IO);
	ck_assert_int_eq(pt_send(s.conn, NULL, NULL), PT_E_IO);
	ck_assert_uint_eq(s.out.len, 0);
	script_end(&s);
}
END_TEST

static ssize_t
boasts(void *ctx, void *to, size_t n, int timeout_ms)
{
	(void)ctx;
	(void)to;
	(void)timeout_ms;
	return (ssize_t)n + 1;
}

static ssize_t
boasts_of_writing(void *ctx, const void *from, size_t n, int timeout_ms)
{
	(void)from;
	return boasts(ctx, NULL, n, timeout_ms);
}

static ssize_t
writes_nothing(void *ctx, const void *from, size_t n, int timeout_ms)
{
	(void)ctx;
	(void)from;
	(void)n;
	(void)timeout_ms;
	return 0;
}

START_TEST(callbacks_that_lie_are_errors)
{
	struct pt_io io = { boasts, boasts_of_writing, NULL, NULL };
	struct pt_conn *c = pt_from_io(&io, NULL);
	ck_assert_int_eq(pt_recv(c, NULL, NULL), PT_E_IO);
	ck_assert_int_eq(pt_conn_errno(c), EIO);
	pt_close(&c);
	c = pt_from_io(&io, NULL);
	ck_assert_int_eq(pt_send(c, NULL, NULL), PT_E_IO);
	pt_close(&c);
	io.write = writes_nothing;
	c = pt_from_io(&io, NULL);
	ck_assert_int_eq(pt_send(c, NULL, NULL), PT_E_IO);
	ck_assert_int_eq(pt_conn_errno(c), EIO);
	pt_close(&c);
	pt_close(&c);
}
END_TEST

START_TEST(drops_of_bytes_do_not_extend_the_time)
{
	/* A byte each 4 ms, 5,000 of them, and 100 ms for all. */
	char *bytes = malloc(5006);
	strcpy(bytes, "0:}4995:");
	memset(bytes + 8, 'x', 4998);
	struct pt_options o = PT_OPTIONS_INIT;
	o.frame_ms = 100;
	struct script s = { .step = 1, .pause_ms = 4, .end = SCRIPT_SILENT };
	script_open(&s, bytes, 5004, &o);
	int64_t before = clock_mono_ms();
	ck_assert_int_eq(pt_recv(s.conn, NULL, NULL), PT_E_TIMEOUT);
	ck_assert_int_ge(clock_mono_ms() - before, 99);
	ck_assert_uint_lt(s.done, 100);
	script_end(&s);
	/* Nor does the first byte's time end where another one's begins: it has idle_ms, for ever here. */
	o.idle_ms = -1;
	o.frame_ms = 0;
	struct script t = { 0 };
	script_text(&t, "0:}0:,", &o);
	ck_assert_int_eq(pt_recv(t.conn, NULL, NULL), PT_OK);
	ck_assert_int_eq(t.timeout_ms, -1);
	pt_conn_times(t.conn, 60000, 0);
	ck_assert_int_eq(pt_recv(t.conn, NULL, NULL), PT_CLOSED);
	ck_assert_int_gt(t.timeout_ms, 50000);
	ck_assert_int_le(t.timeout_ms, 60000);
	free(bytes);
	script_end(&t);
}
END_TEST

static void
add(Suite *suite)
{
	UNIT_TEST(suite, vectors_say_what_they_should);
	UNIT_TEST(suite, every_split_says_the_same);
	UNIT_TEST(suite, every_prefix_ends_as_it_should);
	UNIT_TEST(suite, the_edges);
	UNIT_TEST(suite, what_is_wrong_shows_as_early_as_can_be);
	UNIT_TEST(suite, limits_are_the_options);
	UNIT_TEST(suite, no_byte_in_time_may_be_asked_again);
	UNIT_TEST(suite, values_stay_until_the_next_read);
	UNIT_TEST(suite, ready_is_a_whole_pair);
	UNIT_TEST(suite, raw_bodies_are_not_looked_at);
	UNIT_TEST(suite, chunks_are_any_frames);
	UNIT_TEST(suite, errors_of_reading_stay);
	UNIT_TEST(suite, callbacks_that_lie_are_errors);
	UNIT_TEST(suite, drops_of_bytes_do_not_extend_the_time);
}

int
main(void)
{
	return unit_main("petrichor", add);
}
