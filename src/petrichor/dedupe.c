/* SPDX-License-Identifier: MIT
 * dedupe.c - a bounded table of requests, so that one that is sent again runs once. Any number of threads.
 *
 *	free -- begin --> running -- finish --> done -- too old, or room is needed --> free
 *	                     '------ abort --------------------------------------------'
 *
 * 1. An entry is in a chain of the hash table while it is running or done, and only then.
 * 2. The done ones are in one list, the one done first at its head: they grow too old in this order.
 * 3. A running one is never taken away. */
#include "petrichor/dedupe.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "petrichor/header.h"
#include "petrichor/id.h"
#include "petrichor/keyed.h"

struct entry {
	struct entry *chain;            /* or the next free one */
	struct entry *older, *newer;    /* done ones */
	uint64_t      hash, fingerprint, serial;
	int64_t       done_ms;
	bool          running;
	size_t        peer_len, id_len;
	char          key[PT_PEER_MOST + PT_ID_MOST];   /* peer, id */
	char         *reply;            /* NULL: not kept */
	size_t        header_size, body_size;
};

struct pt_dedupe {
	/* constant after pt_dedupe_new */
	struct pt_dedupe_options options;
	uint64_t        secret[2];
	size_t          mask;
	int64_t       (*now)(void *ctx);
	void           *ctx;

	/* The last of all locks: nothing else is taken, called back, read or written while it is held. */
	pthread_mutex_t lock;
	/* under lock */
	struct entry  **bucket;
	struct entry   *entry;
	struct entry   *free;
	struct entry   *oldest, *newest;
	uint64_t        serial;
};

