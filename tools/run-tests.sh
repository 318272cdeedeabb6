#!/bin/sh
# Runs test programs one after another and adds up their closing lines "N passed, N failed". A program that fails without a
# failed test, or prints no such line, counts as one failure. Prints what failed, a line for each program, and the sum.
set -u

passed=0
failed=0
began=$(date +%s)
log=$(mktemp)
trap 'rm -f "$log"' EXIT

for program in "$@"; do
	case $program in
	/* | ./*) run=$program ;;
	*) run=./$program ;;
	esac
	start=$(date +%s)
	"$run" >"$log" 2>&1
	status=$?
	line=$(grep -aE '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)
	p=${line%% passed*}
	f=${line#*, }
	f=${f%% failed*}
	if [ -z "$line" ]; then
		p=0
		f=1
	elif [ $status -ne 0 ] && [ "$f" = 0 ]; then
		f=1
	fi
	if [ "$f" != 0 ]; then
		echo "---- $program (status $status)"
		tail -n 60 "$log"
	fi
	printf '%-45s %6d passed, %d failed (%d s)\n' "$program" "$p" "$f" $(($(date +%s) - start))
	passed=$((passed + p))
	failed=$((failed + f))
done
echo
took=$(($(date +%s) - began))
echo "in $((took / 60)) min $((took % 60)) s:"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
