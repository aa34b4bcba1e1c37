#!/bin/sh
# SPDX-License-Identifier: MIT
# The sessions that doc/samples/README shows are what happens: the commands are run, what they print is compared.
# Those of pubsub and chat, in which two speak at once, are left to unit/check_samples.
set -eu
PATH=$BUILD/doc/samples:$PATH

server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || :' EXIT

fail()
{
	echo "$name: $*"
	exit 1
}

# The session of the paragraph that begins with a name: commands after "$ ", and between them what they print.
session()
{
	awk -v name="$1-server," '/^[^\t]/ { mine = index($0, name) == 1 } mine && sub(/^\t\t/, "")' "$TOP/doc/samples/README"
}

# start COMMAND: a server; its port is free, and is in $port.
start()
{
	rm -f running
	mkdir -p files
	# It has a folder for the files, and ends in &.
	command=$(echo "$1" | sed -e 's/7777/0/' -e 's/ *&$//' -e "s,/srv/files,files,")
	eval "$command >running &"
	server=$!
	tries=0
	until grep -q '^RUNNING' running; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || fail "$command does not start"
		sleep 0.1
	done
	port=$(sed -n 's/^RUNNING [^ ]* //p' running)
}

echo 'some notes' >notes.txt
for name in echo http rpc cache work file; do
	session "$name" >conversation
	[ "$(wc -l <conversation)" -ge 3 ] || fail "there is no session"
	: >running
	: >printed
	: >expected
	while IFS= read -r line; do
		case $line in
		'$ '*'&') start "${line#??}" ;;
		'$ '*) eval "$(echo "${line#??}" | sed "s/7777/$port/")" >>printed 2>&1 ;;
		*) echo "$line" >>expected ;;
		esac
	done <conversation
	diff expected printed || fail "^ README (<) and what is printed (>) differ"
	kill "$server"
	wait "$server" || fail "the server's exit code is $?"
	server=
done
cmp notes.txt copy.txt
