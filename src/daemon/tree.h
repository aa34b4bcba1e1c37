/* SPDX-License-Identifier: MIT
 * tree.h - a value of dicts and lists that is made piece by piece, as the tnetstring that goes out. Pure; one thread.
 * A key is given with each piece of a dict, NULL with those of a list. What is out of memory is so once,
 * and told at the end. */
#ifndef ZOG_DAEMON_TREE_H
#define ZOG_DAEMON_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum { TREE_DEPTH = 8 };

struct tree {
	struct buf at[TREE_DEPTH + 1];  /* what is in each container that is open; at[0]: the value itself */
	char       tag[TREE_DEPTH + 1];
	int        depth;
	bool       failed;
};
#define TREE_INIT { .depth = 0 }

void tree_dict(struct tree *, const char *key);
void tree_list(struct tree *, const char *key);
void tree_end(struct tree *);                                   /* of the innermost one */
void tree_int(struct tree *, const char *key, int64_t);
void tree_count(struct tree *, const char *key, uint64_t);      /* no more than an integer holds */
void tree_bool(struct tree *, const char *key, bool);
void tree_text(struct tree *, const char *key, const char *);
void tree_bytes(struct tree *, const char *key, const void *, size_t);
void tree_raw(struct tree *, const char *key, const struct tree *);      /* another one, whole */
bool tree_whole(const struct tree *);                           /* all containers were ended, and there was memory */
void tree_fini(struct tree *);                                  /* at[0] is the tree's until then */

#endif
