/* SPDX-License-Identifier: MIT
 * frames.c - what it costs to make and to read tnetstrings: beside a memcpy of the same bytes, and beside msgpack-c on the
 * same values where that was there when this was compiled.
 *
 *   frames [--rounds N] [--seconds S] [--out FILE]
 *
 * Three shapes: `pair`, a header of 4 keys and a body of 50 bytes; `body`, 1 MiB of bytes; `deep`, 100 lists in each other.
 * Every round runs each row for a while (S seconds), in turn, so that what the machine does else hits all of them; a
 * figure is the median of the rounds, beside it the least (on a busy machine that says more). MB/s are of the frames' own
 * bytes, msgpack's of its own. One thread.
 *
 * Each side does what its users would: values stand in variables, the buffer that is written to is kept, what was decoded
 * is looked at and freed. `encode` is pt_measure and pt_encode, `encode, tail` pt_encode_tail. `pack` of msgpack-c is a
 * call in the code for each value, `pack, tree` msgpack_pack_object, for values that only come when the program runs, as
 * ours do. `unpack` is msgpack_unpack_next, `unpack, zone kept` the cheaper msgpack_unpack, whose memory is used again.
 * Neither looks for keys that come twice, which pt_decode does. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "petrichor/petrichor.h"

#ifdef HAVE_MSGPACK
#include <msgpack.h>
#endif

enum { BODY = 1 << 20, DEEP = 100, ROUNDS_MOST = 99, ROWS_MOST = 32, ROOM = BODY + 4096 };

/* The variables that are to be sent. */
static char verb[] = "put", path[] = "/queue/images/42", small[50], large[BODY];
static volatile int64_t seq = 4242;
static volatile bool last = true;

static char encoded[ROOM], copy[ROOM];
static size_t encoded_size;
static volatile uint64_t seen;          /* what was decoded is used */

static void
must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "frames: %s does not work\n", what);
		exit(1);
	}
}

static void
copy_bytes(void)
{
	memcpy(copy, encoded, encoded_size);
	__asm__ volatile("" : : "r"(copy) : "memory");
}

/* ---- petrichor ---- */

static size_t
put_value(const struct pt_value *v, char *to, size_t room)
{
	size_t size;
	must(pt_measure(v, &size) == PT_OK && size <= room && pt_encode(v, 0, to, size) == PT_OK, "pt_encode");
	return size;
}

static size_t
put_tail(const struct pt_value *v, char *to, size_t room)
{
	size_t size;
	must(pt_encode_tail(v, 0, to, room, &size) == PT_OK, "pt_encode_tail");
	return size;
}

static const char *
take_value(const char *p, int flags, uint64_t (*look)(const struct pt_value *))
{
	struct pt_value *v;
	size_t used;
	must(pt_decode(&v, p, encoded_size - (size_t)(p - encoded), &used, NULL, flags, NULL) == PT_OK, "pt_decode");
	seen = look(v);
	pt_free(&v);
	return p + used;
}

static uint64_t
look_bytes(const struct pt_value *v)
{
	return v->bytes.len + (unsigned char)v->bytes.at[0];
}

static uint64_t
look_header(const struct pt_value *v)
{
	return v->items.len + (uint64_t)v->items.at[5].integer;
}

static uint64_t
look_list(const struct pt_value *v)
{
	return v->items.len;
}

static void
encode_pair(void)
{
	const struct pt_value items[] = { PT_TEXT("verb"), PT_BYTES_OF(verb, sizeof verb - 1), PT_TEXT("path"),
		PT_BYTES_OF(path, sizeof path - 1), PT_TEXT("seq"), PT_INT_OF(seq), PT_TEXT("last"), PT_BOOL_OF(last) };
	const struct pt_value header = PT_DICT_OF(items, 4), body = PT_BYTES_OF(small, sizeof small);
	size_t n = put_value(&header, encoded, ROOM);
	encoded_size = n + put_value(&body, encoded + n, ROOM - n);
}

