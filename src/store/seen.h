/* SPDX-License-Identifier: MIT
 * seen.h - which numbers of which clients are in access.log already (doc/protocol, section 4). Pure, no I/O; one thread.
 * Of each client ranges of numbers are kept, not the highest one only: numbers reach a member through two streams in any
 * order, and a late low one is no duplicate. Of the last 64 numbers a fingerprint of the text is kept as well. Memory is
 * bounded: the client that was not used for the longest time goes first, of one client the lowest range. */
#ifndef ZOG_STORE_SEEN_H
#define ZOG_STORE_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/frame.h"

enum {
	SEEN_RANGES = 4096,             /* of one client: one that sends to all members in turn, while some lag, needs hundreds */
	SEEN_RANGES_SURE = 64,          /* so many each has, however much memory others take */
	SEEN_BYTES = 64 * 1024 * 1024,  /* of all, then no one gets more than those */
	SEEN_PRINTS = 64,
	SEEN_SOME = 32,
};

struct seen;

struct seen *seen_new(size_t most_clients);             /* NULL: no memory */
void         seen_free(struct seen **);

enum seen_is {
	SEEN_NEW,       /* to be logged */
	SEEN_AGAIN,     /* logged already, as far as is known with this text */
	SEEN_OTHER,     /* this number was logged with another text */
};

/* What is known of it; changes nothing (but that the client counts as used). */
enum seen_is seen_look(struct seen *, const char *client, uint64_t n, const char *text, size_t len);
/* The same, and it is remembered from now on: of SEEN_OTHER the first text stays. Out of memory: SEEN_NEW, and forgotten. */
enum seen_is seen_mark(struct seen *, const char *client, uint64_t n, const char *text, size_t len);
/* seen_mark for some at once, in their order: where many clients take turns this is faster, since the memory is waited for once. */
struct seen_mark {
	char         client[FRAME_CLIENT + 1];
	uint64_t     n;
	uint32_t     crc;               /* CRC-32C of the text */
	enum seen_is is;                /* the answer */
};
void         seen_mark_some(struct seen *, struct seen_mark *, unsigned count);        /* up to SEEN_SOME */
/* True if the numbers n .. n + count - 1 are all new and follow, with a gap or without, on everything known of the client: then they are
 * all remembered at once, the fingerprints of the last 64 of them among them. body: count lines that end in CR LF. False: nothing
 * changed, mark them one by one. The fast way for a batch: costs nothing for each line but the last 64. */
bool         seen_mark_batch(struct seen *, const char *client, uint64_t n, uint32_t count, const char *body, size_t size);

uint64_t     seen_last(struct seen *, const char *client);      /* the highest number known, 0: none */

struct seen_counts {
	uint64_t clients, evicted_clients, evicted_ranges, bytes;
};
void         seen_counts(const struct seen *, struct seen_counts *);

#endif
