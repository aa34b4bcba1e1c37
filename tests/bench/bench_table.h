/* SPDX-License-Identifier: MIT
 * bench_table.h - the results as text. */
#ifndef ZOG_BENCH_TABLE_H
#define ZOG_BENCH_TABLE_H

#include <stdio.h>

void table_print(FILE *);

#endif
