/* SPDX-License-Identifier: MIT
 * tnetstring.c - frames to values: the prefix reader, and the decoder in two passes. No I/O, no state; any thread.
 *
 * The first pass walks the frames as they stand, with a stack of the containers it is in, and judges every byte. What it
 * has let pass the second needs not doubt: it fills one block, whose size is known by then. There the children of a
 * container are side by side, behind all that was before: value i, if it is a container, holds its payload until it is
 * its turn, and then gets its children from the next free place on. So the second pass needs no stack. */
#include "petrichor/tnetstring.h"

#include <stdlib.h>
#include <string.h>

#include "petrichor/keys.h"
#include "petrichor/number.h"

static const struct pt_limits usual = PT_LIMITS_INIT;

/* ---- the prefix ---- */

int
pt_frame(const char *at, size_t n, size_t limit_bytes, size_t *size)
{
	size_t payload = 0, used = 0;
	*size = 1;
	if (n == 0)
		return PT_E_EMPTY;
	int e = read_size(at, n, &payload, &used);
	if (e != PT_OK) {
		/* Without the colon not one byte of the payload is announced. */
		*size = e == PT_E_TRUNC ? n + 1 : used;
		return e;
	}
	*size = 0;
	if (payload > limit_bytes)
		return PT_E_LIMIT;
	*size = used + payload + 1;
	return n < *size ? PT_E_TRUNC : PT_OK;
}

/* ---- the first pass: is all of it right? ---- */

/* A container that is open. */
struct level {
	const char *start, *end;        /* its first byte, and its tag */
	size_t   keys;                  /* where its keys begin, in struct keys */
	bool     dict, has_key;         /* has_key: and the value is due */
};

enum { LEVELS_INSIDE = 32 };

struct check {
	const char *base;
	const struct pt_limits *limits;
	size_t   nodes, containers, text;       /* values, those that hold others, and bytes of texts */
	const char *fault;
	/* The containers that are open; level[0] is none, but what the frame itself stands in. */
	struct level *level;
	unsigned depth, room;
	struct keys keys;
	struct level inside[LEVELS_INSIDE];
};

/* One frame; the tag is p[n]. */
struct piece {
	const char *start, *p;
	size_t n;
};

static inline int
fault(struct check *c, int e, const char *at)
{
	c->fault = at;
	return e;
}

/* Of a frame that has to end before l's tag. */
static inline int
read_piece(struct check *c, struct piece *f, const char *start, const char *end)
{
	size_t used = 0, left = (size_t)(end - start);
	/* Most are short. */
	if (left > 1 && start[1] == ':' && start[0] >= '0' && start[0] <= '9') {
		f->n = (size_t)(start[0] - '0');
		used = 2;
	} else {
		int e = read_size(start, left, &f->n, &used);
		if (e != PT_OK)
			return e == PT_E_TRUNC ? fault(c, PT_E_CHILD, start) : fault(c, e, start + used);
	}
	if (f->n >= left - used)
		return fault(c, PT_E_CHILD, start);
	f->start = start;
	f->p = start + used;
	return PT_OK;
}

static bool
grow(struct check *c)
{
	struct level *inside = c->level == c->inside ? c->inside : NULL;
	struct level *more = realloc(inside != NULL ? NULL : c->level, 2 * c->room * sizeof *more);
	if (more == NULL)
		return false;
	if (inside != NULL)
		memcpy(more, inside, LEVELS_INSIDE * sizeof *more);
	c->level = more;
	c->room *= 2;
	return true;
}

/* Into the container that is f. */
static inline int
enter(struct check *c, struct level **inner, const struct piece *f)
{
	if (c->depth >= c->limits->depth || c->depth >= PT_DEPTH_MOST)
		return fault(c, PT_E_DEPTH, f->start);
	if (c->depth + 1 == c->room && !grow(c))
		return fault(c, PT_E_MEMORY, f->start);
	struct level *l = *inner = &c->level[++c->depth];
	l->start = f->start;
	l->end = f->p + f->n;
	l->keys = c->keys.n;
	l->dict = f->p[f->n] == PT_DICT;
	l->has_key = false;
	return PT_OK;
}

