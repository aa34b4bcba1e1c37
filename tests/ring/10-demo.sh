#!/bin/sh
# SPDX-License-Identifier: MIT
# The demo says ok, in time, alone and two at once, and leaves neither process nor folder behind, also when
# it is interrupted; scripts/ring keeps a ring, takes members down and up again, and stops nothing but them.
set -u

# Generous: a machine that is busy with something else, a sanitizer. The demo itself takes a second.
limit=10
[ -z "${SANITIZE:-}" ] || limit=60
limit=$((limit * ${ZOG_TEST_SLOW:-1}))
TMPDIR=${TMPDIR:-$(pwd)}
export TMPDIR TOP ZOGD SPROG
unset COLUMNS NO_COLOR ZOG_RING_DIR
verdict='ok: 5 members, 300 messages, each once on every one'

fail()
{
	printf '%s\n' "$*"
	trap - EXIT
	stop_all
	exit 1
}

# The zogds that have this folder, which is nobody else's, among their words.
processes()
{
	grep -lsF "$TMPDIR/" /proc/[0-9]*/cmdline | while read -r file; do
		case $(tr '\0' ' ' 2>/dev/null <"$file") in
		*zogd*"$TMPDIR/"*)
			number=${file#/proc/}
			echo "${number%/cmdline}"
			;;
		esac
	done 2>/dev/null
}

stop_all()
{
	for process in $(processes); do
		kill -KILL "$process" 2>/dev/null
	done
}
trap stop_all EXIT
trap 'exit 1' HUP INT TERM

# wait_for COMMAND...: until it is true, with a deadline.
wait_for()
{
	end=$(($(date +%s) + limit))
	until "$@"; do
		[ "$(date +%s)" -lt $end ] || return 1
		sleep 0.01 2>/dev/null || sleep 1
	done
}

nothing_runs()
{
	[ -z "$(processes)" ]
}

nothing_left()
{
	wait_for nothing_runs || fail "$1: still running: $(processes)"
	# shellcheck disable=SC2144  # there is one at most
	for left in "$TMPDIR"/zog-demo.*; do
		[ ! -e "$left" ] || fail "$1: left behind: $left $(ls -R "$left")"
	done
}

demo()
{
	timeout $limit "$TOP/scripts/demo" >"$1" 2>&1 </dev/null
}

# ---- the demo ----

demo out || fail "the demo ends with $?: $(cat out)"
grep -qxF "$verdict" out || fail "no '$verdict' in: $(cat out)"
nothing_left "after the demo"
grep -q "$(printf '\033')" out && fail "colours, and no terminal: $(cat -v out)"
awk 'length($0) > 80 { exit 1 }' out || fail "lines over 80 columns: $(cat out)"
for word in one two three four five; do
	[ "$(grep -o "[a-z]*:[0-9]* $word" out | wc -l)" = 5 ] || fail "'$word' is not in five tails: $(cat out)"
done
COLUMNS=200 demo wide || fail "the demo ends with $? in 200 columns: $(cat wide)"
awk 'length($0) > 150 { wide = 1 } length($0) > 200 { exit 1 } END { exit !wide }' wide ||
	fail "does not fit 200 columns: $(cat wide)"

# ---- two at once: one of them has to look for other ports ----

demo one & one=$!
demo two & two=$!
wait $one || fail "the first of two ends with $?: $(cat one)"
wait $two || fail "the second of two ends with $?: $(cat two)"
[ "$(cat one two | grep -cxF "$verdict")" = 2 ] || fail "two at once: $(cat one two)"
nothing_left "after two at once"

# One address for all, as on systems that have no other.
ZOG_TEST_ONE_ADDRESS=1 demo single || fail "the demo ends with $? on one address: $(cat single)"
grep -qxF "$verdict" single || fail "on one address: $(cat single)"
[ "$(grep -c '^  [a-z]* *127\.0\.0\.1 ' single)" = 5 ] || fail "not on one address: $(cat single)"
nothing_left "after the one on one address"

# ---- interrupted ----

there()
{
	# shellcheck disable=SC2086  # a pattern
	set -- $1
	[ -s "$1" ] || grep -qF "$verdict" out
}

# A shell starts background programs with INT ignored, and what is ignored cannot be trapped.
heed=''
env --default-signal=INT true 2>/dev/null && heed='env --default-signal=INT'

# interrupt SIGNAL FILE: when FILE is there, and not empty. The demo is quick: it may be done by then.
interrupt()
{
	# shellcheck disable=SC2086  # a list of words
	$heed "$TOP/scripts/demo" >out 2>&1 </dev/null &
	demo=$!
	wait_for there "$TMPDIR/zog-demo.*/$2" || fail "no $2 in time: $(cat out)"
	kill -"$1" $demo 2>/dev/null
	wait $demo
	code=$?
	nothing_left "interrupted by $1 at $2"
	[ $code = "$3" ] || [ $code = 0 ] || fail "interrupted by $1 at $2 it ends with $code: $(cat out)"
	[ $code != 0 ] || finished=$((finished + 1))
}

