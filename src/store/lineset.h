/* SPDX-License-Identifier: MIT
 * lineset.h - the lines of a file as a set of hashes, made once and then only asked. */
#ifndef ZOG_STORE_LINESET_H
#define ZOG_STORE_LINESET_H

#include <stdbool.h>
#include <stddef.h>

struct lineset;

/* Of the last max_bytes of the file. NULL: no line in it, it cannot be read, or no memory. */
struct lineset *lineset_load(const char *file, size_t max_bytes);
/* Its lines too, or of them only those that are in another set (NULL: all); makes the set if it is NULL. */
void            lineset_add(struct lineset **, const char *file, size_t max_bytes, const struct lineset *only);
bool            lineset_put(struct lineset **, const char *line, size_t n);     /* one; makes the set if it is NULL; false: no memory */
void            lineset_free(struct lineset **);
bool            lineset_has(const struct lineset *, const char *line, size_t n);        /* with its LF */

#endif
