/* SPDX-License-Identifier: MIT
 * lines.h - a frame as access.log has it: "TIME NAME:SEQ TEXT\n" for each line (doc/protocol, section 8). Pure. */
#ifndef ZOG_STORE_LINES_H
#define ZOG_STORE_LINES_H

#include "base/buf.h"
#include "wire/frame.h"

/* Appends the lines but those counted in skip (from 0, ascending). false: no memory. */
bool lines_render(struct buf *, const struct frame_head *, const char *body, const uint32_t *skip, uint32_t skips);

/* For tests: without wide registers. */
bool lines_render_plain(struct buf *, const struct frame_head *, const char *body, const uint32_t *skip, uint32_t skips);

#endif
