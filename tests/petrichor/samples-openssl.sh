#!/bin/sh
# SPDX-License-Identifier: MIT
# The sample that has TLS by callbacks, doc/samples/openssl: it compiles where OpenSSL's headers are, and talks
# with an echo-server behind `openssl s_server`, if that one's certificate is good and has the right name.
set -eu
CC=${CC:-cc}
bin=$BUILD/doc/samples
sanitize=${SANITIZE:+-fsanitize=$SANITIZE -fno-sanitize-recover=undefined}

command -v openssl >/dev/null || { echo "openssl is not here"; exit 77; }
printf '#include <openssl/ssl.h>\nint main(void) { return BIO_do_connect_retry(NULL, 1, 0) == 1; }\n' >probe.c
# shellcheck disable=SC2086  # CC and the flags are words
$CC -o probe probe.c -lssl -lcrypto 2>probe.log || { echo "no headers of OpenSSL 3 are here"; exit 77; }
# shellcheck disable=SC2086
$CC -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Werror -pthread $sanitize -I"$TOP/src/petrichor" -o client \
	"$TOP/doc/samples/openssl/echo-tls-client.c" "$BUILD/libpetrichor.a" -lssl -lcrypto

fail()
{
	echo "$*"
	cat server.log client.log 2>/dev/null || :
	exit 1
}

servers=
finish()
{
	for i in $servers; do
		kill "$i" 2>/dev/null || :
	done
}
trap finish EXIT

# certificate NAME: for itself, with this name
certificate()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
		-addext "subjectAltName=DNS:$1" -keyout "$1.key" -out "$1.pem" 2>/dev/null
}

# A port that was free just now.
free_port()
{
	rm -f running
	"$bin/echo-server" 127.0.0.1 0 >running &
	echo=$!
	tries=0
	until grep -q '^RUNNING' running 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || fail "no echo-server"
		sleep 0.1
	done
	kill $echo
	wait $echo || fail "echo-server ended badly"
	port=$(sed -n 's/^RUNNING [^ ]* //p' running)
}

# serve NAME: an echo-server in TLS, for one peer after the other; each has one of its own.
serve()
{
	free_port
	rm -f in out
	mkfifo in out
	# shellcheck disable=SC2094
	"$bin/echo-server" - <in >out 2>echo.log &
	servers="$servers $!"
	openssl s_server -quiet -accept "127.0.0.1:$port" -naccept 1 -cert "$1.pem" -key "$1.key" \
		>in <out 2>server.log &
	server=$!
	servers="$servers $server"
}

# try CA HOST: the client's exit code, and what it printed. It may be there before the server is.
try()
{
	tries=0
	code=1
	while :; do
		code=0
		printf 'hello\n\nQuit? R\n' | timeout 60 ./client "$1" "$2" "$port" zed >client.out 2>client.log || code=$?
		grep -q 'no connection' client.log || break
		tries=$((tries + 1))
		[ $tries -lt 200 ] || fail "no openssl s_server"
		sleep 0.1
	done
}

certificate localhost
certificate other.example

serve localhost
try localhost.pem localhost
[ $code = 0 ] || fail "exit code $code"
printf 'CONNECTED WELCOME\nhello\n\nQuit? R\n' | cmp - client.out || fail "not what was to come"
wait "$server" || :
grep -q 'RECEIVED zed [0-9a-f]* {} Quit? R' echo.log || fail "not what was to be said"

serve other.example
try other.example.pem localhost
[ $code = 1 ] || fail "another's name is taken: $code"
grep -q 'no TLS: hostname mismatch' client.log || fail "for another reason"

serve localhost
try other.example.pem localhost
[ $code = 1 ] || fail "a certificate that nobody knows is taken: $code"
grep -q 'no TLS: self.signed' client.log || fail "for another reason"
