/* SPDX-License-Identifier: MIT
 * number.h - whole numbers and floats as the frames have them, the same in every locale. Pure; any thread. */
#ifndef PETRICHOR_NUMBER_H
#define PETRICHOR_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* PT_OK, PT_E_INT or PT_E_INT_RANGE. */
int number_check_int(const char *p, size_t n);
int64_t number_take_int(const char *p, size_t n);       /* of one that is good */
/* PT_OK, PT_E_FLOAT or PT_E_FLOAT_RANGE; with out NULL it only judges, which is cheaper. Too small is 0. */
int number_float(const char *p, size_t n, double *out);

/* Decimal, to the left of end; returns how many bytes. */
enum { NUMBER_INT_TEXT = 20 };
size_t number_put_size(char *end, size_t);
size_t number_put_int(char *end, int64_t);
size_t number_size_digits(size_t);      /* how many it would be; for sizes of up to 10 digits */

#endif
