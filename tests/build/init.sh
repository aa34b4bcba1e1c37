#!/bin/sh
# SPDX-License-Identifier: MIT
# The init script, every row of LSB's table of actions and exit codes, with real zogds: with the LSB functions and
# start-stop-daemon where they are, without either, and with only one of them.
set -u

bad=0
# A folder that nobody can enter, too: the tests' own is private.
here=$(mktemp -d /tmp/zog-init.XXXXXX) && chmod 755 "$here" && cd "$here" || exit 1
install -m 755 "$BUILD/scripts/zogd.init" zogd.init
install -m 755 "$ZOGD" zogd
init=$here/zogd.init
ZOGD=$here/zogd

complain()
{
	echo "$setup: $*"
	bad=1
}

# expect CODE ACTION...: its exit code; what it says is in out.
expect()
{
	wanted=$1
	shift
	ZOGD_DEFAULTS=$here/default "$init" "$@" >out 2>&1 </dev/null
	code=$?
	[ $code = "$wanted" ] || complain "$*: exit code $code, not $wanted: $(cat out)"
}

says()
{
	grep -q -- "$1" out || complain "no '$1' in: $(cat out)"
}

# Kept out of the way of other runs: an address by our number, and ports that are no one's habit.
address=127.$((64 + $$ / 250 % 128)).$(($$ % 250 + 1))
try_addresses()
{
	for last in 1 2 3 4 5 6 7 8 9; do
		printf 'mv %s.%d 23551 23552\npa %s.%d 23553 23554\n' "$address" $last "$address" $last >ring
		"$ZOGD" -d -c pa.conf >out 2>&1 && return
	done
	echo "no address: $(cat out)"
	exit 1
}

# waits for a process to be gone
gone()
{
	end=$(($(date +%s) + 30))
	while kill -0 "$1" 2>/dev/null; do
		[ "$(date +%s)" -lt $end ] || return 1
		sleep 0.02
	done
}

stop_all()
{
	for file in run/zogd.pid run/pa.pid; do
		[ ! -s $file ] || kill -KILL "$(cat $file)" 2>/dev/null
	done
	cd / && rm -rf "$here"
}
trap stop_all EXIT
trap 'exit 1' HUP INT TERM

conf_of()
{
	mkdir -p "log-$1" "state-$1"
	cat <<-END
		member = $1
		ring = $here/ring
		log-dir = $here/log-$1
		state-dir = $here/state-$1
		control = $here/run/$1.sock
		drain-timeout = 1
	END
}

mkdir run
conf_of mv >zogd.conf
{ conf_of pa; echo "pidfile = $here/run/pa.pid"; } >pa.conf
good=$(cat zogd.conf)
setup=first
# A zogd that is none of the script's business, and outlives all.
try_addresses
read -r other <run/pa.pid

default()
{
	cat >default <<-END
		DAEMON=$ZOGD
		CONF=$here/zogd.conf
		PIDFILE=$here/run/zogd.pid
		STOP_SECONDS=10
		$*
	END
}

# a number in the pidfile, and nobody behind it
stale()
{
	echo "$1" >run/zogd.pid
	expect 1 status
	says 'dead'
}

