#!/bin/sh
# SPDX-License-Identifier: MIT
# make install-strip installs what works, without symbols, and the links of the libraries; a second install leaves the
# settings alone; make uninstall takes all away but these.
set -eu

bad=0
complain()
{
	echo "$*"
	bad=1
}

root=$(pwd)/root
make_it()
{
	make -C "$(dirname "$BUILD")" -o all "$@" DESTDIR="$root" SANITIZE="${SANITIZE:-}" >out 2>&1 || { cat out; exit 1; }
}

listing()
{
	(cd root && find . ! -type d | LC_ALL=C sort)
}

make_it install
listing >plain
zogd=$(find root -path '*/sbin/zogd')
"${NM:-nm}" "$zogd" 2>/dev/null | grep -q ' T main$' || echo "skipped: symbols: none in this build"
make_it install-strip
listing | diff plain - || complain "^ install and install-strip install other files"
for program in sbin/zogd bin/sprog; do
	file=$(find root -path "*/$program")
	"$file" --version >out 2>&1 || complain "$program: $(cat out)"
	! "${NM:-nm}" "$file" 2>/dev/null | grep -q ' T main$' || complain "$program has symbols"
done
for library in sprog petrichor; do
	dir=$(dirname "$(find root -name "lib$library.a")")
	for name in lib$library.so lib$library.so.0; do
		[ -L "$dir/$name" ] && [ -f "$dir/$name" ] || complain "$name leads nowhere"
	done
	"${NM:-nm}" -D --defined-only "$dir/lib$library.so" | grep -q ' T ' || complain "lib$library.so has nothing to call any more"
	"${NM:-nm}" -g --defined-only "$dir/lib$library.a" | grep -q ' T ' || complain "lib$library.a has nothing to call any more"
done
# A program and the static library, stripped of their debugging symbols, are still good for their user.
dir=$(dirname "$(find root -name libsprog.a)")
include=$(dirname "$(find root -name sprog.h)")
if [ -z "${SANITIZE:-}" ]; then
	printf '#include <sprog.h>\n#include <stdio.h>\nint main(void) { return puts(sprog_version()) < 0; }\n' >user.c
	${CC:-cc} -I"$include" -o user user.c "$dir/libsprog.a" -lpthread && ./user >out || complain "libsprog.a is of no use"
fi

kept=$(sed -n -e '/\/zog\/zogd\.conf$/p' -e '/\/zog\/ring$/p' -e '/\/default\/zogd$/p' plain)
[ "$(echo "$kept" | wc -l)" = 3 ] || complain "not three files of settings: $kept"
for file in $kept; do
	echo "# mine" >>"root/$file"
done
make_it install
for file in $kept; do
	tail -n 1 "root/$file" | grep -qx '# mine' || complain "$file was overwritten"
done
make_it uninstall
[ "$(listing)" = "$kept" ] || complain "left behind: $(listing)"
exit $bad
