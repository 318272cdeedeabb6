#!/bin/sh
# Installs what is missing from the distribution's packages (Debian, Ubuntu). Asks sudo if not root; says what it does.
#
#   tools/install-deps.sh build|run|test|bench
set -eu

build="gcc make libc6-dev libzstd-dev liblzma-dev zlib1g-dev liblz4-dev"
run="$build kmod cpio xz-utils zstd passt ca-certificates"
test="$run clang libzydis-dev gdb lz4 e2fsprogs acpica-tools python3 tmux mandoc iproute2"
bench="$run qemu-system-x86 bc"

case ${1:-} in
build) wanted=$build ;;
run) wanted=$run ;;
test) wanted=$test ;;
bench) wanted=$bench ;;
*)
	echo "usage: $0 build|run|test|bench" >&2
	exit 2
	;;
esac

installed() {
	dpkg-query -W -f '${Status}\n' "$1" 2>/dev/null | grep -q '^install ok installed'
}

if ! command -v apt-get >/dev/null; then
	echo "subring: this is no Debian or Ubuntu; make sure these are installed:" $wanted >&2
	exit 0
fi

missing=
for package in $wanted; do
	installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "subring: not root and no sudo; as root, run: apt-get install$missing" >&2
		exit 1
	}
	as_root=sudo
fi
echo "installing:$missing" >&2
$as_root apt-get update -qq
available=
for package in $missing; do
	if apt-cache show "$package" >/dev/null 2>&1; then
		available="$available $package"
	else
		echo "subring: this distribution has no package $package; what needs it will say so" >&2
	fi
done
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $available >/dev/null
