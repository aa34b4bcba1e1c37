/* SPDX-License-Identifier: MIT
 * Whole numbers and floats, the same in every locale: edges, random doubles there and back, and the fewest digits. */
#include "petrichor/number.h"

#include <float.h>
#include <locale.h>
#include <math.h>

#include "petrichor/petrichor.h"
#include "unit.h"

/* ---- whole numbers ---- */

static int
number_int(const char *p, size_t n, int64_t *out)
{
	int e = number_check_int(p, n);
	if (e == PT_OK)
		*out = number_take_int(p, n);
	return e;
}

static void
good_int(const char *text, int64_t want)
{
	int64_t i = 77;
	int e = number_int(text, strlen(text), &i);
	ck_assert_msg(e == PT_OK && i == want, "%s: %s, %" PRId64, text, pt_error_name(e), i);
}

static void
bad_int(const char *text, int want)
{
	int64_t i;
	int e = number_int(text, strlen(text), &i);
	ck_assert_msg(e == want, "%s: %s", text, pt_error_name(e));
}

START_TEST(ints_are_read)
{
	good_int("0", 0);
	good_int("-0", 0);
	good_int("7", 7);
	good_int("-1", -1);
	good_int("9223372036854775807", INT64_MAX);
	good_int("-9223372036854775808", INT64_MIN);
	good_int("-9223372036854775807", -INT64_MAX);
	good_int("1000000000000000000", 1000000000000000000);
	static const char *const range[] = { "9223372036854775808", "-9223372036854775809", "9999999999999999999",
		"10000000000000000000", "18446744073709551616", "-18446744073709551615", "100000000000000000000000000000000000000" };
	for (size_t i = 0; i < UNIT_COUNT(range); i++)
		bad_int(range[i], PT_E_INT_RANGE);
	static const char *const none[] = { "", "-", "+1", "00", "01", "-00", "-01", "--1", "1-", " 1", "1 ", "1.0", "1e3", "0x1",
		"99999999999999999999x", "x", "1/", "1:" };
	for (size_t i = 0; i < UNIT_COUNT(none); i++)
		bad_int(none[i], PT_E_INT);
}
END_TEST

static void
int_there_and_back(int64_t i)
{
	char text[NUMBER_INT_TEXT], want[32];
	int64_t back;
	size_t n = number_put_int(text + sizeof text, i);
	snprintf(want, sizeof want, "%" PRId64, i);
	unit_require(n == strlen(want) && memcmp(text + sizeof text - n, want, n) == 0, "%s", want);
	unit_require(number_int(want, n, &back) == PT_OK && back == i, "%s", want);
}

START_TEST(ints_there_and_back)
{
	uint64_t seed = unit_seed("ints_there_and_back");
	for (int shift = 0; shift < 64; shift++)
		for (int64_t d = -2; d <= 2; d++)
			int_there_and_back((int64_t)((UINT64_C(1) << shift) + (uint64_t)d));
	for (int n = unit_amount(100000); n > 0; n--)
		int_there_and_back((int64_t)unit_random(&seed) >> unit_below(&seed, 64));
	size_t digits = 1;
	for (size_t v = 1; v < 1000000000; v *= 10, digits++) {
		ck_assert_uint_eq(number_size_digits(v), digits);
		ck_assert_uint_eq(number_size_digits(v * 9 + (v - 1)), digits);
	}
	ck_assert_uint_eq(number_size_digits(0), 1);
}
END_TEST

/* ---- floats, read ---- */

static const struct {
	const char *text;
	double      value;
} floats[] = {
	{ "0", 0 }, { "0.0", 0 }, { "1", 1 }, { "-1", -1 }, { "1.5", 1.5 }, { "-000.14", -0.14 }, { "1e3", 1000 },
	{ "1E3", 1000 }, { "1e+3", 1000 }, { "1.0E+25", 1e25 }, { "1e-07", 1e-7 }, { "0.1", 0.1 }, { "123456789.125", 123456789.125 },
	{ "1e308", 1e308 }, { "1.7976931348623157e308", DBL_MAX }, { "1.79769313486231580793e308", DBL_MAX },
	{ "4.9e-324", 4.9406564584124654e-324 }, { "2e-324", 0 }, { "1e-99999999999999999999", 0 }, { "0e99999999999999999999", 0 },
	{ "0.000e999", 0 }, { "1e22", 1e22 }, { "1e23", 1e23 }, { "9007199254740993", 9007199254740992.0 },
	{ "9007199254740993.0000000000000000000000001", 9007199254740994.0 }, { "2.2250738585072011e-308", 2.2250738585072011e-308 },
	{ "10000000000000000000000", 1e22 }, { "0.00000000000000000000001e23", 1 }, { "18446744073709551616", 18446744073709551616.0 },
};

