/* SPDX-License-Identifier: MIT
 * fuzz_line.c - a stream of bytes, cut into lines and judged, once as a whole and once as it arrives in two parts; and each
 * verdict is what the slow reference says.
 *
 * The first byte of an input: bit 0 is the prefix, bit 1 puts nearly 64 KiB without an LF before the rest; the second one
 * says where the stream is cut in two. */
#include "fuzz.h"

#include "../unit/reference.h"
#include "wire/line.h"

static int
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The first line of the stream, of which have bytes are there. Returns its size, 0: there is none yet. */
static size_t
judge(const char *p, size_t n, size_t prefix)
{
	struct line l;
	enum line_is is = line_next(p, n, prefix, &l);
	const char *lf = n != 0 ? memchr(p, '\n', n) : NULL;
	size_t before = lf != NULL ? (size_t)(lf - p) : n;
	if (before > LINE_MAX_SEARCH) {
		fuzz_require(is == LINE_NEVER);
		return 0;
	}
	if (lf == NULL) {
		fuzz_require(is == LINE_MORE);
		return 0;
	}
	int cr = before != 0 && lf[-1] == '\r';
	size_t text = before - (size_t)cr, skip = prefix < text ? prefix : text;
	text -= skip;
	const char *want = text > 509 ? line_reason_long : !cr ? line_reason_no_cr : reference_check(p + skip, text);
	fuzz_require(l.size == before + 1 && l.text == p + skip && l.len == text);
	fuzz_require(is == (want == NULL ? LINE_GOOD : LINE_BAD));
	fuzz_require(same(l.reason, want));
	return l.size;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	size_t prefix = data[0] & 1, padding = (data[0] & 2) != 0 ? LINE_MAX_SEARCH - 100 : 0;
	size_t n = padding + size - 2, cut = n != 0 ? data[1] * 7919u % n : 0;
	char *stream = malloc(n != 0 ? n : 1), *part = malloc(cut != 0 ? cut : 1);
	fuzz_require(stream != NULL && part != NULL);
	memset(stream, 'x', padding);
	memcpy(stream + padding, data + 2, size - 2);
	/* All that the first part holds whole is judged the same without the rest. */
	memcpy(part, stream, cut);
	for (size_t at = 0, k; at < n; at += k) {
		k = judge(stream + at, n - at, prefix);
		if (at < cut) {
			size_t early = judge(part + at, cut - at, prefix);
			fuzz_require(early == (k <= cut - at ? k : 0));
		}
		if (k == 0)
			break;
	}
	free(part);
	free(stream);
	return 0;
}
