/* SPDX-License-Identifier: MIT
 * keyed.h - a 64-bit hash by a secret key, SipHash-2-4: who does not know the key cannot make two inputs meet. Fed in
 * parts; the result does not tell how it was cut. Pure. */
#ifndef PETRICHOR_KEYED_H
#define PETRICHOR_KEYED_H

#include <stddef.h>
#include <stdint.h>

struct keyed {
	uint64_t v[4];
	uint64_t tail;          /* bytes that are no eight yet, the first one lowest */
	uint64_t size;
};

void     keyed_begin(struct keyed *, const uint64_t key[2]);
void     keyed_add(struct keyed *, const void *, size_t);
uint64_t keyed_end(struct keyed *);

#endif