START_TEST(floats_are_read)
{
	for (size_t i = 0; i < UNIT_COUNT(floats); i++) {
		double d = 77;
		int e = number_float(floats[i].text, strlen(floats[i].text), &d);
		ck_assert_msg(e == PT_OK && d == floats[i].value, "%s: %s, %.17g", floats[i].text, pt_error_name(e), d);
		ck_assert_int_eq(number_float(floats[i].text, strlen(floats[i].text), NULL), PT_OK);
	}
	double d;
	ck_assert_int_eq(number_float("-0.0", 4, &d), PT_OK);
	ck_assert(d == 0 && signbit(d));
	static const char *const none[] = { "", "-", ".5", "5.", "+1.5", "1e", "1e+", "1e-", "1.e5", "e5", "nan", "inf", "-inf",
		"Infinity", "1,5", " 1.5", "1.5 ", "0x1p3", "1.5f", "1..5", "1.5.5", "1e5.5", "--1", "1_000" };
	for (size_t i = 0; i < UNIT_COUNT(none); i++) {
		int e = number_float(none[i], strlen(none[i]), &d), judged = number_float(none[i], strlen(none[i]), NULL);
		ck_assert_msg(e == PT_E_FLOAT && judged == PT_E_FLOAT, "%s: %s", none[i], pt_error_name(e));
	}
	static const char *const range[] = { "1e309", "-1e309", "1.7976931348623159e308", "1e99999999999999999999", "1e18446744073709551617",
		"1e999",
		"99999999999999999999e300", "0.0001e313" };
	for (size_t i = 0; i < UNIT_COUNT(range); i++) {
		int e = number_float(range[i], strlen(range[i]), &d), judged = number_float(range[i], strlen(range[i]), NULL);
		ck_assert_msg(e == PT_E_FLOAT_RANGE && judged == e, "%s: %s", range[i], pt_error_name(e));
	}
}
END_TEST

/* Half way between two doubles, with a thousand digits, and one more behind them that decides. */
START_TEST(long_floats_are_rounded_right)
{
	char text[2048];
	double d;
	/* 2^53 + 1 is half way, and even is below. */
	int n = sprintf(text, "9007199254740993.");
	memset(text + n, '0', 1000);
	ck_assert_int_eq(number_float(text, (size_t)n + 1000, &d), PT_OK);
	ck_assert(d == 9007199254740992.0);
	text[n + 999] = '1';
	ck_assert_int_eq(number_float(text, (size_t)n + 1000, &d), PT_OK);
	ck_assert(d == 9007199254740994.0);
	/* Zeros before the first digit, and an exponent to make up for them. */
	n = sprintf(text, "0.");
	memset(text + n, '0', 1000);
	n += 1000 + sprintf(text + n + 1000, "125e1003");
	ck_assert_int_eq(number_float(text, (size_t)n, &d), PT_OK);
	ck_assert(d == 125.0);
}
END_TEST

/* ---- floats, there and back ---- */

static void
float_there_and_back(double d)
{
	char text[PT_FLOAT_TEXT];
	double back;
	size_t n = pt_float_text(text, d);
	unit_require(n != 0 && n <= 327, "%a: %zu bytes", d, n);
	unit_require(number_float(text, n, &back) == PT_OK && memcmp(&back, &d, sizeof d) == 0, "%a: %.*s", d, (int)n, text);
	size_t whole = text[0] == '-', fraction = 0;
	while (whole < n && text[whole] >= '0' && text[whole] <= '9')
		whole++;
	unit_require(whole < n && text[whole] == '.' && whole > (size_t)(text[0] == '-'), "%a: %.*s", d, (int)n, text);
	while (whole + 1 + fraction < n && text[whole + 1 + fraction] >= '0' && text[whole + 1 + fraction] <= '9')
		fraction++;
	unit_require(fraction != 0 && whole + 1 + fraction == n, "%a: %.*s", d, (int)n, text);
}

static double
random_double(uint64_t *seed)
{
	double d;
	uint64_t bits = unit_random(seed);
	/* Some of few digits, as people have them. */
	if (bits % 4 == 0)
		return (double)((int64_t)unit_random(seed) >> 40) / 1000.0;
	memcpy(&d, &bits, sizeof d);
	return isfinite(d) ? d : 0.1;
}

static void
random_floats(const char *what)
{
	uint64_t seed = unit_seed(what);
	for (int n = unit_amount(100000); n > 0; n--)
		float_there_and_back(random_double(&seed));
	for (int e = -1074; e < 1024; e++) {
		float_there_and_back(ldexp(1.0, e));
		float_there_and_back(-nextafter(ldexp(1.0, e), 0));
		float_there_and_back(nextafter(ldexp(1.0, e), INFINITY));
	}
	for (int e = -323; e <= 308; e++) {
		char text[16];
		double d;
		float_there_and_back(0);
		sprintf(text, "1e%d", e);
		ck_assert_int_eq(number_float(text, strlen(text), &d), PT_OK);
		float_there_and_back(d);
	}
	float_there_and_back(DBL_MAX);
	float_there_and_back(-0.0);
}

