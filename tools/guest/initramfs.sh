#!/bin/sh
# Makes the guest's initramfs: busybox, the modules for virtio and ext4, and the init script beside this file.
#
#   tools/guest/initramfs.sh GUEST-FOLDER OUTPUT [EXTRA-FILE=PATH-IN-GUEST ...]
set -eu

guest=$1
output=$2
shift 2
here=$(dirname "$0")
modules="virtio_pci virtio_blk virtio_net virtio_console virtio-rng ext4 af_packet"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/tree
mkdir -p "$tree/bin" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/tmp" "$tree/etc" "$tree/mnt" "$tree/lib/modules"

busybox=$guest/root/bin/busybox
[ -e "$busybox" ] || busybox=$guest/root/usr/bin/busybox
cp "$busybox" "$tree/bin/busybox"
for applet in $("$busybox" --list); do
	[ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"
done

modules_root=$guest/root/lib/modules
[ -d "$modules_root" ] || modules_root=$guest/root/usr/lib/modules
version=$(ls "$modules_root" | head -n 1)
folder=$modules_root/$version
if [ ! -e "$folder/modules.dep" ]; then
	depmod=$(command -v depmod || echo /sbin/depmod)
	"$depmod" -b "${modules_root%/lib/modules}" "$version"
fi

# The wanted modules and what they need, in loading order, uncompressed.
: >"$tree/etc/modules"
add_module() {
	line=$(grep -E "(^|/)$1\.ko(\.xz|\.zst|\.gz)?:" "$folder/modules.dep" || :)
	[ -n "$line" ] || return 0
	for file in $(echo "$line" | tr -d : | tr ' ' '\n' | tac); do
		plain=${file%.xz}
		plain=${plain%.zst}
		name=$(basename "$plain")
		[ ! -e "$tree/lib/modules/$name" ] || continue
		case $file in
		*.xz) xz -dc "$folder/$file" >"$tree/lib/modules/$name" ;;
		*.zst) zstd -qdc "$folder/$file" >"$tree/lib/modules/$name" ;;
		*) cp "$folder/$file" "$tree/lib/modules/$name" ;;
		esac
		echo "$name" >>"$tree/etc/modules"
	done
}
for module in $modules; do
	add_module "$module"
done

cp "$here/init" "$tree/init"
chmod 755 "$tree/init"
for extra in "$@"; do
	mkdir -p "$tree/$(dirname "${extra#*=}")"
	cp "${extra%%=*}" "$tree/${extra#*=}"
done
(cd "$tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >"$output.new"
mv "$output.new" "$output"
