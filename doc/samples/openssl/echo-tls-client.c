/* SPDX-License-Identifier: MIT
 * echo-tls-client.c - the echo client inside TLS, by callbacks around an OpenSSL session of the program's
 * own. Any other library goes the same way: two functions that read and write, and wait no longer than
 * they are told.
 *
 * It is not built by make, which asks for nothing beyond libc:
 *	cc echo-tls-client.c -lpetrichor -lssl -lcrypto
 *
 *	echo-tls-client CA_FILE HOST PORT USER          where HOST is the name in the server's certificate */
#include <err.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <petrichor.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TIMEOUT_MS = 20000 };

static long long
now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Reading may have to write, and the other way round: TLS says which. false: errno says why not. */
static bool
wait_for(SSL *ssl, int result, long long until)
{
	int why = SSL_get_error(ssl, result);
	if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
		errno = EIO;
		return false;
	}
	struct pollfd p = { .fd = SSL_get_fd(ssl), .events = why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT };
	long long left = until < 0 ? -1 : until > now_ms() ? until - now_ms() : 0;
	int n = poll(&p, 1, (int)left);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0 || (n < 0 && errno == EINTR);
}

static ssize_t
tls_read(void *ssl, void *to, size_t n, int timeout_ms)
{
	long long until = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	size_t got;
	for (;;) {
		ERR_clear_error();
		int result = SSL_read_ex(ssl, to, n, &got);
		if (result == 1)
			return (ssize_t)got;
		/* An end that TLS did not announce is none: somebody may have cut the connection. */
		if (SSL_get_error(ssl, result) == SSL_ERROR_ZERO_RETURN)
			return 0;
		if (!wait_for(ssl, result, until))
			return -1;
	}
}

static ssize_t
tls_write(void *ssl, const void *from, size_t n, int timeout_ms)
{
	long long until = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	size_t written;
	for (;;) {
		ERR_clear_error();
		int result = SSL_write_ex(ssl, from, n, &written);
		if (result == 1)
			return (ssize_t)written;
		if (!wait_for(ssl, result, until))
			return -1;
	}
}

static int
tls_close(void *ssl)
{
	SSL_shutdown(ssl);
	SSL_free(ssl);          /* and the socket with it */
	return 0;
}

/* A session with a server whose certificate is good for its name; ends the program where there is none. */
static SSL *
tls_connect(const char *ca_file, const char *host, const char *port)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	if (context == NULL || SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1)
		errx(1, "%s: no certificates", ca_file);
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE);

	SSL *ssl = SSL_new(context);
	BIO *socket = BIO_new_connect(host);
	if (ssl == NULL || socket == NULL)
		errx(1, "out of memory");
	if (SSL_set1_host(ssl, host) != 1 || SSL_set_tlsext_host_name(ssl, host) != 1)
		errx(1, "%s: not a name", host);
	BIO_set_conn_port(socket, port);
	BIO_set_nbio(socket, 1);
	if (BIO_do_connect_retry(socket, TIMEOUT_MS / 1000, 10) != 1)
		errx(1, "%s %s: no connection", host, port);
	SSL_set_bio(ssl, socket, socket);
	SSL_CTX_free(context);          /* the session has it, too */

	int result;
	for (long long until = now_ms() + TIMEOUT_MS; (result = SSL_connect(ssl)) != 1;)
		if (!wait_for(ssl, result, until))
			errx(1, "%s %s: no TLS: %s", host, port,
			    X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
	return ssl;
}

static int
talk(struct pt_conn *c)
{
	char line[4096];
	int e = PT_OK;
	while (e == PT_OK && fgets(line, sizeof line, stdin) != NULL) {
		const struct pt_value body = PT_BYTES_OF(line, strcspn(line, "\n")), *reply;
		e = pt_request(c, NULL, &body, TIMEOUT_MS, NULL, &reply);
		if (e == PT_OK && reply->type == PT_BYTES)
			printf("%.*s\n", (int)reply->bytes.len, reply->bytes.at);
	}
	return e;
}

int
main(int argc, char **argv)
{
	if (argc != 5)
		errx(2, "usage: CA_FILE HOST PORT USER");
	signal(SIGPIPE, SIG_IGN);
	char ident[PT_ID_TEXT];
	pt_id(ident);
	const struct pt_value who[] = {
		PT_TEXT("ident"), PT_BYTES_OF(ident, strlen(ident)),
		PT_TEXT("user"), PT_BYTES_OF(argv[4], strlen(argv[4])),
		PT_TEXT("version"), PT_TEXT("0.1"),
	};
	const struct pt_value identity = PT_DICT_OF(who, 3), *verdict, *body;

	const struct pt_io io = { tls_read, tls_write, tls_close, tls_connect(argv[1], argv[2], argv[3]) };
	struct pt_conn *c = pt_from_io(&io, NULL);
	if (c == NULL)
		errx(1, "out of memory");
	int e = pt_greet(c, &identity, NULL, TIMEOUT_MS, &verdict, &body);
	bool allowed = e == PT_OK && pt_connect_allowed(verdict, 0);
	if (e == PT_OK && body->type == PT_BYTES)
		printf("%s %.*s\n", allowed ? "CONNECTED" : "YOU WERE DENIED", (int)body->bytes.len, body->bytes.at);
	if (allowed)
		e = talk(c);
	pt_close(&c);
	if (e != PT_OK)
		errx(1, "%s", pt_error_text(e));
	return allowed ? 0 : 1;
}
