#!/bin/sh
# SPDX-License-Identifier: MIT
# Random input for every parser: by clang's libFuzzer where it is (FUZZ_SECONDS for each target, 5), else by
# our own small main, which knows nothing of branches (FUZZ_ROUNDS, 20000). What they find stays in this folder.
set -eu
CC=${CC:-cc}
FUZZ_SECONDS=${FUZZ_SECONDS:-5}
FUZZ_ROUNDS=${FUZZ_ROUNDS:-20000}
fuzz=$TOP/tests/fuzz

flags="-std=c11 -D_GNU_SOURCE -g -O1 -fno-omit-frame-pointer -Wall -Wextra -Werror -I. -I$TOP/src -pthread"
checks='-fno-sanitize-recover=undefined'
# The parsers and what they stand on; the connections, whose threads and sockets tests/fuzz/talk.h plays.
modules=$(cd "$TOP/src" && echo base/*.c wire/*.c ring/*.c store/*.c daemon/conf*.c daemon/secret.c petrichor/*.c \
	daemon/session*.c daemon/client.c daemon/peer*.c daemon/link*.c daemon/outq.c daemon/view.c daemon/words.c)
targets='line ring conf frame journal tnetstring pairs lz4 twin client peer link'
wrapped='poll recv send sendmsg pthread_create pthread_join clock_mono_ms proof_nonce net_connect_start net_connect_result'
wrap=$(for name in $wrapped; do printf ' -Wl,--wrap=%s' "$name"; done)

# works FLAGS...: whether the compiler makes, with these, a program that runs.
works()
{
	# shellcheck disable=SC2086  # CC may be words
	"$@" -o probe probe.c 2>probe.log && timeout 60 ./probe -runs=1 >>probe.log 2>&1
}

# build COMMAND...: each target, with the modules compiled once.
build()
{
	objects=
	for module in $modules; do
		object=$(echo "$module" | tr / -).o
		# shellcheck disable=SC2086
		"$@" $flags -c -o "$object" "$TOP/src/$module"
		objects="$objects $object"
	done
	# shellcheck disable=SC2086
	"$@" $flags -c -o twin.o twin.c
	# An archive: a target takes of it what it needs, and need not stand in for what the rest calls.
	rm -f modules.a
	# shellcheck disable=SC2086
	ar rcs modules.a $objects twin.o
	for target in $targets; do
		case $target in
		client | peer | link) more=$wrap ;;
		*) more= ;;
		esac
		# shellcheck disable=SC2086
		"$@" $flags -o fuzz_$target "$fuzz/fuzz_$target.c" modules.a $more
	done
}

# The twin comes out of the text that teaches it.
for file in twin.h twin.c; do
	sh "$TOP/tests/petrichor/literate_extract" $file "$TOP/doc/petrichor" >$file
done

cat >probe.c <<'END'
#include <stddef.h>
#include <stdint.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { (void)data; (void)size; return 0; }
#ifdef FUZZ_MAIN
int main(void) { return 0; }
#endif
END

if command -v clang >/dev/null && works clang -fsanitize=fuzzer,address,undefined -DPROBE \
	-Wno-unused-command-line-argument; then
	echo "clang, libFuzzer, $FUZZ_SECONDS s for each target"
	# shellcheck disable=SC2086
	build clang -fsanitize=fuzzer,address,undefined $checks
	for target in $targets; do
		mkdir -p found
		./fuzz_$target -max_total_time="$FUZZ_SECONDS" -timeout=20 -max_len=4096 -print_final_stats=1 \
			-verbosity=0 found "$fuzz/corpus/$target" >log 2>&1 || { cat log; exit 1; }
		echo "fuzz_$target: $(sed -n 's/^stat::number_of_executed_units: *//p' log) inputs"
		rm -r found
	done
	exit 0
fi

sanitize="-fsanitize=address,undefined $checks"
# shellcheck disable=SC2086
works $CC -DFUZZ_MAIN $sanitize || sanitize=
# shellcheck disable=SC2086
works $CC -DFUZZ_MAIN $sanitize || { echo "$CC makes no program that runs: $(tail -n 1 probe.log)"; exit 77; }
echo "$CC $sanitize, $FUZZ_ROUNDS rounds for each target"
# shellcheck disable=SC2086
build $CC -DFUZZ_MAIN $sanitize
for target in $targets; do
	seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
	FUZZ_KEEP=yes ./fuzz_$target -n "$FUZZ_ROUNDS" -s "${FUZZ_SEED:-$seed}" "$fuzz/corpus/$target"/*
done
