#!/bin/sh
# SPDX-License-Identifier: MIT
# The libraries give their users what their headers say and nothing else, shared or static: the names
# of our modules must not clash with theirs.
set -eu

# What a sanitizer adds is not ours.
names()
{
	sed -n 's/^[^ ]* [A-Z] //p' | grep -v -e '^__odr_asan' -e '^__asan' -e '^__tsan' | sort
}

bad=0
for library in sprog:sprog_ petrichor:pt_; do
	prefix=${library#*:} library=${library%:*}
	"${NM:-nm}" -D --defined-only "$BUILD/lib$library.so" | names >shared
	"${NM:-nm}" -g --defined-only "$BUILD/lib$library.a" | names >static

	sed -n "s/^[A-Z]*_API.*[ *]\\($prefix[a-z0-9_]*\\)(.*/\\1/p" "$TOP/src/$library/$library.h" | sort >header
	[ -s header ] || { echo "$library.h declares nothing"; exit 1; }

	for kind in shared static; do
		if ! diff header $kind; then
			echo "^ $library.h (<) and the $kind library (>) differ"
			bad=1
		fi
	done
done
exit $bad
