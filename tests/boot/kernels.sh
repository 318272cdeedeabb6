#!/bin/sh
# Kernels beside the cloud kernel of `make run`: Debian's ordinary one, the newest 6.12, and 32-bit ones with and without PAE
# on old processors, each to a passed self-check. (Debian has no kernel any more for processors before the Pentium Pro.)
set -u
. "$(dirname "$0")/lib.sh"

# fetched PACKAGE [ARCHITECTURE]: the kernel and an initrd for it are there; what cannot be had counts as failed.
fetched() {
	if folder=$(tools/guest/fetch.sh "$CACHE" "$@" 2>"$scratch/fetch.log") &&
		tools/guest/initramfs.sh "$folder" "$scratch/$1.cpio" 2>>"$scratch/fetch.log"; then
		ok "$1 is had from the distribution"
	else
		fail "$1 is had from the distribution" "$(cat "$scratch/fetch.log")"
		return 1
	fi
}

# The kernel's own tests of its ciphers take half of a 32-bit boot: once is enough.
untested=cryptomgr.notests

on() { # NAME PACKAGE PARAMETERS OPTION...
	name=$1
	package=$2
	parameters=$3
	shift 3
	names="$names $name"
	boot_beside "$name" --initrd "$scratch/$package.cpio" --append "subring.check $parameters" "$@" "$CACHE/$package/vmlinuz"
}
names=

# The self-checks of what was booted since the last time.
all_checked() {
	wait
	for name in $names; do
		check "the self-check passes: $name" checked "$name"
	done
	names=
}

flag() { # NAME FLAG
	tr -d '\r' <"$scratch/$1.out" | grep -aqE "^flags: .* $2( |\$)"
}

no_flag() {
	! flag "$@"
}

if fetched linux-image-amd64; then
	on ordinary-intel-2 linux-image-amd64 "" --cpus 2
	on ordinary-amd linux-image-amd64 "$untested" --cpu max-amd
	all_checked
fi

if fetched linux-image-6.12-amd64; then
	on 6.12-intel-4 linux-image-6.12-amd64 "" --cpus 4
	on 6.12-amd linux-image-6.12-amd64 "$untested" --cpu max-amd
	on 6.12-no5lvl linux-image-6.12-amd64 "no5lvl $untested"
	all_checked
	# Linux drops the flag when it runs with four levels.
	check "6.12 pages with five levels on max-intel" flag 6.12-intel-4 la57
	check "6.12 pages with five levels on max-amd" flag 6.12-amd la57
	check "no5lvl: 6.12 pages with four levels" no_flag 6.12-no5lvl la57
fi

if fetched linux-image-686-pae i386; then
	on 32bit-pae-max-intel-2 linux-image-686-pae "" --cpus 2
	for model in pentium-pro pentium3 pentium4; do
		on 32bit-pae-$model linux-image-686-pae "$untested" --cpu $model
	done
	on 32bit-pae-5G linux-image-686-pae "$untested" --memory 5G
	all_checked
	check "32 bits with PAE: 5G of memory are found" ended 32bit-pae-5G 0 '^memory: +(49|5[0-2])[0-9]{5} kB'
fi

if fetched linux-image-686 i386; then
	for model in pentium-pro max-intel max-amd; do
		on 32bit-$model linux-image-686 "$untested" --cpu $model
	done
	all_checked
fi

boot refused --cpu pentium4 --initrd "$INITRD" "$KERNEL"
check "a 64-bit kernel on a 32-bit model is refused with one line" ended refused 3 'needs a 64-bit processor'

finish
