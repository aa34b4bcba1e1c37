/* SPDX-License-Identifier: MIT
 * sha256.h - SHA-256 (FIPS 180-4) and HMAC with it (RFC 2104). Pure; any thread. Not fast: it is for the
 * opening of a connection, not for what goes over it. */
#ifndef ZOG_BASE_SHA256_H
#define ZOG_BASE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA256_SIZE = 32, SHA256_BLOCK = 64 };

struct sha256 {
	uint32_t      h[8];
	uint64_t      bytes;                    /* so far */
	unsigned char block[SHA256_BLOCK];      /* what of them makes no block yet */
};

void sha256_init(struct sha256 *);
void sha256_add(struct sha256 *, const void *, size_t n);
void sha256_end(struct sha256 *, unsigned char sum[SHA256_SIZE]);       /* and forgets all it was given */

struct hmac {
	struct sha256 sha;
	unsigned char pad[SHA256_BLOCK];        /* the key, as the outer sum wants it */
};

void hmac_init(struct hmac *, const void *key, size_t n);
void hmac_add(struct hmac *, const void *, size_t n);
void hmac_end(struct hmac *, unsigned char mac[SHA256_SIZE]);           /* likewise */

/* Takes as long whether they are the same or not, and wherever they differ. */
bool bytes_same(const void *, const void *, size_t n);

#endif
