/* SPDX-License-Identifier: MIT
 * id.h - bytes that nobody can guess. Any thread. */
#ifndef PETRICHOR_ID_H
#define PETRICHOR_ID_H

#include <stddef.h>

void id_random(void *, size_t);

#endif
