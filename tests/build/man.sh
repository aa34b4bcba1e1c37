#!/bin/sh
# SPDX-License-Identifier: MIT
# The man pages are clean, name every option of the programs and every setting, and no other.
set -eu

show='' lint=''
if command -v mandoc >/dev/null; then
	lint='mandoc -T lint -W warning'
	show='mandoc -T ascii -O width=1000'
fi
if command -v groff >/dev/null && echo .Dd | groff -mandoc -z 2>/dev/null; then
	show='groff -mandoc -Tascii -rLL=1000n'
	lint="groff -mandoc -ww -z ${lint:+;$lint}"
fi
[ "$show" ] || { echo "neither groff nor mandoc is here"; exit 77; }

bad=0
complain()
{
	echo "$*"
	bad=1
}

for page in "$BUILD"/doc/man/*.[1-8]; do
	[ -e "$page" ] || continue
	name=${page##*/}
	[ -f "$TOP/doc/man/$name" ] || continue
	oldifs=$IFS
	IFS=';'
	for command in $lint; do
		IFS=$oldifs
		# groff says what it minds and ends well all the same.
		$command "$page" >out 2>&1 </dev/null || complain "$command $name: exit code $?"
		[ ! -s out ] || complain "$command $name: $(cat out)"
	done
	IFS=$oldifs
	# As text, without overstriking.
	$show "$page" | sed -e "s/.$(printf '\b')//g" -e "s/$(printf '\033')\[[0-9;]*m//g" >"$name.txt"
	! grep -n '@[A-Z]*@' "$name.txt" || complain "$name: a folder was not filled in"
	grep -q . "$name.txt" || complain "$name is empty"
done

# Whatever looks like an option in the help: -x after a blank, --long anywhere.
options()
{
	"$1" --help | sed 's/[^A-Za-z-]-[A-Za-z-]/\n&/g' |
		sed -n -e 's/^[^A-Za-z-]\(-[A-Za-z]\)\([^A-Za-z].*\)*$/\1/p' -e 's/^[^A-Za-z-]\(--[A-Za-z][A-Za-z-]*\).*/\1/p' |
		sort -u
}

check_options()
{
	options "$2" >options.help
	[ "$(wc -l <options.help)" -ge 10 ] || complain "$1 --help: $(wc -l <options.help) options only"
	while read -r option; do
		grep -q -e "\(^\|[^A-Za-z-]\)$option\(\$\|[^A-Za-z-]\)" "$3.txt" || complain "$3 says nothing of $option"
	done <options.help
	# And the other way: what the page lists as an item.
	sed -n 's/^ *\(-[A-Za-z][ ,].*\|--[a-z].*\)$/\1/p' "$3.txt" | sed 's/[ ,]/\n/g' |
		sed -n 's/^\(-[A-Za-z]\|--[A-Za-z][A-Za-z-]*\)\(=.*\)*$/\1/p' | sort -u >options.page
	while read -r option; do
		grep -qx -e "$option" options.help || complain "$3 has $option, $1 --help does not"
	done <options.page
}

if [ -f zogd.8.txt ]; then
	check_options zogd "$ZOGD" zogd.8
fi
if [ -f zogctl.8.txt ]; then
	check_options zogctl "$ZOGCTL" zogctl.8
	# Commands, and metrics: those of the page and those of the program.
	"$ZOGCTL" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z]*\) .*/\1/p' | sort >commands.help
	[ "$(wc -l <commands.help)" -ge 4 ] || complain "zogctl --help: $(wc -l <commands.help) commands only"
	sed -n '/^.Ss Commands/,/^.Sh/s/^.It Cm \([a-z]*\).*/\1/p' "$TOP/doc/man/zogctl.8" | sort |
		diff commands.help - || complain "^ zogctl --help (<) and zogctl.8 (>) differ"
	grep -o '"zog_[a-z_]*"' "$TOP/src/zogctl/metrics.c" | tr -d '"' | sort -u >metrics.source
	sed -n 's/^.It Cm \(zog_[a-z_]*\)$/\1/p' "$TOP/doc/man/zogctl.8" | sort |
		diff metrics.source - || complain "^ metrics.c (<) and zogctl.8 (>) differ"
fi
if [ -f sprog.1.txt ]; then
	check_options sprog "$SPROG" sprog.1
fi

if [ -f zogd.conf.5.txt ]; then
	echo 'one 127.0.0.1' >ring
	"$ZOGD" -t -v -c /dev/null -o ring=ring -o member=one -o log-dir=. | sed -n 's/^\([a-z-]*\) = .*/\1/p' >keys
	[ "$(wc -l <keys)" -ge 20 ] || complain "zogd -t -v: $(wc -l <keys) settings only"
	# Items of the page: KEY = VALUE, or several keys with blanks and commas between.
	sed -n 's/^\.It Cm //p' "$TOP/doc/man/zogd.conf.5" | sed 's/ *=.*//; s/ , /\n/g' | sort >keys.page
	sort keys | diff - keys.page || complain "^ zogd -t -v (<) and zogd.conf.5 (>) differ"
fi
exit $bad
