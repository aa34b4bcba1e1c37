#!/bin/sh
# SPDX-License-Identifier: MIT
# Holds the includes to the layers: a file includes its own folder and those below it.
#
#   daemon/ sprog/ zogctl/  >  store/  >  ring/ wire/ petrichor/  >  base/
#
# ring/ may use wire/; the others of that layer do not know each other.
set -eu
cd "$TOP/src"

may_include()
{
	case $1 in
	base) echo base ;;
	wire) echo wire base ;;
	petrichor) echo petrichor base ;;
	ring) echo ring wire base ;;
	store) echo store ring wire petrichor base ;;
	daemon | sprog | zogctl) echo "$1" store ring wire petrichor base ;;
	esac
}

bad=0
complain()
{
	echo "$*"
	bad=1
}

for dir in */; do
	dir=${dir%/}
	allowed=" $(may_include "$dir") "
	[ "$allowed" != "  " ] || complain "src/$dir is not in the picture of layers"
	for file in "$dir"/*.[ch]; do
		[ -e "$file" ] || continue
		for header in $(sed -n 's/^[ \t]*#[ \t]*include[ \t]*"\([^"]*\)".*/\1/p' "$file"); do
			case $header in
			config.h) ;;
			*/*)
				case $allowed in
				*" ${header%%/*} "*) ;;
				*) complain "src/$file includes $header" ;;
				esac
				;;
			*) complain "src/$file includes $header without its folder" ;;
			esac
		done
	done
done
exit $bad
