#!/bin/sh
# Disks: an ext4 file system survives reboots, a read-only disk stays as it was, a full host disk is an I/O error for the guest,
# an image in use is refused.
set -u
. "$(dirname "$0")/lib.sh"

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
cat >"$scratch/reboot.sh" <<'SCRIPT'
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
for processors in 1 4; do
	make_disk "$scratch/disk.img" 128
	run_script "$scratch/reboot.sh" --disk "path=$scratch/disk.img" --cpus $processors
	equal "$processors processor(s): the run that reboots ends with status 0" "$status" 0
	matches "$processors processor(s): the guest writes to ext4 and reboots" "$scratch/log" '^first boot: written'
	matches "$processors processor(s): after the reboot it reads the same bytes back" "$scratch/log" '^second boot: the same bytes'
	matches "$processors processor(s): its script succeeds" "$scratch/log" 'script ended with status 0'
	check "$processors processor(s): the host finds no fault in the file system" e2fsck -fn "$scratch/disk.img"
done

# ---- several disks, identified ----

cat >"$scratch/several.sh" <<'SCRIPT'
for disk in vda vdb vdc; do
	echo "$disk $(cat /sys/block/$disk/serial) $(cat /sys/block/$disk/ro) $(cat /sys/block/$disk/size)"
done
dd if=/dev/zero of=/dev/vdb bs=512 count=1 2>/dev/null && echo "vdb was written" || echo "vdb refuses writes"
dd if=/dev/vda bs=512 skip=1 count=1 2>/dev/null | sha256sum
SCRIPT
make_disk "$scratch/one.img" 16
make_disk "$scratch/two.img" 32
make_disk "$scratch/three.img" 8
before=$(sha256sum <"$scratch/two.img")
run_script "$scratch/several.sh" --disk "path=$scratch/one.img,id=first" --disk "path=$scratch/two.img,ro=on,id=second" --disk "path=$scratch/three.img"
matches "the first --disk is vda, with its id and size" "$scratch/log" '^vda first 0 32768$'
matches "ro=on: the guest knows that it may not write" "$scratch/log" '^vdb second 1 65536$'
matches "a disk without id has no serial number" "$scratch/log" '^vdc  0 16384$'
matches "ro=on: writes are refused" "$scratch/log" '^vdb refuses writes'
equal "ro=on: the image stays as it was" "$(sha256sum <"$scratch/two.img")" "$before"

# ---- one writer or several readers ----

cat >"$scratch/sleep.sh" <<'SCRIPT'
echo ready
sleep 600
SCRIPT
initrd_with "$scratch/sleep.cpio" "$scratch/sleep.sh=test"
hold() { # --disk SUBOPTIONS: a run in the background that has the disk
	"$SUBRING" run --kernel "$KERNEL" --initrd "$scratch/sleep.cpio" --append "quiet subring.script=/test" --timeout 900 \
		--disk "$1" --serial "file=$scratch/held" </dev/null 2>/dev/null &
	holder=$!
	# The lock is taken before the serial line is opened.
	while [ ! -e "$scratch/held" ] && kill -0 $holder 2>/dev/null; do sleep 0.1; done
}
release() {
	kill $holder
	wait $holder 2>/dev/null
	rm -f "$scratch/held"
}
try() { # --disk SUBOPTIONS: a second run, only until it has begun
	"$SUBRING" run --kernel "$KERNEL" --disk "$1" --timeout 0.2 </dev/null >/dev/null 2>"$scratch/messages"
	status=$?
}
hold "path=$scratch/one.img"
try "path=$scratch/one.img"
equal "a disk being written by another Subring is refused" "$status" 3
matches "... and the message says so and what to do" "$scratch/messages" "disk '.*one.img' is in use.*close it there"
try "path=$scratch/one.img,ro=on"
equal "... also for reading" "$status" 3
release
hold "path=$scratch/one.img,ro=on"
try "path=$scratch/one.img,ro=on"
equal "two may read the same disk" "$status" 124
try "path=$scratch/one.img"
equal "a disk that another reads is not written" "$status" 3
release
try "path=$scratch/one.img"
equal "the lock ends with the process that had it" "$status" 124

# ---- a full host disk ----

cat >"$scratch/full.sh" <<'SCRIPT'
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
full_disk() { # NAME IMAGE
	matches "$1: what was written before stays readable" "$scratch/log" '^early data: still there'
	matches "$1: writing on gives the guest an error" "$scratch/log" '^late data: an error'
	matches "$1: the guest's kernel says that it is an I/O error" "$scratch/log" '^kernel messages about it: [1-9]'
	equal "$1: the run goes on and ends in good order" "$status" 0
	equal "$1: the host has the early data, too" "$(head -c 1048576 "$2" | tr -d A | wc -c)" 0
}
if mkdir "$scratch/small" && mount -t tmpfs -o size=24m tmpfs "$scratch/small" 2>/dev/null; then
	mounted=$scratch/small
	truncate -s 128M "$scratch/small/disk.img"
	run_script "$scratch/full.sh" --disk "path=$scratch/small/disk.img"
	full_disk "full host disk" "$scratch/small/disk.img"
	umount "$scratch/small"
	mounted=
else
	skip "a full host disk" "mounting a small one needs root"
fi
# The limit also counts for guest memory, which is a file too: so the disk is larger.
truncate -s 512M "$scratch/limited.img"
dd if=/dev/zero of="$scratch/limited.img" bs=1M count=1 seek=300 conv=notrunc 2>/dev/null
(
	ulimit -f $((192 * 2048))
	sed 's/seek=8/seek=180/' "$scratch/full.sh" >"$scratch/limited.sh"
		run_script "$scratch/limited.sh" --memory 160M --disk "path=$scratch/limited.img"
	echo "$status" >"$scratch/status"
)
status=$(cat "$scratch/status")
full_disk "file size limit" "$scratch/limited.img"

finish