static int
check_bool(const char *p, size_t n)
{
	return (n == 4 && memcmp(p, "true", 4) == 0) || (n == 5 && memcmp(p, "false", 5) == 0) ? PT_OK : PT_E_BOOL;
}

/* The payload of a value that is neither bytes nor a container. */
static inline int
check_scalar(struct check *c, const struct piece *f)
{
	int e;
	switch (f->p[f->n]) {
	case PT_INT:
		e = number_check_int(f->p, f->n);
		break;
	case PT_FLOAT:
		e = f->n > c->limits->float_bytes ? PT_E_FLOAT : number_float(f->p, f->n, NULL);
		break;
	case PT_BOOL:
		e = check_bool(f->p, f->n);
		break;
	case PT_NULL:
		e = f->n == 0 ? PT_OK : PT_E_NULL;
		break;
	default:
		return fault(c, PT_E_TAG, f->p + f->n);
	}
	return e == PT_OK ? PT_OK : fault(c, e, f->p);
}

/* What the dict l says to a frame in it that proved sound, be it for a key or for itself. */
static inline int
check_in_dict(struct check *c, struct level *l, const struct piece *f)
{
	if (!l->has_key) {
		if (f->p[f->n] != PT_BYTES)
			return fault(c, PT_E_KEY, f->start);
		l->has_key = true;
		return keys_add(&c->keys, f->p, f->n) ? PT_OK : fault(c, PT_E_MEMORY, f->start);
	}
	l->has_key = false;
	int e = keys_check_last(&c->keys, l->keys, (uint32_t)(l->start - c->base) + 1);
	if (e == PT_OK)
		return PT_OK;
	struct key key = c->keys.key[c->keys.n - 1];
	return fault(c, e, key.p - number_size_digits(key.n) - 1);
}

/* The container *l is at its end: it is f now, in the one around it. */
static inline int
leave(struct check *c, struct level **l, struct piece *f)
{
	const struct level *inner = *l;
	if (inner->has_key)
		return fault(c, PT_E_ODD, inner->end);
	c->keys.n = inner->keys;
	*f = (struct piece){ inner->start, inner->end, 0 };
	*l = &c->level[--c->depth];
	return PT_OK;
}

/* One frame, with what it is in l; where it is a container, l is that then, and *p its payload. Else *p is behind it. */
static inline int
check_piece(struct check *c, struct level **l, const struct piece *f, const char **p)
{
	char tag = f->p[f->n];
	*p = f->p + f->n + 1;
	if (tag == PT_BYTES) {
		c->text += f->n;
	} else if (tag == PT_LIST || tag == PT_DICT) {
		*p = f->p;
		c->containers++;
		return enter(c, l, f);
	} else {
		int e = check_scalar(c, f);
		if (e != PT_OK)
			return e;
	}
	return (*l)->dict ? check_in_dict(c, *l, f) : PT_OK;
}

/* A whole frame that ends at end, of which prefix and size are right. */
static int
check_all(struct check *c, const char *end)
{
	const size_t most = c->limits->nodes;
	struct level *l = &c->level[0];
	struct piece f;
	const char *p = c->base;
	*l = (struct level){ .start = p, .end = end };
	for (size_t nodes = 1;; nodes++) {
		int e = read_piece(c, &f, p, l->end);
		if (e != PT_OK)
			return e;
		/* A value over the limit is not looked at. */
		if (nodes > most)
			return fault(c, PT_E_LIMIT, f.start);
		if ((e = check_piece(c, &l, &f, &p)) != PT_OK)
			return e;
		while (p == l->end) {
			if (c->depth == 0) {
				c->nodes = nodes;
				return PT_OK;
			}
			if ((e = leave(c, &l, &f)) != PT_OK || (l->dict && (e = check_in_dict(c, l, &f)) != PT_OK))
				return e;
			p = f.p + 1;
		}
	}
}

