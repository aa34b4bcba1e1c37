#!/bin/sh
# SPDX-License-Identifier: MIT
# doc/petrichor is what runs: its C is taken out, compiled, and agrees with the library and with every vector; what it
# shows of the wire is what goes over it; the vectors that it names are there.
set -eu
export LC_ALL=C
CC=${CC:-cc}
doc=$TOP/doc/petrichor here=$TOP/tests/petrichor vectors=$TOP/tests/petrichor/vectors.tsv

bad=0
complain()
{
	echo "$*"
	bad=1
}

extract()
{
	sh "$here/literate_extract" "$1" "$doc"
}

# ---- the code ----

extract twin.h >twin.h
extract twin.c >twin.c
flags="-std=c11 -D_GNU_SOURCE -g -I. -I$TOP/src -pthread"
# The warnings of this very build.
warnings=$(tr ' ' '\n' <"$BUILD/flags" | grep -E '^-W[a-z][a-z0-9=-]*$' | grep -v '^-Werror$' | sort -u | tr '\n' ' ')
[ "$(echo "$warnings" | wc -w)" -ge 3 ] || complain "these are no warnings: $warnings"
# shellcheck disable=SC2086  # lists of words, here and below
$CC $flags -O2 $warnings -Werror -c -o plain.o twin.c || exit 1

# With sanitizers where they work; the library as it was built, which asks for its own.
echo 'int main(void) { return 0; }' >probe.c
sanitize="-fsanitize=${SANITIZE:-address,undefined} -fno-sanitize-recover=all -fno-omit-frame-pointer"
# shellcheck disable=SC2086
$CC $flags $sanitize -o probe probe.c 2>probe.log && ./probe || sanitize=
echo "twin.c with ${sanitize:-no sanitizer}"
for program in literate_vectors literate_wire; do
	# shellcheck disable=SC2086
	$CC $flags -O1 $sanitize -o $program "$here/$program.c" twin.c "$BUILD/zog.a" || exit 1
done

# ---- vectors ----

./literate_vectors "$vectors" || complain "^ not what the vectors say"
[ "$(grep -c -v '^#' "$vectors")" -ge 200 ] || complain "vectors.tsv is cut short"
./literate_vectors --floats || complain "^ floats"
# Where the radix is a comma, and where it is two bytes long, as in ps_AF. (localedef minds what is not in it.)
mkdir locales
for radix in 002C 066B; do
	printf 'LC_NUMERIC\ndecimal_point "<U%s>"\nthousands_sep ""\ngrouping -1\nEND LC_NUMERIC\n' $radix >numeric
	localedef -c -i numeric -f UTF-8 "$PWD/locales/r$radix.UTF-8" >locale.log 2>&1 || :
	if [ ! -d locales/r$radix.UTF-8 ]; then
		echo "without a locale of radix U+$radix: localedef does not make one"
		continue
	fi
	for option in "$vectors" --floats; do
		env -u LC_ALL LOCPATH="$PWD/locales" LC_NUMERIC=r$radix.UTF-8 ./literate_vectors "$option" ||
			complain "^ where the radix is U+$radix"
	done
done

# And its Python says the same of what is hardly a frame any more.
if command -v python3 >/dev/null; then
	extract petrichor.py >petrichor.py
	seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
	PYTHONDONTWRITEBYTECODE=1 python3 "$here/literate_check.py" verdicts "$vectors" 3000 "$seed" >verdicts ||
		complain "^ Python, seed $seed"
	./literate_vectors --verdicts <verdicts || complain "^ is what Python says, seed $seed"
fi

# Each vector that the text names is one, each q has its sentence, and says there what its line says.
cut -f 1 "$vectors" | sort >ids
grep -o '\<[cnxpqz][0-9][0-9][0-9]\>' "$doc" | sort -u >named
comm -13 ids named >unknown
[ ! -s unknown ] || complain "no vectors: $(cat unknown)"
[ "$(wc -l <named)" -ge 30 ] || complain "$(wc -l <named) vectors are named only"
grep '^q' "$vectors" | while read -r id _ _ error; do
	# Its paragraph: to the next id.
	awk -v id="$id" '/^    q/ { on = $1 == id } /^[^ ]/ { on = 0 } on' "$doc" >sentence
	grep -q "\<$error\>" sentence || echo "$id: the text does not say $error"
done >sentences
[ ! -s sentences ] || complain "$(cat sentences)"

# ---- what is shown of the wire ----

extract frames >frames
[ "$(wc -l <frames)" -ge 10 ] || complain "$(wc -l <frames) frames only"
./literate_vectors --frames frames || complain "^ the frames of section 1"

# wire NAME: the bytes of the client into NAME.c, of the server into NAME.s.
wire()
{
	name=$(echo "$1" | tr ' ' -)
	extract "wire $1" >"$name.wire"
	for side in C S; do
		sed -n "s/^$side> //p" "$name.wire" | unescape >"$name.$(echo $side | tr CS cs)"
	done
	grep -v '^[CS]> ' "$name.wire" && complain "wire $1: ^ neither C> nor S>"
	cat "$name.c" "$name.s" | ./literate_vectors --pairs >/dev/null || complain "^ wire $1"
}

# Lines with \xNN to bytes without line ends.
unescape()
{
	# printf's own \ooo, since not every printf knows \x.
	while IFS= read -r line; do
		printf '%s' "$line" | sed -e 's/%/%%/g' |
			awk '{
				while (match($0, /\\x[0-9a-f][0-9a-f]/)) {
					hi = index("0123456789abcdef", substr($0, RSTART + 2, 1)) - 1
					lo = index("0123456789abcdef", substr($0, RSTART + 3, 1)) - 1
					$0 = substr($0, 1, RSTART - 1) sprintf("\\%03o", hi * 16 + lo) substr($0, RSTART + 4)
				}
				printf "%s", $0
			}' >format
		# shellcheck disable=SC2059
		printf "$(cat format)"
	done
}

sed -n 's/^wire \(.*\):$/\1/p' "$doc" >shown
[ "$(sort -u shown | wc -l)" -ge 7 ] || complain "only these are shown: $(cat shown)"
while read -r shown; do
	wire "$shown"
done <shown

# The text's own server, and the one of the samples.
server=$BUILD/doc/samples/echo-server
for name in echo echo-refused; do
	ident=$(grep -a -o '5:ident,32:[0-9a-f]*' $name.s | head -n 1 | cut -d : -f 3)
	./literate_vectors --echo "$ident" <$name.c >got || complain "$name: the text's server: exit code $?"
	cmp got $name.s || complain "^ $name, by the text's server"
	if [ -x "$server" ]; then
		timeout 60 "$server" -i "$ident" - <$name.c >got 2>log || complain "$name: $(cat log)"
		cmp got $name.s || complain "^ $name, by $server: $(cat log)"
	fi
done
for name in verdicts once accept packed pieces; do
	cat $name.s >expected
	[ -s expected ] || cat $name.c >expected
	./literate_wire $name expected <$name.c || complain "^ wire $name"
done
exit $bad
