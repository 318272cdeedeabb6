#!/bin/sh
# `make bench`: the same kernel, initramfs and benchmark program natively, in QEMU's TCG and in Subring, one after another in one
# run, printed as ratios. Machines are shared and noisy: only the ratios mean something, and only roughly.
#
#   SUBRING=build/subring GUEST=folder BUILD=build bench/run.sh
set -eu

build=${BUILD:-build}
subring=${SUBRING:-$build/subring}
kernel=$GUEST/vmlinuz
work=$build/bench
here=$(dirname "$0")
mkdir -p "$work"

gcc -O2 -static -o "$work/micro" "$here/micro.c"
printf '/micro\n' >"$work/micro.sh"
printf 'echo userspace is up\n' >"$work/boot.sh"
"$here/../tools/guest/initramfs.sh" "$GUEST" "$work/initrd.cpio" "$work/micro=micro" "$work/micro.sh=micro.sh" "$work/boot.sh=boot.sh"

run_subring() { # script, further options
	script=$1
	shift
	"$subring" run --kernel "$kernel" --initrd "$work/initrd.cpio" --append "quiet subring.script=$script" \
		--memory 512M --timeout 900 "$@" </dev/null 2>>"$work/subring.err"
}

run_tcg() {
	timeout 900 qemu-system-x86_64 -accel tcg -cpu max -m 512M -display none -serial stdio -monitor none -no-reboot \
		-kernel "$kernel" -initrd "$work/initrd.cpio" -append "console=ttyS0 quiet subring.script=$1" </dev/null 2>/dev/null
}

seconds() { # of a command's run
	start=$(date +%s.%N)
	"$@" >"$work/out"
	end=$(date +%s.%N)
	grep -q 'userspace is up' "$work/out" || echo "the guest did not come up: $*" >&2
	echo "$end - $start" | bc -l
}

best_of_three() {
	for _ in 1 2 3; do
		seconds "$@"
	done | sort -n | head -n 1
}

echo "Boot: $(basename "$(ls "$GUEST"/root/boot/vmlinuz-* | head -n 1)") with busybox, power on to power off, best of three"
tcg=$(best_of_three run_tcg /boot.sh)
ours=$(best_of_three run_subring /boot.sh)
printf '  QEMU TCG %.2f s, Subring %.2f s: %.2f times TCG (at most 3)\n\n' "$tcg" "$ours" "$(echo "$ours / $tcg" | bc -l)"

"$work/micro" | grep '^row' >"$work/native.rows"
run_tcg /micro.sh | tr -d '\r' | grep '^row' >"$work/tcg.rows" || :
run_subring /micro.sh | tr -d '\r' | grep '^row' >"$work/subring.rows" || :
echo "Nanoseconds for one operation, and ratios"
printf '  %-14s %12s %12s %12s %12s %12s\n' row native tcg subring tcg/native subring/tcg
awk -v folder="$work" '
	BEGIN {
		while ((getline < (folder "/tcg.rows")) > 0) tcg[$2] = $3
		while ((getline < (folder "/subring.rows")) > 0) ours[$2] = $3
		while ((getline < (folder "/native.rows")) > 0) {
			printf "  %-14s %12.2f %12.2f %12.2f", $2, $3, tcg[$2], ours[$2]
			if (tcg[$2] && ours[$2]) printf " %12.1f %12.2f", tcg[$2] / $3, ours[$2] / tcg[$2]
			printf "\n"
		}
	}'

echo
SUBRING=$subring GUEST=$GUEST BUILD=$build "$here/footprint.sh"
