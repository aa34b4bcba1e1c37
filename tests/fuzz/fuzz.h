/* SPDX-License-Identifier: MIT
 * fuzz.h - what the fuzz targets share. A target is LLVMFuzzerTestOneInput, for clang's -fsanitize=fuzzer; with FUZZ_MAIN
 * it is a program of its own, for any compiler:
 *
 *   fuzz_line [-n ROUNDS] [-s SEED] [FILE...]
 *
 * runs each FILE as it is, then ROUNDS inputs made from them at random (from nothing where there is none). The seed is
 * printed; a round that fails leaves its input in ./fuzz-failed. */
#ifndef ZOG_TESTS_FUZZ_H
#define ZOG_TESTS_FUZZ_H

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Something that must hold. */
#define fuzz_require(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

/* Every line of errors is "PLACE: what", and shows nothing that drives a terminal. */
static inline void
fuzz_require_errors(const char *text, size_t n, const char *place)
{
	while (n > 0) {
		const char *lf = memchr(text, '\n', n);
		fuzz_require(lf != NULL);
		fuzz_require((size_t)(lf - text) > strlen(place) && memcmp(text, place, strlen(place)) == 0);
		for (const char *p = text; p < lf; p++)
			fuzz_require(*p >= ' ' && *p <= '~');
		n -= (size_t)(lf - text) + 1;
		text = lf + 1;
	}
}

#ifdef FUZZ_MAIN

enum { FUZZ_MOST = 4096, FUZZ_FILES = 256 };

static struct fuzz_input {
	uint8_t *data;
	size_t   size;
} fuzz_file[FUZZ_FILES];
static size_t fuzz_files;
static uint64_t fuzz_state;

static inline uint64_t
fuzz_random(void)
{
	uint64_t z = (fuzz_state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline size_t
fuzz_below(size_t n)
{
	return (size_t)(fuzz_random() % n);
}

/* In a block of just its size, so that a look behind its end is seen. */
static inline void
fuzz_run(const uint8_t *data, size_t size)
{
	uint8_t *block = malloc(size != 0 ? size : 1);
	fuzz_require(block != NULL);
	memcpy(block, data, size);
	LLVMFuzzerTestOneInput(block, size);
	free(block);
}

/* One change: a byte, a stretch gone, doubled, or taken from another file. */
static inline size_t
fuzz_change(uint8_t data[FUZZ_MOST], size_t n)
{
	static const uint8_t edges[] = "\0\t\n\r #=:.-_/%[]0159azAZ~\x7f\x80\x9f\xa0\xbf\xc2\xe0\xe2\xed\xf0\xf4\xff";
	size_t at = fuzz_below(n + 1), len = fuzz_below(16);
	const struct fuzz_input *other = fuzz_files != 0 ? &fuzz_file[fuzz_below(fuzz_files)] : NULL;
	switch (fuzz_below(6)) {
	case 0:
		if (at < n)
			data[at] = (uint8_t)fuzz_random();
		return n;
	case 1:
		if (at < n)
			data[at] = edges[fuzz_below(sizeof edges - 1)];
		return n;
	case 2:
		if (len > n - at)
			len = n - at;
		memmove(data + at, data + at + len, n - at - len);
		return n - len;
	case 3:
		if (n + 1 > FUZZ_MOST)
			return n;
		memmove(data + at + 1, data + at, n - at);
		data[at] = edges[fuzz_below(sizeof edges - 1)];
		return n + 1;
	case 4:
		if (len > n - at)
			len = n - at;
		if (n + len > FUZZ_MOST)
			return n;
		memmove(data + at + len, data + at, n - at);
		return n + len;
	default:
		if (other == NULL || other->size == 0)
			return n;
		size_t from = fuzz_below(other->size);
		len = fuzz_below(other->size - from) + 1;
		if (len > FUZZ_MOST - at)
			len = FUZZ_MOST - at;
		memcpy(data + at, other->data + from, len);
		return at + len > n ? at + len : n;
	}
}

static inline size_t
fuzz_make(uint8_t data[FUZZ_MOST])
{
	size_t n = 0;
	if (fuzz_files != 0) {
		const struct fuzz_input *f = &fuzz_file[fuzz_below(fuzz_files)];
		n = f->size < FUZZ_MOST ? f->size : FUZZ_MOST;
		memcpy(data, f->data, n);
	} else {
		for (n = fuzz_below(200); n > 0 && fuzz_below(3) == 0; n--)
			continue;
		for (size_t i = 0; i < n; i++)
			data[i] = (uint8_t)fuzz_random();
	}
	for (size_t changes = fuzz_below(8); changes > 0; changes--)
		n = fuzz_change(data, n);
	return n;
}

static inline void
fuzz_load(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL || fuzz_files == FUZZ_FILES) {
		perror(path);
		exit(66);
	}
	struct fuzz_input *in = &fuzz_file[fuzz_files++];
	in->data = malloc(FUZZ_MOST);
	fuzz_require(in->data != NULL);
	in->size = fread(in->data, 1, FUZZ_MOST, f);
	fclose(f);
}

static inline void
fuzz_keep(const uint8_t *data, size_t size)
{
	FILE *f = fopen("fuzz-failed", "wb");
	if (f == NULL)
		return;
	fwrite(data, 1, size, f);
	fclose(f);
}

int
main(int argc, char **argv)
{
	static uint8_t data[FUZZ_MOST];
	long rounds = 0;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-n") == 0 && i + 1 < argc)
			rounds = atol(argv[++i]);
		else if (strcmp(argv[i], "-s") == 0 && i + 1 < argc)
			fuzz_state = strtoull(argv[++i], NULL, 10);
		else
			fuzz_load(argv[i]);
	}
	printf("%s: %zu files, %ld rounds, seed %" PRIu64 "\n", argv[0], fuzz_files, rounds, fuzz_state);
	fflush(stdout);
	for (size_t i = 0; i < fuzz_files; i++)
		fuzz_run(fuzz_file[i].data, fuzz_file[i].size);
	for (long i = 0; i < rounds; i++) {
		size_t n = fuzz_make(data);
		/* Written before: what fails may not come back. */
		if (getenv("FUZZ_KEEP") != NULL)
			fuzz_keep(data, n);
		fuzz_run(data, n);
	}
	for (size_t i = 0; i < fuzz_files; i++)
		free(fuzz_file[i].data);
	return 0;
}

#endif
#endif
