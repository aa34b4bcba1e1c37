/* SPDX-License-Identifier: MIT
 * number.c - numbers to text and back. printf and strtod go by the locale's radix character, which is a comma for many and
 * two bytes long for some: of what printf says only the digits are taken, and strtod is given digits and an exponent. */
#include "petrichor/number.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "petrichor/petrichor.h"

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- whole numbers ---- */

int
number_check_int(const char *p, size_t n)
{
	const char *end = p + n, *digits = p + (n != 0 && *p == '-');
	if (digits == end || (*digits == '0' && end - digits > 1))
		return PT_E_INT;
	for (const char *i = digits; i < end; i++)
		if (!is_digit(*i))
			return PT_E_INT;
	/* Of as many digits, what is larger comes later. */
	if (end - digits < 19)
		return PT_OK;
	if (end - digits > 19)
		return PT_E_INT_RANGE;
	return memcmp(digits, digits == p ? "9223372036854775807" : "9223372036854775808", 19) > 0 ? PT_E_INT_RANGE : PT_OK;
}

int64_t
number_take_int(const char *p, size_t n)
{
	const char *end = p + n;
	bool minus = *p == '-';
	uint64_t v = 0;
	for (p += minus; p < end; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	/* Not by negating: there is no +2^63. */
	return minus && v != 0 ? -(int64_t)(v - 1) - 1 : (int64_t)v;
}

size_t
number_put_size(char *end, size_t v)
{
	char *p = end;
	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	return (size_t)(end - p);
}

size_t
number_put_int(char *end, int64_t v)
{
	uint64_t left = v < 0 ? -(uint64_t)v : (uint64_t)v;
	char *p = end;
	do {
		*--p = (char)('0' + left % 10);
		left /= 10;
	} while (left != 0);
	if (v < 0)
		*--p = '-';
	return (size_t)(end - p);
}

size_t
number_size_digits(size_t v)
{
	size_t n = 1;
	for (; v >= 10; v /= 10)
		n++;
	return n;
}

/* ---- floats, reading ---- */

/* Of the digits behind the leading zeros, as many as can decide how a double is rounded, and one more. */
enum { DIGITS_MOST = 780, EXPONENT_MOST = 200000000 };

struct decimal {
	bool     minus, more;   /* more: a digit that is not 0 stood behind those that are kept */
	size_t   n;             /* digits kept */
	uint64_t first;         /* the first 19 of them as a number */
	int64_t  exponent;      /* of the last digit kept */
	char     digits[DIGITS_MOST];
};

/* One digit, weight going down by one with each behind the point. */
static inline void
take_digit(struct decimal *d, char c, bool behind)
{
	d->exponent -= behind;
	if (d->n == 0 && c == '0')
		return;
	if (d->n < DIGITS_MOST) {
		if (d->n < 19)
			d->first = d->first * 10 + (uint64_t)(c - '0');
		d->digits[d->n++] = c;
		return;
	}
	d->exponent++;
	d->more |= c != '0';
}

/* [eE][+-]?[0-9]+, all of p .. end. */
static bool
take_exponent(struct decimal *d, const char *p, const char *end)
{
	int64_t e = 0;
	bool minus = ++p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	if (p == end)
		return false;
	for (; p < end; p++) {
		if (!is_digit(*p))
			return false;
		if (e < EXPONENT_MOST)
			e = e * 10 + (*p - '0');
	}
	d->exponent += minus ? -e : e;
	return true;
}

/* -?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool
parse_float(struct decimal *d, const char *p, const char *end)
{
	d->n = 0;
	d->first = 0;
	d->exponent = 0;
	d->more = false;
	d->minus = p < end && *p == '-';
	p += d->minus;
	if (p == end || !is_digit(*p))
		return false;
	for (; p < end && is_digit(*p); p++)
		take_digit(d, *p, false);
	if (p < end && *p == '.') {
		if (++p == end || !is_digit(*p))
			return false;
		for (; p < end && is_digit(*p); p++)
			take_digit(d, *p, true);
	}
	return p == end || ((*p == 'e' || *p == 'E') && take_exponent(d, p, end));
}

#if FLT_EVAL_METHOD == 0
static const double ten[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
	1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
#endif

/* Up to 2^53 and 10^22 both are doubles as they stand, and one division or multiplication rounds once. */
static bool
exact(const struct decimal *d, double *out)
{
#if FLT_EVAL_METHOD == 0
	if (d->n > 19 || d->first > UINT64_C(1) << 53 || d->exponent < -22 || d->exponent > 22)
		return false;
	double v = (double)d->first;
	*out = d->exponent < 0 ? v / ten[-d->exponent] : v * ten[d->exponent];
	return true;
#else
	(void)d, (void)out;
	return false;
#endif
}

/* No radix character ever gets to strtod. */
static double
round_float(struct decimal *d)
{
	char text[DIGITS_MOST + 32];
	size_t n = d->n;
	memcpy(text, d->digits, n);
	long long exponent = d->exponent;
	if (d->more) {
		/* Only that there is more can matter: it decides what would else be half way. */
		text[n++] = '1';
		exponent--;
	}
	snprintf(text + n, sizeof text - n, "e%lld", exponent);
	return strtod(text, NULL);
}

int
number_float(const char *p, size_t n, double *out)
{
	struct decimal d;
	double v = 0;
	if (!parse_float(&d, p, p + n))
		return PT_E_FLOAT;
	/* Below 1e308, judging needs no more. */
	if (out == NULL && (d.n == 0 || (int64_t)d.n + d.exponent <= DBL_MAX_10_EXP))
		return PT_OK;
	if (d.n != 0 && !exact(&d, &v))
		v = round_float(&d);
	if (isinf(v))
		return PT_E_FLOAT_RANGE;
	if (out != NULL)
		*out = d.minus ? -v : v;
	return PT_OK;
}

/* ---- floats, writing ---- */

struct digits {
	size_t n;
	int    exponent;        /* of the first digit */
	char   digit[24];
};

static double
value_of(const struct digits *d)
{
	char text[64];
	memcpy(text, d->digit, d->n);
	snprintf(text + d->n, sizeof text - d->n, "e%d", d->exponent - (int)d->n + 1);
	return strtod(text, NULL);
}

/* So many digits of a positive number, rounded. */
static void
take_digits(struct digits *d, double v, int n)
{
	char text[64];
	snprintf(text, sizeof text, "%.*e", n - 1, v);
	const char *p = text;
	d->n = 0;
	for (; *p != 'e'; p++)
		if (is_digit(*p) && d->n < (size_t)n)
			d->digit[d->n++] = *p;
	d->exponent = (int)strtol(p + 1, NULL, 10);
}

/* What people write: at most 15 digits, few of them behind the point. Those are the only ones of at most 15 that read as v,
 * and the quotient of two whole numbers that are doubles is just what reading them gives. */
static bool
take_few(struct digits *d, double v)
{
#if FLT_EVAL_METHOD == 0
	char text[NUMBER_INT_TEXT];
	if (v < 1e-5 || v >= 1e15)
		return false;
	for (int behind = 0; behind < 20; behind++) {
		double whole = (double)(int64_t)(v * ten[behind] + 0.5);
		if (whole >= 1e15)
			return false;
		if (whole / ten[behind] != v)
			continue;
		d->n = number_put_int(text + sizeof text, (int64_t)whole);
		memcpy(d->digit, text + sizeof text - d->n, d->n);
		d->exponent = (int)d->n - 1 - behind;
		return true;
	}
#endif
	(void)d;
	return false;
}

/* The next one up, if that needs no more digits. */
static bool
add_one(struct digits *d)
{
	if (d->digit[d->n - 1] == '9')
		return false;
	d->digit[d->n - 1]++;
	return true;
}

/* The fewest that read as v. */
static void
shortest(struct digits *d, double v)
{
	/* 15 digits that are a double's own come back out of it, so what needs fewer is 15 with zeros at the end. Not so
	 * below the normal ones, which have less precision. */
	int n = v < DBL_MIN ? 1 : DBL_DIG;
	bool few = take_few(d, v);
	for (; !few && n < 17; n++) {
		take_digits(d, v, n);
		if (value_of(d) == v)
			break;
		/* At a power of two the doubles below are closer than those above: the nearest of 16 digits may belong
		 * to the one below, and the next one up still to this. */
		int e;
		if (n == 16 && frexp(v, &e) == 0.5 && add_one(d) && value_of(d) == v)
			break;
	}
	if (n == 17)
		take_digits(d, v, n);
	while (d->n > 1 && d->digit[d->n - 1] == '0')
		d->n--;
}

/* X.Y, without an exponent. */
static size_t
lay_out(char *to, const struct digits *d)
{
	char *p = to;
	int last = (int)d->n - 1;
	int from = d->exponent > 0 ? d->exponent : 0;           /* the place of the first digit written */
	int down = d->exponent - last;                          /* of the last */
	if (down > -1)
		down = -1;
	for (int place = from; place >= down; place--) {
		int i = d->exponent - place;
		*p++ = i >= 0 && i <= last ? d->digit[i] : '0';
		if (place == 0)
			*p++ = '.';
	}
	return (size_t)(p - to);
}

size_t
pt_float_text(char text[PT_FLOAT_TEXT], double v)
{
	struct digits d = { .n = 1, .digit = "0" };
	char *p = text;
	if (!isfinite(v))
		return 0;
	if (signbit(v))
		*p++ = '-';
	if (v != 0)
		shortest(&d, fabs(v));
	return (size_t)(p - text) + lay_out(p, &d);
}
