/* SPDX-License-Identifier: MIT */
#include "daemon/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ring/route.h"

static struct link *
find_link(const struct view *v, const struct member *m)
{
	for (int i = 0; v != NULL && i < v->conf.ring.size; i++)
		if (v->link[i] != NULL && link_is_to(v->link[i], m))
			return v->link[i];
	return NULL;
}

struct view *
view_new(struct server *server, struct conf *conf, const struct view *old, const char **why)
{
	struct view *v = calloc(1, sizeof *v);
	if (v == NULL) {
		conf_fini(conf);
		*why = strerror(ENOMEM);
		return NULL;
	}
	atomic_init(&v->refs, 1);
	v->conf = *conf;
	memset(conf, 0, sizeof *conf);
	const struct ring *r = &v->conf.ring;
	v->ring_id = ring_hash(r);
	v->owns = net_resolve(r->member[v->conf.self].host, 0, false, v->own, VIEW_OWN, why);
	if (v->owns == 0) {
		view_drop(&v);
		return NULL;
	}
	for (int i = 0; i < r->size; i++) {
		if (i == v->conf.self)
			continue;
		struct link *l = find_link(old, &r->member[i]);
		v->link[i] = l != NULL ? link_ref(l) :
		    link_new(server, &r->member[i], (size_t)v->conf.queue_limit);
		if (v->link[i] == NULL) {
			*why = strerror(errno);
			view_drop(&v);
			return NULL;
		}
	}
	return v;
}

struct view *
view_ref(struct view *v)
{
	atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
	return v;
}

void
view_drop(struct view **v)
{
	if (*v != NULL && atomic_fetch_sub_explicit(&(*v)->refs, 1, memory_order_acq_rel) == 1) {
		for (int i = 0; i < RING_MAX; i++)
			link_drop(&(*v)->link[i]);
		conf_fini(&(*v)->conf);
		free(*v);
	}
	*v = NULL;
}

const struct addr *
view_own_addr(const struct view *v, int family)
{
	for (int i = 0; i < v->owns; i++)
		if (v->own[i].ss.ss_family == family)
			return &v->own[i];
	return NULL;
}

int
view_member_from(const struct view *v, const struct addr *a)
{
	int found = VIEW_STRANGER;
	for (int i = 0; i < v->conf.ring.size; i++)
		if (v->link[i] != NULL && link_is_from(v->link[i], a))
			found = found == VIEW_STRANGER ? i : VIEW_SEVERAL;
	return found;
}

bool
view_is_member(const struct view *v, const char *name, const struct addr *a)
{
	int i = view_place(v, name);
	return i >= 0 && v->link[i] != NULL && link_is_from(v->link[i], a);
}

static bool
allows(const struct view *v, const struct conf_allow *allow, const struct addr *a)
{
	for (int i = 0; i < allow->count; i++)
		if (cidr_holds(&allow->range[i], a))
			return true;
	if (!allow->ring)
		return false;
	for (int i = 0; i < v->owns; i++)
		if (addr_same_host(&v->own[i], a))
			return true;
	return view_member_from(v, a) != VIEW_STRANGER;
}

bool
view_allows_client(const struct view *v, const struct addr *a)
{
	return allows(v, &v->conf.allow_clients, a);
}

bool
view_allows_peer(const struct view *v, const struct addr *a)
{
	if (v->conf.secrets == NULL)
		return view_member_from(v, a) != VIEW_STRANGER;
	return allows(v, &v->conf.allow_peers, a);
}

int
view_place(const struct view *v, const char *name)
{
	return ring_find(&v->conf.ring, name);
}

/* A plain line cannot say whose stream it is of. What a plain peer passes on reaches a member that speaks the numbered form as a
 * message of no stream, and a second time when it pulls ours: so a plain peer is left to pass on only to its like. */
static bool
may_pass_on(const struct view *v, int to, char wrap)
{
	struct hop beyond[RING_MAX];
	const struct conf *c = &v->conf;
	if (wrap == '0' || !link_is_plain(v->link[to]))
		return true;
	if (c->ring.size > ROUTE_PLAIN_MAX)
		return false;
	int n = route_beyond((enum route_rule)c->forwarding, c->ring.size, c->self, to, wrap, beyond);
	for (int i = 0; i < n; i++)
		if (!link_is_plain(v->link[beyond[i].to]))
			return false;
	return true;
}

/* Our own frame to a hop. One that is down, and was to pass it on, gets its copy when it is up again (it pulls, or its queue
 * keeps it); those beyond it are served by us, now. */
static void
put_own(struct view *v, struct frame *f, int to, char wrap)
{
	if (may_pass_on(v, to, wrap) && link_put(v->link[to], f, wrap))
		return;
	link_put(v->link[to], f, '0');
	view_forward_beyond(v, f, to, wrap);
}

void
view_forward_beyond(struct view *v, struct frame *f, int via, char wrap)
{
	struct hop hops[RING_MAX];
	const struct conf *c = &v->conf;
	int n = route_beyond((enum route_rule)c->forwarding, c->ring.size, c->self, via, wrap, hops);
	for (int i = 0; i < n; i++)
		link_put(v->link[hops[i].to], f, hops[i].wrap);
}

void
view_forward_own(struct view *v, struct frame *f)
{
	struct hop hops[RING_MAX];
	const struct conf *c = &v->conf;
	int n = route_from_client((enum route_rule)c->forwarding, c->ring.size, c->self, hops);
	for (int i = 0; i < n; i++)
		put_own(v, f, hops[i].to, hops[i].wrap);
}

void
view_forward_frame(struct view *v, struct frame *f, char wrap)
{
	struct hop hops[RING_MAX];
	const struct conf *c = &v->conf;
	int origin = view_place(v, f->h.origin);
	if (origin < 0 || route_from_peer((enum route_rule)c->forwarding, c->ring.size, c->self, origin, wrap, hops) != 1)
		return;
	/* A link that is down lets it go, and the member behind it pulls. */
	link_put(v->link[hops[0].to], f, hops[0].wrap);
}

void
view_forward_plain(struct view *v, struct frame *f, int sender, char wrap)
{
	struct hop hops[RING_MAX];
	const struct conf *c = &v->conf;
	int n = route_from_plain((enum route_rule)c->forwarding, c->ring.size, c->self, sender, wrap, hops);
	for (int i = 0; i < n; i++)
		link_put(v->link[hops[i].to], f, hops[i].wrap);
}
