/* SPDX-License-Identifier: MIT
 * encode.c - values to frames, from the last byte to the first: a container's size is known when it is written. With a
 * stack of its own, for values may come from a peer. No I/O, no state; any thread. */
#include "petrichor/tnetstring.h"

#include <stdlib.h>
#include <string.h>

#include "petrichor/number.h"

/* A container that is being measured, from its first value on, or written, from its last. */
struct level {
	const struct pt_value *next, *end;
	struct pt_value *sorted;        /* a block that its values are taken from instead, or NULL */
	size_t before;                  /* bytes that are measured before it, or written behind its payload */
	bool   dict, key;               /* key: that is what has to come next */
};

enum { LEVELS_INSIDE = 16 };

/* The containers that are open; level[0] is none, but what the value itself stands in. */
struct levels {
	struct level *level;
	unsigned depth, room;
	struct level inside[LEVELS_INSIDE];
};

static inline struct level *
levels_init(struct levels *s)
{
	s->level = s->inside;
	s->depth = 0;
	s->room = LEVELS_INSIDE;
	s->inside[0] = (struct level){ .dict = false };
	return s->level;
}

static inline void
levels_fini(struct levels *s)
{
	for (; s->depth != 0; s->depth--)
		if (s->level[s->depth].sorted != NULL)
			free(s->level[s->depth].sorted);
	if (s->level != s->inside)
		free(s->level);
}

static bool
grow(struct levels *s)
{
	struct level *inside = s->level == s->inside ? s->inside : NULL;
	struct level *more = realloc(inside != NULL ? NULL : s->level, 2 * s->room * sizeof *more);
	if (more == NULL)
		return false;
	if (inside != NULL)
		memcpy(more, inside, LEVELS_INSIDE * sizeof *more);
	s->level = more;
	s->room *= 2;
	return true;
}

/* Into v, a container; the first of its values comes next. */
static inline int
enter(struct levels *s, const struct pt_value *v, struct level **inner)
{
	bool dict = v->type == PT_DICT;
	/* None takes less than 3 bytes. */
	if (v->items.len > PT_MOST / (dict ? 6 : 3))
		return PT_E_LIMIT;
	if (s->depth == PT_DEPTH_MOST)
		return PT_E_DEPTH;
	if (s->depth + 1 == s->room && !grow(s))
		return PT_E_MEMORY;
	struct level *l = *inner = &s->level[++s->depth];
	size_t n = v->items.len * (dict ? 2 : 1);
	l->next = v->items.at;
	l->end = n != 0 ? l->next + n : l->next;
	l->sorted = NULL;
	l->dict = l->key = dict;
	return PT_OK;
}

static bool
is_frame(const struct pt_value *v)
{
	size_t size;
	return pt_frame(v->bytes.at, v->bytes.len, PT_MOST, &size) == PT_OK && size == v->bytes.len;
}

/* ---- measuring ---- */

/* Size, colon and tag of a payload. */
static inline size_t
around(size_t n)
{
	return n < 10 ? 3 : n < 100 ? 4 : number_size_digits(n) + 2;
}

static int
measure_int(int64_t i, size_t *total)
{
	char text[NUMBER_INT_TEXT];
	size_t n = number_put_int(text + sizeof text, i);
	*total += n + around(n);
	return PT_OK;
}

static int
measure_float(double d, size_t *total)
{
	char text[PT_FLOAT_TEXT];
	size_t n = pt_float_text(text, d);
	*total += n + around(n);
	return n != 0 ? PT_OK : PT_E_ARGUMENT;
}

/* A value that is no container. */
static inline int
measure_leaf(const struct pt_value *v, size_t *total)
{
	switch (v->type) {
	case PT_BYTES:
		if (v->bytes.len > PT_MOST)
			return PT_E_LIMIT;
		*total += v->bytes.len + around(v->bytes.len);
		return PT_OK;
	case PT_INT:
		return measure_int(v->integer, total);
	case PT_FLOAT:
		return measure_float(v->real, total);
	case PT_BOOL:
		*total += v->boolean ? 7 : 8;
		return PT_OK;
	case PT_NULL:
		*total += 3;
		return PT_OK;
	case PT_FRAME:
		*total += v->bytes.len;
		return is_frame(v) ? PT_OK : PT_E_ARGUMENT;
	default:
		return PT_E_ARGUMENT;
	}
}

