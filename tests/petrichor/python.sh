#!/bin/sh
# SPDX-License-Identifier: MIT
# The Python of doc/petrichor: every vector, and the echo conversation with the C server, byte for byte; directly, and
# through stunnel with a certificate that is looked at, from Python's own TLS and from another stunnel.
set -eu

command -v python3 >/dev/null || { echo "python3 is not here"; exit 77; }
python3 -c 'import sys; sys.exit(sys.version_info < (3, 8))' || { echo "python3 is older than 3.8"; exit 77; }

here=$TOP/tests/petrichor doc=$TOP/doc/petrichor
server=$BUILD/doc/samples/echo-server
sh "$here/literate_extract" petrichor.py "$doc" >petrichor.py
sh "$here/literate_extract" 'wire echo' "$doc" >wire
[ "$(grep -c . petrichor.py)" -le 150 ] || { echo "it has grown: $(grep -c . petrichor.py) lines"; exit 1; }
export PYTHONDONTWRITEBYTECODE=1

python3 "$here/literate_check.py" vectors "$TOP/tests/petrichor/vectors.tsv"
python3 "$here/literate_check.py" shown "$doc" "$server"

stunnel='' openssl=$(command -v openssl || :)
for name in stunnel4 stunnel; do
	[ "$stunnel" ] || stunnel=$(command -v $name || :)
done
if [ "$stunnel" ] && [ "$openssl" ] && python3 -c 'import ssl' 2>/dev/null; then
	python3 "$here/literate_check.py" echo wire "$server" "$stunnel" "$openssl"
else
	echo "without TLS: stunnel4, openssl or Python's ssl is not here"
	python3 "$here/literate_check.py" echo wire "$server"
fi
