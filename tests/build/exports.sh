#!/bin/sh
# SPDX-License-Identifier: MIT
# The client library gives its users what sprog.h says and nothing else, shared or static: the names
# of our modules must not clash with theirs.
set -eu

# What a sanitizer adds is not ours.
names()
{
	sed -n 's/^[^ ]* [A-Z] //p' | grep -v -e '^__odr_asan' -e '^__asan' -e '^__tsan' | sort
}

"${NM:-nm}" -D --defined-only "$BUILD/libsprog.so" | names >shared
"${NM:-nm}" -g --defined-only "$BUILD/libsprog.a" | names >static

sed -n 's/^SPROG_API.*[ *]\(sprog_[a-z0-9_]*\)(.*/\1/p' "$TOP/src/sprog/sprog.h" | sort >header
[ -s header ] || { echo "sprog.h declares nothing"; exit 1; }

bad=0
for kind in shared static; do
	if ! diff header $kind; then
		echo "^ sprog.h (<) and the $kind library (>) differ"
		bad=1
	fi
done
exit $bad
