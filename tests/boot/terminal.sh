#!/bin/sh
# The terminal: raw while the guest runs, keys after Ctrl-a, and as it was before however the run ends. See terminal.py.
set -u
. "$(dirname "$0")/lib.sh"
export SUBRING KERNEL INITRD
python3 tests/boot/terminal.py
