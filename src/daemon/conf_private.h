/* SPDX-License-Identifier: MIT
 * conf_private.h - the settings there are, as conf.c reads them. */
#ifndef ZOG_DAEMON_CONF_PRIVATE_H
#define ZOG_DAEMON_CONF_PRIVATE_H

#include <stddef.h>

#include "daemon/conf.h"

/* One setting. parse returns NULL or what a value should look like; it may be called again, for an option. */
struct key {
	const char *name;
	const char *preset;             /* NULL: none */
	const char *(*parse)(void *at, const char *value);
	size_t      at;                 /* offset in struct conf */
	enum { LIVE, FIXED } when;      /* changes at HUP; only at a start */
};

enum { CONF_KEYS = 35 };
extern const struct key conf_keys[CONF_KEYS];

char **conf_path(struct conf *, const struct key *);    /* where it stands; NULL: the key is no path */
void   conf_print_value(const struct conf *, const struct key *, struct buf *out);

#endif
