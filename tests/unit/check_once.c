/* SPDX-License-Identifier: MIT
 * The server's side of requests that run once, byte for byte. */
#include "helpers_rig.h"

static struct pt_dedupe *
table(size_t capacity, size_t reply_bytes)
{
	struct pt_dedupe_options o = { capacity, reply_bytes, 300000 };
	struct pt_dedupe *d = pt_dedupe_new(&o);
	ck_assert_ptr_nonnull(d);
	return d;
}

#define PAY_ID "8e03978e40d543e8bc936894a57f9324"
#define PAY "69:5:pt.id,32:" PAY_ID ",2:op,3:pay,5:cents,3:250#}0:,"

/* What a server does with the pair that has come. */
static void
serve(struct wire *w, struct pt_dedupe *d, enum pt_outcome want, struct pt_run *run)
{
	const struct pt_value *header, *body;
	ck_assert_int_eq(pt_recv(w->conn, &header, &body), PT_OK);
	ck_assert_int_eq(pt_once_begin(d, w->conn, "p", 1, header, body, run), PT_OK);
	ck_assert_int_eq(run->outcome, want);
}

static void
reply(struct wire *w, struct pt_run *run, const char *text)
{
	const struct pt_value header = DICT(PT_TEXT("ok"), PT_BOOL_OF(true)), body = PT_BYTES_OF(text, strlen(text));
	ck_assert_int_eq(pt_once_reply(w->conn, run, &header, &body), PT_OK);
}

START_TEST(published_conversation)
{
	struct pt_dedupe *d = table(16, 1000);
	struct wire w;
	struct pt_run run;
	wire_open(&w);
	wire_says(&w, PAY);
	serve(&w, d, PT_NEW, &run);
	reply(&w, &run, "done");
	wire_expects(&w, "56:5:pt.id,32:" PAY_ID ",2:ok,4:true!}4:done,");
	for (int i = 0; i < 2; i++) {
		wire_says(&w, PAY);
		serve(&w, d, PT_REPLAY, &run);
		wire_expects(&w, "72:5:pt.id,32:" PAY_ID ",2:ok,4:true!6:pt.dup,4:true!}4:done,");
	}
	wire_close(&w);
	pt_dedupe_free(&d);
}
END_TEST

START_TEST(answers_of_the_server)
{
	struct pt_dedupe *d = table(1, 30);
	struct wire w;
	struct pt_run run, other;
	wire_open(&w);
	wire_says(&w, "12:5:pt.id,1:a,}1:x,");
	serve(&w, d, PT_NEW, &run);
	wire_says(&w, "12:5:pt.id,1:a,}1:x,");
	serve(&w, d, PT_RUNNING, &other);
	wire_expects(&w, "36:5:pt.id,1:a,6:pt.err,11:in-progress,}28:the request is still running,");
	wire_says(&w, "12:5:pt.id,1:a,}1:y,");
	serve(&w, d, PT_REUSED, &other);
	wire_expects(&w, "33:5:pt.id,1:a,6:pt.err,9:id-reused,}27:the id is another request's,");
	wire_says(&w, "12:5:pt.id,1:b,}1:y,");
	serve(&w, d, PT_FULL, &other);
	wire_expects(&w, "28:5:pt.id,1:b,6:pt.err,4:busy,}29:too many requests are running,");
	reply(&w, &run, "too long to be kept");
	wire_expects(&w, "24:5:pt.id,1:a,2:ok,4:true!}19:too long to be kept,");
	wire_says(&w, "12:5:pt.id,1:a,}1:x,");
	serve(&w, d, PT_GONE, &other);
	wire_expects(&w, "35:5:pt.id,1:a,6:pt.err,10:reply-gone,}43:the request has run, its reply was not kept,");
	wire_says(&w, "12:5:pt.id,1:7#}1:x,");
	serve(&w, d, PT_REUSED, &other);
	wire_expects(&w, "18:6:pt.err,6:bad-id,}25:a pt.id has 1 to 64 bytes,");
	/* Without an id it runs each time. */
	for (int i = 0; i < 2; i++) {
		wire_says(&w, "0:}1:x,");
		serve(&w, d, PT_NEW, &run);
		reply(&w, &run, "r");
		wire_expects(&w, "12:2:ok,4:true!}1:r,");
	}
	/* What failed may be tried again. */
	for (int i = 0; i < 2; i++) {
		wire_says(&w, "12:5:pt.id,1:c,}1:x,");
		serve(&w, d, PT_NEW, &run);
		ck_assert_int_eq(pt_once_fail(w.conn, &run, "no-money", "later"), PT_OK);
		wire_expects(&w, "32:5:pt.id,1:c,6:pt.err,8:no-money,}5:later,");
	}
	wire_close(&w);
	pt_dedupe_free(&d);
}
END_TEST

/* The client is gone before its reply: it is kept all the same. */
START_TEST(reply_to_nobody)
{
	struct pt_dedupe *d = table(4, 1000);
	struct wire w;
	struct pt_run run;
	const struct pt_value done = PT_TEXT("done"), list = PT_LIST_OF(NULL, 0);
	wire_open(&w);
	wire_says(&w, PAY);
	serve(&w, d, PT_NEW, &run);
	close(w.fd);
	ck_assert_int_ne(pt_once_reply(w.conn, &run, NULL, &done), PT_OK);
	pt_close(&w.conn);
	wire_open(&w);
	wire_says(&w, PAY);
	serve(&w, d, PT_REPLAY, &run);
	wire_expects(&w, "60:5:pt.id,32:" PAY_ID ",6:pt.dup,4:true!}4:done,");
	/* And one that is none: what has run does not run again. */
	wire_says(&w, "12:5:pt.id,1:z,}1:x,");
	serve(&w, d, PT_NEW, &run);
	ck_assert_int_eq(pt_once_reply(w.conn, &run, &list, &done), PT_E_ARGUMENT);
	wire_says(&w, "12:5:pt.id,1:z,}1:x,");
	serve(&w, d, PT_GONE, &run);
	wire_close(&w);
	pt_dedupe_free(&d);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, published_conversation);
	UNIT_TEST(s, answers_of_the_server);
	UNIT_TEST(s, reply_to_nobody);
}

int
main(void)
{
	return unit_main("once", add);
}
