/* SPDX-License-Identifier: MIT */
#include "helpers_rig.h"

/* ---- a server that says what was written down for it ---- */

enum { TURNS = 200, SENT = 4096 };

struct turn {
	const char *says;       /* NULL: cannot be reached */
	bool        stays;      /* else it closes behind that */
	char        sent[SENT]; /* what it was sent */
	size_t      sent_len;
	int         fd;
};

struct scripted {
	struct turn turn[TURNS];
	int         turns, at;  /* behind the last one nobody can be reached */
};

#define VERDICT "31:5:ident,3:one,7:allowed,4:true!}0:,"
#define OTHER_VERDICT "31:5:ident,3:two,7:allowed,4:true!}0:,"
#define REPLY "12:5:pt.id,1:7,}4:done,"

static void
script(struct scripted *s, const char *says, bool stays)
{
	s->turn[s->turns++] = (struct turn){ .says = says, .stays = stays, .fd = -1 };
}

/* What the client has sent by now. */
static void
listen_to(struct turn *t)
{
	ssize_t n;
	while (t->fd >= 0 && (n = recv(t->fd, t->sent + t->sent_len, SENT - t->sent_len - 1, MSG_DONTWAIT)) > 0)
		t->sent_len += (size_t)n;
	t->sent[t->sent_len] = '\0';
}

static int
connect_scripted(void *ctx, struct pt_conn **c, int timeout_ms, const struct pt_value **verdict,
    const struct pt_value **verdict_body)
{
	struct scripted *s = ctx;
	struct turn *t = &s->turn[s->at];
	int fds[2];
	ck_assert_int_ge(timeout_ms, 0);
	if (s->at > 0)
		listen_to(&s->turn[s->at - 1]);
	if (s->at == s->turns || t->says == NULL) {
		s->at += s->at < s->turns;
		return PT_E_IO;
	}
	s->at++;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ck_assert_int_eq(write(fds[1], t->says, strlen(t->says)), (ssize_t)strlen(t->says));
	if (!t->stays)
		shutdown(fds[1], SHUT_WR);
	t->fd = fds[1];
	*c = pt_from_fd(fds[0], NULL);
	ck_assert_ptr_nonnull(*c);
	int e = pt_greet(*c, NULL, NULL, timeout_ms, verdict, verdict_body);
	if (e != PT_OK)
		pt_close(c);
	return e;
}

static struct pt_retry *
retry(struct scripted *s, int flags, int try_ms)
{
	struct pt_retry_options o = PT_RETRY_INIT;
	o.connect = connect_scripted;
	o.ctx = s;
	o.flags = flags;
	o.try_ms = try_ms;
	o.wait_ms = 1;
	o.wait_most_ms = 3;
	struct pt_retry *r = pt_retry_new(&o);
	ck_assert_ptr_nonnull(r);
	return r;
}

static void
finish(struct scripted *s, struct pt_retry *r)
{
	pt_retry_free(&r);
	ck_assert_ptr_null(r);
	pt_retry_free(&r);
	for (int i = 0; i < s->turns; i++)
		if (s->turn[i].fd >= 0)
			close(s->turn[i].fd);
	free(s);
}

/* A request with the id 7. */
static int
ask(struct pt_retry *r, int timeout_ms, const struct pt_value **header, const struct pt_value **body)
{
	const struct pt_value h = DICT(PT_TEXT("op"), PT_TEXT("pay"), PT_TEXT("pt.id"), PT_TEXT("7")), b = PT_INT_OF(250);
	return pt_retry_request(r, &h, &b, timeout_ms, header, body);
}
#define ASKED "23:2:op,3:pay,5:pt.id,1:7,}3:250#"

static struct scripted *
server(void)
{
	struct scripted *s = calloc(1, sizeof *s);
	ck_assert_ptr_nonnull(s);
	return s;
}

START_TEST(identical_until_there_is_a_reply)
{
	static const char *const cut[] = { NULL, "", "31:5:id", VERDICT, VERDICT "1", VERDICT "12:5:pt.id,1:7,}",
		VERDICT "12:5:pt.id,1:7,}4:do" };
	struct scripted *s = server();
	const struct pt_value *header, *body;
	for (size_t i = 0; i < UNIT_COUNT(cut); i++)
		script(s, cut[i], false);
	script(s, VERDICT REPLY, true);
	struct pt_retry *r = retry(s, 0, 10000);
	ck_assert_int_eq(ask(r, 10000, &header, &body), PT_OK);
	ck_assert(pt_is_text(body, "done"));
	ck_assert_uint_eq(pt_retry_attempts(r), 5);
	ck_assert_str_eq(pt_retry_id(r), "");
	ck_assert_int_eq(s->at, s->turns);
	for (int i = 1; i < s->turns; i++) {
		listen_to(&s->turn[i]);
		ck_assert_str_eq(s->turn[i].sent, i < 3 ? "0:}0:," : "0:}0:," ASKED);
	}
	finish(s, r);
}
END_TEST

