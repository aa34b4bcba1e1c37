/* SPDX-License-Identifier: MIT
 * file-server.c - gives and takes the files of one folder, in pieces: none of them is ever whole in
 * memory. A file that comes has its name once all of it is there.
 *
 *	file-server 127.0.0.1 7777 FOLDER [PIECE_BYTES]
 *
 *	{op: get, name: a, pt.id: 1} ~  ->      {pt.id: 1, pt.more: true, pt.total: 11} "hello "
 *	                                        {pt.id: 1, pt.more: false} "world"
 *	{op: put, name: a, pt.id: 2, pt.more: ...} "hello ", ...        ->      {pt.id: 2, stored: true} ~ */
#include "sample-file.h"
#include "sample-server.h"

static const uint64_t file_most = 1 << 30;
/* constant after main */
static int folder;
static size_t piece_bytes = SAMPLE_PIECE_BYTES;

/* What is being received, of one peer. */
struct upload {
	int         fd;                 /* -1: none, or what comes is dropped */
	char        name[SAMPLE_NAME], part[PT_ID_TEXT + 1];
	const char *error;
	bool        ended;
};

/* A dot in front is for ours, which are not whole. */
static bool
good_name(char name[SAMPLE_NAME], const struct pt_value *v)
{
	return sample_copy(name, v) && *name != '\0' && *name != '.' && strchr(name, '/') == NULL;
}

static int
piece(void *ctx, const struct pt_piece *p)
{
	struct upload *u = ctx;
	if (p->offset == 0 && u->fd < 0 && u->error == NULL) {
		u->part[0] = '.';
		pt_id(u->part + 1);
		if (!good_name(u->name, pt_get(p->header, "name")))
			u->error = "bad-name";
		else if ((u->fd = openat(folder, u->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) < 0)
			u->error = "no-room";
	}
	if (u->fd >= 0 && !sample_file_write(u->fd, p->at, p->len))
		u->error = "no-room";
	u->ended = p->last;
	return PT_OK;
}

static void
finish(struct upload *u)
{
	if (u->fd < 0)
		return;
	if (close(u->fd) < 0 || u->error != NULL || !u->ended || renameat(folder, u->part, folder, u->name) < 0) {
		unlinkat(folder, u->part, 0);
		u->error = u->error != NULL ? u->error : "no-room";
	}
	u->fd = -1;
}

static int
reply(struct pt_conn *c, const struct pt_value *id, const char *error)
{
	static const struct pt_value null = PT_NULL_OF;
	struct pt_value pairs[] = { PT_TEXT("pt.id"), *id, PT_TEXT("stored"), PT_BOOL_OF(true) };
	const struct pt_value header = PT_DICT_OF(pairs, 2);
	if (error != NULL) {
		pairs[2] = (struct pt_value)PT_TEXT("pt.err");
		pairs[3] = (struct pt_value)PT_BYTES_OF(error, strlen(error));
	}
	return pt_send(c, &header, &null);
}

static int
get(struct pt_conn *c, const struct pt_value *header, const struct pt_value *id)
{
	char name[SAMPLE_NAME];
	int64_t size;
	int fd = good_name(name, pt_get(header, "name")) ? sample_file_open(folder, name, &size) : -1;
	if (fd < 0)
		return reply(c, id, "no-file");
	int e = sample_file_send(c, NULL, id, fd, size, piece_bytes);
	close(fd);
	return e;
}

static void
serve(struct pt_conn *c)
{
	char user[SAMPLE_NAME];
	struct upload u = { .fd = -1 };
	struct pt_pieces_options options = PT_PIECES_INIT;
	options.body_bytes = file_most;
	options.open = 1;
	options.piece = piece;
	options.ctx = &u;
	struct pt_pieces *pieces = sample_welcome(c, user) ? pt_pieces_new(&options) : NULL;
	const struct pt_value *header, *body, *id, *whole_header, *whole;
	int e = pieces != NULL ? PT_OK : PT_E_MEMORY;

	while (e == PT_OK && (e = pt_recv(c, &header, &body)) == PT_OK) {
		id = pt_get(header, "pt.id");
		if (id == NULL || id->type != PT_BYTES)
			break;
		if (pt_is_text(pt_get(header, "op"), "get")) {
			e = get(c, header, id);
			continue;
		}
		e = pt_pieces_add(pieces, header, body, &whole_header, &whole);
		if (e == PT_OK && whole != NULL) {      /* not in pieces */
			if (!pt_is_text(pt_get(header, "op"), "put") || whole->type != PT_BYTES)
				e = pt_fail(c, header, "no-op", "get, or put with bytes");
			else
				piece(&u, &(struct pt_piece){ .header = header, .at = whole->bytes.at,
				    .len = whole->bytes.len, .last = true });
		}
		if (e == PT_OK && u.ended) {
			finish(&u);
			e = reply(c, id, u.error);
			u = (struct upload){ .fd = -1 };
		}
	}
	finish(&u);
	pt_pieces_free(&pieces);
}

int
main(int argc, char **argv)
{
	sample_arguments(argc, argv, 1);
	folder = open(sample.more[0], O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		err(1, "%s", sample.more[0]);
	if (sample.more[1] != NULL && atoi(sample.more[1]) > 0)
		piece_bytes = (size_t)atoi(sample.more[1]);
	return sample_serve(serve);
}
