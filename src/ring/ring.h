/* SPDX-License-Identifier: MIT
 * ring.h - who is in the ring and in which order: the ring file. Pure but for ring_read. */
#ifndef ZOG_RING_RING_H
#define ZOG_RING_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/net.h"

enum {
	RING_MAX = 64,                  /* members */
	RING_NAME = 16,                 /* bytes of a name */
	RING_PEER_PORT = 55551,
	RING_CLIENT_PORT = 55552,
};

struct member {
	char     name[RING_NAME + 1];
	char     host[NET_HOST];        /* IPv4, IPv6 or a host name, not resolved */
	uint16_t peer_port, client_port;
};

struct ring {
	int           size;
	struct member member[RING_MAX];
};

/* Reads a ring file, or its text. What is wrong is appended to errors, every error one line
 * "FILE:LINE: what\n", all of them at once. false: there were errors; the ring is then not to be used. */
bool ring_read(struct ring *, const char *file, struct buf *errors);
bool ring_parse(struct ring *, const char *file, const char *text, struct buf *errors);

int  ring_find(const struct ring *, const char *name);  /* its place, -1: not in the ring */
int  ring_at(int size, int place, int k);               /* who stands at +k of place, counted round */
uint32_t ring_hash(const struct ring *);                /* of the names in order: members that agree have the same */
bool ring_name_ok(const char *name);                    /* a letter, then up to 15 of A-Za-z0-9_- */

#endif
