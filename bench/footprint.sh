#!/bin/sh
# What an idle guest of one processor costs: its share of a core, and Subring's own memory beside the guest's.
#
#   SUBRING=build/subring GUEST=folder BUILD=build bench/footprint.sh
#
# The guest boots, says so and sleeps. Memory is the resident size of everything but guest RAM, the kernel's and the initramfs's
# copies included.
set -eu

build=${BUILD:-build}
subring=${SUBRING:-$build/subring}
work=$build/bench
here=$(dirname "$0")
idle_seconds=20
mkdir -p "$work"

printf 'echo idle now\nsleep 600\n' >"$work/idle.sh"
"$here/../tools/guest/initramfs.sh" "$GUEST" "$work/idle.cpio" "$work/idle.sh=idle.sh"
"$subring" run --kernel "$GUEST/vmlinuz" --initrd "$work/idle.cpio" --append "quiet subring.script=/idle.sh" \
	--timeout 600 </dev/null >"$work/idle.out" 2>/dev/null &
process=$!
trap 'kill $process 2>/dev/null || :' EXIT
waited=0
until grep -q 'idle now' "$work/idle.out"; do
	sleep 1
	waited=$((waited + 1))
	[ $waited -lt 300 ] || {
		echo "the guest did not come up" >&2
		exit 1
	}
done
sleep 3

ticks() { # of processor time used so far
	awk '{ print $14 + $15 }' "/proc/$process/stat"
}

before=$(ticks)
sleep $idle_seconds
used=$(($(ticks) - before))
own=$(awk '/^[0-9a-f]+-/ { ram = /subring-ram/ } /^Rss:/ && !ram { kib += $2 } END { print kib }' "/proc/$process/smaps")
awk -v used="$used" -v hz="$(getconf CLK_TCK)" -v seconds=$idle_seconds -v own="$own" 'BEGIN {
	printf "Idle guest: %.2f%% of a core (at most 2)\n", 100 * used / hz / seconds
	printf "Memory beside the guest'\''s: %.1f MiB (at most 32)\n", own / 1024
}'
