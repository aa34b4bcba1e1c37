/* SPDX-License-Identifier: MIT */
#include "store/seen.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/text.h"

struct range {
	uint64_t first, last;
};

struct print {
	uint64_t n;
	uint32_t crc;           /* CRC-32C of the text: it tells a mistake from a repetition, no more */
};

/* Most clients send one message and never come back: for them the room inside must do. */
struct client {
	char     name[FRAME_CLIENT + 1];
	uint8_t  print_count, print_room;
	uint8_t  print_next;                    /* where the next one goes */
	uint16_t range_count, range_room;
	union {                                 /* lowest first; never adjacent, never overlapping */
		struct range one, *many;        /* one: while there is room for one only */
	} range;
	union {                                 /* by arrival; a ring once there are SEEN_PRINTS of them */
		struct print one, *many;
	} print;
};

/* What it takes to find a client and to keep the order of their use. It stands apart from the clients, since of 65,536 of them
 * it stays in the processor's cache. */
struct place {
	uint32_t hash;
	uint32_t chain;                         /* the next one in its bucket; 0: none */
	uint32_t newer, older;                  /* by last use */
};

enum {
	FIRST_ROOM = 64,
	ROOM_BYTES = sizeof(struct place) + sizeof(struct client) + sizeof(uint32_t),
};

struct seen {
	size_t          most;
	/* One for each client, counted from 1. Place 0 is the head of the list: its older is the newest, its newer the oldest. */
	struct place   *places;
	struct client  *clients;
	uint32_t       *buckets;
	size_t          room;           /* a power of two: so many buckets, and clients that there is room for */
	uint64_t        seed;
	struct seen_counts counts;
};

struct seen *
seen_new(size_t most_clients)
{
	struct seen *s = calloc(1, sizeof *s);
	if (s == NULL)
		return NULL;
	s->most = most_clients != 0 ? most_clients : 1;
	s->room = FIRST_ROOM;
	s->places = calloc(s->room + 1, sizeof *s->places);
	s->clients = calloc(s->room + 1, sizeof *s->clients);
	s->buckets = calloc(s->room, sizeof *s->buckets);
	if (s->places == NULL || s->clients == NULL || s->buckets == NULL) {
		seen_free(&s);
		return NULL;
	}
	/* Tokens come from outside: where the memory lies is a secret that spares us chains made on purpose. */
	s->seed = (uint64_t)(uintptr_t)s ^ (uint64_t)(uintptr_t)s->buckets << 24;
	s->counts.bytes = sizeof *s + s->room * ROOM_BYTES;
	return s;
}

/* Frees what it has beyond the room inside. */
static void
client_fini(struct seen *s, struct client *c)
{
	if (c->range_room > 1) {
		s->counts.bytes -= c->range_room * sizeof(struct range);
		free(c->range.many);
	}
	if (c->print_room > 1) {
		s->counts.bytes -= c->print_room * sizeof(struct print);
		free(c->print.many);
	}
}

void
seen_free(struct seen **sp)
{
	struct seen *s = *sp;
	*sp = NULL;
	if (s == NULL)
		return;
	for (size_t at = 1; at <= s->counts.clients; at++)
		client_fini(s, &s->clients[at]);
	free(s->places);
	free(s->clients);
	free(s->buckets);
	free(s);
}

/* ---- clients: a hash table and a list by last use ---- */

/* Eight letters at a time. */
static uint32_t
hash_of(const struct seen *s, const char *name)
{
	uint64_t h = s->seed, w = 0;
	for (unsigned i = 1; *name != '\0'; name++, i++) {
		w = w << 8 | (unsigned char)*name;
		if (i % 8 != 0)
			continue;
		h = (h ^ w) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
		w = 0;
	}
	h = (h ^ w) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(h >> 32);
}

static uint32_t *
bucket_of(const struct seen *s, uint32_t hash)
{
	return &s->buckets[hash & (s->room - 1)];
}

