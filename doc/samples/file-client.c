/* SPDX-License-Identifier: MIT
 * file-client.c - lines are `get NAME FILE` and `put FILE NAME`. */
#include "sample-client.h"
#include "sample-file.h"

static int
write_piece(void *ctx, const struct pt_piece *p)
{
	const int *fd = ctx;
	return sample_file_write(*fd, p->at, p->len) ? PT_OK : PT_E_IO;
}

/* Pieces until the last one. The server's words, where it has no file. */
static int
receive(struct pt_conn *c, int fd, const char **error)
{
	const struct pt_value *header, *body, *more, *whole_header, *whole;
	struct pt_pieces_options options = PT_PIECES_INIT;
	options.body_bytes = UINT64_MAX;
	options.piece = write_piece;
	options.ctx = &fd;
	struct pt_pieces *pieces = pt_pieces_new(&options);
	int e = pieces != NULL ? PT_OK : PT_E_MEMORY;
	bool last = false;

	while (e == PT_OK && !last && (e = pt_recv(c, &header, &body)) == PT_OK) {
		more = pt_get(header, "pt.more");
		last = more == NULL || more->type != PT_BOOL || !more->boolean;
		if (pt_get(header, "pt.err") != NULL)
			*error = "the server has no such file";
		else
			e = pt_pieces_add(pieces, header, body, &whole_header, &whole);
	}
	pt_pieces_free(&pieces);
	return e;
}

static int
get(struct pt_conn *c, const struct pt_value *id, const struct pt_value *name, const char *file)
{
	static const struct pt_value null = PT_NULL_OF;
	const struct pt_value pairs[] = {
		PT_TEXT("op"), PT_TEXT("get"), PT_TEXT("name"), *name, PT_TEXT("pt.id"), *id,
	};
	const struct pt_value asked = PT_DICT_OF(pairs, 3);
	const char *error = NULL;
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0) {
		warn("%s", file);
		return PT_OK;
	}
	int e = pt_send(c, &asked, &null);
	if (e == PT_OK)
		e = receive(c, fd, &error);
	close(fd);
	if (e != PT_OK || error != NULL)
		unlink(file);
	printf("%s %s\n", file, error != NULL ? error : e != PT_OK ? "failed" : "is there");
	return e;
}

static int
put(struct pt_conn *c, const struct pt_value *id, const char *file, const struct pt_value *name)
{
	const struct pt_value pairs[] = { PT_TEXT("op"), PT_TEXT("put"), PT_TEXT("name"), *name };
	const struct pt_value asked = PT_DICT_OF(pairs, 2), *header, *body;
	int64_t size;
	int fd = sample_file_open(AT_FDCWD, file, &size);
	if (fd < 0) {
		warnx("%s: no file", file);
		return PT_OK;
	}
	int e = sample_file_send(c, &asked, id, fd, size, SAMPLE_PIECE_BYTES);
	close(fd);
	if (e == PT_OK)
		e = pt_recv(c, &header, &body);
	if (e == PT_OK)
		sample_show(header, body);
	return e;
}

static int
request(struct pt_conn *c, char *line)
{
	static unsigned requests;
	char text[16];
	snprintf(text, sizeof text, "%u", ++requests);
	const struct pt_value id = PT_BYTES_OF(text, strlen(text));
	const char *verb = sample_word(&line);
	struct pt_value from = sample_word_value(&line), to = sample_word_value(&line);
	if (strcmp(verb, "get") == 0)
		return get(c, &id, &from, to.bytes.at);
	if (strcmp(verb, "put") == 0)
		return put(c, &id, from.bytes.at, &to);
	warnx("get or put?");
	return PT_OK;
}

int
main(int argc, char **argv)
{
	struct pt_conn *c = sample_connect(argc, argv);
	pt_conn_times(c, SAMPLE_TIMEOUT_MS, SAMPLE_TIMEOUT_MS);
	return sample_done(&c, sample_each_line(c, request));
}