static int64_t
monotonic_ms(void *ctx)
{
	struct timespec t;
	(void)ctx;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct pt_dedupe *
pt_dedupe_new(const struct pt_dedupe_options *options)
{
	static const struct pt_dedupe_options usual = PT_DEDUPE_INIT;
	struct pt_dedupe *d = calloc(1, sizeof *d);
	if (d == NULL)
		return NULL;
	d->options = options != NULL ? *options : usual;
	if (d->options.capacity == 0)
		d->options.capacity = usual.capacity;
	size_t buckets = 16;
	while (buckets < d->options.capacity && buckets <= SIZE_MAX / 4)
		buckets *= 2;
	d->bucket = calloc(buckets, sizeof(struct entry *));
	d->entry = calloc(d->options.capacity, sizeof *d->entry);
	if (d->bucket == NULL || d->entry == NULL || pthread_mutex_init(&d->lock, NULL) != 0) {
		free(d->bucket);
		free(d->entry);
		free(d);
		return NULL;
	}
	d->mask = buckets - 1;
	d->now = monotonic_ms;
	for (size_t i = d->options.capacity; i > 0; i--) {
		d->entry[i - 1].chain = d->free;
		d->free = &d->entry[i - 1];
	}
	id_random(d->secret, sizeof d->secret);
	return d;
}

void
pt_dedupe_free(struct pt_dedupe **in)
{
	struct pt_dedupe *d = *in;
	*in = NULL;
	if (d == NULL)
		return;
	for (size_t i = 0; i < d->options.capacity; i++)
		free(d->entry[i].reply);
	pthread_mutex_destroy(&d->lock);
	free(d->bucket);
	free(d->entry);
	free(d);
}

void
dedupe_set_clock(struct pt_dedupe *d, int64_t (*now)(void *ctx), void *ctx)
{
	d->now = now;
	d->ctx = ctx;
}

/* ---- the table ---- */

static uint64_t
hash_key(const struct pt_dedupe *d, const char *peer, size_t peer_len, const char *id, size_t id_len)
{
	struct keyed k;
	uint64_t lens[2] = { peer_len, id_len };
	keyed_begin(&k, d->secret);
	keyed_add(&k, lens, sizeof lens);
	keyed_add(&k, peer, peer_len);
	keyed_add(&k, id, id_len);
	return keyed_end(&k);
}

static bool
is_key(const struct entry *e, uint64_t hash, const char *peer, size_t peer_len, const char *id, size_t id_len)
{
	return e->hash == hash && e->peer_len == peer_len && e->id_len == id_len &&
	    (peer_len == 0 || memcmp(e->key, peer, peer_len) == 0) && memcmp(e->key + peer_len, id, id_len) == 0;
}

static struct entry *
find_locked(struct pt_dedupe *d, uint64_t hash, const char *peer, size_t peer_len, const char *id, size_t id_len)
{
	struct entry *e = d->bucket[hash & d->mask];
	while (e != NULL && !is_key(e, hash, peer, peer_len, id, id_len))
		e = e->chain;
	return e;
}

/* From its chain to the free ones; it is in no list. Returns its reply, to be freed without the lock. */
static char *
forget_locked(struct pt_dedupe *d, struct entry *e)
{
	char *reply = e->reply;
	struct entry **at = &d->bucket[e->hash & d->mask];
	while (*at != e)
		at = &(*at)->chain;
	*at = e->chain;
	e->chain = d->free;
	d->free = e;
	e->running = false;
	e->serial = 0;
	e->reply = NULL;
	return reply;
}

static char *
forget_oldest_locked(struct pt_dedupe *d)
{
	struct entry *e = d->oldest;
	d->oldest = e->newer;
	*(d->oldest != NULL ? &d->oldest->older : &d->newest) = NULL;
	return forget_locked(d, e);
}

static void
done_locked(struct pt_dedupe *d, struct entry *e)
{
	e->running = false;
	e->done_ms = d->now(d->ctx);
	e->older = d->newest;
	e->newer = NULL;
	*(d->newest != NULL ? &d->newest->newer : &d->oldest) = e;
	d->newest = e;
}

static void
forget_old_locked(struct pt_dedupe *d)
{
	int64_t now = d->now(d->ctx);
	while (d->options.age_ms >= 0 && d->oldest != NULL && now - d->oldest->done_ms >= d->options.age_ms)
		free(forget_oldest_locked(d));
}

/* A new one, which runs; NULL: all others do. */
static struct entry *
insert_locked(struct pt_dedupe *d, uint64_t hash, const char *peer, size_t peer_len, const char *id, size_t id_len)
{
	if (d->free == NULL && d->oldest != NULL)
		free(forget_oldest_locked(d));
	struct entry *e = d->free;
	if (e == NULL)
		return NULL;
	d->free = e->chain;
	e->chain = d->bucket[hash & d->mask];
	d->bucket[hash & d->mask] = e;
	e->hash = hash;
	e->serial = ++d->serial;
	e->running = true;
	e->peer_len = peer_len;
	e->id_len = id_len;
	if (peer_len != 0)
		memcpy(e->key, peer, peer_len);
	memcpy(e->key + peer_len, id, id_len);
	e->header_size = e->body_size = 0;
	return e;
}

/* ---- what a request is ---- */

static int
add_frame(struct keyed *k, const struct pt_value *v, int flags)
{
	char *frame;
	size_t size;
	if (v->type == PT_FRAME) {
		keyed_add(k, v->bytes.at, v->bytes.len);
		return PT_OK;
	}
	int e = pt_encode_new(v, flags, &frame, &size);
	if (e != PT_OK)
		return e;
	keyed_add(k, frame, size);
	free(frame);
	return PT_OK;
}

/* The header without what the helpers put there, in an order of its own, and the body. */
static int
fingerprint(const struct pt_dedupe *d, const struct pt_value *header, const struct pt_value *body, uint64_t *out)
{
	static const struct pt_value nothing = PT_BYTES_OF(NULL, 0);
	struct header mine = { .items = NULL };
	struct keyed k;
	int e = header_begin(&mine, header, 0);
	if (e != PT_OK)
		return e;
	size_t kept = 0;
	for (size_t i = 0; i < mine.value.items.len; i++)
		if (!header_is_ours(&mine.items[2 * i])) {
			mine.items[2 * kept] = mine.items[2 * i];
			mine.items[2 * kept++ + 1] = mine.items[2 * i + 1];
		}
	mine.value.items.len = kept;
	keyed_begin(&k, d->secret);
	e = add_frame(&k, &mine.value, PT_SORTED);
	if (e == PT_OK)
		e = add_frame(&k, body != NULL ? body : &nothing, 0);
	header_fini(&mine);
	*out = keyed_end(&k);
	return e;
}

/* ---- what threads call ---- */

static int
replay_locked(const struct entry *e, struct pt_run *run)
{
	size_t size = e->header_size + e->body_size;
	run->reply = malloc(size);
	if (run->reply == NULL)
		return PT_E_MEMORY;
	memcpy(run->reply, e->reply, size);
	run->header_size = e->header_size;
	run->body_size = e->body_size;
	return PT_OK;
}

static int
begin_locked(struct pt_dedupe *d, const char *peer, size_t peer_len, uint64_t hash, uint64_t print, struct pt_run *run)
{
	forget_old_locked(d);
	struct entry *e = find_locked(d, hash, peer, peer_len, run->id, run->id_len);
	if (e == NULL) {
		e = insert_locked(d, hash, peer, peer_len, run->id, run->id_len);
		run->outcome = e != NULL ? PT_NEW : PT_FULL;
		if (e == NULL)
			return PT_OK;
		e->fingerprint = print;
		run->dedupe = d;
		run->slot = (size_t)(e - d->entry);
		run->serial = e->serial;
		return PT_OK;
	}
	if (e->fingerprint != print)
		run->outcome = PT_REUSED;
	else if (e->running)
		run->outcome = PT_RUNNING;
	else
		run->outcome = e->reply != NULL ? PT_REPLAY : PT_GONE;
	return run->outcome == PT_REPLAY ? replay_locked(e, run) : PT_OK;
}

int
pt_dedupe_begin(struct pt_dedupe *d, const char *peer, size_t peer_len, const struct pt_value *header,
    const struct pt_value *body, struct pt_run *run)
{
	const struct pt_value *id = pt_get(header, "pt.id");
	uint64_t print;
	*run = (struct pt_run){ .outcome = PT_REUSED };
	if (id == NULL || id->type != PT_BYTES || id->bytes.len == 0 || id->bytes.len > PT_ID_MOST || peer_len > PT_PEER_MOST)
		return PT_E_ARGUMENT;
	memcpy(run->id, id->bytes.at, id->bytes.len);
	run->id_len = id->bytes.len;
	int e = fingerprint(d, header, body, &print);
	if (e != PT_OK)
		return e;
	uint64_t hash = hash_key(d, peer, peer_len, run->id, run->id_len);
	pthread_mutex_lock(&d->lock);
	e = begin_locked(d, peer, peer_len, hash, print, run);
	pthread_mutex_unlock(&d->lock);
	return e;
}

/* Both frames in one block; NULL and PT_OK: too long to be kept. */
static int
reply_new(const struct pt_dedupe *d, const struct pt_value *header, const struct pt_value *body, char **reply,
    size_t *header_size, size_t *body_size)
{
	static const struct pt_value none = PT_DICT_OF(NULL, 0), nothing = PT_BYTES_OF(NULL, 0);
	header = header != NULL ? header : &none;
	body = body != NULL ? body : &nothing;
	*reply = NULL;
	int e = header->type == PT_DICT ? pt_measure(header, header_size) : PT_E_ARGUMENT;
	if (e == PT_OK)
		e = pt_measure(body, body_size);
	if (e != PT_OK || *header_size > d->options.reply_bytes || *body_size > d->options.reply_bytes - *header_size)
		return e;
	char *block = malloc(*header_size + *body_size);
	if (block == NULL)
		return PT_E_MEMORY;
	e = pt_encode(header, 0, block, *header_size);
	if (e == PT_OK)
		e = pt_encode(body, 0, block + *header_size, *body_size);
	if (e == PT_OK)
		*reply = block;
	else
		free(block);
	return e;
}

/* The entry of a run that has not been finished. */
static struct entry *
entry_locked(struct pt_dedupe *d, const struct pt_run *run)
{
	struct entry *e = run->slot < d->options.capacity ? &d->entry[run->slot] : NULL;
	return e != NULL && e->running && e->serial == run->serial ? e : NULL;
}

/* Whatever is wrong with the reply: the request has run, and is not to run again. */
int
pt_dedupe_finish(struct pt_run *run, const struct pt_value *header, const struct pt_value *body)
{
	struct pt_dedupe *d = run->dedupe;
	char *reply;
	size_t header_size = 0, body_size = 0;
	if (d == NULL)
		return PT_E_ARGUMENT;
	run->dedupe = NULL;
	int error = reply_new(d, header, body, &reply, &header_size, &body_size);
	pthread_mutex_lock(&d->lock);
	struct entry *e = entry_locked(d, run);
	if (e != NULL) {
		e->reply = reply;
		e->header_size = header_size;
		e->body_size = body_size;
		done_locked(d, e);
	}
	pthread_mutex_unlock(&d->lock);
	if (e == NULL) {
		free(reply);
		return PT_E_ARGUMENT;
	}
	return error;
}

void
pt_dedupe_abort(struct pt_run *run)
{
	struct pt_dedupe *d = run->dedupe;
	if (d == NULL)
		return;
	run->dedupe = NULL;
	pthread_mutex_lock(&d->lock);
	struct entry *e = entry_locked(d, run);
	if (e != NULL)
		forget_locked(d, e);
	pthread_mutex_unlock(&d->lock);
}

enum pt_outcome
pt_dedupe_seen(struct pt_dedupe *d, const char *peer, size_t peer_len, const char *id, size_t id_len)
{
	enum pt_outcome outcome = PT_GONE;
	if (id_len == 0 || id_len > PT_ID_MOST || peer_len > PT_PEER_MOST)
		return PT_FULL;
	uint64_t hash = hash_key(d, peer, peer_len, id, id_len);
	pthread_mutex_lock(&d->lock);
	forget_old_locked(d);
	if (find_locked(d, hash, peer, peer_len, id, id_len) == NULL) {
		struct entry *e = insert_locked(d, hash, peer, peer_len, id, id_len);
		outcome = e != NULL ? PT_NEW : PT_FULL;
		if (e != NULL) {
			e->fingerprint = 0;
			done_locked(d, e);
		}
	}
	pthread_mutex_unlock(&d->lock);
	return outcome;
}
