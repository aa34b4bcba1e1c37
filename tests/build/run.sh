#!/bin/sh
# SPDX-License-Identifier: MIT
# What tests/run makes of tests that are good, bad, skipped, silent, or not there.
set -u

mkdir -p built/tests source/tests
bad=0

# test NAME CODE LINE: a test that prints this line and ends so.
test_of()
{
	printf '#!/bin/sh\necho "%s"\nexit %s\n' "$3" "$2" >"built/tests/$1"
	chmod +x "built/tests/$1"
}

# expect CODE LAST-LINE NAME...: what tests/run says of these tests.
expect()
{
	code=$1 last=$2
	shift 2
	env TOP="$PWD/source" BUILD="$PWD/built" TMPDIR="$PWD" sh "$TOP/tests/run" "$@" >said 2>&1
	got=$?
	[ $got = "$code" ] && [ "$(tail -n 1 said)" = "$last" ] && return
	echo "tests/run $*: exit code $got, and:"
	sed 's/^/    /' said
	bad=1
}

says()
{
	grep -q "$1" said && return
	echo "'$1' is not in:"
	sed 's/^/    /' said
	bad=1
}

unset CK_RUN_CASE VERBOSE KEEP
test_of good 0 "100%: Checks: 3, Failures: 0, Errors: 0"
test_of bad 1 "50%: Checks: 4, Failures: 1, Errors: 1"
# What Check really prints then.
test_of none 0 "Running suite(s):100%: Checks: 0, Failures: 0, Errors: 0"
test_of leaks 99 "100%: Checks: 3, Failures: 0, Errors: 0"
test_of dies 1 "no line of Check"
test_of elsewhere 77 "not here"
test_of partly 0 "skipped: one: not here
100%: Checks: 3, Failures: 0, Errors: 0"
echo "exit 0" >source/tests/script.sh

expect 0 "4 passed, 0 failed, 1 skipped" good script elsewhere
expect 0 "2 passed, 0 failed, 1 skipped" partly
says "skipped: one: not here"
expect 1 "5 passed, 2 failed, 0 skipped" good bad
expect 1 "3 passed, 1 failed, 0 skipped" leaks
expect 1 "0 passed, 1 failed, 0 skipped" dies
expect 1 "0 passed, 1 failed, 0 skipped" not-there
expect 1 "0 passed, 0 failed, 0 skipped"

# A program without a test is none; with CK_RUN_CASE it is enough that one has that test.
expect 1 "3 passed, 1 failed, 0 skipped" good none
says "none  *FAILED: no test is in it"
CK_RUN_CASE=mistyped
export CK_RUN_CASE
expect 0 "3 passed, 0 failed, 0 skipped" none good
expect 1 "1 passed, 1 failed, 0 skipped" none none script
says "FAILED: no test is named 'mistyped'"
exit $bad
