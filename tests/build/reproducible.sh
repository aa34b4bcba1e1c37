#!/bin/sh
# SPDX-License-Identifier: MIT
# The same source gives the same bytes: built in its own tree and beside it, in folders of other names, at another time,
# under another locale and time zone, by more than one job.
set -eu

mkdir one another-place
for place in one/zog another-place/source; do
	mkdir $place
	tar -C "$TOP" -cf - configure configure.ac config.mk.in config.h.in Makefile README LICENSE src scripts doc |
		tar -C $place -xf -
done
# The tests' own make and settings are none of theirs.
unset MAKEFLAGS MFLAGS MAKELEVEL WERROR SANITIZE CFLAGS CPPFLAGS LDFLAGS BUILD 2>/dev/null || :
settings='--prefix=/usr --sysconfdir=/etc --localstatedir=/var --runstatedir=/run -q'
# With debugging symbols, which are what knows most of the place.
(
	cd one/zog
	# shellcheck disable=SC2086
	./configure $settings CC="${CC:-cc}" CFLAGS='-g -O1'
	make -j2
) >one.out 2>&1 || { cat one.out; exit 1; }
mkdir another-place/build
(
	cd another-place/build
	umask 077
	export LC_ALL=C.UTF-8 TZ=Pacific/Auckland
	# shellcheck disable=SC2086
	../source/configure $settings CC="${CC:-cc}" CFLAGS='-g -O1'
	make
) >another.out 2>&1 || { cat another.out; exit 1; }

results()
{
	(cd "$1" && find . -type f \( -name zogd -o -name zogctl -o -name sprog -o -name 'lib*.a' -o -name 'lib*.so.*' \
		-o -path './scripts/*' -o -path './doc/man/*' -o -name '*.pc' \) -exec sha256sum {} + | LC_ALL=C sort -k 2)
}

if ! grep -q '^PREFIX_MAP = .' one/zog/config.mk; then
	echo "$CC has no -ffile-prefix-map"
	exit 77
fi
results one/zog/build >first
results another-place/build/build >second
[ "$(wc -l <first)" -ge 15 ] || { echo "too few files: $(cat first)"; exit 1; }
diff first second || { echo "^ two builds differ"; exit 1; }
# Nor do they know where they were built.
here=$(pwd -P)
! grep -rlF -e "$here" one/zog/build/zogd one/zog/build/sprog one/zog/build/lib*.a one/zog/build/lib*.so.* || exit 1