/* ---- the second pass: one block ---- */

struct fill {
	struct pt_value *next;  /* the free place */
	char *text;             /* where texts are copied to; NULL: they stay where they are */
};

/* The value of the frame at p, which is sound; a container keeps its payload. Returns what is behind it. */
static inline const char *
fill_value(struct fill *m, struct pt_value *v, const char *p)
{
	size_t n = (size_t)(p[0] - '0');
	for (p++; *p != ':'; p++)
		n = n * 10 + (size_t)(*p - '0');
	p++;
	v->bytes.at = p;
	v->bytes.len = n;
	v->type = (enum pt_type)(unsigned char)p[n];
	if (v->type == PT_BYTES) {
		if (m->text != NULL) {
			v->bytes.at = memcpy(m->text, p, n);
			m->text += n;
		}
	} else if (v->type == PT_INT) {
		v->integer = number_take_int(p, n);
	} else if (v->type == PT_FLOAT) {
		number_float(p, n, &v->real);
	} else if (v->type == PT_BOOL) {
		v->boolean = n == 4;
	}
	return p + n + 1;
}

static void
fill_container(struct fill *m, struct pt_value *v)
{
	const char *p = v->bytes.at, *end = p + v->bytes.len;
	struct pt_value *first = m->next;
	while (p < end)
		p = fill_value(m, m->next++, p);
	size_t n = (size_t)(m->next - first);
	v->items.at = n != 0 ? first : NULL;
	v->items.len = v->type == PT_DICT ? n / 2 : n;
}

static struct pt_value *
fill_all(const struct check *c, bool copy)
{
	if (c->nodes > (SIZE_MAX - c->text) / sizeof(struct pt_value))
		return NULL;
	size_t values = c->nodes * sizeof(struct pt_value);
	struct pt_value *v = malloc(values + (copy ? c->text : 0));
	if (v == NULL)
		return NULL;
	struct fill m = { v + 1, copy ? (char *)v + values : NULL };
	fill_value(&m, v, c->base);
	struct pt_value *i = v;
	for (size_t left = c->containers; left != 0; i++) {
		if (i->type != PT_LIST && i->type != PT_DICT)
			continue;
		fill_container(&m, i);
		left--;
	}
	return v;
}

/* ---- both ---- */

static int
check_frame(struct check *c, size_t n, size_t *size)
{
	int e = pt_frame(c->base, n, c->limits->body_bytes, size);
	if (e == PT_E_EMPTY)
		return e;
	if (e != PT_OK)
		return fault(c, e, c->base + (e == PT_E_TRUNC ? n : *size));
	c->level = c->inside;
	c->room = LEVELS_INSIDE;
	keys_init(&c->keys, c->base);
	e = check_all(c, c->base + *size);
	keys_fini(&c->keys);
	if (c->level != c->inside)
		free(c->level);
	return e;
}

int
pt_decode(struct pt_value **out, const char *at, size_t n, size_t *used, const struct pt_limits *limits, int flags,
	size_t *offset)
{
	struct check c;
	size_t size = 0;
	*out = NULL;
	c.base = c.fault = at;
	c.limits = limits != NULL ? limits : &usual;
	c.nodes = c.containers = c.text = 0;
	c.depth = 0;
	int e = check_frame(&c, n, &size);
	if (e == PT_OK && used == NULL && size < n)
		e = fault(&c, PT_E_TRAILING, at + size);
	if (e == PT_OK && (*out = fill_all(&c, (flags & PT_COPY) != 0)) == NULL)
		e = PT_E_MEMORY;
	if (e == PT_OK && used != NULL)
		*used = size;
	if (e != PT_OK && offset != NULL)
		*offset = (size_t)(c.fault - at);
	return e;
}

void
pt_free(struct pt_value **v)
{
	free(*v);
	*v = NULL;
}
