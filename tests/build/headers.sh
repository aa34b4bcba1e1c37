#!/bin/sh
# SPDX-License-Identifier: MIT
# sprog.h and petrichor.h are for other people's programs: plain C11, plain C++. Each header of ours compiles alone.
set -eu
CC=${CC:-cc}
src=$TOP/src

bad=0
for public in sprog/sprog.h petrichor/petrichor.h; do
	echo "#include \"$public\"" >user.c
	$CC -std=c11 -pedantic -Wall -Wextra -Werror -I"$src" -fsyntax-only user.c || bad=1
	if command -v g++ >/dev/null; then
		cp user.c user.cc
		g++ -pedantic -Wall -Wextra -Werror -I"$src" -fsyntax-only user.cc || bad=1
	fi
done

for header in "$src"/*/*.h; do
	echo "#include \"${header#"$src"/}\"" >alone.c
	if ! $CC -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -I"$src" -fsyntax-only alone.c; then
		echo "^ ${header#"$TOP"/} does not compile alone"
		bad=1
	fi
done
exit $bad