static void
unlink_use(struct seen *s, uint32_t at)
{
	const struct place *p = &s->places[at];
	s->places[p->newer].older = p->older;
	s->places[p->older].newer = p->newer;
}

static void
link_newest(struct seen *s, uint32_t at)
{
	struct place *head = &s->places[0];
	s->places[at].newer = 0;
	s->places[at].older = head->older;
	s->places[head->older].newer = at;
	head->older = at;
}

/* Finding one is using it. */
static struct client *
find(struct seen *s, const char *name, uint32_t hash)
{
	uint32_t at = *bucket_of(s, hash);
	while (at != 0 && (s->places[at].hash != hash || !text_same(s->clients[at].name, name)))
		at = s->places[at].chain;
	if (at == 0)
		return NULL;
	if (at != s->places[0].older) {
		unlink_use(s, at);
		link_newest(s, at);
	}
	return &s->clients[at];
}

static void
put_into_bucket(struct seen *s, uint32_t at)
{
	uint32_t *bucket = bucket_of(s, s->places[at].hash);
	s->places[at].chain = *bucket;
	*bucket = at;
}

/* Where the oldest was, which is nowhere now. */
static uint32_t
evict_oldest(struct seen *s)
{
	uint32_t at = s->places[0].newer, *p = bucket_of(s, s->places[at].hash);
	while (*p != at)
		p = &s->places[*p].chain;
	*p = s->places[at].chain;
	unlink_use(s, at);
	client_fini(s, &s->clients[at]);
	s->counts.evicted_clients++;
	return at;
}

/* Twice the room. False: no memory. */
static bool
grow(struct seen *s)
{
	size_t room = s->room * 2;
	if (room > UINT32_MAX)
		return false;
	struct place *places = realloc(s->places, (room + 1) * sizeof *places);
	if (places != NULL)
		s->places = places;
	struct client *clients = realloc(s->clients, (room + 1) * sizeof *clients);
	if (clients != NULL)
		s->clients = clients;
	uint32_t *buckets = places != NULL && clients != NULL ? calloc(room, sizeof *buckets) : NULL;
	if (buckets == NULL)
		return false;
	free(s->buckets);
	s->buckets = buckets;
	s->counts.bytes += (room - s->room) * ROOM_BYTES;
	s->room = room;
	for (uint32_t at = 1; at <= s->counts.clients; at++)
		put_into_bucket(s, at);
	return true;
}

static struct client *
find_or_add(struct seen *s, const char *name, uint32_t hash)
{
	struct client *c = find(s, name, hash);
	if (c != NULL)
		return c;
	size_t len = strlen(name);
	bool full = s->counts.clients >= s->most;
	if (len > FRAME_CLIENT || (!full && s->counts.clients == s->room && !grow(s)))
		return NULL;
	uint32_t at = full ? evict_oldest(s) : (uint32_t)++s->counts.clients;
	c = &s->clients[at];
	*c = (struct client){ .range_room = 1, .print_room = 1 };
	memcpy(c->name, name, len);
	s->places[at].hash = hash;
	put_into_bucket(s, at);
	link_newest(s, at);
	return c;
}

/* ---- the numbers of one client ---- */

static struct range *
ranges_of(struct client *c)
{
	return c->range_room > 1 ? c->range.many : &c->range.one;
}

static struct print *
prints_of(struct client *c)
{
	return c->print_room > 1 ? c->print.many : &c->print.one;
}

