#!/bin/sh
# The README's commands on a machine that has nothing: makes a minimal system of this host's distribution in a folder, with git
# and make only, clones this repository into it as committed, and runs the commands there, cut off from the host's files.
#
#   tools/fresh.sh FOLDER TARGET...
set -eu

folder=$1
shift
here=$(cd "$(dirname "$0")/.." && pwd)

fail() {
	echo "subring: $*" >&2
	exit 1
}

[ "$(id -u)" = 0 ] || fail "make fresh must be root, to make and enter a system of its own: sudo make fresh"
for program in debootstrap unshare git; do
	command -v $program >/dev/null || fail "make fresh needs $program: apt-get install debootstrap util-linux git"
done
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
[ -n "$codename" ] || fail "make fresh: this host is no Debian or Ubuntu"

# "URL suite component" for each of the host's sources of its own release: main archive, updates, security.
sources=$(apt-cache policy | sed -n "s@^ *[0-9]* \([a-z]*:[^ ]*\) \($codename[^/]*\)/\([^ ]*\) .*@\1 \2 \3@p" | sort -u)
mirror=$(echo "$sources" | awk -v suite="$codename" '$2 == suite { print $1; exit }')
[ -n "$mirror" ] || fail "make fresh: apt knows no source for $codename; run apt-get update"

echo "making a minimal $codename in $folder ..."
rm -rf --one-file-system "$folder"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
# Unpacking may not be done where devices or programs are forbidden.
debootstrap --variant=minbase --include=git,make,ca-certificates "$codename" "$folder" "$mirror" >"$folder.log" 2>&1 || {
	tail -n 5 "$folder.log" >&2
	fail "debootstrap failed; $folder.log has the rest"
}
echo "$sources" | sed 's/^/deb /' >"$folder/etc/apt/sources.list"
# A machine just installed has the lists of its installation at most.
rm -rf "$folder"/var/lib/apt/lists/*
cp -L /etc/resolv.conf "$folder/etc/resolv.conf"
cp /etc/hosts "$folder/etc/hosts"
for setting in /etc/apt/apt.conf.d/*proxy*; do
	[ ! -e "$setting" ] || cp "$setting" "$folder/etc/apt/apt.conf.d/"
done
[ -z "$(git -c safe.directory='*' -C "$here" status --porcelain)" ] ||
	echo "note: what is not committed is left out"
git -c safe.directory='*' clone -q --bare "$here" "$folder/root/origin.git"

# Inside: namespaces of its own for mounts and processes, so that nothing of it outlives the run.
inside='
set -eu
cd "$1"
shift
mount --bind . .
cd "$PWD"
mount -t proc proc proc
mount -t sysfs -o ro sys sys
mount -t tmpfs -o mode=755 dev dev
mkdir dev/pts dev/shm dev/net
for device in null zero full random urandom tty kvm net/tun; do
	[ -e /dev/$device ] || continue
	: >dev/$device
	mount --bind /dev/$device dev/$device
done
mount -t devpts -o newinstance,ptmxmode=666,mode=620 pts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs shm dev/shm
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
pivot_root . mnt
umount -l /mnt
cd /root
git clone -q origin.git subring
cd subring
failed=0
for target; do
	echo "---- make $target"
	start=$(date +%s)
	make "$target" </dev/null && status=0 || status=$?
	echo "---- make $target: status $status after $(($(date +%s) - start)) s"
	[ $status = 0 ] || failed=1
done
exit $failed
'
# In the background, so that this script can end it; and there interrupts would be ignored, which tests of them must not inherit.
env -i --default-signal=INT,QUIT HOME=/root TERM="${TERM:-dumb}" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
	unshare --mount --pid --fork --kill-child --propagation private sh -c "$inside" sh "$folder" "$@" &
machine=$!
trap 'kill -KILL $machine; exit 130' INT TERM
wait $machine || fail "make fresh: a command failed"
echo "make fresh: all is well"
