/* SPDX-License-Identifier: MIT
 * lz4.c - a block is sequences, each of them
 *
 *	token, more of the literals' count, literals, distance (2 bytes, the low one first), more of the match's length
 *
 * The token's high half counts the literals, its low half the bytes of the match less 4; 15 goes on in the bytes that
 * follow, as a sum, up to one that is not 255. The match repeats what was written that distance before, and may reach
 * into what it writes itself. The last sequence ends behind its literals. Any thread. */
#include "petrichor/lz4.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
	MATCH_LEAST = 4,
	DISTANCE_MOST = 65535,
	TAIL_LITERALS = 5,              /* what old decoders rely on: so many at the end are literals, */
	TAIL_MATCH = 12,                /* and no match begins later than this before it */
	WIDE = 16                       /* bytes copied at once where there is room for too many */
};

/* ---- unpacking ---- */

/* Both sides, how much of each is left. */
struct unpack {
	const unsigned char *from;
	size_t               left;
	char                *to;
	size_t               room, written;
};

/* A count whose first part is in the token. Ends as soon as it is over most, so that no sum can overflow. */
static enum lz4_is
read_count(struct unpack *u, size_t *count, size_t most)
{
	if (*count == 15) {
		unsigned more;
		do {
			if (u->left == 0)
				return LZ4_TRUNC;
			more = *u->from++;
			u->left--;
			*count += more;
		} while (more == 255 && *count <= most);
	}
	return *count <= most ? LZ4_GOOD : LZ4_LONG;
}

static void
advance(struct unpack *u, size_t n)
{
	u->to += n;
	u->room -= n;
	u->written += n;
}

static enum lz4_is
take_literals(struct unpack *u, size_t n)
{
	enum lz4_is is = read_count(u, &n, u->room);
	if (is != LZ4_GOOD)
		return is;
	if (n > u->left)
		return LZ4_TRUNC;
	if (n <= WIDE && u->left >= WIDE && u->room >= WIDE)
		memcpy(u->to, u->from, WIDE);
	else if (n != 0)
		memcpy(u->to, u->from, n);
	u->from += n;
	u->left -= n;
	advance(u, n);
	return LZ4_GOOD;
}

static void
repeat(struct unpack *u, size_t distance, size_t n)
{
	const char *back = u->to - distance;
	char *to = u->to;
	if (distance >= WIDE && u->room - n >= WIDE) {
		for (size_t i = 0; i < n; i += WIDE)
			memcpy(to + i, back + i, WIDE);
	} else {
		/* What is behind `back` is there twice after a copy: the next one may be twice as long. */
		size_t rest = n;
		for (; rest > distance; distance *= 2) {
			memcpy(to, back, distance);
			to += distance;
			rest -= distance;
		}
		memcpy(to, back, rest);
	}
	advance(u, n);
}

static enum lz4_is
take_match(struct unpack *u, size_t n)
{
	if (u->left < 2)
		return LZ4_TRUNC;
	size_t distance = u->from[0] | (size_t)u->from[1] << 8;
	u->from += 2;
	u->left -= 2;
	if (distance == 0 || distance > u->written)
		return LZ4_OFFSET;
	/* room may be less than the least match. */
	enum lz4_is is = read_count(u, &n, u->room);
	if (is != LZ4_GOOD)
		return is;
	n += MATCH_LEAST;
	if (n > u->room)
		return LZ4_LONG;
	repeat(u, distance, n);
	return LZ4_GOOD;
}

enum lz4_is
lz4_unpack(const char *from, size_t n, char *to, size_t size)
{
	struct unpack u = { (const unsigned char *)from, n, to, size, 0 };
	while (u.left != 0) {
		unsigned token = *u.from++;
		u.left--;
		enum lz4_is is = take_literals(&u, token >> 4);
		if (is != LZ4_GOOD)
			return is;
		if (u.left == 0)
			return (token & 15) != 0 ? LZ4_END : u.room != 0 ? LZ4_SHORT : LZ4_GOOD;
		is = take_match(&u, token & 15);
		if (is != LZ4_GOOD)
			return is;
	}
	return LZ4_TRUNC;
}

/* ---- packing ---- */

