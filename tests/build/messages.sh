#!/bin/sh
# SPDX-License-Identifier: MIT
# Every line that the sources can write into error.log is told of in doc/operations: for each text, its longest piece
# without what differs from line to line.
set -eu

# One line for each call that says something, with the texts in it. The first one of logger_limited is a kind.
cat "$TOP"/src/daemon/*.c "$TOP"/src/store/*.c | tr '\n\t' '  ' |
	sed 's/\(logger_say\|logger_limited\|core_say\|journal_say\|[^a-z_]say\)(/\n&/g' |
	grep -E '^(logger_say|logger_limited|core_say|journal_say|.say)\(' | sed 's/);.*//' |
	sed 's/"zogd", //; s/^logger_limited([^"]*"[^"]*", *//; s/^[^"]*//; s/" PRI[a-z]*64 "/%/g; s/" *"//g' >calls
[ "$(wc -l <calls)" -ge 50 ] || { echo "only $(wc -l <calls) calls are found"; exit 1; }

# Where a call chooses between texts, all of them.
grep -o '"[^"]*"' calls | sed 's/^"//; s/"$//' | awk '
	{
		n = split($0, piece, /%[-.0-9]*l*[a-zA-Z]?/)
		best = ""
		for (i = 1; i <= n; i++)
			if (length(piece[i]) > length(best))
				best = piece[i]
		gsub(/^[ ,:();\x27]+|[ ,:();\x27]+$/, "", best)
		if (length(best) >= 5 && best !~ /^(report|v0\.)/)
			print best
	}' | sort -u >texts
[ "$(wc -l <texts)" -ge 45 ] || { echo "only $(wc -l <texts) texts are found"; exit 1; }

tr '\n' ' ' <"$TOP/doc/operations" | tr -s ' ' >known
bad=0
while IFS= read -r text; do
	grep -qF -e "$text" known || { echo "doc/operations does not tell what is meant by: $text"; bad=1; }
done <texts
exit $bad
