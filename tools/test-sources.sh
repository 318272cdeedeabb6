#!/bin/sh
# Prints the source files that a test program consists of: the file itself, and for each header beside it that it includes,
# directly or through another, the .c file of the same name. Tests say what they need by including it.
#
#   tools/test-sources.sh tests/unit/test_x.c
set -eu

folder=$(dirname "$1")
seen=" $1 "
queue=$1
while [ -n "$queue" ]; do
	file=${queue%% *}
	rest=${queue#"$file"}
	queue=${rest# }
	for header in $(sed -n 's/^[[:space:]]*#[[:space:]]*include "\([^/"]*\)\.h".*/\1/p' "$file"); do
		for source in "$folder/$header.c" "$folder/$header.h"; do
			case $seen in
			*" $source "*) continue ;;
			esac
			[ -e "$source" ] || continue
			seen="$seen$source "
			queue="${queue:+$queue }$source"
		done
	done
done
for source in $seen; do
	case $source in
	*.c) echo "$source" ;;
	esac
done