static int
measure_all(struct levels *s, struct level *l, const struct pt_value *value, size_t *size)
{
	size_t total = 0;
	l->next = value;
	l->end = value + 1;
	for (;;) {
		int e = PT_OK;
		while (l->next != l->end && e == PT_OK) {
			const struct pt_value *v = l->next++;
			bool key = l->key;
			l->key = l->dict & !key;
			if (v->type == PT_BYTES && v->bytes.len <= PT_MOST)
				total += v->bytes.len + around(v->bytes.len);
			else if (key && v->type != PT_BYTES)
				return PT_E_ARGUMENT;
			else if (v->type != PT_LIST && v->type != PT_DICT)
				e = measure_leaf(v, &total);
			else if ((e = enter(s, v, &l)) == PT_OK)
				l->before = total;
			/* All of it is in the payload of the outermost. */
			if (total > PT_MOST && s->depth != 0)
				return PT_E_LIMIT;
		}
		if (e != PT_OK)
			return e;
		if (s->depth == 0)
			break;
		if (total - l->before > PT_MOST)
			return PT_E_LIMIT;
		total += around(total - l->before);
		l = &s->level[--s->depth];
	}
	*size = total;
	return PT_OK;
}

int
pt_measure(const struct pt_value *v, size_t *size)
{
	struct levels s;
	*size = 0;
	struct level *l = levels_init(&s);
	int e = measure_all(&s, l, v, size);
	levels_fini(&s);
	return e;
}

/* ---- writing ---- */

struct writer {
	char *begin, *p, *end;  /* from begin to p is free, from p to end is written */
	bool  sorted;
};

/* Most texts are short, and a call for each would cost more than to write them. */
static inline void
copy(char *to, const char *from, size_t n)
{
	if (n > 16) {
		memcpy(to, from, n);
	} else if (n >= 8) {
		memcpy(to, from, 8);
		memcpy(to + n - 8, from + n - 8, 8);
	} else if (n >= 4) {
		memcpy(to, from, 4);
		memcpy(to + n - 4, from + n - 4, 4);
	} else if (n != 0) {
		to[0] = from[0];
		to[n / 2] = from[n / 2];
		to[n - 1] = from[n - 1];
	}
}

/* For the payload of n bytes, and its tag, that begin at w->p. */
static inline int
put_size(struct writer *w, size_t n)
{
	char *p = w->p;
	if (n > PT_MOST)
		return PT_E_LIMIT;
	if ((size_t)(p - w->begin) < around(n) - 1)
		return PT_E_TRUNC;
	*--p = ':';
	if (n < 10)
		*--p = (char)('0' + n);
	else
		p -= number_put_size(p, n);
	w->p = p;
	return PT_OK;
}

static int
put_any_piece(struct writer *w, const char *at, size_t n, char tag)
{
	if (n > PT_MOST)
		return PT_E_LIMIT;
	if ((size_t)(w->p - w->begin) < n + 1)
		return PT_E_TRUNC;
	w->p[-1] = tag;
	w->p -= n + 1;
	copy(w->p, at, n);
	return put_size(w, n);
}

/* The common case costs one comparison: a short payload, and room for it whatever its size takes. */
static inline int
put_piece(struct writer *w, const char *at, size_t n, char tag)
{
	char *p = w->p;
	if (n >= 100 || (size_t)(p - w->begin) < n + 4)
		return put_any_piece(w, at, n, tag);
	p[-1] = tag;
	p -= n + 1;
	copy(p, at, n);
	p[-1] = ':';
	p[-2] = (char)('0' + n % 10);
	p[-3] = (char)('0' + n / 10);
	w->p = p - (n < 10 ? 2 : 3);
	return PT_OK;
}

static int
put_int(struct writer *w, int64_t i)
{
	char text[NUMBER_INT_TEXT];
	size_t n = number_put_int(text + sizeof text, i);
	return put_piece(w, text + sizeof text - n, n, PT_INT);
}

static int
put_float(struct writer *w, double d)
{
	char text[PT_FLOAT_TEXT];
	size_t n = pt_float_text(text, d);
	return n != 0 ? put_piece(w, text, n, PT_FLOAT) : PT_E_ARGUMENT;
}

static int
put_frame(struct writer *w, const struct pt_value *v)
{
	if (!is_frame(v))
		return PT_E_ARGUMENT;
	if ((size_t)(w->p - w->begin) < v->bytes.len)
		return PT_E_TRUNC;
	w->p -= v->bytes.len;
	memcpy(w->p, v->bytes.at, v->bytes.len);
	return PT_OK;
}