/* The library's id: a new one for each request, the same for all attempts. */
START_TEST(an_id_is_added)
{
	struct scripted *s = server();
	const struct pt_value h = DICT(PT_TEXT("a"), PT_INT_OF(1)), *header, *body;
	char first[PT_ID_TEXT], want[200];
	script(s, VERDICT, false);
	script(s, VERDICT "0:}1:x,0:}1:y,", true);
	struct pt_retry *r = retry(s, 0, 10000);
	ck_assert_int_eq(pt_retry_request(r, &h, NULL, 10000, &header, &body), PT_OK);
	strcpy(first, pt_retry_id(r));
	ck_assert_uint_eq(strlen(first), 32);
	ck_assert(pt_is_text(body, "x"));
	listen_to(&s->turn[0]);
	snprintf(want, sizeof want, "0:}0:,52:5:pt.id,32:%s,1:a,1:1#}0:,", first);
	ck_assert_str_eq(s->turn[0].sent, want);
	listen_to(&s->turn[1]);
	ck_assert_str_eq(s->turn[1].sent, want);
	ck_assert_int_eq(pt_retry_request(r, NULL, NULL, 10000, NULL, &body), PT_OK);
	ck_assert_str_ne(first, pt_retry_id(r));
	ck_assert(pt_is_text(body, "y"));
	finish(s, r);
}
END_TEST

START_TEST(ids_that_are_none)
{
	struct scripted *s = server();
	const struct pt_value number = DICT(PT_TEXT("pt.id"), PT_INT_OF(7)), empty = DICT(PT_TEXT("pt.id"), PT_TEXT("")),
	    list = PT_LIST_OF(NULL, 0), *header = &list, *body = &list;
	struct pt_retry *r = retry(s, 0, 10000);
	ck_assert_int_eq(pt_retry_request(r, &number, NULL, 10000, &header, &body), PT_E_ARGUMENT);
	ck_assert_ptr_null(header);
	ck_assert_ptr_null(body);
	ck_assert_int_eq(pt_retry_request(r, &empty, NULL, 10000, &header, &body), PT_E_ARGUMENT);
	ck_assert_int_eq(pt_retry_request(r, &list, NULL, 10000, &header, &body), PT_E_ARGUMENT);
	finish(s, r);
}
END_TEST

START_TEST(replies_of_others_are_dropped)
{
	struct scripted *s = server();
	const struct pt_value *header, *body;
	script(s, VERDICT "12:5:pt.id,1:6,}4:late,12:5:pt.id,1:7#}4:late,13:5:pt.id,2:77,}4:late," REPLY, true);
	struct pt_retry *r = retry(s, 0, 10000);
	ck_assert_int_eq(ask(r, 10000, &header, &body), PT_OK);
	ck_assert(pt_is_text(body, "done"));
	ck_assert_uint_eq(pt_retry_attempts(r), 1);
	finish(s, r);
}
END_TEST

/* A late reply is not the next one's, whether the server knows ids or not. */
START_TEST(late_replies)
{
	struct scripted *s = server();
	const struct pt_value *header, *body, h = DICT(PT_TEXT("pt.id"), PT_TEXT("8"));
	script(s, VERDICT, true);
	struct pt_retry *r = retry(s, 0, 10000);
	ck_assert_int_eq(ask(r, 30, &header, &body), PT_E_TIMEOUT);
	ck_assert_ptr_null(header);
	ck_assert_int_eq(write(s->turn[0].fd, REPLY "12:5:pt.id,1:8,}5:right,", 47), 47);
	ck_assert_int_eq(pt_retry_request(r, &h, NULL, 10000, &header, &body), PT_OK);
	ck_assert(pt_is_text(body, "right"));
	ck_assert_int_eq(ask(r, 30, &header, &body), PT_E_TIMEOUT);
	ck_assert_int_eq(write(s->turn[0].fd, "0:}4:late,0:}5:right,", 21), 21);
	ck_assert_int_eq(pt_retry_request(r, &h, NULL, 10000, &header, &body), PT_OK);
	ck_assert(pt_is_text(body, "right"));
	ck_assert_int_eq(s->at, 1);
	/* Half a reply is the end of a connection. */
	script(s, VERDICT "12:5:pt.id,1:8,}5:right,", true);
	ck_assert_int_eq(write(s->turn[0].fd, "12:5:p", 6), 6);
	ck_assert_int_eq(ask(r, 30, &header, &body), PT_E_TIMEOUT);
	ck_assert_int_eq(pt_retry_request(r, &h, NULL, 10000, &header, &body), PT_OK);
	ck_assert_uint_eq(pt_retry_attempts(r), 1);
	ck_assert_int_eq(s->at, 2);
	finish(s, r);
}
END_TEST

