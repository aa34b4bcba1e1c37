#!/bin/sh
# SPDX-License-Identifier: MIT
# The Debian packages build, lintian finds nothing to say, and what is in them is the programs, the settings and the
# folders as they are meant. Where a root of its own can be had for it, they are installed there, zogd is started by its
# init script, used, and all is purged.
set -eu

missing=''
for tool in dpkg-buildpackage dh lintian; do
	command -v $tool >/dev/null || missing="$missing $tool"
done
[ -z "$missing" ] || { echo "not here:$missing"; exit 77; }

bad=0
complain()
{
	echo "$*"
	bad=1
}

# The source as a tarball has it, also from a tree that git has not heard of all of.
mkdir source
if [ -e "$TOP/.git" ]; then
	git -C "$TOP" -c safe.directory="$TOP" ls-files -co --exclude-standard
	printf 'MANIFEST\nconfigure\n'
else
	cat "$TOP/MANIFEST"
fi | LC_ALL=C sort -u >list
grep -v '^MANIFEST$' list | tar -C "$TOP" -cf - -T - | tar -C source -xf -
cp list source/MANIFEST
cd source
unset MAKEFLAGS MFLAGS MAKELEVEL SANITIZE CFLAGS CPPFLAGS LDFLAGS 2>/dev/null || :
tests=$TOP
export LC_ALL=C.UTF-8
{
	./configure -q
	env -u BUILD -u TOP -u ZOGD -u SPROG -u ZOGCTL -u CC DEB_BUILD_OPTIONS='nocheck parallel=2' \
		DEB_FLAGS='-b -Pnocheck' make deb
} >../out 2>&1 || { tail -n 60 ../out; exit 1; }
cd build/deb
ls -- *.deb >../../../debs
for package in zog libsprog0 libsprog-dev libpetrichor0 libpetrichor-dev; do
	grep -q "^${package}_" ../../../debs || complain "no package $package: $(cat ../../../debs)"
done
lintian --fail-on none --allow-root --no-cfg -- *.changes >../../../lint 2>&1 || complain "lintian: exit code $?"
grep -v '^N:' ../../../lint >../../../said && complain "lintian: $(cat ../../../said)"
overrides=$(find . -path './zog-*/debian/*' -name '*lintian-overrides' -exec grep -hv '^#' {} + | grep -vc 'initial-upload' || :)
[ "$overrides" = 0 ] || complain "more than the first upload is overridden"

# ---- what is in them ----

cd ../../..
mkdir root
for deb in source/build/deb/*.deb; do
	case $deb in *dbgsym*) continue ;; esac
	dpkg -x "$deb" root
done
for file in usr/sbin/zogd usr/sbin/zogctl usr/bin/sprog etc/init.d/zogd etc/default/zogd etc/zog/zogd.conf etc/zog/ring etc/logrotate.d/zog \
	lib/systemd/system/zogd.service usr/lib/sysusers.d/zog.conf usr/lib/tmpfiles.d/zog.conf usr/include/sprog.h \
	usr/include/petrichor.h usr/share/bash-completion/completions/sprog usr/share/man/man8/zogd.8.gz usr/share/man/man8/zogctl.8.gz \
	usr/share/man/man3/libsprog.3.gz usr/share/doc/zog/copyright
do
	[ -s root/$file ] || complain "no /$file in any package"
done
for library in sprog petrichor; do
	for file in "lib$library.so.0" "lib$library.so" "lib$library.a" "pkgconfig/$library.pc"; do
		find root/usr/lib/*/"$file" >/dev/null || complain "no $file in any package"
	done
done
dpkg-deb --ctrl-tarfile source/build/deb/zog_*.deb | tar -xOf - ./conffiles | LC_ALL=C sort >conffiles
printf '/etc/%s\n' default/zogd init.d/zogd logrotate.d/zog zog/ring zog/zogd.conf | diff - conffiles ||
	complain "^ the settings that were wanted (<) and are (>)"
mkdir log
# There may be no account of that name here.
root/usr/sbin/zogd -t -c root/etc/zog/zogd.conf -o user=root -o ring=root/etc/zog/ring -o log-dir=log >out 2>&1 ||
	complain "$(cat out)"
# The autopkgtest, with the programs of the package.
env TOP="$tests" ZOGD="$PWD/root/usr/sbin/zogd" SPROG="$PWD/root/usr/bin/sprog" BUILD=/nonexistent TMPDIR="$PWD" \
	"$tests/scripts/demo" >out 2>&1 || complain "the demo: $(cat out)"

# ---- installed, in a root of its own ----

cat >inside <<'END'
set -eu
here=$1 root=$1/merged
ip link set lo up
# A tmpfs, since not every file system may be the upper one.
mkdir -p "$here/layer" "$root"
mount -t tmpfs tmpfs "$here/layer"
mkdir "$here/layer/upper" "$here/layer/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$here/layer/upper,workdir=$here/layer/work" "$root" || exit 77
for place in proc dev; do
	mount --rbind /$place "$root/$place"
