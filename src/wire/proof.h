/* SPDX-License-Identifier: MIT
 * proof.h - how a member proves that it knows the ring's secret without showing it (doc/protocol, section 6): an
 * HMAC-SHA256, by the secret, of three lines that each end in LF: "zog/1 PROOF opener" or "zog/1 PROOF answerer", and both
 * opening lines as they went over the wire, without their CR. In them are the ring, both names, both epochs and both
 * nonces, so that a proof is good for this one connection and this one direction.
 * Pure, but for the nonce; any thread. */
#ifndef ZOG_WIRE_PROOF_H
#define ZOG_WIRE_PROOF_H

#include <stdbool.h>
#include <stddef.h>

enum {
	PROOF_NONCE = 32,       /* hex digits: 16 bytes from getrandom(2) */
	PROOF_HEX = 64,         /* hex digits of a proof */
};

enum proof_by { PROOF_OPENER, PROOF_ANSWERER };

bool proof_nonce(char nonce[PROOF_NONCE + 1]);          /* false: the system gives no random bytes; errno */
bool proof_nonce_ok(const char *nonce);                 /* the right number of lower-case hex digits, and no more */

/* hello, answer: the two opening lines, without their line ends. */
void proof_make(char proof[PROOF_HEX + 1], enum proof_by, const void *secret, size_t size, const char *hello, const char *answer);
/* The n bytes at text are that proof. Takes as long for any text of the right length. */
bool proof_holds(const char *text, size_t n, enum proof_by, const void *secret, size_t size, const char *hello,
    const char *answer);

#endif
