#!/bin/sh
# Work whose result is known: the guest compiles sources of Subring with this host's compiler, and computes and suffers what
# tests/boot/stress has; the host does the same, and nothing may differ.
#
#   STRESS_SECONDS=60 tests/boot/workload.sh    the soak test
set -u
. "$(dirname "$0")/lib.sh"

seconds=${STRESS_SECONDS:-10}
script="quiet subring.script=/test"
stress=$BUILD/tests/stress

# ---- a compiler ----

# The file itself and the shared libraries it needs, where it expects them.
with_libraries() { # FILE PATH-IN-GUEST
	echo "$1=$2"
	ldd "$1" | sed -n 's/^.* => \(\/[^ ]*\) .*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p' |
		while read -r library; do echo "$library=${library#/}"; done
}

cc1=$(gcc -print-prog-name=cc1)
as=$(command -v "$(gcc -print-prog-name=as)")
sources="src/insn/decode.c src/dev/pit.c src/boot/aml.c src/cpu/walk.c"
files=
names=
for source in $sources; do
	name=$(basename "$source" .c)
	gcc -E -std=gnu11 -Isrc "$source" -o "$scratch/$name.i"
	files="$files $scratch/$name.i=src/$name.i"
	names="$names $name"
done

# In the guest and on the host: all files at once, each compiled and assembled.
cat >"$scratch/compile.sh" <<SCRIPT
for name in $names; do
	(\$cc1 -quiet -fpreprocessed -std=gnu11 -O2 \$name.i -o \$name.s && \$as \$name.s -o \$name.o) &
done
wait
sha256sum *.s *.o | sed 's/^/sum /'
SCRIPT
printf '%s\n' 'cd /src; cc1=/bin/cc1; as=/bin/as; . /compile' >"$scratch/guest.sh"
(cd "$scratch" && . ./compile.sh) >"$scratch/host.sums"
initrd_with "$scratch/compile.cpio" "$scratch/guest.sh=test" "$scratch/compile.sh=compile" $files \
	$(with_libraries "$cc1" bin/cc1) $(with_libraries "$as" bin/as)

same_sums() { # NAME
	ended "$1" 0 'script ended with status 0' || return 1
	tr -d '\r' <"$scratch/$1.out" | grep -a '^sum ' | diff "$scratch/host.sums" -
}

check "the host's compiler makes four assembler and four object files" test "$(grep -c '^sum' "$scratch/host.sums")" = 8
for processors in 1 4; do
	boot compile$processors --cpus $processors --initrd "$scratch/compile.cpio" --append "$script" "$KERNEL"
	check "with $processors processors, the same compiler makes the same files in the guest" same_sums compile$processors
done

# ---- stress ----

printf '%s\n' "stress $seconds" >"$scratch/stress.sh"
initrd_with "$scratch/stress.cpio" "$scratch/stress.sh=test" "$stress=bin/stress"

# What the guest did, round for round, done by the host.
same_rounds() { # NAME
	ended "$1" 0 'script ended with status 0' || return 1
	tr -d '\r' <"$scratch/$1.out" | grep -aE '^[a-z0-9]+ [0-9]+ [0-9a-f]{16}$' >"$scratch/$1.rounds"
	"$stress" $(sed 's/\(.*\) \(.*\) .*/\1=\2/' "$scratch/$1.rounds") >"$scratch/$1.native" || return 1
	kinds=$(grep -c '^KIND' tests/boot/stress/stress.def)
	diff "$scratch/$1.native" "$scratch/$1.rounds" && [ "$(wc -l <"$scratch/$1.rounds")" = "$kinds" ]
}

for processors in 1 4; do
	boot stress$processors --cpus $processors --initrd "$scratch/stress.cpio" --append "$script" "$KERNEL"
	check "with $processors processors, $seconds seconds of stress compute what the host computes" \
		same_rounds stress$processors
	cat "$scratch/stress$processors.rounds"
done

finish