START_TEST(not_yet)
{
	struct scripted *s = server();
	const struct pt_value *header, *body;
	script(s, VERDICT "36:5:pt.id,1:7,6:pt.err,11:in-progress,}0:,28:5:pt.id,1:7,6:pt.err,4:busy,}0:," REPLY, true);
	struct pt_retry *r = retry(s, 0, 10000);
	ck_assert_int_eq(ask(r, 10000, &header, &body), PT_OK);
	ck_assert(pt_is_text(body, "done"));
	ck_assert_uint_eq(pt_retry_attempts(r), 3);
	listen_to(&s->turn[0]);
	ck_assert_str_eq(s->turn[0].sent, "0:}0:," ASKED ASKED ASKED);
	/* Any other refusal is a reply. */
	ck_assert_int_eq(write(s->turn[0].fd, "33:5:pt.id,1:7,6:pt.err,9:id-reused,}0:,", 40), 40);
	ck_assert_int_eq(ask(r, 10000, &header, &body), PT_OK);
	ck_assert(pt_is_text(pt_get(header, "pt.err"), "id-reused"));
	finish(s, r);
}
END_TEST

START_TEST(server_that_started_anew)
{
	struct scripted *s = server();
	const struct pt_value *header, *body;
	script(s, VERDICT, false);
	script(s, OTHER_VERDICT REPLY, true);
	struct pt_retry *r = retry(s, 0, 10000);
	ck_assert_int_eq(ask(r, 10000, &header, &body), PT_E_RESTARTED);
	ck_assert_ptr_null(header);
	ck_assert_uint_eq(pt_retry_attempts(r), 1);
	/* Whoever asks again means it. */
	ck_assert_int_eq(ask(r, 10000, &header, &body), PT_OK);
	ck_assert_int_eq(s->at, 2);
	finish(s, r);
	/* So does who said it before. */
	s = server();
	script(s, VERDICT, false);
	script(s, OTHER_VERDICT REPLY, true);
	r = retry(s, PT_RERUN, 10000);
	ck_assert_int_eq(ask(r, 10000, &header, &body), PT_OK);
	finish(s, r);
	/* Without an ident it is another one, too. */
	s = server();
	script(s, VERDICT, false);
	script(s, "0:}0:," REPLY, true);
	r = retry(s, 0, 10000);
	ck_assert_int_eq(ask(r, 10000, &header, &body), PT_E_RESTARTED);
	finish(s, r);
}
END_TEST

/* What was not sent, or is another request, has nothing to fear of a new server. What timed out has. */
START_TEST(when_it_does_not_matter)
{
	struct scripted *s = server();
	const struct pt_value *header, *body, h = DICT(PT_TEXT("pt.id"), PT_TEXT("8"));
	script(s, VERDICT REPLY, false);
	script(s, NULL, false);
	script(s, OTHER_VERDICT "12:5:pt.id,1:8,}4:done,", false);
	script(s, OTHER_VERDICT "12:5", true);
	script(s, VERDICT "12:5:pt.id,1:8,}4:done,", true);
	struct pt_retry *r = retry(s, 0, 10000);
	ck_assert_int_eq(ask(r, 10000, &header, &body), PT_OK);
	/* The connection has ended by now: the first attempt is sent into it all the same. */
	int e = pt_retry_request(r, &h, NULL, 10000, &header, &body);
	ck_assert_msg(e == PT_E_RESTARTED, "%s", pt_error_name(e));
	ck_assert_int_eq(pt_retry_request(r, &h, NULL, 10000, &header, &body), PT_OK);
	ck_assert_int_eq(pt_retry_request(r, &h, NULL, 50, &header, &body), PT_E_TIMEOUT);
	ck_assert_int_eq(s->at, 4);
	ck_assert_int_eq(pt_retry_request(r, &h, NULL, 10000, &header, &body), PT_E_RESTARTED);
	ck_assert_uint_eq(pt_retry_attempts(r), 0);
	ck_assert_int_eq(pt_retry_request(r, &h, NULL, 10000, &header, &body), PT_OK);
	finish(s, r);
}
END_TEST

