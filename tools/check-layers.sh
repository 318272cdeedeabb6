#!/bin/sh
# A room uses only the rooms to its left (docs/architecture.md, "The rooms"): looks at every #include "room/..." in src/.
set -eu
cd "$(dirname "$0")/.."

passed=0
failed=0
allowed() {
	case $1 in
	base) echo base ;;
	x86) echo base x86 ;;
	vmx | svm) echo base x86 "$1" ;;
	insn) echo base x86 insn ;;
	cpu) echo base x86 vmx svm insn cpu host/code ;;
	jit) echo base x86 vmx svm insn cpu jit ;;
	engine) echo base x86 vmx svm insn cpu jit engine host ;;
	dev) echo base x86 dev host/host machine/bus machine/memory machine/irq machine/clock machine/layout ;;
	boot) echo base x86 boot host/host host/decompress cpu/cpu machine/memory machine/layout dev/acpi_pm dev/pci dev/lapic ;;
	machine) echo base x86 insn cpu engine dev boot machine host/host ;;
	host) echo base x86 host machine/memory ;;
	cli) echo base x86 vmx svm insn cpu engine machine dev boot host cli ;;
	esac
}

may_use() { # room, "room/header"
	for prefix in $(allowed "$1"); do
		case $2 in
		"$prefix"/* | "$prefix") return 0 ;;
		esac
	done
	return 1
}

for file in $(find src -name '*.[ch]' -o -name '*.def' | sort); do
	room=${file#src/}
	room=${room%%/*}
	bad=
	for header in $(sed -n 's/^[[:space:]]*#[[:space:]]*include "\([^"]*\)".*/\1/p' "$file"); do
		may_use "$room" "${header%.*}" || bad="$bad $header"
	done
	case $room in
	base | x86 | vmx | svm | insn | cpu | dev | boot | machine)
		libc=$(sed -n 's/^[[:space:]]*#[[:space:]]*include <\(.*\)>.*/\1/p' "$file" |
			grep -vE '^std(int|def|bool|atomic|arg)\.h$|^immintrin\.h$' || :)
		bad="$bad $libc"
		;;
	esac
	if [ -n "$(echo $bad)" ]; then
		echo "FAILED $file may not include:$bad"
		failed=$((failed + 1))
	else
		passed=$((passed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
