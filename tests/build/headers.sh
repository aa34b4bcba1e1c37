#!/bin/sh
# SPDX-License-Identifier: MIT
# sprog.h is for other people's programs: plain C11, plain C++. Each header of ours compiles alone.
set -eu
CC=${CC:-cc}
src=$TOP/src

bad=0
echo '#include "sprog/sprog.h"' >user.c
$CC -std=c11 -pedantic -Wall -Wextra -Werror -I"$src" -fsyntax-only user.c || bad=1
if command -v g++ >/dev/null; then
	cp user.c user.cc
	g++ -pedantic -Wall -Wextra -Werror -I"$src" -fsyntax-only user.cc || bad=1
fi

for header in "$src"/*/*.h; do
	echo "#include \"${header#"$src"/}\"" >alone.c
	if ! $CC -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -I"$src" -fsyntax-only alone.c; then
		echo "^ ${header#"$TOP"/} does not compile alone"
		bad=1
	fi
done
exit $bad
