/* SPDX-License-Identifier: MIT */
#include "ring/ring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/escape.h"
#include "base/text.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char name_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

bool
ring_name_ok(const char *name)
{
	size_t n = strlen(name);
	return n >= 1 && n <= RING_NAME && strchr(letters, name[0]) != NULL && strspn(name, name_chars) == n;
}

int
ring_find(const struct ring *r, const char *name)
{
	for (int i = 0; i < r->size; i++)
		if (strcmp(r->member[i].name, name) == 0)
			return i;
	return -1;
}

uint32_t
ring_hash(const struct ring *r)
{
	uint32_t h = 0;
	for (int i = 0; i < r->size; i++)
		h = crc32c(h, r->member[i].name, strlen(r->member[i].name) + 1);
	return h;
}

int
ring_at(int size, int place, int k)
{
	assert(size > 0 && place >= 0 && place < size && k >= 0);
	return (place + k) % size;
}

static void
complain(struct buf *errors, const char *file, int line, const char *what, const char *word)
{
	buf_printf(errors, "%s:%d: %s", file, line, what);
	if (word != NULL) {
		buf_puts(errors, ": '");
		escape(errors, word, strlen(word), 40);
		buf_puts(errors, "'");
	}
	buf_puts(errors, "\n");
}

/* NULL, or what is wrong with these words, *word among them. */
static const char *
parse_member(struct member *m, char *words[4], int n, const char **word)
{
	*word = words[0];
	if (!ring_name_ok(words[0]))
		return "bad member name (a letter, then up to 15 of A-Za-z0-9_-)";
	strcpy(m->name, words[0]);
	*word = NULL;
	if (n < 2)
		return "address missing (NAME ADDRESS [PEER-PORT [CLIENT-PORT]])";
	*word = words[1];
	if (strlen(words[1]) >= sizeof m->host || strspn(words[1], "0123456789abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ.:-_%") != strlen(words[1]))
		return "bad address";
	strcpy(m->host, words[1]);
	m->peer_port = RING_PEER_PORT;
	m->client_port = RING_CLIENT_PORT;
	for (int i = 2; i < n; i++) {
		*word = words[i];
		if (!net_port(words[i], i == 2 ? &m->peer_port : &m->client_port))
			return "bad port (1 to 65535)";
	}
	return NULL;
}

/* What the members before it already have; NULL: nothing. */
static const char *
clash(const struct ring *r, const struct member *m, const char **word)
{
	*word = m->name;
	if (ring_find(r, m->name) >= 0)
		return "member named twice";
	*word = m->host;
	if (m->peer_port == m->client_port)
		return "one port for both peers and clients";
	for (int i = 0; i < r->size; i++) {
		const struct member *o = &r->member[i];
		if (strcmp(o->host, m->host) == 0 && (o->peer_port == m->peer_port ||
		    o->client_port == m->client_port || o->peer_port == m->client_port ||
		    o->client_port == m->peer_port))
			return "address and port used twice";
	}
	return NULL;
}

static bool
parse_line(struct ring *r, const char *file, int number, char *line, struct buf *errors)
{
	char *hash = strchr(line, '#'), *words[4], *w;
	const char *word = NULL, *what = NULL;
	if (hash != NULL)
		*hash = '\0';
	text_trim(line);
	int n = 0;
	while ((w = text_word(&line)) != NULL) {
		if (n == 4) {
			complain(errors, file, number, "too many words (NAME ADDRESS [PEER-PORT [CLIENT-PORT]])", w);
			return false;
		}
		words[n++] = w;
	}
	if (n == 0)
		return true;
	struct member m = { .peer_port = 0 };
	what = parse_member(&m, words, n, &word);
	if (what == NULL)
		what = clash(r, &m, &word);
	if (what == NULL && r->size == RING_MAX) {
		what = "more than 64 members";
		word = m.name;
	}
	if (what != NULL) {
		complain(errors, file, number, what, word);
		return false;
	}
	r->member[r->size++] = m;
	return true;
}

bool
ring_parse(struct ring *r, const char *file, const char *text, struct buf *errors)
{
	memset(r, 0, sizeof *r);
	char *copy = strdup(text), *rest = copy, *line;
	if (copy == NULL) {
		complain(errors, file, 0, strerror(ENOMEM), NULL);
		return false;
	}
	bool good = true;
	int number = 0;
	while ((line = text_line(&rest)) != NULL)
		good &= parse_line(r, file, ++number, line, errors);
	free(copy);
	if (good && r->size == 0) {
		complain(errors, file, number > 0 ? number : 1, "no member in the ring", NULL);
		good = false;
	}
	return good;
}

bool
ring_read(struct ring *r, const char *file, struct buf *errors)
{
	size_t len = 0;
	char *text = text_slurp(file, 1 << 20, &len);
	if (text == NULL) {
		buf_printf(errors, "%s: %s\n", file, strerror(errno));
		return false;
	}
	bool good;
	if (strlen(text) != len) {
		int line = 1;
		for (const char *p = text; *p != '\0'; p++)
			line += *p == '\n';
		complain(errors, file, line, "NUL byte in the file", NULL);
		good = false;
	} else {
		good = ring_parse(r, file, text, errors);
	}
	free(text);
	return good;
}
