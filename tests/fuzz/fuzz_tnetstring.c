/* SPDX-License-Identifier: MIT
 * fuzz_tnetstring.c - frames: what decodes has a value that encodes to the same size as measured and decodes to the same
 * again; no part of a frame is a value; the answer does not depend on what is behind, on copying, or on where it is cut.
 * The first byte chooses limits. */
#include "fuzz.h"

#include "petrichor/petrichor.h"

/* Texts lie in the input, or in none of it where they are copied; returns how many values there are. */
static size_t
walk(const struct pt_value *v, const char *begin, size_t n, int copied)
{
	size_t values = 1, items = 0;
	if (v->type == PT_BYTES) {
		int inside = v->bytes.at >= begin && v->bytes.len <= n && (size_t)(v->bytes.at - begin) <= n - v->bytes.len;
		fuzz_require(copied ? v->bytes.len == 0 || !inside : inside);
	}
	if (v->type == PT_LIST)
		items = v->items.len;
	if (v->type == PT_DICT)
		items = 2 * v->items.len;
	for (size_t i = 0; i < items; i++) {
		fuzz_require(v->type != PT_DICT || i % 2 == 1 || v->items.at[i].type == PT_BYTES);
		values += walk(&v->items.at[i], begin, n, copied);
	}
	return values;
}

/* A value that was decoded from size bytes. */
static void
there_and_back(const struct pt_value *v, const char *frame, size_t size, const struct pt_limits *limits)
{
	struct pt_limits any = *limits;
	size_t measured, encoded, sorted, tail;
	char *p, *q;
	struct pt_value *back;
	any.float_bytes = 512;
	any.body_bytes = PT_MOST;
	fuzz_require(pt_measure(v, &measured) == PT_OK);
	fuzz_require(pt_encode_new(v, 0, &p, &encoded) == PT_OK && encoded == measured);
	fuzz_require(pt_encode_new(v, PT_SORTED, &q, &sorted) == PT_OK && sorted == measured);
	fuzz_require(pt_decode(&back, p, encoded, NULL, &any, 0, NULL) == PT_OK);
	fuzz_require(pt_same(v, back) && pt_same(back, v));
	pt_free(&back);
	fuzz_require(pt_decode(&back, q, sorted, NULL, &any, 0, NULL) == PT_OK && pt_same(v, back));
	pt_free(&back);
	/* What is encoded stays as it is, in whatever room. */
	fuzz_require(pt_decode(&back, p, encoded, NULL, &any, 0, NULL) == PT_OK);
	fuzz_require(pt_encode_tail(back, 0, q, encoded, &tail) == PT_OK && tail == encoded && memcmp(p, q, encoded) == 0);
	fuzz_require(pt_encode_tail(back, 0, q, encoded - 1, &tail) == PT_E_TRUNC);
	pt_free(&back);
	/* A frame as it is. */
	struct pt_value whole = { .type = PT_FRAME, .bytes = { frame, size } };
	fuzz_require(pt_measure(&whole, &measured) == PT_OK && measured == size);
	free(p);
	free(q);
}

/* What pt_frame says of a part is what it says of all, or that more has to come. */
static void
cut(const char *p, size_t n, size_t limit)
{
	size_t whole_size, size;
	int whole = pt_frame(p, n, limit, &whole_size);
	for (size_t part = 0; part <= n && part < 16; part++) {
		char *copy = malloc(part != 0 ? part : 1);
		fuzz_require(copy != NULL);
		memcpy(copy, p, part);
		int e = pt_frame(copy, part, limit, &size);
		free(copy);
		if (e == PT_E_EMPTY || e == PT_E_TRUNC)
			fuzz_require(size > part && (whole != PT_OK || size <= whole_size));
		else
			fuzz_require(e == whole && size == whole_size);
	}
	fuzz_require(whole != PT_OK || (whole_size >= 3 && whole_size <= n));
}

/* No proper part of a frame is a value. */
static void
parts(const char *p, size_t size, const struct pt_limits *limits)
{
	size_t step = size / 16 + 1;
	for (size_t n = 0; n < size; n += step) {
		struct pt_value *v;
		char *copy = malloc(n != 0 ? n : 1);
		fuzz_require(copy != NULL);
		memcpy(copy, p, n);
		int e = pt_decode(&v, copy, n, NULL, limits, 0, NULL);
		fuzz_require(v == NULL && e == (n == 0 ? PT_E_EMPTY : PT_E_TRUNC));
		free(copy);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pt_limits limits = PT_LIMITS_INIT;
	if (size < 1)
		return 0;
	limits.body_bytes = (data[0] & 1) != 0 ? 64 : PT_MOST;
	limits.nodes = (data[0] & 2) != 0 ? 8 : 65536;
	limits.depth = (data[0] & 4) != 0 ? 3 : 128;
	limits.float_bytes = (data[0] & 8) != 0 ? 4 : 512;
	const char *p = (const char *)data + 1;
	size_t n = size - 1, used = 0, at = 0, copy_at = 0;
	cut(p, n, limits.body_bytes);
	struct pt_value *v, *copy, *all;
	int e = pt_decode(&v, p, n, &used, &limits, 0, &at);
	fuzz_require(pt_decode(&copy, p, n, &used, &limits, PT_COPY, &copy_at) == e && copy_at == at);
	int e_all = pt_decode(&all, p, n, NULL, &limits, 0, &copy_at);
	if (e != PT_OK) {
		fuzz_require(v == NULL && copy == NULL && all == NULL && at <= n && e_all == e && copy_at == at);
		return 0;
	}
	fuzz_require(used >= 3 && used <= n);
	fuzz_require(used == n ? e_all == PT_OK && pt_same(v, all) : e_all == PT_E_TRAILING && copy_at == used);
	size_t values = walk(v, p, used, 0);
	fuzz_require(values <= limits.nodes && walk(copy, p, used, 1) == values && pt_same(v, copy));
	there_and_back(v, p, used, &limits);
	parts(p, used, &limits);
	pt_free(&v);
	pt_free(&copy);
	pt_free(&all);
	return 0;
}
