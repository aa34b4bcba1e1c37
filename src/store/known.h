/* SPDX-License-Identifier: MIT
 * known.h - lines that are in access.log though the journal, or another member, brings them once more: the last 256 MiB of
 * access.log, and of access.log.1, as a set. It is loaded where a line may come again, and let go when none does any more.
 *
 * There is doubt, over restarts too, after the state was lost or part of it: what comes from others may be in the file
 * already. It ends when no line was found in the set for an hour. One thread. */
#ifndef ZOG_STORE_KNOWN_H
#define ZOG_STORE_KNOWN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct known;

struct known *known_open(const char *log_path, const char *state_dir);  /* empty, no file was read; NULL: no memory */
void known_close(struct known **);

void known_load(struct known *);        /* reads the files, if that was not done since known_forget */
/* Instead: of these lines only those that the files have, which takes no memory for all the others. */
void known_load_only(struct known *, const struct buf *lines);
void known_forget(struct known *);
bool known_loaded(const struct known *);
void known_drop(struct known *, struct buf *lines, size_t from);        /* takes out those from there on that are known */

bool known_doubt(const struct known *);
void known_set_doubt(struct known *);
void known_end_doubt(struct known *);   /* if the time has come; forgets the lines, too */

#endif
