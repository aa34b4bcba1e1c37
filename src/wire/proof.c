/* SPDX-License-Identifier: MIT */
#include "wire/proof.h"

#include <string.h>
#include <sys/random.h>

#include "base/sha256.h"

static void
hex(char *to, const unsigned char *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < n; i++) {
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 15];
	}
	*to = '\0';
}

bool
proof_nonce(char nonce[PROOF_NONCE + 1])
{
	unsigned char bytes[PROOF_NONCE / 2];
	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		return false;
	hex(nonce, bytes, sizeof bytes);
	return true;
}

bool
proof_nonce_ok(const char *nonce)
{
	return strlen(nonce) == PROOF_NONCE && strspn(nonce, "0123456789abcdef") == PROOF_NONCE;
}

void
proof_make(char proof[PROOF_HEX + 1], enum proof_by by, const void *secret, size_t size, const char *hello, const char *answer)
{
	static const char *const label[] = { "zog/1 PROOF opener", "zog/1 PROOF answerer" };
	const char *line[] = { label[by], hello, answer };
	unsigned char mac[SHA256_SIZE];
	struct hmac m;
	hmac_init(&m, secret, size);
	/* None of the lines has an LF in it: where one ends cannot be shifted. */
	for (int i = 0; i < 3; i++) {
		hmac_add(&m, line[i], strlen(line[i]));
		hmac_add(&m, "\n", 1);
	}
	hmac_end(&m, mac);
	hex(proof, mac, sizeof mac);
	explicit_bzero(mac, sizeof mac);
}

bool
proof_holds(const char *text, size_t n, enum proof_by by, const void *secret, size_t size, const char *hello, const char *answer)
{
	char proof[PROOF_HEX + 1];
	if (n != PROOF_HEX)
		return false;
	proof_make(proof, by, secret, size, hello, answer);
	bool same = bytes_same(text, proof, PROOF_HEX);
	explicit_bzero(proof, sizeof proof);
	return same;
}