static void
encode_pair_tail(void)
{
	const struct pt_value items[] = { PT_TEXT("verb"), PT_BYTES_OF(verb, sizeof verb - 1), PT_TEXT("path"),
		PT_BYTES_OF(path, sizeof path - 1), PT_TEXT("seq"), PT_INT_OF(seq), PT_TEXT("last"), PT_BOOL_OF(last) };
	const struct pt_value header = PT_DICT_OF(items, 4), body = PT_BYTES_OF(small, sizeof small);
	size_t n = put_tail(&body, encoded, ROOM);
	encoded_size = n + put_tail(&header, encoded, ROOM - n);
}

static void
decode_pair(void)
{
	take_value(take_value(encoded, 0, look_header), 0, look_bytes);
}

static void
encode_body(void)
{
	const struct pt_value body = PT_BYTES_OF(large, sizeof large);
	encoded_size = put_value(&body, encoded, ROOM);
}

static void
encode_body_tail(void)
{
	const struct pt_value body = PT_BYTES_OF(large, sizeof large);
	put_tail(&body, encoded, ROOM);
}

static void
decode_body(void)
{
	take_value(encoded, 0, look_bytes);
}

static void
decode_body_copy(void)
{
	take_value(encoded, PT_COPY, look_bytes);
}

static void
make_deep(struct pt_value list[DEEP])
{
	list[0] = (struct pt_value)PT_LIST_OF(NULL, 0);
	for (int i = 1; i < DEEP; i++)
		list[i] = (struct pt_value)PT_LIST_OF(&list[i - 1], 1);
}

static void
encode_deep(void)
{
	struct pt_value list[DEEP];
	make_deep(list);
	encoded_size = put_value(&list[DEEP - 1], encoded, ROOM);
}

static void
encode_deep_tail(void)
{
	struct pt_value list[DEEP];
	make_deep(list);
	put_tail(&list[DEEP - 1], encoded, ROOM);
}

static void
decode_deep(void)
{
	take_value(encoded, 0, look_list);
}

/* ---- msgpack-c ---- */

#ifdef HAVE_MSGPACK

static msgpack_sbuffer buffer;
static msgpack_zone kept;

static void
pack_text(msgpack_packer *p, const char *text, size_t n)
{
	msgpack_pack_str(p, n);
	msgpack_pack_str_body(p, text, n);
}

static void
start_pack(msgpack_packer *p)
{
	msgpack_sbuffer_clear(&buffer);
	msgpack_packer_init(p, &buffer, msgpack_sbuffer_write);
}

static void
pack_bytes(msgpack_packer *p, const char *at, size_t n)
{
	msgpack_pack_bin(p, n);
	msgpack_pack_bin_body(p, at, n);
}

static void
pack_pair(void)
{
	msgpack_packer p;
	start_pack(&p);
	msgpack_pack_map(&p, 4);
	pack_text(&p, "verb", 4);
	pack_text(&p, verb, sizeof verb - 1);
	pack_text(&p, "path", 4);
	pack_text(&p, path, sizeof path - 1);
	pack_text(&p, "seq", 3);
	msgpack_pack_int64(&p, seq);
	pack_text(&p, "last", 4);
	last ? msgpack_pack_true(&p) : msgpack_pack_false(&p);
	pack_bytes(&p, small, sizeof small);
}

/* The same from a tree of values, as ours is. */
#define STR(text) { .type = MSGPACK_OBJECT_STR, .via.str = { sizeof text - 1, text } }
static void
pack_pair_tree(void)
{
	msgpack_object_kv items[] = { { STR("verb"), STR("") }, { STR("path"), STR("") }, { STR("seq"), STR("") },
		{ STR("last"), STR("") } };
	items[0].val.via.str = (msgpack_object_str){ sizeof verb - 1, verb };
	items[1].val.via.str = (msgpack_object_str){ sizeof path - 1, path };
	items[2].val = (msgpack_object){ .type = MSGPACK_OBJECT_POSITIVE_INTEGER, .via.u64 = (uint64_t)seq };
	items[3].val = (msgpack_object){ .type = MSGPACK_OBJECT_BOOLEAN, .via.boolean = last };
	const msgpack_object header = { .type = MSGPACK_OBJECT_MAP, .via.map = { 4, items } };
	const msgpack_object body = { .type = MSGPACK_OBJECT_BIN, .via.bin = { sizeof small, small } };
	msgpack_packer p;
	start_pack(&p);
	msgpack_pack_object(&p, header);
	msgpack_pack_object(&p, body);
}

