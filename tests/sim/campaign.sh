#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# campaign.sh FIRST COUNT SECONDS: runs COUNT seeds from FIRST on, one process per processor, and begins no more after SECONDS (0: no
# limit). Failing seeds are printed with the command that replays them; the last line sums up.
# FIRST may be "fresh": seeds from the clock, which no earlier campaign has run.
sim=${top_builddir:-.}/tests/sim/coronet-sim
first=$1
count=$2
seconds=$3
parts=$(nproc)
began=$(date +%s)
# Room for more seeds than any campaign runs before the next begins.
[ "$first" = fresh ] && first=$((began * 100000000))
each=$(((count + parts - 1) / parts))
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

echo "base seed $first"
for part in $(seq "$parts"); do
	"$sim" --seed $((first + (part - 1) * each)) --seeds "$each" --seconds "$seconds" >"$out/$part" 2>&1 &
	echo "$!" >"$out/$part.pid"
done
status=0
for part in $(seq "$parts"); do
	wait "$(cat "$out/$part.pid")" || status=1
	grep -v '^[0-9]* passed, [0-9]* failed$' "$out/$part"
done
took=$(($(date +%s) - began))
cat "$out"/*[0-9] | awk -v took="$took" -v parts="$parts" '
	/^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3; ended++ }
	END {
		if (ended < parts) {
			printf "%d of %d processes did not end well\n", parts - ended, parts
		}
		printf "%d seeds passed, %d failed, in %d s: %d per minute\n", passed, failed, took,
			(passed + failed) * 60 / (took > 0 ? took : 1)
	}'
exit "$status"
