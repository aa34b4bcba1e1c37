/* SPDX-License-Identifier: MIT */
#include "store/seen.h"

#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"

struct range {
	uint64_t first, last;
};

struct print {
	uint64_t n;
	uint32_t crc;           /* CRC-32C of the text: it tells a mistake from a repetition, no more */
};

/* Most clients send one message and never come back: for them the room inside must do. */
struct client {
	struct client *chain;                   /* the next one in its bucket */
	struct client *newer, *older;           /* by last use */
	struct range  *ranges;                  /* lowest first; never adjacent, never overlapping */
	struct print  *prints;                  /* by arrival; a ring once there are SEEN_PRINTS of them */
	uint32_t       hash;
	uint16_t       range_count, range_room;
	uint8_t        print_count, print_room;
	uint8_t        print_next;              /* where the next one goes */
	struct range   one_range;
	struct print   one_print;
	char           name[];
};

struct seen {
	size_t          most;
	struct client **buckets;        /* a power of two of them */
	size_t          bucket_count;
	struct client  *newest, *oldest;
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
	s->bucket_count = 64;
	s->buckets = calloc(s->bucket_count, sizeof *s->buckets);
	if (s->buckets == NULL) {
		free(s);
		return NULL;
	}
	/* Tokens come from outside: where the memory lies is a secret that spares us chains made on purpose. */
	s->seed = (uint64_t)(uintptr_t)s ^ (uint64_t)(uintptr_t)s->buckets << 24;
	s->counts.bytes = sizeof *s + s->bucket_count * sizeof *s->buckets;
	return s;
}

static size_t
client_bytes(const struct client *c)
{
	size_t n = sizeof *c + strlen(c->name) + 1;
	if (c->ranges != &c->one_range)
		n += c->range_room * sizeof *c->ranges;
	if (c->prints != &c->one_print)
		n += c->print_room * sizeof *c->prints;
	return n;
}

static void
client_free(struct client *c)
{
	if (c->ranges != &c->one_range)
		free(c->ranges);
	if (c->prints != &c->one_print)
		free(c->prints);
	free(c);
}

void
seen_free(struct seen **sp)
{
	struct seen *s = *sp;
	*sp = NULL;
	if (s == NULL)
		return;
	for (struct client *c = s->newest, *next; c != NULL; c = next) {
		next = c->older;
		client_free(c);
	}
	free(s->buckets);
	free(s);
}

/* ---- clients: a hash table and a list by last use ---- */

