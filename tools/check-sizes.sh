#!/bin/sh
# No source file over 800 lines, no line over 130 columns, no function over 80 lines (tables apart), half of the files under 150 lines.
set -eu
cd "$(dirname "$0")/.."

python3 - <<'PYTHON'
import pathlib, re, statistics, sys
passed = failed = 0
lengths = []

def check(ok, text):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print("FAILED", text)

for path in sorted(p for d in ("src", "tests") for p in pathlib.Path(d).rglob("*.[ch]")):
    lines = path.read_text().split("\n")
    if path.parts[0] == "src":
        lengths.append(len(lines))
    check(len(lines) <= 801, f"{path}: {len(lines)} lines")
    long = [n + 1 for n, l in enumerate(lines) if len(l.expandtabs(8)) > 130]
    check(not long, f"{path}: lines over 130 columns: {long[:5]}")
    start = None
    for n, line in enumerate(lines):
        if line == "{" and n and not lines[n - 1].startswith(("#", "static const struct", "enum")):
            start = n
        elif line == "}" and start is not None:
            check(n - start - 1 <= 80, f"{path}:{start}: function of {n - start - 1} lines")
            start = None
check(statistics.median(lengths) <= 150, f"the median source file has {statistics.median(lengths)} lines")
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
PYTHON
