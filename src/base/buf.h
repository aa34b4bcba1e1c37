/* SPDX-License-Identifier: MIT
 * buf.h - a growable run of bytes with a start that can be eaten away.
 * Not shared between threads. Bytes in use are data[start .. start + len). */
#ifndef ZOG_BASE_BUF_H
#define ZOG_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char   *data;           /* NULL until something is put in */
	size_t  start, len;     /* bytes eaten, bytes in use */
	size_t  size;           /* bytes allocated */
};

#define BUF_INIT { NULL, 0, 0, 0 }

void  buf_fini(struct buf *);                   /* frees; the buffer is empty and usable again */
void  buf_clear(struct buf *);                  /* empty, the memory stays */
char *buf_room(struct buf *, size_t n);         /* where n more bytes can be written; NULL: no memory */
void  buf_added(struct buf *, size_t n);        /* n bytes were written at buf_room */
void  buf_eat(struct buf *, size_t n);          /* drops the first n bytes */
void  buf_shrink(struct buf *, size_t keep);    /* gives memory back if empty and over keep bytes */

/* These return false when memory is out, and then leave the buffer as it was. */
bool  buf_put(struct buf *, const void *, size_t n);
bool  buf_puts(struct buf *, const char *);
bool  buf_printf(struct buf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool  buf_vprintf(struct buf *, const char *fmt, va_list) __attribute__((format(printf, 2, 0)));

static inline char *
buf_begin(const struct buf *b)
{
	return b->start != 0 ? b->data + b->start : b->data;    /* NULL + 0 is undefined */
}

#endif
