#!/bin/sh
# Installs what is missing from the distribution's packages (Debian, Ubuntu). Asks sudo if not root; says what it does.
#
#   tools/install-deps.sh build|run|test|bench
set -eu

build="gcc make libc6-dev libzstd-dev liblzma-dev zlib1g-dev liblz4-dev"
run="$build kmod cpio xz-utils zstd passt ca-certificates"
test="$run clang libclang-rt-dev libzydis-dev gdb e2fsprogs acpica-tools python3 tmux mandoc iproute2"
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
	# The compiler's run-time library carries its version in the name.
	[ "$package" != libclang-rt-dev ] || package=$(apt-cache pkgnames libclang-rt- 2>/dev/null | grep -E '^libclang-rt-[0-9]+-dev$' | sort -V | head -n 1)
	[ -z "$package" ] || installed "$package" || missing="$missing $package"
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
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
