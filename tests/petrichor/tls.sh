#!/bin/sh
# SPDX-License-Identifier: MIT
# Pairs through TLS that others speak: a server behind stunnel, started by it or connected to, and clients through stunnel, as
# a daemon or as a program of their own, and through openssl s_client. Certificates are verified by name, and one of a
# stranger is refused. All on Unix sockets, so that no port has to be free.
set -eu
CC=${CC:-cc}

stunnel=$(command -v stunnel4 || command -v stunnel || :)
[ "$stunnel" ] || { echo "stunnel is not here"; exit 77; }
command -v openssl >/dev/null || { echo "openssl is not here"; exit 77; }
dir=$PWD
# A Unix socket's name has no more room.
[ ${#dir} -lt 80 ] || { echo "the name of this folder is too long"; exit 77; }

# shellcheck disable=SC2086  # CC may be words
$CC -std=c11 -D_GNU_SOURCE -g -Wall -Wextra -Werror ${SANITIZE:+-fsanitize=$SANITIZE} -pthread -I"$TOP/src/petrichor" \
	-o talk "$TOP/tests/petrichor/tls_talk.c" "$BUILD/libpetrichor.a"

# ---- certificates ----

# authority NAME: makes NAME.pem, who signs.
authority()
{
	openssl req -x509 -newkey rsa:2048 -nodes -sha256 -days 2 -subj "/CN=$1" -addext basicConstraints=critical,CA:TRUE \
		-keyout "$1.key" -out "$1.pem" 2>openssl.log || { cat openssl.log; exit 1; }
}

authority ours
authority stranger
printf 'subjectAltName=DNS:echo.test\nbasicConstraints=CA:FALSE\n' >extensions
openssl req -newkey rsa:2048 -nodes -sha256 -subj /CN=echo.test -keyout server.key -out server.csr 2>openssl.log ||
	{ cat openssl.log; exit 1; }
openssl x509 -req -in server.csr -CA ours.pem -CAkey ours.key -CAcreateserial -days 2 -sha256 -extfile extensions \
	-out server.pem 2>openssl.log || { cat openssl.log; exit 1; }
chmod 600 server.key

# ---- those that stay while it runs ----

pids=
finish()
{
	for pid in $pids; do
		kill "$pid" 2>/dev/null || continue
		wait "$pid" || :
	done
}
trap finish EXIT
trap 'exit 130' INT TERM

# until_there PLACE: waits for a socket, or a file that is not empty.
until_there()
{
	i=0
	until [ -S "$1" ] || [ -s "$1" ]; do
		i=$((i + 1))
		[ $i -lt 600 ] || { echo "$1 does not come"; cat ./*.log; exit 1; }
		sleep 0.05
	done
}

# tunnel NAME LINES: a stunnel with one service, which accepts at NAME.sock.
tunnel()
{
	printf 'foreground = yes\npid =\nsyslog = no\ndebug = notice\n[%s]\naccept = %s\n%b' "$1" "$dir/$1.sock" "$2" >"$1.conf"
	"$stunnel" "$1.conf" >"$1.log" 2>&1 &
	pids="$pids $!"
	until_there "$1.sock"
}

# program NAME LINES: the settings of a stunnel that speaks on its standard input and output.
program()
{
	printf 'client = yes\nsyslog = no\ndebug = warning\noutput = %s\n%b' "$dir/$1.log" "$2" >"$1.conf"
}

served="cert = $dir/server.pem\nkey = $dir/server.key\n"
checked="client = yes\nverifyChain = yes\ncheckHost = echo.test\n"

./talk listen >port 2>listen.log &
pids="$pids $!"
until_there port
tunnel exec "${served}exec = $dir/talk\nexecArgs = talk serve\n"
tunnel connect "${served}connect = 127.0.0.1:$(cat port)\n"
tunnel client "${checked}CAfile = $dir/ours.pem\nconnect = $dir/exec.sock\n"
tunnel wrong "${checked}CAfile = $dir/stranger.pem\nconnect = $dir/exec.sock\n"
tunnel elsewhere "client = yes\nverifyChain = yes\ncheckHost = other.test\nCAfile = $dir/ours.pem\nconnect = $dir/exec.sock\n"

# ---- what is to go, and what is not ----

bad=0
goes()
{
	echo "goes: $*"
	./talk "$@" >out 2>err.log || { echo "failed: $(cat out)"; cat ./*.log; bad=1; }
}

refused()
{
	echo "is refused: $*"
	if ./talk "$@" >out 2>err.log; then
		echo "it was not"
		bad=1
	elif ! grep -q '^connecting: \(IO\|CLOSED\)$' out; then
		echo "not as it should be: $(cat out)"
		bad=1
	fi
}

for server in exec connect; do
	program through "verifyChain = yes\ncheckHost = echo.test\nCAfile = $dir/ours.pem\nconnect = $dir/$server.sock\n"
	goes spawn "$stunnel" through.conf
	goes spawn openssl s_client -quiet -nocommands -verify_return_error -verify_hostname echo.test -CAfile ours.pem \
		-unix "$server.sock"
done
goes talk "$dir/client.sock" 0

program through "verifyChain = yes\ncheckHost = echo.test\nCAfile = $dir/stranger.pem\nconnect = $dir/exec.sock\n"
refused spawn "$stunnel" through.conf
refused spawn openssl s_client -quiet -nocommands -verify_return_error -verify_hostname echo.test -CAfile stranger.pem \
	-unix exec.sock
refused spawn openssl s_client -quiet -nocommands -verify_return_error -verify_hostname other.test -CAfile ours.pem \
	-unix exec.sock
refused talk "$dir/wrong.sock" 0
refused talk "$dir/elsewhere.sock" 0
# Without TLS nobody gets in either.
refused talk "$dir/exec.sock" 0
exit $bad
