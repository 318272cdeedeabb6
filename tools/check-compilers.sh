#!/bin/sh
# The whole program compiles without a warning with gcc and with clang.
set -u
cd "$(dirname "$0")/.."

build=${BUILD:-build}
passed=0
failed=0
for compiler in gcc clang; do
	if make -j"$(nproc)" --no-print-directory -s CC=$compiler BUILD="$build/$compiler" "$build/$compiler/subring" >"$build/$compiler.log" 2>&1; then
		passed=$((passed + 1))
	else
		echo "FAILED $compiler:"
		grep -E 'error|warning' "$build/$compiler.log" | head -n 20
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