/* A value that is no container. */
static inline int
put_leaf(struct writer *w, const struct pt_value *v)
{
	switch (v->type) {
	case PT_BYTES:
		return put_piece(w, v->bytes.at, v->bytes.len, PT_BYTES);
	case PT_INT:
		return put_int(w, v->integer);
	case PT_FLOAT:
		return put_float(w, v->real);
	case PT_BOOL:
		return v->boolean ? put_piece(w, "true", 4, PT_BOOL) : put_piece(w, "false", 5, PT_BOOL);
	case PT_NULL:
		return put_piece(w, NULL, 0, PT_NULL);
	case PT_FRAME:
		return put_frame(w, v);
	default:
		return PT_E_ARGUMENT;
	}
}

/* A dict's, as it is sorted. */
struct pair {
	struct pt_value key, value;
};

static int
compare_keys(const void *a, const void *b)
{
	const struct pt_value *x = &((const struct pair *)a)->key, *y = &((const struct pair *)b)->key;
	size_t n = x->bytes.len < y->bytes.len ? x->bytes.len : y->bytes.len;
	int order = n != 0 ? memcmp(x->bytes.at, y->bytes.at, n) : 0;
	return order != 0 ? order : (x->bytes.len > y->bytes.len) - (x->bytes.len < y->bytes.len);
}

static int
sort_keys(struct level *l)
{
	size_t n = (size_t)(l->end - l->next);
	for (size_t i = 0; i < n; i += 2)
		if (l->next[i].type != PT_BYTES)
			return PT_E_ARGUMENT;
	if (n < 4)
		return PT_OK;
	if ((l->sorted = malloc(n * sizeof *l->sorted)) == NULL)
		return PT_E_MEMORY;
	memcpy(l->sorted, l->next, n * sizeof *l->sorted);
	qsort(l->sorted, n / 2, sizeof(struct pair), compare_keys);
	l->next = l->sorted;
	l->end = l->sorted + n;
	return PT_OK;
}

/* Into v; the last of its values comes next. */
static inline int
put_container(struct writer *w, struct levels *s, struct level **inner, const struct pt_value *v)
{
	if (w->p == w->begin)
		return PT_E_TRUNC;
	int e = enter(s, v, inner);
	if (e != PT_OK)
		return e;
	struct level *l = *inner;
	*--w->p = (char)v->type;
	l->before = (size_t)(w->end - w->p);
	if (l->dict && w->sorted && (e = sort_keys(l)) != PT_OK)
		return e;
	const struct pt_value *first = l->next;
	l->next = l->end;
	l->end = first;
	l->key = false;
	return PT_OK;
}

static inline int
write_all(struct writer *w, struct levels *s, struct level *l, const struct pt_value *value)
{
	l->next = value + 1;
	l->end = value;
	for (;;) {
		int e = PT_OK;
		while (l->next != l->end && e == PT_OK) {
			const struct pt_value *v = --l->next;
			bool key = l->key;
			l->key = l->dict & !key;
			if (v->type == PT_BYTES)
				e = put_piece(w, v->bytes.at, v->bytes.len, PT_BYTES);
			else if (key)
				return PT_E_ARGUMENT;
			else if (v->type != PT_LIST && v->type != PT_DICT)
				e = put_leaf(w, v);
			else
				e = put_container(w, s, &l, v);
		}
		if (e != PT_OK || s->depth == 0)
			return e;
		if ((e = put_size(w, (size_t)(w->end - w->p) - l->before)) != PT_OK)
			return e;
		if (l->sorted != NULL)
			free(l->sorted);
		l = &s->level[--s->depth];
	}
}

int
pt_encode_tail(const struct pt_value *v, int flags, char *to, size_t room, size_t *size)
{
	char *end = room != 0 ? to + room : to;
	struct writer w = { to, end, end, (flags & PT_SORTED) != 0 };
	struct levels s;
	struct level *l = levels_init(&s);
	int e = write_all(&w, &s, l, v);
	levels_fini(&s);
	*size = e == PT_OK ? (size_t)(w.end - w.p) : 0;
	return e;
}

int
pt_encode(const struct pt_value *v, int flags, char *to, size_t size)
{
	size_t wrote;
	int e = pt_encode_tail(v, flags, to, size, &wrote);
	return e == PT_E_TRUNC || (e == PT_OK && wrote != size) ? PT_E_ARGUMENT : e;
}

int
pt_encode_new(const struct pt_value *v, int flags, char **to, size_t *size)
{
	*to = NULL;
	int e = pt_measure(v, size);
	if (e != PT_OK)
		return e;
	char *p = malloc(*size);
	if (p == NULL)
		return PT_E_MEMORY;
	e = pt_encode(v, flags, p, *size);
	if (e != PT_OK) {
		free(p);
		return e;
	}
	*to = p;
	return PT_OK;
}