/* How many ranges begin at n or below: the one that may hold n is the last of them. */
static unsigned
ranges_below(struct client *c, uint64_t n)
{
	const struct range *r = ranges_of(c);
	unsigned low = 0, high = c->range_count;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (r[middle].first <= n)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
holds(struct client *c, uint64_t n)
{
	unsigned i = ranges_below(c, n);
	return i > 0 && ranges_of(c)[i - 1].last >= n;
}

static uint64_t
last_of(struct client *c)
{
	return c->range_count != 0 ? ranges_of(c)[c->range_count - 1].last : 0;
}

/* Room for one range more, while there are fewer than SEEN_RANGES. */
static bool
range_room(struct seen *s, struct client *c)
{
	if (c->range_count < c->range_room || c->range_room >= SEEN_RANGES)
		return true;
	unsigned room = c->range_room * 4u < SEEN_RANGES ? c->range_room * 4u : SEEN_RANGES;
	bool inside = c->range_room == 1;
	struct range *p = realloc(inside ? NULL : c->range.many, room * sizeof *p);
	if (p == NULL)
		return false;
	if (inside)
		p[0] = c->range.one;
	s->counts.bytes += (room - (inside ? 0u : c->range_room)) * sizeof *p;
	c->range.many = p;
	c->range_room = (uint16_t)room;
	return true;
}

/* Adds n .. last, of which none is there yet. Ranges that touch become one; one too many and the lowest goes, which may be
 * the new one itself. False: no memory. */
static bool
add_range(struct seen *s, struct client *c, uint64_t n, uint64_t last)
{
	unsigned i = ranges_below(c, n);
	struct range *r = ranges_of(c);
	bool joins_left = i > 0 && r[i - 1].last + 1 == n;
	bool joins_right = i < c->range_count && last + 1 == r[i].first;
	if (joins_left && joins_right) {
		r[i - 1].last = r[i].last;
		memmove(&r[i], &r[i + 1], (c->range_count - i - 1u) * sizeof *r);
		c->range_count--;
		return true;
	}
	if (joins_left) {
		r[i - 1].last = last;
		return true;
	}
	if (joins_right) {
		r[i].first = n;
		return true;
	}
	/* A client that is over its share when memory is short keeps its present ranges. */
	bool full = c->range_count == SEEN_RANGES || (c->range_count >= SEEN_RANGES_SURE &&
	    c->range_count == c->range_room && s->counts.bytes > SEEN_BYTES);
	if (full) {
		s->counts.evicted_ranges++;
		if (i == 0)
			return true;
		memmove(&r[0], &r[1], (i - 1) * sizeof *r);
		r[i - 1] = (struct range){ n, last };
		return true;
	}
	if (!range_room(s, c))
		return false;
	r = ranges_of(c);
	memmove(&r[i + 1], &r[i], (c->range_count - i) * sizeof *r);
	r[i] = (struct range){ n, last };
	c->range_count++;
	return true;
}

/* Room for more prints, as many as are kept at all. False: no memory. */
static bool
print_room(struct seen *s, struct client *c, uint32_t more)
{
	unsigned need = more < SEEN_PRINTS ? c->print_count + more : SEEN_PRINTS;
	if (need > SEEN_PRINTS)
		need = SEEN_PRINTS;
	if (need <= c->print_room)
		return true;
	unsigned room = c->print_room;
	while (room < need)
		room *= 4;
	bool inside = c->print_room == 1;
	struct print *p = realloc(inside ? NULL : c->print.many, room * sizeof *p);
	if (p == NULL)
		return false;
	if (inside)
		p[0] = c->print.one;
	s->counts.bytes += (room - (inside ? 0u : c->print_room)) * sizeof *p;
	c->print.many = p;
	c->print_room = (uint8_t)room;
	return true;
}

static void
add_print(struct client *c, uint64_t n, uint32_t crc)
{
	unsigned at = c->print_next % SEEN_PRINTS;
	prints_of(c)[at] = (struct print){ n, crc };
	c->print_next = (uint8_t)((at + 1) % SEEN_PRINTS);
	if (c->print_count < SEEN_PRINTS)
		c->print_count++;
}

/* Of a number that was forgotten and came again there may be two prints: the newest counts. */
static enum seen_is
compare(struct client *c, uint64_t n, uint32_t crc)
{
	const struct print *prints = prints_of(c);
	for (unsigned k = 1; k <= c->print_count; k++) {
		const struct print *p = &prints[(c->print_next + SEEN_PRINTS - k) % SEEN_PRINTS];
		if (p->n == n)
			return p->crc == crc ? SEEN_AGAIN : SEEN_OTHER;
	}
	return SEEN_AGAIN;
}

enum seen_is
seen_look(struct seen *s, const char *client, uint64_t n, const char *text, size_t len)
{
	struct client *c = find(s, client, hash_of(s, client));
	if (c == NULL || !holds(c, n))
		return SEEN_NEW;
	return compare(c, n, crc32c(0, text, len));
}

static enum seen_is
mark(struct seen *s, const char *name, uint32_t hash, uint64_t n, uint32_t crc)
{
	struct client *c = find_or_add(s, name, hash);
	if (c == NULL)
		return SEEN_NEW;
	if (holds(c, n))
		return compare(c, n, crc);
	if (add_range(s, c, n, n) && print_room(s, c, 1))
		add_print(c, n, crc);
	return SEEN_NEW;
}

enum seen_is
seen_mark(struct seen *s, const char *client, uint64_t n, const char *text, size_t len)
{
	return mark(s, client, hash_of(s, client), n, crc32c(0, text, len));
}

/* Where a client with this hash stands, if there is one; which one it is, is not looked at. */
static uint32_t
place_of(const struct seen *s, uint32_t hash)
{
	uint32_t at = *bucket_of(s, hash);
	while (at != 0 && s->places[at].hash != hash)
		at = s->places[at].chain;
	return at;
}

/* Each of four steps asks for the memory that the next one looks at, for all of them, before one is waited for. */
void
seen_mark_some(struct seen *s, struct seen_mark *marks, unsigned count)
{
	uint32_t hash[SEEN_SOME], at[SEEN_SOME];
	for (unsigned i = 0; i < count; i++) {
		hash[i] = hash_of(s, marks[i].client);
		__builtin_prefetch(bucket_of(s, hash[i]));
	}
	for (unsigned i = 0; i < count; i++)
		__builtin_prefetch(&s->places[*bucket_of(s, hash[i])]);
	for (unsigned i = 0; i < count; i++) {
		at[i] = place_of(s, hash[i]);
		__builtin_prefetch(&s->clients[at[i]], 1);
		__builtin_prefetch(&s->clients[at[i]].print, 1);
	}
	for (unsigned i = 0; i < count; i++)
		__builtin_prefetch(&prints_of(&s->clients[at[i]])[s->clients[at[i]].print_next], 1);
	for (unsigned i = 0; i < count; i++)
		marks[i].is = mark(s, marks[i].client, hash[i], marks[i].n, marks[i].crc);
}

/* The last lines of the body, found from its end; body and end stand at line starts. */
static void
add_prints_of(struct client *c, uint64_t n, uint32_t count, const char *body, const char *end)
{
	const char *starts[SEEN_PRINTS + 1];
	unsigned lines = 0;
	starts[0] = end;
	while (lines < SEEN_PRINTS && lines < count && starts[lines] - body > 2) {
		const char *lf = memrchr(body, '\n', (size_t)(starts[lines] - body) - 1);
		starts[++lines] = lf != NULL ? lf + 1 : body;
	}
	for (unsigned k = lines; k > 0; k--) {
		size_t len = (size_t)(starts[k - 1] - starts[k]);
		add_print(c, n + count - k, crc32c(0, starts[k], len - 2));
	}
}

bool
seen_mark_batch(struct seen *s, const char *client, uint64_t n, uint32_t count, const char *body, size_t size)
{
	if (n == 0 || count == 0 || n > UINT64_MAX - count)
		return false;
	struct client *c = find_or_add(s, client, hash_of(s, client));
	if (c == NULL || n <= last_of(c) || !print_room(s, c, count) || !add_range(s, c, n, n + count - 1))
		return false;
	add_prints_of(c, n, count, body, body + size);
	return true;
}

uint64_t
seen_last(struct seen *s, const char *client)
{
	struct client *c = find(s, client, hash_of(s, client));
	return c != NULL ? last_of(c) : 0;
}

void
seen_counts(const struct seen *s, struct seen_counts *counts)
{
	*counts = s->counts;
}
