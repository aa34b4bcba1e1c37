/* SPDX-License-Identifier: MIT
 * frame.h - a batch of messages on its way: the lines that one read from one sender yielded.
 * Made by one thread, then shared by reference between queues and never changed again. */
#ifndef ZOG_WIRE_FRAME_H
#define ZOG_WIRE_FRAME_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAME_NAME = 16 };       /* bytes of a member's name */

struct frame {
	atomic_uint refs;
	/* constant once shared */
	char        origin[FRAME_NAME + 1];     /* whose client sent it; on plain lines: which peer */
	uint64_t    seq;                        /* number of the first line, the others follow on; 0: none has one */
	int64_t     time_ms;                    /* when the origin accepted it; on plain lines: when we did */
	uint32_t    count;                      /* lines */
	size_t      size;                       /* bytes of body */
	char        body[];                     /* the lines, each ending in CR LF */
};

struct frame *frame_new(const char *origin, size_t room);       /* one reference, no lines; NULL: no memory */
void          frame_add(struct frame *, const char *text, size_t len);  /* while there is room: len + 2 bytes */
struct frame *frame_ref(struct frame *);
void          frame_drop(struct frame **);                      /* NULL is fine; frees with the last reference */

#endif
