# What the boot tests share: a scratch folder, running Subring on a guest, counting rules. Source it; end with `finish`.
#
# SUBRING, GUEST (a folder of tools/guest/fetch.sh), INITRD and BUILD come from the Makefile.

cd "$(dirname "$0")/../.."
: "${SUBRING:=build/subring}" "${BUILD:=build}" "${INITRD:=build/initrd.cpio}"
: "${CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/subring}"
: "${GUEST:=$CACHE/default}"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
passed=0
failed=0

# check SENTENCE COMMAND...: a rule, and the command that shows it.
check() {
	sentence=$1
	shift
	if "$@" >"$scratch/check.log" 2>&1; then
		echo "ok      $sentence"
		passed=$((passed + 1))
	else
		echo "FAILED  $sentence"
		tail -n 20 "$scratch/check.log"
		failed=$((failed + 1))
	fi
}

finish() {
	echo "$passed passed, $failed failed"
	[ $failed = 0 ]
	exit
}

# boot NAME OPTION...: `subring run`, its output in $scratch/NAME.out and .err, its exit status in .status. Several may run at
# once in the background. The limit is for hangs, not for slow hosts.
boot() {
	name=$1
	shift
	"$SUBRING" run --timeout 900 "$@" </dev/null >"$scratch/$name.out" 2>"$scratch/$name.err"
	echo $? >"$scratch/$name.status"
}

# boot_beside NAME OPTION...: the same in the background, two at a time. After the last, `wait`.
boot_beside() {
	boot "$@" &
	beside=$((beside + 1))
	[ $((beside % 2)) = 1 ] || wait
}
beside=0

# ended NAME STATUS [REGEX...]: the boot ended so, and each of the expressions matches a line of its output.
ended() {
	name=$1
	status=$2
	shift 2
	[ "$(cat "$scratch/$name.status")" = "$status" ] || {
		echo "status $(cat "$scratch/$name.status"), not $status"
		tail -n 15 "$scratch/$name.out" "$scratch/$name.err"
		return 1
	}
	for expression in "$@"; do
		grep -aqE -e "$expression" "$scratch/$name.out" "$scratch/$name.err" || {
			echo "no line matches $expression"
			tail -n 15 "$scratch/$name.out" "$scratch/$name.err"
			return 1
		}
	done
}

# The same for a guest that checked itself; its own complaints are shown.
checked() {
	! grep -a '^  FAILED' "$scratch/$1.out" && ended "$1" 0 'guest: all checks passed'
}

# initrd_with OUTPUT FILE=PATH...: the guest's initial RAM disk with further files, which keep their modes.
initrd_with() {
	output=$1
	shift
	rm -rf "$scratch/tree"
	mkdir "$scratch/tree"
	for extra in "$@"; do
		mkdir -p "$scratch/tree/$(dirname "${extra#*=}")"
		cp -L "${extra%%=*}" "$scratch/tree/${extra#*=}"
	done
	# The kernel unpacks archives one after another.
	cp "$INITRD" "$output"
	(cd "$scratch/tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >>"$output"
}

# ---- single rules, and guests that run a script ----

PATH=$PATH:/usr/sbin:/sbin # mkfs.ext4, ip
KERNEL=$GUEST/vmlinuz
SUBRING=$(realpath "$SUBRING")
INITRD=$(realpath "$INITRD")

# What else a script must undo at its end.
cleanup() {
	:
}
trap 'cleanup; rm -rf "$scratch"' EXIT

ok() { # the rule
	echo "ok      $1"
	passed=$((passed + 1))
}

fail() { # the rule [what was seen instead]
	echo "FAILED  $1"
	[ -z "${2:-}" ] || printf '%s\n' "$2" | tail -n 20 | sed 's/^/        /'
	failed=$((failed + 1))
}

skip() { # the rule, and why it cannot be tested here
	echo "skipped $1: $2"
}

# matches RULE FILE REGEX: a line of the file does.
matches() {
	if grep -aqE -e "$3" "$2"; then
		ok "$1"
	else
		fail "$1" "no line matches '$3' in: $(tail -n 15 "$2")"
	fi
}

equal() { # the rule, a value, the value it must have
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		fail "$1" "it is '$2', not '$3'"
	fi
}

# run_script SCRIPT OPTION...: the guest runs a script of the host's, `subring run` with further options. Its output, without
# carriage returns, is in $scratch/log, messages are in $scratch/messages, its exit status is in $status.
run_script() {
	initrd_with "$scratch/script.cpio" "$1=test"
	shift
	"$SUBRING" run --kernel "$KERNEL" --initrd "$scratch/script.cpio" --append "quiet subring.script=/test" --timeout 900 \
		"$@" </dev/null >"$scratch/log.raw" 2>"$scratch/messages"
	status=$?
	tr -d '\r' <"$scratch/log.raw" >"$scratch/log"
}
