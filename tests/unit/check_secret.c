/* SPDX-License-Identifier: MIT
 * check_secret.c - secret-file (daemon/secret) and the proofs (wire/proof). */
#include "daemon/secret.h"

#include <sys/stat.h>

#include "unit.h"

#define KEY "correct-horse-battery-staple,-32-and-more"
#define OTHER "0123456789abcdef0123456789abcdef"
static const char hello[] = "HELLO zog/1 ring=6a3f0c11 from=mv to=pa epoch=1732091521000 nonce=000102030405060708090a0b0c0d0e0f";
static const char answer[] = "OK zog/1 from=pa epoch=1732091521001 ring=6a3f0c11 nonce=f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";
/* By Python's hmac, of the text in wire/proof.h. */
static const char by_opener[] = "0a5b74a9d08b8b3356f4c4589f66a23bcdf04c70b7429c7c9c4b4a82dd7c5c43";
static const char by_answerer[] = "4232d05b890003e154c278c083d6426b784e48be24bb377d1080093fa28564c1";

static char dir[UNIT_PATH], path[UNIT_PATH + 64];

/* What a file of this text, with this mode, is; NULL with the error in why. */
static struct secrets *
try_file(const char *text, mode_t mode, struct buf *why)
{
	unit_file_puts(dir, "secret", text);
	unit_file_path(path, dir, "secret");
	ck_assert_int_eq(chmod(path, mode), 0);
	buf_clear(why);
	return secrets_read(path, why);
}

static struct secrets *
good_file(const char *text)
{
	struct buf why = BUF_INIT;
	struct secrets *s = try_file(text, 0600, &why);
	ck_assert_msg(s != NULL, "%.*s", (int)why.len, why.data);
	ck_assert_uint_eq(why.len, 0);
	buf_fini(&why);
	return s;
}

static void
bad_file(const char *text, mode_t mode, const char *want)
{
	char line[UNIT_PATH + 200];
	struct buf why = BUF_INIT;
	ck_assert_ptr_null(try_file(text, mode, &why));
	snprintf(line, sizeof line, "%s%s\n", path, want);
	unit_assert_bytes(&why, line, strlen(line));
	/* What is wrong with a secret is said without a word of it. */
	ck_assert_ptr_null(memmem(why.data, why.len, "0123", 4));
	buf_fini(&why);
}

START_TEST(published)
{
	char proof[PROOF_HEX + 1];
	proof_make(proof, PROOF_OPENER, KEY, strlen(KEY), hello, answer);
	ck_assert_str_eq(proof, by_opener);
	proof_make(proof, PROOF_ANSWERER, KEY, strlen(KEY), hello, answer);
	ck_assert_str_eq(proof, by_answerer);
}
END_TEST

START_TEST(nonces)
{
	char a[PROOF_NONCE + 1], b[PROOF_NONCE + 1];
	ck_assert(proof_nonce(a) && proof_nonce(b));
	ck_assert(proof_nonce_ok(a) && proof_nonce_ok(b));
	ck_assert_str_ne(a, b);
	static const char *const bad[] = { "", "0", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0",
	    "0123456789ABCDEF0123456789abcdef", "0123456789abcdef0123456789abcdeg", " 123456789abcdef0123456789abcdef" };
	for (size_t i = 0; i < UNIT_COUNT(bad); i++)
		ck_assert_msg(!proof_nonce_ok(bad[i]), "'%s' is good", bad[i]);
}
END_TEST

START_TEST(files)
{
	unit_folder(dir);
	static const char *const good[] = { KEY, KEY "\n", "\n# of the ring\n\n  " KEY " \r\n\n", OTHER, KEY "\n" OTHER "\nc" OTHER "\nd" OTHER };
	for (size_t i = 0; i < UNIT_COUNT(good); i++) {
		struct secrets *s = good_file(good[i]);
		secrets_free(&s);
		ck_assert_ptr_null(s);
	}
	bad_file("", 0600, ": there is no secret in it");
	bad_file("# none\n\n", 0600, ": there is no secret in it");
	bad_file("0123456789abcdef0123456789abcde\n", 0600, ":1: a secret has 32 to 256 characters");
	bad_file("\n" KEY "\n0123\n", 0600, ":3: a secret has 32 to 256 characters");
	bad_file("0123456789abcdef 0123456789abcdef\n", 0600, ":1: a secret is of printing characters without blanks");
	bad_file("0123456789abcdef0123456789abcd\xc3\xa9\n", 0600, ":1: a secret is of printing characters without blanks");
	bad_file(OTHER "1\n" OTHER "2\n" OTHER "3\n" OTHER "4\n" OTHER "5\n", 0600, ":5: over 4 secrets");
	char line[300];
	memset(line, 'x', sizeof line);
	line[256] = '\0';
	struct secrets *s = good_file(line);
	secrets_free(&s);
	line[256] = 'x';
	line[257] = '\0';
	bad_file(line, 0600, ":1: a secret has 32 to 256 characters");
	static const mode_t open[] = { 0604, 0602, 0601, 0620, 0666, 0644 };
	for (size_t i = 0; i < UNIT_COUNT(open); i++)
		bad_file(KEY, open[i], ": others may read or write it: chmod 0640 it");
	struct buf why = BUF_INIT;
	s = try_file(KEY, 0640, &why);
	ck_assert_ptr_nonnull(s);
	secrets_free(&s);
	ck_assert_ptr_null(secrets_read(dir, &why));
	ck_assert_ptr_nonnull(memmem(why.data, why.len, "is not a regular file", 21));
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	buf_clear(&why);
	ck_assert_ptr_null(secrets_read(path, &why));
	ck_assert_ptr_nonnull(memmem(why.data, why.len, "is not a regular file", 21));
	ck_assert_int_eq(unlink(path), 0);
	buf_clear(&why);
	ck_assert_ptr_null(secrets_read(path, &why));
	ck_assert_ptr_nonnull(memmem(why.data, why.len, "No such file", 12));
	unit_file_write(dir, "secret", KEY "\0" KEY, 2 * sizeof KEY);
	ck_assert_int_eq(chmod(path, 0600), 0);
	buf_clear(&why);
	ck_assert_ptr_null(secrets_read(path, &why));
	ck_assert_ptr_nonnull(memmem(why.data, why.len, "no text file", 12));
	buf_fini(&why);
	unit_folder_remove(dir);
}
END_TEST