table()
{
	# not running
	expect 3 status
	expect 0 stop
	expect 0 try-restart
	expect 3 status
	expect 7 reload
	expect 7 force-reload

	# arguments
	expect 2
	says usage
	expect 2 nonsense
	expect 2 start now
	expect 3 status

	# started, and ready when it returns
	expect 0 start
	"$SPROG" -R ring -s mv -n 1 -m "$setup" -q || complain "start returned, and no port is open"
	read -r pid <run/zogd.pid
	expect 0 status
	says "($pid)"
	expect 0 start
	says already
	[ "$(cat run/zogd.pid)" = "$pid" ] || complain "a second start started another one"

	# reload, with the settings tried first
	for action in reload force-reload; do
		lines=$(grep -c ' reloaded:' log-mv/error.log)
		expect 0 $action
		end=$(($(date +%s) + 30))
		until [ "$(grep -c ' reloaded:' log-mv/error.log)" -gt "$lines" ]; do
			[ "$(date +%s)" -lt $end ] || { complain "$action was not heard"; break; }
			sleep 0.02
		done
	done
	echo 'colour = blue' >>zogd.conf
	for action in reload force-reload restart try-restart; do
		expect 78 $action
		says 'zogd.conf:7:'
		expect 0 status
		[ "$(cat run/zogd.pid)" = "$pid" ] || complain "$action with a bad file ended the one that ran"
	done
	echo "$good" >zogd.conf

	# another one
	for action in restart try-restart; do
		expect 0 $action
		expect 0 status
		[ "$(cat run/zogd.pid)" != "$pid" ] || complain "$action: it is the same"
		gone "$pid" || complain "$action: the old one is still there"
		read -r pid <run/zogd.pid
	done

	# crashed; and what its number may be by then
	kill -KILL "$pid"
	gone "$pid"
	expect 1 status
	expect 7 reload
	expect 0 try-restart
	expect 0 start
	read -r pid <run/zogd.pid
	kill -KILL "$pid"
	gone "$pid"
	expect 0 stop
	expect 3 status
	for number in "$pid" $$ "$other" 1 nonsense; do
		stale "$number"
		expect 0 stop
		expect 3 status
		kill -0 "$other" || complain "it stopped another member's zogd"
	done
	stale "$other"
	expect 0 start
	expect 0 status
	expect 0 stop
	expect 3 status
	[ ! -e run/zogd.pid ] || complain "the pidfile is still there"
	: >run/zogd.pid
	expect 3 status

	# It cannot start, and says why in its own words and code.
	echo 'colour = blue' >>zogd.conf
	expect 78 start
	says 'zogd.conf:7:'
	echo "$good" >zogd.conf
	echo 'listen-clients = 203.0.113.7:1' >>zogd.conf
	expect 71 start
	says 'cannot listen'
	echo "$good" >zogd.conf
	echo "log-dir = $here/nowhere" | cat - zogd.conf | awk '!/^log-dir/ || !n++' >more && mv more zogd.conf
	expect 73 start
	rm zogd.conf
	expect 6 start
	says 'no .*zogd.conf'
	echo "$good" >zogd.conf
	expect 3 status
	default "$@" "DAEMON=$here/nowhere"
	expect 5 start
	says 'not installed'
	expect 0 stop
	expect 3 status

	# The pidfile's folder is made.
	default "$@" "PIDFILE=$here/run/new/zogd.pid"
	expect 0 start
	expect 0 stop
	rm -rf run/new
	default "$@"

	# One that does not heed TERM is killed in the end.
	default "$@" STOP_SECONDS=1
	expect 0 start
	read -r pid <run/zogd.pid
	kill -STOP "$pid"
	expect 0 stop
	gone "$pid" || complain "a stopped zogd outlives stop"
	default "$@"
}

# Who may not: as nobody where this is root, else in a folder that may not be written to.
unprivileged()
{
	if [ "$(id -u)" = 0 ]; then
		if ! setpriv --reuid=65534 --clear-groups test -r "$here/default"; then
			echo "skipped: unprivileged: no setpriv, or no way to $here"
			return
		fi
		as_nobody()
		{
			wanted=$1
			ZOGD_DEFAULTS=$here/default setpriv --reuid=65534 --clear-groups "$init" "$2" >out 2>&1 </dev/null
			code=$?
			[ $code = "$wanted" ] || complain "$2 as nobody: exit code $code, not $wanted: $(cat out)"
		}
	else
		as_nobody()
		{
			chmod a-w run
			expect "$@"
			chmod u+w run
		}
	fi
	as_nobody 4 start
	as_nobody 3 status
	if [ "$(id -u)" = 0 ]; then
		expect 0 start
		as_nobody 0 status
		for action in stop restart try-restart reload force-reload; do
			as_nobody 4 $action
		done
		chmod 600 run/zogd.pid
		as_nobody 4 status
		as_nobody 4 stop
		chmod 644 run/zogd.pid
		expect 0 stop
	fi
}

# ---- with what there is on the machine, and without ----

mkdir bin
for tool in sh awk ls rm mkdir chown sed sleep cat env test; do
	ln -s "$(command -v $tool)" bin/
done
with=''
PATH=$PATH:/usr/sbin:/sbin command -v start-stop-daemon >/dev/null || with="$with start-stop-daemon"
[ -r /lib/lsb/init-functions ] || with="$with lsb-functions"
[ -z "$with" ] || echo "skipped: with$with: not here"

for setup in 'LSB functions and start-stop-daemon' 'neither' 'only LSB functions' 'only start-stop-daemon'; do
	case $setup in
	LSB*) set -- ;;
	neither) set -- "PATH=$here/bin LSB_FUNCTIONS=no" ;;
	*functions) set -- "PATH=$here/bin" ;;
	*) set -- "LSB_FUNCTIONS=no" ;;
	esac
	default "$@"
	table "$@"
done
kill -0 "$other" || complain "another member's zogd was stopped"
kill "$other"

# Another name is another member's.
setup='another name'
ln -s "$init" zogd-pa
./zogd-pa start >out 2>&1
[ $? = 6 ] || [ ! -x "$(sed -n 's/^DAEMON=//p' "$init")" ] || complain "start of zogd-pa, which has no settings: $(cat out)"
./zogd-pa status >out 2>&1
[ $? = 3 ] || complain "status of zogd-pa: $(cat out)"
says 'zogd-pa is not running'

setup=unprivileged
chmod 755 . run
unprivileged
sh -n "$init" || complain "not a script"
! command -v shellcheck >/dev/null || shellcheck -S warning -s sh -e SC1090,SC1091,SC2317 "$init" || complain "shellcheck"
exit $bad