enum { TABLE_BITS = 12, SKIP_BITS = 6 };

struct pack {
	const char *from;
	size_t      last;               /* where a match may begin at the latest */
	size_t      end;                /* where it may end */
	char       *to;
	size_t      room;
	uint32_t    table[1 << TABLE_BITS];     /* by the hash of 4 bytes, where they stood last */
};

static inline uint32_t
four_at(const char *p)
{
	uint32_t four;
	memcpy(&four, p, sizeof four);
	return four;
}

static inline uint32_t *
slot_of(struct pack *p, uint32_t four)
{
	return &p->table[four * UINT32_C(2654435761) >> (32 - TABLE_BITS)];
}

/* The next match at *at or behind it. The longer there was none, the larger the steps. */
static bool
find_match(struct pack *p, size_t *at, size_t *back)
{
	unsigned steps = 1u << SKIP_BITS;
	for (size_t i = *at; i <= p->last; i += steps++ >> SKIP_BITS) {
		uint32_t four = four_at(p->from + i), *slot = slot_of(p, four);
		size_t seen = *slot;
		*slot = (uint32_t)i;
		if (i - seen <= DISTANCE_MOST && four_at(p->from + seen) == four) {
			*at = i;
			*back = seen;
			return true;
		}
	}
	return false;
}

/* How many bytes are the same, the second ones up to end. */
static size_t
same_bytes(const char *a, const char *b, const char *end)
{
	const char *begin = b;
	while (end - b >= 8) {
		uint64_t x, y;
		memcpy(&x, a, 8);
		memcpy(&y, b, 8);
		if (x != y)
			return (size_t)(b - begin) + (size_t)__builtin_ctzll(le64toh(x ^ y)) / 8;
		a += 8;
		b += 8;
	}
	while (b < end && *a == *b) {
		a++;
		b++;
	}
	return (size_t)(b - begin);
}

static char *
put_count(char *to, size_t count)
{
	if (count >= 15) {
		for (count -= 15; count >= 255; count -= 255)
			*to++ = (char)255;
		*to++ = (char)count;
	}
	return to;
}

static size_t
count_size(size_t count)
{
	return count < 15 ? 0 : (count - 15) / 255 + 1;
}

/* A sequence; distance 0: the last one. */
static bool
put_sequence(struct pack *p, const char *literals, size_t n, size_t distance, size_t match)
{
	size_t more = distance == 0 ? 0 : match - MATCH_LEAST;
	size_t size = 1 + count_size(n) + n + (distance == 0 ? 0 : 2 + count_size(more));
	if (size > p->room)
		return false;
	p->room -= size;
	char *to = p->to;
	*to++ = (char)((n < 15 ? n : 15) << 4 | (more < 15 ? more : 15));
	to = put_count(to, n);
	if (n != 0)
		memcpy(to, literals, n);
	to += n;
	if (distance != 0) {
		*to++ = (char)(distance & 255);
		*to++ = (char)(distance >> 8);
		to = put_count(to, more);
	}
	p->to = to;
	return true;
}

size_t
lz4_bound(size_t n)
{
	return n + n / 255 + 16;
}

size_t
lz4_pack(const char *from, size_t n, char *to, size_t room)
{
	struct pack p = { .from = from, .to = to, .room = room };
	size_t done = 0, at = 1, back;
	if (n > LZ4_MOST)
		return 0;
	if (n > TAIL_MATCH) {
		p.last = n - TAIL_MATCH;
		p.end = n - TAIL_LITERALS;
		while (find_match(&p, &at, &back)) {
			size_t distance = at - back;
			size_t match = same_bytes(from + back, from + at, from + p.end);
			for (; at > done && at > distance && from[at - 1] == from[at - 1 - distance]; at--)
				match++;
			if (!put_sequence(&p, from + done, at - done, distance, match))
				return 0;
			done = at += match;
			/* What the match holds is not in the table but for this: often the next one begins here. */
			if (at <= p.last)
				*slot_of(&p, four_at(from + at - 2)) = (uint32_t)(at - 2);
		}
	}
	return put_sequence(&p, from + done, n - done, 0, 0) ? room - p.room : 0;
}
