/* SPDX-License-Identifier: MIT
 * fuzz_twin.c - the library against the implementation that doc/petrichor teaches: one frame, a stream in pieces, LZ4,
 * floats, and values that are made from the input, encoded, and then damaged.
 *
 * The first byte of an input: bits 0 to 3 choose small limits, 4 to 6 what the rest is; the second one is the size of
 * pieces, or what a block is to give. */
#include "fuzz.h"

#include "twin_agree.h"

enum { MAKE_DEPTH = 6, DAMAGES = 8 };

static struct pt_limits
choose_limits(unsigned bits)
{
	struct pt_limits l = PT_LIMITS_INIT;
	if ((bits & 1) != 0)
		l.depth = 2;
	if ((bits & 2) != 0)
		l.nodes = 6;
	if ((bits & 4) != 0) {
		l.header_bytes = 24;
		l.body_bytes = 40;
	}
	if ((bits & 8) != 0)
		l.float_bytes = 5;
	return l;
}

/* ---- values of an input ---- */

struct input {
	const uint8_t *at;
	size_t         left;
};

static uint8_t
next(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static uint64_t
next_number(struct input *in, int bytes)
{
	uint64_t v = 0;
	while (bytes-- > 0)
		v = v << 8 | next(in);
	return v;
}

static struct value *
make_bytes(struct input *in)
{
	char text[16];
	size_t n = next(in) % 4u * 3u;
	for (size_t i = 0; i < n; i++)
		text[i] = (char)(next(in) | 1);         /* no NUL: twin_text takes texts */
	text[n] = '\0';
	return twin_text(text);
}

static double
make_double(struct input *in)
{
	uint64_t bits = next_number(in, 8);
	double d;
	memcpy(&d, &bits, sizeof d);
	return d == d && d - d == 0 ? d : (double)(int64_t)bits / 1000;
}

static struct value *make(struct input *in, int depth);

static struct value *
make_container(struct input *in, int depth, char tag)
{
	struct value *v = twin_new(tag);
	for (unsigned n = next(in) % 4u; n > 0; n--) {
		if (tag == '}')
			twin_add(v, make_bytes(in));
		twin_add(v, make(in, depth + 1));
	}
	return v;
}

static struct value *
make(struct input *in, int depth)
{
	static const char tags[] = ",#^!~]}}";
	struct value *v;
	char tag = tags[next(in) % 8u];
	if (tag == ',')
		return make_bytes(in);
	if ((tag == ']' || tag == '}') && depth < MAKE_DEPTH)
		return make_container(in, depth, tag);
	v = twin_new(tag);
	if (tag == '#')
		v->integer = (int64_t)next_number(in, next(in) % 9);
	else if (tag == '^')
		v->real = make_double(in);
	else if (tag == '!')
		v->truth = next(in) % 2 != 0;
	return v;
}

/* A good frame, and then some bytes of it changed, one after the other. */
static void
made(struct input in, const struct pt_limits *limits)
{
	struct value *v = make(&in, 0);
	char *frame = NULL, *block;
	size_t size = 0, offset;
	fuzz_require(twin_encode(v, &frame, &size) == E_OK);
	twin_free(v);
	agree_decode(frame, size, limits, true, &offset);
	for (int i = 0; i < DAMAGES && in.left > 2; i++) {
		frame[next_number(&in, 2) % size] = (char)next(&in);
		agree_decode(frame, size, limits, true, &offset);
	}
	/* And its first part, in a block of just its size. */
	size_t part = next_number(&in, 2) % (size + 1);
	block = malloc(part != 0 ? part : 1);
	fuzz_require(block != NULL);
	memcpy(block, frame, part);
	agree_decode(block, part, limits, false, &offset);
	free(block);
	free(frame);
}

static void
unpacked(const char *at, size_t n, size_t size)
{
	char *to = malloc(size != 0 ? size : 1);
	fuzz_require(to != NULL);
	agree_lz4_block(at, n, to, size);
	free(to);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	struct pt_limits limits = choose_limits(data[0]);
	const char *at = (const char *)data + 2;
	size_t n = size - 2, offset, pairs;
	struct input in = { data + 2, n };
	switch (data[0] >> 4 & 7) {
	case 0:
	case 1:
		agree_decode(at, n, &limits, true, &offset);
		agree_decode(at, n, &limits, false, &offset);
		break;
	case 2:
	case 3:
		agree_pairs(at, n, data[1] + 1u, &limits, &pairs);
		break;
	case 4:
		unpacked(at, n, data[1]);
		unpacked(at, n, data[1] * 97u);
		break;
	case 5:
		agree_lz4_data(at, n);
		break;
	case 6:
		while (in.left >= 8)
			agree_float(make_double(&in));
		break;
	default:
		made(in, &limits);
	}
	return 0;
}