done
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
cp "$here"/debs.d/*.deb "$root/tmp/"
# Services are not to be started at the installation: this test does that.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
cat >"$root/tmp/steps" <<'STEPS'
set -eu
say() { echo "failed: $*"; exit 1; }
export DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
dpkg -i /tmp/*.deb
[ "$(stat -c '%U %G %a' /var/log/zog)" = 'zog adm 2750' ] || say "/var/log/zog: $(stat -c '%U %G %a' /var/log/zog)"
[ "$(stat -c '%U %G %a' /var/lib/zog)" = 'zog zog 750' ] || say "/var/lib/zog: $(stat -c '%U %G %a' /var/lib/zog)"
# As after a boot.
rm -rf /run/zog
/etc/init.d/zogd start
/etc/init.d/zogd status
read -r pid </run/zog/zogd.pid
[ "$(stat -c %U "/proc/$pid")" = zog ] || say "it runs as $(stat -c %U "/proc/$pid")"
sprog -n 1 -m 'from a package'
for log in access.log error.log; do
	[ "$(stat -c '%U %G %a' /var/log/zog/$log)" = 'zog adm 640' ] || say "$log: $(stat -c '%U %G %a' /var/log/zog/$log)"
done
grep -q ' from a package$' /var/log/zog/access.log || say "nothing is logged"
if command -v logrotate >/dev/null; then
	logrotate -f -s /tmp/state /etc/logrotate.d/zog || say "logrotate: $?"
	sprog -n 1 -m 'after the rotation'
	grep -q ' after the rotation$' /var/log/zog/access.log || say "nothing is logged after the rotation"
	for log in access.log access.log.1; do
		[ "$(stat -c '%U %G %a' /var/log/zog/$log)" = 'zog adm 640' ] || say "$log: $(stat -c '%U %G %a' /var/log/zog/$log)"
	done
fi
/etc/init.d/zogd restart
sprog -n 1 -m 'after the restart'
/etc/init.d/zogd stop
[ ! -e /run/zog/zogd.pid ] || say "the pidfile is left behind"
# Five members on this machine, as doc/operations has it.
i=0
for name in mv pa g la s; do
	i=$((i + 1))
	echo "$name 127.0.0.$i" >>/etc/zog/ring.five
	install -d -o zog -g adm -m 2750 /var/log/zog/$name
	printf '%s\n' "member = $name" 'ring = /etc/zog/ring.five' "log-dir = /var/log/zog/$name" "state-dir = /var/lib/zog/$name" \
		"control = /run/zog/$name.sock" 'user = zog' >/etc/zog/zogd-$name.conf
	ln -s zogd /etc/init.d/zogd-$name
done
for name in mv pa g la s; do
	/etc/init.d/zogd-$name start || say "zogd-$name: exit code $?"
done
sprog -R /etc/zog/ring.five -n 1 --ack all -m 'to all five' || say "sprog: exit code $?"
[ "$(cat /var/log/zog/??/access.log /var/log/zog/?/access.log | grep -c ' to all five$')" = 5 ] || say "it is not on all five"
for name in mv pa g la s; do
	/etc/init.d/zogd-$name stop || say "zogd-$name: exit code $?"
	rm /etc/init.d/zogd-$name /etc/zog/zogd-$name.conf
done
rm /etc/zog/ring.five
echo '# mine' >>/etc/zog/zogd.conf
dpkg -r zog
grep -q '^# mine' /etc/zog/zogd.conf || say "the settings went with the program"
[ -s /var/log/zog/access.log ] || say "the log went with the program"
dpkg -P zog libsprog-dev libsprog0 libpetrichor-dev libpetrichor0
for left in /etc/zog /etc/init.d/zogd /etc/default/zogd /etc/logrotate.d/zog /var/log/zog /var/lib/zog; do
	[ ! -e "$left" ] || say "left behind: $left"
done
echo all well
STEPS
chroot "$root" sh /tmp/steps
END
mkdir debs.d
for deb in source/build/deb/*.deb; do
	case $deb in *dbgsym*) continue ;; esac
	cp "$deb" debs.d/
done
code=77
if [ "$(id -u)" = 0 ] && command -v unshare >/dev/null && command -v ip >/dev/null && unshare -mn true 2>/dev/null; then
	code=0
	unshare -mn sh inside "$PWD" >out 2>&1 || code=$?
fi
case $code in
0) grep -qx 'all well' out || complain "installed: $(cat out)" ;;
77) echo "skipped: installation: needs root, namespaces and an overlay" ;;
*) complain "installed: exit code $code: $(cat out)" ;;
esac
exit $bad
