/* SPDX-License-Identifier: MIT
 * block.h - large blocks of memory, all of one size, some of which are kept for reuse. Of the C library such a block may not
 * find its way back to the system, for a small one beside it. Any thread, no lock. */
#ifndef ZOG_BASE_BLOCK_H
#define ZOG_BASE_BLOCK_H

enum {
	BLOCK_BYTES = 160 * 1024,
	BLOCKS_KEPT = 16,
};

void *block_get(void);          /* page-aligned, its bytes are anything; NULL: no memory */
void  block_put(void *);
void  block_trim(void);         /* gives those that are kept back to the system */

#endif
