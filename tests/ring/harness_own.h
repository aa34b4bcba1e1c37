/* SPDX-License-Identifier: MIT
 * harness_own.h - what the harness's files say to each other; stories do not include it. */
#ifndef ZOG_TESTS_HARNESS_OWN_H
#define ZOG_TESTS_HARNESS_OWN_H

#include "harness.h"

extern struct ring_rig *rig_now;                /* the rig that this test has made; NULL: none */

void rig_check_alive(struct ring_rig *);        /* fails where a member is gone that nobody stopped */
void rig_abandon(void);                         /* kills all that runs, forgets the rig, keeps the folder */
void rig_addr(struct addr *, const char *host, uint16_t port);

#endif
