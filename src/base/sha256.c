/* SPDX-License-Identifier: MIT */
#include "base/sha256.h"

#include <string.h>

/* The first 32 bits of the fractions of the cube roots of the first 64 primes. */
static const uint32_t k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t
turn(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static uint32_t
word_at(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* One block into the state: the names are those of FIPS 180-4, 6.2.2. */
static void
take_block(uint32_t h[8], const unsigned char *block)
{
	uint32_t w[64], s[8];
	for (int t = 0; t < 16; t++)
		w[t] = word_at(block + 4 * t);
	for (int t = 16; t < 64; t++) {
		uint32_t s0 = turn(w[t - 15], 7) ^ turn(w[t - 15], 18) ^ w[t - 15] >> 3;
		uint32_t s1 = turn(w[t - 2], 17) ^ turn(w[t - 2], 19) ^ w[t - 2] >> 10;
		w[t] = w[t - 16] + s0 + w[t - 7] + s1;
	}
	memcpy(s, h, sizeof s);
	for (int t = 0; t < 64; t++) {
		uint32_t a = s[0], e = s[4];
		uint32_t ch = (e & s[5]) ^ (~e & s[6]), maj = (a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]);
		uint32_t t1 = s[7] + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ch + k[t] + w[t];
		uint32_t t2 = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + maj;
		memmove(s + 1, s, 7 * sizeof *s);
		s[4] += t1;
		s[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		h[i] += s[i];
	explicit_bzero(w, sizeof w);
	explicit_bzero(s, sizeof s);
}

void
sha256_init(struct sha256 *s)
{
	/* The first 32 bits of the fractions of the square roots of the first 8 primes. */
	static const uint32_t first[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};
	memcpy(s->h, first, sizeof first);
	s->bytes = 0;
}

void
sha256_add(struct sha256 *s, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	size_t have = s->bytes % SHA256_BLOCK;
	s->bytes += n;
	while (n != 0) {
		size_t part = SHA256_BLOCK - have < n ? SHA256_BLOCK - have : n;
		memcpy(s->block + have, p, part);
		p += part;
		n -= part;
		have += part;
		if (have < SHA256_BLOCK)
			return;
		take_block(s->h, s->block);
		have = 0;
	}
}

void
sha256_end(struct sha256 *s, unsigned char sum[SHA256_SIZE])
{
	static const unsigned char end[SHA256_BLOCK] = { 0x80 };
	unsigned char bits[8];
	for (int i = 0; i < 8; i++)
		bits[i] = (unsigned char)(s->bytes * 8 >> (56 - 8 * i));
	size_t have = s->bytes % SHA256_BLOCK;
	sha256_add(s, end, have < 56 ? 56 - have : 120 - have);
	sha256_add(s, bits, sizeof bits);
	for (int i = 0; i < SHA256_SIZE; i++)
		sum[i] = (unsigned char)(s->h[i / 4] >> (24 - 8 * (i % 4)));
	explicit_bzero(s, sizeof *s);
}

void
hmac_init(struct hmac *m, const void *key, size_t n)
{
	memset(m->pad, 0, sizeof m->pad);
	if (n > SHA256_BLOCK) {
		sha256_init(&m->sha);
		sha256_add(&m->sha, key, n);
		sha256_end(&m->sha, m->pad);
	} else if (n != 0) {
		memcpy(m->pad, key, n);
	}
	for (int i = 0; i < SHA256_BLOCK; i++)
		m->pad[i] ^= 0x36;
	sha256_init(&m->sha);
	sha256_add(&m->sha, m->pad, sizeof m->pad);
	for (int i = 0; i < SHA256_BLOCK; i++)
		m->pad[i] ^= 0x36 ^ 0x5c;
}

void
hmac_add(struct hmac *m, const void *bytes, size_t n)
{
	sha256_add(&m->sha, bytes, n);
}

void
hmac_end(struct hmac *m, unsigned char mac[SHA256_SIZE])
{
	sha256_end(&m->sha, mac);
	sha256_init(&m->sha);
	sha256_add(&m->sha, m->pad, sizeof m->pad);
	sha256_add(&m->sha, mac, SHA256_SIZE);
	sha256_end(&m->sha, mac);
	explicit_bzero(m, sizeof *m);
}

bool
bytes_same(const void *a, const void *b, size_t n)
{
	const volatile unsigned char *x = a, *y = b;
	unsigned char differ = 0;
	for (size_t i = 0; i < n; i++)
		differ |= x[i] ^ y[i];
	return differ == 0;
}
