#!/bin/sh
# Every header compiles on its own, and has its include guard.
set -eu
cd "$(dirname "$0")/.."

passed=0
failed=0
for header in $(find src -name '*.h' | sort); do
	guard=$(echo "${header#src/}" | tr 'a-z/.' 'A-Z__')
	if grep -q "^#ifndef $guard$" "$header" &&
		echo "#include \"${header#src/}\"" | ${CC:-gcc} -std=gnu11 -D_GNU_SOURCE -Isrc -Wall -Wextra -Werror -fsyntax-only -x c -; then
		passed=$((passed + 1))
	else
		echo "FAILED $header: not self-contained, or its guard is not $guard"
		failed=$((failed + 1))
	fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
