/* SPDX-License-Identifier: MIT
 * literate_vectors.c - the implementation that doc/petrichor teaches, on the vectors, and as the program of its section 7.
 *
 *   literate_vectors FILE                   each vector: the verdict and the value that it says, and the library agrees
 *   literate_vectors FILE ID...             only these
 *   literate_vectors --frames FILE          lines BYTES VALUE as the text has them: what encodes to these bytes
 *   literate_vectors --pairs <STREAM        pairs in their shortest form and nothing else; says how many
 *   literate_vectors --verdicts <LINES      lines HEX NAME OFFSET: what somebody else says of a frame
 *   literate_vectors --echo IDENT           the echo server, on standard input and output
 *   literate_vectors --floats               powers of two and of ten, and what is next to them */
#include "../fuzz/twin_agree.h"

#include <err.h>
#include <locale.h>
#include <math.h>

enum { BYTES_MOST = 65536 };

static const char *id;          /* of the vector that is looked at */
static int bad;

static void
complain(const char *what, const char *got, const char *want)
{
	printf("%s: %s %s, not %s\n", id, what, got, want);
	bad = 1;
}

/* ---- values as JSON, each byte the character of that number ---- */

static void
put_bytes(FILE *out, const struct value *v)
{
	static const char escapes[] = "btnvfr";
	putc('"', out);
	for (size_t i = 0; i < v->len; i++) {
		unsigned c = (unsigned char)v->bytes[i];
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", (int)c);
		else if (c >= '\b' && c <= '\r' && c != '\v')
			fprintf(out, "\\%c", escapes[c - '\b']);
		else if (c < ' ' || c >= 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			putc((int)c, out);
	}
	putc('"', out);
}

/* With an exponent where Python has one; by the digits of what we write anyway, which know no locale. */
static void
put_float(FILE *out, double d)
{
	char text[401], digits[401];
	double a = fabs(d);
	size_t size = twin_float(text, d), n = 0;
	int exponent = -1;
	bool behind = false, begun = false;
	if (a == 0 || (a >= 1e-4 && a < 1e16)) {
		fwrite(text, 1, size, out);
		return;
	}
	for (size_t i = text[0] == '-' ? 1 : 0; i < size; i++) {
		behind = behind || text[i] == '.';
		begun = begun || (text[i] >= '1' && text[i] <= '9');
		if (text[i] != '.' && begun)
			digits[n++] = text[i];
		exponent += text[i] != '.' && begun && !behind ? 1 : text[i] != '.' && !begun && behind ? -1 : 0;
	}
	while (n > 1 && digits[n - 1] == '0')
		n--;
	fprintf(out, "%s%c%s%.*se%+03d", d < 0 ? "-" : "", digits[0], n > 1 ? "." : "", (int)n - 1, digits + 1, exponent);
}

static void
put_json(FILE *out, const struct value *v)
{
	const struct value *item;
	if (v->tag == ',') {
		put_bytes(out, v);
	} else if (v->tag == '#') {
		fprintf(out, "%lld", (long long)v->integer);
	} else if (v->tag == '^') {
		put_float(out, v->real);
	} else if (v->tag == '!' || v->tag == '~') {
		fputs(v->tag == '~' ? "null" : v->truth ? "true" : "false", out);
	} else {
		bool dict = v->tag == '}', key = dict;
		putc(dict ? '{' : '[', out);
		for (item = v->first; item != NULL; item = item->next, key = dict && !key) {
			put_json(out, item);
			fputs(item->next == NULL ? "" : key ? ":" : ",", out);
		}
		putc(dict ? '}' : ']', out);
	}
}

static void
check_json(const struct value *v, const char *want)
{
	char *text = NULL;
	size_t n;
	FILE *out = open_memstream(&text, &n);
	if (out == NULL)
		err(1, "open_memstream");
	put_json(out, v);
	fclose(out);
	if (strcmp(text, want) != 0)
		complain("is", text, want);
	free(text);
}

/* ---- vectors ---- */

static const struct limits usual = LIMITS;

/* What a single frame is judged by: x109 announces as much as can be. */
static const struct pt_limits for_frames = { 65536, PT_MOST, 65536, 512, 128 };

static void
check_again(const struct value *v, const char *at, size_t n)
{
	char *frame = NULL;
	size_t size = 0;
	bool canonical = id[0] == 'c';
	if (twin_encode(v, &frame, &size) != E_OK) {
		complain("does not encode", "", "itself");
		return;
	}
	bool same = size == n && memcmp(frame, at, n) == 0;
	if (same != canonical)
		complain("encodes to", same ? "itself" : "something else", canonical ? "itself" : "the shorter form");
	free(frame);
}

static void
check_frame(const char *at, size_t n, const char *verdict, const char *want)
{
	struct limits l = agree_limits(&for_frames);
	struct value *v;
	size_t offset, part_offset;
	enum error e = twin_decode(at, n, NULL, &l, &v, &offset);
	if (strcmp(verdict, "invalid") == 0) {
		if (strcmp(twin_name(e), want) != 0)
			complain("gives", twin_name(e), want);
	} else if (e != E_OK) {
		complain("gives", twin_name(e), "a value");
	} else {
		check_json(v, want);
		check_again(v, at, n);
	}
	twin_free(v);
	agree_decode(at, n, &for_frames, true, &offset);
	agree_decode(at, n, &for_frames, false, &offset);
	for (size_t part = 0; part < n; part++) {
		int p = agree_decode(at, part, &for_frames, true, &part_offset);
		if (strcmp(verdict, "valid") == 0 && p != (part == 0 ? PT_E_EMPTY : PT_E_TRUNC))
			complain("a part of it gives", pt_error_name(p), "TRUNC");
	}
}

/* The pairs as a list of [header,body], in *got, and what ended them. */
static enum error
read_pairs(FILE *in, struct value **got, size_t *offset)
{
	struct value *header, *body;
	enum error e;
	*got = twin_new(']');
	while ((e = twin_recv(in, &usual, &header, &body, offset)) == E_OK) {
		struct value *pair = twin_new(']');
		twin_add(pair, header);
		twin_add(pair, body);
		twin_add(*got, pair);
	}
	return e;
}

static FILE *
open_bytes(const char *at, size_t n)
{
	FILE *in = n != 0 ? fmemopen((void *)(uintptr_t)at, n, "rb") : fopen("/dev/null", "rb");
	if (in == NULL)
		err(1, "fmemopen");
	return in;
}

static void
check_stream(const char *at, size_t n, const char *verdict, const char *want)
{
	static const struct pt_limits limits = PT_LIMITS_INIT;
	FILE *in = open_bytes(at, n);
	struct value *got;
	size_t offset, pairs;
	enum error e = read_pairs(in, &got, &offset);
	fclose(in);
	bool valid = strcmp(verdict, "valid") == 0;
	if (strcmp(twin_name(e), valid ? "CLOSED" : want) != 0)
		complain("ends in", twin_name(e), valid ? "CLOSED" : want);
	if (valid)
		check_json(got, want);
	twin_free(got);
	for (size_t piece = 1; piece <= n + 1; piece++)
		agree_pairs(at, n, piece, &limits, &pairs);
	for (size_t part = 0; part < n; part++)
		agree_pairs(at, part, 3, &limits, &pairs);
}

/* A valid block has its size from the value, an invalid one in the reason. */
static void
check_block(const char *at, size_t n, const char *verdict, const char *want)
{
	char to[1000], code[16] = "";
	size_t size = 0;
	struct value v = { .tag = ',', .bytes = to };
	const char *wrong;
	if (strcmp(verdict, "valid") == 0) {
		size = v.len = strlen(want) - 2;        /* they are plain letters all */
		wrong = twin_lz4_decode(at, n, to, size);
		if (wrong != NULL)
			complain("gives", wrong, "bytes");
		else
			check_json(&v, want);
		agree_lz4_data(to, size);
	} else {
		if (sscanf(want, "%15s size=%zu", code, &size) != 2 || size > sizeof to)
			errx(1, "%s: %s", id, want);
		wrong = twin_lz4_decode(at, n, to, size);
		if (wrong == NULL || strcmp(wrong, code) != 0)
			complain("gives", wrong != NULL ? wrong : "bytes", code);
	}
	agree_lz4_block(at, n, to, size);
	for (size_t part = 0; part < n; part++)
		agree_lz4_block(at, part, to, size);
}

static size_t
from_hex(const char *hex, char *to)
{
	size_t n = 0;
	unsigned byte;
	for (; strcmp(hex, "-") != 0 && sscanf(hex, "%2x", &byte) == 1 && n < BYTES_MOST; hex += 2)
		to[n++] = (char)byte;
	return n;
}

static void
check_vector(const char *hex, const char *verdict, const char *want)
{
	char *bytes = malloc(BYTES_MOST), *at;
	if (bytes == NULL)
		err(1, "malloc");
	size_t n = from_hex(hex, bytes);
	/* In a block of just its size, so that a look behind its end is seen. */
	at = malloc(n != 0 ? n : 1);
	if (at == NULL)
		err(1, "malloc");
	memcpy(at, bytes, n);
	if (strchr("cnx", id[0]) != NULL)
		check_frame(at, n, verdict, want);
	else if (strchr("pq", id[0]) != NULL)
		check_stream(at, n, verdict, want);
	else
		check_block(at, n, verdict, want);
	free(at);
	free(bytes);
}

static bool
is_among(char **names)
{
	if (*names == NULL)
		return true;
	for (; *names != NULL; names++)
		if (strcmp(*names, id) == 0)
			return true;
	return false;
}

static int
vectors(const char *path, char **names)
{
	FILE *in = fopen(path, "r");
	char *line = NULL, *field[4], *rest;
	size_t room = 0;
	int seen = 0;
	if (in == NULL)
		err(1, "%s", path);
	while (getline(&line, &room, in) > 0) {
		rest = line;
		for (int i = 0; i < 4; i++)
			field[i] = strsep(&rest, "\t\n");
		id = field[0];
		if (id[0] == '#' || !is_among(names))
			continue;
		if (field[3] == NULL)
			errx(1, "%s: %s: not four fields", path, id);
		check_vector(field[1], field[2], field[3]);
		seen++;
	}
	free(line);
	fclose(in);
	printf("%d vectors\n", seen);
	return bad != 0 || seen == 0;
}

/* ---- what the text shows ---- */

/* \xNN as the byte, in place. Returns the size. */
static size_t
unescape(char *text)
{
	char *to = text;
	unsigned byte;
	for (const char *p = text; *p != '\0';) {
		if (p[0] == '\\' && p[1] == 'x' && sscanf(p + 2, "%2x", &byte) == 1) {
			*to++ = (char)byte;
			p += 4;
		} else {
			*to++ = *p++;
		}
	}
	return (size_t)(to - text);
}

static int
frames(const char *path)
{
	FILE *in = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	int seen = 0;
	if (in == NULL)
		err(1, "%s", path);
	while (getline(&line, &room, in) > 0) {
		char *rest = line, *bytes = strsep(&rest, " "), label[64];
		snprintf(label, sizeof label, "%s", bytes);
		id = label[0] == '\0' ? "?" : "c";
		rest += strspn(rest, " ");
		rest[strcspn(rest, "\n")] = '\0';
		size_t n = unescape(bytes);
		check_frame(bytes, n, "valid", rest);
		seen++;
	}
	free(line);
	fclose(in);
	return bad != 0 || seen == 0;
}

/* Each frame is in the shortest form, and all are pairs to the end. */
static int
pairs(void)
{
	struct pt_limits limits = PT_LIMITS_INIT;
	struct limits l = usual;
	char *at = malloc(BYTES_MOST);
	size_t n = at != NULL ? fread(at, 1, BYTES_MOST, stdin) : 0, done = 0, used = 0, offset, seen = 0;
	struct value *v;
	id = "c";
	for (; done < n; done += used, seen++) {
		enum error e = twin_decode(at + done, n - done, &used, &l, &v, &offset);
		if (e != E_OK)
			errx(1, "frame %zu: %s at %zu", seen, twin_name(e), offset);
		if (seen % 2 == 0 && v->tag != '}')
			errx(1, "frame %zu is no header", seen);
		check_again(v, at + done, used);
		twin_free(v);
	}
	agree_pairs(at, n, 7, &limits, &offset);
	free(at);
	printf("%zu\n", seen / 2);
	return bad != 0 || seen == 0 || seen % 2 != 0;
}

static int
verdicts(void)
{
	static char at[BYTES_MOST];
	static const struct pt_limits limits = PT_LIMITS_INIT;
	char *line = NULL, *field[3], *rest;
	size_t room = 0, offset;
	int seen = 0;
	while (getline(&line, &room, stdin) > 0) {
		rest = line;
		for (int i = 0; i < 3; i++)
			if ((field[i] = strsep(&rest, " \n")) == NULL)
				errx(1, "line %d: not three fields", seen + 1);
		int e = agree_decode(at, from_hex(field[0], at), &limits, true, &offset);
		if (strcmp(pt_error_name(e), field[1]) != 0 || (e != PT_OK && offset != strtoul(field[2], NULL, 10)))
			errx(1, "%s gives %s at %zu, not %s at %s", field[0], pt_error_name(e), offset, field[1], field[2]);
		seen++;
	}
	free(line);
	printf("%d verdicts\n", seen);
	return seen == 0;
}

/* So many doubles further from zero. */
static double
beside(double d, int steps)
{
	uint64_t bits;
	memcpy(&bits, &d, sizeof bits);
	bits += (uint64_t)steps;
	memcpy(&d, &bits, sizeof d);
	return d;
}

static int
floats(void)
{
	for (int e = -1074; e < 1024; e++) {
		double d = ldexp(1, e);
		agree_float(d);
		agree_float(-beside(d, -1));
		agree_float(beside(d, 1));
	}
	for (int e = -330; e < 309; e++) {
		char text[16];
		snprintf(text, sizeof text, "1e%d", e);
		double d = strtod(text, NULL);
		for (int steps = 0; d != 0 && steps < 3; steps++)
			agree_float(beside(d, steps - 1));
	}
	return 0;
}

int
main(int argc, char **argv)
{
	if (setlocale(LC_NUMERIC, "") == NULL)
		errx(1, "the locale is not there");
	if (argc == 3 && strcmp(argv[1], "--echo") == 0) {
		enum error e = twin_echo(stdin, stdout, argv[2]);
		if (e != E_OK && e != E_CLOSED)
			errx(1, "%s", twin_name(e));
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "--frames") == 0)
		return frames(argv[2]);
	if (argc == 2 && strcmp(argv[1], "--pairs") == 0)
		return pairs();
	if (argc == 2 && strcmp(argv[1], "--verdicts") == 0)
		return verdicts();
	if (argc == 2 && strcmp(argv[1], "--floats") == 0)
		return floats();
	if (argc < 2 || argv[1][0] == '-')
		errx(2, "usage: literate_vectors FILE [ID...]");
	return vectors(argv[1], argv + 2);
}
