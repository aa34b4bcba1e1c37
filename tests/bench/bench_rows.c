/* SPDX-License-Identifier: MIT */
#include "bench_rows.h"

#include <string.h>

/* Loads. */
#define MIXED 32, 63
#define WRITER(...) { "raw", 1, false, 0, NULL, { __VA_ARGS__ } }
#define ONE(ack, ...) { "numbered", 1, false, 10000, ack, { __VA_ARGS__ } }
#define PLAIN { "plain", 1, false, 1000000, NULL, { MIXED } }
#define MANY(clients, window) { "numbered", clients, true, window, "1", { MIXED } }

/* Rows of a ring of five zogds, or of another size; and how cost grows. */
#define ZOGD(group, base) RIG_ZOGD, 5, group, base
#define GROWN(members) RIG_ZOGD, members, GROWTH, NULL
#define SIZE(n) { "size." #n, "one client, ring of " #n, GROWN(n), ONE("1", MIXED), NULL, 50000 }
#define BYTES(n) { "bytes." #n, "one client, " #n " bytes", GROWN(5), ONE("1", n, n), NULL, 50000 }
#define CLIENTS(n, window) \
	{ "clients." #n, #n " clients on five members, " #window " in flight each", GROWN(5), \
	    MANY(n, window), NULL, 50000 }

const struct row rows[] = {
	{ "raw", "raw ring", RIG_RAW, 5, 0, NULL, WRITER(MIXED), NULL, 400000 },
	{ "line", "line ring", RIG_LINE, 5, 0, "raw", WRITER(MIXED), NULL, 300000 },

	{ "one", "one client, ack 1", ZOGD(1, "raw"), ONE("1", MIXED), NULL, 50000 },
	{ "plain", "one client, plain form", ZOGD(1, "raw"), PLAIN, NULL, 50000 },
	{ "five", "five clients on five members, ack 1", ZOGD(1, "raw"), MANY(5, 10000), NULL, 50000 },

	{ "majority", "one client, ack majority", ZOGD(2, "raw"), ONE("majority", MIXED), NULL, 50000 },
	{ "all", "one client, ack all", ZOGD(2, "raw"), ONE("all", MIXED), NULL, 50000 },

	{ "sync1.w", "one client, sync 1", ZOGD(3, "raw"), ONE("1", MIXED), "sync = 1\n", 50000 },
	{ "always.w", "one client, sync always", ZOGD(3, "raw"), ONE("1", MIXED), "sync = always\n",
	    20000 },
	{ "sync1.64", "64 clients, 1 in flight each, sync 1", ZOGD(3, "raw"), MANY(64, 1),
	    "sync = 1\n", 3000 },
	{ "always.64", "64 clients, 1 in flight each, sync always", ZOGD(3, "raw"), MANY(64, 1),
	    "sync = always\n", 1000 },

	{ "raw.8", "raw ring, 8 bytes", RIG_RAW, 5, 4, NULL, WRITER(8, 8), NULL, 400000 },
	{ "body.8", "one client, 8 bytes", ZOGD(4, "raw.8"), ONE("1", 8, 8), NULL, 50000 },
	{ "raw.48", "raw ring, 48 bytes", RIG_RAW, 5, 4, NULL, WRITER(48, 48), NULL, 400000 },
	{ "body.48", "one client, 48 bytes", ZOGD(4, "raw.48"), ONE("1", 48, 48), NULL, 50000 },
	{ "raw.500", "raw ring, 500 bytes", RIG_RAW, 5, 4, NULL, WRITER(500, 500), NULL, 100000 },
	{ "body.500", "one client, 500 bytes", ZOGD(4, "raw.500"), ONE("1", 500, 500), NULL, 50000 },

	SIZE(1), SIZE(2), SIZE(3), SIZE(5), SIZE(8), SIZE(11), SIZE(15),
	BYTES(8), BYTES(16), BYTES(32), BYTES(64), BYTES(128), BYTES(256), BYTES(509),
	CLIENTS(1, 10000), CLIENTS(10, 1000), CLIENTS(100, 100), CLIENTS(500, 20),
	CLIENTS(1000, 10), CLIENTS(2000, 5),
};
const int rows_count = sizeof rows / sizeof *rows;

bool
row_wanted(const char *name)
{
	for (int i = 0; i < rows_count; i++)
		if (rows[i].base != NULL && strcmp(rows[i].base, name) == 0 && bench_listed(rows[i].name))
			return true;
	return bench_listed(name);
}

const struct row *
row_find(const char *name)
{
	for (int i = 0; i < rows_count; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}