static int
match(const struct secrets *s, const char *line, char proof[PROOF_HEX + 1])
{
	return secrets_match(s, line, strlen(line), hello, answer, proof);
}

/* Who knows one that the other knows, too, gets in, whatever else they know. */
START_TEST(pairs)
{
	static const struct { const char *opener, *answerer; int which; } with[] = {
		{ KEY, KEY, 0 }, { KEY, OTHER, -1 }, { OTHER, KEY "\n" OTHER, 1 }, { KEY "\n" OTHER, OTHER, 0 },
		{ KEY "\n" OTHER, OTHER "\n" KEY, 1 }, { KEY "x\n" OTHER "x", KEY "\n" OTHER, -1 },
		{ "a" KEY "\nb" KEY "\nc" KEY "\n" OTHER, OTHER, 0 },
	};
	unit_folder(dir);
	for (size_t i = 0; i < UNIT_COUNT(with); i++) {
		struct secrets *a = good_file(with[i].opener), *b = good_file(with[i].answerer);
		struct buf line = BUF_INIT;
		char proof[PROOF_HEX + 1], back[PROOF_HEX + 16];
		ck_assert(secrets_prove(a, hello, answer, &line) && buf_put(&line, "", 1));
		ck_assert_int_eq(match(b, line.data, proof), with[i].which);
		if (with[i].which >= 0) {
			snprintf(back, sizeof back, "PROOF %s", proof);
			ck_assert(secrets_accept(a, back, strlen(back), hello, answer));
			/* For this opening only. */
			ck_assert(!secrets_accept(a, back, strlen(back), answer, hello));
			ck_assert(!secrets_accept(a, back, strlen(back), hello, hello));
			/* The opener's own proof is not the answerer's. */
			ck_assert(!secrets_accept(a, line.data, strlen("PROOF ") + PROOF_HEX, hello, answer));
			ck_assert_int_eq(match(b, back, proof), -1);
		}
		buf_fini(&line);
		secrets_free(&a);
		secrets_free(&b);
	}
	unit_folder_remove(dir);
}
END_TEST

/* No other text of any length is taken for a proof, and nothing beyond it is looked at. */
START_TEST(other_texts)
{
	unit_folder(dir);
	struct secrets *s = good_file(KEY);
	char proof[PROOF_HEX + 1], line[200];
	for (int n = 0; n <= 128; n++) {
		snprintf(line, sizeof line, "PROOF %.*s%.*s", n, by_opener, n > PROOF_HEX ? n - PROOF_HEX : 0, by_opener);
		char *just = strndup(line, strlen(line));
		ck_assert_int_eq(match(s, just, proof), n == PROOF_HEX ? 0 : -1);
		snprintf(line, sizeof line, "PROOF %.*s%.*s", n, by_answerer, n > PROOF_HEX ? n - PROOF_HEX : 0, by_answerer);
		ck_assert(secrets_accept(s, line, strlen(line), hello, answer) == (n == PROOF_HEX));
		free(just);
	}
	for (int i = 0; i < PROOF_HEX; i++) {
		snprintf(line, sizeof line, "PROOF %s", by_opener);
		line[6 + i] ^= 1;
		ck_assert_int_eq(match(s, line, proof), -1);
		snprintf(line, sizeof line, "PROOF %s", by_answerer);
		line[6 + i] ^= 1;
		ck_assert(!secrets_accept(s, line, strlen(line), hello, answer));
	}
	static const char *const bad[] = { "", "PROOF", "PROOF ", "PROOF  ", "proof ", "HELLO" };
	for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
		ck_assert_int_eq(match(s, bad[i], proof), -1);
		ck_assert(!secrets_accept(s, bad[i], strlen(bad[i]), hello, answer));
	}
	snprintf(line, sizeof line, "PROOF x x x %s", by_opener);
	ck_assert_int_eq(match(s, line, proof), 0);
	/* No more are tried than there can be. */
	snprintf(line, sizeof line, "PROOF x x x x %s", by_opener);
	ck_assert_int_eq(match(s, line, proof), -1);
	secrets_free(&s);
	unit_folder_remove(dir);
}
END_TEST

static void
add(Suite *suite)
{
	UNIT_TEST(suite, published);
	UNIT_TEST(suite, nonces);
	UNIT_TEST(suite, files);
	UNIT_TEST(suite, pairs);
	UNIT_TEST(suite, other_texts);
}

int
main(void)
{
	return unit_main("secret", add);
}
