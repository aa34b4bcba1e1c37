/* SPDX-License-Identifier: MIT
 * cache-server.c - keeps values by their keys, as memcached does; what was not used for long goes first
 * when room is short. A value is anything, and is kept as the frame that came: it is not even looked
 * into.
 *
 *	{op: get, key: k1} ~                    ->      {hit: true, flags: 0} "v1"      or {hit: false} ~
 *	{op: gets, key: k1} ~                   ->      {hit: true, flags: 0, cas: 7} "v1"
 *	{op: set, key: k1, flags: 0} "v1"       ->      {stored: true} ~
 *	{op: set, key: k1, cas: 7} "v2"         ->      the same, only where nobody set it since that gets
 *	{op: delete, key: k1} ~                 ->      {deleted: true} ~ */
#include <search.h>

#include "sample-server.h"

enum { CACHE_BYTES = 64 << 20 };

/* The younger and the older one of each; the list's own head stands between the oldest and the youngest. */
struct kept {
	struct kept *younger, *older;
	char          key[SAMPLE_NAME];
	int64_t       flags, cas;
	unsigned      users;            /* the tree is one */
	size_t        size;
	char          frame[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *tree;                      /* under lock, as all entries but their frames, which do not change */
static struct kept ends = { .younger = &ends, .older = &ends };
static size_t bytes;
static int64_t changes;

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct kept *)a)->key, ((const struct kept *)b)->key);
}

static struct kept *
find_locked(const char *key)
{
	struct kept wanted;
	strcpy(wanted.key, key);
	struct kept **found = tfind(&wanted, &tree, compare);
	return found != NULL ? *found : NULL;
}

static void
release_locked(struct kept *e)
{
	if (--e->users == 0)
		free(e);
}

static void
remove_locked(struct kept *e)
{
	tdelete(e, &tree, compare);
	e->younger->older = e->older;
	e->older->younger = e->younger;
	bytes -= sizeof *e + e->size;
	release_locked(e);
}

static void
link_locked(struct kept *e)
{
	e->older = ends.older, e->younger = &ends;
	e->older->younger = ends.older = e;
}

static int
get(struct pt_conn *c, const char *key, bool with_cas)
{
	struct pt_value pairs[6] = {
		PT_TEXT("hit"), PT_BOOL_OF(false), PT_TEXT("flags"), PT_NULL_OF, PT_TEXT("cas"), PT_NULL_OF,
	};
	struct pt_value header = PT_DICT_OF(pairs, 1), body = PT_NULL_OF;

	pthread_mutex_lock(&lock);
	struct kept *e = find_locked(key);
	if (e != NULL) {
		e->users++;             /* so that it stays while it is sent, which is not done under the lock */
		e->younger->older = e->older, e->older->younger = e->younger;
		link_locked(e);
		pairs[1].boolean = true;
		pairs[3] = (struct pt_value)PT_INT_OF(e->flags);
		pairs[5] = (struct pt_value)PT_INT_OF(e->cas);
		header.items.len = with_cas ? 3 : 2;
		body = (struct pt_value){ .type = PT_FRAME, .bytes = { e->frame, e->size } };
	}
	pthread_mutex_unlock(&lock);
	int result = pt_send(c, &header, &body);
	pthread_mutex_lock(&lock);
	if (e != NULL)
		release_locked(e);
	pthread_mutex_unlock(&lock);
	return result;
}

/* cas: NULL, or what has to be there. */
static bool
set(const char *key, const struct pt_value *flags, const struct pt_value *cas, const struct pt_value *frame)
{
	struct kept *e = calloc(1, sizeof *e + frame->bytes.len);
	if (e == NULL)
		return false;
	strcpy(e->key, key);
	e->flags = flags != NULL && flags->type == PT_INT ? flags->integer : 0;
	e->users = 1;
	e->size = frame->bytes.len;
	memcpy(e->frame, frame->bytes.at, e->size);

	pthread_mutex_lock(&lock);
	struct kept *old = find_locked(key);
	bool good = cas == NULL || (old != NULL && cas->type == PT_INT && cas->integer == old->cas);
	if (good) {
		if (old != NULL)
			remove_locked(old);
		good = tsearch(e, &tree, compare) != NULL;
	}
	if (good) {
		e->cas = ++changes;
		link_locked(e);
		bytes += sizeof *e + e->size;
		while (bytes > CACHE_BYTES)
			remove_locked(ends.younger);    /* the oldest, and never this one: bodies are of 16 MiB at most */
	} else {
		free(e);
	}
	pthread_mutex_unlock(&lock);
	return good;
}

static bool
delete(const char *key)
{
	pthread_mutex_lock(&lock);
	struct kept *e = find_locked(key);
	if (e != NULL)
		remove_locked(e);
	pthread_mutex_unlock(&lock);
	return e != NULL;
}

static int
answer(struct pt_conn *c, const struct pt_value *asked, const struct pt_value *frame)
{
	static const struct pt_value null = PT_NULL_OF;
	struct pt_value pairs[2] = { PT_TEXT("stored"), PT_BOOL_OF(false) };
	const struct pt_value header = PT_DICT_OF(pairs, 1), *op = pt_get(asked, "op");
	char key[SAMPLE_NAME];

	if (!sample_copy(key, pt_get(asked, "key")))
		return pt_fail(c, asked, "bad-key", "keys are bytes, 64 at most, and no NUL");
	if (pt_is_text(op, "get") || pt_is_text(op, "gets"))
		return get(c, key, pt_is_text(op, "gets"));
	if (pt_is_text(op, "set"))
		pairs[1].boolean = set(key, pt_get(asked, "flags"), pt_get(asked, "cas"), frame);
	else if (pt_is_text(op, "delete"))
		pairs[0] = (struct pt_value)PT_TEXT("deleted"), pairs[1].boolean = delete(key);
	else
		return pt_fail(c, asked, "no-op", "get, gets, set or delete");
	return pt_send(c, &header, &null);
}

static void
serve(struct pt_conn *c)
{
	char user[SAMPLE_NAME];
	const struct pt_value *asked;
	struct pt_value frame;

	if (!sample_welcome(c, user))
		return;
	while (pt_recv_raw(c, &asked, &frame) == PT_OK && answer(c, asked, &frame) == PT_OK)
		;
}

int
main(int argc, char **argv)
{
	sample_arguments(argc, argv, 0);
	return sample_serve(serve);
}