static void
pack_body(void)
{
	msgpack_packer p;
	start_pack(&p);
	pack_bytes(&p, large, sizeof large);
}

static void
pack_deep(void)
{
	msgpack_packer p;
	start_pack(&p);
	for (int i = 1; i < DEEP; i++)
		msgpack_pack_array(&p, 1);
	msgpack_pack_array(&p, 0);
}

/* All values that are in the buffer. */
static void
unpack(void)
{
	msgpack_unpacked u;
	msgpack_unpacked_init(&u);
	for (size_t at = 0; at < buffer.size;) {
		must(msgpack_unpack_next(&u, buffer.data, buffer.size, &at) == MSGPACK_UNPACK_SUCCESS, "msgpack_unpack_next");
		seen = u.data.via.array.size;
	}
	msgpack_unpacked_destroy(&u);
}

static void
unpack_kept(void)
{
	msgpack_object o;
	for (size_t at = 0; at < buffer.size;) {
		must(msgpack_unpack(buffer.data, buffer.size, &at, &kept, &o) > 0, "msgpack_unpack");
		seen = o.via.array.size;
		msgpack_zone_clear(&kept);
	}
}

#endif

/* ---- rounds ---- */

/* `before` makes what `run` reads, once a round. */
static const struct row {
	const char *shape, *who, *what;
	void (*before)(void), (*run)(void);
	bool pack;
} rows[] = {
	{ "pair", "memcpy", "copy", encode_pair, copy_bytes, false },
	{ "pair", "petrichor", "encode", encode_pair, encode_pair, false },
	{ "pair", "petrichor", "encode, tail", encode_pair, encode_pair_tail, false },
	{ "pair", "petrichor", "decode", encode_pair, decode_pair, false },
#ifdef HAVE_MSGPACK
	{ "pair", "msgpack-c", "pack", pack_pair, pack_pair, true },
	{ "pair", "msgpack-c", "pack, tree", pack_pair, pack_pair_tree, true },
	{ "pair", "msgpack-c", "unpack", pack_pair, unpack, true },
	{ "pair", "msgpack-c", "unpack, zone kept", pack_pair, unpack_kept, true },
#endif
	{ "body", "memcpy", "copy", encode_body, copy_bytes, false },
	{ "body", "petrichor", "encode", encode_body, encode_body, false },
	{ "body", "petrichor", "encode, tail", encode_body, encode_body_tail, false },
	{ "body", "petrichor", "decode", encode_body, decode_body, false },
	{ "body", "petrichor", "decode, PT_COPY", encode_body, decode_body_copy, false },
#ifdef HAVE_MSGPACK
	{ "body", "msgpack-c", "pack", pack_body, pack_body, true },
	{ "body", "msgpack-c", "unpack", pack_body, unpack, true },
	{ "body", "msgpack-c", "unpack, zone kept", pack_body, unpack_kept, true },
#endif
	{ "deep", "memcpy", "copy", encode_deep, copy_bytes, false },
	{ "deep", "petrichor", "encode", encode_deep, encode_deep, false },
	{ "deep", "petrichor", "encode, tail", encode_deep, encode_deep_tail, false },
	{ "deep", "petrichor", "decode", encode_deep, decode_deep, false },
#ifdef HAVE_MSGPACK
	{ "deep", "msgpack-c", "pack", pack_deep, pack_deep, true },
	/* It refuses more than 32 in each other: MSGPACK_EMBED_STACK_SIZE. */
#endif
};
enum { ROWS = sizeof rows / sizeof *rows };

