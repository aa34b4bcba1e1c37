/* SPDX-License-Identifier: MIT
 * value.h - what a zogd answered, taken apart without trust: what is not there, or not of its kind, is
 * nothing. Pure. */
#ifndef ZOG_ZOGCTL_VALUE_H
#define ZOG_ZOGCTL_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "petrichor/petrichor.h"

int64_t value_int(const struct pt_value *dict, const char *key, int64_t otherwise);
bool    value_bool(const struct pt_value *dict, const char *key);
size_t  value_len(const struct pt_value *list);         /* 0 of what is no list */
const struct pt_value *value_item(const struct pt_value *list, size_t i);

/* A text, escaped: nothing in it can end a line or drive a terminal. "" where there is none; cut where it is
 * too long. */
enum { VALUE_TEXT = 512 };
const char *value_text(const struct pt_value *dict, const char *key, char text[VALUE_TEXT]);
bool    value_is(const struct pt_value *dict, const char *key, const char *text);

/* Numbers for people: 1,234,567; 1.5 MiB; 3 d 4 h; 0.34 ms. */
enum { VALUE_WORDS = 48 };
const char *words_count(int64_t, char text[VALUE_WORDS]);
const char *words_bytes(int64_t, char text[VALUE_WORDS]);
const char *words_time(int64_t ms, char text[VALUE_WORDS]);
const char *words_short(int64_t us, char text[VALUE_WORDS]);

#endif
