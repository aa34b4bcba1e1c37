#!/bin/sh
# SPDX-License-Identifier: MIT
# The bash completion, asked as bash asks it: every option of --help, members by the ring file, settings by zogd.
command -v bash >/dev/null || { echo "no bash is here"; exit 77; }
cat >ask <<'END'
set -u
bad=0
source "$BUILD/scripts/zog.bash-completion"
compopt() { :; }        # works within a completion only

# ask LINE: what it offers for the last word of it; a blank at the end begins a new one.
ask()
{
	local line=$1
	# As bash parts words: = stands for itself.
	read -ra COMP_WORDS <<<"${line//=/ = }"
	[[ $line != *' ' ]] || COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	local function
	function=$(complete -p "${COMP_WORDS[0]}") || exit 1
	function=${function#*-F }
	COMPREPLY=()
	"${function%% *}"
}

offers()
{
	ask "$1"
	shift
	local IFS=' '
	if [[ "${COMPREPLY[*]-}" != "$*" ]]; then
		echo "'$line': '${COMPREPLY[*]-}', not '$*'"
		bad=1
	fi
}

has()
{
	ask "$1"
	if [[ " ${COMPREPLY[*]-} " != *" $2 "* ]]; then
		echo "'$1' does not offer '$2': ${COMPREPLY[*]-}"
		bad=1
	fi
}
line=''

printf '# NAME ADDRESS\nmv 127.0.0.1\n  pa\t127.0.0.2  # comment\ng 127.0.0.3\nla 127.0.0.4\n#s 127.0.0.5\n' >ring
printf 'member = mv\nring = ring\n' >zogd.conf

for program in zogd sprog; do
	path=$ZOGD
	[ $program = zogd ] || path=$SPROG
	for option in $("$path" --help | sed 's/[^A-Za-z-]-[A-Za-z-]/\n&/g' |
		sed -n -e 's/^[^A-Za-z-]\(-[A-Za-z]\)\([^A-Za-z].*\)*$/\1/p' -e 's/^[^A-Za-z-]\(--[a-z][a-z-]*\)\([^A-Za-z].*\)*$/\1/p' | sort -u)
	do
		has "$program $option" "$option"
	done
done
offers 'zogd --t' --test
offers 'zogd --option' --option
offers 'sprog -R ring -s ' mv pa g la
offers 'sprog --ring=ring --specific-host=' mv pa g la
offers 'sprog --ring=ring --specific-host=p' pa
offers 'sprog -R ring -s l' la
offers 'sprog -R nowhere -s '
offers 'sprog -R ri' ring
offers 'sprog -n '
offers 'sprog --ack m' majority
offers 'zogd -c zog' zogd.conf
offers 'zogd -o sync=al' always
offers 'zogd -o ring=ri' ring
PATH=${ZOGD%/*}:$PATH
cd . && mkdir -p log
has 'zogd -o ' ack=
offers 'zogd -o secret' secret-file=
"$ZOGD" -t -v -c /dev/null -o ring=ring -o member=mv -o log-dir=. | sed -n 's/^\([a-z-]*\) = .*/\1=/p' >keys
ask 'zogd -o '
printf '%s\n' "${COMPREPLY[@]-}" | sort | diff <(sort keys) - || { echo "^ settings of zogd (<) and those offered (>)"; bad=1; }

offers 'zogctl s' status stop
for word in status metrics dot reload stop rotate cat tail ping trace verify wait; do
	has 'zogctl ' $word
done
offers 'zogctl status --' --json --watch --check
offers 'zogctl -c zogd.conf ping ' mv pa g la
offers 'zogctl -c zogd.conf cat --origin l' la
offers 'zogctl cat --s' --since
offers 'zogctl wait --' --caught-up
offers 'zogctl -S status.sock verify -' --ring
offers 'zogctl -S ri' ring
exit $bad
END
if grep -n '@[A-Z]*@' "$BUILD/scripts/zog.bash-completion"; then
	echo "^ a folder was not filled in"
	exit 1
fi
bash ask || exit 1
! command -v shellcheck >/dev/null || shellcheck -S warning -s bash "$BUILD/scripts/zog.bash-completion"
