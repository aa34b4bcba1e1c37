/* SPDX-License-Identifier: MIT
 * harness_own.h - what the harness's files say to each other; stories do not include it. */
#ifndef ZOG_TESTS_HARNESS_OWN_H
#define ZOG_TESTS_HARNESS_OWN_H

#include "harness.h"

extern struct ring_rig *rig_now;                /* the rig that this test has made; NULL: none */

void rig_check_alive(struct ring_rig *);        /* fails where a member is gone that nobody stopped */
void rig_abandon(void);                         /* kills all that runs, forgets the rig, keeps the folder */
uint64_t rig_mask(const struct ring_rig *, uint64_t mask);      /* that mask; 0: of the members that run */

/* The texts of one load, plain or numbered. */
enum { LOAD_TEXT = 1024 };
struct load_texts {
	char tag;
	int  conns, each, least, most;
};
size_t load_text(const struct load_texts *, int conn, int n, char out[LOAD_TEXT]);      /* without line end; its length */
/* Which of these a text is; false: none of them. */
bool   load_text_whose(const struct load_texts *, const char *text, size_t len, int *conn, int *n);
bool   load_text_like(const struct load_texts *, const char *text, size_t len);         /* it begins like one */

#endif
