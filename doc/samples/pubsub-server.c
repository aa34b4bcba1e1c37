/* SPDX-License-Identifier: MIT
 * pubsub-server.c - who subscribes to a beginning of topics is sent what anybody publishes there. A peer
 * that does not read is dropped once its queue is full: nobody else waits for it.
 *
 *	{sub: [news.]} ""               ->      {pt.id: 1, topic: news.rain} "wet"      as often as there is some
 *	{topic: news.rain} "wet"                publishes; the server counts in pt.id */
#include "sample-server.h"

enum { QUEUE = 64, PREFIXES = 16, BODY_BYTES = 65536 };

struct message {
	unsigned        users;          /* under lock, the rest is constant */
	char            id[24], topic[SAMPLE_NAME];
	char           *frame;          /* of the body */
	size_t          size;
};

struct subscriber {
	struct pt_conn *conn;           /* its thread's */
	int             wake[2];
	/* under lock */
	char            prefix[PREFIXES][SAMPLE_NAME];
	int             prefixes;
	struct message *queue[QUEUE];
	size_t          first, len;
	struct subscriber *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct subscriber *subscribers;          /* under lock */
static unsigned long long published;            /* under lock */

static void
release_locked(struct message *m)
{
	if (--m->users == 0) {
		free(m->frame);
		free(m);
	}
}

static bool
wants_locked(const struct subscriber *s, const char *topic)
{
	for (int i = 0; i < s->prefixes; i++)
		if (strncmp(topic, s->prefix[i], strlen(s->prefix[i])) == 0)
			return true;
	return false;
}

static int
publish(const char *topic, const struct pt_value *body)
{
	struct message *m = calloc(1, sizeof *m);
	int e = m == NULL ? PT_E_MEMORY : pt_encode_new(body, 0, &m->frame, &m->size);
	if (e != PT_OK) {
		free(m);
		return e;
	}
	strcpy(m->topic, topic);
	m->users = 1;
	pthread_mutex_lock(&lock);
	snprintf(m->id, sizeof m->id, "%llu", ++published);
	for (struct subscriber *s = subscribers; s != NULL; s = s->next) {
		if (!wants_locked(s, topic))
			continue;
		if (s->len == QUEUE) {
			shutdown(pt_conn_fd(s->conn), SHUT_RDWR);       /* its thread will see */
			continue;
		}
		s->queue[(s->first + s->len++) % QUEUE] = m;
		m->users++;
		sample_wake(s->wake);
	}
	release_locked(m);
	pthread_mutex_unlock(&lock);
	return PT_OK;
}

static int
push_all(struct subscriber *s)
{
	int e = PT_OK;
	sample_awake(s->wake);
	pthread_mutex_lock(&lock);
	while (e == PT_OK && s->len > 0) {
		struct message *m = s->queue[s->first];
		s->first = (s->first + 1) % QUEUE;
		s->len--;
		pthread_mutex_unlock(&lock);
		const struct pt_value pairs[] = {
			PT_TEXT("pt.id"), PT_BYTES_OF(m->id, strlen(m->id)),
			PT_TEXT("topic"), PT_BYTES_OF(m->topic, strlen(m->topic)),
		};
		const struct pt_value header = PT_DICT_OF(pairs, 2);
		const struct pt_value body = { .type = PT_FRAME, .bytes = { m->frame, m->size } };
		e = pt_send(s->conn, &header, &body);
		pthread_mutex_lock(&lock);
		release_locked(m);
	}
	pthread_mutex_unlock(&lock);
	return e;
}

static int
handle(struct subscriber *s)
{
	char topic[SAMPLE_NAME];
	const struct pt_value *header, *body;
	int e = pt_recv(s->conn, &header, &body);
	if (e != PT_OK)
		return e;
	if (sample_copy(topic, pt_get(header, "topic"))) {
		size_t size;
		e = pt_measure(body, &size);
		if (e == PT_OK && size > BODY_BYTES)
			return pt_fail(s->conn, header, "too-large", "of 64 KiB at most");
		return e == PT_OK ? publish(topic, body) : e;
	}
	const struct pt_value *list = pt_get(header, "sub");
	if (list == NULL || list->type != PT_LIST)
		return PT_OK;
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < list->items.len && s->prefixes < PREFIXES; i++)
		if (sample_copy(s->prefix[s->prefixes], &list->items.at[i]))
			s->prefixes++;
	pthread_mutex_unlock(&lock);
	return PT_OK;
}

static void
serve(struct pt_conn *c)
{
	char user[SAMPLE_NAME];
	struct subscriber s = { .conn = c };

	if (!sample_welcome(c, user) || !sample_wake_open(s.wake))
		return;
	pthread_mutex_lock(&lock);
	s.next = subscribers;
	subscribers = &s;
	pthread_mutex_unlock(&lock);

	int what, e = PT_OK;
	while (e == PT_OK && (what = sample_wait(c, s.wake[0], SAMPLE_IDLE_MS)) != 0) {
		if ((what & SAMPLE_OTHER) != 0)
			e = push_all(&s);
		if (e == PT_OK && (what & SAMPLE_PAIR) != 0)
			e = handle(&s);
	}

	pthread_mutex_lock(&lock);
	struct subscriber **p = &subscribers;
	while (*p != &s)
		p = &(*p)->next;
	*p = s.next;
	for (; s.len > 0; s.len--, s.first++)
		release_locked(s.queue[s.first % QUEUE]);
	pthread_mutex_unlock(&lock);
	sample_wake_close(s.wake);
}

int
main(int argc, char **argv)
{
	sample_arguments(argc, argv, 0);
	return sample_serve(serve);
}
