#!/bin/sh
# SPDX-License-Identifier: MIT
# Ways of writing C that went wrong in other daemons are not in the source.
set -eu
found=$(pwd)/found
cd "$TOP/src"

bad=0
# never WHAT PATTERN [EXCEPT]: no line of the source has the pattern, but comments and the exceptions.
never()
{
	grep -rnE --include='*.[ch]' -e "$2" . | grep -vE '^[^:]*:[0-9]*:[[:space:]]*(/?\*|//)' |
		grep -vE -e "${3:-^$}" >"$found" || return 0
	echo "$1:"
	cat "$found"
	bad=1
}

never 'memory of the stack by a size from outside' '\balloca *\('
never 'writing without a limit' '\b(sprintf|vsprintf|gets|stpcpy|strncat|strncpy) *\('
# pt_spawn is for that, and no part of zogd or sprog calls it.
never 'other programs' '\b(system|popen|exec[lv]p?e?|posix_spawnp?|pt_spawn) *\(' '^\./petrichor/'
never 'names that others can guess' '\b(tmpnam|tempnam|mktemp) *\('
# Both write behind text of a known length, in a buffer that has room for it.
never "snprintf's return is what it would have written, not where it ended" '\+= *(\([a-z_]*\) *)?v?snprintf *\(' \
	'store/cursor\.c:'
never 'a socket whose answers can be sent to somebody else' 'SOCK_DGRAM|IPPROTO_UDP' 'AF_UNIX, SOCK_DGRAM'
never 'a descriptor that another program would inherit' '\b(accept|pipe|dup) *\(|\bsocket *\(' 'CLOEXEC'
# sprog -L appends to what its user names, be it a link or a FIFO.
never 'a file made through a link, or inherited, or a terminal of ours' 'O_CREAT' \
	'O_CLOEXEC.*O_NOFOLLOW.*O_NOCTTY|O_CLOEXEC.*O_NOCTTY.*O_NOFOLLOW|sprog/cmd_report\.c:'
exit $bad
