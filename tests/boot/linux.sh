#!/bin/sh
# Linux from power-on to a passed self-check: with several processors, on every 64-bit model, from each image format, with time
# from the instruction count; and how a run ends.
set -u
. "$(dirname "$0")/lib.sh"

vmlinuz=$GUEST/vmlinuz
checking="quiet subring.check"

# ---- processors ----

for processors in 1 2 4 8; do
	boot "smp$processors" --cpus "$processors" --initrd "$INITRD" --append "$checking" "$vmlinuz"
	check "Linux checks itself with $processors processors" checked "smp$processors"
	check "it finds all $processors" ended "smp$processors" 0 "^cpu: .* $processors processor"
done

# ---- models ----

models=$("$SUBRING" models | awk '$3 == 64 { print $1 }')
for model in $models; do
	boot_beside "on-$model" --cpu "$model" --initrd "$INITRD" --append "$checking" "$vmlinuz"
done
wait
for model in $models; do
	check "Linux checks itself on $model" checked "on-$model"
	check "it keeps the time-stamp counter as its clock on $model" ended "on-$model" 0 '^clock: +tsc,'
done

# ---- time from the instruction count ----

same_run() { # NAME OTHER
	checked "$1" && checked "$2" || return 1
	cmp "$scratch/$1.out" "$scratch/$2.out" || return 1
	retired=$(sed -n 's/.* \([0-9]*\) instructions in .*/\1/p' "$scratch/$1.err")
	again=$(sed -n 's/.* \([0-9]*\) instructions in .*/\1/p' "$scratch/$2.err")
	echo "$retired instructions, then $again"
	[ -n "$retired" ] && [ "$retired" = "$again" ]
}

for processors in 1 2 4; do
	for turn in first second; do
		boot_beside "$turn$processors" --clock instructions --cpus "$processors" --stats --initrd "$INITRD" \
			--append "subring.check" "$vmlinuz"
	done
	wait
	check "two runs on the instructions clock with $processors processors are one: console and instruction count" \
		same_run "first$processors" "second$processors"
done

# ---- memory ----

cat >"$scratch/memory.sh" <<'SCRIPT'
mount -t tmpfs -o size=1g none /mnt
dd if=/dev/urandom of=/mnt/a bs=1M count=16 2>/dev/null
for copy in b c d; do cp /mnt/a /mnt/$copy; done
sha256sum /mnt/* | cut -d' ' -f1 | sort | uniq -c | sed 's/^ */copies: /'
sed -n 's/^MemTotal: *\([0-9]*\) kB/total: \1/p' /proc/meminfo
# Zone Normal begins at 4 GiB.
awk '/zone *Normal/ { normal = 1 } normal && /present/ { print "pages above 4G: " $2; exit }' /proc/zoneinfo
SCRIPT
run_script "$scratch/memory.sh" --memory 5G
equal "5G of memory: the run succeeds" "$status" 0
matches "5G of memory: Linux finds it all" "$scratch/log" '^total: 5[0-2][0-9]{5}$'
matches "5G of memory: what does not fit below the PCI hole is above 4 GiB" "$scratch/log" '^pages above 4G: 524288$'
matches "5G of memory: copies have the same checksum" "$scratch/log" '^copies: 4 '

# ---- image formats ----

number_at() { # FILE OFFSET BYTES
	od -An -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# The ELF file packed in a bzImage. setup_sects is at 0x1f1; payload_offset, from the protected-mode code, and payload_length at
# 0x248 and 0x24c ("The Linux/x86 Boot Protocol"). The unpacked size behind the stream makes some of the tools complain.
extract_vmlinux() { # BZIMAGE OUTPUT
	start=$((($(number_at "$1" 497 1) + 1) * 512 + $(number_at "$1" 584 4)))
	tail -c +$((start + 1)) "$1" | head -c "$(number_at "$1" 588 4)" >"$scratch/payload"
	for unpack in "xz -dc --single-stream" "zstd -dc" "gzip -dc" "lz4 -dc"; do
		$unpack <"$scratch/payload" >"$2" 2>/dev/null || :
		[ "$(head -c 4 "$2" | tail -c 3)" != ELF ] || return 0
	done
	return 1
}

check "the kernel's ELF file can be had from its bzImage" extract_vmlinux "$vmlinuz" "$scratch/pvh"
# Without the name of the note that makes it a PVH kernel.
LC_ALL=C sed 's/Xen\x00/Xxx\x00/g' "$scratch/pvh" >"$scratch/vmlinux"
echo 'echo "loader: $(cat /proc/sys/kernel/bootloader_type)"' >"$scratch/loader.sh"
initrd_with "$scratch/loader.cpio" "$scratch/loader.sh=test"
for format in pvh vmlinux; do
	boot_beside $format --initrd "$scratch/loader.cpio" --append "console=ttyS0 subring.script=/test" "$scratch/$format"
done
wait
# What Linux notes as the loader's type is 0xb0 for PVH, else what the parameters say: 0xff.
check "Linux as an ELF file with a PVH note starts by PVH" ended pvh 0 '^loader: 176'
check "Linux as a plain vmlinux starts by Linux's own protocol" ended vmlinux 0 '^loader: 255'

boot rootless --append "panic=-1" --no-reboot --expect 'Unable to mount root fs' "$vmlinuz"
check "without an initrd, Linux finds no root; the panic's reset ends a run with --no-reboot" ended rootless 0

# ---- ends ----

# ending NAME PARAMETERS OPTION...: boots a guest that restarts itself on its first start and powers off on its second. The disk
# remembers.
cat >"$scratch/ending.sh" <<'SCRIPT'
if [ "$(dd if=/dev/vda bs=5 count=1 2>/dev/null)" = again ]; then
	echo "the second start"
	exit
fi
echo again | dd of=/dev/vda conv=fsync 2>/dev/null
reboot -f
sleep 60
SCRIPT
initrd_with "$scratch/ending.cpio" "$scratch/ending.sh=test"
ending() {
	name=$1
	parameters=$2
	shift 2
	truncate -s 1M "$scratch/$name.img"
	boot_beside "$name" --disk "path=$scratch/$name.img" --initrd "$scratch/ending.cpio" \
		--append "subring.script=/test $parameters" "$@" "$vmlinuz"
}

for way in acpi kbd pci triple; do
	ending "$way" "reboot=$way" --stats
done
ending once "reboot=acpi" --no-reboot
ending crash "reboot=triple" --no-reboot
wait
for way in acpi kbd pci triple; do
	check "a restart by reboot=$way starts the kernel again, and power-off ends the run with status 0" \
		ended "$way" 0 'the second start' 'reboot: Power down' '1 reboots'
done
check "--no-reboot: a guest's restart ends the run with status 0" ended once 0 'reboot: Restarting system'
check "--no-reboot: there is no second start" sh -c '! grep -a "second start" "$1"' - "$scratch/once.out"
check "--no-reboot: a triple fault ends the run with status 1 and says so" ended crash 1 'triple fault'

finish
