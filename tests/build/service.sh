#!/bin/sh
# SPDX-License-Identifier: MIT
# What systemd says of the installed files: the unit is one, and shut off well enough; sysusers.d and tmpfiles.d make
# the account and the folders. And zogd calls nothing in its life that the unit forbids it.
set -eu

bad=0
complain()
{
	echo "$*"
	bad=1
}

root=$(pwd)/root
make -C "$(dirname "$BUILD")" -o all install DESTDIR="$root" SANITIZE="${SANITIZE:-}" >out 2>&1 ||
	{ cat out; exit 1; }
unit=$(find "$root" -name zogd.service)
[ -s "$unit" ] || { cat out; exit 1; }
command -v systemd-analyze >/dev/null || { echo "no systemd-analyze is here"; exit 77; }

# ---- the unit ----

# Everything but the place of the program is as it will be.
sed "s,=[^ ]*/sbin/zogd ,=$ZOGD ," "$unit" >zogd.service
systemd-analyze verify --man=no ./zogd.service >out 2>&1 || complain "verify: exit code $?"
[ ! -s out ] || complain "verify: $(cat out)"
if systemd-analyze security --offline=yes --no-pager ./zogd.service >out 2>&1; then
	level=$(sed -n 's/.*Overall exposure level for [^:]*: \([0-9.]*\).*/\1/p' out)
	echo "exposure level $level"
	awk -v level="$level" 'BEGIN { exit !(level != "" && level < 2.0) }' || complain "not shut off enough: $(cat out)"
else
	echo "skipped: security: systemd-analyze does not rate a file: $(tail -n 1 out)"
fi

# ---- the account and the folders ----

if [ "$(id -u)" = 0 ] && command -v systemd-sysusers >/dev/null && command -v systemd-tmpfiles >/dev/null; then
	mkdir -p "$root/etc"
	echo 'root:x:0:' >"$root/etc/group"
	echo 'adm:x:4:' >>"$root/etc/group"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
	systemd-sysusers --root="$root" "$(find "$root" -path '*/sysusers.d/zog.conf')" >out 2>&1 || complain "sysusers: $(cat out)"
	zog=$(sed -n 's/^zog:[^:]*:\([0-9]*\):.*/\1/p' "$root/etc/passwd")
	[ "$zog" ] || complain "sysusers made no account: $(cat "$root/etc/passwd")"
	file=$(find "$root" -path '*/tmpfiles.d/zog.conf')
	# They are there already: they were installed.
	sed -n 's/^d \([^ ]*\) .*/\1/p' "$file" >folders
	while read -r folder; do
		rm -rf "${root:?}$folder"
	done <folders
	systemd-tmpfiles --root="$root" --create "$file" >out 2>&1 || complain "tmpfiles: $(cat out)"
	while read -r folder; do
		stat -c "%a %u %g ${folder##*/*/}" "$root$folder" || complain "no $folder"
	done <folders >modes
	printf '%s\n' "2750 $zog 4 zog" "750 $zog $zog zog" "755 $zog $zog zog" >wanted
	sed 's,[^ ]*/zog$,zog,' modes | diff wanted - || complain "^ the folders that were wanted (<) and made (>)"
else
	echo "skipped: sysusers: needs root, systemd-sysusers and systemd-tmpfiles"
fi

# ---- the system calls ----

# What a set of the unit's filter holds, sets in it included.
expand()
{
	case $1 in
	@*)
		systemd-analyze syscall-filter "$1" | sed -n 's/^ *\([@a-z_0-9-]*\)$/\1/p' | grep -vxF -e "$1" | while read -r one; do
			expand "$one"
		done
		;;
	*) echo "$1" ;;
	esac
}

life()
{
	printf 'mv 127.%d.%d.9 25551 25552\npa 127.0.0.1 1 2\n' $((64 + $$ / 250 % 128)) $(($$ % 250 + 1)) >ring
	mkdir -p log run
	cat >zogd.conf <<-END
		member = mv
		ring = $(pwd)/ring
		log-dir = $(pwd)/log
		state-dir = $(pwd)/state
		control = $(pwd)/run/zogd.sock
		user = $(id -un)
		journal-limit = 256K
		journal-segment = 64K
	END
	# As under systemd: told where to notify, and watched.
	NOTIFY_SOCKET=/nowhere WATCHDOG_USEC=200000 strace -f -qq -o calls "$ZOGD" -c zogd.conf -o pidfile="$(pwd)/run/zogd.pid" \
		>out 2>&1 &
	strace=$!
	end=$(($(date +%s) + 30))
	until grep -qs 'listening for clients' log/error.log; do
		kill -0 $strace && [ "$(date +%s)" -lt $end ] || { complain "zogd does not start: $(cat out)"; return; }
		sleep 0.05
	done
	"$SPROG" -R ring -s mv -n 3000 -i 0 --window 0 -q || complain "sprog ends with $?"
	read -r pid <run/zogd.pid
	for signal in USR1 HUP USR2 TERM; do
		kill -$signal "$pid"
		sleep 0.3
	done
	wait $strace || complain "zogd ends with $?: $(cat out)"
}

if command -v strace >/dev/null && [ -z "${SANITIZE:-}" ] && strace -o out true 2>/dev/null; then
	sed -n 's/^SystemCallFilter=//p' "$unit" | tr ' ' '\n' >words
	sets=$(sed -n '/^~/q; p' words)
	for set in $sets; do
		expand "$set"
	done | sort -u >allowed
	for set in $(sed -n '/^~/,$ { s/^~//; p; }' words); do
		expand "$set"
	done | sort -u >forbidden
	[ "$(wc -l <allowed)" -gt 100 ] && [ "$(wc -l <forbidden)" -gt 10 ] || complain "the filter's sets are not known"
	life
	sed -n 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' calls | sort -u >called
	[ "$(wc -l <called)" -gt 30 ] || complain "only so many system calls: $(cat called)"
	comm -23 allowed forbidden >may
	# The first execve is systemd's.
	comm -23 called may >denied
	[ ! -s denied ] || complain "zogd calls what the unit forbids: $(tr '\n' ' ' <denied)"
else
	echo "skipped: system calls: strace is not here, or may not trace"
fi
exit $bad
