/* SPDX-License-Identifier: MIT
 * secret.h - what all members know and nobody else: secret-file. Constant once read; any thread reads.
 *
 * The file has a secret a line, each of 32 to 256 printing characters without blanks (`openssl rand -hex 32` makes a
 * good one), at most 4 of them; empty lines and those that begin with # do not count. All of them are good for peers:
 * so a secret is changed by adding the new one on every member, and then taking the old one away. */
#ifndef ZOG_DAEMON_SECRET_H
#define ZOG_DAEMON_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "wire/proof.h"

enum { SECRETS = 4, SECRET_LEAST = 32, SECRET_MOST = 256 };

struct secrets;

/* NULL after appending what is wrong to errors, a line "FILE:LINE: what" each: among that a file that others than its
 * owner and group may read or write. */
struct secrets *secrets_read(const char *file, struct buf *errors);
void secrets_free(struct secrets **);           /* and nothing of them stays in memory; NULL inside is fine */

/* "PROOF HEX [HEX ...]", one for each secret. false: no memory. */
bool secrets_prove(const struct secrets *, const char *hello, const char *answer, struct buf *line);
/* Which of them the opener's line "PROOF HEX [HEX ...]" knows, -1: none; answered by the proof by that one. */
int  secrets_match(const struct secrets *, const char *line, size_t n, const char *hello, const char *answer,
    char proof[PROOF_HEX + 1]);
/* The answerer's line, "PROOF HEX", is by one of them. */
bool secrets_accept(const struct secrets *, const char *line, size_t n, const char *hello, const char *answer);

#endif
