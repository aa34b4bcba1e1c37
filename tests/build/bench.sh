#!/bin/sh
# SPDX-License-Identifier: MIT
# The benchmark works: a very small run of it, whose figures mean nothing, ends well and leaves a table, figures and plots
# that are well-formed.
set -eu
bench=$BUILD/tests/bench/bench

bad=0
complain()
{
	echo "$*"
	bad=1
}

"$bench" --list >list
for row in raw line one plain five sync1.64 body.500 lat.one.100 idle clients start size.15 catchup; do
	grep -q "^$row " list || complain "--list has no $row"
done

BENCH_MESSAGES=20000 BENCH_SLOW_MESSAGES=50 BENCH_FAST_MESSAGES=200 BENCH_IDLE_SECONDS=0.1 BENCH_IDLE_CLIENTS=20 \
	"$bench" --zogd "$ZOGD" --rounds 1 --only raw,line,one,plain,lat.,idle,clients --out out >said 2>progress ||
	{ cat said progress; exit 1; }

# row zogd round what value: five columns, the last one a number.
awk -F '\t' 'NF != 5 || (NR > 1 && $5 !~ /^-?[0-9.e+-]+$/) { print FILENAME ": " $0; bad = 1 }
	NR > 1 { has[$1 " " $4] = 1 }
	END {
		n = split("raw rate,raw cpu,line rate,one rate,one cpu,one rss.peak,plain rate,idle cpu,clients hello," \
			"lat.raw.100 all.p50,lat.one.100 settled.p50,lat.one.100 all.p99,lat.all.5000 settled.p50", want, ",")
		for (i = 1; i <= n; i++)
			if (!(want[i] in has)) {
				print FILENAME ": no " want[i]
				bad = 1
			}
		exit bad
	}' out/results.tsv || complain "results.tsv is not as it should be"

cmp -s said out/table.txt || complain "table.txt is not what was printed"
for line in THROUGHPUT 'raw  ' 'one  ' 'LATENCY, us' 'lat.one.5000' AIMS; do
	grep -q "^$line" out/table.txt || complain "table.txt has no line $line"
done
! grep -n 'nan\|inf' out/table.txt out/results.tsv || complain "a figure that is none"

for plot in throughput latency; do
	svg=out/$plot.svg
	if command -v xmllint >/dev/null; then
		xmllint --noout "$svg" || complain "$svg is no XML"
	fi
	tail -n 1 "$svg" | grep -q '^</svg>$' || complain "$svg has no end"
	[ "$(grep -c '<text' "$svg")" -gt 10 ] || complain "$svg has few texts"
	! grep -n '"[^"]*nan\|"[^"]*inf' "$svg" || complain "$svg: a place that is none"
done

# Frames: nine columns, the fifth a time.
"$BUILD"/tests/bench/frames --rounds 1 --seconds 0.001 --out frames.tsv >frames.txt || complain "frames: exit code $?"
awk -F '\t' 'NF != 9 || (NR > 1 && !($5 > 0)) { print FILENAME ": " $0; bad = 1 } { has[$1 " " $2] = 1 }
	END { exit bad || !("pair petrichor" in has && "body memcpy" in has && "deep petrichor" in has) }' frames.tsv ||
	complain "frames.tsv is not as it should be"
grep -q msgpack-c frames.txt || complain "frames says nothing of msgpack-c: $(cat frames.txt)"
! "$BUILD"/tests/bench/frames --rounds 0 2>/dev/null || complain "frames takes no rounds at all"

# What cannot be done is said, and told by the exit code.
! "$bench" --zogd ./none --out out >said 2>&1 || complain "a zogd that is not there is no error"
printf '#!/bin/sh\necho no such luck >&2\nexit 1\n' >broken
chmod +x broken
! "$bench" --zogd ./broken --only idle --out out >said 2>&1 || complain "a zogd that does not start is no error"
grep -q 'no such luck' said || complain "why zogd did not start is not said: $(cat said)"
[ -z "$(find . -name 'zog-bench.*')" ] || complain "folders were left: $(find . -name 'zog-bench.*')"
exit $bad