static double ns[ROWS][ROUNDS_MOST];
static size_t bytes[ROWS];

static int64_t
now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
}

/* Nanoseconds for one run. */
static double
measure(const struct row *r, double seconds)
{
	int64_t begin = now_ns(), until = begin + (int64_t)(seconds * 1e9), now;
	uint64_t runs = 0, step = 1;
	do {
		for (uint64_t i = 0; i < step; i++)
			r->run();
		runs += step;
		now = now_ns();
		/* The clock is asked about fifty times. */
		if ((now - begin) / (int64_t)runs * (int64_t)step < (until - begin) / 50)
			step *= 2;
	} while (now < until);
	return (double)(now - begin) / (double)runs;
}

static void
one_round(int round, double seconds)
{
	for (size_t i = 0; i < ROWS; i++) {
		rows[i].before();
		bytes[i] = encoded_size;
#ifdef HAVE_MSGPACK
		if (rows[i].pack)
			bytes[i] = buffer.size;
#endif
		ns[i][round] = measure(&rows[i], seconds);
	}
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static void
show(FILE *tsv, int rounds)
{
	printf("%-6s %-10s %-18s %8s %10s %10s %12s %12s\n", "shape", "who", "what", "bytes", "ns", "least ns", "MB/s", "frames/s");
	if (tsv != NULL)
		fprintf(tsv, "shape\twho\twhat\tbytes\tns\tns_least\tns_most\tmb_per_s\tframes_per_s\n");
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *r = &rows[i];
		qsort(ns[i], (size_t)rounds, sizeof **ns, compare);
		double median = (ns[i][(rounds - 1) / 2] + ns[i][rounds / 2]) / 2;
		double least = ns[i][0], most = ns[i][rounds - 1];
		double frames = (strcmp(r->shape, "pair") == 0 ? 2 : 1) * 1e9 / median;
		double rate = (double)bytes[i] * 1e3 / median;
		printf("%-6s %-10s %-18s %8zu %10.0f %10.0f %12.0f %12.0f\n", r->shape, r->who, r->what, bytes[i], median, least,
		    rate, frames);
		if (tsv != NULL)
			fprintf(tsv, "%s\t%s\t%s\t%zu\t%.1f\t%.1f\t%.1f\t%.1f\t%.0f\n", r->shape, r->who, r->what, bytes[i], median,
			    least, most, rate, frames);
	}
#ifndef HAVE_MSGPACK
	printf("msgpack-c is not here: nothing to compare with but memcpy\n");
#endif
}

static int
usage(void)
{
	fprintf(stderr, "usage: frames [--rounds N] [--seconds S] [--out FILE]\n");
	return 64;
}

int
main(int argc, char **argv)
{
	int rounds = 11;
	double seconds = 0.03;
	FILE *tsv = NULL;
	for (int i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			return usage();
		if (strcmp(argv[i], "--rounds") == 0)
			rounds = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--seconds") == 0)
			seconds = atof(argv[i + 1]);
		else if (strcmp(argv[i], "--out") != 0)
			return usage();
		else if ((tsv = fopen(argv[i + 1], "w")) == NULL) {
			perror(argv[i + 1]);
			return 1;
		}
	}
	if (rounds < 1 || rounds > ROUNDS_MOST || !(seconds > 0))
		return usage();
	memset(small, 's', sizeof small);
	memset(large, 'l', sizeof large);
#ifdef HAVE_MSGPACK
	msgpack_sbuffer_init(&buffer);
	must(msgpack_zone_init(&kept, MSGPACK_ZONE_CHUNK_SIZE), "msgpack_zone_init");
#endif
	for (int i = 0; i < rounds; i++)
		one_round(i, seconds);
	show(tsv, rounds);
#ifdef HAVE_MSGPACK
	msgpack_sbuffer_destroy(&buffer);
	msgpack_zone_destroy(&kept);
#endif
	return tsv != NULL && fclose(tsv) != 0 ? 1 : 0;
}