static uint32_t
hash_of(const struct seen *s, const char *name)
{
	uint64_t h = s->seed;
	for (; *name != '\0'; name++) {
		h = (h ^ (unsigned char)*name) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return (uint32_t)(h >> 16);
}

static struct client **
bucket_of(const struct seen *s, uint32_t hash)
{
	return &s->buckets[hash & (s->bucket_count - 1)];
}

static void
unlink_use(struct seen *s, struct client *c)
{
	*(c->newer != NULL ? &c->newer->older : &s->newest) = c->older;
	*(c->older != NULL ? &c->older->newer : &s->oldest) = c->newer;
}

static void
link_newest(struct seen *s, struct client *c)
{
	c->newer = NULL;
	c->older = s->newest;
	*(s->newest != NULL ? &s->newest->newer : &s->oldest) = c;
	s->newest = c;
}

/* Finding one is using it. */
static struct client *
find(struct seen *s, const char *name, uint32_t hash)
{
	struct client *c = *bucket_of(s, hash);
	while (c != NULL && (c->hash != hash || strcmp(c->name, name) != 0))
		c = c->chain;
	if (c != NULL && c != s->newest) {
		unlink_use(s, c);
		link_newest(s, c);
	}
	return c;
}

static void
evict_oldest(struct seen *s)
{
	struct client *c = s->oldest, **p = bucket_of(s, c->hash);
	while (*p != c)
		p = &(*p)->chain;
	*p = c->chain;
	unlink_use(s, c);
	s->counts.bytes -= client_bytes(c);
	s->counts.clients--;
	s->counts.evicted_clients++;
	client_free(c);
}

/* Without memory for more buckets the chains get longer, that is all. */
static void
grow_buckets(struct seen *s)
{
	size_t count = s->bucket_count * 2;
	struct client **buckets = calloc(count, sizeof *buckets);
	if (buckets == NULL)
		return;
	free(s->buckets);
	s->counts.bytes += (count - s->bucket_count) * sizeof *buckets;
	s->buckets = buckets;
	s->bucket_count = count;
	for (struct client *c = s->newest; c != NULL; c = c->older) {
		struct client **bucket = bucket_of(s, c->hash);
		c->chain = *bucket;
		*bucket = c;
	}
}

static struct client *
find_or_add(struct seen *s, const char *name)
{
	uint32_t hash = hash_of(s, name);
	struct client *c = find(s, name, hash);
	if (c != NULL)
		return c;
	if (s->counts.clients >= s->most)
		evict_oldest(s);
	if (s->counts.clients >= s->bucket_count)
		grow_buckets(s);
	size_t len = strlen(name);
	c = calloc(1, sizeof *c + len + 1);
	if (c == NULL)
		return NULL;
	memcpy(c->name, name, len + 1);
	c->hash = hash;
	c->ranges = &c->one_range;
	c->prints = &c->one_print;
	c->range_room = c->print_room = 1;
	struct client **bucket = bucket_of(s, hash);
	c->chain = *bucket;
	*bucket = c;
	link_newest(s, c);
	s->counts.clients++;
	s->counts.bytes += client_bytes(c);
	return c;
}

/* ---- the numbers of one client ---- */

/* How many ranges begin at n or below: the one that may hold n is the last of them. */
static unsigned
ranges_below(const struct client *c, uint64_t n)
{
	unsigned low = 0, high = c->range_count;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (c->ranges[middle].first <= n)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
holds(const struct client *c, uint64_t n)
{
	unsigned i = ranges_below(c, n);
	return i > 0 && c->ranges[i - 1].last >= n;
}

static uint64_t
last_of(const struct client *c)
{
	return c->range_count != 0 ? c->ranges[c->range_count - 1].last : 0;
}

/* Room for one range more, while there are fewer than SEEN_RANGES. */
static bool
range_room(struct seen *s, struct client *c)
{
	if (c->range_count < c->range_room || c->range_room >= SEEN_RANGES)
		return true;
	unsigned room = c->range_room * 4u < SEEN_RANGES ? c->range_room * 4u : SEEN_RANGES;
	struct range *old = c->ranges == &c->one_range ? NULL : c->ranges;
	struct range *p = realloc(old, room * sizeof *p);
	if (p == NULL)
		return false;
	if (old == NULL)
		p[0] = c->one_range;
	s->counts.bytes += (room - (old != NULL ? c->range_room : 0u)) * sizeof *p;
	c->ranges = p;
	c->range_room = (uint16_t)room;
	return true;
}

/* Adds n .. last, of which none is there yet. Ranges that touch become one; one too many and the lowest goes, which may be
 * the new one itself. False: no memory. */
static bool
add_range(struct seen *s, struct client *c, uint64_t n, uint64_t last)
{
	unsigned i = ranges_below(c, n);
	struct range *r = c->ranges;
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
	r = c->ranges;
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
	struct print *old = c->prints == &c->one_print ? NULL : c->prints;
	struct print *p = realloc(old, room * sizeof *p);
	if (p == NULL)
		return false;
	if (old == NULL)
		p[0] = c->one_print;
	s->counts.bytes += (room - (old != NULL ? c->print_room : 0u)) * sizeof *p;
	c->prints = p;
	c->print_room = (uint8_t)room;
	return true;
}

static void
add_print(struct client *c, uint64_t n, uint32_t crc)
{
	unsigned at = c->print_next % SEEN_PRINTS;
	c->prints[at] = (struct print){ n, crc };
	c->print_next = (uint8_t)((at + 1) % SEEN_PRINTS);
	if (c->print_count < SEEN_PRINTS)
		c->print_count++;
}

/* Of a number that was forgotten and came again there may be two prints: the newest counts. */
static enum seen_is
compare(const struct client *c, uint64_t n, uint32_t crc)
{
	for (unsigned k = 1; k <= c->print_count; k++) {
		const struct print *p = &c->prints[(c->print_next + SEEN_PRINTS - k) % SEEN_PRINTS];
		if (p->n == n)
			return p->crc == crc ? SEEN_AGAIN : SEEN_OTHER;
	}
	return SEEN_AGAIN;
}

enum seen_is
seen_look(struct seen *s, const char *client, uint64_t n, const char *text, size_t len)
{
	const struct client *c = find(s, client, hash_of(s, client));
	if (c == NULL || !holds(c, n))
		return SEEN_NEW;
	return compare(c, n, crc32c(0, text, len));
}

enum seen_is
seen_mark(struct seen *s, const char *client, uint64_t n, const char *text, size_t len)
{
	struct client *c = find_or_add(s, client);
	if (c == NULL)
		return SEEN_NEW;
	uint32_t crc = crc32c(0, text, len);
	if (holds(c, n))
		return compare(c, n, crc);
	if (add_range(s, c, n, n) && print_room(s, c, 1))
		add_print(c, n, crc);
	return SEEN_NEW;
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
	struct client *c = find_or_add(s, client);
	if (c == NULL || n <= last_of(c) || !print_room(s, c, count) || !add_range(s, c, n, n + count - 1))
		return false;
	add_prints_of(c, n, count, body, body + size);
	return true;
}

uint64_t
seen_last(struct seen *s, const char *client)
{
	const struct client *c = find(s, client, hash_of(s, client));
	return c != NULL ? last_of(c) : 0;
}

void
seen_counts(const struct seen *s, struct seen_counts *counts)
{
	*counts = s->counts;
}
