#!/bin/sh
# SPDX-License-Identifier: MIT
# What make install lays down works as it is: zogd takes the example of a configuration and of a ring, what
# is commented out there shows the defaults, and the init script is one.
set -eu

bad=0
complain()
{
	echo "$*"
	bad=1
}

# With the very settings of this build, and without building anything: -o all.
root=$(pwd)/root
make -C "$(dirname "$BUILD")" -o all install DESTDIR="$root" SANITIZE="${SANITIZE:-}" >out 2>&1 ||
	{ cat out; exit 1; }

installed()
{
	find "$root" -path "*/$1" | head -n 1
}

zogd=$(installed sbin/zogd) conf=$(installed zog/zogd.conf) ring=$(installed zog/ring) log=$(installed log/zog)
for file in "$zogd" "$conf" "$ring" "$log" "$(installed bin/sprog)" "$(installed include/sprog.h)" \
	"$(installed init.d/zogd)" "$(installed system/zogd.service)" "$(installed logrotate.d/zog)"
do
	[ -e "$file" ] || complain "missing: $(cat out)"
done
[ $bad = 0 ] || exit 1

# Only the places are not those of the real installation.
"$zogd" -t -v -c "$conf" -o ring="$ring" -o log-dir="$log" >settings 2>notes || complain "zogd -t: $(cat notes)"
grep -q "^settings and ring are good: member local, place 1 of 1$" settings || complain "zogd -t: $(cat settings)"

# The paths in the example are those that the program was built with.
echo 'local 127.0.0.1' >one
"$zogd" -t -v -c /dev/null -o ring=one -o member=local -o log-dir=. >defaults
for key in state-dir control; do
	[ "$(grep "^$key = " settings)" = "$(grep "^$key = " defaults)" ] || complain "$key: not the default"
done
for key in ring log-dir; do
	value=$(sed -n "s/^$key = //p" "$conf")
	case $key in
	ring) [ "$root$value" = "$ring" ] || complain "ring = $value, but it is installed as $ring" ;;
	*) [ "$root$value" = "$log" ] || complain "log-dir = $value, but it is installed as $log" ;;
	esac
done

# "# key = value" is the default of key, but where it only shows what one may write.
sed -n 's/^# \([a-z-]*\) = \(..*\)$/\1=\2/p' "$conf" >shown
[ "$(wc -l <shown)" -ge 10 ] || complain "the example shows $(wc -l <shown) defaults only"
while read -r setting; do
	key=${setting%%=*}
	case $key in user | group | secret-file) continue ;; esac
	"$zogd" -t -v -c /dev/null -o ring=one -o member=local -o log-dir=. -o "$setting" >with 2>&1 || :
	[ "$(grep "^$key = " with)" = "$(grep "^$key = " defaults)" ] ||
		complain "zogd.conf shows $setting, the default is $(grep "^$key = " defaults)"
done <shown

# Every setting is in the example.
sed -n 's/^\([a-z-]*\) = .*/\1/p' defaults | while read -r key; do
	grep -q "^\(# \)*$key =" "$conf" || echo "zogd.conf does not show $key"
done >missing
[ ! -s missing ] || complain "$(cat missing)"

# The five machines that the ring shows in its comments are a ring, too.
sed -n 's/^# \([a-z][a-z]* *[0-9.]*\)$/\1/p' "$ring" >five
[ "$(wc -l <five)" = 5 ] || complain "not five machines in the comments of the ring: $(cat five)"
"$zogd" -t -c /dev/null -o ring=five -o member=mv -o log-dir=. >out 2>&1 || complain "$(cat out)"

sh -n "$(installed init.d/zogd)" || complain "the init script is none"
"$(installed init.d/zogd)" nonsense >out 2>&1 && complain "the init script takes any word"
grep -q usage out || complain "the init script does not say how to use it: $(cat out)"
if grep -r '@[A-Z]*@' "$(dirname "$conf")" "$(installed init.d/zogd)" "$(installed system/zogd.service)" \
	"$(installed logrotate.d/zog)"
then
	complain "^ a folder was not filled in"
fi
exit $bad
