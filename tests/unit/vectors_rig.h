/* SPDX-License-Identifier: MIT
 * vectors_rig.h - the rows of tests/petrichor/vectors.tsv, and whether a value is what a row says.
 *
 * A row: an id, whose first letter is its kind, bytes as hex digits, "valid" or "invalid", and the value or the reason. A
 * value is JSON in which each byte is the code point of its number; a number with . or e in it is a float. */
#ifndef ZOG_TESTS_VECTORS_RIG_H
#define ZOG_TESTS_VECTORS_RIG_H

#include "petrichor/petrichor.h"
#include "unit.h"

struct vector {
	char   id[8];
	char  *bytes;
	size_t n;
	bool   valid;
	char  *text;            /* the value, or the reason */
};

enum { VECTORS_MOST = 512 };

struct vectors {
	struct vector v[VECTORS_MOST];
	int           count;
	char         *file;
};

static inline void
vector_read(struct vector *v, char *line)
{
	char *save, *id = strtok_r(line, "\t", &save), *hex = strtok_r(NULL, "\t", &save);
	char *verdict = strtok_r(NULL, "\t", &save);
	v->text = strtok_r(NULL, "\t", &save);
	ck_assert_msg(v->text != NULL && strlen(id) < sizeof v->id, "not a vector: %s", line);
	strcpy(v->id, id);
	v->n = hex[0] == '-' ? 0 : strlen(hex) / 2;
	/* A block of just its size, for the sanitizers. */
	v->bytes = malloc(v->n != 0 ? v->n : 1);
	ck_assert_ptr_nonnull(v->bytes);
	for (size_t i = 0; i < v->n; i++) {
		char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' }, *end;
		v->bytes[i] = (char)strtoul(pair, &end, 16);
		ck_assert_msg(end == pair + 2, "%s: not hex: %s", id, pair);
	}
	v->valid = strcmp(verdict, "valid") == 0;
	ck_assert(v->valid || strcmp(verdict, "invalid") == 0);
}

static inline struct vectors *
vectors_load(void)
{
	struct vectors *all = calloc(1, sizeof *all);
	const char *top = getenv("TOP");
	char dir[UNIT_PATH];
	ck_assert_ptr_nonnull(all);
	snprintf(dir, sizeof dir, "%.400s/tests/petrichor", top != NULL ? top : ".");
	all->file = unit_file_read(dir, "vectors.tsv", NULL);
	char *save = NULL;
	for (char *line = strtok_r(all->file, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		if (line[0] == '#')
			continue;
		ck_assert_int_lt(all->count, VECTORS_MOST);
		vector_read(&all->v[all->count++], line);
	}
	ck_assert_int_gt(all->count, 200);
	return all;
}

static inline void
vectors_free(struct vectors *all)
{
	for (int i = 0; i < all->count; i++)
		free(all->v[i].bytes);
	free(all->file);
	free(all);
}

/* ---- values ---- */

static inline bool
vector_skip(const char **p, const char *word)
{
	size_t n = strlen(word);
	if (strncmp(*p, word, n) != 0)
		return false;
	*p += n;
	return true;
}

/* One byte of a JSON string. */
static inline char
vector_byte(const char **p)
{
	static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	if (**p != '\\')
		return *(*p)++;
	++*p;
	if (vector_skip(p, "u00")) {
		char pair[3] = { (*p)[0], (*p)[1], '\0' };
		*p += 2;
		return (char)strtoul(pair, NULL, 16);
	}
	const char *name = strchr(names, **p);
	ck_assert_msg(name != NULL && **p != '\0', "unknown escape at %s", *p);
	++*p;
	return bytes[name - names];
}

static inline bool
vector_is_text(const struct pt_value *v, const char **p)
{
	bool same = v->type == PT_BYTES;
	size_t i = 0;
	for (++*p; **p != '"'; i++) {
		char c = vector_byte(p);
		same = same && i < v->bytes.len && v->bytes.at[i] == c;
	}
	++*p;
	return same && i == v->bytes.len;
}

static inline bool
vector_is_number(const struct pt_value *v, const char **p)
{
	char *end;
	size_t n = strspn(*p, "-+.e0123456789");
	const char *at = *p;
	ck_assert_msg(n != 0, "not a value: %s", *p);
	*p += n;
	if (memchr(at, '.', n) != NULL || memchr(at, 'e', n) != NULL) {
		double want = strtod(at, &end);
		return v->type == PT_FLOAT && memcmp(&v->real, &want, sizeof want) == 0;
	}
	return v->type == PT_INT && v->integer == strtoll(at, &end, 10);
}

static inline bool
vector_is(const struct pt_value *v, const char **p)
{
	if (**p == '"')
		return vector_is_text(v, p);
	if (vector_skip(p, "true"))
		return v->type == PT_BOOL && v->boolean;
	if (vector_skip(p, "false"))
		return v->type == PT_BOOL && !v->boolean;
	if (vector_skip(p, "null"))
		return v->type == PT_NULL;
	if (**p != '[' && **p != '{')
		return vector_is_number(v, p);
	bool dict = *(*p)++ == '{';
	size_t i = 0, n = dict ? 2 * v->items.len : v->items.len;
	if (v->type != (dict ? PT_DICT : PT_LIST))
		return false;
	for (; **p != ']' && **p != '}'; i++) {
		vector_skip(p, i == 0 ? "" : dict && i % 2 == 1 ? ":" : ",");
		if (i == n || !vector_is(&v->items.at[i], p))
			return false;
	}
	++*p;
	return i == n;
}

/* All of the text. */
static inline bool
vector_matches(const struct pt_value *v, const char *text)
{
	return vector_is(v, &text) && *text == '\0';
}

/* ---- frames ---- */

/* Of any size; the rest of the limits as they are. */
#define VECTORS_LIMITS { 65536, PT_MOST, 65536, 512, 128 }

static inline int
decode(const char *p, size_t n, struct pt_value **v, size_t *offset)
{
	static const struct pt_limits limits = VECTORS_LIMITS;
	*offset = (size_t)-1;
	int e = pt_decode(v, p, n, NULL, &limits, 0, offset);
	unit_require((e == PT_OK) == (*v != NULL), "%s, and a value", pt_error_name(e));
	unit_require((e == PT_OK) == (*offset == (size_t)-1), "%s, and an offset", pt_error_name(e));
	unit_require(e == PT_OK || *offset <= n, "%s at %zu of %zu", pt_error_name(e), *offset, n);
	return e;
}

#endif
