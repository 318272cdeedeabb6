#!/bin/sh
# Fetches a guest: a kernel and a static busybox, as the distribution's packages, which are unpacked into a cache folder and
# never installed. Prints the folder. Does nothing if it is all there.
#
#   tools/guest/fetch.sh [CACHE [PACKAGE [ARCHITECTURE]]]
#
# PACKAGE is a kernel's package or a metapackage that depends on one; by default what `make run` boots, the cloud kernel. For
# an architecture that is not this host's, apt gets lists of its own inside the cache: the host's settings stay as they are.
set -eu

cache=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/subring}
wanted=${2:-}
architecture=${3:-}
candidates="linux-image-cloud-amd64 linux-image-virtual linux-image-kvm linux-image-amd64 linux-image-generic"

fail() {
	echo "subring: $*" >&2
	exit 1
}

# From here on every apt command works for the architecture, with the host's sources.
use_architecture() {
	apt=$cache/apt-$architecture
	mkdir -p "$apt/lists/partial" "$apt/archives/partial"
	: >"$apt/status"
	cat >"$apt/apt.conf" <<-CONF
		APT::Architecture "$architecture";
		APT::Architectures { "$architecture"; };
		APT::Sandbox::User "";
		Dir::State "$apt";
		Dir::State::status "$apt/status";
		Dir::Cache "$apt";
	CONF
	export APT_CONFIG="$apt/apt.conf"
	# Sources that have nothing for this architecture fail; what counts is whether the packages are found.
	apt-get update -q >"$apt/update.log" 2>&1 || :
}

# The package that holds the kernel: the one named, or what the metapackage named depends on.
resolve() {
	package=$(apt-cache depends --important "$1" 2>/dev/null |
		sed -n 's/^ *|\{0,1\}Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	[ -n "$package" ] || package=$(apt-cache pkgnames "$1" 2>/dev/null | grep -Fx "$1" | grep '^linux-image-[0-9]' || :)
	echo "$package"
}

find_kernel_package() {
	for name in ${wanted:-$candidates}; do
		package=$(resolve "$name")
		if [ -n "$package" ]; then
			echo "$package"
			return
		fi
	done
	return 1
}

unpack() {
	(cd "$packages" && apt-get download -q "$1" >/dev/null 2>"$packages/download.log") ||
		fail "cannot download package $1: $(tail -n 1 "$packages/download.log")"
	dpkg-deb -x "$(ls -t "$packages/$1"_*.deb | head -n 1)" "$2"
}

name=${wanted:-default}
if [ -e "$cache/$name/complete" ]; then
	echo "$cache/$name"
	exit 0
fi

command -v apt-get >/dev/null || fail "this host has no apt-get; put a kernel and an initrd at hand and use 'subring run --kernel F --initrd F'"
packages=$cache/packages${architecture:+-$architecture}
mkdir -p "$packages"
chmod a+rx "$packages" 2>/dev/null || :
[ -z "$architecture" ] || use_architecture
package=$(find_kernel_package) ||
	fail "no package ${wanted:-with a kernel}${architecture:+ for $architecture}; run 'apt-get update' as root, then try again"
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
