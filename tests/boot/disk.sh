#!/bin/sh
# Disks: an ext4 file system survives reboots, a read-only disk stays as it was, a full host disk is an I/O error for the guest,
# an image in use is refused.
set -u
cd "$(dirname "$0")/../.."
. tests/boot/lib.sh

mounted=
cleanup() {
	[ -z "$mounted" ] || umount "$mounted"
}

make_disk() { # FILE MEBIBYTES
	truncate -s "$2M" "$1"
	mkfs.ext4 -q -F "$1"
}

# ---- written, rebooted, read back ----

# The disk itself remembers which boot it is.
cat >"$WORK/reboot.sh" <<'SCRIPT'
mount -t ext4 /dev/vda /mnt || exit 1
if [ ! -e /mnt/sum ]; then
	dd if=/dev/urandom of=/mnt/data bs=64k count=200 2>/dev/null
	(cd /mnt && mkdir -p a/b && cp data a/b/copy && ln -s data link && sha256sum data a/b/copy link >sum)
	sync
	umount /mnt
	echo "first boot: written"
	reboot -f
fi
(cd /mnt && sha256sum -c sum && rm -r a && sync) || exit 2
umount /mnt
echo "second boot: the same bytes"
SCRIPT
make_initrd reboot.cpio "$WORK/reboot.sh"
for processors in 1 4; do
	make_disk "$WORK/disk.img" 128
	run_script reboot.cpio --disk "path=$WORK/disk.img" --cpus $processors
	equal "$processors processor(s): the run that reboots ends with status 0" "$status" 0
	expect "$processors processor(s): the guest writes to ext4 and reboots" "$WORK/log" '^first boot: written'
	expect "$processors processor(s): after the reboot it reads the same bytes back" "$WORK/log" '^second boot: the same bytes'
	expect "$processors processor(s): its script succeeds" "$WORK/log" 'script ended with status 0'
	check "$processors processor(s): the host finds no fault in the file system" e2fsck -fn "$WORK/disk.img"
done

# ---- several disks, identified ----

cat >"$WORK/several.sh" <<'SCRIPT'
for disk in vda vdb vdc; do
	echo "$disk $(cat /sys/block/$disk/serial) $(cat /sys/block/$disk/ro) $(cat /sys/block/$disk/size)"
done
dd if=/dev/zero of=/dev/vdb bs=512 count=1 2>/dev/null && echo "vdb was written" || echo "vdb refuses writes"
dd if=/dev/vda bs=512 skip=1 count=1 2>/dev/null | sha256sum
SCRIPT
make_initrd several.cpio "$WORK/several.sh"
make_disk "$WORK/one.img" 16
make_disk "$WORK/two.img" 32
make_disk "$WORK/three.img" 8
before=$(sha256sum <"$WORK/two.img")
run_script several.cpio --disk "path=$WORK/one.img,id=first" --disk "path=$WORK/two.img,ro=on,id=second" --disk "path=$WORK/three.img"
expect "the first --disk is vda, with its id and size" "$WORK/log" '^vda first 0 32768$'
expect "ro=on: the guest knows that it may not write" "$WORK/log" '^vdb second 1 65536$'
expect "a disk without id has no serial number" "$WORK/log" '^vdc  0 16384$'
expect "ro=on: writes are refused" "$WORK/log" '^vdb refuses writes'
equal "ro=on: the image stays as it was" "$(sha256sum <"$WORK/two.img")" "$before"

# ---- one writer or several readers ----