START_TEST(denied)
{
	struct scripted *s = server();
	const struct pt_value *header, *body;
	script(s, "18:7:allowed,5:false!}7:GO AWAY,", false);
	script(s, "0:}0:," REPLY, true);
	script(s, "0:}0:," REPLY, true);
	struct pt_retry *r = retry(s, 0, 10000);
	ck_assert_int_eq(ask(r, 10000, &header, &body), PT_E_DENIED);
	ck_assert(pt_is_text(body, "GO AWAY"));
	ck_assert_ptr_nonnull(pt_get(header, "allowed"));
	ck_assert_uint_eq(pt_retry_attempts(r), 0);
	ck_assert_int_eq(ask(r, 10000, &header, &body), PT_OK);
	ck_assert_int_eq(s->at, 2);
	ck_assert_uint_eq(pt_retry_attempts(r), 1);
	pt_retry_free(&r);
	s->turns++;
	s->turn[3] = s->turn[2];
	r = retry(s, PT_STRICT, 10000);
	ck_assert_int_eq(ask(r, 10000, &header, &body), PT_E_DENIED);
	finish(s, r);
}
END_TEST

/* What another attempt would not mend. */
START_TEST(faults_are_not_tried_again)
{
	static const struct {
		const char *says;
		int         error;
	} faults[] = {
		{ VERDICT "HTTP/1.1 400", PT_E_LEN_DIGIT },
		{ VERDICT "0:]0:,", PT_E_HDR_NOT_DICT },
		{ VERDICT "0:}1:?#", PT_E_INT },
		{ VERDICT "65537:", PT_E_LIMIT },
		{ "SSH-2.0", PT_E_LEN_DIGIT },
	};
	for (size_t i = 0; i < UNIT_COUNT(faults); i++) {
		struct scripted *s = server();
		const struct pt_value *header, *body;
		script(s, faults[i].says, true);
		script(s, VERDICT REPLY, true);
		struct pt_retry *r = retry(s, 0, 10000);
		int e = ask(r, 10000, &header, &body);
		ck_assert_msg(e == faults[i].error, "%s: %s", faults[i].says, pt_error_name(e));
		ck_assert_int_eq(s->at, 1);
		/* The handle is as good as new. */
		ck_assert_int_eq(ask(r, 10000, &header, &body), PT_OK);
		finish(s, r);
	}
}
END_TEST

START_TEST(one_attempt_takes_too_long)
{
	struct scripted *s = server();
	const struct pt_value *header, *body;
	script(s, "", true);
	script(s, VERDICT, true);
	script(s, VERDICT REPLY, true);
	struct pt_retry *r = retry(s, 0, 40);
	ck_assert_int_eq(ask(r, 10000, &header, &body), PT_OK);
	ck_assert_int_eq(s->at, 3);
	ck_assert_uint_eq(pt_retry_attempts(r), 2);
	finish(s, r);
}
END_TEST

START_TEST(until_the_time_is_up)
{
	struct scripted *s = server();
	const struct pt_value *header, *body;
	struct pt_retry_options o = PT_RETRY_INIT;
	o.connect = connect_scripted;
	o.ctx = s;
	o.wait_ms = 10;
	o.wait_most_ms = 40;
	for (int i = 0; i < TURNS; i++)
		script(s, NULL, false);
	struct pt_retry *r = pt_retry_new(&o);
	int64_t began = clock_mono_ms();
	ck_assert_int_eq(ask(r, 200, &header, &body), PT_E_TIMEOUT);
	ck_assert_int_ge(clock_mono_ms() - began, 199);
	ck_assert_int_lt(clock_mono_ms() - began, UNIT_SOON_MS);
	/* Waits of at least 5, 10, 20, 20, ... */
	ck_assert_int_ge(s->at, 2);
	ck_assert_int_le(s->at, 13);
	ck_assert_uint_eq(pt_retry_attempts(r), 0);
	finish(s, r);
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, identical_until_there_is_a_reply);
	UNIT_TEST(s, an_id_is_added);
	UNIT_TEST(s, ids_that_are_none);
	UNIT_TEST(s, replies_of_others_are_dropped);
	UNIT_TEST(s, late_replies);
	UNIT_TEST(s, not_yet);
	UNIT_TEST(s, server_that_started_anew);
	UNIT_TEST(s, when_it_does_not_matter);
	UNIT_TEST(s, denied);
	UNIT_TEST(s, faults_are_not_tried_again);
	UNIT_TEST(s, one_attempt_takes_too_long);
	UNIT_TEST(s, until_the_time_is_up);
}

int
main(void)
{
	return unit_main("retry", add);
}
