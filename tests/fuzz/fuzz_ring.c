/* SPDX-License-Identifier: MIT
 * fuzz_ring.c - the text of a ring file: errors by line and readable, or a ring that is one, and comes back the same when
 * it is written down. */
#include "fuzz.h"

#include "ring/ring.h"

static void
check_ring(const struct ring *r)
{
	fuzz_require(r->size >= 1 && r->size <= RING_MAX);
	for (int i = 0; i < r->size; i++) {
		const struct member *m = &r->member[i];
		fuzz_require(ring_name_ok(m->name) && strlen(m->name) <= RING_NAME);
		fuzz_require(strlen(m->host) >= 1 && strlen(m->host) < NET_HOST);
		fuzz_require(m->peer_port != 0 && m->client_port != 0 && m->peer_port != m->client_port);
		fuzz_require(ring_find(r, m->name) == i);
		for (int j = 0; j < i; j++)
			fuzz_require(strcmp(r->member[j].host, m->host) != 0 ||
			    (r->member[j].peer_port != m->peer_port && r->member[j].client_port != m->client_port));
	}
}

static void
check_again(const struct ring *r)
{
	struct buf text = BUF_INIT, errors = BUF_INIT;
	static struct ring again;
	for (int i = 0; i < r->size; i++)
		fuzz_require(buf_printf(&text, "%s %s %u %u\r\n", r->member[i].name, r->member[i].host, r->member[i].peer_port,
		    r->member[i].client_port));
	fuzz_require(buf_put(&text, "", 1));
	fuzz_require(ring_parse(&again, "again", buf_begin(&text), &errors));
	fuzz_require(errors.len == 0 && memcmp(&again, r, sizeof again) == 0);
	buf_fini(&text);
	buf_fini(&errors);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ring r;
	struct buf errors = BUF_INIT;
	char *text = malloc(size + 1);
	fuzz_require(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	if (ring_parse(&r, "ring", text, &errors)) {
		fuzz_require(errors.len == 0);
		check_ring(&r);
		check_again(&r);
	} else {
		fuzz_require(errors.len != 0);
		fuzz_require_errors(buf_begin(&errors), errors.len, "ring:");
	}
	buf_fini(&errors);
	free(text);
	return 0;
}
