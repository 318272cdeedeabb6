#!/bin/sh
# Fetches a guest: a kernel and a static busybox, as the distribution's packages, which are unpacked into a cache folder and
# never installed. Prints the folder. Does nothing if it is all there.
#
#   tools/guest/fetch.sh [CACHE [PACKAGE [ARCHITECTURE]]]
#
# PACKAGE is a kernel's package or a metapackage that depends on one; by default what `make run` boots, the cloud kernel. For
# another architecture, or if the host's lists have not what is wanted, apt gets lists of its own inside the cache: no root is
# needed, and the host's settings stay as they are.
set -eu

cache=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/subring}
wanted=${2:-}
architecture=${3:-}
candidates="linux-image-cloud-amd64 linux-image-virtual linux-image-kvm linux-image-amd64 linux-image-generic"

fail() {
	echo "subring: $*" >&2
	exit 1
}

# From here on every apt command uses lists inside the cache, for the architecture, from the host's sources.
use_own_lists() { # ARCHITECTURE
	apt=$cache/apt-$1
	mkdir -p "$apt/lists/partial" "$apt/archives/partial"
	: >"$apt/status"
	cat >"$apt/apt.conf" <<-CONF
		APT::Architecture "$1";
		APT::Architectures { "$1"; };
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

unpack() { # PACKAGE
	(cd "$packages" && apt-get download -q "$1" >/dev/null 2>"$packages/download.log") || {
		problem="cannot download package $1: $(tail -n 1 "$packages/download.log")"
		return 1
	}
	dpkg-deb -x "$(ls -t "$packages/$1"_*.deb | head -n 1)" "$folder/root"
}

get() {
	package=$(find_kernel_package) || {
		problem="no package ${wanted:-with a kernel}${architecture:+ for $architecture} in apt's sources"
		return 1
	}
	echo "fetching $package and busybox-static ..." >&2
	rm -rf "$folder"
	mkdir -p "$folder/root"
	unpack "$package" || return 1
	# Ubuntu keeps modules in a package of their own.
	modules=$(echo "$package" | sed 's/^linux-image-\(unsigned-\)\{0,1\}/linux-modules-/')
	! apt-cache show "$modules" >/dev/null 2>&1 || unpack "$modules" || return 1
	unpack busybox-static
}

folder=$cache/${wanted:-default}
if [ -e "$folder/complete" ]; then
	echo "$folder"
	exit 0
fi

command -v apt-get >/dev/null ||
	fail "this host has no apt-get; put a kernel and an initrd at hand and use 'subring run --kernel F --initrd F'"
packages=$cache/packages${architecture:+-$architecture}
mkdir -p "$packages"
chmod a+rx "$packages" 2>/dev/null || :
if [ -n "$architecture" ]; then
	use_own_lists "$architecture"
	get || fail "$problem"
elif ! get; then
	# The host's lists may be missing, or older than the archive.
	use_own_lists "$(dpkg --print-architecture)"
	get || fail "$problem"
fi
kernel=$(ls "$folder"/root/boot/vmlinuz-* | head -n 1)
[ -e "$kernel" ] || fail "package $package has no kernel in /boot"
cp "$kernel" "$folder/vmlinuz"
touch "$folder/complete"
echo "$folder"
