#!/bin/sh
# Fetches the guest that `make run` boots: the distribution's own cloud kernel and its static busybox, as packages that are
# unpacked into a cache folder and never installed. Prints the folder. Does nothing if it is all there.
#
#   tools/guest/fetch.sh [CACHE] [KERNEL-METAPACKAGE]
set -eu

cache=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/subring}
wanted=${2:-}
candidates="linux-image-cloud-amd64 linux-image-virtual linux-image-kvm linux-image-amd64 linux-image-generic"

fail() {
	echo "subring: $*" >&2
	exit 1
}

# The package that holds the kernel: what the metapackage depends on, by name.
resolve() {
	apt-cache depends --important "$1" 2>/dev/null |
		sed -n 's/^ *|\{0,1\}Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}

find_kernel_package() {
	for meta in ${wanted:-$candidates}; do
		package=$(resolve "$meta")
		if [ -n "$package" ]; then
			echo "$package"
			return
		fi
	done
	return 1
}

unpack() {
	(cd "$cache/packages" && apt-get download -q "$1" >/dev/null 2>"$cache/download.log") ||
		fail "cannot download package $1: $(tail -n 1 "$cache/download.log")"
	dpkg-deb -x "$(ls -t "$cache/packages/$1"_*.deb | head -n 1)" "$2"
}

mkdir -p "$cache/packages"
chmod a+rx "$cache/packages" 2>/dev/null || :
name=${wanted:-default}
if [ -e "$cache/$name/complete" ]; then
	echo "$cache/$name"
	exit 0
fi

command -v apt-get >/dev/null || fail "this host has no apt-get; put a kernel and an initrd at hand and use 'subring run --kernel F --initrd F'"
package=$(find_kernel_package) || fail "no kernel package found; run 'apt-get update' as root, then try again"
echo "fetching $package and busybox-static ..." >&2
rm -rf "$cache/$name"
mkdir -p "$cache/$name/root"
unpack "$package" "$cache/$name/root"
# Ubuntu keeps modules in a package of their own.
modules=$(echo "$package" | sed 's/^linux-image-\(unsigned-\)\{0,1\}/linux-modules-/')
if apt-cache show "$modules" >/dev/null 2>&1; then
	unpack "$modules" "$cache/$name/root"
fi
unpack busybox-static "$cache/$name/root"
kernel=$(ls "$cache/$name/root"/boot/vmlinuz-* | head -n 1)
[ -e "$kernel" ] || fail "package $package has no kernel in /boot"
cp "$kernel" "$cache/$name/vmlinuz"
touch "$cache/$name/complete"
echo "$cache/$name"