cat >"$WORK/sleep.sh" <<'SCRIPT'
echo ready
sleep 600
SCRIPT
make_initrd sleep.cpio "$WORK/sleep.sh"
hold() { # --disk SUBOPTIONS: a run in the background that has the disk
	"$SUBRING" run --kernel "$KERNEL" --initrd "$WORK/sleep.cpio" --append "quiet subring.script=/test" --timeout "$LIMIT" \
		--disk "$1" --serial "file=$WORK/held" </dev/null 2>/dev/null &
	holder=$!
	# The lock is taken before the serial line is opened.
	while [ ! -e "$WORK/held" ] && kill -0 $holder 2>/dev/null; do sleep 0.1; done
}
release() {
	kill $holder
	wait $holder 2>/dev/null
	rm -f "$WORK/held"
}
try() { # --disk SUBOPTIONS: a second run, only until it has begun
	"$SUBRING" run --kernel "$KERNEL" --disk "$1" --timeout 0.2 </dev/null >/dev/null 2>"$WORK/messages"
	status=$?
}
hold "path=$WORK/one.img"
try "path=$WORK/one.img"
equal "a disk being written by another Subring is refused" "$status" 3
expect "... and the message says so and what to do" "$WORK/messages" "disk '.*one.img' is in use.*close it there"
try "path=$WORK/one.img,ro=on"
equal "... also for reading" "$status" 3
release
hold "path=$WORK/one.img,ro=on"
try "path=$WORK/one.img,ro=on"
equal "two may read the same disk" "$status" 124
try "path=$WORK/one.img"
equal "a disk that another reads is not written" "$status" 3
release
try "path=$WORK/one.img"
equal "the lock ends with the process that had it" "$status" 124

# ---- a full host disk ----

cat >"$WORK/full.sh" <<'SCRIPT'
dd if=/dev/zero bs=1M count=1 2>/dev/null | tr '\0' A >/tmp/early
dd if=/tmp/early of=/dev/vda bs=1M count=1 conv=fsync 2>/dev/null && echo "early data: written"
if dd if=/dev/urandom of=/dev/vda bs=1M seek=8 count=64 conv=fsync 2>/dev/null; then
	echo "late data: written"
else
	echo "late data: an error"
fi
echo 3 >/proc/sys/vm/drop_caches
dd if=/dev/vda bs=1M count=1 2>/dev/null | cmp - /tmp/early && echo "early data: still there"
dmesg | grep -c 'I/O error, dev vda' | sed 's/^/kernel messages about it: /'
SCRIPT
make_initrd full.cpio "$WORK/full.sh"
full_disk() { # NAME IMAGE OPTIONS-BEFORE...
	expect "$1: what was written before stays readable" "$WORK/log" '^early data: still there'
	expect "$1: writing on gives the guest an error" "$WORK/log" '^late data: an error'
	expect "$1: the guest's kernel says that it is an I/O error" "$WORK/log" '^kernel messages about it: [1-9]'
	equal "$1: the run goes on and ends in good order" "$status" 0
	equal "$1: the host has the early data, too" "$(head -c 1048576 "$2" | tr -d A | wc -c)" 0
}
if mkdir "$WORK/small" && mount -t tmpfs -o size=24m tmpfs "$WORK/small" 2>/dev/null; then
	mounted=$WORK/small
	truncate -s 128M "$WORK/small/disk.img"
	run_script full.cpio --disk "path=$WORK/small/disk.img"
	full_disk "full host disk" "$WORK/small/disk.img"
	umount "$WORK/small"
	mounted=
else
	skip "a full host disk" "mounting a small one needs root"
fi
# The limit also counts for guest memory, which is a file too: so the disk is larger.
truncate -s 512M "$WORK/limited.img"
dd if=/dev/zero of="$WORK/limited.img" bs=1M count=1 seek=300 conv=notrunc 2>/dev/null
(
	ulimit -f $((192 * 2048))
	sed 's/seek=8/seek=180/' "$WORK/full.sh" >"$WORK/limited.sh"
	make_initrd limited.cpio "$WORK/limited.sh"
	run_script limited.cpio --memory 160M --disk "path=$WORK/limited.img"
	echo "$status" >"$WORK/status"
)
status=$(cat "$WORK/status")
full_disk "file size limit" "$WORK/limited.img"

finish
