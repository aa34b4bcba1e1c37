/* SPDX-License-Identifier: MIT
 * http-server.c - what HTTP says of requests and replies, in pairs: the headers are typed, the body's size is
 * known, and there is nothing to be parsed by hand.
 *
 *	http-server 127.0.0.1 7777 /x=hi /y='a longer page'
 *
 *	{verb: GET, path: /x, host: a.example} ""       ->      {status: 200, type: text/plain} "hi" */
#include "sample-server.h"

/* The text of a page, NULL: there is none. */
static const char *
page(const struct pt_value *path)
{
	if (path == NULL || path->type != PT_BYTES)
		return NULL;
	for (char **p = sample.more; *p != NULL; p++) {
		size_t n = strcspn(*p, "=");
		if (n == path->bytes.len && memcmp(*p, path->bytes.at, n) == 0 && (*p)[n] == '=')
			return *p + n + 1;
	}
	return NULL;
}

static int
answer(struct pt_conn *c, const struct pt_value *request)
{
	const struct pt_value *verb = pt_get(request, "verb"), *path = pt_get(request, "path");
	bool get = pt_is_text(verb, "GET"), head = pt_is_text(verb, "HEAD");
	const char *text = page(path);
	int status = 200;

	if (verb == NULL || path == NULL || path->type != PT_BYTES)
		status = 400, text = "verb and path are needed";
	else if (!get && !head)
		status = 405, text = "GET and HEAD only";
	else if (text == NULL)
		status = 404, text = "no such page";

	const struct pt_value pairs[] = {
		PT_TEXT("status"), PT_INT_OF(status), PT_TEXT("type"), PT_TEXT("text/plain"),
	};
	const struct pt_value header = PT_DICT_OF(pairs, 2), body = PT_BYTES_OF(text, head ? 0 : strlen(text));
	return pt_send(c, &header, &body);
}

static void
serve(struct pt_conn *c)
{
	char user[SAMPLE_NAME];
	const struct pt_value *request;

	if (!sample_welcome(c, user))
		return;
	while (pt_recv(c, &request, NULL) == PT_OK && answer(c, request) == PT_OK)
		;
}

int
main(int argc, char **argv)
{
	sample_arguments(argc, argv, 0);
	return sample_serve(serve);
}
