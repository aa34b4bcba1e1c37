/* SPDX-License-Identifier: MIT
 * crc32c.h - CRC-32C (Castagnoli; RFC 3720 B.4 has check values). By the processor's instruction where it
 * has one, by table otherwise; both give the same. Any thread. */
#ifndef ZOG_BASE_CRC32C_H
#define ZOG_BASE_CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of n more bytes, after those that gave crc (0: none). */
uint32_t crc32c(uint32_t crc, const void *, size_t n);

/* For tests: the two ways apart. */
uint32_t crc32c_table(uint32_t crc, const void *, size_t n);
bool     crc32c_has_instruction(void);
uint32_t crc32c_instruction(uint32_t crc, const void *, size_t n);     /* only where there is one */

#endif
