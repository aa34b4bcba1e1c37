#!/bin/sh
# SPDX-License-Identifier: MIT
# scripts/zog-rig says so when each message is once in each access.log, also when a member is killed meanwhile, and it
# finds the one that was taken out of a log by hand, or put into it twice.
set -u

TMPDIR=${TMPDIR:-$(pwd)}
export TMPDIR TOP ZOGD SPROG
unset ZOG_RING_DIR
rig=$TOP/scripts/zog-rig
dir=$TMPDIR/ring.d
seconds=5
[ -z "${SANITIZE:-}" ] || seconds=15

fail()
{
	printf '%s\n' "$*"
	exit 1
}

ring()
{
	timeout 120 "$TOP/scripts/ring" -q -D "$dir" "$@" >ring.out 2>&1 </dev/null || fail "ring $*: $(cat ring.out)"
}

clean()
{
	"$TOP/scripts/ring" -q -D "$dir" clean >/dev/null 2>&1 </dev/null
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

# expect CODE ARGUMENTS...
expect()
{
	wanted=$1
	shift
	timeout 200 "$rig" "$@" >out 2>&1 </dev/null
	code=$?
	[ $code = "$wanted" ] || fail "zog-rig $*: exit code $code, not $wanted: $(cat out)"
}

says()
{
	grep -q -- "$1" out || fail "no '$1' in: $(cat out)"
}

expect 0 --help
says '^Usage:'
expect 66 -D "$dir"
expect 64 -t soon
expect 64 -i .
expect 64 -R ring
expect 64 more
expect 66 -D "$dir" -j record

ring up 3
expect 66 -D "$dir" -j /dev/null

# A member is killed and comes back while it sends.
timeout 200 "$rig" -D "$dir" -t $seconds -i 0.2 -r record >out 2>&1 </dev/null &
sender=$!
end=$(($(date +%s) + 60))
until [ -s record ] && [ "$(wc -l <record)" -ge 6 ]; do
	[ "$(date +%s)" -lt $end ] || fail "it does not send: $(cat out)"
	sleep 0.05
done
kill -KILL "$(cat "$dir/pa/zogd.pid")"
ring up pa
wait $sender || fail "zog-rig ends with $?: $(cat out)"
says '^ok: [1-9][0-9]* messages to 3 members: [1-9][0-9]* settled, .* 0 not as they should be$'
expect 0 -D "$dir" -j record

# Interrupted, it judges what it has sent.
env --default-signal=INT true 2>/dev/null && heed='env --default-signal=INT' || heed=''
if [ "$heed" ]; then
	$heed "$rig" -D "$dir" -t 7d -i 0.1 -r other >out 2>&1 </dev/null &
	sender=$!
	end=$(($(date +%s) + 60))
	until [ -s other ] && [ "$(wc -l <other)" -ge 4 ]; do
		[ "$(date +%s)" -lt $end ] || fail "it does not send: $(cat out)"
		sleep 0.05
	done
	kill -INT $sender
	wait $sender || fail "interrupted it ends with $?: $(cat out)"
	says '^ok: '
fi

# The logs by way of a command, and a part of one rotated and packed.
cp "$dir/ring" ring
gzip -c "$dir/g/access.log" >"$dir/g/access.log.1.gz"
: >"$dir/g/access.log"
expect 0 -D "$dir" -j record
expect 0 -R ring -C "gzip -cdf $dir/{}/access.log*" -j record

# By hand: one out of a log, one in it twice, one that nobody sent.
ring down
run=$(sed -n 's/^run //p' record)
sed -i "/ rig $run 3\$/d" "$dir/pa/access.log"
sed -i "/ rig $run 4\$/{p}" "$dir/mv/access.log"
sed "s/ rig $run 2\$/ rig $run 99999/; t; d" "$dir/mv/access.log" >one
cat one >>"$dir/mv/access.log"
expect 1 -D "$dir" -w 0 -j record
says '^message 3: missing on pa$'
says '^message 4: 2 times on mv$'
says '^message 99999 is on mv, and was never sent$'
says '^failed: .* 3 not as they should be$'
[ "$(wc -l <out)" = 4 ] || fail "it says more: $(cat out)"

# Not settled: in all or none.
sed -i 's/^2 0$/2 75/; s/^5 0$/5 75/; s/^6 0$/6 69/' record
sed -i "/ rig $run 5\$/d" "$dir/pa/access.log"
expect 1 -D "$dir" -w 0 -j record
says '^message 5: not settled, and missing on pa$'
says '^message 6: not sent (exit code 69), and logged$'
grep -q '^message 2:' out && fail "message 2 is in all logs: $(cat out)"

# Nobody there.
expect 69 -D "$dir" -t 1 -i 0.5 -w 0
