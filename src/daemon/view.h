/* SPDX-License-Identifier: MIT
 * view.h - one state of settings, ring and links: a snapshot that never changes.
 * HUP makes a new one; whoever is at work keeps the one it began with until it is done. */
#ifndef ZOG_DAEMON_VIEW_H
#define ZOG_DAEMON_VIEW_H

#include <stdatomic.h>

#include "base/net.h"
#include "daemon/conf.h"
#include "daemon/link.h"
#include "wire/frame.h"

enum { VIEW_OWN = 8 };

struct view {
	atomic_uint  refs;
	/* constant after view_new */
	struct conf  conf;                      /* the view's own */
	struct link *link[RING_MAX];            /* by place in the ring, a reference each; NULL: ourselves */
	struct addr  own[VIEW_OWN];             /* our addresses, port 0 */
	int          owns;
	uint32_t     ring_id;
};

/* Takes the conf (also when it fails). Links that old (may be NULL) has already are shared, others made and not yet started.
 * NULL after *why was set. */
struct view *view_new(struct server *, struct conf *, const struct view *old, const char **why);
struct view *view_ref(struct view *);
void         view_drop(struct view **);         /* NULL is fine */

const struct addr *view_own_addr(const struct view *, int family);      /* NULL: we have none of that family */

/* Which member has this address: its place; -1: several have; -2: none but perhaps ourselves. */
enum { VIEW_SEVERAL = -1, VIEW_STRANGER = -2 };
int  view_member_from(const struct view *, const struct addr *);
bool view_is_member(const struct view *, const char *name, const struct addr *);        /* that one, from one of its addresses */
bool view_allows_client(const struct view *, const struct addr *);
bool view_allows_peer(const struct view *, const struct addr *);        /* to open as a member; who it is, it has to show */

/* Puts a frame into the queues of those it goes to; never blocks. */
void view_forward_own(struct view *, struct frame *);                           /* from a client of ours */
void view_forward_plain(struct view *, struct frame *, int sender, char wrap);  /* from a peer's plain lines */
void view_forward_beyond(struct view *, struct frame *, int via, char wrap);    /* our own, which via was to pass on */
void view_forward_frame(struct view *, struct frame *, char wrap);              /* from a peer, of a stream */

static inline uint32_t
view_ring_id(const struct view *v)
{
	return v->ring_id;
}

int  view_place(const struct view *, const char *name);         /* of a member; -1: it is none */

#endif
