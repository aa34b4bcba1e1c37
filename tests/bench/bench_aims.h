/* SPDX-License-Identifier: MIT
 * bench_aims.h - what zog aims at, and whether it was met on this machine. A slow machine is no
 * error. */
#ifndef ZOG_BENCH_AIMS_H
#define ZOG_BENCH_AIMS_H

#include <stdio.h>

void aims_print(FILE *, const char *zogd);

#endif
