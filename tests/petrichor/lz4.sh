#!/bin/sh
# SPDX-License-Identifier: MIT
# Our LZ4 blocks beside liblz4's, both ways: what each packs the other unpacks, and what we take liblz4 takes.
set -eu
CC=${CC:-cc}

# Its header is not needed: where only the library is, that will do.
for lib in -llz4 -l:liblz4.so.1; do
	# shellcheck disable=SC2086  # CC may be words
	if echo 'int LZ4_versionNumber(void); int main(void) { return LZ4_versionNumber() < 10000; }' >probe.c &&
		$CC -o probe probe.c $lib 2>/dev/null && ./probe; then
		flags='-std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -O2 -g'
		$CC $flags -I"$TOP/src" -o lz4_beside "$TOP/tests/petrichor/lz4_beside.c" "$TOP/src/petrichor/lz4.c" $lib
		exec ./lz4_beside
	fi
done
echo "liblz4 is not here (package liblz4-dev)"
exit 77