START_TEST(floats_there_and_back)
{
	random_floats("floats_there_and_back");
	char text[PT_FLOAT_TEXT];
	ck_assert_uint_eq(pt_float_text(text, NAN), 0);
	ck_assert_uint_eq(pt_float_text(text, INFINITY), 0);
	ck_assert_uint_eq(pt_float_text(text, -INFINITY), 0);
}
END_TEST

/* Under a locale made for this test in a folder of its own, whose radix is not a point. */
static void
under_locale(const char *name, const char *radix)
{
	char dir[UNIT_PATH], command[UNIT_PATH + 200];
	unit_folder(dir);
	snprintf(command, sizeof command, "localedef -i %s -f UTF-8 '%.400s/%s.UTF-8' >/dev/null 2>&1", name, dir, name);
	int code = system(command);
	snprintf(command, sizeof command, "%s.UTF-8", name);
	setenv("LOCPATH", dir, 1);
	if (setlocale(LC_ALL, command) == NULL) {
		printf("skipped: %s: localedef cannot make it (%d)\n", command, code);
	} else {
		ck_assert_str_eq(localeconv()->decimal_point, radix);
		random_floats(name);
		floats_are_read_fn(0);
		long_floats_are_rounded_right_fn(0);
	}
	setlocale(LC_ALL, "C");
	snprintf(command, sizeof command, "rm -r '%.400s'", dir);
	ck_assert_int_eq(system(command), 0);
}

START_TEST(floats_with_a_comma)
{
	under_locale("de_DE", ",");
}
END_TEST

START_TEST(floats_with_two_bytes_for_a_radix)
{
	under_locale("ps_AF", "\xd9\xab");
}
END_TEST

/* ---- the fewest digits ---- */

static size_t
digits_of(const char *text, size_t n, char digits[PT_FLOAT_TEXT])
{
	size_t k = 0;
	for (size_t i = 0; i < n; i++)
		if (text[i] >= '0' && text[i] <= '9' && (k != 0 || text[i] != '0'))
			digits[k++] = text[i];
	while (k > 1 && digits[k - 1] == '0')
		k--;
	return k;
}

/* No text of one digit less reads as d: neither the nearest below nor the one above. */
static void
require_shortest(double d)
{
	char text[PT_FLOAT_TEXT], digits[PT_FLOAT_TEXT], less[64];
	size_t n = pt_float_text(text, d), k = digits_of(text, n, digits);
	if (k < 2)
		return;
	unit_require(k <= 17, "%a: %zu digits", d, k);
	int e = (int)floor(log10(d));
	for (int up = 0; up < 2; up++)
		for (int shift = -1; shift <= 1; shift++) {
			/* The first k - 1 digits, or one more in the last place. */
			unsigned long long v = strtoull((memcpy(less, digits, k - 1), less[k - 1] = '\0', less), NULL, 10);
			snprintf(less, sizeof less, "%llue%d", v + (unsigned)up, e + shift - (int)k + 2);
			unit_require(strtod(less, NULL) != d, "%a: %.*s, %s", d, (int)n, text, less);
		}
}

static void
text_is(double d, const char *want)
{
	char text[PT_FLOAT_TEXT];
	size_t n = pt_float_text(text, d);
	ck_assert_msg(n == strlen(want) && memcmp(text, want, n) == 0, "%.*s, not %s", (int)n, text, want);
}

START_TEST(floats_are_short)
{
	uint64_t seed = unit_seed("floats_are_short");
	for (int n = unit_amount(30000); n > 0; n--) {
		double d = fabs(random_double(&seed));
		require_shortest(d != 0 ? d : 1);
	}
	for (int e = -1074; e < 1024; e++)
		require_shortest(ldexp(1.0, e));
	text_is(0, "0.0");
	text_is(-0.0, "-0.0");
	text_is(1, "1.0");
	text_is(-1.5, "-1.5");
	text_is(0.1, "0.1");
	text_is(1e-7, "0.0000001");
	text_is(1e22, "10000000000000000000000.0");
	text_is(1e23, "100000000000000000000000.0");
	text_is(123456.789, "123456.789");
	text_is(0.30000000000000004, "0.30000000000000004");
	/* 2^-44: the nearest of 16 digits reads as the double below. */
	text_is(ldexp(1.0, -44), "0.00000000000005684341886080802");
	text_is(9007199254740993.0, "9007199254740992.0");
}
END_TEST

static void
add(Suite *s)
{
	UNIT_TEST(s, ints_are_read);
	UNIT_TEST(s, ints_there_and_back);
	UNIT_TEST(s, floats_are_read);
	UNIT_TEST(s, long_floats_are_rounded_right);
	UNIT_TEST(s, floats_there_and_back);
	UNIT_TEST(s, floats_with_a_comma);
	UNIT_TEST(s, floats_with_two_bytes_for_a_radix);
	UNIT_TEST(s, floats_are_short);
}

int
main(void)
{
	return unit_main("number", add);
}