finished=0
for file in ring.d/ring ring.d/s/zogd.conf ring.d/mv/zogd.pid ring.d/s/zogd.pid ring.d/g/access.log sent; do
	[ -z "$heed" ] || interrupt INT "$file" 130
	interrupt TERM "$file" 143
done
[ $finished -lt 6 ] || fail "$finished of the interrupted demos were done before"

# Ctrl-C at a terminal goes to all of its processes at once.
if [ "$heed" ] && command -v setsid >/dev/null; then
	# shellcheck disable=SC2086
	setsid $heed "$TOP/scripts/demo" >out 2>&1 </dev/null &
	demo=$!
	wait_for there "$TMPDIR/zog-demo.*/ring.d/pa/zogd.conf" || fail "no zogd.conf in time: $(cat out)"
	kill -INT -$demo 2>/dev/null
	wait $demo
	nothing_left "interrupted as by Ctrl-C"
fi

# Who reads its output goes away.
"$TOP/scripts/demo" 2>/dev/null </dev/null | head -n 1 >out
nothing_left "after its reader has gone"

# ---- scripts/ring ----

ring()
{
	timeout $limit "$TOP/scripts/ring" -D "$TMPDIR/a ring" "$@" >out 2>&1 </dev/null
}

# expect CODE ARGUMENTS...: that exit code
expect()
{
	wanted=$1
	shift
	ring "$@"
	code=$?
	[ $code = "$wanted" ] || fail "ring $*: exit code $code, not $wanted: $(cat out)"
}

# says PATTERN: in a line of what the last one printed
says()
{
	grep -q -- "$1" out || fail "no '$1' in: $(cat out)"
}

has()
{
	grep -q " $2\$" "$TMPDIR/a ring/$1/access.log"
}

for words in '' sideways 'up 0' 'up 65' 'up three' 'up 3 mv' '-x up'; do
	# shellcheck disable=SC2086
	case $words in
	'up three') expect 66 $words ;;
	*) expect 64 $words ;;
	esac
	[ "$(wc -l <out)" -le 2 ] || fail "more than a line: $(cat out)"
done
for command in status down tail clean; do
	expect 66 $command
done
[ ! -e "$TMPDIR/a ring" ] || fail "a folder is there, and no ring was made"
mkdir "$TMPDIR/a ring" && echo mine >"$TMPDIR/a ring/ring"
expect 73 up
expect 66 clean
[ "$(cat "$TMPDIR/a ring/ring")" = mine ] || fail "ring has taken a folder that is not its own"
rm -r "$TMPDIR/a ring"
expect 78 -o nonsense=1 up
says nonsense
[ ! -e "$TMPDIR/a ring" ] || fail "a ring that could not start leaves its folder"

expect 0 -o 'client-idle-timeout = 60' up 3
says '3 of 3 members'
expect 0 status
[ "$(grep -c 'running .* 2 of 2 up$' out)" = 3 ] || fail "not three members with two links: $(cat out)"
expect 0 status 3
expect 64 status 5
expect 64 up 4
expect 0 up 3
expect 64 down nobody
says nobody

expect 0 down pa
expect 69 status
says '^pa .*stopped'
[ "$(grep -c 'running .* 1 of 2 up$' out)" = 2 ] || fail "not two members with one link: $(cat out)"
expect 0 down pa

# A number left in a pidfile may be anybody's: this shell's.
echo $$ >"$TMPDIR/a ring/pa/zogd.pid"
expect 69 status
says '^pa .*stopped'
expect 0 down pa
"$SPROG" -R "$TMPDIR/a ring/ring" -n 1 -s mv -m 'while pa is away' || fail "sprog ends with $?"
expect 0 start pa
expect 0 status
wait_for has pa 'while pa is away' || fail "pa did not get what was sent while it was away"
[ "$(grep -c ' while pa is away$' "$TMPDIR/a ring/pa/access.log")" = 1 ] || fail "pa has it twice"

# killed, not stopped: the pidfile stays
read -r process <"$TMPDIR/a ring/g/zogd.pid"
kill -KILL "$process"
expect 69 status
says '^g .*stopped'
expect 0 up
expect 0 status
expect 0 down
nothing_runs || fail "still running after down: $(processes)"
expect 69 status
[ "$(grep -c stopped out)" = 3 ] || fail "not three stopped: $(cat out)"
echo kept >"$TMPDIR/a ring/notes"
expect 0 clean
[ "$(ls "$TMPDIR/a ring")" = notes ] || fail "clean leaves, or takes, too much: $(ls "$TMPDIR/a ring")"
nothing_left "at the end"
